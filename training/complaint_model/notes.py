"""Write what an evaluation's reader should know as sentences: missing labels, small supports, missed targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scipy.special import bdtr

from ptmlops_contracts.evaluation import MIN_HEADLINE_ROWS
from ptmlops_contracts.words import quantity

NAMED_LABELS = 5  # in a sentence
LONGEST_NAME = 50  # characters of a label in a sentence
LONGEST_NOTE = 500  # characters
UNLIKELY = 0.05
MIN_ROWS = MIN_HEADLINE_ROWS  # a label or holdout with fewer rows cannot distinguish two models


def notes_of(
    result: dict[str, Any], candidate_labels: Sequence[str], champion_labels: Sequence[str], threshold: float
) -> list[str]:
    """Return the notes on an evaluation.

    Args:
        result: evaluation.json's content, still without notes.
        candidate_labels: The labels that the candidate knows.
        champion_labels: The labels that the champion knows; empty without a champion.
        threshold: The candidate's.
    """
    supports: dict[str, int] = result["holdout"]["labels"]
    rows, leaked, target = result["holdout"]["rows"], result["leakage"]["rows"], result["target_precision"]
    error = (result["champion"] or {}).get("error")
    notes = [f"the champion was not compared: {error}"] if error else []
    notes += disagreement(candidate_labels, champion_labels, set(supports))
    if rows < MIN_ROWS:
        notes.append(f"the holdout has {quantity(rows, 'row')}: too few to distinguish two models")
    absent = [label for label in candidate_labels if label not in supports]
    if rows and absent:
        total = len(candidate_labels)
        notes.append(f"macro-F1 is over {total - len(absent)} of {total} labels: the holdout has no row of {named(absent)}")
    small = [label for label, count in supports.items() if count < MIN_ROWS]
    if rows and small:
        notes.append(f"labels with fewer than {MIN_ROWS} held-out rows, whose recall is a rough estimate: {named(small)}")
    if threshold == 1.0:
        notes.append(f"the candidate leaves every row to review: no confidence reaches a precision of {target:g}")
    elif missed := missed_target(result["candidate"], rows, target):
        notes.append(missed)
    if leaked:
        notes.append(f"near-duplicates of training rows, left out: {quantity(leaked, 'held-out row')}")
    return [note if len(note) <= LONGEST_NOTE else f"{note[: LONGEST_NOTE - 1]}…" for note in notes]


def named(labels: Sequence[str]) -> str:
    """Return the first labels for a sentence, and how many more there are."""
    shown = ", ".join(
        label if len(label) <= LONGEST_NAME else f"{label[: LONGEST_NAME - 1]}…" for label in labels[:NAMED_LABELS]
    )
    return shown if len(labels) <= NAMED_LABELS else f"{shown} and {len(labels) - NAMED_LABELS} more"


def missed_target(measured: dict[str, Any], rows: int, target: float) -> str | None:
    """Return a sentence if fewer answers above the threshold are right than required, and chance does not explain it."""
    if not measured["answered_share"]:
        return None
    answered = round(measured["answered_share"] * rows)
    right = round(measured["answered_precision"] * answered)
    if bdtr(right, answered, target) >= UNLIKELY:
        return None
    return (
        f"{right} of the {answered} rows that the candidate answers without review are right: fewer than the "
        f"required {target:g}, by more than chance explains"
    )


def disagreement(candidate: Sequence[str], champion: Sequence[str], holdout: set[str]) -> list[str]:
    """Return sentences on labels that only some of candidate, champion and holdout have."""
    notes = []
    for name, labels in (("the candidate", candidate), ("the champion", champion)):
        unknown = sorted(holdout - set(labels))
        if labels and unknown:
            notes.append(f"{name} does not know {named(unknown)}: each held-out row of these labels counts as wrong for it")
    if candidate and champion and set(candidate) != set(champion):
        new, gone = sorted(set(candidate) - set(champion)), sorted(set(champion) - set(candidate))
        if new:
            notes.append(f"labels that only the candidate knows: {named(new)}")
        if gone:
            notes.append(f"labels that only the champion knows: {named(gone)}")
    return notes
