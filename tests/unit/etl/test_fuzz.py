"""Hostile files: whatever is dropped, each row is read or rejected with a reason, and nothing but named errors is raised.

200 cases in `make test`, 2,000 in `make nightly`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os

import pytest
from complaints_etl.readers import read_table
from complaints_etl.readers.table import UnreadableFileError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ptmlops_contracts.report import Reason

CASES = 2000 if os.environ.get("PTMLOPS_NIGHTLY") else 200
ALIASES = {"text": ("text", "queja"), "label": ("label",), "complaint_id": ("id",), "received_at": ("date",)}

nasty = st.sampled_from(
    [
        '"', '""', "'", "\\", '\\"', ",", ";", "\t", "|", "\n", "\r\n", "\r", "\x00", "\ufeff", "\u2028", "\x85", "\u202e", "ñ", "€", "😡",
        "=1+1", "@SUM(A1)", "-2", "+3", "NaN", "null", "{", "}", "[]", "<b>", "&amp;", "Ã±", " " * 50, "x" * 5000, "\ud800", "\ufdd0",
        "\u200d", "text", "99999-01-01", "0000-00-00", "2026-01-02T10:00:00Z", "1e999", "sep=;", '"abierta\ny otra línea',
    ]
)  # fmt: skip
cell = st.lists(nasty | st.text(max_size=12), max_size=6).map("".join)
names = st.permutations(["text", "label", "id", "date"]) | st.lists(
    st.sampled_from(["text", "Queja", "LABEL", "id", "", " ", "text", "\ufefftext", "a,b", "a;b", '"', "x" * 300, "no\nme"]),
    max_size=9,
)
MEGABYTE = "mañana, " * 131_072
# Hypothesis likes small numbers and large ones: these are rare, for each takes a tenth of a second.
BOMBS = {61: gzip.compress(b"text\n" + b"\0" * 20_000_000), 67: gzip.compress(b"text,label\n" + b"hola,a\n" * 3_000_000)}
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file's name and bytes: sometimes well formed, sometimes cut, packed, or of another kind than its name says."""
    kind = draw(st.sampled_from(["csv", "csv", "csv", "raw", "jsonl", "txt", "bytes"]))
    rare = draw(st.integers(0, 99))
    if rare in BOMBS:
        return "bomb.csv.gz", BOMBS[rare]
    header = draw(names)
    rows = draw(st.lists(st.lists(cell, min_size=1, max_size=6), max_size=8))
    if rare == 71 and rows:
        rows[0][0] += MEGABYTE
    if kind == "csv":
        out = io.StringIO()
        mark, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
        csv.writer(out, delimiter=mark, lineterminator=end).writerows([header, *rows])
        text = draw(st.sampled_from(["", "", f"sep={mark}{end}", end])) + out.getvalue()
    elif kind == "raw":
        mark = draw(st.sampled_from(",;\t|"))
        text = "\n".join([mark.join(header), *(mark.join(row) for row in rows)])
    elif kind == "jsonl":
        text = "\n".join(json.dumps(dict(zip(header, row, strict=False))) for row in rows)
    else:
        text = draw(cell)
    errors = draw(st.sampled_from(["replace", "ignore", "surrogatepass"]))
    try:
        body = draw(st.binary(max_size=300)) if kind == "bytes" else text.encode(draw(encodings), errors)
    except UnicodeEncodeError:  # Windows-1252 has no surrogates at all
        body = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(body)))
        body = body[:place] + draw(st.binary(max_size=3)) + body[place:]
    name = draw(st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.txt", "a.xlsx", "a.zip", "a.CSV"]))
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(body)))
        members = gzip.compress(body[:cut], 1) + gzip.compress(body[cut:], 1)
        name, body = name + draw(st.sampled_from([".gz", ".GZ"])), members if draw(st.integers(0, 9)) else body
    return name, body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 9)) == 0 else body


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(files())
@example(("a.csv", b"text" + b",a" * 300_000))  # a header whose names take hours to tell apart, were they not counted first
@example(("a.jsonl", json.dumps({"text": "hola", **{str(key): 1 for key in range(300_000)}}).encode()))
@example(("a.jsonl", json.dumps({"text": "hola", "clave u00f1ana " * 200_000: 1}).encode()))
@pytest.mark.slow
def test_a_hostile_file_is_read_row_by_row_or_refused_by_name(file: tuple[str, bytes]) -> None:
    try:
        table = read_table(*file, ALIASES)
        rows = list(table.rows)
    except UnreadableFileError as error:
        assert error.reason in Reason
        return
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    lines = [row.line for row in rows]
    assert lines == sorted(lines)
    for row in rows:
        assert (row.reason is None) == bool(row.values)
        assert row.reason is None or (row.reason in Reason and row.detail)
        for value in (*row.values, *row.values.values(), row.record, str(row.detail)):
            value.encode()  # nothing that cannot be written again
        assert set(row.values) <= set(table.header) or table.format.kind == "jsonl"


plain = st.lists(nasty | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12), max_size=6).map("".join)


@settings(max_examples=CASES // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.lists(plain, min_size=2, max_size=2), min_size=1, max_size=12),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([1, 5, 1000, 10**6]),
)
@example([["", "\n\ufeff"]], ",", "\n", "utf-8", 1)
@pytest.mark.slow
def test_what_a_csv_writer_wrote_is_read_back_whole(
    rows: list[list[str]], mark: str, end: str, encoding: str, block: int
) -> None:
    rows = [[cell.replace("\x00", "").replace("\ud800", "") for cell in row] for row in rows]
    rows = [row for row in rows if [cell.strip().removeprefix("\ufeff") for cell in row] != ["text", "label"]]
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, delimiter=mark, lineterminator=end)
    writer.writerows([["text", "label"], *rows])
    if '\\"' in out.getvalue():
        return  # a backslash before a quote may be read as an escape where no quote is doubled
    body = out.getvalue().encode(encoding)
    table = read_table("a.csv", lambda: (body[at : at + block] for at in range(0, len(body), block)), ALIASES)
    read = list(table.rows)
    assert [[row.values["text"], row.values["label"]] for row in read] == rows
    assert all(row.record in out.getvalue() for row in read)


@pytest.mark.nightly
def test_a_run_of_hostile_files_accounts_for_every_row(run: object) -> None:
    """Forty of them through the whole of Prepare at once."""
    found: dict[str, bytes] = {"good.csv": b"text,label\nla app no abre desde ayer,app\n"}

    @settings(max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(files())
    def collect(file: tuple[str, bytes]) -> None:
        found[f"{len(found)}-{file[0]}"] = file[1]

    collect()
    report = run(found).report  # type: ignore[operator]
    assert len(report["files"]) == len(found)
    for part in (report, *report["files"]):
        rows = part["rows"]
        assert rows["read"] == rows["accepted"] + rows["rejected"] + rows["duplicates"]
