"""Workbooks beside the CSV files: the same rows, no formulas, the same bytes each time."""

from __future__ import annotations

import csv
import io
import re
import tracemalloc
from datetime import UTC, datetime
from typing import IO, Any

import pytest
from complaints_etl.publish.excel import Layout, WorkbookParts
from complaints_etl.publish.join import Run
from complaints_etl.publish.review import REVIEW_COLUMNS, layout
from complaints_etl.readers import read_table
from complaints_etl.readers.table import MAX_CELL_CHARACTERS
from complaints_etl.spreadsheet import record
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook, SheetVisibleEnum

from tests.unit.etl.workbooks import parts_of

CREATED = datetime(2026, 11, 24, 10, 5, tzinfo=UTC)
RUN = Run(run_id="r", model_version="3", answered_at=CREATED, audit_sample=0)
REVIEW = layout(RUN, ["pagos", "Acceso", 'a<b>&"c"', "=1+1"], ",")
SHEET = "xl/worksheets/sheet1.xml"


def written(rows: list[list[str]], chosen: Layout, *, part_rows: int = 500_000, part_bytes: int = 2**29) -> dict[str, bytes]:
    """Return what is stored beside `x/a.csv`, by key."""
    stored: dict[str, bytes] = {}

    def put(key: str, body: IO[bytes]) -> None:
        stored[key] = body.read()

    lines = [record(row, chosen.separator) for row in rows]
    with WorkbookParts("x/a.csv", chosen, put, part_rows=part_rows, part_bytes=part_bytes) as parts:
        assert list(parts.following(lines)) == lines
        assert parts.finish() == list(stored)
    return stored


def of(header: list[str], **changed: Any) -> Layout:
    return Layout(header=header, separator=";", created=CREATED, **changed)


def cells(body: bytes, sheet: int = 0) -> list[list[Any]]:
    return list(CalamineWorkbook.from_object(io.BytesIO(body)).get_sheet_by_index(sheet).iter_rows())


def review_row(**changed: str) -> list[str]:
    return [changed.get(name, "") for name in REVIEW_COLUMNS]


TEXTS = st.text(alphabet="ab =+-@'\"<>&;,_x0DF\n\t\r\x08\u00a0\u2028ñ😀", max_size=12) | st.sampled_from(
    ["_x000D_", "_x005F_x000D_", '=HYPERLINK("http://a")', "007", "]]>", "https://a.co", "1e5", "#N/A", "TRUE", "{=1}"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), min_size=1, max_size=6))
def test_a_workbook_shows_each_cell_as_the_text_that_it_is(rows: list[list[str]]) -> None:
    body = written([["1", *row] for row in rows], of(["n", "a", "b"]))["x/a.xlsx"]
    assert cells(body) == [["n", "a", "b"], *(["1", *row] for row in rows)]
    assert not re.search(rb"<f[ >/]", parts_of(body)[SHEET])
    assert set(re.findall(rb' t="(\w+)"', parts_of(body)[SHEET].partition(b'<row r="2"')[2])) == {b"inlineStr"}


def test_a_text_that_would_be_a_formula_stays_a_text_when_a_person_edits_the_cell() -> None:
    body = written([["=1+1", "hola"]], of(["a", "b"]))["x/a.xlsx"]
    parts = parts_of(body)
    [first, second] = re.findall(r'<c r="[AB]2" t="inlineStr" s="(\d+)"', parts[SHEET].decode())
    styles = re.findall(r"<xf [^>]*>", parts["xl/styles.xml"].decode().partition("<cellXfs")[2])
    assert 'quotePrefix="1"' in styles[int(first)]
    assert "quotePrefix" not in styles[int(second)]


def test_only_a_confidence_is_a_number() -> None:
    body = written([["0.9123", "0.9123"], ["<x>", "007"], ["", ""]], of(["c", "d"], numbers=("c",)))["x/a.xlsx"]
    assert cells(body)[1:3] == [[0.9123, "0.9123"], ["<x>", "007"]]


def test_the_review_list_has_a_frozen_header_widths_and_a_drop_down_of_the_labels() -> None:
    body = written([review_row(complaint_id="1", text="hola", confidence="0.5000")], REVIEW)["x/a.xlsx"]
    sheet = parts_of(body)[SHEET].decode()
    assert '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>' in sheet
    assert re.search(r'<col min="2" max="2" width="80\.\d+"', sheet)
    [rule] = re.findall(r"<dataValidation [^>]*>.*?</dataValidation>", sheet)
    assert 'sqref="I2:I1048576"' in rule
    assert "<formula1>ptmlops_labels!$A$1:$A$5</formula1>" in rule
    assert 'errorStyle="warning"' in rule  # a new label is asked about, and not refused
    assert cells(body, 1) == [["=1+1"], ['a<b>&"c"'], ["Acceso"], ["pagos"], ["ptmlops_not_a_complaint"]]
    [_, labels] = CalamineWorkbook.from_object(io.BytesIO(body)).sheets_metadata
    assert (labels.name, labels.visible) == ("ptmlops_labels", SheetVisibleEnum.Hidden)
    table = read_table(
        "review.xlsx", body, {"text": ["texto"], "label": ["tipo"], "complaint_id": ["id"], "received_at": ["dia"]}
    )
    assert [(row.line, row.values["text"], row.values["confidence"]) for row in table.rows] == [(2, "hola", "0.5")]


def test_the_order_of_the_parts_of_a_sheet_is_that_of_the_standard() -> None:
    """Excel repairs a sheet in another order (ECMA-376, CT_Worksheet)."""
    sheet = parts_of(written([review_row(text="hola")], REVIEW)["x/a.xlsx"])[SHEET].decode()
    names = re.findall(r"<(sheetViews|sheetFormatPr|cols|sheetData|dataValidations|pageMargins)\b", sheet)
    assert names == ["sheetViews", "sheetFormatPr", "cols", "sheetData", "dataValidations", "pageMargins"]
    assert re.findall(r'<row r="(\d+)"', sheet) == ["1", "2"]


def test_a_rerun_writes_the_same_bytes() -> None:
    rows = [review_row(text=f"queja {number}", complaint_id=str(number)) for number in range(50)]
    assert written(rows, REVIEW) == written(rows, REVIEW)
    assert b"2026-11-24T10:05:00Z" in parts_of(written(rows, REVIEW)["x/a.xlsx"])["docProps/core.xml"]


@pytest.mark.parametrize(("rows", "sizes"), [(0, [0]), (3, [3]), (4, [3, 1]), (9, [3, 3, 3])])
def test_many_rows_go_in_parts_each_with_its_header(rows: int, sizes: list[int]) -> None:
    stored = written([[str(number)] for number in range(rows)], of(["h"]), part_rows=3)
    assert list(stored) == (["x/a.xlsx"] if len(sizes) == 1 else [f"x/a.part-{n:03d}.xlsx" for n in range(1, len(sizes) + 1)])
    assert [len(cells(body)) - 1 for body in stored.values()] == sizes
    assert [row[0] for body in stored.values() for row in cells(body)[1:]] == [str(number) for number in range(rows)]


def test_long_texts_go_in_parts_before_they_are_too_much_for_excel() -> None:
    stored = written([["x" * 1000]] * 10, of(["h"]), part_bytes=3000)
    assert [len(cells(body)) - 1 for body in stored.values()] == [3, 3, 3, 1]


@pytest.mark.parametrize(("text", "kept"), [("x" * 32_767, 32_767), ("😀" * 16_383, 16_383)])
def test_the_longest_text_that_a_cell_holds_is_whole(text: str, kept: int) -> None:
    [_, [cell]] = cells(written([[text]], of(["h"]))["x/a.xlsx"])
    assert cell == text
    assert len(cell) == kept


@pytest.mark.parametrize("text", ["x" * 32_768, "😀" * 16_384, "&" * 40_000, "ñ😀" * 20_000])
def test_a_longer_text_is_cut_and_says_so(text: str) -> None:
    [_, [cell]] = cells(written([[text]], of(["h"]))["x/a.xlsx"])
    whole, _, remark = cell.partition(" … [")
    assert text.startswith(whole)
    assert remark == "cut here: a cell of Excel holds 32,767 characters, and the CSV file has the whole text]"
    assert 32_700 < len(cell.encode("utf-16-le")) // 2 <= 32_767


@pytest.mark.slow
def test_a_cell_as_long_as_prepare_accepts_does_not_stop_the_workbook() -> None:
    limit = csv.field_size_limit(131_072)  # as a new process has it
    try:
        [_, [cell]] = cells(written([["x" * MAX_CELL_CHARACTERS]], of(["h"]))["x/a.xlsx"])
    finally:
        csv.field_size_limit(limit)
    assert "[cut here" in cell


def test_a_large_workbook_is_never_in_memory() -> None:
    row = record(["queja " * 200], ";")
    tracemalloc.start()
    size = 0

    def count(_: str, body: IO[bytes]) -> None:
        nonlocal size
        size += sum(len(block) for block in iter(lambda: body.read(65536), b""))

    with WorkbookParts("a.csv", of(["h"]), count, part_rows=10_000) as parts:
        assert sum(1 for _ in parts.following(row for _ in range(20_000))) == 20_000
        parts.finish()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 20_000
    assert most < 3_000_000


def test_lines_are_read_as_a_csv_reader_reads_them() -> None:
    rows = [["a\nb", 'c"d'], ["", ""], ["e;f", " g "]]
    assert list(csv.reader(io.StringIO("".join(record(row, ";") for row in rows), newline=""), delimiter=";")) == rows
    assert cells(written(rows, of(["x", "y"]))["x/a.xlsx"])[1:] == rows
