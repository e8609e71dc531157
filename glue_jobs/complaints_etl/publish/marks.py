"""Find in a text the words that the model's terms name, so that a page can mark them.

Publish cannot import the model's code, so this module splits texts as `complaint_model.features.tokenise` does.
tests/unit/publish/test_marks.py compares the two.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

GAP = " … "  # between the words of a term that are not neighbours (`complaint_model.explain.Term`)
MAX_SKIP = 20  # how far apart they may be
NUMBER_TERM = "<number>"
NUMBER_KEY, MASK_KEY = "0", "<>"  # keys of tokens that are not words
_SEPARATOR, _SKIP = " ", ""
_IDEOGRAPHS, _BEYOND = ("\u2e80", "\uac00"), 0x20000  # each of these characters is a word by itself


class Token(NamedTuple):
    """A word of a text: where it starts and ends, and what the model reads."""

    start: int
    end: int
    key: str


def marked_parts(text: str, terms: Sequence[str]) -> list[str]:
    """Split a text into parts of which every second one is marked. Words with only white space between them are one mark.

    Example:
        `marked_parts("Me cobraron. COBRARON 5.000!", ["cobraron <number>"])` returns `["Me cobraron. ", "COBRARON 5.000", "!"]`.
    """
    tokens = tokenise(text)
    spans: list[list[int]] = []
    for index in sorted({index for term in terms for index in _matches(tokens, term)}):
        start, end, _ = tokens[index]
        if spans and not text[spans[-1][1] : start].strip():
            spans[-1][1] = end
        else:
            spans.append([start, end])
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def tokenise(text: str) -> list[Token]:
    """Split a text into the model's tokens. The digits of a number count as one, and so do neighbouring numbers or masks.

    Example: "Pagué $1,234 a <NAME>" has the tokens `pague`, `1,234`, `a` and `<NAME>`.
    """
    tokens: list[Token] = []
    for start, word_end, letters in _words(text):
        end = word_end
        bracketed = text[start - 1 : start] == "<" and letters[0] < _IDEOGRAPHS[0]
        if bracketed:
            while end < len(text) and _FOLDED[text[end]] == _SKIP:  # marks and apostrophes are no letters to the model
                end += 1
            bracketed = text[end : end + 1] == ">"
        if bracketed or (len(letters) > 1 and not letters.strip("x")):
            key = MASK_KEY
        else:
            key = letters
        token = Token(start - bracketed, end + bracketed, key)
        if tokens and key == tokens[-1].key and key in (NUMBER_KEY, MASK_KEY):
            tokens[-1] = Token(tokens[-1].start, token.end, key)
        else:
            tokens.append(token)
    return tokens


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and folded letters of each word."""
    start, end, letters = 0, 0, ""
    for position, letter in enumerate(map(_FOLDED.__getitem__, text)):
        if letter == _SKIP:
            continue
        if letters and (letter == _SEPARATOR or is_alone(letter) or is_alone(letters)):
            yield start, end, letters
            letters = ""
        if letter == _SEPARATOR:
            continue
        if not letters:
            start = position
        end = position + 1
        if letter != NUMBER_KEY or letters[-1:] != NUMBER_KEY:  # a run of digits counts as one digit
            letters += letter
    if letters:
        yield start, end, letters


def fold(character: str) -> str:
    """Return the folded letter, `_SEPARATOR` or `_SKIP` of a character, as `features.fold_table`."""
    if ord(character) >= _BEYOND:
        return character
    category = unicodedata.category(character)
    if category[0] == "N":
        return NUMBER_KEY
    if category in ("Mn", "Me", "Cf") or character in "'’ʼ`´_":
        return _SKIP
    if category[0] != "L" and category != "Mc":
        return _SEPARATOR
    lower = character.lower()
    if len(lower) == 1 and not unicodedata.decomposition(lower):
        return lower
    base = [part for part in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(part)]
    return base[0].lower()[0] if len(base) == 1 else lower[0]


class _Folded(dict[str, str]):
    """The folded letter of each character seen: a look-up without a call of Python code."""

    def __missing__(self, character: str) -> str:
        self[character] = folded = fold(character)
        return folded


_FOLDED = _Folded()


def is_alone(letters: str) -> bool:
    """Return whether a letter is a word by itself."""
    return letters >= _IDEOGRAPHS[0] and (letters < _IDEOGRAPHS[1] or ord(letters[0]) >= _BEYOND)


def _matches(tokens: Sequence[Token], term: str) -> Iterator[int]:
    """Yield the indexes of the tokens that a term names."""
    halves = [[token.key for token in tokenise(half.replace(NUMBER_TERM, NUMBER_KEY))] for half in term.split(GAP)]
    keys = [token.key for token in tokens]
    if not all(halves):
        return
    if len(halves) == 2:
        left, right = halves[0][-1], halves[1][0]
        for index in (index for index, key in enumerate(keys) if key == left):
            for other in range(index + 1, min(index + 1 + MAX_SKIP, len(keys))):
                if keys[other] == right:
                    yield from (index, other)
        return
    [wanted] = halves
    for index in range(len(keys) - len(wanted) + 1):
        if keys[index : index + len(wanted)] == wanted:
            yield from range(index, index + len(wanted))
