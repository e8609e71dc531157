"""Measure which texts go to review: new rows of the model's own data, rows of other data, and rows of a label that training lacked.

    python -m benchmarks.model.unfamiliar FILE OTHER --data NAME --other-data NAME [--text COLUMN] [--other-text COLUMN] [--json PATH]

A tenth of FILE is held out, with near-duplicates on one side, and a model learns from the rest. It answers the held-out rows and OTHER_ROWS of
the other file. Then some labels are left out of training, one at a time, and the model answers their rows.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "glue_jobs"), str(ROOT / "training")]

from complaint_model.fit import fit
from complaint_model.model import Model
from complaint_model.records import Rows
from complaint_model.scoring import score
from complaint_model.settings import Settings

from benchmarks.measurement import write_measurement
from benchmarks.model.quality import rows_of

OTHER_ROWS = 2500
HELD_OUT_SHARE = 0.1


def learn(rows: Rows, chosen: Sequence[int]) -> Model:
    """Train on some of the rows."""
    return fit(Rows(*([column[row] for row in chosen] for column in (rows.texts, rows.labels, rows.groups))), Settings())[0]


def reviewed(model: Model, texts: Sequence[str]) -> dict[str, Any]:
    """Return the share of the texts that the threshold sends to review, and that goes to review in all."""
    scores = score(model, texts)
    return {
        "rows": len(texts),
        "below_threshold": round(float((scores.confidence < model.threshold).mean()), 4),
        "unfamiliar": round(float((~scores.familiar).mean()), 4),
        "review": round(float(scores.needs_review.mean()), 4),
    }


def measure(rows: Rows, other: Sequence[str], left_out: int, seed: int) -> dict[str, Any]:
    """Train, and answer the three kinds of texts."""
    draw = random.Random(seed)
    groups = sorted(set(rows.groups))
    held_out = set(draw.sample(groups, round(HELD_OUT_SHARE * len(groups))))
    trained = [row for row, group in enumerate(rows.groups) if group not in held_out]
    model = learn(rows, trained)
    found: dict[str, Any] = {
        "threshold": round(model.threshold, 4),
        "min_known_words": model.min_known_words,
        "min_known_share": round(model.min_known_share, 4),
        "own": reviewed(model, [text for text, group in zip(rows.texts, rows.groups, strict=True) if group in held_out]),
        "other": reviewed(model, draw.sample(list(other), min(OTHER_ROWS, len(other)))),
        "new_labels": {},
    }
    labels = sorted(set(rows.labels))
    for label in labels[:: max(1, len(labels) // left_out)][:left_out]:
        without = learn(rows, [row for row in trained if rows.labels[row] != label])
        of_label = [text for text, own in zip(rows.texts, rows.labels, strict=True) if own == label]
        found["new_labels"][label] = reviewed(without, of_label)
    return found


def main() -> None:
    """Print a line per kind of texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--data", required=True, help="the name of the data, for the documentation")
    parser.add_argument("--other-data", required=True, help="the name of the other data")
    parser.add_argument("--text", default="text")
    parser.add_argument("--other-text", default="text")
    parser.add_argument("--label", default="category", help="of both files")
    parser.add_argument("--left-out", type=int, default=4, help="labels to leave out, one at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = rows_of(arguments.file, arguments.text, arguments.label)
    other = rows_of(arguments.other, arguments.other_text, arguments.label).texts
    found = measure(rows, other, arguments.left_out, arguments.seed)
    for name in ("own", "other"):
        print(f"{name:<40}{found[name]}")
    for label, values in found["new_labels"].items():
        print(f"{label:<40}{values}")
    if arguments.json:
        write_measurement(arguments.json, {"data": arguments.data, "other_data": arguments.other_data, **found})


if __name__ == "__main__":
    main()
