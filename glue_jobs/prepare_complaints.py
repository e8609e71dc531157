"""Glue job Prepare: reads the files of a run's manifest and writes the run's records, rejected rows and report."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import compress
from typing import IO, Any

import boto3
from complaints_etl import JobError
from complaints_etl.failures import explained
from complaints_etl.job_settings import JobSettings
from complaints_etl.prepare import Refusal, prepare
from complaints_etl.prepare_output import write
from complaints_etl.publish.exports import rejected_rows
from complaints_etl.readers.storage import SourceFile, named_columns, s3_reader
from complaints_etl.redaction import REDACTION_VERSION
from complaints_etl.served_labels import served_labels
from complaints_etl.session import configure
from complaints_etl.storage import read_json
from pyspark.sql import DataFrame, SparkSession

from ptmlops_contracts.job_log import FIELDS, log_json
from ptmlops_contracts.keys import (
    COMPLETE,
    INDEX,
    RARE,
    PreparedKeys,
    labelled_folder,
    run_of_complete,
    run_of_labelled_part,
    s3_uri,
)
from ptmlops_contracts.ledger import Manifest, ManifestFile
from ptmlops_contracts.report import SPLITS

log = logging.getLogger("prepare")


class TooManyRejectsError(JobError):
    """The run is refused: of each of its files more rows were rejected than the settings allow, or they have no rows."""


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Parse the job's own arguments. Glue passes others, which are ignored."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("run_id", "prepared_bucket", "output_bucket", "model_package_group", "settings_uri"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_known_args(argv)[0]


def main(spark: SparkSession, s3: Any, sagemaker: Any, arguments: argparse.Namespace) -> None:
    """Read the manifest's files, prepare their rows, and write the result. report.json comes last.

    Raises:
        TooManyRejectsError: the run is refused. The output bucket then has a list of the rejected rows with their reasons.
    """
    started = time.time()
    bucket, run_id = arguments.prepared_bucket, arguments.run_id
    settings = JobSettings.from_tables(read_json(s3, arguments.settings_uri))
    manifest: Manifest = read_json(s3, s3_uri(bucket, PreparedKeys(run_id).manifest))
    with ThreadPoolExecutor(max_workers=16) as pool:  # a request for each file
        files = list(pool.map(lambda file: source_file(s3, file), manifest["files"]))
    earlier_index, earlier_rare, left_out = earlier_runs(spark, s3, bucket, run_id)
    # The prepared bucket's name is the salt: it is hard to guess, needs no secret store, and does not occur in the results.
    result = prepare(
        spark, files, settings, run_id=run_id, salt=bucket, earlier_index=earlier_index, earlier_rare=earlier_rare,
        served_labels=served_labels(sagemaker, s3, arguments.model_package_group),
    )  # fmt: skip
    result.report["labelled_left_out"] = left_out

    def put(key: str, text: str) -> None:
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode())

    def put_list(key: str, body: IO[bytes]) -> None:
        s3.upload_fileobj(body, arguments.output_bucket, key, ExtraArgs={"ContentType": "text/csv; charset=utf-8"})

    report = write(result, prefix=f"s3://{bucket}", put=put, started=started)
    if isinstance(result, Refusal):
        keys = rejected_rows(result.rejected, run_id, put_list) if report["rows"]["rejected"] else []
        address = f". Every rejected row with its reason: {s3_uri(arguments.output_bucket, keys[0])}" if keys else ""
        raise TooManyRejectsError(f"{result.message}{address}")
    log.info("prepared", extra={FIELDS: {"rows": report["rows"], "seconds": report["seconds"]}})


def source_file(s3: Any, file: ManifestFile) -> SourceFile:
    """Return a file of the manifest, with the columns that its upload named."""
    version = (file["bucket"], file["key"], file["version_id"])
    return SourceFile(
        key=file["key"],
        version_id=file["version_id"],
        size=file["size"],
        bucket=file["bucket"],
        read=s3_reader(*version),
        named=named_columns(s3, *version),
    )


def earlier_runs(spark: SparkSession, s3: Any, bucket: str, run_id: str) -> tuple[DataFrame | None, DataFrame | None, int]:
    """Read the labelled rows of other runs that Plan marked as complete.

    Rows of another version of redaction are left out: the same complaint has another text there.

    Returns:
        The indexes of labelled rows, the lines with rare labels (each None if there are none), and how many rows are left out.
    """
    pages = s3.get_paginator("list_objects_v2")

    def keys(prefix: str) -> Iterator[str]:
        return (item["Key"] for page in pages.paginate(Bucket=bucket, Prefix=prefix) for item in page.get("Contents", []))

    def folders(kind: str) -> list[str]:
        present = set(map(run_of_labelled_part, keys(labelled_folder(kind))))
        return [s3_uri(bucket, PreparedKeys(run).labelled(kind)) for run in sorted(comparable) if run in present]

    marked = sorted(set(map(run_of_complete, keys(COMPLETE))) - {run_id})
    with ThreadPoolExecutor(max_workers=8) as pool:  # one small object for each run so far
        marks = list(pool.map(lambda run: read_json(s3, s3_uri(bucket, PreparedKeys(run).complete)), marked))
    is_comparable = [mark.get("redaction_version") == REDACTION_VERSION for mark in marks]
    comparable = set(compress(marked, is_comparable))
    left_out = sum(mark.get(split, 0) for mark, same in zip(marks, is_comparable, strict=True) if not same for split in SPLITS)
    indexes, lines = folders(INDEX), folders(RARE)
    earlier_index = spark.read.parquet(*indexes) if indexes else None
    return earlier_index, spark.read.text(lines, lineSep="\n") if lines else None, left_out


if __name__ == "__main__":
    parsed = parse_arguments(sys.argv[1:])
    log_json(service="prepare", run_id=parsed.run_id)
    with explained():
        main(configure(SparkSession.builder.getOrCreate()), boto3.client("s3"), boto3.client("sagemaker"), parsed)
