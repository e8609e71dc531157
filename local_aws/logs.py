"""Write to CloudWatch Logs directly in moto's store: AWS services write logs without a role of the account."""

from __future__ import annotations

import time

from local_aws.context import LocalContext


def write_log(context: LocalContext, group: str, stream: str, lines: list[str]) -> None:
    """Append lines to a log stream. Group and stream are made if missing."""
    logs = context.backend("logs")
    if group not in logs.groups:
        logs.create_log_group(group, {})
    if stream not in logs.groups[group].streams:
        logs.create_log_stream(group, stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines if line]
    if events:
        logs.put_log_events(group, stream, events)
