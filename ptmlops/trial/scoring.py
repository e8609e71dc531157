"""Score a trial's second file: predictions.csv repeats each row with its answer, or with the reason why it has none."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptmlops.errors import OperatorError
from ptmlops.trial.checks import NOTHING_NAMED, read_file
from ptmlops_contracts.report import RecordStatus
from ptmlops_contracts.review import ReviewReason
from ptmlops_contracts.run import ExportStatus
from ptmlops_contracts.words import quantity
from stacks.config import Settings

if TYPE_CHECKING:
    from complaints_etl.readers.table import Row, Table

ANSWER_COLUMNS = ("label", "confidence", "needs_review", "alternatives", "top_terms", "status", "reason")
BATCH = 500
UNFAMILIAR = "unfamiliar: the text shares too little with the labelled complaints"  # why an answer needs review

Answer = Mapping[str, Any]


def score(
    base: Path,
    path: Path,
    out: Path,
    settings: Settings,
    report_progress: Callable[[str], None],
    *,
    named: Mapping[str, str] = NOTHING_NAMED,
) -> dict[str, Any]:
    """Write the predictions of a file.

    Args:
        base: the trial's folder: the model in `base/model`, the prepared rows in `base/score`.
        path: the file to score. The output repeats its rows.
        out: the CSV file to write.
        settings: the environment's settings.
        report_progress: shows what happens.
        named: the columns that the person named, by column of ours.

    Returns:
        The number of rows per status, of rows to review, and of texts that are also in the labelled file.
    """
    import pyarrow.dataset as ds
    from complaints_etl.records.identifiers import redact_names
    from complaints_etl.spreadsheet import active

    folder = base / "score" / "runs" / "try"
    columns = ["source_file", "row_number", "complaint_id", "status", "duplicate_of", "text"]
    before = rows_before(json.loads((folder / "report.json").read_text(encoding="utf-8")))

    def place(row: Mapping[str, Any]) -> int:
        return before[row["source_file"]] + int(row["row_number"])

    records = {place(row): row for row in ds.dataset(folder / "records").to_table(columns=columns).to_pylist()}
    rejected = ds.dataset(folder / "rejected").to_table(columns=["source_file", "row_number", "reason", "detail"]).to_pylist()
    reasons = {place(row): f"{row['reason']}: {row['detail']}" for row in rejected}
    accepted = [row for row in records.values() if row["status"] == RecordStatus.ACCEPTED]
    answers = _predict(base / "model", accepted, report_progress)
    report_progress("writing")
    scored, duplicate, refused = (
        status.value for status in (ExportStatus.SCORED, ExportStatus.DUPLICATE, ExportStatus.REJECTED)
    )
    counts = {"rows": 0, scored: 0, duplicate: 0, refused: 0, "needs_review": 0}

    def lines(table: Table) -> Iterator[list[str]]:
        yield [*file_header(redact_names(table.header)), *ANSWER_COLUMNS]
        for row in table.rows:
            record, reason = records.get(row.number), reasons.get(row.number, "")
            if record is None and not reason:
                raise OperatorError(
                    f"row {row.number} of {path} was lost during preparation: this is a defect, please report it"
                )
            answer = answers[record["duplicate_of"] or record["complaint_id"]] if record else None
            status = duplicate if record and record["status"] == RecordStatus.DUPLICATE else scored
            if answer is None or answer["error"]:
                status, reason = refused, reason or str(answer and answer["error"])
            counts["rows"] += 1
            counts[status] += 1
            counts["needs_review"] += bool(answer and answer["needs_review"])
            cells, surplus = file_cells(row, table)
            yield [*map(active, cells), *_answer_cells(answer if status != refused else None, status, reason + surplus)]

    table = read_file(path, settings, named=named, with_label=False)
    write_export(out, lines(table), table.format.separator)
    labelled = _labelled_texts(base / "evaluation" / "input")
    counts["also_labelled"] = sum(row["text"].lower() in labelled for row in accepted)
    report_progress(counted(counts))
    return counts


def rows_before(report: Mapping[str, Any]) -> dict[str, int]:
    """Return, for each table of a workbook or zip archive, how many rows the tables before it have."""
    before, total = {}, 0
    for file in report["files"]:
        before[file["key"]] = total
        total += file["rows"]["read"]
    return before


def counted(counts: Mapping[str, int]) -> str:
    """Return what became of a file's rows, such as `9 rows: 5 scored, 1 duplicate, 3 rejected`."""
    duplicates = quantity(counts[ExportStatus.DUPLICATE], "duplicate")
    rows = quantity(counts["rows"], "row")
    return f"{rows}: {counts[ExportStatus.SCORED]:,} scored, {duplicates}, {counts[ExportStatus.REJECTED]:,} rejected"


def _predict(model_dir: Path, rows: Sequence[Mapping[str, Any]], report_progress: Callable[[str], None]) -> dict[str, Answer]:
    """Classify the rows with the functions that Batch Transform calls. Returns the answers by complaint id."""
    import inference

    model = inference.model_fn(str(model_dir))
    answers: dict[str, Answer] = {}
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH]
        lines = [json.dumps({"complaint_id": row["complaint_id"], "text": row["text"]}).encode() for row in batch]
        for line in inference.predict_fn(lines, model):
            answer = json.loads(line)
            answers[answer["complaint_id"]] = answer
        report_progress(f"{first + len(batch):,} of {len(rows):,}")
    return answers


def _labelled_texts(folder: Path) -> set[str]:
    from complaint_model.labelled_files import read_labelled

    return {row.text.lower() for row in read_labelled(folder / "train", folder / "test")}


def file_header(header: Sequence[str]) -> list[str]:
    """Return the file's column names, renamed if an answer column has the same name: `label` becomes `label_in_file`."""
    taken = {*ANSWER_COLUMNS, *header}
    names = []
    for name in header:
        if name in ANSWER_COLUMNS:
            free = (f"{name}_in_file" + "_" * more for more in count())
            names.append(next(candidate for candidate in free if candidate not in taken))
            taken.add(names[-1])
        else:
            names.append(name)
    return names


def file_cells(row: Row, table: Table) -> tuple[list[str], str]:
    """Return the cells of a row as they are in the file, and a remark on cells beyond the last column.

    The cells of a rejected row are split as far as possible, then filled up or cut to the header's length.
    """
    if row.values:
        return [row.values.get(name, "") for name in table.header], ""
    cells = [row.record]
    if table.format.kind in ("csv", "xlsx"):
        separator = table.format.separator or ","
        with contextlib.suppress(csv.Error):
            cells = next(csv.reader(io.StringIO(row.record, newline=""), delimiter=separator), cells)
    surplus = cells[len(table.header) :]
    padded = [*cells, *[""] * len(table.header)][: len(table.header)]
    return padded, f" (beyond the last column: {json.dumps(surplus, ensure_ascii=False)})" if surplus else ""


def _answer_cells(answer: Answer | None, status: str, reason: str) -> list[str]:
    if answer is None:
        return ["", "", "", "", "", status, reason]
    return [
        answer["label"],
        f"{answer['confidence']:.4f}",
        "yes" if answer["needs_review"] else "no",
        "; ".join(f"{item['label']} {item['probability']:.2f}" for item in answer["alternatives"]),
        "; ".join(item["term"] for item in answer["top_terms"]),
        status,
        UNFAMILIAR if answer["review_reason"] == ReviewReason.UNFAMILIAR else "",
    ]


def write_export(path: Path, lines: Iterator[list[str]], separator: str) -> None:
    """Write a CSV file for spreadsheets, as the exports of a run are."""
    from complaints_etl.spreadsheet import BYTE_ORDER_MARK, export_separator, record

    with path.open("wb") as file:
        file.write(BYTE_ORDER_MARK)
        for cells in lines:
            file.write(record(cells, export_separator(separator)).encode())
