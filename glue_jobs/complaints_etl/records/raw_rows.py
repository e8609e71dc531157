"""Read the rows of a file as raw rows (ARROW_SCHEMA) in Arrow batches: our columns under our names, the others unchanged.

A plain CSV is parsed in bulk (readers/csv_arrow.py), everything else row by row; the raw rows are the same. Column names may hold
personal data (a survey's answer, a customer's name), so they are redacted here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from complaints_etl.readers import csv_arrow, read_rows, workbook
from complaints_etl.readers.blocks import blocks_of
from complaints_etl.readers.csv_parser import lines_of
from complaints_etl.readers.csv_rows import CsvRows
from complaints_etl.readers.detect import detect
from complaints_etl.readers.encoding import text_blocks
from complaints_etl.readers.parts import Part, read_part
from complaints_etl.readers.sample import read_sample
from complaints_etl.readers.storage import SourceFile
from complaints_etl.readers.table import Aliases, FileFormat, Row, UnreadableFileError
from complaints_etl.records.dates import is_unread, received
from complaints_etl.records.identifiers import MAY_BE_PERSONAL, MAY_BE_ROUNDED, RoundedIds, identity, redact_names
from complaints_etl.records.labels import label, label_as_written
from complaints_etl.records.missing_text import columns_of, explain
from complaints_etl.spreadsheet import active
from complaints_etl.text.subject import join_subject
from ptmlops_contracts.report import NOT_TABLES, Reason

# A part's text, its rows and its share of a batch fit a worker's Python several times over.
PART_BYTES = 16 * 1024**2
_BATCH_ROWS = 2000  # annotate.py processes a batch at once
_BATCH_CHARACTERS = 16 * 1024**2
_FIRST_COMPOSABLE = 0xCC  # first byte of U+0300 in UTF-8; a text of characters below is composed already

# The columns of raw rows. Both readers build them by name.
ARROW_SCHEMA = pa.schema(
    [
        ("source_index", pa.int32()),
        ("part", pa.int32()),
        ("row_number", pa.int64()),
        ("line_number", pa.int64()),
        ("source_file", pa.string()),
        ("source_version", pa.string()),
        ("original_id", pa.string()),
        ("raw_text", pa.string()),
        ("label_original", pa.string()),
        ("label_read", pa.string()),
        ("received_at", pa.timestamp("us", "UTC")),
        ("unread_date", pa.bool_()),
        ("rounded_id", pa.bool_()),
        ("carried_raw", pa.map_(pa.string(), pa.string())),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("record", pa.string()),
    ]
)
_SPARK_TYPES = {
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.string(): "string",
    pa.bool_(): "boolean",
    pa.timestamp("us", "UTC"): "timestamp",
    pa.map_(pa.string(), pa.string()): "map<string,string>",
}
RAW_SCHEMA = ", ".join(f"{field.name} {_SPARK_TYPES[field.type]}" for field in ARROW_SCHEMA)


class RawRow(NamedTuple):
    """A row of ARROW_SCHEMA, from the careful reader. A file that is rejected as a whole has no cells."""

    source_index: int
    part: int
    row_number: int
    line_number: int
    source_file: str
    source_version: str
    original_id: str | None = None
    raw_text: str | None = None
    label_original: str | None = None
    label_read: str | None = None
    received_at: datetime | None = None
    unread_date: bool | None = None
    rounded_id: bool | None = None
    carried_raw: Sequence[tuple[str, str]] = ()
    reason: str | None = None
    detail: str | None = None
    record: str = ""


@dataclass(frozen=True)
class PartSummary:
    """The number of rows of a part, and the format of its file, or the reason why the file is rejected."""

    rows: int
    format: FileFormat | None = None
    rejected: str | None = None
    short_ids: int = 0  # ids of a sheet that may have lost zeros


def read_batches(
    file: SourceFile, part: Part, aliases: Aliases, summarize: Callable[[Part, PartSummary], None]
) -> Iterator[pa.RecordBatch]:
    """Yield the raw rows of a part, then call `summarize`.

    A table that cannot be read is one rejected row. A file that is not a table has no rows.

    `row_number` counts from the beginning of the part.
    """
    count, file_format, rejected, sheet = 0, part.format, None, None
    try:
        file.require_opened()
        if file.workbook is not None and file.sheet is not None:
            sheet = workbook.open_sheet(file.workbook, file.sheet, aliases)
            file_format, batches = sheet.format, _row_batches(file, part, sheet.format, sheet.rows)
        else:
            file_format, batches = _open(file, part, aliases)
        for batch in batches:
            count += batch.num_rows
            yield batch
    except UnreadableFileError as error:
        # The file counts as one row, so that the report accounts for it. A file that is not a table has no rows.
        count, file_format, rejected = int(error.reason not in NOT_TABLES), None, str(error.reason)
        if count:
            position = (part.file, part.number, 1, 1, file.key, file.version_id)
            yield _to_arrow([RawRow(*position, reason=rejected, detail=_detail(error, file, aliases), record=error.record)])
    summarize(part, PartSummary(count, file_format, rejected, sheet.short_ids if sheet else 0))


def _detail(error: UnreadableFileError, file: SourceFile, aliases: Aliases) -> str:
    if error.reason is not Reason.NO_TEXT_COLUMN:
        return str(error)
    return explain(columns_of(read_sample(file, aliases), error.header, aliases), aliases)


def _open(file: SourceFile, part: Part, aliases: Aliases) -> tuple[FileFormat, Iterator[pa.RecordBatch]]:
    """Return the file's format and the part's raw rows."""
    if part.format:
        body, above = read_part(file, part, part.format)
        if plain := csv_arrow.read_plain(body, part.format):
            return part.format, _plain_batches(file, part, part.format, plain, above)
        lines = lines_of(text_blocks(blocks_of(body)(), part.format.codec), part.format.newline)
        return part.format, _row_batches(file, part, part.format, iter(CsvRows(lines, above, part.format)))
    blocks = file.blocks
    if file.size <= PART_BYTES:
        content = file.read(0, file.size)
        if format_and_rows := csv_arrow.read_plain_file(file.key, content, aliases):
            file_format, plain = format_and_rows
            return file_format, _plain_batches(file, part, file_format, plain, file_format.first_row_line - 1)
        blocks = blocks_of(content)
    file_format = detect(file.key, blocks, aliases)
    return file_format, _row_batches(file, part, file_format, read_rows(file.key, blocks, file_format))


# -- row by row -------------------------------------------------------------------------------------------------------


def _row_batches(file: SourceFile, part: Part, file_format: FileFormat, rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    names = dict(zip(file_format.header, redact_names(file_format.header), strict=True))
    columns = file_format.columns
    ours = _not_carried(columns)
    batch: list[RawRow] = []
    ids: list[str | None] = []
    characters = 0
    rounded_ids = RoundedIds()

    def flush() -> pa.RecordBatch:
        found = rounded_ids.find(ids)
        return _to_arrow(
            [row._replace(rounded_id=rounded) for row, rounded in zip(batch, found, strict=True)] if any(found) else batch
        )

    for row in rows:
        id_cell, label_cell, date_cell = (
            _value(row.values, columns.get(column)) for column in ("complaint_id", "label", "received_at")
        )
        ids.append(id_cell)
        batch.append(
            RawRow(
                source_index=part.file,
                part=part.number,
                row_number=row.number,
                line_number=row.line,
                source_file=file.key,
                source_version=file.version_id,
                original_id=identity(id_cell),
                raw_text=join_subject(_value(row.values, columns.get("subject")), _value(row.values, columns.get("text"))),
                label_original=label_as_written(label_cell),
                label_read=label(label_cell),
                received_at=received(date_cell, file_format.month_first),
                unread_date=is_unread(date_cell, file_format.month_first) if date_cell else None,
                carried_raw=[(names[name], active(value)) for name, value in row.values.items() if name not in ours],
                reason=str(row.reason) if row.reason else None,
                detail=row.detail,
                record=row.record,
            )
        )
        characters += len(row.record)
        if len(batch) == _BATCH_ROWS or characters > _BATCH_CHARACTERS:
            yield flush()
            batch, ids, characters = [], [], 0
    yield flush()


def _not_carried(columns: Mapping[str, str]) -> set[str]:
    """Return the file's columns that are columns of records. Date and subject are carried too: the export shows them as written."""
    return {name for column, name in columns.items() if column not in ("received_at", "subject")}


def _value(values: Mapping[str, str], column: str | None) -> str | None:
    """Return a cell without white space around it, composed (NFC), or None if it is empty."""
    # `active` undoes the mark that exports and review lists add so that no spreadsheet computes the cell.
    value = active(values.get(column, "").replace("\x00", "")) if column else ""
    return unicodedata.normalize("NFC", value.strip()) or None


def _to_arrow(rows: Sequence[RawRow]) -> pa.RecordBatch:
    """Return rows as ARROW_SCHEMA."""
    columns = dict(zip(RawRow._fields, zip(*rows, strict=True) if rows else repeat(()), strict=False))
    arrays = [pa.array(columns[field.name], field.type) for field in ARROW_SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=ARROW_SCHEMA)


# -- in bulk ----------------------------------------------------------------------------------------------------------


def _plain_batches(
    file: SourceFile, part: Part, file_format: FileFormat, plain: csv_arrow.PlainRows, above: int
) -> Iterator[pa.RecordBatch]:
    names = dict(zip(file_format.header, redact_names(file_format.header), strict=True))
    columns, month_first = file_format.columns, file_format.month_first
    ours = _not_carried(columns)
    rounded_ids = RoundedIds()
    for rows in plain.batches(_BATCH_ROWS, above):
        size = rows.num_rows
        cells = {name: rows.column(name) for name in file_format.header}
        nulls = pa.nulls(size, pa.string())
        text, id_cells, label_cells, date_cells = (
            _values(cells[columns[column]]) if column in columns else nulls
            for column in ("text", "complaint_id", "label", "received_at")
        )
        if "subject" in columns:
            subjects = _values(cells[columns["subject"]]).to_pylist()
            text = pa.array(map(join_subject, subjects, text.to_pylist()), pa.string())
        labels, dates = label_cells.dictionary_encode(), date_cells.dictionary_encode()
        arrays = {
            "source_index": pa.array([part.file] * size, pa.int32()),
            "part": pa.array([part.number] * size, pa.int32()),
            "row_number": rows.column(csv_arrow.ROW_NUMBER),
            "line_number": rows.column(csv_arrow.LINE_NUMBER),
            "source_file": pa.array([file.key] * size),
            "source_version": pa.array([file.version_id] * size),
            "original_id": _identities(id_cells),
            "raw_text": text,
            "label_original": _map_distinct(labels, pa.string(), label_as_written),
            "label_read": _map_distinct(labels, pa.string(), label),
            "received_at": _map_distinct(dates, _type("received_at"), lambda cell: received(cell, month_first)),
            "unread_date": _map_distinct(dates, _type("unread_date"), lambda cell: is_unread(cell, month_first)),
            "rounded_id": _rounded(id_cells, rounded_ids),
            "carried_raw": _maps({names[name]: array for name, array in cells.items() if name not in ours}, size),
            "reason": nulls,
            "detail": nulls,
            "record": rows.column(csv_arrow.RECORD),
        }
        yield pa.RecordBatch.from_arrays([arrays[name] for name in ARROW_SCHEMA.names], schema=ARROW_SCHEMA)


def _type(column: str) -> pa.DataType:
    return ARROW_SCHEMA.field(column).type


def _values(cells: pa.Array) -> pa.Array:
    """Return the cells without white space around them, composed (NFC), and null for an empty cell."""
    trimmed = pc.utf8_trim_whitespace(cells)
    trimmed = pc.if_else(pc.equal(pc.binary_length(trimmed), 0), pa.scalar(None, pa.string()), trimmed)
    offsets = np.frombuffer(trimmed.buffers()[1], np.int32)[trimmed.offset : trimmed.offset + len(trimmed) + 1]
    octets = np.frombuffer(trimmed.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    composable = np.flatnonzero(octets >= _FIRST_COMPOSABLE) + offsets[0]
    if not len(composable):
        return trimmed
    rows = np.unique(np.searchsorted(offsets, composable, side="right") - 1)
    composed = [unicodedata.normalize("NFC", text) for text in trimmed.take(pa.array(rows)).to_pylist()]
    mask = np.zeros(len(trimmed), bool)
    mask[rows] = True
    return pc.replace_with_mask(trimmed, pa.array(mask), pa.array(composed, pa.string()))


def _identities(cells: pa.Array) -> pa.Array:
    may_be_personal = pc.fill_null(pc.match_substring_regex(cells, MAY_BE_PERSONAL), False)
    if not pc.any(may_be_personal).as_py():
        return cells
    redacted = [identity(cell) for cell in cells.filter(may_be_personal).to_pylist()]
    return pc.replace_with_mask(cells, may_be_personal, pa.array(redacted, pa.string()))


def _rounded(cells: pa.Array, rounded_ids: RoundedIds) -> pa.Array:
    may_be_rounded = pc.fill_null(pc.match_substring_regex(cells, MAY_BE_ROUNDED), False)
    if not pc.any(may_be_rounded).as_py():
        return pa.nulls(len(cells), pa.bool_())
    return pa.array(rounded_ids.find(cells.to_pylist()), pa.bool_())


def _map_distinct(encoded: pa.DictionaryArray, kind: pa.DataType, function: Callable[[str], object]) -> pa.Array:
    """Apply a function to every cell, with one call per distinct cell."""
    return pa.array([function(cell) for cell in encoded.dictionary.to_pylist()], kind).take(encoded.indices)


def _maps(cells: Mapping[str, pa.Array], size: int) -> pa.Array:
    """Return map<string,string> of each row's cells by column name."""
    width = len(cells)
    names = pa.array(list(cells), pa.string())
    if not width:
        return pa.MapArray.from_arrays(pa.array([0] * (size + 1), pa.int32()), names, names)
    in_order = np.arange(width * size).reshape(width, size).T.ravel()
    items = pa.concat_arrays(list(cells.values())).take(pa.array(in_order))
    keys = names.take(pa.array(np.tile(np.arange(width), size)))
    return pa.MapArray.from_arrays(pa.array(np.arange(size + 1) * width, pa.int32()), keys, items)
