"""Register candidates in the model package group, and find the version that serves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from common.model_registry import APPROVED, REJECTED, describe_package, list_packages

from ptmlops_contracts.registry import MANIFEST_VARIABLE, description_value, metadata_value
from ptmlops_contracts.state import CHAMPION_CHANGED, NONE

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType, TransformInstanceTypeType
    from mypy_boto3_sagemaker.type_defs import ModelPackageModelCardTypeDef
    from mypy_boto3_sagemaker.type_defs import ModelPackageSummaryTypeDef as Summary

Package = dict[str, Any]  # the answer of DescribeModelPackage


def champion_of(client: SageMakerClient, packages: Sequence[Summary]) -> Package | None:
    """Describe the approved version with the highest number. `packages` are newest first."""
    arns = [package["ModelPackageArn"] for package in packages if package.get("ModelApprovalStatus") == APPROVED]
    return describe_package(client, arns[0]) if arns else None


def package_of_run(client: SageMakerClient, packages: Sequence[Summary], run_id: str) -> Package | None:
    """Describe the version that this run registered in an earlier attempt of Promote, except for one that was taken back.

    Only versions whose description names the run are described: a group may have hundreds, and a description never changes.
    """
    for summary in packages:
        if not summary.get("ModelPackageDescription", "").startswith(description_of(run_id)):
            continue
        package = describe_package(client, summary["ModelPackageArn"])
        metadata = package.get("CustomerMetadataProperties", {})
        if metadata.get("run_id") == run_id and metadata.get("decision") != CHAMPION_CHANGED:
            return package
    return None


def description_of(run_id: str) -> str:
    """Return how the description of a run's version begins."""
    return f"Run {run_id}:"


def overtaking_package(client: SageMakerClient, group: str, package: Package, compared_with: str) -> Package | None:
    """Describe a version that was approved between the champion that `package` was compared with and `package`.

    Two runs may judge at the same time, each against the same champion. Versions are numbered in order, so for the later of the two
    this function returns the earlier one. A list may not show yet what another run registered a moment before, so a version that is
    missing between the two numbers is asked for by its own ARN.
    """
    lowest, own = 0 if compared_with == NONE else int(compared_with), package["ModelPackageVersion"]
    listed = {summary.get("ModelPackageVersion", 0): summary for summary in list_packages(client, group)}
    for version in range(lowest + 1, own):
        if version in listed and listed[version].get("ModelApprovalStatus") != APPROVED:
            continue
        other = _find_version(client, package, version)
        if other and other["ModelApprovalStatus"] == APPROVED:
            return other
    return None


def _find_version(client: SageMakerClient, package: Package, version: int) -> Package | None:
    """Describe another version of a package's group, or return None if it was deleted."""
    arn = f"{package['ModelPackageArn'].rpartition('/')[0]}/{version}"
    try:
        return describe_package(client, arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        return None


def take_back(client: SageMakerClient, package: Package, winner: Package) -> None:
    """Reject a version that was compared with a champion that `winner` has replaced since."""
    client.update_model_package(
        ModelPackageArn=package["ModelPackageArn"],
        ModelApprovalStatus=REJECTED,
        ApprovalDescription=f"Version {winner['ModelPackageVersion']} was promoted meanwhile: compared again with that one",
        CustomerMetadataProperties={"decision": CHAMPION_CHANGED},
    )


def registration_token(run_id: str, attempt: str, compared_with: str) -> str:
    """Return the ClientToken of a run's registration: of a call that is repeated before the group lists its package, SageMaker makes one.

    A run registers again if it trained again (`attempt`) or its candidate was compared with another champion.
    """
    return hashlib.sha256(f"{run_id}/{attempt}/{compared_with}".encode()).hexdigest()[:36]  # at most 36 characters


def register(
    client: SageMakerClient,
    *,
    group: str,
    image: str,
    model_data_url: str,
    manifest_sha256: str | None,
    status: ModelApprovalStatusType,
    description: str,
    metadata: Mapping[str, str],
    metrics_uri: str,
    instance: TransformInstanceTypeType,
    card: ModelPackageModelCardTypeDef,
    token: str,
) -> Package:
    """Create a package and describe it."""
    created = client.create_model_package(
        ClientToken=token,
        ModelPackageGroupName=group,
        ModelPackageDescription=description_value(description),
        ModelApprovalStatus=status,
        InferenceSpecification={
            "Containers": [
                {
                    "Image": image,
                    "ModelDataUrl": model_data_url,
                    "Environment": {
                        "SAGEMAKER_PROGRAM": "inference.py",
                        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                        # The default for a caller that sends no Accept would be application/json.
                        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/jsonlines",
                        **({MANIFEST_VARIABLE: manifest_sha256} if manifest_sha256 else {}),
                    },
                }
            ],
            "SupportedContentTypes": ["application/jsonlines"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
            "SupportedTransformInstanceTypes": [instance],
        },
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": metrics_uri}}},
        CustomerMetadataProperties={name: metadata_value(value) for name, value in metadata.items()},
        ModelCard=card,
    )
    return describe_package(client, created["ModelPackageArn"])
