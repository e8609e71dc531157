"""Items of the ledger table: read consistently, changed under conditions."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from ptmlops_contracts.ledger import CANCELLED, LEDGER_VERSION, ManifestFile, chunk_key, removal_mark, run_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# BatchGetItem takes 100 keys at most.
MAX_KEYS = 100
CONFLICT_ATTEMPTS = 8
CONFLICT_SECONDS = 0.05

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run in the ledger.

    Attributes:
        chunks: hashes of the chunks that joined it.
        file_count, file_bytes: of those chunks, less the removed files.
        removed: marks of files that a person took out.
        inherits: superseded runs whose files this run takes.
        cancelled_at: when a person cancelled it.
        files: the files of an item of version 1, which has no chunks.
    """

    run_id: str
    status: str
    opened_at: datetime
    joined_at: datetime
    chunks: frozenset[str]
    file_count: int
    file_bytes: int
    removed: frozenset[str]
    inherits: tuple[str, ...]
    superseded_by: str | None
    started_at: str
    cancelled_at: datetime | None
    files: tuple[ManifestFile, ...]


class Ledger:
    """The DynamoDB table with partition key `pk`."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self.client = client
        self.table = table

    def items(self, keys: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield those of the items that exist, in any order."""
        wanted = sorted(set(keys))
        for start in range(0, len(wanted), MAX_KEYS):
            chosen = [{"pk": {"S": key}} for key in wanted[start : start + MAX_KEYS]]
            request: Any = {self.table: {"Keys": chosen, "ConsistentRead": True}}
            while request:  # DynamoDB returns what it had no capacity for
                answer = self.client.batch_get_item(RequestItems=request)
                for item in answer["Responses"].get(self.table, []):
                    yield deserialize(item)
                request = answer.get("UnprocessedKeys")

    def find(self, key: str) -> dict[str, Any] | None:
        """Return an item, or None."""
        answer = self.client.get_item(TableName=self.table, Key={"pk": {"S": key}}, ConsistentRead=True)
        return deserialize(answer["Item"]) if "Item" in answer else None

    def run(self, run_id: str) -> Run | None:
        """Return a run, or None."""
        item = self.find(run_key(run_id))
        return _run(run_id, item) if item else None

    def files(self, run: Run) -> list[ManifestFile]:
        """Return the files of a run and of the runs that it inherits, without removed ones, sorted by bucket, key and version."""
        runs = [run, *(found for found in map(self.run, run.inherits) if found)]
        files = [file for one in runs for file in one.files]
        chunks = [chunk_key(one.run_id, chunk) for one in runs for chunk in one.chunks]
        files += [_manifest_file(file) for item in self.items(chunks) for file in item["files"]]
        removed = {mark for one in runs for mark in one.removed}
        files = [file for file in files if removal_mark(file["bucket"], file["key"], file["version_id"]) not in removed]
        return sorted(files, key=lambda file: (file["bucket"], file["key"], file["version_id"]))

    def update(self, request: Mapping[str, Any]) -> bool:
        """Update one item. Returns False if the condition failed; then nothing is written."""

        def write() -> bool:
            try:
                self.client.update_item(**request["Update"])
            except self.client.exceptions.ConditionalCheckFailedException:
                return False
            return True

        return retry_conflicts(write)

    def put(self, item: Mapping[str, Any], condition: str = "attribute_not_exists(pk)", **values: Any) -> dict[str, Any]:
        """Return the request that writes an item if a condition holds. `values` are the condition's `:name` values."""
        request: dict[str, Any] = {"TableName": self.table, "Item": serialize(item), "ConditionExpression": condition}
        if values:
            request["ExpressionAttributeValues"] = serialize({f":{name}": value for name, value in values.items()})
        return {"Put": request}

    def change(self, key: str, expression: str, condition: str, *, names: Iterable[str] = (), **values: Any) -> dict[str, Any]:
        """Return the request that changes an item if a condition holds.

        Args:
            key: the item's `pk`.
            expression: the update expression.
            condition: the condition expression.
            names: attributes that are reserved words; the expressions call them `#name`.
            values: what the expressions call `:name`.
        """
        request: dict[str, Any] = {
            "TableName": self.table,
            "Key": {"pk": {"S": key}},
            "UpdateExpression": expression,
            "ConditionExpression": condition,
        }
        if names:
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
        if values:
            request["ExpressionAttributeValues"] = serialize({f":{name}": value for name, value in values.items()})
        return {"Update": request}


def retry_conflicts(
    write: Callable[[], Answer], *, attempts: int = CONFLICT_ATTEMPTS, sleep: Callable[[float], object] = time.sleep
) -> Answer:
    """Call `write` until no other transaction is writing to the same items; the waits are random and grow to seconds."""
    for attempt in range(attempts):
        try:
            return write()
        except ClientError as error:
            if attempt + 1 == attempts or not _is_conflict(error):
                raise
        sleep(random.uniform(0.5, 1) * CONFLICT_SECONDS * 2**attempt)  # noqa: S311 - jitter, no secret
    raise AssertionError("the last attempt returns or raises")


def serialize(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item in DynamoDB's form."""
    return {name: TypeSerializer().serialize(value) for name, value in item.items()}


def deserialize(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item of DynamoDB as Python values; numbers are Decimals."""
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def _is_conflict(error: ClientError) -> bool:
    code = error.response["Error"]["Code"]
    reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
    return code in ("TransactionConflictException", "TransactionInProgressException") or (
        code == "TransactionCanceledException" and reasons <= {"None", None, "TransactionConflict"}
    )


def _run(run_id: str, item: Mapping[str, Any]) -> Run:
    first_version = int(item.get("schema_version", 1)) < LEDGER_VERSION
    opened = datetime.fromisoformat(item["started_at"] if first_version else item["opened_at"])
    return Run(
        run_id=run_id,
        status=item["status"],
        opened_at=opened,
        joined_at=datetime.fromisoformat(item["joined_at"]) if "joined_at" in item else opened,
        chunks=frozenset(item.get("chunks", ())),
        file_count=int(item.get("file_count", 0)),
        file_bytes=int(item.get("file_bytes", 0)),
        removed=frozenset(item.get("removed", ())),
        inherits=tuple(item.get("inherits", ())),
        superseded_by=item.get("superseded_by"),
        started_at=item.get("started_at", ""),
        cancelled_at=datetime.fromisoformat(item["finished_at"])
        if item["status"] == CANCELLED and "finished_at" in item
        else None,
        files=tuple(_manifest_file(file) for file in item["files"]) if first_version else (),
    )


def _manifest_file(file: Mapping[str, Any]) -> ManifestFile:
    return cast("ManifestFile", {**file, "size": int(file["size"])})
