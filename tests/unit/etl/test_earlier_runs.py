"""Prepare compares new rows with those of earlier runs, if the same version of redaction made them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from complaints_etl.redaction import REDACTION_VERSION
from moto import mock_aws
from prepare_complaints import earlier_runs


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in (
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
    ):
        monkeypatch.setenv(name, value)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="prepared")
        yield client


def stored(client: Any, run_id: str, mark: dict[str, int] | None) -> None:
    """Store what a run leaves for later ones; without a mark it was killed."""
    for kind in ("index", "rare"):
        client.put_object(Bucket="prepared", Key=f"labelled/{kind}/run_id={run_id}/part-0", Body=b"x")
    if mark is not None:
        client.put_object(Bucket="prepared", Key=f"labelled/complete/{run_id}.json", Body=json.dumps(mark).encode())


def test_rows_of_another_version_of_redaction_are_not_compared_with_and_are_counted(bucket: Any) -> None:
    rows = {"train": 8, "validation": 1, "test": 1}
    stored(bucket, "old", rows)
    stored(bucket, "older", {**rows, "redaction_version": REDACTION_VERSION - 1})
    stored(bucket, "same", {**rows, "redaction_version": REDACTION_VERSION})
    stored(bucket, "killed", None)
    stored(bucket, "this", {**rows, "redaction_version": REDACTION_VERSION})
    spark = MagicMock()

    *_, left_out = earlier_runs(spark, bucket, "prepared", "this")

    assert left_out == 20
    spark.read.parquet.assert_called_once_with("s3://prepared/labelled/index/run_id=same/")
    spark.read.text.assert_called_once_with(["s3://prepared/labelled/rare/run_id=same/"], lineSep="\n")


def test_a_first_run_has_nothing_to_compare_with(bucket: Any) -> None:
    assert earlier_runs(MagicMock(), bucket, "prepared", "this") == (None, None, 0)
