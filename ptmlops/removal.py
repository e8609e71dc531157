"""All that an environment has stored, deleted: CloudFormation deletes no bucket with objects in it and no group with model versions."""

from __future__ import annotations

from collections.abc import Callable

from ptmlops.target import OperatorError, Target
from stacks.config import load_settings

BUCKETS = ("RawBucketName", "PreparedBucketName", "ModelsBucketName", "OutputBucketName", "AccessLogBucketName")


def check(target: Target) -> None:
    """Refuse an environment whose settings do not say that its data may be destroyed.

    Raises:
        OperatorError: it is not disposable.
    """
    if not load_settings(target.environment).environment.disposable:
        raise OperatorError(
            f"environment '{target.environment}' is not disposable: its data outlives its stacks. Where that is what you want to "
            f"end, set environment.disposable = true in environments/{target.environment}.toml and deploy first"
        )


def empty(target: Target, tell: Callable[[str], None]) -> dict[str, int]:
    """Delete every version of every object, every model version and every Model. Returns how many of each.

    Raises:
        OperatorError: the environment is not disposable, or S3 kept objects.
    """
    check(target)
    counts = {"object versions": 0, "model versions": 0, "models": 0}
    s3, sagemaker = target.client("s3"), target.client("sagemaker")
    for name in BUCKETS:
        bucket = target.outputs[name]
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            keys = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in found]
            if keys:
                failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors", [])
                if failed:
                    raise OperatorError(f"{len(failed)} objects of {bucket} could not be deleted: {failed[0]['Code']}")
                counts["object versions"] += len(keys)
                tell(f"{counts['object versions']:,} object versions")
    group = target.outputs["ModelPackageGroupName"]
    for page in sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        for package in page["ModelPackageSummaryList"]:
            sagemaker.delete_model_package(ModelPackageName=package["ModelPackageArn"])
            counts["model versions"] += 1
    for page in sagemaker.get_paginator("list_models").paginate(NameContains=f"{group}-v"):
        for model in page["Models"]:
            if model["ModelName"].startswith(f"{group}-v"):
                sagemaker.delete_model(ModelName=model["ModelName"])
                counts["models"] += 1
    return counts
