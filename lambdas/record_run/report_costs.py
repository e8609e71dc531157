"""Write cost and durations into report.html: only the end of the run knows them."""

from __future__ import annotations

import re
from html import escape

from ptmlops_contracts.run import COST_MARK, RunDocument

WORDS = {
    "es": {
        "total": "Costo estimado en AWS", "seconds": "Duración total", "state": "Paso", "duration": "Duración", "cost": "USD",
        "unknown": "precio desconocido", "hours": "{} h {} min", "minutes": "{} min {} s",
        "note": "Precios de lista de us-east-1 por el tiempo facturado de los trabajos; sin solicitudes ni almacenamiento.",
        "Prepare": "Preparación", "Plan": "Plan", "Train": "Entrenamiento", "Evaluate": "Evaluación", "Promote": "Promoción",
        "Score": "Clasificación", "Publish": "Publicación",
    },
    "en": {
        "total": "Estimated cost on AWS", "seconds": "Whole duration", "state": "Step", "duration": "Duration", "cost": "USD",
        "unknown": "unknown price", "hours": "{} h {} min", "minutes": "{} min {} s",
        "note": "List prices of us-east-1 for the billed time of the jobs; without requests and storage.",
        "Prepare": "Preparation", "Plan": "Plan", "Train": "Training", "Evaluate": "Evaluation", "Promote": "Promotion",
        "Score": "Classification", "Publish": "Publication",
    },
}  # fmt: skip
# The part of `cost` that each state of the workflow causes.
PARTS = {"Prepare": "prepare", "Train": "training", "Evaluate": "evaluation", "Score": "scoring", "Publish": "publish"}


def with_costs(page: str, run: RunDocument) -> str:
    """Replace what is between the page's two COST_MARKs by the run's cost and durations, in the page's language."""
    match = re.search(r'<html lang="(\w+)"', page)
    language = match[1] if match and match[1] in WORDS else "en"
    words = WORDS[language]

    def number(value: float, decimals: int) -> str:
        text = f"{value:.{decimals}f}"
        return text.replace(".", ",") if language == "es" else text

    def duration(seconds: float) -> str:
        if seconds < 60:
            return f"{number(seconds, 1)} s"
        minutes, rest = divmod(round(seconds), 60)
        return words["hours"].format(*divmod(minutes, 60)) if minutes >= 60 else words["minutes"].format(minutes, rest)

    def cost(state: str) -> str:
        if PARTS.get(state) not in run["cost"]:
            return ""
        value = run["cost"][PARTS[state]]
        return words["unknown"] if value is None else number(value, 4)

    before, _, after = page.partition(COST_MARK)
    _, _, after = after.partition(COST_MARK)
    tiles = [(f"USD {number(run['cost_usd'], 2)}", words["total"]), (duration(run["seconds"]), words["seconds"])]
    boxes = "".join(f"<div class=tile><b>{value}</b><span>{name}</span></div>" for value, name in tiles)
    # A Choice state takes no time; its name ends in a question mark.
    rows = "".join(
        f"<tr><th scope=row>{escape(words.get(state, state))}</th><td class=n>{duration(seconds)}</td>"
        f"<td class=n>{cost(state)}</td></tr>"
        for state, seconds in run["states"].items()
        if not state.endswith("?")
    )
    head = f"<th scope=col>{words['state']}</th>" + "".join(
        f"<th scope=col class=n>{words[name]}</th>" for name in ("duration", "cost")
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"{before}<div class=tiles>{boxes}</div><p class=soft>{words['note']}</p>{table}{after}"
