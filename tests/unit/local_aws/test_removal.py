"""What stands in the way of destroying an environment's stacks is deleted, and nothing of another environment."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from ptmlops import removal
from ptmlops.target import Target
from tests.unit.local_aws.conftest import Sandbox

pytestmark = pytest.mark.slow


def test_nothing_is_left_of_a_disposable_environment_and_all_of_another(sandbox: Sandbox) -> None:
    group = sandbox.name("ptmlops")
    other = f"{group}-two"
    target = Target("dev", sandbox.aws.session(), sandbox.aws.endpoint_url)
    buckets = {name: sandbox.bucket() for name in removal.BUCKETS}
    target.__dict__["outputs"] = {"ModelPackageGroupName": group, **buckets}
    s3, sagemaker = sandbox.client("s3"), sandbox.client("sagemaker")
    for bucket in buckets.values():
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for body in (b"one", b"two"):
            s3.put_object(Bucket=bucket, Key="a", Body=body)
        s3.delete_object(Bucket=bucket, Key="a")
    for name in (group, other):
        sagemaker.create_model_package_group(ModelPackageGroupName=name, ModelPackageGroupDescription="x")
        for version in (1, 2):
            sagemaker.create_model_package(ModelPackageGroupName=name, ModelPackageDescription="x")
            sagemaker.create_model(
                ModelName=f"{name}-v{version}-abc",
                PrimaryContainer={"Image": "i", "ModelDataUrl": "s3://x/y"},
                ExecutionRoleArn=sandbox.role("sagemaker"),
            )
    with pytest.raises(ClientError, match="ConflictException"):
        sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    messages: list[str] = []

    counts = removal.empty(target, messages.append)

    assert counts == {"object versions": 3 * len(buckets), "model versions": 2, "models": 2}
    for bucket in buckets.values():
        s3.delete_bucket(Bucket=bucket)  # S3 refuses one that holds any version
    sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    assert len(sagemaker.list_model_packages(ModelPackageGroupName=other)["ModelPackageSummaryList"]) == 2
    # moto's list knows no NameContains: other tests' Models are in it.
    left = [model["ModelName"] for model in sagemaker.list_models()["Models"] if group in model["ModelName"]]
    assert sorted(left) == [f"{other}-v1-abc", f"{other}-v2-abc"]
    assert messages
