"""A training job that belongs to a tuning job."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_aws.services.sagemaker.job import ENDED, Job
from local_aws.services.sagemaker.training import TrainingJob


class Trial(TrainingJob):
    """One trial.

    Attributes:
        tuned: The tuned hyperparameters, as the strings that the code receives.
        reported: The values of the objective metric, as the code printed them, one per epoch.
    """

    def __init__(self, tuning_job: Job, number: int, tuned: dict[str, str]) -> None:
        definition = tuning_job.record["TrainingJobDefinition"]
        self._goal: Mapping[str, str] = tuning_job.record["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
        name = f"{tuning_job.name}-{number:03d}-{uuid.uuid4().hex[:8]}"
        request = {key: value for key, value in definition.items() if key != "StaticHyperParameters"}
        request.update(
            TrainingJobName=name,
            HyperParameters={
                **definition.get("StaticHyperParameters", {}),
                **tuned,
                "_tuning_objective_metric": self._goal["MetricName"],
            },
            TuningJobArn=tuning_job.arn,
        )
        super().__init__(tuning_job.context, tuning_job.jobs, name, request)
        self.tags = tuning_job.tags
        self.tuned = tuned
        self.reported: list[float] = []

    @property
    def objective(self) -> float | None:
        """The final value of the objective metric, or None if the code has not printed it."""
        return self.final_metric(self._goal["MetricName"])

    def summary(self) -> dict[str, Any]:
        """Return the trial's entry in ListTrainingJobsForHyperParameterTuningJob."""
        value = self.objective
        summary = {
            "TrainingJobName": self.name,
            "TrainingJobArn": self.arn,
            "CreationTime": self.record["CreationTime"],
            "TrainingStartTime": self.record.get("TrainingStartTime"),
            "TrainingEndTime": self.record.get("TrainingEndTime"),
            "TrainingJobStatus": self.status,
            "TunedHyperParameters": self.tuned,
            "FailureReason": self.record.get("FailureReason"),
            "ObjectiveStatus": "Pending" if self.status not in ENDED else "Failed" if value is None else "Succeeded",
        }
        if value is not None:
            summary["FinalHyperParameterTuningJobObjectiveMetric"] = {**self._goal, "Value": value}
        return {key: item for key, item in summary.items() if item is not None}


def trial_page(summaries: Sequence[dict[str, Any]], parameter: Callable[[str], Any]) -> dict[str, Any]:
    """Return one page of ListTrainingJobsForHyperParameterTuningJob.

    Args:
        summaries: All trials of the tuning job.
        parameter: Returns a parameter of the request, or None.
    """
    status = parameter("StatusEquals")
    found = [summary for summary in summaries if status in (None, summary["TrainingJobStatus"])]
    descending = parameter("SortOrder") == "Descending"
    key = parameter("SortBy") or "Name"
    if key == "FinalObjectiveMetricValue":
        metric = "FinalHyperParameterTuningJobObjectiveMetric"
        # As documented, trials without an objective are not listed then.
        found = [summary for summary in found if metric in summary]
        found.sort(key=lambda summary: float(summary[metric]["Value"]), reverse=descending)
    else:
        field = {"Name": "TrainingJobName", "CreationTime": "CreationTime", "Status": "TrainingJobStatus"}[key]
        found.sort(key=lambda summary: summary[field], reverse=descending)
    start, size = int(parameter("NextToken") or 0), int(parameter("MaxResults") or 10)
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return {"TrainingJobSummaries": found[start : start + size], **more}
