"""Slots when runs fail one after the other: the others wait, one tries, and a success lets all go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from common.ledger import Ledger
from common.slots import FAILURES, FIRST_WAIT, LONGEST_WAIT, Slots
from moto import mock_aws

from tests.unit.lambdas.conftest import create_ledger

NOW = datetime(2026, 7, 15, 9, 30, tzinfo=UTC)


@pytest.fixture
def slots() -> Iterator[Slots]:
    with mock_aws():
        create_ledger()
        yield Slots(ledger=Ledger(boto3.client("dynamodb"), "ledger"), most=2)


def fail(slots: Slots, count: int, *, now: datetime = NOW) -> datetime | None:
    retry_at = None
    for number in range(count):
        retry_at = slots.note_failure(f"run-{number}", because="Prepare: Glue.InternalServiceException", now=now)
    return retry_at


def test_a_few_failures_let_the_next_run_start(slots: Slots) -> None:
    assert fail(slots, FAILURES - 1) is None
    assert slots.take("next/0", large=False, now=NOW)


def test_a_run_that_is_recorded_again_counts_once(slots: Slots) -> None:
    for _ in range(FAILURES):
        assert slots.note_failure("run-0", because="x", now=NOW) is None


def test_after_failures_in_a_row_runs_wait_and_then_one_tries(slots: Slots) -> None:
    assert fail(slots, FAILURES) == NOW + FIRST_WAIT
    assert not slots.take("first/0", large=False, now=NOW + FIRST_WAIT - timedelta(seconds=1))

    later = NOW + FIRST_WAIT + timedelta(seconds=1)
    assert slots.take("first/0", large=False, now=later)
    assert slots.take("first/0", large=False, now=later), "Collect asks again if its answer was lost"
    assert not slots.take("second/0", large=False, now=later), "there is a free slot, but the first has not ended"


def test_each_failed_try_doubles_the_wait_up_to_an_hour(slots: Slots) -> None:
    waits = [fail(slots, FAILURES + more) for more in range(6)]
    assert waits == [NOW + wait for wait in (FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4, FIRST_WAIT * 8, *[LONGEST_WAIT] * 2)]


def test_a_run_that_succeeds_lets_all_go_on(slots: Slots) -> None:
    fail(slots, FAILURES)
    slots.note_success()
    assert slots.take("first/0", large=False, now=NOW)
    assert slots.take("second/0", large=False, now=NOW)
    assert fail(slots, FAILURES - 1) is None, "the count begins anew"


def test_a_success_without_failures_changes_nothing(slots: Slots) -> None:
    slots.note_success()
    assert slots.ledger.find("SLOTS") is None
