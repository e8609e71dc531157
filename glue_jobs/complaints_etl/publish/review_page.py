"""Renders review.html: a self-contained page on which a person labels the review list, in the language of the settings.

templates/review.js runs the page in the browser. Its data block has what this module makes: the list's rows with the words to mark, the
model's labels, and the texts.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from complaints_etl.publish.display_names import DisplayNames
from complaints_etl.publish.marks import marked_parts
from complaints_etl.publish.report_page import NumberFormat, load_texts, resource
from complaints_etl.spreadsheet import FORMULA, MARK, NUMBER
from ptmlops_contracts.report import NOT_A_COMPLAINT

# The page holds the beginning of the list: what a person reads in some days, and what a browser opens at once.
PAGE_ROWS = 1000
PAGE_CHARACTERS = 5_000_000
NUMBERED_ALTERNATIVES = 9


@dataclass(frozen=True, kw_only=True)
class PageRow:
    """A row of the review list.

    Attributes:
        cells: its cells by column, without the label.
        why: why it is in the list (a value of the column `why`).
        alternatives: (label, probability), the predicted label first.
        terms: what contributed most to the predicted label.
    """

    cells: Mapping[str, str]
    why: str
    language: str | None
    alternatives: Sequence[tuple[str, float]]
    terms: Sequence[str]


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


def render_review(
    rows: Sequence[PageRow],
    *,
    total: int,
    labels: Sequence[str],
    columns: Sequence[str],
    separator: str,
    language: str,
    run_id: str,
    display_names: Mapping[str, str] | None = None,
) -> str:
    """Return the page as one HTML document.

    Args:
        rows: the first rows of the list.
        total: rows of the whole list.
        labels: the labels that the model knows.
        columns: the columns of the list; the last one takes the label.
        separator: the list's separator.
        language: the language of the page.
        run_id: the run.
        display_names: the names of labels in `language`. The download has the labels.
    """
    display = DisplayNames(display_names or {})
    text, formats = load_texts(language)["review"], NumberFormat(language)
    known = {label for row in rows for label, _ in row.alternatives} | set(labels)
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
    confidence = formats.percent(row.alternatives[0][1]) if row.alternatives else ""
    label = display(row.alternatives[0][0]) if row.alternatives else ""
    return {
        "id": row.cells["complaint_id"],
        "cells": [None if name == "text" else row.cells[name] for name in columns],
        "parts": marked_parts(row.cells["text"], row.terms),
        "language": "" if row.language in (None, "und") else row.language,
        "alternatives": [(name, formats.percent(share)) for name, share in row.alternatives[:NUMBERED_ALTERNATIVES]],
        "terms": row.terms,
        "why": text[row.why.replace(" ", "_")].format(label=label, confidence=confidence),
    }


def _as_script(data: Mapping[str, Any]) -> str:
    """Return JSON for a script element: no `<`, `>` or `&`, so that it cannot end the element or open a comment."""
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return written.translate({ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def _source_hash(content: str) -> str:
    """Return the source expression of a Content-Security-Policy that allows exactly this style or script."""
    return f"sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
