"""Judge the evaluated candidate, register it as a model package, and say which model serves from here on.

Event: `{"state": ptmlops_contracts.state.StateDocument, "redrives": 0}`. Answer: `ptmlops_contracts.state.Plan` as it now is. Nothing is
registered in two cases: if the champion is no longer the one that the candidate was compared with, `promotion.decision` is
`ChampionChanged`, `champion` the present one, and the state machine goes back to Evaluate. If Evaluate refused because a deployment
changed the code, it is `CodeChanged`, and the state machine trains again: once, and once more per redrive.

Calls, for the role that this function needs:

| action | resource |
|---|---|
| s3:GetObject | evaluations in the models bucket, runs in the prepared bucket |
| s3:PutObject | evaluations (promotion.json: the decision and every number behind it), runs (request.json) |
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
| s3:GetObject, s3:ListBucket | trained models, the models bucket: the artifact is pinned and compared, and CreateModel and CreateModelPackage look at it as the caller |
| ecr:BatchGetImage, ecr:GetDownloadUrlForLayer, ecr:BatchCheckLayerAvailability, ecr:DescribeImages | the image's repository: CreateModelPackage resolves the image's digest as the caller |
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools import Logger
from common.clients import Clients
from common.documents import read_bytes, read_json, write_json
from common.learned_runs import find_learned_runs
from common.metrics import METRICS, emit
from common.model_registry import APPROVED, PENDING, approval_statuses, list_packages, versions_waiting
from common.pinned_artifact import check_artifact, pin_artifact
from common.served_model import ensure_model
from common.settings import read_settings

from promote_model.gate import archive_of, judge
from promote_model.model_card import model_card
from promote_model.registry import (
    Package,
    champion_of,
    description_of,
    overtaking_package,
    package_of_run,
    register,
    registration_token,
    take_back,
)
from ptmlops_contracts.keys import ModelKeys, PreparedKeys, runs_of_manifest, s3_uri
from ptmlops_contracts.metrics import Metric
from ptmlops_contracts.registry import DECIDED_BY, GATE
from ptmlops_contracts.state import (
    ATTEMPTS,
    CHAMPION_CHANGED,
    CODE_CHANGED,
    NONE,
    EvaluationRequest,
    Plan,
    PromotionResult,
    StateDocument,
    champion_entry,
    champion_sha256,
    trained_by,
)

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_sagemaker.literals import TransformInstanceTypeType

LOGGER, CLIENTS = Logger(), Clients()


class NoChampionError(Exception):
    """Complaints wait for a label, and the candidate that could have given them one was not promoted."""


class CodeChangedError(Exception):
    """The code was deployed anew during each training of the run."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The function's environment variables."""

    model_package_group: str
    models_bucket: str
    prepared_bucket: str
    inference_image: str
    model_role_arn: str
    model_network: Mapping[str, Any]  # VpcConfig of the models, or empty
    scoring_instance: str
    promotion_policy: Mapping[str, Any]
    code_version: str
    notification_topic_arn: str


@LOGGER.inject_lambda_context(clear_state=True)
@METRICS.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> Plan:
    """Judge, register, and return the plan as it now is. Safe to repeat: a run registers one package.

    Raises:
        ArtifactReplacedError: the artifact was replaced after its evaluation, or that of the serving version after its registration.
        NoChampionError: rows are to be scored, the candidate was not promoted, and there is no champion.
        CodeChangedError: the run has trained again already, and a deployment changed the code again.
    """
    settings, state = read_settings(Settings), event["state"]
    LOGGER.append_keys(run_id=state["run_id"])
    plan = _promote(state, settings, redrives=int(event.get("redrives", 0)))
    promotion = plan["promotion"]
    LOGGER.info("judged", version=promotion["candidate_version"], decision=promotion["decision"])
    emit(Metric.CANDIDATES_PROMOTED, int(promotion["promoted"]))
    return plan


def _promote(state: StateDocument, settings: Settings, *, redrives: int) -> Plan:
    run_id, plan, group = state["run_id"], state["plan"], settings.model_package_group
    packages = list_packages(CLIENTS.sagemaker, group)
    champion = champion_of(CLIENTS.sagemaker, packages)
    package = package_of_run(CLIENTS.sagemaker, packages, run_id)
    if package is None:
        evaluation = _evaluation(read_bytes(CLIENTS.s3, settings.models_bucket, ModelKeys(run_id).evaluation_document))
        if refused := evaluation.get("refused"):
            return _train_again(plan, str(refused), run_id, redrives=redrives)
        present = str(champion["ModelPackageVersion"]) if champion else NONE
        if present != plan["champion"]["version"]:
            return _compare_again(plan, champion, settings, run_id)
        package = _register(state, settings, evaluation)
    status = package["ModelApprovalStatus"]
    # What a person approved stays approved, whatever was promoted meanwhile.
    approved_by_gate = package["CustomerMetadataProperties"]["decision"] == status == APPROVED
    compared_with = plan["champion"]["version"]
    winner = overtaking_package(CLIENTS.sagemaker, group, package, compared_with) if approved_by_gate else None
    if winner:
        take_back(CLIENTS.sagemaker, package, winner)
        return _compare_again(plan, winner, settings, run_id)
    # The list is older than the version that this run registers.
    statuses = {**approval_statuses(packages), package["ModelPackageVersion"]: status}
    emit(Metric.MODELS_WAITING, versions_waiting(statuses))
    ensure_model(CLIENTS.sagemaker, package=package, role_arn=settings.model_role_arn, network=settings.model_network)
    promotion = PromotionResult(
        decision=status,
        promoted=status == APPROVED,
        # As _register wrote them, now or in an earlier try.
        reasons=read_json(CLIENTS.s3, settings.models_bucket, ModelKeys(run_id).promotion)["reasons"],
        candidate_version=str(package["ModelPackageVersion"]),
    )
    if status == PENDING:
        _notify(promotion, run_id, settings)
    serving = package if promotion["promoted"] else champion
    if serving is None and plan["score"]:
        raise NoChampionError(_no_champion_message(run_id, plan, promotion))
    if serving and plan["score"] and (note := check_artifact(CLIENTS.s3, serving)):
        LOGGER.info("not compared", note=note)
    entry = (
        champion_entry(
            serving, request_uri=plan["request_uri"], role_arn=settings.model_role_arn, network=settings.model_network
        )
        if serving
        else plan["champion"]
    )
    return {**plan, "champion": entry, "promotion": promotion}


def _no_champion_message(run_id: str, plan: Plan, promotion: PromotionResult) -> str:
    version, status = promotion["candidate_version"], promotion["decision"]
    advice = (
        f"Approve it with `ptmlops promote {version} --reason TEXT`"
        if status == PENDING
        else "Upload more labelled complaints, and wait until a model serves"
    )
    return (
        f"{plan['rows']['to_score']} complaints wait for a label, but version {version} is {status} "
        f"({'; '.join(promotion['reasons'])}) and no other model is approved. {advice}. Then run `ptmlops replay {run_id}`."
    )


def _register(state: StateDocument, settings: Settings, evaluation: Mapping[str, Any]) -> Package:
    """Judge the candidate, pin its artifact, write promotion.json, create the model package with its lineage."""
    run_id, plan, training = state["run_id"], state["plan"], state["training"]
    keys = ModelKeys(run_id)
    request: EvaluationRequest = read_json(CLIENTS.s3, settings.prepared_bucket, PreparedKeys(run_id).request)
    verdict = judge(
        evaluation,
        settings.promotion_policy,
        run_id=run_id,
        champion_version=plan["champion"]["version"],
        unfamiliar=request.get("unfamiliar", []),  # absent if an earlier version planned the run
    )
    job = CLIENTS.sagemaker.describe_training_job(TrainingJobName=training["best_training_job"])
    hyperparameters = {
        key: value for key, value in sorted(job["HyperParameters"].items()) if not key.startswith(("_", "sagemaker_"))
    }
    candidate, artifact = _part(evaluation, "candidate"), job["ModelArtifacts"]["S3ModelArtifacts"]
    archive = archive_of(candidate)
    pin = pin_artifact(CLIENTS.s3, artifact, archive)
    lineage = {**_lineage(state, evaluation, settings), **pin.metadata()}
    decision = {
        "run_id": run_id,
        "decision": verdict.status,
        "reasons": list(verdict.reasons),
        "checks": [asdict(check) for check in verdict.checks],
        "policy": dict(settings.promotion_policy),
        "hyperparameters": hyperparameters,
        "objective": training["objective"],
        "manifests": plan["manifests"],
        **lineage,
    }
    write_json(CLIENTS.s3, settings.models_bucket, keys.promotion, decision, indent=1)
    reason = "; ".join(verdict.reasons)
    card = model_card(
        evaluation,
        status=verdict.status,
        reasons=verdict.reasons,
        lineage={"run_id": run_id, **lineage},
        hyperparameters=hyperparameters,
        objective=training["objective"],
        datasets=list(plan["manifests"].values()),
        training_job_arn=job["TrainingJobArn"],
        image=settings.inference_image,
        artifact=artifact,
    )
    return register(
        CLIENTS.sagemaker,
        group=settings.model_package_group,
        image=settings.inference_image,
        model_data_url=artifact,
        manifest_sha256=archive["manifest_sha256"] if archive else None,
        status=verdict.status,
        description=f"{description_of(run_id)} {reason}",
        metadata={
            "run_id": run_id,
            **{name: _text(candidate.get(name)) for name in ("macro_f1", "accuracy", "expected_calibration_error")},
            **lineage,
            "hyperparameters": " ".join(f"{key}={value}" for key, value in hyperparameters.items()),
            "decision": verdict.status,
            "reason": reason,
            DECIDED_BY: GATE,
        },
        metrics_uri=s3_uri(settings.models_bucket, keys.evaluation_document),
        instance=cast("TransformInstanceTypeType", settings.scoring_instance),
        card=card,
        token=registration_token(run_id, plan["attempt"], plan["champion"]["version"]),
    )


def _notify(promotion: PromotionResult, run_id: str, settings: Settings) -> None:
    """Say that a version waits for approval. A repeated call says it again, because an earlier one may have ended before it."""
    version, reason = promotion["candidate_version"], "; ".join(promotion["reasons"])
    CLIENTS.sns.publish(
        TopicArn=settings.notification_topic_arn,
        Subject=f"PTMLops: model version {version} waits for approval",
        Message=f"Run {run_id} trained version {version}: {reason}.\nApprove it with `ptmlops promote {version} --reason TEXT`.",
    )


def _lineage(state: StateDocument, evaluation: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    """Return the origin of a version: jobs, data, code, and the champion that it was compared with."""
    candidate, holdout = _part(evaluation, "candidate"), _part(evaluation, "holdout")
    return {
        "training_job": state["training"]["best_training_job"],
        "tuning_job": state["training"]["tuning_job"],
        "champion_version": state["plan"]["champion"]["version"],
        "training_rows": _text(candidate.get("training_rows")),
        "data_fingerprint": _text(candidate.get("data_fingerprint")),
        "holdout_rows": _text(holdout.get("rows")),
        "holdout_fingerprint": _text(holdout.get("fingerprint")),
        "training_code_version": _text(candidate.get("code_version")),
        "code_version": settings.code_version,
        "evaluation_uri": s3_uri(settings.models_bucket, ModelKeys(state["run_id"]).evaluation),
    }


def _train_again(plan: Plan, refused: str, run_id: str, *, redrives: int) -> Plan:
    """Return the plan with the next attempt."""
    trained_again = ATTEMPTS.index(plan["attempt"])
    if trained_again > redrives or trained_again + 1 == len(ATTEMPTS):
        raise CodeChangedError(
            f"{refused}; the run has trained {trained_again + 1} times. Wait until the deployments have ended, then continue it with "
            f"`ptmlops replay {run_id}`: it trains again."
        )
    promotion = PromotionResult(
        decision=CODE_CHANGED, promoted=False, reasons=[f"{refused}: the run trains again"], candidate_version=NONE
    )
    return {**plan, "attempt": ATTEMPTS[trained_again + 1], "promotion": promotion}


def _compare_again(plan: Plan, champion: Package | None, settings: Settings, run_id: str) -> Plan:
    """Write a request.json that lets Evaluate compare with the current champion. Return the plan with this champion."""
    entry = champion_entry(
        champion, request_uri=plan["request_uri"], role_arn=settings.model_role_arn, network=settings.model_network
    )
    key = PreparedKeys(run_id).request
    request: EvaluationRequest = read_json(CLIENTS.s3, settings.prepared_bucket, key)
    held_out = runs_of_manifest(read_json(CLIENTS.s3, settings.prepared_bucket, PreparedKeys(run_id).split_manifest("test")))
    request = {
        **request,
        "champion_version": entry["version"],
        "champion_sha256": champion_sha256(champion),
        "champion_runs": find_learned_runs(CLIENTS.s3, settings.prepared_bucket, trained_by(champion), held_out),
        "max_recall_drop": float(settings.promotion_policy["max_recall_drop"]),
    }
    write_json(CLIENTS.s3, settings.prepared_bucket, key, request)
    promotion = PromotionResult(
        decision=CHAMPION_CHANGED,
        promoted=False,
        reasons=[f"the champion is version {entry['version']} now; the candidate is compared with it"],
        candidate_version=NONE,
    )
    return {**plan, "champion": entry, "promotion": promotion}


def _evaluation(body: bytes) -> Mapping[str, Any]:
    """Parse evaluation.json. Return an empty object if it is not a JSON object; the gate then reports the missing fields."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
