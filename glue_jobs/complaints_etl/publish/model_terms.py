"""Number the words and word pairs of texts as the model does, so that they can be looked up in its term profile.

Publish cannot import the model's code, so this module hashes as `complaint_model.features` does.
tests/unit/publish/test_themes.py compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from complaints_etl.publish.marks import MASK_KEY, NUMBER_KEY, fold, is_alone

Ints = NDArray[np.int64]
UInts = NDArray[np.uint64]

# Constants of complaint_model.hashing.
_WORD_BITS, _PAIR_BITS = 21, 22
_MULTIPLIER, _64_BITS = 0x9E3779B97F4A7C15, (1 << 64) - 1
_WORD_SALT = np.uint64(0x14057B7EF767814F)
_PAIR_LEFT, _PAIR_RIGHT = np.uint64(0x2545F4914F6CDD1D), np.uint64(0xD6E8FEB86659FD93)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_MASKED = re.compile(r"<\w+>")
_DIGITS = re.compile(r"0{2,}")


class _Folded(dict[int, str]):
    """What each code point becomes before a text is split at spaces, for `str.translate`."""

    def __missing__(self, code: int) -> str:
        letter = fold(chr(code))
        self[code] = letter = f" {letter} " if letter.strip() and is_alone(letter) else letter
        return letter


_FOLDED = _Folded()


@dataclass(frozen=True)
class Terms:
    """The distinct terms of texts: entry i is a term of text `document[i]`. A number or mask is not a term, nor a part of one."""

    document: Ints  # ascending
    term: Ints  # index into the arrays below
    buckets: Ints  # (terms,)
    names: list[str]  # (terms,) folded words: `direct debit`


def words_of(text: str) -> list[str]:
    """Return the folded words of a text, NUMBER_KEY and MASK_KEY: the keys of `marks.tokenise`, without their places."""
    folded = _DIGITS.sub(NUMBER_KEY, _MASKED.sub(" xx ", text).translate(_FOLDED))
    return [MASK_KEY if len(word) > 1 and not word.strip("x") else word for word in folded.split(" ") if word]


def find_terms(texts: Sequence[str]) -> Terms:
    """Return the distinct words and pairs of neighbours of each text."""
    number: dict[str, int] = {NUMBER_KEY: 0, MASK_KEY: 1}
    lists = [[number.setdefault(word, len(number)) for word in words_of(text)] for text in texts]
    words = np.fromiter((word for of_text in lists for word in of_text), dtype=np.int64)
    document = np.repeat(np.arange(len(texts)), [len(of_text) for of_text in lists])
    is_word, names = words > 1, list(number)
    neighbours = (document[1:] == document[:-1]) & is_word[1:] & is_word[:-1]
    pairs = (words[:-1] << 32 | words[1:])[neighbours]
    different, pair = np.unique(pairs, return_inverse=True)
    left, right = different >> 32, different & (1 << 32) - 1
    hashes = np.fromiter((_hash(name) for name in names), dtype=np.uint64, count=len(names))
    pair_hashes = _mix(hashes[left] * _PAIR_LEFT) * _PAIR_RIGHT + hashes[right]
    word_buckets = (_mix(hashes + _WORD_SALT) >> np.uint64(64 - _WORD_BITS)).astype(np.int64)
    pair_buckets = (_mix(pair_hashes) >> np.uint64(64 - _PAIR_BITS)).astype(np.int64) | 1 << _PAIR_BITS
    count = len(names)
    of_text = np.concatenate((document[is_word], document[:-1][neighbours] if len(words) else document))
    entries = np.unique(of_text << 32 | np.concatenate((words[is_word], pair + count)))
    return Terms(
        document=entries >> 32,
        term=entries & (1 << 32) - 1,
        buckets=np.concatenate((word_buckets, pair_buckets)),
        names=[*names, *(f"{names[a]} {names[b]}" for a, b in zip(left.tolist(), right.tolist(), strict=True))],
    )


def _hash(word: str) -> int:
    """Return sum(letter * _MULTIPLIER**place) modulo 2**64 over the letters of a word."""
    value = 0
    for letter in reversed(word):
        value = (value * _MULTIPLIER + ord(letter)) & _64_BITS
    return value


def _mix(value: UInts) -> UInts:
    """Return `complaint_model.hashing.mix`."""
    value = (value ^ (value >> np.uint64(30))) * _M1
    value = (value ^ (value >> np.uint64(27))) * _M2
    return np.asarray(value ^ (value >> np.uint64(31)))
