"""How well the model does on a labelled file, by 5-fold cross-fitting with near-copies on one side.

    python -m benchmarks.model.quality FILE [--text COLUMN] [--label COLUMN] [--json PATH]

Text as it is in the file (no cleaning); the settings are the defaults, chosen on no file in particular.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "glue_jobs"), str(ROOT / "training")]

from complaint_model.classifier import Rows, Settings, fit
from complaints_etl.duplicates import SIMILARITY
from complaints_etl.understanding import BAND_ROWS, BANDS, SIGNATURE, signature


def groups_of(texts: Sequence[str]) -> list[str]:
    """Near-copies by the same signatures and bands as Prepare's, joined on one machine."""
    signatures = [signature(text) for text in texts]
    parent = list(range(len(texts)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for band in range(BANDS):
        heads: dict[tuple[int, ...], int] = {}
        for index, values in enumerate(signatures):
            head = heads.setdefault(tuple(values[band * BAND_ROWS : (band + 1) * BAND_ROWS]), index)
            alike = sum(ours == theirs for ours, theirs in zip(values, signatures[head], strict=True))
            if head != index and alike >= SIMILARITY * SIGNATURE:
                parent[root(index)] = root(head)
    return [str(root(index)) for index in range(len(texts))]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="category")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    csv.field_size_limit(10**8)
    opened = gzip.open if given.file.suffix == ".gz" else open
    with opened(given.file, "rt", encoding="utf-8", newline="") as file:  # type: ignore[operator]
        rows = [row for row in csv.DictReader(file) if row[given.text].strip() and row[given.label].strip()]
    texts, labels = [row[given.text] for row in rows], [row[given.label] for row in rows]
    groups = groups_of(texts)
    started = time.perf_counter()
    _, found = fit(Rows(texts=texts, labels=labels, groups=groups), Settings())
    result = {
        "rows": len(rows),
        "labels": len(set(labels)),
        "groups": len(set(groups)),
        "macro_f1": round(found.macro_f1, 4),
        "macro_f1_standard_error": round(found.macro_f1_error, 4),
        "accuracy": round(found.accuracy, 4),
        "expected_calibration_error": round(found.expected_calibration_error, 4),
        "coverage_at_95_precision": round(found.coverage, 4),
        "seconds": round(time.perf_counter() - started, 1),
    }
    for name, value in result.items():
        print(f"{name:<28}{value:>12}")
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
