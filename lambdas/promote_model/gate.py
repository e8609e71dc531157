"""The gate: decide from an evaluation's numbers whether the candidate may serve. A refusal names each number and its limit.

A difference that chance explains on so few rows neither promotes nor refuses. An evaluation that is incomplete, or whose numbers
contradict each other, is refused before any limit is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common.model_registry import APPROVED, PENDING, REJECTED

from promote_model.checks import ABSENT, LARGEST, ROUNDING, SHA256, Check, Checks, distinct, is_number, short_name
from promote_model.contradiction import find_contradiction
from promote_model.recall import check_recalls
from ptmlops_contracts.evaluation import EVALUATION_VERSION, Archive
from ptmlops_contracts.report import NOTE_VALUES
from ptmlops_contracts.state import NONE

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType

# Near-copies of training rows are left out of the evaluation. A larger share of them means that the split is broken.
MAX_LEAKED_SHARE = 0.05
LONGEST_ERROR = 300  # characters in a sentence
# Metrics of a candidate on a holdout with rows: (lowest, highest).
METRIC_RANGES = {
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
class Verdict:
    """The approval status of the candidate, the reasons, and every check."""

    status: ModelApprovalStatusType
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]


def judge(
    evaluation: object,
    policy: Mapping[str, Any],
    *,
    run_id: str,
    champion_version: str,
    unfamiliar: Sequence[Sequence[str]] = (),
) -> Verdict:
    """Compare an evaluation.json (docs/evaluation.schema.json) with the limits of the settings.

    A champion that could not be read leaves the decision to a person, and so do labels of files that the champion does not know at all
    (they may be another column of those files) and labels of runs that contradict it (they may be wrong, and the candidate has learned
    them).

    Args:
        evaluation: the document, as parsed from JSON.
        policy: the `[promotion]` table of the environment.
        run_id: the run that the evaluation must be of.
        champion_version: the version that the candidate must be compared with, or "none". An evaluation without that comparison, or
            with another version, does not promote.
        unfamiliar: as in `state.EvaluationRequest`.
    """
    document = evaluation if isinstance(evaluation, Mapping) else {}
    checks = Checks()
    version = checks.count({"schema_version": 1, **document}, "schema_version", "the evaluation")
    if version is not None and version != EVALUATION_VERSION:
        sentence = (
            f"the evaluation has version {version} and the gate reads version {EVALUATION_VERSION}: evaluate in a new run"
        )
        checks.refuse("schema_version", sentence)
    evaluated_run = checks.text(document, "run_id", "the evaluation")
    if evaluated_run is not None and evaluated_run != run_id:
        checks.refuse("run_id", f"the evaluation is of run {short_name(evaluated_run)}, not of {run_id}")
    checks.number(document, "target_precision", "the evaluation")
    candidate = checks.part(document, "candidate")
    rows, supports = _check_holdout(checks, document, policy)
    if candidate is not ABSENT and rows != 0:  # an empty holdout measures nothing, and has been refused
        _check_candidate(checks, candidate, policy)
    unreadable = None
    if champion_version != NONE:
        unreadable = _check_champion(checks, document, champion_version, supports, policy["max_recall_drop"])
    elif document.get("champion") is not None or document.get("comparison") is not None:
        checks.refuse("champion_version", "the candidate was compared with a champion, but this run was planned without one")

    comparison = document.get("comparison")
    contradiction = None
    if isinstance(comparison, Mapping) and rows is not None:
        contradiction = find_contradiction(checks, comparison, rows, champion_version)
    made = tuple(checks.made)
    objections = tuple(check.message for check in made if not check.passed)
    if objections:
        # Wrong labels may be why the candidate is worse.
        objections += (contradiction,) if contradiction else ()
        return Verdict(status=REJECTED, reasons=objections, checks=made)
    passed = f"macro-F1 {candidate['macro_f1']:.3f} on {rows} held-out rows"
    if unreadable:
        return Verdict(status=PENDING, reasons=(passed, f"{unreadable}: a person decides"), checks=made)
    if champion_version == NONE:
        passed = f"first champion: {passed}"
    else:
        passed += f", {_describe_change(document)} of version {champion_version} on the same rows"
    doubts = [doubt for doubt in (_not_known(document, champion_version, unfamiliar), contradiction) if doubt]
    if doubts:
        return Verdict(status=PENDING, reasons=(passed, *(f"{doubt}: a person decides" for doubt in doubts)), checks=made)
    if policy["mode"] != "automatic":
        return Verdict(status=PENDING, reasons=(passed, "the settings ask for approval by a person"), checks=made)
    return Verdict(status=APPROVED, reasons=(passed,), checks=made)


def _not_known(document: Mapping[str, Any], champion_version: str, unfamiliar: Sequence[Sequence[str]]) -> str | None:
    """Return a sentence on the labels of a file of which the champion knows none, or None. Without a champion there is none."""
    champion = document.get("champion")
    if champion_version == NONE or not isinstance(champion, Mapping):
        return None
    labels = champion.get("labels")
    known = {label for label in labels if isinstance(label, str)} if isinstance(labels, list) else set()
    strange = [labels for labels in unfamiliar if known.isdisjoint(labels)]
    if not strange:
        return None
    named = ", ".join(short_name(label) for label in strange[0][:NOTE_VALUES])
    more = f" and {len(strange[0]) - NOTE_VALUES} more" if len(strange[0]) > NOTE_VALUES else ""
    files = "a file" if len(strange) == 1 else f"each of {len(strange)} files"
    return f"the labels of {files} have nothing in common with those of version {champion_version} ({named}{more}); they may be another column"


def _check_holdout(
    checks: Checks, document: Mapping[str, Any], policy: Mapping[str, Any]
) -> tuple[int | None, Mapping[str, int] | None]:
    """Check the holdout. Return its rows, and its rows per label; each is None if missing or contradictory."""
    holdout = checks.part(document, "holdout")
    rows = checks.count(holdout, "rows", "the holdout")
    leaked = checks.count(checks.part(document, "leakage"), "rows", "the leakage check")
    if rows is not None:
        needed = max(policy["min_holdout_rows"], 1)
        sentence = f"the holdout has {rows} rows; at least {needed} are needed"
        checks.add("holdout_rows", rows, needed, sentence, passed=rows >= needed)
    if rows is not None and leaked is not None:
        share = leaked / max(rows + leaked, 1)
        sentence = f"{leaked} of {rows + leaked} holdout rows are near-copies of training rows"
        if share > MAX_LEAKED_SHARE:
            sentence += ": the split does not hold"
        checks.add("leaked_share", share, MAX_LEAKED_SHARE, sentence, passed=share <= MAX_LEAKED_SHARE)
    checks.fingerprint(holdout, "fingerprint", "the holdout")
    labels = checks.part(holdout, "labels")
    supports = {
        label: checks.count({"rows": count}, "rows", f"the label {short_name(label)}", low=1)
        for label, count in labels.items()
    }
    known = {label: support for label, support in supports.items() if support is not None}
    if rows is None or labels is ABSENT or len(known) < len(supports):
        return rows, None
    if sum(known.values()) != rows:
        checks.refuse("labels", f"the holdout has {rows} rows and its labels have {sum(known.values())}")
        return rows, None
    return rows, known


def _check_candidate(checks: Checks, candidate: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
    owner = "the candidate"
    metrics = {name: checks.number(candidate, name, owner, low=low, high=high) for name, (low, high) in METRIC_RANGES.items()}
    for name in ("accuracy_interval", "macro_f1_interval"):
        checks.interval(candidate, name, owner, lowest=0)
    accuracy, share = metrics["accuracy"], metrics["answered_share"]
    if share:  # without answers there is no precision
        precision = checks.number(candidate, "answered_precision", owner)
        # The rows that are not answered may all be right, or all be wrong.
        if not (accuracy is None or precision is None) and not (
            accuracy - (1 - share) - ROUNDING <= share * precision <= accuracy + ROUNDING
        ):
            sentence = f"an accuracy of {accuracy:g} contradicts a precision of {precision:g} on a share of {share:g}"
            checks.refuse("answered_precision", sentence)
    checks.count(candidate, "training_rows", owner, low=1)
    checks.fingerprint(candidate, "data_fingerprint", owner)
    checks.text(candidate, "code_version", owner)
    # Absent if a release before 0.3.0 evaluated the candidate.
    if "archive" in candidate and archive_of(candidate) is None:
        checks.refuse("archive", "the candidate's archive is not named by two SHA-256 digests and a size")

    macro_f1 = metrics["macro_f1"]
    if macro_f1 is not None:
        floor = policy["min_macro_f1"]
        value, limit = distinct(macro_f1, floor)
        sentence = f"macro-F1 {value} is {'under' if macro_f1 < floor else 'at or over'} the floor of {limit}"
        checks.add("macro_f1", macro_f1, floor, sentence, passed=macro_f1 >= floor)
    # On few rows even a perfectly calibrated model has an error by chance: so large an error is allowed.
    error, by_chance = metrics["expected_calibration_error"], metrics["expected_calibration_error_by_chance"]
    if error is not None and by_chance is not None:
        max_error = max(policy["max_calibration_error"], by_chance)
        value, limit = distinct(error, max_error)
        sentence = f"calibration error {value} is {'over' if error > max_error else 'within'} the limit of {limit}"
        checks.add("expected_calibration_error", error, max_error, sentence, passed=error <= max_error)


def archive_of(measured: Mapping[str, Any]) -> Archive | None:
    """Return the archive that was measured, or None if the evaluation does not name it as it must."""
    match measured.get("archive"):
        case {"sha256": str(sha256), "bytes": int(size), "manifest_sha256": str(manifest)}:
            if SHA256.fullmatch(sha256) and SHA256.fullmatch(manifest) and size > 0:
                return Archive(sha256=sha256, bytes=size, manifest_sha256=manifest)
    return None


def _check_champion(
    checks: Checks, document: Mapping[str, Any], version: str, supports: Mapping[str, int] | None, max_recall_drop: float
) -> str | None:
    """Check the comparison with the champion. Return the reason if the champion could not be read, else None."""
    champion = checks.part(document, "champion")
    if champion is ABSENT:
        return None
    compared = checks.text(champion, "version", "the champion")
    if compared is not None:
        same = compared == version
        sentence = f"the candidate was compared with version {short_name(compared)}" + (
            "" if same else f", but the champion is version {version}"
        )
        checks.add("champion_version", None, None, sentence, passed=same)
    if "error" in champion:
        error = checks.text(champion, "error", "the champion")
        if document.get("comparison") is not None:
            checks.refuse("comparison", "there is a comparison with a champion that could not be read")
        return error and f"the candidate could not be compared with version {version} ({short_name(error, LONGEST_ERROR)})"
    comparison = checks.part(document, "comparison")
    if comparison is not ABSENT:
        _check_difference(checks, document, version)
        checks.number(comparison, "p_value", "the comparison")
        changes = checks.part(comparison, "recall")
        if supports is not None and changes is not ABSENT:
            checks.count(comparison, "rows_answered_differently", "the comparison", high=sum(supports.values()))
            check_recalls(checks, comparison, supports, max_recall_drop)
    return None


def _check_difference(checks: Checks, document: Mapping[str, Any], version: str) -> None:
    """Check that macro-F1 is not worse by more than chance explains, and that its numbers agree."""
    candidate, champion, comparison = document.get("candidate"), document["champion"], document["comparison"]
    before = checks.number(champion, "macro_f1", "the champion")
    difference = checks.number(comparison, "macro_f1_difference", "the comparison", low=-1)
    interval = checks.interval(comparison, "interval", "the comparison", lowest=-1)
    now: Any = candidate.get("macro_f1") if isinstance(candidate, Mapping) else None
    if before is None or difference is None or interval is None or not is_number(now) or not 0 <= now <= 1:
        return
    low, high = interval
    if abs(difference - (now - before)) > ROUNDING:
        sentence = f"macro-F1 is reported to change by {difference:+.6f}, from {before:.6f} to {now:.6f}"
        checks.refuse("macro_f1_difference", sentence)
    # A bootstrap interval may miss the difference: by .43 of its width for a perfect candidate over 1,000 rare labels (decision
    # 0004). An interval contradicts the difference if it misses it by more than its width.
    if not low - (high - low) - ROUNDING <= difference <= high + (high - low) + ROUNDING:
        sentence = f"the difference in macro-F1 is {difference:+.6f} and its interval {low:+.6f} to {high:+.6f}"
        checks.refuse("interval", sentence)
    chance = "within what chance explains" if high >= 0 else "worse by more than chance explains"
    sentence = f"macro-F1 is {_describe_change(document)} of version {version}: {chance}"
    checks.add("macro_f1_difference", difference, None, sentence, passed=high >= 0)


def _describe_change(document: Mapping[str, Any]) -> str:
    """Describe the difference in macro-F1, with so many decimals that only 0 is printed as 0. Its numbers have been checked."""
    comparison, champion = document["comparison"], document["champion"]
    numbers = comparison["macro_f1_difference"], *comparison["interval"]
    digits = next((n for n in range(3, 17) if all(round(number, n) for number in numbers if number)), 17)
    difference, low, high = (number + 0.0 for number in numbers)  # + 0.0 turns -0.0 into 0
    position = f"{abs(difference):.{digits}f} {'below' if difference < 0 else 'above'}" if difference else "equal to"
    return f"{position} the {champion['macro_f1']:.3f} (95% interval {low:+.{digits}f} to {high:+.{digits}f})"
