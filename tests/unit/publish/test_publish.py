"""Publish on Prepare's records: every row has its line, no cell is a formula, and a retry writes the same."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq
import pytest
from complaints_etl import spreadsheet
from complaints_etl.job_settings import JobSettings
from complaints_etl.prepare import prepare
from complaints_etl.prepare_output import write
from complaints_etl.publish.exports import (
    EXPORT_COLUMNS,
    LostRowsError,
    Put,
    export_files,
    export_names,
    record_column,
    rejected_rows,
    write_parts,
)
from complaints_etl.publish.join import (
    ANSWER,
    AnswersMismatchError,
    Run,
    check_answers,
    join_answers,
    predictions,
    table_columns,
    write_table,
)
from complaints_etl.publish.review import REVIEW_COLUMNS, priority, review_list
from complaints_etl.publish.statistics import Example, collect_statistics
from complaints_etl.readers.storage import SourceFile
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from python_calamine import CalamineWorkbook

from ptmlops_contracts.drift import length_of, tenth
from stacks.config import load_settings
from tests.unit.etl.workbooks import archive, parts_of

RUN = Run(
    run_id="20261124-100000-abcdef01", model_version="3", answered_at=datetime(2026, 11, 24, 10, 5, tzinfo=UTC), audit_sample=2
)
LONG = "No puedo entrar a mi cuenta desde la semana pasada y nadie en la línea de atención me da una respuesta clara"
FILES = {
    "quejas/julio.csv": (
        "radicado;queja;monto;fecha\n"
        f"=1+1;{LONG};-12,5;03/07/2026\n"
        f"2;{LONG};@cmd;\n"  # the same text: a duplicate of the first
        "3;;+57 1;\n"  # no text
        "rota\n"  # too few fields
        '4;"Me cobraron $120.000; y dijeron ""no""\nescríbanme a ana@example.com";  =2+2;2026-07-04\n'
    ).encode(),
    "julio.jsonl": json.dumps({"text": "Mi tarjeta no llega ☕", "extra": 'a,"b"'}, ensure_ascii=False).encode()
    + b"\n{broken\n",
    "labelled.csv": "text,label\nme negaron el crédito sin explicación,credit\n".encode(),
    "binary.csv": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\xff\xfe\x00",
    "empty_table.csv": b"text,label\n",
    "no_text.csv": b"date,amount\n1,2\n",
}
Stored = dict[str, bytes]


@dataclass(frozen=True)
class Prepared:
    """What Publish finds in the prepared bucket."""

    records: DataFrame
    rejected: DataFrame
    report: dict[str, Any]


@pytest.fixture(scope="module")
def prepared(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare_files(spark, FILES, RUN.run_id, tmp_path_factory.mktemp("prepared"), {})


def prepare_files(
    spark: SparkSession, files: dict[str, bytes], run_id: str, folder: Path, changed: dict[str, Any]
) -> Prepared:
    """Run Prepare as its job does, up to the files that it leaves."""
    chosen = load_settings("local")
    tables = {"complaints": chosen.complaints.model_dump(), "results": chosen.results.model_dump()}
    tables["complaints"].update({"max_reject_share": 1.0, "min_label_rows": 1, **changed})
    sources = [
        SourceFile(key=name, version_id="v1", size=len(body), read=lambda start, end, body=body: body[start:end])  # type: ignore[misc]
        for name, body in files.items()
    ]
    done = prepare(spark, sources, JobSettings.from_tables(tables), run_id=run_id)
    report = write(done, prefix=folder.as_uri(), put=lambda *_: None, started=0)
    base = f"{folder.as_uri()}/runs/{run_id}"
    return Prepared(spark.read.parquet(f"{base}/records").cache(), spark.read.parquet(f"{base}/rejected").cache(), report)


def answer(complaint_id: str, confidence: float = 0.91, **changed: Any) -> dict[str, Any]:
    return {
        "complaint_id": complaint_id,
        "label": "access",
        "confidence": confidence,
        "alternatives": [{"label": "access", "probability": confidence}, {"label": "fees", "probability": 0.05}],
        "needs_review": False,
        "top_terms": [{"term": "=entrar", "contribution": 1.5}, {"term": "cuenta", "contribution": 0.5}],
        "error": None,
        **changed,
    }


def waiting(prepared: Prepared) -> list[str]:
    rows = prepared.records.where("status = 'accepted' AND label IS NULL").orderBy("source_file", "row_number").collect()
    return [row["complaint_id"] for row in rows]


@pytest.fixture(scope="module")
def answers(spark: SparkSession, prepared: Prepared) -> DataFrame:
    reviews = [{}, {"needs_review": True}, {"needs_review": True, "review_reason": "unfamiliar"}]
    rows = [answer(name, 0.5 + index / 10, **reviews[index]) for index, name in enumerate(waiting(prepared))]
    return spark.createDataFrame(rows, ANSWER)


@pytest.fixture
def stored() -> Stored:
    return {}


@pytest.fixture
def put(stored: Stored) -> Callable[[str, IO[bytes]], None]:
    def work(key: str, body: IO[bytes]) -> None:
        assert key not in stored
        stored[key] = body.read()

    return work


def filled_in(workbook: bytes, label: str) -> bytes:
    """Return a review list with the same label in each row."""
    parts = parts_of(workbook)
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    cell = rf'\1<c r="I\2" t="inlineStr"><is><t>{label}</t></is></c></row>'
    sheet = re.sub(r'(<row r="((?!1")\d+)">.*?)</row>', cell, sheet, flags=re.DOTALL)
    return archive({**parts, "xl/worksheets/sheet1.xml": sheet.encode()})


def shown(workbook: bytes) -> list[list[str]]:
    """Return the cells of the first sheet of a workbook; a confidence has four decimals, as in a CSV."""
    rows = CalamineWorkbook.from_object(io.BytesIO(workbook)).get_sheet_by_index(0).iter_rows()
    return [[cell if isinstance(cell, str) else f"{cell:.4f}" for cell in row] for row in rows]


def table(content: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter, strict=True))


@pytest.fixture(scope="module")
def all_exports(prepared: Prepared, answers: DataFrame) -> Stored:
    stored: Stored = {}

    def put(key: str, body: IO[bytes]) -> None:
        stored[key.removeprefix(f"exports/run_id={RUN.run_id}/")] = body.read()

    export_files(join_answers(prepared.records, answers), prepared.rejected, prepared.report, RUN, put)
    return stored


@pytest.fixture
def exported(all_exports: Stored) -> Stored:
    """Those for programs."""
    return {key: body for key, body in all_exports.items() if key.endswith(".csv")}


@pytest.mark.slow
def test_each_dropped_file_has_an_export_with_a_line_for_every_row(exported: Stored, prepared: Prepared) -> None:
    assert set(exported) == {"quejas/julio.csv", "julio.jsonl.csv", "labelled.csv", "empty_table.csv", "no_text.csv"}
    # A picture is no table: it is reported, and has neither rows nor an export.
    read = {file["key"]: file["rows"]["read"] for file in prepared.report["files"]}
    assert read.pop("binary.csv") == 0
    separators = [";", ",", ",", ",", ","]
    assert (
        [len(table(body, mark)) for body, mark in zip(exported.values(), separators, strict=True)]
        == list(read.values())
        == [5, 2, 1, 0, 1]
    )


@pytest.mark.slow
def test_each_export_is_also_a_workbook_with_the_same_rows(all_exports: Stored) -> None:
    workbooks = {key: body for key, body in all_exports.items() if key.endswith(".xlsx")}
    assert set(workbooks) == {
        "quejas/julio.xlsx", "julio.jsonl.xlsx", "labelled.xlsx", "empty_table.xlsx", "no_text.xlsx",
    }  # fmt: skip
    for key, body in workbooks.items():
        mark = ";" if key == "quejas/julio.xlsx" else ","
        rows = list(
            csv.reader(io.StringIO(all_exports[key.replace("xlsx", "csv")].decode("utf-8-sig"), newline=""), delimiter=mark)
        )
        assert shown(body) == [[spreadsheet.active(cell) for cell in row] for row in rows]


@pytest.mark.slow
def test_the_files_own_columns_come_first_in_its_order_and_in_its_dialect(exported: Stored) -> None:
    rows = table(exported["quejas/julio.csv"], ";")

    assert list(rows[0]) == ["radicado", "queja", "monto", "fecha", *EXPORT_COLUMNS]
    assert [row["radicado"] for row in rows] == ["'=1+1", "2", "3", "", "4"]
    assert [row["fecha"] for row in rows] == ["03/07/2026", "", "", "", "2026-07-04"]
    assert rows[4]["queja"] == 'Me cobraron $120.000; y dijeron "no" escríbanme a <EMAIL>'
    assert [row["ptmlops_status"] for row in rows] == ["scored", "duplicate", "rejected", "rejected", "scored"]
    assert rows[4]["ptmlops_amounts"] == "120000.00 COP"


@pytest.mark.slow
def test_a_duplicate_carries_the_answer_of_its_twin_and_a_rejected_row_its_reason(exported: Stored) -> None:
    first, twin, empty, broken, _ = table(exported["quejas/julio.csv"], ";")

    answered = ("ptmlops_label", "ptmlops_confidence", "ptmlops_alternatives", "ptmlops_top_terms", "ptmlops_model_version")
    assert [first[name] for name in answered] == [twin[name] for name in answered]
    assert first["ptmlops_label"] == "access"
    assert twin["ptmlops_reason"] == "same text as =1+1"
    # What is known of a rejected row's cells is shown, redacted as everything else; the line leads to the rest.
    assert (empty["radicado"], empty["monto"]) == ("3", "'+57 1")
    assert empty["ptmlops_reason"] == "line 4, empty_text: the text column holds no text"
    assert broken["ptmlops_reason"].startswith("line 5, wrong_field_count: 1 field where the header has 4")
    [whole] = table(exported["no_text.csv"])
    assert whole["ptmlops_status"] == "rejected"
    assert "no_text_column" in whole["ptmlops_reason"]
    [own] = table(exported["labelled.csv"])
    assert (own["label"], own["ptmlops_status"], own["ptmlops_label"]) == ("credit", "labelled", "credit")
    assert own["ptmlops_model_version"] == ""


@pytest.mark.slow
def test_an_answer_that_needs_review_has_its_reason(exported: Stored) -> None:
    rows = [*table(exported["quejas/julio.csv"], ";"), *table(exported["julio.jsonl.csv"])]
    told = [(row["ptmlops_needs_review"], row["ptmlops_reason"]) for row in rows if row["ptmlops_status"] == "scored"]
    # Models of earlier versions give no reason.
    assert sorted(told) == [("no", ""), ("yes", "uncertain"), ("yes", "unfamiliar")]


@pytest.mark.slow
def test_no_cell_computes_and_numbers_stay_numbers(exported: Stored) -> None:
    rows = table(exported["quejas/julio.csv"], ";")
    assert [row["monto"] for row in rows] == ["-12,5", "'@cmd", "'+57 1", "", "'  =2+2"]
    for body, mark in ((exported["quejas/julio.csv"], ";"), (exported["julio.jsonl.csv"], ",")):
        for row in table(body, mark):
            assert all(spreadsheet.inert(cell) == cell or spreadsheet.active(cell) != cell for cell in row.values())
    assert rows[0]["ptmlops_top_terms"] == "'=entrar; cuenta"


CELLS = st.text(alphabet="=+-@\t\r\n '\"\u00a0\ufeff＝abc1.,e%;ñ", max_size=8)


@given(cell=CELLS)
def test_what_is_marked_as_text_comes_back_as_it_was(cell: str) -> None:
    marked = spreadsheet.inert(cell)

    assert spreadsheet.active(marked) == cell
    bare = marked.lstrip(" \u00a0\ufeff\"'") if marked[:1] != "'" else marked
    assert bare[:1] not in {"=", "@", "\t", "\r"}
    if bare[:1] in {"+", "-"}:
        float(bare.replace(",", ".").rstrip("%").replace(".", "", max(0, bare.replace(",", ".").count(".") - 1)))


@pytest.mark.slow
def test_spark_writes_the_records_that_pythons_csv_reads(spark: SparkSession) -> None:
    import random

    chosen = random.Random(5)  # noqa: S311 - test data
    alphabet = "=+-@\t\r\n '\"\u00a0\ufeff＝abc1.,e%;ñ"
    rows = [["".join(chosen.choices(alphabet, k=chosen.randrange(9))) for _ in range(3)] for _ in range(400)]
    frame = spark.createDataFrame([(index, row) for index, row in enumerate(rows)], "place int, cells array<string>")
    for mark in (",", ";"):
        lines = frame.orderBy("place").select(record_column(F.col("cells"), F.lit(mark)).alias("line")).collect()
        text = "".join(row["line"] for row in lines)
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
        assert found == [[spreadsheet.inert(cell) for cell in row] for row in rows]
        assert [[spreadsheet.active(cell) for cell in row] for row in found] == rows


def file(key: str, version: str = "v1") -> dict[str, Any]:
    return {"key": key, "version_id": version}


def test_no_two_files_have_one_export_and_none_leaves_its_folder() -> None:
    keys = ["a.csv", "a.csv.gz", "A.CSV", "a.csv", "a.jsonl", "../../etc/x.csv", "b//c.txt", "ñ" * 600 + ".csv", "a (2).csv"]
    names = export_names([file(key) for key in keys], "r")

    assert len({name.lower() for name in names}) == len(keys)
    assert [name.removeprefix("exports/run_id=r/") for name in names[:7]] == [
        "a.csv", "a (2).csv", "A (3).csv", "a (4).csv", "a.jsonl.csv", "_/_/etc/x.csv", "b/_/c.txt.csv",
    ]  # fmt: skip
    assert all(len(name.encode()) <= 1024 for name in names)
    assert names[8].endswith("a (2) (2).csv")


@pytest.mark.parametrize(("rows", "parts"), [(0, [0]), (3, [3]), (4, [3, 1]), (9, [3, 3, 3])])
def test_a_large_file_goes_in_parts_each_with_its_header(rows: int, parts: list[int], stored: Stored, put: Put) -> None:
    keys, total = write_parts("x/a.csv", "h\r\n", iter([f"{number}\r\n" for number in range(rows)]), put, 3)

    assert total == rows
    assert keys == (["x/a.csv"] if len(parts) == 1 else [f"x/a.part-{n:03d}.csv" for n in range(1, len(parts) + 1)])
    assert [len(table(stored[key])) for key in keys] == parts
    assert [row["h"] for key in keys for row in table(stored[key])] == [str(number) for number in range(rows)]


def test_a_large_file_is_never_in_memory(put: Put) -> None:
    import tracemalloc

    row = "x" * 1000 + "\r\n"
    tracemalloc.start()
    written = 0

    def count(_: str, body: IO[bytes]) -> None:
        nonlocal written
        written += sum(len(block) for block in iter(lambda: body.read(65536), b""))

    write_parts("a.csv", "h\r\n", (row for _ in range(50_000)), count, 20_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert written > 50_000_000
    assert most < 2_000_000


@pytest.mark.slow
def test_parts_of_an_export_hold_each_row_once(prepared: Prepared, answers: DataFrame, stored: Stored, put: Put) -> None:
    exports = export_files(join_answers(prepared.records, answers), prepared.rejected, prepared.report, RUN, put, part_rows=2)

    first = next(export for export in exports if export.source_file == "quejas/julio.csv")
    assert len(first.keys) == 3
    assert [len(shown(stored[key])) for key in first.excel_keys] == [3, 3, 2]
    numbers = [row["radicado"] for key in first.keys for row in table(stored[key], ";")]
    assert numbers == ["'=1+1", "2", "3", "", "4"]


@pytest.mark.slow
def test_a_rejected_row_without_details_has_its_reason(
    prepared: Prepared, answers: DataFrame, stored: Stored, put: Put
) -> None:
    rejected = prepared.rejected.withColumn("detail", F.lit(None).cast("string"))
    exports = export_files(join_answers(prepared.records, answers), rejected, prepared.report, RUN, put)

    [key] = next(export for export in exports if export.source_file == "quejas/julio.csv").keys
    rows = table(stored[key], ";")
    assert [row["ptmlops_reason"] for row in rows if row["ptmlops_status"] == "rejected"] == [
        "line 4, empty_text",
        "line 5, wrong_field_count",
    ]


@pytest.mark.slow
def test_an_export_that_lacks_a_row_is_an_error(prepared: Prepared, answers: DataFrame, put: Put) -> None:
    report = json.loads(json.dumps(prepared.report))
    report["files"][0]["rows"]["read"] += 1
    with pytest.raises(LostRowsError, match="6 rows were read of file 1, and 5 were exported"):
        export_files(join_answers(prepared.records, answers), prepared.rejected, report, RUN, put)
    report = {**prepared.report, "files": prepared.report["files"][1:]}
    with pytest.raises(LostRowsError):
        export_files(join_answers(prepared.records, answers), prepared.rejected, report, RUN, lambda *_: None)


@pytest.mark.slow
def test_answers_must_be_exactly_of_what_was_asked(spark: SparkSession, prepared: Prepared, answers: DataFrame) -> None:
    check_answers(prepared.records, answers)
    names = waiting(prepared)
    wrong = [answer(names[0]), answer(names[0]), answer("stranger"), answer(None)]  # type: ignore[arg-type]
    with pytest.raises(
        AnswersMismatchError,
        match="2 complaints have no answer, 2 answers match no complaint, 1 complaints have several answers",
    ):
        check_answers(prepared.records, spark.createDataFrame(wrong, ANSWER))


@pytest.mark.slow
def test_the_review_list_has_the_most_instructive_first_and_then_a_sample(
    spark: SparkSession, prepared: Prepared, stored: Stored, put: Put
) -> None:
    names = waiting(prepared)
    assert len(names) == 3
    found = [
        answer(names[0], 0.4, needs_review=True),
        answer(names[1], 0.3, needs_review=True, review_reason="unfamiliar"),
        {**answer(names[2]), "label": None, "confidence": None, "needs_review": None, "error": "text is empty"},
    ]
    joined = join_answers(prepared.records, spark.createDataFrame(found, ANSWER))
    made = review_list(joined, RUN, put, labels=["fees", "access"])
    keys = made.keys

    assert [key.rpartition("/")[2] for key in keys] == ["review.csv", "review.xlsx"]
    assert made.counts == {"not answered": 1, "new theme": 0, "uncertain": 1, "unfamiliar": 1, "audit sample": 0}
    rows = table(stored[keys[0]])
    assert list(rows[0]) == list(REVIEW_COLUMNS)
    assert [spreadsheet.active(row["complaint_id"]) for row in rows] == [names[2], names[1], names[0]]
    assert [row["confidence"] for row in rows] == ["", "0.3000", "0.4000"]
    assert shown(stored[keys[1]])[1:] == [[spreadsheet.active(cell) for cell in row.values()] for row in rows]
    sheets = CalamineWorkbook.from_object(io.BytesIO(stored[keys[1]]))
    assert list(sheets.get_sheet_by_name("ptmlops_labels").iter_rows()) == [["access"], ["fees"], ["ptmlops_not_a_complaint"]]
    # The third answer is of a model of an earlier version, which gives no reason.
    assert [row["why"] for row in rows] == ["not answered", "unfamiliar", "uncertain"]
    assert {row["label"] for row in rows} == {""}
    # The page gets the same rows, with what their cells were before they were made inert.
    assert [row.cells["complaint_id"] for row in made.first.rows] == [names[2], names[1], names[0]]
    assert [dict(row.cells) for row in made.first.rows] == [
        {name: spreadsheet.active(cell) for name, cell in row.items() if name != "label"} for row in rows
    ]
    assert [row.why for row in made.first.rows] == ["not answered", "unfamiliar", "uncertain"]
    assert made.first.rows[1].alternatives == [("access", 0.3), ("fees", 0.05)]
    assert made.first.rows[1].terms == ["=entrar", "cuenta"]
    certain = join_answers(prepared.records, spark.createDataFrame([answer(name) for name in names], ANSWER))
    samples = []
    for _ in range(2):
        stored.clear()
        made = review_list(certain, RUN, put, separator=";")
        keys = made.keys
        assert made.counts == {"not answered": 0, "new theme": 0, "uncertain": 0, "unfamiliar": 0, "audit sample": 2}
        samples.append([row["complaint_id"] for row in table(stored[keys[0]], ";")])
    assert samples[0] == samples[1]  # drawn by a hash: a retry draws the same


@pytest.mark.slow
def test_rows_between_rare_labels_come_before_equally_uncertain_ones(spark: SparkSession) -> None:
    def row(name: str, *alternatives: tuple[str, float]) -> tuple[str, float, list[tuple[str, float]]]:
        return name, alternatives[0][1], list(alternatives)

    rows = [
        row("certain", ("fees", 0.9), ("rare", 0.1)),
        row("torn", ("fees", 0.5), ("access", 0.45)),
        row("torn, rare", ("fees", 0.5), ("rare", 0.45)),
        row("unknown to the run", ("fees", 0.5), ("gone", 0.45)),
        row("one label", ("rare", 0.4)),
    ]
    frame = spark.createDataFrame(
        rows, "name string, confidence double, alternatives array<struct<label:string,probability:double>>"
    )
    found = frame.select("name", priority({"fees": 75, "access": 21, "rare": 4}).alias("priority")).collect()

    fees, access, rare = (100 / 75) ** 0.5, (100 / 21) ** 0.5, (100 / 4) ** 0.5
    mean = (fees + access + rare) / 3
    expected = {
        "certain": (1 - 0.8) * (0.9 * fees + 0.1 * rare),
        "torn": (1 - 0.05) * (0.5 * fees + 0.45 * access + 0.05 * mean),
        "torn, rare": (1 - 0.05) * (0.5 * fees + 0.45 * rare + 0.05 * mean),
        "unknown to the run": (1 - 0.05) * (0.5 * fees + 0.5 * mean),
        "one label": 0.6 * (0.4 * rare + 0.6 * mean),
    }
    assert {row["name"]: row["priority"] for row in found} == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["review.xlsx", "review.csv"])
def test_a_review_list_comes_back_as_training_data_with_its_texts_and_ids_as_they_were(
    spark: SparkSession, prepared: Prepared, answers: DataFrame, tmp_path: Path, name: str
) -> None:
    """Also in an environment that calls its columns otherwise, and the CSV after a spreadsheet saved it in its own way."""
    respelled = name == "review.csv"
    uncertain = answers.withColumn("needs_review", F.lit(True))
    found: list[bytes] = []
    review_list(
        join_answers(prepared.records, uncertain), RUN, lambda _, body: found.append(body.read()), labels=["Acceso", "Pagos"]
    )
    rows = table(found[0])
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, REVIEW_COLUMNS, delimiter=";")
    writer.writeheader()
    for row in rows:
        day = "/".join(reversed(row["received_at"].split("-")))
        writer.writerow({**row, "received_at": day, "label": "Acceso"})
    cup = "?" if respelled else "☕"
    body = out.getvalue().replace("☕", cup).encode("cp1252") if respelled else filled_in(found[1], "Acceso")
    columns = {"complaint_id": ["x"], "text": ["cuerpo"], "label": ["tipo"], "received_at": ["dia"]}
    changed = {"columns": columns, "max_reject_share": 0.0}

    taught = prepare_files(spark, {name: body}, "20261125-100000-abcdef01", tmp_path, changed)

    before = {row["complaint_id"]: row for row in prepared.records.collect()}
    again = taught.records.collect()
    assert len(again) == 3
    for row in again:
        was = before[row["complaint_id"]]
        assert row["label"] == "Acceso"
        assert row["text"] == was["text"].replace("☕", cup)
        assert (row["received_at"] and row["received_at"].date()) == (was["received_at"] and was["received_at"].date())


@pytest.mark.slow
def test_rejected_rows_are_kept_as_they_were(prepared: Prepared, stored: Stored, put: Put) -> None:
    [key] = rejected_rows(prepared.rejected, RUN.run_id, put)
    rows = table(stored[key])
    assert [(row["source_file"], row["line_number"], row["reason"]) for row in rows] == [
        ("julio.jsonl", "2", "malformed_row"),
        ("no_text.csv", "1", "no_text_column"),
        ("quejas/julio.csv", "4", "empty_text"),
        ("quejas/julio.csv", "5", "wrong_field_count"),
    ]
    assert rows[0]["record"] == "{broken"


def physical(folder: Path) -> list[Any]:
    return [pq.read_schema(path) for path in sorted(folder.glob("*.parquet"))]


@pytest.mark.slow
def test_every_run_writes_the_same_types(spark: SparkSession, prepared: Prepared, answers: DataFrame, tmp_path: Path) -> None:
    """A run with no amount, no date and no answer infers nothing else: the types are the table's and not the data's."""
    joined = join_answers(prepared.records, answers)
    bare = joined.withColumn("entities", F.lit(None)).withColumn("received_at", F.lit(None)).withColumn("confidence", F.lit(1))
    for name, frame in (("full", joined), ("bare", bare), ("none", joined.where("false"))):
        write_table(predictions(frame, RUN), str(tmp_path / name), rows=3)
    schemas = [schema for name in ("full", "bare", "none") for schema in physical(tmp_path / name)]
    assert len(schemas) == 3
    assert schemas[0].types == schemas[1].types == schemas[2].types
    assert schemas[0].names == schemas[1].names == schemas[2].names
    declared = {name: kind.replace(" ", "") for name, kind in table_columns()}
    written = {field.name: field.dataType.simpleString() for field in spark.read.parquet(str(tmp_path / "full")).schema}
    assert list(written.items()) == list(declared.items())
    [row] = {row["predicted_at"] for row in spark.read.parquet(str(tmp_path / "full")).collect()}
    assert row == datetime(2026, 11, 24, 10, 5)


@pytest.mark.slow
def test_each_category_has_its_most_confident_certain_complaint_of_medium_length_as_example(spark: SparkSession) -> None:
    def row(
        number: int, label: str, confidence: float, text: str, amount: float | None, *, review: bool = False
    ) -> tuple[Any, ...]:
        amounts = [(amount, "COP" if amount > 10 else None)] if amount else []
        return (
            str(number),
            label,
            confidence,
            review,
            [("term", 1.0)],
            (amounts,),
            "es",
            text,
            {1: 0.0, 2: 1.0}.get(number, 0.79),
        )

    medium = "Me cobraron dos veces la cuota de manejo de mi tarjeta y nadie responde. "
    rows = [
        row(1, "fees", 0.99, "corto", 100.0),
        row(2, "fees", 0.95, medium + "uno", 300.0),
        row(3, "fees", 0.95, medium + "dos", 5.0),
        row(4, "fees", 0.99, medium + "tres", None, review=True),
        row(5, "access", 0.5, "a" * 397 + " <EMAIL> y más", 200.0, review=True),
    ]
    schema = (
        "complaint_id string, label string, confidence double, needs_review boolean, top_terms array<struct<term:string,"
        "contribution:double>>, entities struct<amounts:array<struct<value:double,currency:string>>>, language string, text string,"
        "known_share double"
    )
    found = collect_statistics(spark.createDataFrame(rows, schema))

    # Evaluate counts the held-out rows in the same buckets.
    assert found.lengths == Counter(length_of(len(row[7].split())) for row in rows)
    assert {str(place): count for place, count in enumerate(found.known) if count} == Counter(tenth(row[8]) for row in rows)
    assert {str(place): count for place, count in enumerate(found.confidence) if count} == Counter(
        tenth(row[2]) for row in rows
    )
    fees, access = found.categories["fees"].example, found.categories["access"].example
    assert fees == Example(text=medium + "uno", language="es", terms=["term"])
    assert access == Example(text="a" * 397 + " …", language="es", terms=["term"], is_certain=False)  # no mask is cut
    assert found.medians == {"COP": 200.0, "": 5.0}
    assert [(of.label, of.currency, of.mentions, of.total) for of in found.amounts] == [
        ("access", "COP", 1, 200.0), ("fees", "COP", 2, 400.0), ("fees", "", 1, 5.0),
    ]  # fmt: skip
