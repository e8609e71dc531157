"""The model card of a version, filled from its evaluation and origin.

The card is part of the model package, and follows the schema of such cards:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html#model-card-schema. It holds numbers, names of labels, and
addresses, no complaint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from common.model_registry import APPROVED, PENDING

from promote_model.checks import LARGEST, is_number, short_name
from ptmlops_contracts.registry import DECIDED_BY, GATE

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType, ModelCardStatusType
    from mypy_boto3_sagemaker.type_defs import ModelPackageModelCardTypeDef

# The schema's limits.
LONG_TEXT, TEXT, HYPERPARAMETER, DATASETS = 2048, 1024, 255, 10
MAX_CONTENT = 94_000  # characters of the document: the service takes 100,000, and a person's decision is added later
LABELS = 150  # with their own metrics, those with most held-out rows; they take half of MAX_CONTENT
METRICS = (
    "macro_f1", "accuracy", "expected_calibration_error", "log_loss", "coverage_at_target_precision", "threshold", "answered_share",
    "answered_precision",
)  # fmt: skip
LABEL_METRICS = ("precision", "recall", "f1", "support")

PURPOSE = "Assign one label to a complaint of a customer, in Spanish or English, with a calibrated probability."
INTENDED = (
    "Batches of redacted complaints of the kind that the model learned from. Answers under its threshold, and unfamiliar texts, go to a "
    "person. Not for decisions about a person."
)
FACTORS = (
    "New kinds of complaints, other languages, labels with few rows, and texts that were redacted otherwise than the training rows. Each run "
    "compares its answers with the held-out rows (drift)."
)


def model_card(
    evaluation: Mapping[str, Any],
    *,
    status: ModelApprovalStatusType,
    reasons: Sequence[str],
    lineage: Mapping[str, str],
    hyperparameters: Mapping[str, str],
    objective: float,
    datasets: Sequence[str],
    training_job_arn: str,
    image: str,
    artifact: str,
) -> ModelPackageModelCardTypeDef:
    """Return the card. A number that the evaluation lacks is left out.

    Args:
        evaluation: evaluation.json.
        status: what the gate decided.
        reasons: why.
        lineage: the origin of the version, as in its metadata.
        hyperparameters: of the training job.
        objective: the macro-F1 on validation that the tuning job maximized.
        datasets: manifests of the training rows.
        training_job_arn: the training job.
        image: the container image that trained and serves.
        artifact: the address of model.tar.gz.
    """
    candidate, holdout = _part(evaluation, "candidate"), _part(evaluation, "holdout")
    per_label = _part(candidate, "per_label")
    largest = sorted(per_label, key=lambda label: -_support(per_label[label]))[:LABELS]
    groups = [
        _group("Held-out rows", candidate, METRICS),
        *(_group(f"Label {short_name(label, 50)}", _part(per_label, label), LABEL_METRICS) for label in largest),
    ]
    notes = evaluation.get("notes")
    content: dict[str, Any] = {
        "model_overview": {"model_creator": f"Run {lineage['run_id']}", "model_artifact": [artifact]},
        "intended_uses": {
            "purpose_of_model": PURPOSE,
            "intended_uses": INTENDED,
            "factors_affecting_model_efficiency": FACTORS,
            "risk_rating": "Unknown",
            "explanations_for_risk_rating": "The organization that uses the answers rates their risk.",
        },
        "training_details": {
            "objective_function": {"function": {"function": "Maximize", "facet": "macro-F1"}, "notes": "On validation rows"},
            "training_observations": f"{lineage['training_rows']} rows, fingerprint {lineage['data_fingerprint']}"[:TEXT],
            "training_job_details": {
                "training_arn": training_job_arn,
                "training_datasets": list(datasets),
                "training_environment": {"container_image": [image]},
                "training_metrics": [{"name": "validation macro_f1", "value": objective}],
                "hyper_parameters": [
                    {"name": name[:HYPERPARAMETER], "value": value[:HYPERPARAMETER]}
                    for name, value in hyperparameters.items()
                    if value
                ],
            },
        },
        "evaluation_details": [
            {
                "name": "Held-out rows",
                "evaluation_observation": "; ".join(notes)[:LONG_TEXT] if isinstance(notes, list) else "",
                "datasets": [lineage["evaluation_uri"]],
                "metadata": {
                    "rows": str(holdout.get("rows"))[:TEXT],
                    "fingerprint": lineage["holdout_fingerprint"][:TEXT],
                    "champion_version": lineage["champion_version"],
                },
                "metric_groups": [group for group in groups if group["metric_data"]],
            }
        ],
        "additional_information": {
            "caveats_and_recommendations": "; ".join(reasons)[:LONG_TEXT],
            "custom_details": {
                **{name: value[:TEXT] for name, value in lineage.items()},
                "status": status,
                DECIDED_BY: GATE,
            },
        },
    }
    document = json.dumps(content)
    while len(document) > MAX_CONTENT and content["evaluation_details"][0]["metric_groups"]:
        content["evaluation_details"][0]["metric_groups"].pop()  # the label with fewest rows
        document = json.dumps(content)
    return {"ModelCardContent": document, "ModelCardStatus": _card_status(status)}


def _card_status(status: ModelApprovalStatusType) -> ModelCardStatusType:
    """Return the status of the card. It is never Archived, because a person may still approve the version."""
    return "Approved" if status == APPROVED else "PendingReview" if status == PENDING else "Draft"


def _group(name: str, metrics: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    numbers = {metric: metrics.get(metric) for metric in wanted}
    return {
        "name": name,
        "metric_data": [
            {"name": metric, "type": "number", "value": value, **_interval(metrics, metric)}
            for metric, value in numbers.items()
            if is_number(value) and -LARGEST <= value <= LARGEST  # type: ignore[operator] # is_number says so; NaN is not
        ],
    }


def _interval(metrics: Mapping[str, Any], metric: str) -> dict[str, str]:
    match metrics.get(f"{metric}_interval"):
        case [low, high]:
            return {"notes": f"95% interval {low} to {high}"[:TEXT]}
    return {}


def _support(metrics: object) -> float:
    support = metrics.get("support") if isinstance(metrics, Mapping) else 0
    return support if is_number(support) else 0  # type: ignore[return-value] # is_number says so


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = document.get(name)
    return part if isinstance(part, Mapping) else {}
