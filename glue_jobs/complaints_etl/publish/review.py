"""Write the review list: complaints for a person to label. If it is uploaded again, the model learns from these labels."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from complaints_etl.publish.exports import Put, alternatives_cell, confidence_cell, record_column, terms_cell, write_parts
from complaints_etl.publish.join import TO_SCORE, Run
from complaints_etl.spreadsheet import record
from ptmlops_contracts.keys import OutputKeys

# Prepare accepts these names of text, label, complaint_id and received_at in every environment, so that the list can be uploaded.
REVIEW_COLUMNS = (
    "complaint_id", "text", "suggestion", "confidence", "alternatives", "top_terms", "why", "received_at", "label",
)  # fmt: skip
NOT_ANSWERED, UNCERTAIN, AUDIT_SAMPLE = "not answered", "uncertain", "audit sample"  # values of the column `why`


def empty_counts() -> dict[str, int]:
    """Return the number of rows per value of `why` in an empty review list."""
    return dict.fromkeys((NOT_ANSWERED, UNCERTAIN, AUDIT_SAMPLE), 0)


def review_list(joined: DataFrame, run: Run, put: Put, *, separator: str = ",") -> tuple[list[str], dict[str, int]]:
    """Store the review list.

    It begins with complaints without an answer. Uncertain answers follow, the least certain first. Last comes a random sample of
    certain answers, to check the promised precision. The sample is drawn by a hash of run and complaint, so a redrive draws the same.

    Returns:
        (keys, rows per value of `why`). No keys if there is nothing to review.
    """
    to_score = joined.where(TO_SCORE)
    why = F.when(F.col("predicted_label").isNull(), NOT_ANSWERED).when(F.col("needs_review"), UNCERTAIN)
    unsure = to_score.withColumn("why", why).where("why IS NOT NULL")
    draw = F.sha2(F.concat(F.lit(run.run_id), F.col("complaint_id")), 256)
    audit = to_score.where("NOT needs_review").orderBy(draw).limit(run.audit_sample).withColumn("why", F.lit(AUDIT_SAMPLE))
    rows = unsure.unionByName(audit).orderBy(
        F.col("why") == AUDIT_SAMPLE, F.col("confidence").asc_nulls_first(), "complaint_id"
    )
    cells = (
        F.col("complaint_id"),
        F.col("text"),
        F.col("predicted_label"),
        confidence_cell(),
        alternatives_cell(),
        terms_cell(),
        F.col("why"),
        F.date_format("received_at", "yyyy-MM-dd"),
        F.lit(""),
    )
    lines = rows.select(
        "why", record_column(F.array(*[cell.cast("string") for cell in cells]), F.lit(separator)).alias("line")
    )
    counts = empty_counts()

    def count_and_yield() -> Iterable[str]:
        for row in lines.toLocalIterator(prefetchPartitions=True):
            counts[row["why"]] += 1
            yield row["line"]

    texts = iter(count_and_yield())
    first = next(texts, None)
    if first is None:
        return [], counts
    keys, _ = write_parts(OutputKeys(run.run_id).review, record(REVIEW_COLUMNS, separator), chain([first], texts), put)
    return keys, counts
