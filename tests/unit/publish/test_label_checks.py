"""labels_to_check.csv: what a person fills in, and uploads."""

from __future__ import annotations

import csv
import io
import json
from typing import IO

import pytest
from complaints_etl.publish.label_checks import write_label_checks
from complaints_etl.readers.header import find_columns

from ptmlops_contracts.review import LABEL_CHECK_COLUMNS, LabelToCheck
from stacks.config import load_settings

RUN_ID = "20260715-093000-0123abcd"


def doubt(text: str, given: float) -> LabelToCheck:
    return {
        "complaint_id": "7",
        "text": text,
        "given_label": "fees",
        "suggestion": "=access",
        "given_probability": given,
        "suggestion_probability": 0.9,
    }


@pytest.mark.parametrize("separator", [",", ";"])
def test_the_list_has_a_row_per_doubtful_label_and_no_live_formula(separator: str) -> None:
    texts = ['=1+1; "dos", línea\u2028tres\nfin', "no abre"]
    lines = b"".join(json.dumps(doubt(text, 0.01 + index)).encode() + b"\n" for index, text in enumerate(texts))
    stored: dict[str, bytes] = {}

    def put(key: str, body: IO[bytes]) -> None:
        stored[key] = body.read()

    keys = write_label_checks(lines, RUN_ID, put, separator=separator)

    assert keys == [f"review/run_id={RUN_ID}/labels_to_check.csv"]
    rows = list(csv.reader(io.StringIO(stored[keys[0]].decode("utf-8-sig"), newline=""), delimiter=separator))
    assert rows == [
        ["complaint_id", "text", "given_label", "suggestion", "given_probability", "suggestion_probability", "label"],
        ["7", f"'{texts[0]}", "fees", "'=access", "0.0100", "0.9000", ""],
        ["7", "no abre", "fees", "'=access", "1.0100", "0.9000", ""],
    ]


@pytest.mark.parametrize("lines", [None, b""])
def test_without_doubts_nothing_is_written(lines: bytes | None) -> None:
    def refuse(key: str, _: IO[bytes]) -> None:
        raise AssertionError(key)

    assert write_label_checks(lines, RUN_ID, refuse) == []


def test_what_a_person_fills_in_is_read_as_the_label() -> None:
    columns = find_columns(LABEL_CHECK_COLUMNS, load_settings("local").complaints.columns.model_dump())
    assert columns == {"complaint_id": "complaint_id", "text": "text", "label": "label"}
