"""DynamoDB transactions: moto copies whole tables for each, which grows with the table, and never reports a conflict.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
"""

from __future__ import annotations

import copy
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from local_aws import patching
from local_aws.context import LocalContext
from local_aws.services.base import Service

# How long a transaction holds its items. Others that write to them in this time are refused, as they may be on AWS.
HOLD_SECONDS = 0.005
_CONFLICT = "Transaction is ongoing for the item"

ItemKey = tuple[str, str]


class DynamoDbService(Service):
    """The items that transactions hold."""

    def __init__(self, context: LocalContext) -> None:
        super().__init__(context)
        self._held: set[ItemKey] = set()
        self._lock = threading.Lock()

    def install(self) -> None:
        """Replace transactions, and refuse writes to items that a transaction holds."""
        from moto.dynamodb.models import DynamoDBBackend

        @patching.extend(DynamoDBBackend, "transact_write_items")
        def transact_write_items(moto_write: Any, self_: Any, transact_items: list[dict[str, Any]]) -> None:
            with self._holding(self_, transact_items) as keys:
                # moto writes to a copy that has only these items. If it raises, nothing has changed.
                part = copy.copy(self_)
                part.tables = {name: _with_items(self_.tables[name], keys) for name, _ in keys}
                moto_write(part, transact_items)
                time.sleep(HOLD_SECONDS)
                for name, key in keys:
                    _replace_item(self_.tables[name], part.tables[name], key)

        for name in ("put_item", "update_item", "delete_item"):
            self._make_atomic(name)

    def _make_atomic(self, name: str) -> None:
        """Let one request write at a time, because moto checks a condition before it writes; and refuse writes to held items."""
        from moto.dynamodb.exceptions import DynamodbException
        from moto.dynamodb.responses import DynamoHandler

        @patching.extend(DynamoHandler, name)
        def write(moto_write: Any, self_: Any) -> Any:
            table, body = self_.dynamodb_backend.tables.get(self_.body["TableName"]), self_.body
            with self._lock:
                if table is not None and (table.name, _key(table, body.get("Key") or body["Item"])) in self._held:
                    raise DynamodbException(
                        error_type="com.amazonaws.dynamodb.v20120810#TransactionConflictException", message=_CONFLICT
                    )
                return moto_write(self_)

    @contextmanager
    def _holding(self, backend: Any, items: Sequence[dict[str, Any]]) -> Generator[list[ItemKey]]:
        """Hold the items of a transaction.

        Raises:
            TransactionCanceledException: Another transaction holds one of them.
        """
        from moto.dynamodb.exceptions import TransactionCanceledException

        keys = []
        for item in items:
            request = next(iter(item.values()))
            table = backend.get_table(request["TableName"])
            keys.append((request["TableName"], _key(table, request.get("Key") or request["Item"])))
        with self._lock:
            conflicts = [key in self._held for key in keys]
            if not any(conflicts):
                self._held.update(keys)
        if any(conflicts):
            raise TransactionCanceledException(
                [("TransactionConflict", _CONFLICT, None) if conflict else (None, None, None) for conflict in conflicts]
            )
        try:
            yield keys
        finally:
            with self._lock:
                self._held.difference_update(keys)


def _key(table: Any, attributes: dict[str, Any]) -> str:
    """Return the value of the partition key. Tables of this product have no sort key."""
    return str(next(iter(attributes[table.hash_key_attr].values())))


def _with_items(table: Any, keys: Sequence[ItemKey]) -> Any:
    """Return a copy of a table that has only these items, for moto to change."""
    wanted = {key for name, key in keys if name == table.name}
    part = copy.copy(table)
    part.items = defaultdict(dict)
    for key in wanted:
        value = _dynamo_value(key)
        if value in table.items:
            part.items[value] = copy.deepcopy(table.items[value])
    return part


def _replace_item(table: Any, part: Any, key: str) -> None:
    value = _dynamo_value(key)
    if value in part.items:
        table.items[value] = part.items[value]
    else:
        table.items.pop(value, None)


def _dynamo_value(key: str) -> Any:
    from moto.dynamodb.models.dynamo_type import DynamoType

    return DynamoType({"S": key})
