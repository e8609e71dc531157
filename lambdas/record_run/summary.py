"""Build the summary of a run: run.json for programs, and the notice for subscribers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ptmlops_contracts.keys import OutputKeys, s3_uri
from ptmlops_contracts.live import newest_measured
from ptmlops_contracts.report import NOT_TABLES, Report, Rows
from ptmlops_contracts.run import (
    CANCELLED_ERROR,
    RUN_VERSION,
    JobCost,
    ModelInUse,
    PriceBasis,
    PromotionSummary,
    Published,
    ReadColumns,
    RunDocument,
)
from ptmlops_contracts.state import NONE, StateDocument
from ptmlops_contracts.words import accounting, live_accuracy, price_basis, quantity
from record_run.costs import part_costs
from record_run.history import Event, state_seconds

MOST_COLUMNS, MOST_NOTES = 20, 100
NO_ROWS = Rows(read=0, accepted=0, rejected=0, duplicates=0)


def run_document(
    run_id: str,
    status: str,
    state: StateDocument | None,
    report: Report | None,
    published: Published | None,
    *,
    started: datetime,
    ended: datetime,
    events: Sequence[Event],
    jobs: Sequence[JobCost],
    prices: PriceBasis,
) -> RunDocument:
    """Build run.json without its `error`.

    Args:
        run_id: the run.
        status: how the execution ended.
        state: the state document, or None if the run ended before its first state.
        report: Prepare's report, or None if Prepare did not finish.
        published: the counts that Publish wrote, or None if Publish did not finish.
        started: when the execution started.
        ended: when it ended.
        events: the execution's history.
        jobs: what each job cost.
        prices: the prices behind it.
    """
    document: Mapping[str, Any] = state or {}
    plan = document.get("plan") or {}
    promotion = plan.get("promotion") or {}
    results: Mapping[str, Any] = published or {}
    statistics: Mapping[str, Any] = report or {}
    return RunDocument(
        schema_version=RUN_VERSION,
        run_id=run_id,
        status=status,
        rows=statistics.get("rows", NO_ROWS),
        rejects=statistics.get("rejects", {}),
        files=len(statistics.get("files", [])),
        files_refused=sum(bool(file.get("refused")) for file in statistics.get("files", [])),
        files_not_tables=sum(file.get("rejected_whole") in NOT_TABLES for file in statistics.get("files", [])),
        columns=_columns_read(statistics.get("files", [])),
        notes=statistics.get("notes", [])[:MOST_NOTES],
        model=_model_in_use(plan.get("champion") or {}),
        trained="training" in document,
        training_reason=str(plan.get("reason", "")),
        promoted=bool(promotion.get("promoted", False)),
        promotion=PromotionSummary(decision=promotion.get("decision", NONE), reasons=promotion.get("reasons", [])),
        # Publish writes its counts last. Without them the results in the output bucket may be incomplete.
        published=published is not None,
        scored=results.get("scored", 0),
        needs_review=results.get("needs_review", 0),
        not_answered=results.get("not_answered", 0),
        confidence=results.get("confidence"),
        drift=results.get("drift", {}),
        drift_thresholds=results.get("drift_thresholds", {}),
        drifted=results.get("drifted", []),
        live_accuracy=results.get("live_accuracy", []),
        themes=results.get("themes", []),
        versions=statistics.get("versions", {}),
        started_at=_iso(started),
        finished_at=_iso(ended),
        seconds=round((ended - started).total_seconds(), 1),
        states=state_seconds(events),
        jobs=list(jobs),
        cost=part_costs(jobs),
        prices=prices,
        cost_usd=round(sum(job["usd"] or 0 for job in jobs), 4),
    )


def notice(run: RunDocument, *, output_bucket: str, environment: str, has_files: bool = True) -> str:
    """Write the message to subscribers: counts, duration, cost and where the results are. It holds no personal data.

    Args:
        run: run.json.
        output_bucket: where the results are.
        environment: the environment.
        has_files: False if a person took out all files of the run.
    """
    where = _options(environment)
    lines = [
        f"Run {run['run_id']} {run['status'].lower()} after {run['seconds']:.0f} s; about USD {run['cost_usd']:.2f} "
        f"({price_basis(run['prices'])}).",
        f"{accounting(run['rows'])}.",
    ]
    if run["files_refused"] and "error" not in run:
        lines.append(
            f"{run['files_refused']:,} of {quantity(run['files'], 'file')} refused: too many rows were rejected. The report says which."
        )
    if run["files_not_tables"]:
        lines.append(
            f"{run['files_not_tables']:,} of {quantity(run['files'], 'file')} not a table of complaints. The report says which."
        )
    if run["scored"]:
        lines.append(f"{quantity(run['scored'], 'complaint')} classified; {run['needs_review']:,} to be read by a person.")
    if run["not_answered"]:
        lines.append(f"{quantity(run['not_answered'], 'complaint')} without an answer: first in the review list.")
    if run["drifted"]:
        lines.append(
            f"The complaints differ from those that the model was measured on: {', '.join(run['drifted'])}. Label the review list, so "
            "that a model learns from them."
        )
    live = newest_measured(run["live_accuracy"])
    if live:
        lines.append(live_accuracy(live))
    if run["themes"]:
        lines.append(f"{quantity(len(run['themes']), 'new theme')}: the report has an example of each.")
    has_labels = any("label" in read["columns"] for read in run["columns"])
    if has_labels and run["training_reason"] and not run["trained"]:
        lines.append(f"No model was trained: {run['training_reason']}.")
    if run["trained"]:
        lines.append(f"A model was trained: {run['promotion']['decision']} ({'; '.join(run['promotion']['reasons'])}).")
    keys = OutputKeys(run["run_id"])
    if "error" in run and run["error"]["error"] == CANCELLED_ERROR:
        remedy = f"ptmlops replay {run['run_id']} {where}" if has_files else "upload them again"
        lines.append(f"A person cancelled it. To process its files after all: {remedy}")
    elif "error" in run:
        # The notice omits the job's message: it may quote a file, and not all subscribers may read the results.
        details = s3_uri(output_bucket, keys.document)
        lines.append(f"{run['error']['state']} failed: {run['error']['error']}. Its message: {details}")
        if not run["published"]:
            lines.append(
                f"No results were published. Repair the cause, then use `ptmlops replay {run['run_id']} {where}`, "
                "or upload the repaired file."
            )
    else:
        lines.append(f"Fetch the results with: ptmlops results {run['run_id']} {where} --out DIR")
        lines.append(f"Results: {s3_uri(output_bucket, keys.folder)}")
    return "\n".join(lines)


def files_wait_notice(run: RunDocument, files: int, *, environment: str) -> str:
    """Write the message for a run that ended while it collected files."""
    return "\n".join(
        [
            f"Run {run['run_id']} {run['status'].lower()} while it collected files. Nothing was processed, and nothing is lost.",
            f"{quantity(files, 'file waits', 'files wait')}: the next upload, or "
            f"`ptmlops reconcile {_options(environment)}`, starts a run that takes them.",
        ]
    )


def _options(environment: str) -> str:
    """Return the options with which a command finds this environment. The environment `local` is that of local AWS."""
    return "--local" if environment == "local" else f"--environment {environment}"


def runs_wait(retry_at: datetime) -> str:
    """Write why no other run starts, and until when."""
    return (
        f"Several runs in a row failed, and not because of their files. New files wait: at {retry_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC one "
        "run tries again. When a run succeeds, also by `ptmlops replay`, all go on."
    )


def _columns_read(files: Sequence[Mapping[str, Any]]) -> list[ReadColumns]:
    """Count the files per set of columns. Files that were rejected whole have none."""
    counts = Counter(tuple(sorted(file["columns"].items())) for file in files if file.get("columns"))
    return [ReadColumns(files=count, columns=dict(columns)) for columns, count in counts.most_common(MOST_COLUMNS)]


def _model_in_use(champion: Mapping[str, Any]) -> ModelInUse:
    version = str(champion.get("version", NONE))
    if version == NONE:
        return ModelInUse(version=None, macro_f1=None)
    return ModelInUse(version=int(version), macro_f1=champion.get("macro_f1"))


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
