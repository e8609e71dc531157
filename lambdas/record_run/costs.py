"""Estimate what a run cost, from the billed time of its jobs and list prices. Requests and storage cost cents and are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ptmlops_contracts.run import JobCost, Part, PriceBasis
from record_run.jobs import StartedJob

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_sagemaker import SageMakerClient

HOUR = 3600
# Glue bills per second, with a minimum of one minute.
GLUE_MINIMUM_SECONDS = 60
_GLUE_WORKING = ("STARTING", "RUNNING", "STOPPING")
_GLUE_QUEUED = ("WAITING", "EXPIRED")
_SAGEMAKER_WORKING = ("InProgress", "Stopping")
# SageMaker reports a missing job as ValidationException.
_NOT_FOUND = ("EntityNotFoundException", "ValidationException", "ResourceNotFound")
_MOST_TRIALS_PER_PAGE = 100

Prices = Mapping[str, Any]  # made by stacks/components/run_prices.py


def glue_jobs(prices: Prices) -> dict[str, Part]:
    """Return the part of a run that each Glue job is."""
    return {prices["prepare_job"]: Part.PREPARE, prices["publish_job"]: Part.PUBLISH}


def job_costs(
    jobs: Iterable[StartedJob], sagemaker: SageMakerClient, glue: GlueClient, prices: Prices, *, now: datetime
) -> list[JobCost]:
    """Return the billed time and the cost of each job. A job that has not ended is counted until now."""
    pricing = _Pricing(sagemaker=sagemaker, glue=glue, prices=prices, now=now)
    return [pricing.cost(job) for job in jobs]


def price_basis(prices: Prices) -> PriceBasis:
    """Return which prices the estimate uses."""
    return PriceBasis(region=prices["priced_region"], recorded=prices["recorded"], run_region=prices["region"])


def part_costs(jobs: Iterable[JobCost]) -> dict[str, float | None]:
    """Return USD per part of the run. A part that did not run is absent. A part with a job of unknown cost is None."""
    costs: dict[str, float | None] = {}
    for job in jobs:
        before = costs.get(job["part"], 0.0)
        costs[job["part"]] = None if before is None or job["usd"] is None else round(before + job["usd"], 6)
    return costs


@dataclass(frozen=True, kw_only=True)
class _Pricing:
    """The services that describe jobs, the prices, and the time until which working jobs are counted."""

    sagemaker: SageMakerClient
    glue: GlueClient
    prices: Prices
    now: datetime

    def cost(self, job: StartedJob) -> JobCost:
        """Return what a job cost; of a job that somebody deleted, that it is unknown."""
        try:
            return self._cost(job)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _NOT_FOUND:
                raise
            return JobCost(part=job.part.value, job=job.name, statuses={"Deleted": 1}, instance=None, seconds=0.0, usd=None)

    def _cost(self, job: StartedJob) -> JobCost:
        if job.glue_job:
            return self._of_glue(job, self.glue.get_job_run(JobName=job.glue_job, RunId=job.name)["JobRun"])
        if job.part == Part.TRAINING:
            return self._of_instances(job, "Training", self._trials(job.name), "ResourceConfig")
        if job.part == Part.EVALUATION:
            processing: Any = self.sagemaker.describe_processing_job(ProcessingJobName=job.name)
            return self._of_instances(job, "Processing", [processing | processing["ProcessingResources"]], "ClusterConfig")
        transform = self.sagemaker.describe_transform_job(TransformJobName=job.name)
        return self._of_instances(job, "Transform", [transform], "TransformResources")

    def _of_glue(self, job: StartedJob, run: Mapping[str, Any]) -> JobCost:
        """Price the DPU seconds that Glue counted, or, if it did not, all workers for the whole time."""
        status, elapsed = str(run["JobRunState"]), float(run.get("ExecutionTime", 0))
        if status in _GLUE_WORKING:
            elapsed = max(elapsed, (self.now - run["StartedOn"]).total_seconds())
        if status in _GLUE_QUEUED or elapsed <= 0:
            seconds = 0.0  # it waited for workers, and never had one
        else:
            counted = float(run.get("DPUSeconds") or elapsed * float(self.prices["glue_dpus"]))
            seconds = counted * max(1.0, GLUE_MINIMUM_SECONDS / elapsed)
        return JobCost(
            part=job.part.value,
            job=job.name,
            statuses={status: 1},
            instance=None,
            seconds=round(seconds, 1),
            usd=round(seconds / HOUR * float(self.prices["glue_dpu_hour"]), 6),
        )

    def _of_instances(self, job: StartedJob, kind: str, described: Sequence[Mapping[str, Any]], cluster: str) -> JobCost:
        """Price all instances of a job, or of all training jobs of a tuning job. One that never started is free."""
        seconds = sum(_billed_seconds(one, kind, self.now) * int(one[cluster].get("InstanceCount", 1)) for one in described)
        instance = str(described[0][cluster]["InstanceType"]) if described else None
        price = self.prices["instances"].get(job.part.value, {}).get(instance)
        return JobCost(
            part=job.part.value,
            job=job.name,
            statuses=dict(Counter(str(one[f"{kind}JobStatus"]) for one in described)),
            instance=instance,
            seconds=round(seconds, 1),
            usd=0.0 if not seconds else None if price is None else round(seconds / HOUR * float(price), 6),
        )

    def _trials(self, tuning_job: str) -> list[Mapping[str, Any]]:
        """Describe all training jobs of a tuning job, whatever their status."""
        pages = self.sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            HyperParameterTuningJobName=tuning_job, PaginationConfig={"PageSize": _MOST_TRIALS_PER_PAGE}
        )
        names = [trial["TrainingJobName"] for page in pages for trial in page["TrainingJobSummaries"]]
        return [self.sagemaker.describe_training_job(TrainingJobName=name) for name in names if name]


def _billed_seconds(job: Mapping[str, Any], kind: str, now: datetime) -> float:
    """Return the billed seconds of one instance. A job without a start had none."""
    if job.get("BillableTimeInSeconds") is not None:  # of training jobs: less than the elapsed seconds on spot capacity
        return float(job["BillableTimeInSeconds"])
    start: datetime | None = job.get(f"{kind}StartTime")
    if start is None:
        return 0.0
    last = now if job[f"{kind}JobStatus"] in _SAGEMAKER_WORKING else job.get("LastModifiedTime", start)
    end: datetime = job.get(f"{kind}EndTime", last)
    return max(0.0, (end - start).total_seconds())
