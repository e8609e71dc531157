"""Items of the ledger: what earlier releases wrote, how many are read at once, and how long a writer gives way."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from common.ledger import Ledger, retry_conflicts, serialize

from ptmlops_contracts.ledger import CANCELLED

STARTED, FINISHED = "2026-11-24T10:00:00+00:00", "2026-11-24T11:00:00+00:00"
FILE = {"bucket": "raw", "key": "a.csv", "version_id": "v1", "size": 5}


def _error(code: str, *reasons: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "CancellationReasons": [{"Code": reason} for reason in reasons]}, "TransactWriteItems")  # type: ignore[typeddict-unknown-key]  # fmt: skip


CONFLICT = _error("TransactionCanceledException", "None", "TransactionConflict")


def _ledger_with(item: dict[str, Any]) -> Ledger:
    def get_item(*, ConsistentRead: bool, **_: Any) -> Any:  # noqa: N803 - as boto3 calls it
        assert ConsistentRead  # functions decide on what another one has just written
        return {"Item": serialize(item)}

    client: Any = SimpleNamespace(get_item=get_item)
    return Ledger(client, "ledger")


@pytest.mark.parametrize("failures", range(8))
def test_a_writer_gives_way_seven_times_and_longer_each_time(failures: int) -> None:
    waits: list[float] = []
    write = mock.Mock(side_effect=[CONFLICT] * failures + ["written"])

    assert retry_conflicts(write, sleep=waits.append) == "written"

    assert len(waits) == failures
    for attempt, wait in enumerate(waits):
        assert 0.025 * 2**attempt <= wait <= 0.05 * 2**attempt


@pytest.mark.parametrize("attempts", [1, 2, 8])
def test_the_last_conflict_is_raised_and_not_waited_for(attempts: int) -> None:
    waits: list[float] = []
    write = mock.Mock(side_effect=CONFLICT)

    with pytest.raises(ClientError):
        retry_conflicts(write, attempts=attempts, sleep=waits.append)

    assert (write.call_count, len(waits)) == (attempts, attempts - 1)


def test_waits_differ_so_that_writers_do_not_meet_again() -> None:
    waits: list[float] = []
    for _ in range(50):
        retry_conflicts(mock.Mock(side_effect=[CONFLICT, "written"]), sleep=waits.append)

    assert max(waits) - min(waits) > 0.01


@pytest.mark.parametrize(
    ("error", "conflict"),
    [
        (_error("TransactionConflictException"), True),
        (_error("TransactionInProgressException"), True),
        (_error("TransactionCanceledException", "TransactionConflict", "None"), True),
        (_error("TransactionCanceledException", "TransactionConflict", "ConditionalCheckFailed"), False),
        (_error("ConditionalCheckFailedException"), False),
        (_error("AccessDeniedException"), False),
    ],
)
def test_only_another_transaction_is_waited_for(error: ClientError, *, conflict: bool) -> None:
    write = mock.Mock(side_effect=[error, "written"])

    if conflict:
        assert retry_conflicts(write, sleep=lambda _: None) == "written"
    else:
        with pytest.raises(ClientError) as raised:
            retry_conflicts(write, sleep=lambda _: None)
        assert raised.value is error


def test_a_run_has_defaults_for_what_it_does_not_have_yet() -> None:
    run = _ledger_with({"schema_version": 2, "status": "COLLECTING", "opened_at": STARTED}).run("one")

    assert run
    opened = datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert dataclasses.asdict(run) == {
        "run_id": "one", "status": "COLLECTING", "opened_at": opened, "joined_at": opened, "chunks": frozenset(), "file_count": 0,
        "file_bytes": 0, "removed": frozenset(), "inherits": (), "superseded_by": None, "started_at": "", "cancelled_at": None, "files": (),
    }  # fmt: skip


def test_a_run_of_a_later_version_is_read_as_one_of_this_version() -> None:
    run = _ledger_with({"schema_version": 3, "status": "COLLECTING", "opened_at": STARTED}).run("one")

    assert run
    assert run.files == ()


@pytest.mark.parametrize("version", [{}, {"schema_version": 1}])
def test_a_run_of_the_first_version_has_its_files_in_its_item(version: dict[str, int]) -> None:
    run = _ledger_with({**version, "status": "SUCCEEDED", "started_at": STARTED, "files": [FILE]}).run("one")

    assert run
    assert run.files == (FILE,)
    assert run.opened_at == datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.mark.parametrize("status", ["ABORTED", "FAILED", "SUCCEEDED"])
def test_only_a_run_that_a_person_cancelled_has_the_time_of_that(status: str) -> None:
    ended = {"schema_version": 2, "opened_at": STARTED, "finished_at": FINISHED}

    other, cancelled = (_ledger_with({**ended, "status": one}).run("one") for one in (status, CANCELLED))

    assert other
    assert cancelled
    assert other.cancelled_at is None
    assert cancelled.cancelled_at == datetime(2026, 11, 24, 11, tzinfo=UTC)


def test_items_are_read_a_hundred_at_once_until_the_service_has_returned_all() -> None:
    asked: list[int] = []

    def batch_get_item(*, RequestItems: Any) -> Any:  # noqa: N803 - as boto3 calls it
        keys = RequestItems["ledger"]["Keys"]
        assert RequestItems["ledger"]["ConsistentRead"]
        asked.append(len(keys))
        answered, left = keys[:60], keys[60:]
        unprocessed = {"ledger": {"Keys": left, "ConsistentRead": True}} if left else {}
        return {"Responses": {"ledger": answered}, "UnprocessedKeys": unprocessed}

    client: Any = SimpleNamespace(batch_get_item=batch_get_item)
    keys = [f"key-{number:03}" for number in range(230)]

    found = [item["pk"] for item in Ledger(client, "ledger").items([*keys, *keys])]

    assert found == keys
    assert asked == [100, 40, 100, 40, 30]
