"""Prepare: turn the files of a run into clean, redacted, deduplicated, split records, and account for every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from complaints_etl.checkpoint import checkpoint
from complaints_etl.job_settings import JobSettings
from complaints_etl.prepare_report import build_report
from complaints_etl.readers import workbook
from complaints_etl.readers.packed import tables_in
from complaints_etl.readers.storage import SourceFile
from complaints_etl.records.annotate import AnnotationOptions
from complaints_etl.records.column_choice import ChosenColumns, FileColumns, choose_columns
from complaints_etl.records.cross_row import find_exceptions, find_rows_no_longer_rare, usual_group, usual_id
from complaints_etl.records.labels import LabelMap
from complaints_etl.records.raw_rows import PART_BYTES
from complaints_etl.records.read import number_rows, read_files
from complaints_etl.records.splits import split_of
from complaints_etl.redaction import REDACTION_VERSION
from ptmlops_contracts.files import SUPPORTED_ENDINGS, is_packed
from ptmlops_contracts.report import NOT_TABLES, SPLITS, Flag, Reason, RecordStatus
from ptmlops_contracts.words import quantity

RECORD_COLUMNS = (
    "run_id", "source_file", "source_version", "row_number", "line_number", "complaint_id", "original_id", "status", "text",
    "label", "label_original", "split", "group_id", "duplicate_of", "received_at", "language", "language_confidence", "flags",
    "tokens", "entities", "redactions", "carried",
)  # fmt: skip
# The last four are redacted as in records, and empty if the row has no cells. Exports show them.
REJECTED_COLUMNS = (
    "run_id", "source_file", "source_version", "row_number", "line_number", "reason", "detail", "record",
    "original_id", "text", "label_original", "carried",
)  # fmt: skip

_THREADS, _MANY_FILES = 16, 200


@dataclass(frozen=True)
class Prepared:
    """What Prepare made of a run's files.

    Attributes:
        records: accepted and duplicate rows (RECORD_COLUMNS).
        rare: this run's rows with a label that has too few rows to be learned.
        index: this run's labelled rows, for later runs: fingerprint, signature, group_id, label, learned (its label is not rare),
            redaction_version.
        earlier: `value`, `split`: lines of earlier runs with labels that are not rare any more; None if there are none.
        rejected: rejected rows (REJECTED_COLUMNS).
        report: report.json without the durations.
    """

    records: DataFrame
    rare: DataFrame
    index: DataFrame
    earlier: DataFrame | None
    rejected: DataFrame
    report: dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """A run that ends here, before it costs more: of each file too many rows were rejected, or the files have no rows.

    Attributes:
        message: why, with the three most common reasons and an example line of each.
        rejected: the rejected rows (REJECTED_COLUMNS).
        report: as in `Prepared`. It counts rows that are not written.
    """

    message: str
    rejected: DataFrame
    report: dict[str, Any]


def prepare(
    spark: SparkSession,
    files: Sequence[SourceFile],
    settings: JobSettings,
    *,
    run_id: str,
    salt: str = "",
    earlier_index: DataFrame | None = None,
    earlier_rare: DataFrame | None = None,
    served_labels: Collection[str] = (),
    part_bytes: int = PART_BYTES,
) -> Prepared | Refusal:
    """Read, clean, redact, deduplicate and split.

    Args:
        spark: the session, with `session.SETTINGS`.
        files: the run's files.
        settings: the environment's settings.
        run_id: written to every row.
        salt: for the hashes of reference numbers.
        earlier_index: the indexes of earlier runs, or None; a near-copy of their rows takes their group, and so their split.
        earlier_rare: `value`, lines of earlier runs with labels that were rare, or None.
        served_labels: the labels that the serving model knows; empty if there is none.
        part_bytes: how much of a large file one task reads.

    Raises:
        AccountingError: rows read are not equal to rows accounted for.
    """
    files = list_tables(files)
    options = _annotation_options(settings, salt)
    columns = _choose_columns(spark, files, settings, options.labels, served_labels=served_labels, earlier_index=earlier_index)
    workbook.release()
    files_read = read_files(spark, files, columns.aliases, options, part_bytes=part_bytes)
    # All later passes read these rows. They are cached on disk, which is as fast as in memory. In memory, Spark keeps them in
    # pieces of 1 MB. Each takes 2 MB of a heap with regions of 1 MB, so that 2.5 million rows end in OutOfMemoryError.
    annotated = checkpoint(files_read.rows.withColumn("fingerprint", F.sha2(F.lower("text"), 256)), StorageLevel.DISK_ONLY)
    row_counts = _count_rows(annotated)
    file_entries, rows_before = files_read.metadata()  # complete, because all rows have been counted
    rows = number_rows(annotated, rows_before)
    refused = refused_files(row_counts, settings.max_reject_share)
    not_tables = sum(entry["rejected_whole"] in NOT_TABLES for entry in file_entries)
    refusal = _refusal(rows, row_counts, refused, settings, files, not_tables=not_tables)
    if refused and not refusal:
        rows, row_counts = _reject_files(rows, row_counts, refused, files)
    rejected = rows.where("reason IS NOT NULL").withColumn("run_id", F.lit(run_id)).select(*REJECTED_COLUMNS)

    valid = rows.where("reason IS NULL")
    has_labels = any("label" in entry["columns"] for entry in file_entries)
    exceptions = find_exceptions(valid, earlier_index, min_label_rows=settings.min_label_rows, has_labels=has_labels)
    finished = _finish(valid, exceptions, run_id)
    labelled = finished.where((F.col("status") == RecordStatus.ACCEPTED) & F.col("given_label").isNotNull())
    # Rows with a rare label are in the index, too, so that later runs count them.
    index = labelled.select(
        "fingerprint",
        "signature",
        "group_id",
        F.col("given_label").alias("label"),
        F.col("label").isNotNull().alias("learned"),
    )
    index = index.withColumn("redaction_version", F.lit(REDACTION_VERSION))

    for entry in file_entries:
        share = None if entry["rejected_whole"] else refused.get((entry["key"], entry["version_id"]))
        entry["refused"] = (
            share and f"{share:.0%} of its rows were rejected, over the limit of {settings.max_reject_share:.0%}"
        )
    counted = build_report(
        finished, row_counts, file_entries, run_id, settings, notes=columns.notes, served_labels=served_labels
    )
    report = {**counted, "refused": refusal}
    earlier = None
    if earlier_index is not None and earlier_rare is not None:
        earlier = find_rows_no_longer_rare(earlier_rare, earlier_index, index, counted["labels"])
    counts = {row["split"]: row["count"] for row in earlier.groupBy("split").count().collect()} if earlier is not None else {}
    report["labelled_earlier"] = {split: counts.get(split, 0) for split in SPLITS}
    if refusal:
        return Refusal(message=refusal, rejected=rejected, report=report)
    return Prepared(
        records=finished.select(*RECORD_COLUMNS),
        rare=labelled.where("label IS NULL"),
        index=index,
        earlier=earlier,
        rejected=rejected,
        report=report,
    )


def list_tables(files: Sequence[SourceFile]) -> list[SourceFile]:
    """Return the files, with workbooks and zip archives replaced by the tables in them."""
    if not any(is_packed(file.key) for file in files):
        return list(files)
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:  # two or three requests for each
        return [table for tables in pool.map(tables_in, files) for table in tables]


def _annotation_options(settings: JobSettings, salt: str) -> AnnotationOptions:
    return AnnotationOptions(
        languages=settings.languages,
        products=settings.products,
        channels=settings.channels,
        salt=salt,
        max_text_characters=settings.max_text_characters,
        labels=LabelMap.of(settings.label_map, unknown_labels=settings.unknown_labels, separator=settings.label_separator),
        reject_unknown_labels=settings.unknown_labels == "reject",
    )


def _choose_columns(
    spark: SparkSession,
    files: Sequence[SourceFile],
    settings: JobSettings,
    labels: LabelMap,
    *,
    served_labels: Collection[str],
    earlier_index: DataFrame | None,
) -> ChosenColumns:
    """Choose the columns of all files. Without a serving model, the labels of earlier rows are the known ones."""
    aliases = settings.columns
    if not settings.join_subject:
        aliases = {ours: names for ours, names in aliases.items() if ours != "subject"}
    known = served_labels
    if not known and earlier_index is not None and "label" in aliases:
        known = [row["label"] for row in earlier_index.where("label IS NOT NULL").select("label").distinct().collect()]

    def map_files(look: Callable[[SourceFile], FileColumns], sources: Sequence[SourceFile]) -> list[FileColumns]:
        if len(sources) > _MANY_FILES:  # one Python would take minutes for ten thousand
            return spark.sparkContext.parallelize(sources, 4 * spark.sparkContext.defaultParallelism).map(look).collect()
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            return list(pool.map(look, sources))

    return choose_columns(files, aliases, labels, known, map_files)


def _count_rows(annotated: DataFrame) -> list[dict[str, Any]]:
    """Count rows per file, reason of rejection and, for rows rejected for an unknown label, that label."""
    unknown = F.when(F.col("reason") == Reason.UNKNOWN_LABEL, F.col("unknown_label")).alias("unknown_label")
    groups = annotated.groupBy("source_file", "source_version", "reason", unknown).count().collect()
    return [group.asDict() for group in groups]


def refused_files(row_counts: Sequence[Mapping[str, Any]], max_reject_share: float) -> dict[tuple[str, str], float]:
    """Return the files of which a larger share of rows was rejected: key and version, and the share.

    Rows that a person took out do not count: nothing is wrong with their file.
    """
    totals, rejected = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for group in row_counts:
        file = (group["source_file"], group["source_version"])
        totals[file] += group["count"]
        rejected[file] += group["count"] if group["reason"] not in (None, Reason.NOT_A_COMPLAINT) else 0
    shares = {file: rejected[file] / rows for file, rows in totals.items()}
    return {file: share for file, share in shares.items() if share > max_reject_share}


def _reject_files(
    rows: DataFrame,
    row_counts: Sequence[dict[str, Any]],
    refused: Mapping[tuple[str, str], float],
    files: Sequence[SourceFile],
) -> tuple[DataFrame, list[dict[str, Any]]]:
    """Reject the good rows of these files, too. Returns the rows and their counts."""
    is_refused = F.col("source_index").isin([n for n, file in enumerate(files) if (file.key, file.version_id) in refused])
    is_good = F.col("reason").isNull() & is_refused
    detail = F.when(is_good, "too many other rows of its file were rejected").otherwise(F.col("detail"))
    reason = F.when(is_good, str(Reason.FILE_REFUSED)).otherwise(F.col("reason"))
    counts = [
        {**group, "reason": group["reason"] or str(Reason.FILE_REFUSED)}
        if (group["source_file"], group["source_version"]) in refused
        else group
        for group in row_counts
    ]
    return rows.withColumns({"detail": detail, "reason": reason}), counts


def _refusal(
    rows: DataFrame,
    row_counts: Sequence[Mapping[str, Any]],
    refused: Mapping[tuple[str, str], float],
    settings: JobSettings,
    files: Sequence[SourceFile],
    *,
    not_tables: int,
) -> str | None:
    """Return why the run is refused, or None if one of its files is not.

    `row_counts` is the result of `_count_rows`, and `not_tables` how many files are not tables.
    """
    counts = Counter[str | None]()
    for group in row_counts:
        counts[group["reason"]] += group["count"]
    total = counts.total()
    if not total:
        others = f" and {quantity(not_tables, 'file')} of them cannot be a table of complaints (image, document, archive)"
        advice = f"upload a file that ends in {', '.join(SUPPORTED_ENDINGS)}, with a header and at least one complaint"
        return f"the run's files hold no row at all{others if not_tables else ''}: {advice}"
    if any((group["source_file"], group["source_version"]) not in refused for group in row_counts):
        return None
    share = (total - counts[None]) / total
    # The message numbers files as in the manifest and quotes nothing of them: even a file's name may be that of a person.
    uploads = list(dict.fromkeys((file.part_of or file.key, file.version_id) for file in files))
    numbers = {upload: number for number, upload in enumerate(uploads, start=1)}
    numbered = {
        file.key: f" of file {numbers[(file.part_of or file.key, file.version_id)]} of {len(uploads)}" for file in files
    }
    first = F.min(F.struct("source_file", "line_number", "detail")).alias("first")
    examples = rows.where("reason IS NOT NULL").groupBy("reason").agg(first).collect()
    examples.sort(key=lambda row: (-counts[row["reason"]], row["reason"]))
    reasons = "; ".join(
        f"{row['reason']} ({quantity(counts[row['reason']], 'row')}, for instance line {row['first']['line_number']}"
        f"{numbered[row['first']['source_file']] if len(uploads) > 1 else ''}"
        f"{': ' + row['first']['detail'] if row['first']['detail'] else ''})"
        for row in examples[:3]
    )
    # A higher limit does not help if nothing is left.
    raised = ", or raise complaints.max_reject_share" if counts[None] else ""
    return (
        f"{share:.0%} of {total} rows were rejected, over the limit of {settings.max_reject_share:.0%}: {reasons}. "
        f"Repair {'the file' if len(uploads) == 1 else 'the files'} and upload again{raised}"
    )


def _finish(valid: DataFrame, exceptions: DataFrame, run_id: str) -> DataFrame:
    """Return accepted and duplicate rows: RECORD_COLUMNS, and columns that only the report and the index need."""
    is_rare = F.coalesce("rare", F.lit(False))
    flags = {
        Flag.TRUNCATED: F.col("truncated"),
        Flag.OTHER_LANGUAGE: F.col("other_language"),
        Flag.RARE_LABEL: F.col("given_label").isNotNull() & F.col("label").isNull(),
        Flag.UNKNOWN_LABEL: F.col("unknown_label").isNotNull(),
        Flag.CONFLICTING_LABEL: F.col("conflict"),
        Flag.UNREAD_DATE: F.col("unread_date"),
        Flag.ROUNDED_ID: F.col("rounded_id"),
        Flag.REPEATED: F.col("repeated"),
    }
    return (
        valid.join(exceptions, ["source_index", "row_number"], "left")
        .withColumn("run_id", F.lit(run_id))
        .withColumn("complaint_id", F.coalesce("complaint_id", usual_id()))
        .withColumn("group_id", F.coalesce("group_id", usual_group()))
        .withColumn("conflict", F.coalesce("conflict", F.lit(False)))
        .withColumn("repeated", F.coalesce("repeated", F.lit(False)) & F.col("duplicate_of").isNull() & ~is_rare)
        .withColumn(
            "status", F.when(F.col("duplicate_of").isNull(), str(RecordStatus.ACCEPTED)).otherwise(str(RecordStatus.DUPLICATE))
        )
        .withColumn("given_label", F.col("label"))
        .withColumn("label", F.when(is_rare, None).otherwise(F.col("label")))
        .withColumn("split", F.when(F.col("label").isNotNull(), split_of("group_id")))
        .withColumn("flags", F.array_compact(F.array(*[F.when(is_set, str(flag)) for flag, is_set in flags.items()])))
        .withColumn(
            "tokens", F.when(F.col("token_text") == "", F.array().cast("array<string>")).otherwise(F.split("token_text", " "))
        )
        .select(
            *RECORD_COLUMNS, "fingerprint", "signature", "given_label", "unknown_label", "conflict", "repeated", "characters"
        )
    )
