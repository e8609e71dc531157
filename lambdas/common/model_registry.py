"""The model package group: versions of the model, and their approval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import ModelPackageSummaryTypeDef

APPROVED: Final = "Approved"
PENDING: Final = "PendingManualApproval"
REJECTED: Final = "Rejected"


def list_packages(client: SageMakerClient, group: str) -> list[ModelPackageSummaryTypeDef]:
    """Return a summary of every version of the group, newest first."""
    pages = client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    packages = [package for page in pages for package in page["ModelPackageSummaryList"]]
    return sorted(packages, key=lambda package: -package.get("ModelPackageVersion", 0))


def describe_package(client: SageMakerClient, arn: str) -> dict[str, Any]:
    """Describe one version: its containers, its approval status, its metadata."""
    return dict(client.describe_model_package(ModelPackageName=arn))
