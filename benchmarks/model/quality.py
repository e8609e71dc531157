"""Measure the model on a labelled file, by 5-fold cross-fitting with near-duplicates in one fold.

    python -m benchmarks.model.quality FILE [--text COLUMN] [--label COLUMN] [--prepared] [--json PATH]

Texts are as in the file or, with `--prepared`, as Prepare leaves them: cleaned, redacted, deduplicated and grouped. Hyperparameters have their
defaults.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "glue_jobs"), str(ROOT / "training")]

from complaint_model.fit import fit
from complaint_model.labelled_files import read_labelled
from complaint_model.records import Rows, columns_of
from complaint_model.settings import Settings
from complaints_etl.minhash import BAND_ROWS, BANDS, SIGNATURE_SIZE, signature
from complaints_etl.near_copies import SIMILARITY

from local_aws import java
from stacks.config import load_settings


def groups_of(texts: Sequence[str]) -> list[str]:
    """Group near-duplicates by the same signatures and bands as Prepare, on one machine."""
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
            if head != index and alike >= SIMILARITY * SIGNATURE_SIZE:
                parent[root(index)] = root(head)
    return [str(root(index)) for index in range(len(texts))]


def table_of(file: Path, text: str, label: str, *more: str) -> list[dict[str, str]]:
    """Read the rows that have a text and a label. A file without one of the columns in `more` is refused, too."""
    csv.field_size_limit(10**8)
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8", newline="") as lines:  # type: ignore[operator]
        table = csv.DictReader(lines)
        if missing := {text, label, *more} - set(table.fieldnames or ()):
            named = " and no column ".join(sorted(missing))
            raise SystemExit(f"{file} has no column {named}: look at the options that name columns")
        return [row for row in table if row[text].strip() and row[label].strip()]


def rows_of(file: Path, text: str, label: str) -> Rows:
    """Read texts and labels, and find near-duplicates."""
    rows = table_of(file, text, label)
    texts = [row[text] for row in rows]
    return Rows(texts=texts, labels=[row[label] for row in rows], groups=groups_of(texts))


def prepared_rows_of(file: Path, text: str, label: str) -> Rows:
    """Run Prepare on the file, and read the labelled rows of all splits."""
    tables = json.loads(load_settings("local").job_settings())
    tables["complaints"]["columns"] |= {"text": [text], "label": [label]}
    with tempfile.TemporaryDirectory(prefix="quality-benchmark-") as folder:
        wanted = [{"name": "all", "path": str(file.resolve()), "labelled": True, "named": {}}]
        request = Path(folder, "request.json")
        content = {"folder": folder, "settings": tables, "files": wanted, "java": java.SHORT_JOBS}
        request.write_text(json.dumps(content), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "glue_jobs")))}
        environment |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        command = [sys.executable, "-m", "ptmlops.trial.spark_process", str(request)]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        found = read_labelled(*(Path(folder, "all", "labelled", split) for split in ("train", "validation", "test")))
    return columns_of(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="category")
    parser.add_argument("--prepared", action="store_true", help="run Prepare first")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = (prepared_rows_of if arguments.prepared else rows_of)(arguments.file, arguments.text, arguments.label)
    started = time.perf_counter()
    _, found = fit(rows, Settings())
    result = {
        "rows": len(rows.texts),
        "labels": len(set(rows.labels)),
        "groups": len(set(rows.groups)),
        "macro_f1": round(found.macro_f1, 4),
        "macro_f1_standard_error": round(found.macro_f1_error, 4),
        "accuracy": round(found.accuracy, 4),
        "expected_calibration_error": round(found.expected_calibration_error, 4),
        "coverage_at_95_precision": round(found.coverage, 4),
        "seconds": round(time.perf_counter() - started, 1),
    }
    for name, value in result.items():
        print(f"{name:<28}{value:>12}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
