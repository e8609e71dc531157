"""What training, evaluation and scoring jobs need: roles, code, image."""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct
from sagemaker.core import image_uris

from ptmlops_contracts.keys import ANY_RUN, CHECKPOINTS, EVALUATIONS, LABELLED, TRAINING, PreparedKeys
from stacks.components.code_assets import ROOT, numba_wheels, source_archive
from stacks.components.common import EnvironmentStack, acknowledge, allow
from stacks.config import Settings
from stacks.storage_stack import Storage

SKLEARN_VERSION = "1.9-0"


@dataclass(frozen=True, kw_only=True)
class Modeling:
    """Handles for the state machine and the registry's Lambdas."""

    image_uri: str
    code_uri: str
    code_file: str
    code_version: str
    training_role: iam.IRole
    evaluation_role: iam.IRole
    model_role: iam.IRole
    repository_arn: str


class ModelingStack(EnvironmentStack):
    """SageMaker's side. The jobs themselves are started by the state machine, so nothing here costs while idle."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, env: cdk.Environment, storage: Storage
    ) -> None:
        super().__init__(scope, construct_id, settings=settings, env=env)
        self._storage = storage
        image_uri = image_uris.retrieve(
            "sklearn",
            settings.environment.region,
            version=SKLEARN_VERSION,
            instance_type=settings.compute.training_instance,
            image_scope="training",
        )
        account, registry, repository = (
            image_uri.split(".")[0],
            image_uri.split(".")[3],
            image_uri.split("/")[1].split(":")[0],
        )
        self._repository_arn = f"arn:{self.partition}:ecr:{registry}:{account}:repository/{repository}"
        # The image has no numba, and a job without a network cannot install it (docs/decisions/0012-numba-travels-with-the-code.md).
        wheels = numba_wheels() if settings.compute.numba != "off" else []
        code = source_archive(self, "TrainingCode", folder=ROOT / "training", wheels=wheels)
        self._code_arn = code.bucket.arn_for_objects(code.s3_object_key)
        self._code_bucket_arn = code.bucket.bucket_arn

        prepared, models, run = storage.prepared, storage.models, PreparedKeys(ANY_RUN)
        training = self._create_role(
            "TrainingRole",
            log_group="TrainingJobs",
            reads=[(prepared, f"{LABELLED}*"), (prepared, f"{run.plan}*"), (models, f"{CHECKPOINTS}*")],
            writes=[(models, f"{TRAINING}*"), (models, f"{CHECKPOINTS}*")],
        )
        evaluation = self._create_role(
            "EvaluationRole",
            log_group="ProcessingJobs",
            reads=[(prepared, f"{LABELLED}*"), (prepared, f"{run.plan}*"), (models, f"{TRAINING}*")],
            writes=[(models, f"{EVALUATIONS}*")],
        )
        model = self._create_role(
            "ModelRole",
            log_group="TransformJobs",
            reads=[(prepared, f"{run.to_score}*"), (models, f"{TRAINING}*")],
            writes=[(prepared, f"{run.scored}*")],
        )
        self.outputs = Modeling(
            image_uri=image_uri,
            code_uri=code.s3_object_url,
            code_file=code.s3_object_key,
            code_version=code.asset_hash[:12],
            training_role=training,
            evaluation_role=evaluation,
            model_role=model,
            repository_arn=self._repository_arn,
        )

    def _create_role(
        self,
        name: str,
        *,
        log_group: str,
        reads: list[tuple[s3.IBucket, str]],
        writes: list[tuple[s3.IBucket, str]],
    ) -> iam.Role:
        """A role for one kind of job: its inputs, its outputs, its logs, the image, and nothing else."""
        role = iam.Role(
            self,
            name,
            assumed_by=iam.ServicePrincipal(
                "sagemaker.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
        )
        objects = [bucket.arn_for_objects(pattern) for bucket, pattern in reads]
        allow(role, "Read", ["s3:GetObject"], [*objects, self._code_arn])
        buckets = sorted({bucket.bucket_arn for bucket, _ in [*reads, *writes]})
        allow(role, "List", ["s3:ListBucket"], [*buckets, self._code_bucket_arn])
        targets = [bucket.arn_for_objects(pattern) for bucket, pattern in writes]
        allow(role, "Write", ["s3:PutObject", "s3:AbortMultipartUpload"], targets)
        # CreateGrant: SageMaker attaches encrypted volumes on the job's behalf, and only that is what it may grant.
        allow(
            role,
            "Key",
            ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:DescribeKey"],
            [self._storage.key.key_arn],
        )
        allow(
            role,
            "Volumes",
            ["kms:CreateGrant"],
            [self._storage.key.key_arn],
            {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        )
        allow(
            role,
            "Logs",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            [
                self.format_arn(
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
            [self._repository_arn],
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5",
            "objects under fixed prefixes of our own buckets; SageMaker's own log groups; PutMetricData and "
            "GetAuthorizationToken take no resource",
        )
        return role
