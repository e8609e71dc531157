"""Cells as a spreadsheet takes them: what it would compute is made text on the way out, and is itself again on the way in."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

# A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection), also after blanks and quotes, which some drop
# when they import. The apostrophes in front are our own marks: a marked cell that comes in again and goes out has one more.
# Both engines, Python's and Java's, read this pattern; so no class in it whose members they see differently.
FORMULA = "^'*[ \u00a0\u2007\u202f\u200b\ufeff\"']*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
# -12.5 and +1,000 are numbers: text that looks like a number would not add up.
NUMBER = r"^[+-]?[0-9]+(?:[.,][0-9]+)*(?:[eE][+-]?[0-9]+)?%?$"
MARK = "'"
_FORMULA, _NUMBER = re.compile(FORMULA), re.compile(NUMBER)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it Excel reads UTF-8 as the machine's old code page


def inert(cell: str) -> str:
    """The cell as text that no spreadsheet computes."""
    return f"{MARK}{cell}" if _FORMULA.search(cell) and not _NUMBER.fullmatch(cell) else cell


def active(cell: str) -> str:
    """What `inert` was given: exactly its inverse, so a file that comes in and goes out is as it was."""
    return cell[1:] if cell.startswith(MARK) and inert(cell[1:]) == cell else cell


def header_line(names: Sequence[str], separator: str) -> str:
    """The first line of a file."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator).writerow([inert(name) for name in names])
    return out.getvalue()


def line(cells: Column, separator: Column) -> Column:
    """array<string> → one CSV record (RFC 4180) with its line end; null cells are empty."""

    def written(cell: Column) -> Column:
        text = F.coalesce(cell, F.lit(""))
        text = F.when(text.rlike(FORMULA) & ~text.rlike(NUMBER), F.concat(F.lit(MARK), text)).otherwise(text)
        quoted = F.concat(F.lit('"'), F.replace(text, F.lit('"'), F.lit('""')), F.lit('"'))
        return F.when(text.rlike('[",;\t\r\n]|^ | $'), quoted).otherwise(text)

    return F.concat(F.call_function("array_join", F.transform(cells, written), separator), F.lit("\r\n"))
