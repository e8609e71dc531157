"""S3's "Object Created" events as EventBridge delivers them.

Moto's own differ in a field's name, repeat a sequencer, and come twice for what is sent in parts.
"""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

from local_aws.context import LocalContext

_sequence = itertools.count(1)


def install(context: LocalContext) -> None:
    """Replace moto's sender; https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html has the shape."""
    from moto.s3 import notifications

    def send(account_id: str, bucket: Any, event_name: str, key: Any) -> None:
        name = getattr(event_name, "value", event_name)
        if name == "s3:ObjectCreated:Put" and key.multipart is not None:
            return  # S3 tells once of what came in parts; moto tells of it as put, and then as complete
        moment = datetime.now(UTC)
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": notifications._detail_type(event_name),
            "source": "aws.s3",
            "account": account_id,
            "time": moment.timestamp(),  # moto's targets write it out, as they do for other events
            "region": bucket.region_name,
            "resources": [f"arn:aws:s3:::{bucket.name}"],
            "detail": {
                "version": "0",
                "bucket": {"name": bucket.name},
                "object": {
                    "key": key.name,
                    "size": key.size,
                    "etag": key.etag.strip('"'),
                    "version-id": key.version_id,
                    "sequencer": f"{int(moment.timestamp() * 1000):012X}{next(_sequence):06X}",
                },
                "request-id": uuid.uuid4().hex[:16].upper(),
                "requester": account_id,
                "source-ip-address": "127.0.0.1",
                "reason": {
                    "s3:ObjectCreated:Put": "PutObject",
                    "s3:ObjectCreated:Post": "POST Object",
                    "s3:ObjectCreated:Copy": "CopyObject",
                    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
                }.get(name, name),
            },
        }
        for bus in context.backend("events").event_buses.values():
            for rule in list(bus.rules.values()):
                rule.send_to_targets(event, transform_input=False)

    notifications._send_event_bridge_message = send
