"""The latest runs and how they ended: `ptmlops status`."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ptmlops import runs
from ptmlops.ledger import Ledger
from ptmlops.options import command_for
from ptmlops.target import Target
from ptmlops_contracts.ledger import CANCELLED
from ptmlops_contracts.run import CANCELLED_ERROR, RunStatus

ERROR_CHARACTERS = 160
RUNNING = "RUNNING"
# Fields of run.json in the list.
_LISTED = ("finished_at", "seconds", "files", "rows", "trained", "promoted", "scored", "needs_review", "cost_usd")


@dataclass(frozen=True, kw_only=True)
class ListedRun:
    """A run of the list.

    Attributes:
        status: RUNNING, how the execution ended (`RunStatus`), or CANCELLED for a run that was cancelled before it started to work.
        document: its run.json; empty until the run has ended.
        outcome: what it did, or why it failed, in a few words.
    """

    run_id: str
    status: str
    started_at: datetime
    document: dict[str, Any]
    outcome: str

    def as_json(self) -> dict[str, Any]:
        """Return what `ptmlops status --json` prints: fields of run.json are None until the run has ended."""
        named = {"run_id": self.run_id, "status": self.status, "started_at": self.started_at.isoformat(timespec="seconds")}
        return {**named, **{name: self.document.get(name) for name in _LISTED}, "outcome": self.outcome}


def latest(target: Target) -> list[ListedRun]:
    """Return the latest runs, newest first."""
    return [_listed(target, run) for run in runs.list_runs(target)]


def _listed(target: Target, run: dict[str, Any]) -> ListedRun:
    run_id, status = str(run["name"]), str(run["status"])
    # While a redriven run works, its run.json is that of the attempt before.
    document = {} if status == RUNNING else runs.read_run_document(target, run_id) or {}
    outcome = _outcome(document)
    ledger = Ledger.of(target)
    if status != RunStatus.SUCCEEDED and (item := ledger.run(run_id)) and item["status"] == CANCELLED:
        # Its execution fails, because no state may work for it.
        status = CANCELLED
        remedy = (
            f"`{command_for(target, f'replay {run_id}')}` processes its files"
            if ledger.file_count(item)
            else "all its files were cancelled: upload them again to process them"
        )
        outcome = f"cancelled before it started; {remedy}"
    return ListedRun(run_id=run_id, status=status, started_at=run["startDate"], document=document, outcome=outcome)


def _outcome(document: dict[str, Any]) -> str:
    if error := document.get("error"):
        if error.get("error") == CANCELLED_ERROR:
            return f"a person stopped it in {error.get('state')}"
        message = textwrap.shorten(str(error.get("message") or error.get("error")), ERROR_CHARACTERS, placeholder=" …")
        return f"{error.get('state')}: {message}"
    outcomes = []
    if document.get("trained"):
        outcomes.append("new model serves" if document.get("promoted") else "trained, not promoted")
    if document.get("scored"):
        outcomes.append(f"{document['scored']:,} classified")
    if document and not outcomes:
        reason = document.get("training_reason")
        outcomes.append(f"nothing to classify; no model was trained: {reason}" if reason else "nothing to train or classify")
    return ", ".join(outcomes)
