"""Decide if a cell is blank: empty, marks alone, a word for "nothing" in any language of the lexicon, or a spreadsheet's error."""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON
from complaints_etl.text.normalize import fold

_BLANK = LEXICON.sections["blank"]
BLANKS = (*_BLANK["placeholders"], *_BLANK["spreadsheet_errors"], "-", "--", "---", "===", "___", "***", "...", "???", "—")
_BETWEEN = re.compile(r"[^\w]+|_+")
_MARKS = frozenset(" \t\n\r\xa0-–—−_=*.,;:?!¿¡/\\\\|+~·•()[]{}<>\"'«»“”‘’#…")


def _key(cell: str) -> str:
    """Return the words of a cell, folded: `"(No aplica.)"` and `NO-APLICA` give `no aplica`."""
    return _BETWEEN.sub(" ", fold(cell)).strip()


_PLACEHOLDERS = frozenset(map(_key, _BLANK["placeholders"]))
_ERRORS = frozenset(map(fold, _BLANK["spreadsheet_errors"]))
_LONGEST = 2 * max(map(len, _PLACEHOLDERS))


def is_blank(cell: str) -> bool:
    """Return True for an empty cell, one of marks alone, or a placeholder such as `N/A`, `Sin comentarios.` or `#¡REF!`."""
    if len(cell) > _LONGEST:
        return _MARKS.issuperset(cell)
    return _MARKS.issuperset(cell) or _key(cell) in _PLACEHOLDERS or fold(cell.strip(" \"'()")) in _ERRORS
