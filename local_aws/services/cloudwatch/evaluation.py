"""Decide the state of an alarm, as CloudWatch documents it. Pure functions.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html

CloudWatch evaluates each minute, on periods that end with a whole minute. Here an alarm is evaluated each second, on periods that end then.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
# CloudWatch looks at more periods than it evaluates, and ignores missing ones if enough of the others have data. In the tables of its
# documentation there are two more.
FURTHER_PERIODS = 2

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True)
class Sample:
    """Values of a metric at one time, summed up."""

    moment: datetime
    count: float
    total: float
    smallest: float
    largest: float


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What an alarm watches. The names are PutMetricAlarm's."""

    statistic: str
    period: timedelta
    threshold: float
    comparison: str
    evaluation_periods: int
    datapoints_to_alarm: int
    missing: str

    @property
    def range(self) -> timedelta:
        """How far the alarm looks back."""
        return self.period * (self.evaluation_periods + FURTHER_PERIODS)


@dataclass(frozen=True)
class Verdict:
    """A state and the reason for it. `points` are those that decided, the newest first."""

    state: str
    reason: str
    points: tuple[float, ...] = ()


def points_of(samples: Sequence[Sample], condition: Condition, now: datetime) -> list[float | None]:
    """Return the statistic per period, the newest first; None for a period without data."""
    count = condition.evaluation_periods + FURTHER_PERIODS
    periods: list[list[Sample]] = [[] for _ in range(count)]
    for sample in samples:
        index = (now - sample.moment) // condition.period
        if 0 <= index < count:
            periods[index].append(sample)
    return [_statistic(condition.statistic, found) if found else None for found in periods]


def evaluate(points: Sequence[float | None], condition: Condition, current: str) -> Verdict:
    """Return the state for the points of the evaluation range, the newest first.

    Args:
        points: of `points_of`.
        condition: what the alarm watches.
        current: the state before, which may stay.
    """
    needed, to_alarm = condition.evaluation_periods, condition.datapoints_to_alarm
    existing = [(age, point) for age, point in enumerate(points) if point is not None]
    decisive = existing[:needed]
    values = tuple(point for _, point in decisive)
    breaching = [age for age, point in decisive if _breaches(point, condition)]
    fill = max(needed - len(existing), 0)
    if condition.missing == "breaching":
        state = ALARM if len(breaching) + fill >= to_alarm else OK
    elif condition.missing == "notBreaching" or not fill:
        state = ALARM if len(breaching) >= to_alarm else OK
    else:
        state = _with_missing(breaching, len(existing), condition, current)
    return Verdict(state, _reason(state, values, len(breaching), fill, condition), values)


def _with_missing(breaching: Sequence[int], existing: int, condition: Condition, current: str) -> str:
    """Return the state if points are missing and count neither as good nor as bad."""
    if not existing:
        return current if condition.missing == "ignore" else INSUFFICIENT_DATA
    if len(breaching) >= condition.datapoints_to_alarm:
        return ALARM
    if len(breaching) < existing:
        return OK
    # All that exist breach, and they are too few. CloudWatch raises the alarm if the oldest is as old as the number of points to alarm.
    is_old = max(breaching) + 1 >= condition.datapoints_to_alarm
    return ALARM if is_old and condition.missing == "missing" else current


def _breaches(point: float, condition: Condition) -> bool:
    return COMPARISONS[condition.comparison](point, condition.threshold)


def _statistic(name: str, samples: Sequence[Sample]) -> float:
    count, total = sum(sample.count for sample in samples), sum(sample.total for sample in samples)
    values = {
        "Sum": total,
        "SampleCount": count,
        "Average": total / count,
        "Minimum": min(sample.smallest for sample in samples),
        "Maximum": max(sample.largest for sample in samples),
    }
    return values[name]


def _reason(state: str, values: Sequence[float], breaching: int, fill: int, condition: Condition) -> str:
    if not values:
        return f"no data in the evaluation range: missing data is {condition.missing}"
    shown = ", ".join(f"{value:g}" for value in values)
    missing = f"; {fill} missing, treated as {condition.missing}" if fill else ""
    return (
        f"{state}: {breaching} of the data points [{shown}] breach: {condition.statistic} {condition.comparison} "
        f"{condition.threshold:g}{missing}"
    )
