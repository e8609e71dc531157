"""The gate: whether an evaluated candidate may serve, decided from numbers alone; every refusal says which and by how much.

Each limit is held beyond chance: a difference that the holdout is too small to tell from noise neither promotes nor refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

APPROVED, PENDING, REJECTED = "Approved", "PendingManualApproval", "Rejected"
# Near-copies are left out of the evaluation; more than this share of them means that the split itself is broken.
MAX_LEAKED_SHARE = 0.05
# A label's recall has fallen where chance gives so great a fall in at most this share of cases.
CHANCE = 0.05
# Counts above this are no counts; floats below it are exact.
LARGEST = 2**53
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at: the number, its limit, and a sentence. `value` is None where there is no such number."""

    name: str
    value: float | None
    limit: float | None
    passed: bool
    says: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The approval status that the candidate gets, why, and everything that was looked at."""

    status: str
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]


class _Checks:
    """The checks so far; a number that is missing or cannot be is a check that failed."""

    def __init__(self) -> None:
        self.made: list[Check] = []

    def add(self, name: str, value: float | None, limit: float | None, says: str, *, passed: bool) -> None:
        self.made.append(Check(name=name, value=value, limit=limit, passed=passed, says=says))

    def part(self, source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        found = source.get(name)
        if isinstance(found, Mapping):
            return found
        self.add(name, None, None, f"the evaluation has no {name}", passed=False)
        return NOTHING

    def number(self, source: Mapping[str, Any], name: str, whose: str, *, low: float = 0, high: float = 1) -> float | None:
        value = source.get(name)
        if value is None:
            says = f"{whose} {name} is missing"
        elif isinstance(value, bool) or not isinstance(value, int | float):
            says = f"{whose} {name} is not a number"
        elif not low <= value <= high:  # true for NaN too, and for integers of any size
            says = f"{whose} {name} is no number from {low:g} to {high:g}"
        else:
            return float(value)
        self.add(name, None, None, says, passed=False)
        return None


def judge(evaluation: object, policy: Mapping[str, Any], *, champion_version: str) -> Verdict:
    """Hold an evaluation.json (docs/evaluation.schema.json) against the [promotion] table.

    `champion_version` is "none" or the version that the candidate had to be compared with: an evaluation that is silent about
    it does not promote. A champion that could not be read leaves the decision to a person.
    """
    document = evaluation if isinstance(evaluation, Mapping) else {}
    checks = _Checks()
    candidate = checks.part(document, "candidate")
    rows = _holdout(checks, document, policy)
    macro_f1 = checks.number(candidate, "macro_f1", "the candidate's")
    if macro_f1 is not None:
        floor = policy["min_macro_f1"]
        says = f"macro-F1 {macro_f1:.3f} is {'under' if macro_f1 < floor else 'at or over'} the floor of {floor:.3f}"
        checks.add("macro_f1", macro_f1, floor, says, passed=macro_f1 >= floor)
    _calibration(checks, candidate, policy)
    unread = _champion(checks, document, policy, champion_version) if champion_version != "none" else None

    made = tuple(checks.made)
    objections = tuple(check.says for check in made if not check.passed)
    if objections:
        return Verdict(status=REJECTED, reasons=objections, checks=made)
    if unread:
        measured = f"macro-F1 {macro_f1:.3f} on {rows:.0f} held-out rows"
        return Verdict(status=PENDING, reasons=(measured, f"{unread}: a person decides"), checks=made)
    passed = f"macro-F1 {macro_f1:.3f} on {rows:.0f} held-out rows"
    if champion_version == "none":
        passed = f"first champion: {passed}"
    else:
        passed += f", {_change(document)} of version {champion_version} on the same rows"
    if policy["mode"] != "automatic":
        return Verdict(status=PENDING, reasons=(passed, "the settings ask for approval by a person"), checks=made)
    return Verdict(status=APPROVED, reasons=(passed,), checks=made)


def _holdout(checks: _Checks, document: Mapping[str, Any], policy: Mapping[str, Any]) -> float | None:
    rows = checks.number(checks.part(document, "holdout"), "rows", "the holdout's", high=LARGEST)
    leaked = checks.number(checks.part(document, "leakage"), "rows", "the leakage check's", high=LARGEST)
    if rows is not None:
        needed = policy["min_holdout_rows"]
        says = f"the holdout has {rows:.0f} rows and deciding takes {needed}"
        checks.add("holdout_rows", rows, needed, says, passed=rows >= needed)
    if rows is not None and leaked is not None:
        share = leaked / max(rows + leaked, 1)
        says = f"{leaked:.0f} of {rows + leaked:.0f} holdout rows are near-copies of training rows"
        if share > MAX_LEAKED_SHARE:
            says += ": the split does not hold"
        checks.add("leaked_share", share, MAX_LEAKED_SHARE, says, passed=share <= MAX_LEAKED_SHARE)
    return rows


def _calibration(checks: _Checks, candidate: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
    """The measured error of a perfectly calibrated model is not 0: what chance alone gives on so many rows is allowed."""
    error = checks.number(candidate, "expected_calibration_error", "the candidate's")
    chance = checks.number(candidate, "expected_calibration_error_by_chance", "the candidate's")
    if error is not None and chance is not None:
        limit = max(policy["max_calibration_error"], chance)
        says = f"calibration error {error:.3f} is {'over' if error > limit else 'within'} the limit of {limit:.3f}"
        checks.add("expected_calibration_error", error, limit, says, passed=error <= limit)


def _champion(checks: _Checks, document: Mapping[str, Any], policy: Mapping[str, Any], version: str) -> str | None:
    """Compare with the champion; what to tell a person where it could not be read."""
    champion = checks.part(document, "champion")
    if champion is NOTHING:
        return None
    compared = champion.get("version")
    same = compared == version
    says = f"it was compared with version {compared}" + ("" if same else f" and the champion is version {version}")
    checks.add("champion_version", None, None, says, passed=same)
    if champion.get("error"):
        return f"version {version} could not be compared with it ({champion['error']})"
    before = checks.number(champion, "macro_f1", "the champion's")
    comparison = checks.part(document, "comparison")
    difference = checks.number(comparison, "macro_f1_difference", "the comparison's", low=-1)
    interval = comparison.get("interval")
    ends = interval if isinstance(interval, list) and len(interval) == 2 else [None, None]
    low, high = (checks.number({"interval": end}, "interval", "the comparison's", low=-1) for end in ends)
    if before is not None and difference is not None and low is not None and high is not None:
        passed = high >= 0
        chance = "within what chance explains" if passed else "worse by more than chance explains"
        says = f"macro-F1 is {_change(document)} of version {version}: {chance}"
        checks.add("macro_f1_difference", difference, None, says, passed=passed)
    _recalls(checks, comparison, policy["max_recall_drop"])
    return None


def _change(document: Mapping[str, Any]) -> str:
    """The difference in words, from numbers that were checked."""
    comparison, champion = document["comparison"], document["champion"]
    difference, (low, high) = comparison["macro_f1_difference"], comparison["interval"]
    word = "below" if difference < 0 else "above"
    return f"{abs(difference):.3f} {word} the {champion['macro_f1']:.3f} (95% interval {low:+.3f} to {high:+.3f})"


def _recalls(checks: _Checks, comparison: Mapping[str, Any], limit: float) -> None:
    """No label's recall may fall by more than the limit, where chance does not explain the fall."""
    for label, change in sorted(checks.part(comparison, "recall").items()):
        if not isinstance(change, Mapping):
            checks.add("recall", None, limit, f"the change of recall of {label} is missing", passed=False)
            continue
        difference = checks.number(change, "difference", f"for {label}, the recall's", low=-1)
        chance = checks.number(change, "p_value", f"for {label}, the recall's")
        if difference is None or chance is None:
            continue
        fell = difference < -limit and chance <= CHANCE
        says = f"recall of {label} changes by {difference:+.3f}"
        if fell:
            says = f"recall of {label} falls by {-difference:.3f}, more than {limit:.3f} and more than chance explains"
        checks.add(f"recall: {label}", difference, -limit, says, passed=not fell)
