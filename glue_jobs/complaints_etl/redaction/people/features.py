"""Features of one token, hashed to the rows of the tagger's table.

Each feature is a function of one token alone: the word, its beginning and end, its letter case, its digits, and whether lists of names and of
common words or the lexicon have it. So a token's vector is computed once per process.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from complaints_etl.lexicon import LEXICON
from complaints_etl.text.normalize import fold

ROWS = 1 << 15
GAP_ROWS = 1 << 9
# How many features come first that name the token itself, and with those of the lists; training drops them at times.
IDENTITY, LISTED = 4, 8
_MASK = ROWS - 1
_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[^\W\d_]+")
_SECTIONS = ("names", "titles", "relatives", "roles", "streets", "birth")


def _words(section: str) -> frozenset[str]:
    """Return the single words of a section, folded."""
    return frozenset(fold(term) for term in LEXICON.sections.get(section, {}).get("words", ()) if _LETTERS.fullmatch(term))


_LEXICON = tuple((str(place), _words(section)) for place, section in enumerate(_SECTIONS))


def hashed(text: str) -> int:
    """Return a 32-bit hash, the same on every machine."""
    return crc32(text.encode())


def in_list(hashes: Sequence[int], value: int) -> bool:
    """Return True if a sorted list of hashes has the value."""
    place = bisect_left(hashes, value)
    return place < len(hashes) and hashes[place] == value


def case_of(token: str) -> str:
    """Return the letter case: `a` small, `A` capitals, `I` one capital letter, `T` first letter, `m` mixed, `9` none."""
    if token.islower():
        return "a"
    if token.isupper():
        return "A" if len(token) > 1 else "I"
    if token.istitle():
        return "T"
    return "m" if any(map(str.isalpha, token)) else "9"


class Lists(NamedTuple):
    """Sorted hashes of folded words: first names, surnames, and words that are common in small letters."""

    firsts: Sequence[int]
    lasts: Sequence[int]
    common: Sequence[int]

    def name_flags(self, word: str) -> int:
        """Return 1 for a folded word in the list of first names, plus 2 for one in the list of surnames."""
        code = hashed(word)
        return in_list(self.firsts, code) + 2 * in_list(self.lasts, code)

    def is_common(self, word: str) -> bool:
        """Return True for a folded word that is common in small letters."""
        return in_list(self.common, hashed(word))


def token_rows(token: str, lists: Lists) -> list[int]:
    """Return the rows of a token's features, the IDENTITY ones first."""
    word = fold(token)
    case = case_of(token)
    digits = sum(map(str.isdigit, token))
    if digits:
        shape = _DIGIT.sub("9", word)
        known = word if len(word) < 3 else shape[:8]
        names = [f"w{known}", f"c{case}{known}", f"z{shape[:3]}", f"q{shape[-3:]}"]
        names += [f"n{len(token)}", f"y{word[:2]}" if len(word) == 4 else "y", f"d{digits}", f"e{len(token)}{case}"]
        return [hashed(name) & _MASK for name in names]
    flags = lists.name_flags(word)
    common = lists.is_common(word)
    marks = "".join(mark for mark, words in _LEXICON if word in words)
    names = [
        f"w{word}", f"c{case}{word}", f"z{word[-4:]}", f"q{word[:4]}", f"g{flags}{case}{common}", f"h{flags}",
        f"k{common}{case}", f"j{common}{flags}",
        f"p{word[:3]}", f"x{word[-3:]}", f"v{word[-2:]}{case}", f"s{case}{min(len(word), 9)}",
    ]  # fmt: skip
    names += [f"l{mark}" for mark in marks]
    return [hashed(name) & _MASK for name in names]


def gap_rows(gap: str) -> list[int]:
    """Return the rows of the features of what stands between two words."""
    plain = " ".join(gap.split(" ")) if "  " not in gap else re.sub(" +", " ", gap)
    marks = [mark for mark in dict.fromkeys(plain) if mark not in " \n"][:4]
    line = "n1" if "\n" in gap else "n0"
    names = [f"g{plain[:6]}", f"f{plain[:1]}", f"l{plain[-1:]}", line, *(f"i{mark}" for mark in marks)]
    return [hashed(name) & (GAP_ROWS - 1) for name in names]
