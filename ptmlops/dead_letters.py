"""Send dead letters again, each to where it was going when it failed."""

from __future__ import annotations

import json
from typing import Any

from ptmlops.target import Target

RUN_ENDED = "Step Functions Execution Status Change"


def resend(target: Target) -> int:
    """Send every dead letter again. Returns how many.

    The end of a run goes to the record_run function, everything else to the arrivals queue.
    """
    sqs = target.client("sqs")
    dead, arrivals = target.outputs["DeadLetterQueueUrl"], target.outputs["ArrivalsQueueUrl"]
    count = 0
    while messages := sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
        for message in messages:
            event = _event(message["Body"])
            if event.get("detail-type") == RUN_ENDED:
                target.client("lambda").invoke(
                    FunctionName=target.outputs["RecordRunFunctionName"], InvocationType="Event", Payload=json.dumps(event)
                )
            else:
                sqs.send_message(QueueUrl=arrivals, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
            count += 1
    return count


def _event(body: str) -> dict[str, Any]:
    """Return the event of a dead letter, which EventBridge sends as it is and Lambda wraps; empty if it is not JSON."""
    try:
        letter = json.loads(body)
    except ValueError:
        return {}
    event = letter.get("requestPayload", letter) if isinstance(letter, dict) else {}
    return event if isinstance(event, dict) else {}
