"""The notes of a trial: what limits its results, and what a run would do differently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptmlops.views.files import note_sentence
from ptmlops_contracts.evaluation import MIN_HEADLINE_ROWS
from ptmlops_contracts.report import NOTE_VALUES, OTHERS, Flag, NoteCode
from ptmlops_contracts.words import quantity
from stacks.config import Settings


def notes_on(report: Mapping[str, Any], document: Mapping[str, Any], settings: Settings) -> list[str]:
    """Return the notes, each a sentence without its full stop.

    Args:
        report: Prepare's report on the labelled file.
        document: what evaluation.json holds so far.
        settings: the environment's settings.
    """
    notes = []
    # Labels that consist of others have a note of their own.
    separators = [note["separator"] for note in report.get("notes", ()) if note["code"] == NoteCode.SEVERAL_LABELS]
    rare = {label: rows for label, rows in report["rare_labels"].items() if not any(mark in label for mark in separators)}
    if rare:
        least = report["min_label_rows"]
        notes.append(f"labels with fewer than {least} complaints were not learned: {_counted(rare)}")
    notes += [note_sentence(note) for note in report.get("notes", [])]
    if report["blank_labels"]:
        notes.append(f"rows without a label were not learned: {report['blank_labels']:,}")
    if report["unknown_labels"]:
        notes.append(f"labels that are not in the settings, or too long: {_counted(report['unknown_labels'])}")
    if variants := report.get("label_variants"):
        more = len(variants) - NOTE_VALUES
        names = "; ".join(" / ".join(alike[:NOTE_VALUES]) for alike in variants[:NOTE_VALUES]) + (
            f"; {more} more" if more > 0 else ""
        )
        notes.append(f"labels that differ only in case, accents or punctuation were learned as different labels: {names}")
    if report["conflicting_texts"]:
        notes.append(f"texts with two labels, of which the newest was learned: {report['conflicting_texts']:,}")
    if note := unread_dates(report, "the labelled file"):
        notes.append(note)
    if rounded := report.get("flags", {}).get(Flag.ROUNDED_ID):
        notes.append(f"ids that a spreadsheet rounded and that were not used: {rounded:,}; export the column as text")
    if short := sum(file.get("short_ids", 0) for file in report.get("files", ())):
        notes.append(
            f"ids that are numbers in the workbook and may have lost zeros in front: {short:,}; format the column as text"
        )
    rows = report["rows"]
    if rows["rejected"]:
        notes.append(f"rows rejected: {_counted(report['rejects'])}")
    held_out, usable = document["holdout"]["rows"], sum(report["labels"].values())
    if held_out < MIN_HEADLINE_ROWS:
        notes.append(
            f"the hash of a text decides whether it is held out, so of {quantity(usable, 'complaint')} not exactly a tenth is: "
            f"{held_out} here; the table and the first figures are therefore cross-fitted ones, which rest on all of them"
        )
    needed = settings.training.min_labelled_rows
    if usable < needed:
        notes.append(f"a run would not train yet: it needs {needed} labelled complaints, and the file has {usable}")
    limit = settings.complaints.max_reject_share
    if rows["rejected"] > limit * rows["read"]:
        notes.append(f"a run would refuse the file: {rows['rejected']} of {rows['read']} rows rejected, over {limit:.0%}")
    if scored := document.get("scored"):
        if seen := scored["also_labelled"]:
            notes.append(f"also in the labelled file: {quantity(seen, 'scored text')}, whose answers do not show the quality")
        notes.append("predictions.csv repeats the rows of your file, not redacted: treat it as you treat the file")
    return notes


def unread_dates(report: Mapping[str, Any], name: str) -> str | None:
    """Return a note if most dates of a file could not be read. `name` says which file."""
    unread, accepted = report.get("flags", {}).get(Flag.UNREAD_DATE, 0), report["rows"]["accepted"]
    if 2 * unread <= accepted or not unread:
        return None
    return f"dates of {name} that were not read: {unread:,} of {accepted:,}; write them as 2026-08-19 15:45, or leave the column out"


def _counted(counts: Mapping[str, int]) -> str:
    """Return the most frequent names with their counts, at most five, and how many more there are."""
    others = counts.get(OTHERS, 0)
    ordered = sorted((item for item in counts.items() if item[0] != OTHERS), key=lambda item: -item[1])
    named = ", ".join(f"{name} ({count})" for name, count in ordered[:NOTE_VALUES])
    rest = sum(count for _, count in ordered[NOTE_VALUES:]) + others
    if not rest:
        return named
    hidden = max(len(ordered) - NOTE_VALUES, 0)
    more = "others" if others else f"{hidden} more"  # Prepare does not count the labels that it sums up
    return f"{named} and {more} ({quantity(rest, 'row')})"
