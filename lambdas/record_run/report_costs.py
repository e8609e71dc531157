"""Fill the costs into report.html. Publish writes the page, and cannot know what its own job costs.

Publish leaves an inert `<template>` with the words of the page's language: a row for each part of a run, with marks such as `@usd@`.
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape

from ptmlops_contracts.run import RunDocument

_TEMPLATE = re.compile(r'<template id="?costs"? lang="?(\w+)"?>(.*?)</template>', re.DOTALL)
_FILLED = re.compile(r"(<!-- costs -->).*?(<!-- end of costs -->)", re.DOTALL)
_ROW = re.compile(r'<tr data-part="(\w+)">.*?</tr>\n?', re.DOTALL)
_OTHER_REGION = re.compile(r"<p data-other-region\b.*?</p>\n?", re.DOTALL)
TOTAL = "total"
UNKNOWN = "–"


def with_costs(page: str, run: RunDocument) -> str | None:
    """Return the page with the run's costs, or None if it has no place for them, as pages of earlier versions. Safe to repeat."""
    template = _TEMPLATE.search(page)
    if template is None or _FILLED.search(page) is None:
        return None
    language, section = template[1], template[2]
    jobs = Counter(job["part"] for job in run["jobs"])
    jobs[TOTAL] = len(run["jobs"])
    usd: dict[str, float | None] = {**run["cost"], TOTAL: run["cost_usd"]}

    def row(match: re.Match[str]) -> str:
        part = match[1]
        return (
            match[0].replace("@jobs@", str(jobs[part])).replace("@usd@", _number(usd[part], language)) if part in usd else ""
        )

    section = _ROW.sub(row, section)
    if run["prices"]["region"] == run["prices"]["run_region"]:
        section = _OTHER_REGION.sub("", section)
    for name, value in run["prices"].items():
        section = section.replace(f"@{name}@", escape(str(value)))
    return _FILLED.sub(lambda match: f"{match[1]}{section}{match[2]}", page)


def _number(usd: float | None, language: str) -> str:
    """Return an amount as the language writes it: `0,0421` in Spanish. Small amounts keep two digits that count."""
    if usd is None:
        return UNKNOWN
    text = f"{usd:,.2f}" if usd >= 1 or not usd else f"{usd:.4f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "es" else text
