"""Limits stop a run before it spends, by an estimate that past runs calibrate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from common.ledger import Ledger, serialize
from moto import mock_aws
from plan_run.limits import CostLimitError, Limits, check_limits
from record_run.ledger import cost_of_month
from record_run.spending import end_plan, learn_throughput

from ptmlops_contracts.estimate import Workload, estimate
from ptmlops_contracts.ledger import costs_of_runs
from ptmlops_contracts.run import Part
from tests.unit.lambdas.conftest import PRICES, create_ledger

NOW = datetime(2026, 7, 15, tzinfo=UTC)
RUN, OTHER = "20260715-093000-0123abcd", "20260714-093000-0123abcd"
STATE: Any = {"run_id": RUN, "prepare": {"JobRunId": "a", "ExecutionTime": 100}}
WORK = Workload(rows=1000, to_score=1000, labelled=2000, trials=2)
# Seconds are 0.001 USD: Prepare took 100 s of two DPUs. The rest is assumed: see the table of estimate.py.
PREPARE = 0.2
TRAINING, EVALUATION, SCORING, PUBLISH = 2 * (150 + 1.2), 180 + 1, 240 + 0.2, 200 + 0.3
REST = (TRAINING + EVALUATION + SCORING + PUBLISH) / 1000
NO_LIMITS = {"run_usd": 0.0, "month_usd": 0.0}


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with mock_aws():
        create_ledger()
        yield Ledger(boto3.client("dynamodb"), "ledger")


def check(ledger: Ledger, state: Any = STATE, **limits: float) -> Any:
    return check_limits(state, WORK, Limits(**{**NO_LIMITS, **limits}), ledger, PRICES, now=NOW)


def test_a_run_within_its_limits_goes_on_with_its_estimate_in_the_ledger(ledger: Ledger) -> None:
    rest = check(ledger, run_usd=PREPARE + REST + 0.01, month_usd=PREPARE + REST + 0.01)

    assert rest.usd == pytest.approx(REST, abs=1e-3)
    planned = ledger.find("PLANNED")
    assert planned and float(planned[RUN]) == pytest.approx(PREPARE + REST, abs=1e-3)
    check(ledger, month_usd=PREPARE + REST + 0.01)  # a repeated call does not count its own estimate


def test_a_run_over_its_limit_stops_and_says_what_it_would_cost_and_what_to_do(ledger: Ledger) -> None:
    with pytest.raises(CostLimitError) as stopped:
        check(ledger, run_usd=1.0)

    message = str(stopped.value)
    assert f"would cost about USD {PREPARE + REST:.2f}, and costs.run_limit_usd is 1.00" in message
    assert "training 0.30, evaluation 0.18, scoring 0.24, publish 0.20" in message
    assert "no past runs to calibrate it on" in message
    assert f"ptmlops replay {RUN}" in message
    assert ledger.find("PLANNED") is None


@pytest.mark.parametrize(
    ("item", "key", "reason"),
    [
        ({"pk": "COSTS#2026-07", OTHER: 9}, "run", "a run that ended this month"),
        ({"pk": "PLANNED", OTHER: 9}, "run", "a run that works"),
    ],
)
def test_other_runs_of_the_month_count_against_its_limit(ledger: Ledger, item: dict[str, Any], key: str, reason: str) -> None:
    ledger.client.put_item(TableName="ledger", Item=serialize(item))

    with pytest.raises(CostLimitError, match=r"the other runs of 2026-07 cost 9\.00, and costs\.month_limit_usd is 10\.00"):
        check(ledger, month_usd=10)
    check(ledger, month_usd=10.5), reason


def test_two_runs_at_the_same_time_do_not_both_take_what_is_left(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    most = PREPARE + REST + 0.5
    read = ledger.items

    def read_before_another_run_is_planned(keys: Iterable[str]) -> Iterator[dict[str, Any]]:
        found = list(read(keys))
        monkeypatch.undo()
        check(ledger, {**STATE, "run_id": OTHER}, month_usd=most)
        return iter(found)

    monkeypatch.setattr(ledger, "items", read_before_another_run_is_planned)
    with pytest.raises(CostLimitError, match=rf"the other runs of 2026-07 cost {PREPARE + REST:.2f}"):
        check(ledger, month_usd=most)
    assert costs_of_runs(ledger.find("PLANNED") or {}).keys() == {OTHER}


def test_a_repeated_call_changes_nothing(ledger: Ledger) -> None:
    check(ledger)
    before = ledger.find("PLANNED")
    check(ledger)
    assert ledger.find("PLANNED") == before


def test_runs_of_another_month_do_not_count(ledger: Ledger) -> None:
    ledger.client.put_item(TableName="ledger", Item=serialize({"pk": "COSTS#2026-06", OTHER: 9}))

    check(ledger, month_usd=2)


def test_what_an_earlier_attempt_of_the_run_cost_counts_once(ledger: Ledger) -> None:
    cost_of_month(ledger, RUN, cost_usd=5.0, finished_at=NOW.isoformat())

    with pytest.raises(CostLimitError, match=f"would cost about USD {5 + REST:.2f}"):
        check(ledger, run_usd=5)
    check(ledger, month_usd=5 + REST + 0.01)


def test_a_recorded_run_is_no_longer_planned(ledger: Ledger) -> None:
    check(ledger)
    total = cost_of_month(ledger, RUN, cost_usd=0.5, finished_at=NOW.isoformat())
    end_plan(ledger, RUN)

    assert total == 0.5
    assert costs_of_runs(ledger.find("PLANNED") or {}) == {}
    with pytest.raises(CostLimitError, match=r"the other runs of 2026-07 cost 0\.50"):
        check(ledger, {**STATE, "run_id": OTHER}, month_usd=0.6)


def recorded(run_id: str, factor: float, **changed: Any) -> Any:
    """A run that took `factor` times the assumed seconds."""
    job = {"job": "j", "usd": 1.0}
    seconds = {"training": TRAINING, "evaluation": EVALUATION, "scoring": SCORING}
    jobs = [
        {**job, "part": part, "instance": "ml.m5.large", "seconds": of * factor, "statuses": {"Completed": 1, "Stopped": 1}}
        for part, of in seconds.items()
    ]
    publish = {**job, "part": "publish", "instance": None, "seconds": PUBLISH * factor, "statuses": {"SUCCEEDED": 1}}
    run = {"run_id": run_id, "status": "SUCCEEDED", "rows": {"read": 1000}, "jobs": [*jobs, publish]}
    return {**run, **changed}


PLANNED: Any = {"run_id": RUN, "plan": {"rows": {"labelled_total": 2000, "to_score": 1000}}}


def test_the_estimate_follows_the_times_of_past_runs_and_its_error_shrinks(ledger: Ledger) -> None:
    before = check(ledger)
    errors = [before.high / before.usd]
    assert errors[0] == pytest.approx(3)
    for day in range(1, 9):
        learn_throughput(ledger, recorded(f"202607{day:02}-093000-0123abcd", 2.0), PLANNED)
        after = check(ledger)
        errors.append(after.high / after.usd)

    assert after.usd == pytest.approx(2 * REST, rel=1e-3)
    assert after.runs == 8
    assert errors[2:] == sorted(errors[2:], reverse=True)
    assert errors[-1] < 1.8
    assert "calibrated on 8 past runs" in after.describe()


def test_a_run_that_is_recorded_again_counts_once_and_failed_jobs_do_not_count(ledger: Ledger) -> None:
    learn_throughput(ledger, recorded(OTHER, 2.0), PLANNED)
    learn_throughput(ledger, recorded(OTHER, 4.0), PLANNED)
    learn_throughput(ledger, recorded(RUN, 100.0, status="FAILED"), PLANNED)
    failed = recorded(RUN, 1.0)
    failed["jobs"] = [{**job, "statuses": {"FAILED": 1}} for job in failed["jobs"]]
    learn_throughput(ledger, failed, PLANNED)

    rest = check(ledger)

    assert (rest.runs, rest.usd) == (1, pytest.approx(4 * REST, rel=1e-3))


def test_the_interval_holds_four_of_five_runs() -> None:
    import random

    draw = random.Random(20)  # noqa: S311 - a simulation
    inside = 0
    for _ in range(1000):
        ratios = {"publish/glue": {str(n): draw.lognormvariate(0.3, 0.5) for n in range(12)}}
        found = estimate(WORK, [Part.PUBLISH], PRICES, ratios)
        inside += found.low <= PUBLISH / 1000 * draw.lognormvariate(0.3, 0.5) <= found.high
    assert 760 <= inside <= 880


def test_a_part_without_a_price_is_named() -> None:
    prices = {**PRICES, "instances": {**PRICES["instances"], "training": {"ml.z9.large": None}}}  # type: ignore[dict-item]

    found = estimate(WORK, WORK.parts(), prices, {})

    assert found.parts["training"] is None
    assert "without training, whose price is not known" in found.describe()
