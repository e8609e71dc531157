"""Find what the rules leave: numbers, codes and passwords at a distance from their keyword.

A rule reads a value right behind its keyword, or a few words away. People also write it in the next sentence, before the keyword, in a
chat's next line. Here each number or code that is left is looked at by itself: the nearest keyword around it says what it is, and a long
number is personal even if no keyword is near. Sums, dates, times, quantities and versions are recognised by their notation.

Positive: `Me pidieron el token. El que les pasé fue 834 112`. Negative: `me robaron 2500000 en total`, `15 U.S. Code 1681s-2`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import NamedTuple

from complaints_etl.lexicon import LEXICON, any_of
from complaints_etl.redaction.notation import (
    after_error,
    after_law,
    after_place,
    after_quantity,
    after_typing,
    after_word_and_hash,
    is_a_name,
    is_a_word,
    is_impersonal,
)
from complaints_etl.redaction.scanner import ScannedText, begins_in_word


class Span(NamedTuple):
    """A value to replace: its type and position."""

    type: str
    start: int
    end: int


# The sections of the lexicon with keywords for the type of a value. CODE has three digits, TEXT six; both become SECRET.
# IMPERSONAL marks a number that is not personal: a branch, a law, the last four digits of a card.
CODE, TEXT, IMPERSONAL = "CODE", "TEXT", ""
_SECTIONS = {
    CODE: ("card_codes",),
    "SECRET": ("passwords", "pins", "codes"),
    TEXT: ("text_messages",),
    "ID_NUMBER": ("identity", "lettered_documents", "social_security", "passport"),
    "NIT": ("tax_id",),
    "ACCOUNT": ("accounts",),
    "REFERENCE": ("references",),
    "PHONE": ("phones",),
    IMPERSONAL: ("impersonal",),
}
_ANY = frozenset(_SECTIONS)
_TYPES = {CODE: "SECRET", TEXT: "SECRET"}


def _keywords(kind: str) -> str:
    """Return the alternation of a kind's keywords; a secret that is replaced already is one, too."""
    replaced = ["(?<=<)SECRET(?=>)"] if kind == "SECRET" else []
    return any_of([*(term for section in _SECTIONS[kind] for term in LEXICON.terms(section, "context")), *replaced])


# One named group per kind (k0, k1, …). A keyword begins with a letter, or with "3 digits", "6 digits".
_GROUPS = {f"k{index}": kind for index, kind in enumerate(_SECTIONS)}
_KEYWORD = re.compile(
    r"(?i)(?<![^\W_])(?=[^\W\d_]|[36])(?<!<(?!SECRET))(?:"
    + "|".join(f"(?P<{group}>{_keywords(kind)})" for group, kind in _GROUPS.items())
    + r")(?![^\W_])"
)
# Where keywords are looked for, in characters before and behind a value.
_BEFORE, _AFTER = 140, 70
# How far away the nearest keyword may be, by what the value looks like. Distances are in characters; the end of a sentence counts as 30
# of them before the value and 40 behind it. A keyword behind the value counts double, and 15 more.
_MAX_DISTANCE = 110
_MAX_DISTANCE_IMPERSONAL = 25
_MAX_DISTANCE_OF_A_WORD = 15  # letters with one or two digits
_MAX_DISTANCE_LIKE_A_SUM = 40  # 123.456
_MAX_DISTANCE_SHORT, _MAX_DISTANCE_SHORT_NAMED = 70, 125  # up to five digits; "es 4821", "4821 es mi"
_SENTENCE_BEFORE, _SENTENCE_BEHIND, _BEHIND = 30, 40, 15
_SENTENCE_ENDS = re.compile(r"(?i)(?<!\bno)(?<!\bnro)(?<!\bn[uú]m)(?<!\bnum)(?<!\bref)[.!?](?=\s)|\n")
_NEVER_AFTER = frozenset("$€£#.,/&<")  # a sum, an address, the rest of a date or of a decimal
_INSIDE_A_PASSWORD, _INSIDE_A_REFERENCE = frozenset("#.&"), frozenset("-/")
_IN_A_CODE = frozenset("_-.*#@!+%&'’")
_NUMBER = re.compile(
    r"\d(?: \d){3,15}(?!\w)|\d{1,3}(?:[.,'’´`]\d{3}){1,3}(?:-[\dkK]\d?)?|\d{1,3}(?: \d{3}){2,3}|\d{2,4}(?: \d{2,6}){1,3}|\d+(?:-\d+){0,7}"
)
_LONGEST_CODE = 70
_CODE = re.compile(rf"(?=\S{{0,{_LONGEST_CODE}}}[^\W\d_])[^\W_][\w\-.*#@!+%&/]{{3,{_LONGEST_CODE - 1}}}")
_CARD_BEFORE = re.compile(rf"(?i)\b(?:{LEXICON.pattern('cards', 'context')})\b[^\d<]{{0,30}}\Z")
# Digit by digit: "4-4-3-2", "4 4 3 2".
_DICTATED = re.compile(r"\d(?:-\d){3,5}|\d(?: \d){3,5}")
_ONE_BY_ONE = re.compile(r"\d(?: \d)+")
_IS = re.compile(r"(?i)\b(?:es|era|fue|is|was|read|puse|put|typed)\s\Z")
_WAS_MY = re.compile(r"(?i)\s(?:es|era|fue|is|was)\s(?:mi|my)\b")
# An identity number that looks like a sum: beside an address or a telephone number, or all that somebody wrote.
_BESIDE = re.compile(r"(?i)\s?[,;/]\s?(?:(?:cel|tel)\w{0,6}|correo|e-?mail)?[.:]?\s?<(?:PHONE|EMAIL)>")
_PERSON_IS = re.compile(r"(?i)\b(?:(?:yo )?soy|(?:él|ella) es|(?:yo|él|ella)[:,]|soy [^\W\d_]{2,15},)\s\Z")
_TURN = re.compile(r"(?i)(?:cliente|usuari[oa]|yo|customer|client|me)\s?:\s\Z")
_TURN_ENDS = re.compile(r"\s*(?:/|—|\n|\Z)")
_SHOWN = re.compile(r"(?i)[\"“'](?:c[oó]digo|code|error)\s\Z")  # a message of an application: "código 4012: …"
_PREPOSITION_BEFORE = re.compile(rf"(?i)\b(?:{LEXICON.pattern('prepositions', 'context')})\s\Z")


def find_by_context(scanned: ScannedText, *, alone: bool) -> Iterator[Span]:
    """Return the values that the rules left in a text, in order.

    Args:
        scanned: the text after the rules, with placeholders for what they replaced.
        alone: whether a long number is personal even if no keyword is near.
    """
    text, end = scanned.text, 0
    for start, run_end, run in scanned.runs():
        if start < end or not _can_begin(text, start, run):
            continue
        code, small = _code_around(text, start, run_end, end)
        if small:
            continue
        span = _code(text, code) if code else None
        if not span and (not code or code.start() == start):
            number = _NUMBER.match(text, start)
            span = _number(text, number, alone=alone) if number and number.end() - start > 2 else None
        if span and begins_in_word(text, span.start):
            span = None
        end = span.end if span else code.end() if code else end
        if span:
            yield span


def _can_begin(text: str, start: int, run: str) -> bool:
    """Return False for a run of digits behind a mark of sums, decimals or links, unless it continues a password or a reference."""
    before = text[start - 1] if start else " "
    if "/" in run and not (before.isalpha() or before in _INSIDE_A_REFERENCE):
        return False
    if before not in _NEVER_AFTER:
        return True
    letter_before = text[start - 2 : start - 1].isalpha()
    inside = before in _INSIDE_A_PASSWORD or before in _INSIDE_A_REFERENCE
    return (inside and letter_before) or (before == "#" and after_word_and_hash(text, start))


def _code_around(text: str, start: int, run_end: int, end: int) -> tuple[re.Match[str] | None, bool]:
    """Return the code of letters and digits that a run of digits is part of, and whether the run is a small number by itself.

    `end` is where the last value ended. The code in `clave Luna2024*` begins at `Luna`, though the run of digits begins at `2024`.
    """
    before = text[start - 1] if start else " "
    if before.isalpha() or before in _IN_A_CODE or before in _INSIDE_A_REFERENCE:
        first, limit = start, max(end, start - _LONGEST_CODE)
        while first > limit and (text[first - 1].isalnum() or text[first - 1] in _IN_A_CODE or text[first - 1] == "/"):
            first -= 1
        while first < start and not text[first].isalnum():
            first += 1
        return _CODE.match(text, first), False
    after = text[run_end : run_end + 2]
    if after[:1].isalpha() or after[:1] in _IN_A_CODE:
        return _CODE.match(text, start), False
    return None, run_end - start < 3 and not (after[:1] == " " and after[1:].isdigit())


def _code(text: str, match: re.Match[str]) -> Span | None:
    """Return the span of a password or a reference in letters and digits, if a keyword is near: `contraseña fácil. Junior2024*`."""
    value = match[0].rstrip(".-,'’")
    end = match.start() + len(value)
    digits = sum(map(str.isdigit, value))
    if not digits or not any(map(str.isalpha, value)) or len(value) < 5 or is_a_word(value) or text[end : end + 1] == "<":
        return None
    numbered = len(value) >= 8 and "#" in text[max(match.start() - 2, 0) : match.start()]
    if (
        (not numbered and after_quantity(text, match.start(), 3))
        or after_law(text, match.start())
        or after_error(text, match.start())
    ):
        return None
    named = is_a_name(value)
    if named:
        if after_place(text, match.start()):
            return None
        if not after_typing(text, match.start()):
            text = text[:end]  # a name before the keyword is that of a shop or a service: "bet365 pide la clave"
    coded = digits >= 3 and len(value) >= 6 and not named
    booked = len(value) == 6 and value.isalnum() and value.isupper()  # as airlines name a booking
    kinds = {"ID_NUMBER", "ACCOUNT", "REFERENCE"} if coded else {"REFERENCE"} if booked else set()
    kind, distance = nearest_keyword(text, match.start(), end, {"SECRET", "CODE", ""} | kinds)
    limit = _MAX_DISTANCE if coded or kind in ("SECRET", CODE) else _MAX_DISTANCE_OF_A_WORD
    return Span(_TYPES.get(kind, kind), match.start(), end) if kind and distance <= limit else None


def _number(text: str, match: re.Match[str], *, alone: bool) -> Span | None:
    """Return the span of a number, if it is personal by a keyword, its position in the text or its length."""
    value, start, end = match[0], match.start(), match.end()
    size = sum(map(str.isdigit, value))
    grouped = any(mark in value for mark in ".,'’´` ")
    if is_impersonal(text, match, size):
        return None
    if size < 6:
        return _short_number(text, match, size)
    if size in (15, 16) and _CARD_BEFORE.search(text, max(start - 40, 0), start):
        return Span("CARD", start, end)  # mistyped, for Luhn's check failed
    if 6 < size < 12 and not value.endswith("00") and _PERSON_IS.search(text, max(start - 24, 0), start):
        return Span("ID_NUMBER", start, end)
    like_a_sum = grouped and " " not in value
    allowed = (
        {"ID_NUMBER", "NIT"}
        if like_a_sum
        else _ANY - ({"PHONE"} if size < 7 else {"TEXT"}) - ({"SECRET", "CODE"} if size > 9 else set())
    )
    kind, distance = nearest_keyword(text, start, end, allowed | {""})
    if like_a_sum and size > 6 and not kind and not value.endswith("00"):
        turn = _TURN.search(text, max(start - 12, 0), start) and _TURN_ENDS.match(text, end)
        if turn or _BESIDE.match(text, end):
            return Span("ID_NUMBER", start, end)
    if kind and distance <= (_MAX_DISTANCE_LIKE_A_SUM if like_a_sum and size < 7 else _MAX_DISTANCE):
        return Span(_TYPES.get(kind, kind), start, end)
    if (
        alone
        and size > 6
        and (not grouped or _ONE_BY_ONE.fullmatch(value))
        and (kind or distance > _MAX_DISTANCE_IMPERSONAL)
        and not value.endswith("00")
    ):
        return Span("REFERENCE", start, end)
    return None


def _short_number(text: str, match: re.Match[str], size: int) -> Span | None:
    """Return the span of a PIN, a code or the digits on the back of a card, if a keyword is near: `puso 2580`."""
    value, start, end = match[0], match.start(), match.end()
    shown = text[end : end + 1] == ":" and _SHOWN.search(text, max(start - 10, 0), start)
    if shown or not (value.isdigit() or _DICTATED.fullmatch(value)):
        return None
    allowed = {"CODE", "ID_NUMBER", "ACCOUNT", "REFERENCE", ""} if size == 3 else _ANY - {"TEXT"}
    kind, distance = nearest_keyword(text, start, end, allowed)
    is_secret = kind == CODE if size == 3 else kind in (CODE, "SECRET")
    named = _IS.search(text, max(start - 6, 0), start) or _WAS_MY.match(text, end)
    limit = _MAX_DISTANCE_SHORT_NAMED if named else _MAX_DISTANCE_SHORT
    close = is_secret and distance <= limit and not _PREPOSITION_BEFORE.search(text, max(start - 10, 0), start)
    return Span("SECRET", start, end) if close else None


def nearest_keyword(text: str, start: int, end: int, allowed: Set[str]) -> tuple[str, int]:
    """Return the kind of value that the nearest keyword names, and the distance of the keyword.

    Args:
        text: a text.
        start: position of the value.
        end: one past its last character.
        allowed: kinds to look for; keywords of other kinds are skipped.

    Returns:
        `("", distance)` if the nearest keyword marks an impersonal number, `("", 210)` if no keyword is near.
    """
    best, least = "", _BEFORE + _AFTER
    for word in _KEYWORD.finditer(text, max(start - _BEFORE, 0), end + _AFTER):
        kind = _GROUPS[word.lastgroup or ""]
        if word.end() <= start:
            between = text[word.end() : start]
            if not kind and any(map(str.isdigit, between)):
                continue  # "ends in 118, all of it is 1032445667": the keyword is about the number before
            away = len(between) + _SENTENCE_BEFORE * len(_SENTENCE_ENDS.findall(between))
        elif word.start() >= end and kind:
            between = text[end : word.start()]
            away = _BEHIND + 2 * len(between) + _SENTENCE_BEHIND * len(_SENTENCE_ENDS.findall(between))
        else:
            continue
        if away <= least and kind in allowed and (kind or away <= _MAX_DISTANCE_IMPERSONAL):
            best, least = kind, away
    return best, least
