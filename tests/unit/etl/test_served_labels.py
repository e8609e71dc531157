"""Prepare knows the labels of the model that serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from complaints_etl.served_labels import served_labels
from moto import mock_aws

GROUP = "models"


@pytest.fixture
def clients() -> Iterator[tuple[Any, Any]]:
    with mock_aws():
        s3, sagemaker = (boto3.client(name, region_name="us-east-1") for name in ("s3", "sagemaker"))
        s3.create_bucket(Bucket="models-bucket")
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        yield sagemaker, s3


def register(clients: tuple[Any, Any], status: str, run_id: str, candidate: dict[str, Any] | None) -> None:
    sagemaker, s3 = clients
    folder = f"evaluations/{run_id}/"
    sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus=status,
        CustomerMetadataProperties={"run_id": run_id, "evaluation_uri": f"s3://models-bucket/{folder}"},
    )
    if candidate:
        s3.put_object(Bucket="models-bucket", Key=f"{folder}evaluation.json", Body=json.dumps({"candidate": candidate}))


def test_they_are_those_of_the_newest_approved_version(clients: tuple[Any, Any]) -> None:
    assert served_labels(*clients, GROUP) == []
    register(clients, "Approved", "r1", {"labels": ["old"]})
    register(clients, "Approved", "r2", {"labels": ["fees", "fraud"], "per_label": {"fees": {}, "fraud": {}, "new": {}}})
    register(clients, "PendingManualApproval", "r3", {"labels": ["Billetera"]})
    assert served_labels(*clients, GROUP) == ["fees", "fraud"]


def test_an_earlier_evaluation_names_them_in_its_metrics_and_a_missing_one_none(clients: tuple[Any, Any]) -> None:
    register(clients, "Approved", "r1", {"per_label": {"fees": {}, "fraud": {}}})
    assert served_labels(*clients, GROUP) == ["fees", "fraud"]
    register(clients, "Approved", "r2", None)
    assert served_labels(*clients, GROUP) == []
