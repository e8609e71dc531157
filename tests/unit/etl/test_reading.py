"""Reading: whatever the dialect or encoding, the rows are those that a person sees; what cannot be read is named."""

from __future__ import annotations

import gzip
import json

import pytest
from complaints_etl.reading import Table, UnreadableFileError, read_table

ALIASES = {
    "text": ("text", "queja", "descripcion"),
    "label": ("label", "category", "categoria", "product"),
    "complaint_id": ("complaint_id", "radicado"),
    "received_at": ("received_at", "fecha"),
}
TEXT = 'Mañana dijo "no", y luego;\nnada. ¿Cuándo? €5'


def read(name: str, body: bytes) -> Table:
    return read_table(name, body, ALIASES)


def texts(table: Table) -> list[str]:
    return [row.values[table.columns["text"]] for row in table.rows if not row.reason]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_dialect_and_encoding_gives_the_same_rows(separator: str, encoding: str, line_end: str, packed: bool) -> None:
    quoted = '"' + TEXT.replace('"', '""') + '"'
    lines = [separator.join(("radicado", "Queja", "CATEGORÍA")), separator.join(("1", quoted, "fees"))]
    body = (line_end.join(lines) + line_end).encode(encoding)

    table = read("a.csv" + ".gz" * packed, gzip.compress(body) if packed else body)

    assert texts(table) == [TEXT]
    assert table.columns == {"text": "Queja", "label": "CATEGORÍA", "complaint_id": "radicado"}


def test_quotes_escaped_by_backslashes() -> None:
    body = b'radicado,queja\n1,"dijo \\"no\\", dos veces"\n2,"otra"\n'
    assert texts(read("a.csv", body)) == ['dijo "no", dos veces', "otra"]


def test_the_preferred_name_wins_whatever_the_order_of_columns() -> None:
    table = read("a.csv", b"Product,category,text\ncard,fees,hola\n")
    assert table.columns["label"] == "category"


def test_ragged_rows_are_rejected_with_their_line_and_the_rest_goes_on() -> None:
    body = b'text,label\n"uno\ndos",a\ntres\ncuatro,b,c\ncinco,d\n'
    rows = list(read("a.csv", body).rows)
    assert [(row.number, row.line, row.reason) for row in rows] == [
        (1, 2, None), (2, 4, "wrong_field_count"), (3, 5, "wrong_field_count"), (4, 6, None),
    ]  # fmt: skip
    assert rows[1].record == "tres"


def test_an_unclosed_quote_loses_its_own_record_and_not_the_rest_of_the_file() -> None:
    body = b'text,label\nuno,a\n"dos sin cerrar,b\ntres,c\ncuatro,d\n"cinco, con coma",e\n'
    rows = list(read("a.csv", body).rows)
    good = [row.values["text"] for row in rows if not row.reason]
    bad = [(row.line, row.reason) for row in rows if row.reason]
    assert good == ["uno", "tres", "cuatro", "cinco, con coma"]
    assert bad == [(3, "unclosed_quote")]


def test_an_unclosed_quote_in_the_last_record() -> None:
    rows = list(read("a.csv", b'text,label\nuno,a\n"dos,b\n').rows)
    assert [(row.line, row.reason) for row in rows] == [(2, None), (3, "unclosed_quote")]


def test_json_lines_with_a_line_separator_inside_and_broken_lines() -> None:
    lines = [json.dumps({"text": "uno\u2028dos", "n": 3}, ensure_ascii=False), "{broken", "[1]", json.dumps({"text": "tres"})]
    rows = list(read("a.jsonl", "\n".join(lines).encode()).rows)
    assert [row.reason for row in rows] == [None, "malformed_row", "malformed_row", None]
    assert rows[0].values == {"text": "uno\u2028dos", "n": "3"}


def test_lone_surrogates_of_json_become_replacement_characters() -> None:
    [row] = read("a.jsonl", b'{"text": "mal \\ud800 fin"}').rows
    assert row.values["text"] == "mal \ufffd fin"


def test_a_text_file_is_one_complaint() -> None:
    assert texts(read("queja.txt", "línea uno\nlínea dos".encode())) == ["línea uno\nlínea dos"]


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("a.xlsx", b"PK\x03\x04", "unsupported_format"),
        ("a.csv", b"  \n ", "empty_file"),
        ("a.csv", b"PK\x03\x04\x00\x00\x00", "binary_file"),
        ("a.csv", b"date,amount\n1,2\n", "no_text_column"),
        ("a.jsonl", b"[1]\n[2]\n", "not_json_lines"),
        ("a.csv.gz", b"text\nnot gzip\n", "broken_gzip"),
        ("a.csv.gz", gzip.compress(b"text\n" + b"hola\n" * 999)[:-20], "truncated_gzip"),
        ("a.csv.gz", gzip.compress(b"\x20" * 40_000_000), "gzip_bomb"),
        ("a.csv", "﻿text\nhola".encode("utf-16")[:-1], "broken_encoding"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_whole(name: str, body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        list(read(name, body).rows)
    assert caught.value.reason == reason


def test_the_message_about_columns_shows_no_content() -> None:
    """In a file without a header the first complaint stands where names should be."""
    with pytest.raises(UnreadableFileError) as caught:
        read("a.csv", "Ana Peña no puede entrar,ana@example.com\n".encode())
    assert "Ana" not in str(caught.value)
    assert "queja" in str(caught.value)
