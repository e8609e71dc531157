"""BIRTH_DATE: days of birth, in any notation, right behind or before a word for birth.

Positive: `nací en Cali el 3 de marzo de 1984`, `DOB 4/12/1971`, `03/03/84 es mi fecha de nacimiento`. Negative: `nací en 1985`,
`mi fecha de nacimiento está mal. El 3 de marzo llamé`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON, any_of
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import Prefixes, ScannedText, find_all

BIRTH_PREFIXES = Prefixes(*LEXICON.prefixes("birth"))
_WORD = rf"(?:{LEXICON.pattern('birth')})"
_MONTH = rf"(?:{any_of(sorted(LEXICON.months, key=len, reverse=True))})\b\.?"
_YEAR = r"(?:(?:18|19|20)\d\d|['’]?\d\d)(?![\d:]|[.,]\d)"
_SPELLED_YEAR = r"(?:mil novecientos|dos mil|nineteen|two thousand)(?: (?:y |and )?[^\W\d_]{2,12}){0,3}"
_SPELLED_DAY = rf"(?:{LEXICON.pattern('birth', 'spelled')})(?:[ \-](?:y )?(?:{LEXICON.pattern('birth', 'spelled')})){{0,2}}"
_DAY = rf"(?:\d{{1,2}}(?:st|nd|rd|th|º|°|ro|er)?|{_SPELLED_DAY})"
_OF = r"[ ,./\-]{0,3}(?:(?:de|del|of|the|año|year)\b[ ,]?){0,3}"
DATE = (
    rf"(?:{_DAY}(?: d[ií]as)?{_OF}{_MONTH}(?:{_OF}(?:{_YEAR}|{_SPELLED_YEAR}))?"
    rf"|{_MONTH} {{0,2}}(?:the |el )?{_DAY}(?:{_OF}(?:{_YEAR}|{_SPELLED_YEAR}))?"
    r"|\d{4} ?[/.\-] ?\d{1,2} ?[/.\-] ?\d{1,2}|\d{1,3} ?[/.\-] ?(?:\d{1,3}|[ivx]{1,4}|[a-z]{3,4}) ?[/.\-] ?\d{2,4}|\d{1,2} \d{1,2} (?:19|20)?\d\d|(?:19|20)\d{6}|\d{4}(?:19|20)\d\d|\d{6})"
)
_LAST_YEAR_OF_A_CUSTOMER = 2012  # a later date is one of a complaint, unless the word is right before it
_SHORT_LINK = re.compile(r"(?i)[\s:.=\-–()*|,\"']{0,4}(?:(?:es|el|fue|un|d[ií]a|is|was|on|in|the|:)[\s:]{1,2}){0,3}")
_FULL_YEAR = re.compile(r"(?:19|20)\d\d")


def _is_birth(match: re.Match[str]) -> bool:
    """Return True unless the date is a recent one some words behind its keyword."""
    years = list(map(int, _FULL_YEAR.findall(match["date"])))
    return not years or max(years) <= _LAST_YEAR_OF_A_CUSTOMER or _SHORT_LINK.fullmatch(match["link"]) is not None


def _dates_before(text: ScannedText) -> list[int]:
    """Return where a date can begin before a word for birth."""
    ends = find_all(text.folded, BIRTH_PREFIXES)
    return [start for start, _, _ in text.runs() if any(0 < end - start < 60 for end in ends)] if ends else []


RULES = (
    Rule(
        name="birth date after keyword",
        type="BIRTH_DATE",
        example="nací en Cali el 3 de marzo de 1984",
        prefixes=BIRTH_PREFIXES,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b{_WORD}\b\.?(?P<link>(?:[^\d<>.!?;]|\.(?=\w)){{0,45}}?)(?<![^\W_]))(?P<date>{DATE})(?![\w%]|[.,/]\d)"
        ),
        accepts=_is_birth,
    ),
    Rule(
        name="birth date before keyword",
        type="BIRTH_DATE",
        example="03/03/1984 es mi fecha de nacimiento",
        prefixes=BIRTH_PREFIXES,
        positions=_dates_before,
        pattern=re.compile(
            rf"(?i){DATE}(?=[\s,;:()\-–]{{0,3}}(?:(?:es|is|was|fue|era|como|as|mi|my|su|his|her|la|el|the|que|when i was|that'?s|fecha en que|día que)[\s:]{{1,2}}){{0,4}}{_WORD}\b(?!\s?[:=]))"
        ),
    ),
)


def without_birth_dates(text: ScannedText) -> ScannedText:
    """Return a text with placeholders for dates of birth, so that they are not among the dates that a complaint states."""
    if not text.may_contain(BIRTH_PREFIXES):
        return text
    for rule in RULES:
        for match in reversed(rule.find(text)):
            start = rule.value_start(match)
            text = ScannedText(f"{text.text[:start]}<{rule.type}>{text.text[match.end() :]}")
    return text
