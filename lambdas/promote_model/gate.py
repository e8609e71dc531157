"""The gate: whether an evaluated candidate may serve, decided from numbers alone; every refusal says which and by how much.

Each limit is held beyond chance: a difference that the holdout is too small to tell from noise neither promotes nor refuses.
An evaluation that is incomplete, or whose numbers contradict each other, is refused before any limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recall import Change, falls

APPROVED, PENDING, REJECTED = "Approved", "PendingManualApproval", "Rejected"
# Near-copies are left out of the evaluation; more than this share of them means that the split itself is broken.
MAX_LEAKED_SHARE = 0.05
# Counts above this are no counts.
LARGEST = 10**9
# Evaluate rounds to six decimals: numbers that should be equal may be this far apart.
ROUNDING = 1e-5
SHA256 = re.compile(r"[0-9a-f]{64}")
LONGEST_NAME, LONGEST_ERROR = 60, 300  # characters in a sentence
NOTHING: Mapping[str, Any] = {}
# What a candidate has once the holdout has rows: (lowest, highest).
MEASURED = {
    "accuracy": (0, 1),
    "macro_f1": (0, 1),
    "expected_calibration_error": (0, 1),
    "expected_calibration_error_by_chance": (0, 1),
    "log_loss": (0, LARGEST),
    "coverage_at_target_precision": (0, 1),
    "threshold": (0, 1),
    "answered_share": (0, 1),
}


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

    def refuse(self, name: str, says: str) -> None:
        self.add(name, None, None, says, passed=False)

    def part(self, source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        found = source.get(name)
        if isinstance(found, Mapping):
            return found
        self.refuse(name, f"the evaluation has no {name}")
        return NOTHING

    def number(self, source: Mapping[str, Any], name: str, whose: str, *, low: float = 0, high: float = 1) -> float | None:
        value = source.get(name)
        if value is None:
            self.refuse(name, f"{whose} {name} is missing")
        elif not _is_number(value):
            self.refuse(name, f"{whose} {name} is not a number")
        elif not low <= value <= high:  # true for NaN too, and for integers of any size
            self.refuse(name, f"{whose} {name} is no number from {low:g} to {high:g}")
        else:
            return float(value)
        return None

    def count(self, source: Mapping[str, Any], name: str, whose: str, *, low: int = 0, high: int = LARGEST) -> int | None:
        value = self.number(source, name, whose, low=low, high=high)
        if value is not None and not value.is_integer():
            self.refuse(name, f"{whose} {name} is {value:g} and no whole number")
            return None
        return None if value is None else int(value)

    def interval(self, source: Mapping[str, Any], name: str, whose: str, *, lowest: int) -> tuple[float, float] | None:
        match source.get(name):
            case [low, high] if _is_number(low) and _is_number(high) and lowest <= low <= high <= 1:
                return float(low), float(high)
        self.refuse(name, f"{whose} {name} is no pair of numbers from {lowest} to 1, the lower one first")
        return None

    def text(self, source: Mapping[str, Any], name: str, whose: str) -> str | None:
        value = source.get(name)
        if isinstance(value, str) and value:
            return value
        self.refuse(name, f"{whose} {name} is missing or not text")
        return None

    def fingerprint(self, source: Mapping[str, Any], name: str, whose: str) -> None:
        value = self.text(source, name, whose)
        if value is not None and not SHA256.fullmatch(value):
            self.refuse(name, f"{whose} {name} is no SHA-256")


def judge(evaluation: object, policy: Mapping[str, Any], *, run_id: str, champion_version: str) -> Verdict:
    """Hold an evaluation.json (docs/evaluation.schema.json) against the [promotion] table.

    It has to be the evaluation of `run_id`. `champion_version` is "none" or the version that the candidate had to be compared
    with: an evaluation that is silent about it, or tells of another, does not promote. A champion that could not be read
    leaves the decision to a person.
    """
    document = evaluation if isinstance(evaluation, Mapping) else {}
    checks = _Checks()
    said = checks.text(document, "run_id", "the evaluation's")
    if said is not None and said != run_id:
        checks.refuse("run_id", f"it is the evaluation of run {_short(said)} and not of {run_id}")
    checks.number(document, "target_precision", "the evaluation's")
    candidate = checks.part(document, "candidate")
    rows, supports = _holdout(checks, document, policy)
    if candidate is not NOTHING and rows != 0:  # on no row at all there is nothing to measure, and that has been refused
        _candidate(checks, candidate, policy)
    unread = None
    if champion_version != "none":
        unread = _champion(checks, document, champion_version, supports, policy["max_recall_drop"])
    elif document.get("champion") is not None or document.get("comparison") is not None:
        checks.refuse("champion_version", "it was compared with a champion and this run was planned without one")

    made = tuple(checks.made)
    objections = tuple(check.says for check in made if not check.passed)
    if objections:
        return Verdict(status=REJECTED, reasons=objections, checks=made)
    passed = f"macro-F1 {candidate['macro_f1']:.3f} on {rows} held-out rows"
    if unread:
        return Verdict(status=PENDING, reasons=(passed, f"{unread}: a person decides"), checks=made)
    if champion_version == "none":
        passed = f"first champion: {passed}"
    else:
        passed += f", {_change(document)} of version {champion_version} on the same rows"
    if policy["mode"] != "automatic":
        return Verdict(status=PENDING, reasons=(passed, "the settings ask for approval by a person"), checks=made)
    return Verdict(status=APPROVED, reasons=(passed,), checks=made)


def _holdout(
    checks: _Checks, document: Mapping[str, Any], policy: Mapping[str, Any]
) -> tuple[int | None, Mapping[str, int] | None]:
    """The holdout's rows, and those of each label; None where they cannot be known."""
    holdout = checks.part(document, "holdout")
    rows = checks.count(holdout, "rows", "the holdout's")
    leaked = checks.count(checks.part(document, "leakage"), "rows", "the leakage check's")
    if rows is not None:
        needed = max(policy["min_holdout_rows"], 1)
        says = f"the holdout has {rows} rows and deciding takes {needed}"
        checks.add("holdout_rows", rows, needed, says, passed=rows >= needed)
    if rows is not None and leaked is not None:
        share = leaked / max(rows + leaked, 1)
        says = f"{leaked} of {rows + leaked} holdout rows are near-copies of training rows"
        if share > MAX_LEAKED_SHARE:
            says += ": the split does not hold"
        checks.add("leaked_share", share, MAX_LEAKED_SHARE, says, passed=share <= MAX_LEAKED_SHARE)
    checks.fingerprint(holdout, "fingerprint", "the holdout's")
    labels = checks.part(holdout, "labels")
    supports = {
        label: checks.count({"rows": count}, "rows", f"the label {_short(label)}'s", low=1) for label, count in labels.items()
    }
    known = {label: support for label, support in supports.items() if support is not None}
    if rows is None or labels is NOTHING or len(known) < len(supports):
        return rows, None
    if sum(known.values()) != rows:
        checks.refuse("labels", f"the holdout has {rows} rows and its labels have {sum(known.values())}")
        return rows, None
    return rows, known


def _candidate(checks: _Checks, candidate: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
    whose = "the candidate's"
    found = {name: checks.number(candidate, name, whose, low=low, high=high) for name, (low, high) in MEASURED.items()}
    for name in ("accuracy_interval", "macro_f1_interval"):
        checks.interval(candidate, name, whose, lowest=0)
    accuracy, share = found["accuracy"], found["answered_share"]
    if share:  # the precision of no answer cannot be said
        precision = checks.number(candidate, "answered_precision", whose)
        # Of all rows, those that are not answered may be right, or wrong.
        if not (accuracy is None or precision is None) and not (
            accuracy - (1 - share) - ROUNDING <= share * precision <= accuracy + ROUNDING
        ):
            says = f"an accuracy of {accuracy:g} does not go with a precision of {precision:g} in a share of {share:g}"
            checks.refuse("answered_precision", says)
    checks.count(candidate, "training_rows", whose, low=1)
    checks.fingerprint(candidate, "data_fingerprint", whose)
    checks.text(candidate, "code_version", whose)

    macro_f1 = found["macro_f1"]
    if macro_f1 is not None:
        floor = policy["min_macro_f1"]
        value, limit = _apart(macro_f1, floor)
        says = f"macro-F1 {value} is {'under' if macro_f1 < floor else 'at or over'} the floor of {limit}"
        checks.add("macro_f1", macro_f1, floor, says, passed=macro_f1 >= floor)
    # The measured error of a perfectly calibrated model is not 0: what chance alone gives on so many rows is allowed.
    error, chance = found["expected_calibration_error"], found["expected_calibration_error_by_chance"]
    if error is not None and chance is not None:
        most = max(policy["max_calibration_error"], chance)
        value, limit = _apart(error, most)
        says = f"calibration error {value} is {'over' if error > most else 'within'} the limit of {limit}"
        checks.add("expected_calibration_error", error, most, says, passed=error <= most)


def _champion(
    checks: _Checks, document: Mapping[str, Any], version: str, supports: Mapping[str, int] | None, max_recall_drop: float
) -> str | None:
    """Compare with the champion; what to tell a person where it could not be read."""
    champion = checks.part(document, "champion")
    if champion is NOTHING:
        return None
    compared = checks.text(champion, "version", "the champion's")
    if compared is not None:
        same = compared == version
        says = f"it was compared with version {_short(compared)}" + ("" if same else f" and the champion is version {version}")
        checks.add("champion_version", None, None, says, passed=same)
    if "error" in champion:
        error = checks.text(champion, "error", "the champion's")
        if document.get("comparison") is not None:
            checks.refuse("comparison", "there is a comparison with a champion that could not be read")
        return error and f"version {version} could not be compared with it ({_short(error, LONGEST_ERROR)})"
    comparison = checks.part(document, "comparison")
    if comparison is not NOTHING:
        _difference(checks, document, version)
        checks.number(comparison, "p_value", "the comparison's")
        changes = checks.part(comparison, "recall")
        if supports is not None and changes is not NOTHING:
            checks.count(comparison, "rows_answered_differently", "the comparison's", high=sum(supports.values()))
            _recalls(checks, changes, supports, max_recall_drop)
    return None


def _difference(checks: _Checks, document: Mapping[str, Any], version: str) -> None:
    """Macro-F1 is not worse by more than chance explains, said by numbers that agree."""
    candidate, champion, comparison = document.get("candidate"), document["champion"], document["comparison"]
    before = checks.number(champion, "macro_f1", "the champion's")
    difference = checks.number(comparison, "macro_f1_difference", "the comparison's", low=-1)
    interval = checks.interval(comparison, "interval", "the comparison's", lowest=-1)
    now: Any = candidate.get("macro_f1") if isinstance(candidate, Mapping) else None
    if before is None or difference is None or interval is None or not _is_number(now) or not 0 <= now <= 1:
        return
    low, high = interval
    if abs(difference - (now - before)) > ROUNDING:
        says = f"macro-F1 is said to change by {difference:+.6f}, from {before:.6f} to {now:.6f}"
        checks.refuse("macro_f1_difference", says)
    # A bootstrap of a perfect candidate over a thousand rare labels was .43 of its width beside the difference (decision 0004).
    if not low - (high - low) - ROUNDING <= difference <= high + (high - low) + ROUNDING:
        says = f"the difference in macro-F1 is {difference:+.6f} and its interval {low:+.6f} to {high:+.6f}"
        checks.refuse("interval", says)
    chance = "within what chance explains" if high >= 0 else "worse by more than chance explains"
    says = f"macro-F1 is {_change(document)} of version {version}: {chance}"
    checks.add("macro_f1_difference", difference, None, says, passed=high >= 0)


def _recalls(checks: _Checks, changes: Mapping[str, Any], supports: Mapping[str, int], limit: float) -> None:
    """No label's recall may fall by more than the limit, where chance does not explain the fall."""
    compared = []
    for label in sorted({*supports, *changes}):
        if label not in supports:
            checks.refuse("recall", f"recall of {_short(label)} is compared and the holdout has no row of it")
        elif change := _label_change(checks, label, changes.get(label), supports[label]):
            compared.append(change)
    refused = falls(compared, limit)
    for change in compared:
        name, fell = _short(change.label), change.label in refused
        says = f"recall of {name} changes by {-change.fall + 0.0:+.3f}"
        if fell:
            fall, most = _apart(change.fall, limit)
            says = f"recall of {name} falls by {fall}, more than {most} and more than chance explains"
        elif change.fall > limit:
            says += ": within what chance explains"
        checks.add(f"recall: {change.label}", -change.fall + 0.0, -limit, says, passed=not fell)


def _label_change(checks: _Checks, label: str, change: object, support: int) -> Change | None:
    """A label's change of recall, where its numbers are there and agree."""
    name = _short(label)
    if not isinstance(change, Mapping):
        checks.refuse("recall", f"the change of recall of {name} is missing")
        return None
    whose = f"for {name}, the recall's"
    lost, gained = (checks.count(change, side, whose, high=support) for side in ("lost", "gained"))
    difference = checks.number(change, "difference", whose, low=-1)
    chance = checks.number(change, "p_value", whose)
    if lost is None or gained is None or difference is None or chance is None:
        return None
    counted = Change(label=label, lost=lost, gained=gained, support=support)
    facts = f"for {name}, {lost} rows lost and {gained} gained of {support}"
    if lost + gained > support:
        checks.refuse("recall", f"{facts}: there are not so many")
    elif abs(difference + counted.fall) > ROUNDING:
        checks.refuse("recall", f"{facts} do not change recall by {difference:+.6f}")
    elif abs(chance - counted.by_chance) > ROUNDING:
        checks.refuse("recall", f"{facts} come of chance in a share of {counted.by_chance:.6f} and not of {chance:.6f}")
    else:
        return counted
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _apart(value: float, limit: float) -> tuple[str, str]:
    """Both with as many decimals, at least three, as it takes to tell them apart."""
    digits = next((n for n in range(3, 17) if value == limit or f"{value:.{n}f}" != f"{limit:.{n}f}"), 17)
    return f"{value:.{digits}f}", f"{limit:.{digits}f}"


def _change(document: Mapping[str, Any]) -> str:
    """The difference in words, from numbers that were checked; what is not 0 does not read as 0."""
    comparison, champion = document["comparison"], document["champion"]
    numbers = comparison["macro_f1_difference"], *comparison["interval"]
    digits = next((n for n in range(3, 17) if all(round(number, n) for number in numbers if number)), 17)
    difference, low, high = (number + 0.0 for number in numbers)  # -0.0 reads as 0
    place = f"{abs(difference):.{digits}f} {'below' if difference < 0 else 'above'}" if difference else "equal to"
    return f"{place} the {champion['macro_f1']:.3f} (95% interval {low:+.{digits}f} to {high:+.{digits}f})"


def _short(name: str, longest: int = LONGEST_NAME) -> str:
    """A name in a sentence: one line, of bounded length."""
    text = " ".join("".join(character if character.isprintable() else " " for character in name).split())
    return text[: longest - 1] + "…" if len(text) > longest else text or "(no name)"
