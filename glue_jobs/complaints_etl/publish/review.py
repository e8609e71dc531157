"""Write the review list: complaints for a person to label. If it is uploaded again, the model learns from these labels."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from complaints_etl.publish.excel import Layout, Put
from complaints_etl.publish.exports import (
    TEXT_WIDTH,
    alternatives_cell,
    confidence_cell,
    record_column,
    terms_cell,
    write_with_workbook,
)
from complaints_etl.publish.join import TO_SCORE, Run
from complaints_etl.publish.live_rows import draw
from complaints_etl.publish.review_page import FirstRows, PageRow
from complaints_etl.spreadsheet import active
from ptmlops_contracts.keys import OutputKeys
from ptmlops_contracts.report import NOT_A_COMPLAINT
from ptmlops_contracts.review import ReviewReason

# Prepare accepts these names of text, label, complaint_id and received_at in every environment, so that the list can be uploaded.
REVIEW_COLUMNS = (
    "complaint_id", "text", "suggestion", "confidence", "alternatives", "top_terms", "why", "received_at", "label",
)  # fmt: skip
RANDOM_EVERY = 5  # one of so many doubtful rows is drawn at random
# Values of the column `why`.
NOT_ANSWERED, NEW_THEME, AUDIT_SAMPLE = "not answered", "new theme", "audit sample"
UNCERTAIN, UNFAMILIAR = ReviewReason.UNCERTAIN.value, ReviewReason.UNFAMILIAR.value


def empty_counts() -> dict[str, int]:
    """Return the number of rows per value of `why` in an empty review list."""
    return dict.fromkeys((NOT_ANSWERED, NEW_THEME, UNCERTAIN, UNFAMILIAR, AUDIT_SAMPLE), 0)


@dataclass(kw_only=True)
class ReviewList:
    """A stored review list. `keys` is empty if there is nothing to review.

    Attributes:
        counts: rows per value of `why`.
        doubtful_sample: how many of the uncertain and unfamiliar rows were drawn at random.
        first: the first rows, for the page.
    """

    keys: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=empty_counts)
    doubtful_sample: int = 0
    first: FirstRows = field(default_factory=FirstRows)


def priority(complaints: Mapping[str, int]) -> Column:
    """Return how much a person's answer teaches the model: uncertainty times the rarity of the labels in question.

    ```
    uncertainty   = 1 - (p1 - p2)                          p1: probability of the answer, p2: of the best alternative
    weight(label) = sqrt(total / complaints[label])        of the run's answers
    rarity        = sum(p * weight(label)) + (1 - sum(p)) * mean weight     over the answer and its alternatives
    ```

    Uncertainty is margin sampling (Scheffer, Decomain and Wrobel, 2001). Rarity makes up for labels that margin sampling alone seldom
    reaches, which count as much as the others in macro-F1. The probability that is left over belongs to labels that the answer does not
    name. docs/explanation/measurements.md compares orders.

    Args:
        complaints: complaints per predicted label in the run.
    """
    total = sum(complaints.values())
    weights = {label: (total / count) ** 0.5 for label, count in complaints.items()}
    mean_weight = F.lit(sum(weights.values()) / len(weights) if weights else 1.0)
    of_label = F.from_json(F.lit(json.dumps(weights, ensure_ascii=False)), "map<string,double>")

    def with_weight(item: Column) -> Column:
        return item["probability"] * F.coalesce(F.element_at(of_label, item["label"]), mean_weight)

    named = F.aggregate("alternatives", F.lit(0.0), lambda sum_, item: sum_ + with_weight(item))
    left_over = F.aggregate("alternatives", F.lit(1.0), lambda rest, item: rest - item["probability"])
    runner_up = F.coalesce(F.expr("try_element_at(alternatives, 2)")["probability"], F.lit(0.0))
    return (1 - (F.col("confidence") - runner_up)) * (named + left_over * mean_weight)


def review_list(
    joined: DataFrame,
    run: Run,
    put: Put,
    *,
    complaints: Mapping[str, int] | None = None,
    doubtful: int = 0,
    labels: Collection[str] = (),
    excel: bool = True,
    separator: str = ",",
) -> ReviewList:
    """Store the review list, as CSV and as an Excel workbook.

    It begins with complaints without an answer, and then has the complaints of each new theme together. Uncertain and unfamiliar ones follow,
    by `priority`; every fifth of them is drawn at random. Last comes a random sample of certain answers. The two samples measure live
    accuracy: their rows are in random order and in no theme's place, so that whoever stops early has still checked a random sample. They are
    drawn by a hash of run and complaint, so a redrive draws the same.

    Args:
        joined: the result of `join_answers`.
        run: the run.
        put: stores a file under a key.
        complaints: complaints per predicted label in the run.
        doubtful: how many answers need review.
        labels: the labels that the model knows, for the workbook's drop-down.
        excel: also write the workbook.
        separator: between the cells of the CSV.
    """
    to_score = joined.where(TO_SCORE)
    reason = F.coalesce("review_reason", F.lit(UNCERTAIN))  # models of earlier versions give none
    why = F.when(F.col("predicted_label").isNull(), NOT_ANSWERED).when(F.col("theme").isNotNull(), NEW_THEME)
    unsure = to_score.withColumn("why", why.when(F.col("needs_review"), reason)).where("why IS NOT NULL")
    in_random_order = (draw(F.lit(run.run_id)), F.col("complaint_id"))
    drawn = min(run.audit_sample, doubtful // RANDOM_EVERY)
    of_doubtful = to_score.where("needs_review AND predicted_label IS NOT NULL").withColumn("why", reason)
    of_certain = to_score.where("NOT needs_review").withColumn("why", F.lit(AUDIT_SAMPLE))
    cells = (
        F.col("complaint_id"),
        F.col("text"),
        F.col("predicted_label"),
        confidence_cell(),
        alternatives_cell(),
        terms_cell(),
        F.concat_ws(": ", "why", "theme"),
        F.date_format("received_at", "yyyy-MM-dd"),
        F.lit(""),
    )
    columns = (
        "complaint_id",
        "why",
        "language",
        "theme",
        record_column(F.array(*[cell.cast("string") for cell in cells]), F.lit(separator)).alias("line"),
        F.transform("alternatives", lambda item: F.struct(item["label"], item["probability"])).alias("alternatives"),
        F.transform("top_terms", lambda item: item["term"]).alias("terms"),
    )
    sample = of_doubtful.orderBy(*in_random_order).limit(drawn).select(*columns).collect() if drawn else []
    audit = of_certain.orderBy(*in_random_order).limit(run.audit_sample).select(*columns).collect()
    ids = [row["complaint_id"] for row in (*sample, *audit)]
    listed = unsure.where(~F.col("complaint_id").isin(ids)) if ids else unsure
    listed = listed.orderBy(
        F.col("predicted_label").isNotNull(),
        F.col("theme_number").asc_nulls_last(),
        priority(complaints or {}).desc_nulls_first(),
        "complaint_id",
    )
    found = ReviewList(doubtful_sample=drawn)

    def count_and_yield() -> Iterator[str]:
        rows = listed.select(*columns).toLocalIterator(prefetchPartitions=True)
        for row in chain(with_random(rows, iter(sample)), audit):
            found.counts[row["why"]] += 1
            if not found.first.is_full:
                found.first.add(_page_row(row, separator))
            yield row["line"]

    lines = count_and_yield()
    first = next(lines, None)
    if first is not None:
        key, texts = OutputKeys(run.run_id).review, chain([first], lines)
        keys, excel_keys, _ = write_with_workbook(key, layout(run, labels, separator), texts, put, excel=excel)
        found.keys = keys + excel_keys
    return found


def with_random(rows: Iterator[Any], sample: Iterator[Any]) -> Iterator[Any]:
    """Yield the rows in order. After RANDOM_EVERY - 1 doubtful ones comes a row of the sample, and its last rows at the end."""
    since = 0
    for row in rows:
        yield row
        since += row["why"] in (UNCERTAIN, UNFAMILIAR)
        if since == RANDOM_EVERY - 1:
            since = 0
            yield from islice(sample, 1)
    yield from sample


def layout(run: Run, labels: Collection[str], separator: str) -> Layout:
    """Return how the workbook looks: whole texts to read, and a drop-down of the labels to choose from."""
    return Layout(
        header=REVIEW_COLUMNS,
        separator=separator,
        created=run.answered_at,
        widths={"text": TEXT_WIDTH, "suggestion": 28, "alternatives": 36, "top_terms": 36, "label": 28},
        wrapped=("text", "alternatives", "top_terms"),
        numbers=("confidence",),
        labels=[*sorted(labels, key=lambda label: (label.casefold(), label)), NOT_A_COMPLAINT] if labels else [],
        label_column="label",
    )


def _page_row(row: Any, separator: str) -> PageRow:
    """Return a row of the list for the page. Its cells come from its line, so that a text is sent from the JVM once."""
    [cells] = csv.reader(io.StringIO(row["line"], newline=""), delimiter=separator)
    return PageRow(
        cells={name: active(cell) for name, cell in zip(REVIEW_COLUMNS[:-1], cells, strict=False)},
        why=row["why"],
        theme=row["theme"] or "",
        language=row["language"],
        alternatives=[tuple(item) for item in row["alternatives"] or ()],
        terms=row["terms"] or (),
    )
