"""Turns a batch of dropped files into one run: claims them in the ledger, writes the manifest, starts the state machine.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| dynamodb:BatchGetItem, dynamodb:GetItem, dynamodb:PutItem | the ledger table (PutItem is what TransactWriteItems asks for) |
| s3:PutObject | `<prepared>/runs/*` |
| kms:Decrypt, kms:GenerateDataKey | the key of ledger, queue and prepared bucket |
| states:StartExecution | the state machine |
| sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes, sqs:ChangeMessageVisibility | the arrivals queue (its event source mapping, with ReportBatchItemFailures) |

Object keys may hold people's names: they go to the ledger and the manifest, never to the log or the execution's input.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import boto3
from arrivals import MalformedArrivalError, arrival_from_body
from ledger import MAX_FILES, Ledger, Run
from runs import ensure_started

if TYPE_CHECKING:
    from arrivals import Arrival
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

LOGGER = logging.getLogger("start_run")
LOGGER.setLevel(logging.INFO)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the template tells this function."""

    ledger_table: str
    prepared_bucket: str
    state_machine_arn: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Every variable is needed: a KeyError names the missing one."""
        return cls(
            ledger_table=environ["LEDGER_TABLE"],
            prepared_bucket=environ["PREPARED_BUCKET"],
            state_machine_arn=environ["STATE_MACHINE_ARN"],
        )
