"""The model versions of a deployment: which one serves, where each comes from, who decided on it, and which runs it answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from ptmlops import runs
from ptmlops.errors import OperatorError
from ptmlops.source_roots import add_source_roots_to_path
from ptmlops.target import Target
from ptmlops_contracts.keys import ModelKeys, OutputKeys, decisions_folder
from ptmlops_contracts.registry import (
    ARTIFACT_SHA256,
    ARTIFACT_VERSION,
    CANARY,
    DECIDED_AT,
    DECIDED_BY,
    DECIDED_REASON,
    GATE,
    OVERRIDE,
)

SHOWN = 20  # versions that a command lists if it is not asked for more
RUNS = 200  # runs that are searched for answers of a version, if the command is not asked for more
# Fields of CustomerMetadataProperties that `versions` returns.
METADATA = (
    "macro_f1", "accuracy", "expected_calibration_error", "run_id", "decision", "reason", "evaluation_uri", "champion_version",
    "training_rows", "data_fingerprint", "training_code_version", "holdout_rows", "holdout_fingerprint", "code_version",
    "hyperparameters", "training_job", ARTIFACT_VERSION, ARTIFACT_SHA256, DECIDED_BY, DECIDED_AT, DECIDED_REASON, OVERRIDE, CANARY,
)  # fmt: skip


def statuses(target: Target) -> list[dict[str, Any]]:
    """Return number, ARN and approval status of all model versions, newest first. The newest approved one serves."""
    client, group = target.client("sagemaker"), target.outputs["ModelPackageGroupName"]
    models = [
        {
            "version": summary["ModelPackageVersion"],
            "arn": summary["ModelPackageArn"],
            "status": summary["ModelApprovalStatus"],
            "serves": False,
        }
        for page in client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
        for summary in page["ModelPackageSummaryList"]
    ]
    models.sort(key=lambda model: -model["version"])
    serving = next((model for model in models if model["status"] == "Approved"), None)
    if serving:
        serving["serves"] = True
    return models


def find(target: Target, version: int) -> dict[str, Any]:
    """Return number, ARN and approval status of a version.

    Raises:
        OperatorError: the version does not exist.
    """
    models = statuses(target)
    chosen = next((model for model in models if model["version"] == version), None)
    if chosen is None:
        known = ", ".join(str(model["version"]) for model in models[:SHOWN]) + (", …" if len(models) > SHOWN else "")
        raise OperatorError(
            f"model version {version} does not exist"
            + (f"; the versions are {known}" if known else ": no model has been trained yet, upload a labelled file first")
        )
    return chosen


def versions(target: Target, *, limit: int | None = None) -> list[dict[str, Any]]:
    """Return what is known of model versions, newest first: the newest `limit`, and the one that serves.

    Each costs a request, so callers ask for as many as they show.
    """
    chosen = [model for place, model in enumerate(statuses(target)) if model["serves"] or limit is None or place < limit]
    return [{**model, **_metadata(describe(target, model["arn"]))} for model in chosen]


def serving_version(target: Target) -> dict[str, Any] | None:
    """Return the version that serves, or None."""
    return next((model for model in versions(target, limit=0) if model["serves"]), None)


def describe(target: Target, arn: str) -> dict[str, Any]:
    """Describe one version: its containers, its approval status, its metadata and its model card."""
    return dict(target.client("sagemaker").describe_model_package(ModelPackageName=arn))


def require_registered_artifact(target: Target, package: Mapping[str, Any], report: Callable[[str], None]) -> None:
    """Compare a version's artifact with the one that was registered. Report that a version of an earlier release has no digest.

    Raises:
        OperatorError: the artifact was replaced or deleted.
    """
    add_source_roots_to_path()
    from common.pinned_artifact import ArtifactReplacedError, check_artifact

    try:
        note = check_artifact(target.client("s3"), package)
    except ArtifactReplacedError as error:
        raise OperatorError(f"nothing was changed: {error}") from None
    if note:
        report(note)


def lineage(target: Target, version: int, *, run_limit: int = RUNS) -> dict[str, Any]:
    """Return where a version comes from, every decision on it, and which runs it answered.

    Args:
        target: the deployment.
        version: a model version.
        run_limit: so many of the newest runs are searched for its answers.

    Raises:
        OperatorError: the version does not exist.
    """
    model = find(target, version)
    package = describe(target, model["arn"])
    known = {**model, **_metadata(package), "registered_at": package["CreationTime"].isoformat()}
    bucket, run_id = target.outputs["ModelsBucketName"], known["run_id"]
    gate = (runs.read_json(target, bucket, ModelKeys(run_id).promotion) if run_id else None) or {}
    people = [runs.read_json(target, bucket, key) for key in sorted(runs.keys(target, bucket, decisions_folder(version)))]
    # A group that was deleted and made again counts from 1 again.
    decisions = [one for one in people if one and datetime.fromisoformat(one["at"]) >= package["CreationTime"]]
    return {**known, "gate": gate.get("reasons", []), "decisions": decisions, **_answered(target, version, run_limit)}


def _answered(target: Target, version: int, limit: int) -> dict[str, Any]:
    """Return the runs that a version answered, newest first. A failed run that was redriven may be older than the version."""
    bucket, published = target.outputs["OutputBucketName"], runs.published_runs(target)
    searched = published[:limit]
    with ThreadPoolExecutor(max_workers=8) as pool:
        target.client("s3")  # clients can be used in several threads, and be made in one
        markers = pool.map(lambda run_id: runs.read_json(target, bucket, OutputKeys(run_id).marker), searched)
        answered = [
            {"run_id": run_id, "complaints": marker["scored"]}
            for run_id, marker in zip(searched, markers, strict=True)
            if marker and marker["scored"] and marker.get("model_version") == str(version)
        ]
    return {"answered": answered, "runs_searched": len(searched), "runs_not_searched": len(published) - len(searched)}


def _metadata(package: dict[str, Any]) -> dict[str, str]:
    """Return a version's metadata. The gate decides on a version until a person does."""
    metadata = package.get("CustomerMetadataProperties", {})
    found = {name: metadata.get(name, "") for name in METADATA}
    return {**found, DECIDED_BY: found[DECIDED_BY] or (GATE if found["decision"] else "")}
