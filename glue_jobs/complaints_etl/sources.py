"""The run's files → one table of raw rows, read by the executors: a file or a part of a large one is one task.

A large CSV that is not packed is cut where a record ends: at a newline with an even number of quotes before it. One pass counts
quotes and newlines of every range in parallel, so each part knows whether it begins inside a quoted text, and at which line.
"""

from __future__ import annotations

import json
import re
import unicodedata
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import boto3
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

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
from complaints_etl.redaction import redact

# A part's text, its rows and its share of a batch fit a worker's Python several times over.
PART_BYTES = 64 * 1024**2
BATCH_ROWS = 5000
BATCH_CHARACTERS = 16 * 1024**2
EXTENSION_BYTES = 1024**2
CONTEXT_BYTES = 64  # around a range: no run of quotes is longer

RAW_SCHEMA = (
    "source_file string, source_version string, part int, row_number bigint, line_number bigint, original_id string, "
    "raw_text string, label_original string, received_raw string, carried_raw string, reason string, detail string, "
    "record string, fact string"
)
_NAMES = [part.split()[0] for part in RAW_SCHEMA.split(", ")]

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
) -> tuple[DataFrame, list[dict[str, Any]]]:
    """Raw rows of all files (RAW_SCHEMA without part and fact), cached, and what was found out about each file.

    Args:
        spark: the session.
        files: the run's.
        aliases: for each of our columns the names it may have.
        part_bytes: how much of a large file one task reads.
    """
    parts = [part for index, file in enumerate(files) for part in _parts(spark, index, file, part_bytes)]
    chosen = list(files)

    def work(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for number in batch["part"]:
                yield from _frames(chosen[parts[number].file], parts[number], aliases)

    numbers = spark.createDataFrame([(number,) for number in range(len(parts))], "part int").repartition(len(parts), "part")
    raw = numbers.mapInPandas(work, RAW_SCHEMA).cache()  # type: ignore[arg-type]
    told = raw.where("fact IS NOT NULL").select("fact").collect()
    by_part = sorted((json.loads(row["fact"]) for row in told), key=lambda fact: (fact["file"], fact["number"]))
    facts: list[dict[str, Any]] = []
    offsets = []
    for fact in by_part:
        number, file = fact.pop("number"), fact.pop("file")
        if number == 0:
            about = {"bucket": files[file].bucket, "key": files[file].key, "version_id": files[file].version_id}
            facts.append({**about, "size": files[file].size, **fact, "read": 0})
        offsets += [F.lit(f"{file}.{number}"), F.lit(facts[-1]["read"])]
        facts[-1]["read"] += fact["read"]
    place = F.concat_ws(".", F.col("source_index"), F.col("part"))
    keys = F.create_map(*[value for i, f in enumerate(files) for value in (F.lit(f"{f.key}#{f.version_id}"), F.lit(i))])
    rows = raw.where("fact IS NULL").withColumn(
        "source_index", F.element_at(keys, F.concat_ws("#", "source_file", "source_version"))
    )
    if len(parts) > len(files):
        rows = rows.withColumn("row_number", F.col("row_number") + F.element_at(F.create_map(*offsets), place))
    cores = spark.sparkContext.defaultParallelism
    # One packed file is read by one task; what comes after is the work of all.
    rows = rows.repartition(cores) if len(parts) < cores else rows
    return rows.drop("part", "fact", "source_index"), facts


def _parts(spark: SparkSession, index: int, file: SourceFile, part_bytes: int) -> list[_Part]:
    whole = [_Part(index, 0, 0, file.size)]
    if file.size <= part_bytes or not file.key.lower().endswith((".csv", ".tsv")):
        return whole
    head = file.read(0, SNIFF_BYTES)
    header = head[: head_of(head)]
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


def _body(file: SourceFile, part: _Part) -> tuple[bytes, int]:
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
    header = head[: head_of(head)]
    return header + body[begins + 1 :], part.line + body[: begins + 1].count(b"\n") - header.count(b"\n")


def _blocks(file: SourceFile) -> Blocks:
    def read() -> Iterator[bytes]:
        return (file.read(start, min(start + BLOCK_BYTES, file.size)) for start in range(0, file.size, BLOCK_BYTES))

    return read


def _frames(file: SourceFile, part: _Part, aliases: Aliases) -> Iterator[pd.DataFrame]:
    """The part's rows in batches, then its fact; a file that cannot be read is one rejected row."""
    count = 0
    try:
        body: bytes | Blocks
        if part.dialect or file.size <= PART_BYTES:
            body, lines = _body(file, part)
        else:
            body, lines = _blocks(file), 0
        table = read_table(file.key, body, aliases, dialect=part.dialect) if body or not part.number else None
        batch, characters = [], 0
        for row in table.rows if table else ():
            count += 1
            batch.append(_raw(file, part.number, table, row, lines))
            characters += len(row.record)
            if len(batch) == BATCH_ROWS or characters > BATCH_CHARACTERS:
                yield pd.DataFrame(batch, columns=_NAMES)
                batch, characters = [], 0
        about: dict[str, Any] = _about(table) if table else {}
    except UnreadableFileError as error:
        # The file counts as one row: it was dropped, and it must not vanish from the accounts. Its first part tells.
        count, about = int(part.number == 0), {"rejected_whole": str(error.reason), "header": [], "columns": {}}
        nothing = (None, None, None, None, "{}", str(error.reason), str(error), error.record, None)
        batch = [(file.key, file.version_id, part.number, 1, 1, *nothing)] * count
    fact = json.dumps({"file": part.file, "number": part.number, "read": count, **about})
    batch.append((file.key, file.version_id, part.number, 0, 0, *(None,) * 8, fact))
    yield pd.DataFrame(batch, columns=_NAMES)


def _about(table: Table) -> dict[str, Any]:
    return {
        "format": table.format,
        "encoding": table.encoding,
        "dialect": table.dialect,
        "header": list(table.header),
        "columns": dict(table.columns),
        "rejected_whole": None,
    }


def _raw(file: SourceFile, part: int, table: Table | None, row: Row, lines: int) -> tuple[Any, ...]:
    columns = table.columns if table else {}
    # The date is parsed into a column of its own; the export gives it back as it was written.
    known = {theirs for ours, theirs in columns.items() if ours != "received_at"}
    carried = {name: value for name, value in row.values.items() if name not in known}
    return (
        file.key,
        file.version_id,
        part,
        row.number,
        row.line + lines,
        _value(row.values, columns.get("complaint_id")),
        _value(row.values, columns.get("text")),
        _label(_value(row.values, columns.get("label"))),
        _value(row.values, columns.get("received_at")),
        json.dumps(carried, ensure_ascii=False),
        str(row.reason) if row.reason else None,
        row.detail,
        row.record,
        None,
    )


def _value(values: Mapping[str, str], column: str | None) -> str | None:
    """A cell without the white space around it, composed (NFC): Spark SQL has no function for that."""
    value = values.get(column, "").replace("\x00", "") if column else ""
    return unicodedata.normalize("NFC", value.strip()) or None


@lru_cache(maxsize=10_000)
def _label(value: str | None) -> str | None:
    """A label goes into reports and models: what is personal in one is gone before anything sees it."""
    return redact(value)[0] if value else None
