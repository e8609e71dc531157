"""Objects come back from versions, ledger items from point-in-time recovery, and what is newer stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from ptmlops import restored_ledger, restored_objects
from ptmlops.commands.restore import parse_time
from ptmlops.errors import OperatorError
from ptmlops.target import Target

BUCKET, LEDGER = "raw-bucket", "ledger"


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        target = Target("local", boto3.Session(region_name="us-east-1"))
        target.__dict__["outputs"] = {"RawBucketName": BUCKET, "LedgerTableName": LEDGER}
        target.client("s3").create_bucket(Bucket=BUCKET)
        target.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        target.client("dynamodb").create_table(
            TableName=LEDGER,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        target.client("dynamodb").update_continuous_backups(
            TableName=LEDGER, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        yield target


def put(target: Target, key: str, body: str) -> str:
    return str(target.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body.encode(), Metadata={"by": "x"})["VersionId"])


def objects(target: Target) -> dict[str, str]:
    s3 = target.client("s3")
    listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {entry["Key"]: s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read().decode() for entry in listed}


@pytest.mark.slow
def test_objects_are_as_they_were_and_newer_ones_stay(target: Target) -> None:
    s3 = target.client("s3")
    kept = {key: put(target, key, f"old {key}") for key in ("deleted", "deleted twice", "overwritten", "rewritten", "same")}
    put(target, "gone before", "x")
    s3.delete_object(Bucket=BUCKET, Key="gone before")
    then = datetime.now(UTC)
    time.sleep(1.1)  # S3's times are whole seconds
    for key in ("deleted", "deleted twice", "deleted twice", "rewritten"):
        s3.delete_object(Bucket=BUCKET, Key=key)
    put(target, "overwritten", "damaged")
    put(target, "rewritten", "damaged")
    put(target, "new", "new")
    before = objects(target)

    plan = restored_objects.plan(target, "raw", then)
    assert plan.counts() == {"deleted": 2, "overwritten": 2, "unchanged": 1, "newer": 1}
    assert objects(target) == before  # a plan changes nothing
    restored_objects.carry_out(target, plan, lambda _: None)

    assert objects(target) == {"new": "new", **{key: f"old {key}" for key in kept}}
    for key in ("deleted", "deleted twice", "same"):  # the version that the ledger knows
        assert s3.head_object(Bucket=BUCKET, Key=key)["VersionId"] == kept[key]
    assert s3.head_object(Bucket=BUCKET, Key="overwritten")["Metadata"] == {"by": "x"}
    assert b"damaged" in [
        s3.get_object(Bucket=BUCKET, Key="overwritten", VersionId=version["VersionId"])["Body"].read()
        for version in s3.list_object_versions(Bucket=BUCKET, Prefix="overwritten")["Versions"]
    ]
    assert restored_objects.plan(target, "raw", datetime.now(UTC) + timedelta(seconds=1)).changes == []


@pytest.mark.slow
def test_only_objects_under_the_prefix_come_back(target: Target) -> None:
    for key in ("a/1", "b/1"):
        put(target, key, key)
    then = datetime.now(UTC)
    time.sleep(1.1)
    for key in ("a/1", "b/1"):
        target.client("s3").delete_object(Bucket=BUCKET, Key=key)

    restored_objects.carry_out(target, restored_objects.plan(target, "raw", then, "a/"), lambda _: None)

    assert objects(target) == {"a/1": "a/1"}


def test_objects_on_several_pages_of_a_listing_are_each_seen_once(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        for body in ("one", "two"):
            put(target, f"{number}", body)
    paginator = target.client("s3").get_paginator("list_object_versions")

    class Small:
        def paginate(self, **arguments: Any) -> Any:
            return paginator.paginate(**arguments, PaginationConfig={"PageSize": 3})

    monkeypatch.setattr(target.client("s3"), "get_paginator", lambda _: Small())

    assert restored_objects.plan(target, "raw", datetime.now(UTC) + timedelta(seconds=1)).counts()["unchanged"] == 4


def item(run: str, status: str) -> dict[str, Any]:
    return {"pk": {"S": f"run#{run}"}, "status": {"S": status}}


def items(target: Target) -> dict[str, str]:
    found = target.client("dynamodb").scan(TableName=LEDGER)["Items"]
    return {entry["pk"]["S"]: entry["status"]["S"] for entry in found}


def damaged_ledger(target: Target) -> str:
    """Restore a table, then delete an item, change one and add one. Returns the restored table."""
    dynamodb = target.client("dynamodb")
    for run in ("1", "2", "3"):
        dynamodb.put_item(TableName=LEDGER, Item=item(run, "COLLECTING"))
    table = restored_ledger.restore(target, datetime.now(UTC), lambda _: None)
    dynamodb.delete_item(TableName=LEDGER, Key={"pk": {"S": "run#1"}})
    dynamodb.put_item(TableName=LEDGER, Item=item("2", "SUCCEEDED"))
    dynamodb.put_item(TableName=LEDGER, Item=item("4", "COLLECTING"))
    return table


def test_missing_ledger_items_come_back_and_later_ones_stay(target: Target) -> None:
    difference = restored_ledger.compare(target, damaged_ledger(target))
    assert difference.counts() == {"missing": 1, "changed": 1, "same": 1, "newer": 1}

    assert restored_ledger.write(target, difference, overwrite=False) == 1

    assert items(target) == {"run#1": "COLLECTING", "run#2": "SUCCEEDED", "run#3": "COLLECTING", "run#4": "COLLECTING"}


def test_changed_ledger_items_come_back_only_if_that_is_asked_for(target: Target) -> None:
    difference = restored_ledger.compare(target, damaged_ledger(target))

    assert restored_ledger.write(target, difference, overwrite=True) == 2

    assert items(target)["run#2"] == "COLLECTING"


def test_an_item_that_a_function_has_written_meanwhile_is_not_overwritten(target: Target) -> None:
    difference = restored_ledger.compare(target, damaged_ledger(target))
    target.client("dynamodb").put_item(TableName=LEDGER, Item=item("1", "RUNNING"))

    assert restored_ledger.write(target, difference, overwrite=False) == 0

    assert items(target)["run#1"] == "RUNNING"


def test_a_ledger_without_point_in_time_recovery_is_refused(target: Target) -> None:
    target.client("dynamodb").update_continuous_backups(
        TableName=LEDGER, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    with pytest.raises(OperatorError, match="is not enabled"):
        restored_ledger.restore(target, datetime.now(UTC), lambda _: None)


def test_a_time_that_dynamodb_cannot_restore_is_refused_with_the_times_that_it_can(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "InvalidRestoreTimeException"}}, "RestoreTableToPointInTime")

    monkeypatch.setattr(target.client("dynamodb"), "restore_table_to_point_in_time", refuse)
    with pytest.raises(OperatorError, match=f"choose a time from {datetime.now(UTC):%Y-%m-%d}T.*Z to .*Z"):
        restored_ledger.restore(target, datetime(2020, 1, 1, tzinfo=UTC), lambda _: None)


def test_a_table_that_does_not_exist_is_refused(target: Target) -> None:
    with pytest.raises(OperatorError, match="there is no table nothing"):
        restored_ledger.compare(target, "nothing")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-11-28T03:00:00Z", datetime(2026, 11, 28, 3, tzinfo=UTC), id="UTC"),
        pytest.param("2026-11-28T03:00:00", datetime(2026, 11, 28, 3, tzinfo=UTC), id="no zone is UTC"),
        pytest.param("2026-11-27T22:00:00-05:00", datetime(2026, 11, 28, 3, tzinfo=UTC), id="another zone"),
    ],
)
def test_a_time_is_read_as_utc_unless_it_names_a_zone(text: str, expected: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2027, 1, 1, tzinfo=tz)

    monkeypatch.setattr("ptmlops.commands.recovery.datetime", Later)
    assert parse_time(text) == expected


@pytest.mark.parametrize(("text", "reason"), [("yesterday", "needs a time"), (None, "needs a time"), ("2999-01-01", "future")])
def test_a_time_that_cannot_be_restored_is_refused(text: str | None, reason: str) -> None:
    with pytest.raises(OperatorError, match=reason):
        parse_time(text)
