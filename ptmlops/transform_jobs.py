"""Run one Batch Transform job to its end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ptmlops.errors import OperatorError
from ptmlops.target import Target

POLL_SECONDS = 1
RUNNING = ("InProgress", "Stopping")


def run_job(target: Target, request: Mapping[str, Any]) -> None:
    """Create a transform job, and wait for its end.

    Raises:
        OperatorError: the job did not complete.
    """
    sagemaker, name = target.client("sagemaker"), request["TransformJobName"]
    sagemaker.create_transform_job(**request)
    while (ended := sagemaker.describe_transform_job(TransformJobName=name))["TransformJobStatus"] in RUNNING:
        time.sleep(POLL_SECONDS)
    if ended["TransformJobStatus"] != "Completed":
        reason = ended.get("FailureReason", ended["TransformJobStatus"])
        raise OperatorError(f"transform job {name} did not complete: {reason}. Repair the cause, and use the command again")
