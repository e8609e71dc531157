"""Decide if a run may start, close it so that no file joins any more, and list its files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from common.ledger import Ledger, Run
from common.slots import IsExecuting, Slots

from ptmlops_contracts.ledger import CANCELLED, COLLECTING, STARTED, SUPERSEDED, Manifest, ledger_time, run_key, slot_holder
from ptmlops_contracts.state import Collected

# How long a run waits between two looks for a free slot: a tenth of its age, up to ten minutes. An execution's history has
# 25,000 events, and a look takes nine: at this pace they last for weeks.
SLOT_WAIT_SHARE = 0.1
LONGEST_SLOT_WAIT = 600
# Whoever cancels a run stops its execution next. Only if that has not happened after so long does the run fail.
STOP_SECONDS = 60


class SupersededError(Exception):
    """Another run takes the files of this one."""


class CancelledError(Exception):
    """A person cancelled this run while it collected files."""


class UnknownRunError(Exception):
    """The ledger has no such run: its execution was not started by start_run."""


class ExecutionEndedError(Exception):
    """The execution that called ended in the meantime, and its end is recorded: it may not close the run any more."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """How long a run collects.

    Attributes:
        quiet_seconds: The run starts once no file has joined for this long.
        longest_seconds: The run starts this long after it opened, even if files keep joining.
    """

    quiet_seconds: int
    longest_seconds: int

    def remaining(self, run: Run, now: datetime) -> int:
        """Return the seconds, rounded up, until the run may start; 0 if it may."""
        quiet = self.quiet_seconds - (now - run.joined_at).total_seconds()
        longest = self.longest_seconds - (now - run.opened_at).total_seconds()
        return max(math.ceil(min(quiet, longest)), 0)


def slot_wait(run: Run, now: datetime, window: Window) -> int:
    """Return the seconds until a run looks again for a free slot."""
    age = (now - run.opened_at).total_seconds()
    return min(max(round(age * SLOT_WAIT_SHARE), window.quiet_seconds), LONGEST_SLOT_WAIT)


def collect(
    run_id: str,
    *,
    redrives: int,
    ledger: Ledger,
    slots: Slots,
    is_executing: IsExecuting,
    window: Window,
    large_bytes: int,
    now: datetime,
) -> Collected:
    """Close the run if it may start, or say how long to wait. Safe to repeat.

    Args:
        run_id: the run.
        redrives: how often its execution was redriven.
        ledger: the table.
        slots: the environment's slots.
        is_executing: returns True if an execution runs and was redriven so often.
        window: how long the run collects.
        large_bytes: a run with more bytes is large.
        now: the time.

    Raises:
        SupersededError, CancelledError, UnknownRunError, ExecutionEndedError: the run cannot start.
    """
    found = ledger.run(run_id)
    if found and found.cancelled_at and (now - found.cancelled_at).total_seconds() < STOP_SECONDS:
        return Collected(ready=False, wait_seconds=STOP_SECONDS, files=0, bytes=0)
    run = _require_usable(found, run_id)
    runs = [run, *(found for found in map(ledger.run, run.inherits) if found)]
    count, size = sum(one.file_count for one in runs), sum(one.file_bytes for one in runs)

    def not_yet(seconds: int) -> Collected:
        return Collected(ready=False, wait_seconds=seconds, files=count, bytes=size)

    if run.status == COLLECTING and (wait := window.remaining(run, now)):
        return not_yet(wait)
    holder, large = slot_holder(run_id, redrives), size > large_bytes
    if not slots.take(holder, large=large, now=now):
        slots.release_ended(is_executing)
        if not slots.take(holder, large=large, now=now):
            return not_yet(slot_wait(run, now, window))
    _close(ledger, run_id, redrives=redrives, now=now)
    return Collected(ready=True, wait_seconds=0, files=count, bytes=size)


def manifest(ledger: Ledger, run_id: str) -> Manifest:
    """Return the files of a closed run. It comes from the ledger alone, so it is the same every time.

    Raises:
        SupersededError, CancelledError, UnknownRunError: the run cannot start.
    """
    run = _require_usable(ledger.run(run_id), run_id)
    return Manifest(run_id=run_id, created_at=run.started_at, files=ledger.files(run))


def _close(ledger: Ledger, run_id: str, *, redrives: int, now: datetime) -> None:
    """Set the run's status to STARTED, so that no file joins any more; nothing changes if it has that status.

    Raises:
        SupersededError, CancelledError, UnknownRunError, ExecutionEndedError: the run cannot start.
    """
    # A function goes on after a person has stopped its execution. Once that end is recorded, the files wait for another run.
    closed = ledger.update(
        ledger.change(
            run_key(run_id),
            "SET #status = :started, started_at = :now",
            "#status = :collecting AND (attribute_not_exists(collector_ended) OR collector_ended < :redrives)",
            names=["status"],
            started=STARTED,
            collecting=COLLECTING,
            redrives=redrives,
            now=ledger_time(now),
        )
    )
    if not closed and _require_usable(ledger.run(run_id), run_id).status == COLLECTING:
        raise ExecutionEndedError(f"this execution of run {run_id} has ended: redrive it, or upload a file")


def _require_usable(run: Run | None, run_id: str) -> Run:
    if run is None:
        raise UnknownRunError(f"the ledger has no run {run_id}: upload a file instead of starting an execution by hand")
    if run.status == SUPERSEDED:
        raise SupersededError(f"run {run.superseded_by} takes the files of this run: watch that one")
    if run.status == CANCELLED:
        remedy = f"`ptmlops replay {run_id}` starts a run with its files" if run.file_count else "upload its files again"
        raise CancelledError(f"this run was cancelled before it started: {remedy}")
    return run
