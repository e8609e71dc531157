"""The way of a run: arrivals queue, the four Lambdas, the state machine, and the rule that records what failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from ptmlops_contracts.keys import COMPLETE, EVALUATIONS, RUN_HISTORY, RUNS, TRAINING
from stacks.components.code_assets import ROOT, powertools_wheels, zip_archive
from stacks.components.common import EnvironmentStack, acknowledge, allow, pass_role
from stacks.components.prices import GLUE_DPU_HOUR, instance_price
from stacks.components.run_definition import LAMBDA_SECONDS, run_definition, tuning_space
from stacks.components.unit_function import UnitFunction
from stacks.config import Settings
from stacks.modeling_stack import Modeling
from stacks.preparation_stack import Jobs
from stacks.storage_stack import Storage

# A file whose run could not be started is tried this often before a person is called.
MAX_RECEIVES = 5
READ_BUCKET = ["s3:ListBucket"]
FUNCTIONS = ("start_run", "plan_run", "promote_model", "record_run")  # packages of lambdas/


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """What the alarms watch."""

    state_machine: sfn.IStateMachine
    arrivals: sqs.IQueue
    dead_letters: sqs.IQueue
    functions: Mapping[str, lambda_.Function]
    rules: Mapping[str, events.Rule]


class WorkflowStack(EnvironmentStack):
    """Everything that happens between a dropped file and a recorded run."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        env: cdk.Environment,
        storage: Storage,
        jobs: Jobs,
        modeling: Modeling,
    ) -> None:
        super().__init__(scope, construct_id, settings=settings, env=env)
        self._storage, self._jobs, self._modeling = storage, jobs, modeling
        self._code = zip_archive(
            self,
            "Code",
            folder=ROOT / "lambdas",
            packages=(*FUNCTIONS, "common"),
            wheels=powertools_wheels() if settings.compute.bundle_powertools else [],
        )
        acknowledge(
            self._code,
            "Annotation::@aws-cdk/aws-lambda:codeFromBucketObjectVersionNotSpecified",
            "the key is the hash of the content: other code has another key",
        )
        dead_letters = self._create_queue("DeadLetters", retention=cdk.Duration.days(14))
        arrivals = self._create_queue(
            "Arrivals",
            retention=cdk.Duration.days(14),
            # Six times the function's time-out plus the window is what Lambda asks of a queue that it reads.
            visibility=cdk.Duration.seconds(6 * LAMBDA_SECONDS + settings.arrivals.window_seconds),
            dead_letters=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=MAX_RECEIVES),
        )
        dropped = events.Rule(
            self,
            "FileDropped",
            description="A file was dropped in the raw bucket",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={"bucket": {"name": [storage.raw.bucket_name]}},
            ),
            targets=[targets.SqsQueue(arrivals, dead_letter_queue=dead_letters)],
        )

        plan, promote, record = self._create_plan(), self._create_promote(), self._create_record()
        machine = self._create_state_machine(plan=plan, promote=promote, record=record)
        start = self._create_start(arrivals, machine)
        failed = self._record_failures(machine, record, dead_letters)

        self.outputs = Workflow(
            state_machine=machine,
            arrivals=arrivals,
            dead_letters=dead_letters,
            functions={
                "start_run": start.function,
                "plan_run": plan.function,
                "promote_model": promote.function,
                "record_run": record.function,
            },
            rules={"FileDropped": dropped, "RunFailed": failed},
        )
        self.output("StateMachineArn", machine.state_machine_arn)
        self.output("ArrivalsQueueUrl", arrivals.queue_url)
        self.output("DeadLetterQueueUrl", dead_letters.queue_url)
        self.output("StartRunFunctionName", start.function.function_name)
        self.output("RecordRunFunctionName", record.function.function_name)

    def _create_queue(
        self,
        name: str,
        *,
        retention: cdk.Duration,
        visibility: cdk.Duration | None = None,
        dead_letters: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            name,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=self._storage.key,
            enforce_ssl=True,
            retention_period=retention,
            visibility_timeout=visibility,
            dead_letter_queue=dead_letters,
        )
        if dead_letters is None:
            acknowledge(queue, "AwsSolutions-SQS3", "this is the dead-letter queue")
        return queue

    def _function(self, name: str, *, package: str, description: str, environment: Mapping[str, str]) -> UnitFunction:
        function = UnitFunction(
            self,
            name,
            package=package,
            code=self._code,
            description=description,
            key=self._storage.key,
            environment=environment,
            timeout=cdk.Duration.seconds(LAMBDA_SECONDS),
        )
        acknowledge(
            function.role,
            "AwsSolutions-IAM5",
            "objects under fixed prefixes of our own buckets; executions, packages and jobs of our own whose names are made "
            "per run; ListModelPackages and X-Ray's actions take no resource",
        )
        return function

    def _sagemaker_arn(self, kind: str, name: str) -> str:
        return self.format_arn(service="sagemaker", resource=kind, resource_name=name)

    def _create_start(self, arrivals: sqs.Queue, machine: sfn.StateMachine) -> UnitFunction:
        storage, batching = self._storage, self.settings.arrivals
        start = self._function(
            "StartRun",
            package="start_run",
            description="Turns a batch of dropped files into one run",
            environment={
                "LEDGER_TABLE": storage.ledger.table_name,
                "PREPARED_BUCKET": storage.prepared.bucket_name,
                "STATE_MACHINE_ARN": machine.state_machine_arn,
            },
        )
        allow(
            start.role,
            "Claim",
            ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"],
            [storage.ledger.table_arn],
        )
        allow(start.role, "Manifest", ["s3:PutObject"], [storage.prepared.arn_for_objects(f"{RUNS}*")])
        allow(start.role, "Start", ["states:StartExecution"], [machine.state_machine_arn])
        allow(
            start.role,
            "Receive",
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"],
            [arrivals.queue_arn],
        )
        lambda_.EventSourceMapping(
            self,
            "ArrivalsToStartRun",
            target=start.function,
            event_source_arn=arrivals.queue_arn,
            batch_size=batching.max_files,
            max_batching_window=cdk.Duration.seconds(batching.window_seconds),
            report_batch_item_failures=True,
            max_concurrency=2,
        ).node.add_dependency(start.role)
        return start

    def _create_plan(self) -> UnitFunction:
        storage, training = self._storage, self.settings.training
        plan = self._function(
            "PlanRun",
            package="plan_run",
            description="Decides whether a run trains, scores, or both, and with which champion",
            environment={
                "PREPARED_BUCKET": storage.prepared.bucket_name,
                "RAW_BUCKET": storage.raw.bucket_name,
                "MODEL_PACKAGE_GROUP": self._storage.package_group_name,
                "MIN_LABELLED_ROWS": str(training.min_labelled_rows),
                "MIN_NEW_ROWS": str(training.min_new_rows),
                "TARGET_PRECISION": str(training.target_precision),
                "MAX_RECALL_DROP": str(self.settings.promotion.max_recall_drop),
                "SEED": str(training.seed),
                "TUNING_SPACE": json.dumps(tuning_space(self.settings), sort_keys=True),
            },
        )
        places = [
            storage.prepared.arn_for_objects(f"{RUNS}*"),
            storage.prepared.arn_for_objects(f"{COMPLETE}*"),
        ]
        allow(plan.role, "Files", ["s3:GetObject", "s3:PutObject"], places)
        allow(plan.role, "List", READ_BUCKET, [storage.prepared.bucket_arn])
        self._allow_registry_reads(plan.role)
        allow(
            plan.role,
            "LastTuning",
            ["sagemaker:DescribeHyperParameterTuningJob"],
            [self._sagemaker_arn("hyper-parameter-tuning-job", "*")],
        )
        return plan

    def _allow_registry_reads(self, role: iam.Role) -> None:
        allow(role, "Registry", ["sagemaker:ListModelPackages"], ["*"])
        allow(
            role,
            "Packages",
            ["sagemaker:DescribeModelPackage"],
            [self._sagemaker_arn("model-package", f"{self._storage.package_group_name}/*")],
        )

    def _create_promote(self) -> UnitFunction:
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
                "MODEL_ROLE_ARN": modeling.model_role.role_arn,
                "SCORING_INSTANCE": self.settings.compute.scoring_instance,
                "PROMOTION_POLICY": self.settings.promotion.model_dump_json(),
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
        allow(role, "Artifact", ["s3:GetObject"], [storage.models.arn_for_objects(f"{TRAINING}*")])
        allow(role, "List", READ_BUCKET, [storage.models.bucket_arn, storage.prepared.bucket_arn])
        self._allow_registry_reads(role)
        allow(
            role,
            "Register",
            ["sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage"],
            [
                self._sagemaker_arn("model-package", f"{group}/*"),
                self._sagemaker_arn("model-package-group", group),
            ],
        )
        allow(role, "Lineage", ["sagemaker:DescribeTrainingJob"], [self._sagemaker_arn("training-job", "*")])
        allow(
            role,
            "Models",
            ["sagemaker:CreateModel", "sagemaker:DescribeModel"],
            [self._sagemaker_arn("model", f"{group}-v*")],
        )
        allow(
            role,
            "Grant",
            ["kms:CreateGrant"],
            [storage.key.key_arn],
            {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        )
        allow(
            role,
            "Image",
            [
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchCheckLayerAvailability",
                "ecr:DescribeImages",
            ],
            [modeling.repository_arn],
        )
        allow(role, "Notify", ["sns:Publish"], [storage.topic.topic_arn])
        pass_role(role, modeling.model_role, "sagemaker.amazonaws.com")
        return promote

    def _create_record(self) -> UnitFunction:
        storage, compute = self._storage, self.settings.compute
        dpus = compute.prepare_workers * {"G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}[compute.prepare_worker]
        used = {compute.training_instance, compute.evaluation_instance, compute.scoring_instance}
        prices = {
            "glue_dpu_hour": GLUE_DPU_HOUR,
            "glue_prepare_dpus": dpus,
            "glue_publish_dpus": dpus,
            "instances": {name: instance_price(name) for name in sorted(used)},
            "training_instance": compute.training_instance,
            "evaluation_instance": compute.evaluation_instance,
            "scoring_instance": compute.scoring_instance,
            "scoring_instances": compute.scoring_instances,
        }
        record = self._function(
            "RecordRun",
            package="record_run",
            description="Writes down how a run ended and tells the subscribers",
            environment={
                "OUTPUT_BUCKET": storage.output.bucket_name,
                "PREPARED_BUCKET": storage.prepared.bucket_name,
                "LEDGER_TABLE": storage.ledger.table_name,
                "NOTIFICATION_TOPIC_ARN": storage.topic.topic_arn,
                "PRICES": json.dumps(prices, sort_keys=True),
                "ENVIRONMENT": self.settings.name,
            },
        )
        role = record.role
        allow(role, "Facts", ["s3:GetObject"], [storage.prepared.arn_for_objects(f"{RUNS}*")])
        allow(role, "List", READ_BUCKET, [storage.prepared.bucket_arn])
        allow(
            role,
            "Results",
            ["s3:PutObject"],
            [storage.output.arn_for_objects(f"{prefix}*") for prefix in (RUNS, RUN_HISTORY)],
        )
        allow(role, "Ledger", ["dynamodb:UpdateItem"], [storage.ledger.table_arn])
        allow(
            role,
            "Trials",
            ["sagemaker:ListTrainingJobsForHyperParameterTuningJob"],
            [self._sagemaker_arn("hyper-parameter-tuning-job", "*")],
        )
        allow(
            role,
            "Jobs",
            ["sagemaker:DescribeTrainingJob", "sagemaker:DescribeProcessingJob", "sagemaker:DescribeTransformJob"],
            [self._sagemaker_arn(f"{kind}-job", "*") for kind in ("training", "processing", "transform")],
        )
        allow(role, "Notify", ["sns:Publish"], [storage.topic.topic_arn])
        return record

    def _create_state_machine(self, *, plan: UnitFunction, promote: UnitFunction, record: UnitFunction) -> sfn.StateMachine:
        role = iam.Role(
            self,
            "StateMachineRole",
            assumed_by=iam.ServicePrincipal(
                "states.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
        )
        allow(
            role,
            "Invoke",
            ["lambda:InvokeFunction"],
            [unit.function.function_arn for unit in (plan, promote, record)],
        )
        allow(
            role,
            "Glue",
            ["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"],
            [self._jobs.prepare_arn, self._jobs.publish_arn],
        )
        for title, kind, name in (
            ("HyperParameterTuningJob", "hyper-parameter-tuning-job", "Tuning"),
            ("ProcessingJob", "processing-job", "Processing"),
            ("TransformJob", "transform-job", "Transform"),
        ):
            actions = [f"sagemaker:{verb}{title}" for verb in ("Create", "Describe", "Stop")]
            allow(role, name, [*actions, "sagemaker:ListTags", "sagemaker:AddTags"], [self._sagemaker_arn(kind, "*")])
        # How Step Functions learns that a job ended: rules that it manages under fixed names.
        allow(
            role,
            "JobEvents",
            ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
            [
                self.format_arn(
                    service="events",
                    resource="rule",
                    resource_name=f"StepFunctionsGetEventsForSageMaker{kind}JobsRule",
                )
                for kind in ("Tuning", "Processing", "Transform")
            ],
        )
        for passed in (self._modeling.training_role, self._modeling.evaluation_role):
            pass_role(role, passed, "sagemaker.amazonaws.com")
        allow(role, "Key", ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"], [self._storage.key.key_arn])

        definition = run_definition(
            settings=self.settings,
            storage=self._storage,
            jobs=self._jobs,
            modeling=self._modeling,
            plan_arn=plan.function.function_arn,
            promote_arn=promote.function.function_arn,
            record_arn=record.function.function_arn,
        )
        machine = sfn.StateMachine(
            self,
            "Run",
            comment="From dropped complaint files to published predictions",
            definition_body=sfn.DefinitionBody.from_string(self.to_json_string(definition)),
            role=role,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                # AWS delivers these logs only to groups under this prefix without running into a policy size limit.
                # The end of the stack's id is in the name: a retained group would be in the way of a stack that is made again.
                destination=self.log_group(
                    self,
                    "RunLogs",
                    key=self._storage.key,
                    name=f"/aws/vendedlogs/states/{self.settings.prefix}/{cdk.Fn.select(2, cdk.Fn.split('/', self.stack_id))}",
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=False,
            ),
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5",
            "jobs are named per run, so their ARNs end in a wildcard; log delivery and X-Ray take no resource",
        )
        return machine

    def _record_failures(self, machine: sfn.StateMachine, record: UnitFunction, dead_letters: sqs.Queue) -> events.Rule:
        # Not a Catch: the Fail state behind it would be what a redrive repeats, and it would miss time-outs and aborts
        # (docs/decisions/0001-failures-are-recorded-by-event.md).
        rule = events.Rule(
            self,
            "RunFailed",
            description="A run ended without success",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [machine.state_machine_arn],
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                },
            ),
            targets=[targets.LambdaFunction(record.function, retry_attempts=8, dead_letter_queue=dead_letters)],
        )
        # The rule's queue is for what could not be delivered; what was, and made the function fail three times, is Lambda's to keep.
        record.function.configure_async_invoke(on_failure=destinations.SqsDestination(dead_letters), retry_attempts=2)
        allow(record.role, "NotRecorded", ["sqs:SendMessage"], [dead_letters.queue_arn])
        # A policy of its own: in the role's own one, function, role and state machine would wait for each other.
        history = iam.Policy(self, "ReadExecutions", roles=[record.role])
        history.add_statements(
            iam.PolicyStatement(
                sid="History",
                actions=["states:DescribeExecution", "states:GetExecutionHistory"],
                resources=[
                    self.format_arn(
                        service="states",
                        resource="execution",
                        resource_name=f"{machine.state_machine_name}:*",
                        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                    )
                ],
            )
        )
        acknowledge(history, "AwsSolutions-IAM5", "executions of our own state machine, named per run")
        return rule
