"""Prepare knows the labels of the model that serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from common.model_registry import APPROVED, PENDING, REJECTED, list_packages
from complaints_etl.served_labels import served_labels
from moto import mock_aws
from promote_model.registry import champion_of

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


@pytest.mark.parametrize("statuses", ["AAP", "ARA", "RAPR", "PPP", "A" * 12])
def test_the_same_version_serves_for_prepare_as_for_the_functions(clients: tuple[Any, Any], statuses: str) -> None:
    names = {"A": APPROVED, "P": PENDING, "R": REJECTED}
    for number, status in enumerate(statuses, 1):
        register(clients, names[status], f"r{number}", {"labels": [str(number)]})
    sagemaker = clients[0]
    champion = champion_of(sagemaker, list_packages(sagemaker, GROUP))
    assert served_labels(*clients, GROUP) == ([str(champion["ModelPackageVersion"])] if champion else [])


def test_an_earlier_evaluation_names_them_in_its_metrics_and_a_missing_one_none(clients: tuple[Any, Any]) -> None:
    register(clients, "Approved", "r1", {"per_label": {"fees": {}, "fraud": {}}})
    assert served_labels(*clients, GROUP) == ["fees", "fraud"]
    register(clients, "Approved", "r2", None)
    assert served_labels(*clients, GROUP) == []
