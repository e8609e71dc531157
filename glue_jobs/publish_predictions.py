"""Glue job Publish: what a run found → the output bucket, for people and for SQL."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import IO, Any

import boto3
from botocore.exceptions import ClientError
from complaints_etl.job_settings import JobSettings
from complaints_etl.plans import keep
from complaints_etl.publish import (
    Run,
    check_answers,
    export_files,
    join_answers,
    no_answers,
    predictions,
    read_answers,
    rejected_rows,
    review_list,
    separator,
    write_table,
)
from complaints_etl.report import Page, render
from complaints_etl.run_facts import RunFacts, collect
from pyspark import StorageLevel
from pyspark.sql import SparkSession

from ptmlops_contracts.keys import EVALUATION_FILE, RUNS, OutputKeys, PreparedKeys, parse_s3_uri, run_folder_id, s3_uri
from ptmlops_contracts.state import NONE

# How many runs the report compares with, and how many it looks through for them.
COMPARED_RUNS, LOOK_BACK_RUNS = 5, 30


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """The job's own arguments; Glue adds others, which are its business."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in (
        "run_id",
        "model_version",
        "evaluation_uri",
        "prepared_bucket",
        "models_bucket",
        "output_bucket",
        "settings_uri",
    ):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_known_args(argv)[0]


def main(spark: SparkSession, s3: Any, arguments: argparse.Namespace) -> None:
    """Answers ⋈ records → predictions, exports, review list, rejects, report; the marker published.json last."""
    run_id, prepared, output = arguments.run_id, arguments.prepared_bucket, arguments.output_bucket
    keys, results = PreparedKeys(run_id), OutputKeys(run_id)
    settings = JobSettings.from_tables(_json(s3, arguments.settings_uri))
    report = _json(s3, s3_uri(prepared, keys.report))
    run = Run(
        run_id=run_id,
        model_version=arguments.model_version,
        answered_at=_answered_at(s3, prepared, run_id, report),
        audit_sample=settings.audit_sample,
    )
    records = spark.read.parquet(s3_uri(prepared, keys.records)).drop("tokens")  # half of a row, and nobody reads them here
    rejected = spark.read.parquet(s3_uri(prepared, keys.rejected))
    answers = read_answers(spark, s3_uri(prepared, keys.scored)) if report["to_score"] else no_answers(spark)
    check_answers(records, answers)

    # From here on the output bucket changes, and what an earlier try left must not pass for whole.
    before = _keys(s3, output, *results.rewritten_folders)
    _delete(s3, output, before & {results.marker})
    _delete(s3, prepared, _keys(s3, prepared, keys.published))

    def put(key: str, body: IO[bytes]) -> None:
        s3.upload_fileobj(body, output, key, ExtraArgs={"ContentType": "text/csv; charset=utf-8"})

    joined = keep(join_answers(records, answers), StorageLevel.DISK_ONLY)  # as in Prepare, and for the same reason
    scored = predictions(joined, run)
    written: list[tuple[str, str]] = []
    table = results.predictions
    if report["to_score"]:
        write_table(scored, s3_uri(output, table), report["to_score"])
        written.append(("table_file", table))
    exports = export_files(joined, rejected, report, run, put)
    written += [("export", key) for export in exports for key in export.keys]
    # As the people who dropped the files use spreadsheets.
    mark = ";" if any(separator(file) == ";" for file in report["files"]) else ","
    listed: list[str] = []
    review = {"not answered": 0, "uncertain": 0, "audit sample": 0}
    if report["to_score"]:
        listed, review = review_list(joined, run, put, mark=mark)
    written += [("review_file", key) for key in listed]
    if report["rows"]["rejected"]:
        written += [("rejected_file", key) for key in rejected_rows(rejected, run_id, put)]
    facts = collect(scored) if report["to_score"] else RunFacts()
    page = render(
        Page(
            language=settings.results_language,
            run_id=run_id,
            published_at=run.answered_at,
            report=report,
            facts=facts,
            audit=review["audit sample"],
            unanswered=review["not answered"],
            model_version=arguments.model_version,
            evaluation=_evaluation(s3, arguments.evaluation_uri),
            earlier=earlier_categories(s3, prepared, run_id),
            files=[*written, ("numbers_file", results.document)],
            exports=exports,
        )
    ).encode()
    # The copy in the prepared bucket is where Record fills in what the run cost, once it has ended.
    for bucket, key in ((output, results.report_page), (prepared, keys.report_page)):
        s3.put_object(Bucket=bucket, Key=key, Body=page, ContentType="text/html; charset=utf-8")
    current = {key for _, key in written} | {results.report_page, results.document}
    _delete(s3, output, before - current)
    published = {
        "run_id": run_id,
        "scored": facts.scored,
        "needs_review": facts.needs_review,
        "not_answered": review["not answered"],
        "audit": review["audit sample"],
        "categories": {label: found.complaints for label, found in facts.categories.items()},
        "exports": [dataclasses.asdict(export) for export in exports],
        "files": [results.report_page, *(key for _, key in written)],
    }
    body = json.dumps(published, ensure_ascii=False, indent=1).encode()
    # Last of all: who finds the marker finds everything that it lists. Record reads the other one.
    for bucket, key in ((output, results.marker), (prepared, keys.published)):
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    told = {name: published[name] for name in ("run_id", "scored", "needs_review", "not_answered", "audit")}
    print(json.dumps(told))  # noqa: T201 - the job's log


def _answered_at(s3: Any, bucket: str, run_id: str, report: Mapping[str, Any]) -> datetime:
    """When the last answer was written, or where none was asked for, when the records were; a redrive says the same."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PreparedKeys(run_id).scored)
    written = [item["LastModified"] for page in pages for item in page.get("Contents", [])]
    moment: datetime = max(written) if written and report["to_score"] else datetime.fromisoformat(report["finished_at"])
    return moment.astimezone(UTC).replace(microsecond=0)


def _keys(s3: Any, bucket: str, *prefixes: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2")
    return {
        item["Key"]
        for prefix in prefixes
        for page in pages.paginate(Bucket=bucket, Prefix=prefix)
        for item in page.get("Contents", [])
    }


def _delete(s3: Any, bucket: str, keys: Collection[str]) -> None:
    for key in sorted(keys):
        s3.delete_object(Bucket=bucket, Key=key)


def earlier_categories(s3: Any, bucket: str, run_id: str) -> list[dict[str, int]]:
    """Category counts of up to five runs before this one that classified something, newest first."""
    # Run ids begin with their time, so their order is the order of the runs.
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=RUNS, Delimiter="/")
    names = [run_folder_id(found["Prefix"]) for page in pages for found in page.get("CommonPrefixes", [])]
    earlier: list[dict[str, int]] = []
    for name in sorted((name for name in names if name < run_id), reverse=True)[:LOOK_BACK_RUNS]:
        try:
            counts = _json(s3, s3_uri(bucket, PreparedKeys(name).published)).get("categories")
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            continue  # it failed before it published
        if counts:
            earlier.append(counts)
        if len(earlier) == COMPARED_RUNS:
            break
    return earlier


def _evaluation(s3: Any, uri: str) -> Any:
    """The champion's evaluation, where there is a champion."""
    if uri == NONE:
        return None
    try:
        return _json(s3, f"{uri}{EVALUATION_FILE}")
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None


def _json(s3: Any, uri: str) -> Any:
    bucket, key = parse_s3_uri(uri)
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


if __name__ == "__main__":
    main(SparkSession.builder.getOrCreate(), boto3.client("s3"), parse_arguments(sys.argv[1:]))
