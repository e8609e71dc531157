"""Let uploaded files join the run that collects them, and make sure that its execution runs.

Event: a batch of SQS messages. Result: the ids of malformed messages, and of those about uploads from which `ptmlops forget` erases rows at
this moment: whether such a version is a new file is known when it has ended. They return to the queue, and in the end go to the dead-letter
queue.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| dynamodb:BatchGetItem, dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem | the ledger table (TransactWriteItems requires the last two) |
| kms:Decrypt, kms:GenerateDataKey | the key of ledger and queue |
| states:StartExecution | the state machine |
| states:DescribeExecution | `arn:…:execution:<state machine>:*` |
| sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes, sqs:ChangeMessageVisibility | the arrivals queue (its event source mapping, with ReportBatchItemFailures) |

Object keys may hold people's names: they go to the ledger, never to the log or the execution's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from common.clients import Clients
from common.metrics import METRICS, emit
from common.settings import read_settings

from ptmlops_contracts.ledger import NO_RUN
from ptmlops_contracts.metrics import Metric
from start_run.arrivals import FileVersion, MalformedArrivalError, parse_arrival
from start_run.ledger import Arrivals
from start_run.runs import count_files, ensure_executes, join_runs

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

LOGGER, CLIENTS = Logger(), Clients()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The function's environment variables."""

    ledger_table: str
    ledger_days: int
    state_machine_arn: str


@LOGGER.inject_lambda_context(clear_state=True)
@METRICS.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Let the files of a batch join a run. An error fails the whole batch, which is safe to repeat."""
    settings = read_settings(Settings)
    objects, malformed = _parse(event["Records"])
    arrived = [(message, found) for message, found in objects if not found.is_passed_over]
    ledger = Arrivals(CLIENTS.dynamodb, settings.ledger_table, ledger_days=settings.ledger_days)
    # Looked up before the claims: what is not being rewritten any more has been claimed by then.
    rewritten = ledger.being_rewritten(file for _, file in arrived)
    rewritten -= ledger.claims(rewritten).keys()
    waiting = [message for message, file in arrived if file in rewritten]
    files = [file for _, file in arrived if file not in rewritten]
    runs = count_files(join_runs(files, ledger=ledger, clock=_now))
    cancelled = runs.pop(NO_RUN, 0)
    for run_id, count in runs.items():
        taker = ensure_executes(
            run_id, ledger=ledger, states=CLIENTS.states, state_machine_arn=settings.state_machine_arn, clock=_now
        )
        LOGGER.info("files are in a run", run_id=taker, files=count)
    LOGGER.info(
        "batch done",
        messages=len(event["Records"]),
        passed_over=len(objects) - len(arrived),
        cancelled=cancelled,
        malformed=len(malformed),
        waiting=len(waiting),
    )
    emit(Metric.FILES_ARRIVED, len(files))
    emit(Metric.MALFORMED_MESSAGES, len(malformed))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in (*malformed, *waiting)]}


def _now() -> datetime:
    return datetime.now(UTC)


def _parse(records: list[dict[str, Any]]) -> tuple[list[tuple[str, FileVersion]], list[str]]:
    """Return the id and the file version of each message, and the ids of malformed ones."""
    files, malformed = [], []
    for record in records:
        try:
            files.append((record["messageId"], parse_arrival(record["body"])))
        except MalformedArrivalError as error:
            LOGGER.warning("malformed message", message_id=record["messageId"], reason=str(error))
            malformed.append(record["messageId"])
    return files, malformed
