"""What a run cost, estimated from the billed time of its jobs and list prices; requests and storage are left out as cents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

HOUR = 3600
# Glue bills a run by the second, from its first minute on.
GLUE_MINIMUM_SECONDS = 60


def glue_cost(seconds: float, dpus: float, prices: Mapping[str, Any]) -> float:
    """USD of one Glue run."""
    return max(seconds, GLUE_MINIMUM_SECONDS) / HOUR * dpus * float(prices["glue_dpu_hour"])


def instance_cost(seconds: float, instance: str, count: int, prices: Mapping[str, Any]) -> float | None:
    """USD of instances for a time; None where the price list does not know the instance."""
    price = prices["instances"].get(instance)
    return None if price is None else seconds / HOUR * float(price) * count


def run_costs(document: Mapping[str, Any], client: SageMakerClient, prices: Mapping[str, Any]) -> dict[str, float | None]:
    """USD by part of the run; parts that did not run are absent, a part of unknown price is None."""
    costs: dict[str, float | None] = {}
    for part in ("prepare", "publish"):
        if part in document:
            costs[part] = glue_cost(document[part]["ExecutionTime"], prices[f"glue_{part}_dpus"], prices)
    if "training" in document:
        name = document["training"]["tuning_job"]
        seconds = 0.0
        for page in client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            HyperParameterTuningJobName=name
        ):
            for trial in page["TrainingJobSummaries"]:
                job = client.describe_training_job(TrainingJobName=trial["TrainingJobName"])
                seconds += job.get("BillableTimeInSeconds", 0)
        costs["training"] = instance_cost(seconds, prices["training_instance"], 1, prices)
    if "evaluation" in document:
        processing = client.describe_processing_job(ProcessingJobName=document["evaluation"]["processing_job"])
        spent = _seconds(processing, "ProcessingStartTime", "ProcessingEndTime")
        costs["evaluation"] = instance_cost(spent, prices["evaluation_instance"], 1, prices)
    if "scoring" in document:
        transform = client.describe_transform_job(TransformJobName=document["scoring"]["transform_job"])
        spent = _seconds(transform, "TransformStartTime", "TransformEndTime")
        costs["scoring"] = instance_cost(spent, prices["scoring_instance"], prices["scoring_instances"], prices)
    return {part: None if cost is None else round(cost, 6) for part, cost in costs.items()}


def _seconds(job: Mapping[str, Any], start: str, end: str) -> float:
    if start in job and end in job:
        return float((job[end] - job[start]).total_seconds())
    return 0.0
