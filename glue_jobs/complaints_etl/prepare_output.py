"""Write what Prepare made: records, rejected rows, lines to learn from and to score, and report.json as the last object."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from complaints_etl.prepare import Prepared, Refusal
from ptmlops_contracts.keys import INDEX, RARE, PreparedKeys, labelled_folders
from ptmlops_contracts.report import SPLITS, Flag, RecordStatus

LINES_PER_FILE = 20_000


def write(result: Prepared | Refusal, *, prefix: str, put: Callable[[str, str], None], started: float) -> dict[str, Any]:
    """Write everything below `prefix`, report.json last. Of a refused run only the rejected rows and the report are written.

    Args:
        result: what `prepare` returned.
        prefix: `s3://bucket` or a folder's URI, without a slash at the end.
        put: writes a small text under a key: `put(key, text)`.
        started: when the job began (`time.time()`).

    Returns:
        The report.
    """
    report, run_id = result.report, result.report["run_id"]
    keys = PreparedKeys(run_id)
    # An attempt that was killed may have left rows, and a report that would vouch for them.
    for key in (keys.report, keys.records, keys.to_score, *labelled_folders(run_id)):
        _delete(result.rejected.sparkSession, f"{prefix}/{key}")
    # Without a rejected row, no row has to be read to write none.
    rejected = result.rejected if report["rows"]["rejected"] else result.rejected.limit(0)
    rejected.write.mode("overwrite").parquet(f"{prefix}/{keys.rejected}")
    if isinstance(result, Prepared):
        _write_records(result, prefix)
    finished = time.time()
    report = {
        **report,
        "started_at": _iso(started),
        "finished_at": _iso(finished),
        "seconds": round(finished - started, 1),
    }
    put(keys.report, json.dumps(report, ensure_ascii=False, indent=1))
    return report


def _write_records(prepared: Prepared, prefix: str) -> None:
    records, report = prepared.records, prepared.report
    keys = PreparedKeys(report["run_id"])
    # Half the bytes of Spark's usual compression, in the same time.
    records.write.mode("overwrite").option("compression", "zstd").parquet(f"{prefix}/{keys.records}")
    accepted = records.where(F.col("status") == RecordStatus.ACCEPTED)
    if report["to_score"]:
        lines = accepted.where("label IS NULL").select(F.to_json(F.struct("complaint_id", "text")).alias("value"))
        _write_lines(lines, f"{prefix}/{keys.to_score}", report["to_score"])
    if sum(report["labelled"].values()) or report["rare_labels"]:
        prepared.index.coalesce(1).write.mode("overwrite").parquet(f"{prefix}/{keys.labelled(INDEX)}")
    for split in SPLITS:
        count = report["labelled"][split] - report["labelled_repeated"][split] + report["labelled_earlier"][split]
        if not count:
            continue
        is_new = F.col("label").isNotNull() & ~F.array_contains("flags", str(Flag.REPEATED))
        lines = accepted.where((F.col("split") == split) & is_new).select(_labelled_line(F.col("label")))
        if prepared.earlier is not None and report["labelled_earlier"][split]:
            lines = lines.unionByName(prepared.earlier.where(F.col("split") == split).select("value"))
        _write_lines(lines, f"{prefix}/{keys.labelled(split)}", count)
    if report["rare_labels"]:
        rare = prepared.rare.select(_labelled_line(F.col("given_label")))
        _write_lines(rare, f"{prefix}/{keys.labelled(RARE)}", sum(report["rare_labels"].values()))


def _labelled_line(label: Column) -> Column:
    columns = ("complaint_id", "text", label.alias("label"), "language", "group_id", "received_at")
    return F.to_json(F.struct(*columns)).alias("value")


def _write_lines(lines: DataFrame, target: str, count: int) -> None:
    """Write JSON Lines in files of about LINES_PER_FILE lines, in the order in which the rows were read.

    There is no _SUCCESS file: SageMaker would read it as data.
    """
    parts = max(1, -(-count // LINES_PER_FILE))
    writer = lines.coalesce(parts).write.mode("overwrite").option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    writer.option("lineSep", "\n").option("maxRecordsPerFile", LINES_PER_FILE).text(target)


def _delete(spark: SparkSession, uri: str) -> None:
    """Delete a file or folder if it exists, through the file system that Spark writes with."""
    java = spark.sparkContext._jvm
    path = java.org.apache.hadoop.fs.Path(uri)  # type: ignore[union-attr]
    path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).delete(path, True)  # type: ignore[union-attr]


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
