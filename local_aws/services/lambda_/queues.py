"""Event source mappings: read SQS queues for functions, as Lambda's pollers do."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from local_aws.authorization.requests import Need
from local_aws.context import LocalContext
from local_aws.services.lambda_.runner import FunctionRunner, Result


class QueuePollers:
    """One poller per event source mapping, as long as the mapping exists."""

    def __init__(self, context: LocalContext, runner: FunctionRunner, function_by_arn: Callable[[str], Any]) -> None:
        """Start none yet.

        Args:
            context: The local AWS.
            runner: Runs the functions.
            function_by_arn: Returns moto's function of an ARN.
        """
        self._context = context
        self._runner = runner
        self._function_by_arn = function_by_arn
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start a poller for each mapping, now and when mappings are created."""
        threading.Thread(target=self._supervise, name="event-sources", daemon=True).start()

    def stop(self) -> None:
        """Let all pollers end."""
        self._stopping.set()

    def _supervise(self) -> None:
        started: set[str] = set()
        while not self._stopping.wait(0.5):
            for key in set(self._mappings()) - started:
                started.add(key)
                threading.Thread(target=self._poll, args=(key,), name=f"poller-{key[:8]}", daemon=True).start()

    def _mappings(self) -> dict[str, Any]:
        return dict(self._context.backend("lambda")._event_source_mappings)

    def _poll(self, key: str) -> None:
        """Read the queue of a mapping until the mapping is deleted. A failure is printed, and polling continues."""
        while not self._stopping.wait(0.2):
            mapping = self._mappings().get(key)
            if mapping is None:
                return
            try:
                if mapping.enabled:
                    self._poll_once(mapping)
            except Exception as error:  # noqa: BLE001 - a poller outlives any single failure, as the service does
                if not self._stopping.is_set():
                    print(f"event source {key}: {error}", file=sys.stderr)  # noqa: T201 - the server's log
                self._stopping.wait(2)

    def _poll_once(self, mapping: Any) -> None:
        """Invoke the function with a batch, if the queue holds one. Failed messages stay until their visibility time-out.

        It uses the function's own role, as Lambda does: what the role may not do to the queue, the poller may not do.
        """
        name = mapping.event_source_arn.rpartition(":")[2]
        queue = self._context.backend("sqs").queues.get(name)
        if queue and not queue.messages:
            return  # a request costs more than a look, and the queue is empty most of the time
        function = self._function_by_arn(mapping.function_arn)
        context = self._context
        client = context.client("sqs", function.role, "lambda.amazonaws.com")
        url = f"{self._context.endpoint_url}/{self._context.account_id}/{name}"
        arn = mapping.event_source_arn
        context.authorizer.check_role(function.role, function.function_name, [Need("sqs:GetQueueAttributes", arn)])
        batch = self._gather(client, url, size=mapping.batch_size or 10, window=float(mapping.max_batch_window or 0))
        if not batch:
            return
        result = self._runner.run(function, self._event(mapping.event_source_arn, batch))
        failed = _failed_messages(result, mapping)
        for message in batch:
            if failed is not None and message["MessageId"] not in failed:
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _gather(self, client: Any, url: str, *, size: int, window: float) -> list[dict[str, Any]]:
        """Return up to `size` messages. After the first, wait `window` seconds for more."""
        batch: list[dict[str, Any]] = []
        deadline: float | None = None
        while len(batch) < size and not self._stopping.is_set():
            received = client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(10, size - len(batch)),
                WaitTimeSeconds=0,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            batch += received
            if not batch:
                return []
            deadline = deadline or time.monotonic() + window
            if time.monotonic() >= deadline and not received:
                break
            if not received:
                time.sleep(0.1)
        return batch

    def _event(self, queue_arn: str, batch: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message.get("Attributes", {}),
                    "messageAttributes": message.get("MessageAttributes", {}),
                    "md5OfBody": message["MD5OfBody"],
                    "eventSource": "aws:sqs",
                    "eventSourceARN": queue_arn,
                    "awsRegion": self._context.region,
                }
                for message in batch
            ]
        }


def _failed_messages(result: Result, mapping: Any) -> set[str] | None:
    """Return the ids of the messages that failed, or None if the whole batch failed."""
    if result.error:
        return None
    if "ReportBatchItemFailures" not in (mapping.function_response_types or []):
        return set()
    answer = json.loads(result.payload) or {}
    try:
        return {item["itemIdentifier"] for item in answer.get("batchItemFailures") or []}
    except (AttributeError, KeyError, TypeError):
        return None  # Lambda takes a malformed answer as a failed batch
