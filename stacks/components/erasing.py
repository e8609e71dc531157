"""Who may erase a person's rows: a managed policy for the operators of `ptmlops forget`, which no role of the template has."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from ptmlops_contracts.keys import ERASURES, EVALUATIONS, LABELLED, PUBLISHED_FOLDERS, QUERY_RESULTS, RUNS
from stacks.components.common import EnvironmentStack, acknowledge


def erase_policy(
    stack: EnvironmentStack,
    *,
    raw: s3.IBucket,
    prepared: s3.IBucket,
    models: s3.IBucket,
    output: s3.IBucket,
    ledger: dynamodb.ITable,
    key: kms.IKey,
) -> iam.ManagedPolicy:
    """Create the policy: read all versions, rewrite and delete what may hold rows, and neither models nor code."""
    written = [
        raw.arn_for_objects("*"),
        *(prepared.arn_for_objects(f"{folder}*") for folder in (RUNS, LABELLED, ERASURES)),
        models.arn_for_objects(f"{EVALUATIONS}*"),
        *(output.arn_for_objects(f"{folder}*") for folder in (*PUBLISHED_FOLDERS, QUERY_RESULTS)),
    ]
    buckets = (raw, prepared, models, output)
    machine = stack.settings.prefix

    def statement(
        sid: str, actions: list[str], resources: list[str], conditions: dict[str, object] | None = None
    ) -> iam.PolicyStatement:
        return iam.PolicyStatement(sid=sid, actions=actions, resources=resources, conditions=conditions)

    def states(resource: str, name: str) -> str:
        return stack.format_arn(
            service="states", resource=resource, resource_name=name, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )

    policy = iam.ManagedPolicy(
        stack,
        "ErasePolicy",
        description=f"Erase a person's rows from PTMLops ({stack.settings.name})",
        statements=[
            statement("Find", ["s3:ListBucket", "s3:ListBucketVersions"], [bucket.bucket_arn for bucket in buckets]),
            statement(
                "Read",
                ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectVersionTagging"],
                [bucket.arn_for_objects("*") for bucket in buckets],
            ),
            statement("Rewrite", ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"], written),
            statement("Delete", ["s3:DeleteObject", "s3:DeleteObjectVersion"], written),
            statement(
                "Ledger",
                [
                    "dynamodb:GetItem",
                    "dynamodb:BatchGetItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                    "dynamodb:DeleteItem",
                ],
                [ledger.table_arn],
            ),
            statement("Runs", ["states:ListExecutions"], [states("stateMachine", machine)]),
            statement(
                "Executions", ["states:DescribeExecution", "states:GetExecutionHistory"], [states("execution", f"{machine}:*")]
            ),
            statement("Models", ["sagemaker:ListModelPackages"], ["*"]),
            statement(
                "ModelVersions",
                ["sagemaker:DescribeModelPackage"],
                [stack.sagemaker_arn("model-package", f"{stack.settings.prefix}/*")],
            ),
            statement("Outputs", ["cloudformation:DescribeStacks"], ["*"]),
            statement(
                "Key",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                [key.key_arn],
                {
                    "StringEquals": {
                        "kms:ViaService": [f"{name}.{stack.region}.{stack.url_suffix}" for name in ("s3", "dynamodb")]
                    }
                },
            ),
        ],
    )
    acknowledge(
        policy,
        "AwsSolutions-IAM5",
        "a person's rows may be in any object; writing is limited to the folders that may hold rows. ListModelPackages takes no resource, and "
        "the command finds the stacks of the environment among all",
    )
    return policy
