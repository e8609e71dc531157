"""CSV that is provably plain, parsed a part at a time by Arrow: the same rows as reading.py's, for less.

Plain means that no two parsers could disagree: UTF-8 without NUL; quotes only around whole fields, or doubled inside them; as many
fields in every record as in the header; no empty lines; lines that end in \\n or \\r\\n. All of it is checked on the bytes before
Arrow sees them; where one check fails, `read` gives None and the careful reader does the part.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from complaints_etl.reading import (
    CONTROL_BYTES,
    FEW_LINES,
    LONGEST_NAME,
    MAX_CELL_CHARACTERS,
    SNIFF_BYTES,
    SNIFF_RECORDS,
    Dialect,
    Table,
    UnreadableFileError,
    date_orders,
    fold,
    head_of,
    holds_records,
    read_table,
    says_month_first,
)
from complaints_etl.spreadsheet import MARK, active
from ptmlops_contracts.files import SEPARATORS

_Octets = NDArray[np.uint8]
_Places = NDArray[np.int64]
# No column of a file can be called that: plain files hold no NUL.
ROW_NUMBER, LINE_NUMBER, RECORD = "\0row", "\0line", "\0record"
_QUOTE, _NEWLINE, _RETURN = b'"\n\r'
_FIRST_COMPOSABLE = 0xCC  # what leads the UTF-8 of U+0300 and above; every character below is composed as it is


@dataclass(frozen=True)
class PlainTable:
    """A part that was parsed: `table` as reading.py describes it (without rows), the rows as columns by name and as they came."""

    table: Table
    rows: pa.Table
    lines: _Places
    records: pa.Array

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """The rows with ROW_NUMBER, LINE_NUMBER and RECORD, `size` at a time."""
        numbers = pa.array(np.arange(1, self.rows.num_rows + 1))
        numbered = self.rows.append_column(ROW_NUMBER, numbers).append_column(LINE_NUMBER, pa.array(self.lines))
        numbered = numbered.append_column(RECORD, pc.utf8_rtrim(self.records, "\r\n"))
        for start in range(0, numbered.num_rows, size):
            [batch] = numbered.slice(start, size).combine_chunks().to_batches()
            yield batch


def read(name: str, body: bytes, aliases: Mapping[str, Sequence[str]], *, dialect: Dialect | None = None) -> PlainTable | None:
    """The rows of a plain CSV, or None where it is not provably plain; arguments as of `read_table`."""
    start = body[:SNIFF_BYTES]
    marked = body.startswith(codecs.BOM_UTF8)
    looks_plain = (
        name.lower().endswith((".csv", ".tsv")) and (not dialect or dialect.codec == "utf-8") and b"\0" not in body and b'\\"' not in body
        and body.find(codecs.BOM_UTF8, 1) < 0
        and body.count(b"\r") == body.count(b"\r\n") and len(start) - len(start.translate(None, CONTROL_BYTES)) <= 16
    )  # fmt: skip
    if not looks_plain:
        return None
    octets = np.frombuffer(body, np.uint8)
    quotes = np.flatnonzero(octets == _QUOTE)
    records = _records(octets, quotes)
    if records is None:
        return None
    places, ends = records
    begins = int(places[0]) + 1
    if head_of(start, aliases) != begins or not unicodedata.is_normalized("NFC", body[:begins].decode("utf-8", "replace")):
        return None
    dialect = dialect or Dialect(encoding="utf-8-sig" if marked else "utf-8", month_first=says_month_first(*date_orders(body)))
    try:
        table = read_table(name, body[: places[: SNIFF_RECORDS + 1][-1] + 1], aliases, dialect=dialect)
    except UnreadableFileError:
        return None  # for the careful reader to say, who sees the whole file
    separator = SEPARATORS.get(table.dialect.partition(",")[0])
    if separator is None or not _quotes_are_plain(octets, quotes, ord(separator), after_mark=3 if marked else 0):
        return None
    rest = body[begins:]
    swallows = _swallows(body, places, ends, len(table.header), separator)
    try:
        # Arrow takes a mark for a file's beginning wherever it begins.
        rows = None if swallows or rest.startswith(codecs.BOM_UTF8) else _parse(rest, table.header, separator)
    except pa.ArrowInvalid:
        return None  # a record of another width, or no UTF-8
    if rows is None or len(rows) != len(places) - 1 or _has_header(rows) or _has_blank_row(rows):
        return None
    offsets = np.append(places[:-1] + 1 - begins, len(rest)).astype(np.int32)
    whole = pa.Array.from_buffers(pa.string(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(rest)])
    return PlainTable(table, pa.table({name: _as_written(rows[name]) for name in rows.column_names}), ends[:-1] + 2, whole)


def _swallows(body: bytes, places: _Places, ends: _Places, width: int, separator: str) -> bool:
    """Whether the lines inside any record look like records, as behind a quote that was left open."""
    many = np.flatnonzero(np.diff(ends, prepend=-1) > FEW_LINES)
    texts = (body[places[record - 1] + 1 if record else 0 : places[record]] for record in many)
    return any(holds_records(text.decode("utf-8", "replace").split("\n"), width, separator) for text in texts)


def _as_written(cells: pa.ChunkedArray) -> pa.Array:
    """Cells without the mark that a review list or an export gave them, so that no spreadsheet computes them."""
    whole = cells.combine_chunks()
    marked = pc.starts_with(whole, MARK)
    if not pc.any(marked).as_py():
        return whole
    return pc.replace_with_mask(
        whole, marked, pa.array([active(cell) for cell in whole.filter(marked).to_pylist()], pa.string())
    )


def _has_header(rows: pa.Table) -> bool:
    """Whether the first cell of any row may be a column's name: the header may stand there again, in any order."""
    name, names = rows.column_names[0], set(map(fold, rows.column_names))
    if any("<" in name for name in rows.column_names):
        return True  # it may be redacted, and the header as it is written is the careful reader's
    first = pc.utf8_trim_whitespace(rows.column(0))
    if name.startswith("column ") and pc.any(pc.equal(pc.binary_length(first), 0)).as_py():
        return True  # a column without a name is called so
    initials = {name[:1].lower() for name in (*names, *rows.column_names)}
    first = first.filter(pc.less_equal(pc.binary_length(first), 4 * LONGEST_NAME))
    alike = pc.is_in(pc.utf8_lower(pc.utf8_slice_codeunits(first, 0, 1)), pa.array(initials, pa.string()))
    return any(fold(cell) in names for cell in pc.unique(first.filter(alike)).to_pylist())


def _has_blank_row(rows: pa.Table) -> bool:
    """Whether any row has nothing in any cell: that may be no row at all."""
    for name in rows.column_names:
        rows = rows.filter(pc.equal(pc.binary_length(pc.utf8_trim_whitespace(rows[name])), 0))
        if not len(rows):
            break
    return len(rows) > 0


def _records(octets: _Octets, quotes: _Places) -> tuple[_Places, _Places] | None:
    """Where each record ends, and the number of that newline among all; None where a record is empty or too large."""
    newlines = np.flatnonzero(octets == _NEWLINE)
    if len(quotes) % 2 or not len(newlines):
        return None
    ends = np.flatnonzero(np.searchsorted(quotes, newlines) % 2 == 0)
    places = newlines[ends]
    if not len(places) or places[-1] != len(octets) - 1:  # the last record has no newline
        places, ends = np.append(places, len(octets)), np.append(ends, len(newlines))
    starts = np.append(0, places[:-1] + 1)
    lengths = places - starts - (octets[np.maximum(places - 1, 0)] == _RETURN)
    if lengths.min() < 1 or lengths.max() > MAX_CELL_CHARACTERS:
        return None
    return places, ends


def _quotes_are_plain(octets: _Octets, quotes: _Places, separator: int, *, after_mark: int) -> bool:
    """Whether each opening quote begins a field and each closing one ends it, or the two are a doubled one."""
    bounds = np.zeros(256, bool)
    bounds[[separator, _QUOTE, _NEWLINE]] = True
    before = quotes[0::2] - 1
    before = before[before >= after_mark]
    after = quotes[1::2] + 1
    after = after[after < len(octets)]
    closing = octets[after]
    ends_line = (closing == _RETURN) | bounds[closing]
    return bool(bounds[octets[before]].all() and ends_line.all())


def _parse(body: bytes, header: Sequence[str], separator: str) -> pa.Table:
    if not body:
        return pa.table({name: pa.array([], pa.string()) for name in header})
    return csv.read_csv(
        pa.BufferReader(body),
        read_options=csv.ReadOptions(column_names=list(header), block_size=max(len(body), 1), use_threads=False),
        parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False, quoted_strings_can_be_null=False
        ),
    )


def value(cells: pa.Array) -> pa.Array:
    """Cells without the white space around them, composed (NFC), null where nothing is left."""
    trimmed = pc.utf8_trim_whitespace(cells)
    trimmed = pc.if_else(pc.equal(pc.binary_length(trimmed), 0), pa.scalar(None, pa.string()), trimmed)
    offsets = np.frombuffer(trimmed.buffers()[1], np.int32)[trimmed.offset : trimmed.offset + len(trimmed) + 1]
    octets = np.frombuffer(trimmed.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    marks = np.flatnonzero(octets >= _FIRST_COMPOSABLE) + offsets[0]
    if not len(marks):
        return trimmed
    rows = np.unique(np.searchsorted(offsets, marks, side="right") - 1)
    composed = [unicodedata.normalize("NFC", text) for text in trimmed.take(pa.array(rows)).to_pylist()]
    mask = np.zeros(len(trimmed), bool)
    mask[rows] = True
    return pc.replace_with_mask(trimmed, pa.array(mask), pa.array(composed, pa.string()))


def plus(numbers: pa.Array, count: int) -> pa.Array:
    """`numbers` and `count` more."""
    return pc.add(numbers, pa.scalar(count, pa.int64()))


def maps(cells: Mapping[str, pa.Array], size: int) -> pa.Array:
    """map<string,string> of each row's cells by column name."""
    width = len(cells)
    names = pa.array(list(cells), pa.string())
    if not width:
        return pa.MapArray.from_arrays(pa.array([0] * (size + 1), pa.int32()), names, names)
    in_order = np.arange(width * size).reshape(width, size).T.ravel()
    items = pa.concat_arrays(list(cells.values())).take(pa.array(in_order))
    keys = names.take(pa.array(np.tile(np.arange(width), size)))
    return pa.MapArray.from_arrays(pa.array(np.arange(size + 1) * width, pa.int32()), keys, items)
