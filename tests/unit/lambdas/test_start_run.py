"""start_run: each file version belongs to one run, whatever is delivered twice, late, or at the same moment."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from common.clients import Clients
from moto import mock_aws
from start_run import arrivals, handler, ledger

from tests.unit.lambdas.conftest import CONTEXT

BUCKET, TABLE = "prepared-bucket", "ledger"


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setenv("SF_EXECUTION_HISTORY_TYPE", "SUCCESS")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        boto3.client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        machine = boto3.client("stepfunctions").create_state_machine(
            name="runs",
            definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
            roleArn="arn:aws:iam::123456789012:role/r",
        )
        monkeypatch.setenv("LEDGER_TABLE", TABLE)
        monkeypatch.setenv("PREPARED_BUCKET", BUCKET)
        monkeypatch.setenv("STATE_MACHINE_ARN", machine["stateMachineArn"])
        monkeypatch.setattr(handler, "CLIENTS", Clients())
        yield handler


def message(key: str, *, version: str = "v1", size: int = 3, identifier: str = "m", **change: Any) -> dict[str, Any]:
    event = {
        "detail-type": "Object Created",
        "time": "2026-11-24T10:00:00Z",
        "detail": {
            "bucket": {"name": "raw"},
            "object": {"key": key, "size": size, "etag": "e", "version-id": version},
        },
        **change,
    }
    return {"messageId": identifier, "body": json.dumps(event)}


def executions() -> list[str]:
    client = boto3.client("stepfunctions")
    [machine] = client.list_state_machines()["stateMachines"]
    return [found["name"] for found in client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]]


def manifests() -> dict[str, Any]:
    s3 = boto3.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    return {key: json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys}


def test_many_files_of_a_batch_are_one_run_with_their_manifest(deployed: ModuleType) -> None:
    answer = deployed.lambda_handler({"Records": [message("a.csv"), message("queja ñ.csv", size=9)]}, CONTEXT)

    assert answer == {"batchItemFailures": []}
    [run_id] = executions()
    assert run_id.startswith("20261124-100000-")
    [(key, manifest)] = manifests().items()
    assert key == f"runs/{run_id}/manifest.json"
    assert [(file["key"], file["size"]) for file in manifest["files"]] == [("a.csv", 3), ("queja ñ.csv", 9)]


def test_the_same_batch_again_starts_nothing_and_changes_nothing(deployed: ModuleType) -> None:
    event = {"Records": [message("a.csv"), message("b.csv")]}
    deployed.lambda_handler(event, CONTEXT)
    before = (executions(), manifests())

    deployed.lambda_handler(event, CONTEXT)

    assert (executions(), manifests()) == before


def test_a_new_version_of_a_file_is_a_new_run(deployed: ModuleType) -> None:
    deployed.lambda_handler({"Records": [message("a.csv")]}, CONTEXT)
    deployed.lambda_handler({"Records": [message("a.csv", version="v2")]}, CONTEXT)
    assert len(executions()) == 2


def test_a_file_that_a_run_has_claimed_is_left_out_of_the_next(deployed: ModuleType) -> None:
    deployed.lambda_handler({"Records": [message("a.csv")]}, CONTEXT)
    deployed.lambda_handler({"Records": [message("a.csv"), message("b.csv")]}, CONTEXT)
    files = sorted(tuple(file["key"] for file in manifest["files"]) for manifest in manifests().values())
    assert files == [("a.csv",), ("b.csv",)]


def test_a_run_that_was_claimed_but_never_started_is_started(deployed: ModuleType) -> None:
    """The function was killed between the ledger and the execution; the message comes back."""
    arrival = arrivals.parse_arrival(message("a.csv")["body"])
    run_id = arrivals.run_id_of([arrival])
    assert ledger.Ledger(boto3.client("dynamodb"), TABLE).claim(run_id=run_id, files=[arrival.file], started_at=arrival.time)
    assert executions() == []

    deployed.lambda_handler({"Records": [message("a.csv")]}, CONTEXT)

    assert executions() == [run_id]


def test_two_at_once_cannot_claim_one_file(deployed: ModuleType) -> None:
    one, two = (arrivals.parse_arrival(message(key)["body"]) for key in ("a.csv", "b.csv"))
    book = ledger.Ledger(boto3.client("dynamodb"), TABLE)
    assert book.claim(run_id="first", files=[one.file], started_at=one.time)
    assert not book.claim(run_id="second", files=[one.file, two.file], started_at=one.time)
    assert book.claims([one.file, two.file]) == {one.file: "first"}


def test_more_files_than_a_transaction_takes_become_more_runs(deployed: ModuleType) -> None:
    deployed.lambda_handler({"Records": [message(f"{number:03}.csv") for number in range(120)]}, CONTEXT)
    assert sorted(len(manifest["files"]) for manifest in manifests().values()) == [21, 99]
    assert len(executions()) == 2


def test_folders_that_a_console_makes_start_nothing(deployed: ModuleType) -> None:
    assert deployed.lambda_handler({"Records": [message("in/", size=0)]}, CONTEXT) == {"batchItemFailures": []}
    assert executions() == []


@pytest.mark.parametrize(
    "bad",
    [
        {"body": "not json"},
        {"body": "[]"},
        {"body": "{}"},
        {"body": json.dumps({"detail-type": "Object Deleted"})},
        {"body": message("a", time="yesterday")["body"]},
        {
            "body": message("a", detail={"bucket": {"name": "raw"}, "object": {"key": "k", "size": "many", "etag": "e"}})[
                "body"
            ]
        },
        {"body": message("a", **{"detail-type": "Object Deleted"})["body"]},
    ],
)
def test_a_message_that_is_no_arrival_fails_alone_and_is_not_quoted(
    deployed: ModuleType, bad: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    answer = deployed.lambda_handler({"Records": [{**bad, "messageId": "bad"}, message("Ana Peña.csv")]}, CONTEXT)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert len(executions()) == 1
    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert "Peña" not in logged  # keys may hold names
    assert "yesterday" not in logged


def test_a_started_run_is_named_in_the_log_and_its_files_are_not(
    deployed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(deployed.LOGGER.registered_handler, "stream", written)

    deployed.lambda_handler({"Records": [message("Ana Peña.csv"), {"messageId": "bad", "body": "{}"}]}, CONTEXT)

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line.get("run_id") for line in lines if line["message"] == "run started"] == executions()
    assert "Ana" not in written.getvalue()
