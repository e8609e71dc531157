"""Take a waiting file out of its run, or stop a run: `ptmlops cancel`.

The ledger gets the cancellation before the execution is stopped. The other way round, an upload between the two would let another run
take the files.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ptmlops import runs
from ptmlops.errors import OperatorError
from ptmlops.ledger import BusyError, Ledger, NotCollectingError, ObjectVersion
from ptmlops.options import command_for
from ptmlops.raw_files import versions_of
from ptmlops.target import Target
from ptmlops.whereabouts import Outcome, locate
from ptmlops_contracts.ledger import CANCELLED, COLLECTING, NO_RUN
from ptmlops_contracts.run import CANCELLED_ERROR

STOPPED_CAUSE = "`ptmlops cancel` stopped this run."


@dataclass(frozen=True, kw_only=True)
class RunToCancel:
    """A run that can be cancelled. `works` is True if it has left the state that collects files."""

    run_id: str
    works: bool
    files: int


@dataclass(frozen=True, kw_only=True)
class CancelledFile:
    """A file version that no run takes any more. `cancelled_run` is the run that had no other file, or None."""

    version_id: str
    run_id: str | None
    cancelled_run: str | None


def check_run(target: Target, run_id: str) -> RunToCancel:
    """Return a run that can be cancelled.

    Raises:
        OperatorError: there is no such run, it has ended, or another run has its files.
    """
    ledger = Ledger.of(target)
    last, run = ledger.latest_run(target, run_id)
    if last != run_id:
        raise OperatorError(
            f"run {run_id} has ended, and run {last} has its files: use `{command_for(target, f'cancel {last}')}`"
        )
    execution = runs.execution_status(target, run_id)
    collects = run["status"] == COLLECTING
    if not collects and execution != "RUNNING":
        status = (
            run["status"].lower() if run["status"] == CANCELLED else (execution or run["status"]).lower().replace("_", " ")
        )
        raise OperatorError(
            f"run {run_id} has ended ({status}), so there is nothing to cancel: see `{command_for(target, 'status')}`"
        )
    return RunToCancel(run_id=run_id, works=not collects, files=ledger.file_count(run))


def cancel_run(target: Target, run_id: str) -> bool:
    """Cancel a run: one that collects passes its files to no other run, one that works is stopped with its jobs.

    Returns:
        True if it was working.

    Raises:
        OperatorError: there is no such run, it has ended, or another run has its files.
    """
    run = check_run(target, run_id)
    if not run.works and not Ledger.of(target).cancel_run(run_id, now=datetime.now(UTC)):
        run = check_run(target, run_id)  # it has begun to work in the meantime, or has ended
    _stop(target, run_id)
    return run.works


def waiting_versions(target: Target, name: str, *, version_id: str | None, limit: int) -> list[ObjectVersion]:
    """Return the versions of a file that wait, newest first: in the queue, or in a run that collects.

    Raises:
        OperatorError: there is no such file, or none of its versions waits.
    """
    versions = versions_of(target, name, limit=limit)
    if version_id and not (versions := [one for one in versions if one.version_id == version_id]):
        raise OperatorError(
            f"{name} has no version {version_id} among its newest {limit}: see `{command_for(target, f'where {shlex.quote(name)} --limit N')}`"
        )
    ledger = Ledger.of(target)
    items = {item["pk"]: item for item in ledger.items(version.ledger_key for version in versions)}
    if waiting := [version for version in versions if _waits(ledger, items.get(version.ledger_key))]:
        return waiting
    newest = locate(target, versions[0])
    remedy = f"see `{command_for(target, f'where {shlex.quote(name)}')}`"
    if newest.outcome is Outcome.WORKING:
        remedy = f"to stop that run with all its files, use `{command_for(target, f'cancel {newest.run_id}')}`"
    raise OperatorError(f"{newest.version.key} does not wait: {newest.message}; {remedy}")


def _waits(ledger: Ledger, item: Mapping[str, Any] | None) -> bool:
    if item is None:
        return True
    chain = ledger.successors(item["run_id"])
    return "cancelled_at" not in item and bool(chain) and chain[-1][1]["status"] == COLLECTING


def cancel_file(target: Target, version: ObjectVersion) -> CancelledFile:
    """Take a waiting version out of its run, or keep it out of all runs. A run without other files is cancelled, too.

    Raises:
        OperatorError: its run has started to work, or its item keeps changing.
    """
    try:
        run_id, was_last = Ledger.of(target).remove_file(version, now=datetime.now(UTC))
    except NotCollectingError as error:
        name = error.run["pk"].partition("#")[2] if error.run else ""
        raise OperatorError(
            f"{version.key} does not wait any more: its run started to work. To stop that run with all its files, use "
            f"`{command_for(target, f'cancel {name}')}`"
        ) from None
    except BusyError:
        raise OperatorError(
            f"{version.key} was not cancelled: files keep joining its run, or over 1,000 were taken out of it. Try again, or "
            "cancel the run"
        ) from None
    if was_last:
        _stop(target, run_id)
    return CancelledFile(
        version_id=version.version_id,
        run_id=None if run_id == NO_RUN else run_id,
        cancelled_run=run_id if was_last else None,
    )


def _stop(target: Target, run_id: str) -> None:
    """Stop an execution. Step Functions stops the job that it waits for."""
    states = target.client("stepfunctions")
    if runs.execution_status(target, run_id) == "RUNNING":
        states.stop_execution(executionArn=runs.execution_arn(target, run_id), error=CANCELLED_ERROR, cause=STOPPED_CAUSE)
