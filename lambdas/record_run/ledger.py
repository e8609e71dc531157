"""What record_run writes to the ledger: how a run ended, what it cost, and whether its complaints had drifted."""

from __future__ import annotations

from common.ledger import Ledger, deserialize

from ptmlops_contracts.ledger import CANCELLED, COLLECTING, DRIFT_KEY, SUPERSEDED, costs_key, run_key
from ptmlops_contracts.run import RunDocument

# Neither a late event nor the end of a collector's execution changes these.
_KEPT = {"collecting": COLLECTING, "superseded": SUPERSEDED, "cancelled": CANCELLED}


def record_end(ledger: Ledger, run_id: str, *, status: str, redrives: int, finished_at: str) -> int | None:
    """Set the status of a run whose execution has ended.

    A run that still collects keeps its status, so that the next upload, or `ptmlops reconcile`, lets another run take its files. It
    is not restarted from here: a person may have stopped it.

    Args:
        ledger: the table.
        run_id: the run.
        status: how the execution ended.
        redrives: how often it was redriven before.
        finished_at: when it ended.

    Returns:
        How many files wait in a run that ended while it collected, or None.
    """
    recorded = ledger.change(
        run_key(run_id),
        "SET #status = :status, finished_at = :finished, redrives = :redrives",
        # An execution that a person started by hand has no item, and half of one would break what reads it.
        "attribute_exists(pk) AND (attribute_not_exists(redrives) OR redrives <= :redrives) "
        "AND NOT #status IN (:collecting, :superseded, :cancelled)",
        names=["status"],
        status=status,
        finished=finished_at,
        redrives=redrives,
        **_KEPT,
    )
    if ledger.update(recorded):
        return None
    ended = ledger.change(
        run_key(run_id),
        "SET collector_ended = :redrives",
        "#status = :collecting AND (attribute_not_exists(collector_ended) OR collector_ended <= :redrives)",
        names=["status"],
        redrives=redrives,
        collecting=COLLECTING,
    )
    if not ledger.update(ended):
        return None
    run = ledger.run(run_id)
    return len(ledger.files(run)) if run else None


def cost_of_month(ledger: Ledger, run_id: str, *, cost_usd: float, finished_at: str) -> float:
    """Record what a run cost, and return the USD of all runs that ended in the same month. Safe to repeat.

    The month's item has an attribute per run, so a run that is recorded again replaces its own cost.
    """
    answer = ledger.client.update_item(
        TableName=ledger.table,
        Key={"pk": {"S": costs_key(finished_at)}},
        UpdateExpression="SET #run = :cost",
        ExpressionAttributeNames={"#run": run_id},
        ExpressionAttributeValues={":cost": {"N": str(cost_usd)}},
        ReturnValues="ALL_NEW",
    )
    item = deserialize(answer["Attributes"])
    return round(float(sum(cost for name, cost in item.items() if name != "pk")), 4)


def record_drift(ledger: Ledger, run: RunDocument) -> None:
    """Record whether the run's complaints had drifted, for the next Plan. A run that measured nothing, or an older one, changes nothing."""
    version = run["model"]["version"]
    if version is None or not any(threshold is not None for threshold in run["drift_thresholds"].values()):
        return
    change = ledger.change(
        DRIFT_KEY,
        "SET run_id = :run, model_version = :version, drifted = :drifted",
        "attribute_not_exists(run_id) OR run_id <= :run",
        run=run["run_id"],
        version=str(version),
        drifted=run["drifted"],
    )
    ledger.update(change)
