"""Join the model's answers to the records, check that they match, and write the predictions table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from complaints_etl import JobError
from complaints_etl.checkpoint import checkpoint

# Read as a resource, because Glue imports this package from a zip archive.
TABLE = resources.files("complaints_etl.publish").joinpath("predictions_table.json")
# The line that training/inference.py writes, as a DDL schema.
ANSWER = (
    "complaint_id string, label string, confidence double, alternatives array<struct<label:string,probability:double>>,"
    "needs_review boolean, review_reason string, known_share double, top_terms array<struct<term:string,contribution:double>>, error string"
)
# Keeps Parquet files at a few hundred megabytes: few enough for Athena, small enough for one task to write.
TABLE_FILE_ROWS = 250_000
# Conditions on a joined row.
TO_SCORE = "status = 'accepted' AND file_label IS NULL"
SCORED = f"{TO_SCORE} AND predicted_label IS NOT NULL"


class AnswersMismatchError(JobError):
    """Batch Transform did not answer exactly the complaints that were sent to it."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The run that is published."""

    run_id: str
    model_version: str
    answered_at: datetime
    audit_sample: int


def table_columns() -> list[tuple[str, str]]:
    """Return (name, type) of each column of the predictions table, in order. The catalog's table is made from the same file."""
    return [(column["name"], column["type"]) for column in json.loads(TABLE.read_text(encoding="utf-8"))["columns"]]


def read_answers(spark: SparkSession, location: str) -> DataFrame:
    """Read the output lines of Batch Transform below `location`."""
    lines = spark.read.option("lineSep", "\n").text(location).where(F.length("value") > 0)
    return checkpoint(lines.select(F.from_json("value", ANSWER).alias("answer")).select("answer.*"), StorageLevel.DISK_ONLY)


def no_answers(spark: SparkSession) -> DataFrame:
    """Return an empty DataFrame of answers, for a run without complaints to score."""
    return spark.createDataFrame([], ANSWER)


def check_answers(records: DataFrame, answers: DataFrame) -> None:
    """Check that each complaint to score has exactly one answer, and that no other answer exists.

    Raises:
        AnswersMismatchError: with the number of missing, unexpected and repeated answers.
    """
    requested = records.where("status = 'accepted' AND label IS NULL").select("complaint_id", F.lit(True).alias("requested"))
    answered = answers.groupBy("complaint_id").agg(F.count("*").alias("times"))
    # A line without a readable id joins to no complaint, so it counts as unexpected.
    counts = requested.join(answered, "complaint_id", "full").agg(
        F.count_if(F.col("times").isNull()).alias("missing"),
        F.coalesce(F.sum(F.when(F.col("requested").isNull(), F.col("times"))), F.lit(0)).alias("unexpected"),
        F.count_if(F.col("requested") & (F.col("times") > 1)).alias("repeated"),
    )
    [row] = counts.collect()
    if any(row):
        raise AnswersMismatchError(
            f"The model's answers do not match the complaints to score: {row['missing']} complaints have no answer, "
            f"{row['unexpected']} answers match no complaint, {row['repeated']} complaints have several answers. "
            "Nothing was published. Redrive the run to score it again."
        )


def join_answers(records: DataFrame, answers: DataFrame) -> DataFrame:
    """Add the model's answer and the file's label to every record. A duplicate gets those of the record that it repeats.

    Returns:
        The records with `predicted_label`, `confidence`, `alternatives`, `needs_review`, `review_reason`, `known_share` and `top_terms` from
        the answer, and `file_label` from the file. `theme` and `theme_number` are null until `mark_themes`. Models of earlier versions give
        no `review_reason` or no `known_share`. A record has a file label
        or an answer, or neither if it could not be scored.
    """
    predicted = answers.select(
        F.col("complaint_id").alias("kept"), F.col("label").alias("predicted_label"), "confidence", "alternatives",
        "needs_review", "review_reason", "known_share", "top_terms",
    )  # fmt: skip
    labelled = records.where("status = 'accepted' AND label IS NOT NULL")
    from_file = labelled.select(F.col("complaint_id").alias("kept"), F.col("label").alias("file_label"))
    kept = F.coalesce("duplicate_of", "complaint_id")
    joined = records.withColumn("kept", kept).join(predicted, "kept", "left").join(from_file, "kept", "left")
    return joined.withColumns({"theme": F.lit(None).cast("string"), "theme_number": F.lit(None).cast("int")})


def predictions(joined: DataFrame, run: Run, *further: str) -> DataFrame:
    """Return the rows of the predictions table, with the table's columns and types, and with further columns of `joined`."""
    # Made from seconds: a local time would depend on the session's time zone.
    moment = F.timestamp_seconds(F.lit(int(run.answered_at.timestamp())))
    rows = joined.where(SCORED).withColumns(
        {
            "label": F.col("predicted_label"),
            "model_version": F.lit(run.model_version),
            "predicted_at": moment,
            "run_id": F.lit(run.run_id),
        }
    )
    return rows.select(*[F.col(name).cast(kind).alias(name) for name, kind in table_columns()], *further)


def write_table(scored: DataFrame, location: str, rows: int) -> None:
    """Replace what is below `location` with Parquet files. No `_SUCCESS` file: some readers take it for data."""
    files = scored.coalesce(max(1, -(-rows // TABLE_FILE_ROWS)))
    writer = files.write.mode("overwrite").option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    writer.option("compression", "snappy").parquet(location)
