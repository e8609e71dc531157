"""Why a complaint got its label, on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ptmlops.terminal import bars

SHOWN_CHARACTERS = 300


def show_explanation(row: dict[str, Any]) -> None:
    """Print a row of the predictions table: label, text, alternatives, terms, entities and where it comes from."""
    out = Console(highlight=False)
    reason = row.get("review_reason")  # models of earlier versions give none
    review = f"needs review{f': {reason}' if reason else ''}" if row["needs_review"] else "needs no review"
    out.print(f"[bold]{escape(row['label'])}[/bold]  confidence {row['confidence']:.2f} ({review})")
    if text := row.get("text"):
        out.print(Text(text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…", style="dim"))
    alternatives = row["alternatives"] or []
    _show_bars(out, "alternatives", [(item["label"], item["probability"]) for item in alternatives])
    likelier = [item["label"] for item in alternatives if item["probability"] > alternatives[0]["probability"]]
    if likelier:
        out.print(
            f"  [dim]'{escape(likelier[0])}' is likelier, but if two labels are close the rarer one is chosen, "
            "because it would hardly ever be found otherwise[/dim]"
        )
    _show_bars(out, "terms that led to the label", [(item["term"], item["contribution"]) for item in row["top_terms"] or []])
    about = [(name, _values(values)) for name, values in (row.get("entities") or {}).items() if values]
    about += [("language", row["language"]), ("run", row["run_id"]), ("file", row["source_file"])]
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, shown in [*about, ("model version", str(row["model_version"]))]:
        table.add_row(f"  {name}", Text(shown or ""))
    out.print("\ndetails")
    out.print(table)


def _show_bars(out: Console, title: str, items: list[tuple[str, float]]) -> None:
    if not items:
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    for (name, value), bar in zip(items, bars([value for _, value in items]), strict=True):
        table.add_row(Text("  " + name), f"{value:.2f}", Text(bar, "cyan"))
    out.print(f"\n{title}")
    out.print(table)


def _values(values: list[Any]) -> str:
    """Join the entities of a kind; an amount is shown with its currency."""
    return ", ".join(
        f"{value['value']:,} {value['currency'] or ''}".strip() if isinstance(value, dict) else str(value) for value in values
    )
