"""Constants of tokenisation and feature hashing: the NumPy code and the compiled kernels must agree on every one of them.

A word's hash is the polynomial sum(letter_i * MULTIPLIER**i) modulo 2**64 over its folded letters. MULTIPLIER is odd, so it has an
inverse, and the hashes of all words come from one running sum: (sum[end] - sum[start]) * MULTIPLIER**-start.
"""

from __future__ import annotations

import numpy as np

from complaint_model.arrays import UInts

# Words have the buckets below 2**WORD_BITS. Pairs and lead words have those from PAIRS to 2**BUCKET_BITS. Character n-grams have
# 2**CHAR_BITS buckets of their own.
WORD_BITS, BUCKET_BITS, CHAR_BITS = 21, 23, 22
PAIRS = 1 << (BUCKET_BITS - 1)
CHAR_SIZES = (2, 3, 4)

# Kinds of tokens. A mask is a redaction: `XXXX` or `<EMAIL>`.
WORD, NUMBER, MASK = 0, 1, 2
# Folded letters below 4 represent no character: SEPARATOR ends a word, SKIP vanishes from inside a word (an accent, an apostrophe).
# In character n-grams EDGE is either end of a word, and MASK_LETTER a whole mask.
SEPARATOR, SKIP, EDGE, MASK_LETTER = 0, 1, 2, 3
ZERO, LETTER_X = ord("0"), ord("x")
# Code points from TABLE_SIZE on are ideographs and private use. An ideograph is a word by itself; a Hangul syllable is a letter.
TABLE_SIZE = 0x20000
FIRST_IDEOGRAPH, FIRST_SYLLABLE = 0x2E80, 0xAC00

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
MASK_HASH = np.uint64(0x5851F42D4C957F2D)
# One salt per kind of feature, so that the same words in two kinds have unrelated buckets.
WORD_SALT = np.uint64(0x14057B7EF767814F)
LEAD_SALT = np.uint64(0xC2B2AE3D27D4EB4F)
PAIR_LEFT, PAIR_RIGHT = np.uint64(0x2545F4914F6CDD1D), np.uint64(0xD6E8FEB86659FD93)
CHAR_SALT = np.uint64(0xA0761D6478BD642F)

_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mix(value: UInts) -> UInts:
    """Spread the bits of a polynomial hash: the finaliser of splitmix64 (Steele, Lea and Flood, 2014)."""
    value = (value ^ (value >> _S30)) * _M1
    value = (value ^ (value >> _S27)) * _M2
    return value ^ (value >> _S31)
