"""Redact ids, carried cells and column names that contain personal data, and find rounded ids. Other values stay."""

from __future__ import annotations

import re
from collections.abc import Sequence

from complaints_etl.readers.header import unique_name
from complaints_etl.redaction import redact, redact_value
from complaints_etl.text.cleaning import clean_cell

# Figures that a spreadsheet keeps (IEEE 754 has 15 decimal digits), and how many such ids show that a column was rounded.
_KEPT_DIGITS, _LEAST_IDS = 15, 3
MAY_BE_ROUNDED = r"^[0-9]{16,}$|^[0-9]+[.,][0-9]+$|^[0-9][.,0-9]*[eE][+]?[0-9]+$"
_SCIENTIFIC = re.compile(r"\d[.,]\d+[eE]\+?\d{1,3}|\d[eE]\+\d{1,3}")
_LONG, _FRACTION = re.compile(r"\d{16,}"), re.compile(r"\d+[.,]\d+")
# An id without any of these characters is not redacted, because its digits identify the row.
MAY_BE_PERSONAL = "[@+. \u00a0]"
_MAY_BE_PERSONAL = re.compile(MAY_BE_PERSONAL)


def identity(cell: str | None) -> str | None:
    """Return an id, redacted if it contains personal data. A complaint's reference number is not personal."""
    if not cell or not _MAY_BE_PERSONAL.search(cell):
        return cell
    redacted, counts = redact(clean_cell(cell), alone=False, prose=False)
    return redacted if counts.keys() - {"REFERENCE"} else cell


class RoundedIds:
    """Find ids that a spreadsheet rounded, in the batches of a part. Different complaints may have the same rounded id.

    `1.23457E+12` is always rounded. Ids of 16 digits and more are rounded if all of the column have only zeros behind the
    fifteenth. `12345.0` was a whole number if all fractions of the column are `.0`.
    """

    def __init__(self) -> None:
        """Start with no ids seen."""
        self._long = self._with_zero = 0
        self._are_exact = self._are_fractions = False

    def find(self, cells: Sequence[str | None]) -> list[bool | None]:
        """Return for each cell whether it was rounded; None for an empty one."""
        long = [cell for cell in cells if cell and _LONG.fullmatch(cell)]
        fractions = [cell for cell in cells if cell and _FRACTION.fullmatch(cell)]
        self._long += len(long)
        self._with_zero += len(fractions)
        self._are_exact |= any(cell[_KEPT_DIGITS:].strip("0") for cell in long)
        self._are_fractions |= any(re.split("[.,]", cell)[1].strip("0") for cell in fractions)
        lost = self._long >= _LEAST_IDS and not self._are_exact
        whole = self._with_zero >= _LEAST_IDS and not self._are_fractions
        return [
            None
            if not cell
            else _SCIENTIFIC.fullmatch(cell) is not None
            or (lost and _LONG.fullmatch(cell) is not None)
            or (whole and _FRACTION.fullmatch(cell) is not None)
            for cell in cells
        ]


def carried(column: str, cell: str) -> str:
    """Return a cell of a carried column as it is written, redacted if it contains personal data."""
    plain = clean_cell(cell)
    redacted = redact_value(column, plain)
    return redacted if redacted != plain else cell


def redact_names(header: Sequence[str]) -> tuple[str, ...]:
    """Return the column names with personal data redacted, no two alike: "<EMAIL>", "<EMAIL> (2)"."""
    names: dict[str, None] = {}
    for name in header:
        names[unique_name(redact(name, prose=False)[0], names)] = None
    return tuple(names)
