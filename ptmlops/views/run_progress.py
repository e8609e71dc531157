"""A run on the terminal: one line per state while it runs, then how it ended."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from ptmlops import runs
from ptmlops.options import where_advice
from ptmlops.target import Target
from ptmlops.terminal import console
from ptmlops.views.files import column_lines, note_sentence
from ptmlops.views.unread import unread_lines
from ptmlops_contracts.run import RunStatus
from ptmlops_contracts.words import price_basis

SHOWN_NOTES = 10


@dataclass(frozen=True)
class EndedRun:
    """A run that has ended, and its run.json."""

    run_id: str
    document: dict[str, Any]

    @property
    def succeeded(self) -> bool:
        return bool(self.document["status"] == RunStatus.SUCCEEDED)


def follow_run(target: Target, run_id: str, *, quiet: bool = False) -> EndedRun:
    """Show a run's states until it has ended, then how it ended."""
    if not quiet:
        console().print(f"Run [bold]{run_id}[/bold]")
    steps: dict[str, runs.Step] = {}
    live = Live(console=console(), refresh_per_second=8, transient=False) if console().is_terminal and not quiet else None
    with live or contextlib.nullcontext():
        for step in runs.follow(target, run_id):
            steps[step.state] = step
            if live:
                live.update(_states(steps))
            elif not quiet and step.ended:
                console().print(_line(step).plain)
    document = runs.run_document(target, run_id)
    if not quiet:
        show_end(document, runs.read_report(target, run_id), advice=where_advice(target))
    return EndedRun(run_id, document)


def _states(steps: dict[str, runs.Step]) -> Group:
    return Group(*(_line(step) if step.ended else Spinner("dots", text=_line(step)) for step in steps.values()))


def _line(step: runs.Step) -> Text:
    seconds = ((step.ended or datetime.now(UTC)) - step.began).total_seconds()
    mark, style = ("✗", "red") if step.failed else ("✓", "green") if step.ended else ("", "cyan")
    time = (f"{seconds:7.1f} s  ", "dim")
    return Text.assemble((f"  {mark} " if mark else "", style), f"{step.state:<10}", time, step.summary)


def show_end(document: dict[str, Any], report: dict[str, Any], *, advice: str) -> None:
    """Print what a run read of its files, and how it ended. `advice` as for `unread_lines`."""
    for line in column_lines(document.get("columns", []), report):
        console().print(line, markup=False, highlight=False)
    for line in unread_lines(report, advice=advice):
        console().print(line, style="yellow", markup=False, highlight=False)
    for note in document.get("notes", [])[:SHOWN_NOTES]:
        console().print(f"Note: {note_sentence(note)}", style="yellow", markup=False, highlight=False)
    has_labels = any("label" in read["columns"] for read in document.get("columns", []))
    if has_labels and document.get("training_reason") and not document["trained"]:
        console().print(f"No model was trained: {document['training_reason']}", markup=False, highlight=False)
    if document["status"] == RunStatus.SUCCEEDED:
        console().print(
            f"[green]Succeeded[/green] in {document['seconds']:.0f} s; estimated cost on AWS: {_cost(document)}",
            highlight=False,
        )
        return
    error = document.get("error", {})
    status = document["status"].replace("_", " ").capitalize()
    console().print(f"[red]{status}[/red] in {error.get('state', 'an unknown state')}")
    console().print(
        f"  {error.get('error')}: {error.get('message')}", markup=False, soft_wrap=True
    )  # its address can be copied
    console().print(f"  Estimated cost on AWS: {_cost(document)}", highlight=False)


def _cost(document: dict[str, Any]) -> str:
    """Return the estimate and its prices. Runs of version 0.2.0 do not name these."""
    prices = f" ({price_basis(document['prices'])})" if "prices" in document else ""
    return f"USD {document['cost_usd']:.2f}{prices}"
