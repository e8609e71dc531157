"""The labelled rows of all runs: which runs are complete, and which files hold the rows of a split.

A run's labelled rows are complete once its report.json exists. The report expires with the run, and the rows do not.
Therefore Plan writes a marker per run that does not expire. It contains the number of rows per split.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from common.documents import list_keys, read_json, write_json

from ptmlops_contracts.keys import COMPLETE, PreparedKeys, labelled_folder, run_of_complete, run_of_labelled_part
from ptmlops_contracts.report import SPLITS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def mark_complete(
    client: S3Client,
    *,
    bucket: str,
    run_id: str,
    rows: Mapping[str, int],
    redaction_version: int,
    unfamiliar: Sequence[Sequence[str]] = (),
) -> None:
    """Mark the labelled rows of this run as complete.

    The mark contains the version of redaction that made them, and labels of files that the serving model did not know
    (`Report.unfamiliar_labels`), if there are any.
    """
    mark: dict[str, Any] = {split: rows.get(split, 0) for split in SPLITS} | {"redaction_version": redaction_version}
    if unfamiliar:
        mark["unfamiliar"] = [list(labels) for labels in unfamiliar]
    write_json(client, bucket, PreparedKeys(run_id).complete, mark)


def complete_runs(client: S3Client, *, bucket: str) -> dict[str, dict[str, Any]]:
    """Return the mark of every run whose labelled rows are complete: rows per split, and what else `mark_complete` wrote."""
    keys = list(list_keys(client, bucket, COMPLETE))

    def read(key: str) -> Any:
        return read_json(client, bucket, key)

    with ThreadPoolExecutor(max_workers=8) as pool:  # one small object per run, of all runs so far
        return dict(zip(map(run_of_complete, keys), pool.map(read, keys), strict=True))


def of_version(runs: Mapping[str, Mapping[str, Any]], redaction_version: int) -> tuple[dict[str, Mapping[str, Any]], int]:
    """Return the runs with rows of this version of redaction, and the number of rows of all other runs.

    A mark without a version counts as version 1. Two versions redact the same complaint differently, so their rows must not be used
    together: copies could be on both sides of a split.
    """
    same = {run: mark for run, mark in runs.items() if mark.get("redaction_version", 1) == redaction_version}
    return same, sum(mark[split] for run, mark in runs.items() if run not in same for split in SPLITS)


def split_keys(client: S3Client, *, bucket: str, split: str, runs: Container[str]) -> list[str]:
    """Return the data files of one split that belong to these runs, sorted."""
    keys = list_keys(client, bucket, labelled_folder(split))
    return sorted(key for key in keys if (run := run_of_labelled_part(key)) is not None and run in runs)
