"""What Publish states of a run's answers as a whole: mean confidence, and drift against the profile of the serving model."""

from __future__ import annotations

from typing import Any

import pytest
from complaints_etl.publish.statistics import Category, RunStatistics
from publish_predictions import run_drift

from ptmlops_contracts.drift import DRIFT_KINDS, drifted

PROFILE: dict[str, Any] = {
    "rows": 200,
    "counts": {
        "categories": {"card": 90, "loan": 110}, "languages": {"es": 200}, "length": {"5": 200}, "confidence": {"9": 200},
        "vocabulary": {"7": 200},
    },
    "thresholds": [{"rows": 200, "index": dict.fromkeys(DRIFT_KINDS, 0.1)}],
}  # fmt: skip
EVALUATION = {"candidate": {"profile": PROFILE}, "champion": None}


def statistics(card: int, loan: int) -> RunStatistics:
    total = card + loan
    return RunStatistics(
        categories={
            "card": Category(complaints=card, confidence=0.9, needs_review=0),
            "loan": Category(complaints=loan, confidence=0.6, needs_review=0),
        },
        languages={"es": total},
        lengths={"5": total},
        confidence=[0] * 9 + [total],
        known=[0] * 7 + [total, 0, 0],
    )


def test_the_mean_confidence_weighs_categories_by_their_complaints() -> None:
    assert statistics(100, 50).mean_confidence == pytest.approx((100 * 0.9 + 50 * 0.6) / 150)
    assert RunStatistics().mean_confidence is None


def test_a_run_like_the_held_out_rows_does_not_drift_and_another_does_in_its_categories_alone() -> None:
    same = run_drift(statistics(90, 110), EVALUATION, "1")
    assert set(same) == set(DRIFT_KINDS)
    assert all(one["index"] is not None and one["index"] < 0.01 and one["threshold"] == 0.1 for one in same.values())
    other = run_drift(statistics(195, 5), EVALUATION, "1")
    assert drifted(other) == ["categories"]
    assert {kind: one for kind, one in other.items() if kind != "categories"} == {
        kind: one for kind, one in same.items() if kind != "categories"
    }


def test_the_profile_is_that_of_the_version_that_answered() -> None:
    other = {**PROFILE, "counts": {**PROFILE["counts"], "categories": {"card": 195, "loan": 5}}}
    evaluation = {"candidate": {"profile": PROFILE}, "champion": {"version": "1", "profile": other}}
    assert drifted(run_drift(statistics(195, 5), evaluation, "1")) == []
    assert drifted(run_drift(statistics(195, 5), evaluation, "2")) == ["categories"]


def test_too_few_rows_and_nothing_to_compare_with_are_not_measured() -> None:
    nothing = {"index": None, "threshold": None}
    assert run_drift(statistics(10, 10), EVALUATION, "1") == dict.fromkeys(DRIFT_KINDS, nothing)
    assert run_drift(statistics(90, 110), None, "1") == {}
    assert run_drift(RunStatistics(), EVALUATION, "1") == {}
    assert run_drift(statistics(90, 110), {"candidate": {"per_label": {}}, "champion": None}, "1") == {}, (
        "of an earlier version"
    )
    assert run_drift(statistics(90, 110), {"candidate": {"profile": None}, "champion": None}, "1") == {}, (
        "too few held-out rows"
    )
