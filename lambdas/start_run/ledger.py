"""What start_run writes to the ledger: files join a run, a run opens, a run takes over from another. Each is one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from common.ledger import Ledger, Run, retry_conflicts

from ptmlops_contracts.ledger import (
    COLLECTING,
    LEDGER_VERSION,
    OPEN_KEY,
    SUPERSEDED,
    ChunkItem,
    FileItem,
    ManifestFile,
    OpenItem,
    RunItem,
    chunk_key,
    expiry,
    file_key,
    ledger_time,
    rewrite_key,
    run_key,
)
from start_run.arrivals import FileVersion

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# TransactWriteItems takes 100 items at most. Beside the files, a transaction writes a run, a chunk, and which run is open.
MAX_FILES = 97
# The hashes of a run's chunks are in its item. DynamoDB bills a write by the size of the item, and each joining chunk writes it.
MAX_CHUNKS = 1000


class Arrivals(Ledger):
    """The ledger as start_run writes it."""

    def __init__(self, client: DynamoDBClient, table: str, *, ledger_days: int = 0) -> None:
        """Set the table, and after how many days its items expire; 0 keeps them."""
        super().__init__(client, table)
        self._days = ledger_days

    def claims(self, files: Iterable[FileVersion]) -> dict[FileVersion, str]:
        """Return the run id of each of these files that joined a run."""
        by_key = {file_key(file.bucket, file.key, file.version_id): file for file in files}
        return {by_key[item["pk"]]: item["run_id"] for item in self.items(by_key)}

    def being_rewritten(self, files: Iterable[FileVersion]) -> set[FileVersion]:
        """Return those of these files from which rows are being erased. One of their versions may be what is left, and no new file."""
        by_key: dict[str, set[FileVersion]] = {}
        for file in files:
            by_key.setdefault(rewrite_key(file.bucket, file.key), set()).add(file)
        return {file for item in self.items(by_key) for file in by_key[item["pk"]]}

    def open_run_id(self) -> str | None:
        """Return the run that files probably can join."""
        item = self.find(OPEN_KEY)
        return item["run_id"] if item else None

    def join(self, run_id: str, files: Sequence[FileVersion], *, now: datetime) -> bool:
        """Add files to a run. Returns False if it is closed or full, or if one of the files has joined a run."""
        chunk = _chunk(files)
        joined = self.change(
            run_key(run_id),
            "SET joined_at = :now ADD chunks :chunk, file_count :count, file_bytes :bytes",
            "#status = :collecting AND (attribute_not_exists(chunks) OR size(chunks) < :most)",
            names=["status"],
            now=ledger_time(now),
            chunk={chunk},
            count=len(files),
            bytes=sum(file.size for file in files),
            collecting=COLLECTING,
            most=MAX_CHUNKS,
        )
        return self.transact([joined, *self._files(run_id, chunk, files, now=now)])

    def open(self, run_id: str, files: Sequence[FileVersion], *, instead_of: str | None, now: datetime) -> bool:
        """Open a run with its first files.

        Args:
            run_id: the new run.
            files: its first files.
            instead_of: the run that was open until now.
            now: when it opens.

        Returns:
            False if another run was opened in the meantime, or if one of the files has joined a run.
        """
        chunk = _chunk(files)
        run: RunItem = {
            **self._new_run(run_id, now=now),
            "chunks": {chunk},
            "file_count": len(files),
            "file_bytes": sum(file.size for file in files),
        }
        item = OpenItem(pk=OPEN_KEY, run_id=run_id)
        is_open = self.put(item, "run_id = :before", before=instead_of) if instead_of else self.put(item)
        return self.transact([self.put(run), is_open, *self._files(run_id, chunk, files, now=now)])

    def supersede(self, run: Run, *, by: str, now: datetime) -> bool:
        """Let a new run take the files of a run that ended while COLLECTING. Returns False if it is not COLLECTING any more."""
        ended = self.change(
            run_key(run.run_id),
            "SET #status = :superseded, superseded_by = :by",
            "#status = :collecting",
            names=["status"],
            superseded=SUPERSEDED,
            collecting=COLLECTING,
            by=by,
        )
        successor: RunItem = {
            **self._new_run(by, now=now),
            "file_count": 0,
            "file_bytes": 0,
            "inherits": [run.run_id, *run.inherits],
        }
        is_open = self.change(OPEN_KEY, "SET run_id = :by", "attribute_exists(pk)", by=by)
        return self.transact([ended, self.put(successor), is_open])

    def transact(self, writes: Sequence[Mapping[str, Any]]) -> bool:
        """Write in one transaction. Conflicts with other transactions are waited for.

        Args:
            writes: `put` and `update` requests; 100 at most.

        Returns:
            False if a condition failed; then nothing is written.
        """

        def write() -> bool:
            try:
                self.client.transact_write_items(TransactItems=cast("Any", writes))
            except self.client.exceptions.TransactionCanceledException as error:
                reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
                if "ConditionalCheckFailed" in reasons:
                    return False
                raise
            return True

        return retry_conflicts(write)

    def _files(self, run_id: str, chunk: str, files: Sequence[FileVersion], *, now: datetime) -> list[dict[str, Any]]:
        if len(files) > MAX_FILES:
            raise ValueError(f"a transaction takes at most {MAX_FILES} files, not {len(files)}")
        together = ChunkItem(
            pk=chunk_key(run_id, chunk), schema_version=LEDGER_VERSION, files=[manifest_file(file) for file in files]
        )
        claims = [
            FileItem(
                pk=file_key(file.bucket, file.key, file.version_id),
                schema_version=LEDGER_VERSION,
                run_id=run_id,
                claimed_at=ledger_time(now),
            )
            for file in files
        ]
        return [self.put({**item, **expiry(now, self._days)}) for item in (together, *claims)]

    def _new_run(self, run_id: str, *, now: datetime) -> RunItem:
        item = RunItem(
            pk=run_key(run_id),
            schema_version=LEDGER_VERSION,
            status=COLLECTING,
            opened_at=ledger_time(now),
            joined_at=ledger_time(now),
        )
        return cast("RunItem", {**item, **expiry(now, self._days)})


def manifest_file(file: FileVersion) -> ManifestFile:
    """Return a file version as ledger and manifest write it."""
    return cast("ManifestFile", asdict(file))


def _chunk(files: Sequence[FileVersion]) -> str:
    return hashlib.sha256("\n".join(sorted(file.name for file in files)).encode()).hexdigest()[:16]
