"""What an execution's history says: how long each state took, and which one failed, why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

MESSAGE_CHARACTERS = 1000


def read_events(client: SFNClient, execution_arn: str) -> list[dict[str, Any]]:
    """All events, oldest first, without the data that passed through them where it is not needed."""
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
    return [dict(event) for page in pages for event in page["events"]]


def state_seconds(events: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds from entering a state to leaving it; a state that is entered again adds up."""
    entered: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    for event in events:
        if "stateEnteredEventDetails" in event:
            entered[event["stateEnteredEventDetails"]["name"]] = event["timestamp"]
        elif "stateExitedEventDetails" in event:
            name = event["stateExitedEventDetails"]["name"]
            if name in entered:
                spent = (event["timestamp"] - entered.pop(name)).total_seconds()
                seconds[name] = round(seconds.get(name, 0) + spent, 1)
    return seconds


def last_document(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The state document as the last entered state received it."""
    for event in reversed(events):
        details = event.get("stateEnteredEventDetails")
        if details and details.get("input"):
            document: dict[str, Any] = json.loads(details["input"])
            return document
    return {}


def failure(events: list[dict[str, Any]], error: str | None, cause: str | None) -> dict[str, str]:
    """`{"state", "error", "message"}`: the state that was entered last, and the job's or function's own words."""
    state = next(
        (event["stateEnteredEventDetails"]["name"] for event in reversed(events) if "stateEnteredEventDetails" in event),
        "none",
    )
    return {"state": state, "error": error or "Unknown", "message": _message(cause or "")[:MESSAGE_CHARACTERS]}


def _message(cause: str) -> str:
    """Functions and jobs report JSON; the sentence in it is what a person needs."""
    try:
        parsed = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(parsed, dict):
        return cause
    for name in ("errorMessage", "ErrorMessage", "FailureReason", "Message"):
        if parsed.get(name):
            return str(parsed[name])
    return cause
