"""Find amounts of money in a text: `$1.200.000`, `COP 50 mil`, `1,5 millones de pesos`, `30 dollars`.

A number without a sign or a name of a currency is not an amount.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation

from complaints_etl.lexicon import CURRENCY_CODES, LEXICON, any_of
from complaints_etl.redaction.scanner import Run, ScannedText
from complaints_etl.text.normalize import fold

_LARGEST = Decimal(10) ** 18
_CODES = any_of(CURRENCY_CODES)
_NAMES = {code: re.compile(f"(?i)(?:{names})") for code, names in LEXICON.currencies.items()}
# By what the sign begins with.
_SIGNS = (
    ("MXN", "MXN"), ("COP", "COP"), ("COL", "COP"), ("US", "USD"), ("S/", "PEN"), ("PEN", "PEN"), ("CLP", "CLP"), ("EUR", "EUR"), ("€", "EUR"),
    ("GBP", "GBP"), ("£", "GBP"),
)  # fmt: skip

# More groups than in the largest amount: without a limit, each group of a number without an end would be read to the end.
_NUMBER = r"\d{1,3}(?:[.,'’]\d{3}){1,8}(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_SCALE = r"(?P<scale>\s?(?:mil millones|millones|mill[oó]n|mil|million|thousand|k)\b(?: y medi[oa]\b)?|m\b)?"
_BEFORE = rf"(?:(?P<before>\b(?:{_CODES}|US)\s?\$?|US\$|COL\$|S/\.?|[$€£])\s?)"
_AFTER = rf"(?:\s?(?P<after>(?:de )?(?:{any_of(LEXICON.currencies.values())})\b|(?:{_CODES})\b|[€£]))"
# A sign, a number and perhaps a scale ("US$ 1,5 millones"), or a number, perhaps a scale, and a name ("50 mil pesos").
AMOUNT = re.compile(
    rf"(?i)(?:{_BEFORE}(?P<number>{_NUMBER}){_SCALE}{_AFTER}?|(?<![\w.,/\-$])(?P<plain>{_NUMBER}){_SCALE.replace('scale', 'scale2')}"
    rf"{_AFTER.replace('after', 'after2')})(?![\d])"
)
_SCALES = {
    "mil": 1000, "thousand": 1000, "k": 1000, "m": 10**6, "millon": 10**6, "millones": 10**6, "million": 10**6, "mil millones": 10**9,
}  # fmt: skip
# Amounts are tried only at digits and at the few characters before them that can begin an amount.
_LONGEST_SIGN = 6
_SIGN_START = re.compile("[$€£CcUuEeMmGgSsPp]")
_MEXICAN = re.compile(r"(?i)(?:pesos )?mexicanos|MXN")


def find_amounts(scanned: ScannedText, language: str) -> list[tuple[Decimal, str]]:
    """Return (value, ISO currency) of each amount, in order."""
    text, found = scanned.text, []
    for match in amount_matches(text, scanned.runs()):
        written = match["number"] or match["plain"]
        value = _value(written)
        if value is None:
            continue
        scale, _, half = fold((match["scale"] or match["scale2"] or "").strip()).partition(" y ")
        value = (value + (Decimal("0.5") if half else 0)) * _SCALES.get(scale, 1)
        sign = (match["before"] or "").upper().replace(" ", "")
        name = fold(match["after"] or match["after2"] or "").upper().removeprefix("DE ")
        if value < _LARGEST:
            found.append((value, _currency(sign, name, written, language, after=text[match.end() : match.end() + 12])))
    return found


def amount_matches(text: str, runs: Sequence[Run]) -> Iterator[re.Match[str]]:
    """Yield the matches of `AMOUNT.finditer(text)`, but try only digits and the few signs right before them."""
    end = 0
    for first, _, _ in runs:
        position = max(first - _LONGEST_SIGN, end)
        match = None
        while position <= first and not match:
            sign = _SIGN_START.search(text, position, first)
            position = sign.start() if sign else first
            match = AMOUNT.match(text, position)
            position += 1
        if match:
            end = match.end()
            yield match


def _currency(sign: str, name: str, written: str, language: str, *, after: str) -> str:
    if _MEXICAN.match(after.strip()):
        return "MXN"
    for beginning, code in _SIGNS:
        if sign.startswith(beginning) or name.startswith(beginning):
            return code
    for code, pattern in _NAMES.items():
        if pattern.fullmatch(name):
            return code
    # For a bare $, the separators of its number are stronger evidence than the language of the text.
    if re.search(r"\.\d{3}(?!\d)", written):
        return "COP"
    if re.search(r",\d{3}(?!\d)|\.\d{2}$", written):
        return "USD"
    return "COP" if language == "es" else "USD"


def _value(written: str) -> Decimal | None:
    """Return the decimal value of `1.200.000`, `1,200.50` or `1200,50`. A mark before one or two last digits is decimal."""
    match = re.fullmatch(r"(.*?)(?:[.,](\d{1,2}))?", written)
    whole = re.sub(r"\D", "", match[1]) if match else ""
    try:
        return Decimal(f"{whole or 0}.{(match and match[2]) or 0}")
    except InvalidOperation:
        return None
