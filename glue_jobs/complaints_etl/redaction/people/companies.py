"""Recognise words that look like a person's name: a company, a shop, an app or a state (`Wells Fargo`, `Wendy's`, `Nevada`)."""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON
from complaints_etl.text.normalize import fold

TERRITORIES = frozenset(map(fold, LEXICON.sections["territories"]["words"]))
_COMPANIES = frozenset(fold(name).replace("'", " ") for name in LEXICON.sections["companies"]["words"])
_NO_NOUN = frozenset(LEXICON.terms("streets", "not_in"))
_LEGAL, _NOUNS = (LEXICON.pattern("companies", use) for use in ("legal", "capitals"))
_WORD = r"[A-Z][\w'’]+"
# What follows in a company's name: ", Narron, & Myers, LLP"; " D. Weiner & Assoc. Co. LPA"; " Adjustment Bureau".
_BEHIND = re.compile(
    rf"(?:(?: & |,? (?:& |and )?){_WORD}){{0,6}}?,? & {_WORD}(?:,? {_WORD})?,? (?:{_LEGAL})\b"
    rf"|(?: [A-Z]\.| {_WORD}| & {_WORD}){{0,4}}?,? (?:& )?(?:{_LEGAL})\b"
    rf"|(?: {_WORD}| & {_WORD}){{0,2}}? (?:{_NOUNS})\b"
)
_BEHIND_CAPITALS = re.compile(rf",? (?:{_LEGAL}|{_NOUNS})\b")  # in a text in capitals, each word looks like one of a name
_APP_BEHIND = re.compile(rf" (?i:{LEXICON.pattern('companies', 'behind')})\b")
_WORDS_BEHIND = 8


def is_company(parts: list[str], first: int, last: int) -> bool:
    """Return True for words that are a company's name or begin one.

    Args:
        parts: a text, split into words and what is between them; word i is part 2 i.
        first: the first word.
        last: the last word.
    """
    if _begins(parts, last):
        return True
    found = any(
        fold(" ".join(parts[2 * begin : 2 * end + 1 : 2])) in _COMPANIES
        for begin in range(max(first - 1, 0), first + 1)
        for end in range(last, last + 2)
    )
    if not found or parts[2 * last + 1 : 2 * last + 3] not in (["'", "s"], ["’", "s"]):
        return found
    if parts[2 * last + 3 : 2 * last + 4] != [" "]:
        return True
    following = parts[2 * last + 4].lower()  # a person's "Wendy's account"; "Wendy's charged me"
    return following in _NO_NOUN or following.endswith("ed")


def is_before_company(parts: list[str], word: int) -> bool:
    """Return True for a word that begins the name of a company or an app, by what follows: `Dave app`."""
    return _begins(parts, word) or _APP_BEHIND.match(_behind(parts, word)) is not None


def _begins(parts: list[str], last: int) -> bool:
    pattern = _BEHIND_CAPITALS if parts[2 * last].isupper() else _BEHIND
    return pattern.match(_behind(parts, last)) is not None


def _behind(parts: list[str], word: int) -> str:
    return "".join(parts[2 * word + 1 : 2 * word + 2 * _WORDS_BEHIND + 1])
