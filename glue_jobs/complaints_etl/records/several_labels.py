"""Recognise cells that hold several labels, such as `fees;fraud`, among the labels of a run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from complaints_etl.text.normalize import fold
from ptmlops_contracts.report import NOTE_VALUES, Note, NoteCode

# What may stand between labels. A cleaned label has no line break and single spaces.
SEPARATORS = (";", "|", ",", "/", "+", "&", "#", " - ", " > ", " y ", " e ", " and ")
_UNUSUAL = (";", "|")  # seldom part of a label's name
_MIN_SHARE = 0.5  # of the labels with a separator, so many must consist of labels
_AROUND = " \t[](){}\"'"
_LISTED = re.compile(r"\s*\[.*\]\s*")


@dataclass(frozen=True)
class _Split:
    """The cells that this separator splits into labels, with the rows of each."""

    separator: str
    labels: Mapping[str, int]

    @property
    def rows(self) -> int:
        return sum(self.labels.values())


def several_labels(given: Mapping[str, int]) -> list[Note]:
    """Return a note if many cells consist of several labels, else an empty list.

    Args:
        given: rows per label, as the files have them.

    Example:
        For `{"fees": 9, "fraud": 8, "fees;fraud": 3}` the note has 3 rows, the separator `;` and the value `fees;fraud`.
    """
    splits = [split for separator in SEPARATORS if (split := _split(given, separator)) is not None]
    if not splits:
        return []
    best = max(splits, key=lambda split: split.rows)
    names = sorted(best.labels, key=lambda name: (-best.labels[name], name))
    return [named_values(names, Note(code=str(NoteCode.SEVERAL_LABELS), rows=best.rows, separator=best.separator))]


def named_values(values: Sequence[str], note: Note) -> Note:
    """Return the note with the first values, and the number of further ones."""
    return {**note, "values": list(values[:NOTE_VALUES]), "more": max(len(values) - NOTE_VALUES, 0)}


def _split(given: Mapping[str, int], separator: str) -> _Split | None:
    """Return the cells that consist of several labels, or None if they are few of the cells with this separator.

    A part is a label if a cell has nothing else. Between semicolons or bars, it is enough that two different cells have the
    part. `Loans, credit and cards` is one label in a file that has `Loans` nowhere else.
    """
    parts = {name: _parts(name, separator) for name in given}
    single = {fold(name.strip(_AROUND)) for name, found in parts.items() if len(found) < 2}
    compound = {name: found for name, found in parts.items() if len(found) > 1}
    if separator in _UNUSUAL:
        single |= {
            part for part, cells in Counter(part for found in compound.values() for part in set(found)).items() if cells > 1
        }
    known = {
        name: given[name] for name, found in compound.items() if any(part in single for part in found) and len(set(found)) > 1
    }
    whole = [name for name, found in compound.items() if all(part in single for part in found)]
    if not known or len(whole) < _MIN_SHARE * len(compound):
        listed = {name: given[name] for name, found in compound.items() if _LISTED.fullmatch(name)}
        return _Split(separator, listed) if listed else None
    return _Split(separator, known)


def _parts(name: str, separator: str) -> list[str]:
    return [part for part in (fold(part.strip(_AROUND)) for part in name.split(separator)) if part]
