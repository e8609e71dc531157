"""The run's files → one table of raw rows, read by the executors: a file or a part of a large one is one task.

What is provably plain CSV is parsed in bulk (bulk.py), everything else row by row (reading.py); the rows are the same.

A large CSV that is not packed is cut where a record ends: at a newline with an even number of quotes before it. One pass counts
quotes and newlines of every range in parallel, so each part knows whether it begins inside a quoted text, and at which line.
"""

from __future__ import annotations

import json
import re
import unicodedata
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from complaints_etl import bulk
from complaints_etl.oddities import oddities
from complaints_etl.reading import (
    BLOCK_BYTES,
    SNIFF_BYTES,
    Blocks,
    Dialect,
    Evidence,
    Row,
    Table,
    UnreadableFileError,
    head_of,
    read_table,
    record_end,
)
from complaints_etl.records.dates import is_unread, received
from complaints_etl.records.identifiers import MAY_BE_PERSONAL, identity
from complaints_etl.records.labels import label, label_as_written
from complaints_etl.spreadsheet import active

# A part's text, its rows and its share of a batch fit a worker's Python several times over.
PART_BYTES = 16 * 1024**2
BATCH_ROWS = 5000
BATCH_CHARACTERS = 16 * 1024**2
EXTENSION_BYTES = 1024**2
CONTEXT_BYTES = 64  # around a range: no run of quotes is longer
SHARED_BYTES = 256 * 1024  # less is not worth a shuffle

RAW_SCHEMA = (
    "source_index int, part int, row_number bigint, line_number bigint, source_file string, source_version string, "
    "original_id string, raw_text string, oddities int, label_original string, label_read string, received_at timestamp, "
    "unread_date boolean, carried_raw map<string,string>, reason string, detail string, record string, fact string"
)
_ARROW = pa.schema(
    [
        ("source_index", pa.int32()),
        ("part", pa.int32()),
        ("row_number", pa.int64()),
        ("line_number", pa.int64()),
        *((name, pa.string()) for name in ("source_file", "source_version", "original_id", "raw_text")),
        ("oddities", pa.int32()),
        *((name, pa.string()) for name in ("label_original", "label_read")),
        ("received_at", pa.timestamp("us", "UTC")),
        ("unread_date", pa.bool_()),
        ("carried_raw", pa.map_(pa.string(), pa.string())),
        *((name, pa.string()) for name in ("reason", "detail", "record", "fact")),
    ]
)

Aliases = Mapping[str, Sequence[str]]


@cache
def _s3() -> Any:
    return boto3.client("s3")


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A dropped file; `read(start, end)` gives those of its bytes, on any worker."""

    key: str
    version_id: str
    size: int
    read: Callable[[int, int], bytes]
    bucket: str = ""


def s3_reader(bucket: str, key: str, version_id: str) -> Callable[[int, int], bytes]:
    """Reads ranges of one version of an object."""

    def read(start: int, end: int) -> bytes:
        if end <= start:
            return b""
        asked = {"Bucket": bucket, "Key": key, "VersionId": version_id}
        body: bytes = _s3().get_object(**asked, Range=f"bytes={start}-{end - 1}")["Body"].read()
        return body

    return read


@dataclass(frozen=True)
class _Part:
    """A range of a file: `opened` tells that it begins inside a quoted text, `line` how many lines are before it.

    `dialect` is the whole file's; None where one task reads the file and finds it out.
    """

    file: int
    number: int
    start: int
    end: int
    opened: bool = False
    line: int = 0
    dialect: Dialect | None = None


def read_files(
    spark: SparkSession, files: Sequence[SourceFile], aliases: Aliases, *, part_bytes: int = PART_BYTES
) -> DataFrame:
    """Raw rows of all files (RAW_SCHEMA), and per part one row more that holds only `fact`: what was found out about it.

    `row_number` counts from the part's beginning until `number_rows` has seen the facts of all parts.

    Args:
        spark: the session.
        files: the run's.
        aliases: for each of our columns the names it may have.
        part_bytes: how much of a large file one task reads.
    """
    parts = [part for index, file in enumerate(files) for part in _parts(spark, index, file, aliases, part_bytes)]
    chosen = list(files)
    tasks = _tasks(
        parts, min(part_bytes, max(sum(file.size for file in files) // (3 * spark.sparkContext.defaultParallelism), 1))
    )

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.column(0).to_pylist():
                for part in tasks[task]:
                    yield from _batches(chosen[part.file], part, aliases)

    raw = spark.range(0, len(tasks), 1, len(tasks)).mapInArrow(work, RAW_SCHEMA)
    cores = spark.sparkContext.defaultParallelism
    if len(tasks) >= cores or sum(file.size for file in files) < SHARED_BYTES:
        return raw
    # One packed file is read by one task; what comes after is the work of all.
    return raw.repartition(cores).sortWithinPartitions("source_index", "part", "row_number")


def _tasks(parts: Sequence[_Part], task_bytes: int) -> list[list[_Part]]:
    """Parts in their order, as many to a task as make up `task_bytes`: a thousand small files are not a thousand tasks."""
    tasks: list[list[_Part]] = []
    filled = task_bytes
    for part in parts:
        if filled >= task_bytes:
            tasks.append([])
            filled = 0
        tasks[-1].append(part)
        filled += part.end - part.start
    return tasks


def file_facts(files: Sequence[SourceFile], told: Sequence[str]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """What the parts told → a fact per file, with the rows `read`, and the rows before each part by "file.part"."""
    by_part = sorted((json.loads(fact) for fact in told), key=lambda fact: (fact["file"], fact["number"]))
    facts: list[dict[str, Any]] = []
    before: dict[str, int] = {}
    for fact in by_part:
        number, file = fact.pop("number"), fact.pop("file")
        if number == 0:
            about = {"bucket": files[file].bucket, "key": files[file].key, "version_id": files[file].version_id}
            facts.append({**about, "size": files[file].size, **fact, "read": 0})
        before[f"{file}.{number}"] = facts[-1]["read"]
        facts[-1]["read"] += fact["read"]
    return facts, before


def number_rows(rows: DataFrame, before: Mapping[str, int]) -> DataFrame:
    """`row_number` counted from the file's beginning."""
    offsets = {place: count for place, count in before.items() if count}
    if not offsets:
        return rows
    known = F.create_map(*[F.lit(value) for pair in offsets.items() for value in pair])
    place = F.concat_ws(".", F.col("source_index"), F.col("part"))
    return rows.withColumn("row_number", F.col("row_number") + F.coalesce(F.element_at(known, place), F.lit(0)))


def _parts(spark: SparkSession, index: int, file: SourceFile, aliases: Aliases, part_bytes: int) -> list[_Part]:
    whole = [_Part(index, 0, 0, file.size)]
    if file.size <= part_bytes or not file.key.lower().endswith((".csv", ".tsv")):
        return whole
    head = file.read(0, SNIFF_BYTES)
    header = head[: head_of(head, aliases)]
    if b"\0" in head or not header.endswith(b"\n") or re.search(rb"\r(?!\n)", header):
        return whole  # two bytes a character, or lines that end otherwise
    ranges = [(start, min(start + part_bytes, file.size)) for start in range(0, file.size, part_bytes)]
    read, size = file.read, file.size

    def count(span: tuple[int, int]) -> Evidence:
        before = read(max(span[0] - CONTEXT_BYTES, 0), span[0])
        return Evidence.of(read(*span), before, read(span[1], min(span[1] + CONTEXT_BYTES, size)))

    found = spark.sparkContext.parallelize(ranges, len(ranges)).map(count).collect()
    evidence = sum(found, Evidence())
    if not evidence.can_be_cut or not all(each.newlines for each in found):
        return whole  # only reading from the start finds out where a record begins
    dialect = Dialect.of("utf-8-sig" if head.startswith(BOM_UTF8) else "", evidence)
    parts, quotes, lines = [], 0, 0
    for number, ((start, end), counts) in enumerate(zip(ranges, found, strict=True)):
        parts.append(_Part(index, number, start, end, bool(quotes % 2), lines, dialect))
        quotes, lines = quotes + counts.quotes, lines + counts.newlines
    return parts


def _body(file: SourceFile, part: _Part, aliases: Aliases) -> tuple[bytes, int]:
    """The records that begin in this part's range, under the file's header; and the lines between the two."""
    body = file.read(part.start, part.end)
    quotes = body.count(b'"')
    if part.end < file.size:  # to the end of the record that the range cuts
        opened = part.opened ^ bool(quotes % 2)
        more, size = b"", EXTENSION_BYTES
        while (end := record_end(more, opened=opened)) is None and len(more) < file.size - part.end:
            more = file.read(part.end, min(part.end + size, file.size))
            size *= 2
        body += more if end is None else more[: end + 1]
    if part.number == 0:
        return body, 0
    begins = record_end(body, opened=part.opened)
    if begins is None:
        return b"", 0
    head = file.read(0, SNIFF_BYTES)
    header = head[: head_of(head, aliases)]
    return header + body[begins + 1 :], part.line + body[: begins + 1].count(b"\n") - header.count(b"\n")


def _blocks(file: SourceFile) -> Blocks:
    def read() -> Iterator[bytes]:
        return (file.read(start, min(start + BLOCK_BYTES, file.size)) for start in range(0, file.size, BLOCK_BYTES))

    return read


def _batches(file: SourceFile, part: _Part, aliases: Aliases) -> Iterator[pa.RecordBatch]:
    """The part's rows in batches, then its fact; a file that cannot be read is one rejected row."""
    count = 0
    about: dict[str, Any] = {}
    try:
        if part.dialect is None and file.size > PART_BYTES:  # one task for all of it
            body: bytes | Blocks = _blocks(file)
            plain, lines = None, 0
        else:
            body, lines = _body(file, part, aliases)
            plain = bulk.read(file.key, body, aliases, dialect=part.dialect)
        if plain is not None:
            about = _about(plain.table)
            for rows in plain.batches(BATCH_ROWS):
                count += rows.num_rows
                yield _bulk_batch(file, part, plain, rows, lines)
        elif body or not part.number:
            table = read_table(file.key, body, aliases, dialect=part.dialect)
            batch, characters = [], 0
            for row in table.rows:
                count += 1
                batch.append(_raw(file, part, table, row, lines))
                characters += len(row.record)
                if len(batch) == BATCH_ROWS or characters > BATCH_CHARACTERS:
                    yield _arrow(batch)
                    batch, characters = [], 0
            yield _arrow(batch)
            about = _about(table)
    except UnreadableFileError as error:
        # The file counts as one row: it was dropped, and it must not vanish from the accounts. Its first part tells.
        count, about = int(part.number == 0), {"rejected_whole": str(error.reason), "header": [], "columns": {}}
        nothing: tuple[Any, ...] = (*(None,) * 6, [], str(error.reason), str(error), error.record, None)
        yield _arrow([(part.file, part.number, 1, 1, file.key, file.version_id, *nothing)] * count)
    fact = json.dumps({"file": part.file, "number": part.number, "read": count, **about})
    yield _arrow([(part.file, part.number, 0, 0, file.key, file.version_id, *(None,) * 6, [], None, None, None, fact)])


def _arrow(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows as RAW_SCHEMA, with `oddities` between the text and what follows it."""
    fields = [field for field in _ARROW if field.name != "oddities"]
    columns = zip(*rows, strict=True) if rows else [()] * len(fields)
    arrays = {field.name: pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)}
    arrays["oddities"] = oddities(arrays["raw_text"])
    return pa.RecordBatch.from_arrays([arrays[field.name] for field in _ARROW], schema=_ARROW)


def _bulk_batch(file: SourceFile, part: _Part, plain: bulk.PlainTable, rows: pa.RecordBatch, lines: int) -> pa.RecordBatch:
    """`rows` of the file's own columns, and their numbers and lines, as RAW_SCHEMA."""
    size = rows.num_rows
    columns = plain.table.columns
    cells = {name: rows.column(name) for name in plain.table.header}
    known = {theirs for ours, theirs in columns.items() if ours != "received_at"}
    nothing = pa.nulls(size, pa.string())

    def value(ours: str) -> pa.Array:
        return bulk.value(cells[columns[ours]]) if ours in columns else nothing

    texts, month_first = value("text"), plain.table.month_first
    labels, dates = (value(ours).dictionary_encode() for ours in ("label", "received_at"))
    arrays = [
        pa.array([part.file] * size, pa.int32()),
        pa.array([part.number] * size, pa.int32()),
        rows.column(bulk.ROW_NUMBER),
        bulk.plus(rows.column(bulk.LINE_NUMBER), lines),
        pa.array([file.key] * size),
        pa.array([file.version_id] * size),
        _identities(value("complaint_id")),
        texts,
        oddities(texts),
        *(_each(labels, pa.string(), read) for read in (label_as_written, label)),
        _each(dates, _ARROW.field("received_at").type, lambda cell: received(cell, month_first)),
        _each(dates, pa.bool_(), lambda cell: is_unread(cell, month_first)),
        bulk.maps({name: array for name, array in cells.items() if name not in known}, size),
        nothing,
        nothing,
        rows.column(bulk.RECORD),
        nothing,
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=_ARROW)


def _about(table: Table) -> dict[str, Any]:
    return {
        "format": table.format,
        "encoding": table.encoding,
        "dialect": table.dialect,
        "header": list(table.header),
        "columns": dict(table.columns),
        "month_first": table.month_first,
        "rejected_whole": None,
    }


def _raw(file: SourceFile, part: _Part, table: Table, row: Row, lines: int) -> tuple[Any, ...]:
    columns = table.columns
    # The date is parsed into a column of its own; the export gives it back as it was written.
    known = {theirs for ours, theirs in columns.items() if ours != "received_at"}
    carried = [(name, active(value)) for name, value in row.values.items() if name not in known]
    own, named, date = (_value(row.values, columns.get(ours)) for ours in ("complaint_id", "label", "received_at"))
    return (
        part.file,
        part.number,
        row.number,
        row.line + lines,
        file.key,
        file.version_id,
        identity(own),
        _value(row.values, columns.get("text")),
        label_as_written(named),
        label(named),
        received(date, table.month_first),
        is_unread(date, table.month_first) if date else None,
        carried,
        str(row.reason) if row.reason else None,
        row.detail,
        row.record,
        None,
    )


def _value(values: Mapping[str, str], column: str | None) -> str | None:
    """A cell without the white space around it, composed (NFC): Spark SQL has no function for that."""
    # What a review list or an export marked as text, so that no spreadsheet computes it, comes back as it was.
    value = active(values.get(column, "").replace("\x00", "")) if column else ""
    return unicodedata.normalize("NFC", value.strip()) or None


def _each(coded: pa.DictionaryArray, kind: pa.DataType, read: Callable[[str], object]) -> pa.Array:
    """What `read` makes of each cell; each different one is read once."""
    return pa.array([read(cell) for cell in coded.dictionary.to_pylist()], kind).take(coded.indices)


def _identities(cells: pa.Array) -> pa.Array:
    odd = pc.fill_null(pc.match_substring_regex(cells, MAY_BE_PERSONAL), False)
    if not pc.any(odd).as_py():
        return cells
    return pc.replace_with_mask(cells, odd, pa.array([identity(cell) for cell in cells.filter(odd).to_pylist()], pa.string()))
