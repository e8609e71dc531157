"""The contract between a job and its code: the scikit-learn container's folders, variables and way to report a failure.

Paths below /opt/ml in hyperparameters, commands and variables are written as paths below the job's folder before the code sees them.
Everything else is as documented: https://github.com/aws/sagemaker-training-toolkit, ENVIRONMENT_VARIABLES.md.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_aws.paths import JOB_SITE
from local_aws.process import Outcome
from local_aws.services.sagemaker.job import Job, JobFailedError

IMAGE = re.compile(r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/sagemaker-scikit-learn:[\w.-]+$")
OPT_ML = "/opt/ml"
HOST = "algo-1"
HOSTS = {"current_host": HOST, "hosts": [HOST]}


def check_image(image: str) -> None:
    """Check that local AWS can stand in for an image.

    Raises:
        JobFailedError: It is not SageMaker's scikit-learn image.
    """
    if not IMAGE.match(image):
        raise JobFailedError(
            f"local AWS runs the scikit-learn image only, not {image}: take its URI from sagemaker.core.image_uris"
        )


def local_path(job: Job, text: str) -> str:
    """Return a text with paths below /opt/ml as paths below the job's folder."""
    return re.sub(rf"{OPT_ML}(?=/|$|\W)", str(job.folder), text)


def process_environment(job: Job, role_arn: str, *, isolated: bool) -> dict[str, str]:
    """Return the variables of a job's process. An isolated one gets no credentials."""
    variables = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(job.folder),
        # Compiled code is kept for the next job: on AWS each job has a machine of its own, and here one machine runs them all.
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(JOB_SITE),
    }
    credentials = {} if isolated else job.context.role_environment(role_arn, "sagemaker.amazonaws.com", job.name)
    return {**variables, **credentials, "AWS_REGION": job.context.region, "AWS_DEFAULT_REGION": job.context.region}


def training_variables(
    job: Job, channels: Mapping[str, Path], hyperparameters: Mapping[str, str], program: str
) -> dict[str, str]:
    """Return the SM_* variables of the training toolkit that describe a training job."""
    folder = job.folder
    return {
        "PYTHONPATH": os.pathsep.join((str(folder / "code"), str(JOB_SITE))),
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.arn,
        "SM_MODEL_DIR": str(folder / "model"),
        "SM_INPUT_DIR": str(folder / "input"),
        "SM_INPUT_CONFIG_DIR": str(folder / "input" / "config"),
        "SM_OUTPUT_DIR": str(folder / "output"),
        "SM_OUTPUT_DATA_DIR": str(folder / "output" / "data"),
        "SM_CHANNELS": json.dumps(sorted(channels)),
        **{f"SM_CHANNEL_{name.upper()}": str(path) for name, path in channels.items()},
        "SM_HPS": json.dumps({key: _decoded(value) for key, value in hyperparameters.items()}),
        **{f"SM_HP_{name.upper()}": value for name, value in hyperparameters.items()},
        "SM_CURRENT_HOST": HOST,
        "SM_HOSTS": json.dumps([HOST]),
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_NUM_GPUS": "0",
        "SM_USER_ENTRY_POINT": program,
        "SM_MODULE_NAME": program.removesuffix(".py"),
        "SM_FRAMEWORK_MODULE": "sagemaker_sklearn_container.training:main",
    }


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def write_json(path: Path, content: Any) -> None:
    """Write a file of the container's configuration."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, default=str), encoding="utf-8")


def failure_reason(file: Path, outcome: Outcome) -> str:
    """Return why the code failed: the content of the file that it wrote, else its last line, with its exit code."""
    reason = file.read_text(encoding="utf-8", errors="replace")[:900] if file.is_file() else last_line(outcome)
    return f"AlgorithmError: {reason}, exit code: {outcome.returncode}"


def last_line(outcome: Outcome) -> str:
    """Return the last line that a process printed."""
    return next((line for line in reversed(outcome.lines) if line.strip()), "the script ended without a message")[:900]
