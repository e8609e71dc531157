"""What a run with some files would cost: `ptmlops estimate`. Plan's limits use the same estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ptmlops.ledger import Ledger
from ptmlops.row_count import count_rows
from ptmlops.target import Target
from ptmlops_contracts.estimate import Estimate, Workload, estimate
from ptmlops_contracts.ledger import PLANNED_KEY, THROUGHPUT_KEY, costs_key, costs_of_runs
from ptmlops_contracts.run import PriceBasis
from stacks.components.run_prices import run_prices
from stacks.config import Settings


@dataclass(frozen=True, kw_only=True)
class RunEstimate:
    """What a run would cost.

    Attributes:
        rows: by file.
        labelled: labelled rows of earlier runs, as far as they are known.
        classified: the cost if the rows have no labels.
        trained: the cost if they have labels, and the run trains.
        prices: the list prices behind it.
        month: USD of the runs of this calendar month so far, those that work included. None if no deployment was asked.
    """

    rows: Mapping[str, int]
    labelled: int
    classified: Estimate
    trained: Estimate
    prices: PriceBasis
    month: float | None

    def stopped_by(self, one: Estimate, settings: Settings) -> list[str]:
        """Return the limits of the settings that would stop the run."""
        limits, month = settings.costs, (self.month or 0) + one.usd
        found = [f"costs.run_limit_usd = {limits.run_limit_usd:.2f}"] if 0 < limits.run_limit_usd < one.usd else []
        return found + (
            [f"costs.month_limit_usd = {limits.month_limit_usd:.2f}"] if 0 < limits.month_limit_usd < month else []
        )


def estimate_run(paths: Sequence[Path], settings: Settings, target: Target | None) -> RunEstimate:
    """Estimate a run with these files.

    Args:
        paths: the files.
        settings: of the environment.
        target: the deployment whose past runs calibrate the estimate, or None.
    """
    prices = run_prices(settings)
    month, items = costs_key(datetime.now(UTC).isoformat()), _items(target)
    rows = {str(path): count_rows(path) for path in paths}
    total, throughput = sum(rows.values()), items.get(THROUGHPUT_KEY, {})
    labelled, ratios = int(throughput.get("labelled", 0)), throughput.get("ratios", {})
    classify = Workload(rows=total, to_score=total, labelled=0, trials=prices["trials"])
    train = Workload(rows=total, to_score=0, labelled=labelled + total, trials=prices["trials"])
    spent = costs_of_runs(items.get(PLANNED_KEY, {})) | costs_of_runs(items.get(month, {}))
    return RunEstimate(
        rows=rows,
        labelled=labelled,
        classified=estimate(classify, classify.parts(), prices, ratios),
        trained=estimate(train, train.parts(), prices, ratios),
        prices=PriceBasis(region=prices["priced_region"], recorded=prices["recorded"], run_region=prices["region"]),
        month=round(sum(spent.values()), 4) if target else None,
    )


def _items(target: Target | None) -> dict[str, dict[str, Any]]:
    if target is None:
        return {}
    keys = [THROUGHPUT_KEY, PLANNED_KEY, costs_key(datetime.now(UTC).isoformat())]
    return {item["pk"]: item for item in Ledger.of(target).items(keys)}
