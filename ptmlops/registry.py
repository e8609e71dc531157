"""The model versions of a deployment: which one serves, and how to let another one serve."""

from __future__ import annotations

from typing import Any

from ptmlops.errors import OperatorError
from ptmlops.target import Target


def versions(target: Target) -> list[dict[str, Any]]:
    """Return all model versions, newest first. The newest approved one serves."""
    client, group = target.client("sagemaker"), target.outputs["ModelPackageGroupName"]
    models = []
    for page in client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        for summary in page["ModelPackageSummaryList"]:
            package = client.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
            metadata = package.get("CustomerMetadataProperties", {})
            models.append(
                {
                    "version": package["ModelPackageVersion"],
                    "arn": package["ModelPackageArn"],
                    "status": package["ModelApprovalStatus"],
                    "serves": False,
                    **{name: metadata.get(name, "") for name in ("macro_f1", "run_id", "reason", "evaluation_uri")},
                }
            )
    models.sort(key=lambda model: -model["version"])
    serving = next((model for model in models if model["status"] == "Approved"), None)
    if serving:
        serving["serves"] = True
    return models


def promote(target: Target, version: int) -> list[int]:
    """Approve a version and reject the newer approved ones. Returns the rejected versions.

    Raises:
        OperatorError: the version does not exist.
    """
    models = versions(target)
    chosen = next((model for model in models if model["version"] == version), None)
    if chosen is None:
        known = ", ".join(str(model["version"]) for model in models)
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
    models = versions(target)
    serving = next((model for model in models if model["serves"]), None)
    if serving is None:
        raise OperatorError("no model version serves, so there is nothing to roll back: see `ptmlops models`")
    _set_status(target, serving["arn"], "Rejected")
    following = next((m["version"] for m in models if m["status"] == "Approved" and m is not serving), None)
    return serving["version"], following


def _set_status(target: Target, arn: str, status: str) -> None:
    target.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)
