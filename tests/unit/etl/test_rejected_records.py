"""The record of a rejected row is without personal data, however the file writes the cell that holds it."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pytest
from complaints_etl.records.annotate import AnnotationOptions, annotate
from complaints_etl.records.labels import LabelMap
from complaints_etl.records.raw_rows import ARROW_SCHEMA

OPTIONS = AnnotationOptions(
    languages=("es",),
    products=(),
    channels=(),
    salt="s",
    max_text_characters=20_000,
    labels=LabelMap({}),
    reject_unknown_labels=False,
)
CELLS = {
    "fecha_nacimiento": "17/09/1963",
    "nombre_cliente": 'José "Pepe" Gil',
    "direccion": "Calle 5\\3 # 12-40",
    "ciudad": "Bogotá",
}
TRACES = ("17/09", "17\\/09", "1963", "Gil", "Pepe", "12-40")


def as_csv() -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(["", *CELLS.values()])
    return out.getvalue().strip()


def spelled(character: str) -> str:
    return f"\\u{ord(character):04X}"


RECORDS = {
    "csv": as_csv(),
    "json": json.dumps({"texto": "", **CELLS}, ensure_ascii=False),
    "json of Python": json.dumps({"texto": "", **CELLS}),
    "json of PHP": json.dumps({"texto": "", **CELLS}).replace("/", "\\/"),
    "json in capitals": json.dumps({"texto": "", **CELLS}).replace("\\u00e9", spelled("é")).replace("/", spelled("/")),
    "json with every character escaped": json.dumps({"texto": ""})[:-1] + "".join(
        f', "{name}": "{"".join(map(spelled, cell))}"' for name, cell in CELLS.items()
    ) + "}",
}  # fmt: skip


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_cell_that_its_column_gives_away_is_gone_in_every_spelling(record: str) -> None:
    row = {
        **dict.fromkeys(ARROW_SCHEMA.names), "source_index": 0, "part": 0, "row_number": 1, "line_number": 1, "source_file": "a",
        "source_version": "1", "raw_text": "", "carried_raw": list(CELLS.items()), "record": record,
    }  # fmt: skip
    [annotated] = annotate([pa.RecordBatch.from_pylist([row], ARROW_SCHEMA)], OPTIONS)
    [found] = annotated.to_pylist()
    assert found["reason"] == "empty_text"
    assert not [trace for trace in TRACES if trace in found["record"]], found["record"]
    assert spelled("9") not in found["record"]
    assert "<BIRTH_DATE>" in found["record"]
