"""Profile the held-out rows as a model answers them, with the drift that chance alone gives an upload.

The thresholds are by bootstrap. Each draw takes an upload of some size and another profile, and measures their population stability index per
kind. All kinds are measured on the same draw, so that the thresholds hold for all kinds together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from complaint_model.arrays import Floats, Ints
from complaint_model.evaluation import Answers
from complaint_model.records import Labelled
from ptmlops_contracts.drift import (
    DRIFT_KINDS,
    HALF_ROW,
    MIN_BUCKET_ROWS,
    MIN_ROWS,
    OTHER,
    DriftProfile,
    Thresholds,
    length_of,
    tenth,
)

# Uploads of other sizes are interpolated.
SIZES = (50, 100, 200, 500, 1_000, 5_000, 100_000)
DRAWS = 5_000
# Of the draws, the share that crosses any threshold. The promise is 0.01 of uploads: the rest is left for what the profile does not know.
FALSE_ALARMS = 0.002
_CHUNK_VALUES = 4_000_000  # bounds the memory of draws
UNDETERMINED = "und"  # Prepare's language of a text that is too short to say


def profile(
    answers: Answers, rows: Sequence[Labelled], labels: Sequence[str], *, trained_on: Sequence[Labelled], seed: int
) -> DriftProfile | None:
    """Return the profile of a model, or None if there are too few held-out rows.

    Args:
        answers: The model's, on these rows.
        rows: The held-out complaints.
        labels: From `evaluation.all_labels`.
        trained_on: The rows of training. They say which buckets are large enough.
        seed: Of the draws.
    """
    if len(rows) < MIN_ROWS:
        return None
    buckets = {
        "categories": [labels[label] for label in answers.predicted.tolist()],
        "languages": _languages(rows),
        "length": _lengths(rows),
        "confidence": [tenth(confidence) for confidence in answers.confidence.tolist()],
        "vocabulary": [tenth(share) for share in answers.known_share.tolist()],
    }
    trained = {
        "categories": [row.label for row in trained_on],
        "languages": _languages(trained_on),
        "length": _lengths(trained_on),
    }
    return profile_of(buckets, trained, seed=seed)


def _languages(rows: Sequence[Labelled]) -> list[str]:
    return [row.language or UNDETERMINED for row in rows]


def _lengths(rows: Sequence[Labelled]) -> list[str]:
    return [length_of(len(row.text.split())) for row in rows]


def profile_of(
    buckets: Mapping[str, Sequence[str]], trained: Mapping[str, Sequence[str]], *, seed: int, sizes: Sequence[int] = SIZES
) -> DriftProfile:
    """Return the profile of rows with these buckets per kind.

    A bucket with too few rows is part of OTHER. If the rows of training say so, that is not by the rows of the profile: with many
    buckets, those that seem large are the ones that chance has made large, and the next upload would have fewer of them.

    Args:
        buckets: The held-out rows' bucket per kind.
        trained: The training rows' buckets of the kinds that do not need an answer.
        seed: Of the draws.
        sizes: Rows of uploads.
    """
    counts, numbers = {}, []
    for kind in DRIFT_KINDS:
        judged = Counter(trained.get(kind) or buckets[kind])
        least = MIN_BUCKET_ROWS * judged.total() / len(buckets[kind])
        names = [*sorted(name for name, rows in judged.items() if rows >= least and name != OTHER), OTHER]
        number = {name: place for place, name in enumerate(names)}
        numbers.append(np.asarray([number.get(name, len(names) - 1) for name in buckets[kind]], dtype=np.int64))
        counts[kind] = dict(zip(names, np.bincount(numbers[-1], minlength=len(names)).tolist(), strict=True))
    return DriftProfile(
        rows=len(numbers[0]),
        counts=counts,
        thresholds=[
            Thresholds(
                rows=size, index={kind: round(float(found), 5) for kind, found in zip(DRIFT_KINDS, limits, strict=True)}
            )
            for size, limits in zip(sizes, _thresholds(np.stack(numbers, axis=1), counts, sizes, seed), strict=True)
        ],
    )


def _thresholds(rows: Ints, counts: Mapping[str, Mapping[str, int]], sizes: Sequence[int], seed: int) -> Iterator[Floats]:
    """Yield (kinds,) thresholds per size."""
    random, ends = np.random.default_rng(seed), [len(counts[kind]) for kind in DRIFT_KINDS]
    # Rows that are the same in all kinds are one cell: what is drawn is how often each occurs.
    cells, weights = np.unique(rows, axis=0, return_counts=True)
    # Half a row of each kind is of a bucket that the profile lacks.
    unseen = np.repeat(cells[[weights.argmax()]], len(ends), axis=0)
    np.fill_diagonal(unseen, [end - 1 for end in ends])
    cells, weights = np.concatenate([cells, unseen]), np.concatenate([weights, np.full(len(unseen), HALF_ROW)])
    profiles, *uploads = _draw(random, cells, weights.astype(np.float64), [len(rows), *sizes], ends)
    for upload in uploads:
        indexes = [_indexes(before, now) for before, now in zip(profiles, upload, strict=True)]
        yield joint_limits(np.stack(indexes, axis=1), FALSE_ALARMS)


def _draw(
    random: np.random.Generator, cells: Ints, weights: Floats, sizes: Sequence[int], ends: Sequence[int]
) -> list[list[Floats]]:
    """Draw samples of these sizes. Return for each, per kind, (draws, buckets) counts.

    Each draw is from other shares of the cells, as probable as the rows make them (the Bayesian bootstrap, Rubin, 1981). All sizes of a draw
    are from the same shares.
    """
    drawn = [[np.zeros((DRAWS, end)) for end in ends] for _ in sizes]
    orders = [np.argsort(column, kind="stable") for column in cells.T]
    buckets, starts = zip(
        *(np.unique(column[order], return_index=True) for column, order in zip(cells.T, orders, strict=True)), strict=True
    )
    step = max(1, _CHUNK_VALUES // len(cells))
    for first in range(0, DRAWS, step):
        shares = random.standard_gamma(weights, size=(min(step, DRAWS - first), len(cells)))
        shares /= shares.sum(axis=1, keepdims=True)
        for size, into in zip(sizes, drawn, strict=True):
            times = random.multinomial(size, shares)
            for place, order in enumerate(orders):
                into[place][first : first + len(times), buckets[place]] = np.add.reduceat(
                    times[:, order], starts[place], axis=1
                )
    return drawn


def _indexes(expected: Floats, actual: Floats) -> Floats:
    """Return (draws,) population stability indexes, as `ptmlops_contracts.drift.stability_index`."""
    before, now = expected + HALF_ROW, actual + HALF_ROW
    before, now = before / before.sum(axis=1, keepdims=True), now / now.sum(axis=1, keepdims=True)
    found: Floats = ((now - before) * np.log(now / before)).sum(axis=1)
    return found


def joint_limits(indexes: Floats, share: float) -> Floats:
    """Return (kinds,) limits, the same quantile of each kind, of which at most this share of the draws exceeds any.

    Args:
        indexes: (draws, kinds)
        share: Between 0 and 1.
    """
    ordered = np.sort(indexes, axis=0)[::-1]
    limits: Floats = ordered[0]
    for rank in range(1, max(2, int(share * len(indexes)) + 1)):
        if (indexes > ordered[rank]).any(axis=1).mean() > share:
            break
        limits = ordered[rank]
    return limits
