"""Measure the tagger: `python -m benchmarks.redaction.people.evaluate --meddocan M --presidio P [--model M] [--misses]`.

On words of MEDDOCAN's and Presidio's labelled texts, and on values in complaints (frames/people_*.txt).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "glue_jobs"))

from complaints_etl.redaction import redact
from complaints_etl.redaction.people import tagger as tagging

from benchmarks.redaction.frames import framed
from benchmarks.redaction.people import texts
from benchmarks.redaction.sentences import Sentence, in_capitals

KINDS = ("NAME", "ADDRESS", "BIRTH_DATE")
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


def on_words(labelled: list[texts.Labelled], misses: list[str]) -> dict[str, tuple[float, float, int]]:
    """Return recall, precision and count of each kind, by word. A word that is replaced as another kind is found, too."""
    found, wanted, right, claimed = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for text, spans in labelled:
        ours = replaced(text, redact(text)[0])
        for word in _WORD.finditer(text):
            truth = next((kind for start, end, kind in spans if start < word.end() and word.start() < end), "")
            claim = next((kind for start, end, kind in ours if start < word.end() and word.start() < end), "")
            wanted[truth] += 1
            claimed[claim] += 1
            found[truth] += bool(claim)
            right[claim] += bool(truth)
            if (truth and not claim) or (claim in KINDS and not truth):
                misses.append(
                    f"{truth or '-'} / {claim or '-'}: {text[max(word.start() - 40, 0) : word.start()]!r} [{word[0]}] {text[word.end() : word.end() + 30]!r}"
                )
    return {kind: (found[kind] / wanted[kind], right[kind] / max(claimed[kind], 1), wanted[kind]) for kind in wanted if kind}


def on_values(sentences: list[Sentence], misses: list[str]) -> dict[str, tuple[float, float, int]]:
    """Return recall, precision and count of each kind, by value. A value is found if nothing of it is left."""
    found, wanted, claimed, good = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for sentence in sentences:
        after, counts = redact(sentence.text)
        for kind, value in sentence.personal:
            wanted[kind] += 1
            found[kind] += value not in after and not (
                kind != "BIRTH_DATE"
                and any(
                    len(word) > 3 and word in after and word not in sentence.text.replace(value, "")
                    for word in _WORD.findall(value)
                )
            )
        truth = Counter(kind for kind, _ in sentence.personal)
        for kind, count in counts.items():
            claimed[kind] += count
            good[kind] += min(count, truth[kind])
        lost = [part for part in sentence.kept if part not in after]
        if (
            lost
            or any(counts.get(kind, 0) != truth[kind] for kind in KINDS)
            or any(value in after for _, value in sentence.personal)
        ):
            misses.append(f"{sentence.text!r}\n    → {after!r} {lost or ''}")
    return {kind: (found[kind] / max(wanted[kind], 1), good[kind] / max(claimed[kind], 1), wanted[kind]) for kind in KINDS}


def main() -> None:
    """Print recall and precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meddocan", type=Path, required=True)
    parser.add_argument("--presidio", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="by default the one that is installed")
    parser.add_argument("--misses", nargs="*", default=[], help="show misses of these sets")
    given = parser.parse_args()
    if given.model:
        import numpy as np

        with np.load(given.model) as arrays:
            model = tagging.Tagger(dict(arrays))
        from complaints_etl.redaction.people import spans

        spans.tagger = lambda: model
    people = [one for seed in (5, 6, 7) for one in framed(seed, "people_")]
    sets = {
        "meddocan": lambda misses: on_words(texts.meddocan(given.meddocan), misses),
        "presidio": lambda misses: on_words(
            [one for place, one in enumerate(texts.presidio(given.presidio)) if place % 5 == 0], misses
        ),
        "es": lambda misses: on_values([one for one in people if one.language == "es"], misses),
        "en": lambda misses: on_values([one for one in people if one.language == "en"], misses),
        "capitals": lambda misses: on_values(list(map(in_capitals, people)), misses),
    }
    for name, measure in sets.items():
        misses: list[str] = []
        for kind, (recall, precision, count) in sorted(measure(misses).items()):
            print(f"{name:<10}{kind:<12} recall {recall:.3f} precision {precision:.3f} of {count}")
        if name in given.misses:
            print("\n".join(misses[:150]))


if __name__ == "__main__":
    main()
