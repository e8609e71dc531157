"""Bring items of the ledger back from point-in-time recovery.

DynamoDB restores into a new table. The stacks use the ledger by its name, so what is missing is copied from the new table into the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from ptmlops.errors import OperatorError
from ptmlops.target import Target

WAIT_SECONDS = 15
# AWS: nearly all restores take less than an hour. The restore goes on if the command ends.
LONGEST_SECONDS = 4 * 3600


@dataclass(frozen=True)
class Difference:
    """The items of the restored table, compared with the ledger."""

    missing: list[dict[str, Any]]
    changed: list[dict[str, Any]]
    same: int
    newer: int

    def counts(self) -> dict[str, int]:
        """Return the numbers of items."""
        return {"missing": len(self.missing), "changed": len(self.changed), "same": self.same, "newer": self.newer}


def restore(target: Target, to: datetime, report: Callable[[str], None]) -> str:
    """Restore the ledger as it was at a time into a new table. Return the table's name when it can be read.

    Raises:
        OperatorError: point-in-time recovery does not reach that time, or takes too long.
    """
    dynamodb, ledger = target.client("dynamodb"), target.outputs["LedgerTableName"]
    recovery = dynamodb.describe_continuous_backups(TableName=ledger)["ContinuousBackupsDescription"]
    window = recovery.get("PointInTimeRecoveryDescription", {})
    if window.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise OperatorError(f"point-in-time recovery of {ledger} is not enabled: its items cannot be restored")
    name = f"{ledger}-{datetime.now(UTC):%Y%m%d%H%M%S}"
    try:
        dynamodb.restore_table_to_point_in_time(SourceTableName=ledger, TargetTableName=name, RestoreDateTime=to)
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidRestoreTimeException":
            raise
        first, last = (window[f"{end}RestorableDateTime"].astimezone(UTC) for end in ("Earliest", "Latest"))
        raise OperatorError(
            f"{to:%Y-%m-%dT%H:%M:%SZ} cannot be restored: choose a time from {first:%Y-%m-%dT%H:%M:%SZ} to {last:%Y-%m-%dT%H:%M:%SZ}"
        ) from None
    started = time.monotonic()
    while dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        if time.monotonic() - started > LONGEST_SECONDS:
            raise OperatorError(
                f"table {name} is not restored yet: wait, then run the command with --from {name} instead of --to"
            )
        report(f"DynamoDB restores {name} ({time.monotonic() - started:.0f} s)")
        time.sleep(WAIT_SECONDS)
    return name


def compare(target: Target, restored: str) -> Difference:
    """Compare a restored table with the ledger.

    Raises:
        OperatorError: there is no such table.
    """
    try:
        then = _items(target, restored)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise OperatorError(f"there is no table {restored}: restore one with --to TIME") from None
    now = _items(target, target.outputs["LedgerTableName"])
    return Difference(
        missing=[item for key, item in then.items() if key not in now],
        changed=[item for key, item in then.items() if key in now and now[key] != item],
        same=sum(now.get(key) == item for key, item in then.items()),
        newer=len(now.keys() - then.keys()),
    )


def write(target: Target, difference: Difference, *, overwrite: bool) -> int:
    """Write missing items into the ledger, and with `overwrite` also those that have changed. Return how many were written."""
    dynamodb, ledger = target.client("dynamodb"), target.outputs["LedgerTableName"]
    written = 0
    for item in difference.missing:
        try:
            dynamodb.put_item(TableName=ledger, Item=item, ConditionExpression="attribute_not_exists(pk)")
            written += 1
        except ClientError as error:
            # A function has written the item since: it knows more.
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
    for item in difference.changed if overwrite else []:
        dynamodb.put_item(TableName=ledger, Item=item)
        written += 1
    return written


def _items(target: Target, table: str) -> dict[str, dict[str, Any]]:
    pages = target.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {item["pk"]["S"]: item for page in pages for item in page["Items"]}
