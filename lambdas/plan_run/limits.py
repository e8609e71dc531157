"""Stop a run before it spends more than the settings allow, per run and per calendar month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.ledger import Ledger

from ptmlops_contracts.estimate import HOUR, Estimate, Workload, estimate
from ptmlops_contracts.ledger import PLANNED_KEY, THROUGHPUT_KEY, costs_key, costs_of_runs
from ptmlops_contracts.run import Part
from ptmlops_contracts.state import StateDocument

ATTEMPTS = 8


class CostLimitError(Exception):
    """The run would cost more than a limit of the settings."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """USD per run and per calendar month (UTC); 0 is no limit."""

    run_usd: float
    month_usd: float


def check_limits(
    state: StateDocument, work: Workload, limits: Limits, ledger: Ledger, prices: Mapping[str, Any], *, now: datetime
) -> Estimate:
    """Compare the estimate with the limits, and enter it as planned until Record enters the cost. Safe to repeat.

    Runs that work at the same time count with their estimates, so that two runs do not both take what is left of a month.

    Raises:
        CostLimitError: the estimate exceeds a limit. Nothing is entered.
    """
    for _ in range(ATTEMPTS):
        rest, total, plan = _compare(state, work, limits, ledger, prices, now=now)
        if _enter(ledger, state["run_id"], total, plan):
            return rest
    raise CostLimitError(
        f"Other runs changed what is planned {ATTEMPTS} times while this one was compared with its limits. "
        f"Run `ptmlops replay {state['run_id']}`."
    )


def _compare(
    state: StateDocument, work: Workload, limits: Limits, ledger: Ledger, prices: Mapping[str, Any], *, now: datetime
) -> tuple[Estimate, float, Mapping[str, Any]]:
    """Return the estimate of what is to come, USD of the whole run, and the item of planned costs that it was compared with."""
    run_id, month = state["run_id"], costs_key(now.isoformat())
    parts = [part for part in work.parts() if part != Part.PREPARE]
    throughput = ledger.find(THROUGHPUT_KEY) or {}
    rest = estimate(work, parts, prices, throughput.get("ratios", {}))
    items = {item["pk"]: item for item in ledger.items([month, PLANNED_KEY])}
    recorded = costs_of_runs(items.get(month, {}))
    # What Record entered after an earlier attempt, or what Prepare cost: with all workers, because Plan does not ask Glue.
    prepare = float(state.get("prepare", {}).get("ExecutionTime", 0)) * prices["glue_dpus"] / HOUR * prices["glue_dpu_hour"]
    spent = max(prepare, recorded.pop(run_id, 0.0))
    plan = items.get(PLANNED_KEY, {})
    planned = costs_of_runs(plan)
    others = sum((planned | recorded).values()) - planned.get(run_id, 0.0)
    total = spent + rest.usd
    advice = f"Nothing was trained or classified. Raise the limit and deploy, then run `ptmlops replay {run_id}`"
    if limits.run_usd and total > limits.run_usd:
        raise CostLimitError(
            f"The run would cost about USD {total:.2f}, and costs.run_limit_usd is {limits.run_usd:.2f}. It has spent about "
            f"{spent:.2f}; still to come: {_parts(rest)}, together {rest.describe()}. {advice}, or upload fewer rows."
        )
    if limits.month_usd and others + total > limits.month_usd:
        raise CostLimitError(
            f"The run would cost about USD {total:.2f}, the other runs of {month.rpartition('#')[2]} cost {others:.2f}, and "
            f"costs.month_limit_usd is {limits.month_usd:.2f}. Still to come in this run: {_parts(rest)}, together {rest.describe()}. "
            f"{advice}, or wait until next month."
        )
    return rest, round(total, 4), plan


def _enter(ledger: Ledger, run_id: str, usd: float, plan: Mapping[str, Any]) -> bool:
    """Enter a run's estimate. Returns False if another run has entered one since the plan was read."""
    if costs_of_runs(plan).get(run_id) == usd:  # an earlier attempt, whose answer was lost
        return True
    version = int(plan.get("version", 0))
    request = ledger.change(
        PLANNED_KEY,
        "SET #run = :usd, version = :next",
        "attribute_not_exists(version) OR version = :read",
        usd=Decimal(f"{usd:.4f}"),
        next=version + 1,
        read=version,
    )
    request["Update"]["ExpressionAttributeNames"] = {"#run": run_id}
    return ledger.update(request)


def _parts(rest: Estimate) -> str:
    return ", ".join(f"{part} {usd:.2f}" for part, usd in rest.parts.items() if usd is not None)
