"""Which labels' recall fell against the champion by more than chance explains, looking at all labels at once."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

# Of evaluations of equal models, at most this share have any label that counts as fallen.
CHANCE = 0.05
# Two sums that are equal on paper may differ in their last digits.
ALIKE = 1 + 1e-9


@dataclass(frozen=True, kw_only=True)
class Change:
    """A label's holdout rows: `lost` only the champion has right, `gained` only the candidate, of `support` in all."""

    label: str
    lost: int
    gained: int
    support: int

    @property
    def fall(self) -> float:
        """By how much recall is lower than the champion's."""
        return (self.lost - self.gained) / self.support

    @property
    def by_chance(self) -> float:
        """How often so many rows are lost, were each lost or gained by the toss of a coin (McNemar, exact, one-sided)."""
        return _heads(self.lost, self.gained)


def falls(changes: Sequence[Change], limit: float) -> set[str]:
    """The labels whose recall fell by more than `limit` and by more than chance explains.

    Holm's steps (1979), where each label takes the share of chance that it can have (Westfall and Wolfinger, 1997: multiple
    tests with discrete distributions): a label of which few rows are answered differently cannot fall so far, and takes
    nothing from the others. Of equal models at most `CHANCE` have any label here, whatever the number of labels.
    """
    left, found = list(changes), set[str]()
    for change in sorted((each for each in changes if each.fall > limit), key=lambda each: each.by_chance):
        level = change.by_chance
        # No label's chance is more than the level: where that is small enough, nothing needs to be summed.
        if level * len(left) > CHANCE and sum(_chance_to_fall(other, level, limit) for other in left) > CHANCE:
            break
        left.remove(change)
        found.add(change.label)
    return found


def _chance_to_fall(change: Change, level: float, limit: float) -> float:
    """How often chance lets this label fall by more than the limit with a p-value of at most `level`."""
    total = change.lost + change.gained
    if 0.5**total > level * ALIKE:  # not even if every row were lost
        return 0.0

    def counts(lost: int) -> bool:
        return (2 * lost - total) / change.support > limit and _heads(lost, total - lost) <= level * ALIKE

    fewest = bisect_left(range(total + 1), True, key=counts)
    return _heads(fewest, total - fewest) if fewest <= total else 0.0


def _heads(heads: int, tails: int) -> float:
    """The chance of at least `heads` in `heads + tails` tosses of a coin."""
    if heads == 0:
        return 1.0
    if heads <= tails:
        return 1 - _heads(tails + 1, heads - 1)
    tosses, found = heads + tails, 0.0
    ways = math.lgamma(tosses + 1) - math.lgamma(heads + 1) - math.lgamma(tails + 1)
    term = math.exp(ways - tosses * math.log(2))
    for count in range(heads, tosses + 1):
        found += term
        if term <= found * 1e-17:
            break
        term *= (tosses - count) / (count + 1)
    return found
