"""Wait for files and for a free slot, then close the run: no file joins any more, and the manifest is written.

The first state of a run calls it again and again, after a wait, until it answers `ready`.

Event: `{"run_id", "redrives", "state_machine_arn"}`. Answer: `ptmlops_contracts.state.Collected`.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| dynamodb:BatchGetItem, dynamodb:GetItem, dynamodb:UpdateItem | the ledger table |
| s3:PutObject | manifests in the runs' folder of the prepared bucket |
| kms:Decrypt, kms:GenerateDataKey | the key of ledger and prepared bucket |
| states:DescribeExecution | `arn:…:execution:<state machine>:*` |

Object keys may hold people's names: they go to the manifest, never to the log or the state document.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from common.clients import Clients
from common.documents import write_json
from common.ledger import Ledger
from common.metrics import METRICS, emit
from common.settings import read_settings
from common.slots import Slots

from collect_run.collecting import Window, collect, manifest
from ptmlops_contracts.keys import PreparedKeys
from ptmlops_contracts.metrics import Metric
from ptmlops_contracts.state import Collected

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

LOGGER, CLIENTS = Logger(), Clients()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The function's environment variables."""

    ledger_table: str
    prepared_bucket: str
    window_seconds: int
    max_wait_seconds: int
    max_running: int
    large_megabytes: int


@LOGGER.inject_lambda_context(clear_state=True)
@METRICS.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> Collected:
    """Close the run if it may start, or say how long to wait. Safe to repeat.

    Raises:
        SupersededError, CancelledError, UnknownRunError, ExecutionEndedError: the run cannot start; the text says why.
    """
    settings, run_id, now = read_settings(Settings), event["run_id"], datetime.now(UTC)
    LOGGER.append_keys(run_id=run_id)
    ledger = Ledger(CLIENTS.dynamodb, settings.ledger_table)
    collected = collect(
        run_id,
        redrives=event["redrives"],
        ledger=ledger,
        slots=Slots(ledger=ledger, most=settings.max_running),
        is_executing=partial(_is_executing, event["state_machine_arn"]),
        window=Window(quiet_seconds=settings.window_seconds, longest_seconds=settings.max_wait_seconds),
        large_bytes=settings.large_megabytes * 1_000_000,
        now=now,
    )
    run = ledger.run(run_id)
    if run and not run.cancelled_at:
        emit(Metric.OLDEST_FILE_AGE, (now - run.opened_at).total_seconds())
    if not collected["ready"]:
        LOGGER.info("waiting", seconds=collected["wait_seconds"], files=collected["files"])
        return collected
    document = manifest(ledger, run_id)
    write_json(CLIENTS.s3, settings.prepared_bucket, PreparedKeys(run_id).manifest, document)
    collected["files"] = len(document["files"])
    collected["bytes"] = sum(file["size"] for file in document["files"])
    LOGGER.info("run starts", files=collected["files"], bytes=collected["bytes"])
    emit(Metric.FILES_PER_RUN, collected["files"])
    return collected


def _is_executing(state_machine_arn: str, run_id: str, redrives: int) -> bool:
    arn = f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{run_id}"
    try:
        execution = CLIENTS.states.describe_execution(executionArn=arn)
    except CLIENTS.states.exceptions.ExecutionDoesNotExist:
        return False
    return execution["status"] == "RUNNING" and execution.get("redriveCount", 0) == redrives
