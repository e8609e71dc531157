"""Read the files of a run with Spark. One task reads a file, or a part of a large file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.accumulators import Accumulator, AccumulatorParam
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from complaints_etl.readers import workbook
from complaints_etl.readers.evidence import Evidence
from complaints_etl.readers.parts import Part, Range, cut
from complaints_etl.readers.storage import SourceFile
from complaints_etl.readers.table import Aliases
from complaints_etl.records.annotate import ANNOTATED_SCHEMA, AnnotationOptions, annotate
from complaints_etl.records.identifiers import redact_names
from complaints_etl.records.raw_rows import PART_BYTES, RAW_SCHEMA, PartSummary, read_batches

_SHARED_BYTES = 256 * 1024  # below this size, a shuffle costs more than it saves

# By (file, part). An update replaces an entry, so a task that Spark runs again changes nothing.
_Summaries = dict[tuple[int, int], PartSummary]


class _SummariesParam(AccumulatorParam[_Summaries]):
    def zero(self, value: _Summaries) -> _Summaries:  # noqa: ARG002 - Spark's signature
        return {}

    def addInPlace(self, value1: _Summaries, value2: _Summaries) -> _Summaries:  # noqa: N802 - Spark's name
        value1.update(value2)
        return value1


@dataclass(frozen=True)
class FilesRead:
    """The annotated rows of a run's files (ANNOTATED_SCHEMA); the summaries are complete once all rows have been computed."""

    rows: DataFrame
    files: Sequence[SourceFile]
    summaries: Accumulator[_Summaries]

    def metadata(self) -> tuple[list[dict[str, Any]], dict[tuple[int, int], int]]:
        """Return a report entry for each file, with its rows as `read`, and the number of rows before each part."""
        entries: list[dict[str, Any]] = []
        before: dict[tuple[int, int], int] = {}
        for (file, number), summary in sorted(self.summaries.value.items()):
            if number == 0:
                entries.append({**_file_entry(self.files[file], summary), "read": 0})
            before[(file, number)] = entries[-1]["read"]
            entries[-1]["read"] += summary.rows
        return entries, before


def read_files(
    spark: SparkSession,
    files: Sequence[SourceFile],
    aliases: Sequence[Aliases],
    options: AnnotationOptions,
    *,
    part_bytes: int = PART_BYTES,
) -> FilesRead:
    """Read and annotate all files. `row_number` counts from the beginning of a part; `number_rows` corrects that later.

    Args:
        spark: the session.
        files: the run's files.
        aliases: per file, for each column of ours the names that it may have.
        options: for the annotation.
        part_bytes: how much of a large file one task reads.
    """
    context = spark.sparkContext
    cores = context.defaultParallelism

    def count_ranges(count: Callable[[Range], Evidence], ranges: Sequence[Range]) -> list[Evidence]:
        return context.parallelize(ranges, len(ranges)).map(count).collect()

    parts = [part for index, file in enumerate(files) for part in cut(index, file, aliases[index], part_bytes, count_ranges)]
    total = sum(file.size for file in files)
    tasks = _tasks(parts, min(part_bytes, max(total // (3 * cores), 1)))
    summaries = context.accumulator({}, _SummariesParam())
    sources, names = list(files), list(aliases)

    def summarize(part: Part, summary: PartSummary) -> None:
        summaries.add({(part.file, part.number): summary})

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.column(0).to_pylist():
                for part in tasks[task]:
                    yield from read_batches(sources[part.file], part, names[part.file], summarize)
                workbook.release()

    def annotate_raw(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return annotate(batches, options)

    numbers = spark.range(0, len(tasks), 1, len(tasks))
    if len(tasks) < cores and total >= _SHARED_BYTES:
        # Only a few tasks read, for example one for a packed file. A shuffle lets all cores annotate the rows.
        raw = (
            numbers.mapInArrow(read, RAW_SCHEMA).repartition(cores).sortWithinPartitions("source_index", "part", "row_number")
        )
        rows = raw.mapInArrow(annotate_raw, ANNOTATED_SCHEMA)
    else:
        rows = numbers.mapInArrow(lambda batches: annotate_raw(read(batches)), ANNOTATED_SCHEMA)
    return FilesRead(rows, sources, summaries)


def number_rows(rows: DataFrame, before: Mapping[tuple[int, int], int]) -> DataFrame:
    """Return `rows` with `row_number` counted from the file's beginning. `before` has the number of rows before each part."""
    offsets = {f"{file}.{part}": count for (file, part), count in before.items() if count}
    if not offsets:
        return rows
    offset_of = F.create_map(*[F.lit(value) for pair in offsets.items() for value in pair])
    part = F.concat_ws(".", F.col("source_index"), F.col("part"))
    return rows.withColumn("row_number", F.col("row_number") + F.coalesce(F.element_at(offset_of, part), F.lit(0)))


def _tasks(parts: Sequence[Part], task_bytes: int) -> list[list[Part]]:
    """Group the parts, in their order, into tasks of about `task_bytes`, so that 1,000 small files are not 1,000 tasks."""
    tasks: list[list[Part]] = []
    filled = task_bytes
    for part in parts:
        if filled >= task_bytes and not part.follows:
            tasks.append([])
            filled = 0
        tasks[-1].append(part)
        filled += part.end - part.start
    return tasks


def _file_entry(file: SourceFile, summary: PartSummary) -> dict[str, Any]:
    """Return the entry of a file in report.json, without its counts of rows."""
    entry: dict[str, Any] = {"bucket": file.bucket, "key": file.key, "version_id": file.version_id, "size": file.size}
    if file.part_of:
        entry["part_of"] = file.part_of
    file_format = summary.format
    if file_format is None:
        return {**entry, "rejected_whole": summary.rejected, "header": [], "columns": {}}
    names = dict(zip(file_format.header, redact_names(file_format.header), strict=True))
    return {
        **entry,
        "format": file_format.kind,
        "encoding": file_format.encoding,
        "separator": file_format.separator,
        "quoting": file_format.quoting,
        "title_lines": file_format.title_lines,
        "survey_rows": file_format.survey_rows,
        "dialect": file_format.description,
        "header": list(names.values()),
        "columns": {ours: names[theirs] for ours, theirs in file_format.columns.items()},
        "short_ids": summary.short_ids,
        "month_first": file_format.month_first,
        "rejected_whole": None,
    }
