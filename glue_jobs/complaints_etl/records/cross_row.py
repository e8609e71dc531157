"""Compare rows with each other: repeated texts and ids, conflicting labels, rare labels, near-copies.

Most rows have nothing in common with others. Only ids, fingerprints and labels are sorted and joined here, and only the
exceptions are returned, so texts are not shuffled.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from complaints_etl.checkpoint import checkpoint
from complaints_etl.near_copies import group_near_copies
from complaints_etl.records.splits import split_of

# Up to this many exceptions (150 bytes each) are broadcast. For more, the join shuffles the texts.
_BROADCAST_ROWS = 300_000
_ROW = ("source_index", "row_number")


def usual_id() -> Column:
    """Return the id of a row: the one in its file, or else a hash of its text and date.

    If a file is uploaded again, repaired or not, its rows get the same hashes. A redacted id (`<EMAIL>`) identifies no row, nor does one
    that a spreadsheet rounded.
    """
    identifies = ~F.col("original_id").rlike("<[A-Z_]+>") & ~F.coalesce("rounded_id", F.lit(False))
    from_file = F.when(identifies, F.col("original_id"))
    return F.coalesce(from_file, _made_id("fingerprint", "received_at"))


def _unique_id() -> Column:
    """Return the id of a row if another row has its usual id: a hash of its file, position and text."""
    return _made_id("source_file", "source_version", "row_number", "fingerprint")


def _made_id(*columns: str) -> Column:
    return F.concat(F.lit("c-"), F.substring(F.sha2(F.concat_ws("|", *columns), 256), 1, 16))


def usual_group() -> Column:
    """Return the group of a row without near-copies."""
    return F.substring("fingerprint", 1, 16)


def find_exceptions(rows: DataFrame, earlier_index: DataFrame | None, *, min_label_rows: int, has_labels: bool) -> DataFrame:
    """Return the rows that have something in common with other rows.

    Args:
        rows: annotated rows that are not rejected, with fingerprint.
        earlier_index: the indexes of earlier runs, or None.
        min_label_rows: a label with fewer texts is rare.
        has_labels: whether any file has a label column. Only labelled rows are split, so others need no groups.

    Returns:
        source_index, row_number, complaint_id, duplicate_of (null: not a duplicate), conflict, repeated (an earlier run has the text
        with this label, and with no other), rare, group_id; cached.
    """
    keys = rows.select(
        *_ROW, "source_file", "source_version", "fingerprint", "original_id", "rounded_id", "label", "received_at", "signature"
    )  # fmt: skip
    first_id = usual_id()
    same_id = Window.partitionBy(first_id).orderBy(*_ROW)
    # Of rows with the same text, the first is kept: labelled before unlabelled, then the newest.
    same_text = Window.partitionBy("fingerprint").orderBy(
        F.col("label").isNull(), F.col("received_at").desc_nulls_last(), *_ROW
    )
    all_of_text = same_text.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    labels_differ = F.min("label").over(all_of_text) != F.max("label").over(all_of_text)
    compared = (
        keys.withColumn("complaint_id", F.when(F.row_number().over(same_id) == 1, first_id).otherwise(_unique_id()))
        .withColumn("order", F.row_number().over(same_text))
        .withColumn("duplicate_of", F.when(F.col("order") > 1, F.first("complaint_id").over(same_text)))
        .withColumn("conflict", F.coalesce(labels_differ, F.lit(False)))
    )
    group_id, rare = usual_group(), F.lit(False)
    compared = compared.withColumn("repeated", F.lit(False))
    if has_labels:
        signed = keys.where("signature IS NOT NULL").select("fingerprint", "signature").dropDuplicates(["fingerprint"])
        compared = compared.join(group_near_copies(signed, earlier_index), "fingerprint", "left")
        compared = compared.join(_count_label_rows(compared, earlier_index), F.col("label") == F.col("counted_label"), "left")
        group_id = F.coalesce("group_id", group_id)
        rare = F.coalesce(F.col("label_rows") < min_label_rows, F.lit(False))
        if earlier_index is not None:
            compared = _compared_with_earlier(compared, earlier_index)
    compared = compared.withColumn("group_id", group_id).withColumn("rare", rare)
    is_exception = (
        F.col("duplicate_of").isNotNull()
        | (F.col("complaint_id") != first_id)
        | F.col("conflict")
        | F.col("repeated")
        | F.col("rare")
        | (F.col("group_id") != usual_group())
    )
    exceptions = checkpoint(
        compared.where(is_exception).select(*_ROW, "complaint_id", "duplicate_of", "conflict", "repeated", "rare", "group_id")
    )
    return F.broadcast(exceptions) if exceptions.count() <= _BROADCAST_ROWS else exceptions


def _compared_with_earlier(rows: DataFrame, earlier_index: DataFrame) -> DataFrame:
    """Set `conflict` also if an earlier run has the text with another label, and `repeated` if one learned it with this label alone.

    A text that had two labels is not repeated: its newest label is learned, and that may be the other one until now.
    """
    before = earlier_index.groupBy("fingerprint").agg(
        F.min("label").alias("least"), F.max("label").alias("most"), _learned(earlier_index).alias("learned")
    )
    differs = (F.col("label") != F.col("least")) | (F.col("label") != F.col("most"))
    joined = rows.join(before, "fingerprint", "left").withColumn("differs", F.coalesce(differs, F.lit(False)))
    repeated = F.col("label").isNotNull() & F.coalesce("learned", F.lit(False)) & ~F.col("differs") & ~F.col("conflict")
    joined = joined.withColumn("repeated", repeated).withColumn("conflict", F.col("conflict") | F.col("differs"))
    return joined.drop("least", "most", "learned", "differs")


def _learned(earlier_index: DataFrame) -> Column:
    """Aggregate whether any of the rows was learned. Indexes of 0.2.0 and earlier do not say."""
    return F.max("learned") if "learned" in earlier_index.columns else F.lit(False)


def _count_label_rows(rows: DataFrame, earlier_index: DataFrame | None) -> DataFrame:
    """Return counted_label, label_rows: distinct texts per label in this run and all earlier ones.

    A label that comes in small files, such as filled-in review lists, is learned once all of them together have enough rows.
    """
    labels = rows.where("order = 1 AND label IS NOT NULL").select("label", "fingerprint")
    if earlier_index is not None:
        labels = labels.unionByName(earlier_index.where("label IS NOT NULL").select("label", "fingerprint")).distinct()
    counted = labels.groupBy("label").agg(F.count("*").alias("label_rows"))
    return counted.withColumnRenamed("label", "counted_label")


def find_rows_no_longer_rare(
    earlier_rare: DataFrame, earlier_index: DataFrame, index: DataFrame, labels: Iterable[str]
) -> DataFrame | None:
    """Return the lines of earlier runs with a label that had too few texts until this run.

    Args:
        earlier_rare: `value`, lines of earlier runs with rare labels.
        earlier_index: the indexes of earlier runs.
        index: the index of this run.
        labels: those that this run learns.

    Returns:
        value, split; None if no label stopped being rare.
    """
    # Not by their number: two runs at the same time may both have found a label rare, and the setting may have changed since.
    known = earlier_index.where("label IS NOT NULL").groupBy("label").agg(_learned(earlier_index).alias("learned")).collect()
    was_learned = {row["label"]: bool(row["learned"]) for row in known}
    learned_now = [label for label in labels if not was_learned.get(label, True)]
    if not learned_now:
        return None
    line = F.from_json("value", "text string, label string, group_id string")
    rows = earlier_rare.select("value", line.alias("line")).where(F.col("line.label").isin(learned_now))
    rows = rows.groupBy(F.sha2(F.lower("line.text"), 256).alias("fingerprint")).agg(F.min("value").alias("value"))
    # A text that has another label since, or is in this run too, is learned with that label.
    relabelled = earlier_index.groupBy("fingerprint").agg(F.count_distinct("label").alias("labels")).where("labels > 1")
    superseded = relabelled.select("fingerprint").unionByName(index.select("fingerprint"))
    group_id = F.from_json("value", "group_id string")["group_id"]
    rows = rows.join(superseded, "fingerprint", "left_anti").select("value", split_of(group_id))
    return checkpoint(rows.orderBy("value"))
