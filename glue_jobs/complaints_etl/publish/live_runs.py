"""Measure live accuracy if a run brings labels: read the answers and labels of the runs before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from complaints_etl.publish.live_accuracy import live_accuracy
from complaints_etl.publish.live_rows import ANSWER_COLUMNS, RECORD_COLUMNS, Samples, count, truths
from complaints_etl.storage import read_json_if_present
from ptmlops_contracts.keys import OutputKeys, PreparedKeys, s3_uri
from ptmlops_contracts.live import LiveAccuracy
from ptmlops_contracts.run_ids import is_run_id, run_date

# Answers of these runs are compared: labels come back within weeks, and reading more takes longer with each run.
LOOK_BACK, MOST_RUNS = timedelta(days=180), 1000
_THREADS = 16


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """Where runs before this one left their records and answers."""

    prepared: str
    output: str


@dataclass(frozen=True, kw_only=True)
class EarlierResult:
    """A run before this one.

    Attributes:
        published: its `run.Published`, or None if it published nothing.
        has_labels: it brought labelled rows.
    """

    run_id: str
    published: Mapping[str, Any] | None
    has_labels: bool


def measure_live(
    spark: SparkSession,
    s3: Any,
    buckets: Buckets,
    *,
    run_id: str,
    records: DataFrame,
    report: Mapping[str, Any],
    earlier: Sequence[str],
    held_out: Mapping[str, Mapping[str, Any]],
) -> list[LiveAccuracy]:
    """Return the live accuracy of each version of which answers have come back with a label.

    Without new labels the figures of the last run that published them stay.

    Args:
        spark: the session.
        s3: the client.
        buckets: where other runs are.
        run_id: this run.
        records: its records.
        report: Prepare's report of it.
        earlier: the runs before it, newest first.
        held_out: `evaluation.Measured` per version, as far as it is known.
    """
    if not has_labels(report):
        return _last_figures(s3, buckets, earlier)
    oldest = (date.fromisoformat(run_date(run_id)) - LOOK_BACK).isoformat()
    names = [name for name in earlier if is_run_id(name) and run_date(name) >= oldest][:MOST_RUNS]

    def result(name: str) -> EarlierResult:
        keys = PreparedKeys(name)
        published = read_json_if_present(s3, s3_uri(buckets.prepared, keys.published))
        found = read_json_if_present(s3, s3_uri(buckets.prepared, keys.report)) or {}
        return EarlierResult(run_id=name, published=published, has_labels=has_labels(found))

    with ThreadPoolExecutor(max_workers=_THREADS) as pool:  # two small objects per run
        results = list(pool.map(result, names))
        answered = [one for one in results if one.published and one.published.get("scored")]
        answers_at = _present(pool, s3, buckets.output, [OutputKeys(one.run_id).predictions for one in answered])
        records_at = _present(
            pool, s3, buckets.prepared, [PreparedKeys(one.run_id).records for one in results if one.has_labels]
        )
    if not answers_at:
        return []
    answers = spark.read.schema(ANSWER_COLUMNS).parquet(*answers_at)
    labelled = truths(records)
    if records_at:
        labelled = labelled.unionByName(truths(spark.read.schema(RECORD_COLUMNS).parquet(*records_at)))
    samples = {one.run_id: _samples(one.published or {}) for one in answered}
    return live_accuracy(count(answers, labelled, samples), run_id=run_id, held_out=held_out)


def has_labels(report: Mapping[str, Any]) -> bool:
    """Return True if a run's files have labelled rows. Reports of earlier versions do not count rare labels."""
    return bool(sum(report.get("labelled", {}).values()) or report.get("rare_labels"))


def _samples(published: Mapping[str, Any]) -> Samples:
    """Return the random samples of a review list. Lists of earlier versions have none of the doubtful answers."""
    return Samples(certain=published.get("audit", 0), doubtful=published.get("doubtful_sample", 0))


def _last_figures(s3: Any, buckets: Buckets, earlier: Sequence[str]) -> list[LiveAccuracy]:
    for name in earlier[:MOST_RUNS]:
        published = read_json_if_present(s3, s3_uri(buckets.prepared, PreparedKeys(name).published))
        if published:
            figures: list[LiveAccuracy] = published.get("live_accuracy", [])
            return figures
    return []


def _present(pool: ThreadPoolExecutor, s3: Any, bucket: str, folders: Sequence[str]) -> list[str]:
    """Return the addresses of the folders that have objects: others expired."""

    def is_present(folder: str) -> bool:
        return bool(s3.list_objects_v2(Bucket=bucket, Prefix=folder, MaxKeys=1).get("KeyCount"))

    return [s3_uri(bucket, folder) for folder, found in zip(folders, pool.map(is_present, folders), strict=True) if found]
