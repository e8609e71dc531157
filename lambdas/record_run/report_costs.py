"""The part of report.html that only the end of the run knows: what it cost, and how long each state took."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

# glue_jobs/complaints_etl/report.py puts it around what stands there until the run has ended; a contract test holds the two.
COST_MARK = "<!--run costs-->"
WORDS = {
    "es": {"total": "Costo estimado en AWS", "seconds": "Duración total", "state": "Paso", "duration": "Segundos",
           "part": "Parte", "cost": "USD", "unknown": "precio desconocido",
           "note": "Precios de lista de us-east-1 por el tiempo facturado de los trabajos; sin solicitudes ni almacenamiento."},
    "en": {"total": "Estimated cost on AWS", "seconds": "Whole duration", "state": "Step", "duration": "Seconds",
           "part": "Part", "cost": "USD", "unknown": "unknown price",
           "note": "List prices of us-east-1 for the billed time of the jobs; without requests and storage."},
}  # fmt: skip


def with_costs(page: str, run: Mapping[str, Any]) -> str:
    """The page with what stood between the two marks replaced. `run`: run.json's content."""
    language = re.search(r'<html lang="(\w+)"', page)
    words = WORDS.get(language.group(1) if language else "en", WORDS["en"])
    before, _, after = page.partition(COST_MARK)
    _, _, after = after.partition(COST_MARK)
    tiles = [(f"USD {run['cost_usd']:.2f}", words["total"]), (f"{run['seconds']:.0f} s", words["seconds"])]
    boxes = "".join(f"<div class=tile><b>{value}</b><span>{name}</span></div>" for value, name in tiles)
    costs = {part: words["unknown"] if cost is None else f"{cost:.4f}" for part, cost in run["cost"].items()}
    states = {state: f"{seconds:.1f}" for state, seconds in run["states"].items()}
    return (
        f"{before}<div class=tiles>{boxes}</div><p class=soft>{words['note']}</p>"
        f"{_table(words['part'], words['cost'], costs)}{_table(words['state'], words['duration'], states)}{after}"
    )


def _table(name: str, figure: str, rows: Mapping[str, str]) -> str:
    body = "".join(
        f"<tr><th scope=row>{escape(title)}</th><td class=n>{escape(value)}</td></tr>" for title, value in rows.items()
    )
    return (
        f"<table><thead><tr><th scope=col>{name}</th><th scope=col class=n>{figure}</th></tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )
