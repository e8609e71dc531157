"""Find the categories with a share of the complaints that rose or fell against the runs before by more than chance explains."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ALPHA = 0.05  # probability that a report without any real change names one
MIN_EXPECTED = 5  # complaints; below it the normal approximation does not hold (Cochran, 1954)
MIN_COMPLAINTS = 10  # of a category, in this run or expected in it; fewer are not reported
MIN_RELATIVE_CHANGE = 0.1  # of the share before: in a large run, chance explains hardly any difference


@dataclass(frozen=True, kw_only=True)
class EarlierRun:
    """What the report compares a run with.

    Attributes:
        categories: complaints per predicted label.
        medians: median amount per currency. Runs of earlier versions have none.
    """

    run_id: str
    categories: Mapping[str, int]
    medians: Mapping[str, float] = field(default_factory=dict)
    model_version: str = ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """A category that changed. `before` and `now` are its shares of the complaints."""

    label: str
    complaints: int
    before: float
    now: float


def pooled(runs: Sequence[Mapping[str, int]]) -> Counter[str]:
    """Return the complaints per label of all runs together."""
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(run)
    return counts


def changed_categories(current: Mapping[str, int], earlier: Sequence[Mapping[str, int]]) -> list[Change]:
    """Return the categories that changed by more than chance explains, the largest difference first.

    Each category's share is compared with its share of the earlier runs together, by a two-proportion test with continuity correction.
    Holm's method (1979) keeps the probability of any false alarm among all categories at about ALPHA. The variance has two
    parts: that of drawing complaints, and that of the runs, which differ among themselves more than drawing explains
    (`run_correlation`).

    ```
    z = (|p0 - p| - c) / sqrt(q (1 - q) ((1 - r) (1 / n0 + sum(w² / n)) + r (1 + sum(w²))))
    ```

    with p0, n0 of this run, p of the earlier ones, n of each and w = n / sum(n), q of all together, and r the correlation. If r is not 0,
    z has about the t distribution, because r is an estimate. With one earlier run, r cannot be estimated and counts as 0.

    Args:
        current: complaints per label.
        earlier: complaints per label in each of the runs before.
    """
    before = pooled(earlier)
    n_now, n_before = sum(current.values()), before.total()
    if not n_now or not n_before:
        return []
    correlation, freedom = run_correlation(earlier)
    sizes = [sum(run.values()) for run in earlier]
    weights = [size / n_before for size in sizes]
    drawing = 1 / n_now + 1 / n_before
    between = 1 + sum(weight**2 for weight in weights)
    correction = 0.5 * drawing
    tested: list[tuple[float, Change]] = []
    for label in sorted(set(current) | set(before)):
        count, count_before = current.get(label, 0), before[label]
        share = (count + count_before) / (n_now + n_before)
        if min(share * n_now, share * n_before) < MIN_EXPECTED:
            continue
        change = Change(label=label, complaints=count, before=count_before / n_before, now=count / n_now)
        variance = share * (1 - share) * ((1 - correlation) * drawing + correlation * between)
        difference = max(abs(change.now - change.before) - correction, 0)
        z = difference / math.sqrt(variance) if variance else 0.0
        tested.append((_two_sided(z, freedom) if correlation else math.erfc(z / math.sqrt(2)), change))
    found = [change for change in _holm(tested) if _is_large_enough(change, n_now)]
    return sorted(found, key=lambda change: (-abs(change.now - change.before), change.label))


def run_correlation(runs: Sequence[Mapping[str, int]]) -> tuple[float, int]:
    """Return how much more runs differ than drawing complaints explains, and the degrees of freedom of this estimate.

    The first is the intraclass correlation, 0 if runs do not differ more, or if there is only one. It is the moment estimate
    of the Dirichlet-multinomial distribution from Pearson's statistic of homogeneity (Brier, 1980), which also weighs runs of
    different sizes. Categories with few complaints are counted as one.
    """
    sizes = [sum(run.values()) for run in runs]
    counts, total = pooled(runs), sum(sizes)
    if len(runs) < 2 or min(sizes) < 1:
        return 0.0, 0
    frequent = [label for label, count in counts.items() if count * min(sizes) / total >= MIN_EXPECTED]
    rows = [[run.get(label, 0) for label in frequent] for run in runs]
    rest = total - sum(counts[label] for label in frequent)
    if rest:
        rows = [[*row, size - sum(row)] for row, size in zip(rows, sizes, strict=True)]
    cells = len(rows[0])
    if cells < 2:
        return 0.0, 0
    shares = [sum(column) / total for column in zip(*rows, strict=True)]
    statistic = sum(
        (count - share * size) ** 2 / (share * size)
        for row, size in zip(rows, sizes, strict=True)
        for count, share in zip(row, shares, strict=True)
    )
    surplus = statistic / (cells - 1) - (len(runs) - 1)
    growth = sum((size - 1) * (1 - size / total) for size in sizes)
    return (min(max(surplus / growth, 0.0), 1.0) if growth else 0.0), (len(runs) - 1) * (cells - 1)


def _two_sided(t: float, freedom: int) -> float:
    """Return the probability that |T| of Student's distribution exceeds `t` (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    square = math.cos(angle) ** 2
    odd = freedom % 2
    term, total = (math.cos(angle) if odd else 1.0), 0.0
    for step in range(freedom // 2):
        total += term
        term *= square * (2 * step + 2) / (2 * step + 3) if odd else square * (2 * step + 1) / (2 * step + 2)
    inside = 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
    return max(1 - inside, 0.0)


def _holm(tested: Sequence[tuple[float, Change]]) -> list[Change]:
    """Return the changes that Holm's step-down method accepts."""
    found = []
    for rank, (probability, change) in enumerate(sorted(tested, key=lambda item: (item[0], item[1].label))):
        if probability > ALPHA / (len(tested) - rank):
            break
        found.append(change)
    return found


def _is_large_enough(change: Change, n_now: int) -> bool:
    difference = abs(change.now - change.before)
    return (
        max(change.complaints, change.before * n_now) >= MIN_COMPLAINTS and difference >= MIN_RELATIVE_CHANGE * change.before
    )
