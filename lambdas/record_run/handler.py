"""Writes down how a run ended: run.json, the ledger, and one notice to the subscribers.

Called in two ways: by the last state of a run that succeeded (`{"state": <the state document>, "execution_arn", "started_at"}`)
and by EventBridge's "Step Functions Execution Status Change" for FAILED, TIMED_OUT and ABORTED.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| states:DescribeExecution, states:GetExecutionHistory | `arn:…:execution:<state machine>:*` |
| s3:GetObject | `<prepared>/runs/*` |
| s3:ListBucket | the prepared bucket (so that a missing object is "not found" and not "access denied") |
| s3:PutObject | `<output>/runs/*`, `<output>/run_history/*` |
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
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.exceptions import ClientError
from costs import run_costs
from history import failure, last_document, read_events, state_seconds

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

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


@dataclass(frozen=True, kw_only=True)
class Clients:
    """AWS, made once per process."""

    dynamodb: DynamoDBClient
    s3: S3Client
    sagemaker: SageMakerClient
    sns: SNSClient
    states: SFNClient


@cache
def _clients() -> Clients:
    return Clients(
        dynamodb=boto3.client("dynamodb"),
        s3=boto3.client("s3"),
        sagemaker=boto3.client("sagemaker"),
        sns=boto3.client("sns"),
        states=boto3.client("stepfunctions"),
    )


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Write the run down. Repeating it writes the same again, and one more notice at the worst."""
    settings, clients = Settings.from_environ(os.environ), _clients()
    arn = event["execution_arn"] if "execution_arn" in event else event["detail"]["executionArn"]
    execution = clients.states.describe_execution(executionArn=arn)
    events = read_events(clients.states, arn)
    document: dict[str, Any] = event.get("state") or last_document(events)
    run_id = document.get("run_id") or execution["name"]
    status = "SUCCEEDED" if "state" in event else str(execution["status"])
    ended = datetime.now(UTC) if "state" in event else execution.get("stopDate") or datetime.now(UTC)
    report = _read(clients.s3, settings.prepared_bucket, f"runs/{run_id}/report.json")
    published = _read(clients.s3, settings.prepared_bucket, f"runs/{run_id}/publish.json")
    run = _run_document(run_id, status, document, report, published)
    run["started_at"], run["finished_at"] = _iso(execution["startDate"]), _iso(ended)
    run["seconds"] = round((ended - execution["startDate"]).total_seconds(), 1)
    run["states"] = state_seconds(events)
    run["cost"] = run_costs(document, clients.sagemaker, settings.prices)
    run["cost_usd"] = round(sum(cost for cost in run["cost"].values() if cost), 4)
    if status != "SUCCEEDED":
        run["error"] = failure(events, execution.get("error"), execution.get("cause"))
    _put_json(clients.s3, settings.output_bucket, history_key(run_id), run, indent=None)
    # Last of the run's files: who finds it finds all the others.
    _put_json(clients.s3, settings.output_bucket, f"runs/run_id={run_id}/run.json", run, indent=1)
    clients.dynamodb.update_item(
        TableName=settings.ledger_table,
        Key={"pk": {"S": f"RUN#{run_id}"}},
        UpdateExpression="SET #status = :status, finished_at = :finished",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": {"S": status}, ":finished": {"S": run["finished_at"]}},
    )
    clients.sns.publish(
        TopicArn=settings.notification_topic_arn,
        Subject=f"PTMLops ({settings.environment}): run {run_id} {status.lower()}"[:100],
        Message=_notice(run, settings),
    )
    LOGGER.info("recorded", extra={"run_id": run_id, "status": status})
    return {"status": status}


def history_key(run_id: str) -> str:
    """Where the catalog's `runs` table finds the run: by its day, as the predictions are, from the id that begins with it."""
    return f"run_history/run_date={run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}/{run_id}.json"


def _put_json(client: S3Client, bucket: str, key: str, body: Mapping[str, Any], *, indent: int | None) -> None:
    """Indented for people; on one line for Athena, whose JSON reader takes a line for a row."""
    text = json.dumps(body, ensure_ascii=False, indent=indent)
    client.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")


def _run_document(
    run_id: str,
    status: str,
    document: Mapping[str, Any],
    report: Mapping[str, Any] | None,
    published: Mapping[str, Any] | None,
) -> dict[str, Any]:
    plan = document.get("plan") or {}
    champion, promotion = plan.get("champion") or {}, plan.get("promotion") or {}
    return {
        "run_id": run_id,
        "status": status,
        "rows": (report or {}).get("rows", {"read": 0, "accepted": 0, "rejected": 0, "duplicates": 0}),
        "rejects": (report or {}).get("rejects", {}),
        "files": len((report or {}).get("files", [])),
        "model": _model(champion),
        "trained": "training" in document,
        "promoted": bool(promotion.get("promoted", False)),
        "promotion": {"decision": promotion.get("decision", "none"), "reasons": promotion.get("reasons", [])},
        # Publish leaves its counts after everything else: without them what lies in the output bucket may be a part.
        "published": published is not None,
        "scored": (published or {}).get("scored", 0),
        "needs_review": (published or {}).get("needs_review", 0),
        "not_answered": (published or {}).get("not_answered", 0),
        "versions": (report or {}).get("versions", {}),
    }


def _model(champion: Mapping[str, Any]) -> dict[str, Any]:
    """The model in use at the run's end. States carry the version as text, "none" where there is no model."""
    version = str(champion.get("version", "none"))
    if version == "none":
        return {"version": None, "macro_f1": None}
    return {"version": int(version), "macro_f1": champion.get("macro_f1")}


def _notice(run: Mapping[str, Any], settings: Settings) -> str:
    """What, how many, how long, how much, where; counts and ids only."""
    rows = run["rows"]
    lines = [
        f"Run {run['run_id']} {run['status'].lower()} after {run['seconds']:.0f} s; about USD {run['cost_usd']:.2f}.",
        f"Rows: {rows['read']} read, {rows['accepted']} accepted, {rows['rejected']} rejected, {rows['duplicates']} duplicates.",
    ]
    if run["scored"]:
        lines.append(f"{run['scored']} complaints classified; {run['needs_review']} wait for a person.")
    if run["not_answered"]:
        lines.append(f"{run['not_answered']} complaints got no answer; they are first in the review list.")
    if run["trained"]:
        lines.append(f"A model was trained: {run['promotion']['decision']} ({'; '.join(run['promotion']['reasons'])}).")
    home = f"s3://{settings.output_bucket}/runs/run_id={run['run_id']}/"
    if "error" in run:
        # Not the job's own words: those stay where only who may read the results sees them.
        lines.append(f"{run['error']['state']} failed: {run['error']['error']}. What it said: {home}run.json")
        if not run["published"]:
            lines.append("No results were published. Repair the cause, then redrive the run, or drop the repaired file.")
    else:
        lines.append(f"Fetch the results with: ptmlops results {run['run_id']} --environment {settings.environment} --out DIR")
        lines.append(f"Results: {home}")
    return "\n".join(lines)


def _read(client: S3Client, bucket: str, key: str) -> dict[str, Any] | None:
    """A JSON object, or None where the run did not get so far."""
    try:
        body: dict[str, Any] = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    return body


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
