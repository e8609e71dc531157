"""What training jobs receive: the search space of training/hyperparameters.json, fixed hyperparameters, environment variables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ptmlops_contracts.keys import TRAINING_CODE_FILE
from stacks.components.code_assets import ROOT
from stacks.config import Settings

HYPERPARAMETERS = ROOT / "training" / "hyperparameters.json"


def search_space(settings: Settings) -> dict[str, Any]:
    """Return training/hyperparameters.json. If one job is all there is to try, the only value of a hyperparameter is its default."""
    space: dict[str, Any] = json.loads(HYPERPARAMETERS.read_text(encoding="utf-8"))
    if settings.tuning.max_jobs == 1:
        space["tuned"] = [
            {"name": tuned["name"], "type": "Categorical", "values": [tuned["default"]]} for tuned in space["tuned"]
        ]
    return space


def tuning_space(settings: Settings) -> dict[str, Any] | None:
    """Return what an earlier tuning job must share with the next to be its parent: `{"objective", "static", "tuned", "environment"}`.

    None if no job can be a parent: one job tries the defaults, random search does not learn, and the service documents warm start for
    Bayesian and random search alone.
    https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html
    """
    if settings.tuning.strategy != "Bayesian" or settings.tuning.max_jobs == 1:
        return None
    space = search_space(settings)
    return {
        "objective": space["objective"]["name"],
        "static": sorted(static_hyperparameters(settings, space)),
        "tuned": {tuned["name"]: tuned["type"] for tuned in space["tuned"]},
        "environment": training_environment(settings),
    }


def training_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables of training jobs. The service refuses a parent that had others."""
    return {"PTMLOPS_MODEL_BRINGS_NUMBA": "true"} if settings.compute.numba == "models" else {}


def static_hyperparameters(settings: Settings, space: Mapping[str, Any]) -> dict[str, str]:
    """Return the hyperparameters that all jobs share: those of the search space, of the settings, and of the container."""
    return {
        **{name: str(value) for name, value in space["static"].items()},
        "seed": str(settings.training.seed),
        "target_precision": str(settings.training.target_precision),
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": f"/opt/ml/input/data/code/{TRAINING_CODE_FILE}",
        "sagemaker_container_log_level": "20",
        "sagemaker_region": settings.environment.region,
    }


def parameter_ranges(tuned: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the tuned hyperparameters in CreateHyperParameterTuningJob's form: all numbers are strings there."""
    ranges: dict[str, list[dict[str, Any]]] = {}
    for parameter in tuned:
        if parameter["type"] == "Categorical":
            entry = {"Name": parameter["name"], "Values": [str(value) for value in parameter["values"]]}
        else:
            entry = {
                "Name": parameter["name"],
                "MinValue": str(parameter["min"]),
                "MaxValue": str(parameter["max"]),
                "ScalingType": parameter.get("scaling", "Auto"),
            }
        ranges.setdefault(f"{parameter['type']}ParameterRanges", []).append(entry)
    return ranges
