"""A Lambda function of the pipeline: its own role, log group, code folder and nothing from AWS-managed policies."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.components.code_assets import IGNORED, ROOT
from stacks.components.common import EnvironmentStack, allow

LAMBDAS = ROOT / "lambdas"


class UnitFunction(Construct):
    """`lambdas/<folder>` as a function; `.role` holds only its log group and key until the stack gives it more."""

    def __init__(
        self,
        scope: EnvironmentStack,
        construct_id: str,
        *,
        folder: str,
        description: str,
        key: kms.IKey,
        environment: Mapping[str, str],
        timeout: cdk.Duration,
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        group = scope.log_group(self, "Logs", key=key)
        allow(self.role, "Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [group.log_group_arn])
        allow(self.role, "Key", ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"], [key.key_arn])
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            code=lambda_.Code.from_asset(str(LAMBDAS / folder), exclude=IGNORED),
            handler="handler.lambda_handler",
            role=self.role.without_policy_updates(),
            memory_size=256,
            timeout=timeout,
            environment=dict(environment),
            environment_encryption=key,
            log_group=group,
            logging_format=lambda_.LoggingFormat.JSON,  # keeps the fields that the code logs beside its messages
        )
        # The function must not run before its permissions exist.
        self.function.node.add_dependency(self.role)
