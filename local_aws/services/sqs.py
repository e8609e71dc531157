"""SQS: queues of thousands of messages.

moto counts all messages of a queue three times for each message that is sent or received, and asks for the time at each. A burst of ten
thousand uploads would take hours.
"""

from __future__ import annotations

from typing import Any

from local_aws import patching
from local_aws.services.base import Service


class SqsService(Service):
    """Counts the messages of a queue at one moment, and only where somebody asks for the counts."""

    def install(self) -> None:
        """Replace moto's counts."""
        from moto.core.utils import unix_time, unix_time_millis
        from moto.sqs.models import Queue, SQSBackend

        def visible_now(queue: Any) -> list[Any]:
            now = unix_time_millis()
            return [message for message in queue._messages if message.visible_at < now and message.delayed_until <= now]

        def delayed(queue: Any) -> int:
            now = unix_time_millis()
            return sum(now < message.delayed_until for message in queue._messages)

        def not_visible(queue: Any) -> int:
            now = unix_time_millis()
            return sum(now <= message.visible_at for message in queue._messages)

        patching.set_value(Queue, "messages", property(visible_now))
        patching.set_value(Queue, "approximate_number_of_messages_delayed", property(delayed))
        patching.set_value(Queue, "approximate_number_of_messages_not_visible", property(not_visible))

        @patching.replace(SQSBackend, "is_message_valid_based_on_retention_period")
        def is_kept(self_: Any, queue_name: str, message: Any) -> bool:
            return bool(self_.get_queue(queue_name).message_retention_period + message.sent_timestamp / 1000 > unix_time())
