"""A Lambda function of the pipeline: its own role and log group, no AWS-managed policy, tracing, logs and metrics as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from stacks.components.code_assets import ROOT, powertools_wheels, zip_archive
from stacks.components.common import EnvironmentStack, acknowledge, allow

# What keeps an event that a function of this construct id does not process.
UNPROCESSED = {
    "StartRun": "the function is called for messages of the arrivals queue, which has a dead-letter queue and an alarm",
    "DeployCode": "CloudFormation calls it and waits: a failure fails the deployment, which is rolled back",
    "CollectRun": "the state machine calls it, tries again, and keeps the files of a run that ended",
    "PlanRun": "the state machine calls it and waits: a failure is retried, recorded and can be redriven",
    "PromoteModel": "the state machine calls it and waits: a failure is retried, recorded and can be redriven",
    "RecordRun": "its asynchronous calls have an on-failure destination, the dead-letter queue",
}

FUNCTIONS = ("start_run", "collect_run", "plan_run", "promote_model", "record_run", "deploy_code")  # packages of lambdas/


def functions_code(stack: EnvironmentStack) -> assets.Asset:
    """Return the archive of all functions. Stacks that hold functions have the same one."""
    code = zip_archive(
        stack,
        "Code",
        folder=ROOT / "lambdas",
        packages=(*FUNCTIONS, "common"),
        wheels=powertools_wheels() if stack.settings.compute.bundle_powertools else [],
    )
    acknowledge(
        code,
        "Annotation::@aws-cdk/aws-lambda:codeFromBucketObjectVersionNotSpecified",
        "the key is the hash of the content: other code has another key",
    )
    return code


class UnitFunction(Construct):
    """The function of one package of lambdas/. `.role` may use its log group and key, and send traces; the stack adds the rest."""

    def __init__(
        self,
        scope: EnvironmentStack,
        construct_id: str,
        *,
        package: str,
        code: assets.Asset,
        description: str,
        key: kms.IKey,
        environment: Mapping[str, str],
        timeout: cdk.Duration,
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        group = scope.log_group(self, "Logs", key=key)
        allow(self.role, "Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [group.log_group_arn])
        allow(self.role, "Key", ["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn])
        allow(self.role, "Traces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"])  # they take no resource
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            code=lambda_.Code.from_bucket(code.bucket, code.s3_object_key),
            handler=f"{package}.handler.lambda_handler",
            role=self.role.without_policy_updates(),
            memory_size=256,
            timeout=timeout,
            # Powertools reads its own two variables: https://docs.aws.amazon.com/powertools/python/latest/environment_variables/.
            environment={
                **environment,
                "POWERTOOLS_SERVICE_NAME": package,
                "POWERTOOLS_METRICS_NAMESPACE": scope.settings.prefix,
            },
            environment_encryption=key,
            log_group=group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
        )
        acknowledge(self.function, "NIST.800.53.R5-LambdaDLQ", UNPROCESSED[construct_id])
        acknowledge(
            self.function,
            "NIST.800.53.R5-LambdaConcurrency",
            "the number of runs limits it, and the queue's reader has a maximum concurrency. A reserve would be taken from the account's other "
            "functions, and new accounts have ten executions in all",
        )
        if scope.settings.network.vpc_id is None:
            acknowledge(
                self.function,
                "NIST.800.53.R5-LambdaInsideVPC",
                "it calls AWS's APIs only, by TLS and with its role, accepts no connection, and reaches nothing inside a VPC. The settings can "
                "name a VPC for it",
            )
        # The function must not run before its permissions exist.
        self.function.node.add_dependency(self.role)
