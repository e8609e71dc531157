"""Find the end of a broken CSV record, so that one open quote costs one record and not the rest of the file.

Example, with the header `id,text,label`:

    1,"the app fails,a      The quote is not closed. The parser reads on to the next quote
    2,the card,b            and takes these lines for one cell. Behind the quote
    3,"fees",c              it expects a separator, finds `f`, and raises an error.

The parser has taken three lines by then. `Recovery.after_error` counts the lines that the broken record needs for the header's
three fields: one. That line is rejected as `unclosed_quote`, the other two are put back, and the parser starts again at `2,`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from complaints_etl.readers.csv_parser import CsvParser
from complaints_etl.readers.table import MAX_CELL_CHARACTERS
from ptmlops_contracts.report import Reason

_MAX_BROKEN_LINES = 1000
_MAX_REST_LINES = 50
LONG_RECORD = 4  # lines; in a longer record, each line is checked: it may be a record that an open quote swallowed
# A first cell that numbers rows: one word with a digit, such as `17,` or `"Q-2026/1";`. An empty one counts, too.
_NUMBERED = re.compile(r'"?(?:(?=[\w./#\-]*?\d)[\w./#\-]++)?"?[,;\t|]')


class RecordLines:
    """The lines of a file. The lines of the current record stay available, and the last ones can be put back.

    Attributes:
        current: the lines of the current record that have been taken so far.
        above: how many lines of the file are above the current record.
    """

    def __init__(self, lines: Iterator[str], above: int) -> None:
        self.current: list[str] = []
        self.above = above
        self._lines = lines
        self._put_back: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        current = self.current
        while self.take():
            # Joined files have byte-order marks at the beginning of records. Inside a record one is part of a cell.
            if len(current) == 1 and current[0].startswith("\ufeff"):
                current[0] = current[0][1:]
            yield current[-1]

    def take(self) -> bool:
        """Add the next line to the current record. Return False at the end of the file."""
        line = self._put_back.popleft() if self._put_back else next(self._lines, None)
        if line is None:
            return False
        self.current.append(line)
        return True

    def start_record(self) -> None:
        """Begin a new record below the current one."""
        self.above += len(self.current)
        self.current.clear()

    def put_back(self, count: int) -> None:
        """Leave `count` lines in the current record, and take the others again later."""
        self._put_back.extendleft(reversed(self.current[count:]))
        del self.current[count:]

    @property
    def record(self) -> str:
        """The current record's text without its line end."""
        return (self.current[0] if len(self.current) == 1 else "".join(self.current)).rstrip("\r\n")


class Rejection(NamedTuple):
    """The first `lines` lines of the current record are a broken record."""

    lines: int
    reason: Reason
    detail: str


class Recovery:
    """The decision which of the lines that the parser has taken are the broken record."""

    def __init__(self, lines: RecordLines, parser: CsvParser, width: int) -> None:
        """Set what the decisions need. `width` is the number of columns of the header."""
        self._lines = lines
        self._parser = parser
        self._width = width

    def after_error(self, error: str) -> list[str] | Rejection:
        """Return the record's cells if they are unambiguous in spite of the error, else the rejection.

        Args:
            error: the message of `csv.Error`. Its last line is the one that showed the error.
        """
        lines = self._lines.current
        too_long = "field limit" in error
        ended = "unexpected end" in error or too_long
        if len(lines) > 1 or ended:
            if len(lines) == 1 and too_long:
                return Rejection(1, Reason.TOO_LONG, f"a cell has over {MAX_CELL_CHARACTERS:,} characters")
            # The last line holds the quote behind which the error is. Either this record ends in it, or another one begins.
            last = lines[-1]
            continues = not ended and not last.count('"') % 2 and not (self._width == 2 and last.startswith('"'))
            return self.unclosed_quote(len(lines) - (0 if ended or continues else 1))
        record = lines[0].rstrip("\r\n")
        cells = self._parser.lenient_cells(record)
        if len(cells) == self._width:
            return cells
        if record.count('"') % 2:
            return self.unclosed_quote(_MAX_BROKEN_LINES)
        detail = "a quote inside a quoted field is not doubled"
        if "\r" in record:
            detail = "a carriage return is in the middle of the line: save the file with one kind of line end"
        return Rejection(self._count_lines(_MAX_BROKEN_LINES), Reason.MALFORMED_ROW, detail)

    def unclosed_quote(self, most: int) -> Rejection:
        """Reject the record for a quote that is not closed; it has at most `most` lines, and at least one."""
        return Rejection(self._count_lines(most), Reason.UNCLOSED_QUOTE, "a quote is opened in this record and not closed")

    def has_swallowed_records(self, cells: int) -> bool:
        """Return True if a parsed record with so many cells holds other records, so that a quote in it was left open."""
        lines = self._lines.current
        if cells == self._width:
            return len(lines) > LONG_RECORD and holds_records(lines, self._width, self._parser.separator)
        # A record of the wrong width has swallowed others if its first line is complete and a later line is a record.
        first, *others = lines
        complete = first.count(self._parser.separator) + 1 >= self._width > 1
        return complete and any(map(self._is_record, others))

    def _count_lines(self, most: int) -> int:
        """Return the number of lines that the broken record needs for the header's number of fields."""
        lines, fields = self._lines.current, 1
        for count in range(1, max(most, 1) + 1):
            if count > len(lines) and not self._lines.take():
                return count - 1
            line = lines[count - 1]
            if count > 1 and self._width > 2 and self._is_record(line):
                return count - 1  # with two columns, one comma in a text would make a record of its line
            fields += line.count(self._parser.separator)
            if fields >= self._width:
                return self._count_rest(count)
        return max(most, 1)

    def _count_rest(self, count: int) -> int:
        """Return `count` plus the number of lines below that also belong to the record.

        That is known only if records begin with a number: then a line without one continues the record above it.
        """
        lines = self._lines.current
        if not _NUMBERED.match(lines[0]):
            return count
        most = count + _MAX_REST_LINES
        while count < most:
            if count == len(lines) and not self._lines.take():
                return count
            if self._is_record(lines[count]) or _NUMBERED.match(lines[count]):
                return count
            count += 1
        return count

    def _is_record(self, line: str) -> bool:
        """Return True if a line below a record's first one is a record by itself, and begins like the first."""
        line = line.removeprefix("\ufeff")
        if len(self._parser.complete_record(line) or ()) != self._width:
            return False
        return not _NUMBERED.match(self._lines.current[0]) or bool(_NUMBERED.match(line))


def holds_records(lines: Sequence[str], width: int, separator: str) -> bool:
    """Return True if most lines inside a record look like records: right width, and a number written as in the first line.

    Example: `1,"open,x`, `2,a,y`, `3,b,y`, `4,c,y`, `5,tv of 32",z`. The lines 2 to 4 are records that the open quote swallowed.
    """
    begins = _number_format(lines[0], separator)
    if not begins or width == 1:
        return False
    inner = lines[1:-1]
    alike = sum(line.count(separator) == width - 1 and _number_format(line, separator) == begins for line in inner)
    return alike >= LONG_RECORD - 1 and alike >= 0.8 * len(inner)


def _number_format(line: str, separator: str) -> str:
    """Return the first cell with every number as 0, for example "Q-0/0" for "Q-2026/17"; "" if it is not a number."""
    return re.sub(r"\d+", "0", line.partition(separator)[0]) if _NUMBERED.match(line) else ""
