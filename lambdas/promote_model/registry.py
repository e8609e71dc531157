"""Register candidates in the model package group, and find the version that serves."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from common.model_registry import APPROVED, REJECTED, describe_package, list_packages

from ptmlops_contracts.state import CHAMPION_CHANGED, NONE

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType, TransformInstanceTypeType

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html: a description has at most 1,024
# characters, none of them a control character. A value of CustomerMetadataProperties has 1 to 256 characters: letters, digits,
# spaces and this punctuation. (botocore's model has the same limits, and local AWS checks requests against it.)
DESCRIPTION_CHARACTERS, METADATA_CHARACTERS, METADATA_PUNCTUATION = 1024, 256, "_.:/=+-@"

Package = dict[str, Any]  # the answer of DescribeModelPackage


def describe_packages(client: SageMakerClient, group: str) -> list[Package]:
    """Describe all versions, newest first."""
    return [describe_package(client, package["ModelPackageArn"]) for package in list_packages(client, group)]


def champion_of(packages: Sequence[Package]) -> Package | None:
    """Return the approved version with the highest number."""
    return next((package for package in packages if package["ModelApprovalStatus"] == APPROVED), None)


def package_of_run(packages: Sequence[Package], run_id: str) -> Package | None:
    """Return the version that this run registered in an earlier attempt of Promote, except for one that was taken back."""
    for package in packages:
        metadata = package.get("CustomerMetadataProperties", {})
        if metadata.get("run_id") == run_id and metadata.get("decision") != CHAMPION_CHANGED:
            return package
    return None


def overtaking_package(packages: Sequence[Package], package: Package, compared_with: str) -> Package | None:
    """Return a version that was approved between the champion that `package` was compared with and `package`.

    Two runs may judge at the same time, each against the same champion. Versions are numbered in order, so for the later of the two
    this function returns the earlier one.
    """
    lowest = 0 if compared_with == NONE else int(compared_with)
    for other in packages:
        is_between = lowest < other["ModelPackageVersion"] < package["ModelPackageVersion"]
        if is_between and other["ModelApprovalStatus"] == APPROVED:
            return other
    return None


def take_back(client: SageMakerClient, package: Package, winner: Package) -> None:
    """Reject a version that was compared with a champion that `winner` has replaced since."""
    client.update_model_package(
        ModelPackageArn=package["ModelPackageArn"],
        ModelApprovalStatus=REJECTED,
        ApprovalDescription=f"Version {winner['ModelPackageVersion']} was promoted meanwhile: compared again with that one",
        CustomerMetadataProperties={"decision": CHAMPION_CHANGED},
    )


def metadata_value(text: str) -> str:
    """Return a value that CustomerMetadataProperties accepts: other characters become spaces, and an empty text "none"."""
    kept = (
        character if unicodedata.category(character)[0] in "LZN" or character in METADATA_PUNCTUATION else " "
        for character in unicodedata.normalize("NFC", text)
    )
    return " ".join("".join(kept).split())[:METADATA_CHARACTERS].strip() or "none"


def description_value(text: str) -> str:
    """Return a value that ModelPackageDescription accepts: control characters become spaces."""
    kept = (" " if unicodedata.category(character)[0] == "C" else character for character in text)
    return "".join(kept)[:DESCRIPTION_CHARACTERS]


def register(
    client: SageMakerClient,
    *,
    group: str,
    image: str,
    model_data_url: str,
    status: ModelApprovalStatusType,
    description: str,
    metadata: Mapping[str, str],
    metrics_uri: str,
    instance: TransformInstanceTypeType,
) -> Package:
    """Create a package and describe it."""
    created = client.create_model_package(
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
                    },
                }
            ],
            "SupportedContentTypes": ["application/jsonlines"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
            "SupportedTransformInstanceTypes": [instance],
        },
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": metrics_uri}}},
        CustomerMetadataProperties={name: metadata_value(value) for name, value in metadata.items()},
    )
    return describe_package(client, created["ModelPackageArn"])


def ensure_model(
    client: SageMakerClient, *, name: str, package: Package, role_arn: str, network: Mapping[str, Sequence[str]]
) -> None:
    """Create the SageMaker Model of a package, unless a Model with this name exists. The name identifies version and artifact.

    The Model refers to the package's container, not to the package. SageMaker deploys only approved packages, and the Model of a
    pending package must exist before a person approves it. `network` is its VpcConfig, or empty.
    """
    try:
        client.describe_model(ModelName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        container = package["InferenceSpecification"]["Containers"][0]
        client.create_model(
            ModelName=name,
            PrimaryContainer={
                "Image": container["Image"],
                "ModelDataUrl": container["ModelDataUrl"],
                "Environment": container["Environment"],
            },
            ExecutionRoleArn=role_arn,
            EnableNetworkIsolation=True,
            **({"VpcConfig": network} if network else {}),  # type: ignore[arg-type] # the caller's JSON has the type's two keys
        )
