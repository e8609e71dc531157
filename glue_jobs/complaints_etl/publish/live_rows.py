"""Find the answers of earlier runs whose complaints have come back with a label, and count them for `live_accuracy`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from complaints_etl.publish.live_accuracy import Cell
from ptmlops_contracts.live import LONG_ID_CHARACTERS
from ptmlops_contracts.report import Flag, RecordStatus

# What is read of the predictions table and of records, as DDL schemas: tables of earlier versions may lack other columns.
ANSWER_COLUMNS = (
    "run_id string, complaint_id string, group_id string, label string, needs_review boolean, model_version string"
)
RECORD_COLUMNS = "run_id string, complaint_id string, group_id string, status string, label string, label_original string, flags array<string>"
_DRAW_DIGITS = 13  # hexadecimal: 52 bits, which a double holds
_ANSWER = ("run_id", "needs_review")
_ID, _TEXT = "id:", "text:"


@dataclass(frozen=True)
class Samples:
    """How many answers of a run the review list drew at random, of the certain and of the doubtful ones."""

    certain: int
    doubtful: int


def draw(run_id: Column) -> Column:
    """Return the hash that orders a run's complaints at random. The first ones are its random samples; a redrive draws the same."""
    return F.sha2(F.concat(run_id, F.col("complaint_id")), 256)


def truths(records: DataFrame) -> DataFrame:
    """Return run_id, complaint_id, group_id, truth: the labels of the accepted rows that have one.

    A label that is too rare to be learned is no label of any model, so it shows that an answer was wrong, however it is written.
    """
    rare = F.when(F.array_contains("flags", str(Flag.RARE_LABEL)), F.col("label_original"))
    labelled = records.where(F.col("status") == str(RecordStatus.ACCEPTED)).withColumn("truth", F.coalesce("label", rare))
    return labelled.where("truth IS NOT NULL").select("run_id", "complaint_id", "group_id", "truth")


def compare(answers: DataFrame, labelled: DataFrame) -> DataFrame:
    """Return the answers whose complaints came back in a later run, with `is_right`.

    A row is the same complaint if it has the same id, or the same text or a near-copy of it (`group_id`). A short id counts only with the
    same text: it may be a row number of another file. If a complaint came back several times, its newest label counts.

    Args:
        answers: ANSWER_COLUMNS.
        labelled: what `truths` returns.
    """
    later = _keyed(labelled.withColumnRenamed("run_id", "labelled_by")).select("key", "labelled_by", "truth")
    found = _keyed(answers).join(later, "key").where(F.col("labelled_by") > F.col("run_id"))  # run ids begin with their time
    newest = F.max(F.struct("labelled_by", F.col("key").startswith(_ID), "truth"))["truth"].alias("truth")
    compared = found.groupBy("run_id", "complaint_id", "label", "needs_review", "model_version").agg(newest)
    return compared.withColumn("is_right", F.col("truth") == F.col("label"))


def _keyed(rows: DataFrame) -> DataFrame:
    """Return the rows once per `key` by which they can be the same complaint: their text, and their id if it is long."""
    long_id = F.when(F.length("complaint_id") >= LONG_ID_CHARACTERS, F.concat(F.lit(_ID), F.col("complaint_id")))
    keys = F.array_compact(F.array(long_id, F.concat(F.lit(_TEXT), F.col("group_id"))))
    return rows.withColumn("key", F.explode(keys))


def count(answers: DataFrame, labelled: DataFrame, samples: Mapping[str, Samples]) -> list[Cell]:
    """Count the answers of each run of which some came back, those that did, and of these the ones of the random samples.

    Args:
        answers: ANSWER_COLUMNS, of all runs that are looked at.
        labelled: what `truths` returns, of the same runs and this one.
        samples: the random samples per run.
    """
    strata = ("run_id", "model_version", "needs_review", "label")
    totals = {row[:4]: row["count"] for row in answers.groupBy(*strata).count().collect()}
    compared = compare(answers, labelled).join(_sampled(answers, samples, totals), ["run_id", "complaint_id"], "left")
    is_sampled = F.coalesce("sampled", F.lit(False))
    counted = compared.groupBy(*strata).agg(
        F.count("*").alias("returned"),
        F.count_if("is_right").alias("right"),
        F.count_if(is_sampled).alias("sampled"),
        F.count_if(is_sampled & F.col("is_right")).alias("sampled_right"),
    )
    found = {row[:4]: row[4:] for row in counted.collect()}
    runs = {run_id for run_id, *_ in found}
    cells = []
    for (run_id, version, doubtful, label), total in totals.items():
        if run_id not in runs:
            continue
        back, right, drawn, drawn_right = found.get((run_id, version, doubtful, label), (0, 0, 0, 0))
        cells.append(
            Cell(
                run_id=run_id, model_version=version, doubtful=doubtful, label=label, answers=total, returned=back, right=right,
                sampled=drawn, sampled_right=drawn_right,
            )
        )  # fmt: skip
    return cells


def _sampled(
    answers: DataFrame, samples: Mapping[str, Samples], totals: Mapping[tuple[str, str, bool, str], int]
) -> DataFrame:
    """Return run_id, complaint_id, sampled of the answers that the review lists drew at random."""
    rows: dict[tuple[str, bool], int] = {}
    for (run_id, _, doubtful, _), total in totals.items():
        rows[run_id, doubtful] = rows.get((run_id, doubtful), 0) + total
    sizes = []
    for (run_id, doubtful), total in rows.items():
        sample = samples.get(run_id, Samples(0, 0))
        size = sample.doubtful if doubtful else sample.certain
        sizes.append((run_id, doubtful, size, _bound(size, total)))
    sizes_of = answers.sparkSession.createDataFrame(sizes, "run_id string, needs_review boolean, size int, bound double")
    drawn = draw(F.col("run_id"))
    share = F.conv(F.substring(drawn, 1, _DRAW_DIGITS), 16, 10).cast("double") / float(16**_DRAW_DIGITS)
    # Sorting all answers to find the first few of each run would take long.
    near = answers.join(F.broadcast(sizes_of), [*_ANSWER]).withColumn("draw", drawn).where(share <= F.col("bound"))
    place = F.row_number().over(Window.partitionBy(*_ANSWER).orderBy("draw"))
    return (
        near.withColumn("place", place).where("place <= size").select("run_id", "complaint_id", F.lit(True).alias("sampled"))
    )


def _bound(size: int, rows: int) -> float:
    """Return a share of all draws below which, but for a chance of 10^-20, the `size` smallest of so many lie."""
    return min(1.0, (size + 10 * math.sqrt(size) + 50) / rows) if size else 0.0
