"""The gate: whether an evaluated candidate may serve, decided from numbers alone; every refusal says which and by how much."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

APPROVED, PENDING, REJECTED = "Approved", "PendingManualApproval", "Rejected"
# Recall of a label with fewer holdout rows than this says nothing.
MIN_LABEL_SUPPORT = 30
# Near-copies are left out of the evaluation; more than this share of them means that the split itself is broken.
MAX_LEAKED_SHARE = 0.05


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The approval status that the candidate gets, and why."""

    status: str
    reasons: tuple[str, ...]


def judge(evaluation: Mapping[str, Any], policy: Mapping[str, Any]) -> Verdict:
    """Hold an evaluation.json against the [promotion] table.

    A number that is missing or not finite never promotes. Without a champion only the floors count. Against a champion the
    candidate may be worse by `max_macro_f1_drop` at most, and in no well-supported label by more than `max_recall_drop`.
    """
    candidate = evaluation.get("candidate") or {}
    champion = evaluation.get("champion")
    objections: list[str] = []

    def number(source: Mapping[str, Any], name: str, whose: str) -> float | None:
        value = source.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            objections.append(f"{whose} {name} is {'missing' if value is None else 'not a number'}")
            return None
        return float(value)

    rows = number(evaluation.get("holdout") or {}, "rows", "the holdout's")
    macro_f1 = number(candidate, "macro_f1", "the candidate's")
    calibration = number(candidate, "expected_calibration_error", "the candidate's")
    leaked = number(evaluation.get("leakage") or {}, "rows", "the leakage check's")
    if rows is not None and rows < policy["min_holdout_rows"]:
        objections.append(f"the holdout has {rows:.0f} rows; deciding takes {policy['min_holdout_rows']}")
    if leaked and rows is not None and leaked > MAX_LEAKED_SHARE * (rows + leaked):
        objections.append(
            f"{leaked:.0f} of {rows + leaked:.0f} holdout rows are near-copies of training rows: the split does not hold"
        )
    if macro_f1 is not None and macro_f1 < policy["min_macro_f1"]:
        objections.append(f"macro-F1 {macro_f1:.3f} is under the floor of {policy['min_macro_f1']:.3f}")
    if calibration is not None and calibration > policy["max_calibration_error"]:
        objections.append(f"calibration error {calibration:.3f} is over the limit of {policy['max_calibration_error']:.3f}")
    if champion:
        old = number(champion, "macro_f1", "the champion's")
        if old is not None and macro_f1 is not None and macro_f1 < old - policy["max_macro_f1_drop"]:
            objections.append(
                f"macro-F1 {macro_f1:.3f} is more than {policy['max_macro_f1_drop']:.3f} below the champion's {old:.3f}"
            )
        objections += _recall_drops(candidate, champion, policy["max_recall_drop"])
    if objections:
        return Verdict(status=REJECTED, reasons=tuple(objections))
    if champion:
        passed = f"macro-F1 {macro_f1:.3f} against the champion's {champion['macro_f1']:.3f} on the same {rows:.0f} rows"
    else:
        passed = f"first champion: macro-F1 {macro_f1:.3f} on {rows:.0f} held-out rows"
    if policy["mode"] == "manual":
        return Verdict(status=PENDING, reasons=(passed, "the settings ask for a person's approval"))
    return Verdict(status=APPROVED, reasons=(passed,))


def _recall_drops(candidate: Mapping[str, Any], champion: Mapping[str, Any], limit: float) -> list[str]:
    """Labels that both know, with enough rows, whose recall fell by more than the limit."""
    drops = []
    after = candidate.get("per_label") or {}
    for label, before in sorted((champion.get("per_label") or {}).items()):
        now = after.get(label)
        if now is None or before.get("support", 0) < MIN_LABEL_SUPPORT:
            continue
        fall = float(before["recall"]) - float(now["recall"])
        if not math.isfinite(fall) or fall > limit:
            drops.append(f"recall of {label} falls from {before['recall']:.3f} to {now['recall']:.3f}")
    return drops
