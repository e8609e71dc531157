"""Read the results of runs: predictions as a table, one complaint's prediction, and single files of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ptmlops import runs
from ptmlops.errors import OperatorError
from ptmlops.options import command_for
from ptmlops.source_roots import add_source_roots_to_path
from ptmlops.target import Target
from ptmlops_contracts.keys import OutputKeys


def predictions(target: Target, run_id: str, *, complaint_id: str | None = None) -> Any:
    """Return a run's predictions as a pyarrow table, or only one complaint's. Empty if the run scored nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bucket, s3 = target.outputs["OutputBucketName"], target.client("s3")
    tables = [
        read_parquet(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        for key in runs.keys(target, bucket, OutputKeys(run_id).predictions)
        if key.endswith(".parquet")
    ]
    if complaint_id:
        tables = [table.filter(pc.equal(table["complaint_id"], complaint_id)) for table in tables]
    return pa.concat_tables(tables) if tables else pa.table({})


def read_parquet(content: bytes, columns: Sequence[str] | None = None) -> Any:
    """Return a Parquet file as a pyarrow table.

    It is read in this thread from Arrow's own buffer: a thread of Arrow that still holds a Python object when Python ends would abort the
    process.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetFile(pa.BufferReader(content)).read(columns=columns, use_threads=False)


def newest_scored(target: Target) -> str:
    """Return the newest run with predictions.

    Raises:
        OperatorError: no run has predictions.
    """
    for run_id in runs.published_runs(target):
        if runs.keys(target, target.outputs["OutputBucketName"], OutputKeys(run_id).predictions):
            return run_id
    raise OperatorError(
        f"no run has classified anything yet: upload a file with unlabelled complaints with `{command_for(target, 'drop FILE --wait')}`"
    )


def categories(table: Any) -> list[dict[str, Any]]:
    """Count complaints, mean confidence and complaints to review per label, most frequent label first."""
    import pyarrow.compute as pc

    if not table.num_rows:
        return []
    table = table.select(["label", "confidence", "needs_review"])
    table = table.append_column("review", pc.cast(table["needs_review"], "int64"))
    grouped = table.group_by("label").aggregate([("label", "count"), ("confidence", "mean"), ("review", "sum")]).to_pylist()
    counts = [
        {
            "label": row["label"],
            "complaints": row["label_count"],
            "mean_confidence": round(row["confidence_mean"], 4),
            "needs_review": row["review_sum"],
        }
        for row in grouped
    ]
    return sorted(counts, key=lambda row: -row["complaints"])


def as_csv(table: Any) -> str:
    """Return the table as CSV for spreadsheets: cells that look like formulas are marked as text, lists and structs are JSON."""
    add_source_roots_to_path()
    from complaints_etl.spreadsheet import record

    lines = (row.values() for row in table.to_pylist())
    return "".join(record([_cell(value) for value in line], ",") for line in (table.column_names, *lines))


def _cell(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)


def as_json(table: Any) -> str:
    """Return the table as a JSON array of objects."""
    return json.dumps(table.to_pylist(), ensure_ascii=False, indent=1, default=str) + "\n"


def find(target: Target, complaint_id: str, run_id: str | None) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Search runs for a complaint, newest first, until one has it. Yields each searched run with its prediction or None."""
    for name in [run_id] if run_id else runs.published_runs(target):
        rows = predictions(target, name, complaint_id=complaint_id).to_pylist()
        yield name, rows[0] if rows else None
        if rows:
            return


def fetch_one(target: Target, key_of: Callable[[str], str], run_id: str | None) -> tuple[str, bytes]:
    """Read one file of a run from the output bucket.

    Args:
        target: the deployment.
        key_of: returns the file's key for a run's id.
        run_id: a run, or None for the newest run that has the file.

    Returns:
        The run's id and the file's content.

    Raises:
        OperatorError: the run has no such file, or no run has one.
    """
    bucket, s3 = target.outputs["OutputBucketName"], target.client("s3")
    name = key_of("").rsplit("/", 1)[-1]
    for candidate in [run_id] if run_id else runs.published_runs(target):
        keys = runs.keys(target, bucket, key_of(candidate))
        if keys:
            return candidate, s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read()
    if run_id:
        runs.run_document(target, run_id, wait_seconds=0)  # raises if the run does not exist or has not ended
        raise OperatorError(f"run {run_id} has no {name}: see its results with `{command_for(target, f'results {run_id}')}`")
    raise OperatorError(
        f"no run has a {name} yet: upload a file with complaints with `{command_for(target, 'drop FILE --wait')}`"
    )


def files_to_review(target: Target, run_id: str | None) -> tuple[str, list[str]]:
    """Find what a person should review: the lists and the page of a run.

    Args:
        target: the deployment.
        run_id: a run, or None for the newest run that has lists.

    Returns:
        The run's id and the files' keys in the output bucket.

    Raises:
        OperatorError: the run has no lists, or no run has.
    """
    bucket = target.outputs["OutputBucketName"]
    for candidate in [run_id] if run_id else runs.published_runs(target):
        if keys := runs.keys(target, bucket, OutputKeys(candidate).review_folder):
            return candidate, keys
    if run_id:
        runs.run_document(target, run_id, wait_seconds=0)  # raises if the run does not exist or has not ended
        raise OperatorError(
            f"run {run_id} has nothing to review: see its results with `{command_for(target, f'results {run_id}')}`"
        )
    raise OperatorError(
        f"no run has anything to review yet: upload a file with complaints with `{command_for(target, 'drop FILE --wait')}`"
    )


def fetch(target: Target, key: str) -> bytes:
    """Read an object of the output bucket."""
    content: bytes = target.client("s3").get_object(Bucket=target.outputs["OutputBucketName"], Key=key)["Body"].read()
    return content
