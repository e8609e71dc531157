"""Tuning jobs: train with proposed hyperparameters, some trials at a time, and name the best."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_aws.context import LocalContext
from local_aws.services.sagemaker import early_stopping
from local_aws.services.sagemaker.container import check_image
from local_aws.services.sagemaker.job import ENDED, Job, JobFailedError, JobStore
from local_aws.services.sagemaker.optimizer import Observation, Optimizer, Proposal, search_space
from local_aws.services.sagemaker.trial import Trial


class TuningJob(Job):
    """One tuning job.

    Attributes:
        trials: Its training jobs, in the order of their start.
        observations: What its completed trials gave. Tuning jobs that name this one as a parent start with them.
    """

    kind = "HyperParameterTuningJob"
    arn_kind = "hyper-parameter-tuning-job"
    log_group = "/aws/sagemaker/TrainingJobs"

    def __init__(self, context: LocalContext, jobs: JobStore, name: str, request: Mapping[str, Any]) -> None:
        super().__init__(context, jobs, name, request)
        self._configuration: dict[str, Any] = self.record["HyperParameterTuningJobConfig"]
        statuses = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
        self.record["TrainingJobStatusCounters"] = dict.fromkeys(statuses, 0)
        self.record["ObjectiveStatusCounters"] = dict.fromkeys(("Succeeded", "Pending", "Failed"), 0)
        self.trials: list[Trial] = []
        self.observations: list[Observation] = []

    @classmethod
    def check(cls, request: Mapping[str, Any], jobs: JobStore) -> None:
        definition = request.get("TrainingJobDefinition")
        if not definition:
            raise JobFailedError("local AWS tunes one TrainingJobDefinition; TrainingJobDefinitions is not supported")
        check_image(definition["AlgorithmSpecification"].get("TrainingImage", "no image"))
        configuration = request["HyperParameterTuningJobConfig"]
        if configuration["Strategy"] == "Hyperband" and configuration.get("TrainingJobEarlyStoppingType", "Off") != "Off":
            raise JobFailedError("TrainingJobEarlyStoppingType must be Off if the strategy is Hyperband")
        for name in _parent_names(request):
            _check_parent(request, name, jobs.get(cls.kind, name))

    def work(self) -> None:
        optimizer = Optimizer(self._configuration)
        for name in _parent_names(self.record):
            parent = self.jobs.get(self.kind, name)
            if isinstance(parent, TuningJob):
                optimizer.observe(parent.observations)
        self._run_trials(optimizer)
        self.record["HyperParameterTuningEndTime"] = datetime.now(UTC)
        best = self._best_trial()
        if best:
            self.record["BestTrainingJob"] = best.summary()
        if self.stopping.is_set():
            self.end("Stopped")
        elif self.observations:
            self.end("Completed")
        else:
            metric = self._configuration["HyperParameterTuningJobObjective"]["MetricName"]
            reasons = [trial.record.get("FailureReason", "") for trial in self.trials]
            reason = next(filter(None, reasons), f"no training job printed the objective metric {metric}")
            self.end("Failed", f"All training jobs failed or gave no objective. First reason: {reason}")

    def stop(self) -> None:
        """Stop the job and its trials."""
        super().stop()
        with self.jobs.lock:
            trials = list(self.trials)
        for trial in trials:
            trial.stop()

    def _run_trials(self, optimizer: Optimizer) -> None:
        """Run as many trials as allowed, in as many threads as allowed at the same time."""
        limits = self._configuration["ResourceLimits"]
        numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(1, limits.get("MaxNumberOfTrainingJobs", 1) + 1):
            numbers.put(number)

        def work() -> None:
            while (trial_and_proposal := self._next_trial(optimizer, numbers)) is not None:
                trial, proposal = trial_and_proposal
                trial.run()
                with self.jobs.lock:
                    self._count(trial)
                    optimizer.learn(proposal, objective=trial.objective, completed=trial.status == "Completed")

        threads = [threading.Thread(target=work, daemon=True) for _ in range(limits["MaxParallelTrainingJobs"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _next_trial(self, optimizer: Optimizer, numbers: queue.SimpleQueue[int]) -> tuple[Trial, Proposal] | None:
        """Return a new trial, or None if there are enough or the job was stopped."""
        with self.jobs.lock:
            try:
                number = numbers.get_nowait()
            except queue.Empty:
                return None
            if self.stopping.is_set():
                return None
            proposal = optimizer.propose()
            trial = Trial(self, number, proposal.tuned)
            early_stopping.watch(trial, proposal, self._configuration, self.trials)
            self.jobs.add(trial)
            self.trials.append(trial)
            self.record["TrainingJobStatusCounters"]["InProgress"] += 1
            return trial, proposal

    def _count(self, trial: Trial) -> None:
        """Count a trial that ended, and keep what it gave."""
        counters, objectives = self.record["TrainingJobStatusCounters"], self.record["ObjectiveStatusCounters"]
        counters["InProgress"] -= 1
        counters[trial.status if trial.status in ("Completed", "Stopped") else "NonRetryableError"] += 1
        objectives["Failed" if trial.objective is None else "Succeeded"] += 1
        if trial.status == "Completed" and trial.objective is not None:
            self.observations.append((trial.tuned, trial.objective))

    def _best_trial(self) -> Trial | None:
        """Return the trial with the best objective, of equal ones the first.

        It may be one that was stopped early and has no model: the API's reference does not rule it out, so no caller may rely on it.
        """
        sign = 1 if self._configuration["HyperParameterTuningJobObjective"]["Type"] == "Maximize" else -1
        scored = [
            (sign * objective, trial)
            for trial in self.trials
            if trial.status in ("Completed", "Stopped") and (objective := trial.objective) is not None
        ]
        return max(scored, key=lambda item: item[0])[1] if scored else None


def _parent_names(request: Mapping[str, Any]) -> list[str]:
    parents = request.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
    return [parent["HyperParameterTuningJobName"] for parent in parents]


def _check_parent(request: Mapping[str, Any], name: str, parent: Job | None) -> None:
    """Check https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html, the restrictions."""
    if parent is None:
        raise JobFailedError(f"the parent tuning job {name} does not exist")
    if parent.status not in ENDED:
        raise JobFailedError(f"the parent tuning job {name} has not ended: it is {parent.status}")

    def objective(tuning_job: Mapping[str, Any]) -> Any:
        return tuning_job["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]

    def names(tuning_job: Mapping[str, Any]) -> set[str]:
        static = tuning_job["TrainingJobDefinition"].get("StaticHyperParameters", {})
        return {*static, *search_space(tuning_job["HyperParameterTuningJobConfig"].get("ParameterRanges", {}))}

    if objective(parent.record) != objective(request):
        raise JobFailedError(f"the parent tuning job {name} has another objective")
    if len(names(parent.record)) != len(names(request)):
        raise JobFailedError(f"the parent tuning job {name} has another number of static and tunable hyperparameters")
