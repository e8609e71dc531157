"""Metrics of answers and of their confidence, for training and evaluation.

Training calls these thousands of times, on counts, so they are written with NumPy; tests compare them with scikit-learn and SciPy.
Evaluate takes from scikit-learn what it has.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from complaint_model.arrays import Bools, Floats, Ints


def confusion_counts(truth: Ints, predicted: Ints, count: int) -> Floats:
    """Return (true, predicted) counts of rows for `count` labels."""
    return np.bincount(truth * count + predicted, minlength=count * count).reshape(count, count).astype(np.float64)


def f1_scores(right: Floats, support: Floats, predicted: Floats) -> Floats:
    """Return F1 = 2 right / (support + predicted) of labels that have rows."""
    return np.asarray(2 * right / (support + predicted))


def macro_f1(confusion: Floats) -> float:
    """Return the mean F1 over the labels that have rows; `confusion` is (true, predicted)."""
    support, predicted, right = confusion.sum(1), confusion.sum(0), np.diag(confusion)
    occurs = support > 0
    return float(f1_scores(right[occurs], support[occurs], predicted[occurs]).mean()) if occurs.any() else float("nan")


def calibration_error(confidence: Floats, right: Bools, bins: int = 15) -> float:
    """Return the expected calibration error: |share right - mean confidence| in bins of equal width, weighted by their rows."""
    if not len(confidence):
        return float("nan")
    bin_of = confidence_bins(confidence, bins)
    gap = np.bincount(bin_of, weights=right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def confidence_bins(confidence: Floats, bins: int) -> Ints:
    """Return the bin of each confidence, of `bins` of equal width over [0, 1]."""
    return np.asarray(np.minimum((confidence * bins).astype(np.int64), bins - 1))


def coverage_at(confidence: Floats, right: Bools, precision: float) -> float:
    """Return the largest share of rows, the most confident first, of which at least `precision` are right; 0 if there is none."""
    return lowest_threshold(confidence, right, lambda found, _: found >= precision)[1]


def lowest_threshold(confidence: Floats, right: Bools, accepted: Callable[[Floats, Floats], Bools]) -> tuple[float, float]:
    """Find the lowest threshold of confidence whose rows are accepted.

    Args:
        confidence: (rows,)
        right: (rows,) whether the answer is right.
        accepted: Takes (precision, rows) above every possible threshold, and returns which of them will do.

    Returns:
        The threshold and the share of rows that reach it, or (1.0, 0.0).
    """
    order = np.argsort(-confidence, kind="stable")
    rows = np.arange(1.0, len(order) + 1)
    # A threshold cannot separate rows of the same confidence.
    last_of_tie = np.append(confidence[order][1:] != confidence[order][:-1], True)
    good = np.flatnonzero(accepted(np.cumsum(right[order]) / rows, rows) & last_of_tie)
    if not len(good):
        return 1.0, 0.0
    return float(confidence[order][good[-1]]), float((good[-1] + 1) / len(order))


def wilson_lower_bound(share: Floats, rows: Floats, confidence: float) -> Floats:
    """Return the one-sided lower bound of a share found in so many rows (Wilson, 1927), for arrays of shares.

    scipy.stats.binomtest gives the same for one share at a time, which is too slow for every threshold of a training set.
    """
    square = ndtri(confidence) ** 2
    spread = np.sqrt(square * (share * (1 - share) / rows + square / (4 * rows * rows)))
    return np.asarray((share + square / (2 * rows) - spread) / (1 + square / rows))
