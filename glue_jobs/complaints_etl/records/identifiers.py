"""Redact ids and carried columns that contain personal data. All others stay as they are written."""

from __future__ import annotations

import re

from complaints_etl.redaction import redact, redact_value
from complaints_etl.text.cleaning import clean_cell

# An id without any of these characters is not redacted, because its digits identify the row.
MAY_BE_PERSONAL = "[@+. \u00a0]"
_MAY_BE_PERSONAL = re.compile(MAY_BE_PERSONAL)


def identity(cell: str | None) -> str | None:
    """Return an id, redacted if it contains personal data. A complaint's reference number is not personal."""
    if not cell or not _MAY_BE_PERSONAL.search(cell):
        return cell
    redacted, counts = redact(clean_cell(cell), alone=False)
    return redacted if counts.keys() - {"REFERENCE"} else cell


def carried(column: str, cell: str) -> str:
    """Return a cell of a carried column as it is written, redacted if it contains personal data."""
    plain = clean_cell(cell)
    redacted = redact_value(column, plain)
    return redacted if redacted != plain else cell
