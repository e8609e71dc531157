"""Bulk parsing and reading row by row give the same rows, whatever the file; a plain file is parsed in bulk."""

from __future__ import annotations

import csv
import io
import os
from typing import Any
from unittest.mock import patch

import pytest
from complaints_etl.readers import csv_arrow
from complaints_etl.readers.csv_arrow import read_plain_file
from complaints_etl.readers.parts import Part
from complaints_etl.readers.storage import SourceFile
from complaints_etl.records.raw_rows import PartSummary, read_batches
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CASES = 4000 if os.environ.get("PTMLOPS_NIGHTLY") else 400
ALIASES = {"text": ("text", "queja"), "label": ("label",), "complaint_id": ("id",), "received_at": ("date",)}
_BITS = [
    "a", "ñ", "e\u0301", "😡", "€", " ", "\u00a0", "\u2028", "\x1c", "\x85", "\t", ",", ";", "|", "'", '"', '""', "\n", "\r\n",
    "\r", "\n\n", "\x00", "\ufeff", "\\", '\\"', "x" * 300, "1", "=1+1", "NaN", "null", "",
]  # fmt: skip
cell = st.lists(st.sampled_from(_BITS), max_size=5).map("".join)
tame = st.lists(st.sampled_from([bit for bit in _BITS if "\x00" not in bit and bit not in ("\r", '\\"')]), max_size=5).map(
    "".join
)


def rows_of(body: bytes, name: str = "a.csv") -> tuple[list[dict[str, Any]], list[PartSummary]]:
    file = SourceFile(key=name, version_id="1", size=len(body), read=lambda first, last: body[first:last])
    summaries: list[PartSummary] = []
    batches = read_batches(file, Part(0, 0, 0, len(body)), ALIASES, lambda _, summary: summaries.append(summary))
    return [row for batch in batches for row in batch.to_pylist()], summaries


def same_rows(body: bytes, name: str = "a.csv") -> None:
    in_bulk = rows_of(body, name)
    with patch.object(csv_arrow, "read_plain_file", return_value=None):
        one_by_one = rows_of(body, name)
    assert in_bulk == one_by_one


def written(rows: list[list[str]], separator: str = ",", quoting: Any = csv.QUOTE_MINIMAL, line_end: str = "\n") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=line_end).writerows(rows)
    return out.getvalue().encode()


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.lists(tame, min_size=4, max_size=4), max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\ufeff"]),
)
@pytest.mark.slow
def test_what_a_csv_writer_wrote_gives_the_same_rows(
    rows: list[list[str]], separator: str, quoting: int, line_end: str, mark: str
) -> None:
    body = mark.encode() + written([["text", "id", "label", "otra"], *rows], separator, quoting, line_end)
    same_rows(body)
    same_rows(body[: -len(line_end)])


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.lists(cell, min_size=1, max_size=4), max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["text,id", "text", '"text","date"', "queja;id;x", 'te"xt,id', "id,text,text"]),
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
)
@pytest.mark.slow
def test_a_hostile_file_gives_the_same_rows(
    rows: list[list[str]], separator: str, line_end: str, header: str, encoding: str
) -> None:
    text = line_end.join([header, *(separator.join(row) for row in rows)])
    same_rows(text.encode(encoding, "replace"))


def test_a_plain_file_is_parsed_in_bulk_with_its_lines() -> None:
    body = written(
        [["id", "text", "canal"], ["1", 'dijo "no",\ny\n\nse fue ', "web"], ["2", "  ", ""], ["3", "cafe\u0301", "app"]]
    )
    plain = read_plain_file("a.csv", body, ALIASES)
    assert plain is not None
    assert plain[1].lines.tolist() == [0, 4, 5]
    found, _ = rows_of(body)
    assert [row["line_number"] for row in found] == [2, 6, 7]
    assert [row["raw_text"] for row in found] == ['dijo "no",\ny\n\nse fue', None, "café"]
    assert found[0]["carried_raw"] == [("canal", "web")]
    same_rows(body)


@pytest.mark.parametrize(
    "body",
    [
        b'text,id\n"a"b,1\n',  # something after a closing quote
        b'text,id\na"b"c,1\n',  # quotes inside a bare field
        b'text,id\n"a,1\n',  # a quote that is not closed
        b"text,id\na\n",  # a field too few
        b"text,id\na,1\n\nb,2\n",  # an empty line
        b"text,id\ra,1\rb,2\n",  # old line ends
        b"text,id\nma\xf1ana,1\n",  # no UTF-8
        b"text,id\na\0,1\n",
        b"id,text\n1,a\nid,text\n2,b\n",  # the header again
        b"text,a\xf1o\nhola,1\n",  # a name that is no UTF-8, above rows that are
        b'text,id\n"dijo \\"no\\"",1\n',  # quotes escaped by backslashes
    ],
)
def test_what_is_not_plain_is_read_row_by_row(body: bytes) -> None:
    assert read_plain_file("a.csv", body, ALIASES) is None
    same_rows(body)


@pytest.mark.parametrize("above", [b"sep=,\n", b"Informe de quejas,,\nNoviembre\n", b"\xef\xbb\xbf", b"\n"])
def test_lines_above_the_header_do_not_keep_a_file_from_bulk_parsing(above: bytes) -> None:
    body = above + b"id,text,label\n1,hola amigos,a\n2,otra,b\n"
    plain = read_plain_file("a.csv", body, ALIASES)
    assert plain is not None
    assert plain[1].cells["text"].to_pylist() == ["hola amigos", "otra"]
    same_rows(body)
