"""From arrivals to a run that collects them. Every step may be repeated, and stopped after any call, without losing a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ptmlops_contracts.ledger import COLLECTING, STARTED, SUPERSEDED
from ptmlops_contracts.run_ids import make_run_id
from ptmlops_contracts.state import STATE_VERSION, StateInput
from start_run.arrivals import FileVersion
from start_run.ledger import MAX_CHUNKS, MAX_FILES, Arrivals

if TYPE_CHECKING:
    from common.ledger import Run
    from mypy_boto3_stepfunctions import SFNClient

ATTEMPTS = 8


class ContentionError(Exception):
    """Other batches kept changing the same run. This batch returns to the queue and is tried again."""


def join_runs(files: Iterable[FileVersion], *, ledger: Arrivals, clock: Callable[[], datetime]) -> dict[FileVersion, str]:
    """Let every file join the run that collects now, unless it has joined one.

    Returns:
        The run of each file.

    Raises:
        ContentionError: no progress in eight attempts in a row.
    """
    waiting = set(files)
    runs: dict[FileVersion, str] = {}
    failures = 0
    while waiting:
        claimed = ledger.claims(waiting)
        runs |= claimed
        waiting -= claimed.keys()
        while batch := sorted(waiting)[:MAX_FILES]:
            run_id = _join(batch, ledger=ledger, now=clock())
            if run_id is None:
                failures += 1
                if failures == ATTEMPTS:
                    raise ContentionError(f"{len(batch)} files could not join a run in {ATTEMPTS} attempts")
                break  # some of the files may have joined a run in the meantime
            runs.update(dict.fromkeys(batch, run_id))
            waiting -= set(batch)
            failures = 0
    return runs


def _join(files: Sequence[FileVersion], *, ledger: Arrivals, now: datetime) -> str | None:
    """Add files to the open run, or open one. Returns its id, or None if the ledger has changed in between."""
    open_id = ledger.open_run_id()
    run = ledger.run(open_id) if open_id else None
    if run and run.status == COLLECTING and len(run.chunks) < MAX_CHUNKS:
        return run.run_id if ledger.join(run.run_id, files, now=now) else None
    run_id = make_run_id(now, (file.name for file in files))
    return run_id if ledger.open(run_id, files, instead_of=open_id, now=now) else None


def ensure_executes(
    run_id: str, *, ledger: Arrivals, states: SFNClient, state_machine_arn: str, clock: Callable[[], datetime]
) -> str:
    """Start the execution of a run, unless it runs or has done its work.

    Each joiner does so, not only the one that opened the run: the opener may have been killed before.

    StartExecution with the name and input of a running execution returns that execution. Once it has ended, the call fails with
    ExecutionAlreadyExists, and a run that is still COLLECTING then needs another to take its files.

    Returns:
        The run that takes the files: this one or its successor.

    Raises:
        ContentionError: its executions ended again and again before they collected the files.
    """
    for _ in range(ATTEMPTS):
        run = _last_successor(run_id, ledger)
        if run is None or run.status not in (COLLECTING, STARTED):
            return run.run_id if run else run_id
        document = StateInput(run_id=run.run_id, schema_version=STATE_VERSION)
        try:
            states.start_execution(stateMachineArn=state_machine_arn, name=run.run_id, input=json.dumps(document))
        except states.exceptions.ExecutionAlreadyExists:
            # It has ended, or it runs with the input of another version of this function.
            arn = f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{run.run_id}"
            if states.describe_execution(executionArn=arn)["status"] != "RUNNING" and run.status == COLLECTING:
                now = clock()
                ledger.supersede(run, by=make_run_id(now, [run.run_id]), now=now)
                continue
        return run.run_id
    raise ContentionError(f"the executions of run {run_id} and its successors end before they collect the files")


def _last_successor(run_id: str, ledger: Arrivals) -> Run | None:
    run = ledger.run(run_id)
    while run and run.status == SUPERSEDED and run.superseded_by:
        run = ledger.run(run.superseded_by)
    return run


def count_files(runs: Mapping[FileVersion, str]) -> dict[str, int]:
    """Return how many files each run has."""
    counts: dict[str, int] = {}
    for run_id in runs.values():
        counts[run_id] = counts.get(run_id, 0) + 1
    return counts
