"""The counts of report.json, and the check that no row was lost."""

from __future__ import annotations

import platform
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from complaints_etl import PREPARE_VERSION, JobError
from complaints_etl.job_settings import JobSettings
from complaints_etl.records.column_choice import comparable
from complaints_etl.records.several_labels import named_values, several_labels
from complaints_etl.redaction import REDACTION_VERSION
from complaints_etl.redaction import TYPES as REDACTION_TYPES
from ptmlops_contracts.report import OTHERS, REPORT_VERSION, SPLITS, Note, NoteCode, RecordStatus

_LENGTHS = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)  # lower ends of the report's classes of length, in characters
_LENGTH_STEP = 50  # all of _LENGTHS are multiples of it
_MAX_LABELS = 100


class AccountingError(JobError):
    """The counts of rows differ: a defect of the job, which no file can cause."""


@dataclass
class _Totals:
    """Sums over the groups of rows."""

    by_file: Counter[tuple[str, str]] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)
    rare: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    learned_by_file: dict[str, Counter[str]] = field(default_factory=dict)
    languages: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    redactions: Counter[str] = field(default_factory=Counter)
    lengths: Counter[str] = field(default_factory=Counter)
    to_score: int = 0
    conflicts: int = 0
    blank_labels: int = 0


def build_report(
    finished: DataFrame,
    counted: Sequence[Any],
    file_entries: list[dict[str, Any]],
    run_id: str,
    settings: JobSettings,
    *,
    notes: Sequence[Note] = (),
    served_labels: Collection[str] = (),
) -> dict[str, Any]:
    """Return the report (`ptmlops_contracts.report.Counted`). One aggregation counts all: each Spark job takes about a second.

    Args:
        finished: accepted and duplicate rows.
        counted: rows per file, reason and unknown_label, with their `count`, as they were read.
        file_entries: an entry per file, with the number of rows `read`.
        run_id: the run.
        settings: the environment's settings.
        notes: the notes on the columns of the files.
        served_labels: the labels that the serving model knows; empty if there is none.

    Raises:
        AccountingError: rows read are not equal to rows accounted for.
    """
    return report_of(
        _groups(finished),
        counted,
        file_entries,
        run_id,
        min_label_rows=settings.min_label_rows,
        spark=finished.sparkSession.version,
        notes=notes,
        served_labels=served_labels,
    )


def report_of(
    groups: Iterable[Any],
    counted: Sequence[Any],
    file_entries: list[dict[str, Any]],
    run_id: str,
    *,
    min_label_rows: int,
    spark: str,
    notes: Sequence[Note] = (),
    served_labels: Collection[str] = (),
) -> dict[str, Any]:
    """Do as `build_report` with the groups of rows that Spark has counted, and with Spark's version."""
    with_labels = {_file_id(entry["key"], entry["version_id"]) for entry in file_entries if "label" in entry["columns"]}
    totals = _Totals()
    for group in groups:
        _add_records(totals, group, with_labels)
    for group in counted:
        if group["reason"]:
            totals.by_file[(_file_id(group["source_file"], group["source_version"]), "rejected")] += group["count"]
            totals.rejects[group["reason"]] += group["count"]
            if group["unknown_label"] is not None:
                totals.unknown[group["unknown_label"]] += group["count"]
    files, rows = _account(file_entries, totals)
    unfamiliar = _unfamiliar(files, totals, served_labels)
    several = several_labels(totals.given)
    return {
        "schema_version": REPORT_VERSION,
        "run_id": run_id,
        "versions": {
            "prepare": PREPARE_VERSION,
            "redaction": REDACTION_VERSION,
            "spark": spark,
            "python": platform.python_version(),
        },
        "rows": rows,
        "labelled": {split: totals.splits[split] for split in SPLITS},
        "labelled_repeated": {split: totals.repeated[split] for split in SPLITS},
        "to_score": totals.to_score,
        "files": files,
        "labels": _sorted(totals.labels),
        "rare_labels": _most_frequent(totals.rare),
        "min_label_rows": min_label_rows,
        "unknown_labels": _most_frequent(totals.unknown),
        "label_variants": _variants(totals.given),
        "blank_labels": totals.blank_labels,
        "conflicting_texts": totals.conflicts,
        "languages": _sorted(totals.languages),
        "characters": {name: totals.lengths[name] for name in (_length_class(1), *(f"over_{edge}" for edge in _LENGTHS))},
        "notes": [*notes, *(note for note, _ in unfamiliar), *several, *_repeated(totals.repeated)],
        "unfamiliar_labels": [labels for _, labels in unfamiliar],
        "flags": _sorted(totals.flags),
        "rejects": _sorted(totals.rejects),
        "redactions": _sorted(+totals.redactions),
    }


def _groups(records: DataFrame) -> list[Any]:
    """Group the rows by all that the report counts, with their number `n`, length `step`, and sums `redacted_<TYPE>`."""
    keys = (
        "source_file", "source_version", "status", "label", "given_label", "unknown_label", "conflict", "repeated", "split", "language",
        "flags",
    )  # fmt: skip
    # SQL, because each call of a pyspark function is a message to the JVM.
    sums = [F.expr(f"sum(if(size(redactions) > 0, redactions['{kind}'], 0)) AS redacted_{kind}") for kind in REDACTION_TYPES]
    step = F.least(F.ceil(F.col("characters") / _LENGTH_STEP), F.lit(_LENGTHS[-1] // _LENGTH_STEP + 1))
    return records.groupBy(*keys, step.alias("step")).agg(F.count("*").alias("n"), *sums).collect()


def _add_records(totals: _Totals, group: Any, with_labels: set[str]) -> None:
    """Add a group of rows to the totals. `with_labels`: ids of the files with a label column."""
    rows, file = group["n"], _file_id(group["source_file"], group["source_version"])
    totals.by_file[(file, group["status"])] += rows
    if group["status"] != RecordStatus.ACCEPTED:
        return
    totals.lengths[_length_class(group["step"])] += rows
    totals.languages[group["language"]] += rows
    totals.flags.update(dict.fromkeys(group["flags"], rows))
    totals.redactions.update({kind: group[f"redacted_{kind}"] or 0 for kind in REDACTION_TYPES})
    totals.conflicts += rows if group["conflict"] else 0
    label, given_label = group["label"], group["given_label"]
    if group["unknown_label"] is not None:
        totals.unknown[group["unknown_label"]] += rows
    elif given_label is None and file in with_labels:
        totals.blank_labels += rows
    if given_label is not None:
        totals.given[given_label] += rows
    if label is not None:
        totals.labels[label] += rows
        totals.splits[group["split"]] += rows
        totals.repeated[group["split"]] += rows if group["repeated"] else 0
        totals.learned_by_file.setdefault(file, Counter())[label] += rows
    else:
        totals.to_score += rows
        if given_label is not None:
            totals.rare[given_label] += rows


def _account(file_entries: list[dict[str, Any]], totals: _Totals) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return the entries of the files with their counts of rows, and the total counts."""
    files = []
    total: Counter[str] = Counter()
    for entry in file_entries:
        name = _file_id(entry["key"], entry["version_id"])
        rows = {
            "accepted": totals.by_file[(name, RecordStatus.ACCEPTED)],
            "rejected": totals.by_file[(name, "rejected")],
            "duplicates": totals.by_file[(name, RecordStatus.DUPLICATE)],
        }
        # The reader counts the rows that it reads. The sum of the results must be equal, or a row was lost.
        read = entry["read"]
        if sum(rows.values()) != read:
            raise AccountingError(f"{read} rows were read of one file, and {sum(rows.values())} accounted for")
        total.update(rows, read=read)
        files.append({**{name: value for name, value in entry.items() if name != "read"}, "rows": {"read": read, **rows}})
    if total["accepted"] != totals.splits.total() + totals.to_score:
        raise AccountingError("accepted rows are not equal to labelled rows plus rows to score")
    return files, {name: total[name] for name in ("read", "accepted", "rejected", "duplicates")}


def _unfamiliar(
    files: Sequence[Mapping[str, Any]], totals: _Totals, served_labels: Collection[str]
) -> list[tuple[Note, list[str]]]:
    """Return, for each file whose learned labels the serving model does not know at all, a note and some of the labels."""
    known = set(map(comparable, served_labels))
    found = []
    for file in files:
        labels = totals.learned_by_file.get(_file_id(file["key"], file["version_id"]), Counter())
        if known and labels and known.isdisjoint(map(comparable, labels)):
            names = [name for name, _ in labels.most_common()]
            note = named_values(names, Note(code=str(NoteCode.UNFAMILIAR_LABELS), file=file["key"], rows=labels.total()))
            note["column"] = file["columns"]["label"]
            found.append((note, names[:_MAX_LABELS]))
    return found


def _repeated(repeated: Counter[str]) -> list[Note]:
    return [Note(code=str(NoteCode.REPEATED_ROWS), rows=repeated.total())] if repeated.total() else []


def _file_id(key: str, version_id: str) -> str:
    return f"{key}#{version_id}"


def _length_class(step: int) -> str:
    longest = max((edge for edge in _LENGTHS if step * _LENGTH_STEP > edge), default=None)
    return f"over_{longest}" if longest else f"up_to_{_LENGTHS[0]}"


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _most_frequent(labels: Counter[str]) -> dict[str, int]:
    """Return rows per label for the most frequent labels, because a column of notes taken for labels would fill the report."""
    names = sorted(+labels, key=lambda name: (-labels[name], name))
    others = sum(labels[name] for name in names[_MAX_LABELS:])
    return {**{name: labels[name] for name in sorted(names[:_MAX_LABELS])}, **({OTHERS: others} if others else {})}


def _variants(labels: Iterable[str]) -> list[list[str]]:
    """Return groups of labels that differ only in case, accents, punctuation or white space: each is most likely one label."""
    alike: dict[str, list[str]] = {}
    for label in sorted(labels):
        letters = "".join(filter(str.isalnum, unicodedata.normalize("NFKD", label.casefold())))
        alike.setdefault(letters or label, []).append(label)
    return [names for names in alike.values() if len(names) > 1][:_MAX_LABELS]
