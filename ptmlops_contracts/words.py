"""Write counts in sentences for people."""

from __future__ import annotations


def quantity(count: int, singular: str, plural: str = "") -> str:
    """Return a count with its noun: `1 duplicate`, `1,200 duplicates`. The plural is the noun with an s unless it is passed."""
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"
