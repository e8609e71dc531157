"""Shorten a complaint to an example for the report: the part with most of the words that decided its label."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import accumulate

from complaints_etl.publish.marks import marked_parts

EXCERPT_CHARACTERS = 140
_CUT = "…"
_SENTENCE_END = re.compile(r"(?<=[.!?;。！？])\s+|(?<=[。！？])")


def excerpt(text: str, terms: Sequence[str]) -> str:
    """Return at most EXCERPT_CHARACTERS of a text, from the sentence on with most letters of the terms behind it.

    White space becomes single spaces. No word and no mask such as `<EMAIL>` is cut, unless one alone is too long.

    Args:
        text: a redacted text.
        terms: what contributed most to its label.
    """
    text = " ".join(text.split())
    if len(text) <= EXCERPT_CHARACTERS:
        return text
    starts = [0, *(match.end() for match in _SENTENCE_END.finditer(text) if match.end() < len(text))]
    marked = list(accumulate((flag for part, flag in _parts(text, terms) for _ in part), initial=0))

    def score(start: int) -> tuple[int, int]:
        letters = marked[min(start + EXCERPT_CHARACTERS, len(text))] - marked[start]
        # As late as possible, so that no greeting is shown. Without a term, from the beginning.
        return letters, start if letters else -start

    best = max(starts, key=score)
    opening = _CUT + " " if best else ""
    return opening + _shortened(text[best:], EXCERPT_CHARACTERS - len(opening))


def _parts(text: str, terms: Sequence[str]) -> list[tuple[str, int]]:
    return [(part, place % 2) for place, part in enumerate(marked_parts(text, terms))]


def _shortened(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    at_a_word = textwrap.shorten(text, width, placeholder=f" {_CUT}", break_long_words=False, break_on_hyphens=False)
    # A text without spaces, as in Chinese, has no word to end at.
    return at_a_word if len(at_a_word) > width // 2 else text[: width - 1] + _CUT
