"""Split a clean, redacted text into words, for the column `tokens` of the records."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# For speed, each pattern starts with a character and only then looks back: a leading lookbehind is tried at every position.
_WORD_BEFORE = r"[\w\u0300-\u036f]"
_AMOUNT = re.compile(
    rf"[$€CUE](?:(?<=[$€])\s?|(?<!{_WORD_BEFORE}[CUE])(?:(?:(?<=C)OP|(?<=U)SD|(?<=E)UR)\s{{0,2}}(?:[$€]\s?)?|(?<=U)S[$€]\s?))\d[\d.,]*"
)
_CURRENCIES = ("$", "€", "COP", "USD", "EUR")
_MASK = re.compile(rf"[Xx](?<!{_WORD_BEFORE}[Xx])[Xx]+\b(?:/[Xx]{{2,}})*")
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d(?<![^\W_]\d)[\d.,/\-]*(?![^\W_])")
_WORD = re.compile(r"<[a-z_]+>|[^\W_]+")
_BEYOND_LATIN = re.compile("[\u0250-\U0010ffff]")
_MARKS_END = 0x1F000  # the combining marks that texts use have lower code points; emoji begin here


def tokens(text: str) -> list[str]:
    """Return the words in lower case. An amount, a number or a mask becomes one token for its class.

    Example:
        `tokens("Cobraron $1.200 a XXXX, tel <PHONE>")` returns `["cobraron", "<amount>", "a", "<mask>", "tel", "<phone>"]`.
    """
    has_digits = _DIGIT.search(text)
    if has_digits and any(sign in text for sign in _CURRENCIES):
        text = _AMOUNT.sub(" <amount> ", text)
    if "xx" in text.lower():
        text = _MASK.sub(" <mask> ", text)
    if has_digits:
        text = _NUMBER.sub(" <number> ", text)
    lower = text.lower()
    return (_word_with_marks() if _BEYOND_LATIN.search(lower) else _WORD).findall(lower)


@cache
def _word_with_marks() -> re.Pattern[str]:
    """Return `_WORD` extended by the combining marks of all scripts, which Python's `\\w` does not match."""
    marks = "".join(mark for mark in map(chr, range(0x300, _MARKS_END)) if unicodedata.category(mark)[0] == "M")
    return re.compile(rf"<[a-z_]+>|(?:[^\W_]|[{marks}])+")
