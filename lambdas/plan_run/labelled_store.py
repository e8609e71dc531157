"""The labelled rows of all runs: which runs' are whole, and the manifests that list exactly them.

A run's labelled rows are whole once its report.json exists. That report expires with the run, the rows do not; so each
run's Plan leaves a mark, `labelled/complete/<run>.json` with the rows of each split, that lives as long as they do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SPLITS = ("train", "validation", "test")
COMPLETE = "labelled/complete/"


def mark_complete(client: S3Client, *, bucket: str, run_id: str, rows: Mapping[str, int], redaction_version: int) -> None:
    """Mark the labelled rows of this run as complete, and say which version of redaction made them."""
    mark = {split: rows.get(split, 0) for split in SPLITS} | {"redaction_version": redaction_version}
    body = json.dumps(mark).encode()
    client.put_object(Bucket=bucket, Key=f"{COMPLETE}{run_id}.json", Body=body, ContentType="application/json")


def complete_runs(client: S3Client, *, bucket: str) -> dict[str, dict[str, int]]:
    """Rows of each split for every run whose labelled rows are whole."""
    keys = list(_keys(client, bucket=bucket, prefix=COMPLETE))

    def rows(key: str) -> dict[str, int]:
        found: dict[str, int] = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
        return found

    with ThreadPoolExecutor(max_workers=8) as pool:  # there is one small object for each run there ever was
        contents = list(pool.map(rows, keys))
    return {key.removeprefix(COMPLETE).removesuffix(".json"): content for key, content in zip(keys, contents, strict=True)}


def of_version(runs: Mapping[str, Mapping[str, int]], redaction_version: int) -> tuple[dict[str, Mapping[str, int]], int]:
    """Return the runs whose rows a version of redaction made, and how many rows the others have.

    A mark without a version is from before there were versions. Equal complaints have other texts under another version, so their rows
    must not be trained on together: copies could be on both sides of a split.
    """
    same = {run: mark for run, mark in runs.items() if mark.get("redaction_version", 1) == redaction_version}
    return same, sum(mark[split] for run, mark in runs.items() if run not in same for split in SPLITS)


def split_keys(client: S3Client, *, bucket: str, split: str, runs: Iterable[str]) -> list[str]:
    """The files of one split that belong to these runs, sorted."""
    wanted = set(runs)
    pattern = re.compile(rf"labelled/{split}/run_id=([^/]+)/part-[^/]+")
    found = ((key, pattern.fullmatch(key)) for key in _keys(client, bucket=bucket, prefix=f"labelled/{split}/run_id="))
    return sorted(key for key, match in found if match and match[1] in wanted)


def manifest(bucket: str, keys: Iterable[str]) -> bytes:
    """A ManifestFile as S3DataSource of SageMaker's API defines it: a prefix, then what follows it."""
    return json.dumps([{"prefix": f"s3://{bucket}/"}, *keys]).encode()


def _keys(client: S3Client, *, bucket: str, prefix: str) -> Iterable[str]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield entry["Key"]
