"""What published.json states of a run's answers as a whole: mean confidence, and drift against the model's held-out rows."""

from __future__ import annotations

from typing import Any

import pytest
from complaints_etl.publish.statistics import Category, RunStatistics
from publish_predictions import run_drift

from ptmlops_contracts.metrics import DRIFT_KINDS

METRICS: dict[str, Any] = {
    "per_label": {"card": {}, "loan": {}},
    "confusion": {"card": {"card": 90, "loan": 10}, "loan": {"loan": 100}},
    "by_language": {"es": {"rows": 200}},
    "by_length": {"1-20 words": {"rows": 200}},
    "reliability": [{"confidence": 0.95, "rows": 200}],
}
EVALUATION = {"candidate": METRICS, "champion": None}


def statistics(card: int, loan: int) -> RunStatistics:
    total = card + loan
    return RunStatistics(
        categories={
            "card": Category(complaints=card, confidence=0.9, needs_review=0),
            "loan": Category(complaints=loan, confidence=0.6, needs_review=0),
        },
        languages={"es": total},
        lengths={"1-20 words": total},
        confidence=[0] * 9 + [total],
    )


def test_the_mean_confidence_weighs_categories_by_their_complaints() -> None:
    assert statistics(100, 50).mean_confidence == pytest.approx((100 * 0.9 + 50 * 0.6) / 150)
    assert RunStatistics().mean_confidence is None


def test_a_run_like_the_held_out_rows_does_not_drift_and_another_does_in_its_categories_alone() -> None:
    same = run_drift(statistics(90, 110), EVALUATION, "1")
    assert set(same) == set(DRIFT_KINDS)
    assert all(index is not None and index < 0.01 for index in same.values())
    other = run_drift(statistics(195, 5), EVALUATION, "1")
    assert (other["categories"] or 0) > 0.25
    assert {kind: index for kind, index in other.items() if kind != "categories"} == {
        kind: index for kind, index in same.items() if kind != "categories"
    }


def test_too_few_rows_and_nothing_to_compare_with_are_not_measured() -> None:
    assert run_drift(statistics(10, 10), EVALUATION, "1") == dict.fromkeys(DRIFT_KINDS)
    assert run_drift(statistics(90, 110), None, "1") == {}
    assert run_drift(RunStatistics(), EVALUATION, "1") == {}
