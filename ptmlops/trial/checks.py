"""Check the folders and files of a trial before Spark starts: writable folders, readable texts, enough labels."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from ptmlops.errors import OperatorError
from ptmlops.output_paths import check_output_folder
from ptmlops_contracts.columns import LABEL_COLUMNS, NAMED_COLUMNS
from ptmlops_contracts.keys import EVALUATION_FILE
from ptmlops_contracts.report import Reason
from ptmlops_contracts.words import quantity
from stacks.config import Settings

if TYPE_CHECKING:
    from complaints_etl.readers.table import Table
    from complaints_etl.records.missing_text import Columns

PREDICTIONS, LABELS_TO_CHECK, EVALUATION = "predictions.csv", "labels_to_check.csv", EVALUATION_FILE
RESULTS = (PREDICTIONS, LABELS_TO_CHECK, EVALUATION)
NOTHING_NAMED: Mapping[str, str] = MappingProxyType({})


def check_folder(out: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    """Check that the results can be written. The folder is created with them, at the end.

    Raises:
        OperatorError: the folder cannot be written, or a result would replace an input, a folder, or an earlier result without
            `overwrite`.
    """
    check_output_folder(out)
    for path in inputs:
        if path.resolve() in [(out / name).resolve() for name in RESULTS]:
            raise OperatorError(f"{path} would be overwritten by the result: choose another --out")
    for name in RESULTS:
        if (out / name).is_dir():
            raise OperatorError(f"{out / name} is a folder, and a result is written there: choose another --out")
    earlier = [name for name in RESULTS if (out / name).exists()]
    if earlier and not overwrite:
        raise OperatorError(
            f"{out} has {' and '.join(earlier)} from an earlier trial: choose another --out, or add --overwrite to replace them"
        )


def check_table(path: Path, settings: Settings, *, needs_label: bool, named: Mapping[str, str] = NOTHING_NAMED) -> None:
    """Check that a file has complaints and, if labels are needed, enough of them.

    Duplicates count here. Prepare removes them, so `check_labels` runs again after it.

    Args:
        path: the file.
        settings: the environment's settings.
        needs_label: the file is learned from.
        named: the columns that the person named, by column of ours.

    Raises:
        OperatorError: the file cannot be used.
    """
    table = read_file(path, settings, named=named, with_label=needs_label)
    column = table.columns.get("label")
    if needs_label and column is None:
        if table.format.kind == "text":
            raise OperatorError(
                f"{path} is read as one complaint: labelled complaints need a table with a header, such as a CSV file"
            )
        raise OperatorError(
            f"{path} has no label column ({shown_columns(table.header)}): give it one of the names "
            f"{shown_columns(settings.complaints.columns.label)}; or name the column with --label; or add its name to "
            f"complaints.columns.label in environments/{settings.name}.toml; or classify the file with --score"
        )
    if not needs_label or column is None or settings.complaints.label_map:
        if next(table.rows, None) is None:
            raise OperatorError(f"{path} has a header and no complaint under it")
        return
    from complaints_etl.records.labels import LabelMap
    from complaints_etl.records.labels import label as read_label

    labels_of = LabelMap.of({}, unknown_labels="keep", separator=settings.complaints.label_separator)
    counts = Counter(labels_of.resolve(read_label(row.values.get(column)))[0] for row in table.rows if not row.reason)
    if not counts:
        raise OperatorError(f"{path} has no complaint that can be read under its header")
    labels = {label: count for label, count in counts.items() if label}
    if not labels:
        raise OperatorError(f"{path} has no label in its column {column}: fill it in, or give the file to --score")
    least = settings.complaints.min_label_rows
    enough = sum(count >= least for count in labels.values())
    check_labels(path, settings, column=column, enough=enough, rare=len(labels) - enough)


def check_labels(path: Path, settings: Settings, *, column: str, enough: int, rare: int) -> None:
    """Refuse fewer than two labels that have enough complaints.

    Args:
        path: the labelled file.
        settings: the environment's settings.
        column: its label column.
        enough: how many labels have at least `complaints.min_label_rows` complaints.
        rare: how many have fewer.

    Raises:
        OperatorError: there are fewer than two.
    """
    least = settings.complaints.min_label_rows
    if enough < 2:
        raise OperatorError(
            f"{path} has {quantity(enough, 'label')} with at least {least} different complaints"
            f"{f' and {rare} with fewer' if rare else ''} in its column {column}, and 2 are needed to learn from: add labelled complaints, "
            f"or lower complaints.min_label_rows in environments/{settings.name}.toml, or name another column with --label"
        )


def read_file(path: Path, settings: Settings, *, named: Mapping[str, str] = NOTHING_NAMED, with_label: bool = True) -> Table:
    """Read a file with Prepare's reader, with the columns that Prepare chooses.

    Args:
        path: the file.
        settings: the environment's settings.
        named: the columns that the person named, by column of ours.
        with_label: False for a file to classify: a label in it is a column like any other.

    Raises:
        OperatorError: the file cannot be read, or it does not have a column that was named.
    """
    from complaints_etl.readers import read_tables
    from complaints_etl.readers.packed import tables_in
    from complaints_etl.readers.sample import read_sample
    from complaints_etl.readers.storage import SourceFile
    from complaints_etl.readers.table import UnreadableFileError
    from complaints_etl.records.column_choice import choose_columns
    from complaints_etl.records.labels import LabelMap
    from complaints_etl.records.missing_text import columns_of

    complaints = settings.complaints
    aliases = {
        ours: names for ours, names in complaints.columns.model_dump().items() if with_label or ours not in LABEL_COLUMNS
    }
    aliases = {ours: names for ours, names in aliases.items() if complaints.join_subject or ours != "subject"}
    labels = LabelMap.of(complaints.label_map, unknown_labels=complaints.unknown_labels, separator=complaints.label_separator)
    tables: list[SourceFile] = []
    try:
        content = path.read_bytes()
        file = SourceFile(
            key=path.name, version_id="1", size=len(content), read=lambda start, end: content[start:end], named=dict(named)
        )
        tables = tables_in(file)
        chosen = choose_columns(tables, aliases, labels, (), lambda look, files: [look(one) for one in files]).aliases
        table = read_tables(tables, chosen)
    except UnreadableFileError as error:
        if error.reason is not Reason.NO_TEXT_COLUMN:
            raise OperatorError(f"{path} cannot be used: {error}") from None
        sample = next((found for one in tables if (found := read_sample(one, aliases))), None)
        columns = columns_of(sample, error.header, aliases)
        raise OperatorError(f"{path} cannot be used: {_no_text_column(columns, settings, named)}") from None
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}") from None
    for option, ours in NAMED_COLUMNS.items():
        if named.get(ours) and ours in aliases and ours not in table.columns and table.format.kind != "text":
            raise OperatorError(
                f"{path} has no column {named[ours]}, which --{option} names: its columns are {shown_columns(table.header)}"
            )
    return table


def named_in(path: Path, settings: Settings, named: Mapping[str, str]) -> dict[str, str]:
    """Return those of the named columns that a file to score has: it may have other names than the labelled file, and no label.

    Raises:
        OperatorError: the file cannot be read.
    """
    from complaints_etl.readers.header import find_columns

    wanted = {ours: name for ours, name in named.items() if ours not in LABEL_COLUMNS}
    if not wanted.get("text"):
        header = read_file(path, settings, with_label=False).header
    else:
        try:
            header = read_file(path, settings, named={"text": wanted["text"]}, with_label=False).header
        except OperatorError:
            header = read_file(path, settings, with_label=False).header
    return {ours: name for ours, name in wanted.items() if not name or find_columns(header, {ours: (name,)})}


def _no_text_column(columns: Columns, settings: Settings, named: Mapping[str, str]) -> str:
    """Return which columns the file has, unless its first line may be a complaint; and how to name the text column."""
    if named.get("text"):
        return f"it has no column {named['text']}, which --text names: {columns.described()}"
    ways = (
        f"name the column of the texts with --text{f' {shlex.quote(columns.likeliest)}' if columns.likeliest else ''}, or rename it to text, "
        f"or add its name to complaints.columns.text in environments/{settings.name}.toml"
    )
    unsure = "" if columns.names else ", and no other name in its first line is known"
    return (
        f"{columns.described()}{unsure}: the first line must be a header with one of the names "
        f"{shown_columns(settings.complaints.columns.text)}; {ways}"
    )


def shown_columns(names: Sequence[str]) -> str:
    """Return the first column names for a message."""
    from complaints_etl.records import missing_text

    return missing_text.shown_columns(names)
