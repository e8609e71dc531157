"""The model versions of an environment: which serves, letting another one serve; and the dead letters."""

from __future__ import annotations

import json
from typing import Any

from ptmlops.target import OperatorError, Target


def versions(target: Target) -> list[dict[str, Any]]:
    """All versions, newest first; the newest approved one serves."""
    client, group = target.client("sagemaker"), target.outputs["ModelPackageGroupName"]
    found = []
    for page in client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        for summary in page["ModelPackageSummaryList"]:
            package = client.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
            metadata = package.get("CustomerMetadataProperties", {})
            found.append(
                {
                    "version": package["ModelPackageVersion"],
                    "arn": package["ModelPackageArn"],
                    "status": package["ModelApprovalStatus"],
                    "serves": False,
                    **{name: metadata.get(name, "") for name in ("macro_f1", "run_id", "reason", "evaluation_uri")},
                }
            )
    found.sort(key=lambda model: -model["version"])
    serving = next((model for model in found if model["status"] == "Approved"), None)
    if serving:
        serving["serves"] = True
    return found


def promote(target: Target, version: int) -> None:
    """Approve a version and reject the newer approved ones.

    Raises:
        OperatorError: there is no such version.
    """
    found = versions(target)
    chosen = next((model for model in found if model["version"] == version), None)
    if chosen is None:
        known = ", ".join(str(model["version"]) for model in found) or "none"
        raise OperatorError(f"there is no model version {version}; there are: {known}")
    for model in found:
        if model["version"] > version and model["status"] == "Approved":
            _set_status(target, model["arn"], "Rejected")
    _set_status(target, chosen["arn"], "Approved")


def rollback(target: Target) -> tuple[int, int | None]:
    """Reject what serves. Returns its version and the one that serves now.

    Raises:
        OperatorError: no version serves.
    """
    found = versions(target)
    serving = next((model for model in found if model["serves"]), None)
    if serving is None:
        raise OperatorError("no model version serves: there is nothing to roll back")
    _set_status(target, serving["arn"], "Rejected")
    following = next((m["version"] for m in found if m["status"] == "Approved" and m is not serving), None)
    return serving["version"], following


def _set_status(target: Target, arn: str, status: str) -> None:
    target.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)


RUN_ENDED = "Step Functions Execution Status Change"


def resend_dead_letters(target: Target) -> int:
    """Send every waiting dead letter again to where it was going: the arrivals queue, or record_run. Returns how many."""
    sqs = target.client("sqs")
    dead, arrivals = target.outputs["DeadLetterQueueUrl"], target.outputs["ArrivalsQueueUrl"]
    moved = 0
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
            moved += 1
    return moved


def _event(body: str) -> dict[str, Any]:
    """The event in a dead letter: the letter itself, or what a function was asked that failed; empty where it is neither."""
    try:
        letter = json.loads(body)
    except ValueError:
        return {}
    event = letter.get("requestPayload", letter) if isinstance(letter, dict) else {}
    return event if isinstance(event, dict) else {}
