"""The prices that the functions of a run get as a setting: those of the jobs of its environment."""

from __future__ import annotations

from typing import Any

from ptmlops_contracts.run import Part
from stacks.components.prices import RegionPrices, Use
from stacks.config import Settings

# Data processing units of a worker: https://docs.aws.amazon.com/glue/latest/dg/worker-types.html
WORKER_DPUS = {"G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}


def run_prices(settings: Settings) -> dict[str, Any]:
    """Return the prices and sizes of the jobs of an environment, as record_run and plan_run read them.

    `instances` has USD per hour by part of a run and instance type; null if there is no figure. `priced_region` is another one than
    `region` if that has no figures. `recorded` is the day of the oldest figure.
    """
    compute, prices = settings.compute, RegionPrices(settings.environment.region)
    used: dict[Part, tuple[Use, str]] = {
        Part.TRAINING: ("training", compute.training_instance),
        Part.EVALUATION: ("processing", compute.evaluation_instance),
        Part.SCORING: ("transform", compute.scoring_instance),
    }
    figures = {part: prices.instance_hour(use, instance) for part, (use, instance) in used.items()}
    return {
        "region": prices.region,
        "priced_region": prices.priced_region,
        "recorded": min(figure.recorded for figure in (prices.glue_dpu_hour, *filter(None, figures.values()))),
        "glue_dpu_hour": prices.glue_dpu_hour.usd,
        "glue_dpus": compute.prepare_workers * WORKER_DPUS[compute.prepare_worker],
        "trials": settings.tuning.max_jobs,
        "instances": {
            part.value: {instance: figure.usd if (figure := figures[part]) else None} for part, (_, instance) in used.items()
        },
    }
