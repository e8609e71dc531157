"""Reading: whatever the dialect or encoding, the rows are those that a person sees; what cannot be read is named."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from complaints_etl.readers import blocks, read_table
from complaints_etl.readers.csv_arrow import read_plain_file
from complaints_etl.readers.evidence import Evidence
from complaints_etl.readers.header import header_end
from complaints_etl.readers.parts import Part
from complaints_etl.readers.storage import SourceFile
from complaints_etl.readers.table import Row, Table, UnreadableFileError
from complaints_etl.records.dates import is_unread, received
from complaints_etl.records.identifiers import RoundedIds, carried, identity, redact_names
from complaints_etl.records.labels import label, label_as_written
from complaints_etl.records.raw_rows import read_batches
from complaints_etl.text.blank import BLANKS

ALIASES = {
    "text": ("text", "queja", "descripcion"),
    "label": ("label", "category", "categoria", "product"),
    "complaint_id": ("complaint_id", "radicado"),
    "received_at": ("received_at", "fecha"),
}
TEXT = 'Mañana dijo "no", y luego;\nnada. ¿Cuándo? €5'


def read(name: str, body: bytes) -> Table:
    return read_table(name, body, ALIASES)


def rows_of(name: str, body: bytes) -> list[Row]:
    return list(read(name, body).rows)


def told(rows: list[Row]) -> list[tuple[int, str]]:
    """(line, text or reason) of every row: what a person compares with the file."""
    return [(row.line, row.reason or row.values.get("text", row.values.get("queja", ""))) for row in rows]


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_text_file_is_one_complaint_in_every_encoding(encoding: str) -> None:
    letter = "Señores:\nqueja, texto\nmás, nada"
    table = read("queja.txt", letter.encode(encoding))
    assert (table.format.kind, texts(table)) == ("text", [letter])


def test_a_text_file_with_bytes_of_no_encoding_is_rejected() -> None:
    letter = "Señores, mañana será un año más.".encode() + b" \xf1"
    assert [row.reason for row in read("queja.txt", letter).rows] == ["broken_encoding"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_table_that_a_spreadsheet_saved_as_text_is_a_table(separator: str, encoding: str) -> None:
    lines = [
        separator.join(row) for row in (("radicado", "Queja", "Ciudad"), ("1", "no abre", "Bogotá"), ("2", '"a\nb"', "Cali"))
    ]
    table = read("hoja.txt", ("\r\n".join(lines) + "\r\n").encode(encoding))
    assert (table.format.kind, texts(table)) == ("csv", ["no abre", "a\nb"])


@pytest.mark.parametrize(
    "letter",
    [
        "queja, texto\nNo abre la aplicación desde ayer.\nQuiero una respuesta.",
        "Queja,\nno abre, no cierra",
        "Queja: no abre, texto\nnada, nada",
        "text",
        '"queja","fecha',
        "Queja, fecha 3 de mayo\n\nSeñores, buenas tardes.\nEl lunes, fui.\nNadie, nada.",
        "Message; Date: 3 May\nHello; I was charged",
        "\u00a0",
    ],
)
def test_a_letter_that_begins_like_a_header_is_one_complaint(letter: str) -> None:
    table = read("queja.txt", letter.encode())
    assert (table.format.kind, texts(table)) == ("text", [letter])


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("a.xlsx", b"PK\x03\x04", "broken_zip"),
        ("a.docx", b"PK\x03\x04", "unsupported_format"),
        ("a.csv", b"  \n ", "empty_file"),
        ("a.csv", b"PK\x03\x04\x00\x00\x00", "binary_file"),
        ("a.csv", b"date,amount\n1,2\n", "no_text_column"),
        ("a.jsonl", b"[1]\n[2]\n", "not_json_lines"),
        ("a.csv.gz", b"text\nnot gzip\n", "broken_gzip"),
        ("a.csv.gz", gzip.compress(b"text\n" + b"hola\n" * 999)[:-20], "truncated_gzip"),
        ("a.csv.gz", gzip.compress(b"\x20" * 40_000_000), "gzip_bomb"),
        ("a.csv", "﻿text\nhola".encode("utf-16")[:-1], "broken_encoding"),
        ("a.csv.gz", b"", "empty_file"),
        ("a.csv.gz", gzip.compress(b""), "empty_file"),
        ("a.csv.gz", gzip.compress(b"text\nhola\n") + b"more", "broken_gzip"),
        ("a.csv.gz", gzip.compress(b"text\nhola amigos\n")[:-8] + b"\0" * 8, "broken_gzip"),
        ("a.csv", gzip.compress(b"text\nhola\n"), "binary_file"),
        ("a.csv", b"%PDF-1.7\nqueja,etiqueta\n", "binary_file"),
        ("a.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "binary_file"),
        ("a.csv", b"text\n" + bytes(range(1, 9)) * 9, "binary_file"),
        ("a.csv", b"text\n" + b"\x81\x8d\x8f\x90\x9d hola " * 99, "unknown_encoding"),
        ("a.csv", b'text,"label\nuno,a\n', "no_header"),
        ("a.csv", ",".join(["text", *(f"c{number}" for number in range(1000))]).encode(), "too_many_columns"),
        ("a.jsonl", json.dumps({"text": "a", **{f"c{number}": 1 for number in range(1000)}}).encode(), "too_many_columns"),
        ("a.txt", b"palabra " * 300_000, "too_long"),
        ("a.xml", b'{"text": "hola"}', "unsupported_format"),
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


def test_a_file_without_a_text_column_keeps_its_first_line_as_its_record() -> None:
    with pytest.raises(UnreadableFileError) as caught:
        read("a.csv", b"fecha,monto\n1,2\n")
    assert caught.value.record == "fecha,monto"
    assert "2 columns" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "separator"),
    [
        (b'"Queja, en palabras, del cliente";queja;"Etiqueta, motivo"\nuno;hola, amigos;a\n', ";"),
        (b"queja (si, no, tal vez)|queja\nx|hola, amigos, todos\n", "|"),
        (b"sep=;\r\nid;queja\r\n1;hola, amigos\r\n", ";"),
        (b'"sep=\t"\nid\tqueja\n1\thola, amigos\n', "\t"),
        (b"\n\nid,queja\n1,hola\n", ","),
        (b"queja\nhola, amigos; hola | todos\n", ""),
        (b'queja\n"hola, ""amigos"""\n', ""),
    ],
)
def test_the_separator_is_the_one_that_finds_the_columns(body: bytes, separator: str) -> None:
    table = read("a.csv", body)
    assert table.format.separator == separator
    [row] = table.rows
    assert row.values["queja"].startswith("hola")
    assert row.line == body.count(b"\n")


def test_backslashes_escape_quotes_where_the_whole_file_says_so_and_stay_elsewhere() -> None:
    plain = b'queja,label\n"ruta C:\\tmp\\",a\n' * 1  # a field that ends in a backslash
    assert texts(read("a.csv", plain)) == ["ruta C:\\tmp\\"]
    late = b"queja,label\n" + b"nada,a\n" * 20_000 + b'"dijo \\"no\\" o \\"quizas\\", C:\\tmp \\\\ y ""ya""",b\n'
    table = read("a.csv", late)
    assert table.format.quoting == "backslash"
    assert texts(table)[-1] == 'dijo "no" o "quizas", C:\\tmp \\ y "ya"'


def test_files_of_old_macs_and_carriage_returns_inside_cells() -> None:
    assert told(rows_of("a.csv", b'text,label\runo,a\r"dos\ntres",b\r')) == [(2, "uno"), (3, "dos\ntres")]
    rows = rows_of("a.csv", b'text,label\nuno\rdos,a\n"tres\rcuatro",b\r\n')
    assert told(rows) == [(2, "uno\rdos"), (3, "tres\rcuatro")]


def test_header_surprises() -> None:
    table = read("a.csv", b'\xef\xbb\xbf"Texto","",Queja,queja,FECHA,,\n0,1,hola,otra,hoy,x,y\n0,1,dos,otra,hoy\n')
    assert table.header == ("Texto", "column 2", "Queja", "queja", "FECHA", "column 6", "column 7")
    assert table.columns == {"text": "Queja", "received_at": "FECHA"}
    rows = list(table.rows)
    assert list(rows[0].values.values()) == ["0", "1", "hola", "otra", "hoy", "x", "y"]
    assert rows[1].reason is None
    assert read("a.csv", b"Text_,x\n1,2\n").columns["text"] == "Text_"
    assert read("a.csv", "Descripci\u00f3n\u200b,x\n1,2\n".encode()).columns["text"] == "Descripci\u00f3n\u200b"


def test_a_header_that_stands_again_and_separators_behind_the_last_column() -> None:
    body = b"text,label\nuno,a\ntext,label\ndos,b,,\n\n   \n,,,\n"
    assert told(rows_of("a.csv", body)) == [(2, "uno"), (3, "repeated_header"), (4, "dos")]


def test_names_in_other_alphabets_are_names() -> None:
    """A fold to ASCII made one name of them all, and of the empty one."""
    table = read_table("a.csv", "\u0436,\u0437,\n1,2,3\n".encode(), {"text": ("\u0437",)})
    assert table.columns == {"text": "\u0437"}


BROKEN_AMONG_MULTI_LINE = (
    'id,text,label\n1,"uno\ny más, con coma",a\n2,"dos sin cerrar\nsigue aquí,b\n3,"tres\ny ""más""",c\n4,cuatro,d\n'
    '5,"cinco, sin cerrar,e\n6,seis,f\n7,"siete",g\n8,"ocho\n'
).encode()


def test_an_unclosed_quote_among_records_of_many_lines_and_at_the_end() -> None:
    rows = rows_of("a.csv", BROKEN_AMONG_MULTI_LINE)
    assert told(rows) == [
        (2, "uno\ny m\u00e1s, con coma"), (4, "unclosed_quote"), (6, 'tres\ny "m\u00e1s"'), (8, "cuatro"), (9, "unclosed_quote"),
        (10, "seis"), (11, "siete"), (12, "unclosed_quote"),
    ]  # fmt: skip
    assert rows[1].record == '2,"dos sin cerrar\nsigue aqu\u00ed,b'
    assert rows[-1].record == '8,"ocho'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'text,label\n"dos\nmas,"b"\n"tres\nmas","c"\n', [(2, "unclosed_quote"), (4, "tres\nmas")]),
        (b'text,label\n"dos,"b"\n"tres","c"\n', [(2, "unclosed_quote"), (3, "tres")]),
        (b'text,label\n"dos","b\n"tres","c"\n', [(2, "unclosed_quote"), (3, "tres")]),
        (b'id,text,label\n1,"dos\nmas,"b"\n2,"tres\nmas",c\n', [(2, "unclosed_quote"), (4, "tres\nmas")]),
        (b'id,text,label\n1,"dos\n2,"tres",c\n3,"x\ny",d\n', [(2, "unclosed_quote"), (3, "tres"), (4, "x\ny")]),
        (b'text\n"uno"\n"dos\ntres\n"fin"\n', [(2, "uno"), (3, "unclosed_quote"), (4, "tres"), (5, "fin")]),
    ],
)
def test_an_unclosed_quote_takes_the_lines_of_its_own_record(body: bytes, expected: list[tuple[int, str]]) -> None:
    assert told(rows_of("a.csv", body)) == expected


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_unclosed_quote_with_every_line_end(end: bytes) -> None:
    rows = rows_of("a.csv", BROKEN_AMONG_MULTI_LINE.replace(b"\n", end))
    assert [(row.line, row.reason) for row in rows if row.reason] == [
        (4, "unclosed_quote"),
        (9, "unclosed_quote"),
        (12, "unclosed_quote"),
    ]


def test_a_quote_left_open_before_a_thousand_lines_without_one() -> None:
    body = b'id,text,label\n1,"abierta,a\n' + b"2,hola,b\n" * 3000
    rows = rows_of("a.csv", body)
    assert [row.reason for row in rows[:2]] == ["unclosed_quote", None]
    assert len(rows) == 3001


def test_a_complaint_of_many_lines_is_no_open_quote() -> None:
    text = "una l\u00ednea, con coma\n" * 5000
    [row] = rows_of("a.csv", f'text,label\n"{text}",a\n'.encode())
    assert row.values["text"] == text


def test_quotes_that_nobody_doubled_are_kept_where_the_fields_are_clear() -> None:
    rows = rows_of("a.csv", b'text,label\n"dijo "no" y ya",a\n"Hola" dijo,b\n"dijo "no", y",c\n"dijo "no" y\nya",d\nfin,e\n')
    assert told(rows) == [(2, 'dijo "no" y ya'), (3, '"Hola" dijo'), (4, "malformed_row"), (5, "unclosed_quote"), (7, "fin")]
    assert rows[3].record == '"dijo "no" y\nya",d'


def test_a_rejected_record_is_its_lines_as_they_came() -> None:
    [row] = rows_of("a.csv", b'text,label\r\n"dijo ""no"",\r\nsiempre",a,"x"\r\n')
    assert row.record == '"dijo ""no"",\r\nsiempre",a,"x"'


def test_a_text_with_a_line_that_looks_like_a_row_is_one_record_even_when_its_width_is_wrong() -> None:
    assert told(rows_of("a.csv", b'text,label\n"uno\ndos, tres\ncuatro",a,b\ncinco,c\n')) == [
        (2, "wrong_field_count"),
        (5, "cinco"),
    ]


def test_a_cell_over_the_limit_is_told_and_one_of_a_megabyte_is_read() -> None:
    body = b"text,label\n" + b"x" * 1_000_000 + b",a\n" + b"y" * 3_000_000 + b",b\nfin,c\n"
    rows = rows_of("a.csv", body)
    assert [(row.line, row.reason) for row in rows] == [(2, None), (3, "too_long"), (4, None)]
    assert len(rows[0].values["text"]) == 1_000_000
    lines = json.dumps({"text": "z" * 3_000_000}).encode() + b"\n"
    assert [row.reason for row in rows_of("a.jsonl", lines)] == ["too_long"]


def test_broken_bytes_in_utf8_reject_their_rows_and_no_others_accents() -> None:
    body = "text,label\nma\u00f1ana,a\nrota \u00e9,b\n\u00bfcu\u00e1ndo?,c\n".encode().replace(
        "rota \u00e9".encode(), b"rota \xe9"
    )
    table = read("a.csv", body)
    assert table.format.encoding == "utf-8"
    rows = list(table.rows)
    assert told(rows) == [(2, "ma\u00f1ana"), (3, "broken_encoding"), (4, "\u00bfcu\u00e1ndo?")]
    assert rows[1].record == "rota \\xe9,b"
    lines = body.replace(b"text,label\n", b"").split(b"\n")[:3]
    as_json = b"\n".join(b'{"text": "' + line + b'"}' for line in lines)
    assert [row.reason for row in rows_of("a.jsonl", as_json)] == [None, "broken_encoding", None]


def test_an_emoji_in_two_halves_is_one_and_harms_no_accent() -> None:
    """As databases write that know UTF-8 in its older form only (CESU-8)."""
    body = "text,label\nQué mal servicio X señor,app\nX,app\n".encode().replace(b"X", b"\xed\xa0\xbd\xed\xb8\x80")
    assert told(list(read("a.csv", body).rows)) == [(2, "Qué mal servicio 😀 señor"), (3, "😀")]
    assert read_plain_file("a.csv", body, ALIASES) is None  # for the careful reader
    joined = list(read("a.csv", body + "otra señal,app\n".encode("cp1252") * 9).rows)
    assert [row.values["text"] for row in joined[1:3]] == ["😀", "otra señal"]
    half = list(read("a.csv", body.replace(b"\xed\xb8\x80,", b",")).rows)
    assert told(half) == [(2, "Qué mal servicio 😀 señor"), (3, "broken_encoding")]


def test_windows_1252_with_a_byte_it_does_not_define() -> None:
    table = read("a.csv", b"text,label\nma\xf1ana,a\nmal \x81,b\n\xbfcu\xe1ndo?,c\n")
    assert table.format.encoding == "cp1252"
    assert told(list(table.rows)) == [(2, "ma\u00f1ana"), (3, "broken_encoding"), (4, "\u00bfcu\u00e1ndo?")]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
@pytest.mark.parametrize("text", ["no abre", "no abre la aplicaci\u00f3n \U0001f621"])
def test_wide_encodings_without_an_accent_too(encoding: str, text: str) -> None:
    """Plain ASCII in UTF-16 without a mark is valid UTF-8, with a NUL after every letter."""
    [row] = rows_of("a.csv", f"text,label\r\n{text},a\r\n".encode(encoding))
    assert row.values["text"] == text


def test_a_nul_in_a_cell_does_not_make_the_file_binary() -> None:
    assert len(rows_of("a.csv", b"text,label\nhola\x00 amigos,a\nmuy buenas,b\n")) == 2


@pytest.mark.parametrize("name", ["A.CSV.GZ", "queja del a\u00f1o + fin=1.csv.gz"])
def test_a_gzip_file_of_several_members_is_read_whole(name: str) -> None:
    body = gzip.compress(b"text,label\nuno,a\n") + gzip.compress(b"dos,b\n") + gzip.compress(b"tres,c\n") + b"\0" * 512
    assert texts(read(name, body)) == ["uno", "dos", "tres"]


def test_a_thousand_copies_pack_well_and_are_no_bomb() -> None:
    body = b"text,label\n" + b"la misma queja de siempre, otra vez;fees\n".replace(b", ", b" ").replace(b";", b",") * 20_000
    packed = gzip.compress(body)
    assert len(body) > blocks.MAX_UNPACK_RATIO * len(packed)
    assert len(texts(read("a.csv.gz", packed))) == 20_000


@pytest.mark.slow
def test_a_bomb_is_noticed_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    of = Evidence.of
    monkeypatch.setattr(Evidence, "of", lambda body: seen.append(len(body)) or of(body))
    with pytest.raises(UnreadableFileError, match="200 times"):
        read("a.csv.gz", gzip.compress((b"x" * 99 + b"\n") * 2_000_000))
    assert max(seen) <= blocks.BLOCK_BYTES + 100
    assert sum(seen) <= 2 * blocks.HARMLESS_BYTES + 200 * 1_000_000
    monkeypatch.setattr(blocks, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(UnreadableFileError) as caught:
        read("a.csv.gz", gzip.compress(b"text\n" + b"hola\n" * 999))
    assert caught.value.reason == "gzip_bomb"


def test_reading_is_the_same_whatever_the_blocks() -> None:
    """Cut inside characters, marks, line ends and quotes."""
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        for end in ("\n", "\r\n", "\r"):
            body = BROKEN_AMONG_MULTI_LINE.decode().replace("\n", end).encode(encoding)
            expected = rows_of("a.csv", body)
            for size in (1, 2, 3, 7, 50):
                cut = read_table(
                    "a.csv", lambda body=body, size=size: (body[i : i + size] for i in range(0, len(body), size)), ALIASES
                )
                assert list(cut.rows) == expected


def test_json_surprises() -> None:
    body = (
        b'\xef\xbb\xbf{"ID": 1.10, "Text": "uno", "extra": {"a": ["\xc3\xb1", 1.5, null]}}\r\n'
        b'{"text": "dos", "text": "tres"}\r\n\r\n'
        b'{"text": null, "id": 12345678901234567890}\r\n'
        b'{"text": ["\xc3\xb1"], "id": true}\r\n'
        b'{"id": 1'
    )
    rows = rows_of("a.jsonl", body)
    assert [(row.line, row.reason) for row in rows] == [
        (1, None),
        (2, "malformed_row"),
        (4, None),
        (5, None),
        (6, "malformed_row"),
    ]
    assert rows[0].values == {"ID": "1.10", "Text": "uno", "extra": '{"a": ["\u00f1", 1.5, null]}'}
    assert rows[2].values == {"Text": "", "ID": "12345678901234567890"}
    assert rows[3].values == {"Text": '["\u00f1"]', "ID": "true"}
    assert "twice" in str(rows[1].detail)


def test_counting_tells_where_a_file_may_be_cut() -> None:
    good = b'text,label\n"uno ""dos"", tres\n",a\n",empieza",b\n'
    assert Evidence.of(good).can_be_cut
    for bad in (b'pantalla de 5" rota,a\n' * 2, b'"abierta,a\n', b'"dijo \\"no\\" y \\"ya\\"",a\n'):
        assert not Evidence.of(good + bad).can_be_cut
    for place in range(1, len(good)):
        parts = [Evidence.of(good[:place], b"", good[place:]), Evidence.of(good[place:], good[:place], b"")]
        assert sum(parts, Evidence()).can_be_cut
    accented = "ma\u00f1ana \u20ac5 \U0001f621\n".encode() * 3
    for place in range(1, len(accented)):
        assert (Evidence.of(accented[:place], b"", b"x") + Evidence.of(accented[place:], b"x", b"")).broken == 0


@pytest.mark.parametrize(
    ("name", "line"),
    [("a.csv", b'"una queja, con coma",a\n'), ("a.csv.gz", b'"una queja, con coma",a\n'), ("a.jsonl", b'{"queja": "x"}\n')],
)
@pytest.mark.slow
def test_rows_come_before_the_file_is_read_to_its_end(name: str, line: bytes) -> None:
    """So memory holds blocks and not files: each row is given while the rest of its file is not yet there."""
    passes: list[int] = []
    header = b"" if name == "a.jsonl" else b"text,label\n"
    body = header + b"".join(line.replace(b"x", b"%d" % number) for number in range(40_000))
    body = gzip.compress(body, 0) if name.endswith("gz") else body

    def blocks() -> Iterator[bytes]:
        passes.append(0)
        for start in range(0, len(body), 10_000):
            passes[-1] += 1
            yield body[start : start + 10_000]

    table = read_table(name, blocks, ALIASES)
    next(table.rows)
    assert passes[-1] <= 5 < max(passes)
    assert sum(1 for _ in table.rows) == 40_000 - 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('id,queja\n1,"Hola\nfin",\n2,otra,\n', [(2, "Hola\nfin"), (4, "otra")]),
        ('id,motivo,queja\n1,x,"Hola\nYo, Juan, protesto",\n2,x,otra,\n', [(2, "Hola\nYo, Juan, protesto"), (4, "otra")]),
        ('id,queja\n1,"Hola\nme cobraron, mal\nfin",x\n2,otra\n', [(2, "wrong_field_count"), (5, "otra")]),
        ('id,queja,motivo\n1,"Yo:\nel "jefe", Juan, no\nGracias, Ana",x\n2,otra,y\n', [(2, "unclosed_quote"), (5, "otra")]),
        ('id,queja\n1,"a\nb, c\nd, e', [(2, "unclosed_quote")]),
    ],
)
def test_lines_of_a_text_are_not_taken_for_complaints(body: str, expected: list[tuple[int, str]]) -> None:
    assert told(rows_of("a.csv", body.encode())) == expected


def test_a_quote_left_open_before_records_of_which_a_later_one_has_a_quote_too() -> None:
    rows = "".join(f"{number},otra queja,y\n" for number in range(2, 100))
    body = f'id,queja,motivo\n1,"abre,x\n{rows}100,tv de 32",y\n101,fin,z\n'.encode()
    found = told(rows_of("a.csv", body))
    assert found[:2] == [(2, "unclosed_quote"), (3, "otra queja")]
    assert len(found) == 101
    assert read_plain_file("a.csv", body, ALIASES) is None

    listed = b'id,queja,motivo\n1,"Pagos:\n2026-01-02,10,x\n2026-01-03,10,x\n2026-01-04,10,x\n2026-01-05,10,x\nfin",y\n'
    assert [line for line, _ in told(rows_of("a.csv", listed))] == [2]
    assert read_plain_file("a.csv", listed, ALIASES) is not None


def test_joined_files_with_marks_other_letters_and_other_encodings() -> None:
    joined = '\ufeff"id","queja"\n"1","hola, tú"\n\ufeff"ID","QUEJA"\n"2","otra, más"\n'.encode()
    assert told(rows_of("a.csv", joined)) == [(2, "hola, tú"), (3, "repeated_header"), (4, "otra, más")]
    # A mark inside a text is the text's own; behind a quote that was left open it does not hide where the next record begins.
    quoted = 'id,queja\n1,"dos\n\ufefflíneas"\n'.encode()
    assert told(rows_of("a.csv", quoted)) == [(2, "dos\n\ufefflíneas")]
    opened = 'id,queja,motivo\n1,"sin cerrar,x\n\ufeff2,otra,y\n3,más,z\n'.encode()
    assert told(rows_of("a.csv", opened)) == [(2, "unclosed_quote"), (3, "otra"), (4, "más")]

    spaced = b" column 1,queja\n1,hola\n2,otra\n Column 1,QUEJA\n3,fin\n"
    assert told(rows_of("a.csv", spaced))[2] == (4, "repeated_header")
    assert read_plain_file("a.csv", spaced, ALIASES) is None

    header = "id,queja,categoría\n1,crédito,café\n".encode()
    table = read("a.csv", header + "2,año niño,señal\n3,mañana,ñandú\n".encode("cp1252"))
    assert (table.format.encoding, table.columns["label"]) == ("cp1252", "categoría")
    assert [row.values["queja"] for row in table.rows] == ["crédito", "año niño", "mañana"]


def test_joined_files_whose_columns_are_in_another_order() -> None:
    body = "id,queja,motivo\n1,no abre la app,app\nMotivo,ID,Queja\nfees,2,me cobraron de más\nid,queja,motivo\n3,otra,app\n".encode()
    rows = rows_of("a.csv", body)
    read_as = [(row.values["id"], row.values["queja"], row.values["motivo"]) for row in rows if row.values]
    assert read_as == [("1", "no abre la app", "app"), ("2", "me cobraron de más", "fees"), ("3", "otra", "app")]
    assert [row.reason for row in rows].count("repeated_header") == 2
    assert read_plain_file("a.csv", body, ALIASES) is None


@pytest.mark.parametrize("encoding", ["cp850", "mac_roman", "cp1252"])
def test_letters_of_dos_and_of_old_macs_are_told_by_where_they_stand(encoding: str) -> None:
    texts = [
        "la aplicación no me dejó entrar desde el año pasado, qué vergüenza",
        "el técnico dañó el teléfono y así está todavía",
        "ningún asesor contestó — «mañana», dicen" if encoding != "cp850" else "ningún asesor contestó",
    ]
    body = ("queja,motivo\n" + "".join(f'"{text}",app\n' for text in texts)).encode(encoding)
    table = read("a.csv", body)
    assert table.format.encoding == encoding
    assert [row.values["queja"] for row in table.rows] == texts


def test_signs_of_windows_inside_words_make_no_other_encoding_of_it() -> None:
    english = "text\nI don’t know—they didn’t say—what it’s for: wasn’t it “free”? cœur, façade\nyou’ve, we’ll…\n"
    assert read("a.csv", english.encode("cp1252")).format.encoding == "cp1252"


def test_rows_of_a_spreadsheet_that_nobody_filled_in_are_none() -> None:
    body = b"id;queja;motivo\n1;no abre;app\n;;\n ; ;\n\n2;tampoco abre;app\n;;\n;;\n"
    assert told(rows_of("a.csv", body)) == [(2, "no abre"), (6, "tampoco abre")]
    assert read_plain_file("a.csv", body, ALIASES) is None
    # What is in quotes was written by somebody.
    assert told(rows_of("a.csv", b'queja,motivo\n"",""\n')) == [(2, "")]


def test_json_lines_by_other_names() -> None:
    lines = b'{"id": "1", "queja": "no abre, la app"}\n{"id": "2", "queja": "otra"}\n'
    for name in ("a.jsonl", "a.json", "a.json.gz", "a.txt"):
        body = gzip.compress(lines) if name.endswith(".gz") else lines
        assert told(rows_of(name, body)) == [(1, "no abre, la app"), (2, "otra")]
    assert told(rows_of("a.txt", b"{sic} no abre")) == [(1, "{sic} no abre")]


ITEMS = [
    {"id": 1, "queja": 'no abre, [la} "app"', "n": 1.10},
    {"id": 2, "queja": "otra\nqueja \u00f3", "etiquetas": [{"a": 1}]},
]


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("around", ["list", "object", "object behind others"])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz"])
@pytest.mark.parametrize("block", [1, 7, 4096])
def test_a_list_of_objects_is_a_table(
    name: str, around: str, indent: int | None, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    document: Any = {"list": ITEMS, "object": {"data": ITEMS}}.get(
        around, {"total": 2, "pages": [1, 2], "meta": {"a": []}, "data": ITEMS}
    )
    body = json.dumps(document, indent=indent).encode()
    content = gzip.compress(body) if name.endswith(".gz") else body
    table = read_table(name, lambda: (content[at : at + block] for at in range(0, len(content), block)), ALIASES)
    rows = list(table.rows)
    assert (table.format.kind, [row.reason for row in rows]) == ("json", [None, None])
    assert [row.values["queja"] for row in rows] == [item["queja"] for item in ITEMS]
    assert rows[0].values["n"] == "1.1"
    assert rows[1].values["etiquetas"] == '[{"a": 1}]'
    assert [json.loads(row.record) for row in rows] == ITEMS
    lines = body.decode().split("\n")
    assert all(lines[row.line - 1].lstrip(" [").startswith("{") or indent is None for row in rows)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'[{"queja": "a"}, {"queja": "b"', "at line 1"),
        (b'[\n{"queja": "a"}\n{"queja": "b"}\n]', "at line 2"),
        (b'[{"queja": "a", "queja": "b"}]', "twice"),
        (b'{"a": [{"queja": "x"}], "b": [{"queja": "y"}]}', "2 lists of objects"),
        (b'{\n"queja": "x"\n', "not JSON"),
        (b'["uno", "dos"]', "no line of it is a JSON object"),
        (b"[" * 100_000, "no line of it is a JSON object"),
        (b'[{"a":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_damaged_or_ambiguous_json_document_is_named_whole(body: bytes, says: str) -> None:
    with pytest.raises(UnreadableFileError, match=says) as caught:
        rows_of("a.json", body)
    assert caught.value.reason == "not_json_lines"


def test_an_item_of_a_list_that_is_no_object_is_one_rejected_row() -> None:
    rows = list(read("a.json", b'[{"queja": "no abre"},\n null, "x",\n{"queja": "otra"}]').rows)
    assert rows[2].detail == "the line is not a JSON object"  # it quotes nothing
    assert [(row.number, row.line, row.reason) for row in rows] == [
        (1, 1, None), (2, 2, "malformed_row"), (3, 2, "malformed_row"), (4, 3, None),
    ]  # fmt: skip


def test_powershells_line_above_the_header() -> None:
    body = b'#TYPE System.Data.DataRow\r\n"id","queja"\r\n"1","no abre"\r\n'
    assert told(rows_of("a.csv", body)) == [(3, "no abre")]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("Informe de PQR;;\nGenerado:;2026-11-01;\n;;\nRadicado;Fecha;Queja\n1;2026-01-02;no abre, ayuda\n", 5),
        ("Informe de PQR\nGenerado: 2026-11-01\n\nRadicado;Fecha;Queja\n1;2026-01-02;no abre, ayuda\n", 5),
        ('Quejas, noviembre\nRadicado,Fecha,Queja\n1,2026-01-02,"no abre, ayuda"\n', 3),
        ("Informe\nNo;Queja;Ciudad\n1;no abre, ayuda;Cali\n", 3),
        ("# exported\nqueja\tcategoria\nno abre, ayuda\ta\n", 3),
        ("\ufeff\n\nInforme|\n|\n| Radicado | Queja |\n| 1 |no abre, ayuda|\n", 6),
        ("T\u00edtulo\n" * 20 + 'radicado,queja\n1,"no abre, ayuda"\n', 22),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_reports_title_above_the_header_is_passed_over(body: str, line: int, encoding: str) -> None:
    content = body.removeprefix("\ufeff" if encoding == "cp1252" else "").encode(encoding)
    table = read("a.csv", content)
    assert [(row.line, row.reason, row.values[table.columns["text"]]) for row in table.rows] == [
        (line, None, "no abre, ayuda")
    ]
    assert table.format.title_lines
    assert table.format.first_row_line == line
    if encoding != "utf-16":
        lines = content.splitlines(keepends=True)
        assert header_end(content, table.format) == sum(map(len, lines[: line - 1]))


@pytest.mark.parametrize(
    "body",
    [
        "Buenos días\nuna reclamación, queja, nada más\notra, cosa, más\n",  # a word of a text
        "Buenos días\nqueja,cobros\nnadie responde\n",  # no table
        "1;2026-01-02;me cobraron\n2;2026-01-02;no abre\nradicado;fecha;queja\n3;2026-01-02;nada\n",  # a file with no header, and another
        f"{'La app no abre desde ayer. ' * 9}\nradicado;fecha;queja\n3;2026-01-02;nada\n",
        "T\n" * 21 + "radicado,queja\n1,nada\n",
        '"Informe\nradicado;queja\n1;nada\n',
    ],
)
def test_what_may_be_complaints_is_no_title(body: str) -> None:
    with pytest.raises(UnreadableFileError, match=r"no text column among|is not a header"):
        rows_of("a.csv", body.encode())


def test_a_header_in_the_first_line_is_the_header_whatever_stands_below() -> None:
    body = b"radicado;fecha;queja\n1;2026-01-02;me cobraron, queja, fecha, y nada\n"
    assert told(rows_of("a.csv", body)) == [(2, "me cobraron, queja, fecha, y nada")]
    quoted = b'"radicado","de\nqueja, fecha","queja"\n1,2,hola\n'
    assert told(rows_of("a.csv", quoted)) == [(3, "hola")]
    assert header_end(quoted, read("a.csv", quoted).format) == quoted.index(b"1,2")


def test_what_is_wrong_is_said_in_words_that_help() -> None:
    [row] = rows_of("a.csv", b"id,queja,motivo\r\n1,a b c,x\r2,d e f,y\r\n")
    assert "carriage return" in (row.detail or "")
    for name, body, says in (
        ("a.csv", b'{"id":1,"queja":"hola"}\n', ".jsonl"),
        ("a.csv", b'"id", "queja"\n"1", "hola, que"\n', "not beside a separator"),
        ("a.csv.gz", gzip.compress(b"id,queja\n1,hola\n")[:-8] + bytes(8), "damaged"),
    ):
        with pytest.raises(UnreadableFileError, match=says):
            rows_of(name, body)


def test_a_row_of_nothing_but_quotes_is_a_row_and_keys_in_other_letters_are_one() -> None:
    assert told(rows_of("a.csv", b'id,queja,motivo\n""\n1,a b c,x\n\n')) == [(2, "wrong_field_count"), (3, "a b c")]
    lines = b'{"queja":"","Queja":"hola"}\n{"queja":"uno","Queja":"dos"}\n{"queja":"uno","QUEJA":"uno"}\n'
    assert told(rows_of("a.jsonl", lines)) == [(1, "hola"), (2, "malformed_row"), (3, "uno")]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "queja,juan@x.com,ana@x.com,Cédula de Juan 79123456",
            ("queja", "<EMAIL>", "<EMAIL> (2)", "Cédula de Juan <ID_NUMBER>"),
        ),
        ("3105551234,queja,Q1 2026,Fecha 03/04/2026", ("<PHONE>", "queja", "Q1 2026", "Fecha 03/04/2026")),
    ],
)
def test_personal_data_in_column_names_goes_nowhere(header: str, expected: tuple[str, ...]) -> None:
    body = f"{header}\n1,2,3,4\n{header}\n".encode()
    table = read("a.csv", body)
    assert redact_names(table.header) == expected
    carried = [name for name in expected if name != "queja"]
    keys = json.dumps(dict.fromkeys(header.split(","), 1))
    as_json = f'{keys}\n{{"Queja":"x","queja":"y","clara@x.com":1}}\n'.encode()
    # Row by row (the header is repeated), in bulk, and as JSON.
    for name, content in (("a.csv", body), ("a.csv", body[: -len(header.encode()) - 1]), ("a.jsonl", as_json)):
        file = SourceFile(key=name, version_id="1", size=len(content), read=lambda start, end, of=content: of[start:end])
        first, *others = pa.Table.from_batches(
            read_batches(file, Part(0, 0, 0, len(content)), ALIASES, lambda *_: None)
        ).to_pylist()
        assert [column for column, _ in first["carried_raw"]] == carried
        assert [row["reason"] for row in others] == {"a.jsonl": ["malformed_row"]}.get(
            name, ["repeated_header"][: len(others)]
        )
    assert redact_names(read("a.jsonl", as_json).header)[:4] == expected


def test_numbers_in_json_stay_as_they_are_written() -> None:
    [row] = rows_of(
        "a.jsonl", b'{"queja":"x","a":2.50,"b":[1, 2.50, {"c": 1E5, "d": "2.50"}],"e":{"f":NaN,"g":[]},"h":true}\n'
    )
    assert row.values == {
        "queja": "x", "a": "2.50", "b": '[1, 2.50, {"c": 1E5, "d": "2.50"}]', "e": '{"f": NaN, "g": []}', "h": "true",
    }  # fmt: skip
    deep = b'{"queja":' + b"[" * 700 + b"]" * 700 + b"}\n"
    assert len(rows_of("a.jsonl", deep)) == 1


MARCH_3 = [
    "2026-03-03", "2026-3-3", "20260303", "2026/03/03", "3/3/2026", "03.03.26", "3-3-2026", "'2026-03-03", "3 de marzo de 2026",
    "3 mar 2026", "March 3, 2026", "03-Mar-2026", "03-MAR-26", "martes, 3 de marzo del 2026", "3rd March 2026", "46084", "46084.0",
]  # fmt: skip
QUARTER_PAST_TEN = [
    "2026-03-03 22:15", "2026-03-03T22:15:00", "2026-03-03T22:15:00Z", "2026-03-03 17:15:00 -0500", "2026-03-03T17:15:00-05",
    "2026-03-03T22:15:00.0+00:00", "3/3/2026 22:15", "3/3/2026 10:15 PM", "3/3/26 10:15:00 p. m.", "3/3/2026, 10:15 p.\u00a0m.",
    "3 de marzo de 2026, 22:15", "Tue, 03 Mar 2026 22:15:00 +0000", "Mar  3 2026 10:15PM", "46084.927083333", "46084,927083333",
    "1772576100", "1772576100000", "1772576100.0",
]  # fmt: skip
WRITTEN_BY_PROGRAMS = [
    # Google Forms, in Spanish; spreadsheets of countries that write 22.15; Oracle; DB2; MySQL; Java; JavaScript; Twitter; Athena; Kibana.
    "03/03/2026 10:15:00 p.m.", "2026/03/03 10:15:00 p. m. GMT+0", "2026/03/03 5:15:00 p.\u00a0m. GMT-5", "03-03-2026 22.15", "3.3.2026 22.15.00",
    "03-MAR-26 10.15.00.000000 PM", "03-Mar-26 10.15.00.000000000 PM +00:00", "03-MAR-26 05.15.00.000000 PM AMERICA/BOGOTA",
    "03-MAR-2026 22:15:00", "2026-03-03-22.15.00.000000", "20260303221500", "20260303T221500Z", "Tue Mar 03 17:15:00 COT 2026",
    "Tue Mar  3 22:15:00 UTC 2026", "Tue Mar 03 2026 17:15:00 GMT-0500 (hora estándar de Colombia)", "Tue Mar 03 22:15:00 +0000 2026",
    "2026-03-03 22:15:00.000 UTC", "2026-03-03 17:15:00.000 America/Bogota", "2026-03-03T17:15:00-05:00[America/Bogota]",
    "Mar 3, 2026 @ 22:15:00.000", "2026-03-03 22:15:00,000",
    # Forms and letters in Spanish and Portuguese.
    "3/3/2026 22:15 hrs", "3/3/2026 22:15 horas", "03/03/2026 22h15", "3/3/2026 - 22:15", "22:15 3/3/2026", "3 de marzo de 2026 a las 22:15",
    "martes, 3 de marzo de 2026 10:15 p. m.", "Terça-feira, 3 de Março de 2026 - 22:15", "3 de março de 2026 às 22h15", "3 mar. 2026, 22:15",
]  # fmt: skip
NO_DATE = [
    "ayer", "2026", "0000-00-00", "2025-02-29", "31/04/2026", "13/13/2026", "3/3/2026 25:00", "19999", "80001", "9999-01-01",
    "Caso 3 2026", "12/05/2026 x", "3/3/2026 22:15 XYZ", "3/3/2026 22:15 Luna/Mar", "caso 22.15", "3/3/2026 a las", "1.7871E+12",
    "20261399221500", "2026-03-03 22:15 y 23:15", " " * 200 + "22:15",
]  # fmt: skip


def test_dates_in_the_usual_notations() -> None:
    for month_first in (False, True):
        assert {received(cell, month_first) for cell in MARCH_3} == {datetime(2026, 3, 3)}
        for cell in (*QUARTER_PAST_TEN, *WRITTEN_BY_PROGRAMS):
            assert received(cell, month_first) == datetime(2026, 3, 3, 22, 15), cell
        assert not [cell for cell in NO_DATE if received(cell, month_first) or not is_unread(cell, month_first)]
    assert not [cell for cell in (*BLANKS, "N/A", "3/4/2026") if is_unread(cell, False)]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([b"03/04/2026"], False),
        ([b"03/04/2026", b"03/25/2026"], True),
        ([b"3/4/26 10:15", b"12/31/25 9:00 PM"], True),
        ([b"03-25-2026", b"03-04-2026"], True),
        ([b"03/25/2026", b"25/03/2026"], False),
        ([b"2026-03-25", b"5.13.20", b"12-31-99", b"pago el,13/25/2026", b"la cuota 03/25/2026 no"], False),
    ],
)
def test_a_file_says_whether_months_come_first(cells: list[bytes], expected: bool) -> None:
    csv = b"radicado,fecha,queja\n" + b"".join(b"1,%s,hola amigos\n" % cell for cell in cells if b"," not in cell)
    lines = b"".join(b'{"queja":"x","fecha":"%s"}\n' % cell.replace(b"/", b"\\/") for cell in cells)
    assert [read("a.csv", csv).format.month_first, read("a.jsonl", lines).format.month_first] == [expected, expected]
    plain = read_plain_file("a.csv", csv, ALIASES)
    assert plain is not None
    assert plain[0].month_first == expected


def test_labels_are_what_the_eye_sees_and_ids_hold_nothing_personal() -> None:
    for cell in (
        "Tarjetas & más",
        "Tarjetas &amp; más",
        "Tarjetas\u00a0& \n ma\u0301s",
        "Tarjetas & mÃ¡s",
        "Tarjetas\u200b & más",
    ):
        assert label(cell) == "Tarjetas & más"
    assert [label(cell) for cell in (None, "", "NaN", "N/D", "\u200b", "#n/a")] == [None] * 6
    assert (label("ana&#64;example.com"), label_as_written("ana&#64;example.com")) == ("<EMAIL>", "<EMAIL>")
    assert label_as_written("Cobros&nbsp;") == "Cobros&nbsp;"
    assert [identity(cell) for cell in ("+57 300 123 4567", "4111 1111 1111 1111")] == ["<PHONE>", "<CARD>"]
    kept = ("4111111111111111", "3105551234", "PQR 20260001", "2026.03.0001", "550e8400-e29b-41d4-a716-446655440000", None)
    assert [identity(cell) for cell in kept] == list(kept)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("el cliente dice\nCC:  1.032.445.667\ty llama", "el cliente dice CC: <ID_NUMBER> y llama"),
        ("tarjeta 4111  1111\n1111\u00a01111", "tarjeta <CARD>"),
        ("su clave es&nbsp;Luna4821", "su clave es <SECRET>"),
        ("ana\u200b@\u200bexample.com", "<EMAIL>"),
        ("ana&#64;example.com", "<EMAIL>"),
        ("dice que  no\nle responden&nbsp;nada", "dice que  no\nle responden&nbsp;nada"),
        ("", ""),
    ],
)
def test_a_cell_that_goes_along_is_redacted_however_it_is_set_and_else_stays_as_it_is(cell: str, expected: str) -> None:
    assert carried("Observaciones", cell) == expected


EXACT = ["4111111111111112", "4111111111111120", "12.5", "7.0", "1E5", "12345", "550e8400", "1.2.0", None]
ROUNDED = ["1.23457E+12", "2,3E+15", "1E+16"]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (ROUNDED, [True] * 3),
        (EXACT, [False] * 8 + [None]),
        (["1234567890123450", "12345678901234500", "2234567890123450"], [True] * 3),
        (["1234567890123450", "12345678901234501", "2234567890123450"], [False] * 3),
        (["101.0", "102.0", None, "103.0"], [True, True, None, True]),
        (["101.0", "102.5", "103.0"], [False] * 3),
        (["1234567890123450", "x", "y"], [False] * 3),
    ],
)
def test_ids_that_a_spreadsheet_rounded_are_found_by_their_column(ids: list[str | None], expected: list[bool | None]) -> None:
    assert RoundedIds().find(ids) == expected
    body = ("radicado;queja\n" + "".join(f"{cell or ''};queja {n}\n" for n, cell in enumerate(ids))).encode()
    for content in (body, body + b'"sin cerrar;x\n'):  # in bulk, and row by row
        source = SourceFile(
            key="a.csv", version_id="v", size=len(content), read=lambda start, end, all=content: all[start:end]
        )  # type: ignore[misc]
        [batch] = read_batches(source, Part(0, 0, 0, len(content)), ALIASES, lambda *_: None)
        assert [bool(found) for found in batch.column("rounded_id").to_pylist()[: len(ids)]] == [
            bool(each) for each in expected
        ]


def test_an_id_is_redacted_however_it_is_set() -> None:
    assert identity("CC  1032445667.") == "CC <ID_NUMBER>."


QUALTRICS = (
    "StartDate,Q1,Q2\n"
    'Start Date,"Cuéntenos su queja,\npor favor","¿Qué motivo?"\n'
    '"{""ImportId"":""startDate"",""timeZone"":""America/Bogota""}","{""ImportId"":""QID1_TEXT""}","{""ImportId"":""QID2""}"\n'
)


@pytest.mark.parametrize(
    ("headers", "row", "line", "surveys"),
    [
        (QUALTRICS.replace("Q1", "queja"), "2026-03-03,no abre,app\n", 5, 2),
        ("Respondent ID,queja,\n,Open-Ended Response,Response\n", "118,no abre,app\n", 3, 1),
        ("Respondent ID,queja,Motivo\n,Respuesta abierta,\n", "118,no abre,app\n", 3, 1),
        ("id,queja,motivo\n", "1,no abre,app\n", 2, 0),
        ("id,queja,motivo\n", ",Response 5 never came,app\n", 2, 0),
    ],
)
def test_headers_of_survey_tools_are_no_rows(headers: str, row: str, line: int, surveys: int) -> None:
    body = (headers + row * 2).encode()
    file_format = read("a.csv", body).format
    assert (file_format.survey_rows, file_format.first_row_line) == (surveys, line)
    assert [number for number, _ in told(rows_of("a.csv", body))] == [line, line + 1]
    plain = read_plain_file("a.csv", body, ALIASES)
    assert plain is not None
    assert len(plain[1].cells) == 2
