"""Array types, and the tables that NumPy code and compiled kernels hand to each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
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
    """A batch of texts as one UTF-8 buffer, with the tables that hash their words."""

    data: UInt8s  # UTF-8 of all texts
    starts: Ints  # (texts + 1,) first byte of each text, then the end of the last
    fold_table: UInt32s  # code point -> folded letter (features.fold_table)
    powers: UInts  # MULTIPLIER ** i modulo 2**64
    inverses: UInts  # MULTIPLIER ** -i modulo 2**64


class ScoringTables(NamedTuple):
    """A model as the scoring kernel reads it.

    `directory` (buckets / 64, 2) finds a bucket's row: a word of 64 bits, one per bucket, and the number of rows before that word.
    `entries` (features + 2, width) holds idf and one weight per label. Its last two rows are a word that training did not see,
    and zeros for every other unknown feature. `char_directory` and `char_entries` are the same for character n-grams, without
    those two rows.
    """

    max_skip: int
    lead_words: int
    directory: UInts
    entries: Singles
    char_directory: UInts
    char_entries: Singles
    bias: Floats
    offsets: Floats


class ScoreArrays(NamedTuple):
    """The arrays that the scoring kernel fills."""

    probabilities: Floats  # (texts, labels)
    label: Ints  # (texts,)
    recognised: Bools  # (texts,)
    contributions: Floats  # (texts, terms) of the strongest terms, 0 after the last; no terms: nothing is explained
    spans: Ints  # (texts, terms, 5) bytes where the left and the right word begin and end, and how many words apart they are
