"""Precision and recall per type, and F1 of entities per kind: `python -m benchmarks.redaction [--json PATH] [--misses]`.

On sentences made from templates, and on complaints that were written without knowledge of the patterns (frames.py).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "glue_jobs"))

from complaints_etl import entities
from complaints_etl.redaction import TYPES, redact

from benchmarks.measurement import write_measurement
from benchmarks.redaction.frames import framed
from benchmarks.redaction.sentences import RECEIVED, Sentence, in_capitals, sentences

NO_NAMES = entities.Names.of(())
ROUNDS = 3  # how often each complaint is used, with other values each time
KINDS = ("amounts", "dates", "references")


def measure(labelled_sentences: list[Sentence], misses: list[str] | None = None) -> dict[str, Any]:
    """Return `{"redaction": {type: {precision, recall, n}}, "entities": {kind: {f1, n}}, "destroyed": n}`."""
    right, wanted, replaced = Counter[str](), Counter[str](), Counter[str]()
    both, expected, extracted = Counter[str](), Counter[str](), Counter[str]()
    destroyed = 0
    for sentence in labelled_sentences:
        text, counts = redact(sentence.text)
        labelled = Counter(kind for kind, value in sentence.personal)
        gone = Counter(kind for kind, value in sentence.personal if value not in text)
        wanted.update(labelled)
        replaced.update(counts)
        right.update({kind: min(counts.get(kind, 0), gone[kind]) for kind in labelled})
        lost = [part for part in sentence.kept if part not in text]
        destroyed += len(lost)
        stated = entities.extract(
            sentence.text, language=sentence.language, received=RECEIVED, products=NO_NAMES, channels=NO_NAMES, salt=""
        )
        numbers = [entities.hashed_reference("", number) for number in sentence.references]
        pairs = {
            "amounts": (Counter(sentence.amounts), Counter(stated.amounts)),
            "dates": (Counter(sentence.dates), Counter(stated.dates)),
            "references": (Counter(numbers), Counter(stated.references)),
        }
        for kind, (truth, ours) in pairs.items():
            if kind == "references" and sentence.personal and sentence.personal[0][0] != "REFERENCE":
                continue
            both[kind] += (truth & ours).total()
            expected[kind] += truth.total()
            extracted[kind] += ours.total()
        wrong = labelled != Counter(counts) or lost or any(pairs[kind][0] != pairs[kind][1] for kind in ("amounts", "dates"))
        if misses is not None and wrong:
            misses.append(
                f"{sentence.text}\n    → {text}  {dict(counts)} {[str(a) for a in stated.amounts]} "
                f"{[str(d) for d in stated.dates]}"
            )
    return {
        "redaction": {
            kind: {
                "precision": round(right[kind] / max(replaced[kind], 1), 4),
                "recall": round(right[kind] / max(wanted[kind], 1), 4),
                "n": wanted[kind],
            }
            for kind in TYPES
        },
        "entities": {
            kind: {"f1": round(2 * both[kind] / max(expected[kind] + extracted[kind], 1), 4), "n": expected[kind]}
            for kind in KINDS
        },
        "destroyed": destroyed,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--misses", action="store_true", help="show the sentences that went wrong")
    arguments = parser.parse_args()
    sets = {
        "sentences made from templates": list(sentences(arguments.sentences, arguments.seed)),
        "complaints written without sight of the patterns": [
            one for seed in range(ROUNDS) for prefix in ("", "people_") for one in framed(arguments.seed + seed, prefix)
        ],
    }
    sets["the same in capitals"] = list(map(in_capitals, sets["complaints written without sight of the patterns"]))
    results = {}
    for name, chosen in sets.items():
        misses: list[str] = []
        results[name] = result = measure(chosen, misses)
        print(f"{name}: {len(chosen)}\n\n{'type':<12}{'precision':>10}{'recall':>10}{'n':>7}")
        for kind, row in result["redaction"].items():
            print(f"{kind:<12}{row['precision']:>10.3f}{row['recall']:>10.3f}{row['n']:>7}")
        print(f"\n{'fact':<12}{'F1':>10}{'n':>17}")
        for kind, row in result["entities"].items():
            print(f"{kind:<12}{row['f1']:>10.3f}{row['n']:>17}")
        print(f"\namounts, dates and other things destroyed: {result['destroyed']}\n")
        if arguments.misses:
            print("\n".join([*misses[:60], ""]))
    if arguments.json:
        write_measurement(arguments.json, {"sets": results})


if __name__ == "__main__":
    main()
