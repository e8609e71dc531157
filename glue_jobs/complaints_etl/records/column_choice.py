"""Choose the label column of each file of a run by its name, its cells and the known labels.

A column such as `producto` is the category in one company's files and a property of the complaint in another's. Its name does not
say which. So the columns of all files of a run are chosen together, before the files are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from complaints_etl.readers.header import FALLBACK_LABEL, find_columns, label_candidates
from complaints_etl.readers.sample import read_sample
from complaints_etl.readers.storage import SourceFile
from complaints_etl.readers.table import Aliases, Chosen
from complaints_etl.records.identifiers import redact_names
from complaints_etl.records.labels import LabelMap, label
from complaints_etl.text.normalize import fold
from ptmlops_contracts.report import Note, NoteCode

# A column holds known labels if at least this share of its labelled rows has one.
KNOWN_SHARE = 0.5

# Applies a function to every file, in threads or on the workers.
MapFiles = Callable[[Callable[[SourceFile], "FileColumns"], Sequence[SourceFile]], "list[FileColumns]"]


@dataclass(frozen=True)
class Candidate:
    """A column that may be the label.

    Attributes:
        column: its name in the file.
        certain: its name says that it is; False for names such as `producto`.
        labels: the rows of the file's sample per label, as `comparable` returns labels.
    """

    column: str
    certain: bool
    labels: Mapping[str, int]

    def known_share(self, known: Collection[str]) -> float:
        """Return the share of the labelled rows whose label is known; 0 without labelled rows."""
        rows = sum(self.labels.values())
        return sum(count for name, count in self.labels.items() if name in known) / rows if rows else 0.0

    @property
    def repeats(self) -> bool:
        """Return True if the column has labels that rows share, as a category has and a text or an id has not."""
        rows = sum(self.labels.values())
        return len(self.labels) > 1 and (rows < 10 or 2 * len(self.labels) <= rows)


@dataclass(frozen=True)
class FileColumns:
    """The columns of a file, as its beginning shows them.

    Attributes:
        aliases: the names that the columns of ours have in this file.
        readable: False if the beginning could not be read.
        candidates: the columns that may be the label, in order of preference; empty if a person named the label.
        missing: columns of ours that a person named, and that the file does not have.
    """

    aliases: Aliases
    readable: bool = True
    candidates: Sequence[Candidate] = ()
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class ChosenColumns:
    """For each file of a run the names of its columns, and notes on what is not obvious."""

    aliases: Sequence[Aliases]
    notes: Sequence[Note]


def comparable(name: str) -> str:
    """Return a label as labels are compared with known ones: without case and accents."""
    return fold(name)


def named_aliases(aliases: Aliases, named: Mapping[str, str]) -> Aliases:
    """Return the aliases of a file: the columns that a person named replace the names of the settings."""
    if not named:
        return aliases
    return {**aliases, **{ours: Chosen((column,) if column else ()) for ours, column in named.items() if ours in aliases}}


def choose_columns(
    files: Sequence[SourceFile], aliases: Aliases, labels: LabelMap, known: Collection[str], map_files: MapFiles
) -> ChosenColumns:
    """Choose the columns of all files of a run.

    Args:
        files: the run's files.
        aliases: the names of the settings.
        labels: maps labels to canonical ones.
        known: the labels of the model that serves, or of earlier rows if none serves; empty if there are none.
        map_files: applies a function to every file.
    """
    described = map_files(lambda file: read_columns(file, aliases, labels), files)
    known_labels = frozenset(map(comparable, known))
    if not known_labels:
        # No label is known yet. Labels of columns that are certainly the label count as known for the other files.
        picked = [pick_label(file.candidates, known_labels) for file in described]
        known_labels = frozenset(name for one in picked if one and one.certain for name in one.labels)
    chosen, notes = [], []
    for file, seen in zip(files, described, strict=True):
        names = seen.aliases
        if seen.candidates:
            column = pick_label(seen.candidates, known_labels)
            names = {**names, "label": Chosen((column.column,) if column else ())}
            if column is None:
                notes.append(_note(NoteCode.COLUMN_NOT_LABEL, file, column=seen.candidates[0].column))
        # A file whose beginning could not be read is not learned by an uncertain name.
        uncertain = seen.candidates or (known_labels and not seen.readable)
        chosen.append({ours: name for ours, name in names.items() if ours != FALLBACK_LABEL or not uncertain})
        notes += [_note(NoteCode.COLUMN_MISSING, file, column=file.named[ours]) for ours in seen.missing]
    return ChosenColumns(_shared(chosen), notes)


def read_columns(file: SourceFile, aliases: Aliases, labels: LabelMap) -> FileColumns:
    """Read from the beginning of a file what its columns are."""
    names = named_aliases(aliases, file.named)
    sample = read_sample(file, names) if "label" in names or file.named else None
    if sample is None or sample.format.kind == "text":
        return FileColumns(names, readable=sample is not None)
    header = sample.format.header
    found = find_columns(header, names, by_words=True)
    if "text" not in found:
        return FileColumns(names, readable=False)
    missing = [ours for ours, column in file.named.items() if column and ours in names and ours not in found]
    if "label" not in names or isinstance(names["label"], Chosen):
        return FileColumns(names, missing=missing)

    def candidate(column: str, *, certain: bool) -> Candidate:
        counts = Counter[str]()
        for cell in sample.cells(column):
            resolved, unknown = labels.resolve(label(cell))
            if name := unknown or resolved:  # a label that becomes `other` is not a known one
                counts[comparable(name)] += 1
        return Candidate(column, certain, counts)

    certain, others = label_candidates(header, names)
    candidates = [candidate(column, certain=True) for column in certain]
    candidates += [candidate(column, certain=False) for column in others]
    return FileColumns(names, candidates=candidates, missing=missing)


def pick_label(candidates: Sequence[Candidate], known: Collection[str]) -> Candidate | None:
    """Return the candidate that is the label, or None if none of them is.

    1. A column of known labels is the label, whatever its name.
    2. Otherwise a column whose name says so is. Preferred are, in this order: a known label, labels that rows share, any
       labels, and a name that comes first.
    3. Another column is the label only if no labels are known.
    """
    holders = [one for one in candidates if one.known_share(known) >= KNOWN_SHARE]
    if holders:
        return max(holders, key=lambda one: one.certain)  # the first of them, in order of preference
    if certain := [one for one in candidates if one.certain]:
        return max(certain, key=lambda one: (one.known_share(known) > 0, one.repeats, bool(one.labels)))
    return candidates[0] if candidates and not known else None


def _note(code: NoteCode, file: SourceFile, *, column: str) -> Note:
    return Note(code=str(code), file=file.key, column=redact_names([column])[0])


def _shared(chosen: Sequence[Aliases]) -> list[Aliases]:
    """Return the same mappings, each once in memory: thousands of files mostly have the same columns, and the list is sent to the workers."""
    once: dict[tuple[object, ...], Aliases] = {}
    return [once.setdefault(tuple((ours, type(names), tuple(names)) for ours, names in one.items()), one) for one in chosen]
