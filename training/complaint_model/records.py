"""Labelled complaints, one by one and as columns. Code that serves a model imports this file, and a model does not bring ptmlops_contracts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Labelled:
    """A labelled complaint as Prepare wrote it."""

    complaint_id: str
    text: str
    label: str
    group: str  # the same for near-duplicates; the complaint's id if Prepare assigned none
    language: str  # "" if unknown
    run_id: str = ""  # of the run that made it a labelled row; "" if the folders do not say


@dataclass(frozen=True)
class Rows:
    """Labelled texts as columns of equal length. Near-duplicates have the same value in `groups`."""

    texts: Sequence[str]
    labels: Sequence[str]
    groups: Sequence[str]


def columns_of(records: Sequence[Labelled]) -> Rows:
    """Return the texts, labels and groups of complaints."""
    return Rows(
        texts=[record.text for record in records],
        labels=[record.label for record in records],
        groups=[record.group for record in records],
    )
