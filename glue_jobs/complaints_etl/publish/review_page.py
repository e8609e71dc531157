"""Renders review.html: a self-contained page on which a person labels complaints and checks labels, in the language of the settings.

templates/review.js runs the page in the browser. Its data block has what this module makes: the rows of both lists with the words to
mark, the model's labels, and the texts.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from complaints_etl.publish.display_names import DisplayNames
from complaints_etl.publish.marks import marked_parts
from complaints_etl.publish.report_page import NumberFormat, load_texts, resource
from complaints_etl.spreadsheet import FORMULA, MARK, NUMBER
from ptmlops_contracts.report import NOT_A_COMPLAINT

# The page holds the beginning of each list: what a person reads in some days, and what a browser opens at once.
PAGE_ROWS = 1000  # of each list
PAGE_CHARACTERS = 5_000_000  # of both lists
NUMBERED_ALTERNATIVES = 9


@dataclass(frozen=True, kw_only=True)
class PageRow:
    """A row of the review list, or a label to check.

    Attributes:
        cells: its cells by column, without the label.
        why: why it is in the list (a value of the column `why`).
        alternatives: (label, probability), the predicted label first. Of a label to check: the given label, then the suggested one.
        terms: what contributed most to the predicted label.
        theme: the name of its new theme.
    """

    cells: Mapping[str, str]
    why: str
    language: str | None
    alternatives: Sequence[tuple[str, float]]
    terms: Sequence[str]
    theme: str = ""


@dataclass(kw_only=True)
class FirstRows:
    """The first rows of the list, up to PAGE_ROWS and PAGE_CHARACTERS."""

    rows: list[PageRow] = field(default_factory=list)
    characters: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the page takes no more rows."""
        return len(self.rows) >= PAGE_ROWS or self.characters >= PAGE_CHARACTERS

    def add(self, row: PageRow) -> None:
        """Add a row."""
        self.rows.append(row)
        self.characters += len(row.cells["text"])


def fit(rows: Sequence[PageRow], checks: Sequence[PageRow]) -> tuple[list[PageRow], list[PageRow]]:
    """Return the first rows of both lists that fit on the page. Either list has half of the characters if it needs them."""
    used = sum(len(row.cells["text"]) for row in rows)
    shown = _first(checks, max(PAGE_CHARACTERS - used, PAGE_CHARACTERS // 2))
    left = PAGE_CHARACTERS - sum(len(row.cells["text"]) for row in shown)
    return _first(rows, max(left, PAGE_CHARACTERS // 2)), shown


def _first(rows: Sequence[PageRow], characters: int) -> list[PageRow]:
    before = accumulate((len(row.cells["text"]) for row in rows), initial=0)
    return [row for row, start in zip(rows[:PAGE_ROWS], before, strict=False) if start < characters]


def render_review(
    rows: Sequence[PageRow],
    *,
    total: int,
    checks: Sequence[PageRow] = (),
    checks_total: int = 0,
    labels: Sequence[str],
    columns: Sequence[str],
    separator: str,
    language: str,
    run_id: str,
    display_names: Mapping[str, str] | None = None,
) -> str:
    """Return the page as one HTML document.

    Args:
        rows: the first rows of the review list.
        total: rows of the whole list.
        checks: the first labels to check.
        checks_total: all of them.
        labels: the labels that the model knows.
        columns: the columns of the list; the last one takes the label.
        separator: the list's separator.
        language: the language of the page.
        run_id: the run.
        display_names: the names of labels in `language`. The download has the labels.
    """
    display = DisplayNames(display_names or {})
    text, formats = load_texts(language)["review"], NumberFormat(language)
    known = {label for row in (*rows, *checks) for label, _ in row.alternatives} | set(labels)
    data = {
        "run_id": run_id,
        "language": language,
        "columns": columns,
        "separator": separator,
        "formula": FORMULA,
        "number": NUMBER,
        "mark": MARK,
        "not_a_complaint": NOT_A_COMPLAINT,
        "labels": sorted(known, key=lambda label: display(label).casefold()),
        "names": {label: display(label) for label in known if display(label) != label},
        "rows": [_row(row, columns[:-1], text, formats, display) for row in rows],
        "checks": [_row(row, columns[:-1], text, formats, display) for row in checks],
        "texts": text,
    }
    # A page that was written again with other rows must not take over the progress of this one.
    data["version"] = hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]
    style, script = resource("templates/review.css"), resource("templates/review.js")
    environment = Environment(
        loader=PackageLoader("complaints_etl.publish"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = formats.number
    return environment.get_template("review.html.j2").render(
        text=text,
        language=language,
        run_id=run_id,
        shown=len(rows),
        total=total,
        checks_shown=len(checks),
        checks_total=checks_total,
        style=style,
        style_hash=_source_hash(style),
        script=script,
        script_hash=_source_hash(script),
        data=_as_script(data),
    )


def _row(
    row: PageRow, columns: Sequence[str], text: Mapping[str, str], formats: NumberFormat, display: DisplayNames
) -> dict[str, Any]:
    """Return a row for the data block. The text is in `parts` only: plain and marked by turns."""
    named = [(display(label), formats.percent(share)) for label, share in row.alternatives]
    (label, confidence), (other, other_confidence) = [*named, ("", ""), ("", "")][:2]
    return {
        "id": row.cells["complaint_id"],
        "cells": [None if name == "text" else row.cells[name] for name in columns],
        "parts": marked_parts(row.cells["text"], row.terms),
        "language": "" if row.language in (None, "und") else row.language,
        "alternatives": [(name, formats.percent(share)) for name, share in row.alternatives[:NUMBERED_ALTERNATIVES]],
        "terms": row.terms,
        "why": text[row.why.replace(" ", "_")].format(
            label=label, confidence=confidence, other=other, other_confidence=other_confidence, theme=row.theme
        ),
    }


def _as_script(data: Mapping[str, Any]) -> str:
    """Return JSON for a script element: no `<`, `>` or `&`, so that it cannot end the element or open a comment."""
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return written.translate({ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def _source_hash(content: str) -> str:
    """Return the source expression of a Content-Security-Policy that allows exactly this style or script."""
    return f"sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
