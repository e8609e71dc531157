"""A Lambda function of the pipeline: its own role and log group, no AWS-managed policy, tracing, logs and metrics as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from stacks.components.common import EnvironmentStack, allow


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
        # The function must not run before its permissions exist.
        self.function.node.add_dependency(self.role)
