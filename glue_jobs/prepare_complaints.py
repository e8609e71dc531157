"""Glue job Prepare: `--run_id` of a run whose manifest lies in the prepared bucket → its records, rejects and report."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import IO, Any

import boto3
from complaints_etl.job_settings import JobSettings
from complaints_etl.prepare import TooManyRejectsError, prepare, write
from complaints_etl.publish import rejected_rows
from complaints_etl.sources import SourceFile, s3_reader
from pyspark.sql import DataFrame, SparkSession

from ptmlops_contracts.keys import (
    COMPLETE,
    INDEX,
    RARE,
    PreparedKeys,
    labelled_folder,
    parse_s3_uri,
    run_of_complete,
    run_of_labelled_part,
    s3_uri,
)
from ptmlops_contracts.ledger import Manifest


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """The job's own arguments; Glue adds others, which are its business."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("run_id", "prepared_bucket", "output_bucket", "settings_uri"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_known_args(argv)[0]


def main(spark: SparkSession, s3: Any, arguments: argparse.Namespace) -> None:
    """manifest → files → records → buckets; report.json last. Of a refused run people get the rejected rows, each with its reason.

    Raises:
        TooManyRejectsError: more rows were rejected than the settings allow.
    """
    started = time.time()
    bucket, run_id = arguments.prepared_bucket, arguments.run_id
    settings = JobSettings.from_tables(_json(s3, arguments.settings_uri))
    manifest: Manifest = _json(s3, s3_uri(bucket, PreparedKeys(run_id).manifest))
    files = [
        SourceFile(
            key=file["key"],
            version_id=file["version_id"],
            size=file["size"],
            bucket=file["bucket"],
            read=s3_reader(file["bucket"], file["key"], file["version_id"]),
        )
        for file in manifest["files"]
    ]
    # The bucket's name is as hard to guess as anything that needs no secret store; it never leaves with the results.
    known, waiting = _earlier(spark, s3, bucket, run_id)
    prepared = prepare(spark, files, settings, run_id=run_id, salt=bucket, known=known, waiting=waiting)

    def put(key: str, text: str) -> None:
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode())

    def put_list(key: str, body: IO[bytes]) -> None:
        s3.upload_fileobj(body, arguments.output_bucket, key, ExtraArgs={"ContentType": "text/csv; charset=utf-8"})

    try:
        report = write(prepared, prefix=f"s3://{bucket}", put=put, started=started)
    except TooManyRejectsError as error:
        if not prepared.report["rows"]["rejected"]:
            raise
        listed = rejected_rows(prepared.rejected, run_id, put_list)
        raise TooManyRejectsError(
            f"{error}. Every rejected row with its reason: s3://{arguments.output_bucket}/{listed[0]}"
        ) from None
    print(json.dumps({"run_id": run_id, "rows": report["rows"], "seconds": report["seconds"]}))  # noqa: T201 - the job's log


def _earlier(spark: SparkSession, s3: Any, bucket: str, run_id: str) -> tuple[DataFrame | None, DataFrame | None]:
    """Of other runs (whole ones only, as Plan marked them): the indexes of their labelled rows, and the lines of rare labels."""
    pages = s3.get_paginator("list_objects_v2")

    def keys(prefix: str) -> Iterator[str]:
        return (item["Key"] for page in pages.paginate(Bucket=bucket, Prefix=prefix) for item in page.get("Contents", []))

    def places(kind: str) -> list[str]:
        found = set(map(run_of_labelled_part, keys(labelled_folder(kind))))
        return [s3_uri(bucket, PreparedKeys(run).labelled(kind)) for run in sorted(whole) if run in found]

    whole = set(map(run_of_complete, keys(COMPLETE))) - {run_id}
    indexes, lines = places(INDEX), places(RARE)
    known = spark.read.parquet(*indexes) if indexes else None
    return known, spark.read.text(lines, lineSep="\n") if lines else None


def _json(s3: Any, uri: str) -> Any:
    bucket, key = parse_s3_uri(uri)
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


if __name__ == "__main__":
    main(SparkSession.builder.getOrCreate(), boto3.client("s3"), parse_arguments(sys.argv[1:]))
