"""Check the folders and files of a trial before Spark starts: writable folders, readable texts, enough labels."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ptmlops.errors import OperatorError
from ptmlops_contracts.keys import EVALUATION_FILE
from ptmlops_contracts.report import Reason
from ptmlops_contracts.words import quantity
from stacks.config import Settings

if TYPE_CHECKING:
    from complaints_etl.readers.table import Table

PREDICTIONS, EVALUATION = "predictions.csv", EVALUATION_FILE
SHOWN_COLUMNS, SHOWN_CHARACTERS = 20, 40  # of a header in a message


def check_folder(out: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    """Check that the results can be written. The folder is created with them, at the end.

    Raises:
        OperatorError: the folder cannot be written, or a result would replace an input, a folder, or an earlier result without
            `overwrite`.
    """
    if out.exists() and not out.is_dir():
        raise OperatorError(f"{out} is a file: --out names a folder")
    for path in inputs:
        if path.resolve() == (out / PREDICTIONS).resolve():
            raise OperatorError(f"{path} would be overwritten by the result: choose another --out")
    nearest = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise OperatorError(f"{out} cannot be written ({error.strerror}): choose another --out") from None
    for name in (PREDICTIONS, EVALUATION):
        if (out / name).is_dir():
            raise OperatorError(f"{out / name} is a folder, and a result is written there: choose another --out")
    earlier = [name for name in (PREDICTIONS, EVALUATION) if (out / name).exists()]
    if earlier and not overwrite:
        raise OperatorError(
            f"{out} has {' and '.join(earlier)} from an earlier trial: choose another --out, or add --overwrite to replace them"
        )


def check_table(path: Path, settings: Settings, *, needs_label: bool) -> None:
    """Check that a file has complaints and, if labels are needed, enough of them.

    Duplicates count here. Prepare removes them, so `check_labels` runs again after it.

    Raises:
        OperatorError: the file cannot be used.
    """
    table = read_file(path, settings)
    column = table.columns.get("label")
    if needs_label and column is None:
        if table.format.kind == "text":
            raise OperatorError(
                f"{path} is read as one complaint: labelled complaints need a table with a header, such as a CSV file"
            )
        raise OperatorError(
            f"{path} has no label column ({_shown(table.header)}): give it one of the names "
            f"{', '.join(settings.complaints.columns.label)}; or add its name to complaints.columns.label in "
            f"environments/{settings.name}.toml; or classify the file with --score"
        )
    if not needs_label or column is None or settings.complaints.label_map:
        if next(table.rows, None) is None:
            raise OperatorError(f"{path} has a header and no complaint under it")
        return
    from complaints_etl.records.labels import label as read_label

    counts = Counter(read_label(row.values.get(column)) for row in table.rows if not row.reason)
    if not counts:
        raise OperatorError(f"{path} has no complaint that can be read under its header")
    labels = {label: count for label, count in counts.items() if label}
    if not labels:
        raise OperatorError(f"{path} has no label in its column {column}: fill it in, or give the file to --score")
    least = settings.complaints.min_label_rows
    enough = sum(count >= least for count in labels.values())
    check_labels(path, settings, enough=enough, rare=len(labels) - enough)


def check_labels(path: Path, settings: Settings, *, enough: int, rare: int) -> None:
    """Refuse fewer than two labels that have enough complaints.

    Args:
        path: the labelled file.
        settings: the environment's settings.
        enough: how many labels have at least `complaints.min_label_rows` complaints.
        rare: how many have fewer.

    Raises:
        OperatorError: there are fewer than two.
    """
    least = settings.complaints.min_label_rows
    if enough < 2:
        raise OperatorError(
            f"{path} has {quantity(enough, 'label')} with at least {least} different complaints"
            f"{f' and {rare} with fewer' if rare else ''}, and 2 are needed to learn from: add labelled complaints, or lower "
            f"complaints.min_label_rows in environments/{settings.name}.toml"
        )


def read_file(path: Path, settings: Settings) -> Table:
    """Read a file with Prepare's reader.

    Raises:
        OperatorError: the file cannot be read.
    """
    from complaints_etl.readers import read_table
    from complaints_etl.readers.table import UnreadableFileError

    try:
        return read_table(path.name, path.read_bytes(), settings.complaints.columns.model_dump())
    except UnreadableFileError as error:
        reason = _no_text_column(error.header, settings) if error.reason is Reason.NO_TEXT_COLUMN else str(error)
        raise OperatorError(f"{path} cannot be used: {reason}") from None
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}") from None


def _no_text_column(header: Sequence[str], settings: Settings) -> str:
    """Say which columns the file has, unless its first line may be a complaint; and how to name the text column."""
    from complaints_etl.readers.header import find_columns

    columns = f"no text column among {quantity(len(header), 'column')}"
    if find_columns(header, settings.complaints.columns.model_dump()):
        columns += f" ({_shown(header)})"
    else:
        columns += ", and no other name in its first line is known"
    return (
        f"{columns}: the first line must be a header with one of the names {', '.join(settings.complaints.columns.text)}; rename "
        f"the column of the texts, or add its name to complaints.columns.text in environments/{settings.name}.toml"
    )


def _shown(header: Sequence[str]) -> str:
    """Return the first column names for a message."""
    names = [name if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]}…" for name in header[:SHOWN_COLUMNS]]
    return ", ".join(names) + (", …" if len(header) > SHOWN_COLUMNS else "")
