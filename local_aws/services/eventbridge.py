"""EventBridge: delivery to targets whose policy allows it, to Lambda functions as well, and S3 events with the fields of AWS's events.

moto's S3 events differ in a field's name and repeat a sequencer. For an object that is uploaded in parts, moto sends two.
"""

from __future__ import annotations

import copy
import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

from local_aws import patching
from local_aws.authorization.authorizer import DeniedError
from local_aws.authorization.requests import Need
from local_aws.context import LocalContext
from local_aws.services.base import Service
from local_aws.services.lambda_.service import LambdaService

# EventBridge's `reason` for each of S3's event names.
_REASONS = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
}
# What EventBridge does with a target of each service, if the target's policy allows it.
_DELIVERIES = {"sqs": "sqs:SendMessage", "lambda": "lambda:InvokeFunction", "sns": "sns:Publish"}


class EventBridgeService(Service):
    """EventBridge: events go to rules, and from rules to Lambda functions."""

    def __init__(self, context: LocalContext, functions: LambdaService) -> None:
        super().__init__(context)
        self._functions = functions
        self._sequence = itertools.count(1)

    def send(self, *, source: str, detail_type: str, resource: str, detail: dict[str, Any], region: str | None = None) -> None:
        """Send a service's event to all rules. They decide which targets receive it."""
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self.context.account_id,
            "time": datetime.now(UTC).timestamp(),  # moto's targets write it as text, as they do for other events
            "region": region or self.context.region,
            "resources": [resource],
            "detail": detail,
        }
        for bus in self.context.backend("events").event_buses.values():
            for rule in list(bus.rules.values()):
                rule.send_to_targets(copy.deepcopy(event), transform_input=False)

    def install(self) -> None:
        """Let rules call functions, and replace moto's S3 events."""
        from moto.events.models import Rule
        from moto.s3 import notifications

        context = self.context

        @patching.extend(Rule, "send_to_targets")
        def send_to_targets(moto_send: Any, self: Any, original_event: Any, transform_input: bool = True) -> None:
            if self.state != "ENABLED" or not self.event_pattern.matches_event(original_event):
                return
            for target in list(self.targets):
                arn = target["Arn"]
                if not may_deliver(self.arn, arn):
                    context.metrics.add("AWS/Events", "FailedInvocations", 1, RuleName=self.name)
                    queue = target.get("DeadLetterConfig", {}).get("Arn", "")
                    if not queue or not may_deliver(self.arn, queue):
                        continue
                    arn = queue
                if ":lambda:" in arn:
                    call_function(arn, original_event)
                else:
                    rule = object.__new__(Rule)
                    rule.__dict__.update(self.__dict__, targets=[{**target, "Arn": arn}])
                    moto_send(rule, original_event, transform_input)

        def may_deliver(rule_arn: str, target_arn: str) -> bool:
            """Return whether the target's policy lets EventBridge deliver events of a rule."""
            action = _DELIVERIES.get(target_arn.split(":")[2])
            if action is None:
                return True
            try:
                need = Need(action, target_arn)
                self.context.authorizer.check_service("events.amazonaws.com", need, source_arn=rule_arn)
            except DeniedError:  # the authorizer has printed it
                return False
            return True

        def call_function(arn: str, original_event: Any) -> None:
            event = dict(original_event)
            if isinstance(event.get("time"), int | float):
                event["time"] = datetime.fromtimestamp(event["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._functions.run_later(self._functions.function_by_arn(arn), event)

        @patching.replace(notifications, "_send_event_bridge_message")
        def send_event_bridge_message(account_id: str, bucket: Any, event_name: Any, key: Any) -> None:
            name = getattr(event_name, "value", event_name)
            if name == "s3:ObjectCreated:Put" and key.multipart is not None:
                return  # S3 sends one event for an object in parts. moto sends one of the kind Put before the complete one.
            self.send(
                source="aws.s3",
                detail_type=notifications._detail_type(event_name),
                resource=f"arn:aws:s3:::{bucket.name}",
                detail=self._object_detail(name, bucket, key),
                region=bucket.region_name,
            )

    def _object_detail(self, name: str, bucket: Any, key: Any) -> dict[str, Any]:
        """Return the detail of https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html."""
        return {
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": {
                "key": key.name,
                "size": key.size,
                "etag": key.etag.strip('"'),
                "version-id": key.version_id,
                "sequencer": f"{int(datetime.now(UTC).timestamp() * 1000):012X}{next(self._sequence):06X}",
            },
            "request-id": uuid.uuid4().hex[:16].upper(),
            "requester": self.context.account_id,
            "source-ip-address": "127.0.0.1",
            "reason": _REASONS.get(name, name),
        }
