"""MinHash signatures of texts (Broder 1997), with which near_copies.py finds nearly equal texts."""

from __future__ import annotations

import zlib

import numpy as np

from complaints_etl.text.normalize import fold
from complaints_etl.text.words import PLACEHOLDER, WORD

# 16 bands of 4 values: two texts with Jaccard similarity 0.8 share a band with probability 0.9998 (Leskovec, Rajaraman, Ullman:
# Mining of Massive Datasets, 3.4).
BANDS, BAND_ROWS = 16, 4
SIGNATURE_SIZE = BANDS * BAND_ROWS
# Multiply-shift hashing modulo 2^64 (Dietzfelbinger et al. 1997): the upper 31 bits, which fit Spark's int.
_SHIFT = np.uint64(33)
_DRAW = np.random.default_rng(20)
_FACTORS, _OFFSETS = _DRAW.integers(1 << 63, 1 << 64, (2, SIGNATURE_SIZE), dtype=np.uint64) | np.uint64(1)
_POSITION_FACTORS = _DRAW.integers(1 << 63, 1 << 64, 3, dtype=np.uint64) | np.uint64(1)


def signature(text: str) -> list[int]:
    """Return SIGNATURE_SIZE MinHash values (31 bits) of the text's three-word shingles.

    Numbers and placeholders are left out, because copies of a template differ in their amounts and dates. A text without words gets
    a signature of its own, so that it is not similar to any other text.
    """
    words = WORD.findall(fold(PLACEHOLDER.sub(" ", text)))
    if not words:
        return [zlib.crc32(text.encode()) & 0x7FFFFFFF] * SIGNATURE_SIZE
    words += words[-1:] * (3 - len(words))  # a text of one or two words is one shingle
    hashed = np.fromiter((zlib.crc32(word.encode()) for word in words), dtype=np.uint64, count=len(words))
    shingles = hashed[:-2] * _POSITION_FACTORS[0] + hashed[1:-1] * _POSITION_FACTORS[1] + hashed[2:] * _POSITION_FACTORS[2]
    values = (shingles[:, None] * _FACTORS + _OFFSETS) >> _SHIFT
    return values.min(axis=0).tolist()  # type: ignore[no-any-return]
