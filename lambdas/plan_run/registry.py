"""Read the model registry: which version serves, and which tuning job a new one can start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from common.model_registry import APPROVED, PENDING, approval_statuses, describe_package, list_packages, versions_waiting

from ptmlops_contracts.state import NONE

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The model package group.

    Attributes:
        champion: the approved version with the highest number.
        pending: versions that wait for approval, ascending.
        newest: the highest version, whatever its status: its tuning job is the last one that succeeded.
        waiting: how many of the pending versions are newer than the champion.
    """

    champion: dict[str, Any] | None
    pending: tuple[int, ...]
    newest: dict[str, Any] | None
    waiting: int = 0


def read_registry(client: SageMakerClient, group: str) -> Registry:
    """Describe the champion and the newest version of a group."""
    packages = list_packages(client, group)

    def newest(status: Sequence[str]) -> dict[str, Any] | None:
        arns = [package["ModelPackageArn"] for package in packages if package.get("ModelApprovalStatus") in status]
        return describe_package(client, arns[0]) if arns else None

    pending = [package for package in packages if package.get("ModelApprovalStatus") == PENDING]
    return Registry(
        champion=newest([APPROVED]),
        pending=tuple(sorted(package.get("ModelPackageVersion", 0) for package in pending)),
        newest=describe_package(client, packages[0]["ModelPackageArn"]) if packages else None,
        waiting=versions_waiting(approval_statuses(packages)),
    )


def parent_tuning_job(client: SageMakerClient, registry: Registry, space: Mapping[str, Any] | None) -> str:
    """Return the tuning job of the newest version if a new one can start from it, else "none".

    Args:
        client: SageMaker.
        registry: the model package group.
        space: what both jobs must share (stacks/components/search_space.py), or None if nothing is to start from. The service
            refuses a parent with another objective, other hyperparameters or other variables, and a run must not fail for want
            of a hint.
    """
    metadata = registry.newest.get("CustomerMetadataProperties", {}) if registry.newest else {}
    name = metadata.get("tuning_job")
    if not space or not name:
        return NONE
    try:
        job: Mapping[str, Any] = client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ResourceNotFound", "ValidationException"):
            raise
        return NONE
    is_parent = job["HyperParameterTuningJobStatus"] == "Completed" and _space_of(job) == dict(space)
    return str(name) if is_parent else NONE


def _space_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """What a finished tuning job shares with those that may start from it."""
    configuration, definition = job["HyperParameterTuningJobConfig"], job.get("TrainingJobDefinition", {})
    return {
        "objective": configuration.get("HyperParameterTuningJobObjective", {}).get("MetricName"),
        # The service adds hyperparameters with names that start with an underscore.
        "static": sorted(key for key in definition.get("StaticHyperParameters", {}) if not key.startswith("_")),
        "tuned": {
            parameter["Name"]: kind.removesuffix("ParameterRanges")
            for kind, parameters in configuration.get("ParameterRanges", {}).items()
            for parameter in parameters
        },
        "environment": definition.get("Environment", {}),
    }
