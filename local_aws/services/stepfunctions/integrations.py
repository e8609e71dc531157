"""How Step Functions runs each kind of job to its end.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_aws.services.glue.service import GlueService
from local_aws.services.sagemaker.service import SageMakerService

Fields = dict[str, Any]


@dataclass(frozen=True)
class Integration:
    """One `.sync` integration.

    Attributes:
        describe: Calls the API that describes the job, with a client, the request that started it, and the answer to that request.
        stop: Calls the API that stops the job, with the same arguments.
        finished: Returns the event that is set once `describe` would return a final status, from the request and the answer.
        status: The field of the description that holds the status.
        succeeded: The status of a job that succeeded.
        failed: The other final statuses.
    """

    describe: Callable[[Any, Fields, Fields], Fields]
    stop: Callable[[Any, Fields, Fields], object]
    finished: Callable[[Fields, Fields], threading.Event]
    status: str
    succeeded: str
    failed: frozenset[str]


def integrations(glue: GlueService, sagemaker: SageMakerService) -> dict[tuple[str, str], Integration]:
    """Return the supported integrations by service and action."""
    table = {("glue", "startJobRun"): _glue(glue)}
    for action, operation, kind in (
        ("createTrainingJob", "training_job", "TrainingJob"),
        ("createHyperParameterTuningJob", "hyper_parameter_tuning_job", "HyperParameterTuningJob"),
        ("createProcessingJob", "processing_job", "ProcessingJob"),
        ("createTransformJob", "transform_job", "TransformJob"),
    ):
        table["sagemaker", action] = _sagemaker(sagemaker, operation, kind)
    return table


def _glue(service: GlueService) -> Integration:
    return Integration(
        describe=lambda client, request, answer: {
            **client.get_job_run(JobName=request["JobName"], RunId=answer["JobRunId"])["JobRun"],
            "JobName": request["JobName"],
        },
        stop=lambda client, request, answer: client.batch_stop_job_run(
            JobName=request["JobName"], JobRunIds=[answer["JobRunId"]]
        ),
        finished=lambda request, answer: service.find(request["JobName"], answer["JobRunId"]).finished,
        status="JobRunState",
        succeeded="SUCCEEDED",
        failed=frozenset({"FAILED", "TIMEOUT", "ERROR", "STOPPED", "EXPIRED"}),
    )


def _sagemaker(service: SageMakerService, operation: str, kind: str) -> Integration:
    name = f"{kind}Name"
    return Integration(
        describe=lambda client, request, _: getattr(client, f"describe_{operation}")(**{name: request[name]}),
        stop=lambda client, request, _: getattr(client, f"stop_{operation}")(**{name: request[name]}),
        finished=lambda request, _: service.jobs.find(kind, request[name]).finished,
        status=f"{kind}Status",
        succeeded="Completed",
        failed=frozenset({"Failed", "Stopped"}),
    )
