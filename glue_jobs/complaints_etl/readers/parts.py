"""Cut a large CSV into parts that several workers read at the same time.

A part is a range of bytes. It holds the records that begin in its range, so it ends where a record ends: at a newline with an even
number of quotes before it. The workers count quotes and newlines of every range first (`Evidence`). From the sums, the driver
derives for each part if it begins inside a quoted cell, and how many lines are above it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from complaints_etl.readers.detect import SAMPLE_BYTES, detect
from complaints_etl.readers.encoding import encoding_by_mark
from complaints_etl.readers.evidence import Evidence
from complaints_etl.readers.header import header_end
from complaints_etl.readers.storage import SourceFile
from complaints_etl.readers.table import Aliases, FileFormat, UnreadableFileError

_EXTENSION_BYTES = 1024**2
_CONTEXT_BYTES = 64  # read before and after a counted range; longer than any run of quotes

Range = tuple[int, int]
# Applies a function to every range, on the workers.
CountRanges = Callable[[Callable[[Range], Evidence], Sequence[Range]], list[Evidence]]


@dataclass(frozen=True)
class Part:
    """A range of a file's bytes.

    Attributes:
        file: index of the file among the run's files.
        number: index of the part in its file.
        start, end: the range.
        opened: the range begins inside a quoted cell.
        above: how many lines of the file are above the range.
        format: the file's format; None if one task reads the whole file and detects it.
        follows: the task that read the part before reads this one, too: they are sheets of one workbook.
    """

    file: int
    number: int
    start: int
    end: int
    opened: bool = False
    above: int = 0
    format: FileFormat | None = None
    follows: bool = False


def cut(index: int, file: SourceFile, aliases: Aliases, part_bytes: int, count_ranges: CountRanges) -> list[Part]:
    """Return the parts of a file.

    A file is one part if it is small, packed or not a CSV, or if counting quotes does not show where its records begin.

    Args:
        index: index of the file among the run's files.
        file: the file.
        aliases: for each column of ours, the names that it may have in a file.
        part_bytes: the size of a part.
        count_ranges: applies a function to every range, on the workers.
    """
    whole = [Part(index, 0, 0, file.size, follows=file.follows)]
    if file.part_of or file.size <= part_bytes or not file.key.lower().endswith((".csv", ".tsv")):
        return whole
    head = file.read(0, SAMPLE_BYTES)
    if b"\0" in head or encoding_by_mark(head) not in ("", "utf-8-sig"):
        return whole  # a character has two bytes or more
    ranges = [(start, min(start + part_bytes, file.size)) for start in range(0, file.size, part_bytes)]
    read, size = file.read, file.size

    def count(span: Range) -> Evidence:
        before = read(max(span[0] - _CONTEXT_BYTES, 0), span[0])
        return Evidence.of(read(*span), before, read(span[1], min(span[1] + _CONTEXT_BYTES, size)))

    counts = count_ranges(count, ranges)
    evidence = sum(counts, Evidence())
    if not evidence.can_be_cut or not all(each.newlines for each in counts):
        return whole  # only reading from the start finds out where a record begins
    try:
        file_format = detect(file.key, file.blocks, aliases, evidence=evidence)
    except UnreadableFileError:
        return whole  # one task rejects the file
    if not file_format.newline or header_end(head, file_format) >= min(len(head), part_bytes):
        return whole  # lines end in a carriage return, or the header is too long
    parts, quotes, lines = [], 0, 0
    for number, ((start, end), counted) in enumerate(zip(ranges, counts, strict=True)):
        parts.append(Part(index, number, start, end, bool(quotes % 2), lines, file_format))
        quotes, lines = quotes + counted.quotes, lines + counted.newlines
    return parts


def read_part(file: SourceFile, part: Part, file_format: FileFormat) -> tuple[bytes, int]:
    """Return the records that begin in the part's range, without the header, and how many lines are above them."""
    body = file.read(part.start, part.end)
    if part.end < file.size:  # to the end of the record that the range cuts
        opened = part.opened ^ bool(body.count(b'"') % 2)
        more, size = b"", _EXTENSION_BYTES
        while (end := _record_end(more, opened=opened)) is None and len(more) < file.size - part.end:
            more = file.read(part.end, min(part.end + size, file.size))
            size *= 2
        body += more if end is None else more[: end + 1]
    if part.number == 0:
        return body[header_end(body, file_format) :], file_format.first_row_line - 1
    begins = _record_end(body, opened=part.opened)
    if begins is None:
        return b"", 0
    return body[begins + 1 :], part.above + body.count(b"\n", 0, begins + 1)


def _record_end(body: bytes, *, opened: bool) -> int | None:
    """Return the position of the first newline outside quotes, or None. `opened` is True if `body` begins inside quotes."""
    position = 0
    while True:
        quote = body.find(b'"', position)
        if opened:
            if quote < 0:
                return None
        else:
            newline = body.find(b"\n", position, quote if quote >= 0 else len(body))
            if newline >= 0 or quote < 0:
                return newline if newline >= 0 else None
        opened, position = not opened, quote + 1
