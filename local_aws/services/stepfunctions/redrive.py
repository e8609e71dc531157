"""RedriveExecution: continue from the state that did not succeed, with its input. What succeeded before is not repeated.

moto's executions get three attributes for it: `redrive_count`, `redrive_date`, and `earlier_events` with the history up to the last
redrive.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

ENDED_BADLY = ("FAILED", "TIMED_OUT", "ABORTED")


def redrive(execution: Any) -> None:
    """Start an execution again.

    Raises:
        ExecutionNotRedrivable: It runs, succeeded, or failed before its first state.
    """
    from moto.core.exceptions import AWSError

    class ExecutionNotRedrivable(AWSError):
        TYPE = "ExecutionNotRedrivable"
        STATUS = 400

    if execution.status not in ENDED_BADLY:
        raise ExecutionNotRedrivable(f"Execution is {execution.status} and cannot be redriven")
    events = execution.to_history_output()["events"]
    entered = [event for event in events if "stateEnteredEventDetails" in event]
    if not entered:
        raise ExecutionNotRedrivable("Execution failed before its first state")
    failed = entered[-1]["stateEnteredEventDetails"]
    now = datetime.now(UTC)
    redriven = {"id": events[-1]["id"] + 1, "previousEventId": 0, "type": "ExecutionRedriven", "timestamp": now}
    execution.earlier_events = [*events, redriven]
    execution.redrive_count, execution.redrive_date = redrive_count(execution) + 1, now
    execution.error = execution.cause = execution.stop_date = None
    execution.exec_worker = _worker_from(execution, failed["name"], json.loads(failed["input"]))
    execution.exec_status = type(execution.exec_status).RUNNING
    execution.exec_worker.start()


def redrive_count(execution: Any) -> int:
    """Return how often an execution was redriven."""
    return getattr(execution, "redrive_count", 0)


def full_history(execution: Any, current: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events before the last redrive, followed by the current ones with ids that continue theirs."""
    earlier: list[dict[str, Any]] = getattr(execution, "earlier_events", [])
    offset = earlier[-1]["id"] if earlier else 0
    return [*earlier, *({**event, "id": event["id"] + offset} for event in current)]


def _worker_from(execution: Any, state: str, state_input: Any) -> Any:
    """Return a worker that starts at a state instead of the first one."""
    definition = json.loads(execution.state_machine.definition)
    definition["StartAt"] = state
    worker = execution._get_start_execution_worker()
    details = copy.copy(worker._evaluation_details)
    details.state_machine_details = copy.copy(details.state_machine_details)
    details.state_machine_details.definition = json.dumps(definition)
    details.execution_details = copy.copy(details.execution_details)
    details.execution_details.inpt = state_input
    worker._evaluation_details = details
    return worker
