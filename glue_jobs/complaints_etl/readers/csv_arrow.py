"""CSV rows in bulk, with Arrow's parser: the same rows as csv_rows.py gives, in a fraction of the time.

Only for a CSV that is plain: one that no two parsers read differently. It is UTF-8 without NUL; quotes are only around whole cells,
or doubled inside them; every record has as many fields as the header; no line is empty; lines end in \\n or \\r\\n. All of it is
checked on the bytes. If one check fails, `read_plain` returns None, and csv_rows.py reads the part.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from complaints_etl.readers.blocks import blocks_of
from complaints_etl.readers.csv_recovery import LONG_RECORD, holds_records
from complaints_etl.readers.detect import SAMPLE_BYTES, detect
from complaints_etl.readers.encoding import LONE_SURROGATE
from complaints_etl.readers.evidence import Evidence
from complaints_etl.readers.header import LONGEST_NAME, fold, header_end
from complaints_etl.readers.table import MAX_CELL_CHARACTERS, Aliases, FileFormat, UnreadableFileError
from complaints_etl.spreadsheet import MARK, active
from ptmlops_contracts.files import SEPARATORS

_Octets = NDArray[np.uint8]
_Places = NDArray[np.int64]
# No column of a file can have these names: plain files hold no NUL.
ROW_NUMBER, LINE_NUMBER, RECORD = "\0row", "\0line", "\0record"
_QUOTE, _NEWLINE, _RETURN = b'"\n\r'


@dataclass(frozen=True)
class PlainRows:
    """The rows of a plain CSV: one Arrow column per column of the file.

    Attributes:
        cells: string columns, named as in the header.
        lines: the line on which each row starts, counted from the first line of the bytes read, which is 0.
        records: each row's original text with its line end.
    """

    cells: pa.Table
    lines: _Places
    records: pa.Array

    def batches(self, size: int, above: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows, `size` at a time, with ROW_NUMBER, LINE_NUMBER and RECORD; `above` counts the lines above the bytes read."""
        numbers = pa.array(np.arange(1, self.cells.num_rows + 1))
        rows = self.cells.append_column(ROW_NUMBER, numbers).append_column(LINE_NUMBER, pa.array(self.lines + above + 1))
        rows = rows.append_column(RECORD, pc.utf8_rtrim(self.records, "\r\n"))
        for start in range(0, rows.num_rows, size):
            [batch] = rows.slice(start, size).combine_chunks().to_batches()
            yield batch


def read_plain_file(name: str, body: bytes, aliases: Aliases) -> tuple[FileFormat, PlainRows] | None:
    """Detect the format of a file in memory and read it; None if it is not a plain CSV.

    The format is detected from the file's beginning, as if the file were plain. Counting over all of its bytes, as `detect` does by
    default, would take as long as parsing it. If the file turns out not to be plain, the caller detects again.
    """
    if not name.lower().endswith((".csv", ".tsv")):
        return None
    try:
        file_format = detect(name, blocks_of(body, SAMPLE_BYTES), aliases, evidence=Evidence.of_plain(body))
    except UnreadableFileError:
        return None  # the message comes from `detect`, which sees the whole file
    begins = header_end(body, file_format)
    head = body[:begins].removeprefix(codecs.BOM_UTF8)
    if not _may_be_plain(head) or LONE_SURROGATE.search(head.decode("utf-8", "surrogateescape")):
        return None
    rows = read_plain(body[begins:], file_format)
    return None if rows is None else (file_format, rows)


def read_plain(body: bytes, file_format: FileFormat) -> PlainRows | None:
    """Return the rows of a plain CSV, or None if it is not plain.

    Args:
        body: the lines below the header, of the whole file or of a part.
        file_format: the file's.
    """
    separator, header = file_format.separator, file_format.header
    if not body:
        empty = pa.table({name: pa.array([], pa.string()) for name in header})
        return PlainRows(empty, np.array([], np.int64), pa.array([], pa.string()))
    is_utf8_csv = file_format.kind == "csv" and file_format.encoding in ("utf-8", "utf-8-sig") and not file_format.escaped
    if not is_utf8_csv or separator not in SEPARATORS or not _may_be_plain(body):
        return None
    octets = np.frombuffer(body, np.uint8)
    quotes = np.flatnonzero(octets == _QUOTE)
    records = _find_records(octets, quotes)
    if records is None or not _quotes_are_plain(octets, quotes, ord(separator)):
        return None
    ends, newlines = records
    if _holds_swallowed_records(body, ends, newlines, len(header), separator):
        return None
    try:
        cells = _parse(body, header, separator)
    except pa.ArrowInvalid:
        return None  # a record has another width, or bytes are not UTF-8
    if len(cells) != len(ends) or _may_repeat_header(cells, file_format) or _has_blank_row(cells):
        return None
    offsets = np.append(0, np.append(ends[:-1] + 1, len(body))).astype(np.int32)
    records_text = pa.Array.from_buffers(pa.string(), len(cells), [None, pa.py_buffer(offsets), pa.py_buffer(body)])
    table = pa.table({name: _without_mark(cells[name]) for name in cells.column_names})
    return PlainRows(table, np.append(0, newlines[:-1] + 1), records_text)


# -- checks on the bytes ----------------------------------------------------------------------------------------------


def _may_be_plain(body: bytes) -> bool:
    return (
        b"\0" not in body
        and b'\\"' not in body
        and codecs.BOM_UTF8 not in body  # Arrow drops one at the beginning, csv_rows.py at the beginning of any record
        and body.count(b"\r") == body.count(b"\r\n")
    )


def _find_records(octets: _Octets, quotes: _Places) -> tuple[_Places, _Places] | None:
    """Return the place of each record's last newline, and the number of that newline, from 0; None if a record is empty or too long.

    A record ends at a newline with an even number of quotes before it.
    """
    newlines = np.flatnonzero(octets == _NEWLINE)
    if len(quotes) % 2:
        return None
    numbers = np.flatnonzero(np.searchsorted(quotes, newlines) % 2 == 0)
    ends = newlines[numbers]
    if not len(ends) or ends[-1] != len(octets) - 1:  # the last record has no newline
        ends, numbers = np.append(ends, len(octets)), np.append(numbers, len(newlines))
    starts = np.append(0, ends[:-1] + 1)
    lengths = ends - starts - (octets[np.maximum(ends - 1, 0)] == _RETURN)
    if lengths.min() < 1 or lengths.max() > MAX_CELL_CHARACTERS:
        return None
    return ends, numbers


def _quotes_are_plain(octets: _Octets, quotes: _Places, separator: int) -> bool:
    """Return True if every opening quote begins a cell and every closing one ends it, or the two are a doubled quote."""
    bounds = np.zeros(256, bool)
    bounds[[separator, _QUOTE, _NEWLINE]] = True
    before = quotes[0::2] - 1
    after = quotes[1::2] + 1
    closing = octets[after[after < len(octets)]]
    return bool(bounds[octets[before[before >= 0]]].all() and ((closing == _RETURN) | bounds[closing]).all())


def _holds_swallowed_records(body: bytes, ends: _Places, newlines: _Places, width: int, separator: str) -> bool:
    """Return True if the lines inside a long record look like records, as they do behind a quote that was left open."""
    many = np.flatnonzero(np.diff(newlines, prepend=-1) > LONG_RECORD)
    texts = (body[ends[record - 1] + 1 if record else 0 : ends[record]] for record in many)
    return any(holds_records(text.decode("utf-8", "replace").split("\n"), width, separator) for text in texts)


def _parse(body: bytes, header: Sequence[str], separator: str) -> pa.Table:
    return csv.read_csv(
        pa.BufferReader(body),
        read_options=csv.ReadOptions(column_names=list(header), block_size=len(body), use_threads=False),
        parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False, quoted_strings_can_be_null=False
        ),
    )


# -- checks on the cells ----------------------------------------------------------------------------------------------


def _may_repeat_header(cells: pa.Table, file_format: FileFormat) -> bool:
    """Return True if the first cell of any row may be a column's name: the header may be repeated there, in any order."""
    first = pc.utf8_trim_whitespace(cells.column(0))
    names = {fold(name) for name in (*file_format.header, *file_format.header_cells)}
    if "" in names and pc.any(pc.equal(pc.binary_length(first), 0)).as_py():
        return True
    initials = {name[:1].lower() for name in (*names, *file_format.header)}
    first = first.filter(pc.less_equal(pc.binary_length(first), 4 * LONGEST_NAME))
    alike = pc.is_in(pc.utf8_lower(pc.utf8_slice_codeunits(first, 0, 1)), pa.array(initials, pa.string()))
    return any(fold(cell) in names for cell in pc.unique(first.filter(alike)).to_pylist())


def _has_blank_row(cells: pa.Table) -> bool:
    """Return True if all cells of any row are blank: csv_rows.py decides whether it is a row."""
    for name in cells.column_names:
        cells = cells.filter(pc.equal(pc.binary_length(pc.utf8_trim_whitespace(cells[name])), 0))
        if not len(cells):
            break
    return len(cells) > 0


def _without_mark(cells: pa.ChunkedArray) -> pa.Array:
    """Return the cells without the mark with which a review list or an export keeps a spreadsheet from computing them."""
    joined = cells.combine_chunks()
    marked = pc.starts_with(joined, MARK)
    if not pc.any(marked).as_py():
        return joined
    return pc.replace_with_mask(
        joined, marked, pa.array([active(cell) for cell in joined.filter(marked).to_pylist()], pa.string())
    )
