"""A run's results on the terminal: categories with their counts, and what happened to the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ptmlops import predictions
from ptmlops.terminal import bars
from ptmlops.views.files import NO_REPORT
from ptmlops.views.unread import unread_lines
from ptmlops_contracts.words import accounting, quantity


def show_results(document: dict[str, Any], table: Any, report: Mapping[str, Any] = NO_REPORT, *, advice: str = "") -> None:
    """Print the results of a run.

    Args:
        document: the run's run.json.
        table: its predictions, a pyarrow table.
        report: its report.json, which names the files that were not read.
        advice: as for `unread_lines`.
    """
    out = Console(highlight=False)
    if categories := predictions.categories(table):
        shown = Table("category", "complaints", "", "confidence", "to review", box=None)
        for number in (1, 3, 4):
            shown.columns[number].justify = "right"
        lengths = bars([row["complaints"] for row in categories], 14)
        for row, bar in zip(categories, lengths, strict=True):
            counts = f"{row['complaints']:,}", Text(bar, "cyan"), f"{row['mean_confidence']:.2f}", f"{row['needs_review']:,}"
            shown.add_row(Text(row["label"]), *counts)
        out.print(shown)
        out.print()
    out.print(accounting(document["rows"]))
    for line in unread_lines(report, advice=advice):
        out.print(line, style="yellow", markup=False)
    out.print(f"{quantity(document['scored'], 'complaint')} classified, {document['needs_review']:,} to review")
    if document.get("trained"):
        decision = document["promotion"]
        out.print(f"A model was trained: {decision['decision']} ({'; '.join(decision['reasons'])})", markup=False)
    if error := document.get("error"):
        out.print(f"The run failed in {error.get('state')}: {error.get('message')}", style="red", markup=False)
