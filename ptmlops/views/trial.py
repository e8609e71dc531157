"""A trial's results on the terminal: a table of the labels, the main numbers, and the notes."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

SHOWN_LABELS = 25


def show_trial(document: dict[str, Any]) -> None:
    """Print what evaluation.json holds."""
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
    for name, value in _numbers(document):
        lines.add_row(f"  {name}", value)
    for note in document["notes"]:
        lines.add_row("  [yellow]note[/yellow]", escape(note))
    out.print()
    out.print(lines)
    out.print()


def _numbers(document: dict[str, Any]) -> list[tuple[str, str]]:
    candidate, crossed = document["candidate"], document["cross_fitted"]
    low, high = candidate["macro_f1_interval"] or (None, None)
    numbers = [
        ("macro-F1", f"{_three_digits(candidate['macro_f1'])} (95% interval {_three_digits(low)} to {_three_digits(high)})"),
        ("accuracy", f"{_three_digits(candidate['accuracy'])} on {document['holdout']['rows']:,} held-out complaints"),
        ("calibration error", _three_digits(candidate["expected_calibration_error"])),
        (
            "needs no review",
            f"{_three_digits(candidate['answered_share'])} of them, with precision "
            f"{_three_digits(candidate['answered_precision'])} (target {document['target_precision']:.2f})",
        ),
        ("cross-fitted", f"macro-F1 {crossed['macro_f1']:.3f}, accuracy {crossed['accuracy']:.3f} on all {crossed['rows']:,}"),
    ]
    if scored := document.get("scored"):
        rows = scored["scored"] + scored["duplicate"]
        review = f"{scored['needs_review']:,} of them to review"
        numbers.append(("predictions", f"{rows:,} complaints, {review}, by a model trained on all {crossed['rows']:,}"))
    return numbers


def _three_digits(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"
