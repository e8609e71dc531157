"""`ptmlops logs` and `ptmlops notices`: which lines belong to a run, and what a person sees of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from ptmlops import run_logs
from ptmlops.main import app
from ptmlops.run_logs import Line, is_of_interest, text_of
from ptmlops.target import Target
from ptmlops.views.notices import notice_lines, read_notices

RUN, OTHER = "20261128-101500-1a2b3c4d", "20261128-101600-ffffffff"
OPENED = datetime(2026, 11, 28, 10, 15, tzinfo=UTC)


def line(message: str | dict[str, Any]) -> Line:
    text = message if isinstance(message, str) else json.dumps(message)
    return Line(moment=OPENED, unit="plan_run", message=text, key="1")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ({"level": "INFO", "message": "planned", "run_id": RUN, "train": True, "reason": "ok"}, "planned train=true reason=ok"),
        ({"level": "ERROR", "errorMessage": "the bucket is gone", "errorType": "ClientError", "requestId": "r"},
         "ERROR the bucket is gone errorType=ClientError"),
        ({"type": "TaskStateEntered", "details": {"name": "Prepare"}, "execution_arn": f"a:{RUN}", "id": "3"}, "TaskStateEntered Prepare"),
        ({"type": "ExecutionFailed", "details": {"error": "E", "cause": "why"}, "execution_arn": f"a:{RUN}"},
         "ExecutionFailed error=E cause=why"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("{no JSON", "{no JSON"),
    ],
)  # fmt: skip
def test_a_line_is_its_message_and_what_else_is_worth_reading(message: Any, shown: str) -> None:
    assert text_of(line(message)) == shown


@pytest.mark.parametrize(
    ("message", "interesting", "why"),
    [
        ({"level": "INFO", "message": "planned"}, True, "a unit's line"),
        ("text", True, "what a library printed"),
        ({"_aws": {}, "RowsRead": [5]}, False, "metrics"),
        ({"type": "platform.start", "record": {"requestId": "r"}}, False, "the platform's line"),
        ({"type": "platform.report", "record": {"status": "timeout"}}, True, "a function was ended"),
        ({"type": "TaskStateEntered", "execution_arn": "a", "details": {"name": "Plan"}}, True, "a state begins"),
        ({"type": "LambdaFunctionScheduled", "execution_arn": "a", "details": {}}, False, "bookkeeping"),
        ({"type": "TaskFailed", "execution_arn": "a", "details": {"error": "E"}}, True, "a failure"),
    ],
)
def test_lines_that_nobody_reads_are_left_out(message: Any, interesting: bool, why: str) -> None:
    assert is_of_interest(line(message)) is interesting, why


@pytest.fixture
def target() -> Iterator[Target]:
    with mock_aws():
        session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")
        made = Target("x", session)
        dynamodb = made.client("dynamodb")
        dynamodb.create_table(
            TableName="ledger", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        )  # fmt: skip
        ended = {
            "opened_at": OPENED.isoformat(),
            "finished_at": (OPENED + timedelta(minutes=5)).isoformat(),
            "status": "SUCCEEDED",
        }
        dynamodb.put_item(
            TableName="ledger", Item={"pk": {"S": f"RUN#{RUN}"}, **{key: {"S": text} for key, text in ended.items()}}
        )
        made.client("glue").create_job(Name="prepare-job", Role="r", Command={"Name": "glueetl"})
        made.__dict__["outputs"] = {
            "LedgerTableName": "ledger",
            "StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m",
            "PrepareJobName": "prepare-job",
            "FunctionLogGroups": json.dumps({"start_run": "/functions/start", "plan_run": "/functions/plan"}),
            "JobLogGroups": json.dumps({"prepare": "/aws-glue/jobs/output"}),
        }
        yield made


def write(target: Target, group: str, stream: str, *events: tuple[float, Any]) -> None:
    """Write events so many seconds after the run opened."""
    logs = target.client("logs")
    for make in (lambda: logs.create_log_group(logGroupName=group), lambda: logs.create_log_stream(logGroupName=group, logStreamName=stream)):  # fmt: skip
        try:
            make()
        except logs.exceptions.ResourceAlreadyExistsException:
            continue
    logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[
            {
                "timestamp": int((OPENED + timedelta(seconds=seconds)).timestamp() * 1000),
                "message": message if isinstance(message, str) else json.dumps(message),
            }
            for seconds, message in events
        ],
    )


def test_a_run_has_its_lines_of_all_units_in_order_and_no_others(target: Target) -> None:
    write(
        target, "/functions/start", "a",
        (1, {"run_id": RUN, "message": "files are in a run", "function_request_id": "r1"}),
        (2, {"run_id": OTHER, "message": "files are in a run", "function_request_id": "r1"}),
        (3, {"message": "batch done", "function_request_id": "r1"}),
        (4, {"message": "batch done", "function_request_id": "r2"}),
    )  # fmt: skip
    write(
        target, "/functions/plan", "b",
        (-7200, {"run_id": RUN, "message": "long before", "function_request_id": "r0"}),
        (200, {"run_id": RUN, "message": "planned", "function_request_id": "r3"}),
        (201, {"errorMessage": "no model", "level": "ERROR", "requestId": "r3"}),
        (202, {"errorMessage": "of another run", "level": "ERROR", "requestId": "r4"}),
    )  # fmt: skip
    write(target, "/aws/sagemaker/TrainingJobs", f"{RUN}-0-0-001/algo-1", (100, "a line of a library"))
    write(target, "/aws/sagemaker/TrainingJobs", f"{OTHER}-0-0-001/algo-1", (100, "another run's"))

    glue = target.client("glue")
    for run_id in (RUN, OTHER):
        job_run = glue.start_job_run(JobName="prepare-job", Arguments={"--run_id": run_id})["JobRunId"]
        write(target, "/aws-glue/jobs/output", f"{job_run}-driver", (50, f"rows of {run_id}"))

    found = run_logs.lines_of(target, RUN)

    assert [(one.unit, text_of(one)) for one in found] == [
        ("start_run", "files are in a run"),
        ("start_run", "batch done"),
        ("prepare", f"rows of {RUN}"),
        ("train", "a line of a library"),
        ("plan_run", "planned"),
        ("plan_run", "ERROR no model"),
    ]
    assert list(run_logs.follow(target, RUN, sleep=lambda _: None)) == found


def test_notices_are_those_of_a_local_aws_only() -> None:
    refused = CliRunner().invoke(app, ["notices"])
    assert refused.exit_code == 2
    assert "--local" in refused.stderr


def test_a_notice_says_who_gets_it_what_to_do_and_why(tmp_path: Path) -> None:
    file = tmp_path / "notices.jsonl"
    assert read_notices(file) == []
    alarm = {"AlarmName": "Drift", "AlarmDescription": "Look at the report.", "NewStateReason": "ALARM: 0.4"}
    common = {"timestamp": "2026-11-28T10:15:07.123+00:00", "topic": "t"}
    written = [
        {**common, "recipients": ["email:a@example.com"], "subject": "ALARM: Drift", "message": json.dumps(alarm)},
        {**common, "recipients": [], "subject": None, "message": "Run 1 ended.\nIt cost USD 1."},
    ]
    file.write_text("".join(f"{json.dumps(one)}\n" for one in written), encoding="utf-8")
    assert [text for notice in read_notices(file) for text in notice_lines(notice)] == [
        "10:15:07 ALARM: Drift (email:a@example.com)",
        "    Look at the report.",
        "    ALARM: 0.4",
        "10:15:07 (no subject) (nobody is subscribed)",
        "    Run 1 ended.",
        "    It cost USD 1.",
    ]
