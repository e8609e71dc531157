"""The metrics of SQS: messages sent, and each minute how many wait and how old the oldest is.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from local_aws import patching
from local_aws.context import LocalContext

NAMESPACE = "AWS/SQS"
SAMPLE_SECONDS = 60


class QueueMetrics:
    """Emits the metrics of all queues. A queue that stays empty emits none, as an inactive queue does on AWS."""

    def __init__(self, context: LocalContext) -> None:
        self._context = context
        self._emitted: dict[str, tuple[datetime, int]] = {}

    def install(self) -> None:
        """Count the messages that are sent."""
        from moto.sqs.models import Queue

        @patching.extend(Queue, "add_message")
        def add_message(moto_add: Any, self_: Any, message: Any) -> None:
            self._context.metrics.add(NAMESPACE, "NumberOfMessagesSent", 1, QueueName=self_.name)
            moto_add(self_, message)

    def sample(self) -> None:
        """Emit what waits: each minute, and when the number of messages has changed."""
        now = self._context.metrics.clock.now()
        for queue in list(self._context.backend("sqs").queues.values()):
            present = list(queue._messages)
            moment, count = self._emitted.get(queue.name, (datetime.min.replace(tzinfo=UTC), 0))
            is_due = abs((now - moment).total_seconds()) >= SAMPLE_SECONDS and present
            if len(present) != count or is_due:
                self._emitted[queue.name] = (now, len(present))
                self._emit(queue, present, now)

    def _emit(self, queue: Any, present: list[Any], now: datetime) -> None:
        metrics = self._context.metrics
        visible = sum(message.visible and not message.delayed for message in present)
        oldest = min((message.sent_timestamp for message in present), default=now.timestamp() * 1000)
        age = max(now.timestamp() - oldest / 1000, 0.0)
        metrics.add(NAMESPACE, "ApproximateNumberOfMessagesVisible", visible, QueueName=queue.name)
        metrics.add(NAMESPACE, "ApproximateNumberOfMessagesNotVisible", len(present) - visible, QueueName=queue.name)
        metrics.add(NAMESPACE, "ApproximateAgeOfOldestMessage", age, "Seconds", QueueName=queue.name)
