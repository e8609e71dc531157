"""Read the rows of a stored file, and write the file without some of them.

tables.py    uploads, and lists for people: whatever Prepare's readers read, also in workbooks and archives
lines.py     drop lines of a text file
sheets.py    drop rows of a workbook's sheets
lists.py     drop items of a JSON document
records.py   Parquet and JSON Lines that the jobs write
pages.py     review.html and report.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ptmlops.erasure.person import Facts


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One version of an object, downloaded.

    Attributes:
        key, version_id: the object's.
        path: the file that has its bytes.
        run: the run that wrote it, or None for an upload.
        named: for each column of ours that the person who uploaded the file named, the file's column.
        processed_as: the version under which a run read it. It differs from `version_id` if rows were erased from it since.
    """

    key: str
    version_id: str
    path: Path
    run: str | None = None
    named: Mapping[str, str] = field(default_factory=dict)
    processed_as: str = ""

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.path.stat().st_size


# Values of `Found.first` that are no rows. ALL: the whole of a file that nobody can read as rows; it is asked if none of its lines is the
# person's. AGAIN: what was read of the table does not count, because the file broke off; its lines follow.
ALL, AGAIN = 0, -1


class Found(NamedTuple):
    """A row, and where it is in its file.

    Attributes:
        table: the table in the file: a sheet of a workbook, a file of an archive; or an empty string.
        first, size: its first line, from 1, and how many lines it has; or its number among the rows, and 1.
        facts: what it says about whose it is.
    """

    table: str
    first: int
    size: int
    facts: Facts


@dataclass
class Doomed:
    """The rows of a table that are to be erased.

    Attributes:
        table: as in `Found`.
        how: what is needed to find the rows again: the kind of table, its encoding, what ends a line.
        units: first and count of each row.
        left: how many rows of the table stay.
    """

    table: str
    how: dict[str, Any] = field(default_factory=dict)
    units: list[tuple[int, int]] = field(default_factory=list)
    left: int = 0

    def numbers(self) -> set[int]:
        """Return every line or row number that is to be erased."""
        return {number for first, count in self.units for number in range(first, first + count)}
