"""Run again what failed: `ptmlops replay`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ptmlops import runs
from ptmlops.errors import OperatorError
from ptmlops.ledger import Ledger
from ptmlops.options import command_for
from ptmlops.target import Target
from ptmlops_contracts.keys import PreparedKeys
from ptmlops_contracts.ledger import CANCELLED, COLLECTING, STARTED, RunItem
from ptmlops_contracts.run import RunStatus
from ptmlops_contracts.run_ids import make_run_id
from ptmlops_contracts.state import STATE_VERSION, StateInput

ENDED_BADLY = (RunStatus.FAILED.value, RunStatus.TIMED_OUT.value, RunStatus.ABORTED.value)
# Runs that a person stopped are replayed by name only.
FAILED = (RunStatus.FAILED.value, RunStatus.TIMED_OUT.value)


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """A run that goes on. If it could not be redriven, `run_id` is a new run with the files of `replays`."""

    run_id: str
    replays: str
    redriven: bool


@dataclass
class Batch:
    """What became of several failed runs. `refused` has the reason per run."""

    replayed: list[Replayed] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def replay_run(target: Target, run_id: str) -> Replayed:
    """Continue a failed run from the state that failed, or start a new run with its files.

    A new run is started if the run was cancelled while it collected, or if Step Functions does not redrive it any more: after 14 days, or
    because the state machine was deleted since.

    Raises:
        OperatorError: there is no such run, it has not failed, or it has no files.
    """
    ledger = Ledger.of(target)
    last, run = ledger.latest_run(target, run_id)
    if last != run_id:
        raise OperatorError(
            f"run {last} has the files of run {run_id}: use `{command_for(target, f'watch {last}')}`, or replay that run"
        )
    if run["status"] != CANCELLED and runs.redrive(target, run_id):
        return Replayed(run_id=run_id, replays=run_id, redriven=True)
    if run["status"] == COLLECTING and runs.execution_status(target, run_id) != "RUNNING":
        raise OperatorError(
            f"run {run_id} ended while it collected files: `{command_for(target, 'reconcile')}` lets another run take them"
        )
    if not _has_ended_badly(target, run_id, run):
        raise OperatorError(f"run {run_id} cannot be replayed: it has not failed. See `{command_for(target, 'status')}`")
    return _run_again(target, ledger, run_id, run)


def failed_runs(
    target: Target, *, since: datetime | None = None, until: datetime | None = None, prefix: str = ""
) -> Iterator[str]:
    """Yield the runs that failed or took too long, newest first.

    Args:
        target: the deployment.
        since, until: runs that started from then, and before then.
        prefix: runs with a file whose key begins so.
    """
    states, machine = target.client("stepfunctions"), target.outputs["StateMachineArn"]
    ledger = Ledger.of(target)
    for status in FAILED:
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter=status)
        for execution in (execution for page in pages for execution in page["executions"]):
            if since and execution["startDate"] < since:
                break  # the newest come first
            if until and execution["startDate"] >= until:
                continue
            run = ledger.run(execution["name"])
            # Superseded and cancelled runs fail, too: their files are elsewhere, or were cancelled.
            replayable = run and (run["status"] == COLLECTING or run["status"] in FAILED)
            if replayable and (not prefix or _holds(target, execution["name"], prefix)):
                yield execution["name"]


def replay_all(target: Target, run_ids: Iterator[str]) -> Batch:
    """Replay several runs. One that cannot be replayed does not keep the others from it."""
    batch = Batch()
    for run_id in run_ids:
        try:
            batch.replayed.append(replay_run(target, run_id))
        except OperatorError as error:
            batch.refused[run_id] = str(error)
    return batch


def _has_ended_badly(target: Target, run_id: str, run: RunItem) -> bool:
    """Return True if a run was cancelled or failed, also if that was not recorded."""
    if run["status"] == STARTED:
        return runs.execution_status(target, run_id) in (None, *ENDED_BADLY)
    return run["status"] in (CANCELLED, *ENDED_BADLY)


def _run_again(target: Target, ledger: Ledger, run_id: str, run: RunItem) -> Replayed:
    """Start a new run with the files of one that has ended. Its results have a place of their own."""
    if run["status"] == CANCELLED and not ledger.file_count(run):
        raise OperatorError(f"run {run_id} has no files: all were cancelled. Upload them again to process them")
    now = datetime.now(UTC)
    new = make_run_id(now, [run_id])
    if not ledger.reopen(run_id, run, by=new, now=now):
        raise OperatorError(f"run {run_id} has changed in the meantime: see `{command_for(target, 'status')}`, and try again")
    document = StateInput(run_id=new, schema_version=STATE_VERSION)
    # If this fails, the new run collects without an execution: `ptmlops reconcile` finds that.
    target.client("stepfunctions").start_execution(
        stateMachineArn=target.outputs["StateMachineArn"], name=new, input=json.dumps(document)
    )
    return Replayed(run_id=new, replays=run_id, redriven=False)


def _holds(target: Target, run_id: str, prefix: str) -> bool:
    """Return True if the run's manifest has a file whose key begins with `prefix`. A run that has only collected has no manifest."""
    manifest = runs.read_json(target, target.outputs["PreparedBucketName"], PreparedKeys(run_id).manifest) or {}
    return any(file["key"].startswith(prefix) for file in manifest.get("files", []))
