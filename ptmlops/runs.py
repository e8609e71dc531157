"""Runs: list them, follow one to its end, redrive it, and read what it wrote to the output bucket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from botocore.exceptions import ClientError

from ptmlops.errors import OperatorError
from ptmlops.options import command_for
from ptmlops.output_paths import local_path, writing
from ptmlops.target import Target
from ptmlops_contracts.keys import OUTPUT_RUNS, ModelKeys, OutputKeys, PreparedKeys, run_folder_id
from ptmlops_contracts.ledger import run_key
from ptmlops_contracts.run import ENDED, RunStatus
from ptmlops_contracts.state import StateDocument
from ptmlops_contracts.words import accounting, quantity

POLL_SECONDS = 0.5
# The states that repeat until a run has collected its files.
COLLECT, WAIT = "Collect", "Wait for files"


@dataclass(frozen=True)
class Step:
    """A state that a run has entered or left. While it runs, `ended` is None."""

    state: str
    began: datetime
    ended: datetime | None
    failed: bool = False
    summary: str = ""


def execution_arn(target: Target, run_id: str) -> str:
    """Return the ARN of a run's execution, which is named after the run."""
    return f"{target.outputs['StateMachineArn'].replace(':stateMachine:', ':execution:')}:{run_id}"


def execution_status(target: Target, run_id: str) -> str | None:
    """Return the status of a run's execution, or None if it does not exist: not started yet, or over for 90 days."""
    states = target.client("stepfunctions")
    try:
        return str(states.describe_execution(executionArn=execution_arn(target, run_id))["status"])
    except states.exceptions.ExecutionDoesNotExist:
        return None


def current_state(target: Target, run_id: str) -> str:
    """Return the state that a running execution has entered last; COLLECT for one that waits for files."""
    name = str(_last_entered(target, run_id).get("name", COLLECT))
    return COLLECT if name == WAIT else name


def last_document(target: Target, run_id: str) -> StateDocument:
    """Return the state document as the state that was entered last received it."""
    entered = _last_entered(target, run_id)
    return cast("StateDocument", json.loads(entered.get("input") or "{}"))


def _last_entered(target: Target, run_id: str) -> dict[str, Any]:
    """Return the details of the state that an execution has entered last; empty if it has entered none."""
    history = target.client("stepfunctions").get_execution_history(
        executionArn=execution_arn(target, run_id), reverseOrder=True, maxResults=1000
    )
    entered = [event for event in history["events"] if "stateEnteredEventDetails" in event]
    last = max(entered, key=lambda event: event["id"], default=None)
    return dict(last["stateEnteredEventDetails"]) if last else {}


def redrive(target: Target, run_id: str) -> bool:
    """Continue a failed run from the state that failed. Returns False if Step Functions does not redrive it (any more)."""
    try:
        target.client("stepfunctions").redrive_execution(executionArn=execution_arn(target, run_id))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ExecutionDoesNotExist", "ExecutionNotRedrivable"):
            raise
        return False
    return True


def follow(target: Target, run_id: str) -> Iterator[Step]:
    """Yield a run's states as they are entered and left, until the run has ended."""
    arn = execution_arn(target, run_id)
    states = target.client("stepfunctions")
    seen = 0
    open_states: dict[str, datetime] = {}
    while True:
        try:
            status = states.describe_execution(executionArn=arn)["status"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
                raise
            require_known(target, run_id)
            if read_run_document(target, run_id):
                return  # the state machine was deleted since, and its executions with it
            time.sleep(POLL_SECONDS)  # claimed, but not started yet
            continue
        events = [
            event
            for page in states.get_paginator("get_execution_history").paginate(executionArn=arn)
            for event in page["events"]
        ]
        for event in events[seen:]:
            yield from _steps(target, run_id, event, open_states)
        seen = len(events)
        if status in ENDED:
            for state, began in open_states.items():
                yield Step(state, began, events[-1]["timestamp"], failed=True)
            return
        time.sleep(POLL_SECONDS)


def _steps(target: Target, run_id: str, event: dict[str, Any], open_states: dict[str, datetime]) -> Iterator[Step]:
    if "stateEnteredEventDetails" in event:
        name = event["stateEnteredEventDetails"]["name"]
        is_step = name not in (WAIT, *open_states) and event["type"] != "PassStateEntered" and not name.endswith("?")
        if is_step:
            open_states[name] = event["timestamp"]
            yield Step(name, event["timestamp"], None)
    elif "stateExitedEventDetails" in event:
        details = event["stateExitedEventDetails"]
        document = json.loads(details.get("output") or "{}")
        if details["name"] == COLLECT and not document.get("collect", {}).get("ready"):
            return  # it waits, and is entered again
        began = open_states.pop(details["name"], None)
        if began:
            yield Step(details["name"], began, event["timestamp"], summary=_summary(target, run_id, details["name"], document))


def _summary(target: Target, run_id: str, state: str, document: dict[str, Any]) -> str:
    """Summarize the result of a state in a few words."""
    summarize = _SUMMARIES.get(state)
    return summarize(target, run_id, document) if summarize else ""


def _collected(_target: Target, _run_id: str, document: dict[str, Any]) -> str:
    files, size = document["collect"]["files"], document["collect"]["bytes"]
    return f"{quantity(files, 'file')}, {quantity(size, 'byte')}"


def _prepared(target: Target, run_id: str, _document: dict[str, Any]) -> str:
    report = read_report(target, run_id)
    return accounting(report["rows"]) if report.get("rows") else ""


def _planned(_target: Target, _run_id: str, document: dict[str, Any]) -> str:
    tasks = [name for name in ("train", "score") if document["plan"].get(name)]
    return " and ".join(tasks) or "nothing to train or score"


def _best_trial(_target: Target, _run_id: str, document: dict[str, Any]) -> str:
    found = document["training"]["trials"]["found"]
    metrics = [trial["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for trial in found]
    return f"best of the tuning job: macro-F1 {metrics[0]:.3f} on validation" if metrics else "no trial was completed"


def _evaluated(target: Target, run_id: str, _document: dict[str, Any]) -> str:
    evaluation = read_json(target, target.outputs["ModelsBucketName"], ModelKeys(run_id).evaluation_document) or {}
    score, rows = evaluation.get("candidate", {}).get("macro_f1"), evaluation.get("holdout", {}).get("rows", 0)
    held_out = quantity(rows, "held-out row")
    if "refused" in evaluation:
        return str(evaluation["refused"])
    return f"macro-F1 {score:.3f} on {held_out}" if score is not None else held_out


def _promoted(_target: Target, _run_id: str, document: dict[str, Any]) -> str:
    promotion = document["plan"].get("promotion", {})
    return f"{promotion.get('decision')}: {'; '.join(promotion.get('reasons', []))}"


def _scored(_target: Target, _run_id: str, document: dict[str, Any]) -> str:
    return f"by model version {document['plan']['champion']['version']}"


def _published(target: Target, run_id: str, _document: dict[str, Any]) -> str:
    published = read_json(target, target.outputs["PreparedBucketName"], PreparedKeys(run_id).published) or {}
    return f"{published.get('scored', 0):,} classified, {published.get('needs_review', 0):,} to review"


_SUMMARIES: dict[str, Callable[[Target, str, dict[str, Any]], str]] = {
    COLLECT: _collected,
    "Prepare": _prepared,
    "Plan": _planned,
    "Best trial": _best_trial,
    "Evaluate": _evaluated,
    "Promote": _promoted,
    "Score": _scored,
    "Publish": _published,
}


def read_run_document(target: Target, run_id: str) -> dict[str, Any] | None:
    """Return a run's run.json, or None if it does not exist yet."""
    return read_json(target, target.outputs["OutputBucketName"], OutputKeys(run_id).document)


def read_report(target: Target, run_id: str) -> dict[str, Any]:
    """Return a run's report.json, or an empty document if Prepare did not write it or it has expired."""
    return read_json(target, target.outputs["PreparedBucketName"], PreparedKeys(run_id).report) or {}


def run_document(target: Target, run_id: str, *, wait_seconds: float = 60) -> dict[str, Any]:
    """Return the run.json of a run's last attempt. A failed run gets it a moment after its end.

    Raises:
        OperatorError: the run does not exist, has not ended, or has no run.json.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        document = read_run_document(target, run_id)
        if document and _is_of_last_attempt(target, run_id, document):
            return document
        if time.monotonic() > deadline:
            require_known(target, run_id)
            if not wait_seconds and any(run["name"] == run_id and run["status"] == "RUNNING" for run in list_runs(target)):
                raise OperatorError(
                    f"run {run_id} has not ended yet: follow it with `{command_for(target, f'watch {run_id}')}`"
                )
            raise OperatorError(f"run {run_id} has no run.json: look at the log of the record_run function")
        time.sleep(POLL_SECONDS)


def _is_of_last_attempt(target: Target, run_id: str, document: dict[str, Any]) -> bool:
    """Return False for the run.json of an attempt before a redrive: it stays until Record writes the next."""
    states = target.client("stepfunctions")
    try:
        redriven = states.describe_execution(executionArn=execution_arn(target, run_id)).get("redriveDate")
    except states.exceptions.ExecutionDoesNotExist:
        return True
    # run.json has whole seconds.
    return redriven is None or datetime.fromisoformat(document["finished_at"]) >= redriven.replace(microsecond=0)


def require_known(target: Target, run_id: str) -> None:
    """Raise an OperatorError for an unknown run. The ledger has each run from before its start, and keeps it."""
    item = target.client("dynamodb").get_item(TableName=target.outputs["LedgerTableName"], Key={"pk": {"S": run_key(run_id)}})
    if "Item" in item:
        return
    known = ", ".join(run["name"] for run in list_runs(target, 3))
    raise OperatorError(
        f"run '{run_id}' does not exist"
        + (f"; the latest runs are {known}" if known else ": no run has started yet, upload a file first")
    )


def newest(target: Target, *, succeeded: bool = False) -> str:
    """Return the id of the newest run, or of the newest that succeeded.

    Raises:
        OperatorError: there is no such run.
    """
    executions = list_runs(target, 100)
    if not executions:
        raise OperatorError(f"no run has started yet: upload a file with `{command_for(target, 'drop FILE')}`")
    for run in executions:
        if not succeeded or run["status"] == RunStatus.SUCCEEDED:
            return str(run["name"])
    raise OperatorError(
        f"no run has succeeded yet; the newest is {executions[0]['name']} ({executions[0]['status']}): see `{command_for(target, 'status')}`"
    )


def published_runs(target: Target) -> list[str]:
    """Return the ids of the runs that wrote to the output bucket, newest first."""
    bucket = target.outputs["OutputBucketName"]
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=OUTPUT_RUNS, Delimiter="/")
    names = [run_folder_id(item["Prefix"]) for page in pages for item in page.get("CommonPrefixes", [])]
    return sorted(names, reverse=True)  # run ids begin with their time


def keys(target: Target, bucket: str, prefix: str) -> list[str]:
    """Return all keys below a prefix."""
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def read_json(target: Target, bucket: str, key: str) -> dict[str, Any] | None:
    """Return the JSON document of an object, or None if the object does not exist."""
    try:
        body: dict[str, Any] = json.loads(target.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        return None
    return body


def copy_output(target: Target, folder: Path, *, run_id: str | None = None, overwrite: bool = True) -> list[Path]:
    """Download the output bucket, or only one run's part of it, into `folder`. Returns the files.

    Raises:
        OperatorError: a file cannot be written, or exists and `overwrite` is False. A review list may be filled in.
    """
    bucket = target.outputs["OutputBucketName"]
    prefixes = [""]
    if run_id:
        run = OutputKeys(run_id)
        prefixes = [run.predictions, *run.rewritten_folders]
    files = {local_path(folder, key): key for prefix in prefixes for key in keys(target, bucket, prefix)}
    if not overwrite and (present := [path for path in files if path.exists()]):
        count = quantity(len(present), "file")
        raise OperatorError(
            f"{folder} has {count} of this run already, such as {present[0]}: choose another --out, or add --overwrite to replace them"
        )
    for path, key in files.items():
        with writing(path):
            target.client("s3").download_file(bucket, key, str(path))
    return list(files)


def list_runs(target: Target, limit: int = 20) -> list[dict[str, Any]]:
    """Return the newest runs, newest first, as ListExecutions describes them.

    Executions are deleted with their state machine. Runs of an earlier one are described by their run.json.
    """
    page = target.client("stepfunctions").list_executions(stateMachineArn=target.outputs["StateMachineArn"], maxResults=limit)
    found = {run["name"]: run for run in page["executions"]}
    if len(found) < limit:
        for run_id in [run_id for run_id in published_runs(target) if run_id not in found][: limit - len(found)]:
            if document := read_run_document(target, run_id):
                started = datetime.fromisoformat(document["started_at"])
                found[run_id] = {"name": run_id, "status": document["status"], "startDate": started}
    return sorted(found.values(), key=lambda run: run["startDate"], reverse=True)
