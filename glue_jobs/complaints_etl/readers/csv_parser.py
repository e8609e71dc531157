"""Parse records of a CSV file into cells: Python's csv module, with backslash escapes and lenient parsing of stray quotes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from complaints_etl.readers.table import MAX_CELL_CHARACTERS, MAX_COLUMNS

_NO_SEPARATOR = "\x1f"  # for a file with one column: a control character (unit separator), so that commas do not split a cell
# A backslash escapes only a quote or a backslash. Before any other character it is kept, as in a Windows path. The csv
# module's `escapechar` would remove it there, too. So escaped characters are hidden as noncharacters, which no text may hold
# (Unicode, D14).
_ESCAPE = re.compile(r'\\(["\\])')
_HIDDEN = {'"': "\ufdd0", "\\": "\ufdd1"}
_SHOWN = str.maketrans({hidden: character for character, hidden in _HIDDEN.items()})


def lines_of(texts: Iterable[str], newline: str) -> Iterator[str]:
    """Yield lines with their ends. `newline` is "\\n", or "" if a lone carriage return ends a line, too."""
    return chain.from_iterable(io.StringIO(text, newline=newline) for text in texts)


class CsvParser:
    """A parser of records with one separator. Line ends inside cells stay as they are."""

    def __init__(self, separator: str, *, escaped: bool) -> None:
        """Set the separator ("" for a file with one column), and `escaped` as in `FileFormat`."""
        self.separator = separator or _NO_SEPARATOR
        self._escaped = escaped
        between = re.escape(self.separator)
        # A quoted cell may hold quotes that do not end it; an unquoted one holds them as they are. For example, with commas,
        # `"said "no" twice",a` has the cells `said "no" twice` and `a`. The pattern is unambiguous, so it cannot backtrack.
        # (It has no possessive quantifiers, because Python 3.11.2 drops groups inside them.)
        self._cell = re.compile(rf'(?:"((?:[^"]|""|"(?!"|{between}|\Z))*)"|([^{between}]*))(?:{between}|\Z)')

    def records(self, lines: Iterable[str], *, strict: bool = True) -> Iterator[list[str]]:
        """Yield the cells of each record.

        Raises:
            csv.Error: while iterating, at a malformed record or a cell over MAX_CELL_CHARACTERS.
        """
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        if not self._escaped:
            return csv.reader(lines, delimiter=self.separator, strict=strict)
        hidden = (_ESCAPE.sub(lambda match: _HIDDEN[match[1]], line) for line in lines)
        records = csv.reader(hidden, delimiter=self.separator, strict=strict)
        return ([cell.translate(_SHOWN) for cell in cells] for cells in records)

    def complete_record(self, line: str) -> list[str] | None:
        """Return the cells of a line that is a complete record, or None."""
        try:
            return next(self.records([line]))
        except (csv.Error, StopIteration):
            return None

    def lenient_cells(self, record: str) -> list[str]:
        """Return the cells of a record with stray quotes, or [] if it is ambiguous.

        Only a quote next to a separator opens or closes a cell.
        """
        cells, position = [], 0
        while True:
            match = self._cell.match(record, position)
            if match is None:
                return []
            cells.append(match[2] if match[1] is None else match[1].replace('""', '"'))
            if match.end() == len(record) and not match[0].endswith(self.separator):
                return cells if not any(cell.count('"') % 2 for cell in cells) else []
            if len(cells) > MAX_COLUMNS:
                return []
            position = match.end()
