"""Alarms: how a state follows from data points, as CloudWatch's documentation tabulates it, and what is emitted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local_aws.metrics import Clock, embedded_metrics
from local_aws.services.cloudwatch.evaluation import Condition, Sample, evaluate, points_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def condition(*, n: int = 1, m: int | None = None, missing: str = "missing", statistic: str = "Sum", **more: str) -> Condition:
    return Condition(
        statistic=statistic,
        period=timedelta(minutes=5),
        threshold=1,
        comparison=more.get("comparison", "GreaterThanOrEqualToThreshold"),
        evaluation_periods=n,
        datapoints_to_alarm=m or n,
        missing=missing,
    )


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html: the two tables. 0 does not breach, X does.
RETAINED = "the state before"


@pytest.mark.parametrize(
    ("points", "n", "m", "expected"),
    [
        ("0-X-X", 3, 3, ("OK", "OK", "OK", "OK")),
        ("0----", 3, 3, ("OK", "OK", "OK", "OK")),
        ("-----", 3, 3, ("INSUFFICIENT_DATA", RETAINED, "ALARM", "OK")),
        ("0XX-X", 3, 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("--X--", 3, 3, ("ALARM", RETAINED, "ALARM", "OK")),
        ("0-X-X", 3, 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("00X0X", 3, 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("0-X--", 3, 2, ("OK", "OK", "ALARM", "OK")),
        ("----0", 3, 2, ("OK", "OK", "ALARM", "OK")),
        ("---X-", 3, 2, ("ALARM", RETAINED, "ALARM", "OK")),
    ],
)
def test_missing_data_is_treated_as_documented(points: str, n: int, m: int, expected: tuple[str, ...]) -> None:
    newest_first = [{"0": 0.0, "X": 1.0, "-": None}[point] for point in reversed(points)]
    for treatment, state in zip(TREATMENTS, expected, strict=True):
        for before in ("OK", "ALARM", "INSUFFICIENT_DATA"):
            verdict = evaluate(newest_first, condition(n=n, m=m, missing=treatment), before)
            assert verdict.state == (before if state == RETAINED else state), treatment


@pytest.mark.parametrize("before", ["OK", "ALARM"])
def test_one_young_point_of_many_does_not_raise_an_alarm_early(before: str) -> None:
    assert evaluate([1.0, None, None, None, None], condition(n=3), before).state == before


@pytest.mark.parametrize(
    ("comparison", "value", "state"),
    [
        ("GreaterThanOrEqualToThreshold", 1, "ALARM"),
        ("GreaterThanThreshold", 1, "OK"),
        ("LessThanThreshold", 0, "ALARM"),
        ("LessThanThreshold", 1, "OK"),
        ("LessThanOrEqualToThreshold", 1, "ALARM"),
    ],
)
def test_the_operator_decides_at_the_threshold(comparison: str, value: float, state: str) -> None:
    assert evaluate([value, None, None], condition(comparison=comparison), "OK").state == state


@pytest.mark.parametrize(
    ("statistic", "expected"), [("Sum", 9), ("SampleCount", 4), ("Average", 2.25), ("Minimum", 0.5), ("Maximum", 5)]
)
def test_a_statistic_is_over_all_values_of_a_period(statistic: str, expected: float) -> None:
    samples = [
        Sample(NOW - timedelta(minutes=1), 1, 5, 5, 5),
        Sample(NOW - timedelta(minutes=4), 3, 4, 0.5, 2),
        Sample(NOW - timedelta(minutes=6), 1, 100, 100, 100),  # the period before
        Sample(NOW + timedelta(minutes=1), 1, 100, 100, 100),  # not yet
        Sample(NOW - timedelta(minutes=16), 1, 100, 100, 100),  # outside of the range
    ]
    points = points_of(samples, condition(statistic=statistic), NOW)
    assert points[0] == expected
    assert len(points) == 3
    assert points[2] is None


def test_an_alarm_on_the_past_is_over_after_its_range() -> None:
    sample = Sample(NOW, 1, 1, 1, 1)
    rule = condition(missing="notBreaching")
    states = [
        evaluate(points_of([sample], rule, NOW + timedelta(minutes=minutes)), rule, "OK").state for minutes in (0, 4, 14, 15)
    ]
    assert states == ["ALARM", "ALARM", "ALARM", "OK"]


def test_the_reason_names_values_threshold_and_missing_points() -> None:
    reason = evaluate([3.5, None, None], condition(n=2, missing="breaching"), "OK").reason
    assert "[3.5]" in reason
    assert "1 missing, treated as breaching" in reason
    assert evaluate([None], condition(missing="ignore"), "OK").reason.startswith("no data")


LINE = {
    "_aws": {
        "Timestamp": 1_795_950_000_000,
        "CloudWatchMetrics": [
            {
                "Namespace": "ptmlops-test",
                "Dimensions": [["service"], ["service", "kind"]],
                "Metrics": [{"Name": "Drift", "Unit": "None"}, {"Name": "Rows", "Unit": "Count"}],
            }
        ],
    },
    "service": "ptmlops",
    "kind": "length",
    "Drift": [0.25, 0.5],
    "Rows": 7,
}


def test_a_line_in_the_embedded_format_is_a_datum_per_metric_and_set_of_dimensions() -> None:
    found = [
        (namespace, datum["MetricName"], datum["Values"], datum["Unit"], len(datum["Dimensions"]))
        for namespace, datum in embedded_metrics(json.dumps(LINE))
    ]
    assert found == [
        ("ptmlops-test", "Drift", [0.25, 0.5], "None", 1),
        ("ptmlops-test", "Rows", [7.0], "Count", 1),
        ("ptmlops-test", "Drift", [0.25, 0.5], "None", 2),
        ("ptmlops-test", "Rows", [7.0], "Count", 2),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("no JSON: _aws", "a text"),
        ('{"message": "\\"_aws\\""}', "the word in a message"),
        (json.dumps({**LINE, "service": None, "_aws": {"Timestamp": "x"}}), "a time that is a text"),
        (json.dumps({key: value for key, value in LINE.items() if key != "kind"}), "a dimension without a value"),
        (json.dumps({**LINE, "_aws": 5}), "metadata that is no object"),
    ],
)
def test_what_is_not_in_the_format_is_no_error(line: str, why: str) -> None:
    assert all(len(datum["Dimensions"]) == 1 for _, datum in embedded_metrics(line)), why


def test_the_clock_of_alarms_can_be_set_ahead(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    assert clock.ahead == timedelta()
    clock.set_ahead(timedelta(days=2))
    assert timedelta(days=2) <= clock.now() - datetime.now(UTC) + timedelta(seconds=1) < timedelta(days=2, minutes=1)
