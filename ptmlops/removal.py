"""Delete everything that an environment has stored, so that its stacks can be destroyed.

CloudFormation deletes neither a bucket with objects in it nor a model package group with versions.
"""

from __future__ import annotations

from collections.abc import Callable

from ptmlops.errors import OperatorError
from ptmlops.target import Target
from stacks.config import load_settings

BUCKETS = ("RawBucketName", "PreparedBucketName", "ModelsBucketName", "OutputBucketName", "AccessLogBucketName")


def check(target: Target) -> None:
    """Refuse an environment whose settings do not allow its data to be destroyed.

    Raises:
        OperatorError: the environment is not disposable.
    """
    if not load_settings(target.environment).environment.disposable:
        raise OperatorError(
            f"environment '{target.environment}' is not disposable, so its data is kept. To delete it, set "
            f"environment.disposable = true in environments/{target.environment}.toml and deploy first"
        )


def empty(target: Target, report: Callable[[str], None]) -> dict[str, int]:
    """Delete every version of every object, every model version and every SageMaker Model. Returns the counts.

    Raises:
        OperatorError: the environment is not disposable, or S3 kept objects.
    """
    check(target)
    counts = {"object versions": 0, "model versions": 0, "models": 0}
    s3, sagemaker = target.client("s3"), target.client("sagemaker")
    for name in BUCKETS:
        bucket = target.outputs[name]
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            keys = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
            if keys:
                failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors", [])
                if failed:
                    raise OperatorError(f"{len(failed)} objects of {bucket} could not be deleted: {failed[0]['Code']}")
                counts["object versions"] += len(keys)
                report(f"{counts['object versions']:,} object versions")
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
