"""The calls that AWS services make with the role of a function, a job or a state machine, besides those of its code.

Each function names the page that documents the permissions.
"""

from __future__ import annotations

from collections.abc import Iterator

from local_aws.authorization.requests import NONE, Need


def log_calls(region: str, account: str, group: str, *actions: str) -> Iterator[Need]:
    """Yield calls that concern a log group, or the streams in it."""
    for action in actions:
        yield Need(f"logs:{action}", f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:")


def function_log(region: str, account: str, group: str) -> Iterator[Need]:
    """Yield how Lambda writes a function's log: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html."""
    return log_calls(region, account, group, "CreateLogStream", "PutLogEvents")


def glue_log(region: str, account: str, group: str, *, encrypted: bool) -> Iterator[Need]:
    """Yield how Glue writes a run's log.

    With a security configuration that encrypts logs, the role gives the group the key:
    https://docs.aws.amazon.com/glue/latest/dg/set-up-encryption.html.
    """
    actions = ("CreateLogGroup", "CreateLogStream", "PutLogEvents", *(("AssociateKmsKey",) if encrypted else ()))
    return log_calls(region, account, group, *actions)


def sagemaker_job(region: str, account: str, *, log_group: str, image: str, volume_key: str | None) -> Iterator[Need]:
    """Yield how SageMaker pulls a job's image, writes its log and metrics, and encrypts its volumes.

    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html

    Args:
        region: The region of the job.
        account: Its account.
        log_group: Its log group.
        image: The URI of its image.
        volume_key: The ARN of the key of its volumes, or None.
    """
    registry, _, repository = image.partition("/")
    owner, _, _, image_region, *_ = registry.split(".")
    arn = f"arn:aws:ecr:{image_region}:{owner}:repository/{repository.partition(':')[0]}"
    yield Need("ecr:GetAuthorizationToken", NONE)
    for action in ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage"):
        yield Need(f"ecr:{action}", arn)
    yield from log_calls(region, account, log_group, "CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents")
    yield Need("cloudwatch:PutMetricData", NONE, {"cloudwatch:namespace": log_group})
    if volume_key:
        yield Need("kms:CreateGrant", volume_key, {"kms:grantisforawsresource": "true"})


# The rule that tells Step Functions that a job of each kind has ended.
# https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html
_RULES = {
    "createHyperParameterTuningJob": "Tuning",
    "createProcessingJob": "Processing",
    "createTransformJob": "Transform",
    "createTrainingJob": "Training",
}


def job_end_rule(region: str, account: str, action: str) -> Iterator[Need]:
    """Yield how Step Functions manages the rule behind a `.sync` integration of SageMaker."""
    kind = _RULES.get(action)
    if kind:
        arn = f"arn:aws:events:{region}:{account}:rule/StepFunctionsGetEventsForSageMaker{kind}JobsRule"
        for operation in ("PutRule", "PutTargets", "DescribeRule"):
            yield Need(f"events:{operation}", arn)
