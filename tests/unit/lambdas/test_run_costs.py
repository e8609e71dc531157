"""What a run cost: every job that its execution started counts, however it ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from record_run.costs import glue_jobs, job_costs, part_costs
from record_run.jobs import started_jobs

from tests.unit.lambdas.test_record_run import glue_run, started

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
PRICES = {
    "glue_dpu_hour": 0.44,
    "glue_dpus": 2,
    "prepare_job": "prepare",
    "publish_job": "publish",
    "instances": {part: {"ml.m5.large": 0.36} for part in ("training", "evaluation", "scoring")},
}
ARN = "arn:aws:sagemaker:us-east-1:123456789012"
LARGE = {"InstanceType": "ml.m5.large", "InstanceCount": 1}


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def sagemaker_job(kind: str, arn_kind: str, name: str) -> list[dict[str, Any]]:
    return started("sagemaker", f"create{kind}", {f"{kind}Name": name}, {f"{kind}Arn": f"{ARN}:{arn_kind}/{name}"})


def costs(events: list[dict[str, Any]], **described: Any) -> list[Any]:
    """Price the jobs of a history. `described` has what the services answer, by name with underscores."""

    def find(name: str) -> Any:
        found = described.get(name.replace("-", "_"))
        if found is None:
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "not found"}}, "Describe")
        return found

    def pages(**request: Any) -> Any:
        trials = find(request["HyperParameterTuningJobName"])
        return [{"TrainingJobSummaries": [{"TrainingJobName": name}]} for name in trials]

    sagemaker: Any = SimpleNamespace(
        get_paginator=lambda _: SimpleNamespace(paginate=pages),
        describe_training_job=lambda **name: find(*name.values()),
        describe_processing_job=lambda **name: find(*name.values()),
        describe_transform_job=lambda **name: find(*name.values()),
    )
    glue: Any = SimpleNamespace(get_job_run=lambda **job: {"JobRun": find(job["RunId"])})
    return job_costs(started_jobs(events, glue_jobs(PRICES)), sagemaker, glue, PRICES, now=NOW)


def training(status: str, **more: Any) -> dict[str, Any]:
    return {"TrainingJobStatus": status, "ResourceConfig": LARGE, **more}


def test_every_attempt_of_every_state_is_counted_and_a_refused_request_is_not() -> None:
    refused = started("sagemaker", "createTransformJob", {"TransformJobName": "refused"}, {})[:2]
    events = [
        *glue_run("prepare", "a"),
        *glue_run("prepare", "b"),
        *sagemaker_job("HyperParameterTuningJob", "hyper-parameter-tuning-job", "r-0-0"),
        *sagemaker_job("HyperParameterTuningJob", "hyper-parameter-tuning-job", "r-1-0"),
        *sagemaker_job("ProcessingJob", "processing-job", "e-0-0"),
        *sagemaker_job("ProcessingJob", "processing-job", "e-0-1"),
        *refused,
        *sagemaker_job("TransformJob", "transform-job", "s-0-0"),
        *sagemaker_job("TransformJob", "transform-job", "s-0-1"),
    ]
    evaluation = {
        "ProcessingResources": {"ClusterConfig": LARGE},
        "ProcessingStartTime": ago(100),
        "ProcessingEndTime": ago(0),
    }
    scoring = {"TransformResources": {**LARGE, "InstanceCount": 2}, "TransformStartTime": ago(100), "TransformEndTime": ago(0)}
    jobs = costs(
        events,
        a={"JobRunState": "FAILED", "ExecutionTime": 1800, "DPUSeconds": 3600.0},
        b={"JobRunState": "SUCCEEDED", "ExecutionTime": 3600},
        r_0_0=["t1", "t2"],
        r_1_0=["t3", "t4"],
        t1=training("Completed", BillableTimeInSeconds=100),
        t2=training("Failed", BillableTimeInSeconds=50),
        t3=training("Completed", BillableTimeInSeconds=200),
        t4=training("Stopped", BillableTimeInSeconds=30),
        e_0_0={**evaluation, "ProcessingJobStatus": "Failed"},
        e_0_1={**evaluation, "ProcessingJobStatus": "Completed"},
        s_0_0={**scoring, "TransformJobStatus": "Stopped"},
        s_0_1={**scoring, "TransformJobStatus": "Completed"},
    )

    assert [(job["part"], job["job"], job["statuses"], job["seconds"]) for job in jobs] == [
        ("prepare", "a", {"FAILED": 1}, 3600.0),
        ("prepare", "b", {"SUCCEEDED": 1}, 7200.0),
        ("training", "r-0-0", {"Completed": 1, "Failed": 1}, 150.0),
        ("training", "r-1-0", {"Completed": 1, "Stopped": 1}, 230.0),
        ("evaluation", "e-0-0", {"Failed": 1}, 100.0),
        ("evaluation", "e-0-1", {"Completed": 1}, 100.0),
        ("scoring", "s-0-0", {"Stopped": 1}, 200.0),
        ("scoring", "s-0-1", {"Completed": 1}, 200.0),
    ]
    assert part_costs(jobs) == {
        "prepare": pytest.approx(3 * 0.44),
        "training": pytest.approx(0.038),
        "evaluation": pytest.approx(0.02),
        "scoring": pytest.approx(0.04),
    }


@pytest.mark.parametrize(
    ("run", "dpu_seconds", "reason"),
    [
        ({"JobRunState": "STOPPING", "StartedOn": ago(300), "ExecutionTime": 0}, 600, "still stopping: counted until now"),
        ({"JobRunState": "TIMEOUT", "StartedOn": ago(900), "ExecutionTime": 600, "DPUSeconds": 900.0}, 900, "as Glue counted"),
        ({"JobRunState": "EXPIRED", "StartedOn": ago(86400), "ExecutionTime": 0}, 0, "it never had a worker"),
        ({"JobRunState": "WAITING", "StartedOn": ago(60), "ExecutionTime": 0}, 0, "it waits for a worker"),
        ({"JobRunState": "FAILED", "StartedOn": ago(60), "ExecutionTime": 10}, 120, "a minute at least"),
        (
            {"JobRunState": "FAILED", "StartedOn": ago(60), "ExecutionTime": 30, "DPUSeconds": 60.0},
            120,
            "as above, counted by Glue",
        ),
    ],
)
def test_a_glue_run_that_did_not_succeed_costs_the_time_that_it_had_workers(
    run: dict[str, Any], dpu_seconds: float, reason: str
) -> None:
    [job] = costs(glue_run("publish", "x"), x=run)

    assert (job["part"], job["seconds"]) == ("publish", dpu_seconds), reason
    assert job["usd"] == pytest.approx(dpu_seconds / 3600 * 0.44, abs=1e-6)


@pytest.mark.parametrize(
    ("trial", "seconds", "reason"),
    [
        (
            training("Completed", BillableTimeInSeconds=40, TrainingStartTime=ago(100), TrainingEndTime=ago(0)),
            40,
            "spot capacity",
        ),
        (training("Stopping", TrainingStartTime=ago(100)), 100, "counted until now"),
        (training("Failed", TrainingStartTime=ago(100), LastModifiedTime=ago(60)), 40, "failed without an end"),
        (training("Failed"), 0, "no capacity: it never started"),
    ],
)
def test_a_training_job_costs_its_billed_time(trial: dict[str, Any], seconds: float, reason: str) -> None:
    [job] = costs(sagemaker_job("HyperParameterTuningJob", "hyper-parameter-tuning-job", "r-0-0"), r_0_0=["t"], t=trial)

    assert job["seconds"] == seconds, reason
    assert job["usd"] == pytest.approx(seconds / 3600 * 0.36)


def test_an_unknown_price_leaves_the_cost_of_the_part_open() -> None:
    other = training("Completed", BillableTimeInSeconds=9) | {"ResourceConfig": {"InstanceType": "ml.z9.large"}}
    events = [
        *sagemaker_job("HyperParameterTuningJob", "hyper-parameter-tuning-job", "r-0-0"),
        *sagemaker_job("HyperParameterTuningJob", "hyper-parameter-tuning-job", "r-1-0"),
    ]
    jobs = costs(events, r_0_0=["t"], t=other, r_1_0=["u"], u=training("Completed", BillableTimeInSeconds=9))

    assert [job["usd"] for job in jobs] == [None, pytest.approx(0.0009)]
    assert part_costs(jobs) == {"training": None}


def test_a_deleted_job_does_not_keep_a_run_from_being_recorded() -> None:
    [job] = costs(sagemaker_job("TransformJob", "transform-job", "s-0-0"))

    assert (job["statuses"], job["usd"]) == ({"Deleted": 1}, None)
