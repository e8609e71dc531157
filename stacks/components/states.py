"""Parts of Amazon States Language that several states of a run share: retries, keys of the run, Lambda and Glue tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3

from ptmlops_contracts.keys import RUN_PLACEHOLDER, ModelKeys, PreparedKeys, s3_uri

State = dict[str, Any]

# Keys of "this run", to be filled in by States.Format.
PREPARED_KEYS, MODEL_KEYS = PreparedKeys(RUN_PLACEHOLDER), ModelKeys(RUN_PLACEHOLDER)
LAMBDA_SECONDS = 300
# Retries of errors that other work in the account causes, such as a quota in use or throttling: about a day, 15 minutes apart at most.
BUSY_ATTEMPTS, BUSY_SECONDS = 100, 900
# How long a job may wait in Glue's queue. A state's time-out counts the wait.
QUEUE_SECONDS = 24 * 3600
# The time-out of a job fires first and gives a reason. The state's ends the wait for a job that never answers.
GRACE_SECONDS = 600


def retry(*errors: str, seconds: int, attempts: int, longest: int) -> State:
    """Return a Retrier for errors that pass by themselves.

    Each wait is longer, up to `longest`, and random, because runs that collided once would collide again. With full jitter a wait is
    drawn from between 0 and the computed one: on average they last half as long as `attempts` times `longest`.
    """
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": seconds,
        "BackoffRate": 2,
        "MaxAttempts": attempts,
        "MaxDelaySeconds": longest,
        "JitterStrategy": "FULL",
    }


def busy(*errors: str) -> State:
    """Return a Retrier for errors that end when other work in the account ends: it waits for up to a day."""
    return {
        "ErrorEquals": list(errors),
        "IntervalSeconds": 30,
        "BackoffRate": 2,
        "MaxAttempts": BUSY_ATTEMPTS,
        "MaxDelaySeconds": BUSY_SECONDS,
    }


def once_more() -> State:
    """Return a Retrier for a job that was accepted and failed, for instance because an instance was lost.

    The error does not say if the service or the job is the reason. So only short jobs whose repetition has no second effect have it.
    """
    return {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 60, "MaxAttempts": 1}


def of_run(bucket: s3.IBucket, key: str, *more: str) -> str:
    """Return the intrinsic function that fills the run's id, and the values at the paths in `more`, into a key."""
    return f"States.Format('{s3_uri(bucket.bucket_name, key)}', {', '.join(('$.run_id', *more))})"


def invoke(function_arn: str, payload: Mapping[str, str], *, result_path: str, keep: Sequence[str], then: str | None) -> State:
    """Return a state that calls a function and keeps some fields of its answer.

    Args:
        function_arn: the function.
        payload: its event.
        result_path: where the state document keeps the answer.
        keep: fields of the answer.
        then: the next state, or None at the end.
    """
    return {
        "Type": "Task",
        "Resource": f"arn:{cdk.Aws.PARTITION}:states:::lambda:invoke",
        "Parameters": {"FunctionName": function_arn, "Payload": dict(payload)},
        "ResultSelector": {f"{field}.$": f"$.Payload.{field}" for field in keep},
        "ResultPath": result_path,
        "TimeoutSeconds": LAMBDA_SECONDS + 30,
        "Retry": [
            retry(
                "Lambda.ServiceException",
                "Lambda.AWSLambdaException",
                "Lambda.SdkClientException",
                "Lambda.ClientExecutionTimeoutException",
                seconds=2,
                attempts=8,
                longest=120,
            ),
            busy("Lambda.TooManyRequestsException"),
        ],
        **({"Next": then} if then else {"End": True}),
    }


def glue_job(name: str, arguments: Mapping[str, str], *, result_path: str, seconds: int, then: str) -> State:
    """Return a state that runs a Glue job and waits for it."""
    return {
        "Type": "Task",
        "Resource": f"arn:{cdk.Aws.PARTITION}:states:::glue:startJobRun.sync",
        "Parameters": {"JobName": name, "Arguments": {"--run_id.$": "$.run_id", **arguments}},
        "ResultSelector": {"JobRunId.$": "$.Id", "ExecutionTime.$": "$.ExecutionTime"},
        "ResultPath": result_path,
        "TimeoutSeconds": seconds + GRACE_SECONDS + QUEUE_SECONDS,
        "Retry": [
            # StartJobRun reports throttling as AWSGlueException.
            busy(
                "Glue.ConcurrentRunsExceededException",
                "Glue.ResourceNumberLimitExceededException",
                "Glue.ThrottlingException",
                "Glue.AWSGlueException",
            ),
            retry("Glue.InternalServiceException", "Glue.OperationTimeoutException", seconds=10, attempts=8, longest=300),
        ],
        "Next": then,
    }  # fmt: skip
