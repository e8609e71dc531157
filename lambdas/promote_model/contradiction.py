"""Labels of runs that contradict the champion, after a check that their numbers agree with each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promote_model.checks import ROUNDING, Checks, short_name
from ptmlops_contracts.evaluation import MAX_DISAGREEMENT
from ptmlops_contracts.report import NOTE_VALUES
from ptmlops_contracts.words import quantity

FIELD = "contradicting_runs"


def find_contradiction(checks: Checks, comparison: Mapping[str, Any], held_out: int, version: str) -> str | None:
    """Describe the runs whose labels contradict the champion in a sentence. Return None without such a run, or after a failed check.

    Args:
        checks: Gets a failed check for what cannot be.
        comparison: `Comparison` of the evaluation.
        held_out: Rows of the holdout.
        version: The champion's.
    """
    if FIELD not in comparison:  # a release before 0.4.0 evaluated
        return None
    gaps = {run: _gap(checks, run, found) for run, found in checks.part(comparison, FIELD).items()}
    known = {run: gap for run, gap in gaps.items() if gap is not None}
    if not known or len(known) < len(gaps):
        return None
    if (rows := sum(comparison[FIELD][run]["rows"] for run in known)) > held_out:
        checks.refuse(FIELD, f"the runs that contradict the champion have {rows:,} rows, and the holdout has {held_out:,}")
        return None
    worst, *others = sorted(known, key=lambda run: (-known[run], run))
    found = comparison[FIELD][worst]
    also = "".join(f"; also run {short_name(run)}" for run in others[:NOTE_VALUES])
    more = f" and {len(others) - NOTE_VALUES} more" if len(others) > NOTE_VALUES else ""
    return (
        f"the labels of run {short_name(worst)} contradict version {version}, which gives {found['agreed']:,} of "
        f"{quantity(found['rows'], 'held-out row')} their label and by its confidence should give {found['expected']:,.0f}{also}{more} "
        "(if they are wrong, correct them and upload the rows again)"
    )


def _gap(checks: Checks, run: str, found: object) -> float | None:
    """Return the share of a run's rows by which the champion's labels are fewer than expected, or None after a failed check."""
    owner = f"run {short_name(run)}"
    if not isinstance(found, Mapping):
        checks.refuse(FIELD, f"{owner} is said to contradict the champion, without numbers")
        return None
    rows = checks.count(found, "rows", owner, low=1)
    if rows is None:
        return None
    agreed = checks.count(found, "agreed", owner, high=rows)
    expected = checks.number(found, "expected", owner, high=rows)
    if agreed is None or expected is None:
        return None
    gap = (expected - agreed) / rows
    if gap <= MAX_DISAGREEMENT - ROUNDING:
        checks.refuse(
            FIELD, f"{owner} is said to contradict the champion: {agreed} of {rows} rows agree, and {expected:g} should"
        )
        return None
    return gap
