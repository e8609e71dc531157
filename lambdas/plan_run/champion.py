"""The model package that serves: the approved one with the highest version."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True, kw_only=True)
class Registry:
    """What the model package group says: the champion's description, and versions that wait for approval."""

    champion: dict[str, Any] | None
    pending: tuple[int, ...]


def read_registry(client: SageMakerClient, group: str) -> Registry:
    """Describe the champion of `group`, if there is one."""
    packages: list[Any] = []
    for page in client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        packages.extend(page["ModelPackageSummaryList"])
    approved = [package for package in packages if package["ModelApprovalStatus"] == "Approved"]
    waiting = [package for package in packages if package["ModelApprovalStatus"] == "PendingManualApproval"]
    pending = tuple(sorted(package["ModelPackageVersion"] for package in waiting))
    if not approved:
        return Registry(champion=None, pending=pending)
    newest = max(approved, key=lambda package: package["ModelPackageVersion"])
    described = client.describe_model_package(ModelPackageName=newest["ModelPackageArn"])
    return Registry(champion=dict(described), pending=pending)


def number(text: str | None) -> float:
    """A number of a package's metadata; 0 where a person approved a version that has none."""
    try:
        found = float(text or 0)
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0
