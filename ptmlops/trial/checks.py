"""Check the folders and files of a trial before Spark starts: writable folders, readable texts, enough labels."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ptmlops.errors import OperatorError
from ptmlops_contracts.keys import EVALUATION_FILE
from stacks.config import Settings

if TYPE_CHECKING:
    from complaints_etl.readers.table import Table

PREDICTIONS, EVALUATION = "predictions.csv", EVALUATION_FILE


def check_folder(out: Path, inputs: Sequence[Path]) -> None:
    """Create the folder for the results.

    Raises:
        OperatorError: it cannot be written, or a result would replace an input or a folder.
    """
    if out.exists() and not out.is_dir():
        raise OperatorError(f"{out} is a file: --out names a folder")
    for path in inputs:
        if path.resolve() == (out / PREDICTIONS).resolve():
            raise OperatorError(f"{path} would be overwritten by the result: choose another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OperatorError(f"{out} cannot be written ({error.strerror}): choose another --out") from None
    for name in (PREDICTIONS, EVALUATION):
        if (out / name).is_dir():
            raise OperatorError(f"{out / name} is a folder, and a result is written there: choose another --out")


def check_table(path: Path, settings: Settings, *, needs_label: bool) -> None:
    """Check that a file has complaints and, if labels are needed, enough of them.

    Duplicates count here. Prepare removes them, so `check_labels` runs again after it.

    Raises:
        OperatorError: the file cannot be used.
    """
    table = read_file(path, settings)
    column = table.columns.get("label")
    if needs_label and column is None:
        names = ", ".join(settings.complaints.columns.label)
        raise OperatorError(f"{path} has no label column: name one {names}, or give it to --score")
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
    check_labels(path, enough=enough, rare=len(labels) - enough, least=least)


def check_labels(path: Path, *, enough: int, rare: int, least: int) -> None:
    """Refuse fewer than two labels that have enough complaints.

    Raises:
        OperatorError: there are fewer than two.
    """
    if enough < 2:
        raise OperatorError(
            f"{path} has {enough} label(s) with at least {least} different complaints"
            f"{f' and {rare} with fewer' if rare else ''}, and 2 are needed to learn from: add labelled complaints, or lower "
            "complaints.min_label_rows in the environment's settings"
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
        raise OperatorError(f"{path} cannot be used: {error}") from None
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}") from None
