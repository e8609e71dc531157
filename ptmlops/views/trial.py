"""A trial's results on the terminal: a table of the labels, the main numbers, and the notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ptmlops.trial.scoring import counted
from ptmlops.views.files import columns_line
from ptmlops_contracts.words import quantity

SHOWN_LABELS = 25
MIN_INTERVAL_ROWS = 30  # draws of fewer rows say little about macro-F1 (complaint_model/notes.py has the same limit)


def show_trial(document: dict[str, Any], *, target_source: str) -> None:
    """Print what evaluation.json holds, and where its target precision comes from."""
    out = Console(highlight=False)
    labels = sorted(document["candidate"]["per_label"].items(), key=lambda item: -item[1]["support"])
    table = Table("label", "precision", "recall", "F1", "held-out rows", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for label, row in labels[:SHOWN_LABELS]:
        table.add_row(
            Text(label), *(_three_digits(row[name]) for name in ("precision", "recall", "f1")), f"{row['support']:,}"
        )
    out.print(table)
    if len(labels) > SHOWN_LABELS:
        out.print(f" … and {len(labels) - SHOWN_LABELS} more labels, in evaluation.json")
    lines = Table.grid(padding=(0, 2, 0, 0))
    for name, columns in document["columns"].items():
        lines.add_row(f"  columns of --{name}", escape(columns_line(columns)))
    for name, value in _numbers(document, target_source):
        lines.add_row(f"  {name}", value)
    for note in document["notes"]:
        lines.add_row("  [yellow]note[/yellow]", escape(note))
    out.print()
    out.print(lines)
    out.print()


def _numbers(document: dict[str, Any], target_source: str) -> list[tuple[str, str]]:
    candidate, crossed, rows = document["candidate"], document["cross_fitted"], document["holdout"]["rows"]
    held_out = quantity(rows, "held-out complaint")
    enough = rows >= MIN_INTERVAL_ROWS
    interval = _interval(candidate["macro_f1_interval"]) if enough else f" ({held_out}: too few for an interval)"
    numbers = [
        ("macro-F1", f"{_three_digits(candidate['macro_f1'])}{interval}"),
        ("accuracy", f"{_three_digits(candidate['accuracy'])}{_interval(candidate['accuracy_interval'])} on {held_out}"),
        ("calibration error", _three_digits(candidate["expected_calibration_error"])),
        (
            "needs no review",
            f"{_three_digits(candidate['answered_share'])} of them, with precision "
            f"{_three_digits(candidate['answered_precision'])} (target {document['target_precision']:g}, {target_source})",
        ),
        ("cross-fitted", f"macro-F1 {crossed['macro_f1']:.3f}, accuracy {crossed['accuracy']:.3f} on all {crossed['rows']:,}"),
    ]
    if scored := document.get("scored"):
        numbers.append(("predictions", f"{counted(scored)}; {scored['needs_review']:,} to review"))
    return numbers


def _interval(bounds: Sequence[float] | None) -> str:
    return f" (95% interval {bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else ""


def _three_digits(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"
