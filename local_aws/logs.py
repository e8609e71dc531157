"""Write to CloudWatch Logs directly in moto's store: AWS services write logs without a role of the account."""

from __future__ import annotations

import time
from typing import Any

from local_aws.authorization.authorizer import DeniedError
from local_aws.authorization.requests import Need
from local_aws.context import LocalContext


def write_log(context: LocalContext, group: str, stream: str, lines: list[str]) -> None:
    """Append lines to a log stream. Group and stream are made if missing."""
    logs = context.backend("logs")
    if group not in logs.groups:
        logs.create_log_group(group, {})
    if stream not in logs.groups[group].streams:
        logs.create_log_stream(group, stream)
    if not _may_use_key(context, logs.groups[group]):
        return
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines if line]
    if events:
        logs.put_log_events(group, stream, events)
        for line in lines:
            context.metrics.add_logged(line)


def _may_use_key(context: LocalContext, group: Any) -> bool:
    """Return whether the policy of a group's key lets CloudWatch Logs encrypt. If not, CloudWatch Logs takes no lines.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    key = context.authorizer.stores.key(group.kms_key_id) if group.kms_key_id else None
    if key is None:
        return True
    arn = f"arn:aws:logs:{context.region}:{context.account_id}:log-group:{group.name}"
    need = Need("kms:GenerateDataKey", key.arn, {"kms:encryptioncontext:aws:logs:arn": arn})
    try:
        context.authorizer.check_service(f"logs.{context.region}.amazonaws.com", need, source_arn=arn)
    except DeniedError:  # the authorizer has printed it
        return False
    return True
