"""The resources that outlive all other stacks: what holds data, and what data refers to by ARN or URL.

Key, buckets, ledger, catalog, notification topic, model package group, the role of SageMaker Models, and the arrivals queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from ptmlops_contracts import keys
from ptmlops_contracts.ledger import EXPIRES_AT
from ptmlops_contracts.state import MODEL_SERVING
from stacks.components.arrivals import create_arrivals
from stacks.components.catalog import JSON_LINES, PARQUET, PREDICTIONS, RUNS, catalog_table
from stacks.components.common import EnvironmentStack, acknowledge
from stacks.components.erasing import erase_policy
from stacks.components.job_roles import create_job_role
from stacks.components.network import UnitNetwork
from stacks.components.promoting import promote_policy
from stacks.components.uploads import admit_uploaders, drop_policy
from stacks.config import Settings

# Query results contain complaint texts, and a query can be run again, so results expire, and nobody needs their old versions.
ATHENA_RESULT_DAYS = 30
ATHENA_NONCURRENT_DAYS = 1
NOT_REPLICATED = (
    "personal data stays in the region of the settings. Old versions protect from mistakes, and S3 keeps each object in several "
    "availability zones"
)


@dataclass(frozen=True)
class Rule:
    """How long the objects below a prefix are kept.

    Attributes:
        name: of the lifecycle rule.
        prefix: None for all objects of the bucket.
        days: until they are gone; 0 keeps them.
        noncurrent_days: how long their old versions are kept, if that differs from the setting.
        tiered: they move to Intelligent-Tiering after `retention.tiering_days`.
    """

    name: str
    prefix: str | None = None
    days: int = 0
    noncurrent_days: int | None = None
    tiered: bool = False


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Resources that other stacks read and write."""

    key: kms.IKey
    raw: s3.IBucket
    prepared: s3.IBucket
    models: s3.IBucket
    output: s3.IBucket
    ledger: dynamodb.ITable
    topic: sns.ITopic
    arrivals: sqs.Queue
    dead_letters: sqs.Queue
    uploaded: events.Rule
    model_role: iam.IRole
    package_group_name: str
    database_name: str
    table_names: tuple[str, ...]
    network: UnitNetwork | None


class StorageStack(EnvironmentStack):
    """Data and what receives it. Retained, and protected from deletion, unless the environment is disposable."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, env: cdk.Environment) -> None:
        # Only this stack is protected: the CLI deletes a stack whose first deployment failed, and deploys again.
        super().__init__(scope, construct_id, settings=settings, env=env, protected=not settings.environment.disposable)
        self._key = self._create_key()
        self._access_logs = self._create_access_log_bucket()
        keep = settings.retention
        raw = self._create_bucket("RawBucket", [Rule("expire", days=keep.raw_days, tiered=True)])
        # Set the bucket's property: CDK's `enable_event_bridge_notification` would add a function and a custom resource.
        raw_resource = raw.node.default_child
        assert isinstance(raw_resource, s3.CfnBucket)  # noqa: S101 - narrows jsii's type
        raw_resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )
        admit_uploaders(self, raw=raw, key=self._key)
        prepared = self._create_bucket(
            "PreparedBucket",
            [
                Rule("expire", prefix=keys.RUNS, days=keep.prepared_days),
                Rule("labelled", prefix=keys.LABELLED, days=keep.labelled_days, tiered=True),
                Rule("erasures", prefix=keys.ERASURE_RECORDS, days=keep.erasure_days),
            ],
        )
        models = self._create_bucket(
            "ModelsBucket",
            [
                Rule(folder.rstrip("/"), prefix=folder, days=keep.models_days)
                for folder in (keys.TRAINING, keys.CHECKPOINTS, keys.EVALUATIONS)
            ],
        )
        output = self._create_bucket(
            "OutputBucket",
            [
                Rule("expire", prefix=keys.QUERY_RESULTS, days=ATHENA_RESULT_DAYS, noncurrent_days=ATHENA_NONCURRENT_DAYS),
                *(
                    Rule(folder.rstrip("/"), prefix=folder, days=keep.results_days, tiered=True)
                    for folder in keys.PUBLISHED_FOLDERS
                ),
            ],
        )
        ledger = self._create_ledger()
        topic = self._create_topic()
        database, tables = self._create_catalog(output)
        group = sagemaker.CfnModelPackageGroup(
            self,
            "ModelPackages",
            model_package_group_name=settings.prefix,
            model_package_group_description="Complaint classifiers; the newest approved version serves",
        )
        group.apply_removal_policy(self.data_removal)
        # SageMaker Models, which are in no stack, contain the ARN of this role.
        run = keys.PreparedKeys(keys.ANY_RUN)
        model_role = create_job_role(
            self,
            "ModelRole",
            key=self._key,
            log_group="TransformJobs",
            reads=[(prepared, f"{run.to_score}*"), (models, f"{keys.TRAINING}*")],
            writes=[(prepared, f"{run.scored}*")],
        )
        arrivals = create_arrivals(self, key=self._key, raw=raw)

        network = UnitNetwork(self, "Network") if settings.network.vpc_id else None

        self.outputs = Storage(
            network=network,
            key=self._key,
            raw=raw,
            prepared=prepared,
            models=models,
            output=output,
            ledger=ledger,
            topic=topic,
            arrivals=arrivals.queue,
            dead_letters=arrivals.dead_letters,
            uploaded=arrivals.rule,
            model_role=model_role,
            package_group_name=settings.prefix,
            database_name=database.ref,
            table_names=tuple(table.ref for table in tables),
        )
        if network:
            self.output("UnitSecurityGroupId", network.group_id)
        serving = {"role_arn": model_role.role_arn, "network": network.vpc_config() if network else {}}
        self.output(MODEL_SERVING, self.to_json_string(serving))
        self.output("DropPolicyArn", drop_policy(self, raw=raw, key=self._key).managed_policy_arn)
        erase = erase_policy(self, raw=raw, prepared=prepared, models=models, output=output, ledger=ledger, key=self._key)
        self.output("ErasePolicyArn", erase.managed_policy_arn)
        self.output("KeyArn", self._key.key_arn)
        promote = promote_policy(self, prepared=prepared, models=models, output=output, model_role=model_role, key=self._key)
        self.output("PromotePolicyArn", promote.managed_policy_arn)
        self.output("RawBucketName", raw.bucket_name)
        self.output("PreparedBucketName", prepared.bucket_name)
        self.output("ModelsBucketName", models.bucket_name)
        self.output("OutputBucketName", output.bucket_name)
        self.output("AccessLogBucketName", self._access_logs.bucket_name)
        self.output("LedgerTableName", ledger.table_name)
        self.output("NotificationTopicArn", topic.topic_arn)
        self.output("ArrivalsQueueUrl", arrivals.queue.queue_url)
        self.output("DeadLetterQueueUrl", arrivals.dead_letters.queue_url)
        self.output("DatabaseName", database.ref)
        self.output("ModelPackageGroupName", settings.prefix)

    def _create_key(self) -> kms.Key:
        key = kms.Key(
            self,
            "Key",
            description=f"PTMLops ({self.settings.name}): complaints, models, results, logs, messages",
            enable_key_rotation=True,
            removal_policy=self.data_removal,
        )
        # Without this grant, alarms do not reach the encrypted topic, and no error is reported.
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsToTopic",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        # Without this grant, no event reaches the encrypted queues, nor their dead-letter queue. EventBridge's guide has it without a
        # condition, and SNS's guide says that source conditions are not supported for EventBridge. CDK's own grant has one.
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="EventsToQueues",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
            )
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogGroups",
                principals=[iam.ServicePrincipal(f"logs.{self.region}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                resources=["*"],
                conditions={
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": self.format_arn(
                            service="logs",
                            resource="log-group",
                            resource_name="*",
                            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                        )
                    }
                },
            )
        )
        return key

    def _create_access_log_bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "AccessLogBucket",
            # S3 delivers server access logs only to buckets with S3-managed encryption.
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    # An expired object stays as a noncurrent version for one more day.
                    expiration=cdk.Duration.days(max(1, self.settings.retention.log_days - 1)),
                    noncurrent_version_expiration=cdk.Duration.days(1),
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
                )
            ],
            removal_policy=self.data_removal,
        )
        acknowledge(
            bucket,
            "NIST.800.53.R5-S3DefaultEncryptionKMS",
            "S3 delivers server access logs only to buckets with S3-managed encryption; the logs hold keys and callers, and no complaint",
        )
        acknowledge(bucket, "NIST.800.53.R5-S3BucketReplicationEnabled", NOT_REPLICATED)
        return bucket

    def _create_bucket(self, name: str, wanted: Sequence[Rule]) -> s3.Bucket:
        """Create a bucket. Objects of a rule are gone after its days, their old versions included.

        Buckets keep versions, so an object that expires stays as a noncurrent version. It therefore expires earlier by the days that
        noncurrent versions are kept.
        """
        keep = self.settings.retention
        rules = [
            s3.LifecycleRule(
                id="noncurrent",
                noncurrent_version_expiration=cdk.Duration.days(keep.noncurrent_days),
                expired_object_delete_marker=True,  # Spark's deletions leave many, and each listing reads them
                abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
            )
        ]
        for rule in wanted:
            noncurrent = rule.noncurrent_days or keep.noncurrent_days
            tiered = keep.tiering_days if rule.tiered else 0
            if not rule.days and not tiered:
                continue
            rules.append(
                s3.LifecycleRule(
                    id=rule.name,
                    expiration=cdk.Duration.days(rule.days - noncurrent) if rule.days else None,
                    noncurrent_version_expiration=cdk.Duration.days(noncurrent) if rule.noncurrent_days else None,
                    transitions=[
                        s3.Transition(
                            storage_class=s3.StorageClass.INTELLIGENT_TIERING, transition_after=cdk.Duration.days(tiered)
                        )
                    ]
                    if tiered
                    else None,
                    prefix=rule.prefix,
                )
            )
        bucket = s3.Bucket(
            self,
            name,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self._key,
            bucket_key_enabled=True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=True,
            server_access_logs_bucket=self._access_logs,
            server_access_logs_prefix=f"{name}/",
            lifecycle_rules=rules,
            removal_policy=self.data_removal,
        )
        acknowledge(bucket, "NIST.800.53.R5-S3BucketReplicationEnabled", NOT_REPLICATED)
        return bucket

    def _create_ledger(self) -> dynamodb.Table:
        ledger = dynamodb.Table(
            self,
            "Ledger",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self._key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute=EXPIRES_AT,
            deletion_protection=not self.settings.environment.disposable,
            removal_policy=self.data_removal,
        )
        acknowledge(
            ledger,
            "NIST.800.53.R5-DynamoDBInBackupPlan",
            "point-in-time recovery restores the table to any second of the last 35 days; a plan of AWS Backup belongs to the account",
        )
        return ledger

    def _create_topic(self) -> sns.Topic:
        # Not in the monitoring stack: a subscription, confirmed once by a person, must survive that stack's replacement.
        topic = sns.Topic(self, "Notifications", master_key=self._key, enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsMayPublish",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        for email in self.settings.alarms.emails:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

    def _create_catalog(self, output: s3.Bucket) -> tuple[glue.CfnDatabase, list[glue.CfnTable]]:
        database = glue.CfnDatabase(
            self,
            "Catalog",
            catalog_id=self.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=self.settings.prefix.replace("-", "_"),
                description="Classified complaints, written by PTMLops",
            ),
        )
        table = partial(catalog_table, self, catalog_id=self.account, database=database, bucket=output)
        predictions = table(
            "PredictionsTable",
            name="predictions",
            description="One row per classified complaint per run",
            schema=PREDICTIONS,
            formats=PARQUET,
            classification="parquet",
            prefix=keys.PREDICTIONS,
        )
        runs = table(
            "RunsTable",
            name="runs",
            description="One row per run that has ended, whatever its status",
            schema=RUNS,
            formats=JSON_LINES,
            classification="json",
            prefix=keys.RUN_HISTORY,
        )
        return database, [predictions, runs]
