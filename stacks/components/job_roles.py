"""What every SageMaker job and Model needs: the image of scikit-learn, and a role with nothing else than its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from stacks.components.common import EnvironmentStack, acknowledge, allow
from stacks.config import Settings

SKLEARN_VERSION = "1.9-0"

Objects = tuple[s3.IBucket, str]  # a bucket and a pattern of keys


@dataclass(frozen=True, kw_only=True)
class Image:
    """SageMaker's image of scikit-learn in a region: its URI, and its repository without the partition."""

    uri: str
    account: str
    region: str
    repository: str

    def repository_arn(self, partition: str) -> str:
        """Return the ARN of the image's repository, which AWS owns."""
        return f"arn:{partition}:ecr:{self.region}:{self.account}:repository/{self.repository}"


def sklearn_image(settings: Settings) -> Image:
    """Return the image that trains, evaluates and scores in the environment's region."""
    from sagemaker.core import image_uris  # noqa: PLC0415 - two seconds, for who synthesizes

    uri = image_uris.retrieve(
        "sklearn",
        settings.environment.region,
        version=SKLEARN_VERSION,
        instance_type=settings.compute.training_instance,
        image_scope="training",
    )
    host, _, path = uri.partition("/")
    return Image(uri=uri, account=host.split(".")[0], region=host.split(".")[3], repository=path.split(":")[0])


def create_job_role(
    stack: EnvironmentStack,
    name: str,
    *,
    key: kms.IKey,
    log_group: str,
    reads: Sequence[Objects],
    writes: Sequence[Objects],
) -> iam.Role:
    """Create a role for one kind of job: its inputs, its outputs, its logs, the image, and nothing else.

    Args:
        stack: the stack of the role.
        name: the role's construct id.
        key: the key of the data.
        log_group: the beginning of the job's log groups, below `/aws/sagemaker/`.
        reads: what the job reads.
        writes: what the job writes.
    """
    role = iam.Role(
        stack,
        name,
        assumed_by=iam.ServicePrincipal(
            "sagemaker.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
        ),
    )
    allow(role, "Read", ["s3:GetObject"], [bucket.arn_for_objects(pattern) for bucket, pattern in reads])
    allow(role, "List", ["s3:ListBucket"], sorted({bucket.bucket_arn for bucket, _ in [*reads, *writes]}))
    targets = [bucket.arn_for_objects(pattern) for bucket, pattern in writes]
    allow(role, "Write", ["s3:PutObject", "s3:AbortMultipartUpload"], targets)
    # CreateGrant: SageMaker attaches encrypted volumes on the job's behalf, and only that is what it may grant.
    allow(role, "Key", ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:DescribeKey"], [key.key_arn])
    allow(role, "Volumes", ["kms:CreateGrant"], [key.key_arn], {"Bool": {"kms:GrantIsForAWSResource": "true"}})
    allow(
        role,
        "Logs",
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
        [
            stack.format_arn(
                service="logs",
                resource="log-group",
                resource_name=f"/aws/sagemaker/{log_group}*",
                arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
            )
        ],
    )
    allow(
        role,
        "Metrics",
        ["cloudwatch:PutMetricData"],
        ["*"],
        {"StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "aws/sagemaker/*"]}},
    )
    allow(role, "ImageLogin", ["ecr:GetAuthorizationToken"], ["*"])
    allow(
        role,
        "Image",
        ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
        [sklearn_image(stack.settings).repository_arn(stack.partition)],
    )
    acknowledge(
        role,
        "AwsSolutions-IAM5",
        "objects under fixed prefixes of our own buckets; SageMaker's own log groups; PutMetricData and "
        "GetAuthorizationToken take no resource",
    )
    return role
