"""Prepares the report's first screen and its chart: what changed, which amounts are mentioned, and what needs a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from complaints_etl.publish.changes import Change, EarlierRun, pooled
from complaints_etl.publish.statistics import RunStatistics

SHOWN_CHANGES = 4
SHOWN_CURRENCIES = 3
CHART_CATEGORIES = 6
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")  # keys of the texts


@dataclass(frozen=True, kw_only=True)
class CurrencyTotals:
    """Amounts of one currency. `before` is the lowest and highest median of the earlier runs, None if they have none."""

    currency: str
    mentions: int
    total: float
    median: float
    before: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The part of the chart for one category: its share of each run, oldest first, this run last."""

    label: str
    shares: Sequence[float]
    change: Change | None

    @property
    def heights(self) -> list[float]:
        """Return the shares as parts of the largest."""
        largest = max(self.shares) or 1.0
        return [share / largest for share in self.shares]


def currency_totals(statistics: RunStatistics, earlier: Sequence[EarlierRun]) -> list[CurrencyTotals]:
    """Return the currencies that the complaints mention most."""
    totals: dict[str, float] = {}
    mentions: Counter[str] = Counter()
    for amounts in statistics.amounts:
        totals[amounts.currency] = totals.get(amounts.currency, 0.0) + amounts.total
        mentions[amounts.currency] += amounts.mentions
    found = []
    for currency in sorted(mentions, key=lambda name: (-mentions[name], name))[:SHOWN_CURRENCIES]:
        medians = [run.medians[currency] for run in earlier if currency in run.medians]
        found.append(
            CurrencyTotals(
                currency=currency,
                mentions=mentions[currency],
                total=totals[currency],
                median=statistics.medians.get(currency, 0.0),
                before=(min(medians), max(medians)) if medians else None,
            )
        )
    return found


def run_names(months: Mapping[str, str], run_ids: Sequence[str]) -> list[str]:
    """Return a short name per run: its day, and its time if another run has the day. Run ids begin with their start, in UTC."""
    days = [f"{int(name[6:8])} {months[MONTHS[int(name[4:6]) - 1]]}" for name in run_ids]
    # The year is left out: a report compares with the newest runs.
    return [
        f"{day} {name[9:11]}:{name[11:13]}" if days.count(day) > 1 else day for day, name in zip(days, run_ids, strict=True)
    ]


def panels(current: Mapping[str, int], earlier: Sequence[EarlierRun], changes: Sequence[Change]) -> list[Panel]:
    """Return what the chart shows: the categories that changed, then the largest ones. Nothing without an earlier run."""
    if not current or not earlier:
        return []
    runs = [*(run.categories for run in reversed(earlier)), current]
    changed = {change.label: change for change in changes}
    counts = pooled(runs)
    largest = sorted(counts, key=lambda label: (-current.get(label, 0), -counts[label], label))
    shown = list(dict.fromkeys([*changed, *largest]))[:CHART_CATEGORIES]
    sizes = [sum(run.values()) or 1 for run in runs]
    return [
        Panel(
            label=label,
            shares=[run.get(label, 0) / size for run, size in zip(runs, sizes, strict=True)],
            change=changed.get(label),
        )
        for label in shown
    ]
