"""Dropping files, and following what they start to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from ptmlops.target import OperatorError, Target
from ptmlops_contracts.files import SUPPORTED_ENDINGS, file_ending
from ptmlops_contracts.keys import OUTPUT_RUNS, ModelKeys, OutputKeys, PreparedKeys, run_folder_id
from ptmlops_contracts.ledger import file_key, run_key
from ptmlops_contracts.run import ENDED

POLL_SECONDS = 0.5
# From a dropped file to a started run: the event, the batching window (at most 300 s), the function.
START_SECONDS = 420


@dataclass(frozen=True)
class Dropped:
    """A file in the raw bucket."""

    path: Path
    bucket: str
    key: str
    version_id: str

    @property
    def ledger_key(self) -> str:
        return file_key(self.bucket, self.key, self.version_id)


@dataclass(frozen=True)
class Step:
    """A state that a run entered (`ended` None) or left."""

    state: str
    began: datetime
    ended: datetime | None
    failed: bool = False
    said: str = ""


def check_files(paths: Sequence[Path]) -> None:
    """Refuse what Prepare could not read, before anything is uploaded.

    Raises:
        OperatorError: names the first file that cannot be dropped, and why.
    """
    names = [path.name for path in paths]
    for path in paths:
        if names.count(path.name) > 1:
            raise OperatorError(f"two of the files are called {path.name}, which is their key in the bucket: rename one")
        if not path.exists():
            raise OperatorError(f"{path} does not exist")
        if path.is_dir():
            raise OperatorError(f"{path} is a folder: name the files in it")
        if path.stat().st_size == 0:
            raise OperatorError(f"{path} is empty")
        if file_ending(path.name) is None:
            endings = ", ".join(SUPPORTED_ENDINGS)
            raise OperatorError(f"{path} is not a complaint file: its name must end in {endings} or one of these with .gz")


def drop(target: Target, path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> Dropped:
    """Upload one file under its own name; the bucket keeps versions, so dropping a name again loses nothing.

    Raises:
        OperatorError: it could not be read or uploaded.
    """
    bucket = target.outputs["RawBucketName"]
    s3 = target.client("s3")
    try:
        s3.upload_file(str(path), bucket, path.name, Callback=on_bytes)  # in parts, where it is large
    except S3UploadFailedError as error:
        raise OperatorError(f"{path} was not uploaded: {str(error).rpartition(': ')[2]}") from None
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}") from None
    version = s3.head_object(Bucket=bucket, Key=path.name)["VersionId"]
    return Dropped(path, bucket, path.name, version)


def run_of(target: Target, dropped: Dropped) -> str:
    """Wait until a run has claimed the file.

    Raises:
        OperatorError: none did in time.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        item = target.client("dynamodb").get_item(
            TableName=target.outputs["LedgerTableName"], Key={"pk": {"S": dropped.ledger_key}}
        )
        if "Item" in item:
            return str(item["Item"]["run_id"]["S"])
        time.sleep(POLL_SECONDS)
    raise OperatorError(
        f"no run has claimed {dropped.key} after {START_SECONDS} s: look at the log of the start_run function "
        f"({target.outputs['StartRunFunctionName']}) and at the dead-letter queue"
    )


def execution_arn(target: Target, run_id: str) -> str:
    """The execution of a run: it has the run's name."""
    return f"{target.outputs['StateMachineArn'].replace(':stateMachine:', ':execution:')}:{run_id}"


def redrive(target: Target, run_id: str) -> None:
    """Let a failed run go on from the state in which it failed.

    Raises:
        OperatorError: there is no such run, or it has not failed.
    """
    try:
        target.client("stepfunctions").redrive_execution(executionArn=execution_arn(target, run_id))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ExecutionDoesNotExist":
            _require_claimed(target, run_id)
        if code in ("ExecutionDoesNotExist", "ExecutionNotRedrivable"):
            raise OperatorError(
                f"run {run_id} cannot go on: it has not failed, or that is over 14 days ago. See `ptmlops status`; "
                "to do its work again, drop its files again"
            ) from None
        raise


def follow(target: Target, run_id: str) -> Iterator[Step]:
    """States as they are entered and left, until the execution has ended."""
    arn = execution_arn(target, run_id)
    states = target.client("stepfunctions")
    told = 0
    open_states: dict[str, datetime] = {}
    while True:
        try:
            status = states.describe_execution(executionArn=arn)["status"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
                raise
            _require_claimed(target, run_id)
            time.sleep(POLL_SECONDS)  # claimed, but not started yet
            continue
        events = [
            event
            for page in states.get_paginator("get_execution_history").paginate(executionArn=arn)
            for event in page["events"]
        ]
        for event in events[told:]:
            yield from _steps(target, run_id, event, open_states)
        told = len(events)
        if status in ENDED:
            for state, began in open_states.items():
                yield Step(state, began, events[-1]["timestamp"], failed=True)
            return
        time.sleep(POLL_SECONDS)


def _steps(target: Target, run_id: str, event: dict[str, Any], open_states: dict[str, datetime]) -> Iterator[Step]:
    if "stateEnteredEventDetails" in event:
        name = event["stateEnteredEventDetails"]["name"]
        if not name.endswith("?"):
            open_states[name] = event["timestamp"]
            yield Step(name, event["timestamp"], None)
    elif "stateExitedEventDetails" in event:
        details = event["stateExitedEventDetails"]
        began = open_states.pop(details["name"], None)
        if began:
            document = json.loads(details.get("output") or "{}")
            yield Step(details["name"], began, event["timestamp"], said=_said(target, run_id, details["name"], document))


def _said(target: Target, run_id: str, state: str, document: dict[str, Any]) -> str:
    """What a step found, in a few words."""
    plan = document.get("plan", {})
    if state == "Prepare":
        report = read_json(target, target.outputs["PreparedBucketName"], PreparedKeys(run_id).report) or {}
        rows = report.get("rows", {})
        return ", ".join(f"{rows[name]:,} {name}" for name in ("read", "accepted", "rejected", "duplicates") if name in rows)
    if state == "Plan":
        todo = [name for name, wanted in (("train", plan.get("train")), ("score", plan.get("score"))) if wanted]
        return " and ".join(todo) or "nothing to train or score"
    if state in ("Train", "Train warm"):
        return f"best of the tuning job: macro-F1 {document['training']['objective']:.3f} on validation"
    if state == "Evaluate":
        found = read_json(target, target.outputs["ModelsBucketName"], ModelKeys(run_id).evaluation_document) or {}
        score, rows = found.get("candidate", {}).get("macro_f1"), found.get("holdout", {}).get("rows", 0)
        return f"macro-F1 {score:.3f} on {rows:,} held-out rows" if score is not None else f"{rows:,} held-out rows"
    if state == "Promote":
        promotion = plan.get("promotion", {})
        return f"{promotion.get('decision')}: {'; '.join(promotion.get('reasons', []))}"
    if state == "Score":
        return f"by model version {plan['champion']['version']}"
    if state == "Publish":
        published = read_json(target, target.outputs["PreparedBucketName"], PreparedKeys(run_id).published) or {}
        return f"{published.get('scored', 0):,} classified, {published.get('needs_review', 0):,} to review"
    return ""


def run_document(target: Target, run_id: str, *, wait_seconds: float = 60) -> dict[str, Any]:
    """run.json, which a failed run gets a moment after its end.

    Raises:
        OperatorError: there is no such run, it has not ended, or it left none.
    """
    deadline = time.monotonic() + wait_seconds
    bucket, key = target.outputs["OutputBucketName"], OutputKeys(run_id).document
    while True:
        found = read_json(target, bucket, key)
        if found:
            return found
        if time.monotonic() > deadline:
            _require_claimed(target, run_id)
            if not wait_seconds and any(run["name"] == run_id and run["status"] == "RUNNING" for run in list_runs(target)):
                raise OperatorError(f"run {run_id} has not ended yet: follow it with `ptmlops watch {run_id}`")
            raise OperatorError(f"run {run_id} left no run.json: look at the log of the record_run function")
        time.sleep(POLL_SECONDS)


def _require_claimed(target: Target, run_id: str) -> None:
    """A run is in the ledger before it starts, and stays there."""
    item = target.client("dynamodb").get_item(TableName=target.outputs["LedgerTableName"], Key={"pk": {"S": run_key(run_id)}})
    if "Item" in item:
        return
    known = ", ".join(run["name"] for run in list_runs(target, 3))
    raise OperatorError(
        f"there is no run '{run_id}'"
        + (f"; the latest: {known}" if known else ": none has been started yet, drop a file first")
    )


def newest(target: Target, *, succeeded: bool = False) -> str:
    """The newest run, or the newest that succeeded.

    Raises:
        OperatorError: there is none.
    """
    found = list_runs(target, 100)
    if not found:
        raise OperatorError("no run has been started yet: drop a file with `ptmlops drop FILE`")
    for run in found:
        if not succeeded or run["status"] == "SUCCEEDED":
            return str(run["name"])
    raise OperatorError(
        f"no run has succeeded yet; the newest is {found[0]['name']} ({found[0]['status']}): see `ptmlops status`"
    )


def published_runs(target: Target) -> list[str]:
    """Runs that left something for people, newest first."""
    bucket = target.outputs["OutputBucketName"]
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=OUTPUT_RUNS, Delimiter="/")
    names = [run_folder_id(found["Prefix"]) for page in pages for found in page.get("CommonPrefixes", [])]
    return sorted(names, reverse=True)  # run ids begin with their time


def keys(target: Target, bucket: str, prefix: str) -> list[str]:
    """All keys below a prefix."""
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def read_json(target: Target, bucket: str, key: str) -> dict[str, Any] | None:
    """A JSON object, or None where there is none."""
    try:
        body: dict[str, Any] = json.loads(target.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        return None
    return body


def copy_output(target: Target, folder: Path, *, run_id: str | None = None) -> list[Path]:
    """The output bucket key by key, or only what belongs to one run."""
    bucket = target.outputs["OutputBucketName"]
    prefixes = [""]
    if run_id:
        run = OutputKeys(run_id)
        prefixes = [run.predictions, *run.rewritten_folders]
    copied = []
    for key in [key for prefix in prefixes for key in keys(target, bucket, prefix)]:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        target.client("s3").download_file(bucket, key, str(path))
        copied.append(path)
    return copied


def list_runs(target: Target, limit: int = 20) -> list[dict[str, Any]]:
    """Executions, newest first."""
    found = target.client("stepfunctions").list_executions(stateMachineArn=target.outputs["StateMachineArn"], maxResults=limit)
    return list(found["executions"])
