"""Array types, and the groups of arrays that NumPy code passes to compiled kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Ints = NDArray[np.int64]
Int8s = NDArray[np.int8]
Int32s = NDArray[np.int32]
UInt8s = NDArray[np.uint8]
UInt16s = NDArray[np.uint16]
UInt32s = NDArray[np.uint32]
UInts = NDArray[np.uint64]
Bools = NDArray[np.bool_]

MIN_PROBABILITY = 1e-12  # keeps a logarithm finite
MIN_CONTRIBUTION = 1e-6  # terms that add less to a logit are not shown


class PackedTexts(NamedTuple):
    """A batch of texts as one UTF-8 buffer, with the tables that hashing their words needs."""

    data: UInt8s  # UTF-8 of all texts
    starts: Ints  # (texts + 1,) first byte of each text, then the end of the last
    fold_table: UInt32s  # code point -> folded letter (features.fold_table)
    powers: UInts  # MULTIPLIER ** i modulo 2**64
    inverses: UInts  # MULTIPLIER ** -i modulo 2**64


class ScoringTables(NamedTuple):
    """A model's arrays as the scoring kernel reads them.

    `directory` (buckets / 64, 2) maps a bucket to its row of `entries`. Each of its rows covers 64 buckets: a bit mask of the
    buckets that have a row, and the number of rows of all buckets before them.
    `entries` (features + 2, width) holds idf and one weight per label. Its last two rows belong to a word that training did
    not see, and to every other unknown feature (zeros). `char_directory` and `char_entries` are the same for character
    n-grams, without those two rows.
    """

    max_skip: int
    lead_words: int
    directory: UInts
    entries: Float32s
    char_directory: UInts
    char_entries: Float32s
    bias: Floats
    offsets: Floats


class ScoreArrays(NamedTuple):
    """The arrays that the scoring kernel fills."""

    probabilities: Floats  # (texts, labels)
    label: Ints  # (texts,)
    features: Ints  # (texts, 3) distinct words that training saw, features that it saw, features
    contributions: Floats  # (texts, terms) of the strongest terms, padded with 0; (texts, 0) if nothing is explained
    spans: Ints  # (texts, terms, 5) start and end byte of the left word and of the right word, and their distance in words
