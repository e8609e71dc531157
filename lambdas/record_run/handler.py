"""Writes down how a run ended: run.json, the ledger, and one notice to the subscribers.

Called in two ways: by the last state of a run that succeeded (`{"state": <the state document>, "execution_arn", "started_at"}`)
and by EventBridge's "Step Functions Execution Status Change" for FAILED, TIMED_OUT and ABORTED.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| states:DescribeExecution, states:GetExecutionHistory | `arn:…:execution:<state machine>:*` |
| s3:GetObject | `<prepared>/runs/*` |
| s3:ListBucket | the prepared bucket (so that a missing object is "not found" and not "access denied") |
| s3:PutObject | `<output>/runs/*` |
| dynamodb:GetItem, dynamodb:UpdateItem | the ledger table |
| kms:Decrypt, kms:GenerateDataKey | the key of prepared, output, ledger and topic |
| glue:GetJobRun | the Prepare and Publish jobs |
| sagemaker:ListTrainingJobsForHyperParameterTuningJob | `arn:…:hyper-parameter-tuning-job/*` |
| sagemaker:DescribeTrainingJob, sagemaker:DescribeProcessingJob, sagemaker:DescribeTransformJob | `arn:…:training-job/*`, `arn:…:processing-job/*`, `arn:…:transform-job/*` |
| sns:Publish | the notification topic |
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

LOGGER = logging.getLogger("record_run")
LOGGER.setLevel(logging.INFO)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the template tells this function."""

    output_bucket: str
    prepared_bucket: str
    ledger_table: str
    notification_topic_arn: str
    prices: Mapping[str, Any]
    environment: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Every variable is needed: a KeyError names the missing one."""
        return cls(
            output_bucket=environ["OUTPUT_BUCKET"],
            prepared_bucket=environ["PREPARED_BUCKET"],
            ledger_table=environ["LEDGER_TABLE"],
            notification_topic_arn=environ["NOTIFICATION_TOPIC_ARN"],
            prices=json.loads(environ["PRICES"]),
            environment=environ["ENVIRONMENT"],
        )
