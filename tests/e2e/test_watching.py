"""Alarms, notices, the dashboard and the logs of a run, on the deployment that the other end-to-end tests have used.

Alone, it makes a run of its own. It ends with the clock of the alarms days ahead, and sets it back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from local_aws import LocalAws
from local_aws.paths import NOTICES
from ptmlops import generator, predictions, run_logs, runs, uploads
from ptmlops.main import app
from ptmlops.options import CommonOptions
from ptmlops.target import Target
from ptmlops.views.notices import notice_lines, read_notices
from ptmlops_contracts.ledger import COLLECTING, run_key
from tests.e2e.dashboards import series_of

UNKNOWN_RUN, STOPPED_RUN = "20990101-000000-0000dead", "20990101-000000-0000abcd"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# What really happens in `happened`; the other alarms get their data with PutMetricData, and are cleared by the passing of time.
REAL = {"RunsFailed", "RunsAborted", "CollectRunErrors", "DeadLetters"}
# They stay until a run measures again.
STAYING = {"Drift", "LiveAccuracy", "MonthOverBudget", "ModelWaiting"}


def eventually(check: Callable[[], Any], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while (left := check()) and time.monotonic() < deadline:
        time.sleep(0.3)
    assert not left, f"{what}: {left}"


@pytest.fixture(scope="module")
def ended_run(target: Target, made: Any) -> str:
    """The newest run that classified something; where no other test has made one, one is made."""
    for run_id in runs.published_runs(target):
        if predictions.predictions(target, run_id).num_rows:
            return run_id
    ended = []
    # The labels of the second file come with the third one, so that live accuracy is measured.
    for name, rows, labelled, seed in (("learned", 900, True, 32), ("asked", 150, False, 31), ("answered", 150, True, 31)):
        path = made / f"watched_{name}.csv"
        generator.write_csv(path, rows, labelled=labelled, seed=seed)
        for _ in runs.follow(target, run_id := uploads.wait_for_run(target, uploads.upload(target, path))):
            pass
        runs.run_document(target, run_id)
        ended.append(run_id)
    return ended[1]


@pytest.fixture(scope="module")
def alarms(target: Target, ended_run: str) -> dict[str, dict[str, Any]]:
    """What CloudWatch tells of each alarm of the stacks, by kind."""
    found = target.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"].rpartition("-monitoring-")[2].rpartition("-")[0][:-8]: alarm for alarm in found}


@pytest.fixture
def clock(local_aws: LocalAws) -> Iterator[Callable[[timedelta], None]]:
    yield local_aws.set_clock_ahead
    local_aws.set_clock_ahead(timedelta())


def not_in(target: Target, names: dict[str, str], state: str) -> dict[str, str]:
    """The alarms of these names that are in another state, with the reason."""
    found = target.client("cloudwatch").describe_alarms(AlarmNames=list(names.values()))["MetricAlarms"]
    return {one["AlarmName"]: one["StateReason"] for one in found if one["StateValue"] != state}


def put(target: Target, alarm: dict[str, Any], value: float) -> None:
    datum = {"MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"], "Value": value}
    target.client("cloudwatch").put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])


def let_it_happen(target: Target) -> None:
    """Let a run fail in its first state, stop one that waits for files, and leave a message that nobody handles."""
    states, machine = target.client("stepfunctions"), target.outputs["StateMachineArn"]
    # It opened in ten minutes, so it waits longer than the test.
    soon = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    item = {"pk": run_key(STOPPED_RUN), "status": COLLECTING, "opened_at": soon, "joined_at": soon}
    target.client("dynamodb").put_item(
        TableName=target.outputs["LedgerTableName"],
        Item={**{name: {"S": text} for name, text in item.items()}, "schema_version": {"N": "2"}},
    )
    executions = [
        states.start_execution(
            stateMachineArn=machine, name=run_id, input=json.dumps({"run_id": run_id, "schema_version": 2})
        )["executionArn"]
        for run_id in (UNKNOWN_RUN, STOPPED_RUN)
    ]
    target.client("sqs").send_message(QueueUrl=target.outputs["DeadLetterQueueUrl"], MessageBody="{}")

    def waits() -> bool:
        events = states.get_execution_history(executionArn=executions[1])["events"]
        return any(event["type"] == "WaitStateEntered" for event in events)

    eventually(lambda: not waits(), "the run does not wait for files")
    states.stop_execution(executionArn=executions[1], error="Test", cause="a test")
    # Each run that is recorded measures the month's cost anew, so no record may be left to come.
    eventually(
        lambda: [run_id for run_id in (UNKNOWN_RUN, STOPPED_RUN) if not runs.read_run_document(target, run_id)],
        "runs are not recorded",
    )


def test_an_alarm_of_each_kind_is_raised_reported_and_over(
    target: Target, local_aws: LocalAws, alarms: dict[str, dict[str, Any]], clock: Callable[[timedelta], None]
) -> None:
    assert len(alarms) == 19
    names = {kind: alarm["AlarmName"] for kind, alarm in alarms.items()}
    clock(HOUR)  # what earlier tests caused is over
    for kind in STAYING:
        put(target, alarms[kind], 0)
    eventually(lambda: not_in(target, names, "OK"), "not OK before")
    before = len(read_notices(local_aws.folder / NOTICES))

    let_it_happen(target)
    for kind in set(alarms) - REAL:
        put(target, alarms[kind], alarms[kind]["Threshold"])
    eventually(lambda: not_in(target, names, "ALARM"), "not raised")

    target.client("sqs").purge_queue(QueueUrl=target.outputs["DeadLetterQueueUrl"])
    clock(2 * HOUR)
    eventually(lambda: not_in(target, {k: n for k, n in names.items() if k not in STAYING}, "OK"), "not over")
    assert not not_in(target, {kind: names[kind] for kind in STAYING}, "ALARM")
    for kind in STAYING:
        put(target, alarms[kind], 0)
    eventually(lambda: not_in(target, names, "OK"), "not over")

    notices = read_notices(local_aws.folder / NOTICES)[before:]
    for kind, name in names.items():
        reported = [notice for notice in notices if f'"{name}"' in (notice["subject"] or "")]
        assert [notice["subject"].partition(":")[0] for notice in reported] == ["ALARM", "OK"], kind
        assert all(notice["recipients"] == ["email:operator@example.com"] for notice in reported)
        [raised, _] = [json.loads(notice["message"]) for notice in reported]
        assert f"runbooks.md#{'functionerrors' if kind.endswith('Errors') else ''}" in raised["AlarmDescription"]
        assert "breach" in raised["NewStateReason"]


def test_days_without_files_raise_an_alarm_and_a_file_ends_it(
    target: Target, local_aws: LocalAws, clock: Callable[[timedelta], None]
) -> None:
    """The alarm of `no_files_days = 1`: tests/stacks compares the template with these parameters."""
    queue, cloudwatch, name = target.outputs["ArrivalsQueueUrl"].rpartition("/")[2], target.client("cloudwatch"), "NoFiles"
    clock(3 * HOUR)

    def upload() -> None:
        # S3 reports a folder's marker like any object, and no run takes it.
        target.client("s3").put_object(Bucket=target.outputs["RawBucketName"], Key="empty/", Body=b"")

    upload()
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="AWS/SQS", MetricName="NumberOfMessagesSent", Dimensions=[{"Name": "QueueName", "Value": queue}],
        Statistic="Sum", Period=3600, EvaluationPeriods=24, Threshold=1, ComparisonOperator="LessThanThreshold",
        TreatMissingData="breaching", AlarmActions=[target.outputs["NotificationTopicArn"]],
    )  # fmt: skip
    eventually(lambda: not_in(target, {name: name}, "OK"), "a file came today")
    clock(3 * HOUR + DAY)
    time.sleep(2.5)  # it is evaluated each second
    assert not not_in(target, {name: name}, "OK"), "CloudWatch looks at two hours more"
    clock(6 * HOUR + DAY)
    eventually(lambda: not_in(target, {name: name}, "ALARM"), "no file for a day")
    upload()
    eventually(lambda: not_in(target, {name: name}, "OK"), "a file ends it")
    cloudwatch.delete_alarms(AlarmNames=[name])


def test_every_metric_of_the_dashboard_was_emitted(target: Target, alarms: dict[str, dict[str, Any]]) -> None:
    del alarms  # the tests before let a run fail and stop
    cloudwatch = target.client("cloudwatch")
    body = json.loads(cloudwatch.get_dashboard(DashboardName=target.outputs["DashboardName"])["DashboardBody"])
    wanted = set(series_of(body))
    assert len(wanted) > 30
    emitted = {
        (metric["Namespace"], metric["MetricName"], tuple(sorted((d["Name"], d["Value"]) for d in metric["Dimensions"])))
        for page in cloudwatch.get_paginator("list_metrics").paginate()
        for metric in page["Metrics"]
    }
    assert wanted - emitted == set()


def test_the_log_of_a_run_has_lines_of_every_unit_in_order(target: Target, ended_run: str) -> None:
    lines = run_logs.lines_of(target, ended_run)
    shown = [line for line in lines if run_logs.is_of_interest(line)]
    assert {"start_run", "collect_run", "plan_run", "record_run", "prepare", "publish", "state machine"} <= {
        line.unit for line in lines
    }
    assert [line.moment for line in lines] == sorted(line.moment for line in lines)
    texts = [f"{line.unit}: {run_logs.text_of(line)}" for line in shown]
    order = ("collect_run: run starts", "prepare: prepared", "plan_run: planned", "publish: published", "record_run: recorded")
    places = [next(place for place, text in enumerate(texts) if text.startswith(begin)) for begin in order]
    assert places == sorted(places)
    others = {document["run_id"] for line in lines if (document := line.fields).get("run_id")}
    assert others == {ended_run}


def test_a_failed_run_shows_its_reason(target: Target, monkeypatch: pytest.MonkeyPatch, ended_run: str) -> None:
    monkeypatch.setattr(CommonOptions, "target", lambda _: target)
    done = CliRunner().invoke(app, ["logs", ended_run, "--local"])
    assert done.exit_code == 0, done.output
    assert "TaskStateEntered Prepare" in done.stdout
    unknown = CliRunner().invoke(app, ["logs", UNKNOWN_RUN, "--local"])
    assert unknown.exit_code == 2
    assert UNKNOWN_RUN in unknown.stderr


def test_following_a_run_that_has_ended_shows_each_line_once(target: Target, ended_run: str) -> None:
    found = list(run_logs.follow(target, ended_run, sleep=lambda _: None))
    assert [line.key for line in found] == [line.key for line in run_logs.lines_of(target, ended_run)]


def test_notices_are_shown_with_what_to_do(local_aws: LocalAws) -> None:
    notices = read_notices(local_aws.folder / NOTICES)
    [raised] = [
        list(notice_lines(one))
        for one in notices
        if (one["subject"] or "").startswith("ALARM") and "RunsFailed" in one["subject"]
    ][-1:]
    assert "operator@example.com" in raised[0]
    assert "`ptmlops status` says in which state and why" in raised[1]
