"""The model versions of a deployment: which one serves, and how to let another one serve."""

from __future__ import annotations

from typing import Any

from ptmlops.errors import OperatorError
from ptmlops.options import command_for
from ptmlops.target import Target

SHOWN = 20  # versions that a command lists if it is not asked for more


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


def versions(target: Target, *, limit: int | None = None) -> list[dict[str, Any]]:
    """Return what is known of model versions, newest first: the newest `limit`, and the one that serves.

    Each costs a request, so callers ask for as many as they show.
    """
    chosen = [model for place, model in enumerate(statuses(target)) if model["serves"] or limit is None or place < limit]
    return [{**model, **_metadata(target, model["arn"])} for model in chosen]


def serving_version(target: Target) -> dict[str, Any] | None:
    """Return the version that serves, or None."""
    return next((model for model in versions(target, limit=0) if model["serves"]), None)


def _metadata(target: Target, arn: str) -> dict[str, str]:
    package = target.client("sagemaker").describe_model_package(ModelPackageName=arn)
    metadata = package.get("CustomerMetadataProperties", {})
    return {name: metadata.get(name, "") for name in ("macro_f1", "run_id", "reason", "evaluation_uri")}


def promote(target: Target, version: int) -> list[int]:
    """Approve a version and reject the newer approved ones. Returns the rejected versions.

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
    newer = [model for model in models if model["version"] > version and model["status"] == "Approved"]
    for model in newer:
        _set_status(target, model["arn"], "Rejected")
    _set_status(target, chosen["arn"], "Approved")
    return [model["version"] for model in newer]


def rollback(target: Target) -> tuple[int, int | None]:
    """Reject the serving version. Returns its version and the one that serves now, if any.

    Raises:
        OperatorError: no version serves.
    """
    models = statuses(target)
    serving = next((model for model in models if model["serves"]), None)
    if serving is None:
        raise OperatorError(
            f"no model version serves, so there is nothing to roll back: see `{command_for(target, 'models')}`"
        )
    _set_status(target, serving["arn"], "Rejected")
    following = next((m["version"] for m in models if m["status"] == "Approved" and m is not serving), None)
    return serving["version"], following


def _set_status(target: Target, arn: str, status: str) -> None:
    target.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)
