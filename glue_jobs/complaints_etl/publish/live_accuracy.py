"""Estimate live accuracy from the answers that people checked.

What comes back is no random sample of the answers: people get nearly all doubtful answers and few certain ones. So the estimate is
stratified. A stratum is the certain or the doubtful answers of one run. Of each, the review list has a random sample, and only the
sample counts, unless nearly the whole stratum came back. docs/decisions/0023-live-accuracy-and-drift.md explains the choices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ptmlops_contracts.live import MIN_CHECKED, MIN_CHECKED_OF_LABEL, Checked, LiveAccuracy

# Of a stratum that came back up to this share, all that came back counts. What is missing can shift its share by 0.05 at most.
WHOLE = 0.95
# A class of answers of which nobody checked any is left out if it has at most this share of them; the interval then allows for both extremes.
MOST_UNCHECKED = 0.05
NORMAL_QUANTILE = 1.959964  # of 0.975


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The answers with one label in one stratum: certain or doubtful answers of a run.

    Attributes:
        answers: how many there are.
        returned: of them, those with a label of a person.
        right: of `returned`, those that the person confirmed.
        sampled: of `returned`, those of the random sample.
        sampled_right: of `sampled`, those that the person confirmed.
    """

    run_id: str
    model_version: str
    doubtful: bool
    label: str
    answers: int
    returned: int = 0
    right: int = 0
    sampled: int = 0
    sampled_right: int = 0


@dataclass(frozen=True)
class Stratum:
    """Answers of one run, how many of them count, and how many of these are right."""

    answers: int
    checked: int
    right: int


@dataclass(frozen=True)
class Estimate:
    """A share with its 95% interval. `checked` is the sample's effective size."""

    share: float
    low: float
    high: float
    checked: float


def live_accuracy(cells: Iterable[Cell], *, run_id: str, held_out: Mapping[str, Mapping[str, Any]]) -> list[LiveAccuracy]:
    """Return the live accuracy of each version of which answers came back, the newest first.

    Args:
        cells: of all runs that are looked at.
        run_id: the run that compares.
        held_out: `evaluation.Measured` per version, as far as it is known.
    """
    by_version: dict[str, list[Cell]] = {}
    for cell in cells:
        by_version.setdefault(cell.model_version, []).append(cell)
    return [
        _of_version(version, by_version[version], run_id, held_out.get(version))
        for version in sorted(by_version, key=_number, reverse=True)
        if any(cell.returned for cell in by_version[version])
    ]


def _of_version(version: str, cells: Sequence[Cell], run_id: str, measured: Mapping[str, Any] | None) -> LiveAccuracy:
    counted = _counted(cells)
    labels = sorted({cell.label for cell in counted if cell.returned})
    overall = _checked(counted, MIN_CHECKED)
    accuracy = (measured or {}).get("accuracy")
    return {
        **overall,
        "model_version": version,
        "measured_by": run_id,
        "returned": sum(cell.returned for cell in cells),
        "certain": _checked([cell for cell in counted if not cell.doubtful], MIN_CHECKED_OF_LABEL),
        "doubtful": _checked([cell for cell in counted if cell.doubtful], MIN_CHECKED_OF_LABEL),
        "labels": {
            label: _checked([cell for cell in counted if cell.label == label], MIN_CHECKED_OF_LABEL) for label in labels
        },
        "held_out_accuracy": accuracy,
        "fall": _fall(overall, accuracy, (measured or {}).get("accuracy_interval")),
    }


def _counted(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells of runs of which something counts. `returned` and `right` are then of the answers that count."""
    answers: dict[tuple[str, bool], int] = {}
    returned: dict[tuple[str, bool], int] = {}
    for cell in cells:
        stratum = (cell.run_id, cell.doubtful)
        answers[stratum] = answers.get(stratum, 0) + cell.answers
        returned[stratum] = returned.get(stratum, 0) + cell.returned
    is_whole = {stratum: returned[stratum] >= WHOLE * count for stratum, count in answers.items()}
    counted = [
        cell if is_whole[cell.run_id, cell.doubtful] else replace(cell, returned=cell.sampled, right=cell.sampled_right)
        for cell in cells
    ]
    runs = {cell.run_id for cell in counted if cell.returned}
    return [cell for cell in counted if cell.run_id in runs]


def _checked(cells: Sequence[Cell], least: int) -> Checked:
    """Estimate the share of right answers among these, if at least so many were checked."""
    strata: dict[tuple[bool, str], Stratum] = {}
    for cell in cells:
        before = strata.get((cell.doubtful, cell.run_id), Stratum(0, 0, 0))
        strata[cell.doubtful, cell.run_id] = Stratum(
            before.answers + cell.answers, before.checked + cell.returned, before.right + cell.right
        )
    classes = [[one for (doubtful, _), one in strata.items() if doubtful is wanted] for wanted in (False, True)]
    checked = sum(one.checked for one in strata.values())
    estimate = combine(classes) if checked >= least else None
    return Checked(
        answers=sum(one.answers for one in strata.values()),
        checked=checked,
        accuracy=round(estimate.share, 4) if estimate else None,
        accuracy_interval=[round(estimate.low, 4), round(estimate.high, 4)] if estimate else None,
    )


def combine(classes: Sequence[Sequence[Stratum]]) -> Estimate | None:
    """Estimate a share over classes of answers, or return None if a class that matters was not checked.

    Each class counts by its number of answers, whether its runs were checked or not. The interval combines the distances of the classes'
    limits from their shares (Zou and Donner, 2008; with Wilson limits: Yan and Su, 2010). So it has a width also if all answers are right.
    """
    total = sum(one.answers for strata in classes for one in strata)
    found = (
        [(sum(one.answers for one in strata) / total, _class_share(strata)) for strata in classes if strata] if total else []
    )
    known = [(weight, estimate) for weight, estimate in found if estimate]
    checked = sum(weight for weight, _ in known)
    if checked < 1 - MOST_UNCHECKED:
        return None
    share = sum(weight * estimate.share for weight, estimate in known) / checked
    below = math.hypot(*(weight * (estimate.share - estimate.low) for weight, estimate in known)) / checked
    above = math.hypot(*(weight * (estimate.high - estimate.share) for weight, estimate in known)) / checked
    low, high = max(0.0, share - below), min(1.0, share + above)
    # The rest may be all wrong, or all right.
    return Estimate(share, checked * low, checked * high + 1 - checked, sum(estimate.checked for _, estimate in known))


def _class_share(strata: Sequence[Stratum]) -> Estimate | None:
    """Estimate the share of a class over the runs of which some were checked: each run counts by its number of answers.

    The interval is Wilson's (1927) at the effective sample size (Kish, 1965): with unequal weights a sample says less than its size.
    """
    checked = [one for one in strata if one.checked]
    if not checked:
        return None
    total = sum(one.answers for one in checked)
    share = sum(one.answers / total * one.right / one.checked for one in checked)
    size = 1 / sum((one.answers / total) ** 2 / one.checked for one in checked)
    return Estimate(share, *wilson(share, size), size)


def wilson(share: float, rows: float) -> tuple[float, float]:
    """Return the 95% interval of a share of so many rows."""
    z = NORMAL_QUANTILE
    center = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * math.sqrt(max(share * (1 - share), 0.0) / rows + (z / (2 * rows)) ** 2) / (1 + z**2 / rows)
    return max(center - half, 0.0), min(center + half, 1.0)


def _fall(live: Checked, held_out: float | None, interval: Sequence[float] | None) -> float | None:
    """Return by how much live accuracy is below that on held-out complaints, or 0 if the interval of the difference reaches 0."""
    if held_out is None or interval is None or live["accuracy"] is None or live["accuracy_interval"] is None:
        return None
    difference = held_out - live["accuracy"]
    margin = math.hypot(held_out - interval[0], live["accuracy_interval"][1] - live["accuracy"])
    return round(difference, 4) if difference > margin else 0.0


def _number(version: str) -> int:
    """Return a version for sorting. Versions of the registry are numbers."""
    return int(version) if version.isdigit() else -1
