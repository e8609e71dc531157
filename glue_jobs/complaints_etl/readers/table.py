"""The values that readers pass on: a file's format, its rows, and the reason why a row or a whole file is rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ptmlops_contracts.files import SEPARATORS
from ptmlops_contracts.report import Reason

MAX_CELL_CHARACTERS = 2 * 1024**2
MAX_COLUMNS = 1000

# Returns the blocks of a file, from its beginning each time that it is called.
Blocks = Callable[[], Iterator[bytes]]
# For each column of ours the names that a file may give it, in order of preference.
Aliases = Mapping[str, Sequence[str]]


class Chosen(tuple[str, ...]):
    """The names that a column of ours may have in a file, if a person or the run chose them: the name of ours does not count.

    Empty: the file has no such column.
    """

    __slots__ = ()


class UnreadableFileError(Exception):
    """A whole file is rejected.

    Attributes:
        reason: the reason code.
        record: the file's first line, if the rejected row shall show it.
        header: the cells of the first line, if none of them is the name of the text column.
    """

    def __init__(self, reason: Reason, message: str, record: str = "", header: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.record = record
        self.header = tuple(header)


class Row(NamedTuple):
    """One data row of a file.

    Attributes:
        number: counts the rows of the file, or of the part, from 1.
        line: the line on which the row starts, from 1.
        values: cells by column name; empty for a rejected row.
        reason: why the row is rejected, or None.
        detail: the reason in a sentence. It quotes nothing from the file.
        record: the row's original text.
    """

    number: int
    line: int
    values: Mapping[str, str]
    reason: str | None = None
    detail: str | None = None
    record: str = ""


@dataclass(frozen=True, kw_only=True)
class FileFormat:
    """How a file is written and what its columns are: detected once, and valid for all of its parts.

    Attributes:
        kind: "csv", "jsonl", "json" (a list of objects), "xlsx" (a sheet) or "text" (the whole file is one complaint).
        encoding: as Python names it.
        broken: some bytes are not valid in the encoding; the rows that hold them are rejected.
        month_first: 03/04/2026 is the fourth of March.
        header: the columns' names, each once.
        header_cells: the same names as the file writes them.
        columns: for each column of ours that the file has, its name in `header`.
        separator: of a CSV; "" if the file has one column only.
        escaped: a quote inside a quoted cell is escaped by a backslash, not doubled.
        title_lines: how many lines of a report's title are above the header.
        survey_rows: how many more rows of headers a survey tool wrote below the header.
        first_row_line: the line after the headers, from 1.
        newline: what ends a line, as `io.StringIO` takes it: "\\n", or "" if lines end in "\\r" alone.
    """

    kind: str
    encoding: str
    broken: bool = False
    month_first: bool = False
    header: tuple[str, ...] = ("text",)
    header_cells: tuple[str, ...] = ("text",)
    columns: Mapping[str, str] = field(default_factory=lambda: {"text": "text"})
    separator: str = ""
    escaped: bool = False
    title_lines: int = 0
    survey_rows: int = 0
    first_row_line: int = 1
    newline: str = "\n"

    @property
    def codec(self) -> str:
        """The encoding of a part, which has no byte-order mark."""
        return "utf-8" if self.encoding == "utf-8-sig" else self.encoding

    @property
    def quoting(self) -> str:
        """How a CSV writes a quote inside a quoted cell: "doubled" or "backslash"; "" for other files."""
        return ("backslash" if self.escaped else "doubled") if self.kind == "csv" else ""

    @property
    def description(self) -> str:
        """The format in words. For people only: a program reads the attributes."""
        if self.kind != "csv":
            kinds = {"jsonl": "one object per line", "json": "a list of objects", "xlsx": "a sheet of a workbook"}
            return kinds.get(self.kind, "one complaint")
        separator = SEPARATORS.get(self.separator, f"'{self.separator}'" if self.separator else "one column")
        quotes = f"quotes {'escaped by backslash' if self.escaped else 'doubled'}"
        titles = [f"{self.title_lines} title line(s) above the header"] if self.title_lines else []
        surveys = [f"{self.survey_rows} row(s) of a survey tool below the header"] if self.survey_rows else []
        return ", ".join((separator, quotes, *titles, *surveys))


@dataclass(frozen=True)
class Table:
    """A file's format and its rows, which can be iterated once."""

    format: FileFormat
    rows: Iterator[Row]

    @property
    def header(self) -> tuple[str, ...]:
        """The columns' names."""
        return self.format.header

    @property
    def columns(self) -> Mapping[str, str]:
        """For each column of ours that the file has, its name in the file."""
        return self.format.columns
