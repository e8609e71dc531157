"""The labels that the serving model knows, from the model registry."""

from __future__ import annotations

from typing import Any

from complaints_etl.storage import read_json_if_present
from ptmlops_contracts.keys import EVALUATION_FILE


def served_labels(sagemaker: Any, s3: Any, group: str) -> list[str]:
    """Return the labels of the approved version with the highest number; none if no version is approved or it has no evaluation.

    Args:
        sagemaker: a SageMaker client.
        s3: an S3 client.
        group: the model package group.
    """
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    packages = [package for page in pages for package in page["ModelPackageSummaryList"]]
    approved = [package for package in packages if package.get("ModelApprovalStatus") == "Approved"]
    if not approved:
        return []
    champion = max(approved, key=lambda package: package.get("ModelPackageVersion", 0))
    described = sagemaker.describe_model_package(ModelPackageName=champion["ModelPackageArn"])
    folder = str(described.get("CustomerMetadataProperties", {}).get("evaluation_uri", ""))
    evaluation = read_json_if_present(s3, f"{folder}{EVALUATION_FILE}") if folder.startswith("s3://") else None
    candidate = (evaluation or {}).get("candidate", {})
    # Evaluations of before 0.3.0 have no `labels`. Their `per_label` has the labels of the holdout, too.
    return list(candidate.get("labels") or candidate.get("per_label", ()))
