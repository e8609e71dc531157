"""The ledger (DynamoDB, partition key `pk`): which run claimed which file version, and how the run ended.

It holds two kinds of items, `FILE#…` and `RUN#…`. start_run writes a run and its files in one transaction.
"""

from __future__ import annotations

from typing import TypedDict

# Items without `schema_version` were written before version 0.2.0 of the software; they have the fields of version 1.
LEDGER_VERSION = 1
STARTED = "STARTED"  # the status of a run until Record writes how it ended (`run.ENDED`)


class ManifestFile(TypedDict):
    """One version of one uploaded file."""

    bucket: str
    key: str
    version_id: str
    size: int
    etag: str


class RunItem(TypedDict):
    """The item of a run, as start_run writes it. Record sets `status` and `finished_at`."""

    pk: str
    schema_version: int
    status: str
    started_at: str
    files: list[ManifestFile]


class FileItem(TypedDict):
    """The item of a file version: the run that claimed it."""

    pk: str
    schema_version: int
    run_id: str
    claimed_at: str


class Manifest(TypedDict):
    """manifest.json: what Prepare reads. Keys may hold people's names; the state document has none."""

    run_id: str
    created_at: str
    files: list[ManifestFile]


def file_key(bucket: str, key: str, version_id: str) -> str:
    """Return `pk` of a file version."""
    return f"FILE#{bucket}/{key}#{version_id}"


def run_key(run_id: str) -> str:
    """Return `pk` of a run."""
    return f"RUN#{run_id}"
