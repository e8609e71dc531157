"""Glue job Publish: what a run found → the output bucket, for people and for SQL."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from typing import Any
from urllib.parse import urlparse

import boto3
from botocore.exceptions import ClientError
from complaints_etl.job_settings import JobSettings
from complaints_etl.publish import (
    Run,
    export_files,
    join_answers,
    no_answers,
    predictions,
    read_answers,
    rejected_csv,
    review_rows,
    utc_now,
)
from complaints_etl.report import Page, render
from complaints_etl.run_facts import collect
from pyspark.sql import SparkSession

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
    """Answers ⋈ records → predictions, exports, review list, rejects, report; publish.json last."""
    run_id, base = arguments.run_id, f"s3://{arguments.prepared_bucket}/runs/{arguments.run_id}"
    settings = JobSettings.from_tables(_json(s3, arguments.settings_uri))
    report = _json(s3, f"{base}/report.json")
    run = Run(
        run_id=run_id,
        model_version=arguments.model_version,
        published_at=utc_now(),
        audit_sample=settings.audit_sample,
    )
    records = spark.read.parquet(f"{base}/records")
    rejected = spark.read.parquet(f"{base}/rejected").cache()
    answers = read_answers(spark, f"{base}/scored") if report["to_score"] else no_answers(spark)
    joined = join_answers(records, answers).cache()

    written: list[tuple[str, str]] = []

    def put(kind: str, key: str, body: bytes) -> None:
        s3.put_object(Bucket=arguments.output_bucket, Key=key, Body=body, ContentType="text/csv; charset=utf-8")
        written.append((kind, key))

    scored = predictions(joined, run).cache()
    if report["to_score"]:
        place = f"predictions/run_date={run.run_date}/run_id={run_id}"
        quiet = scored.coalesce(1).write.mode("overwrite").option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
        quiet.parquet(f"s3://{arguments.output_bucket}/{place}")
        written.append(("table_file", f"{place}/"))
    export_files(joined, rejected, report, run, partial(put, "export"))
    review, counts = review_rows(joined, run)
    if any(counts.values()):
        put("review_file", f"review/run_id={run_id}/review.csv", review)
    if report["rows"]["rejected"]:
        put("rejected_file", f"rejected/run_id={run_id}/rejected.csv", rejected_csv(rejected))
    facts = collect(scored)
    published = {
        "scored": facts.scored,
        "needs_review": facts.needs_review,
        "audit": counts["audit"],
        "categories": {label: found.complaints for label, found in facts.categories.items()},
    }
    page = render(
        Page(
            language=settings.results_language,
            run_id=run_id,
            published_at=run.published_at,
            report=report,
            facts=facts,
            audit=counts["audit"],
            model_version=arguments.model_version,
            evaluation=_evaluation(s3, arguments.evaluation_uri),
            earlier=earlier_categories(s3, arguments.prepared_bucket, run_id),
            files=[*written, ("numbers_file", f"runs/run_id={run_id}/run.json")],
        )
    ).encode()
    # The copy in the prepared bucket is where Record fills in what the run cost, once it has ended.
    for bucket, key in ((arguments.output_bucket, f"runs/run_id={run_id}"), (arguments.prepared_bucket, f"runs/{run_id}")):
        s3.put_object(Bucket=bucket, Key=f"{key}/report.html", Body=page, ContentType="text/html; charset=utf-8")
    s3.put_object(
        Bucket=arguments.prepared_bucket,
        Key=f"runs/{run_id}/publish.json",
        Body=json.dumps(published, ensure_ascii=False).encode(),
    )
    print(json.dumps({"run_id": run_id, **{name: published[name] for name in ("scored", "needs_review", "audit")}}))  # noqa: T201 - the job's log


def earlier_categories(s3: Any, bucket: str, run_id: str) -> list[dict[str, int]]:
    """Category counts of up to five runs before this one that classified something, newest first."""
    # Run ids begin with their time, so their order is the order of the runs.
    prefix = "runs/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    names = [found["Prefix"][len(prefix) : -1] for page in pages for found in page.get("CommonPrefixes", [])]
    earlier: list[dict[str, int]] = []
    for name in sorted((name for name in names if name < run_id), reverse=True)[:LOOK_BACK_RUNS]:
        try:
            counts = _json(s3, f"s3://{bucket}/{prefix}{name}/publish.json").get("categories")
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
    if uri == "none":
        return None
    try:
        return _json(s3, f"{uri}evaluation.json")
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None


def _json(s3: Any, uri: str) -> Any:
    place = urlparse(uri)
    return json.loads(s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read())


if __name__ == "__main__":
    main(SparkSession.builder.getOrCreate(), boto3.client("s3"), parse_arguments(sys.argv[1:]))
