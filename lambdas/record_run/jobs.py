"""Find every job that a run started: failed, timed out, stopped, retried and redriven ones too.

The history of an execution lists each job that a service accepted, over all retries and redrives, so that no job has to be searched by
its name or its arguments. Step Functions keeps the history for 90 days after the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ptmlops_contracts.run import Part
from record_run.history import Event

GLUE = "glue"
# `resource` of TaskSubmitted: the part of a run that the job is, and the field of the answer with the job's ARN.
_SAGEMAKER_JOBS = {
    "createHyperParameterTuningJob": (Part.TRAINING, "HyperParameterTuningJobArn"),
    "createProcessingJob": (Part.EVALUATION, "ProcessingJobArn"),
    "createTransformJob": (Part.SCORING, "TransformJobArn"),
}


@dataclass(frozen=True, kw_only=True)
class StartedJob:
    """A job that a service accepted.

    Attributes:
        part: the part of a run that it is.
        name: the job's name, or the id of a Glue job run.
        glue_job: the Glue job, or None.
    """

    part: Part
    name: str
    glue_job: str | None = None


def started_jobs(events: Sequence[Event], glue_jobs: Mapping[str, Part]) -> list[StartedJob]:
    """Return the jobs of an execution in the order of their start, each once.

    Args:
        events: the history, redrives included.
        glue_jobs: the part of each Glue job.
    """
    return list(dict.fromkeys(_submitted(events, glue_jobs)))


def _submitted(events: Sequence[Event], glue_jobs: Mapping[str, Part]) -> Iterator[StartedJob]:
    request: Mapping[str, Any] = {}
    for event in events:
        if "taskScheduledEventDetails" in event:
            request = event["taskScheduledEventDetails"]
        elif "taskSubmittedEventDetails" in event:
            submitted = event["taskSubmittedEventDetails"]
            answer = json.loads(submitted.get("output") or "{}")
            action = submitted["resource"].partition(".")[0]
            if submitted["resourceType"] == GLUE and "JobRunId" in answer:
                glue_job = str(json.loads(request.get("parameters") or "{}").get("JobName", ""))
                if glue_job in glue_jobs:
                    yield StartedJob(part=glue_jobs[glue_job], name=answer["JobRunId"], glue_job=glue_job)
            elif action in _SAGEMAKER_JOBS:
                part, field = _SAGEMAKER_JOBS[action]
                if field in answer:
                    yield StartedJob(part=part, name=str(answer[field]).rpartition("/")[2])
