"""The model package group: the champion, this run's package, and the registering of one."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html: at most 1,024 characters of a
# description, none of them a control character; 1 to 256 of a value of CustomerMetadataProperties, none of them punctuation
# but these (the models of botocore say the same, and local AWS holds requests against them).
DESCRIPTION_CHARACTERS, METADATA_CHARACTERS, METADATA_PUNCTUATION = 1024, 256, "_.:/=+-@"
OVERTAKEN = "ChampionChanged"


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
    """What this run registered before, where it is repeated; not what it took back because another was promoted."""
    for package in described:
        metadata = package.get("CustomerMetadataProperties", {})
        if metadata.get("run_id") == run_id and metadata.get("decision") != OVERTAKEN:
            return package
    return None


def overtaking(described: list[dict[str, Any]], package: Mapping[str, Any], compared_with: str) -> dict[str, Any] | None:
    """The version that was promoted between the champion that `package` was compared with and `package`, if there is one.

    Two runs may judge at once, each seeing the same champion. Versions are given out in order, so of the two the later
    version always finds the earlier one here.
    """
    lowest = 0 if compared_with == "none" else int(compared_with)
    for other in described:
        if (
            other["ModelApprovalStatus"] == "Approved"
            and lowest < other["ModelPackageVersion"] < package["ModelPackageVersion"]
        ):
            return other
    return None


def take_back(client: SageMakerClient, package: Mapping[str, Any], winner: Mapping[str, Any]) -> None:
    """Reject a version that was judged against a champion that no longer was one."""
    client.update_model_package(
        ModelPackageArn=package["ModelPackageArn"],
        ModelApprovalStatus="Rejected",
        ApprovalDescription=f"Version {winner['ModelPackageVersion']} was promoted meanwhile: compared again with that one",
        CustomerMetadataProperties={"decision": OVERTAKEN},
    )


def metadata_value(text: str) -> str:
    """A text as CustomerMetadataProperties takes it: other characters become spaces; never empty."""
    kept = (
        character if unicodedata.category(character)[0] in "LZN" or character in METADATA_PUNCTUATION else " "
        for character in unicodedata.normalize("NFC", text)
    )
    return " ".join("".join(kept).split())[:METADATA_CHARACTERS].strip() or "none"


def description_value(text: str) -> str:
    """A text as ModelPackageDescription takes it."""
    kept = (" " if unicodedata.category(character)[0] == "C" else character for character in text)
    return "".join(kept)[:DESCRIPTION_CHARACTERS]


def model_name(package: Mapping[str, Any], group: str) -> str:
    """The SageMaker Model that serves a version: named after its artifact too, for a group that is made again counts from 1 again."""
    artifact = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    return f"{group}-v{package['ModelPackageVersion']}-{hashlib.sha256(artifact.encode()).hexdigest()[:8]}"


def plan_entry(package: Mapping[str, Any], group: str) -> dict[str, Any]:
    """A package as `$.plan.champion` describes it."""
    metadata = package.get("CustomerMetadataProperties", {})
    return {
        "version": str(package["ModelPackageVersion"]),
        "model_name": model_name(package, group),
        "model_data_url": package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"],
        "macro_f1": number(metadata.get("macro_f1")),
        "evaluation_uri": metadata.get("evaluation_uri", "none"),
    }


def number(text: str | None) -> float:
    """A number of a package's metadata; 0 where a person approved a version that has none."""
    try:
        found = float(text or 0)
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0


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
        ModelPackageDescription=description_value(description),
        ModelApprovalStatus=status,  # type: ignore[arg-type]
        InferenceSpecification={
            "Containers": [
                {
                    "Image": image,
                    "ModelDataUrl": model_data_url,
                    "Environment": {
                        "SAGEMAKER_PROGRAM": "inference.py",
                        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                        # A caller that names no Accept would otherwise be answered as if it had asked for application/json.
                        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/jsonlines",
                    },
                }
            ],
            "SupportedContentTypes": ["application/jsonlines"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
            "SupportedTransformInstanceTypes": [instance],  # type: ignore[list-item]
        },
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": metrics_uri}}},
        CustomerMetadataProperties={name: metadata_value(value) for name, value in metadata.items()},
    )
    return dict(client.describe_model_package(ModelPackageName=created["ModelPackageArn"]))


def ensure_model(client: SageMakerClient, *, name: str, package: Mapping[str, Any], role_arn: str) -> None:
    """The Model of a package; one that is there already is the right one, for its name holds version and artifact.

    Made of the package's container and not of the package: a version must be approved to be deployed, and this one may wait for a
    person, who should find its Model there.
    """
    try:
        client.describe_model(ModelName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        container = package["InferenceSpecification"]["Containers"][0]
        client.create_model(
            ModelName=name,
            PrimaryContainer={field: container[field] for field in ("Image", "ModelDataUrl", "Environment")},  # type: ignore[typeddict-item]
            ExecutionRoleArn=role_arn,
            EnableNetworkIsolation=True,
        )
