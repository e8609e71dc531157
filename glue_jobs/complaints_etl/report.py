"""report.html: one self-contained, printable page about a run, for people, in the settings' language.

Written by hand and not with a template library: Glue 5.1 carries none. Every value from outside goes through `escape`.
What only the end of the run knows (cost, durations) is filled in by record_run at `COST_MARK`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib import resources
from typing import Any
from urllib.parse import quote

from complaints_etl.publish import Export
from complaints_etl.report_words import WORDS
from complaints_etl.run_facts import DRIFT_ROWS, RunFacts, drift, metrics_of
from ptmlops_contracts.run import COST_MARK

SMALL_LABEL_ROWS = 30
WEAK = 0.7
MATRIX_LABELS = 20
FILE_KINDS = ("export", "review_file", "rejected_file", "table_file", "numbers_file")
LISTED_FILES = 5  # more are linked where each file is told of
NO_TITLE = ""  # over a column of bars: the figures next to it say the same
# No script, no request: the page is what it was when it was written, wherever it is opened.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True, kw_only=True)
class Page:
    """All that a report tells. `earlier`: the category counts of the runs before this one, newest first."""

    language: str
    run_id: str
    published_at: datetime
    report: Mapping[str, Any]
    facts: RunFacts
    audit: int
    unanswered: int
    model_version: str
    evaluation: Mapping[str, Any] | None
    earlier: Sequence[Mapping[str, int]]
    files: Sequence[tuple[str, str]]  # (kind, key in the output bucket)
    exports: Sequence[Export]


class _Writer:
    """Words and numbers of one language."""

    def __init__(self, language: str) -> None:
        self.words, self.language = WORDS[language], language

    def __call__(self, name: str, **values: object) -> str:
        return escape(self.words[name].format(**values))

    def number(self, value: float, decimals: int = 0) -> str:
        text = f"{value:,.{decimals}f}"
        return text.translate(str.maketrans(",.", ".,")) if self.language == "es" else text

    def share(self, value: float | None, decimals: int = 0) -> str:
        if value is None:
            return "–"
        return f"{self.number(value * 100, decimals)} %" if self.language == "es" else f"{self.number(value * 100, decimals)}%"

    def score(self, value: float | None, decimals: int = 2) -> str:
        return "–" if value is None else self.number(value, decimals)

    def tongue(self, code: str) -> str:
        return self.words.get("und" if code in ("und", "unknown") else f"lang_{code}", code)


def render(page: Page) -> str:
    """The page as one HTML document."""
    w = _Writer(page.language)
    metrics = metrics_of(page.evaluation, page.model_version) if page.evaluation else None
    body = "".join(
        (
            _summary(w, page),
            _files(w, page),
            _categories(w, page),
            _sureness(w, page, metrics),
            _amounts(w, page),
            _languages(w, page),
            _came_in(w, page),
            _drift(w, page, metrics),
            _model_card(w, page, metrics),
            f"<h2>{w('cost')}</h2>{COST_MARK}<p class=soft>{w('cost_later')}</p>{COST_MARK}",
            f"<footer>{w('footer')}</footer>",
        )
    )
    style = resources.files("complaints_etl").joinpath("report.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html><html lang="{page.language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{w("title")} · {escape(page.run_id)}</title>'
        f"<style>{style}</style></head><body><main>{body}</main></body></html>"
    )


def _summary(w: _Writer, page: Page) -> str:
    rows, facts = page.report["rows"], page.facts
    lead = "lead" if facts.scored else "lead_none"
    numbers = {"read": rows["read"], "scored": facts.scored, "sure": facts.scored - facts.needs_review,
               "review": facts.needs_review}  # fmt: skip
    tiles = [(w.number(rows[name]), w(name), False) for name in ("read", "accepted", "duplicates")]
    tiles.append((w.number(rows["rejected"]), w("rejected"), rows["rejected"] > 0))
    if labelled := sum(page.report["labelled"].values()):
        tiles.append((w.number(labelled), w("labelled"), False))
    tiles += [(w.number(facts.scored), w("scored"), False), (w.number(facts.needs_review), w("needs_review"), False)]
    if page.unanswered:
        tiles.append((w.number(page.unanswered), w("unanswered"), True))
    when = f"{page.published_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"<h1>{w('title')}</h1><p class=soft>{w('run')} <code>{escape(page.run_id)}</code> · {w('generated')} {when}</p>"
        f"<p class=lead>{w(lead, **{name: w.number(value) for name, value in numbers.items()})}</p>{_tiles(tiles)}"
    )


def _came_in(w: _Writer, page: Page) -> str:
    files = []
    exports = {(export.source_file, export.source_version): export.keys for export in page.exports}
    for file in page.report["files"]:
        note = f"<br><span class=up>{w('whole_file')}</span>" if file.get("rejected_whole") else ""
        rows = file["rows"]
        keys = exports.get((file["key"], file["version_id"]), ())
        parts = f"<br>{', '.join(map(_link, keys))}" if len(keys) > 1 else ""
        name = _link(keys[0], file["key"]) if len(keys) == 1 else escape(file["key"])
        files.append([_cell(name + note + parts)]
                     + [_number(w.number(rows[name])) for name in ("read", "accepted", "duplicates", "rejected")])  # fmt: skip
    table = _table(w("came_in"), [w("file"), *[(w(name),) for name in ("read", "accepted", "duplicates", "rejected")]], files)
    rejects = page.report["rejects"]
    if rejects:
        lines = [
            [_cell(escape(w.words.get(f"reason_{reason}", reason))), _number(w.number(count))]
            for reason, count in sorted(rejects.items(), key=lambda item: -item[1])
        ]
        told = _table(w("rejects"), [w("reason"), (w("rows"),)], lines)
    else:
        told = f"<p>{w('no_rejects')}</p>"
    given = ""
    if labels := page.report.get("labels"):
        total = sum(labels.values())
        lines = [
            [_cell(_name(label)), _bar(count / total), _number(w.number(count)), _number(w.share(count / total, 1))]
            for label, count in sorted(labels.items(), key=lambda item: -item[1])
        ]
        head = [w("category"), NO_TITLE, (w("rows"),), (w("share"),)]
        given = f"<h3>{w('labels_given')}</h3>{_table(w('labels_given'), head, lines)}"
    return f"<h2>{w('came_in')}</h2>{table}<h3>{w('rejects')}</h3>{told}{given}"


def _categories(w: _Writer, page: Page) -> str:
    facts = page.facts
    if not facts.scored:
        return f"<h2>{w('categories')}</h2><p>{w('none_scored')}</p>"
    before: dict[str, int] = {}
    for counts in page.earlier:
        for label, count in counts.items():
            before[label] = before.get(label, 0) + count
    total_before = sum(before.values())
    lines = []
    for label, found in sorted(facts.categories.items(), key=lambda item: (-item[1].complaints, item[0])):
        share = found.complaints / facts.scored
        change = _cell("")
        if total_before:
            points = 100 * (share - before.get(label, 0) / total_before)
            sign = "+" if points > 0 else "−" if points < 0 else ""
            change = _number(w("new") if label not in before else f"{sign}{w.number(abs(points), 1)}")
        lines.append(
            [
                _cell(_name(label)), _bar(share), _number(w.number(found.complaints)), _number(w.share(share, 1)),
                *([change] if total_before else []), _number(w.score(found.confidence)), _number(w.number(found.needs_review)),
            ]
        )  # fmt: skip
    head: list[Any] = [w("category"), NO_TITLE, (w("complaints"),), (w("share"),)]
    head += [(w("change"),)] if total_before else []
    head += [(w("confidence"),), (w("needs_review"),)]
    note = w("change_note", n=len(page.earlier), rows=w.number(total_before)) if total_before else w("change_none")
    return f"<h2>{w('categories')}</h2>{_table(w('categories'), head, lines)}<p class=soft>{note}</p>"


def _sureness(w: _Writer, page: Page, metrics: Mapping[str, Any] | None) -> str:
    facts = page.facts
    if not facts.scored:
        return ""
    answered = 1 - facts.needs_review / facts.scored
    tiles = [(w.share(answered, 1), w("answered"), False)]
    note = ""
    if metrics and page.evaluation:
        tiles.append((w.share(metrics.get("answered_share"), 1), w("expected"), False))
        tiles.append((w.score(metrics.get("threshold")), w("threshold"), False))
        target = page.evaluation.get("target_precision")
        if target is not None and metrics.get("threshold") is not None:
            values = {"threshold": w.score(metrics["threshold"]), "precision": w.share(target)}
            note = f"<p>{w('sureness_note', **values)}</p>"
    most = max(facts.confidence)
    lines = [
        [_cell(f"{w.share(index / 10)} – {w.share((index + 1) / 10)}"), _bar(count / most), _number(w.number(count))]
        for index, count in reversed(list(enumerate(facts.confidence)))
        if count
    ]
    head = [w("confidence_range"), NO_TITLE, (w("complaints"),)]
    return f"<h2>{w('sureness')}</h2>{note}{_tiles(tiles)}{_table(w('confidence_table'), head, lines)}"


def _languages(w: _Writer, page: Page) -> str:
    counts = page.facts.languages or page.report.get("languages", {})
    total = sum(counts.values())
    if not total:
        return ""
    lines = [
        [_cell(escape(w.tongue(code))), _bar(count / total), _number(w.number(count)), _number(w.share(count / total, 1))]
        for code, count in sorted(counts.items(), key=lambda item: -item[1])
    ]
    head = [w("language"), NO_TITLE, (w("complaints"),), (w("share"),)]
    return f"<h2>{w('languages')}</h2>{_table(w('languages'), head, lines)}"


def _amounts(w: _Writer, page: Page) -> str:
    if not page.facts.scored:
        return ""
    if not page.facts.amounts:
        return f"<h2>{w('amounts')}</h2><p>{w('no_amounts')}</p>"
    lines = [
        [
            _cell(_name(found.label)), _cell(escape(found.currency)), _number(w.number(found.mentions)),
            _number(w.number(found.median)), _number(w.number(found.total)),
        ]
        for found in page.facts.amounts
    ]  # fmt: skip
    head = [w("category"), w("currency"), (w("mentions"),), (w("median"),), (w("total"),)]
    return f"<h2>{w('amounts')}</h2><p class=soft>{w('amounts_note')}</p>{_table(w('amounts'), head, lines)}"


def _drift(w: _Writer, page: Page, metrics: Mapping[str, Any] | None) -> str:
    if not (page.facts.scored and metrics):
        return ""
    found = drift(page.facts, metrics)
    if all(index is None for index in found.values()):
        return f"<h2>{w('drift')}</h2><p>{w('drift_small', n=DRIFT_ROWS)}</p>"
    lines = []
    for name, index in found.items():
        reading = "–" if index is None else w("stable" if index < 0.1 else "moderate" if index < 0.25 else "drifted")
        style = " class=up" if index is not None and index >= 0.25 else ""
        lines.append([_cell(w(f"drift_{name}")), _number(w.score(index)), _cell(f"<span{style}>{reading}</span>")])
    table = _table(w("drift"), [w("measure"), (w("psi"),), w("reading")], lines)
    return f"<h2>{w('drift')}</h2><p class=soft>{w('drift_note')}</p>{table}"


def _model_card(w: _Writer, page: Page, metrics: Mapping[str, Any] | None) -> str:
    if page.model_version == "none":
        return f"<h2>{w('model')}</h2><p>{w('model_none')}</p>"
    if not (metrics and page.evaluation):
        return f"<h2>{w('model')}</h2><p>{w('model_unknown', version=page.model_version)}</p>"

    def interval(name: str) -> str:
        bounds = metrics.get(f"{name}_interval")
        return w("interval", low=w.score(bounds[0]), high=w.score(bounds[1])) if bounds else ""

    tiles = [
        (escape(page.model_version), w("version"), False),
        (w.score(metrics["macro_f1"], 3), f"macro-F1<br>{interval('macro_f1')}", False),
        (w.score(metrics["accuracy"], 3), f"{w('accuracy')}<br>{interval('accuracy')}", False),
        (w.score(metrics["expected_calibration_error"], 3), w("calibration"), False),
        (w.number(metrics.get("training_rows") or 0), w("training_rows"), False),
        (w.number(page.evaluation["holdout"]["rows"]), w("holdout"), False),
    ]
    lines = [
        [_cell(_name(label)), *[_number(w.score(numbers[name])) for name in ("precision", "recall", "f1")],
         _number(w.number(numbers["support"]))]
        for label, numbers in sorted(metrics["per_label"].items())
    ]  # fmt: skip
    head = [w("category"), (w("precision"),), (w("recall"),), ("F1",), (w("support"),)]
    languages = [
        [_cell(escape(w.tongue(code))), _number(w.score(found["accuracy"])), _number(w.number(found["rows"]))]
        for code, found in sorted((metrics.get("by_language") or {}).items())
    ]
    spoken = _table(w("by_language"), [w("language"), (w("accuracy"),), (w("rows"),)], languages) if languages else ""
    weak = _weaknesses(w, page.evaluation, metrics)
    told = f"<ul>{''.join(f'<li>{line}</li>' for line in weak)}</ul>" if weak else f"<p>{w('no_weaknesses')}</p>"
    return (
        f"<h2>{w('model')}</h2><p class=soft>{w('model_note')}</p>{_tiles(tiles)}<h3>{w('weaknesses')}</h3>{told}"
        f"<h3>{w('per_label')}</h3>{_table(w('per_label'), head, lines)}"
        + (f"<h3>{w('by_language')}</h3>{spoken}" if spoken else "")
        + _confusion(w, list(metrics["per_label"]), metrics["confusion"])
        + _reliability(w, metrics.get("reliability") or [])
    )


def _weaknesses(w: _Writer, evaluation: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    weak = []
    if evaluation["holdout"]["rows"] < 10 * SMALL_LABEL_ROWS:
        weak.append(w("weak_holdout", rows=w.number(evaluation["holdout"]["rows"])))
    for label, numbers in sorted(metrics["per_label"].items(), key=lambda item: item[1]["recall"] or 0):
        if numbers["support"] and (numbers["recall"] or 0) < WEAK:
            weak.append(w("weak_recall", label=label, recall=w.share(numbers["recall"]), support=numbers["support"]))
        if numbers["precision"] is not None and numbers["precision"] < WEAK:
            weak.append(w("weak_precision", label=label, precision=w.share(numbers["precision"])))
    for code, found in (metrics.get("by_language") or {}).items():
        if found["rows"] >= SMALL_LABEL_ROWS and (found["accuracy"] or 0) < (metrics["accuracy"] or 0) - 0.05:
            values = {"accuracy": w.share(found["accuracy"]), "overall": w.share(metrics["accuracy"])}
            weak.append(w("weak_language", language=w.tongue(code), rows=w.number(found["rows"]), **values))
    if (metrics["expected_calibration_error"] or 0) > 0.05:
        weak.append(w("weak_calibration", error=w.share(metrics["expected_calibration_error"], 1)))
    small = [label for label, numbers in metrics["per_label"].items() if numbers["support"] < SMALL_LABEL_ROWS]
    if small:
        weak.append(w("weak_small", n=SMALL_LABEL_ROWS, labels=", ".join(sorted(small))))
    return weak


def _confusion(w: _Writer, labels: Sequence[str], confusion: Mapping[str, Mapping[str, int]]) -> str:
    wrong = sorted(
        ((rows, true, given) for true, answers in confusion.items() for given, rows in answers.items() if given != true),
        key=lambda item: (-item[0], item[1], item[2]),
    )
    lines = [[_cell(_name(true)), _cell(_name(given)), _number(w.number(count))] for count, true, given in wrong[:8]]
    pairs = _table(w("confusions"), [w("truth"), w("answer"), (w("rows"),)], lines) if lines else ""
    if len(labels) > MATRIX_LABELS:  # nobody reads a matrix of hundreds of cells on a page
        return f"<h3>{w('confusions')}</h3>{pairs}" if pairs else ""
    head = "".join(f"<th scope=col>{index + 1}</th>" for index in range(len(labels)))
    rows = []
    for index, label in enumerate(labels):
        answers = confusion.get(label, {})
        total = sum(answers.values()) or 1
        cells = "".join(
            f'<td style="{_shade(answers.get(given, 0) / total, right=given == label)}">{answers.get(given, "")}</td>'
            for given in labels
        )
        rows.append(f"<tr><th scope=row>{index + 1} {escape(label)}</th>{cells}</tr>")
    matrix = _scroll(
        w("confusion"),
        f"<table class=matrix><caption>{w('confusion_note')}</caption><thead><tr><th scope=col>{w('truth')}</th>{head}</tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table>",
    )
    return f"<h3>{w('confusion')}</h3>{matrix}" + (f"<h3>{w('confusions')}</h3>{pairs}" if pairs else "")


def _shade(share: float, *, right: bool) -> str:
    """Light enough for black figures at every share."""
    base = (22, 130, 150) if right else (200, 80, 40)
    mixed = [round(255 - (255 - part) * 0.6 * share) for part in base]
    return f"background:rgb({mixed[0]},{mixed[1]},{mixed[2]})"


def _reliability(w: _Writer, points: Sequence[Mapping[str, Any]]) -> str:
    if not points:
        return ""
    side, edge = 260, 36
    most = max(point["rows"] for point in points)
    dots = "".join(
        f'<circle cx="{edge + point["confidence"] * side:.1f}" cy="{10 + (1 - point["accuracy"]) * side:.1f}" '
        f'r="{3 + 7 * (point["rows"] / most) ** 0.5:.1f}" fill="#1f6f8b" fill-opacity=".75"/>'
        for point in points
    )
    ticks = "".join(
        f'<text x="{edge + at * side:.0f}" y="{side + 28}" text-anchor="middle">{w.share(at)}</text>'
        f'<text x="{edge - 4}" y="{14 + (1 - at) * side:.0f}" text-anchor="end">{w.share(at)}</text>'
        for at in (0, 0.5, 1)
    )
    drawing = (
        f'<svg role="img" aria-label="{w("reliability_alt")}" width="{side + 70}" height="{side + 36}" '
        f'viewBox="0 0 {side + 70} {side + 36}">'
        f'<rect x="{edge}" y="10" width="{side}" height="{side}" fill="#f5f8fa" stroke="#dbe2e8"/>'
        f'<line x1="{edge}" y1="{side + 10}" x2="{edge + side}" y2="10" stroke="#8fa1b0" stroke-dasharray="4 4"/>'
        f"{dots}{ticks}</svg>"
    )
    lines = [
        [_cell(w.share(point["confidence"], 1)), _number(w.share(point["accuracy"], 1)), _number(w.number(point["rows"]))]
        for point in points
    ]
    table = _table(w("reliability"), [w("confidence"), (w("right"),), (w("rows"),)], lines)
    return f"<h3>{w('reliability')}</h3><p class=soft>{w('reliability_note')}</p><figure>{drawing}</figure>{table}"


def _files(w: _Writer, page: Page) -> str:
    """What there is to open, in the order in which a reader needs it."""
    kinds: dict[str, list[str]] = {}
    for kind, key in page.files:
        kinds.setdefault(kind, []).append(key)
    items = []
    for kind in FILE_KINDS:
        keys = kinds.get(kind, [])
        if len(keys) > LISTED_FILES:
            items.append(f"<li>{w(kind)}: {w('linked_below', n=w.number(len(keys)))}</li>")
        elif keys:
            items.append(f"<li>{w(kind)}: {', '.join(map(_link, keys))}{_review_rows(w, page, kind)}</li>")
    return f"<h2>{w('files')}</h2><ul>{''.join(items)}</ul>"


def _review_rows(w: _Writer, page: Page, kind: str) -> str:
    if kind != "review_file":
        return ""
    values = {"unsure": w.number(page.facts.needs_review + page.unanswered), "audit": w.number(page.audit)}
    return f" <span class=soft>({w('review_rows', **values)})</span>"


def _link(key: str, name: str = "") -> str:
    # The page lies in runs/run_id=…/: two folders up is the bucket, or the folder that it was copied to.
    return f'<a href="../../{quote(key)}">{escape(name or key.rstrip("/").rpartition("/")[2])}</a>'


def _tiles(tiles: Iterable[tuple[str, str, bool]]) -> str:
    """(value, HTML under it, whether it warns)."""
    each = "".join(
        f'<div class="tile{" warn" if warn else ""}"><b>{value}</b><span>{under}</span></div>' for value, under, warn in tiles
    )
    return f"<div class=tiles>{each}</div>"


def _table(name: str, head: Sequence[Any], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells; a heading in a tuple stands over numbers; the first cell of a row names it."""
    titles = "".join(_title(title) for title in head)
    body = "".join(
        f"<tr>{row[0].replace('<td', '<th scope=row', 1).replace('</td>', '</th>')}{''.join(row[1:])}</tr>" for row in rows
    )
    return _scroll(name, f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>")


def _title(title: str | tuple[str]) -> str:
    if isinstance(title, tuple):
        return f"<th scope=col class=n>{title[0]}</th>"
    return f"<th scope=col>{title}</th>" if title else "<td class=b></td>"


def _scroll(name: str, content: str) -> str:
    """What may be wider than a phone scrolls by itself, also by keyboard."""
    return f'<div class=scroll role=region tabindex=0 aria-label="{name}">{content}</div>'


def _cell(content: str) -> str:
    return f"<td>{content}</td>"


def _number(content: str) -> str:
    return f"<td class=n>{content}</td>"


def _bar(share: float) -> str:
    return f'<td class=b aria-hidden=true><div class=bar><i style="width:{100 * share:.1f}%"></i></div></td>'


def _name(label: str) -> str:
    """A label that may break where its words do."""
    return escape(label).replace("_", "_<wbr>")
