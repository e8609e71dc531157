"""Upload many files at once, wait until nothing is left to do, and account for every file and row."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from ptmlops import runs
from ptmlops.target import Target
from ptmlops_contracts.keys import PreparedKeys
from ptmlops_contracts.ledger import file_key
from ptmlops_contracts.run import ENDED, RunStatus

POLL_SECONDS = 1.0
UPLOADS_AT_ONCE = 16
MAX_KEYS = 100  # of BatchGetItem


@dataclass(frozen=True, kw_only=True)
class Burst:
    """What became of files that were uploaded together.

    Attributes:
        files: uploaded files; the ledger has one claim of each.
        rows: data rows in them.
        upload_seconds: from the first upload to the last.
        seconds: from the first upload to the end of the last run.
        runs: runs that took them.
        failed_runs: runs that did not succeed.
        files_per_run: files of each run, in the order of their starts.
        rows_read, rows_accepted, rows_rejected, rows_duplicate: sums over the runs' reports.
        rows_scored: sums over the runs' results.
    """

    files: int
    rows: int
    upload_seconds: float
    seconds: float
    runs: int
    failed_runs: int
    files_per_run: list[int]
    rows_read: int
    rows_accepted: int
    rows_rejected: int
    rows_duplicate: int
    rows_scored: int

    def summary(self) -> dict[str, Any]:
        """Return the fields, and rates."""
        return {
            **asdict(self),
            "uploads_per_second": round(self.files / self.upload_seconds, 1),
            "rows_per_second": round(self.rows / self.seconds, 1),
        }


def upload_together(target: Target, files: Mapping[str, bytes], *, rows: int, limit_seconds: float) -> Burst:
    """Upload the files and follow what they start.

    Args:
        target: a deployed environment.
        files: key and content.
        rows: data rows in all of them.
        limit_seconds: when to give up.

    Raises:
        TimeoutError: files wait, or runs work, at the limit.
        AssertionError: a file was claimed by no run, or by a run that does not list it.
    """
    s3, bucket = target.client("s3"), target.outputs["RawBucketName"]
    began = time.monotonic()

    def put(item: tuple[str, bytes]) -> str:
        return str(s3.put_object(Bucket=bucket, Key=item[0], Body=item[1])["VersionId"])

    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        versions = dict(zip(files, pool.map(put, files.items()), strict=True))
    uploaded = time.monotonic()
    claims = _wait_for_claims(target, bucket, versions, deadline=began + limit_seconds)
    documents = {run_id: _wait_for_end(target, run_id, deadline=began + limit_seconds) for run_id in sorted(set(claims))}
    ended = time.monotonic()

    listed = Counter[str]()
    for run_id in documents:
        manifest = runs.read_json(target, target.outputs["PreparedBucketName"], PreparedKeys(run_id).manifest) or {"files": []}
        listed[run_id] += len(manifest["files"])
    if listed != Counter(claims):
        raise AssertionError(f"the ledger has {dict(Counter(claims))} files per run, the manifests have {dict(listed)}")
    totals = Counter[str]()
    for document in documents.values():
        totals.update({**document["rows"], "scored": document["scored"]})
    return Burst(
        files=len(files),
        rows=rows,
        upload_seconds=round(uploaded - began, 2),
        seconds=round(ended - began, 2),
        runs=len(documents),
        failed_runs=sum(document["status"] != RunStatus.SUCCEEDED for document in documents.values()),
        files_per_run=[listed[run_id] for run_id in documents],
        rows_read=totals["read"],
        rows_accepted=totals["accepted"],
        rows_rejected=totals["rejected"],
        rows_duplicate=totals["duplicates"],
        rows_scored=totals["scored"],
    )


def _wait_for_claims(target: Target, bucket: str, versions: Mapping[str, str], *, deadline: float) -> list[str]:
    """Return the run of each file, as soon as every file has one."""
    waiting, claims = {file_key(bucket, key, version) for key, version in versions.items()}, list[str]()
    while waiting:
        found = dict(_claims(target, sorted(waiting)))
        claims += found.values()
        waiting -= found.keys()
        if waiting and time.monotonic() > deadline:
            raise TimeoutError(f"{len(waiting)} of {len(versions)} files were taken by no run")
        time.sleep(POLL_SECONDS if waiting else 0)
    return claims


def _claims(target: Target, keys: list[str]) -> Iterable[tuple[str, str]]:
    table = target.outputs["LedgerTableName"]
    for start in range(0, len(keys), MAX_KEYS):
        wanted = [{"pk": {"S": key}} for key in keys[start : start + MAX_KEYS]]
        request: Any = {table: {"Keys": wanted, "ConsistentRead": True}}
        while request:
            answer = target.client("dynamodb").batch_get_item(RequestItems=request)
            yield from ((item["pk"]["S"], item["run_id"]["S"]) for item in answer["Responses"].get(table, []))
            request = answer.get("UnprocessedKeys")


def _wait_for_end(target: Target, run_id: str, *, deadline: float) -> dict[str, Any]:
    """Return the run.json of a run that has ended."""
    # A run is in the ledger a moment before its execution exists.
    while runs.execution_status(target, run_id) not in ENDED:
        if time.monotonic() > deadline:
            raise TimeoutError(f"run {run_id} still works")
        time.sleep(POLL_SECONDS)
    return runs.run_document(target, run_id)
