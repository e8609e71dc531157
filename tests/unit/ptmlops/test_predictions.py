"""`ptmlops results --format csv`: a CSV file for spreadsheets, also on a machine without Spark."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from local_aws import ROOT
from ptmlops import predictions

ROWS = [
    {"complaint_id": "=1+1", "text": "hola; tú", "confidence": 0.5, "top_terms": [{"term": "tú", "contribution": 1.5}]},
    {"complaint_id": "-12", "text": None, "confidence": None, "top_terms": None},
]


def test_cells_that_a_spreadsheet_would_compute_are_marked_and_lists_are_json() -> None:
    text = predictions.as_csv(pa.Table.from_pylist(ROWS))

    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["complaint_id", "text", "confidence", "top_terms"],
        ["'=1+1", "hola; tú", "0.5", '[{"term": "tú", "contribution": 1.5}]'],
        ["-12", "", "", ""],
    ]


def test_a_time_has_its_offset() -> None:
    text = predictions.as_csv(pa.table({"predicted_at": [datetime(2026, 11, 28, 10, 15, tzinfo=UTC)]}))
    assert text == "predicted_at\r\n2026-11-28 10:15:00+00:00\r\n"


@pytest.mark.slow
def test_spark_is_not_needed() -> None:
    program = (
        "import sys; sys.modules['pyspark'] = None\n"
        "import pyarrow as pa\n"
        "from ptmlops import predictions\n"
        "print(predictions.as_csv(pa.table({'a': ['@b']})), end='')"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["a", "'@b"]
