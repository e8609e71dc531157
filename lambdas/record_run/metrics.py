"""What record_run counts: a run's rows, answers, drift, new themes, cost and duration."""

from __future__ import annotations

from common.metrics import emit

from ptmlops_contracts.live import newest_measured
from ptmlops_contracts.metrics import TIMED_STATES, Metric
from ptmlops_contracts.run import RunDocument


def count_run(run: RunDocument, *, month_cost: float) -> None:
    """Emit the metrics of a run that has ended."""
    rows = run["rows"]
    emit(Metric.RUNS, 1)
    emit(Metric.ROWS_READ, rows["read"])
    emit(Metric.ROWS_ACCEPTED, rows["accepted"])
    emit(Metric.ROWS_REJECTED, rows["rejected"])
    emit(Metric.ROWS_DUPLICATE, rows["duplicates"])
    if rows["read"]:
        emit(Metric.REJECT_SHARE, 100 * rows["rejected"] / rows["read"])
    emit(Metric.COMPLAINTS_CLASSIFIED, run["scored"])
    if run["scored"]:
        emit(Metric.REVIEW_SHARE, 100 * run["needs_review"] / run["scored"])
    if run["confidence"] is not None:
        emit(Metric.MEAN_CONFIDENCE, 100 * run["confidence"])
    live = newest_measured(run["live_accuracy"])
    if live and live["accuracy"] is not None:
        emit(Metric.LIVE_ACCURACY, 100 * live["accuracy"])
        emit(Metric.LIVE_ACCURACY_FALL, 100 * (live["fall"] or 0))
    for kind, index in run["drift"].items():
        if index is not None:
            emit(Metric.DRIFT, index, kind=kind)
    times = [
        index / threshold
        for kind, index in run["drift"].items()
        if index is not None and (threshold := run["drift_thresholds"].get(kind))
    ]
    if times:
        emit(Metric.DRIFT_TIMES_THRESHOLD, max(times))
    if run["scored"]:
        emit(Metric.NEW_THEMES, len(run["themes"]))
    emit(Metric.RUN_COST, run["cost_usd"])
    emit(Metric.MONTH_COST, month_cost)
    emit(Metric.RUN_DURATION, run["seconds"])
    for state, parts in TIMED_STATES.items():
        spent = [run["states"][name] for name in parts if name in run["states"]]
        if spent:
            emit(Metric.STATE_DURATION, sum(spent), state=state)
