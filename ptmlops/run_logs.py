"""The log lines of one run across all units, in time order: `ptmlops logs`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ptmlops import runs
from ptmlops.errors import OperatorError
from ptmlops.ledger import Ledger
from ptmlops.target import Target
from ptmlops_contracts.logs import FUNCTION_LOG_GROUPS, JOB_LOG_GROUPS, SAGEMAKER_GROUPS
from ptmlops_contracts.run import ENDED

# A function's last lines may come after the end that the ledger has; clocks differ.
MARGIN = timedelta(minutes=10)
# CloudWatch Logs shows a line some seconds after it was written.
FOLLOW_SECONDS, SETTLE_SECONDS = 2.0, 6.0
# Keys of a JSON line that are shown elsewhere, or that help nobody who reads.
NOT_SHOWN = frozenset(
    {
        "timestamp", "level", "message", "service", "run_id", "location", "function_name", "function_memory_size", "function_arn",
        "function_request_id", "cold_start", "xray_trace_id", "requestId", "errorMessage", "id", "previous_event_id",
        "event_timestamp", "execution_arn", "type", "redrive_count", "stackTrace",
    }
)  # fmt: skip
ENTERED = ("StateEntered", "StateExited")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One log event. `unit` is what logged it."""

    moment: datetime
    unit: str
    message: str
    key: str = field(repr=False)

    @property
    def fields(self) -> dict[str, Any]:
        """Return the keys of a JSON line, or an empty dict."""
        return _parse(self.message)

    def document(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {"timestamp": self.moment.isoformat(timespec="milliseconds"), "unit": self.unit, "message": self.message}


def lines_of(target: Target, run_id: str) -> list[Line]:
    """Return a run's lines so far, oldest first.

    Raises:
        OperatorError: there is no such run, or the deployment does not say where its units log.
    """
    since, until = _period(target, run_id)
    return sorted(_collect(target, run_id, since, until), key=lambda line: (line.moment, line.key))


def follow(target: Target, run_id: str, *, sleep: Callable[[float], object] = time.sleep) -> Iterator[Line]:
    """Yield a run's lines as they come, until the run has ended and its last lines have had time to arrive."""
    seen: set[str] = set()
    left = SETTLE_SECONDS
    while left > 0:
        ended = runs.execution_status(target, run_id) in (*ENDED, None)
        for line in lines_of(target, run_id):
            if line.key not in seen:
                seen.add(line.key)
                yield line
        left = left - FOLLOW_SECONDS if ended else SETTLE_SECONDS
        sleep(FOLLOW_SECONDS)


def text_of(line: Line) -> str:
    """Return a line for people: the level if it is a warning or worse, the message, and further fields as `name=value`."""
    fields = line.fields
    if not fields:
        return line.message
    level, shown = str(fields.get("level", "INFO")), []
    if level not in ("INFO", "DEBUG"):
        shown.append(level)
    shown.append(str(fields.get("message") or fields.get("errorMessage") or fields.get("type") or ""))
    if "type" in fields:  # the state machine's details are those of the event
        name = (fields.get("details") or {}).get("name")
        return " ".join([*shown, *([name] if name else []), *_failure(fields.get("details") or {})])
    shown += [
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in fields.items()
        if name not in NOT_SHOWN
    ]
    return " ".join(shown)


def is_of_interest(line: Line) -> bool:
    """Return False for lines that a person need not read: the platform's own, metrics, and the state machine's bookkeeping."""
    fields = line.fields
    if "_aws" in fields:
        return False
    if str(fields.get("type", "")).startswith("platform."):
        return fields.get("record", {}).get("status") in ("timeout", "error", "failure")
    if "execution_arn" in fields:
        kind = str(fields["type"])
        return kind.endswith(ENTERED) or kind.startswith("Execution") or bool(_failure(fields.get("details") or {}))
    return True


def _failure(details: Mapping[str, Any]) -> list[str]:
    return [f"{name}={details[name]}" for name in ("error", "cause") if details.get(name)]


def _period(target: Target, run_id: str) -> tuple[datetime, datetime | None]:
    runs.require_known(target, run_id)
    item = Ledger.of(target).run(run_id) or {}
    opened = item.get("opened_at") or item.get("started_at")
    if opened is None:
        raise OperatorError(f"the ledger does not say when run {run_id} began: look at the log groups in the console")
    ended = item.get("finished_at") if item.get("status") in ENDED else None
    is_over = ended is not None and runs.execution_status(target, run_id) in (*ENDED, None)
    until = datetime.fromisoformat(ended) + MARGIN if is_over and ended else None
    return datetime.fromisoformat(opened) - MARGIN, until


def _collect(target: Target, run_id: str, since: datetime, until: datetime | None) -> Iterator[Line]:
    stated = [target.outputs.get(name) for name in (FUNCTION_LOG_GROUPS, JOB_LOG_GROUPS)]
    if None in stated:
        raise OperatorError("the deployment is of an earlier version and does not say where its units log: deploy it again")
    groups: dict[str, str] = {unit: name for text in stated for unit, name in json.loads(str(text)).items()}
    job_runs: dict[str, list[str]] = {}
    for unit, group in {**groups, **SAGEMAKER_GROUPS}.items():
        if unit in SAGEMAKER_GROUPS:
            yield from _events(target, unit, group, since, until, prefix=run_id)
        elif group.startswith("/aws-glue/"):
            job = unit.partition(" ")[0]
            if job not in job_runs:
                job_runs[job] = _job_runs(target, job, run_id, since)
            for job_run in job_runs[job]:
                yield from _events(target, unit, group, since, until, prefix=job_run)
        else:
            yield from _of_run(run_id, list(_events(target, unit, group, since, until)))


def _job_runs(target: Target, job: str, run_id: str, since: datetime) -> list[str]:
    """Return the runs of a Glue job that worked for a run; Glue lists the newest first."""
    name = target.outputs[f"{job.title()}JobName"]
    found: list[str] = []
    for page in target.client("glue").get_paginator("get_job_runs").paginate(JobName=name):
        for job_run in page["JobRuns"]:
            if job_run["StartedOn"] < since:
                return found
            if job_run.get("Arguments", {}).get("--run_id") == run_id:
                found.append(job_run["Id"])
    return found


def _of_run(run_id: str, lines: list[Line]) -> Iterator[Line]:
    """Yield the lines that name the run, and those of the same requests that name no other: a traceback names no run."""
    named = [line for line in lines if run_id in line.message]
    requests = {request for line in named if (request := _request(line.fields))}
    names = {line.key for line in named}
    for line in lines:
        fields = line.fields
        if line.key in names or (_request(fields) in requests and fields.get("run_id", run_id) == run_id):
            yield line


def _request(fields: Mapping[str, Any]) -> str | None:
    record = fields.get("record")
    of_platform = record.get("requestId") if isinstance(record, dict) else None
    return fields.get("function_request_id") or fields.get("requestId") or of_platform


def _events(
    target: Target, unit: str, group: str, since: datetime, until: datetime | None, *, prefix: str | None = None
) -> Iterator[Line]:
    """Yield a group's events in a period. SageMaker's groups exist from the first job of the account on."""
    client = target.client("logs")
    options: dict[str, Any] = {"logGroupName": group, "startTime": _milliseconds(since)}
    if until:
        options["endTime"] = _milliseconds(until)
    if prefix:
        options["logStreamNamePrefix"] = prefix
    try:
        for page in client.get_paginator("filter_log_events").paginate(**options):
            for event in page["events"]:
                if prefix and not event["logStreamName"].startswith(prefix):
                    continue  # local AWS ignores logStreamNamePrefix
                yield Line(
                    moment=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
                    unit=unit,
                    message=event["message"].rstrip("\n"),
                    # Ids are numbers in the order of the events. Padded, they sort as text.
                    key=f"{group} {event['logStreamName']} {event['eventId']:0>60}",
                )
    except client.exceptions.ResourceNotFoundException:
        return


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _parse(message: str) -> dict[str, Any]:
    if not message.startswith("{"):
        return {}
    try:
        found: Any = json.loads(message)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
