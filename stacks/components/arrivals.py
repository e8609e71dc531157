"""The arrivals queue: what was uploaded and waits for a run, and what could not be handled.

The storage stack holds it, so that a file that is uploaded while the workflow stack does not exist waits in the queue.
"""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from stacks.components.common import EnvironmentStack, acknowledge

# After so many failed attempts to start a run, a message goes to the dead-letter queue, which raises an alarm.
MAX_RECEIVES = 5
# start_run takes seconds. A batch that failed comes back after six times as long, which must be well under the alarm's limit.
START_SECONDS = 60
# Lambda gathers messages for so long. The run itself collects for longer (`arrivals.window_seconds`).
GATHER_SECONDS = 1
GATHER_FILES = 500
RETENTION = cdk.Duration.days(14)  # SQS keeps no message longer


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """The queues, and the rule that fills them."""

    queue: sqs.Queue
    dead_letters: sqs.Queue
    rule: events.Rule


def run_failed_rule_name(prefix: str) -> str:
    """Return the name of the workflow stack's rule RunFailed. It is fixed, because a policy of the storage stack contains it."""
    return f"{prefix}-run-failed"


def create_arrivals(stack: EnvironmentStack, *, key: kms.IKey, raw: s3.IBucket) -> Arrivals:
    """Create the queues, and the rule that reports each new object of the raw bucket."""
    dead_letters = _create_queue(stack, "DeadLetters", key=key)
    queue = _create_queue(
        stack,
        "Arrivals",
        key=key,
        # AWS recommends six times the function's time-out plus the batching window:
        # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
        visibility=cdk.Duration.seconds(6 * START_SECONDS + GATHER_SECONDS),
        dead_letters=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=MAX_RECEIVES),
    )
    rule = events.Rule(
        stack,
        "FileDropped",
        description="A file was uploaded to the raw bucket",
        event_pattern=events.EventPattern(
            source=["aws.s3"], detail_type=["Object Created"], detail={"bucket": {"name": [raw.bucket_name]}}
        ),
        # Of the queue, the target gets a reference: for a queue with a key, CDK would let every rule of the account send to it.
        targets=[
            targets.SqsQueue(
                sqs.Queue.from_queue_arn(stack, "ArrivalsReference", queue.queue_arn), dead_letter_queue=dead_letters
            )
        ],
    )
    acknowledge(
        rule,
        "Annotation::@aws-cdk/aws-events:ruleUnresolvedEnvironment",
        "the queue behind the reference is in this stack, so in the rule's account and region",
    )
    queue.add_to_resource_policy(
        iam.PolicyStatement(
            sid="FileDroppedMaySend",
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["sqs:SendMessage"],
            resources=[queue.queue_arn],
            conditions={"ArnEquals": {"aws:SourceArn": rule.rule_arn}},
        )
    )
    # CDK would add this statement with the rule, in the workflow stack, and the two stacks would depend on each other.
    dead_letters.add_to_resource_policy(
        iam.PolicyStatement(
            sid="FailedRuns",
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["sqs:SendMessage"],
            resources=[dead_letters.queue_arn],
            conditions={
                "ArnEquals": {
                    "aws:SourceArn": stack.format_arn(
                        service="events", resource="rule", resource_name=run_failed_rule_name(stack.settings.prefix)
                    )
                }
            },
        )
    )
    return Arrivals(queue=queue, dead_letters=dead_letters, rule=rule)


def _create_queue(
    stack: EnvironmentStack,
    name: str,
    *,
    key: kms.IKey,
    visibility: cdk.Duration | None = None,
    dead_letters: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    return sqs.Queue(
        stack,
        name,
        encryption=sqs.QueueEncryption.KMS,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=RETENTION,
        visibility_timeout=visibility,
        dead_letter_queue=dead_letters,
        removal_policy=stack.data_removal,
    )
