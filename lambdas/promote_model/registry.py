"""The model package group: the champion, this run's package, and the registering of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html: values of at most 256 characters.
METADATA_CHARACTERS = 256


def packages(client: SageMakerClient, group: str) -> list[dict[str, Any]]:
    """Descriptions of all versions, newest first."""
    found: list[Any] = []
    for page in client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        found.extend(page["ModelPackageSummaryList"])
    newest_first = sorted(found, key=lambda package: -package["ModelPackageVersion"])
    return [dict(client.describe_model_package(ModelPackageName=package["ModelPackageArn"])) for package in newest_first]


def champion_of(described: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The approved package with the highest version."""
    return next((package for package in described if package["ModelApprovalStatus"] == "Approved"), None)


def package_of_run(described: list[dict[str, Any]], run_id: str) -> dict[str, Any] | None:
    """What this run registered before, where it is repeated."""
    return next(
        (package for package in described if package.get("CustomerMetadataProperties", {}).get("run_id") == run_id), None
    )


def model_name(group: str, version: int) -> str:
    """The SageMaker Model that serves a version."""
    return f"{group}-v{version}"


def plan_entry(package: Mapping[str, Any], group: str) -> dict[str, Any]:
    """A package as `$.plan.champion` describes it."""
    metadata = package.get("CustomerMetadataProperties", {})
    return {
        "version": str(package["ModelPackageVersion"]),
        "model_name": model_name(group, package["ModelPackageVersion"]),
        "model_data_url": package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"],
        "macro_f1": float(metadata.get("macro_f1", 0)),
        "evaluation_uri": metadata.get("evaluation_uri", "none"),
    }


def register(
    client: SageMakerClient,
    *,
    group: str,
    image: str,
    model_data_url: str,
    status: str,
    description: str,
    metadata: Mapping[str, str],
    metrics_uri: str,
    instance: str,
) -> dict[str, Any]:
    """Create a package and describe it."""
    created = client.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription=description[:1024],
        ModelApprovalStatus=status,  # type: ignore[arg-type]
        InferenceSpecification={
            "Containers": [
                {
                    "Image": image,
                    "ModelDataUrl": model_data_url,
                    "Environment": {
                        "SAGEMAKER_PROGRAM": "inference.py",
                        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                    },
                }
            ],
            "SupportedContentTypes": ["application/jsonlines"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
            "SupportedTransformInstanceTypes": [instance],  # type: ignore[list-item]
        },
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": metrics_uri}}},
        CustomerMetadataProperties={name: value[:METADATA_CHARACTERS] for name, value in metadata.items()},
    )
    return dict(client.describe_model_package(ModelPackageName=created["ModelPackageArn"]))


def ensure_model(client: SageMakerClient, *, name: str, package_arn: str, role_arn: str) -> None:
    """The Model of a package; one that is there already is the right one, for its name holds the version."""
    try:
        client.describe_model(ModelName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        client.create_model(
            ModelName=name,
            PrimaryContainer={"ModelPackageName": package_arn},
            ExecutionRoleArn=role_arn,
            EnableNetworkIsolation=True,
        )
