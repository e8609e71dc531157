"""What a run left in the output bucket: predictions, why each was given, the report, the review list."""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptmlops import registry, runs
from ptmlops.job_code import reach_jobs
from ptmlops.target import OperatorError, Target
from ptmlops_contracts.keys import EVALUATION_FILE, OutputKeys, parse_s3_uri

# The spreadsheet's guard (glue_jobs/complaints_etl/publish.py) is taken off again when a list comes back.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def predictions(target: Target, run_id: str, *, complaint_id: str | None = None) -> Any:
    """The run's predictions as a pyarrow table, or only those of one complaint; empty where it scored nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    bucket, s3 = target.outputs["OutputBucketName"], target.client("s3")
    wanted = [("complaint_id", "=", complaint_id)] if complaint_id else None
    tables = [
        pq.read_table(io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read()), filters=wanted)
        for key in runs.keys(target, bucket, OutputKeys(run_id).predictions)
        if key.endswith(".parquet")
    ]
    return pa.concat_tables(tables) if tables else pa.table({})


def newest_scored(target: Target) -> str:
    """The newest run with predictions.

    Raises:
        OperatorError: no run has any.
    """
    for run_id in runs.published_runs(target):
        if runs.keys(target, target.outputs["OutputBucketName"], OutputKeys(run_id).predictions):
            return run_id
    raise OperatorError("no run has classified anything yet: drop a file with complaints to classify, and wait for its run")


def categories(table: Any) -> list[dict[str, Any]]:
    """Labels with counts, mean confidence and how many to review, most frequent first."""
    import pyarrow.compute as pc

    if not table.num_rows:
        return []
    table = table.select(["label", "confidence", "needs_review"])
    table = table.append_column("review", pc.cast(table["needs_review"], "int64"))
    grouped = table.group_by("label").aggregate([("label", "count"), ("confidence", "mean"), ("review", "sum")]).to_pylist()
    found = [
        {
            "label": row["label"],
            "complaints": row["label_count"],
            "mean_confidence": round(row["confidence_mean"], 4),
            "needs_review": row["review_sum"],
        }
        for row in grouped
    ]
    return sorted(found, key=lambda row: -row["complaints"])


def as_csv(table: Any) -> str:
    """Header and rows; lists and structs as JSON. Values are as they are: this is for programs."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow(
            json.dumps(cell, ensure_ascii=False, default=str) if isinstance(cell, list | dict) else cell
            for cell in row.values()
        )
    return out.getvalue()


def find(target: Target, complaint_id: str, run_id: str | None) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Look for a complaint, run by run, newest first: each run with its prediction, or None; ends at the first found."""
    for name in [run_id] if run_id else runs.published_runs(target):
        rows = predictions(target, name, complaint_id=complaint_id).to_pylist()
        yield name, rows[0] if rows else None
        if rows:
            return


def fetch_one(target: Target, key_of: Callable[[str], str], run_id: str | None) -> tuple[str, bytes]:
    """(run, content) of the object whose key `key_of` makes of a run's id: of this run, or of the newest that has one.

    Raises:
        OperatorError: the run, or every run, is without.
    """
    bucket, s3 = target.outputs["OutputBucketName"], target.client("s3")
    what = key_of("").rsplit("/", 1)[-1]
    for name in [run_id] if run_id else runs.published_runs(target):
        found = runs.keys(target, bucket, key_of(name))
        if found:
            return name, s3.get_object(Bucket=bucket, Key=found[0])["Body"].read()
    if run_id:
        runs.run_document(target, run_id, wait_seconds=0)  # says if there is no such run, or if it is still under way
        raise OperatorError(f"run {run_id} left no {what}: see what it did with `ptmlops results {run_id}`")
    raise OperatorError(f"no run has left a {what} yet: drop a file with complaints to classify, and wait for its run")


# -- the review list comes back ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reviewed:
    """A filled-in review list: its columns, the rows whose label a person wrote, and how many have none."""

    header: list[str]
    rows: list[dict[str, str]]
    labels: list[str]
    blank: int


def read_review(path: Path, aliases: Mapping[str, Sequence[str]]) -> Reviewed:
    """Read a list as a spreadsheet may have saved it (separator, encoding), by the code that Prepare reads with.

    Raises:
        OperatorError: not readable, no label column, or no label filled in.
    """
    reach_jobs()
    from complaints_etl.reading import UnreadableFileError, read_table

    try:
        table = read_table(path.name, path.read_bytes(), aliases)
        rows = list(table.rows)
    except UnreadableFileError as error:
        raise OperatorError(f"{path} cannot be used: {error}") from None
    column = table.columns.get("label")
    if column is None:
        raise OperatorError(f"{path} has no label column: fetch the list again with `ptmlops review pull`")
    broken = [row for row in rows if row.reason]
    if broken:
        raise OperatorError(f"{path} has a row that cannot be read, at line {broken[0].line}: {broken[0].detail}")
    cleaned = [{name: _unguarded(cell) for name, cell in row.values.items()} for row in rows]
    filled = [{**row, column: row[column].strip()} for row in cleaned if row[column].strip()]
    if not filled:
        raise OperatorError(
            f"{path}: no label is filled in; write the right label into the column '{column}', then push again"
        )
    return Reviewed(list(table.header), filled, [row[column] for row in filled], len(rows) - len(filled))


def unknown_labels(target: Target, labels: Sequence[str]) -> dict[str, str]:
    """Labels that the champion does not know, each with the known one that is spelled most alike, or ""."""
    serving = next((model for model in registry.versions(target) if model["serves"]), None)
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
    """The rows with a label, as a file to drop."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, reviewed.header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(reviewed.rows)
    return out.getvalue().encode()


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell
