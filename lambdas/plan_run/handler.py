"""Decides what a run does after Prepare: train, score, both or neither, and with which champion.

Event: `{"state": <the state document>}`. Answer: the new `$.plan` (docs/contracts.md).

Calls, for the role that this function needs:

| action | resource |
|---|---|
| s3:GetObject | `<prepared>/runs/*`, `<prepared>/labelled/complete/*` |
| s3:ListBucket | the prepared bucket (also so that a missing object is "not found" and not "access denied") |
| s3:PutObject | `<prepared>/runs/*`, `<prepared>/labelled/complete/*` |
| kms:Decrypt, kms:GenerateDataKey | the key of the prepared bucket |
| sagemaker:ListModelPackages | `*` (the action takes no resource) |
| sagemaker:DescribeModelPackage | `arn:…:model-package/<group>/*` |
| sagemaker:DescribeHyperParameterTuningJob | `arn:…:hyper-parameter-tuning-job/*` (jobs are named by run) |
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import boto3
from decision import Facts, decide
from labelled_store import SPLITS, complete_runs, manifest, mark_complete, of_version, split_keys
from registry import Registry, number, parent_tuning_job, read_registry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

LOGGER = logging.getLogger("plan_run")
LOGGER.setLevel(logging.INFO)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the template tells this function."""

    prepared_bucket: str
    raw_bucket: str
    models_bucket: str
    model_package_group: str
    min_labelled_rows: int
    min_new_rows: int
    target_precision: float
    seed: int
    tuning_space: Mapping[str, Any] | None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Every variable is needed: a KeyError names the missing one, a ValueError the one that is not a number."""
        return cls(
            prepared_bucket=environ["PREPARED_BUCKET"],
            raw_bucket=environ["RAW_BUCKET"],
            models_bucket=environ["MODELS_BUCKET"],
            model_package_group=environ["MODEL_PACKAGE_GROUP"],
            min_labelled_rows=int(environ["MIN_LABELLED_ROWS"]),
            min_new_rows=int(environ["MIN_NEW_ROWS"]),
            target_precision=float(environ["TARGET_PRECISION"]),
            seed=int(environ["SEED"]),
            tuning_space=json.loads(environ["TUNING_SPACE"]),
        )


@dataclass(frozen=True, kw_only=True)
class Clients:
    """AWS, made once per process."""

    s3: S3Client
    sagemaker: SageMakerClient


@cache
def _clients() -> Clients:
    return Clients(s3=boto3.client("s3"), sagemaker=boto3.client("sagemaker"))


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Decide, and write what the decision needs: the mark, the manifests, request.json. Safe to repeat.

    Raises:
        NoChampionError: rows wait for a label, and there is no model to give them one.
    """
    settings, clients = Settings.from_environ(os.environ), _clients()
    run_id: str = event["state"]["run_id"]
    bucket = settings.prepared_bucket
    report = json.loads(clients.s3.get_object(Bucket=bucket, Key=f"runs/{run_id}/report.json")["Body"].read())
    # Rows of earlier runs whose labels were rare until this one lie beside its own.
    labelled = {split: report["labelled"].get(split, 0) + report["labelled_earlier"].get(split, 0) for split in SPLITS}
    version = report.get("versions", {}).get("redaction", 1)
    mark_complete(clients.s3, bucket=bucket, run_id=run_id, rows=labelled, redaction_version=version)
    runs, left_out = of_version(complete_runs(clients.s3, bucket=bucket), version)
    registry = read_registry(clients.sagemaker, settings.model_package_group)
    facts = Facts(
        new=labelled,
        totals={split: sum(rows[split] for rows in runs.values()) for split in SPLITS},
        to_score=report["to_score"],
        has_champion=registry.champion is not None,
        pending=registry.pending,
    )
    decision = decide(
        facts,
        min_labelled_rows=settings.min_labelled_rows,
        min_new_rows=settings.min_new_rows,
        raw_bucket=settings.raw_bucket,
    )
    champion = _champion(registry, settings=settings, request_uri=f"s3://{bucket}/runs/{run_id}/plan/")
    plan = {
        "train": decision.train,
        "score": decision.score,
        "reason": decision.reason,
        "rows": {
            "labelled_new": sum(facts.new.values()),
            "labelled_total": sum(facts.totals.values()),
            "labelled_left_out": left_out,
            "to_score": facts.to_score,
        },
        "manifests": {split: f"s3://{bucket}/runs/{run_id}/plan/{split}.manifest" for split in SPLITS},
        "request_uri": f"s3://{bucket}/runs/{run_id}/plan/",
        "champion": champion,
        "parent_tuning_job": parent_tuning_job(clients.sagemaker, registry, settings.tuning_space)
        if decision.train
        else "none",
    }
    documents = {
        f"{split}.manifest": manifest(bucket, split_keys(clients.s3, bucket=bucket, split=split, runs=runs))
        for split in SPLITS
    }
    documents["request.json"] = json.dumps(
        {
            "run_id": run_id,
            "champion_version": champion["version"],
            "target_precision": settings.target_precision,
            "seed": settings.seed,
        }
    ).encode()
    for name, body in documents.items():
        clients.s3.put_object(Bucket=bucket, Key=f"runs/{run_id}/plan/{name}", Body=body, ContentType="application/json")
    LOGGER.info(
        "planned",
        extra={
            "run_id": run_id,
            "train": decision.train,
            "score": decision.score,
            "reason": decision.reason,
            "champion": champion["version"],
        },
    )
    return plan


def _champion(registry: Registry, *, settings: Settings, request_uri: str) -> dict[str, Any]:
    """The champion as the state document knows it; without one, values that every later state accepts."""
    package = registry.champion
    if package is None:
        return {
            "version": "none",
            "model_name": "none",
            "model_data_url": request_uri,
            "macro_f1": 0,
            "evaluation_uri": "none",
        }
    version, metadata = package["ModelPackageVersion"], package.get("CustomerMetadataProperties", {})
    run, artifact = metadata.get("run_id"), package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    return {
        "version": str(version),
        "model_name": f"{settings.model_package_group}-v{version}-{hashlib.sha256(artifact.encode()).hexdigest()[:8]}",
        "model_data_url": artifact,
        "macro_f1": number(metadata.get("macro_f1")),
        "evaluation_uri": f"s3://{settings.models_bucket}/evaluations/{run}/" if run else "none",
    }
