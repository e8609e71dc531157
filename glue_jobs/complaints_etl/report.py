"""report.html: one self-contained page about a run, for people, in the settings' language."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

WORDS = {
    "es": {
        "title": "Quejas clasificadas", "read": "Leídas", "accepted": "Aceptadas", "rejected": "Rechazadas",
        "duplicates": "Duplicadas", "scored": "Clasificadas", "review": "Por revisar", "category": "Categoría",
        "complaints": "Quejas", "share": "Parte", "rejects": "Rechazos por motivo", "categories": "Categorías",
        "model": "Modelo que respondió", "version": "Versión", "holdout": "Filas de prueba", "per_label": "Desempeño por categoría",
        "precision": "Precisión", "recall": "Exhaustividad", "support": "Filas", "files": "Archivos", "run": "Corrida",
        "none": "Esta corrida no clasificó quejas.", "confidence": "confianza media",
    },
    "en": {
        "title": "Classified complaints", "read": "Read", "accepted": "Accepted", "rejected": "Rejected",
        "duplicates": "Duplicates", "scored": "Classified", "review": "To review", "category": "Category",
        "complaints": "Complaints", "share": "Share", "rejects": "Rejects by reason", "categories": "Categories",
        "model": "The model that answered", "version": "Version", "holdout": "Held-out rows", "per_label": "Performance by category",
        "precision": "Precision", "recall": "Recall", "support": "Rows", "files": "Files", "run": "Run",
        "none": "This run classified no complaints.", "confidence": "mean confidence",
    },
}  # fmt: skip
STYLE = """
:root{color-scheme:light;--ink:#1d2733;--soft:#5b6875;--line:#dfe5eb;--bar:#2f6f8f}
*{box-sizing:border-box}body{margin:0;background:#f4f6f8;color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:960px;margin:0 auto;padding:32px 20px 64px;background:#fff}h1{font-size:1.7rem;margin:0 0 4px}
h2{font-size:1.15rem;margin:36px 0 10px}p.sub{color:var(--soft);margin:0 0 24px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:12px}
.tile{border:1px solid var(--line);border-radius:10px;padding:12px 14px}.tile b{display:block;font-size:1.5rem}
.tile span{color:var(--soft);font-size:.9rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:7px 8px;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{color:var(--soft);font-weight:600;font-size:.85rem}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.bar{background:#e8eef2;border-radius:4px;height:10px;min-width:60px}.bar i{display:block;height:10px;border-radius:4px;background:var(--bar)}
@media print{body{background:#fff}main{max-width:none;padding:0}h2{break-after:avoid}tr{break-inside:avoid}}
"""


def render(
    *,
    language: str,
    run_id: str,
    report: Mapping[str, Any],
    categories: Mapping[str, tuple[int, float]],
    published: Mapping[str, Any],
    model_version: str,
    evaluation: Mapping[str, Any] | None,
) -> str:
    """The page. `categories`: label → (complaints, mean confidence)."""
    words = WORDS[language]
    rows = report["rows"]
    tiles = [(words[name], rows[name]) for name in ("read", "accepted", "rejected", "duplicates")]
    tiles += [(words["scored"], published["scored"]), (words["review"], published["needs_review"])]
    body = [
        f"<h1>{words['title']}</h1><p class=sub>{words['run']} {escape(run_id)}</p>",
        "<div class=tiles>"
        + "".join(f"<div class=tile><b>{n:,}</b><span>{escape(t)}</span></div>" for t, n in tiles)
        + "</div>",
        f"<h2>{words['categories']}</h2>",
    ]
    total = sum(count for count, _ in categories.values())
    if total:
        lines = sorted(categories.items(), key=lambda item: -item[1][0])
        body.append(
            f"<table><thead><tr><th>{words['category']}<th class=n>{words['complaints']}<th>{words['share']}"
            f"<th class=n>{words['confidence']}</tr></thead><tbody>"
            + "".join(
                f"<tr><td>{escape(label)}<td class=n>{count:,}<td><div class=bar><i style='width:{count / total:.0%}'></i></div>"
                f"<td class=n>{mean:.2f}</tr>"
                for label, (count, mean) in lines
            )
            + "</tbody></table>"
        )
    else:
        body.append(f"<p>{words['none']}</p>")
    if report["rejects"]:
        body.append(f"<h2>{words['rejects']}</h2>" + _pairs(report["rejects"]))
    if evaluation:
        body.append(_model_card(words, model_version, evaluation))
    return (
        f"<!doctype html><html lang={language}><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{words['title']} {escape(run_id)}</title><style>{STYLE}</style></head><body><main>{''.join(body)}</main></body></html>"
    )


def _pairs(counts: Mapping[str, int]) -> str:
    rows = "".join(f"<tr><td>{escape(name)}<td class=n>{count:,}</tr>" for name, count in sorted(counts.items()))
    return f"<table><tbody>{rows}</tbody></table>"


def _model_card(words: Mapping[str, str], version: str, evaluation: Mapping[str, Any]) -> str:
    candidate = evaluation["candidate"]
    tiles = [
        (words["version"], escape(version)),
        ("macro-F1", f"{candidate['macro_f1']:.3f}"),
        ("accuracy", f"{candidate['accuracy']:.3f}"),
        (words["holdout"], f"{evaluation['holdout']['rows']:,}"),
    ]
    rows = "".join(
        f"<tr><td>{escape(label)}<td class=n>{numbers['precision']:.2f}<td class=n>{numbers['recall']:.2f}"
        f"<td class=n>{numbers['f1']:.2f}<td class=n>{numbers['support']:,}</tr>"
        for label, numbers in sorted(candidate["per_label"].items())
    )
    return (
        f"<h2>{words['model']}</h2><div class=tiles>"
        + "".join(f"<div class=tile><b>{value}</b><span>{escape(title)}</span></div>" for title, value in tiles)
        + f"</div><h2>{words['per_label']}</h2><table><thead><tr><th>{words['category']}<th class=n>{words['precision']}"
        f"<th class=n>{words['recall']}<th class=n>F1<th class=n>{words['support']}</tr></thead><tbody>{rows}</tbody></table>"
    )
