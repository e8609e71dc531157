"""Glue job Publish: what a run found → the output bucket, for people and for SQL."""

from __future__ import annotations

import argparse
import json
import sys
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
from complaints_etl.report import render
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


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

    def put(key: str, body: bytes) -> None:
        s3.put_object(Bucket=arguments.output_bucket, Key=key, Body=body)

    scored = predictions(joined, run).cache()
    if report["to_score"]:
        target = f"s3://{arguments.output_bucket}/predictions/run_date={run.run_date}/run_id={run_id}"
        quiet = scored.coalesce(1).write.mode("overwrite").option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
        quiet.parquet(target)
    export_files(joined, rejected, report, run, put)
    review, counts = review_rows(joined, run)
    if any(counts.values()):
        put(f"review/run_id={run_id}/review.csv", review)
    if report["rows"]["rejected"]:
        put(f"rejected/run_id={run_id}/rejected.csv", rejected_csv(rejected))
    categories = {
        row["label"]: (row["n"], row["mean"])
        for row in scored.groupBy("label").agg(F.count("*").alias("n"), F.avg("confidence").alias("mean")).collect()
    }
    published = {
        "scored": sum(n for n, _ in categories.values()),
        "needs_review": counts["uncertain"],
        "audit": counts["audit"],
    }
    page = render(
        language=settings.results_language,
        run_id=run_id,
        report=report,
        categories=categories,
        published=published,
        model_version=arguments.model_version,
        evaluation=_evaluation(s3, arguments.evaluation_uri),
    )
    put(f"runs/run_id={run_id}/report.html", page.encode())
    s3.put_object(Bucket=arguments.prepared_bucket, Key=f"runs/{run_id}/publish.json", Body=json.dumps(published).encode())
    print(json.dumps({"run_id": run_id, **published}))  # noqa: T201 - the job's log


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
