"""Where each unit logs."""

from __future__ import annotations

from typing import Final

# Stack outputs: the log group per unit, as JSON. The units are the functions and the state machine, and the Glue jobs.
FUNCTION_LOG_GROUPS: Final = "FunctionLogGroups"
JOB_LOG_GROUPS: Final = "JobLogGroups"
MACHINE: Final = "state machine"
# SageMaker's own groups, which all jobs of an account share. The name of a stream begins with the job's, and that with the run's id.
SAGEMAKER_GROUPS: Final = {
    "train": "/aws/sagemaker/TrainingJobs",
    "evaluate": "/aws/sagemaker/ProcessingJobs",
    "score": "/aws/sagemaker/TransformJobs",
}
