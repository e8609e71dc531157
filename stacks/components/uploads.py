"""Who may upload files: a managed policy for this account, and statements for principals of other accounts."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from stacks.components.common import EnvironmentStack, acknowledge

UPLOAD = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
# S3 encrypts each object with a data key, and decrypts the parts of a multipart upload to assemble them:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
USE_KEY = ["kms:GenerateDataKey", "kms:Decrypt"]


def drop_policy(stack: EnvironmentStack, *, raw: s3.Bucket, key: kms.Key) -> iam.ManagedPolicy:
    """Create the policy of people and systems of this account that upload. It neither reads nor deletes."""
    policy = iam.ManagedPolicy(
        stack,
        "DropPolicy",
        description=f"Upload complaint files to PTMLops ({stack.settings.name})",
        statements=[
            iam.PolicyStatement(sid="Upload", actions=UPLOAD, resources=[raw.arn_for_objects("*")]),
            iam.PolicyStatement(
                sid="FindBucket", actions=["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], resources=[raw.bucket_arn]
            ),
            iam.PolicyStatement(sid="Key", actions=USE_KEY, resources=[key.key_arn], conditions=_through_s3(stack)),
        ],
    )
    acknowledge(policy, "AwsSolutions-IAM5", "people choose the names of the files that they upload to the raw bucket")
    return policy


def admit_uploaders(stack: EnvironmentStack, *, raw: s3.Bucket, key: kms.Key) -> None:
    """Let the principals of `uploads.principals` upload. Their own account must allow the same actions."""
    principals = [iam.ArnPrincipal(arn) for arn in stack.settings.uploads.principals]
    if not principals:
        return
    raw.add_to_resource_policy(
        iam.PolicyStatement(
            sid="UploadFromOtherAccounts", principals=principals, actions=UPLOAD, resources=[raw.arn_for_objects("*")]
        )
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="UploadFromOtherAccounts",
            principals=principals,
            actions=USE_KEY,
            resources=["*"],
            conditions=_through_s3(stack),
        )
    )


def _through_s3(stack: EnvironmentStack) -> dict[str, object]:
    return {"StringEquals": {"kms:ViaService": f"s3.{stack.region}.{stack.url_suffix}"}}
