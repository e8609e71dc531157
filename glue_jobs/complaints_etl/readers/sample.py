"""Read the first rows of a file, to decide by its cells what its columns are."""

from __future__ import annotations

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
from ptmlops_contracts.report import Reason

SAMPLE_ROWS = 500
_TRIED_COLUMNS = 8
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

    The sample is the first SAMPLE_BYTES. Detection sees no more of the file, so a rare encoding further down is not noticed.
    """
    name, head = file.key, file.read(0, min(file.size, SAMPLE_BYTES))
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


def _without_text(name: str, blocks: Blocks, header: Sequence[str]) -> FileFormat | None:
    """Return the format of a file without a text column: that of a file with the same bytes, and any column as its text."""
    for column in header[:_TRIED_COLUMNS]:
        try:
            return replace(detect(name, blocks, {"text": Chosen((column,))}), columns={})
        except UnreadableFileError:
            continue  # its name is made up, because the cell is empty
    return None
