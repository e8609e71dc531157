"""Estimate what a run costs before it spends: an assumed time per job, corrected by how long the jobs of past runs took.

Plan compares the estimate with the limits of the settings, and `ptmlops estimate` shows it. Record keeps, for each job, its billed time
divided by the assumed one (`throughput_key`). Their geometric mean corrects the assumption, and their spread is the error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ptmlops_contracts.run import Part

HOUR = 3600
# Billed seconds of a job without rows, and per row: DPU seconds of Glue, instance seconds of SageMaker (of training: per trial). They are
# assumptions: the start of a job as AWS documents it, and times of 2 cores. Only their proportions matter once runs have been recorded.
_ASSUMED = {
    Part.PREPARE: (240.0, 0.0006),
    Part.TRAINING: (150.0, 0.0006),
    Part.EVALUATION: (180.0, 0.0005),
    Part.SCORING: (240.0, 0.0002),
    Part.PUBLISH: (200.0, 0.0003),
}
# The spread of log ratios that is assumed without runs: 80% are within a factor of 3. It counts as much as two runs.
_ASSUMED_SPREAD, _ASSUMED_RUNS = math.log(3) / 1.2816, 2
_NORMAL_80 = 1.2816
MOST_RUNS = 20  # what the calibration remembers per job


# `ThroughputItem.ratios`: by `throughput_key`, the ratio of billed to assumed seconds per run.
Throughput = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Workload:
    """What a run has to do.

    Attributes:
        rows: rows that Prepare reads.
        to_score: rows that are classified; 0 if the run does not score.
        labelled: labelled rows of all runs; 0 if the run does not train.
        trials: training jobs of the tuning job.
    """

    rows: int
    to_score: int
    labelled: int
    trials: int

    def parts(self) -> list[Part]:
        """Return the parts of the run, in their order."""
        training = [Part.TRAINING, Part.EVALUATION] if self.labelled else []
        return [Part.PREPARE, *training, *([Part.SCORING] if self.to_score else []), Part.PUBLISH]

    def assumed_seconds(self, part: Part) -> float:
        """Return the billed seconds that a part is assumed to take."""
        fixed, per_row = _ASSUMED[part]
        rows = {Part.TRAINING: self.labelled, Part.EVALUATION: self.labelled, Part.SCORING: self.to_score}.get(part, self.rows)
        return (fixed + per_row * rows) * (self.trials if part == Part.TRAINING else 1)


@dataclass(frozen=True)
class Estimate:
    """USD of some parts of a run.

    Attributes:
        parts: USD per part; None without a list price.
        usd: all parts with a price together.
        low, high: 80% of such runs cost between them.
        runs: past runs behind the part that has the fewest.
    """

    parts: Mapping[str, float | None]
    usd: float
    low: float
    high: float
    runs: int

    def describe(self) -> str:
        """Return the estimate as words: `USD 2.10 (80% of such runs: 1.20 to 3.70; calibrated on 5 past runs)`."""
        basis = (
            f"calibrated on {self.runs} past run{'' if self.runs == 1 else 's'}"
            if self.runs
            else "no past runs to calibrate it on"
        )
        unknown = [part for part, usd in self.parts.items() if usd is None]
        without = f"; without {' and '.join(unknown)}, whose price is not known" if unknown else ""
        return f"USD {self.usd:.2f} (80% of such runs: {self.low:.2f} to {self.high:.2f}; {basis}{without})"


def estimate(work: Workload, parts: Iterable[Part], prices: Mapping[str, Any], throughput: Throughput) -> Estimate:
    """Estimate some parts of a run.

    Args:
        work: what the run has to do.
        parts: the parts that have not run yet.
        prices: made by stacks/components/run_prices.py.
        throughput: the calibration; empty without past runs.
    """
    usd: dict[str, float | None] = {}
    low = high = 0.0
    runs: list[int] = []
    for part in parts:
        instance, price = _instance_and_price(part, prices)
        ratios = _ratios(throughput, throughput_key(part, instance))
        runs.append(len(ratios))
        middle, factor = _calibrate(ratios)
        if price is None:
            usd[part.value] = None
            continue
        cost = work.assumed_seconds(part) * middle / HOUR * price
        usd[part.value] = round(cost, 4)
        low, high = low + cost / factor, high + cost * factor
    total = sum(one or 0.0 for one in usd.values())
    return Estimate(parts=usd, usd=round(total, 4), low=round(low, 4), high=round(high, 4), runs=min(runs, default=0))


def throughput_key(part: Part, instance: str | None) -> str:
    """Name a kind of job in the calibration: `training/ml.m5.xlarge`, `prepare/glue`. Another instance type begins anew."""
    return f"{part.value}/{instance or 'glue'}"


def _instance_and_price(part: Part, prices: Mapping[str, Any]) -> tuple[str | None, float | None]:
    if part in (Part.PREPARE, Part.PUBLISH):
        return None, float(prices["glue_dpu_hour"])
    [(instance, price)] = prices["instances"][part.value].items()
    return instance, price


def _ratios(throughput: Throughput, key: str) -> Sequence[float]:
    return [float(ratio) for ratio in throughput.get(key, {}).values()]


def _calibrate(ratios: Sequence[float]) -> tuple[float, float]:
    """Return the factor that corrects an assumed time, and the factor of the error: 80% of jobs are within it, up or down.

    The prediction interval of a log-normal time. Its spread is pooled with the assumed one, so that a single run does not look certain.
    """
    logs = [math.log(ratio) for ratio in ratios if ratio > 0]
    if not logs:
        return 1.0, math.exp(_NORMAL_80 * _ASSUMED_SPREAD)
    mean = sum(logs) / len(logs)
    squares = sum((log - mean) ** 2 for log in logs) + _ASSUMED_RUNS * _ASSUMED_SPREAD**2
    spread = math.sqrt(squares / (len(logs) - 1 + _ASSUMED_RUNS))
    return math.exp(mean), math.exp(_NORMAL_80 * spread * math.sqrt(1 + 1 / len(logs)))
