"""The gate: judges the evaluated candidate, registers it as a model package, and says which model serves from here on.

Event: `{"state": <the state document>}`. Answer: `$.plan` as it now stands (docs/contracts.md). Where the champion is no
longer the one that the candidate was compared with, nothing is registered: the answer's `promotion.decision` is
`ChampionChanged` and its `champion` the present one, and the state machine goes back to Evaluate.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| s3:GetObject | `<models>/evaluations/*`, `<prepared>/runs/*` |
| s3:PutObject | `<models>/evaluations/*` (promotion.json: the decision and every number behind it), `<prepared>/runs/*` (request.json) |
| s3:ListBucket | the models and prepared buckets (so that a missing object is "not found" and not "access denied") |
| kms:Decrypt, kms:GenerateDataKey, kms:DescribeKey | the key of models, prepared and topic |
| kms:CreateGrant if kms:GrantIsForAWSResource | the same key (CreateModelPackage with our key) |
| sagemaker:ListModelPackages | `*` (the action takes no resource) |
| sagemaker:DescribeModelPackage, sagemaker:CreateModelPackage, sagemaker:UpdateModelPackage | `arn:…:model-package/<group>/*` |
| sagemaker:CreateModelPackage | `arn:…:model-package-group/<group>` |
| sagemaker:DescribeTrainingJob | `arn:…:training-job/*` |
| sagemaker:CreateModel, sagemaker:DescribeModel | `arn:…:model/<group>-v*` |
| iam:PassRole to sagemaker.amazonaws.com | MODEL_ROLE_ARN |
| sns:Publish | the notification topic |
| s3:GetObject, s3:ListBucket | `<models>/training/*`, the models bucket: CreateModel and CreateModelPackage look at the artifact as the caller |
| ecr:BatchGetImage, ecr:GetDownloadUrlForLayer, ecr:BatchCheckLayerAvailability, ecr:DescribeImages | the image's repository: CreateModelPackage resolves the image's digest as the caller |
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import boto3
from gate import APPROVED, PENDING, judge
from registry import (
    OVERTAKEN,
    champion_of,
    ensure_model,
    model_name,
    overtaking,
    package_of_run,
    packages,
    plan_entry,
    register,
    take_back,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sns import SNSClient

LOGGER = logging.getLogger("promote_model")
LOGGER.setLevel(logging.INFO)


class NoChampionError(Exception):
    """Rows wait for a label, and the candidate that could have given one was not promoted."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the template tells this function."""

    model_package_group: str
    models_bucket: str
    prepared_bucket: str
    inference_image: str
    model_role_arn: str
    scoring_instance: str
    promotion_policy: Mapping[str, object]
    code_version: str
    notification_topic_arn: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Every variable is needed: a KeyError names the missing one."""
        return cls(
            model_package_group=environ["MODEL_PACKAGE_GROUP"],
            models_bucket=environ["MODELS_BUCKET"],
            prepared_bucket=environ["PREPARED_BUCKET"],
            inference_image=environ["INFERENCE_IMAGE"],
            model_role_arn=environ["MODEL_ROLE_ARN"],
            scoring_instance=environ["SCORING_INSTANCE"],
            promotion_policy=json.loads(environ["PROMOTION_POLICY"]),
            code_version=environ["CODE_VERSION"],
            notification_topic_arn=environ["NOTIFICATION_TOPIC_ARN"],
        )


@dataclass(frozen=True, kw_only=True)
class Clients:
    """AWS, made once per process."""

    s3: S3Client
    sagemaker: SageMakerClient
    sns: SNSClient


@cache
def _clients() -> Clients:
    return Clients(s3=boto3.client("s3"), sagemaker=boto3.client("sagemaker"), sns=boto3.client("sns"))


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Judge, register, and answer with the plan as it now stands. Safe to repeat: a run registers one package.

    Raises:
        NoChampionError: rows wait, the candidate was not promoted, and there is no champion.
    """
    settings, clients, state = Settings.from_environ(os.environ), _clients(), event["state"]
    run_id, plan = state["run_id"], state["plan"]
    group = settings.model_package_group
    described = packages(clients.sagemaker, group)
    champion = champion_of(described)
    package = package_of_run(described, run_id)
    if package is None:
        present = str(champion["ModelPackageVersion"]) if champion else "none"
        if present != plan["champion"]["version"]:
            return _compare_again(plan, champion, settings, clients, run_id)
        package = _register(state, settings, clients)
        described = packages(clients.sagemaker, group)
    status = package["ModelApprovalStatus"]
    # What a person approved stays approved, whatever was promoted meanwhile.
    by_gate = package["CustomerMetadataProperties"]["decision"] == status == APPROVED
    winner = overtaking(described, package, plan["champion"]["version"]) if by_gate else None
    if winner:
        take_back(clients.sagemaker, package, winner)
        return _compare_again(plan, winner, settings, clients, run_id)
    version = package["ModelPackageVersion"]
    ensure_model(
        clients.sagemaker,
        name=model_name(package, group),
        package=package,
        role_arn=settings.model_role_arn,
    )
    reasons = _decision(settings, clients, run_id)["reasons"]
    promotion = {
        "decision": status,
        "promoted": status == APPROVED,
        "reasons": reasons,
        "candidate_version": str(version),
    }
    serving = package if status == APPROVED else champion
    if serving is None and plan["score"]:
        advice = (
            f"Approve it with `ptmlops promote {version}`, then redrive this run"
            if status == PENDING
            else "Drop more labelled complaints"
        )
        raise NoChampionError(
            f"{plan['rows']['to_score']} complaints wait for a label, but version {version} is {status} ({'; '.join(reasons)}) and no "
            f"other model is approved. {advice}."
        )
    LOGGER.info("judged", extra={"run_id": run_id, "version": version, "decision": status})
    return {**plan, "champion": plan_entry(serving, group) if serving else plan["champion"], "promotion": promotion}


def _decision(settings: Settings, clients: Clients, run_id: str) -> dict[str, Any]:
    """What was decided and why, as _register left it."""
    key = f"evaluations/{run_id}/promotion.json"
    decision: dict[str, Any] = json.loads(clients.s3.get_object(Bucket=settings.models_bucket, Key=key)["Body"].read())
    return decision


def _register(state: Mapping[str, Any], settings: Settings, clients: Clients) -> dict[str, Any]:
    """Judge, write promotion.json with every number that was looked at, and create the model package with what led to it."""
    run_id, plan = state["run_id"], state["plan"]
    prefix = f"evaluations/{run_id}"
    evaluation_uri = f"s3://{settings.models_bucket}/{prefix}/"
    body = clients.s3.get_object(Bucket=settings.models_bucket, Key=f"{prefix}/evaluation.json")["Body"].read()
    evaluation = _document(body)
    verdict = judge(evaluation, settings.promotion_policy, run_id=run_id, champion_version=plan["champion"]["version"])
    job = clients.sagemaker.describe_training_job(TrainingJobName=state["training"]["best_training_job"])
    candidate, holdout = (_part(evaluation, name) for name in ("candidate", "holdout"))
    hyperparameters = {
        key: value for key, value in sorted(job["HyperParameters"].items()) if not key.startswith(("_", "sagemaker_"))
    }
    lineage = {
        "training_job": job["TrainingJobName"],
        "tuning_job": state["training"]["tuning_job"],
        "champion_version": plan["champion"]["version"],
        "training_rows": _text(candidate.get("training_rows")),
        "data_fingerprint": _text(candidate.get("data_fingerprint")),
        "holdout_rows": _text(holdout.get("rows")),
        "holdout_fingerprint": _text(holdout.get("fingerprint")),
        "training_code_version": _text(candidate.get("code_version")),
        "code_version": settings.code_version,
        "evaluation_uri": evaluation_uri,
    }
    decision = {
        "run_id": run_id,
        "decision": verdict.status,
        "reasons": list(verdict.reasons),
        "checks": [asdict(check) for check in verdict.checks],
        "policy": dict(settings.promotion_policy),
        "hyperparameters": hyperparameters,
        "objective": state["training"]["objective"],
        "manifests": plan["manifests"],
        **lineage,
    }
    clients.s3.put_object(
        Bucket=settings.models_bucket,
        Key=f"{prefix}/promotion.json",
        # Half a character in a label becomes the escape that JSON has for it.
        Body=json.dumps(decision, indent=1, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace"),
        ContentType="application/json",
    )
    reason = "; ".join(verdict.reasons)
    metadata = {
        "run_id": run_id,
        **{name: _text(candidate.get(name)) for name in ("macro_f1", "accuracy", "expected_calibration_error")},
        **lineage,
        "hyperparameters": " ".join(f"{key}={value}" for key, value in hyperparameters.items()),
        "decision": verdict.status,
        "reason": reason,
    }
    package = register(
        clients.sagemaker,
        group=settings.model_package_group,
        image=settings.inference_image,
        model_data_url=job["ModelArtifacts"]["S3ModelArtifacts"],
        status=verdict.status,
        description=f"Run {run_id}: {reason}",
        metadata=metadata,
        metrics_uri=f"{evaluation_uri}evaluation.json",
        instance=settings.scoring_instance,
    )
    if verdict.status == PENDING:
        version = package["ModelPackageVersion"]
        clients.sns.publish(
            TopicArn=settings.notification_topic_arn,
            Subject=f"PTMLops: model version {version} waits for approval",
            Message=f"Run {run_id} trained version {version}: {reason}.\nApprove it with `ptmlops promote {version}`.",
        )
    return package


def _compare_again(
    plan: Mapping[str, Any], champion: Mapping[str, Any] | None, settings: Settings, clients: Clients, run_id: str
) -> dict[str, Any]:
    """The plan with the champion of now; request.json follows, for Evaluate reads the version there."""
    bucket, key = settings.prepared_bucket, f"runs/{run_id}/plan/request.json"
    request = json.loads(clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    entry = (
        plan_entry(champion, settings.model_package_group)
        if champion
        else {
            "version": "none",
            "model_name": "none",
            "model_data_url": plan["request_uri"],
            "macro_f1": 0,
            "evaluation_uri": "none",
        }
    )
    request["champion_version"] = entry["version"]
    clients.s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(request).encode(), ContentType="application/json")
    promotion = {
        "decision": OVERTAKEN,
        "promoted": False,
        "reasons": [f"the champion is version {entry['version']} now; the candidate is compared with it"],
        "candidate_version": "none",
    }
    return {**plan, "champion": entry, "promotion": promotion}


def _document(body: bytes) -> dict[str, Any]:
    """evaluation.json, or nothing where it is not a JSON object: the gate then says what is missing."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
