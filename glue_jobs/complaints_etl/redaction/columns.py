"""Redact a cell of a table, with the name of its column as the keyword."""

from __future__ import annotations

import re
from functools import lru_cache

from complaints_etl.lexicon import LEXICON, any_of
from complaints_etl.redaction.engine import redact
from complaints_etl.text.normalize import fold

_SECTIONS = ("identity", "tax_id", "phones", "accounts", "social_security", "passport", "passwords", "pins", "card_codes")
# A column of sums or days, although its name has a keyword ("Saldo de la cuenta") is not personal.
_PERSONAL_COLUMN = re.compile(
    rf"(?!.*\b(?:{LEXICON.pattern('impersonal', 'column')})\b).*?\b"
    rf"(?P<word>{any_of(term for section in _SECTIONS for term in LEXICON.terms(section, 'column'))})s?\b"
)


def redact_value(column: str, value: str) -> str:
    """Replace personal data in a cell.

    Example:
        `redact_value("num_documento", "1.073.098.264")` returns `<ID_NUMBER>`; the same cell in `Complaint ID` stays.
    """
    value = redact(value, alone=False)[0]
    keyword = _keyword_of(column)
    return redact(f"{keyword}: {value}", alone=False)[0].removeprefix(f"{keyword}: ") if keyword else value


@lru_cache(maxsize=10_000)
def _keyword_of(column: str) -> str:
    """Return the keyword in a column's name, "" if there is none: `numDocumento` and `num_documento` give `documento`."""
    words = re.sub(r"[_\-.]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column))
    match = _PERSONAL_COLUMN.match(fold(words))
    return match["word"] if match else ""
