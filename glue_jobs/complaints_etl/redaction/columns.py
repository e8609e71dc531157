"""Redact a cell of a table, with the name of its column as the keyword."""

from __future__ import annotations

import re
from functools import lru_cache

from complaints_etl.lexicon import LEXICON, any_of
from complaints_etl.redaction.engine import redact
from complaints_etl.text.blank import is_blank
from complaints_etl.text.normalize import fold

_SECTIONS = ("identity", "tax_id", "phones", "accounts", "social_security", "passport", "passwords", "pins", "card_codes")
# A column of sums or days, although its name has a keyword ("Saldo de la cuenta") is not personal.
_PERSONAL_COLUMN = re.compile(
    rf"(?!.*\b(?:{LEXICON.pattern('impersonal', 'column')})\b).*?\b"
    rf"(?P<word>{any_of(term for section in _SECTIONS for term in LEXICON.terms(section, 'column'))})s?\b"
)


_IMPERSONAL = {section: re.compile(rf"\b(?:{LEXICON.pattern(section, 'not_near')})\b") for section in ("names", "streets")}
# Columns of which each cell is personal as a whole, by the words in their names.
_WHOLE = (
    ("BIRTH_DATE", re.compile(rf"\b(?:{LEXICON.pattern('birth', 'column')})\b"), None),
    ("ADDRESS", re.compile(rf"\b(?:{LEXICON.pattern('streets', 'column')})\b"), _IMPERSONAL["streets"]),
    ("NAME", re.compile(rf"\b(?:{LEXICON.pattern('names', 'column')})\b"), _IMPERSONAL["names"]),
    (
        "NAME",
        re.compile(rf"(?:(?:{LEXICON.pattern('roles', 'between')}) )*(?:{LEXICON.pattern('roles', 'column')})(?: (?:{LEXICON.pattern('roles', 'between')}))*$"),
        None,
    ),
)  # fmt: skip
_PLACEHOLDERS = re.compile(r"(?:<[A-Z_]+>|[\W\d_])*")
_SENTENCE = re.compile(r"(?:\S+\s+){8}")  # so many words are read as a text


def redact_value(column: str, value: str) -> str:
    """Replace personal data in a cell.

    Example:
        `redact_value("num_documento", "1.073.098.264")` returns `<ID_NUMBER>`; the same cell in `Complaint ID` stays.
        `redact_value("nombre_cliente", "ana gil")` returns `<NAME>`; `redact_value("nombre del producto", "Visa Oro")` stays.
    """
    kind, keyword = _kind_of(column), _keyword_of(column)
    value = redact(value, alone=False, prose=_SENTENCE.match(value) is not None)[0]
    if kind and not is_blank(value):
        is_replaced = "<" in value and _PLACEHOLDERS.fullmatch(value) is not None
        if not is_replaced and (kind != "NAME" or any(map(str.isalpha, value))):
            return f"<{kind}>"
    return redact(f"{keyword}: {value}", alone=False, prose=False)[0].removeprefix(f"{keyword}: ") if keyword else value


def _words_of(column: str) -> str:
    """Return the words in a column's name, folded: `numDocumento` and `num_documento` give `num documento`."""
    return fold(" ".join(re.sub(r"[_\-.:/]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column)).split()))


@lru_cache(maxsize=10_000)
def _kind_of(column: str) -> str:
    """Return the kind of personal data that each cell of a column is, "" if its name does not say so."""
    words = _words_of(column)
    for kind, names, impersonal in _WHOLE:
        if (names.match(words) if impersonal is None and kind == "NAME" else names.search(words)) and not (
            impersonal and impersonal.search(words)
        ):
            return kind
    return ""


@lru_cache(maxsize=10_000)
def _keyword_of(column: str) -> str:
    """Return the keyword in a column's name, "" if there is none: `numDocumento` and `num_documento` give `documento`."""
    match = _PERSONAL_COLUMN.match(_words_of(column))
    return match["word"] if match else ""
