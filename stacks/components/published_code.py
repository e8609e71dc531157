"""Code at an address that stays the same: copied from the assets bucket at each deployment that changes it.

A state machine's definition, once an execution has started, keeps the addresses in it, also for a redrive. An asset's address is the hash
of its content (docs/decisions/0017-jobs-read-the-deployed-code.md).
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from ptmlops_contracts.keys import CODE, s3_uri
from stacks.components.common import EnvironmentStack, acknowledge, allow
from stacks.components.unit_function import UnitFunction, functions_code

# CloudFormation waits for the function to the end, and a little longer.
FUNCTION_TIMEOUT, SERVICE_TIMEOUT = cdk.Duration.minutes(2), cdk.Duration.minutes(4)


class PublishedCode(Construct):
    """An asset's copy in the models bucket. `.uri` is its address, and `.source` the asset's."""

    def __init__(
        self,
        scope: EnvironmentStack,
        construct_id: str,
        *,
        asset: assets.Asset,
        bucket: s3.IBucket,
        object_key: str,
        key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        deploy = UnitFunction(
            scope,
            "DeployCode",
            package="deploy_code",
            code=functions_code(scope),
            description="Copies the code of training and evaluation to where jobs read it",
            key=key,
            environment={},
            timeout=FUNCTION_TIMEOUT,
        )
        allow(deploy.role, "Assets", ["s3:GetObject"], [scope.assets_arn(asset.bucket)])
        allow(deploy.role, "Publish", ["s3:PutObject"], [bucket.arn_for_objects(f"{CODE}*")])
        acknowledge(
            deploy.role,
            "AwsSolutions-IAM5",
            "this environment's assets; objects under a fixed prefix of our own bucket; X-Ray's actions take no resource",
        )
        resource = cdk.CustomResource(
            self,
            "Copy",
            resource_type="Custom::PublishedCode",
            service_token=deploy.function.function_arn,
            service_timeout=SERVICE_TIMEOUT,
            properties={
                "SourceBucket": asset.s3_bucket_name,
                "SourceKey": asset.s3_object_key,
                "TargetBucket": bucket.bucket_name,
                "TargetKey": object_key,
            },
        )
        resource.node.add_dependency(deploy.role)
        self.uri = s3_uri(bucket.bucket_name, object_key)
        self.source = s3_uri(asset.s3_bucket_name, asset.s3_object_key)
