"""Read the first rows of a file, to decide by its cells what its columns are."""

from __future__ import annotations

import contextlib
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from complaints_etl.readers import read_rows
from complaints_etl.readers.blocks import blocks_of
from complaints_etl.readers.detect import SAMPLE_BYTES, detect
from complaints_etl.readers.encoding import encoding_by_mark
from complaints_etl.readers.storage import SourceFile
from complaints_etl.readers.table import Aliases, Blocks, Chosen, FileFormat, UnreadableFileError
from complaints_etl.readers.workbook import SheetTable, open_sheet
from ptmlops_contracts.report import Reason

SAMPLE_ROWS = 500
_TRIED_COLUMNS = 8
# Many threads sample files. Without the lock, each would hold a workbook in memory.
_ONE_WORKBOOK = threading.Lock()
_GZIP = 31  # zlib's `wbits` for a gzip header and the largest window


@dataclass(frozen=True)
class Sample:
    """The format of a file and its first rows. Without a text column, `format.columns` has none."""

    format: FileFormat
    rows: Sequence[Mapping[str, str]]

    def cells(self, column: str) -> list[str]:
        """Return the cells of a column that are not empty."""
        return [cell for row in self.rows if (cell := row.get(column, "").strip())]


def read_sample(file: SourceFile, aliases: Aliases) -> Sample | None:
    """Return the first rows of a file, or None if its beginning cannot be read.

    Of a text file, only the first SAMPLE_BYTES are read. Detection sees no more of the file, so a rare encoding further down
    is not noticed.
    """
    if file.refused:
        return None
    if file.workbook is not None and file.sheet is not None:
        with _ONE_WORKBOOK:
            return _sheet_sample(file.workbook, file.sheet, aliases)
    try:
        name, head = file.key, file.read(0, min(file.size, SAMPLE_BYTES))
    except UnreadableFileError:  # a damaged file in a zip archive
        return None
    whole = file.size <= len(head)
    if name.lower().endswith(".gz"):
        inflate = zlib.decompressobj(wbits=_GZIP)
        try:
            head = inflate.decompress(head, SAMPLE_BYTES)
        except zlib.error:
            return None
        name, whole = name[: -len(".gz")], whole and inflate.eof
    if not whole:  # not in the middle of a line, or of a character of UTF-16
        end = len(head) // 2 * 2 if encoding_by_mark(head).startswith("utf-16") else head.rfind(b"\n") + 1
        head = head[: end or len(head)]
    blocks = blocks_of(head)
    try:
        file_format = detect(name, blocks, aliases)
    except UnreadableFileError as error:
        found = _without_text(name, blocks, error.header) if error.reason is Reason.NO_TEXT_COLUMN else None
        if found is None:
            return None
        file_format = found
    try:
        rows = [row.values for row in islice(read_rows(name, blocks, file_format), SAMPLE_ROWS) if not row.reason]
    except UnreadableFileError:
        return None
    return Sample(file_format, rows if whole or len(rows) == SAMPLE_ROWS else rows[:-1])


def _sheet_sample(book: SourceFile, sheet: int, aliases: Aliases) -> Sample | None:
    try:
        return _sample_of(open_sheet(book, sheet, aliases))
    except UnreadableFileError as error:
        if error.reason is not Reason.NO_TEXT_COLUMN:
            return None
        for column in error.header[:_TRIED_COLUMNS]:
            with contextlib.suppress(UnreadableFileError):  # the cell is empty, so `name_columns` made the name
                found = _sample_of(open_sheet(book, sheet, {"text": Chosen((column,))}))
                return replace(found, format=replace(found.format, columns={}))
        return None


def _sample_of(table: SheetTable) -> Sample:
    return Sample(table.format, [row.values for row in islice(table.rows, SAMPLE_ROWS) if not row.reason])


def _without_text(name: str, blocks: Blocks, header: Sequence[str]) -> FileFormat | None:
    """Return the format of a file without a text column, detected as if one of its columns were the text."""
    for column in header[:_TRIED_COLUMNS]:
        try:
            return replace(detect(name, blocks, {"text": Chosen((column,))}), columns={})
        except UnreadableFileError:
            continue  # the cell is empty, so `name_columns` made the name
    return None
