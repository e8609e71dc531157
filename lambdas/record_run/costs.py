"""Estimate what a run cost, from the billed time of its jobs and list prices. Requests and storage cost cents and are left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ptmlops_contracts.state import JobRun, StateDocument

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_sagemaker import SageMakerClient

HOUR = 3600
# Glue bills per second, with a minimum of one minute.
GLUE_MINIMUM_SECONDS = 60

Prices = Mapping[str, Any]  # made by stacks/components/run_functions.py


def run_costs(document: StateDocument, client: SageMakerClient, glue: GlueClient, prices: Prices) -> dict[str, float | None]:
    """Return USD per part of the run. A part that did not run is absent. A part without a list price is None."""
    costs: dict[str, float | None] = {}
    if "prepare" in document:
        costs["prepare"] = _glue_cost(document["prepare"], prices["prepare_job"], glue, prices)
    if "publish" in document:
        costs["publish"] = _glue_cost(document["publish"], prices["publish_job"], glue, prices)
    if "training" in document:
        seconds = _tuning_seconds(client, document["training"]["tuning_job"])
        costs["training"] = _instance_cost(seconds, prices["training_instance"], 1, prices)
    if "evaluation" in document:
        processing = client.describe_processing_job(ProcessingJobName=document["evaluation"]["processing_job"])
        seconds = _seconds(processing.get("ProcessingStartTime"), processing.get("ProcessingEndTime"))
        costs["evaluation"] = _instance_cost(seconds, prices["evaluation_instance"], 1, prices)
    if "scoring" in document:
        transform = client.describe_transform_job(TransformJobName=document["scoring"]["transform_job"])
        seconds = _seconds(transform.get("TransformStartTime"), transform.get("TransformEndTime"))
        costs["scoring"] = _instance_cost(seconds, prices["scoring_instance"], prices["scoring_instances"], prices)
    return {part: None if cost is None else round(cost, 6) for part, cost in costs.items()}


def _glue_cost(run: JobRun, job: str, client: GlueClient, prices: Prices) -> float:
    """Return the cost of the DPU seconds that Glue counted, or, if it did not, of all workers for the whole time."""
    seconds = max(run["ExecutionTime"], GLUE_MINIMUM_SECONDS) * float(prices["glue_dpus"])
    described = client.get_job_run(JobName=job, RunId=run["JobRunId"])["JobRun"]
    return float(described.get("DPUSeconds", seconds)) / HOUR * float(prices["glue_dpu_hour"])


def _instance_cost(seconds: float, instance: str, count: int, prices: Prices) -> float | None:
    price = prices["instances"].get(instance)
    return None if price is None else seconds / HOUR * float(price) * count


def _tuning_seconds(client: SageMakerClient, tuning_job: str) -> float:
    """Return the billed seconds of all training jobs of a tuning job."""
    pages = client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=tuning_job
    )
    names = [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]
    return sum(client.describe_training_job(TrainingJobName=name).get("BillableTimeInSeconds", 0) for name in names if name)


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return (end - start).total_seconds() if start and end else 0.0
