"""Decide if a cell is blank."""

from __future__ import annotations

# Placeholders for a missing value. Cleaning shortens `-----` to `---`, so the forms of three characters are enough.
BLANKS = ("none", "null", "nan", "na", "n/a", "#n/a", "n/d", "s/d", "-", "--", "---", "===", "___", "***", "...", "???")


def is_blank(cell: str) -> bool:
    """Return True for an empty cell or a placeholder such as `N/A`."""
    return not cell or cell.casefold() in BLANKS
