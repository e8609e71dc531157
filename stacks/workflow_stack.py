"""Queue uploaded files, start runs from the queue, and run the state machine: the path of a file through the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.components.common import EnvironmentStack, acknowledge
from stacks.components.run_functions import GATHER_SECONDS, START_SECONDS, RunFunctions
from stacks.components.run_machine import allow_execution_reads, create_state_machine, record_failures
from stacks.config import Settings
from stacks.modeling_stack import Modeling
from stacks.preparation_stack import Jobs
from stacks.storage_stack import Storage

# After so many failed attempts to start a run, a message goes to the dead-letter queue, which raises an alarm.
MAX_RECEIVES = 5


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """Resources that the monitoring stack watches."""

    state_machine: sfn.IStateMachine
    arrivals: sqs.IQueue
    dead_letters: sqs.IQueue
    functions: Mapping[str, lambda_.Function]
    rules: Mapping[str, events.Rule]


class WorkflowStack(EnvironmentStack):
    """Everything between an uploaded file and a recorded run."""

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
        self._key = storage.key
        functions = RunFunctions(self, storage=storage, modeling=modeling)
        dead_letters = self._create_queue("DeadLetters", retention=cdk.Duration.days(14))
        arrivals = self._create_queue(
            "Arrivals",
            retention=cdk.Duration.days(14),
            # AWS recommends six times the function's time-out plus the batching window:
            # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
            visibility=cdk.Duration.seconds(6 * START_SECONDS + GATHER_SECONDS),
            dead_letters=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=MAX_RECEIVES),
        )
        uploaded = events.Rule(
            self,
            "FileDropped",
            description="A file was uploaded to the raw bucket",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={"bucket": {"name": [storage.raw.bucket_name]}},
            ),
            targets=[targets.SqsQueue(arrivals, dead_letter_queue=dead_letters)],
        )

        collect, plan = functions.create_collect(), functions.create_plan()
        promote, record = functions.create_promote(), functions.create_record(jobs)
        machine = create_state_machine(
            self,
            storage=storage,
            jobs=jobs,
            modeling=modeling,
            collect=collect,
            plan=plan,
            promote=promote,
            record=record,
        )
        allow_execution_reads(self, machine, collect=collect, record=record)
        start = functions.create_start(arrivals, machine)
        failed = record_failures(self, machine, record, dead_letters)

        self.outputs = Workflow(
            state_machine=machine,
            arrivals=arrivals,
            dead_letters=dead_letters,
            functions={
                "start_run": start.function,
                "collect_run": collect.function,
                "plan_run": plan.function,
                "promote_model": promote.function,
                "record_run": record.function,
            },
            rules={"FileDropped": uploaded, "RunFailed": failed},
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
            encryption_master_key=self._key,
            enforce_ssl=True,
            retention_period=retention,
            visibility_timeout=visibility,
            dead_letter_queue=dead_letters,
        )
        if dead_letters is None:
            acknowledge(queue, "AwsSolutions-SQS3", "this is the dead-letter queue")
        return queue
