"""Where each unit logs, as the stack output `LogGroups` states it."""

from __future__ import annotations

from typing import Final

MACHINE: Final = "state machine"
# SageMaker's own groups, which all jobs of an account share. The name of a stream begins with the job's, and that with the run's id.
SAGEMAKER_GROUPS: Final = {
    "train": "/aws/sagemaker/TrainingJobs",
    "evaluate": "/aws/sagemaker/ProcessingJobs",
    "score": "/aws/sagemaker/TransformJobs",
}
