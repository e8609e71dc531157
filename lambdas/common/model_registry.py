"""The model package group: versions of the model, and their approval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def approval_statuses(packages: Iterable[ModelPackageSummaryTypeDef]) -> dict[int, str]:
    """Return the approval status per version."""
    return {package.get("ModelPackageVersion", 0): package.get("ModelApprovalStatus", "") for package in packages}


def versions_waiting(statuses: Mapping[int, str]) -> int:
    """Count the versions that wait for approval and are newer than the newest approved one.

    Args:
        statuses: approval status per version.
    """
    serving = max((version for version, status in statuses.items() if status == APPROVED), default=0)
    return sum(status == PENDING and version > serving for version, status in statuses.items())


def describe_package(client: SageMakerClient, arn: str) -> dict[str, Any]:
    """Describe one version: its containers, its approval status, its metadata."""
    return dict(client.describe_model_package(ModelPackageName=arn))
