"""SQL on published results: an Athena workgroup, saved queries, a policy for analysts, and QuickSight if it has a principal."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_athena as athena
from aws_cdk import aws_iam as iam
from constructs import Construct

from ptmlops_contracts.keys import PREDICTIONS, QUERY_RESULTS, RUN_HISTORY, s3_uri
from stacks.components.common import EnvironmentStack, acknowledge
from stacks.components.quicksight import QuickSight
from stacks.config import Settings
from stacks.storage_stack import Storage

SAVED_QUERIES = Path(__file__).resolve().parent / "sql" / "saved"
ENGINE = "Athena engine version 3"


class AnalyticsStack(EnvironmentStack):
    """For people: nothing of the pipeline depends on it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, env: cdk.Environment, storage: Storage
    ) -> None:
        super().__init__(scope, construct_id, settings=settings, env=env)
        self._storage = storage
        workgroup = self._create_workgroup()
        self._create_saved_queries(workgroup)
        analysts = iam.ManagedPolicy(
            self,
            "AnalystPolicy",
            description=f"PTMLops ({settings.name}): ask questions in the Athena workgroup; read the tables, nothing else",
            statements=self._question_statements(),
        )
        reason = (
            "objects below three prefixes and tables of one database; lists and Lake Formation's data access take no resource"
        )
        acknowledge(analysts, "AwsSolutions-IAM5", reason)
        self.output("WorkgroupName", workgroup.name)
        self.output("AnalystPolicyArn", analysts.managed_policy_arn)
        if settings.analytics.quicksight_principal:
            # The one role is all that QuickSight needs: its account-wide role is not touched, and may be without any access.
            role = iam.Role(
                self,
                "QuickSightRole",
                assumed_by=iam.ServicePrincipal("quicksight.amazonaws.com"),
                description=f"PTMLops ({settings.name}): what QuickSight asks Athena, it asks as this role",
            )
            for statement in self._question_statements():
                role.add_to_policy(statement)
            acknowledge(role, "AwsSolutions-IAM5", reason)
            QuickSight(
                self,
                "QuickSight",
                principal=settings.analytics.quicksight_principal,
                role=role,
                workgroup=workgroup.ref,
                database=storage.database_name,
            )

    def _create_workgroup(self) -> athena.CfnWorkGroup:
        configuration = athena.CfnWorkGroup
        return athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=self.settings.prefix,
            description="Questions about classified complaints",
            # Without this, a workgroup with saved queries or a history cannot be deleted. Query results stay in the bucket.
            recursive_delete_option=True,
            work_group_configuration=configuration.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                requester_pays_enabled=False,
                bytes_scanned_cutoff_per_query=self.settings.analytics.bytes_scanned_limit,
                engine_version=configuration.EngineVersionProperty(selected_engine_version=ENGINE),
                result_configuration=configuration.ResultConfigurationProperty(
                    output_location=s3_uri(self._storage.output.bucket_name, QUERY_RESULTS),
                    expected_bucket_owner=self.account,
                    encryption_configuration=configuration.EncryptionConfigurationProperty(
                        encryption_option="SSE_KMS", kms_key=self._storage.key.key_arn
                    ),
                ),
            ),
        )

    def _create_saved_queries(self, workgroup: athena.CfnWorkGroup) -> None:
        for path in sorted(SAVED_QUERIES.glob("*.sql")):
            text = path.read_text(encoding="utf-8")
            # The description of a saved query is the comment at its beginning.
            comment = [line[2:].strip() for line in text.splitlines() if line.startswith("--")]
            athena.CfnNamedQuery(
                self,
                "".join(word.title() for word in path.stem.split("_")) + "Query",
                name=path.stem.replace("_", " "),
                description=" ".join(comment),
                database=self._storage.database_name,
                query_string=text,
                work_group=workgroup.ref,
            )

    def _question_statements(self) -> list[iam.PolicyStatement]:
        """Create a policy to query in this workgroup and read the tables. Athena acts as the caller, also in S3 and KMS."""
        bucket, database = self._storage.output, self._storage.database_name
        tables = (PREDICTIONS, RUN_HISTORY)

        def statement(
            sid: str, actions: list[str], resources: list[str], **conditions: dict[str, object]
        ) -> iam.PolicyStatement:
            return iam.PolicyStatement(sid=sid, actions=actions, resources=resources, conditions=conditions or None)

        return [
            statement(
                "Ask",
                [
                    "athena:GetWorkGroup",
                    "athena:StartQueryExecution",
                    "athena:StopQueryExecution",
                    "athena:GetQueryExecution",
                    "athena:BatchGetQueryExecution",
                    "athena:ListQueryExecutions",
                    "athena:GetQueryResults",
                    "athena:GetQueryResultsStream",
                    "athena:GetQueryRuntimeStatistics",
                    "athena:ListNamedQueries",
                    "athena:GetNamedQuery",
                    "athena:BatchGetNamedQuery",
                ],
                [self.format_arn(service="athena", resource="workgroup", resource_name=self.settings.prefix)],
            ),
            statement("FindWorkgroup", ["athena:ListWorkGroups", "athena:ListDataCatalogs"], ["*"]),
            # Where Lake Formation governs the account it decides; this only lets its decision be asked for.
            statement("LakeFormation", ["lakeformation:GetDataAccess"], ["*"]),
            statement(
                "SeeCatalog",
                [
                    "athena:GetDataCatalog",
                    "athena:ListDatabases",
                    "athena:GetDatabase",
                    "athena:ListTableMetadata",
                    "athena:GetTableMetadata",
                ],
                [self.format_arn(service="athena", resource="datacatalog", resource_name="AwsDataCatalog")],
            ),
            statement(
                "SeeTables",
                [
                    "glue:GetDatabase",
                    "glue:GetDatabases",
                    "glue:GetTable",
                    "glue:GetTables",
                    "glue:GetPartition",
                    "glue:GetPartitions",
                ],
                [
                    self.format_arn(service="glue", resource="catalog"),
                    self.format_arn(service="glue", resource="database", resource_name=database),
                    self.format_arn(service="glue", resource="table", resource_name=f"{database}/*"),
                ],
            ),
            statement("ReadTables", ["s3:GetObject"], [bucket.arn_for_objects(f"{prefix}*") for prefix in tables]),
            statement(
                "KeepResults",
                ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                [bucket.arn_for_objects(f"{QUERY_RESULTS}*")],
            ),
            statement(
                "List",
                ["s3:ListBucket"],
                [bucket.bucket_arn],
                StringLike={"s3:prefix": [f"{prefix}*" for prefix in (*tables, QUERY_RESULTS)]},
            ),
            statement("FindBucket", ["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], [bucket.bucket_arn]),
            statement(
                "Key",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                [self._storage.key.key_arn],
                StringEquals={"kms:ViaService": f"s3.{self.region}.{self.url_suffix}"},
            ),
        ]
