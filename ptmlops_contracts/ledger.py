"""The ledger (DynamoDB, partition key `pk`): which run takes which file version, and how the run ended.

| `pk` | item | written by |
|---|---|---|
| `FILE#<bucket>/<key>#<version>` | `FileItem`: the run that a file joined, and if it was cancelled | start_run, `ptmlops cancel`, `ptmlops forget` |
| `CHUNK#<run>#<hash>` | `ChunkItem`: files that joined a run together; changed only if rows are erased from them | start_run, `ptmlops forget` |
| `RUN#<run>` | `RunItem`: the status of a run, and its chunks | start_run, collect_run, record_run, `ptmlops cancel`, `ptmlops replay` |
| `OPEN` | `OpenItem`: the run that files probably can join. A hint: the run's own status decides | start_run |
| `SLOTS` | `SlotsItem`: the runs that work now, the runs that failed last, and until when none may start | collect_run, record_run, `ptmlops forget` |
| `COSTS#<year>-<month>` | USD per run that ended in the month, by run id | record_run |
| `PLANNED` | USD per run that works, estimated, by run id | plan_run, record_run |
| `THROUGHPUT` | `ThroughputItem`: how long jobs of past runs took | record_run |
| `DRIFT` | `DriftItem`: whether the complaints of the last run with answers had drifted | record_run |
| `REWRITE#<bucket>/<key>` | `RewriteItem`: rows are being erased from this upload, so its next version is no new file | `ptmlops forget` |

A run is COLLECTING until collect_run closes it: files may join only until then. Joining and closing are conditional writes to the
same item, so that a file belongs to a run that still reads its chunks, or to none. Taking a file out of a run is a third such write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final, TypedDict

# Items of version 1 (and those without a version, written before 0.2.0) have the files in the run's item, and no chunks.
LEDGER_VERSION = 2

# The statuses of a run before Record writes how it ended (`run.ENDED`).
COLLECTING: Final = "COLLECTING"  # files may join
STARTED: Final = "STARTED"  # no file joins any more; the manifest is, or will be, written
SUPERSEDED: Final = "SUPERSEDED"  # another run takes its files: its execution ended while COLLECTING, or a person replayed it
CANCELLED: Final = "CANCELLED"  # a person cancelled it while COLLECTING: no run takes its files

# `FileItem.run_id` of a file that a person cancelled before a run took it.
NO_RUN: Final = "none"

# Items of files, chunks and runs have this attribute if `retention.ledger_days` is set: seconds since 1970, after which DynamoDB deletes them.
EXPIRES_AT: Final = "expires_at"

OPEN_KEY: Final = "OPEN"
SLOTS_KEY: Final = "SLOTS"
PLANNED_KEY: Final = "PLANNED"
THROUGHPUT_KEY: Final = "THROUGHPUT"
DRIFT_KEY: Final = "DRIFT"


class ManifestFile(TypedDict):
    """One version of one uploaded file."""

    bucket: str
    key: str
    version_id: str
    size: int
    etag: str


class RunItem(TypedDict, total=False):
    """The item of a run. Times are ISO 8601 in UTC."""

    pk: str
    schema_version: int
    status: str
    opened_at: str
    joined_at: str  # when the last file joined
    chunks: set[str]  # absent while there are none: DynamoDB has no empty sets
    # Of its own chunks, less the removed files. A removed file that was inherited counts here, so these can be negative: add those of
    # the inherited runs.
    file_count: int
    file_bytes: int
    # `removal_mark` of files that a person cancelled: the manifest leaves them out. Absent while there are none.
    removed: set[str]
    inherits: list[str]  # superseded runs whose files this run takes
    superseded_by: str
    started_at: str
    redrives: int  # of the execution when its end was recorded
    finished_at: str
    collector_ended: int  # `redrives` of an execution that ended while the run was COLLECTING


class FileItem(TypedDict, total=False):
    """The item of a file version."""

    pk: str
    schema_version: int
    run_id: str
    claimed_at: str
    cancelled_at: str  # absent unless a person took the file out of the run that collected it
    rewrites: str  # absent unless rows were erased: the version under which the run read the file


class ChunkItem(TypedDict):
    """Files that joined a run in one transaction."""

    pk: str
    schema_version: int
    files: list[ManifestFile]


class OpenItem(TypedDict):
    """The run that files probably can join."""

    pk: str
    run_id: str


class SlotsItem(TypedDict, total=False):
    """The runs that work now, as `slot_holder` names them. The sets are absent if they would be empty."""

    pk: str
    holders: set[str]
    large_holders: set[str]  # those of them that read more bytes than `arrivals.large_megabytes`
    paused_until: str  # no run gets a slot before; absent unless rows are being erased
    # Runs that failed one after the other and not because of their files; absent after one that succeeded.
    failed_runs: set[str]
    failed_because: str  # state and error of the last of them
    retry_at: str  # then one run may try, while the others wait; absent while too few have failed


class DriftItem(TypedDict, total=False):
    """What the last run measured that had answers, and enough of them."""

    pk: str
    run_id: str
    model_version: str  # that answered
    drifted: list[str]  # kinds, the farthest first; empty if none


class RewriteItem(TypedDict):
    """An upload from which rows are being erased. S3 names the new version after it has reported it, so it is registered by its content."""

    pk: str
    schema_version: int
    run_id: str  # of the version that is rewritten
    rewrites: str  # as `FileItem.rewrites`
    version_id: str  # the version that is rewritten
    sha256: str  # of the new version's bytes
    begun_at: str


class ThroughputItem(TypedDict):
    """What estimates are calibrated on: by `estimate.throughput_key`, the ratio of billed to assumed seconds per run."""

    pk: str
    version: int
    labelled: int  # labelled rows of all runs
    ratios: Mapping[str, Mapping[str, float]]


class Manifest(TypedDict):
    """manifest.json: what Prepare reads. Keys may hold people's names; the state document has none."""

    run_id: str
    created_at: str
    files: list[ManifestFile]


def ledger_time(moment: datetime) -> str:
    """Return a time as ledger items have it: ISO 8601, UTC, milliseconds."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")


def expiry(now: datetime, ledger_days: int) -> dict[str, int]:
    """Return what an item has beside its attributes so that it expires; nothing if items are kept."""
    return {EXPIRES_AT: int(now.timestamp()) + ledger_days * 86_400} if ledger_days else {}


def file_key(bucket: str, key: str, version_id: str) -> str:
    """Return `pk` of a file version."""
    return f"FILE#{bucket}/{key}#{version_id}"


def rewrite_key(bucket: str, key: str) -> str:
    """Return `pk` of an upload from which rows are being erased."""
    return f"REWRITE#{bucket}/{key}"


def removal_mark(bucket: str, key: str, version_id: str) -> str:
    """Return what `RunItem.removed` holds for a file version: a hash, because an item has 400 KB and a key may have 1,024 bytes."""
    return hashlib.sha256(file_key(bucket, key, version_id).encode()).hexdigest()[:32]


def run_key(run_id: str) -> str:
    """Return `pk` of a run."""
    return f"RUN#{run_id}"


def chunk_key(run_id: str, chunk: str) -> str:
    """Return `pk` of a chunk of a run."""
    return f"CHUNK#{run_id}#{chunk}"


def costs_key(finished_at: str) -> str:
    """Return `pk` of the costs of the month (UTC) of an ISO 8601 time.

    Example: `costs_key("2026-11-29T04:40:54+00:00")` is `COSTS#2026-11`.
    """
    return f"COSTS#{datetime.fromisoformat(finished_at).astimezone(timezone.utc):%Y-%m}"


def costs_of_runs(item: Mapping[str, Any]) -> dict[str, float]:
    """Return USD per run of an item `COSTS#…` or `PLANNED`. The second counts its changes in `version`."""
    return {name: float(usd) for name, usd in item.items() if name not in ("pk", "version")}


def slot_holder(run_id: str, redrives: int) -> str:
    """Name a run in `SlotsItem`. A redriven execution is another holder: what is left of its last attempt can be removed."""
    return f"{run_id}/{redrives}"


def run_of_holder(holder: str) -> tuple[str, int]:
    """Return the run and the count of redrives of a `slot_holder`."""
    run_id, _, redrives = holder.rpartition("/")
    return run_id, int(redrives)
