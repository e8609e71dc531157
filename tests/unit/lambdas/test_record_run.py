"""Record: what a run leaves behind when it ends well or not, and what its subscribers are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from common.ledger import Ledger, serialize
from common.slots import Slots
from moto import mock_aws
from record_run import handler, summary
from record_run.history import state_seconds

from ptmlops_contracts.keys import OutputKeys
from tests.unit.lambdas.conftest import CONTEXT

RUNS = Path(__file__).parents[3] / "stacks/components/runs_table.json"  # read, so that these tests run without the CDK, too
RUN = "20260715-093000-0123abcd"
ARN = f"arn:aws:states:us-east-1:123456789012:execution:machine:{RUN}"
STARTED = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)
PRICES = {
    "region": "eu-west-1", "priced_region": "us-east-1", "recorded": "2026-11-23",
    "glue_dpu_hour": 0.44, "glue_dpus": 2, "prepare_job": "prepare", "publish_job": "publish", "instances": {},
}  # fmt: skip
# Glue counts DPU seconds only of some jobs (with Auto Scaling).
JOB_RUNS: dict[tuple[str, str], dict[str, Any]] = {
    ("prepare", "a"): {"JobRunState": "SUCCEEDED", "ExecutionTime": 3600, "DPUSeconds": 5400.0},
    ("publish", "b"): {"JobRunState": "SUCCEEDED", "ExecutionTime": 10},
}


def entered(state: str, document: dict[str, Any]) -> dict[str, Any]:
    return {"timestamp": STARTED, "stateEnteredEventDetails": {"name": state, "input": json.dumps(document)}}


def started(service: str, action: str, request: dict[str, Any], answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a job that its service accepted."""
    task = {"resourceType": service, "resource": f"{action}.sync"}
    return [
        {"timestamp": STARTED, "taskScheduledEventDetails": {**task, "parameters": json.dumps(request)}},
        {"timestamp": STARTED, "taskStartedEventDetails": task},
        {"timestamp": STARTED, "taskSubmittedEventDetails": {**task, "output": json.dumps(answer)}},
    ]


def glue_run(job: str, run: str) -> list[dict[str, Any]]:
    return started("glue", "startJobRun", {"JobName": job, "Arguments": {"--run_id": RUN}}, {"JobRunId": run})


REPORT = {
    "rows": {"read": 100, "accepted": 90, "rejected": 4, "duplicates": 6},
    "files": [{"key": "quejas de Maria Perez.csv", "columns": {"text": "Relato", "complaint_id": "Caso", "label": "Motivo"}}],
    "notes": [{"code": "column_not_label", "file": "quejas de Maria Perez.csv", "column": "producto"}],
    "rejects": {"empty_text": 4},
    "versions": {"prepare": "2"},
}


class Execution:
    """Step Functions' two answers about one execution (moto keeps no history of executions that it does not run)."""

    def __init__(
        self,
        status: str,
        *,
        cause: str | None = None,
        redrives: int = 0,
        error: str = "Glue.JobFailed",
        events: list[dict[str, Any]] | None = None,
    ) -> None:
        self.status, self.cause, self.redrives, self.error, self.events = status, cause, redrives, error, events or []

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803 - the service's own name
        assert executionArn == ARN
        ended = {} if self.status == "RUNNING" else {"stopDate": STARTED + timedelta(seconds=120)}
        failed = {"error": self.error, "cause": self.cause} if self.cause else {}
        execution = {"name": RUN, "executionArn": ARN, "status": self.status, "startDate": STARTED}
        return {**execution, "redriveCount": self.redrives, **ended, **failed}

    def get_paginator(self, name: str) -> Any:
        assert name == "get_execution_history"
        document = json.dumps({"run_id": RUN})
        if self.events:
            return SimpleNamespace(paginate=lambda **_: [{"events": self.events}])
        entered = {"timestamp": STARTED, "stateEnteredEventDetails": {"name": "Prepare", "input": document}}
        left = {"timestamp": STARTED + timedelta(seconds=61), "stateExitedEventDetails": {"name": "Prepare"}}
        events = [entered] if self.cause else [entered, left]
        return SimpleNamespace(paginate=lambda **_: [{"events": events}])


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    with mock_aws():
        clients = {name: boto3.client(name) for name in ("s3", "dynamodb", "sns", "sqs", "sagemaker")}
        for bucket in ("prepared", "output"):
            clients["s3"].create_bucket(Bucket=bucket)
        clients["dynamodb"].create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        topic = clients["sns"].create_topic(Name="notices")["TopicArn"]
        queue = clients["sqs"].create_queue(QueueName="subscriber")["QueueUrl"]
        clients["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:subscriber")
        for name, value in {
            "OUTPUT_BUCKET": "output", "PREPARED_BUCKET": "prepared", "LEDGER_TABLE": "ledger", "NOTIFICATION_TOPIC_ARN": topic,
            "PRICES": json.dumps(PRICES), "ENVIRONMENT": "dev",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        yield {**clients, "queue": queue}


@pytest.fixture
def record(aws: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[Execution, dict[str, Any]], dict[str, Any]]:
    """Run the handler against the execution; gives run.json."""

    def work(execution: Execution, event: dict[str, Any]) -> dict[str, Any]:
        clients = {name: aws[name] for name in ("dynamodb", "s3", "sagemaker", "sns")}
        glue = SimpleNamespace(get_job_run=lambda JobName, RunId: {"JobRun": JOB_RUNS[JobName, RunId]})  # noqa: N803
        monkeypatch.setattr(handler, "CLIENTS", SimpleNamespace(**clients, states=execution, glue=glue))
        handler.lambda_handler(event, CONTEXT)
        body = aws["s3"].get_object(Bucket="output", Key=f"runs/run_id={RUN}/run.json")["Body"].read()
        document: dict[str, Any] = json.loads(body)
        return document

    return work


def put(aws: dict[str, Any], name: str, content: str) -> None:
    aws["s3"].put_object(Bucket="prepared", Key=f"runs/{RUN}/{name}", Body=content.encode())


def notice(aws: dict[str, Any]) -> tuple[str, str]:
    [message] = aws["sqs"].receive_message(QueueUrl=aws["queue"], MaxNumberOfMessages=10)["Messages"]
    body = json.loads(message["Body"])
    return body["Subject"], body["Message"]


def succeed(aws: dict[str, Any], record: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    put(aws, "report.json", json.dumps(REPORT))
    aws["s3"].put_object(Bucket="output", Key=f"runs/run_id={RUN}/report.html", Body=b"page")
    put(aws, "publish.json", json.dumps({"scored": 90, "needs_review": 7}))
    state = {
        "run_id": RUN,
        "prepare": {"JobRunId": "a", "ExecutionTime": 3600},
        "publish": {"JobRunId": "b", "ExecutionTime": 10},
        "plan": {"champion": {"version": "3", "macro_f1": 0.8}, "reason": "0 new labelled rows; training starts at 50"},
    }
    left = {"timestamp": STARTED + timedelta(seconds=61), "stateExitedEventDetails": {"name": "Prepare"}}
    events = [entered("Prepare", state), *glue_run("prepare", "a"), left, *glue_run("publish", "b")]
    return record(Execution("RUNNING", events=events), {"state": state, "execution_arn": ARN})


def test_a_run_that_succeeded_is_counted_and_priced(aws: dict[str, Any], record: Callable[..., dict[str, Any]]) -> None:
    run = succeed(aws, record)

    assert (run["status"], run["scored"], run["needs_review"], run["files"]) == ("SUCCEEDED", 90, 7, 1)
    assert run["published"] is True
    assert run["columns"] == [{"files": 1, "columns": {"complaint_id": "Caso", "label": "Motivo", "text": "Relato"}}]
    assert run["notes"] == REPORT["notes"]
    assert (run["trained"], run["training_reason"]) == (False, "0 new labelled rows; training starts at 50")
    assert run["model"] == {"version": 3, "macro_f1": 0.8}
    # 1.5 DPU hours, as Glue counted them; and ten seconds of 2 DPUs, billed as a minute.
    assert run["cost"] == {"prepare": pytest.approx(0.66), "publish": pytest.approx(0.88 / 60, abs=1e-6)}
    assert run["states"] == {"Prepare": 61.0}


def test_the_table_of_runs_gets_the_same_facts_on_one_line(aws: dict[str, Any], record: Callable[..., dict[str, Any]]) -> None:
    run = succeed(aws, record)
    line = aws["s3"].get_object(Bucket="output", Key=f"run_history/run_date=2026-07-15/{RUN}.json")["Body"].read().decode()

    assert len(line.splitlines()) == 1
    assert json.loads(line) == run
    assert run["rejects"] == {"empty_text": 4}


def test_every_column_of_the_table_is_a_key_of_the_document(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]]
) -> None:
    columns = {column["name"] for column in json.loads(RUNS.read_text(encoding="utf-8"))["columns"]}
    failed = record(Execution("FAILED", cause="x"), {"detail": {"executionArn": ARN}})

    assert columns <= failed.keys()
    assert columns - {"error"} <= succeed(aws, record).keys()


def test_a_report_of_an_earlier_version_has_no_place_for_costs(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]]
) -> None:
    run = succeed(aws, record)

    assert aws["s3"].get_object(Bucket="output", Key=f"runs/run_id={RUN}/report.html")["Body"].read() == b"page"
    assert run["cost_usd"] == pytest.approx(0.66 + 0.88 / 60, abs=1e-3)
    assert run["seconds"] > 0


def test_subscribers_hear_what_how_many_how_long_how_much_and_where_and_no_name(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]]
) -> None:
    succeed(aws, record)
    subject, message = notice(aws)

    assert RUN in subject
    assert "succeeded" in subject
    for part in (
        "100 rows: 90 accepted",
        "4 rejected",
        "90 complaints classified",
        "7 to be read",
        "No model was trained: 0 new labelled rows",
        "USD 0.67 (list prices of us-east-1, 2026-11-23; those of eu-west-1 are not known)",
        f"s3://output/runs/run_id={RUN}/",
    ):
        assert part in message
    assert "Perez" not in subject + message
    assert f"ptmlops results {RUN} --environment dev" in message


def test_a_run_that_failed_says_where_and_why_and_keeps_no_report(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]]
) -> None:
    cause = json.dumps({"ErrorMessage": "TooManyRejectsError: 60% of 10 rows were rejected"})
    run = record(Execution("FAILED", cause=cause), {"detail": {"executionArn": ARN}})

    assert run["status"] == "FAILED"
    assert run["published"] is False
    assert run["seconds"] == 120
    assert run["error"] == {
        "state": "Prepare",
        "error": "Glue.JobFailed",
        "message": "TooManyRejectsError: 60% of 10 rows were rejected",
    }
    names = [item["Key"] for item in aws["s3"].list_objects_v2(Bucket="output")["Contents"]]
    assert names == [f"run_history/run_date=2026-07-15/{RUN}.json", f"runs/run_id={RUN}/run.json"]
    subject, message = notice(aws)
    assert "failed" in subject
    assert "Prepare failed: Glue.JobFailed" in message
    assert "ptmlops results" not in message
    assert f"s3://output/runs/run_id={RUN}/run.json" in message
    assert f"ptmlops replay {RUN} --environment dev" in message
    assert "60%" not in message


def test_the_time_of_a_state_that_failed_counts_and_the_time_until_its_redrive_does_not() -> None:
    def event(seconds: int, kind: str, **details: Any) -> dict[str, Any]:
        return {"timestamp": STARTED + timedelta(seconds=seconds), "type": kind, **details}

    name = {"name": "Prepare", "input": "{}"}
    failed = [
        event(0, "TaskStateEntered", stateEnteredEventDetails=name),
        event(60, "ExecutionFailed"),
    ]
    assert state_seconds(failed) == {"Prepare": 60}
    redriven = [*failed, event(1000, "ExecutionRedriven")]
    left = event(1030, "TaskStateExited", stateExitedEventDetails={"name": "Prepare"})
    assert state_seconds([*redriven, left]) == {"Prepare": 90}
    entered_again = event(1001, "TaskStateEntered", stateEnteredEventDetails=name)
    assert state_seconds([*redriven, entered_again, left]) == {"Prepare": 89}
    assert state_seconds([*redriven, event(1010, "ExecutionAborted")]) == {"Prepare": 70}


def put_run(aws: dict[str, Any], status: str = "STARTED", **more: Any) -> None:
    item = {"pk": f"RUN#{RUN}", "schema_version": 2, "status": status, "opened_at": STARTED.isoformat(), **more}
    aws["dynamodb"].put_item(TableName="ledger", Item=serialize(item))


def test_an_execution_that_the_ledger_does_not_know_gets_no_item(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]]
) -> None:
    """A person started it by hand. Half an item would make it a run that can be replayed, and that nothing can read."""
    assert record(Execution("FAILED", cause="x"), end_event("FAILED", redrives=0))["status"] == "FAILED"
    assert Ledger(aws["dynamodb"], "ledger").run(RUN) is None


def test_the_ledger_learns_how_the_run_ended(aws: dict[str, Any], record: Callable[..., dict[str, Any]]) -> None:
    put_run(aws)
    record(Execution("TIMED_OUT", cause="States.Timeout"), {"detail": {"executionArn": ARN}})
    item = aws["dynamodb"].get_item(TableName="ledger", Key={"pk": {"S": f"RUN#{RUN}"}})["Item"]
    assert item["status"]["S"] == "TIMED_OUT"
    assert item["finished_at"]["S"] == "2026-07-15T09:32:00+00:00"


def ledger_item(aws: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = aws["dynamodb"].get_item(TableName="ledger", Key={"pk": {"S": f"RUN#{RUN}"}})["Item"]
    return item


def end_event(status: str, *, redrives: int) -> dict[str, Any]:
    return {"detail": {"executionArn": ARN, "status": status, "redriveCount": redrives}}


def test_a_late_event_of_an_attempt_before_the_last_redrive_changes_nothing(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]]
) -> None:
    put_run(aws)
    first = record(Execution("FAILED", cause="x"), end_event("FAILED", redrives=0))

    again = record(Execution("RUNNING", redrives=1), end_event("FAILED", redrives=0))

    assert again == first
    assert ledger_item(aws)["status"] == {"S": "FAILED"}


def test_the_end_of_a_run_releases_its_slots(aws: dict[str, Any], record: Callable[..., dict[str, Any]]) -> None:
    others = {"20260715-080000-0000aaaa/0"}
    taken = {"pk": {"S": "SLOTS"}, "holders": {"SS": [f"{RUN}/0", f"{RUN}/1", *others]}, "large_holders": {"SS": [f"{RUN}/1"]}}
    aws["dynamodb"].put_item(TableName="ledger", Item=taken)

    record(Execution("FAILED", cause="x", redrives=1), end_event("FAILED", redrives=1))

    item = aws["dynamodb"].get_item(TableName="ledger", Key={"pk": {"S": "SLOTS"}})["Item"]
    assert set(item["holders"]["SS"]) == others
    assert "large_holders" not in item


def test_a_run_that_ended_while_it_collected_says_that_its_files_wait(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]]
) -> None:
    put_run(aws, "COLLECTING", chunks={"c"})
    chunk = {"pk": f"CHUNK#{RUN}#c", "schema_version": 2, "files": [{"bucket": "raw", "key": "Maria Perez.csv", "version_id": "v", "size": 1, "etag": "e"}]}  # fmt: skip
    aws["dynamodb"].put_item(TableName="ledger", Item=serialize(chunk))

    run = record(Execution("ABORTED"), end_event("ABORTED", redrives=0))

    assert run["status"] == "ABORTED"
    assert ledger_item(aws)["status"] == {"S": "COLLECTING"}
    _, message = notice(aws)
    assert "1 file waits" in message
    assert "ptmlops reconcile --environment dev" in message
    assert "Perez" not in message


def test_a_run_that_a_person_cancelled_says_so_and_how_to_go_on(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]]
) -> None:
    cancelled = Execution("ABORTED", cause="`ptmlops cancel` stopped this run.", error="Cancelled")
    put_run(aws, "CANCELLED")

    record(cancelled, end_event("ABORTED", redrives=0))

    assert ledger_item(aws)["status"] == {"S": "CANCELLED"}
    _, message = notice(aws)
    assert "A person cancelled it" in message
    assert f"ptmlops replay {RUN} --environment dev" in message
    assert "failed" not in message


def test_a_run_whose_files_were_all_cancelled_has_none_to_replay(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]]
) -> None:
    cancelled = Execution("ABORTED", cause="`ptmlops cancel` stopped this run.", error="Cancelled")
    item = {"pk": f"RUN#{RUN}", "schema_version": 2, "status": "CANCELLED", "opened_at": STARTED.isoformat(), "file_count": 0}
    aws["dynamodb"].put_item(TableName="ledger", Item=serialize({**item, "finished_at": STARTED.isoformat()}))

    record(cancelled, end_event("ABORTED", redrives=0))

    _, message = notice(aws)
    assert "To process its files after all: upload them again" in message
    assert "replay" not in message


def test_one_is_singular_in_a_notice(aws: dict[str, Any], record: Callable[..., dict[str, Any]]) -> None:
    succeed(aws, record)
    key = OutputKeys(RUN).document
    run = json.loads(aws["s3"].get_object(Bucket="output", Key=key)["Body"].read())
    run.update(
        rows={"read": 1, "accepted": 1, "rejected": 0, "duplicates": 0}, scored=1, needs_review=1, files=1, not_answered=1
    )

    text = summary.notice(run, output_bucket="output", environment="dev")

    assert "1 row: 1 accepted, 0 duplicates, 0 rejected." in text
    assert "1 complaint classified; 1 to be read by a person." in text
    assert "1 complaint without an answer" in text


def metric_values(lines: str) -> dict[str, float]:
    """Return the value per metric of log lines in the embedded metric format, of metrics with one dimension."""
    values: dict[str, float] = {}
    for line in lines.splitlines():
        document = json.loads(line)
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", ()):
            if directive["Dimensions"] == [["service"]]:
                values |= {metric["Name"]: document[metric["Name"]][0] for metric in directive["Metrics"]}
    return values


def test_the_month_costs_what_its_runs_cost_each_once(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    for month, cost in (("2026-07", "2.5"), ("2026-06", "40")):
        item = {"pk": {"S": f"COSTS#{month}"}, "20260701-093000-0123abcd": {"N": cost}}
        aws["dynamodb"].put_item(TableName="ledger", Item=item)
    event = {"detail": {"executionArn": ARN}}
    for _ in range(2):  # an event may come twice
        capsys.readouterr()
        run = record(Execution("FAILED", cause="x"), event)
        values = metric_values(capsys.readouterr().out)
        assert values["MonthCost"] == 2.5 + run["cost_usd"]
        assert values["Runs"] == 1


def test_a_run_tells_how_sure_its_answers_were_and_how_far_they_drifted(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    put(aws, "report.json", json.dumps(REPORT))
    live = {
        "model_version": "1", "answers": 900, "checked": 120, "returned": 300, "accuracy": 0.75, "accuracy_interval": [0.7, 0.8],
        "held_out_accuracy": 0.9, "fall": 0.15,
    }  # fmt: skip
    themes = [{"theme": "seguro de viaje, vuelo", "complaints": 12, "terms": ["seguro de viaje", "vuelo"]}]
    published = {
        "scored": 90, "needs_review": 9, "confidence": 0.8, "drift": {"length": 0.3, "languages": None}, "live_accuracy": [live],
        "drift_thresholds": {"length": 0.12, "languages": None}, "drifted": ["length"], "themes": themes,
    }  # fmt: skip
    put(aws, "publish.json", json.dumps(published))
    run = record(Execution("RUNNING"), {"state": {"run_id": RUN}, "execution_arn": ARN})

    assert (run["confidence"], run["drift"]) == (0.8, {"length": 0.3, "languages": None})
    assert run["themes"] == themes
    values = metric_values(capsys.readouterr().out)
    assert values["RowsAccepted"] == 90
    assert values["ReviewShare"] == 10
    assert values["DriftTimesThreshold"] == 0.3 / 0.12
    assert run["drifted"] == ["length"]
    assert run["live_accuracy"] == [live]
    assert (values["LiveAccuracy"], values["LiveAccuracyFall"]) == (75, 15)
    assert (
        "People confirmed 75.0% of the answers of version 1 (95%: 70.0% to 80.0%; 120 checked). "
        "That is 15.0 percentage points less than on held-out complaints."
    ) in (message := notice(aws)[1])
    assert "The complaints differ from those that the model was measured on: length. Label the review list" in message


def test_the_ledger_keeps_what_the_newest_measured_run_found(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]]
) -> None:
    put(aws, "report.json", json.dumps(REPORT))
    event = {"state": {"run_id": RUN, "plan": {"champion": {"version": "3"}}}, "execution_arn": ARN}

    def kept_after(**published: Any) -> Any:
        put(aws, "publish.json", json.dumps({"scored": 90, "needs_review": 9, **published}))
        record(Execution("RUNNING"), event)
        item = aws["dynamodb"].get_item(TableName="ledger", Key={"pk": {"S": "DRIFT"}}).get("Item")
        return item and (item["run_id"]["S"], item["model_version"]["S"], [kind["S"] for kind in item["drifted"]["L"]])

    assert kept_after(drift={}) is None
    found = kept_after(drift={"length": 0.3}, drift_thresholds={"length": 0.1}, drifted=["length"])
    assert found == (RUN, "3", ["length"])
    assert kept_after(drift={"length": None}, drift_thresholds={"length": None}, drifted=[]) == found, "too few rows"
    assert kept_after(drift={"length": 0.05}, drift_thresholds={"length": 0.1}, drifted=[]) == (RUN, "3", [])
    newer = {
        "pk": {"S": "DRIFT"},
        "run_id": {"S": "29991231-000000-00000000"},
        "model_version": {"S": "4"},
        "drifted": {"L": []},
    }
    aws["dynamodb"].put_item(TableName="ledger", Item=newer)
    assert kept_after(drift={"length": 0.3}, drift_thresholds={"length": 0.1}, drifted=["length"]) == (
        "29991231-000000-00000000", "4", [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "error", "cause", "waits"),
    [
        ("FAILED", "Glue.InternalServiceException", "service unavailable", True),
        ("FAILED", "ClientError", json.dumps({"errorMessage": "An error occurred (InternalError)"}), True),
        ("FAILED", "States.TaskFailed", json.dumps({"ErrorMessage": "exit status 137"}), True),
        ("TIMED_OUT", "States.Timeout", "x", True),
        ("FAILED", "States.TaskFailed", json.dumps({"ErrorMessage": "TooManyRejectsError: 9 of 10 rows"}), False),
        ("FAILED", "CostLimitError", json.dumps({"errorMessage": "over the limit"}), False),
        ("FAILED", "NoChampionError", json.dumps({"errorMessage": "upload labelled complaints"}), False),
        ("FAILED", "NoCompletedTrial", "upload more labelled complaints", False),
        ("FAILED", "ModelMismatchError", json.dumps({"errorMessage": "somebody else made it"}), False),
        ("ABORTED", "Cancelled", "a person", False),
    ],
)
def test_runs_wait_after_three_that_failed_not_because_of_their_files(
    aws: dict[str, Any], record: Callable[..., dict[str, Any]], *, status: str, error: str, cause: str, waits: bool
) -> None:
    ledger = Ledger(aws["dynamodb"], "ledger")
    for earlier in ("a", "b"):
        Slots(ledger=ledger).note_failure(earlier, because="x", now=datetime.now(UTC))

    record(Execution(status, cause=cause, error=error), {"detail": {"executionArn": ARN}})

    item = ledger.find("SLOTS") or {}
    assert ("retry_at" in item) == waits
    assert ("Several runs in a row failed" in notice(aws)[1]) == waits
    assert item["failed_because"] == (f"Prepare: {error}" if waits else "x")


def test_a_run_that_succeeds_ends_the_wait(aws: dict[str, Any], record: Callable[..., dict[str, Any]]) -> None:
    ledger = Ledger(aws["dynamodb"], "ledger")
    for earlier in ("a", "b", "c"):
        Slots(ledger=ledger).note_failure(earlier, because="x", now=datetime.now(UTC))
    succeed(aws, record)
    assert (ledger.find("SLOTS") or {}).keys() == {"pk"}
