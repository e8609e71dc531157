"""The trained classifier: arrays, and the lookup tables that scoring derives from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from complaint_model.arrays import MIN_PROBABILITY, Float32s, Floats, Int32s, Ints, ScoringTables, UInt32s, UInts
from complaint_model.hashing import BUCKET_BITS, CHAR_BITS

LINE_FLOATS = 16  # of 4 bytes: a cache line


@dataclass(frozen=True)
class Model:
    """A linear classifier over hashed features.

    Row i of `weights` belongs to bucket `buckets[i]`. It is what the feature adds to each label's logit if it occurs once and
    the text's vector of such features has length 1. A word's weights include those of its character n-grams. A word that
    training did not see has only the latter: the sum of its n-grams' weights, divided by the Euclidean norm of their idfs.
    `offsets` are added to log-probabilities to choose the label. They never change a reported probability.
    """

    labels: tuple[str, ...]
    buckets: UInt32s  # (features,) ascending
    idf: Float32s  # (features,) already in the weights, and needed for a vector's length
    weights: Float32s  # (features, labels)
    new_word_idf: float  # the idf of a word that training did not see
    char_buckets: UInt32s  # (n-grams,) ascending; empty if the model has no character n-grams
    char_idf: Float32s  # (n-grams,)
    char_weights: Float32s  # (n-grams, labels)
    bias: Floats  # (labels,)
    offsets: Floats  # (labels,)
    max_skip: int  # how far apart the words of a pair may be; 1 means neighbours
    lead_words: int  # how many words at the beginning of a text are features of their own, too
    threshold: float  # confidence above which labels reach the target precision
    min_known_words: int = 0  # a text with fewer distinct words that training saw is unfamiliar
    min_known_share: float = 0.0  # the same, if training saw a smaller share of its features

    @cached_property
    def index(self) -> Int32s:
        """Map a bucket to its row of `weights`, or to -1."""
        index = np.full(1 << BUCKET_BITS, -1, dtype=np.int32)
        index[self.buckets] = np.arange(len(self.buckets), dtype=np.int32)
        return index

    @cached_property
    def tables(self) -> ScoringTables:
        """Lay the model out for the scoring kernel."""
        new_word = np.zeros((2, 1 + len(self.labels)), dtype=np.float32)
        new_word[0, 0] = self.new_word_idf
        directory, entries = _table(BUCKET_BITS, self.buckets, self.idf, self.weights, new_word)
        char_directory, char_entries = _table(CHAR_BITS, self.char_buckets, self.char_idf, self.char_weights, new_word[:0])
        return ScoringTables(
            self.max_skip, self.lead_words, directory, entries, char_directory, char_entries, self.bias, self.offsets
        )


def _table(bits: int, buckets: UInt32s, idf: Float32s, weights: Float32s, more: Float32s) -> tuple[UInts, Float32s]:
    """Return the directory and the entries of `ScoringTables`.

    The directory is small enough for the processor's cache. Each row of the entries (idf, weights; then `more`) starts at a
    cache line.
    """
    blocks, bits_in_block = np.divmod(buckets.astype(np.int64), 64)
    directory = np.zeros((1 << (bits - 6), 2), dtype=np.uint64)
    np.bitwise_or.at(directory[:, 0], blocks, np.uint64(1) << bits_in_block.astype(np.uint64))
    directory[:, 1] = np.searchsorted(blocks, np.arange(len(directory)))
    known, count, size = len(buckets), len(buckets) + len(more), 1 + weights.shape[1]
    width = -(-size // LINE_FLOATS) * LINE_FLOATS
    buffer = np.zeros(count * width + LINE_FLOATS, dtype=np.float32)
    begin = -(buffer.ctypes.data // buffer.itemsize) % LINE_FLOATS
    entries = buffer[begin : begin + count * width].reshape(count, width)
    entries[:known, 0], entries[:known, 1:size], entries[known:, :size] = idf, weights, more
    return directory, entries


def add_offsets(probabilities: Floats, offsets: Floats) -> Floats:
    """Return log-probability plus offset: the scores by which labels are chosen."""
    return np.asarray(np.log(np.maximum(probabilities, MIN_PROBABILITY)) + offsets)


def choose(probabilities: Floats, offsets: Floats) -> Ints:
    """Return the label of each row."""
    chosen: Ints = add_offsets(probabilities, offsets).argmax(1)
    return chosen
