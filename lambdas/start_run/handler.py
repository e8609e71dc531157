"""Turn a batch of uploaded files into one run: claim them in the ledger, write the manifest, start the state machine.

Event: a batch of SQS messages. Result: the ids of malformed messages. They return to the queue, and in the end go to the dead-letter queue.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| dynamodb:BatchGetItem, dynamodb:GetItem, dynamodb:PutItem | the ledger table (TransactWriteItems requires PutItem) |
| s3:PutObject | the runs' folder of the prepared bucket |
| kms:Decrypt, kms:GenerateDataKey | the key of ledger, queue and prepared bucket |
| states:StartExecution | the state machine |
| sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes, sqs:ChangeMessageVisibility | the arrivals queue (its event source mapping, with ReportBatchItemFailures) |

Object keys may hold people's names: they go to the ledger and the manifest, never to the log or the execution's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from common.clients import Clients
from common.settings import read_settings

from start_run.arrivals import Arrival, MalformedArrivalError, parse_arrival
from start_run.ledger import Ledger
from start_run.runs import claim_runs, ensure_started

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

LOGGER, METRICS, CLIENTS = Logger(), Metrics(), Clients()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The function's environment variables."""

    ledger_table: str
    prepared_bucket: str
    state_machine_arn: str


@LOGGER.inject_lambda_context(clear_state=True)
@METRICS.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Start the runs of a batch. An error fails the whole batch, which is safe to repeat."""
    settings = read_settings(Settings)
    arrivals, malformed = _parse(event["Records"])
    files = [arrival for arrival in arrivals if not arrival.is_folder]
    ledger = Ledger(CLIENTS.dynamodb, settings.ledger_table)
    started = 0
    for run_id in claim_runs(files, ledger=ledger, now=datetime.now(UTC)):
        run = ledger.run(run_id)
        is_new = ensure_started(
            run,
            s3=CLIENTS.s3,
            prepared_bucket=settings.prepared_bucket,
            states=CLIENTS.states,
            state_machine_arn=settings.state_machine_arn,
        )
        started += is_new
        LOGGER.info("run started" if is_new else "run has ended already", run_id=run_id, files=len(run.files))
    folders = len(arrivals) - len(files)
    LOGGER.info("batch done", messages=len(event["Records"]), folders=folders, malformed=len(malformed))
    METRICS.add_metric(name="RunsStarted", unit=MetricUnit.Count, value=started)
    METRICS.add_metric(name="MalformedMessages", unit=MetricUnit.Count, value=len(malformed))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in malformed]}


def _parse(records: list[dict[str, Any]]) -> tuple[list[Arrival], list[str]]:
    """Return the arrivals, and the ids of malformed messages."""
    arrivals, malformed = [], []
    for record in records:
        try:
            arrivals.append(parse_arrival(record["body"]))
        except MalformedArrivalError as error:
            LOGGER.warning("malformed message", message_id=record["messageId"], reason=str(error))
            malformed.append(record["messageId"])
    return arrivals, malformed
