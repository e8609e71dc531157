"""Measure in how many uploads a model finds that the labels contradict it, with right and with wrong labels.

    python -m benchmarks.model.contradicting_runs FILE --data NAME [--text COLUMN] [--label COLUMN] [--order COLUMN] [--json PATH]

A model learns from the first rows: of the oldest complaints if `--order` names the column of a date, else of rows in random order. The
others are uploads, in the same order. Each upload is tested alone, as the held-out rows of one run.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "glue_jobs"), str(ROOT / "training")]

from complaint_model.contradiction import contradicting_runs
from complaint_model.fit import fit
from complaint_model.records import Labelled, Rows
from complaint_model.scoring import score
from complaint_model.settings import Settings

from benchmarks.measurement import write_measurement
from benchmarks.model.quality import groups_of, table_of

HELD_OUT_ROWS = (15, 50, 200)  # a tenth of what is uploaded


def rows_in_order(file: Path, text: str, label: str, order: str | None, seed: int) -> list[tuple[str, str]]:
    """Return texts and labels, by the column of a date or in random order."""
    table = table_of(file, text, label, *([order] if order else []))
    if order:
        table.sort(key=lambda row: row[order])
    else:
        random.Random(seed).shuffle(table)
    return [(row[text], row[label]) for row in table]


def changes(names: Sequence[str], seed: int) -> dict[str, Callable[[Sequence[str]], list[str]]]:
    """Return functions that replace labels of an upload, by name."""
    draw = random.Random(seed)

    def one(labels: Sequence[str]) -> list[str]:
        return [draw.choice(names)] * len(labels)

    def another(share: float) -> Callable[[Sequence[str]], list[str]]:
        def change(labels: Sequence[str]) -> list[str]:
            return [
                draw.choice([name for name in names if name != label]) if draw.random() < share else label for label in labels
            ]

        return change

    shares = {f"{share:.0%} of labels wrong": another(share) for share in (0.1, 0.3, 0.5)}
    return {"labels right": list, "one label for all rows": one, **shares}


def measure(rows: Sequence[tuple[str, str]], learned: int, seed: int) -> list[dict[str, Any]]:
    """Train, and test each upload of each size with each change."""
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    model, _ = fit(Rows(texts[:learned], labels[:learned], groups_of(texts[:learned])), Settings())
    scores = score(model, texts[learned:])
    answers = [model.labels[place] for place in scores.label.tolist()]
    truth, known = labels[learned:], sorted(model.labels)
    all_changes, results = changes(known, seed), []
    for size in HELD_OUT_ROWS:
        uploads = [slice(start, start + size) for start in range(0, len(answers) - size + 1, size)]
        found = dict.fromkeys(all_changes, 0)
        for upload in uploads:
            for name, change in all_changes.items():
                labels_now = change(truth[upload])
                agreed = np.asarray([label == answer for label, answer in zip(labels_now, answers[upload], strict=True)])
                held_out = [Labelled(str(n), "", label, str(n), "", "upload") for n, label in enumerate(labels_now)]
                found[name] += bool(contradicting_runs(held_out, agreed, scores.confidence[upload], known_labels=set(known)))
        results.append({"held_out_rows": size, "uploads": len(uploads), "found": found})
    return results


def main() -> None:
    """Print a line per size of upload."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--data", required=True, help="the name of the data, for the documentation")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="category")
    parser.add_argument("--order", help="column of a date; without it the order is random")
    parser.add_argument("--learned", type=int, default=4000, help="rows that the model learns from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = rows_in_order(arguments.file, arguments.text, arguments.label, arguments.order, arguments.seed)
    results = measure(rows, arguments.learned, arguments.seed)
    for result in results:
        print(result, flush=True)
    if arguments.json:
        found = {"data": arguments.data, "order": arguments.order, "learned": arguments.learned, "results": results}
        write_measurement(arguments.json, found)


if __name__ == "__main__":
    main()
