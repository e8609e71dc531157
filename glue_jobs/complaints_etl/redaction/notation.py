"""Recognise numbers that are not personal by their notation: sums, quantities, dates, sections of laws, versions, houses.

Example: in `1200 pesos`, `15 days`, `2026-01-05`, `15 U.S. Code 1681s-2`, `iOS17` and `Calle 12 #34-56` nothing is personal.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import CURRENCY_CODES, LEXICON, any_of

_CODES = any_of(CURRENCY_CODES)
_FOLLOWING = any_of(term for use in ("counted", "money") for term in LEXICON.terms("quantities", use))
_FOLLOWS_QUANTITY = re.compile(rf"(?i)[/:]\d|\s*(?:[%°€£]|{_FOLLOWING}|(?:{_CODES})\b)|[.,]\d")
_BEFORE_QUANTITY = re.compile(
    rf"(?i)(?:[$€£#]\s?|[.,/\-<&]|\b(?:{_CODES}|us|s/)\s?|\b(?:{LEXICON.pattern('streets', 'before')})\s)\Z"
)
_PAID = re.compile(rf"(?i)\b(?:{LEXICON.pattern('paid')})\s\Z")
# "30days", "120pesos", "30-60-90".
_UNIT = re.compile(
    rf"(?i)\d+(?:{LEXICON.pattern('quantities', 'glued')}|{_CODES})|(?:30|60|90|120|150|180)(?:-(?:30|60|90|120|150|180))+"
)
# Words of letters and digits that are not codes: 1st, 10am, iphone15, v2.1, 1681s-2, a-12, 3-way, 12-dic-26, err_4031, 24/7, xx12.
_NOT_A_CODE = re.compile(
    r"(?i)\d+(?:[.,]\d*)?(?:st|nd|rd|th|am|pm|mil|mm?|k|gb?|mb|hrs?|hs|h|[rd]a|er|ro|min|s|x\d*|°)|(?:iphone|ipad|galaxy|android|windows|covid|ios|pixel|moto|"
    r"chrome|firefox|bre|s|a|v)[\-_]?\d+\w{0,3}|v\d+(?:\.\d+)*|\d{3,4}[a-z]{1,2}(?:-?\d{1,3})?|[a-z]{1,6}-\d{1,4}|\d+-[a-z]+|\d{1,2}-[a-z]{3,10}-\d{2,4}|\d+x\d+|mp[34]|err(?:or)?(?:[\-_]?\d+|[\-_]\w+)|(?:flip|fold|note|redmi)\d+|\d+-\d+|24/7|xx.*|.*xx.*"
)
_LAW_BEFORE = re.compile(
    r"(?i)(?:\bu\.?\s?s\.?\s?c|\b(?:states|u\.?s\.?|civ\w*\.?|penal|annotated|usc?|of) ?-?codes?\b|\bcode (?:of|annotated)\b|\bact(?: \( ?\w+ ?\)|,)|"
    r"\b(?:laws?|ley|sections?|art[ií]culos?|statu\w+|pub\. l|title|chapter|order|ucc|fcra|fdcpa|cfr|decreto|resoluci[oó]n|circular)\b|§).{0,20}\Z"
)
# Words of letters and figures that are not codes either: "art.23", "Ley1480", "T-760/08"; "mayo2026", "15may26"; "ORA-00942".
_LAW = rf"(?:{LEXICON.pattern('impersonal', 'glued')})[.\-_]{{0,2}}\d{{1,5}}(?:[.\-/]\d{{1,4}})*[a-z]?|(?:t|c|su|stc|sl)-\d{{1,5}}/\d{{2,4}}"
_MONTH_NAME = any_of(sorted(LEXICON.months, key=len, reverse=True))
_MONTH_AND_YEAR = rf"(?:\d{{1,2}}[\-/.]?)?(?:{_MONTH_NAME})[\-/.]?(?:\d{{4}}|\d{{1,2}})|\d{{1,2}}[\-/.]?(?:{_MONTH_NAME})"
_ERROR_CODE = r"(?:ora|tns|pls|sql|sqlstate|sqlcode|db2|err|error|errno|http|https|hresult|aadsts|ssl|dns|net|ec|e|cs|ts|ps|ce)[\-_]\d{2,6}|0x[\da-f]{4,8}"
_PUBLIC_TERM = re.compile(
    rf"(?i){_LAW}|{_MONTH_AND_YEAR}|{_ERROR_CODE}|(?:{LEXICON.pattern('named', 'services')})(?:\.[a-z]{{2,4}})*"
)
_ESCAPED = re.compile(r"[^\W\d_]%[\dA-Fa-f]{2}")  # letters that are left encoded: "aplicaci%C3%B3n"
# "bet365", "Office365", "7Eleven": a word in small letters with up to three figures behind it, or two before it.
_NAME = re.compile(r"[^\W\d_]{3,}\d{1,3}(?:\.[a-z]{2,4}){0,2}|\d{1,2}[^\W\d_]{3,}")
_IN_A_PLACE = re.compile(
    r"(?i)\b(?:en|del?|desde|por|para|al?|el|los|las|un|una|in|at|on|from|of|for|by|via|the|through|into)\s\Z"
)
_CHANGED = re.compile(r"(?i)\b(?:cambi|chang|pus|sett?)\w{0,5}\b[^.!?\n]{0,40}\Z")
_TYPED = re.compile(rf"(?i)\b(?:{LEXICON.pattern('passwords', 'typed')})\s\Z")
_ERROR_LINK = r"(?:es|is|dice|says|sale|n[uú]mero|number|no|nro|code|c[oó]digo|el|la|the|de|del)"
_ERROR_BEFORE = re.compile(
    rf"(?i)\b(?:{LEXICON.pattern('impersonal', 'errors')})[\s:#\"'“(\[\-]{{1,3}}(?:{_ERROR_LINK}\b[\s:#\"'“(.\-]{{1,3}}){{0,4}}\Z"
)
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DATE = re.compile(
    rf"(?:19|20)\d\d-\d{{1,2}}-\d{{1,2}}|(?:{_DAY}-{_MONTH}|{_MONTH}-{_DAY})-(?:\d{{4}}|\d{{2}})|(?:19|20)\d\d(?:-(?:19|20)?\d\d)?"
)
# "mi clave es #", but not "Calle #".
_HASHED = re.compile(rf"(?i)(?<![^\W_])(?!(?:{LEXICON.pattern('streets', 'hashed')})\b)[^\W\d_]+[,:.]?\s#\Z")
_EMPHASIS = re.compile(r"(?<![*_])([*_])\d[\d .\-]*\1(?![*_])")  # as chats print what is bold
_PIN_BEFORE = re.compile(r"(?i)\b(?:pin|nip|clave|passcode)\b(?:,|:| es| era| is| was)\s\Z")


def is_impersonal(text: str, match: re.Match[str], size: int) -> bool:
    """Return True for a number that its notation explains: part of something longer, a date, a quantity, a section of a law, a sum."""
    value, start, end = match[0], match.start(), match.end()
    return bool(
        text[end : end + 1].isalnum()
        or (text[end : end + 1] in ("-", "_", "*", "#", "@") and not _EMPHASIS.match(text, start - 1))
        or (value.endswith("000") and "-" not in value)
        or (_DATE.fullmatch(value) and not _PIN_BEFORE.search(text, max(start - 16, 0), start))
        or _UNIT.fullmatch(value)
        or _FOLLOWS_QUANTITY.match(text, end)
        or (after_quantity(text, start, 9) and not after_word_and_hash(text, start))
        or after_law(text, start)
        or (size < 9 and _PAID.search(text, max(start - 16, 0), start))
    )


def is_a_word(value: str) -> bool:
    """Return True for letters and digits that are not a code: `iPhone15`, `30days`, `3rd`."""
    return bool(_NOT_A_CODE.fullmatch(value) or _UNIT.fullmatch(value) or is_public_term(value) or _ESCAPED.search(value))


def is_public_term(value: str) -> bool:
    """Return True for a section of a law, a month, the code of an error, or a known shop or service: `Ley1480`, `bet365`."""
    return _PUBLIC_TERM.fullmatch(value) is not None


def is_a_name(value: str) -> bool:
    """Return True for a word that looks like the name of a shop or a service: `bet365`. A password can look alike."""
    return not value.isupper() and _NAME.fullmatch(value) is not None


def after_place(text: str, start: int) -> bool:
    """Return True if the word right before a position names a place: `en `, `the `. A password may be changed `a `, `to ` another."""
    before = text[max(start - 60, 0) : start]
    return _IN_A_PLACE.search(before) is not None and not _CHANGED.search(before)


def after_typing(text: str, start: int) -> bool:
    """Return True if a verb of typing is right before a position: `I used `, `probé `."""
    return _TYPED.search(text, max(start - 20, 0), start) is not None


def after_error(text: str, start: int) -> bool:
    """Return True if an error is named right before a position: `error ORA-00942`."""
    return _ERROR_BEFORE.search(text, max(start - 60, 0), start) is not None


def after_law(text: str, start: int) -> bool:
    """Return True if words right before a position name a law: `15 U.S. Code `."""
    return _LAW_BEFORE.search(text, max(start - 40, 0), start) is not None


def after_quantity(text: str, start: int, characters: int) -> bool:
    """Return True if a currency, a street or a mark such as `.` or `/` is right before a position, in at most `characters`."""
    return _BEFORE_QUANTITY.search(text, max(start - characters, 0), start) is not None


def after_word_and_hash(text: str, start: int) -> bool:
    """Return True if a position follows a word and `#`, as in `mi clave es #4718`. A word that names a street does not count."""
    return _HASHED.search(text, max(start - 24, 0), start) is not None
