"""Publish: predictions ⋈ records → the Parquet table, a CSV for each dropped file, the review list, the rejects."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from itertools import chain, groupby, islice
from typing import IO, Any

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from complaints_etl.plans import keep
from complaints_etl.spreadsheet import BYTE_ORDER_MARK, header_line, line
from ptmlops_contracts.keys import OutputKeys

# Read as a resource, because Glue imports this package from a zip.
TABLE = resources.files("complaints_etl").joinpath("predictions_table.json")
# The line that training/inference.py writes, as a DDL schema.
ANSWER = (
    "complaint_id string, label string, confidence double, alternatives array<struct<label:string,probability:double>>,"
    "needs_review boolean, top_terms array<struct<term:string,contribution:double>>, error string"
)
EXPORT_COLUMNS = (
    "ptmlops_status", "ptmlops_complaint_id", "ptmlops_label", "ptmlops_confidence", "ptmlops_needs_review",
    "ptmlops_alternatives", "ptmlops_top_terms", "ptmlops_amounts", "ptmlops_language", "ptmlops_reason", "ptmlops_model_version",
)  # fmt: skip
# Prepare must find text, label, complaint_id and received_at in it whatever the environment calls them (reading.py).
REVIEW_COLUMNS = (
    "complaint_id", "text", "suggestion", "confidence", "alternatives", "top_terms", "why", "received_at", "label",
)  # fmt: skip
REJECTED_COLUMNS = ("source_file", "line_number", "row_number", "reason", "detail", "record")
# A spreadsheet opens 1,048,576 rows; half of that still opens on a customer's laptop.
PART_ROWS = 500_000
# Parquet files of some hundred megabytes at most: what Athena likes to read and one task can write.
TABLE_FILE_ROWS = 250_000
KEY_BYTES = 1024  # S3's limit

Put = Callable[[str, IO[bytes]], None]


class AnswersMismatchError(Exception):
    """Batch Transform did not answer exactly the complaints that it was given."""


class LostRowsError(Exception):
    """An export has not a line for each row of its file: a defect of this job, never of the file."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What Publish knows of the run besides its data."""

    run_id: str
    model_version: str
    answered_at: datetime
    audit_sample: int


@dataclass(frozen=True, kw_only=True)
class Export:
    """What was written of one dropped file: its keys in the output bucket, more than one where it is large."""

    source_file: str
    source_version: str
    rows: int
    keys: tuple[str, ...]


def table_columns() -> list[tuple[str, str]]:
    """(name, type) of the catalog table's columns, in order; the one definition that template and job share."""
    return [(column["name"], column["type"]) for column in json.loads(TABLE.read_text(encoding="utf-8"))["columns"]]


def read_answers(spark: SparkSession, place: str) -> DataFrame:
    """Batch Transform's output lines below `place`."""
    lines = spark.read.option("lineSep", "\n").text(place).where(F.length("value") > 0)
    return keep(lines.select(F.from_json("value", ANSWER).alias("answer")).select("answer.*"), StorageLevel.DISK_ONLY)


def no_answers(spark: SparkSession) -> DataFrame:
    """What a run that scored nothing joins with."""
    return spark.createDataFrame([], ANSWER)


def check_answers(records: DataFrame, answers: DataFrame) -> None:
    """Ids out are ids in, each once.

    Raises:
        AnswersMismatchError: they are not; says how many are missing, of none, or repeated.
    """
    asked = records.where("status = 'accepted' AND label IS NULL").select("complaint_id", F.lit(True).alias("asked"))
    given = answers.groupBy("complaint_id").agg(F.count("*").alias("times"))
    # A line without a readable id joins nothing, so it counts as an answer that belongs to none.
    found = asked.join(given, "complaint_id", "full").agg(
        F.count_if(F.col("times").isNull()).alias("missing"),
        F.coalesce(F.sum(F.when(F.col("asked").isNull(), F.col("times"))), F.lit(0)).alias("extra"),
        F.count_if(F.col("asked") & (F.col("times") > 1)).alias("repeated"),
    )
    [row] = found.collect()
    if any(row):
        raise AnswersMismatchError(
            f"of the complaints to score {row['missing']} have no answer, {row['extra']} answers belong to none, "
            f"{row['repeated']} came more than once: nothing was published; redrive the run to score it again"
        )


def join_answers(records: DataFrame, answers: DataFrame) -> DataFrame:
    """Every record with `predicted` and what else was answered, or with `given` where it came labelled.

    A duplicate has what its kept twin has.
    """
    answer = answers.select(
        F.col("complaint_id").alias("kept"), F.col("label").alias("predicted"), "confidence", "alternatives", "needs_review",
        "top_terms",
    )  # fmt: skip
    labelled = records.where("status = 'accepted' AND label IS NOT NULL")
    given = labelled.select(F.col("complaint_id").alias("kept"), F.col("label").alias("given"))
    kept = F.coalesce("duplicate_of", "complaint_id")
    return records.withColumn("kept", kept).join(answer, "kept", "left").join(given, "kept", "left")


def predictions(joined: DataFrame, run: Run) -> DataFrame:
    """The rows of the catalog table, in its types whatever the run held."""
    scored = joined.where("status = 'accepted' AND given IS NULL AND predicted IS NOT NULL")
    # From seconds and not from a local time: its meaning would hang on the session's time zone.
    moment = F.timestamp_seconds(F.lit(int(run.answered_at.timestamp())))
    told = scored.withColumns(
        {
            "label": F.col("predicted"),
            "model_version": F.lit(run.model_version),
            "predicted_at": moment,
            "run_id": F.lit(run.run_id),
        }
    )
    return told.select(*[F.col(name).cast(kind).alias(name) for name, kind in table_columns()])


def write_table(scored: DataFrame, place: str, rows: int) -> None:
    """Parquet files below `place`, in place of what is there; no marker file: Athena would not mind it, others do."""
    files = scored.coalesce(max(1, -(-rows // TABLE_FILE_ROWS)))
    quiet = files.write.mode("overwrite").option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    quiet.option("compression", "snappy").parquet(place)


def export_files(
    joined: DataFrame, rejected: DataFrame, report: Mapping[str, Any], run: Run, put: Put, *, part_rows: int = PART_ROWS
) -> list[Export]:
    """A CSV for each dropped file: its columns and row order, then ours; a line for every row that was read.

    Args:
        joined: what `join_answers` gives.
        rejected: Prepare's.
        report: Prepare's.
        run: the run.
        put: stores a file under a key.
        part_rows: a file with more rows is stored in parts of so many.

    Raises:
        LostRowsError: lines written are not rows read.
    """
    files = report["files"]
    everything = joined.unionByName(rejected.withColumn("status", F.lit("rejected")), allowMissingColumns=True)
    everything = everything.withColumn("file", _file_facts(files))
    # Sorted before the lines are made: to sort, Spark looks at its input twice.
    ordered = everything.orderBy("file.place", "row_number")
    cells = F.concat(_original_cells(), _our_cells(run))
    lines = ordered.select(F.col("file.place").alias("place"), line(cells, F.col("file.separator")).alias("line"))
    groups = groupby(lines.toLocalIterator(prefetchPartitions=True), key=lambda row: row["place"])
    place, rows = next(groups, (None, iter(())))
    exports = []
    for index, (file, name) in enumerate(zip(files, export_names(files, run.run_id), strict=True)):
        head = header_line([*file["header"], *EXPORT_COLUMNS], separator(file))
        mine = (row["line"] for row in rows) if place == index else iter(())
        keys, written = write_parts(name, head, mine, put, part_rows)
        if place == index:
            place, rows = next(groups, (None, iter(())))
        if written != file["rows"]["read"]:
            raise LostRowsError(f"{file['rows']['read']} rows were read of file {index + 1}, and {written} were exported")
        exports.append(Export(source_file=file["key"], source_version=file["version_id"], rows=written, keys=tuple(keys)))
    if any(True for _ in chain(rows, groups)):
        raise LostRowsError("records of a file that Prepare's report does not name")
    return exports


def _file_facts(files: Sequence[Mapping[str, Any]]) -> Column:
    """What an export must know of a row's file: struct<place, header, separator, columns (ours → theirs)>."""
    facts = {
        f"{file['key']}#{file['version_id']}": {
            "place": place,
            "header": list(file["header"]),
            "separator": separator(file),
            "columns": dict(file["columns"]),
        }
        for place, file in enumerate(files)
    }
    kind = "map<string,struct<place:int,header:array<string>,separator:string,columns:map<string,string>>>"
    known = F.from_json(F.lit(json.dumps(facts, ensure_ascii=False)), kind)
    return F.element_at(known, F.concat_ws("#", "source_file", "source_version"))


def separator(file: Mapping[str, Any]) -> str:
    """A file with semicolons came from a spreadsheet that expects them, and that shows commas as one column."""
    return ";" if str(file.get("dialect", "")).startswith("semicolon") else ","


def export_names(files: Sequence[Mapping[str, Any]], run_id: str) -> list[str]:
    """The keys of the exports: no two alike, none that leaves its folder, none too long; the same again in a redrive."""
    prefix = OutputKeys(run_id).exports
    taken: set[str] = set()
    names = []
    for file in files:
        # A key may hold "..": who copies the bucket to a disk must not be led elsewhere.
        plain = "/".join("_" if part in ("", ".", "..") else part for part in file["key"].split("/"))
        lower = plain.lower()
        stem = plain[: len(plain) - 3] if lower.endswith(".gz") else plain
        stem = stem[: len(stem) - 4] if stem.lower().endswith(".csv") else stem
        room = KEY_BYTES - len(prefix) - len(" (99).part-0000.csv")
        stem = stem.encode()[:room].decode(errors="ignore")
        name, copy = f"{stem}.csv", 2
        while name.lower() in taken:  # also where only the case differs: not every disk tells these apart
            name, copy = f"{stem} ({copy}).csv", copy + 1
        taken.add(name.lower())
        names.append(prefix + name)
    return names


def write_parts(name: str, head: str, lines: Iterator[str], put: Put, part_rows: int = PART_ROWS) -> tuple[list[str], int]:
    """Store lines under `name`, or under `….part-001.csv` and so on where they are many. Returns (keys, lines).

    A part is put together on disk and stored in one go: it is there whole or not at all, and memory holds a line of it.
    """
    keys: list[str] = []
    total = 0
    first = next(lines, None)
    while first is not None or not keys:
        with tempfile.TemporaryFile() as part:
            part.write(BYTE_ORDER_MARK + head.encode())
            for text in chain([] if first is None else [first], islice(lines, part_rows - 1)):
                part.write(text.encode())
                total += 1
            first = next(lines, None)
            whole = first is None and not keys
            key = name if whole else f"{name.removesuffix('.csv')}.part-{len(keys) + 1:03d}.csv"
            part.seek(0)
            put(key, part)
            keys.append(key)
    return keys, total


def _original_cells() -> Column:
    """array<string>: the row's cells under the header of its file."""
    ours = {"text": "text", "complaint_id": "original_id", "label": "label_original"}

    def cell(name: Column) -> Column:
        # What came in goes out as it came, dates too; only what was redacted is ours.
        value = F.when(F.call_function("map_contains_key", F.col("carried"), name), F.col("carried")[name])
        for column, field in ours.items():
            value = value.when(F.col("file.columns")[column] == name, F.col(field))
        return value

    return F.transform(F.col("file.header"), cell)


def _our_cells(run: Run) -> Column:
    """array<string> under EXPORT_COLUMNS."""
    status, given, predicted = F.col("status"), F.col("given"), F.col("predicted")
    rejected, duplicate = status == "rejected", status == "duplicate"
    scored = ~rejected & given.isNull()
    answered = scored & predicted.isNotNull()
    state = (
        F.when(rejected | duplicate, status)
        .when(given.isNotNull(), "labelled")
        .when(predicted.isNull(), "not scored")
        .otherwise("scored")
    )
    reason = (
        F.when(rejected, F.concat(F.format_string("line %d, ", "line_number"), "reason", F.lit(": "), "detail"))
        .when(duplicate, F.concat(F.lit("same text as "), "duplicate_of"))
        .when(given.isNotNull(), "the label is the file's own")
        .when(predicted.isNull(), "the model could not read it")
    )
    cells = (
        state,
        F.when(~rejected, F.col("complaint_id")),
        F.coalesce(given, F.when(answered, predicted)),
        F.when(answered, F.format_string("%.4f", "confidence")),
        F.when(answered, F.when(F.col("needs_review"), "yes").otherwise("no")),
        F.when(answered, _alternatives()),
        F.when(answered, _terms()),
        F.array_join(F.transform("facts.amounts", lambda found: F.concat_ws(" ", found["value"], found["currency"])), "; "),
        F.col("language"),
        reason,
        F.when(scored, F.lit(run.model_version)),
    )
    return F.array(*[cell.cast("string") for cell in cells])


def _alternatives() -> Column:
    def told(item: Column) -> Column:
        return F.concat(item["label"], F.lit(" "), F.format_string("%.2f", item["probability"]))

    return F.array_join(F.transform("alternatives", told), "; ")


def _terms() -> Column:
    return F.array_join(F.transform("top_terms", lambda item: item["term"]), "; ")


def review_list(joined: DataFrame, run: Run, put: Put, *, mark: str = ",") -> tuple[list[str], dict[str, int]]:
    """Store what a person should read. Returns (keys, rows by why they are in it).

    What got no answer first, then uncertain answers with the least certain on top; then a sample of the certain ones, drawn by a
    hash of run and complaint, so that the promised precision is checked and a rerun draws the same.
    """
    scored = joined.where("status = 'accepted' AND given IS NULL")
    why = F.when(F.col("predicted").isNull(), "not answered").when(F.col("needs_review"), "uncertain")
    unsure = scored.withColumn("why", why).where("why IS NOT NULL")
    draw = F.sha2(F.concat(F.lit(run.run_id), F.col("complaint_id")), 256)
    audit = scored.where("NOT needs_review").orderBy(draw).limit(run.audit_sample).withColumn("why", F.lit("audit sample"))
    rows = unsure.unionByName(audit).orderBy(
        F.col("why") == "audit sample", F.col("confidence").asc_nulls_first(), "complaint_id"
    )
    cells = (
        F.col("complaint_id"),
        F.col("text"),
        F.col("predicted"),
        F.when(F.col("confidence").isNotNull(), F.format_string("%.4f", "confidence")),
        _alternatives(),
        _terms(),
        F.col("why"),
        F.date_format("received_at", "yyyy-MM-dd"),
        F.lit(""),
    )
    lines = rows.select("why", line(F.array(*[cell.cast("string") for cell in cells]), F.lit(mark)).alias("line"))
    counts = {"not answered": 0, "uncertain": 0, "audit sample": 0}

    def counted() -> Iterable[str]:
        for row in lines.toLocalIterator(prefetchPartitions=True):
            counts[row["why"]] += 1
            yield row["line"]

    found = iter(counted())
    first = next(found, None)
    if first is None:
        return [], counts
    keys, _ = write_parts(OutputKeys(run.run_id).review, header_line(REVIEW_COLUMNS, mark), chain([first], found), put)
    return keys, counts


def rejected_rows(rejected: DataFrame, run_id: str, put: Put) -> list[str]:
    """Store every rejected row with its reason and its original record. Returns the keys."""
    cells = F.array(*[F.col(name).cast("string") for name in REJECTED_COLUMNS])
    lines = rejected.orderBy("source_file", "source_version", "row_number").select(line(cells, F.lit(",")).alias("line"))
    texts = (row["line"] for row in lines.toLocalIterator(prefetchPartitions=True))
    return write_parts(OutputKeys(run_id).rejected, header_line(REJECTED_COLUMNS, ","), texts, put)[0]
