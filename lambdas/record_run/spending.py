"""What record_run keeps in the ledger for limits and estimates: the cost of a run, and how long its jobs took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from common.ledger import Ledger

from ptmlops_contracts.estimate import MOST_RUNS, Workload, throughput_key
from ptmlops_contracts.ledger import PLANNED_KEY, THROUGHPUT_KEY
from ptmlops_contracts.run import Part, RunDocument, RunStatus
from ptmlops_contracts.state import StateDocument

ATTEMPTS = 8
# A tuning job stops trials that are behind the others, so stopped ones are part of its ordinary time.
_ORDINARY = {"SUCCEEDED", "Completed", "Stopped"}


def end_plan(ledger: Ledger, run_id: str) -> None:
    """Remove the estimate of a run whose cost has been entered."""
    ledger.client.update_item(
        TableName=ledger.table,
        Key={"pk": {"S": PLANNED_KEY}},
        UpdateExpression="REMOVE #run",
        ExpressionAttributeNames={"#run": run_id},
    )


def learn_throughput(ledger: Ledger, run: RunDocument, state: StateDocument | None) -> None:
    """Add the times of a run that succeeded to the calibration of estimates. A run that is recorded again replaces its own."""
    found = dict(_ratios(run, state)) if run["status"] == RunStatus.SUCCEEDED and state else {}
    for _ in range(ATTEMPTS if found else 0):
        item = ledger.find(THROUGHPUT_KEY) or {"version": 0, "ratios": {}}
        ratios: dict[str, dict[str, Any]] = {key: dict(of_runs) for key, of_runs in item["ratios"].items()}
        for key, ratio in found.items():
            of_runs = {**ratios.get(key, {}), run["run_id"]: Decimal(f"{ratio:.4g}")}
            ratios[key] = {run_id: of_runs[run_id] for run_id in sorted(of_runs)[-MOST_RUNS:]}  # ids sort by time
        change = ledger.change(
            THROUGHPUT_KEY,
            "SET ratios = :ratios, labelled = :labelled, version = :next",
            "attribute_not_exists(version) OR version = :read",
            ratios=ratios,
            labelled=max(_labelled(state), int(item.get("labelled", 0))),
            next=item["version"] + 1,
            read=item["version"],
        )
        if ledger.update(change):
            return  # otherwise another run was recorded since; after all attempts this one is left out


def _labelled(state: StateDocument | None) -> int:
    """Return the labelled rows of all runs, as Plan counted them."""
    rows: Mapping[str, Any] = state.get("plan", {}).get("rows", {}) if state else {}
    return int(rows.get("labelled_total", 0))


def _ratios(run: RunDocument, state: StateDocument) -> Iterator[tuple[str, float]]:
    """Yield the ratio of billed to assumed seconds of each job that succeeded. Of several attempts the last one counts."""
    rows: Mapping[str, Any] = state.get("plan", {}).get("rows", {})
    labelled, to_score = _labelled(state), int(rows.get("to_score", 0))
    for job in run["jobs"]:
        trials = sum(job["statuses"].values()) if job["part"] == Part.TRAINING else 1
        work = Workload(rows=run["rows"]["read"], to_score=to_score, labelled=labelled, trials=trials)
        if job["seconds"] and set(job["statuses"]) <= _ORDINARY:
            part = Part(job["part"])  # type: ignore[call-arg] # looks a member up by its value
            yield throughput_key(part, job["instance"]), job["seconds"] / work.assumed_seconds(part)
