"""Check recall for the gate: no label may fall by more than the limit and by more than chance explains.

Evaluate tests which labels fell (training/complaint_model/multiple_testing.py). The gate reads its result, and refuses one that
contradicts the counts of rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promote_model.checks import ABSENT, ROUNDING, Checks, distinct, short_name
from ptmlops_contracts.evaluation import RECALL_ALPHA


@dataclass(frozen=True, kw_only=True)
class _RecallChange:
    """The change of a label's recall, after a check that its numbers agree with each other."""

    label: str
    fall: float  # the champion's recall minus the candidate's
    p_value: float


def check_recalls(checks: Checks, comparison: Mapping[str, Any], supports: Mapping[str, int], limit: float) -> None:
    """Check that no label's recall falls by more than the limit and more than chance explains, as Evaluate tested it."""
    changes, compared = comparison["recall"], []
    for label in sorted({*supports, *changes}):
        if label not in supports:
            checks.refuse("recall", f"recall of {short_name(label)} is compared, but the holdout has no row of it")
        elif change := _label_change(checks, label, changes.get(label), supports[label]):
            compared.append(change)
    lower = _lower_recall(checks, comparison, compared, limit)
    for change in compared:
        name, fell = short_name(change.label), change.label in lower
        sentence = f"recall of {name} changes by {-change.fall + 0.0:+.3f}"
        if fell:
            fall, max_fall = distinct(change.fall, limit)
            sentence = f"recall of {name} falls by {fall}, more than {max_fall} and more than chance explains"
        elif change.fall > limit:
            sentence += ": within what chance explains"
        checks.add(f"recall: {change.label}", -change.fall + 0.0, -limit, sentence, passed=not fell)


def _label_change(checks: Checks, label: str, change: object, support: int) -> _RecallChange | None:
    """Return a label's change of recall if its numbers exist and agree."""
    name = short_name(label)
    if not isinstance(change, Mapping):
        checks.refuse("recall", f"the change of recall of {name} is missing")
        return None
    owner = f"for {name}, the recall"
    lost, gained = (checks.count(change, field, owner, high=support) for field in ("lost", "gained"))
    difference = checks.number(change, "difference", owner, low=-1)
    p_value = checks.number(change, "p_value", owner)
    if lost is None or gained is None or difference is None or p_value is None:
        return None
    fall = (lost - gained) / support
    low, high = _p_value_range(lost, gained)
    counts = f"for {name}, {lost} rows lost and {gained} gained of {support}"
    if lost + gained > support:
        checks.refuse("recall", f"{counts}: more than the label has")
    elif abs(difference + fall) > ROUNDING:
        checks.refuse("recall", f"{counts} do not change recall by {difference:+.6f}")
    elif not low - ROUNDING <= p_value <= high + ROUNDING:
        checks.refuse("recall", f"{counts} contradict a p-value of {p_value:.6f}: it must be from {low:.6f} to {high:.6f}")
    else:
        return _RecallChange(label=label, fall=fall, p_value=p_value)
    return None


def _p_value_range(lost: int, gained: int) -> tuple[float, float]:
    """Return bounds of McNemar's p-value, the chance of at least `lost` heads in `lost + gained` tosses of a fair coin.

    The upper bound is Hoeffding's (1963). Evaluate computes the exact value; the gate only checks that it fits the counts.
    """
    total = lost + gained
    if lost <= gained:
        return (1.0 if lost == 0 else 0.5), 1.0
    return 0.5**total, math.exp(-((lost - gained) ** 2) / (2 * total))


def _lower_recall(
    checks: Checks, comparison: Mapping[str, Any], compared: Sequence[_RecallChange], limit: float
) -> Mapping[str, Any]:
    """Return the labels that Evaluate found to have lower recall, after checking that they fit the changes of recall."""
    tested = checks.part(comparison, "lower_recall")
    if tested is ABSENT:
        return ABSENT
    max_drop = checks.number(tested, "max_drop", "the recall test")
    if max_drop is not None and max_drop != limit:
        sentence = (
            f"recall was tested for falls of more than {max_drop:g}, but the settings allow {limit:g}: evaluate in a new run"
        )
        checks.refuse("lower_recall", sentence)
    labels = checks.part(tested, "labels")
    if labels is ABSENT or max_drop != limit:
        return ABSENT
    changes = {change.label: change for change in compared}
    for label in labels:
        name = short_name(label)
        p_value = checks.number({"p_value": labels[label]}, "p_value", f"the lower recall of {name}")
        change = changes.get(label)
        if change is None:
            checks.refuse("lower_recall", f"recall of {name} is reported to be lower, but is not compared")
        elif p_value is not None and not (
            change.fall > limit and p_value <= RECALL_ALPHA + ROUNDING and abs(p_value - change.p_value) <= ROUNDING
        ):
            sentence = (
                f"recall of {name} is reported to be lower, but it changes by {-change.fall:+.3f} with p {change.p_value:.6f}"
            )
            checks.refuse("lower_recall", sentence)
    for change in compared:
        # Bonferroni's level is the strictest. A label that is significant at it must be reported, whatever the others are.
        if change.label not in labels and change.fall > limit and (change.p_value + ROUNDING) * len(compared) <= RECALL_ALPHA:
            sentence = f"recall of {short_name(change.label)} falls by {change.fall:.3f} with p {change.p_value:.6f}, and is not reported"
            checks.refuse("lower_recall", sentence)
    return labels
