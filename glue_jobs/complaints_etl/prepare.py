"""Prepare: the files of a run → clean, redacted, deduplicated, split records; every row read is accounted for."""

from __future__ import annotations

import json
import platform
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from complaints_etl.cleaning import clean, cut, exceeds, tokens
from complaints_etl.duplicates import group
from complaints_etl.job_settings import JobSettings
from complaints_etl.plans import keep
from complaints_etl.readers.storage import SourceFile
from complaints_etl.records import labels as record_labels
from complaints_etl.records.raw_rows import PART_BYTES
from complaints_etl.records.read import number_rows, read_files
from complaints_etl.redaction import REDACTION_VERSION
from complaints_etl.redaction import TYPES as REDACTION_TYPES
from complaints_etl.text.cells import BLANKS
from complaints_etl.understanding import Understanding, understand
from ptmlops_contracts.keys import INDEX, RARE, PreparedKeys, labelled_folders
from ptmlops_contracts.report import REPORT_VERSION, SPLITS, Reason

VERSION = "5"
MIN_TEXT_CHARACTERS = 3
LENGTHS = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)  # where the report's classes of length begin, in characters
STEP = 50  # what they are multiples of
MAX_LABEL_CHARACTERS, MAX_LABELS_TOLD = 80, 100
TOO_LONG = f"(over {MAX_LABEL_CHARACTERS} characters)"

# So many exceptional rows are sent to every worker (150 bytes each); more of them are joined by a shuffle of the texts.
BROADCAST_ROWS = 300_000
LINES_PER_FILE = 20_000
RECORD_COLUMNS = (
    "run_id", "source_file", "source_version", "row_number", "line_number", "complaint_id", "original_id", "status", "text",
    "label", "label_original", "split", "group_id", "duplicate_of", "received_at", "language", "language_confidence", "flags",
    "tokens", "facts", "redactions", "carried",
)  # fmt: skip
# The last four are redacted as in records, and empty where the row has no cells: what an export shows of it.
REJECTED_COLUMNS = (
    "run_id", "source_file", "source_version", "row_number", "line_number", "reason", "detail", "record",
    "original_id", "text", "label_original", "carried",
)  # fmt: skip


class AccountingError(Exception):
    """Rows were lost or invented: a defect of this job, never of the files."""


@dataclass(frozen=True)
class Prepared:
    """What Prepare made: records (accepted and duplicate), rejected rows, and the report without durations.

    `index` is what later runs must know of this run's labelled rows: fingerprint, signature, group_id, label and redaction_version.
    `earlier` are labelled lines (value, split) of earlier runs whose labels are rare no more; None where there are none. `rare` are
    this run's rows that wait for that.
    """

    records: DataFrame
    rare: DataFrame
    index: DataFrame
    earlier: DataFrame | None
    rejected: DataFrame
    report: dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """A run that goes no further, because too many rows were rejected or its files hold no row: nothing more may cost money on it.

    Attributes:
        message: why, with the three most common reasons and an example line of each.
        rejected: the rejected rows.
        report: as of a prepared run. It counts rows that are not written.
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
    known: DataFrame | None = None,
    waiting: DataFrame | None = None,
    part_bytes: int = PART_BYTES,
) -> Prepared | Refusal:
    """Read, clean, redact, deduplicate and split.

    Args:
        spark: the session, with `session.SETTINGS`.
        files: the run's.
        settings: the environment's.
        run_id: goes into every row.
        salt: what reference numbers are hashed with.
        known: the indexes of earlier runs, or None; a near-copy of their rows takes their group, and so their split.
        waiting: lines (value) of earlier runs' rows whose labels were rare, or None.
        part_bytes: how much of a large file one task reads.

    Raises:
        AccountingError: rows read are not rows accounted for.
    """
    read = read_files(spark, files, settings.columns, part_bytes=part_bytes)
    # The one wide pass. Everything after it looks at few columns of what it left, or writes. It is left on disk, which is as fast:
    # in memory Spark keeps it in pieces of 1 MB, each of which takes 2 MB of a heap with regions of 1 MB, and ends at 2.5 million
    # rows in OutOfMemoryError instead of going on to the disk.
    judged = keep(_judged(read.rows, settings, salt), StorageLevel.DISK_ONLY)
    # Only labels that the settings do not know are counted by name; others are counted with the records.
    unknown = F.when(F.col("reason") == Reason.UNKNOWN_LABEL, F.col("unknown_label")).alias("unknown_label")
    counted = judged.groupBy("source_file", "source_version", "reason", unknown).count().collect()
    file_entries, before = read.metadata()  # complete, because all rows have been counted
    rows = number_rows(judged, before)
    rejected = _rejected(rows, run_id)
    refused = _refused(rows, counted, settings, files)
    good = rows.where("reason IS NULL")
    # Groups decide splits, and splits are of labelled rows: a run without a label column needs neither.
    labelled_run = any("label" in entry["columns"] for entry in file_entries)
    finished = _finish(good, _exceptions(good, settings, known, labelled=labelled_run), run_id)
    records = finished.select(*RECORD_COLUMNS)
    # Rows of a label that is still rare too: later runs count on.
    labelled = finished.where("status = 'accepted' AND given_label IS NOT NULL")
    index = labelled.select("fingerprint", "signature", "group_id", F.col("given_label").alias("label"))
    index = index.withColumn("redaction_version", F.lit(REDACTION_VERSION))
    report = {**_report(finished, counted, file_entries, run_id, settings), "refused": refused}
    earlier = None
    if known is not None and waiting is not None:
        earlier = _rare_no_more(waiting, known, index, report["labels"], settings.min_label_rows)
    grown = {row["split"]: row["count"] for row in earlier.groupBy("split").count().collect()} if earlier is not None else {}
    report["labelled_earlier"] = {split: grown.get(split, 0) for split in SPLITS}
    if refused:
        return Refusal(message=refused, rejected=rejected, report=report)
    return Prepared(
        records=records, rare=labelled.where("label IS NULL"), index=index, earlier=earlier, rejected=rejected, report=report
    )


def write(result: Prepared | Refusal, *, prefix: str, put: Callable[[str, str], None], started: float) -> dict[str, Any]:
    """Write everything below `prefix` (`s3://bucket` or a folder's URI), report.json last. Returns the report.

    Of a refused run only the rejected rows and the report are written.

    Args:
        result: what `prepare` returned.
        prefix: where the prepared bucket's keys begin, without a closing slash.
        put: writes a small text under a key: `put(key, text)`.
        started: when the job began (`time.time()`).
    """
    report, run_id = result.report, result.report["run_id"]
    keys = PreparedKeys(run_id)
    # What an attempt that was killed has left must not be taken for this one's, least of all its report.
    for key in (keys.report, keys.records, keys.to_score, *labelled_folders(run_id)):
        _delete(result.rejected.sparkSession, f"{prefix}/{key}")
    # Where none was rejected, no row need be looked at to say so.
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
    # Half the bytes of Spark's usual compression, in no more time.
    records.write.mode("overwrite").option("compression", "zstd").parquet(f"{prefix}/{keys.records}")
    if report["to_score"]:
        waiting = records.where("status = 'accepted' AND label IS NULL")
        lines = waiting.select(F.to_json(F.struct("complaint_id", "text")).alias("value"))
        _write_lines(lines, f"{prefix}/{keys.to_score}", report["to_score"])
    if sum(report["labelled"].values()) or report["rare_labels"]:
        prepared.index.coalesce(1).write.mode("overwrite").parquet(f"{prefix}/{keys.labelled(INDEX)}")
    accepted = records.where("status = 'accepted'")
    for split in SPLITS:
        count = report["labelled"][split] + report["labelled_earlier"][split]
        if not count:
            continue
        lines = accepted.where((F.col("split") == split) & F.col("label").isNotNull()).select(_labelled_line(F.col("label")))
        if prepared.earlier is not None and report["labelled_earlier"][split]:
            lines = lines.unionByName(prepared.earlier.where(F.col("split") == split).select("value"))
        _write_lines(lines, f"{prefix}/{keys.labelled(split)}", count)
    if report["rare_labels"]:
        rare = prepared.rare.select(_labelled_line(F.col("given_label")))
        _write_lines(rare, f"{prefix}/{keys.labelled(RARE)}", sum(report["rare_labels"].values()))


def _labelled_line(label: Column) -> Column:
    columns = ("complaint_id", "text", label.alias("label"), "language", "group_id", "received_at")
    return F.to_json(F.struct(*columns)).alias("value")


def _delete(spark: SparkSession, place: str) -> None:
    """Remove a file or folder where there is one, by the file system that Spark writes with."""
    java = spark.sparkContext._jvm
    path = java.org.apache.hadoop.fs.Path(place)  # type: ignore[union-attr]
    path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).delete(path, True)


def _write_lines(lines: DataFrame, target: str, count: int) -> None:
    """JSON Lines in files of about 20,000 lines; no _SUCCESS beside them: SageMaker would take it for data.

    The rows come in the order of files and of their rows, as they were read; no sort moves the texts again.
    """
    parts = max(1, -(-count // LINES_PER_FILE))
    quiet = lines.coalesce(parts).write.mode("overwrite").option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    quiet.option("lineSep", "\n").option("maxRecordsPerFile", LINES_PER_FILE).text(target)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _judged(raw: DataFrame, settings: JobSettings, salt: str) -> DataFrame:
    """Raw rows with clean text, label and reason to reject, and what the text tells; a rejected row's text goes no further."""
    about = Understanding(languages=settings.languages, products=settings.products, channels=settings.channels, salt=salt)
    label, unknown = _canonical_label(settings)
    refuses_unknown = F.lit(settings.unknown_labels == "reject")
    # Redaction writes no text shorter than it finds, so what is too short is so before it. A character has four bytes at most: only
    # where there are so few are they counted.
    says_nothing = (F.length("cleaned") < MIN_TEXT_CHARACTERS) | F.lower("cleaned").isin(*BLANKS)
    too_short = (F.octet_length("cleaned") < 4 * MIN_TEXT_CHARACTERS) & says_nothing
    reason = (
        F.when(F.col("reason").isNotNull(), F.col("reason"))
        .when(F.coalesce(too_short, F.lit(True)), F.lit(str(Reason.EMPTY_TEXT)))
        .when(F.col("unknown_label").isNotNull() & refuses_unknown, F.lit(str(Reason.UNKNOWN_LABEL)))
    )
    cleaned = (
        raw.withColumn("received_on", F.to_date("received_at"))
        .withColumn("cleaned", clean(F.col("raw_text"), F.col("oddities"), max_characters=settings.max_text_characters))
        .drop("raw_text", "oddities")
        .withColumn("truncated", exceeds(F.col("cleaned"), settings.max_text_characters))
        .withColumn("cleaned", cut(F.col("cleaned"), max_characters=settings.max_text_characters))
        .withColumn("label", label)
        .withColumn("unknown_label", unknown)
        .withColumn("reason", reason)
        .withColumn("record", F.when(F.col("reason").isNotNull(), F.col("record")))
        .withColumn("cleaned", F.when(F.col("reason").isNull(), F.col("cleaned")))
    )
    return understand(cleaned, about).withColumn("fingerprint", F.sha2(F.lower("text"), 256))


def _canonical_label(settings: JobSettings) -> tuple[Column, Column]:
    """(label by the map, what the report calls one that the map does not know); without a map all are known that are short enough."""
    given = F.col("label_read")
    too_long = F.length(given) > MAX_LABEL_CHARACTERS  # a text in the label's column is no label
    label = F.when(~too_long, given)
    unknown = F.when(too_long, F.lit(TOO_LONG))
    if not settings.label_map:
        return label, unknown
    # Keys that differ in case only are one key: Spark refuses a map that has one twice.
    canonical = {(record_labels.label(name) or "").lower(): name for name in settings.label_map.values()}
    canonical |= {(record_labels.label(old) or "").lower(): new for old, new in settings.label_map.items()}
    names = F.create_map(*[F.lit(part) for pair in canonical.items() for part in pair])
    mapped = F.element_at(names, F.lower(label))
    kept = F.coalesce(mapped, F.lit("other") if settings.unknown_labels == "other" else label)
    # A row without a label stays one.
    return F.when(label.isNotNull(), kept), F.coalesce(unknown, F.when(mapped.isNull(), label))


def _rejected(judged: DataFrame, run_id: str) -> DataFrame:
    bad = judged.where(F.col("reason").isNotNull())
    own = F.when(F.col("reason") == Reason.UNKNOWN_LABEL, F.lit("its label is not in the label map"))
    detail = F.coalesce(F.col("detail"), own.otherwise("the text column holds no text"))
    return bad.withColumn("run_id", F.lit(run_id)).withColumn("detail", detail).select(*REJECTED_COLUMNS)


def _refused(judged: DataFrame, counted: Sequence[Any], settings: JobSettings, files: Sequence[SourceFile]) -> str | None:
    """Why these files go no further, or None; `counted` are the rows by reason, with their `count`."""
    counts = Counter[str | None]()
    for row in counted:
        counts[row["reason"]] += row["count"]
    total = counts.total()
    if not total:
        return "the run's files hold no row at all: drop a file with a header and at least one complaint"
    share = (total - counts[None]) / total
    if share <= settings.max_reject_share:
        return None
    # A detail says what is wrong with a row or a file in our words: it quotes nothing of what the file holds. Files are told by
    # their place in the manifest: their names may be people's.
    places = {file.key: f" of file {place} of {len(files)}" for place, file in enumerate(files, start=1)}
    first = F.min(F.struct("source_file", "line_number", "detail")).alias("first")  # sorts all rows, so only where it is told
    found = judged.where("reason IS NOT NULL").groupBy("reason").agg(first).collect()
    bad = sorted(found, key=lambda row: (-counts[row["reason"]], row["reason"]))
    reasons = "; ".join(
        f"{row['reason']} ({counts[row['reason']]} rows, for instance line {row['first']['line_number']}"
        f"{places[row['first']['source_file']] if len(files) > 1 else ''}"
        f"{': ' + row['first']['detail'] if row['first']['detail'] else ''})"
        for row in bad[:3]
    )
    return (
        f"{share:.0%} of {total} rows were rejected, over the limit of {settings.max_reject_share:.0%}: {reasons}. "
        "Repair the file and drop it again, or raise complaints.max_reject_share"
    )


def _usual_id() -> Column:
    """A row's own id, unless it has none or it was redacted: <EMAIL> is not one row's. Then one of what it says and when it came, so
    that a file that is dropped again, repaired or not, brings the same complaints.
    """
    own = F.when(~F.col("original_id").rlike("<[A-Z_]+>"), F.col("original_id"))
    return F.coalesce(own, _made_id("fingerprint", "received_at"))


def _another_id() -> Column:
    """For a row whose usual id another row has: of where it stands and what it says, the same again on a rerun."""
    return _made_id("source_file", "source_version", "row_number", "fingerprint")


def _made_id(*columns: str) -> Column:
    return F.concat(F.lit("c-"), F.substring(F.sha2(F.concat_ws("|", *columns), 256), 1, 16))


def _own_group() -> Column:
    return F.substring("fingerprint", 1, 16)


def _exceptions(good: DataFrame, settings: JobSettings, known: DataFrame | None, *, labelled: bool) -> DataFrame:
    """What other rows say about a row, for the few rows of which it is not the usual: repeated texts and ids, rare labels, groups.

    Ids, fingerprints and labels are sorted and joined here; texts stay where they are.

    Args:
        good: rows that are not rejected.
        settings: the environment's.
        known: the indexes of earlier runs, or None.
        labelled: whether any file has labels.

    Returns:
        source_index, row_number, complaint_id, duplicate_of (null: not a duplicate), conflict, rare, group_id; kept.
    """
    keys = good.select(
        "source_index", "source_file", "source_version", "row_number", "fingerprint", "original_id", "label", "received_at", "signature"
    )  # fmt: skip
    place = ("source_index", "row_number")
    usual_id = _usual_id()
    same_id = Window.partitionBy(usual_id).orderBy(*place)
    same_text = Window.partitionBy("fingerprint").orderBy(
        F.col("label").isNull(), F.col("received_at").desc_nulls_last(), *place
    )
    all_of_text = same_text.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    rows = (
        keys.withColumn("complaint_id", F.when(F.row_number().over(same_id) == 1, usual_id).otherwise(_another_id()))
        .withColumn("order", F.row_number().over(same_text))
        .withColumn("duplicate_of", F.when(F.col("order") > 1, F.first("complaint_id").over(same_text)))
        .withColumn("conflict", F.coalesce(F.min("label").over(all_of_text) != F.max("label").over(all_of_text), F.lit(False)))
    )
    group_id, rare = _own_group(), F.lit(False)
    if labelled:
        signed = keys.where("signature IS NOT NULL").select("fingerprint", "signature").dropDuplicates(["fingerprint"])
        rows = rows.join(group(signed, known), "fingerprint", "left")
        rows = rows.join(_label_rows(rows, known), F.col("label") == F.col("counted_label"), "left")
        group_id = F.coalesce("group_id", group_id)
        rare = F.coalesce(F.col("label_rows") < settings.min_label_rows, F.lit(False))
        if known is not None:
            rows = _with_earlier_conflicts(rows, known)
    rows = rows.withColumn("group_id", group_id).withColumn("rare", rare)
    unusual = (
        F.col("duplicate_of").isNotNull()
        | (F.col("complaint_id") != usual_id)
        | F.col("conflict")
        | F.col("rare")
        | (F.col("group_id") != _own_group())
    )
    found = rows.where(unusual).select(
        "source_index", "row_number", "complaint_id", "duplicate_of", "conflict", "rare", "group_id"
    )
    found = keep(found)
    return F.broadcast(found) if found.count() <= BROADCAST_ROWS else found


def _with_earlier_conflicts(rows: DataFrame, known: DataFrame) -> DataFrame:
    """`conflict` also where the text came with another label in an earlier run."""
    before = known.groupBy("fingerprint").agg(F.min("label").alias("least"), F.max("label").alias("most"))
    differs = (F.col("label") != F.col("least")) | (F.col("label") != F.col("most"))
    joined = rows.join(before, "fingerprint", "left")
    return joined.withColumn("conflict", F.col("conflict") | F.coalesce(differs, F.lit(False))).drop("least", "most")


def _label_rows(rows: DataFrame, known: DataFrame | None) -> DataFrame:
    """counted_label, label_rows: texts in this run and all before. What is rare is judged over all: a review list of ten rows
    teaches too, and so do the next ten of a label that had five.
    """
    labels = rows.where("order = 1 AND label IS NOT NULL").select("label", "fingerprint")
    if known is not None:
        labels = labels.unionByName(known.where("label IS NOT NULL").select("label", "fingerprint")).distinct()
    counted = labels.groupBy("label").agg(F.count("*").alias("label_rows"))
    return counted.withColumnRenamed("label", "counted_label")


def _rare_no_more(
    waiting: DataFrame, known: DataFrame, index: DataFrame, labels: Mapping[str, int], least: int
) -> DataFrame | None:
    """value, split: lines of earlier runs with a label that had fewer than `least` texts until this run; None without such a label."""
    counted = known.where("label IS NOT NULL").select("label", "fingerprint").distinct().groupBy("label").count().collect()
    before = {row["label"]: row["count"] for row in counted}
    grown = [label for label in labels if 0 < before.get(label, 0) < least]
    if not grown:
        return None
    line = F.from_json("value", "text string, label string, group_id string")
    rows = waiting.select("value", line.alias("line")).where(F.col("line.label").isin(grown))
    rows = rows.groupBy(F.sha2(F.lower("line.text"), 256).alias("fingerprint")).agg(F.min("value").alias("value"))
    # What has come with another label since, or comes again in this run, is learned as that.
    relabelled = known.groupBy("fingerprint").agg(F.count_distinct("label").alias("labels")).where("labels > 1")
    told = relabelled.select("fingerprint").unionByName(index.select("fingerprint"))
    rows = rows.join(told, "fingerprint", "left_anti").select(
        "value", _split(F.from_json("value", "group_id string")["group_id"])
    )
    return keep(rows.orderBy("value"))


def _split(group_id: Column | str) -> Column:
    side = F.conv(F.substring(group_id, 1, 8), 16, 10).cast("long") % 100
    return F.when(side < 80, "train").when(side < 90, "validation").otherwise("test").alias("split")


def _finish(good: DataFrame, exceptions: DataFrame, run_id: str) -> DataFrame:
    """Accepted and duplicate rows with all that a record says."""
    return (
        good.join(exceptions, ["source_index", "row_number"], "left")
        .withColumn("run_id", F.lit(run_id))
        .withColumn("complaint_id", F.coalesce("complaint_id", _usual_id()))
        .withColumn("group_id", F.coalesce("group_id", _own_group()))
        .withColumn("conflict", F.coalesce("conflict", F.lit(False)))
        .withColumn("status", F.when(F.col("duplicate_of").isNull(), "accepted").otherwise("duplicate"))
        .withColumn("given_label", F.col("label"))
        .withColumn("label", F.when(F.coalesce("rare", F.lit(False)), None).otherwise(F.col("label")))
        .withColumn("split", F.when(F.col("label").isNotNull(), _split("group_id")))
        .withColumn(
            "flags",
            F.array_compact(
                F.array(
                    F.when(F.col("truncated"), F.lit("truncated")),
                    F.when(F.col("other_language"), F.lit("other_language")),
                    F.when(F.col("given_label").isNotNull() & F.col("label").isNull(), F.lit("rare_label")),
                    F.when(F.col("unknown_label").isNotNull(), F.lit("unknown_label")),
                    F.when(F.col("conflict"), F.lit("conflicting_label")),
                    F.when(F.col("unread_date"), F.lit("unread_date")),
                )
            ),
        )
        .withColumn("tokens", tokens(F.col("text"), F.col("token_classes")))
        .select(*RECORD_COLUMNS, "fingerprint", "signature", "given_label", "unknown_label", "conflict", "characters")
    )


def _report(
    finished: DataFrame, counted: Sequence[Any], file_entries: list[dict[str, Any]], run_id: str, settings: JobSettings
) -> dict[str, Any]:
    """The counts of the report, from one pass over cached data: every Spark job costs a second however small."""
    redacted: Counter[str] = Counter()
    by_file: Counter[tuple[str, str]] = Counter()
    labels, languages, splits, rejects = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    rare, unknown, flags = Counter[str](), Counter[str](), Counter[str]()
    lengths = dict.fromkeys((f"up_to_{LENGTHS[0]}", *(f"over_{edge}" for edge in LENGTHS)), 0)
    with_labels = {f"{entry['key']}#{entry['version_id']}" for entry in file_entries if "label" in entry["columns"]}
    to_score = conflicts = blank = 0
    names: set[str] = set()
    keys = (
        "source_file",
        "source_version",
        "status",
        "label",
        "given_label",
        "unknown_label",
        "conflict",
        "split",
        "language",
        "flags",
    )
    for row in _groups(finished, keys):
        name = f"{row['source_file']}#{row['source_version']}"
        by_file[(name, row["status"])] += row["n"]
        if row["status"] != "accepted":
            continue
        lengths[_length_class(row["step"])] += row["n"]
        flags.update(dict.fromkeys(row["flags"], row["n"]))
        conflicts += row["n"] if row["conflict"] else 0
        given = row["given_label"]
        if given is not None:
            names.add(given)
            rare[given] += row["n"] if row["label"] is None else 0
        if row["unknown_label"] is not None:
            unknown[row["unknown_label"]] += row["n"]
        elif given is None and name in with_labels:
            blank += row["n"]
        languages[row["language"]] += row["n"]
        for kind in REDACTION_TYPES:
            redacted[kind] += row[f"redacted_{kind}"] or 0
        if row["label"] is None:
            to_score += row["n"]
        else:
            labels[row["label"]] += row["n"]
            splits[row["split"]] += row["n"]
    for row in (row for row in counted if row["reason"]):
        by_file[(f"{row['source_file']}#{row['source_version']}", "rejected")] += row["count"]
        rejects[row["reason"]] += row["count"]
        if row["unknown_label"] is not None:
            unknown[row["unknown_label"]] += row["count"]
    files = []
    total: Counter[str] = Counter()
    for entry in file_entries:
        name = f"{entry['key']}#{entry['version_id']}"
        rows = {
            "accepted": by_file[(name, "accepted")],
            "rejected": by_file[(name, "rejected")],
            "duplicates": by_file[(name, "duplicate")],
        }
        # What was read is counted where it was read, not summed up from where it went: so a lost row is seen.
        read = entry.pop("read")
        if sum(rows.values()) != read:
            raise AccountingError(f"{read} rows were read of one file, and {sum(rows.values())} accounted for")
        total.update(rows, read=read)
        files.append({**entry, "rows": {"read": read, **rows}})
    if total["accepted"] != sum(splits.values()) + to_score:
        raise AccountingError("accepted rows are not labelled rows plus rows to score")
    return {
        "schema_version": REPORT_VERSION,
        "run_id": run_id,
        "versions": {
            "prepare": VERSION,
            "redaction": REDACTION_VERSION,
            "spark": finished.sparkSession.version,
            "python": platform.python_version(),
        },
        "rows": {name: total[name] for name in ("read", "accepted", "rejected", "duplicates")},
        "labelled": {split: splits[split] for split in SPLITS},
        "to_score": to_score,
        "files": files,
        "labels": dict(sorted(labels.items())),
        "rare_labels": _told(rare),
        "min_label_rows": settings.min_label_rows,
        "unknown_labels": _told(unknown),
        "label_variants": _variants(names),
        "blank_labels": blank,
        "conflicting_texts": conflicts,
        "languages": dict(sorted(languages.items())),
        "characters": lengths,
        "flags": dict(sorted(flags.items())),
        "rejects": dict(sorted(rejects.items())),
        "redactions": {name: count for name, count in sorted(redacted.items()) if count},
    }


def _told(labels: Counter[str]) -> dict[str, int]:
    """The most frequent labels with their rows: a column of notes taken for labels must not fill the report."""
    names = sorted((name for name in labels if labels[name]), key=lambda name: (-labels[name], name))
    others = sum(labels[name] for name in names[MAX_LABELS_TOLD:])
    return {**{name: labels[name] for name in sorted(names[:MAX_LABELS_TOLD])}, **({"(others)": others} if others else {})}


def _variants(labels: Iterable[str]) -> list[list[str]]:
    """Labels that differ only in case, accents, punctuation or white space: most likely one label."""
    alike: dict[str, list[str]] = {}
    for label in sorted(labels):
        letters = "".join(filter(str.isalnum, unicodedata.normalize("NFKD", label.casefold())))
        alike.setdefault(letters or label, []).append(label)
    return [names for names in alike.values() if len(names) > 1][:MAX_LABELS_TOLD]


def _groups(records: DataFrame, keys: Sequence[str]) -> list[Any]:
    """Rows by `keys` and `step`, their length in steps of STEP characters, with `n` and `redacted_<TYPE>`."""
    some = F.size("redactions") > 0
    sums = [F.sum(F.when(some, F.element_at("redactions", name))).alias(f"redacted_{name}") for name in REDACTION_TYPES]
    step = F.least(F.ceil(F.col("characters") / STEP), F.lit(LENGTHS[-1] // STEP + 1))
    return records.groupBy(*keys, step.alias("step")).agg(F.count("*").alias("n"), *sums).collect()


def _length_class(step: int) -> str:
    longest = max((edge for edge in LENGTHS if step * STEP > edge), default=None)
    return f"over_{longest}" if longest else f"up_to_{LENGTHS[0]}"
