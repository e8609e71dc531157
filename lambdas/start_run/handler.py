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
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import boto3
from arrivals import Arrival, MalformedArrivalError, arrival_from_body
from ledger import Ledger
from runs import ensure_started, runs_for

if TYPE_CHECKING:
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


@dataclass(frozen=True, kw_only=True)
class Clients:
    """AWS, made once per process."""

    dynamodb: DynamoDBClient
    s3: S3Client
    states: SFNClient


@cache
def _clients() -> Clients:
    return Clients(dynamodb=boto3.client("dynamodb"), s3=boto3.client("s3"), states=boto3.client("stepfunctions"))


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """A batch of SQS messages. Answers with the messages that are not understood: they come back, and end in the
    dead-letter queue. Any other error fails the whole batch, which is safe to repeat."""
    settings, clients = Settings.from_environ(os.environ), _clients()
    arrivals: list[Arrival] = []
    failures = []
    for record in event["Records"]:
        try:
            arrivals.append(arrival_from_body(record["body"]))
        except MalformedArrivalError as error:
            LOGGER.warning("message not understood", extra={"message_id": record["messageId"], "reason": str(error)})
            failures.append({"itemIdentifier": record["messageId"]})

    files = [arrival for arrival in arrivals if not arrival.is_folder]
    ledger = Ledger(clients.dynamodb, settings.ledger_table)
    for run_id in runs_for(files, ledger=ledger, now=datetime.now(UTC)):
        run = ledger.run(run_id)
        started = ensure_started(
            run,
            s3=clients.s3,
            prepared_bucket=settings.prepared_bucket,
            states=clients.states,
            state_machine_arn=settings.state_machine_arn,
        )
        message = "run started" if started else "run has ended already"
        LOGGER.info(message, extra={"run_id": run_id, "files": len(run.files)})
    LOGGER.info(
        "batch done",
        extra={"messages": len(event["Records"]), "folders": len(arrivals) - len(files), "failed": len(failures)},
    )
    return {"batchItemFailures": failures}
