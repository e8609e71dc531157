"""Reading Excel workbooks."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from complaints_etl.readers import read_table
from complaints_etl.readers import workbook as reader
from complaints_etl.readers.packed import tables_in
from complaints_etl.readers.storage import SourceFile
from complaints_etl.readers.table import Table, UnreadableFileError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacks.config import load_settings
from tests.unit.etl.workbooks import archive, changed, parts_of, workbook

ALIASES = load_settings("local").complaints.columns.model_dump()
HEADER = ["id", "texto"]
SHEET1 = "xl/worksheets/sheet1.xml"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def read(body: bytes, name: str = "quejas.xlsx") -> Table:
    return read_table(name, body, ALIASES)


def values(body: bytes) -> list[dict[str, str]]:
    return [dict(row.values) for row in read(body).rows]


def sources(name: str, body: bytes) -> list[SourceFile]:
    return tables_in(SourceFile(key=name, version_id="v", size=len(body), read=lambda start, end: body[start:end]))


def refused(body: bytes, name: str = "quejas.xlsx") -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        list(read(body, name).rows)
    return caught.value


def test_rows_have_the_numbers_that_the_sheet_shows() -> None:
    table = read(
        workbook({"Quejas": [["Quejas de agosto"], [], HEADER, ["P1", "uno\ndos"], [None, None, None], ["P2", "tres"]]})
    )
    assert (table.format.kind, table.header, table.format.title_lines) == ("xlsx", ("id", "texto"), 1)
    assert [(row.number, row.line, row.values["texto"]) for row in table.rows] == [(1, 4, "uno\ndos"), (2, 6, "tres")]


@pytest.mark.parametrize(
    ("cell", "text", "why"),
    [
        (123, "123", "an integer has no .0"),
        (-4.0, "-4", "nor has a whole number that is stored as a fraction"),
        (0.1 + 0.2, "0.3", "Excel shows 15 figures"),
        (1e-7, "1E-07", "as Excel writes small numbers"),
        (12345678901234567890, "1.23456789012346E+19", "a number that Excel rounded does not look like an exact one"),
        (123456789012345, "123456789012345", "15 figures are exact"),
        (True, "TRUE", "as Excel exports it"),
        ("007", "007", "a text keeps its zeros"),
        ("=1+1", "=1+1", "a text that looks like a formula"),
        ("a_x000D_\nb", "a_x000D_\nb", "a text that looks like Excel's escape of a character"),
        (datetime(2026, 11, 2, 10, 30, 15), "2026-11-02T10:30:15", "ISO 8601"),
        (datetime(2026, 11, 2), "2026-11-02", "a day"),
        (date(2026, 2, 1), "2026-02-01", "a day"),
        (time(9, 5), "09:05:00", "a time of day"),
    ],
)  # fmt: skip
def test_cells_are_read_as_a_person_typed_them(cell: Any, text: str, why: str) -> None:
    formats = {"datetime": "yyyy-mm-dd hh:mm", "date": "dd/mm/yyyy", "time": "hh:mm"}
    body = workbook({"a": [["texto", "nota"], ["el cajero no entrega billetes", cell]]}, **formats)
    assert values(body)[0]["nota"] == text, why


def test_durations_are_hours_minutes_and_seconds() -> None:
    assert (
        values(workbook({"a": [["texto", "espera"], ["hola", timedelta(hours=30, minutes=5)]]}, timedelta="[h]:mm"))[0][
            "espera"
        ]
        == "30:05:00"
    )


def test_formulas_are_read_by_their_values_and_errors_are_blank() -> None:
    body = changed(
        workbook({"a": [["texto", "nota", "otra"], ["hola", 7, 8]]}),
        SHEET1,
        ("<v>7</v>", "<f>3+4</f><v>7</v>"),
        ('<c r="C2"><v>8</v>', '<c r="C2" t="e"><f>1/0</f><v>#DIV/0!</v>'),
    )
    assert values(body) == [{"texto": "hola", "nota": "7", "otra": ""}]


def test_texts_are_read_as_other_programs_write_them() -> None:
    """Inline strings with formatted runs, and cells and rows without a reference (both are optional)."""
    body = changed(
        workbook({"a": [["texto"], [5]]}),
        SHEET1,
        ('<row r="2" spans="1:1"><c r="A2"><v>5</v></c></row>',
         '<row><c t="inlineStr"><is><r><t xml:space="preserve">no me </t></r><r><t xml:space="preserve">devuelven</t></r></is></c></row>'
         '<row><c t="inlineStr"><is><t>otra</t></is></c></row>'),
    )  # fmt: skip
    assert [(row.line, row.values["texto"]) for row in read(body).rows] == [(2, "no me devuelven"), (3, "otra")]


def test_every_sheet_with_a_text_column_is_read_and_others_have_no_rows() -> None:
    body = workbook(
        {
            "Portada": [["Informe"], ["Elaborado por"]],
            "Enero": [HEADER, ["P1", "uno"]],
            "Vacía": [],
            "Febrero": [["Radicado", "Descripción", "Motivo"], ["P2", "dos", "cobros"]],
        }
    )
    assert [source.key for source in sources("q.xlsx", body)] == [
        f"q.xlsx/{name}" for name in ("Portada", "Enero", "Vacía", "Febrero")
    ]
    table = read(body)
    assert table.columns == {"text": "texto", "complaint_id": "id", "label": "Motivo"}
    assert [(row.number, row.line, dict(row.values)) for row in table.rows] == [
        (1, 2, {"id": "P1", "texto": "uno", "Motivo": ""}), (2, 2, {"id": "P2", "texto": "dos", "Motivo": "cobros"}),
    ]  # fmt: skip


def test_a_workbook_with_one_sheet_has_the_key_of_its_file() -> None:
    assert [source.key for source in sources("agosto/q.xlsx", workbook({"Hoja1": [HEADER]}))] == ["agosto/q.xlsx"]


def test_the_labels_of_a_review_list_are_not_a_sheet() -> None:
    body = workbook({"review": [HEADER, ["1", "hola"]], "ptmlops_labels": [["texto"], ["cobros"]]})
    assert [source.key for source in sources("q.xlsx", body)] == ["q.xlsx"]
    assert values(body) == [{"id": "1", "texto": "hola"}]


def test_a_workbook_without_a_text_column_is_rejected_once_by_the_sheet_with_cells() -> None:
    error = refused(workbook({"Vacía": [], "a": [["fecha", "valor"], [1, 2]], "b": [["fecha"], [3]]}))
    assert (error.reason, error.record) == ("no_text_column", "fecha,valor")
    assert refused(workbook({"a": [], "b": []})).reason == "empty_file"


def test_survey_rows_and_repeated_headers_are_not_complaints() -> None:
    body = workbook(
        {
            "a": [
                ["id", "texto"],
                ["¿Id?", "¿Qué pasó?"],
                ['{"ImportId":"Q1"}', '{"ImportId":"Q2"}'],
                ["1", "uno"],
                HEADER,
                ["2", "dos"],
            ]
        }
    )
    table = read(body)
    assert table.format.survey_rows == 2
    assert [(row.line, row.reason) for row in table.rows] == [(4, None), (5, "repeated_header"), (6, None)]


def test_dates_that_were_typed_as_texts_tell_the_order_of_day_and_month() -> None:
    rows = [["texto", "fecha"], ["a", "03/25/2026"], ["b", "03/04/2026"]]
    assert read(workbook({"a": rows})).format.month_first is True
    assert read(workbook({"a": [*rows, ["c", "25/03/2026"]]})).format.month_first is False


@pytest.mark.parametrize(
    ("ids", "short"),
    [
        ([12345, 1234567, 7654321, 99], 2),
        (["0012345", 1234567], 0),
        ([1234567, 7654321], 0),
        (list(range(990, 1100)), 0),
        (list(range(1, 1100)), 0),
    ],
)
def test_numeric_ids_that_may_have_lost_their_zeros_are_counted(ids: list[Any], short: int) -> None:
    body = workbook({"a": [HEADER, *([value, f"queja {value}"] for value in ids)]})
    sheet = reader.open_sheet(sources("a.xlsx", body)[0].workbook, 0, ALIASES)  # type: ignore[arg-type]
    assert [row.values["id"] for row in sheet.rows] == list(map(str, ids))
    assert sheet.short_ids == short


# -- files that are not read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body", "reason", "advice"),
    [
        ("a.xls", OLE + bytes(600), "other_spreadsheet", "save it as an Excel workbook (.xlsx)"),
        ("a.ods", b"PK\x03\x04", "other_spreadsheet", "save it as an Excel workbook (.xlsx)"),
        ("a.xlsx", OLE + bytes(600), "other_spreadsheet", "Excel 97-2003"),
        ("a.xlsx", OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "encrypted_file", "save it without one"),
        ("a.xlsx", b"id,texto\n1,hola\n", "broken_zip", "save it as one"),
        ("a.xlsx", b"<html><table>", "broken_zip", "not an Excel workbook"),
        ("a.xlsx", b"", "empty_file", ""),
        ("a.xlsx", archive({"word/document.xml": b"<a/>"}), "broken_zip", "save it again as .xlsx"),
        ("a.xlsx", workbook({"a": [HEADER, ["1", "hola"]]})[:-200], "broken_zip", "damaged"),
        ("a.xlsx.gz", b"", "unsupported_format", ""),
    ],
)  # fmt: skip
def test_a_file_that_is_not_such_a_workbook_is_refused_with_what_to_do(
    name: str, body: bytes, reason: str, advice: str
) -> None:
    error = refused(body, name)
    assert error.reason == reason
    assert advice in str(error)


def sparse(reference: str, row: str) -> bytes:
    return changed(
        workbook({"a": [["texto"], [5]]}), SHEET1, ('<row r="2" spans="1:1"><c r="A2">', f"<row {row}><c {reference}>")
    )


@pytest.mark.parametrize(
    ("reference", "row"),
    [
        ('r="XFD1048576"', 'r="1048576"'),
        ("r='XFD1048576'", "r='1048576'"),
        ('t="n" r="XFD1048576"', 'r="1048576"'),
        ('\n r="XFD1048576"', 'r="2"'),
        ('r="xfd1048576"', 'r="2"'),
    ],
)
def test_a_sheet_whose_cells_are_too_far_apart_for_memory_is_refused(reference: str, row: str) -> None:
    error = refused(sparse(reference, row))
    assert error.reason == "zip_bomb"
    assert "16,384 columns" in str(error)


def test_a_sheet_that_says_it_is_something_else_is_measured_all_the_same() -> None:
    """The sheet's part is called a picture, has another encoding, or prefixes its elements."""
    body = sparse('r="XFD1048576"', 'r="1048576"')
    parts = parts_of(body)
    sheet = parts.pop(SHEET1)
    moved = archive({**parts, "xl/media/a.png": sheet, "xl/_rels/workbook.xml.rels": parts["xl/_rels/workbook.xml.rels"].replace(b"worksheets/sheet1.xml", b"media/a.png")})  # fmt: skip
    assert refused(moved).reason == "zip_bomb"
    wide = archive({**parts, SHEET1: sheet.decode().replace("UTF-8", "UTF-16").encode("utf-16")})
    assert refused(wide).reason == "zip_bomb"
    prefixed = sheet.replace(b"<c ", b"<x:c ").replace(b"</c>", b"</x:c>").replace(b"xmlns=", b'xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns=')  # fmt: skip
    assert refused(archive({**parts, SHEET1: prefixed})).reason == "zip_bomb"


def test_empty_cells_with_a_format_do_not_make_a_sheet_large() -> None:
    far = '<row r="1048576"><c r="ALL1048576" s="0"/></row></sheetData>'
    body = changed(workbook({"a": [HEADER, ["1", "hola"]]}), SHEET1, ("</sheetData>", far))
    assert values(body) == [{"id": "1", "texto": "hola"}]


def test_a_part_that_unpacks_to_more_than_it_says_is_refused() -> None:
    body = workbook({"a": [HEADER, ["1", "hola"]]})
    size = len(parts_of(body)[SHEET1])
    lying = body.replace(size.to_bytes(4, "little"), (size - 60).to_bytes(4, "little"))
    assert lying != body
    assert refused(lying).reason == "broken_zip"


def test_a_workbook_that_unpacks_to_200_times_its_size_is_refused() -> None:
    parts = {**parts_of(workbook({"a": [HEADER, ["1", "hola"]]})), "xl/media/a.png": bytes(20_000_000)}
    assert refused(archive(parts)).reason == "zip_bomb"


BOOK = workbook({"Quejas": [HEADER, *([f"P{n}", f"queja {n} por cobros"] for n in range(20))], "b": [["x"], [1.5]]})


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.sampled_from(["bytes", "part"]))
def test_a_damaged_workbook_is_read_or_refused_by_name(chance: random.Random, where: str) -> None:
    if where == "bytes":
        body = bytearray(BOOK)
        for _ in range(chance.randint(1, 6)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        damaged = bytes(body[: chance.randint(1, len(body))] if chance.random() < 0.2 else body)
    else:
        parts = parts_of(BOOK)
        name = chance.choice(sorted(parts))
        content = bytearray(parts[name])
        for _ in range(chance.randint(1, 8)):
            place = chance.randrange(len(content))
            content[place : place + chance.randint(0, 4)] = chance.choice(
                [b"<", b">", b'"', b"r=", b"99999999999", b"\x00", b"&x;", b"/>"]
            )
        damaged = archive({**parts, name: bytes(content)})
    try:
        rows = list(read(damaged).rows)
    except UnreadableFileError as error:
        assert str(error)
    else:
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
