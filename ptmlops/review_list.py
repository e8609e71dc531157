"""A review list that comes back: read it, check its labels, and turn it into a file of labelled complaints."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ptmlops import registry, runs
from ptmlops.errors import OperatorError
from ptmlops.source_roots import add_source_roots_to_path
from ptmlops.target import Target
from ptmlops_contracts.keys import EVALUATION_FILE, parse_s3_uri
from ptmlops_contracts.report import NOT_A_COMPLAINT


@dataclass(frozen=True)
class Reviewed:
    """A review list that a person has filled in.

    Attributes:
        rows: the rows with a label or the mark that they are not complaints.
        labels: the labels, without that mark.
        blank: the number of rows without either.
    """

    header: list[str]
    rows: list[dict[str, str]]
    labels: list[str]
    blank: int

    @property
    def not_complaints(self) -> int:
        """The number of rows that a person took out."""
        return len(self.rows) - len(self.labels)


def read_review(path: Path, aliases: Mapping[str, Sequence[str]], *, pull: str = "ptmlops review pull") -> Reviewed:
    """Read a review list with Prepare's reader, which accepts the separators and encodings that spreadsheets write.

    Args:
        path: the list.
        aliases: names of the columns.
        pull: the command that fetches a list, for messages.

    Raises:
        OperatorError: the file is not readable, has no label column, or has no label filled in.
    """
    add_source_roots_to_path()
    from complaints_etl.readers import read_table
    from complaints_etl.readers.table import UnreadableFileError
    from complaints_etl.spreadsheet import active

    try:
        table = read_table(path.name, path.read_bytes(), aliases)
        rows = list(table.rows)
    except UnreadableFileError as error:
        raise OperatorError(f"{path} cannot be used: {error}") from None
    column = table.columns.get("label")
    if column is None:
        raise OperatorError(f"{path} has no label column: fetch the list again with `{pull}`")
    if broken := next((row for row in rows if row.reason), None):
        raise OperatorError(f"{path} has a row that cannot be read, at line {broken.line}: {broken.detail}")
    cleaned = [{name: active(cell) for name, cell in row.values.items()} for row in rows]
    filled = [{**row, column: row[column].strip()} for row in cleaned if row[column].strip()]
    if not filled:
        raise OperatorError(
            f"{path}: no label is filled in; write the right label into the column '{column}', then push again"
        )
    labels = [row[column] for row in filled if row[column].lower() != NOT_A_COMPLAINT]
    return Reviewed(list(table.header), filled, labels, len(rows) - len(filled))


def unknown_labels(target: Target, labels: Sequence[str]) -> dict[str, str]:
    """Return the labels that the champion does not know, each with the most similar known label or an empty string."""
    serving = registry.serving_version(target)
    if not serving or not str(serving["evaluation_uri"]).startswith("s3://"):
        return {}
    bucket, key = parse_s3_uri(str(serving["evaluation_uri"]))
    key = key if key.endswith(".json") else f"{key.rstrip('/')}/{EVALUATION_FILE}"
    evaluation = runs.read_json(target, bucket, key) or {}
    known = set(evaluation.get("candidate", {}).get("per_label", {}))
    if not known:
        return {}
    return {label: next(iter(difflib.get_close_matches(label, known, 1, 0.5)), "") for label in labels if label not in known}


def review_csv(reviewed: Reviewed) -> bytes:
    """Return the labelled rows as a CSV file to upload."""
    from complaints_etl.spreadsheet import record

    lines = ([row[name] for name in reviewed.header] for row in reviewed.rows)
    return "".join(record(cells, ",") for cells in (reviewed.header, *lines)).encode()
