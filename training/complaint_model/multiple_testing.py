"""Test all labels at once: which labels' recall fell by more than chance explains.

Each label is tested with McNemar's exact test, one-sided. Holm's procedure (1979) keeps the chance of any false alarm at
`RECALL_ALPHA`, in the form of Westfall and Wolfinger (1997, "Multiple tests with discrete distributions"): a label on which the two
models differ in few rows cannot reach a small p-value, so it takes nothing from the other labels' share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from complaint_model.arrays import Floats, Ints
from ptmlops_contracts.evaluation import RECALL_ALPHA

# Two sums that are equal in exact arithmetic may differ in their last digits.
TOLERANCE = 1 + 1e-9


@dataclass(frozen=True, kw_only=True)
class RecallCounts:
    """Held-out rows of labels.

    Attributes:
        lost: (labels,) rows that only the champion has right.
        gained: (labels,) rows that only the candidate has right.
        support: (labels,) all rows of the label, at least 1.
    """

    lost: Ints
    gained: Ints
    support: Ints

    @property
    def fall(self) -> Floats:
        """The champion's recall minus the candidate's, (labels,)."""
        return np.asarray((self.lost - self.gained) / self.support)

    @property
    def p_values(self) -> Floats:
        """McNemar's p-values: the chance that so many of the differing rows are lost, if each is lost or gained by a fair coin."""
        return _upper_tail(self.lost, self.lost + self.gained)


def labels_with_lower_recall(counts: RecallCounts, max_drop: float) -> list[int]:
    """Return the indexes of labels with a fall in recall of more than `max_drop` that chance does not explain.

    Example:
        >>> fell = RecallCounts(lost=np.array([5, 1]), gained=np.array([0, 1]), support=np.array([30, 30]))
        >>> fell.fall.round(3).tolist(), fell.p_values.tolist()
        ([0.167, 0.0], [0.03125, 0.75])
        >>> labels_with_lower_recall(fell, 0.1)
        [0]
    """
    p_values, fallen = counts.p_values, list[int]()
    remaining = np.ones(len(p_values), dtype=bool)
    suspects = np.flatnonzero(counts.fall > max_drop)
    for label in suspects[np.argsort(p_values[suspects], kind="stable")].tolist():
        level = p_values[label]
        # No label's chance exceeds the level. So if their number times the level is small enough, no sum is needed.
        if level * remaining.sum() > RECALL_ALPHA and _chances(counts, level, max_drop)[remaining].sum() > RECALL_ALPHA:
            break
        remaining[label] = False
        fallen.append(label)
    return fallen


def _chances(counts: RecallCounts, level: float, max_drop: float) -> Floats:
    """Return for each label the chance that it falls by more than `max_drop` with a p-value of at most `level`, by chance alone."""
    total = counts.lost + counts.gained
    # Find the fewest lost rows with that result, by bisection for all labels at once; total + 1 if all are too few.
    fewest, enough = np.zeros_like(total), total + 1
    while (fewest < enough).any():
        middle = (fewest + enough) // 2
        falls = (2 * middle - total) / counts.support > max_drop
        is_enough = falls & (_upper_tail(middle, total) <= level * TOLERANCE)
        fewest, enough = np.where(is_enough | (fewest == enough), fewest, middle + 1), np.where(is_enough, middle, enough)
    return _upper_tail(fewest, total)


def _upper_tail(heads: Ints, tosses: Ints) -> Floats:
    """Return the chance of at least `heads` heads in `tosses` tosses of a fair coin (https://dlmf.nist.gov/8.17.E5)."""
    # Not bdtrc, which is wrong from about a million tosses on.
    return np.asarray(betainc(heads, tosses - heads + 1, 0.5))
