"""What became of an uploaded file: `ptmlops where`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from ptmlops import runs
from ptmlops.ledger import Ledger, ObjectVersion
from ptmlops.options import command_for
from ptmlops.raw_files import versions_of
from ptmlops.target import Target
from ptmlops.uploads import START_SECONDS
from ptmlops_contracts.keys import OutputKeys, PreparedKeys, s3_uri
from ptmlops_contracts.ledger import CANCELLED, COLLECTING, RunItem
from ptmlops_contracts.report import NOT_TABLES, Reason
from ptmlops_contracts.run import ENDED, RunStatus
from ptmlops_contracts.words import accounting, quantity

SHOWN_PARTS = 5  # of an archive, with the reason why they were not read


class Outcome(StrEnum):
    """What became of a version of a file."""

    WAITING = "waiting"  # no run has taken it
    COLLECTING = "collecting"  # it is in a run that has not started to work
    WORKING = "working"
    CANCELLED = "cancelled"
    REJECTED = "rejected"  # the whole file; single rejected rows are counted in `rejects`
    PASSED_OVER = "passed over"  # it is not a table, so it has no rows
    PUBLISHED = "published"
    FAILED = "failed"
    STOPPED = "stopped"  # a person stopped its run


@dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """What became of one version of a file.

    Attributes:
        message: a sentence for people.
        next_step: a command of `ptmlops` to use next, without its options, or an empty string.
        run_id: the run that has the file now, or None.
        earlier_runs: the runs whose files that run took over, oldest first.
        state: the state that the run is in, or in which it failed.
        rows: the file's rows by what became of them.
        rejects: its rejected rows per reason code.
        exports: where its export is.
    """

    version: ObjectVersion
    outcome: Outcome
    message: str
    next_step: str = ""
    run_id: str | None = None
    earlier_runs: tuple[str, ...] = ()
    state: str | None = None
    rows: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=dict)
    exports: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return it for `--json`."""
        fields = asdict(self)
        version = fields.pop("version")
        return {name: version[name] for name in ("key", "version_id", "uploaded_at", "size", "latest")} | fields


def find(target: Target, name: str, *, limit: int) -> list[Whereabouts]:
    """Return what became of the newest versions of a file, newest first.

    Raises:
        OperatorError: the raw bucket has no such file.
    """
    return [locate(target, version) for version in versions_of(target, name, limit=limit)]


def locate(target: Target, version: ObjectVersion) -> Whereabouts:
    """Return what became of one version."""
    ledger = Ledger.of(target)
    item = ledger.file(version)
    if item is None:
        return _waiting(target, version)
    chain = ledger.successors(item["run_id"])
    if "cancelled_at" in item:
        message = f"cancelled on {_minute(item['cancelled_at'])}: no run takes it. To process it, upload it again"
        return Whereabouts(version=version, outcome=Outcome.CANCELLED, message=message)
    if not chain:
        message = f"it joined run {item['run_id']}, which the ledger does not have: upload it again"
        return Whereabouts(version=version, outcome=Outcome.FAILED, message=message, run_id=item["run_id"])
    run_id, run = chain[-1]
    # The run's documents have the version that it read. Rows may have been erased from the file since.
    found = _in_run(target, replace(version, version_id=item.get("rewrites", version.version_id)), run_id, run)
    return replace(found, version=version, run_id=run_id, earlier_runs=tuple(name for name, _ in chain[:-1]))


def _waiting(target: Target, version: ObjectVersion) -> Whereabouts:
    if datetime.now(UTC) - version.uploaded_at < timedelta(seconds=START_SECONDS):
        message = f"it waits in the queue; a run takes it within {quantity(START_SECONDS // 60, 'minute')}"
        return Whereabouts(version=version, outcome=Outcome.WAITING, message=message)
    resend = command_for(target, "replay --dead-letters")
    message = f"no run has taken it: its event was lost, or is in the dead-letter queue (`{resend}`)"
    return Whereabouts(version=version, outcome=Outcome.WAITING, message=message, next_step="reconcile")


def _in_run(target: Target, version: ObjectVersion, run_id: str, run: RunItem) -> Whereabouts:
    status = run["status"]
    if status == CANCELLED:
        message = f"run {run_id} was cancelled before it read the file"
        return Whereabouts(version=version, outcome=Outcome.CANCELLED, message=message, next_step=f"replay {run_id}")
    execution = runs.execution_status(target, run_id) if status not in ENDED else status
    if status == COLLECTING:
        return _in_collecting_run(target, version, run_id, execution)
    if execution == "RUNNING":
        state = runs.current_state(target, run_id)
        message = f"run {run_id} works on it, in state {state}"
        return Whereabouts(version=version, outcome=Outcome.WORKING, message=message, state=state, next_step=f"watch {run_id}")
    return _in_ended_run(target, version, run_id, execution)


def _in_collecting_run(target: Target, version: ObjectVersion, run_id: str, execution: str | None) -> Whereabouts:
    if execution == "RUNNING":
        message = f"it waits in run {run_id}, which {_waits_for(target)}"
        return Whereabouts(
            version=version, outcome=Outcome.COLLECTING, message=message, state=runs.COLLECT, next_step=f"watch {run_id}"
        )
    message = f"run {run_id} ended before it read the file; the next upload lets another run take it"
    return Whereabouts(version=version, outcome=Outcome.COLLECTING, message=message, next_step="reconcile")


def _waits_for(target: Target) -> str:
    slots = Ledger(target.client("dynamodb"), target.outputs["LedgerTableName"]).slots()
    if "retry_at" not in slots:
        return "collects files or waits for a free slot"
    return (
        f"waits because {quantity(len(slots['failed_runs']), 'run')} in a row failed (last in {slots['failed_because']}); one run tries "
        f"again after {_minute(slots['retry_at'])}"
    )


def _in_ended_run(target: Target, version: ObjectVersion, run_id: str, status: str | None) -> Whereabouts:
    report = runs.read_report(target, run_id)
    parts = [one for one in report.get("files", []) if _is_of(one["key"], one["version_id"], version)]
    file: dict[str, Any] = parts[0] if len(parts) == 1 else {}
    rows: dict[str, int] = {name: sum(one["rows"][name] for one in parts) for name in (parts[0]["rows"] if parts else ())}
    alone = len(report.get("files", [])) == 1
    rejects: dict[str, int] = {}
    if rows.get("rejected"):
        rejects = report["rejects"] if alone else _rejects(target, version, run_id)
    if (reason := file.get("rejected_whole")) in NOT_TABLES:
        message = f"run {run_id} passed it over, because it is not a table: {_explain(reason)}"
        return Whereabouts(version=version, outcome=Outcome.PASSED_OVER, message=message, rows=rows)
    if refusal := file.get("rejected_whole") or file.get("refused"):
        message = f"run {run_id} rejected it: {_explain(refusal)}"
        return Whereabouts(
            version=version, outcome=Outcome.REJECTED, message=message, rows=rows, rejects=rejects,
            next_step=f"results {run_id} --out DIR",
        )  # fmt: skip
    if status == RunStatus.SUCCEEDED:
        exports = _exports(target, version, run_id)
        counts = f": {accounting(rows)}" if rows else ""  # type: ignore[arg-type]
        message = f"run {run_id} {'published' if exports else 'processed'} it{counts}{_unread_parts(parts)}"
        return Whereabouts(
            version=version, outcome=Outcome.PUBLISHED, message=message, rows=rows, rejects=rejects, exports=exports,
            next_step=f"results {run_id} --out DIR",
        )  # fmt: skip
    error = (runs.read_run_document(target, run_id) or {}).get("error", {})
    if status == RunStatus.ABORTED:
        outcome, message = Outcome.STOPPED, f"a person stopped run {run_id}"
    else:
        outcome, reason = Outcome.FAILED, error.get("message") or error.get("error")
        message = f"run {run_id} failed" + (f" in state {error.get('state')}: {reason}" if reason else "")
    return Whereabouts(
        version=version, outcome=outcome, message=message, state=error.get("state"), rows=rows, rejects=rejects,
        next_step=f"replay {run_id}",
    )  # fmt: skip


def _unread_parts(parts: Sequence[Mapping[str, Any]]) -> str:
    """Return which files of an archive, or sheets of a workbook, gave no rows, and why."""
    reasons = {one["key"]: one.get("rejected_whole") or one.get("refused") for one in parts}
    unread = [f"{key}: {_explain(reason)}" for key, reason in reasons.items() if reason]
    if not unread:
        return ""
    more = f"; and {len(unread) - SHOWN_PARTS:,} more" if len(unread) > SHOWN_PARTS else ""
    return f". Not read: {'; '.join(unread[:SHOWN_PARTS])}{more}"


def _exports(target: Target, version: ObjectVersion, run_id: str) -> tuple[str, ...]:
    bucket = target.outputs["OutputBucketName"]
    published = runs.read_json(target, bucket, OutputKeys(run_id).marker) or {}
    return tuple(
        s3_uri(bucket, key)
        for export in published.get("exports", [])
        if _is_of(export["source_file"], export["source_version"], version)
        for key in (*export["keys"], *export.get("excel_keys", ()))  # before 0.3.0 there were no workbooks
    )


def _is_of(source_file: str, source_version: str, version: ObjectVersion) -> bool:
    """Return True for an upload, and for a table in it: the sheet of a workbook, or a file of a zip archive."""
    return source_version == version.version_id and f"{source_file}/".startswith(f"{version.key}/")


def _rejects(target: Target, version: ObjectVersion, run_id: str) -> dict[str, int]:
    """Count a file's rejected rows per reason. The report counts those of all files together."""
    import pyarrow.compute as pc

    from ptmlops.predictions import read_parquet

    bucket, s3 = target.outputs["PreparedBucketName"], target.client("s3")
    source = pc.field("source_file")
    is_own = (source == version.key) | pc.starts_with(source, f"{version.key}/")
    own = is_own & (pc.field("source_version") == version.version_id)
    counts: dict[str, int] = {}
    for key in runs.keys(target, bucket, PreparedKeys(run_id).rejected):
        if key.endswith(".parquet"):
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            rows = read_parquet(body, ["reason", "source_file", "source_version"]).filter(own)
            for found in pc.value_counts(rows["reason"]).to_pylist():
                counts[found["values"]] = counts.get(found["values"], 0) + found["counts"]
    return counts


def _explain(reason: str) -> str:
    """Return the text of a reason code; what is not a code explains itself."""
    code = next((code for code in Reason if code.value == reason), None)
    return f"{reason}. {code.description}" if code else reason


def _minute(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M} UTC"
