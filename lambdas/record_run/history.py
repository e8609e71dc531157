"""Read an execution's history: how long each state took, which one failed, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ptmlops_contracts.run import CANCELLED_ERROR, Failure, RunDocument, RunStatus
from ptmlops_contracts.state import NONE, StateDocument

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

MESSAGE_CHARACTERS = 1000
FIRST_STATE = "Collect"  # a run that ends there has done nothing
# What jobs and functions raise about files, labels, limits, deployments and replaced artifacts. A job's error is in the message of States.TaskFailed.
NOT_OF_A_SERVICE = (
    "TooManyRejectsError", "DataError", "NoChampionError", "CostLimitError", "CodeChangedError", "CodeReplacedError",
    "ArtifactReplacedError", "ModelMismatchError", "NoCompletedTrial", CANCELLED_ERROR,
)  # fmt: skip
# Functions and jobs report errors as JSON, with the sentence under one of these names.
MESSAGE_FIELDS = ("errorMessage", "ErrorMessage", "FailureReason", "Message")

Event = Mapping[str, Any]  # of GetExecutionHistory
ENDED = ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")


def read_events(client: SFNClient, execution_arn: str) -> list[Event]:
    """Return all events, oldest first."""
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
    return [cast("Event", event) for page in pages for event in page["events"]]


def state_seconds(events: Sequence[Event]) -> dict[str, float]:
    """Return seconds from entering each state to leaving it, or to the end of the execution if it failed there.

    Those of a state that is entered again, or continued by a redrive, add up.
    """
    entered: dict[str, Any] = {}
    stopped: list[str] = []
    seconds: dict[str, float] = {}
    for event in events:
        kind = event.get("type")
        if kind in ENDED:
            stopped = list(entered)
            for name, began in entered.items():
                seconds[name] = round(seconds.get(name, 0) + (event["timestamp"] - began).total_seconds(), 1)
            entered.clear()
        elif kind == "ExecutionRedriven":
            entered = dict.fromkeys(stopped, event["timestamp"])
        if "stateEnteredEventDetails" in event:
            entered[event["stateEnteredEventDetails"]["name"]] = event["timestamp"]
        elif "stateExitedEventDetails" in event:
            name = event["stateExitedEventDetails"]["name"]
            if name in entered:
                spent = (event["timestamp"] - entered.pop(name)).total_seconds()
                seconds[name] = round(seconds.get(name, 0) + spent, 1)
    return seconds


def last_document(events: Sequence[Event]) -> StateDocument | None:
    """Return the state document as the state that was entered last received it."""
    for event in reversed(events):
        details = event.get("stateEnteredEventDetails")
        if details and details.get("input"):
            return cast("StateDocument", json.loads(details["input"]))
    return None


def failure(events: Sequence[Event], error: str | None, cause: str | None) -> Failure:
    """Return the state that was entered last, and the message of its job or function."""
    entered = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
    return Failure(
        state=entered[-1] if entered else NONE,
        error=error or "Unknown",
        message=_message(cause or "")[:MESSAGE_CHARACTERS],
    )


def may_be_of_a_service(run: RunDocument) -> bool:
    """Return whether a run failed, and neither its files nor a person nor a deployment is the reason."""
    if run["status"] not in (RunStatus.FAILED.value, RunStatus.TIMED_OUT.value) or "error" not in run:
        return False
    failed = run["error"]
    reason = f"{failed['error']} {failed['message']}"
    return failed["state"] != FIRST_STATE and not any(name in reason for name in NOT_OF_A_SERVICE)


def _message(cause: str) -> str:
    """Return the sentence in a JSON error, or the text itself."""
    try:
        parsed = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(parsed, dict):
        return cause
    return next((str(parsed[name]) for name in MESSAGE_FIELDS if parsed.get(name)), cause)
