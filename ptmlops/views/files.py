"""What a run or a trial read of its files: the columns, and notes on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ptmlops.views.unread import files_read_as
from ptmlops_contracts.report import NoteCode
from ptmlops_contracts.words import quantity

NO_REPORT: Mapping[str, Any] = MappingProxyType({})


def columns_line(columns: Mapping[str, str]) -> str:
    """Return which columns were read: `text: Body, with Subject; label: none; id: Ticket; date: none`.

    Args:
        columns: the file's column for each of ours (`FileReport.columns`).
    """
    text = columns.get("text", "none") + (f", with {columns['subject']}" if "subject" in columns else "")
    parts = {
        "text": text,
        "label": columns.get("label", "none"),
        "id": columns.get("complaint_id", "none"),
        "date": columns.get("received_at", "none"),
    }
    return "; ".join(f"{name}: {column}" for name, column in parts.items())


def column_lines(read: Sequence[Mapping[str, Any]], report: Mapping[str, Any] = NO_REPORT) -> list[str]:
    """Return a line for each set of columns in run.json. If there are several, each names its files, as report.json lists them."""
    if len(read) == 1:
        return [f"Columns read: {columns_line(read[0]['columns'])}"]
    return [
        f"Columns read of {files_read_as(report, one['columns']) or quantity(one['files'], 'file')}: {columns_line(one['columns'])}"
        for one in read
    ]


def note_sentence(note: Mapping[str, Any]) -> str:
    """Return a note in words, without its full stop."""
    file, column, rows = note.get("file", ""), note.get("column", ""), note.get("rows", 0)
    values = ", ".join(note.get("values", ())) + (f" and {note['more']} more" if note.get("more") else "")
    sentences = {
        NoteCode.COLUMN_NOT_LABEL: f"{file}: the column {column} was not taken for the label, because its values are not known labels; the "
        "rows are classified. If it is the label, name it with --label",
        NoteCode.COLUMN_MISSING: f"{file}: it has no column {column}, which was named at its upload",
        NoteCode.UNFAMILIAR_LABELS: f"{file}: the labels in its column {column} ({values}) have nothing in common with those of the serving "
        f"model. A model that learns its {quantity(rows, 'row')} waits for approval. If the column is not the label, name another one with --label",
        NoteCode.SEVERAL_LABELS: f"{quantity(rows, 'row')} seem to have several labels in a cell, with '{note.get('separator', '')}' between "
        f"them: {values}. To learn the first of them, set complaints.label_separator; to choose, name each in complaints.label_map",
        NoteCode.REPEATED_ROWS: f"{quantity(rows, 'row')} came with the same label before: they are not new, and are not learned again",
    }
    return sentences.get(note["code"], str(note["code"]))
