"""The ledger as an operator uses it: read what became of files and runs, cancel them, and let a new run take the files of an old one.

Every write is conditional on what was read, so that it is safe beside the functions, which write to the same items. docs/contracts.md
has the protocol.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any, cast

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from ptmlops.runs import require_known
from ptmlops.target import Target
from ptmlops_contracts.ledger import (
    CANCELLED,
    COLLECTING,
    LEDGER_VERSION,
    NO_RUN,
    SLOTS_KEY,
    SUPERSEDED,
    FileItem,
    RunItem,
    SlotsItem,
    expiry,
    file_key,
    ledger_time,
    removal_mark,
    run_key,
)
from stacks.config import load_settings

# BatchGetItem takes 100 keys at most.
MAX_KEYS = 100
# The marks of removed files are in the run's item, which each joining chunk writes.
MAX_REMOVED = 1000
ATTEMPTS = 8
CONFLICT_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class ObjectVersion:
    """One version of one object in the raw bucket."""

    bucket: str
    key: str
    version_id: str
    size: int
    etag: str
    uploaded_at: datetime
    latest: bool = True

    @property
    def ledger_key(self) -> str:
        """`pk` of its item in the ledger."""
        return file_key(self.bucket, self.key, self.version_id)


class NotCollectingError(Exception):
    """The run that has the file does not collect any more. `run` is its item."""

    def __init__(self, run: RunItem | None) -> None:
        super().__init__("the run does not collect any more")
        self.run = run


class BusyError(Exception):
    """The item changed at each attempt, or the run's item has no room for another removed file."""


class Ledger:
    """The DynamoDB table with partition key `pk`."""

    def __init__(self, client: Any, table: str, *, days: Callable[[], int] = lambda: 0) -> None:
        """Set the table, and what returns after how many days its items expire; 0 keeps them. Only writing asks for it."""
        self.client = client
        self.table = table
        self.days = days

    @classmethod
    def of(cls, target: Target) -> Ledger:
        """Return the ledger of a deployment."""
        return cls(
            target.client("dynamodb"), target.outputs["LedgerTableName"], days=partial(_ledger_days, target.environment)
        )

    def items(self, keys: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield those of the items that exist, in any order."""
        wanted = sorted(set(keys))
        for start in range(0, len(wanted), MAX_KEYS):
            chosen = [{"pk": {"S": key}} for key in wanted[start : start + MAX_KEYS]]
            request: Any = {self.table: {"Keys": chosen, "ConsistentRead": True}}
            while request:  # DynamoDB returns what it had no capacity for
                answer = self.client.batch_get_item(RequestItems=request)
                yield from map(_deserialize, answer["Responses"].get(self.table, []))
                request = answer.get("UnprocessedKeys")

    def file(self, version: ObjectVersion) -> FileItem | None:
        """Return the item of a file version, or None if no run has taken it."""
        return cast("FileItem | None", self._find(version.ledger_key))

    def run(self, run_id: str) -> RunItem | None:
        """Return the item of a run, or None."""
        return cast("RunItem | None", self._find(run_key(run_id)))

    def slots(self) -> SlotsItem:
        """Return which runs work, and why others wait."""
        return cast("SlotsItem", self._find(SLOTS_KEY) or {})

    def latest_run(self, target: Target, run_id: str) -> tuple[str, RunItem]:
        """Return the run that has a run's files now, and its item: the run itself unless another run took its files.

        Raises:
            OperatorError: there is no such run.
        """
        chain = self.successors(run_id)
        if not chain:
            require_known(target, run_id)
        return chain[-1]

    def successors(self, run_id: str) -> list[tuple[str, RunItem]]:
        """Return a run and those that took its files one after another. The last one has them now. Empty for an unknown run."""
        chain: list[tuple[str, RunItem]] = []
        following: str | None = run_id
        while following and (run := self.run(following)):
            chain.append((following, run))
            following = run.get("superseded_by") if run["status"] == SUPERSEDED else None
        return chain

    def file_count(self, run: RunItem) -> int:
        """Return how many files a run has, those of inherited runs included. A run of version 1 counts 0: its item lists them."""
        inherited = filter(None, (self.run(one) for one in run.get("inherits", ())))
        return sum(int(one.get("file_count", 0)) for one in (run, *inherited))

    def cancel_run(self, run_id: str, *, now: datetime) -> bool:
        """Cancel a run that collects, so that no later upload takes its files. Returns False if it does not collect."""
        return self._transact(
            [
                self._update(
                    run_key(run_id),
                    "SET #status = :cancelled, finished_at = :now",
                    "#status = :collecting",
                    cancelled=CANCELLED,
                    collecting=COLLECTING,
                    now=ledger_time(now),
                )
            ]
        )

    def remove_file(self, version: ObjectVersion, *, now: datetime) -> tuple[str, bool]:
        """Take a file out of the run that collects it, or keep it out of all runs. A run without files left is cancelled.

        Returns:
            The run (NO_RUN if none has taken the file), and True if it was cancelled because this was its last file.

        Raises:
            NotCollectingError: the run has started to work, has ended, or was cancelled.
            BusyError: the run has too many removed files, or it changed at each attempt.
        """
        for _ in range(ATTEMPTS):
            item = self.file(version)
            if item is None:
                if self._claim_for_none(version, now=now):
                    return NO_RUN, False
                continue
            if "cancelled_at" in item:
                return item["run_id"], False
            chain = self.successors(item["run_id"])
            if not chain or chain[-1][1]["status"] != COLLECTING:
                raise NotCollectingError(chain[-1][1] if chain else None)
            run_id, run = chain[-1]
            if len(run.get("removed", ())) >= MAX_REMOVED:
                break
            last = self.file_count(run) <= 1
            if self._remove(version, run_id, run, last=last, now=now):
                return run_id, last
        raise BusyError

    def reopen(self, run_id: str, run: RunItem, *, by: str, now: datetime) -> bool:
        """Let a new run take the files of one that has ended. Returns False if the status of that run has changed.

        The new run is not the one that uploads join, and has no file of another run. Its execution is started after this.

        Args:
            run_id: the run that has ended.
            run: its item, as it was read.
            by: the new run.
            now: when it opens.
        """
        successor = RunItem(
            pk=run_key(by),
            schema_version=LEDGER_VERSION,
            status=COLLECTING,
            opened_at=ledger_time(now),
            joined_at=ledger_time(now),
            file_count=0,
            file_bytes=0,
            inherits=[run_id, *run.get("inherits", ())],
        )
        ended = self._update(
            run_key(run_id),
            "SET #status = :superseded, superseded_by = :by",
            "#status = :before",
            superseded=SUPERSEDED,
            by=by,
            before=run["status"],
        )
        new = {
            "TableName": self.table,
            "Item": _serialize({**successor, **expiry(now, self.days())}),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        return self._transact([ended, {"Put": new}])

    def _claim_for_none(self, version: ObjectVersion, *, now: datetime) -> bool:
        """Write the item that keeps a file out of all runs. Returns False if a run has taken it in the meantime."""
        item = FileItem(
            pk=version.ledger_key,
            schema_version=LEDGER_VERSION,
            run_id=NO_RUN,
            claimed_at=ledger_time(now),
            cancelled_at=ledger_time(now),
        )
        put = {
            "TableName": self.table,
            "Item": _serialize({**item, **expiry(now, self.days())}),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        return self._transact([{"Put": put}])

    def _remove(self, version: ObjectVersion, run_id: str, run: RunItem, *, last: bool, now: datetime) -> bool:
        """Write that a file was removed. Two people who each remove one of the last two files must not leave an empty run."""
        condition = "#status = :collecting AND " + _has_size("removed", run.get("removed"))
        expression = "ADD removed :mark, file_count :count, file_bytes :bytes"
        values: dict[str, Any] = {"removed_size": len(run["removed"])} if run.get("removed") else {}
        if last:  # and no other file may have joined
            condition += " AND " + _has_size("chunks", run.get("chunks"))
            expression += " SET #status = :cancelled, finished_at = :now"
            values |= {"cancelled": CANCELLED, "now": ledger_time(now)}
            values |= {"chunks_size": len(run["chunks"])} if run.get("chunks") else {}
        removed = self._update(
            run_key(run_id),
            expression,
            condition,
            mark={removal_mark(version.bucket, version.key, version.version_id)},
            count=-1,
            bytes=-version.size,
            collecting=COLLECTING,
            **values,
        )
        marked = self._update(
            version.ledger_key,
            "SET cancelled_at = :now",
            "attribute_exists(pk) AND attribute_not_exists(cancelled_at)",
            now=ledger_time(now),
        )
        return self._transact([removed, marked])

    def _find(self, key: str) -> dict[str, Any] | None:
        answer = self.client.get_item(TableName=self.table, Key={"pk": {"S": key}}, ConsistentRead=True)
        return _deserialize(answer["Item"]) if "Item" in answer else None

    def _update(self, key: str, expression: str, condition: str, **values: Any) -> dict[str, Any]:
        request: dict[str, Any] = {
            "TableName": self.table,
            "Key": {"pk": {"S": key}},
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": _serialize({f":{name}": value for name, value in values.items()}),
        }
        if "#status" in expression + condition:  # `status` is a reserved word
            request["ExpressionAttributeNames"] = {"#status": "status"}
        return {"Update": request}

    def _transact(self, writes: list[dict[str, Any]]) -> bool:
        """Write in one transaction. Returns False if a condition failed; a conflict with another transaction is waited for."""
        for attempt in range(ATTEMPTS):
            try:
                self.client.transact_write_items(TransactItems=writes)
            except self.client.exceptions.TransactionCanceledException as error:
                reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
                if "ConditionalCheckFailed" in reasons:
                    return False
                if "TransactionConflict" not in reasons or attempt + 1 == ATTEMPTS:
                    raise
                time.sleep(random.uniform(0.5, 1) * CONFLICT_SECONDS * 2**attempt)  # noqa: S311 - jitter, no secret
            else:
                return True
        raise AssertionError("the last attempt returns or raises")


@cache
def _ledger_days(environment: str) -> int:
    return load_settings(environment).retention.ledger_days


def _has_size(name: str, members: set[str] | None) -> str:
    """Return the condition that a set is as large as it was read; `:<name>_size` is its size. `size` of a missing set fails."""
    return f"size({name}) = :{name}_size" if members else f"attribute_not_exists({name})"


def _serialize(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: TypeSerializer().serialize(value) for name, value in item.items()}


def _deserialize(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}
