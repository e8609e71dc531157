"""A trial's results on the terminal: a table of the labels, the main numbers, and the notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ptmlops.trial.scoring import counted
from ptmlops.views.files import columns_line
from ptmlops_contracts.evaluation import headline
from ptmlops_contracts.words import quantity

SHOWN_LABELS = 25


def show_trial(document: dict[str, Any], *, target_source: str) -> None:
    """Print what evaluation.json holds, and where its target precision comes from."""
    out = Console(highlight=False)
    figures, is_cross_fitted = _headline(document)
    labels = sorted(figures["per_label"].items(), key=lambda item: -item[1]["support"])
    table = Table("label", "precision", "recall", "F1", "rows" if is_cross_fitted else "held-out rows", box=None)
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
    figures, is_cross_fitted = _headline(document)
    candidate, crossed = document["candidate"], document["cross_fitted"]
    held_out = quantity(document["holdout"]["rows"], "held-out complaint")
    on_all = f"on all {crossed['rows']:,}"
    numbers = [
        ("macro-F1", _with_interval(figures, "macro_f1")),
        (
            "accuracy",
            f"{_with_interval(figures, 'accuracy')} {f'{on_all}, cross-fitted' if is_cross_fitted else f'on {held_out}'}",
        ),
        ("calibration error", _three_digits(figures["expected_calibration_error"])),
        ("needs no review", f"{_with_interval(figures, 'answered_share')} of them"),
        (
            "their precision",
            f"{_with_interval(figures, 'answered_precision')} (target {document['target_precision']:g}, {target_source})",
        ),
    ]
    if is_cross_fitted:  # macro-F1 of a few rows leaves out labels that none of them has
        numbers.append(("held out", f"accuracy {_with_interval(candidate, 'accuracy')} on {held_out}"))
    else:
        both = f"macro-F1 {_with_interval(crossed, 'macro_f1')}, accuracy {_with_interval(crossed, 'accuracy')}"
        numbers.append(("cross-fitted", f"{both} {on_all}"))
    if to_check := document["labels_to_check"]:
        numbers.append(
            ("labels to check", f"{quantity(to_check, 'row')} whose label is probably wrong, in labels_to_check.csv")
        )
    if scored := document.get("scored"):
        numbers.append(("predictions", f"{counted(scored)}; {scored['needs_review']:,} to review"))
    return numbers


def _headline(document: dict[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Return the figures that come first, and whether they are cross-fitted ones: those of the model of all rows."""
    return headline({**document["candidate"], "cross_fitted": document["cross_fitted"]}, document["holdout"]["rows"])


def _with_interval(figures: Mapping[str, Any], name: str) -> str:
    bounds = figures[f"{name}_interval"]
    return _three_digits(figures[name]) + (f" (95% interval {bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else "")


def _three_digits(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"
