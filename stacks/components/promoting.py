"""Who may decide which model version serves: a managed policy for `ptmlops models`, `compare`, `promote` and `rollback`."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from ptmlops_contracts.keys import ANY_RUN, DECISIONS, EVALUATIONS, TRAINING, OutputKeys, PreparedKeys, labelled_folder
from ptmlops_contracts.report import HELD_OUT
from stacks.components.common import EnvironmentStack, acknowledge
from stacks.components.job_roles import sklearn_image


def promote_policy(
    stack: EnvironmentStack,
    *,
    prepared: s3.IBucket,
    models: s3.IBucket,
    output: s3.IBucket,
    model_role: iam.IRole,
    key: kms.IKey,
) -> iam.ManagedPolicy:
    """Create the policy: read the registry and evaluations, score held-out rows with a version, and set its status.

    It allows no upload, no change of a model's files, and no reading of results or of rows that a model learned from.
    """
    group, run = stack.settings.prefix, PreparedKeys(ANY_RUN)

    def statement(
        sid: str, actions: list[str], resources: list[str], conditions: dict[str, object] | None = None
    ) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid=sid, actions=actions, resources=resources, conditions=conditions)

    jobs, model = [stack.sagemaker_job_arn("transform-job")], stack.sagemaker_arn("model", f"{group}-v*")
    machine = stack.format_arn(
        service="states", resource="stateMachine", resource_name=group, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
    )
    policy = iam.ManagedPolicy(
        stack,
        "PromotePolicy",
        description=f"Decide which model version of PTMLops ({stack.settings.name}) serves",
        statements=[
            statement("Outputs", ["cloudformation:DescribeStacks"], ["*"]),
            statement("Registry", ["sagemaker:ListModelPackages"], ["*"]),
            statement(
                "Versions",
                ["sagemaker:DescribeModelPackage", "sagemaker:UpdateModelPackage"],
                [stack.sagemaker_arn("model-package", f"{group}/*")],
            ),
            statement("Find", ["s3:ListBucket"], [bucket.bucket_arn for bucket in (prepared, models, output)]),
            # SageMaker looks at the artifact as the caller when a Model is created.
            statement(
                "Read",
                ["s3:GetObject"],
                [
                    *(models.arn_for_objects(f"{folder}*") for folder in (EVALUATIONS, TRAINING, DECISIONS)),
                    prepared.arn_for_objects(f"{labelled_folder(HELD_OUT)}*"),
                    prepared.arn_for_objects(f"{run.scored}*"),
                    output.arn_for_objects(OutputKeys(ANY_RUN).marker),
                ],
            ),
            statement(
                "Write",
                ["s3:PutObject"],
                [prepared.arn_for_objects(f"{run.to_score}*"), models.arn_for_objects(f"{DECISIONS}*")],
            ),
            statement("Score", ["states:DescribeStateMachine"], [machine]),
            statement("Check", ["sagemaker:CreateTransformJob", "sagemaker:AddTags"], jobs, stack.new_jobs),
            statement("Watch", ["sagemaker:DescribeTransformJob"], jobs, stack.own_jobs),
            statement("Models", ["sagemaker:CreateModel", "sagemaker:DescribeModel"], [model]),
            statement(
                "PassModelRole",
                ["iam:PassRole"],
                [model_role.role_arn],
                {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            ),
            statement(
                "Image",
                ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", "ecr:DescribeImages"],
                [sklearn_image(stack.settings).repository_arn(stack.partition)],
            ),
            statement("Key", ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"], [key.key_arn]),
            # The job's volume: SageMaker makes the grant as the caller.
            statement("Volume", ["kms:CreateGrant"], [key.key_arn], {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        ],
    )
    acknowledge(
        policy,
        "AwsSolutions-IAM5",
        "objects under fixed prefixes of our own buckets; versions, Models and jobs of our own whose names are made per run. "
        "ListModelPackages takes no resource, and the command finds the stacks of the environment among all",
    )
    return policy
