"""Drift: how far a run's complaints are from those that its model was measured on, and from where on chance does not explain it.

Evaluate makes a model's profile from its held-out rows (complaint_model/drift_profile.py). Publish counts the same things of a run, and
compares. docs/decisions/0023-live-accuracy-and-drift.md explains the choices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypedDict

# What is compared.
DRIFT_KINDS: Final = ("categories", "languages", "length", "confidence", "vocabulary")
# With fewer rows on either side, an index is mostly noise.
MIN_ROWS: Final = 50
# A smaller index is too small to act on, however many rows make it certain.
LEAST_THRESHOLD: Final = 0.05
# Confidence and known share are counted by tenths.
TENTHS: Final = 10
# The last bucket of lengths: 1,024 words or more.
LENGTHS: Final = 11
# Buckets of fewer rows of the profile are one: such counts are mostly noise (Cochran, 1954). It also has what the profile lacks.
MIN_BUCKET_ROWS: Final = 10
OTHER: Final = "(other)"
# Half a row is added to each count, because a bucket that is empty on one side would make the index infinite.
HALF_ROW: Final = 0.5


class Thresholds(TypedDict):
    """The indexes that chance exceeds in few uploads of so many rows, together over all kinds."""

    rows: int
    index: dict[str, float]


class DriftProfile(TypedDict):
    """The held-out rows as the model answers them, in buckets per kind, and what chance makes of the index."""

    rows: int
    counts: dict[str, dict[str, int]]
    thresholds: list[Thresholds]


class Drift(TypedDict):
    """The drift of one kind. Both are null if there are too few rows, or if the model gives no such figure."""

    index: Annotated[float | None, "population stability index"]
    threshold: Annotated[
        float | None, "index from which on it is drift: chance exceeds it in under 1% of uploads, all kinds together"
    ]


def tenth(share: float) -> str:
    """Return the bucket of a share between 0 and 1: `0` to `9`."""
    return str(min(int(share * TENTHS), TENTHS - 1))


def length_of(words: int) -> str:
    """Return the bucket of a text with so many words, `1` to `11`: each has twice the words of the one before. `4` is 8 to 15 words."""
    return str(min(max(words, 1).bit_length(), LENGTHS))


def stability_index(expected: Mapping[str, float], actual: Mapping[str, float]) -> float | None:
    """Return the population stability index of two distributions, or None if one has fewer than MIN_ROWS rows.

    PSI = sum over buckets of (actual - expected) * ln(actual / expected), on shares (Siddiqi, Credit Risk Scorecards, 2006).

    Args:
        expected: rows per bucket.
        actual: rows per bucket.
    """
    if sum(expected.values()) < MIN_ROWS or sum(actual.values()) < MIN_ROWS:
        return None
    buckets = sorted(set(expected) | set(actual))
    before = {name: expected.get(name, 0) + HALF_ROW for name in buckets}
    now = {name: actual.get(name, 0) + HALF_ROW for name in buckets}
    total_before, total_now = sum(before.values()), sum(now.values())
    index = 0.0
    for name in buckets:
        share_before, share_now = before[name] / total_before, now[name] / total_now
        index += (share_now - share_before) * math.log(share_now / share_before)
    return index


def threshold_at(thresholds: Sequence[Mapping[str, Any]], kind: str, rows: int) -> float | None:
    """Return the threshold for an upload of so many rows, or None if the profile has none.

    An index that is due to chance is about a constant times (1 / rows + 1 / rows of the profile), so it is interpolated in 1 / rows.
    """
    points: list[tuple[float, float]] = [
        (1 / point["rows"], point["index"][kind]) for point in thresholds if kind in point["index"]
    ]
    if not points or rows < MIN_ROWS:
        return None
    points.sort()
    at = 1 / rows
    if at <= points[0][0]:
        found = points[0][1]
    elif at >= points[-1][0]:
        found = points[-1][1]
    else:
        (low, below), (high, above) = next(pair for pair in zip(points, points[1:]) if pair[0][0] <= at <= pair[1][0])
        found = below + (above - below) * (at - low) / (high - low)
    return max(found, LEAST_THRESHOLD)


def measure(profile: DriftProfile, counts: Mapping[str, Mapping[str, float]]) -> dict[str, Drift]:
    """Return the drift per kind of a run with these counts."""
    found = {}
    for kind in DRIFT_KINDS:
        expected, actual = profile["counts"].get(kind, {}), dict[str, float]()
        for name, rows in counts.get(kind, {}).items():
            known = name if name in expected else OTHER
            actual[known] = actual.get(known, 0) + rows
        index = stability_index(expected, actual)
        threshold = None if index is None else threshold_at(profile["thresholds"], kind, int(sum(actual.values())))
        found[kind] = Drift(index=None, threshold=None)
        if index is not None and threshold is not None:
            found[kind] = Drift(index=round(index, 4), threshold=round(threshold, 4))
    return found


def times_threshold(drift: Mapping[str, Drift]) -> dict[str, float]:
    """Return each measured index as a multiple of its threshold, the largest first."""
    found = {
        kind: one["index"] / one["threshold"]
        for kind, one in drift.items()
        if one["index"] is not None and one["threshold"] is not None
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def drifted(drift: Mapping[str, Drift]) -> list[str]:
    """Return the kinds that crossed their threshold, the farthest first."""
    return [kind for kind, times in times_threshold(drift).items() if times >= 1]
