"""The five Lambda functions of a run. Each role may do what the docstring of its handler lists."""

from __future__ import annotations

import json
from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

from ptmlops_contracts.keys import ANY_RUN, COMPLETE, EVALUATIONS, RUN_HISTORY, RUNS, TRAINING, TRAINING_CODE, PreparedKeys
from stacks.components.arrivals import GATHER_FILES, GATHER_SECONDS, START_SECONDS
from stacks.components.common import EnvironmentStack, acknowledge, allow, pass_role
from stacks.components.run_prices import run_prices
from stacks.components.search_space import tuning_space
from stacks.components.states import LAMBDA_SECONDS
from stacks.components.unit_function import UnitFunction, functions_code
from stacks.modeling_stack import Modeling
from stacks.preparation_stack import Jobs
from stacks.storage_stack import Storage

READ_BUCKET = ["s3:ListBucket"]


class RunFunctions:
    """Creates the functions in a stack, with one code asset for all."""

    def __init__(self, stack: EnvironmentStack, *, storage: Storage, modeling: Modeling) -> None:
        self._stack, self._storage, self._modeling = stack, storage, modeling
        self._code = functions_code(stack)

    def create_start(self, arrivals: sqs.Queue, machine: sfn.StateMachine) -> UnitFunction:
        """Create start_run, which reads the arrivals queue."""
        storage = self._storage
        start = self._function(
            "StartRun",
            package="start_run",
            description="Lets uploaded files join the run that collects them",
            environment={
                "LEDGER_TABLE": storage.ledger.table_name,
                "LEDGER_DAYS": str(self._stack.settings.retention.ledger_days),
                "STATE_MACHINE_ARN": machine.state_machine_arn,
            },
            seconds=START_SECONDS,
        )
        allow(
            start.role,
            "Join",
            ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            [storage.ledger.table_arn],
        )
        allow(start.role, "Start", ["states:StartExecution"], [machine.state_machine_arn])
        allow(
            start.role,
            "Executions",
            ["states:DescribeExecution"],
            [
                self._stack.format_arn(
                    service="states",
                    resource="execution",
                    resource_name=f"{machine.state_machine_name}:*",
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
        )
        allow(
            start.role,
            "Receive",
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"],
            [arrivals.queue_arn],
        )
        lambda_.EventSourceMapping(
            self._stack,
            "ArrivalsToStartRun",
            target=start.function,
            event_source_arn=arrivals.queue_arn,
            batch_size=GATHER_FILES,
            max_batching_window=cdk.Duration.seconds(GATHER_SECONDS),
            report_batch_item_failures=True,
            max_concurrency=2,
        ).node.add_dependency(start.role)
        return start

    def create_collect(self) -> UnitFunction:
        """Create collect_run."""
        storage, arrivals = self._storage, self._stack.settings.arrivals
        collect = self._function(
            "CollectRun",
            package="collect_run",
            description="Waits for files and for a free slot, then closes the run",
            environment={
                "LEDGER_TABLE": storage.ledger.table_name,
                "PREPARED_BUCKET": storage.prepared.bucket_name,
                **{name.upper(): str(value) for name, value in arrivals.model_dump().items()},
            },
        )
        allow(
            collect.role,
            "Close",
            ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"],
            [storage.ledger.table_arn],
        )
        manifests = storage.prepared.arn_for_objects(PreparedKeys(ANY_RUN).manifest)
        allow(collect.role, "Manifest", ["s3:PutObject"], [manifests])
        return collect

    def create_plan(self) -> UnitFunction:
        """Create plan_run."""
        storage, modeling, training = self._storage, self._modeling, self._stack.settings.training
        plan = self._function(
            "PlanRun",
            package="plan_run",
            description="Decides whether a run trains, scores, or both, and with which champion",
            environment={
                "PREPARED_BUCKET": storage.prepared.bucket_name,
                "RAW_BUCKET": storage.raw.bucket_name,
                "MODEL_PACKAGE_GROUP": self._storage.package_group_name,
                "TRAINING_CODE": self._stack.to_json_string(
                    {"uri": modeling.code_uri, "sha256": modeling.code_sha256, "source": modeling.code_source}
                ),
                "MIN_LABELLED_ROWS": str(training.min_labelled_rows),
                "MIN_NEW_ROWS": str(training.min_new_rows),
                "ON_DRIFT": training.on_drift,
                "TARGET_PRECISION": str(training.target_precision),
                "MAX_RECALL_DROP": str(self._stack.settings.promotion.max_recall_drop),
                "SEED": str(training.seed),
                "MODEL_ROLE_ARN": storage.model_role.role_arn,
                "MODEL_NETWORK": self._stack.to_json_string(storage.network.vpc_config() if storage.network else {}),
                "LEDGER_TABLE": storage.ledger.table_name,
                "PRICES": json.dumps(run_prices(self._stack.settings), sort_keys=True),
                "RUN_LIMIT_USD": str(self._stack.settings.costs.run_limit_usd),
                "MONTH_LIMIT_USD": str(self._stack.settings.costs.month_limit_usd),
                "TUNING_SPACE": json.dumps(tuning_space(self._stack.settings), sort_keys=True),
            },
        )
        places = [
            storage.prepared.arn_for_objects(f"{RUNS}*"),
            storage.prepared.arn_for_objects(f"{COMPLETE}*"),
        ]
        allow(plan.role, "Files", ["s3:GetObject", "s3:PutObject"], places)
        allow(plan.role, "TrainingCode", ["s3:GetObject"], [storage.models.arn_for_objects(TRAINING_CODE)])
        allow(plan.role, "List", READ_BUCKET, [storage.models.bucket_arn, storage.prepared.bucket_arn])
        allow(
            plan.role,
            "Costs",
            ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"],
            [storage.ledger.table_arn],
        )
        self._allow_registry_reads(plan.role)
        self._allow_models(plan.role)
        allow(
            plan.role,
            "LastTuning",
            ["sagemaker:DescribeHyperParameterTuningJob"],
            # Without a condition on tags: the last job may have been deleted, and that would be `access denied`.
            [self._stack.sagemaker_job_arn("hyper-parameter-tuning-job")],
        )
        return plan

    def create_promote(self) -> UnitFunction:
        """Create promote_model."""
        storage, modeling = self._storage, self._modeling
        group = storage.package_group_name
        promote = self._function(
            "PromoteModel",
            package="promote_model",
            description="The gate: registers a candidate as approved, pending or rejected",
            environment={
                "MODEL_PACKAGE_GROUP": group,
                "MODELS_BUCKET": storage.models.bucket_name,
                "PREPARED_BUCKET": storage.prepared.bucket_name,
                "INFERENCE_IMAGE": modeling.image_uri,
                "MODEL_ROLE_ARN": storage.model_role.role_arn,
                "MODEL_NETWORK": self._stack.to_json_string(storage.network.vpc_config() if storage.network else {}),
                "SCORING_INSTANCE": self._stack.settings.compute.scoring_instance,
                "PROMOTION_POLICY": self._stack.settings.promotion.model_dump_json(),
                "CODE_VERSION": modeling.code_version,
                "NOTIFICATION_TOPIC_ARN": storage.topic.topic_arn,
            },
        )
        role = promote.role
        evaluations, runs = (
            storage.models.arn_for_objects(f"{EVALUATIONS}*"),
            storage.prepared.arn_for_objects(f"{RUNS}*"),
        )
        allow(role, "Files", ["s3:GetObject", "s3:PutObject"], [evaluations, runs])
        allow(role, "List", READ_BUCKET, [storage.models.bucket_arn, storage.prepared.bucket_arn])
        self._allow_registry_reads(role)
        allow(
            role,
            "Register",
            ["sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage"],
            [
                self._stack.sagemaker_arn("model-package", f"{group}/*"),
                self._stack.sagemaker_arn("model-package-group", group),
            ],
        )
        allow(role, "RegisterKey", ["kms:DescribeKey"], [storage.key.key_arn])
        allow(
            role,
            "Lineage",
            ["sagemaker:DescribeTrainingJob"],
            [self._stack.sagemaker_job_arn("training-job")],
            self._stack.own_jobs,
        )
        self._allow_models(role)
        allow(
            role,
            "Grant",
            ["kms:CreateGrant"],
            [storage.key.key_arn],
            {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        )
        allow(role, "Notify", ["sns:Publish"], [storage.topic.topic_arn])
        return promote

    def create_record(self, jobs: Jobs) -> UnitFunction:
        """Create record_run."""
        storage = self._storage
        names = {"prepare_job": jobs.prepare_name, "publish_job": jobs.publish_name}
        prices = {**run_prices(self._stack.settings), **names}
        record = self._function(
            "RecordRun",
            package="record_run",
            description="Records how a run ended and notifies the subscribers",
            environment={
                "OUTPUT_BUCKET": storage.output.bucket_name,
                "PREPARED_BUCKET": storage.prepared.bucket_name,
                "LEDGER_TABLE": storage.ledger.table_name,
                "NOTIFICATION_TOPIC_ARN": storage.topic.topic_arn,
                "PRICES": json.dumps(prices, sort_keys=True),
                "ENVIRONMENT": self._stack.settings.name,
            },
        )
        role = record.role
        facts = [storage.prepared.arn_for_objects(f"{RUNS}*"), storage.output.arn_for_objects(f"{RUNS}*")]
        allow(role, "Facts", ["s3:GetObject"], facts)
        allow(role, "List", READ_BUCKET, [storage.prepared.bucket_arn])
        allow(
            role,
            "Results",
            ["s3:PutObject"],
            [storage.output.arn_for_objects(f"{prefix}*") for prefix in (RUNS, RUN_HISTORY)],
        )
        allow(role, "Ledger", ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"], [storage.ledger.table_arn])
        # Without a condition on tags: a job that somebody deleted has none, and would be `access denied` instead of `not found`.
        allow(
            role,
            "Trials",
            ["sagemaker:ListTrainingJobsForHyperParameterTuningJob"],
            [self._stack.sagemaker_job_arn("hyper-parameter-tuning-job")],
        )
        for kind in ("Training", "Processing", "Transform"):
            job = self._stack.sagemaker_job_arn(f"{kind.lower()}-job")
            allow(role, f"{kind}Jobs", [f"sagemaker:Describe{kind}Job"], [job])
        allow(role, "JobRuns", ["glue:GetJobRun"], [jobs.prepare_arn, jobs.publish_arn])
        allow(role, "Notify", ["sns:Publish"], [storage.topic.topic_arn])
        return record

    def _function(
        self,
        name: str,
        *,
        package: str,
        description: str,
        environment: Mapping[str, str],
        seconds: int = LAMBDA_SECONDS,
    ) -> UnitFunction:
        function = UnitFunction(
            self._stack,
            name,
            package=package,
            code=self._code,
            description=description,
            key=self._storage.key,
            environment=environment,
            timeout=cdk.Duration.seconds(seconds),
        )
        acknowledge(
            function.role,
            "AwsSolutions-IAM5",
            "objects under fixed prefixes of our own buckets; executions, packages and jobs of our own whose names are made "
            "per run; ListModelPackages and X-Ray's actions take no resource",
        )
        return function

    def _allow_models(self, role: iam.Role) -> None:
        """Let a role make SageMaker Models: the service looks at artifact and image in the caller's name."""
        storage = self._storage
        allow(
            role,
            "Models",
            ["sagemaker:CreateModel", "sagemaker:DescribeModel"],
            [self._stack.sagemaker_arn("model", f"{storage.package_group_name}-v*")],
        )
        allow(role, "Artifact", ["s3:GetObject"], [storage.models.arn_for_objects(f"{TRAINING}*")])
        allow(
            role,
            "Image",
            ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability", "ecr:DescribeImages"],
            [self._modeling.repository_arn],
        )
        pass_role(role, storage.model_role, "sagemaker.amazonaws.com")

    def _allow_registry_reads(self, role: iam.Role) -> None:
        allow(role, "Registry", ["sagemaker:ListModelPackages"], ["*"])
        allow(
            role,
            "Packages",
            ["sagemaker:DescribeModelPackage"],
            [self._stack.sagemaker_arn("model-package", f"{self._storage.package_group_name}/*")],
        )
