"""start_run: each file version joins one run, whatever is delivered twice, late, or at the same moment."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from common.clients import Clients
from common.ledger import retry_conflicts
from moto import mock_aws
from start_run import handler, runs
from start_run import ledger as start_ledger
from start_run.arrivals import FileVersion, parse_arrival
from start_run.ledger import Arrivals

from ptmlops_contracts.ledger import file_key, rewrite_key
from tests.unit.lambdas.conftest import CONTEXT

TABLE = "ledger"
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setenv("SF_EXECUTION_HISTORY_TYPE", "SUCCESS")
    with mock_aws():
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
        monkeypatch.setenv("LEDGER_DAYS", "400")
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


def files_of_runs() -> dict[str, list[str]]:
    """The keys of each run's files, as the collector will read them."""
    book = Arrivals(boto3.client("dynamodb"), TABLE)
    runs = {run_id: book.run(run_id) for run_id in executions()}
    return {run_id: [file["key"] for file in book.files(run)] for run_id, run in runs.items() if run}


def send(*messages: dict[str, Any]) -> None:
    assert handler.lambda_handler({"Records": list(messages)}, CONTEXT) == {"batchItemFailures": []}


def close(run_id: str) -> None:
    """Do what collect_run does when a run starts to work."""
    book = Arrivals(boto3.client("dynamodb"), TABLE)
    request = book.change(
        f"RUN#{run_id}", "SET #status = :started", "attribute_exists(pk)", names=["status"], started="STARTED"
    )
    assert book.update(request)


def stop(run_id: str) -> None:
    client = boto3.client("stepfunctions")
    [machine] = client.list_state_machines()["stateMachines"]
    client.stop_execution(executionArn=f"{machine['stateMachineArn'].replace(':stateMachine:', ':execution:')}:{run_id}")


def test_the_files_of_a_batch_join_one_run(deployed: ModuleType) -> None:
    send(message("a.csv"), message("queja ñ.csv", size=9))

    [run_id] = executions()
    run = Arrivals(boto3.client("dynamodb"), TABLE).run(run_id)
    assert run is not None
    assert (run.status, run.file_count, run.file_bytes) == ("COLLECTING", 2, 12)
    assert files_of_runs() == {run_id: ["a.csv", "queja ñ.csv"]}


def test_files_of_later_batches_join_the_run_that_still_collects(deployed: ModuleType) -> None:
    send(message("a.csv"))
    send(message("b.csv"))
    [run_id] = executions()
    assert files_of_runs() == {run_id: ["a.csv", "b.csv"]}


def test_a_closed_run_takes_no_file_and_the_next_opens(deployed: ModuleType) -> None:
    send(message("a.csv"))
    [first] = executions()
    close(first)
    send(message("b.csv"))
    assert sorted(files_of_runs().values()) == [["a.csv"], ["b.csv"]]


def test_a_message_about_an_upload_that_is_being_rewritten_waits_and_the_others_do_not(deployed: ModuleType) -> None:
    """`ptmlops forget` registers a version after S3 has reported it. Until then nobody knows whether the version is a new file."""
    client = boto3.client("dynamodb")
    being_rewritten = {"pk": {"S": rewrite_key("raw", "b.csv")}}
    client.put_item(TableName=TABLE, Item=being_rewritten)
    records = [message("a.csv", identifier="1"), message("b.csv", version="v2", identifier="2")]
    assert handler.lambda_handler({"Records": records}, CONTEXT) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    [run_id] = executions()
    assert files_of_runs() == {run_id: ["a.csv"]}

    client.put_item(TableName=TABLE, Item={"pk": {"S": file_key("raw", "b.csv", "v2")}, "run_id": {"S": run_id}})
    assert handler.lambda_handler({"Records": records[1:]}, CONTEXT) == {"batchItemFailures": []}
    client.delete_item(TableName=TABLE, Key=being_rewritten)
    send(records[1])
    assert files_of_runs() == {run_id: ["a.csv"]}
    send(message("b.csv", version="v3"))  # somebody uploads it anew
    assert files_of_runs() == {run_id: ["a.csv", "b.csv"]}


def test_items_of_files_and_runs_expire_after_the_days_of_the_settings(deployed: ModuleType) -> None:
    send(message("a.csv"))
    items = boto3.client("dynamodb").scan(TableName=TABLE)["Items"]
    expiring = {item["pk"]["S"].partition("#")[0]: int(item["expires_at"]["N"]) for item in items if "expires_at" in item}
    assert expiring.keys() == {"FILE", "CHUNK", "RUN"}
    assert all(399 < (moment - time.time()) / 86_400 <= 400 for moment in expiring.values())
    assert {item["pk"]["S"] for item in items if "expires_at" not in item} == {"OPEN"}


def test_items_are_kept_unless_days_are_given(deployed: ModuleType) -> None:
    file = parse_arrival(message("a.csv")["body"])
    assert Arrivals(boto3.client("dynamodb"), TABLE).open("20261124-100000-00000000", [file], instead_of=None, now=NOW)
    items = boto3.client("dynamodb").scan(TableName=TABLE)["Items"]
    assert len(items) == 4
    assert not any("expires_at" in item for item in items)


@pytest.mark.parametrize("times", [2, 50])
def test_an_event_that_is_delivered_again_changes_nothing(deployed: ModuleType, times: int) -> None:
    send(message("a.csv"), message("b.csv"))
    before = (executions(), files_of_runs())
    for _ in range(times - 1):
        send(message("b.csv"), message("a.csv"))
    assert (executions(), files_of_runs()) == before


def test_an_event_that_is_delivered_after_its_run_started_changes_nothing(deployed: ModuleType) -> None:
    send(message("a.csv"))
    [run_id] = executions()
    close(run_id)
    stop(run_id)
    send(message("a.csv"))
    assert executions() == [run_id]


def test_an_event_twice_in_one_batch_is_one_file(deployed: ModuleType) -> None:
    send(message("a.csv"), message("a.csv"))
    assert list(files_of_runs().values()) == [["a.csv"]]


def test_two_versions_of_a_key_are_two_files(deployed: ModuleType) -> None:
    send(message("a.csv"), message("a.csv", version="v2"))
    assert list(files_of_runs().values()) == [["a.csv", "a.csv"]]


def test_a_run_that_opened_but_never_executed_is_started_by_the_redelivered_message(deployed: ModuleType) -> None:
    """The function was killed between the ledger and the execution."""
    file = parse_arrival(message("a.csv")["body"])
    assert Arrivals(boto3.client("dynamodb"), TABLE).open("20261124-100000-00000000", [file], instead_of=None, now=NOW)
    assert executions() == []

    send(message("a.csv"))

    assert executions() == ["20261124-100000-00000000"]


def test_a_run_whose_execution_ended_while_it_collected_passes_its_files_on(deployed: ModuleType) -> None:
    send(message("a.csv"))
    [first] = executions()
    stop(first)

    send(message("b.csv"))

    [second] = set(executions()) - {first}
    assert files_of_runs()[second] == ["a.csv", "b.csv"]
    old = Arrivals(boto3.client("dynamodb"), TABLE).run(first)
    assert old is not None
    assert (old.status, old.superseded_by) == ("SUPERSEDED", second)


def test_files_are_passed_on_as_often_as_executions_end(deployed: ModuleType) -> None:
    for number in range(4):
        send(message(f"{number}.csv"))
        stop(max(executions()))
    send(message("last.csv"))
    newest = files_of_runs()
    assert sorted(max(newest.values(), key=len)) == ["0.csv", "1.csv", "2.csv", "3.csv", "last.csv"]


def test_a_file_that_was_cancelled_before_its_event_came_joins_no_run(deployed: ModuleType) -> None:
    item = {"pk": {"S": "FILE#raw/unwanted.csv#v1"}, "run_id": {"S": "none"}, "cancelled_at": {"S": NOW.isoformat()}}
    boto3.client("dynamodb").put_item(TableName=TABLE, Item=item)
    send(message("unwanted.csv"))
    assert executions() == []
    send(message("unwanted.csv"), message("a.csv"))
    assert list(files_of_runs().values()) == [["a.csv"]]


def test_a_cancelled_run_takes_no_file_and_passes_none_on(deployed: ModuleType) -> None:
    send(message("a.csv"))
    [first] = executions()
    book = Arrivals(boto3.client("dynamodb"), TABLE)
    book.update(book.change(f"RUN#{first}", "SET #status = :to", "attribute_exists(pk)", names=["status"], to="CANCELLED"))
    stop(first)

    send(message("a.csv"))
    assert executions() == [first]

    send(message("b.csv"))
    [second] = set(executions()) - {first}
    assert files_of_runs()[second] == ["b.csv"]


def test_two_at_once_cannot_claim_one_file(deployed: ModuleType) -> None:
    one, two = (parse_arrival(message(key)["body"]) for key in ("a.csv", "b.csv"))
    book = Arrivals(boto3.client("dynamodb"), TABLE)
    assert book.open("first", [one], instead_of=None, now=NOW)
    assert not book.join("first", [one, two], now=NOW)
    assert not book.open("second", [one, two], instead_of="first", now=NOW)
    assert book.claims([one, two]) == {one: "first"}


def test_two_at_once_do_not_open_two_runs(deployed: ModuleType) -> None:
    one, two = (parse_arrival(message(key)["body"]) for key in ("a.csv", "b.csv"))
    book = Arrivals(boto3.client("dynamodb"), TABLE)
    assert book.open("first", [one], instead_of=None, now=NOW)
    assert not book.open("second", [two], instead_of=None, now=NOW)


@pytest.mark.slow
def test_a_batch_of_more_files_than_a_transaction_takes_is_one_run(deployed: ModuleType) -> None:
    send(*[message(f"{number:03}.csv") for number in range(220)])
    [keys] = files_of_runs().values()
    assert keys == [f"{number:03}.csv" for number in range(220)]


@pytest.mark.slow
def test_a_transaction_takes_97_files_and_no_more(deployed: ModuleType) -> None:
    """With the run, the chunk and which run is open they are the 100 items that TransactWriteItems takes."""
    book = Arrivals(boto3.client("dynamodb"), TABLE)
    files = [FileVersion(bucket="raw", key=f"{number:03}.csv", version_id="v1", size=2, etag="e") for number in range(98)]

    with pytest.raises(ValueError, match="at most 97 files, not 98"):
        book.open("run", files, instead_of=None, now=NOW)
    assert book.open("run", files[:97], instead_of=None, now=NOW)

    run = book.run("run")
    assert run
    assert (run.file_count, run.file_bytes) == (97, 194)
    assert set(book.claims(files).values()) == {"run"}
    assert len(book.claims(files)) == 97


def test_a_run_that_takes_over_begins_with_no_files_of_its_own(deployed: ModuleType) -> None:
    book = Arrivals(boto3.client("dynamodb"), TABLE)
    file = FileVersion(bucket="raw", key="a.csv", version_id="v1", size=2, etag="e")
    assert book.open("one", [file], instead_of=None, now=NOW)
    first = book.run("one")
    assert first
    assert book.supersede(first, by="two", now=NOW)

    second = book.run("two")
    assert second
    assert (second.file_count, second.file_bytes, second.inherits) == (0, 0, ("one",))
    assert [one["key"] for one in book.files(second)] == ["a.csv"]
    assert not book.supersede(first, by="three", now=NOW)


def test_a_full_run_is_left_and_another_opens(deployed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (start_ledger, runs):
        monkeypatch.setattr(module, "MAX_CHUNKS", 2)
    for number in range(5):
        send(message(f"{number}.csv"))
    assert sorted(map(len, files_of_runs().values())) == [1, 2, 2]


def test_an_item_of_the_first_version_keeps_its_files(deployed: ModuleType) -> None:
    """A run that an earlier version of the software started, and that is redelivered."""
    file = start_ledger.manifest_file(FileVersion(bucket="raw", key="a.csv", version_id="v1", size=3, etag="e"))
    book = Arrivals(boto3.client("dynamodb"), TABLE)
    old = {"pk": "RUN#20261124-100000-00000000", "schema_version": 1, "status": "STARTED", "started_at": NOW.isoformat()}
    claim = {
        "pk": "FILE#raw/a.csv#v1",
        "schema_version": 1,
        "run_id": "20261124-100000-00000000",
        "claimed_at": NOW.isoformat(),
    }
    assert book.transact([book.put({**old, "files": [file]}), book.put(claim)])

    send(message("a.csv"))

    assert files_of_runs() == {"20261124-100000-00000000": ["a.csv"]}


@pytest.mark.parametrize(
    ("code", "reasons", "attempts"),
    [
        ("TransactionConflictException", [], 3),
        ("TransactionCanceledException", ["None", "TransactionConflict"], 3),
        ("TransactionCanceledException", ["ConditionalCheckFailed", "TransactionConflict"], 1),
        ("ValidationException", [], 1),
    ],
)
def test_only_conflicts_are_waited_for(code: str, reasons: list[str], attempts: int) -> None:
    waits: list[float] = []
    tried = 0

    def write() -> str:
        nonlocal tried
        tried += 1
        if tried < 3:
            answer = {"Error": {"Code": code}, "CancellationReasons": [{"Code": reason} for reason in reasons]}
            raise ClientError(answer, "Write")  # type: ignore[arg-type]
        return "written"

    if attempts == 1:
        with pytest.raises(ClientError):
            retry_conflicts(write, sleep=waits.append)
    else:
        assert retry_conflicts(write, sleep=waits.append) == "written"
        assert waits[0] < waits[1]
    assert tried == attempts


def test_folders_that_a_console_makes_start_nothing(deployed: ModuleType) -> None:
    assert deployed.lambda_handler({"Records": [message("in/", size=0)]}, CONTEXT) == {"batchItemFailures": []}
    assert executions() == []


def test_files_that_a_system_leaves_in_a_folder_join_no_run(deployed: ModuleType) -> None:
    left = ("agosto/.DS_Store", "agosto/Thumbs.db", "desktop.ini", "agosto/~$resumen.xlsx", "__MACOSX/agosto/._pocas.csv")
    assert deployed.lambda_handler({"Records": [message(key) for key in left]}, CONTEXT) == {"batchItemFailures": []}
    assert executions() == []


@pytest.mark.parametrize(
    "bad",
    [
        {"body": "not json"},
        {"body": "[]"},
        {"body": "{}"},
        {"body": json.dumps({"detail-type": "Object Deleted"})},
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


def test_the_run_is_named_in_the_log_and_its_files_are_not(deployed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(deployed.LOGGER.registered_handler, "stream", written)

    deployed.lambda_handler({"Records": [message("Ana Peña.csv"), {"messageId": "bad", "body": "{}"}]}, CONTEXT)

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line.get("run_id") for line in lines if line["message"] == "files are in a run"] == executions()
    assert "Ana" not in written.getvalue()
