"""The list of runs on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ptmlops.run_list import ListedRun
from ptmlops_contracts.run import RunStatus


def show_status(listed: Sequence[ListedRun]) -> None:
    """Print a line per run. No word is cut: a run id in an outcome can be copied."""
    table = Table("run", "status", "started", "rows", "took", "outcome", box=None, padding=(0, 1, 0, 0))
    table.columns[0].no_wrap = True
    table.columns[5].overflow = "fold"
    for column in table.columns[3:5]:
        column.justify = "right"
    for run in listed:
        # Not from start to end: between a failure and a redrive nothing works.
        seconds = f"{sum(run.document['states'].values()):.0f} s" if run.document else ""
        rows = f"{run.document['rows']['read']:,}" if run.document else ""
        style = {RunStatus.SUCCEEDED.value: "green", "RUNNING": "cyan", "CANCELLED": "yellow"}.get(run.status, "red")
        state = Text(run.status.replace("_", " ").lower(), style)
        table.add_row(run.run_id, state, f"{run.started_at:%m-%d %H:%M}", rows, seconds, Text(run.outcome))
    Console(highlight=False).print(table)
