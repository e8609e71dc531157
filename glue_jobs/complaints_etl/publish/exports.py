"""Write files for spreadsheets: an export per uploaded file, as CSV and for Excel, and the list of rejected rows."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from complaints_etl import JobError
from complaints_etl.publish.excel import Layout, Put, WorkbookParts
from complaints_etl.publish.join import Run
from complaints_etl.spreadsheet import BYTE_ORDER_MARK, FORMULA, MARK, NUMBER, export_separator, record
from ptmlops_contracts.files import WORKBOOK_ENDINGS
from ptmlops_contracts.keys import OutputKeys
from ptmlops_contracts.report import NOT_TABLES
from ptmlops_contracts.review import ReviewReason

EXPORT_COLUMNS = (
    "ptmlops_status", "ptmlops_complaint_id", "ptmlops_label", "ptmlops_confidence", "ptmlops_needs_review",
    "ptmlops_alternatives", "ptmlops_top_terms", "ptmlops_amounts", "ptmlops_language", "ptmlops_reason", "ptmlops_model_version",
)  # fmt: skip
REJECTED_COLUMNS = ("source_file", "line_number", "row_number", "reason", "detail", "record")
# A spreadsheet opens 1,048,576 rows at most. Half of that still opens on a laptop.
PART_ROWS = 500_000
KEY_BYTES = 1024  # S3's limit
TEXT_WIDTH = 80  # of the column with the complaints, in characters


class LostRowsError(JobError):
    """An export has more or fewer lines than its file has rows. This is a defect of the job, not of the file."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """The export of one uploaded file, or of a table in it. A large one has several keys.

    Attributes:
        keys: of the CSV.
        excel_keys: of the Excel workbooks with the same rows.
    """

    source_file: str
    source_version: str
    rows: int
    keys: tuple[str, ...]
    excel_keys: tuple[str, ...] = ()


def export_files(
    joined: DataFrame,
    rejected: DataFrame,
    report: Mapping[str, Any],
    run: Run,
    put: Put,
    *,
    excel: bool = True,
    part_rows: int = PART_ROWS,
) -> list[Export]:
    """Write a CSV per uploaded table: a line per row that was read, in the file's order and columns, followed by EXPORT_COLUMNS.

    Beside it, an Excel workbook has the same rows.

    Args:
        joined: the result of `join_answers`.
        rejected: the rejected rows of Prepare.
        report: the content of Prepare's report.json.
        run: the run.
        put: stores a file under a key.
        excel: also write workbooks.
        part_rows: rows per part of a large export.

    Raises:
        LostRowsError: the lines written are not the rows read.
    """
    files = [file for file in report["files"] if file["rejected_whole"] not in NOT_TABLES]
    rows = joined.unionByName(rejected.withColumn("status", F.lit("rejected")), allowMissingColumns=True)
    # Sorted before the lines are made, because Spark reads its input twice to sort.
    ordered = rows.withColumn("file", _file_metadata(files)).orderBy("file.position", "row_number")
    cells = F.concat(_original_cells(), _result_cells(run))
    lines = ordered.select(
        F.col("file.position").alias("position"), record_column(cells, F.col("file.separator")).alias("line")
    )
    groups = groupby(lines.toLocalIterator(prefetchPartitions=True), key=lambda row: row["position"])
    position, group = next(groups, (None, iter(())))
    exports = []
    for index, (file, name) in enumerate(zip(files, export_names(files, run.run_id), strict=True)):
        header, separator = [*file["header"], *EXPORT_COLUMNS], export_separator(file.get("separator"))
        file_lines = (row["line"] for row in group) if position == index else iter(())
        layout = _layout(file, header, separator, run)
        keys, excel_keys, written = write_with_workbook(name, layout, file_lines, put, excel=excel, part_rows=part_rows)
        if position == index:
            position, group = next(groups, (None, iter(())))
        if written != file["rows"]["read"]:
            raise LostRowsError(f"{file['rows']['read']} rows were read of file {index + 1}, and {written} were exported")
        exports.append(
            Export(
                source_file=file["key"],
                source_version=file["version_id"],
                rows=written,
                keys=tuple(keys),
                excel_keys=tuple(excel_keys),
            )
        )
    if any(True for _ in chain(group, groups)):
        raise LostRowsError("there are records of a file that Prepare's report does not list")
    return exports


def _layout(file: Mapping[str, Any], header: Sequence[str], separator: str, run: Run) -> Layout:
    text = {file["columns"]["text"]: TEXT_WIDTH} if "text" in file["columns"] else {}
    return Layout(
        header=header,
        separator=separator,
        created=run.answered_at,
        widths={"ptmlops_alternatives": 36, "ptmlops_top_terms": 36, "ptmlops_reason": 36, **text},
        numbers=("ptmlops_confidence",),
    )


def rejected_rows(rejected: DataFrame, run_id: str, put: Put) -> list[str]:
    """Store every rejected row with its reason and its original record, and return the keys."""
    cells = F.array(*[F.col(name).cast("string") for name in REJECTED_COLUMNS])
    lines = rejected.orderBy("source_file", "source_version", "row_number").select(
        record_column(cells, F.lit(",")).alias("line")
    )
    texts = (row["line"] for row in lines.toLocalIterator(prefetchPartitions=True))
    return write_parts(OutputKeys(run_id).rejected, record(REJECTED_COLUMNS, ","), texts, put)[0]


def export_names(files: Sequence[Mapping[str, Any]], run_id: str) -> list[str]:
    """Return the key of each file's export. Keys are unique, stay in the run's folder, and are the same in a redrive.

    Example: `a.csv`, `a.csv.gz`, `../b.jsonl`, `c.xlsx`, `d.xlsx/May` → `a.csv`, `a (2).csv`, `_/b.jsonl.csv`, `c.csv`,
    `d.xlsx/May.csv`, each below `OutputKeys.exports`.
    """
    prefix = OutputKeys(run_id).exports
    taken: set[str] = set()
    names = []
    for file in files:
        # A copy of the bucket on a disk must not leave its folder, so ".." becomes "_".
        safe = "/".join("_" if part in ("", ".", "..") else part for part in file["key"].split("/"))
        stem = safe[: len(safe) - 3] if safe.lower().endswith(".gz") else safe
        stem = stem[: -len(ending)] if (ending := _same_ending(stem)) else stem
        room = KEY_BYTES - len(prefix) - len(" (99).part-0000.xlsx")
        stem = stem.encode()[:room].decode(errors="ignore")
        name, copy = f"{stem}.csv", 2
        while name.lower() in taken:  # some file systems ignore case
            name, copy = f"{stem} ({copy}).csv", copy + 1
        taken.add(name.lower())
        names.append(prefix + name)
    return names


def _same_ending(stem: str) -> str:
    """Return the ending that a file's name and its exports have in common, or an empty string."""
    return next((ending for ending in (".csv", *WORKBOOK_ENDINGS) if stem.lower().endswith(ending)), "")


def record_column(cells: Column, separator: Column) -> Column:
    """Return what `record` returns, of an array<string> column. Null cells are empty."""

    def encode(cell: Column) -> Column:
        text = F.coalesce(cell, F.lit(""))
        text = F.when(text.rlike(FORMULA) & ~text.rlike(NUMBER), F.concat(F.lit(MARK), text)).otherwise(text)
        quoted = F.concat(F.lit('"'), F.replace(text, F.lit('"'), F.lit('""')), F.lit('"'))
        return F.when(text.rlike('[",;\t\r\n]|^ | $'), quoted).otherwise(text)

    return F.concat(F.call_function("array_join", F.transform(cells, encode), separator), F.lit("\r\n"))


def write_parts(name: str, header: str, lines: Iterator[str], put: Put, part_rows: int = PART_ROWS) -> tuple[list[str], int]:
    """Store lines under `name`, or in parts `….part-001.csv`, `….part-002.csv` if there are more than `part_rows`.

    Each part is assembled on disk and stored in one call, so it is never incomplete, and memory holds one line of it.

    Returns:
        (keys, number of lines)
    """
    keys: list[str] = []
    total = 0
    first = next(lines, None)
    while first is not None or not keys:
        with tempfile.TemporaryFile() as part:
            part.write(BYTE_ORDER_MARK + header.encode())
            for text in chain([] if first is None else [first], islice(lines, part_rows - 1)):
                part.write(text.encode())
                total += 1
            first = next(lines, None)
            is_only_part = first is None and not keys
            key = name if is_only_part else f"{name.removesuffix('.csv')}.part-{len(keys) + 1:03d}.csv"
            part.seek(0)
            put(key, part)
            keys.append(key)
    return keys, total


def write_with_workbook(
    name: str, layout: Layout, lines: Iterator[str], put: Put, *, excel: bool, part_rows: int = PART_ROWS
) -> tuple[list[str], list[str], int]:
    """Store lines below the header of `layout` as CSV (`write_parts`) and, with `excel`, as workbooks beside it.

    Returns:
        (keys of the CSV, keys of the workbooks, number of lines)
    """
    with WorkbookParts(name, layout, put, part_rows=part_rows) as parts:
        followed = parts.following(lines) if excel else lines
        keys, written = write_parts(name, record(layout.header, layout.separator), followed, put, part_rows)
        return keys, parts.finish() if excel else [], written


def alternatives_cell() -> Column:
    """Return a string column: the most probable labels, such as `fees 0.91; access 0.05`."""
    labels = F.transform(
        "alternatives", lambda item: F.concat(item["label"], F.lit(" "), F.format_string("%.2f", item["probability"]))
    )
    return F.array_join(labels, "; ")


def terms_cell() -> Column:
    """Return a string column: the terms that contributed most to the label, such as `commission; charged`."""
    return F.array_join(F.transform("top_terms", lambda item: item["term"]), "; ")


def confidence_cell() -> Column:
    """Return a string column: the confidence with four decimals, or null."""
    return F.when(F.col("confidence").isNotNull(), F.format_string("%.4f", "confidence"))


def _file_metadata(files: Sequence[Mapping[str, Any]]) -> Column:
    """Return a struct column of the row's file: position, header, separator, columns (canonical name → name in the file)."""
    metadata = {
        f"{file['key']}#{file['version_id']}": {
            "position": position,
            "header": list(file["header"]),
            "separator": export_separator(file.get("separator")),
            "columns": dict(file["columns"]),
        }
        for position, file in enumerate(files)
    }
    kind = "map<string,struct<position:int,header:array<string>,separator:string,columns:map<string,string>>>"
    by_file = F.from_json(F.lit(json.dumps(metadata, ensure_ascii=False)), kind)
    return F.element_at(by_file, F.concat_ws("#", "source_file", "source_version"))


def _original_cells() -> Column:
    """Return an array<string> column: the row's cells in the order of its file's header."""
    fields = {"text": "text", "complaint_id": "original_id", "label": "label_original"}

    def cell(name: Column) -> Column:
        # Cells are exported as they were uploaded, except for redacted values. Dates are among the carried cells.
        value = F.when(F.call_function("map_contains_key", F.col("carried"), name), F.col("carried")[name])
        for column, field in fields.items():
            value = value.when(F.col("file.columns")[column] == name, F.col(field))
        return value

    return F.transform(F.col("file.header"), cell)


def _result_cells(run: Run) -> Column:
    """Return an array<string> column: the cells of EXPORT_COLUMNS."""
    status, file_label, predicted = F.col("status"), F.col("file_label"), F.col("predicted_label")
    rejected, duplicate = status == "rejected", status == "duplicate"
    to_score = ~rejected & file_label.isNull()
    answered = to_score & predicted.isNotNull()
    state = (
        F.when(rejected | duplicate, status)
        .when(file_label.isNotNull(), "labelled")
        .when(predicted.isNull(), "not scored")
        .otherwise("scored")
    )
    reason = (
        F.when(rejected, F.concat(F.format_string("line %d, ", "line_number"), F.concat_ws(": ", "reason", "detail")))
        .when(duplicate, F.concat(F.lit("same text as "), "duplicate_of"))
        .when(file_label.isNotNull(), "the label is the file's own")
        .when(predicted.isNull(), "the model could not read it")
        .when(F.col("needs_review"), F.coalesce("review_reason", F.lit(ReviewReason.UNCERTAIN.value)))
    )
    amounts = F.transform("entities.amounts", lambda amount: F.concat_ws(" ", amount["value"], amount["currency"]))
    cells = (
        state,
        F.when(~rejected, F.col("complaint_id")),
        F.coalesce(file_label, F.when(answered, predicted)),
        F.when(answered, confidence_cell()),
        F.when(answered, F.when(F.col("needs_review"), "yes").otherwise("no")),
        F.when(answered, alternatives_cell()),
        F.when(answered, terms_cell()),
        F.array_join(amounts, "; "),
        F.col("language"),
        reason,
        F.when(to_score, F.lit(run.model_version)),
    )
    return F.array(*[cell.cast("string") for cell in cells])
