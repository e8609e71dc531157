"""Decide which trials of a tuning job to stop early."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.services.sagemaker.optimizer import Proposal
from local_aws.services.sagemaker.trial import Trial


def is_below_median(values: Sequence[float], earlier: Sequence[Sequence[float]], goal: str) -> bool:
    """Return whether the last value of a trial is worse than the median of earlier trials' averages up to the same epoch.

    https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-early-stopping.html

    Args:
        values: The objective of the trial, one value per epoch.
        earlier: The objectives of the trials that have ended.
        goal: `Maximize` or `Minimize`.
    """
    epoch = len(values)
    averages = [statistics.fmean(other[:epoch]) for other in earlier if len(other) >= epoch]
    if not averages:
        return False
    median = statistics.median(averages)
    return values[-1] < median if goal == "Maximize" else values[-1] > median


def watch(trial: Trial, proposal: Proposal, configuration: Mapping[str, Any], trials: Sequence[Trial]) -> None:
    """Stop a trial when the strategy or the median rule calls it unpromising, or when it reaches Hyperband's MaxResource.

    Args:
        trial: The trial, which has not started.
        proposal: The optimizer's side of the trial. It gets each value of the objective.
        configuration: HyperParameterTuningJobConfig.
        trials: All trials of the tuning job.
    """
    goal = configuration["HyperParameterTuningJobObjective"]
    max_resource = configuration.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {}).get("MaxResource")
    by_median = configuration.get("TrainingJobEarlyStoppingType") == "Auto"

    def report(name: str, value: float) -> None:
        if name != goal["MetricName"]:
            return
        with trial.jobs.lock:
            trial.reported.append(value)
            epoch = len(trial.reported)
            unpromising = proposal.report(value, epoch)
            earlier = [other.reported for other in trials if other.status in ("Completed", "Stopped")]
        if (
            unpromising
            or (by_median and is_below_median(trial.reported, earlier, goal["Type"]))
            or (max_resource and epoch >= max_resource)
        ):
            trial.stop()

    trial.on_metric = report
