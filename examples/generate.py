"""Write examples/expected.md: what PTMLops makes of examples/complaints.csv (`python -m examples.generate [--check]`).

Prepare cleans and redacts the complaints, and `ptmlops try` labels them with a model that is trained on generated complaints.
All complaints are invented, and so is all personal data in them.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.prepare.contenders import prepare

FOLDER = Path(__file__).resolve().parent
COMPLAINTS, EXPECTED = FOLDER / "complaints.csv", FOLDER / "expected.md"
TRAINING_ROWS = 2000

HEAD = """# What PTMLops makes of complaints.csv

Written by `python -m examples.generate`; a test compares it with what the code does. Labels come from a model that was trained on
{rows} complaints of `ptmlops generate`, so complaints about other topics get the nearest of its labels.

"""


def main() -> int:
    """Write or check expected.md; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail if expected.md differs, and write nothing")
    check = parser.parse_args().check
    text = expected()
    if not check:
        EXPECTED.write_text(text, encoding="utf-8")
    return int(check and text != EXPECTED.read_text(encoding="utf-8"))


def expected() -> str:
    """Run Prepare and `ptmlops try`, and render one section per complaint."""
    with tempfile.TemporaryDirectory(prefix="examples-") as folder:
        records, rejected = prepared(Path(folder))
        labels = predicted(Path(folder))
    with COMPLAINTS.open(encoding="utf-8", newline="") as lines:
        ids = [row["complaint_id"] for row in csv.DictReader(lines)]
    sections = [section(name, records.get(name), rejected.get(name), labels[name]) for name in ids]
    return HEAD.format(rows=TRAINING_ROWS) + "\n\n".join(sections) + "\n"


def prepared(folder: Path) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return records and rejected rows of Prepare, by original id."""
    prepare(COMPLAINTS, folder)
    tables = [pq.read_table(next(folder.rglob(name))).to_pylist() for name in ("records", "rejected")]
    records, rejected = ({row["original_id"]: row for row in table} for table in tables)
    return records, rejected


def predicted(folder: Path) -> dict[str, str]:
    """Return the label of each complaint, by a model of generated complaints."""
    labelled, out = folder / "labelled.csv", folder / "out"
    for arguments in (
        ("generate", "--out", str(labelled), "--rows", str(TRAINING_ROWS)),
        ("try", "--labelled", str(labelled), "--score", str(COMPLAINTS), "--out", str(out)),
    ):
        subprocess.run([sys.executable, "-m", "ptmlops", *arguments], check=True, stdout=subprocess.DEVNULL, cwd=FOLDER.parent)
    with (out / "predictions.csv").open(encoding="utf-8-sig", newline="") as lines:
        return {row["complaint_id"]: row["label"] for row in csv.DictReader(lines)}


def section(name: str, record: Mapping[str, Any] | None, rejected: Mapping[str, Any] | None, label: str) -> str:
    """Render a complaint: its redacted text, language, entities and label, or why it was rejected."""
    if record is None:
        return f"## {name}\n\nRejected: `{rejected['reason'] if rejected else 'unknown'}`."
    lines = [f"## {name}", "", f"> {record['text']}", "", f"- status: {record['status']}", f"- language: {record['language']}"]
    if record["redactions"]:
        lines.append(f"- redacted: {', '.join(sorted(kind for kind, count in record['redactions'] if count))}")
    found = {kind: values for kind, values in _entities(record).items() if values}
    lines += [f"- {kind}: {', '.join(values)}" for kind, values in found.items()]
    return "\n".join([*lines, f"- label: {label}"])


def _entities(record: Mapping[str, Any]) -> dict[str, list[str]]:
    found = record["entities"]
    return {
        "amounts": [f"{amount['value']} {amount['currency'] or '(currency unknown)'}" for amount in found["amounts"]],
        "dates": [str(date) for date in found["dates"]],
        "references": [f"{len(found['references'])}, hashed"] if found["references"] else [],
        "products": found["products"],
        "channels": found["channels"],
    }


if __name__ == "__main__":
    sys.exit(main())
