"""collect_run: when a run starts, how many work at once, and what its manifest holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from collect_run import handler
from collect_run.collecting import (
    CancelledError,
    ExecutionEndedError,
    SupersededError,
    UnknownRunError,
    Window,
    collect,
    manifest,
    slot_wait,
)
from common.clients import Clients
from common.slots import Slots
from moto import mock_aws
from record_run.ledger import record_end
from start_run.arrivals import FileVersion
from start_run.ledger import Arrivals

from ptmlops_contracts.ledger import slot_holder
from tests.unit.lambdas.conftest import CONTEXT

OPENED = datetime(2026, 11, 24, 10, tzinfo=UTC)
WINDOW = Window(quiet_seconds=60, longest_seconds=900)
LARGE = 1000  # bytes


def file(key: str, *, size: int = 10) -> FileVersion:
    return FileVersion(bucket="raw", key=key, version_id="v1", size=size, etag="e")


@dataclass
class Desk:
    """A ledger with runs, and the executions that run now."""

    ledger: Arrivals
    executing: dict[str, int] = field(default_factory=dict)  # run id to redrives

    def open(self, run_id: str, *keys: str, size: int = 10) -> None:
        """Open a run beside those that are open."""
        files = [file(key, size=size) for key in keys or (f"{run_id}.csv",)]
        assert self.ledger.open(run_id, files, instead_of=self.ledger.open_run_id(), now=OPENED)
        self.executing[run_id] = 0

    def collect(self, run_id: str, *, after: float = 60, most: int = 2) -> Any:
        """Call the collector so many seconds after the run opened."""
        return collect(
            run_id,
            redrives=self.executing[run_id],
            ledger=self.ledger,
            slots=Slots(ledger=self.ledger, most=most),
            is_executing=lambda name, redrives: self.executing.get(name) == redrives,
            window=WINDOW,
            large_bytes=LARGE,
            now=OPENED + timedelta(seconds=after),
        )

    def end(self, run_id: str, status: str, *, recorded: bool = True) -> int | None:
        """End an execution, and record it."""
        redrives = self.executing.pop(run_id)
        if not recorded:
            return None
        left = record_end(self.ledger, run_id, status=status, redrives=redrives, finished_at="2026-11-24T11:00:00+00:00")
        Slots(ledger=self.ledger).release({slot_holder(run_id, redrives)})
        return left

    def status(self, run_id: str) -> str:
        run = self.ledger.run(run_id)
        assert run is not None
        return run.status


@pytest.fixture
def desk() -> Iterator[Desk]:
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Desk(Arrivals(boto3.client("dynamodb"), "ledger"))


@pytest.mark.parametrize(
    ("after", "joined_after", "wait", "why"),
    [
        (0, 0, 60, "it has just opened"),
        (59.2, 0, 1, "a part of a second counts as one"),
        (60, 0, 0, "no file joined for the window"),
        (60, 50, 50, "a file joined: the window begins again"),
        (890, 889, 10, "files keep joining: the longest wait ends it"),
        (900, 899, 0, "the longest wait is over"),
    ],
)
def test_a_run_waits_for_a_quiet_window_but_not_for_ever(
    desk: Desk, after: float, joined_after: float, wait: int, why: str
) -> None:
    desk.open("run")
    assert desk.ledger.join("run", [file("late.csv")], now=OPENED + timedelta(seconds=joined_after))

    answer = desk.collect("run", after=after)

    assert (answer["wait_seconds"], answer["ready"]) == (wait, not wait), why
    assert (answer["files"], answer["bytes"]) == (2, 20)
    assert desk.status("run") == ("COLLECTING" if wait else "STARTED")


def test_only_so_many_runs_work_at_once_and_the_next_starts_when_one_ends(desk: Desk) -> None:
    for name in ("one", "two", "three"):
        desk.open(name)
    assert desk.collect("one")["ready"]
    assert desk.collect("two")["ready"]
    assert not desk.collect("three")["ready"]
    assert desk.status("three") == "COLLECTING"

    desk.end("one", "SUCCEEDED")

    assert desk.collect("three")["ready"]


def test_files_join_a_run_that_waits_for_a_slot(desk: Desk) -> None:
    desk.open("one")
    desk.open("two")
    assert desk.collect("one", most=1)["ready"]
    assert not desk.collect("two", most=1)["ready"]
    assert desk.ledger.join("two", [file("late.csv")], now=OPENED + timedelta(seconds=61))
    desk.end("one", "FAILED")

    assert desk.collect("two", after=121, most=1)["ready"]

    assert [one["key"] for one in manifest(desk.ledger, "two")["files"]] == ["late.csv", "two.csv"]


def test_a_slot_of_an_execution_that_ended_unrecorded_is_taken_back(desk: Desk) -> None:
    desk.open("one")
    desk.open("two")
    assert desk.collect("one", most=1)["ready"]
    desk.end("one", "ABORTED", recorded=False)
    assert desk.collect("two", most=1)["ready"]


def test_a_redriven_run_does_not_block_with_the_slot_of_its_last_attempt(desk: Desk) -> None:
    desk.open("one")
    desk.open("two")
    assert desk.collect("one", most=1)["ready"]
    desk.executing["one"] = 1  # it failed and was redriven; its end was never recorded
    assert desk.collect("two", most=1)["ready"]


def test_a_large_run_leaves_a_slot_to_a_small_one(desk: Desk) -> None:
    desk.open("large", size=LARGE + 1)
    desk.open("also large", size=LARGE + 1)
    desk.open("small")
    assert desk.collect("large")["ready"]
    assert not desk.collect("also large")["ready"]
    assert desk.collect("small")["ready"]
    desk.end("large", "SUCCEEDED")
    assert desk.collect("also large")["ready"]


def test_a_large_run_may_have_the_only_slot(desk: Desk) -> None:
    desk.open("large", size=LARGE + 1)
    assert desk.collect("large", most=1)["ready"]


def test_a_repeated_call_keeps_the_slot_and_the_manifest(desk: Desk) -> None:
    desk.open("one", "a.csv", "b.csv")
    assert desk.collect("one", most=1)["ready"]
    first = manifest(desk.ledger, "one")
    assert desk.collect("one", most=1, after=500)["ready"]
    assert manifest(desk.ledger, "one") == first


@pytest.mark.parametrize(("age", "wait"), [(61, 60), (1200, 120), (86_400, 600)])
def test_waits_for_a_slot_grow_with_the_age_of_the_run(desk: Desk, age: int, wait: int) -> None:
    desk.open("run")
    run = desk.ledger.run("run")
    assert run is not None
    assert slot_wait(run, OPENED + timedelta(seconds=age), WINDOW) == wait


def test_a_superseded_run_names_its_successor_and_the_successor_takes_all_files(desk: Desk) -> None:
    desk.open("one", "a.csv")
    run = desk.ledger.run("one")
    assert run is not None
    assert desk.ledger.supersede(run, by="two", now=OPENED)
    desk.executing["two"] = 0

    with pytest.raises(SupersededError, match="two"):
        desk.collect("one")
    assert desk.ledger.join("two", [file("b.csv", size=5)], now=OPENED)

    answer = desk.collect("two")
    assert (answer["ready"], answer["bytes"]) == (True, 15)
    assert [one["key"] for one in manifest(desk.ledger, "two")["files"]] == ["a.csv", "b.csv"]


def test_a_cancelled_or_unknown_run_does_not_start(desk: Desk) -> None:
    desk.open("one")
    desk.ledger.update(
        desk.ledger.change("RUN#one", "SET #status = :to", "attribute_exists(pk)", names=["status"], to="CANCELLED")
    )
    with pytest.raises(CancelledError, match="replay one"):
        desk.collect("one")
    desk.executing["by hand"] = 0
    with pytest.raises(UnknownRunError, match="upload a file"):
        desk.collect("by hand")


@pytest.mark.parametrize(("files", "remedy"), [(1, "replay one"), (0, "upload its files again")])
def test_a_cancelled_run_waits_a_minute_for_its_execution_to_be_stopped(desk: Desk, files: int, remedy: str) -> None:
    """Who cancels changes the ledger first. A failure in between would raise an alarm."""
    desk.open("one")
    change = "SET #status = :to, finished_at = :now, file_count = :files"
    desk.ledger.update(
        desk.ledger.change(
            "RUN#one", change, "attribute_exists(pk)", names=["status"], to="CANCELLED", now=OPENED.isoformat(), files=files
        )
    )
    answer = desk.collect("one", after=59)
    assert (answer["ready"], answer["wait_seconds"]) == (False, 60)
    with pytest.raises(CancelledError, match=remedy):
        desk.collect("one", after=60)


def test_a_function_that_goes_on_after_its_execution_was_stopped_does_not_close_the_run(desk: Desk) -> None:
    """Otherwise files would be in a run that nobody starts, and the notice would have promised the contrary."""
    desk.open("one")
    redrives = desk.executing["one"]
    assert desk.end("one", "ABORTED") == 1
    desk.executing["one"] = redrives

    with pytest.raises(ExecutionEndedError):
        desk.collect("one")

    assert desk.status("one") == "COLLECTING"
    desk.executing["one"] = 1
    assert desk.collect("one")["ready"], "a redriven execution may close it"


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_run_that_ended_while_it_collected_keeps_collecting_and_says_how_many_files_wait(desk: Desk, status: str) -> None:
    desk.open("one", "a.csv", "b.csv")
    assert desk.end("one", status) == 2
    assert desk.status("one") == "COLLECTING"


def test_the_end_of_an_earlier_attempt_does_not_overwrite_a_later_one(desk: Desk) -> None:
    desk.open("one")
    desk.collect("one")
    finished = "2026-11-24T11:00:00+00:00"
    assert record_end(desk.ledger, "one", status="SUCCEEDED", redrives=1, finished_at=finished) is None
    assert record_end(desk.ledger, "one", status="FAILED", redrives=0, finished_at=finished) is None
    assert desk.status("one") == "SUCCEEDED"


def test_the_function_writes_the_manifest_and_answers_with_counts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("s3").create_bucket(Bucket="prepared-bucket")
    desk.open("20261124-100000-0a1b2c3d", "queja ñ.csv", "a.csv")
    machine = boto3.client("stepfunctions").create_state_machine(
        name="runs", definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}), roleArn="arn:aws:iam::123456789012:role/r"
    )  # fmt: skip
    environment = {"window_seconds": 1, "max_wait_seconds": 1, "max_running": 1, "large_megabytes": 1}
    for name, value in {**environment, "ledger_table": "ledger", "prepared_bucket": "prepared-bucket"}.items():
        monkeypatch.setenv(name.upper(), str(value))
    monkeypatch.setattr(handler, "CLIENTS", Clients())
    event = {"run_id": "20261124-100000-0a1b2c3d", "redrives": 0, "state_machine_arn": machine["stateMachineArn"]}

    answer = handler.lambda_handler(event, CONTEXT)  # type: ignore[arg-type]

    assert answer == {"ready": True, "wait_seconds": 0, "files": 2, "bytes": 20}
    [listed] = boto3.client("s3").list_objects_v2(Bucket="prepared-bucket")["Contents"]
    written = json.loads(boto3.client("s3").get_object(Bucket="prepared-bucket", Key=listed["Key"])["Body"].read())
    assert listed["Key"] == "runs/20261124-100000-0a1b2c3d/manifest.json"
    assert written["run_id"] == event["run_id"]
    assert [(one["key"], one["size"]) for one in written["files"]] == [("a.csv", 10), ("queja ñ.csv", 10)]


def test_an_execution_that_the_state_machine_does_not_know_does_not_hold_a_slot(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workflow stack was destroyed and made again: its executions are gone."""
    monkeypatch.setattr(handler, "CLIENTS", SimpleNamespace(states=boto3.client("stepfunctions")))
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:runs"
    assert not handler._is_executing(arn, "20261124-100000-0a1b2c3d", 0)
