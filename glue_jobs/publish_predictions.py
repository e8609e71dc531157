"""Glue job Publish: joins a run's predictions to its records and writes the results to the output bucket."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Any

import boto3
from complaints_etl.checkpoint import checkpoint
from complaints_etl.failures import explained
from complaints_etl.job_settings import JobSettings
from complaints_etl.publish.changes import EarlierRun
from complaints_etl.publish.excel import Put
from complaints_etl.publish.exports import Export, export_files, rejected_rows
from complaints_etl.publish.join import (
    Run,
    check_answers,
    join_answers,
    no_answers,
    predictions,
    read_answers,
    write_table,
)
from complaints_etl.publish.label_checks import page_row, parse_label_checks, write_label_checks
from complaints_etl.publish.live_runs import Buckets, measure_live
from complaints_etl.publish.report_page import Page, render
from complaints_etl.publish.review import AUDIT_SAMPLE, NOT_ANSWERED, REVIEW_COLUMNS, ReviewList, review_list
from complaints_etl.publish.review_page import fit, render_review
from complaints_etl.publish.statistics import RunStatistics, collect_statistics, drift_counts, serving_metrics
from complaints_etl.publish.theme_rows import mark_themes, search_themes
from complaints_etl.publish.themes import Theme, read_profile, summary
from complaints_etl.spreadsheet import export_separator
from complaints_etl.storage import delete_keys, list_keys, read_if_present, read_json, read_json_if_present
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from ptmlops_contracts.drift import Drift, drifted, measure
from ptmlops_contracts.job_log import FIELDS, log_json
from ptmlops_contracts.keys import (
    EVALUATION_FILE,
    RUNS,
    TERM_PROFILE_FILE,
    ModelKeys,
    OutputKeys,
    PreparedKeys,
    run_folder_id,
    s3_uri,
)
from ptmlops_contracts.live import LiveAccuracy
from ptmlops_contracts.report import Report
from ptmlops_contracts.state import NONE

log = logging.getLogger("publish")
# The report compares with this many previous runs, among this many that it looks at.
COMPARED_RUNS, LOOK_BACK_RUNS = 5, 30
HTML = "text/html; charset=utf-8"
CSV, EXCEL = "text/csv; charset=utf-8", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ARGUMENTS = (
    "run_id", "model_version", "evaluation_uri", "prepared_bucket", "models_bucket", "output_bucket", "settings_uri",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the job reads."""

    run: Run
    settings: JobSettings
    report: Report
    records: DataFrame
    rejected: DataFrame
    answers: DataFrame


@dataclass(kw_only=True)
class Results:
    """What the job has written.

    Attributes:
        files: keys in the output bucket by kind, as the report lists them.
        separator: that of the lists for all files.
        themes: the new themes; None if they were not searched.
        labels_to_check: labelled rows whose label is probably wrong.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    exports: list[Export] = field(default_factory=list)
    review: ReviewList = field(default_factory=ReviewList)
    drift: dict[str, Drift] = field(default_factory=dict)
    live: list[LiveAccuracy] = field(default_factory=list)
    separator: str = ","
    statistics: RunStatistics = field(default_factory=RunStatistics)
    themes: list[Theme] | None = None
    labels_to_check: int = 0


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Parse the job's own arguments. Glue passes others, which are ignored."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ARGUMENTS:
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_known_args(argv)[0]


def main(spark: SparkSession, s3: Any, arguments: argparse.Namespace) -> None:
    """Load, check and join, write the results, then write the marker that makes them valid."""
    keys = OutputKeys(arguments.run_id)
    inputs = load(spark, s3, arguments)
    check_answers(inputs.records, inputs.answers)
    previous = withdraw(s3, arguments)
    joined = checkpoint(join_answers(inputs.records, inputs.answers), StorageLevel.DISK_ONLY)
    evaluation = read_evaluation(s3, arguments)
    themes = new_themes(s3, arguments, inputs, joined)
    joined = mark_themes(joined, themes or ())
    results = write(s3, arguments.output_bucket, inputs, joined, known_labels(evaluation, arguments.model_version))
    results.drift = run_drift(results.statistics, evaluation, arguments.model_version)
    results.live = live(spark, s3, arguments, inputs, evaluation)
    results.themes = themes
    results.files |= write_label_checks_and_page(s3, arguments, inputs, results, evaluation)
    results.files["numbers_file"] = [keys.document]  # Record writes it when the run has ended
    write_report(s3, arguments, inputs, results, evaluation)
    current = {key for written in results.files.values() for key in written} | {keys.report_page}
    delete_keys(s3, arguments.output_bucket, previous - current)
    mark(s3, arguments, results)


def load(spark: SparkSession, s3: Any, arguments: argparse.Namespace) -> Inputs:
    """Read what Prepare and Batch Transform wrote for the run."""
    bucket, keys = arguments.prepared_bucket, PreparedKeys(arguments.run_id)
    settings = JobSettings.from_tables(read_json(s3, arguments.settings_uri))
    report: Report = read_json(s3, s3_uri(bucket, keys.report))
    return Inputs(
        run=Run(
            run_id=arguments.run_id,
            model_version=arguments.model_version,
            answered_at=answered_at(s3, bucket, arguments.run_id, report),
            audit_sample=settings.audit_sample,
        ),
        settings=settings,
        report=report,
        records=spark.read.parquet(s3_uri(bucket, keys.records)).drop("tokens"),  # half of each row, and not used here
        rejected=spark.read.parquet(s3_uri(bucket, keys.rejected)),
        answers=read_answers(spark, s3_uri(bucket, keys.scored)) if report["to_score"] else no_answers(spark),
    )


def answered_at(s3: Any, bucket: str, run_id: str, report: Report) -> datetime:
    """Return when the last answer was written, or the records if nothing was scored. A redrive returns the same."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PreparedKeys(run_id).scored)
    written = [item["LastModified"] for page in pages for item in page.get("Contents", [])]
    moment: datetime = max(written) if written and report["to_score"] else datetime.fromisoformat(report["finished_at"])
    return moment.astimezone(UTC).replace(microsecond=0)


def withdraw(s3: Any, arguments: argparse.Namespace) -> set[str]:
    """Delete the markers of an earlier attempt, so that its results are not valid while this one replaces them.

    Returns:
        The keys that the earlier attempt wrote to the output bucket.
    """
    previous = list_keys(s3, arguments.output_bucket, *OutputKeys(arguments.run_id).rewritten_folders)
    for bucket, key in _markers(arguments):
        delete_keys(s3, bucket, list_keys(s3, bucket, key))
    return previous


def write(s3: Any, bucket: str, inputs: Inputs, joined: DataFrame, labels: Collection[str]) -> Results:
    """Write the table, exports, review list and list of rejected rows, and collect the run's statistics.

    Args:
        s3: the client.
        bucket: the output bucket.
        inputs: what the job reads.
        joined: the result of `join_answers`.
        labels: those that the model knows.
    """
    run, report, results = inputs.run, inputs.report, Results(separator=separator_of_lists(inputs.report))
    to_score = report["to_score"]
    put = file_writer(s3, bucket)
    scored = predictions(joined, run, "known_share")
    if to_score:
        table = OutputKeys(run.run_id).predictions
        write_table(scored.drop("known_share"), s3_uri(bucket, table), to_score)
        results.files["table_file"] = [table]
    results.exports = export_files(joined, inputs.rejected, report, run, put, excel=inputs.settings.excel)
    results.files["export"] = [key for export in results.exports for key in (*export.keys, *export.excel_keys)]
    if to_score:
        results.statistics = collect_statistics(scored)
        complaints = {label: category.complaints for label, category in results.statistics.categories.items()}
        results.review = review_list(
            joined, run, put, complaints=complaints, doubtful=results.statistics.needs_review, labels=labels or complaints,
            excel=inputs.settings.excel, separator=results.separator,
        )  # fmt: skip
        results.files["review_file"] = results.review.keys
    if report["rows"]["rejected"]:
        results.files["rejected_file"] = rejected_rows(inputs.rejected, run.run_id, put)
    return results


def file_writer(s3: Any, bucket: str) -> Put:
    """Return a function that stores a CSV file or an Excel workbook in the bucket."""

    def put(key: str, body: IO[bytes]) -> None:
        s3.upload_fileobj(body, bucket, key, ExtraArgs={"ContentType": EXCEL if key.endswith(".xlsx") else CSV})

    return put


def separator_of_lists(report: Report) -> str:
    """Return `;` if any file of the run has semicolons, because its user's spreadsheet expects them: a list is for all files."""
    return ";" if any(export_separator(file.get("separator")) == ";" for file in report["files"]) else ","


def read_evaluation(s3: Any, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Return the evaluation of the version that scored, or None if there is none."""
    if arguments.evaluation_uri == NONE:
        return None
    evaluation: dict[str, Any] | None = read_json_if_present(s3, f"{arguments.evaluation_uri}{EVALUATION_FILE}")
    return evaluation


def new_themes(s3: Any, arguments: argparse.Namespace, inputs: Inputs, joined: DataFrame) -> list[Theme] | None:
    """Return the run's new themes, or None without answers, or if the model's training left no term profile."""
    if arguments.evaluation_uri == NONE or not inputs.report["to_score"]:
        return None
    profile = read_profile(read_if_present(s3, f"{arguments.evaluation_uri}{TERM_PROFILE_FILE}"))
    return search_themes(joined, profile, inputs.run) if profile else None


def known_labels(evaluation: Mapping[str, Any] | None, model_version: str) -> list[str]:
    """Return the labels of the version that scored."""
    metrics = serving_metrics(evaluation, model_version) if evaluation else None
    return list(metrics["per_label"]) if metrics else []


def candidate_labels(s3: Any, arguments: argparse.Namespace) -> list[str]:
    """Return the labels of the model that this run trained: the one that found the labels to check."""
    uri = s3_uri(arguments.models_bucket, ModelKeys(arguments.run_id).evaluation_document)
    evaluation = read_json_if_present(s3, uri) or {}
    return list(evaluation.get("candidate", {}).get("per_label", ()))


def write_label_checks_and_page(
    s3: Any, arguments: argparse.Namespace, inputs: Inputs, results: Results, evaluation: Mapping[str, Any] | None
) -> dict[str, list[str]]:
    """Write labels_to_check.csv if the run trained and found some, and review.html if a list has rows. Return the keys by kind."""
    bucket, keys, review = arguments.output_bucket, OutputKeys(arguments.run_id), results.review
    lines = read_if_present(s3, s3_uri(arguments.prepared_bucket, PreparedKeys(arguments.run_id).labels_to_check))
    to_check = write_label_checks(lines, arguments.run_id, file_writer(s3, bucket), separator=results.separator)
    if not (review.keys or to_check):
        return {}
    found = [page_row(row) for row in parse_label_checks(lines)]
    results.labels_to_check = len(found)
    rows, checks = fit(review.first.rows, found)
    page = render_review(
        rows,
        total=sum(review.counts.values()),
        checks=checks,
        checks_total=len(found),
        labels=[*known_labels(evaluation, inputs.run.model_version), *(candidate_labels(s3, arguments) if found else [])],
        columns=REVIEW_COLUMNS,
        separator=results.separator,
        language=inputs.settings.results_language,
        run_id=arguments.run_id,
        display_names=inputs.settings.display_names,
    )
    s3.put_object(Bucket=bucket, Key=keys.review_page, Body=page.encode(), ContentType=HTML)
    return {"labels_file": to_check, "review_page": [keys.review_page]}


def write_report(
    s3: Any, arguments: argparse.Namespace, inputs: Inputs, results: Results, evaluation: Mapping[str, Any] | None
) -> None:
    """Write report.html."""
    page = Page(
        language=inputs.settings.results_language,
        run_id=inputs.run.run_id,
        published_at=inputs.run.answered_at,
        report=inputs.report,
        statistics=results.statistics,
        audit=results.review.counts[AUDIT_SAMPLE],
        unanswered=results.review.counts[NOT_ANSWERED],
        model_version=arguments.model_version,
        evaluation=evaluation,
        drift=results.drift,
        live=results.live,
        earlier=earlier_runs(s3, arguments.prepared_bucket, inputs.run.run_id),
        files=results.files,
        exports=results.exports,
        display_names=inputs.settings.display_names,
        themes=results.themes,
        labels_to_check=results.labels_to_check,
    )
    s3.put_object(
        Bucket=arguments.output_bucket,
        Key=OutputKeys(inputs.run.run_id).report_page,
        Body=render(page).encode(),
        ContentType=HTML,
    )


def live(
    spark: SparkSession, s3: Any, arguments: argparse.Namespace, inputs: Inputs, evaluation: Mapping[str, Any] | None
) -> list[LiveAccuracy]:
    """Return how often people confirmed the answers of each version, of the complaints that came back with a label so far."""
    version, held_out = arguments.model_version, {}
    if evaluation:
        champion = evaluation.get("champion") or {}
        held_out = {str(champion.get("version")): champion, version: serving_metrics(evaluation, version)}
    return measure_live(
        spark,
        s3,
        Buckets(prepared=arguments.prepared_bucket, output=arguments.output_bucket),
        run_id=arguments.run_id,
        records=inputs.records,
        report=inputs.report,
        earlier=names_before(s3, arguments.prepared_bucket, arguments.run_id),
        held_out=held_out,
    )


def names_before(s3: Any, bucket: str, run_id: str) -> list[str]:
    """Return the runs before this one, newest first. Run ids begin with their start time, so they sort by it."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=RUNS, Delimiter="/")
    names = [run_folder_id(item["Prefix"]) for page in pages for item in page.get("CommonPrefixes", [])]
    return sorted((name for name in names if name < run_id), reverse=True)


def earlier_runs(s3: Any, bucket: str, run_id: str) -> list[EarlierRun]:
    """Return the last runs before this one that scored something, newest first."""

    def scored_runs() -> Iterator[EarlierRun]:
        for name in names_before(s3, bucket, run_id)[:LOOK_BACK_RUNS]:
            marker = read_json_if_present(s3, s3_uri(bucket, PreparedKeys(name).published))
            if marker and marker.get("categories"):
                yield EarlierRun(
                    run_id=name,
                    categories=marker["categories"],
                    medians=marker.get("medians", {}),
                    model_version=marker.get("model_version", ""),
                )

    return list(islice(scored_runs(), COMPARED_RUNS))


def mark(s3: Any, arguments: argparse.Namespace, results: Results) -> None:
    """Write the marker, last of all: a reader that finds it finds every file that it lists."""
    counts = {
        "run_id": arguments.run_id,
        "scored": results.statistics.scored,
        "needs_review": results.statistics.needs_review,
        "not_answered": results.review.counts[NOT_ANSWERED],
        "audit": results.review.counts[AUDIT_SAMPLE],
        "doubtful_sample": results.review.doubtful_sample,
    }
    marker = {
        **counts,
        "categories": {label: category.complaints for label, category in results.statistics.categories.items()},
        "medians": dict(results.statistics.medians),
        "model_version": arguments.model_version,
        "confidence": results.statistics.mean_confidence,
        "drift": {kind: one["index"] for kind, one in results.drift.items()},
        "drift_thresholds": {kind: one["threshold"] for kind, one in results.drift.items()},
        "drifted": drifted(results.drift),
        "live_accuracy": results.live,
        "themes": summary(results.themes or ()),
        "exports": [dataclasses.asdict(export) for export in results.exports],
        "files": [OutputKeys(arguments.run_id).report_page, *(key for keys in results.files.values() for key in keys)],
    }
    body = json.dumps(marker, ensure_ascii=False, indent=1).encode()
    for bucket, key in _markers(arguments):
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    log.info("published", extra={FIELDS: {name: number for name, number in counts.items() if name != "run_id"}})


def run_drift(statistics: RunStatistics, evaluation: Mapping[str, Any] | None, model_version: str) -> dict[str, Drift]:
    """Return the drift per kind against the profile of the serving model.

    It is empty without answers, and if the model has no profile: too few held-out rows, or trained by an earlier version.
    """
    profile = serving_metrics(evaluation, model_version).get("profile") if evaluation else None
    return measure(profile, drift_counts(statistics)) if profile and statistics.scored else {}


def _markers(arguments: argparse.Namespace) -> tuple[tuple[str, str], ...]:
    """Return (bucket, key) of the marker for users, and of its copy for Record and for later runs."""
    return (
        (arguments.output_bucket, OutputKeys(arguments.run_id).marker),
        (arguments.prepared_bucket, PreparedKeys(arguments.run_id).published),
    )


if __name__ == "__main__":
    parsed = parse_arguments(sys.argv[1:])
    log_json(service="publish", run_id=parsed.run_id)
    with explained():
        main(SparkSession.builder.getOrCreate(), boto3.client("s3"), parsed)
