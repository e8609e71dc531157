"""Renders report.html: one self-contained, printable page about a run, in the language of the settings.

This module prepares the numbers. templates/report.html.j2 lays them out, and es.toml and en.toml hold the texts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from complaints_etl.publish.changes import Change, EarlierRun, changed_categories, pooled
from complaints_etl.publish.display_names import DisplayNames
from complaints_etl.publish.excerpt import excerpt
from complaints_etl.publish.exports import Export
from complaints_etl.publish.overview import SHOWN_CHANGES, currency_totals, panels, run_names
from complaints_etl.publish.statistics import RunStatistics, serving_metrics
from complaints_etl.publish.themes import Theme
from ptmlops_contracts.drift import MIN_ROWS, Drift, drifted
from ptmlops_contracts.evaluation import headline
from ptmlops_contracts.live import MIN_CHECKED, LiveAccuracy
from ptmlops_contracts.report import NOT_TABLES, Flag
from ptmlops_contracts.run import Part

# The kinds of files that the page links to, most useful first.
FILE_KINDS = ("export", "review_page", "review_file", "labels_file", "rejected_file", "table_file", "numbers_file")
LISTED_FILES = 5  # with more of a kind, the page links each beside its uploaded file
SMALL_LABEL_ROWS = 30  # test rows of a label below which its metrics are approximate
WEAK = 0.7  # a precision or recall below it is listed as a weakness
WEAK_LANGUAGE_GAP, WEAK_CALIBRATION = 0.05, 0.05
MATRIX_LABELS = 20  # a larger confusion matrix does not fit on a page
CONFUSIONS = 8
SHOWN_NOTES = 20


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the report shows.

    Attributes:
        files: keys in the output bucket by kind (FILE_KINDS).
        earlier: the previous runs, newest first.
        audit: rows of the audit sample in the review list.
        display_names: the names of labels in `language`.
        drift: how far the complaints are from those that the model was measured on.
        live: how often people confirmed answers, per version.
        themes: the new themes; None if they could not be searched.
        labels_to_check: labelled rows whose label is probably wrong.
    """

    language: str
    run_id: str
    published_at: datetime
    report: Mapping[str, Any]
    statistics: RunStatistics
    audit: int
    unanswered: int
    model_version: str
    evaluation: Mapping[str, Any] | None
    earlier: Sequence[EarlierRun]
    files: Mapping[str, Sequence[str]]
    exports: Sequence[Export]
    display_names: Mapping[str, str] = field(default_factory=dict)
    drift: Mapping[str, Drift] = field(default_factory=dict)
    live: Sequence[LiveAccuracy] = ()
    themes: Sequence[Theme] | None = None
    labels_to_check: int = 0


class NumberFormat:
    """The number format of a language: `1,250.5` and `75%` in English, `1.250,5` and `75 %` in Spanish."""

    def __init__(self, language: str) -> None:
        self._swap_marks = language == "es"
        self._percent = "\u00a0%" if language == "es" else "%"  # a space that does not break

    def number(self, value: float | None, decimals: int = 0) -> str:
        """Return the number, or a dash for None."""
        if value is None:
            return "–"
        text = f"{value:,.{decimals}f}"
        return text.translate(str.maketrans(",.", ".,")) if self._swap_marks else text

    def percent(self, share: float | None, decimals: int = 0) -> str:
        """Return a share between 0 and 1 as a percentage."""
        return "–" if share is None else self.number(share * 100, decimals) + self._percent


def load_texts(language: str) -> dict[str, dict[str, str]]:
    """Return the texts of a language by section and name."""
    return tomllib.loads(resource(f"{language}.toml"))


def render(page: Page) -> str:
    """Return the page as one HTML document."""
    texts, formats = load_texts(page.language), NumberFormat(page.language)
    environment = Environment(
        loader=PackageLoader("complaints_etl.publish"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"number": formats.number, "percent": formats.percent, "href": _href}
    display = DisplayNames(page.display_names)
    metrics = serving_metrics(page.evaluation, page.model_version) if page.evaluation else None
    model = None
    if metrics and page.evaluation:
        held_out = page.evaluation["holdout"]["rows"]
        figures, is_cross_fitted = headline(metrics, held_out)
        if is_cross_fitted:  # the other measurements are of the few held-out rows
            nothing: dict[str, Any] = {"confusion": {}, "reliability": [], "by_language": {}}
            metrics = {**metrics, **figures, **nothing}
        model = {
            "metrics": metrics,
            "holdout": held_out,
            "cross_fitted": figures["rows"] if is_cross_fitted else 0,
            "target": page.evaluation.get("target_precision"),
            "weaknesses": _weaknesses(texts, formats, page.evaluation, metrics, display),
            "confusions": _confusions(metrics["confusion"]),
            "matrix": [] if is_cross_fitted else _matrix(list(metrics["per_label"]), metrics["confusion"]),
            "points": metrics.get("reliability") or [],
        }
    current = {label: category.complaints for label, category in page.statistics.categories.items()}
    changes = changed_categories(current, [run.categories for run in page.earlier])
    earlier = pooled([run.categories for run in page.earlier])
    versions = {run.model_version for run in page.earlier} - {""}
    return environment.get_template("report.html.j2").render(
        text=texts,
        style=resource("templates/report.css"),
        page=page,
        rows=page.report["rows"],
        display=display,
        changes=changes,
        shown_changes=SHOWN_CHANGES,
        is_other_model=bool(versions - {page.model_version}),
        currencies=currency_totals(page.statistics, page.earlier),
        tasks=_tasks(page),
        panels=panels(current, page.earlier, changes),
        run_names=run_names(texts["months"], [*(run.run_id for run in reversed(page.earlier)), page.run_id]),
        examples=_examples(page),
        themes=[(theme, excerpt(theme.example.text, theme.terms)) for theme in page.themes or ()],
        labelled=sum(page.report["labelled"].values()),
        statistics=page.statistics,
        links=[(kind, page.files[kind]) for kind in FILE_KINDS if page.files.get(kind)],
        listed_files=LISTED_FILES,
        uploads=_uploads(page),
        not_tables=NOT_TABLES,
        unread_dates=_unread_dates(page.report),
        notes=_notes(texts, formats, page.report.get("notes", ())),
        short_ids=sum(file.get("short_ids", 0) for file in page.report["files"]),
        rejects=_by_count(page.report["rejects"]),
        labels=_shares(page.report.get("labels", {})),
        categories=_categories(page, earlier, changes),
        earlier_complaints=earlier.total(),
        confidence=[(tenth, n) for tenth, n in reversed(list(enumerate(page.statistics.confidence))) if n],
        languages=_shares(page.statistics.languages or page.report.get("languages", {})),
        drift=_drift_rows(page.drift),
        drifted=drifted(page.drift),
        drift_rows=MIN_ROWS,
        min_checked=MIN_CHECKED,
        model=model,
        cost_parts=[*(part.value for part in Part), "total"],
    )


def resource(name: str) -> str:
    """Return a file of this package."""
    # Read as a resource, because Glue imports this package from a zip archive.
    return resources.files("complaints_etl.publish").joinpath(name).read_text(encoding="utf-8")


def _href(key: str) -> str:
    """Return a link to `key` that works in the bucket and in a copy of it: the page is two folders below (`OutputKeys.folder`)."""
    return f"../../{quote(key)}"


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _shares(counts: Mapping[str, int]) -> list[tuple[str, int, float]]:
    """Return (name, count, share of the total), largest first."""
    total = sum(counts.values())
    return [(name, count, count / total) for name, count in _by_count(counts)] if total else []


def _unread_dates(report: Mapping[str, Any]) -> int:
    """Return how many dates could not be read if these are most, else 0."""
    unread: int = report.get("flags", {}).get(Flag.UNREAD_DATE, 0)
    return unread if 2 * unread > report["rows"]["accepted"] else 0


def _uploads(page: Page) -> list[tuple[Mapping[str, Any], Sequence[str]]]:
    """Return each uploaded file with the keys of its export."""
    exports = {(export.source_file, export.source_version): (*export.keys, *export.excel_keys) for export in page.exports}
    return [(file, exports.get((file["key"], file["version_id"]), ())) for file in page.report["files"]]


def _notes(texts: Mapping[str, Mapping[str, str]], formats: NumberFormat, notes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the notes on the files as sentences. Reports of earlier versions have none."""
    sentences = []
    for note in notes[:SHOWN_NOTES]:
        values = ", ".join(note.get("values", ()))
        if note.get("more"):
            values = texts["received"]["more"].format(values=values, n=formats.number(note["more"]))
        words = {
            "file": "",
            "column": "",
            "separator": "",
            **note,
            "values": values,
            "rows": formats.number(note.get("rows", 0)),
        }
        sentences.append(texts["notes"].get(note["code"], note["code"]).format(**words))
    return sentences


def _categories(page: Page, earlier: Mapping[str, int], changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return the rows of the table of categories.

    `change` is in percentage points, None for a new category. `is_change`: chance does not explain it.
    """
    changed = {change.label for change in changes}
    total = sum(earlier.values())
    rows = []
    for label, category in sorted(page.statistics.categories.items(), key=lambda item: (-item[1].complaints, item[0])):
        share = category.complaints / page.statistics.scored
        change = 100 * (share - earlier[label] / total) if total and label in earlier else None
        rows.append({"label": label, "category": category, "share": share, "change": change, "is_change": label in changed})
    return rows


def _tasks(page: Page) -> list[tuple[str, int, Sequence[str]]]:
    """Return (name of the text, how many, where to do it) of what needs a person, the most urgent first."""
    review = page.files.get("review_page") or page.files.get("review_file") or ()
    rejected = page.files.get("rejected_file") or ()
    refused = sum(
        1
        for file in page.report["files"]
        if file.get("refused") or (file.get("rejected_whole") and file["rejected_whole"] not in NOT_TABLES)
    )
    tasks = (
        ("files", refused, rejected),
        ("decide", page.statistics.needs_review + page.unanswered, review),
        ("themes", sum(theme.complaints for theme in page.themes or ()), review),
        ("check", page.audit, review),
        ("labels", page.labels_to_check, page.files.get("review_page") or page.files.get("labels_file") or ()),
        ("drift", len(drifted(page.drift)), review),
        ("rows", page.report["rows"]["rejected"], rejected),
        ("dates", _unread_dates(page.report), ()),
    )
    return [task for task in tasks if task[1]]


def _examples(page: Page) -> list[tuple[str, str, str, bool]]:
    """Return (label, excerpt, its language, whether the answer is certain) per category with an example."""
    categories = sorted(page.statistics.categories.items(), key=lambda item: (-item[1].complaints, item[0]))
    return [
        (label, excerpt(found.text, found.terms), "" if found.language == "und" else found.language, found.is_certain)
        for label, category in categories
        if (found := category.example)
    ]


def _drift_rows(drift: Mapping[str, Drift]) -> list[tuple[str, Drift, str]]:
    """Return (kind, its drift, name of the text that interprets it); no rows if nothing could be measured."""
    if all(one["index"] is None for one in drift.values()):
        return []
    found = drifted(drift)
    return [
        (kind, one, "" if one["index"] is None else "drifted" if kind in found else "stable") for kind, one in drift.items()
    ]


def _weaknesses(
    texts: Mapping[str, Mapping[str, str]],
    formats: NumberFormat,
    evaluation: Mapping[str, Any],
    metrics: Mapping[str, Any],
    display: DisplayNames,
) -> list[str]:
    """Return a sentence per weakness that the evaluation shows, the least trustworthy figures first."""
    text, number, percent = texts["weaknesses"], formats.number, formats.percent
    sentences = []
    rows = metrics.get("rows", evaluation["holdout"]["rows"])  # cross-fitted figures say how many rows they are of
    if rows < 10 * SMALL_LABEL_ROWS:
        sentences.append(text["holdout"].format(rows=number(rows)))
    for label, of_label in sorted(metrics["per_label"].items(), key=lambda item: item[1]["recall"] or 0):
        if of_label["support"] and (of_label["recall"] or 0) < WEAK:
            values = {"recall": percent(of_label["recall"]), "support": number(of_label["support"])}
            sentences.append(text["recall"].format(label=display(label), **values))
        if of_label["precision"] is not None and of_label["precision"] < WEAK:
            sentences.append(text["precision"].format(label=display(label), precision=percent(of_label["precision"])))
    for code, of_language in (metrics.get("by_language") or {}).items():
        gap = (metrics["accuracy"] or 0) - (of_language["accuracy"] or 0)
        if of_language["rows"] >= SMALL_LABEL_ROWS and gap > WEAK_LANGUAGE_GAP:
            values = {"accuracy": percent(of_language["accuracy"]), "overall": percent(metrics["accuracy"])}
            language = texts["languages"].get("und" if code == "unknown" else code, code)
            sentences.append(text["language"].format(language=language, rows=number(of_language["rows"]), **values))
    if (metrics["expected_calibration_error"] or 0) > WEAK_CALIBRATION:
        sentences.append(text["calibration"].format(error=percent(metrics["expected_calibration_error"], 1)))
    small = [display(label) for label, of_label in metrics["per_label"].items() if of_label["support"] < SMALL_LABEL_ROWS]
    if small:
        sentences.append(text["small"].format(n=SMALL_LABEL_ROWS, labels=", ".join(sorted(small))))
    return sentences


def _confusions(confusion: Mapping[str, Mapping[str, int]]) -> list[tuple[int, str, str]]:
    """Return the most frequent (rows, true label, predicted label)."""
    wrong = [
        (rows, true, predicted)
        for true, answers in confusion.items()
        for predicted, rows in answers.items()
        if predicted != true
    ]
    return sorted(wrong, key=lambda item: (-item[0], item[1], item[2]))[:CONFUSIONS]


def _matrix(labels: Sequence[str], confusion: Mapping[str, Mapping[str, int]]) -> list[tuple[str, list[tuple[Any, str]]]]:
    """Return (true label, a (rows or "", colour) per predicted label) per label; no rows if there are too many labels."""
    if len(labels) > MATRIX_LABELS:
        return []
    matrix = []
    for true in labels:
        answers = confusion.get(true, {})
        total = sum(answers.values()) or 1
        cells = [(answers.get(label, ""), _shade(answers.get(label, 0) / total, correct=label == true)) for label in labels]
        matrix.append((true, cells))
    return matrix


def _shade(share: float, *, correct: bool) -> str:
    """Return a background colour, light enough for black figures at every share."""
    base = (22, 130, 150) if correct else (200, 80, 40)
    return "rgb({},{},{})".format(*(round(255 - (255 - part) * 0.6 * share) for part in base))
