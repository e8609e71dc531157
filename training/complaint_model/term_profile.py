"""Count the words and word pairs of the training rows that the model was least certain of, for the search for new themes in uploads.

Publish compares an upload's least certain rows with these counts (complaints_etl.publish.themes). Cross-fitted confidence is used, because
models that saw a row are certain of it. A profile has counts of hashed terms, and nothing of a single row.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from complaint_model import features
from complaint_model.arrays import Floats, Ints, UInt32s
from complaint_model.hashing import BUCKET_BITS
from complaint_model.records import Rows

# docs/decisions/0024-new-themes-are-words-in-excess.md compares shares.
LEAST_CERTAIN_SHARE = 0.25
MAX_ROWS = 20_000  # more rows make the comparison hardly more exact, and the file larger


@dataclass(frozen=True)
class TermProfile:
    """How many of the least certain training rows have each term. Near-copies count as one row."""

    buckets: UInt32s  # (terms,) ascending, of hashing.py
    rows: UInt32s  # (terms,)
    size: int  # all rows that were counted
    confidence: float  # the highest confidence of these rows


def learn_term_profile(rows: Rows, confidence: Floats) -> TermProfile:
    """Count the terms of the rows with the lowest confidence.

    Args:
        rows: The training rows.
        confidence: (rows,) cross-fitted confidence of each.
    """
    limit = float(np.quantile(confidence, LEAST_CERTAIN_SHARE))
    chosen = _one_per_group(rows.groups, np.flatnonzero(confidence <= limit))
    texts = [rows.texts[row] for row in chosen]
    frequency = np.zeros(1 << BUCKET_BITS, dtype=np.int64)
    for first, last in features.batches(texts):
        _, bucket, _ = features.count_features(texts[first:last], max_skip=1, lead_words=0)
        frequency += np.bincount(bucket, minlength=len(frequency))
    buckets = np.flatnonzero(frequency)
    return TermProfile(buckets.astype(np.uint32), frequency[buckets].astype(np.uint32), len(texts), limit)


def _one_per_group(groups: Sequence[str], rows: Ints) -> list[int]:
    """Return a row of each group, at most MAX_ROWS: those whose groups have the smallest checksums."""
    first: dict[str, int] = {}
    for row in rows.tolist():
        first.setdefault(groups[row], row)
    order = sorted(first, key=lambda group: (zlib.crc32(group.encode(errors="replace")), group))
    return sorted(first[group] for group in order[:MAX_ROWS])


def to_bytes(profile: TermProfile) -> bytes:
    """Return the profile as an .npz file. The same profile gives the same bytes."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        buckets=profile.buckets,
        rows=profile.rows,
        size=np.int64(profile.size),
        confidence=np.float64(profile.confidence),
    )
    return file.getvalue()
