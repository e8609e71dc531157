"""Measure the tagger: `python -m benchmarks.redaction.people.evaluate --meddocan M --presidio P [--json PATH]`.

On words of MEDDOCAN's and Presidio's labelled texts, and on values in complaints (frames/people_*.txt). With `--complaints`
and `--intents`, also on the half of the real texts that the training does not see: their publisher has masked what is
personal, so that nearly each find is wrong.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "glue_jobs"))

from complaints_etl.redaction import redact, redact_and_list
from complaints_etl.redaction.people import spans as joining
from complaints_etl.redaction.people import tagger as tagging

from benchmarks.measurement import write_measurement
from benchmarks.redaction.frames import framed
from benchmarks.redaction.people import texts
from benchmarks.redaction.sentences import Sentence, in_capitals

KINDS = ("NAME", "ADDRESS", "BIRTH_DATE")
SEEDS = (5, 6, 7)
Spans = Sequence[tuple[int, int, str]]
Scores = dict[str, dict[str, float | None]]  # recall, precision and n of each kind
_MARK = re.compile(r"<([A-Z_]+)>")
_WORD = re.compile(r"\w+")


def replaced(text: str, after: str) -> list[tuple[int, int, str]]:
    """Return the spans that redaction replaced, in positions of the text."""
    spans, at = [], 0
    pieces = _MARK.split(after)
    for place in range(0, len(pieces), 2):
        found = text.find(pieces[place], at) if place + 1 < len(pieces) or pieces[place] else len(text)
        if place and not pieces[place] and place + 1 < len(pieces):
            found = at + 1
        if place:
            spans.append((at, found if found >= 0 else at, pieces[place - 1]))
        at = max(found, at) + len(pieces[place])
    return spans


def redacted(labelled: Iterable[texts.Labelled]) -> list[Spans]:
    """Return what redaction replaces in each text."""
    return [replaced(text, redact(text)[0]) for text, _ in labelled]


def on_words(labelled: Sequence[texts.Labelled], claims: Sequence[Spans], misses: list[str]) -> Scores:
    """Return the scores of each kind, by word. A word that is claimed as another kind is found, too."""
    found, wanted, right, claimed = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for (text, spans), ours in zip(labelled, claims, strict=True):
        for word in _WORD.finditer(text):
            truth, claim = _kind_of(word, spans), _kind_of(word, ours)
            wanted[truth] += 1
            claimed[claim] += 1
            found[truth] += bool(claim)
            right[claim] += bool(truth)
            if (truth and not claim) or (claim in KINDS and not truth):
                before, behind = text[max(word.start() - 40, 0) : word.start()], text[word.end() : word.end() + 30]
                misses.append(f"{truth or '-'} / {claim or '-'}: {before!r} [{word[0]}] {behind!r}")
    return {kind: _scores(found[kind], wanted[kind], right[kind], claimed[kind]) for kind in wanted if kind}


def _kind_of(word: re.Match[str], spans: Spans) -> str:
    return next((kind for start, end, kind in spans if start < word.end() and word.start() < end), "")


def _scores(found: int, wanted: int, right: int, claimed: int) -> dict[str, float | None]:
    precision = round(right / claimed, 4) if claimed else None
    return {"recall": round(found / max(wanted, 1), 4), "precision": precision, "n": wanted}


def on_values(sentences: Iterable[Sentence], misses: list[str]) -> Scores:
    """Return the scores of each kind, by value. A value is found if nothing of it is left."""
    found, wanted, claimed, good = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for sentence in sentences:
        after, counts = redact(sentence.text)
        for kind, value in sentence.personal:
            wanted[kind] += 1
            found[kind] += value not in after and not (kind != "BIRTH_DATE" and _part_is_left(sentence.text, value, after))
        truth = Counter(kind for kind, _ in sentence.personal)
        for kind, count in counts.items():
            claimed[kind] += count
            good[kind] += min(count, truth[kind])
        lost = [part for part in sentence.kept if part not in after]
        is_wrong = lost or any(counts.get(kind, 0) != truth[kind] for kind in KINDS)
        if is_wrong or any(value in after for _, value in sentence.personal):
            misses.append(f"{sentence.text!r}\n    → {after!r} {lost or ''}")
    return {kind: _scores(found[kind], wanted[kind], good[kind], claimed[kind]) for kind in KINDS}


def _part_is_left(text: str, value: str, after: str) -> bool:
    """Return True if the redacted text still has a word that the text had in this value and nowhere else."""
    return any(len(word) > 3 and word in after and word not in text.replace(value, "") for word in _WORD.findall(value))


def finds_in(real: Sequence[str], misses: list[str]) -> dict[str, float]:
    """Return how many names, addresses and dates of birth are found per 1,000 texts without any."""
    found = Counter[str]()
    for begin in range(0, len(real), 500):
        batch = real[begin : begin + 500]
        for text, (after, counts, _) in zip(batch, redact_and_list(batch), strict=True):
            for kind in KINDS:
                found[kind] += counts.get(kind, 0)
            misses += [
                f"{kind}: {text[max(start - 60, 0) : start]!r} [{text[start:end]}] {text[end : end + 40]!r}"
                for start, end, kind in replaced(text, after)
                if kind in KINDS
            ]
    return {"texts": len(real), **{kind: round(1000 * found[kind] / len(real), 2) for kind in KINDS}}


def held_out(complaints: Path, intents: Path) -> list[str]:
    """Return the half of the real texts that `train --hold-out all` does not learn from."""
    with intents.open(encoding="utf-8") as lines:
        return [*texts.complaints(complaints)[1::2], *[row["text"] for row in csv.DictReader(lines)][1::2]]


def sets(given: argparse.Namespace) -> dict[str, Callable[[list[str]], dict[str, Any]]]:
    """Return what measures each set, by its name."""
    people = [one for seed in SEEDS for one in framed(seed, "people_")]
    labelled = {
        "MEDDOCAN, development part": texts.meddocan(given.meddocan),
        "Presidio's sentences, a fifth": texts.presidio(given.presidio)[::5],
    }
    values = {
        "complaints in Spanish": [one for one in people if one.language == "es"],
        "complaints in English": [one for one in people if one.language == "en"],
        "complaints in capitals": list(map(in_capitals, people)),
    }
    found: dict[str, Callable[[list[str]], dict[str, Any]]] = {
        name: lambda misses, known=known: on_words(known, redacted(known), misses) for name, known in labelled.items()
    }
    found |= {name: lambda misses, known=known: on_values(known, misses) for name, known in values.items()}
    if given.complaints and given.intents:
        found["real texts without names"] = lambda misses: finds_in(held_out(given.complaints, given.intents), misses)
    return found


def main() -> None:
    """Print recall and precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meddocan", type=Path, required=True)
    parser.add_argument("--presidio", type=Path, required=True)
    parser.add_argument("--complaints", type=Path)
    parser.add_argument("--intents", type=Path)
    parser.add_argument("--model", type=Path, help="by default the one that is installed")
    parser.add_argument("--misses", nargs="*", default=[], help="show misses of the sets with these words in their names")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.model:
        model = tagging.Tagger.read(given.model.read_bytes())
        joining.tagger = lambda: model
    results = {}
    for name, measure in sets(given).items():
        misses: list[str] = []
        results[name] = measure(misses)
        print(f"{name}: {json.dumps(results[name])}")
        if any(word in name for word in given.misses):
            print("\n".join(misses[:200]))
    if given.json:
        write_measurement(given.json, {"sets": results})


if __name__ == "__main__":
    main()
