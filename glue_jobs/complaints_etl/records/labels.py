"""Labels of records: one spelling to learn from, and the original for exports."""

from __future__ import annotations

from functools import lru_cache

from complaints_etl.redaction import redact
from complaints_etl.text.cells import clean_cell, is_blank


@lru_cache(maxsize=10_000)
def label(cell: str | None) -> str | None:
    """Return the label that a cell names, cleaned and redacted, because reports and models contain it; None for a blank cell."""
    plain = clean_cell(cell or "")
    return None if is_blank(plain) else redact(plain)[0]


@lru_cache(maxsize=10_000)
def label_as_written(cell: str | None) -> str | None:
    """Return the cell itself, for exports, redacted if it contains personal data."""
    redacted, counts = redact(clean_cell(cell or ""))
    return redacted if counts else cell
