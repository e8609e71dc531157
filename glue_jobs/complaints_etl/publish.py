"""Publish: predictions ⋈ records → the Parquet table, a CSV for each dropped file, the review list, the rejects."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

# Read as a resource, because Glue imports this package from a zip.
TABLE = resources.files("complaints_etl").joinpath("predictions_table.json")
# The line that training/inference.py writes, as a DDL schema.
ANSWER = (
    "complaint_id string, label string, confidence double, alternatives array<struct<label:string,probability:double>>,"
    "needs_review boolean, top_terms array<struct<term:string,contribution:double>>, error string"
)
EXPORT_COLUMNS = (
    "ptmlops_status", "ptmlops_label", "ptmlops_confidence", "ptmlops_needs_review", "ptmlops_alternatives",
    "ptmlops_top_terms", "ptmlops_reason", "ptmlops_model_version",
)  # fmt: skip
REVIEW_COLUMNS = (
    "complaint_id", "text", "suggestion", "confidence", "alternatives", "top_terms", "why", "received_at", "label",
)  # fmt: skip
# A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Put = Callable[[str, bytes], None]


class AnswersMismatchError(Exception):
    """Batch Transform did not answer exactly the complaints that it was given."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What Publish knows of the run besides its data."""

    run_id: str
    model_version: str
    published_at: datetime
    audit_sample: int

    @property
    def run_date(self) -> str:
        """The day of the run, from its id: a redrive on another day publishes to the same place."""
        return f"{self.run_id[:4]}-{self.run_id[4:6]}-{self.run_id[6:8]}"


def table_columns() -> list[str]:
    """The catalog table's columns, in order; the one definition that template and job share."""
    return [column["name"] for column in json.loads(TABLE.read_text(encoding="utf-8"))["columns"]]


def join_answers(records: DataFrame, answers: DataFrame) -> DataFrame:
    """Every accepted record with its answer, or with its given label where it came labelled.

    Raises:
        AnswersMismatchError: ids out are not ids in.
    """
    asked = records.where("status = 'accepted' AND label IS NULL").select("complaint_id")
    missing = asked.join(answers, "complaint_id", "left_anti").count()
    extra = answers.join(asked, "complaint_id", "left_anti").count()
    repeated = answers.count() - answers.select("complaint_id").distinct().count()
    if missing or extra or repeated:
        raise AnswersMismatchError(
            f"of the complaints to score {missing} have no answer, {extra} answers belong to none, {repeated} came twice: "
            "nothing was published; redrive the run to score it again"
        )
    answer = answers.select(
        "complaint_id",
        F.col("label").alias("predicted"),
        "confidence",
        "alternatives",
        "needs_review",
        "top_terms",
        "error",
    )
    return records.join(answer, "complaint_id", "left")


def predictions(joined: DataFrame, run: Run) -> DataFrame:
    """The rows of the catalog table."""
    scored = joined.where("status = 'accepted' AND label IS NULL AND predicted IS NOT NULL")
    return (
        scored.withColumn("label", F.col("predicted"))
        .withColumn("model_version", F.lit(run.model_version))
        .withColumn("predicted_at", F.lit(run.published_at.replace(tzinfo=None)))
        .withColumn("run_id", F.lit(run.run_id))
        .select(*table_columns())
    )


def read_answers(spark: SparkSession, place: str) -> DataFrame:
    """Batch Transform's output lines below `place`."""
    lines = spark.read.option("lineSep", "\n").text(place).where(F.length("value") > 0)
    return lines.select(F.from_json("value", ANSWER).alias("answer")).select("answer.*").cache()


def no_answers(spark: SparkSession) -> DataFrame:
    """What a run that scored nothing joins with."""
    return spark.createDataFrame([], ANSWER)


def export_files(joined: DataFrame, rejected: DataFrame, report: Mapping[str, Any], run: Run, put: Put) -> int:
    """One CSV for each dropped file: its columns and row order, then ours; a line for every row. Returns files written."""
    twins = {
        row["complaint_id"]: row
        for row in joined.where("status = 'accepted'")
        .select("complaint_id", "label", "predicted", "confidence", "needs_review", "alternatives", "top_terms")
        .toLocalIterator()
    }
    written = 0
    for file in report["files"]:
        if file.get("rejected_whole"):
            continue
        same = (F.col("source_file") == file["key"]) & (F.col("source_version") == file["version_id"])
        rows: list[tuple[int, list[str]]] = []
        for row in joined.where(same).toLocalIterator():
            original = _original_cells(row, file)
            twin = twins.get(row["duplicate_of"]) if row["duplicate_of"] else row
            rows.append((row["row_number"], [*original, *_our_cells(row, twin or row, run)]))
        for row in rejected.where(same).toLocalIterator():
            reason = f"{row['reason']}: {row['detail']}"
            # Its cells are in rejected/ as they were; here the line is kept so that none is missed.
            rows.append((row["row_number"], ["" for _ in file["header"]] + ["rejected", "", "", "", "", "", reason, ""]))
        rows.sort(key=lambda item: item[0])
        name = file["key"].removesuffix(".gz")
        target = f"exports/run_id={run.run_id}/{name}" + ("" if name.lower().endswith(".csv") else ".csv")
        put(target, _csv([*file["header"], *EXPORT_COLUMNS], (cells for _, cells in rows)))
        written += 1
    return written


def _original_cells(row: Any, file: Mapping[str, Any]) -> list[str]:
    columns = {theirs: ours for ours, theirs in file["columns"].items()}
    ours = {
        "text": row["text"],
        "complaint_id": row["original_id"] or row["complaint_id"],
        "label": row["label_original"],
        "received_at": row["received_at"].isoformat(sep=" ") if row["received_at"] else "",
    }
    carried = row["carried"] or {}
    # What came in goes out as it came, dates too; only what was redacted or made up here is ours.
    return [str(carried[name] if name in carried else ours.get(columns.get(name, ""), "") or "") for name in file["header"]]


def _our_cells(row: Any, answer: Any, run: Run) -> list[str]:
    status = "duplicate" if row["status"] == "duplicate" else "labelled" if answer["label"] else "scored"
    reason = f"same text as {row['duplicate_of']}" if row["status"] == "duplicate" else ""
    if answer["label"]:
        return [status, answer["label"], "", "", "", "", reason or "the label is the file's own", ""]
    if not answer["predicted"]:
        return ["not scored", "", "", "", "", "", reason or "the model could not read it", run.model_version]
    return [
        status,
        answer["predicted"],
        f"{answer['confidence']:.4f}",
        "yes" if answer["needs_review"] else "no",
        _alternatives(answer),
        _terms(answer),
        reason,
        run.model_version,
    ]


def _alternatives(row: Any) -> str:
    return "; ".join(f"{item['label']} {item['probability']:.2f}" for item in row["alternatives"] or [])


def _terms(row: Any) -> str:
    return "; ".join(item["term"] for item in row["top_terms"] or [])


def review_rows(joined: DataFrame, run: Run) -> tuple[bytes, dict[str, int]]:
    """The review list as CSV, and how many rows are in it for which reason.

    Uncertain answers first, least certain on top; then a sample of the certain ones, drawn by a hash of run and complaint, so
    that the promised precision is checked and a rerun draws the same.
    """
    scored = joined.where("status = 'accepted' AND label IS NULL AND predicted IS NOT NULL")
    uncertain = scored.where("needs_review").orderBy("confidence", "complaint_id").withColumn("why", F.lit("uncertain"))
    draw = F.sha2(F.concat(F.lit(run.run_id), F.col("complaint_id")), 256)
    audit = scored.where("NOT needs_review").orderBy(draw).limit(run.audit_sample).withColumn("why", F.lit("audit sample"))
    counts = {"uncertain": 0, "audit": 0}
    lines: list[list[str]] = []
    for name, frame in (("uncertain", uncertain), ("audit", audit)):
        for row in frame.toLocalIterator():
            counts[name] += 1
            received = row["received_at"].date().isoformat() if row["received_at"] else ""
            lines.append(
                [
                    row["complaint_id"], row["text"], row["predicted"], f"{row['confidence']:.4f}", _alternatives(row),
                    _terms(row), row["why"], received, "",
                ]
            )  # fmt: skip
    return _csv(REVIEW_COLUMNS, lines), counts


def rejected_csv(rejected: DataFrame) -> bytes:
    """Every rejected row with its reason and its original record."""
    columns = ("source_file", "line_number", "row_number", "reason", "detail", "record")
    rows = rejected.orderBy("source_file", "row_number").select(*columns).toLocalIterator()
    return _csv(columns, ([str(row[name] if row[name] is not None else "") for name in columns] for row in rows))


def _csv(header: Any, rows: Any) -> bytes:
    """UTF-8 with a mark, so that Excel shows accents; cells that a spreadsheet would compute are made text."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([_inert(cell) for cell in header])
    for cells in rows:
        writer.writerow([_inert(cell) for cell in cells])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def utc_now() -> datetime:
    """The moment of publishing, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
