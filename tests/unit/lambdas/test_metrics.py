"""The metrics of a run: names, units and dimensions as CloudWatch reads them from the functions' logs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_lambda_powertools.metrics import Metrics
from common.metrics import METRICS, emit
from common.model_registry import versions_waiting
from record_run.metrics import count_run

from ptmlops_contracts.metrics import SERVICE, Metric

CHECKED: Any = {"answers": 900, "checked": 120, "accuracy": 0.91, "accuracy_interval": [0.88, 0.94]}
TOO_FEW: Any = {"answers": 900, "checked": 12, "accuracy": None, "accuracy_interval": None}
RUN: Any = {
    "rows": {"read": 200, "accepted": 150, "rejected": 30, "duplicates": 20},
    "scored": 120,
    "needs_review": 30,
    "confidence": 0.875,
    "drift": {"categories": 0.31, "languages": None, "length": 0.05, "confidence": 0.12},
    "drift_thresholds": {"categories": 0.2, "languages": None, "length": 0.05, "confidence": 0.06},
    "live_accuracy": [
        {**TOO_FEW, "model_version": "10", "fall": None},
        {**CHECKED, "model_version": "9", "fall": 0.04},
        {**CHECKED, "model_version": "8", "fall": 0.2},
    ],
    "themes": [{"theme": "dron", "complaints": 12, "terms": ["dron"]}],
    "cost_usd": 0.42,
    "seconds": 321.5,
    "states": {
        "Collect": 1.0,
        "Wait for files": 60.0,
        "Prepare": 80.5,
        "Train?": 0.0,
        "Train": 40.0,
        "Train warm": 20.5,
        "Record": 0.2,
    },
}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    METRICS.clear_metrics()


def emitted(capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, str], tuple[float, str]]:
    """Return (value, unit) per name and further dimension of what was printed."""
    METRICS.flush_metrics()
    found = {}
    for line in capsys.readouterr().out.splitlines():
        document = json.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            assert document["service"] == SERVICE
            [names] = directive["Dimensions"]
            further = [document[name] for name in names if name != "service"]
            for metric in directive["Metrics"]:
                value = document[metric["Name"]]
                found[metric["Name"], *further] = (value[0] if isinstance(value, list) else value, metric["Unit"])
    return {(key[0], "".join(key[1:])): value for key, value in found.items()}


def test_a_run_is_counted_with_units(capsys: pytest.CaptureFixture[str]) -> None:
    count_run(RUN, month_cost=7.5)
    assert emitted(capsys) == {
        ("Runs", ""): (1, "Count"),
        ("RowsRead", ""): (200, "Count"),
        ("RowsAccepted", ""): (150, "Count"),
        ("RowsRejected", ""): (30, "Count"),
        ("RowsDuplicate", ""): (20, "Count"),
        ("RejectShare", ""): (15, "Percent"),
        ("ComplaintsClassified", ""): (120, "Count"),
        ("ReviewShare", ""): (25, "Percent"),
        ("MeanConfidence", ""): (87.5, "Percent"),
        ("Drift", "categories"): (0.31, "None"),
        ("Drift", "length"): (0.05, "None"),
        ("Drift", "confidence"): (0.12, "None"),
        ("DriftTimesThreshold", ""): (2, "None"),  # of the confidence
        ("LiveAccuracy", ""): (91, "Percent"),
        ("LiveAccuracyFall", ""): (4, "Percent"),
        ("NewThemes", ""): (1, "Count"),
        ("RunCost", ""): (0.42, "None"),
        ("MonthCost", ""): (7.5, "None"),
        ("RunDuration", ""): (321.5, "Seconds"),
        ("StateDuration", "Collect"): (61, "Seconds"),
        ("StateDuration", "Prepare"): (80.5, "Seconds"),
        ("StateDuration", "Train"): (60.5, "Seconds"),
    }


def test_a_run_without_rows_and_answers_has_no_shares(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"read": 0, "accepted": 0, "rejected": 0, "duplicates": 0}
    count_run(
        {**RUN, "rows": rows, "scored": 0, "needs_review": 0, "confidence": None, "drift": {}, "live_accuracy": []},
        month_cost=1,
    )
    names = {name for name, _ in emitted(capsys)}
    assert names.isdisjoint(
        {
            "RejectShare",
            "ReviewShare",
            "MeanConfidence",
            "Drift",
            "DriftTimesThreshold",
            "LiveAccuracy",
            "LiveAccuracyFall",
            "NewThemes",
        }
    )
    assert names >= {"Runs", "RowsRead", "RunCost"}


@pytest.mark.parametrize("metric", Metric)
def test_each_metric_can_be_emitted(metric: Metric, capsys: pytest.CaptureFixture[str]) -> None:
    """Powertools refuses a unit or a name that CloudWatch does not have."""
    emit(metric, 1.5, **({metric.dimension: "part"} if metric.dimension else {}))
    assert emitted(capsys) == {(metric.title, "part" if metric.dimension else ""): (1.5, metric.unit)}


def test_all_functions_share_one_dimension() -> None:
    assert isinstance(METRICS, Metrics)
    assert METRICS.service == SERVICE


def test_only_versions_above_the_serving_one_wait() -> None:
    assert versions_waiting({1: "PendingManualApproval", 2: "Approved", 3: "PendingManualApproval", 4: "Rejected"}) == 1
    assert versions_waiting({1: "PendingManualApproval"}) == 1
    assert versions_waiting({1: "PendingManualApproval", 2: "Approved"}) == 0
    assert versions_waiting({}) == 0
