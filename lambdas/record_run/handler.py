"""Record how a run ended: run.json, the catalog's history, the ledger, and a notice to the subscribers.

Two callers: the last state of a run that succeeded (`{"state": ptmlops_contracts.state.StateDocument, "execution_arn", "redrives"}`),
and EventBridge's "Step Functions Execution Status Change" for FAILED, TIMED_OUT and ABORTED. Events may arrive late: one that is older
than the last redrive is ignored.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| states:DescribeExecution, states:GetExecutionHistory | `arn:…:execution:<state machine>:*` |
| s3:GetObject | runs in the prepared bucket |
| s3:ListBucket | the prepared bucket (so that a missing object is "not found" and not "access denied") |
| s3:GetObject | runs in the output bucket |
| s3:PutObject | runs and history in the output bucket |
| dynamodb:BatchGetItem, dynamodb:GetItem, dynamodb:UpdateItem | the ledger table |
| kms:Decrypt, kms:GenerateDataKey | the key of prepared, output, ledger and topic |
| sagemaker:ListTrainingJobsForHyperParameterTuningJob | `arn:…:hyper-parameter-tuning-job/*` |
| sagemaker:DescribeTrainingJob, sagemaker:DescribeProcessingJob, sagemaker:DescribeTransformJob | `arn:…:training-job/*`, `arn:…:processing-job/*`, `arn:…:transform-job/*` |
| glue:GetJobRun | both Glue jobs |
| sns:Publish | the notification topic |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from common.clients import Clients
from common.documents import find_bytes, find_json, write_json
from common.ledger import Ledger
from common.metrics import METRICS
from common.settings import read_settings
from common.slots import Slots

from ptmlops_contracts.keys import OutputKeys, PreparedKeys
from ptmlops_contracts.ledger import CANCELLED, run_key, slot_holder
from ptmlops_contracts.run import CANCELLED_ERROR, RunDocument, RunStatus
from ptmlops_contracts.run_ids import is_run_id
from record_run.costs import glue_jobs, job_costs, price_basis
from record_run.history import failure, last_document, may_be_of_a_service, read_events
from record_run.jobs import started_jobs
from record_run.ledger import cost_of_month, record_drift, record_end
from record_run.metrics import count_run
from record_run.report_costs import with_costs
from record_run.spending import end_plan, learn_throughput
from record_run.summary import files_wait_notice, notice, run_document, runs_wait

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

LOGGER, CLIENTS = Logger(), Clients()
SUBJECT_CHARACTERS = 100  # the limit of SNS


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The function's environment variables."""

    output_bucket: str
    prepared_bucket: str
    ledger_table: str
    notification_topic_arn: str
    prices: Mapping[str, Any]
    environment: str


@LOGGER.inject_lambda_context(clear_state=True)
@METRICS.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Record the run. A repeated call writes the same documents again, and sends the notice again."""
    settings = read_settings(Settings)
    succeeded = "state" in event
    arn = event["execution_arn"] if succeeded else event["detail"]["executionArn"]
    execution = CLIENTS.states.describe_execution(executionArn=arn)
    latest = execution.get("redriveCount", 0)
    # Definitions of version 0.2.0 do not pass it, and a redriven execution keeps its definition.
    redrives = int((event if succeeded else event["detail"]).get("redrives" if succeeded else "redriveCount", latest))
    if latest > redrives:
        LOGGER.info("ignored: the run was redriven since", run_id=execution["name"])
        return {"status": execution["status"]}
    run = _build_document(event, execution, settings)
    _write(run, settings)
    ledger = Ledger(CLIENTS.dynamodb, settings.ledger_table)
    left = record_end(ledger, run["run_id"], status=run["status"], redrives=redrives, finished_at=run["finished_at"])
    holders = {slot_holder(run["run_id"], count) for count in range(redrives + 1)}
    slots, now = Slots(ledger=ledger), datetime.now(UTC)
    slots.release(holders)
    retry_at = None
    if run["status"] == RunStatus.SUCCEEDED:
        slots.note_success()
    elif may_be_of_a_service(run):
        because = f"{run['error']['state']}: {run['error']['error']}"
        retry_at = slots.note_failure(run["run_id"], because=because, now=now)
    end_plan(ledger, run["run_id"])
    record_drift(ledger, run)
    learn_throughput(ledger, run, event.get("state"))
    _notify(run, settings, has_files=_has_files(ledger, run), files_waiting=left, retry_at=retry_at)
    LOGGER.info("recorded", status=run["status"])
    month = cost_of_month(ledger, run["run_id"], cost_usd=run["cost_usd"], finished_at=run["finished_at"])
    count_run(run, month_cost=month)
    return {"status": run["status"]}


def _has_files(ledger: Ledger, run: RunDocument) -> bool:
    """Return False if a person took out all files of the run."""
    if "error" not in run or run["error"]["error"] != CANCELLED_ERROR:
        return True
    item = ledger.find(run_key(run["run_id"])) or {}
    return item.get("status") != CANCELLED or bool(item.get("file_count", 1))


def _build_document(event: Mapping[str, Any], execution: Mapping[str, Any], settings: Settings) -> RunDocument:
    """Build run.json from the execution, its history, and what Prepare and Publish wrote."""
    succeeded = "state" in event
    events = read_events(CLIENTS.states, execution["executionArn"])
    state = event["state"] if succeeded else last_document(events)
    run_id = (state or {}).get("run_id") or execution["name"]
    LOGGER.append_keys(run_id=run_id)
    keys, ended = PreparedKeys(run_id), (None if succeeded else execution.get("stopDate")) or datetime.now(UTC)
    jobs = started_jobs(events, glue_jobs(settings.prices))
    run = run_document(
        run_id,
        # The execution is still running while its last state calls this function.
        RunStatus.SUCCEEDED.value if succeeded else execution["status"],
        state,
        find_json(CLIENTS.s3, settings.prepared_bucket, keys.report),
        find_json(CLIENTS.s3, settings.prepared_bucket, keys.published),
        started=execution["startDate"],
        ended=ended,
        events=events,
        jobs=job_costs(jobs, CLIENTS.sagemaker, CLIENTS.glue, settings.prices, now=datetime.now(UTC)),
        prices=price_basis(settings.prices),
    )
    if not succeeded:
        run["error"] = failure(events, execution.get("error"), execution.get("cause"))
    return run


def _write(run: RunDocument, settings: Settings) -> None:
    """Write the history, run.json, and the costs in report.html."""
    run_id, bucket = run["run_id"], settings.output_bucket
    keys = OutputKeys(run_id)
    if is_run_id(run_id):  # an execution that a person started by hand may have any name, and has no day
        write_json(CLIENTS.s3, bucket, keys.history, run)  # on one line: Athena reads one row per line
    write_json(CLIENTS.s3, bucket, keys.document, run, indent=1)
    if run["published"] and (report := find_bytes(CLIENTS.s3, bucket, keys.report_page)):  # results may have expired since
        page = with_costs(report.decode(), run)
        if page:
            CLIENTS.s3.put_object(
                Bucket=bucket, Key=keys.report_page, Body=page.encode(), ContentType="text/html; charset=utf-8"
            )


def _notify(
    run: RunDocument, settings: Settings, *, has_files: bool, files_waiting: int | None, retry_at: datetime | None
) -> None:
    subject = f"PTMLops ({settings.environment}): run {run['run_id']} {run['status'].lower()}"
    message = notice(run, output_bucket=settings.output_bucket, environment=settings.environment, has_files=has_files)
    if files_waiting is not None:
        message = files_wait_notice(run, files_waiting, environment=settings.environment)
    if retry_at:
        message += f"\n{runs_wait(retry_at)}"
    CLIENTS.sns.publish(TopicArn=settings.notification_topic_arn, Subject=subject[:SUBJECT_CHARACTERS], Message=message)
