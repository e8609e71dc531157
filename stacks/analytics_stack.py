"""SQL over the published predictions: an Athena workgroup with enforced encryption, result location and bytes limit."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_athena as athena
from constructs import Construct

from stacks.components.common import EnvironmentStack
from stacks.config import Settings
from stacks.storage_stack import Storage


class AnalyticsStack(EnvironmentStack):
    """For people: nothing of the pipeline depends on it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, env: cdk.Environment, storage: Storage
    ) -> None:
        super().__init__(scope, construct_id, settings=settings, env=env)
        workgroup = athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=settings.prefix,
            description="Questions about classified complaints",
            recursive_delete_option=settings.environment.disposable,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=settings.analytics.bytes_scanned_limit,
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{storage.output.bucket_name}/athena/",
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_KMS", kms_key=storage.key.key_arn
                    ),
                ),
            ),
        )
        self.output("WorkgroupName", workgroup.name)
