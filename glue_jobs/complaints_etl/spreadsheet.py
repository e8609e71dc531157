"""Protects CSV files for spreadsheets: a cell that a spreadsheet would run as a formula gets an apostrophe in front.

`inert` adds it and `active` removes it, so a file that is exported, edited and uploaded again keeps its cells. The command line uses
this module without Spark.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

# The start of a cell that a spreadsheet runs as a formula (OWASP, CSV injection), such as `=1+1`, ` +1` or `"@a`: some spreadsheets
# drop leading spaces and quotes. A leading apostrophe may be the mark of an earlier export: such a cell gets one more.
# Python and Java both use this pattern, so it has no class such as \s, which they define differently.
FORMULA = "^[ \u00a0\u2007\u202f\u200b\ufeff\"']*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
# Numbers such as -12.5 and +1,000 get no mark, because a spreadsheet does not add up text.
NUMBER = r"^[+-]?[0-9]+(?:[.,][0-9]+)*(?:[eE][+-]?[0-9]+)?%?$"
MARK = "'"
_FORMULA, _NUMBER = re.compile(FORMULA), re.compile(NUMBER)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it, Excel reads UTF-8 as the machine's legacy code page


def inert(cell: str) -> str:
    """Return the cell with a mark if a spreadsheet would run it as a formula. Example: `=1+1` → `'=1+1`; `-12.5` stays."""
    return f"{MARK}{cell}" if _FORMULA.search(cell) and not _NUMBER.fullmatch(cell) else cell


def active(cell: str) -> str:
    """Return the cell without its mark: the exact inverse of `inert`. Example: `'=1+1` → `=1+1`; `'a` stays."""
    return cell[1:] if cell.startswith(MARK) and inert(cell[1:]) == cell else cell


def export_separator(found: str | None) -> str:
    """Return the separator of a file's export: `;` if the file has it, because its user's spreadsheet expects it, else `,`."""
    return ";" if found == ";" else ","


def record(cells: Sequence[str], separator: str) -> str:
    """Return the cells, made inert, as one CSV record (RFC 4180) with its line end."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator).writerow([inert(cell) for cell in cells])
    return out.getvalue()
