"""Decide what a run does after Prepare: train, score, both or neither, and with which champion.

Event: `{"state": ptmlops_contracts.state.StateDocument}`. Answer: `ptmlops_contracts.state.Planned`.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| s3:GetObject, s3:PutObject | the prepared bucket's runs, and markers of complete labelled rows |
| s3:GetObject | the code of training in the models bucket: it is compared with the deployed one |
| s3:ListBucket | the prepared bucket (also so that a missing object is "not found" and not "access denied") |
| kms:Decrypt, kms:GenerateDataKey | the key of the prepared bucket and the ledger |
| sagemaker:ListModelPackages | `*` (the action takes no resource) |
| sagemaker:DescribeModelPackage | `arn:…:model-package/<group>/*` |
| sagemaker:CreateModel, sagemaker:DescribeModel | `arn:…:model/<group>-v*` |
| iam:PassRole to sagemaker.amazonaws.com | MODEL_ROLE_ARN |
| s3:GetObject, s3:ListBucket | trained models, the models bucket: the champion's artifact is compared with its pin, and CreateModel looks at it as the caller |
| ecr:BatchGetImage, ecr:GetDownloadUrlForLayer, ecr:BatchCheckLayerAvailability, ecr:DescribeImages | the image's repository, as above |
| dynamodb:BatchGetItem, dynamodb:GetItem, dynamodb:UpdateItem | the ledger table |
| sagemaker:DescribeHyperParameterTuningJob | `arn:…:hyper-parameter-tuning-job/*` (jobs are named by run) |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from common.clients import Clients
from common.documents import read_json, write_json
from common.learned_runs import find_learned_runs
from common.ledger import Ledger
from common.metrics import METRICS, emit
from common.pinned_artifact import check_artifact
from common.served_model import ensure_model
from common.settings import read_settings

from plan_run.decision import RunCounts, decide
from plan_run.labelled_store import complete_runs, mark_complete, of_version, split_keys
from plan_run.limits import Limits, check_limits
from plan_run.registry import Registry, parent_tuning_job, read_registry
from plan_run.training_code import check_training_code
from ptmlops_contracts.estimate import Workload
from ptmlops_contracts.keys import PreparedKeys, s3_uri, training_rows_manifest
from ptmlops_contracts.ledger import DRIFT_KEY
from ptmlops_contracts.metrics import Metric
from ptmlops_contracts.report import SPLITS, Report
from ptmlops_contracts.state import (
    ATTEMPTS,
    NONE,
    EvaluationRequest,
    Planned,
    PlannedRows,
    StateDocument,
    champion_entry,
    champion_sha256,
    trained_by,
)

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

LOGGER, CLIENTS = Logger(), Clients()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The function's environment variables."""

    prepared_bucket: str
    raw_bucket: str
    model_package_group: str
    training_code: Mapping[str, str]
    min_labelled_rows: int
    min_new_rows: int
    on_drift: str
    target_precision: float
    max_recall_drop: float
    seed: int
    model_role_arn: str
    model_network: Mapping[str, Sequence[str]]
    tuning_space: Mapping[str, Any] | None
    ledger_table: str
    prices: Mapping[str, Any]
    run_limit_usd: float
    month_limit_usd: float


@LOGGER.inject_lambda_context(clear_state=True)
@METRICS.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> Planned:
    """Decide, and write what the decision needs: the marker, the manifests, request.json. Safe to repeat.

    Raises:
        ArtifactReplacedError: the champion's artifact was replaced or deleted after it was registered.
        NoChampionError: rows are to be scored, there is no champion, and none can be trained.
        CodeReplacedError: the run is to train, and the code of training is not the deployed one.
        CostLimitError: the run would cost more than the settings allow.
        ModelMismatchError: the champion's SageMaker Model has another role or artifact.
    """
    settings, state = read_settings(Settings), event["state"]
    LOGGER.append_keys(run_id=state["run_id"])
    plan = _plan(state, settings)
    LOGGER.info(
        "planned", train=plan["train"], score=plan["score"], reason=plan["reason"], champion=plan["champion"]["version"]
    )
    emit(Metric.COMPLAINTS_TO_SCORE, plan["rows"]["to_score"])
    emit(Metric.LABELLED_ROWS, plan["rows"]["labelled_new"])
    return plan


def _plan(state: StateDocument, settings: Settings) -> Planned:
    run_id, bucket = state["run_id"], settings.prepared_bucket
    keys = PreparedKeys(run_id)
    report: Report = read_json(CLIENTS.s3, bucket, keys.report)
    # The run's labelled rows include rows of earlier runs, those of labels that were rare until this run. They do not include rows that
    # an earlier run has with the same label.
    repeated = report.get("labelled_repeated", {})
    labelled = {
        split: report["labelled"].get(split, 0) + report["labelled_earlier"].get(split, 0) - repeated.get(split, 0)
        for split in SPLITS
    }
    version = int(report.get("versions", {}).get("redaction", 1))
    mark_complete(
        CLIENTS.s3,
        bucket=bucket,
        run_id=run_id,
        rows=labelled,
        redaction_version=version,
        unfamiliar=report.get("unfamiliar_labels", []),
    )
    runs, left_out = of_version(complete_runs(CLIENTS.s3, bucket=bucket), version)
    registry = read_registry(CLIENTS.sagemaker, settings.model_package_group)
    emit(Metric.MODELS_WAITING, registry.waiting)
    ledger = Ledger(CLIENTS.dynamodb, settings.ledger_table)
    counts = RunCounts(
        new=labelled,
        repeated=sum(repeated.values()),
        waiting=_not_trained_from({run: mark for run, mark in runs.items() if run != run_id}, registry, bucket),
        totals={split: sum(rows[split] for rows in runs.values()) for split in SPLITS},
        to_score=report["to_score"],
        has_champion=registry.champion is not None,
        pending=registry.pending,
        erased=_erased_since(runs, registry),
        drifted=settings.on_drift == "retrain" and _has_drifted(ledger, registry),
    )
    decision = decide(
        counts,
        run_id=run_id,
        min_labelled_rows=settings.min_labelled_rows,
        min_new_rows=settings.min_new_rows,
        raw_bucket=settings.raw_bucket,
    )
    work = Workload(
        rows=report["rows"]["read"],
        to_score=counts.to_score if decision.score else 0,
        labelled=sum(counts.totals.values()) if decision.train else 0,
        trials=int(settings.prices["trials"]),
    )
    limits = Limits(run_usd=settings.run_limit_usd, month_usd=settings.month_limit_usd)
    rest = check_limits(state, work, limits, ledger, settings.prices, now=datetime.now(UTC))
    LOGGER.info("estimated", cost=rest.describe())
    for split in SPLITS:
        parts = split_keys(CLIENTS.s3, bucket=bucket, split=split, runs=runs)
        write_json(CLIENTS.s3, bucket, keys.split_manifest(split), training_rows_manifest(bucket, parts))
    champion = champion_entry(
        registry.champion,
        request_uri=s3_uri(bucket, keys.plan),
        role_arn=settings.model_role_arn,
        network=settings.model_network,
    )
    note = check_artifact(CLIENTS.s3, registry.champion) if registry.champion and (decision.score or decision.train) else None
    if note:
        LOGGER.info("not compared", note=note)
    if decision.train:
        check_training_code(CLIENTS.s3, settings.training_code)
    if decision.score and registry.champion:
        # Models are in no stack: somebody may have deleted this one, or its role was made again.
        ensure_model(
            CLIENTS.sagemaker,
            package=registry.champion,
            role_arn=settings.model_role_arn,
            network=settings.model_network,
        )
    request = EvaluationRequest(
        run_id=run_id,
        champion_version=champion["version"],
        champion_sha256=champion_sha256(registry.champion),
        champion_runs=find_learned_runs(CLIENTS.s3, bucket, trained_by(registry.champion), runs),
        target_precision=settings.target_precision,
        max_recall_drop=settings.max_recall_drop,
        seed=settings.seed,
        unfamiliar=[labels for mark in runs.values() for labels in mark.get("unfamiliar", [])],
    )
    write_json(CLIENTS.s3, bucket, keys.request, request)
    parent = parent_tuning_job(CLIENTS.sagemaker, registry, settings.tuning_space) if decision.train else NONE
    return Planned(
        train=decision.train,
        score=decision.score,
        reason=decision.reason,
        rows=_rows(counts, left_out),
        manifests={split: s3_uri(bucket, keys.split_manifest(split)) for split in SPLITS},
        request_uri=s3_uri(bucket, keys.plan),
        champion=champion,
        parent_tuning_job=parent,
        attempt=ATTEMPTS[0],
    )


def _not_trained_from(runs: Mapping[str, Mapping[str, Any]], registry: Registry, bucket: str) -> int:
    """Count the labelled rows of the runs that the newest version has not learned from. A version of no run tells nothing: none count."""
    trained = trained_by(registry.newest)
    if registry.newest and trained == NONE:
        return 0
    learned = {*find_learned_runs(CLIENTS.s3, bucket, trained, runs)}
    return sum(mark[split] for run, mark in runs.items() if run not in learned for split in SPLITS)


def _erased_since(runs: Mapping[str, Mapping[str, Any]], registry: Registry) -> bool:
    """Return True if `ptmlops forget` erased learned rows after the newest version was registered."""
    if registry.newest is None:
        return False
    registered = registry.newest.get("CreationTime")
    return registered is not None and any(
        datetime.fromisoformat(mark["erased_at"]) > registered for mark in runs.values() if "erased_at" in mark
    )


def _has_drifted(ledger: Ledger, registry: Registry) -> bool:
    """Return True if the complaints that the champion answered last had drifted."""
    found = ledger.find(DRIFT_KEY) if registry.champion else None
    version = str(registry.champion["ModelPackageVersion"]) if registry.champion else NONE
    return bool(found and found["model_version"] == version and found["drifted"])


def _rows(counts: RunCounts, left_out: int) -> PlannedRows:
    return PlannedRows(
        labelled_new=sum(counts.new.values()),
        labelled_repeated=counts.repeated,
        labelled_total=sum(counts.totals.values()),
        labelled_left_out=left_out,
        to_score=counts.to_score,
    )
