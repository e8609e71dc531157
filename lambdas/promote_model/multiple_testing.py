"""Test all labels at once: which labels' recall fell by more than chance explains.

Each label is tested with McNemar's exact test, one-sided. Holm's procedure (1979) keeps the chance of any false alarm at `ALPHA`,
in the form of Westfall and Wolfinger (1997, "Multiple tests with discrete distributions"): a label on which the two models differ
in few rows cannot reach a small p-value, so it takes nothing from the other labels' share.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

# Of evaluations of two equal models, at most this share reports any label.
ALPHA = 0.05
# Two sums that are equal in exact arithmetic may differ in their last digits.
TOLERANCE = 1 + 1e-9


@dataclass(frozen=True, kw_only=True)
class RecallChange:
    """A label's held-out rows.

    Attributes:
        label: the label.
        lost: rows that only the champion has right.
        gained: rows that only the candidate has right.
        support: all rows of the label.
    """

    label: str
    lost: int
    gained: int
    support: int

    @property
    def fall(self) -> float:
        """The champion's recall minus the candidate's."""
        return (self.lost - self.gained) / self.support

    @property
    def by_chance(self) -> float:
        """McNemar's p-value: the chance that so many of the differing rows are lost, if each is lost or gained by a fair coin."""
        return _upper_tail(self.lost, self.gained)


def labels_with_lower_recall(changes: Sequence[RecallChange], limit: float) -> set[str]:
    """Return the labels whose recall fell by more than `limit` and by more than chance explains.

    Example:
        >>> one = RecallChange(label="access", lost=5, gained=0, support=30)  # falls by .167, p = 1/32
        >>> labels_with_lower_recall([one], 0.1)
        {'access'}
    """
    remaining, fallen = list(changes), set[str]()
    for change in sorted((each for each in changes if each.fall > limit), key=lambda each: each.by_chance):
        level = change.by_chance
        # No label's chance exceeds the level, so if their number times the level is small enough, nothing has to be summed.
        if level * len(remaining) > ALPHA and sum(_chance_of_alarm(other, level, limit) for other in remaining) > ALPHA:
            break
        remaining.remove(change)
        fallen.add(change.label)
    return fallen


def _chance_of_alarm(change: RecallChange, level: float, limit: float) -> float:
    """Return the chance that this label, by chance alone, falls by more than the limit with a p-value of at most `level`."""
    total = change.lost + change.gained
    if 0.5**total > level * TOLERANCE:  # not even if every row were lost
        return 0.0

    def raises_alarm(lost: int) -> bool:
        return (2 * lost - total) / change.support > limit and _upper_tail(lost, total - lost) <= level * TOLERANCE

    fewest = bisect_left(range(total + 1), True, key=raises_alarm)
    return _upper_tail(fewest, total - fewest) if fewest <= total else 0.0


def _upper_tail(heads: int, tails: int) -> float:
    """Return the chance of at least `heads` heads in `heads + tails` tosses of a fair coin."""
    if heads == 0:
        return 1.0
    if heads <= tails:
        return 1 - _upper_tail(tails + 1, heads - 1)
    tosses, tail = heads + tails, 0.0
    log_ways = math.lgamma(tosses + 1) - math.lgamma(heads + 1) - math.lgamma(tails + 1)
    term = math.exp(log_ways - tosses * math.log(2))
    for count in range(heads, tosses + 1):
        tail += term
        if term <= tail * 1e-17:
            break
        term *= (tosses - count) / (count + 1)
    return tail
