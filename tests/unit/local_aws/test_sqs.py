"""Queues count their messages as SQS does, whatever replaces moto's counts."""

from __future__ import annotations

import time

from tests.unit.local_aws.conftest import Sandbox


def test_messages_are_counted_as_waiting_in_flight_or_delayed(sandbox: Sandbox) -> None:
    sqs = sandbox.client("sqs")
    url = sqs.create_queue(QueueName=sandbox.name("queue"), Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    for number in range(5):
        sqs.send_message(QueueUrl=url, MessageBody=str(number), DelaySeconds=2 if number == 4 else 0)

    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=3)["Messages"]
    assert [message["Body"] for message in received] == ["0", "1", "2"]
    assert _counts(sqs, url) == (1, 3, 1)

    sqs.delete_message(QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=received[1]["ReceiptHandle"], VisibilityTimeout=0)
    deadline = time.monotonic() + 20
    while _counts(sqs, url) != (3, 1, 0):  # the second came back, and the delay of the last has passed
        assert time.monotonic() < deadline, _counts(sqs, url)
        time.sleep(0.1)
    again = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert {message["Body"] for message in again} == {"1", "3", "4"}


def _counts(sqs: object, url: str) -> tuple[int, int, int]:
    """Return how many messages wait, are in flight and are delayed."""
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]  # type: ignore[attr-defined]
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
    waiting, in_flight, delayed = (int(found[name]) for name in names)
    return waiting, in_flight, delayed
