"""Write counts in sentences for people."""

from __future__ import annotations

from ptmlops_contracts.report import Rows


def quantity(count: int, singular: str, plural: str = "") -> str:
    """Return a count with its noun: `1 duplicate`, `1,200 duplicates`. The plural is the noun with an s unless it is passed."""
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"


def accounting(rows: Rows) -> str:
    """Return what became of rows: `1,500 rows: 1,456 accepted, 38 duplicates, 6 rejected`."""
    duplicates = quantity(rows["duplicates"], "duplicate")
    return f"{quantity(rows['read'], 'row')}: {rows['accepted']:,} accepted, {duplicates}, {rows['rejected']:,} rejected"
