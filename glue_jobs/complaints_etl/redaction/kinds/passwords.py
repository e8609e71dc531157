"""SECRET: passwords, and keys of programs.

Positive: `mi clave es Luna2024*`, `Rangers1 was my password`. Negative: `mi clave es incorrecta`, `olvidé la clave: nadie ayuda`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON, any_of
from complaints_etl.redaction.checksums import digits_of
from complaints_etl.redaction.kinds.phrases import NOT_MONEY, PASSWORD_GAP, YEAR
from complaints_etl.redaction.notation import after_place, is_a_name, is_public_term
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import Prefixes, ScannedText

_SECTIONS = ("passwords", "pins", "card_codes", "one_time_codes")
SECRET_PREFIXES = Prefixes(*LEXICON.prefixes(*_SECTIONS, "codes"))
_ADJACENT = any_of(term for section in _SECTIONS for term in LEXICON.terms(section, "adjacent"))
_LONGEST = 70  # characters of a password before its first figure
_PASSWORD = LEXICON.pattern("passwords", "near")
_STATE = re.compile(f"(?i)(?:{LEXICON.pattern('passwords', 'states')})")
_NOT_A_PASSWORD = re.compile(
    r"(?i)(?:iphone|ipad|galaxy|android|windows|covid|ios|pixel|moto|chrome|firefox|bre|4x1000)[\-_]?\d+\w{0,3}\Z|\d+-[a-z]+\Z"
)
# "… as my password", "… es mi nueva clave".
_AS_MY = r"\s(?:as|como|es|is|was|era|fue)\s(?:mi|my|la|el|the|our|nuestra|an?|una?)\s(?:\w{1,20}\s)?"
_SECRET = any_of(
    term
    for section, use in (("passwords", "near"), ("pins", "near"), ("card_codes", "adjacent"), ("codes", "spelled"))
    for term in LEXICON.terms(section, use)
)
_SECRET_WORD = re.compile(rf"(?i)\b(?:{_SECRET})\b")
_BEFORE_MY = re.compile(rf"(?i)(?:^|(?<=[\s\"'“(]))(?P<value>[^\s\"'“(<$][^\s<]{{2,40}}){_AS_MY}\Z")


def _before_my_password(scanned: ScannedText) -> list[int]:
    """Return the positions of words right before "as my password" or "es mi clave"."""
    begins = []
    for word in scanned.matches(_SECRET_WORD, SECRET_PREFIXES):
        before = scanned.text[max(word.start() - 60, 0) : word.start()]
        if link := _BEFORE_MY.search(before):
            begins.append(word.start() - len(before) + link.start("value"))
    return begins


def _is_secret(match: re.Match[str]) -> bool:
    """Return True for a value, False for words about it: "is wrong", "es incorrecta", "olvidé la clave: nadie ayuda"."""
    value = match["value"].strip("\"'“”.,;")
    if value.startswith("<"):
        return False
    if any(character.isdigit() for character in value):
        return len(value) >= 3
    if match["sign"].strip() in (":", "="):
        ends = match["value"][-1] in ".,;" or match.string[match.end() :].lstrip(" ")[:1] in ("", "\n")
        return ends and len(value) >= 4 and not _STATE.fullmatch(value)
    return match["value"][0] in "\"'“" and len(value) >= 4


def _is_password(match: re.Match[str]) -> bool:
    value = match["value"]
    if not any(map(str.isdigit, value)) or not any(map(str.isalpha, value)) or _NOT_A_PASSWORD.match(value):
        return False
    return not is_public_term(value) and not (is_a_name(value) and after_place(match.string, match.start("value")))


def _is_my_password(match: re.Match[str]) -> bool:
    value = match["value"]
    if any(map(str.isalpha, value)):
        return _is_password(match)
    return 3 <= len(digits_of(value)) <= 8 and re.fullmatch(r"\d+-?\d+", value) is not None and not YEAR.fullmatch(value)


RULES = (
    Rule(
        name="secret after keyword",
        type="SECRET",
        example="mi clave es Luna2024*",
        prefixes=SECRET_PREFIXES,
        # A sign or a verb, or nothing before four to eight digits ("PIN 4821"); the value is in groups of digits, or one word.
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{_ADJACENT})(?P<sign>\s*[:=]\s*|\s+(?:es|is|era|was)\s+|\s+(?=\d{{4,8}}(?![\w.,/\-]*\d){NOT_MONEY})))"
            r"(?P<value>\d{2,4}(?: \d{2,4}){1,3}(?!\w)|\S{3,})"
        ),
        accepts=_is_secret,
    ),
    Rule(
        name="API key",
        type="SECRET",
        example="the key sk_live_4eC39HqLyjWDarjtT1",  # kingfisher:ignore: of the documentation of Stripe
        min_digits=1,
        contains="_",
        pattern=re.compile(r"\b[a-z]{2,6}_(?:[a-z]{2,8}_)?(?=\w*\d)(?=\w*[A-Z])[A-Za-z0-9]{10,80}\b"),
    ),
    Rule(
        name="password near keyword",
        type="SECRET",
        example="my old password? it was rangers26",
        prefixes=SECRET_PREFIXES,
        min_digits=1,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{_PASSWORD})\b{PASSWORD_GAP})(?P<value>(?=\S{{0,{_LONGEST}}}\d)[^\W\d_][\w@#*!$%&+\-]{{4,}})"
        ),
        accepts=_is_password,
    ),
    Rule(
        name="snake_case password",
        type="SECRET",
        example="my password was green_lamp_seven",
        prefixes=SECRET_PREFIXES,
        contains="_",
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{_PASSWORD})\b[^.!?\n<]{{0,60}}[\s:,])[^\W\d_]{{2,20}}(?:_[^\W_]{{1,20}}){{2,6}}(?!\w)"
        ),
    ),
    *(
        Rule(
            name=f"password in {quote} quotes",
            type="SECRET",
            example=f"mi clave es {quote}lunallena{quote.replace('“', '”')}",
            prefixes=SECRET_PREFIXES,
            contains=quote,
            pattern=re.compile(
                rf"(?i)(?P<keep>\b(?:{_PASSWORD})\b[^.!?\n\"“«]{{0,40}}\b(?:es|is|era|was|be|put|puse|puso|usaba|used)\s[\"“«])"
                r"(?P<value>\w{5,40})(?=[\"”»])"
            ),
            accepts=lambda match: not _STATE.fullmatch(match["value"]),
        )
        for quote in ('"', "“")
    ),
    Rule(
        name="secret before keyword",
        type="SECRET",
        example="usaba Rangers1 como mi clave",
        prefixes=SECRET_PREFIXES,
        min_digits=1,
        positions=_before_my_password,
        pattern=re.compile(
            rf"(?i)(?<![^\s\"'“(])(?P<value>[^\s\"'“(<$][^\s<]{{2,40}}?)(?=[\"'”).,]*{_AS_MY}\b(?:{_SECRET})\b)"
        ),
        accepts=_is_my_password,
    ),
)
