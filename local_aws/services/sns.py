"""SNS: keep what topics deliver, so that a person can read it. No mail is sent.

Each line of `notices.jsonl` in the server's folder is a notice. `ptmlops notices --local` shows them.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from local_aws import patching
from local_aws.context import LocalContext
from local_aws.paths import NOTICES
from local_aws.services.base import Service


class SnsService(Service):
    """The deliveries of one local AWS."""

    def __init__(self, context: LocalContext) -> None:
        super().__init__(context)
        self._lock = threading.Lock()

    def install(self) -> None:
        """Keep each message with its subscribers."""
        from moto.sns.models import Topic

        @patching.extend(Topic, "publish")
        def publish(
            moto_publish: Any,
            self_: Any,
            message: str,
            subject: str | None = None,
            message_attributes: Any = None,
            group_id: str | None = None,
            deduplication_id: str | None = None,
            message_structure: str | None = None,
        ) -> str:
            message_id: str = moto_publish(
                self_, message, subject, message_attributes, group_id, deduplication_id, message_structure
            )
            subscriptions, _ = self_.sns_backend.list_subscriptions_by_topic(topic_arn=self_.arn)
            notice = {
                "timestamp": self.context.metrics.clock.now().isoformat(timespec="milliseconds"),
                "topic": self_.arn,
                "recipients": [f"{one.protocol}:{one.endpoint}" for one in subscriptions],
                "subject": subject,
                "message": message,
            }
            with self._lock, (self.context.folder / NOTICES).open("a", encoding="utf-8") as file:
                file.write(json.dumps(notice, ensure_ascii=False) + "\n")
            return message_id
