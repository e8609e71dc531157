"""What the model package group says: which version serves, and which tuning job a new one can start from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True, kw_only=True)
class Registry:
    """What the model package group says: the champion's description, and versions that wait for approval."""

    champion: dict[str, Any] | None
    pending: tuple[int, ...]
    newest: dict[str, Any] | None  # whatever its status: its tuning job is the last one that ended well


def read_registry(client: SageMakerClient, group: str) -> Registry:
    """Describe the champion of `group` and its newest version, where there are any."""
    packages: list[Any] = []
    for page in client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        packages.extend(page["ModelPackageSummaryList"])
    approved = [package for package in packages if package["ModelApprovalStatus"] == "Approved"]
    waiting = [package for package in packages if package["ModelApprovalStatus"] == "PendingManualApproval"]
    pending = tuple(sorted(package["ModelPackageVersion"] for package in waiting))
    return Registry(champion=_highest(client, approved), pending=pending, newest=_highest(client, packages))


def _highest(client: SageMakerClient, packages: Sequence[Any]) -> dict[str, Any] | None:
    if not packages:
        return None
    highest = max(packages, key=lambda package: package["ModelPackageVersion"])
    return dict(client.describe_model_package(ModelPackageName=highest["ModelPackageArn"]))


def parent_tuning_job(client: SageMakerClient, registry: Registry, space: Mapping[str, Any] | None) -> str:
    """The tuning job behind the newest version, where one of now can start from it; else "none".

    `space` is what both must share (stacks/components/run_definition.py): the service refuses a parent with another
    objective, another set of hyperparameters or other variables, and a run must not fail for want of a hint.
    """
    metadata = registry.newest.get("CustomerMetadataProperties", {}) if registry.newest else {}
    name = metadata.get("tuning_job")
    if not space or not name:
        return "none"
    try:
        job = client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ResourceNotFound", "ValidationException"):
            raise
        return "none"
    configuration, definition = job["HyperParameterTuningJobConfig"], job.get("TrainingJobDefinition", {})
    tuned = {
        entry["Name"]: kind.removesuffix("ParameterRanges")
        for kind, entries in configuration.get("ParameterRanges", {}).items()
        for entry in entries  # type: ignore[attr-defined]
    }
    # The service adds hyperparameters of its own, whose names start with an underscore.
    static = sorted(key for key in definition.get("StaticHyperParameters", {}) if not key.startswith("_"))
    objective = configuration.get("HyperParameterTuningJobObjective", {}).get("MetricName")
    shared = {"objective": objective, "static": static, "tuned": tuned, "environment": definition.get("Environment", {})}
    return name if job["HyperParameterTuningJobStatus"] == "Completed" and shared == dict(space) else "none"


def number(text: str | None) -> float:
    """A number of a package's metadata; 0 where a person approved a version that has none."""
    try:
        found = float(text or 0)
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0
