"""Prepare: every row accounted for, nothing personal kept, copies on one side of every split, the same again on a rerun."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from complaints_etl.job_settings import JobSettings
from complaints_etl.prepare import Prepared, Refusal, prepare
from complaints_etl.prepare_output import write
from complaints_etl.publish.exports import export_files
from complaints_etl.publish.join import Run as PublishedRun
from complaints_etl.publish.join import join_answers, no_answers
from complaints_etl.publish.label_checks import LABEL_TO_CHECK
from complaints_etl.publish.review import REVIEW_COLUMNS
from complaints_etl.readers.storage import SourceFile
from complaints_etl.records.cross_row import find_rows_no_longer_rare
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from ptmlops import generator
from ptmlops_contracts.report import NOT_A_COMPLAINT
from tests.unit.etl.workbooks import archive, workbook

Run = Callable[..., Prepared]
pytestmark = pytest.mark.slow  # every test is a Spark job or more


def table(*rows: dict[str, str]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def collected(prepared: Prepared) -> list[Any]:
    return sorted(prepared.records.collect(), key=lambda row: (row["source_file"], row["row_number"]))


def balanced(report: dict[str, Any]) -> bool:
    parts = [report["rows"], *(file["rows"] for file in report["files"])]
    return all(rows["read"] == rows["accepted"] + rows["rejected"] + rows["duplicates"] for rows in parts)


def stored(prepared: Prepared, folder: Path) -> Any:
    """The index as a later run finds it."""
    prepared.index.write.mode("overwrite").parquet(str(folder / "index"))
    return SparkSession.builder.getOrCreate().read.parquet(str(folder / "index"))


LONG = "No puedo entrar a mi cuenta desde la semana pasada y nadie en la línea de atención me da una respuesta clara"


def test_rows_of_good_and_bad_files_are_all_accounted_for(run: Run) -> None:
    prepared = run(
        {
            "a.csv": b'text,label\nla app no abre,app\n"sin cerrar,app\nme cobraron dos veces,fees\n,fees\nuno,dos,tres\n',
            "b.csv": b"date,amount\n1,2\n",
            "c.txt": "Otra queja más, con ñ".encode(),
            "d.csv.gz": b"no gzip",
        }
    )
    report = prepared.report
    assert balanced(report)
    assert report["rows"] == {"read": 8, "accepted": 3, "rejected": 5, "duplicates": 0}
    assert report["rejects"] == {
        "broken_gzip": 1, "empty_text": 1, "no_text_column": 1, "unclosed_quote": 1, "wrong_field_count": 1,
    }  # fmt: skip
    whole = {file["key"]: file["rejected_whole"] for file in report["files"]}
    assert whole == {"a.csv": None, "b.csv": "no_text_column", "c.txt": None, "d.csv.gz": "broken_gzip"}
    rejected = {row["reason"]: row for row in prepared.rejected.collect()}
    assert rejected["unclosed_quote"]["line_number"] == 3
    assert rejected["unclosed_quote"]["record"] == '"sin cerrar,app'
    assert rejected["empty_text"]["detail"]


def test_files_that_nobody_would_expect_in_one_run(run: Run) -> None:
    """Names, dates, labels, encodings and damage of every kind; and nothing of a text in the report."""
    note = "Ana Peña pidió que le devolvieran hoy mismo toda la plata que perdió en el cajero del centro"
    broken = (
        'text,label\nmañana llega la tarjeta nueva,app\nrota é,app\n"sin cerrar la comilla,app\nqueja siguiente completa,app\n'
    )
    files = {
        "a/queja.csv": (
            "id,text,label,fecha\n7,La aplicación no abre desde ayer en la mañana,app,2026-01-02T10:00:00Z\n"
            f"7,=1+1 me cobraron dos veces la cuota,fees,+99999-01-01\n,Cajero sin plata en la sucursal,{note},0000-00-00\n"
            ",Texto\x00 con nulo y sin etiqueta alguna,,2026-01-05\n"
        ).encode(),
        "b/queja.csv": (
            "id,text,label,fecha\n7,La aplicación no abre desde ayer en la mañana,web,02/02/2026\n"
            "c-1,Otra cosa muy distinta de las demás,ana@example.com,02/02/2026 10:30\n"
        ).encode(),
        "Año + quejas=1.csv": "sep=;\r\nqueja;etiqueta\r\nNo me entregan, dicen, el paz y salvo;app\r\n".encode("utf-16"),
        "solo encabezado.csv": b"text,label\n",
        "libro.csv": b"PK\x03\x04" + bytes(range(256)),
        "mal.csv.gz": gzip.compress(b"text\n" + b"hola amigos\n" * 99)[:-9],
        "dos.CSV.GZ": gzip.compress(b"text,label\nprimera parte de la queja,app\n")
        + gzip.compress(b"segunda y otra parte,app\n"),
        "x.jsonl": b'{"text":"mal \\ud800 y queja","label":["fees"]}\n{"text":1e400}\n{"text":"a","text":"b"}\n',
        "grande.csv": b"text,label\n" + b"palabra " * 125_000 + b",app\n" + b"y" * 3_000_000 + b",app\n",
        "sin texto.csv": "Ana Peña,ana@example.com\n1,2\n".encode(),
        "roto.csv": broken.encode().replace("rota é".encode(), b"rota \xe9"),
    }
    prepared = run(files, min_label_rows=1)
    report, rows = prepared.report, collected(prepared)
    assert balanced(report)
    assert report["rows"] == {"read": 20, "accepted": 13, "rejected": 6, "duplicates": 1}
    assert report["rejects"] == {
        "broken_encoding": 1, "malformed_row": 1, "no_text_column": 1, "too_long": 1, "truncated_gzip": 1,
        "unclosed_quote": 1,
    }  # fmt: skip
    assert report["labels"] == {"<EMAIL>": 1, '["fees"]': 1, "app": 6, "fees": 1, "web": 1}
    assert report["unknown_labels"] == {"(over 80 characters)": 1}
    assert report["blank_labels"] == 2
    assert report["flags"] == {"conflicting_label": 1, "truncated": 1, "unknown_label": 1, "unread_date": 2}
    assert report["characters"] == {
        "up_to_50": 12, "over_50": 0, "over_100": 0, "over_200": 0, "over_500": 0, "over_1000": 0, "over_2000": 0, "over_5000": 0,
        "over_10000": 1,
    }  # fmt: skip
    assert report["versions"]["spark"] == prepared.records.sparkSession.version
    told = json.dumps(report, ensure_ascii=False)
    assert not [word for word in ("Peña", "ana@example", "cajero", "mañana", "palabra", "312") if word in told]
    dates = {row["text"][:6]: row["received_at"] for row in rows}
    assert (dates["=1+1 m"], dates["Cajero"]) == (None, None)
    assert dates["Otra c"].isoformat() == "2026-02-02T10:30:00"
    twins = [row for row in rows if row["text"].startswith("La apl")]
    assert [(row["label"], row["status"]) for row in twins] == [("app", "duplicate"), ("web", "accepted")]
    assert len({row["complaint_id"] for row in rows}) == 14
    assert [row["source_file"] for row in rows if row["original_id"] == "7"] == ["a/queja.csv"] * 2 + ["b/queja.csv"]
    rejected = {row["reason"]: row for row in prepared.rejected.collect()}
    assert rejected["broken_encoding"]["record"] == "rota \\xe9,app"
    assert rejected["no_text_column"]["record"] == "<NAME>,<EMAIL>"
    assert len(rejected["too_long"]["record"]) == 20_000
    assert "Ana" not in " ".join(row["detail"] for row in rejected.values())


OTHER_FILES = {
    "agosto/.DS_Store": bytes(6000),
    "agosto/._pocas.csv": b"\x00\x05\x16\x07" + bytes(90),
    "agosto/~$resumen.xlsx": b"\x03Ana" + bytes(160),
    "agosto/carta.docx": b"PK\x03\x04" + bytes(range(256)),
    "agosto/fotos.rar": b"Rar!\x1a\x07" + bytes(90),
    "agosto/foto.csv": b"\xff\xd8\xff\xe0" + bytes(range(256)),
}


def test_files_that_are_no_tables_are_reported_and_have_no_rows(run: Run) -> None:
    body = b"id,texto\n" + b"".join(b"P%d,el cajero %s no entrega billetes\n" % (n, b"x" * (n + 1)) for n in range(6))
    prepared = run({**OTHER_FILES, "agosto/pocas.csv": body}, max_reject_share=0.0)
    report = prepared.report
    assert balanced(report)
    assert report["rows"] == {"read": 6, "accepted": 6, "rejected": 0, "duplicates": 0}
    assert (report["rejects"], report["refused"]) == ({}, None)
    whole = {file["key"].removeprefix("agosto/"): file["rejected_whole"] for file in report["files"]}
    assert whole == {
        ".DS_Store": "unsupported_format", "._pocas.csv": "unsupported_format", "~$resumen.xlsx": "unsupported_format",
        "carta.docx": "unsupported_format", "fotos.rar": "unsupported_format", "foto.csv": "binary_file", "pocas.csv": None,
    }  # fmt: skip
    stored = {}
    exports = export_files(
        join_answers(prepared.records, no_answers(prepared.records.sparkSession)),
        prepared.rejected,
        report,
        PublishedRun(run_id=report["run_id"], model_version="1", answered_at=datetime(2026, 1, 1, tzinfo=UTC), audit_sample=0),
        lambda key, part: stored.update({key: part.read()}),
    )
    assert [export.source_file for export in exports] == ["agosto/pocas.csv"]
    assert [key.rpartition("/")[2] for key in stored] == ["pocas.csv", "pocas.xlsx"]


def test_sheets_and_members_of_archives_are_accounted_for_like_files(run: Run) -> None:
    header = ["Radicado", "Fecha", "Descripción", "Motivo"]
    book = workbook(
        {
            "Portada": [["Informe de quejas"]],
            "Enero": [
                header,
                [1234567, datetime(2026, 1, 5), "el cajero no entrega billetes", "cajero"],
                [],
                [123, None, "N/A", None],
            ],
            "Febrero": [header, ["0001", None, "=la app se cierra sola", "app"]],
        },
        datetime="dd/mm/yyyy",
    )
    packed = archive({"b/notas.csv": b"texto\nme cobraron dos veces la cuota\n", "foto.png": b"\x89PNG", "otro.zip": b"PK"})
    prepared = run({"q.xlsx": book, "todo.zip": packed, "viejo.xls": b"\xd0\xcf\x11\xe0", "roto.xlsx": book[:300]})
    report = prepared.report
    assert balanced(report)
    assert report["rows"] == {"read": 7, "accepted": 3, "rejected": 4, "duplicates": 0}
    assert {file["key"]: (file["rejected_whole"], file["rows"]["read"], file.get("part_of")) for file in report["files"]} == {
        "q.xlsx/Portada": ("other_sheet", 0, "q.xlsx"), "q.xlsx/Enero": (None, 2, "q.xlsx"), "q.xlsx/Febrero": (None, 1, "q.xlsx"),
        "todo.zip/b/notas.csv": (None, 1, "todo.zip"), "todo.zip/foto.png": ("unsupported_format", 0, "todo.zip"),
        "todo.zip/otro.zip": ("unsafe_archive", 1, "todo.zip"), "viejo.xls": ("other_spreadsheet", 1, None),
        "roto.xlsx": ("broken_zip", 1, None),
    }  # fmt: skip
    assert [file.get("short_ids") for file in report["files"][1:3]] == [1, 0]
    records = {row["source_file"]: row for row in prepared.records.collect()}
    january, february = records["q.xlsx/Enero"], records["q.xlsx/Febrero"]
    assert (january["line_number"], january["original_id"], f"{january['received_at']:%Y-%m-%d}") == (
        2,
        "1234567",
        "2026-01-05",
    )
    assert (february["line_number"], february["original_id"], february["text"]) == (2, "0001", "=la app se cierra sola")
    rejected = {row["source_file"]: row for row in prepared.rejected.collect()}
    assert (rejected["q.xlsx/Enero"]["line_number"], rejected["q.xlsx/Enero"]["record"]) == (4, "123,,N/A,")
    assert "save it as an Excel workbook" in rejected["viejo.xls"]["detail"]
    stored: dict[str, bytes] = {}
    export_files(
        join_answers(prepared.records, no_answers(prepared.records.sparkSession)),
        prepared.rejected,
        report,
        PublishedRun(run_id=report["run_id"], model_version="1", answered_at=datetime(2026, 1, 1, tzinfo=UTC), audit_sample=0),
        lambda key, part: stored.update({key.partition("/run_id=")[2].partition("/")[2]: part.read()}),
    )
    assert {"q.xlsx/Enero.csv", "q.xlsx/Febrero.csv", "todo.zip/b/notas.csv", "roto.csv"} <= stored.keys()
    assert (
        stored["q.xlsx/Enero.csv"]
        .decode("utf-8-sig")
        .splitlines()[1]
        .startswith("1234567,2026-01-05,el cajero no entrega billetes,cajero,")
    )
    assert stored["q.xlsx/Febrero.csv"].decode("utf-8-sig").splitlines()[1].startswith("0001,,'=la app se cierra sola,app,")


def test_a_run_of_nothing_but_other_files_ends_with_the_reason(run: Run) -> None:
    refusal = run(OTHER_FILES)
    assert isinstance(refusal, Refusal)
    assert "hold no row at all and 6 files of them cannot be a table" in refusal.message
    assert ".csv, .tsv" in refusal.message
    assert refusal.report["rows"]["read"] == 0


@pytest.mark.nightly
def test_a_large_file_in_parts_is_the_file_as_a_whole(run: Run) -> None:
    """Cut every 1,000 bytes: inside quotes, at newlines in texts, in the middle of a character."""
    rows = [
        {
            "id": str(number),
            "text": f'Queja {number}: dijo "no",\n\nñandú número {"x" * (number % 37)}\nfin {number * 7919}',
            "label": "a",
        }
        for number in range(120)
    ]
    body = table(*rows) + b"rota\n"
    inches = b"text,label\n" + b"".join(b'la pantalla de 5" se rompio %d,a\n' % number for number in range(60))
    others = {
        "excel.csv": b"sep=,\r\n" + body,
        "inches.csv": inches,
        "no.csv": body.replace(b"text", b"nada", 1),
        "mac.csv": inches.replace(b"\n", b"\r"),
        "report.csv": "Informe de reclamación\r\n\r\n".encode() + body,
    }
    whole, parts = run({"a.csv": body}), run({"a.csv": body, **others}, part_bytes=1000)
    keys = ("row_number", "line_number", "text", "original_id")
    expected = [tuple(row[key] for key in keys) for row in collected(whole)]
    assert len(expected) == 120
    assert [tuple(row[key] for key in keys) for row in collected(parts) if row["source_file"] == "a.csv"] == expected
    after_mark = [(row_number, line + 1, *rest) for row_number, line, *rest in expected]
    assert [tuple(row[key] for key in keys) for row in collected(parts) if row["source_file"] == "excel.csv"] == after_mark
    below_title = [(row_number, line + 2, *rest) for row_number, line, *rest in expected]
    assert [tuple(row[key] for key in keys) for row in collected(parts) if row["source_file"] == "report.csv"] == below_title
    [broken] = whole.rejected.collect()
    found = {row["source_file"]: (row["line_number"], row["record"]) for row in parts.rejected.collect()}
    assert found == {
        "a.csv": (broken["line_number"], "rota"), "excel.csv": (broken["line_number"] + 1, "rota"),
        "no.csv": (1, "id,nada,label"), "report.csv": (broken["line_number"] + 2, "rota"),
    }  # fmt: skip
    assert [file["rows"]["read"] for file in parts.report["files"]] == [121, 121, 60, 1, 60, 121]
    assert balanced(parts.report)


def test_too_many_rejects_in_every_file_stop_the_run_with_every_row_counted(run: Run, tmp_path: Path) -> None:
    files = {"a.csv": b"text,label\nhola amigos,a\nuno\ndos\n", "b.csv": b"text,label\nuno\ndos\n"}
    refusal = run(files, max_reject_share=0.5)
    assert isinstance(refusal, Refusal)
    message = r"80% of 5 rows .* wrong_field_count \(4 rows, for instance line 3 of file 1 of 2"
    assert re.match(message, refusal.message)
    write(refusal, prefix=f"file://{tmp_path}", put=lambda key, text: (tmp_path / key).write_text(text), started=0.0)
    base = tmp_path / "runs" / refusal.report["run_id"]
    report = json.loads((base / "report.json").read_text())
    assert report["rows"] == {"read": 5, "accepted": 1, "rejected": 4, "duplicates": 0}
    assert report["rejects"] == {"wrong_field_count": 4}
    assert len(pq.read_table(base / "rejected")) == 4
    assert not (tmp_path / "labelled").exists()
    assert not (base / "records").exists()


def test_too_many_rejects_in_one_file_refuse_that_file_and_no_other(run: Run) -> None:
    good = table(
        *({"text": f"la aplicación falla por el motivo número {word}", "label": "app"} for word in ("uno", "dos", "tres"))
    )
    bad = b"text,label\nun cobro que no hice,fees\nuno\ndos\n"
    prepared = run({"a.csv": good, "b.csv": bad, "c.csv": b"PK\x03\x04" + bytes(range(256))}, max_reject_share=0.5)

    assert isinstance(prepared, Prepared)
    assert prepared.report["refused"] is None
    assert balanced(prepared.report)
    assert prepared.report["rows"] == {"read": 6, "accepted": 3, "rejected": 3, "duplicates": 0}
    assert prepared.report["rejects"] == {"file_refused": 1, "wrong_field_count": 2}
    assert {file["key"]: file["refused"] for file in prepared.report["files"]} == {
        "a.csv": None,
        "b.csv": "67% of its rows were rejected, over the limit of 50%",
        "c.csv": None,  # it is not a table and has no rows
    }
    assert {row["source_file"] for row in collected(prepared)} == {"a.csv"}
    lost = prepared.rejected.where("reason = 'file_refused'").collect()
    assert [(row["source_file"], row["line_number"], row["text"]) for row in lost] == [("b.csv", 2, "un cobro que no hice")]
    assert [row["detail"] for row in lost] == ["too many other rows of its file were rejected"]


def test_ids_are_unique_and_the_originals_kept(run: Run) -> None:
    rows = collected(
        run(
            {
                "a.csv": table(
                    {"id": "7", "text": LONG},
                    {"id": "7", "text": LONG + " hoy"},
                    {"id": "", "text": "otra cosa distinta"},
                    {"id": "ana@example.com", "text": "no me llega el código"},
                    {"id": "CC 79.123.456", "text": "cobro doble ayer"},
                    {"id": "PQR 20260001", "text": "el cajero no dio plata"},
                ),
                "b.jsonl": b'{"id":"ana@example.com","text":"la app se cierra sola"}\n',
            }
        )
    )
    assert [row["original_id"] for row in rows] == ["7", "7", None, "<EMAIL>", "CC <ID_NUMBER>", "PQR 20260001", "<EMAIL>"]
    assert (rows[0]["complaint_id"], rows[5]["complaint_id"]) == ("7", "PQR 20260001")
    assert len({row["complaint_id"] for row in rows}) == 7
    assert all(row["complaint_id"].startswith("c-") for row in (*rows[1:5], rows[6]))


def test_rows_without_an_id_keep_theirs_when_the_file_is_repaired_and_dropped_again(run: Run) -> None:
    first = collected(
        run({"a.csv": table({"text": LONG, "date": "2026-01-02"}, {"text": "no abre la app"}, {"text": "no abre la app"})})
    )
    again = collected(
        run({"b.csv": table({"text": "una que faltaba"}, {"text": "no abre la app"}, {"text": LONG, "date": "2026-01-02"})})
    )
    ids = [row["complaint_id"] for row in first]
    assert len(set(ids)) == 3
    assert [row["complaint_id"] for row in again[1:]] == [ids[1], ids[0]]
    assert [row["group_id"] for row in again[1:]] == [first[1]["group_id"], first[0]["group_id"]]
    other_day = collected(run({"a.csv": table({"text": LONG, "date": "2026-01-03"})}))
    assert other_day[0]["complaint_id"] != ids[0]


def test_the_same_text_is_a_duplicate_across_files_and_the_newest_label_wins(run: Run) -> None:
    prepared = run(
        {
            "a.csv": table({"text": LONG, "label": "old", "received_at": "2026-01-01"}),
            "b.csv": table({"text": LONG.upper() + "  ", "label": "new", "received_at": "2026-02-01"}),
        },
        min_label_rows=1,
    )
    first, second = collected(prepared)
    assert (first["status"], second["status"]) == ("duplicate", "accepted")
    assert first["duplicate_of"] == second["complaint_id"]
    assert second["label"] == "new"
    assert prepared.report["conflicting_texts"] == 1


def test_near_copies_share_a_group_and_a_split_and_different_texts_do_not(run: Run) -> None:
    near = LONG.replace("clara", "concreta")
    rows = collected(
        run(
            {
                "a.csv": table(
                    *({"text": text, "label": "a"} for text in (LONG, near, "El cajero no me entregó la plata que pedí ayer"))
                )
            }
        )
    )
    assert rows[0]["group_id"] == rows[1]["group_id"] != rows[2]["group_id"]
    assert {row["status"] for row in rows} == {"accepted"}


def test_a_near_copy_of_an_earlier_runs_row_takes_its_side(run: Run, tmp_path: Path) -> None:
    """Whatever the order of fingerprints: the stored row's group decides."""
    texts = [
        f"{LONG} según el asesor número {word} de la oficina" for word in ("uno", "dos", "tres", "cuatro", "cinco", "seis")
    ]
    first = run({"a.csv": table({"text": texts[0], "label": "a"})}, min_label_rows=1)
    group = collected(first)[0]["group_id"]

    second = run(
        {"b.csv": table(*({"text": text, "label": "a"} for text in texts[1:]))},
        earlier_index=stored(first, tmp_path),
        min_label_rows=1,
    )

    assert {row["group_id"] for row in collected(second)} == {group}


def test_no_near_copy_is_on_two_sides_in_generated_complaints(run: Run, tmp_path: Path) -> None:
    generator.write_csv(tmp_path / "a.csv", 400, seed=3)
    rows = collected(run({"a.csv": (tmp_path / "a.csv").read_bytes()}, min_label_rows=1))
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row["group_id"], set()).add(row["split"])
    assert all(len(found) == 1 for found in sides.values())
    share = Counter(row["split"] for row in rows)
    assert share["train"] / len(rows) == pytest.approx(0.8, abs=0.08)


def test_labels_are_mapped_and_rare_or_unknown_ones_are_told(run: Run) -> None:
    given = (("uno", "Fraude"), ("dos", "FRAUDE "), ("tres", "fraud"), ("cuatro", "mascotas"), ("cinco", ""))
    files = {"a.csv": table(*({"text": f"{LONG} {word}", "label": label} for word, label in given))}
    label_map = {"Fraude": "fraud", "FRAUDE": "fraud"}  # keys that differ in case only are one

    kept = run(files, label_map=label_map, min_label_rows=2)
    assert [row["label"] for row in collected(kept)] == ["fraud", "fraud", "fraud", None, None]
    assert kept.report["unknown_labels"] == {"mascotas": 1}
    assert kept.report["rare_labels"] == {"mascotas": 1}
    assert "rare_label" in collected(kept)[3]["flags"]

    other = run(files, label_map=label_map, min_label_rows=1, unknown_labels="other")
    assert [row["label"] for row in collected(other)[3:]] == ["other", None]  # a blank label is none, and not another
    assert (other.report["blank_labels"], other.report["unknown_labels"]) == (1, {"mascotas": 1})

    strict = run(files, label_map=label_map, min_label_rows=1, unknown_labels="reject")
    assert strict.report["rejects"] == {"unknown_label": 1}
    assert strict.report["unknown_labels"] == {"mascotas": 1}
    assert balanced(strict.report)


def test_what_a_person_took_out_is_accounted_for_and_neither_learned_nor_held_against_its_file(run: Run) -> None:
    given = (
        ("uno", "fraude"),
        ("dos", NOT_A_COMPLAINT),
        ("tres", f" {NOT_A_COMPLAINT.upper()} "),
        ("cuatro", NOT_A_COMPLAINT),
    )
    files = {
        "review.csv": table(*({"text": f"{LONG} {word}", "label": label} for word, label in given)),
        "nothing left.csv": table({"text": f"{LONG} cinco", "label": NOT_A_COMPLAINT}),
    }
    for unknown in ("other", "reject"):
        prepared = run(files, max_reject_share=0.1, min_label_rows=1, label_map={"fraude": "fraude"}, unknown_labels=unknown)

        assert isinstance(prepared, Prepared)
        assert prepared.report["rows"] == {"read": 5, "accepted": 1, "rejected": 4, "duplicates": 0}
        assert prepared.report["rejects"] == {"not_a_complaint": 4}
        assert prepared.report["labels"] == {"fraude": 1}
        assert (prepared.report["unknown_labels"], prepared.report["to_score"], prepared.report["refused"]) == ({}, 0, None)
        assert [file["refused"] for file in prepared.report["files"]] == [None, None]
    alone = run({"nothing left.csv": files["nothing left.csv"]}, max_reject_share=0.0)
    assert isinstance(alone, Prepared)
    assert alone.report["rows"] == {"read": 1, "accepted": 0, "rejected": 1, "duplicates": 0}


def test_labels_are_cleaned_blank_ones_are_none_and_variants_are_told(run: Run, tmp_path: Path) -> None:
    given = (
        "Cobros",
        "Cobros&nbsp;",
        "Co\u200bbros",
        "cobros",
        "CrÃ©dito\u00a0 nuevo",
        "Crédito nuevo",
        "N/A",
        "null",
        "-",
        "app",
        "App!",
    )
    rows = [
        {"text": f"queja {word} por algo distinto", "label": label} for word, label in zip("abcdefghijk", given, strict=True)
    ]
    nothing = [{"text": text, "label": "app"} for text in ("n/a", "None", "--------", " ..... ", "¿?")]
    first = run({"a.csv": table(*rows, *nothing)}, min_label_rows=1)
    report = first.report
    assert report["labels"] == {"Cobros": 3, "cobros": 1, "Crédito nuevo": 2, "app": 1, "App!": 1}
    assert (report["blank_labels"], report["rejects"]) == (3, {"empty_text": 5})
    assert report["label_variants"] == [["App!", "app"], ["Cobros", "cobros"]]
    found = collected(first)
    assert [found[place]["label_original"] for place in (1, 6)] == ["Cobros&nbsp;", "N/A"]  # an export gives them back

    again = run(
        {"b.csv": table({**rows[0], "label": "app"}, rows[3], {"text": "una queja nueva del todo", "label": "app"})},
        earlier_index=stored(first, tmp_path),
        min_label_rows=1,
    )
    assert again.report["conflicting_texts"] == 1
    assert [row["flags"] for row in collected(again)] == [["conflicting_label"], ["repeated"], []]


def test_a_files_dates_are_read_in_one_order(run: Run) -> None:
    def dates(word: str, *written: str) -> bytes:
        return table(*({"text": f"{word} {place} {LONG}", "fecha": day} for place, day in enumerate(written)))

    files = {
        "both.csv": dates("uno", "03/25/2026", "25/03/2026", "03/04/2026"),
        "no.csv": dates("dos", "03/04/2026", "N/A", "ayer"),
        "us.csv": dates("tres", "03/04/2026", "12/31/2025"),
        "us.jsonl": b'{"text":"queja x","fecha":"3\\/4\\/2026 10:15 PM"}\n{"text":"queja y","fecha":"12\\/31\\/2025"}\n',
    }
    prepared = run(files, part_bytes=400)
    days = [row["received_at"] and row["received_at"].isoformat()[5:16] for row in collected(prepared)]
    assert days == [
        "03-25T00:00", "03-25T00:00", "04-03T00:00", "04-03T00:00", None, None, "03-04T00:00", "12-31T00:00", "03-04T22:15",
        "12-31T00:00",
    ]  # fmt: skip
    assert [file["month_first"] for file in prepared.report["files"]] == [False, False, True, True]
    assert prepared.report["flags"] == {"unread_date": 1}


def test_a_label_that_is_rare_in_each_file_but_not_in_all_is_learned_with_what_came_before(run: Run, tmp_path: Path) -> None:
    def row(word: str, label: str = "fees") -> dict[str, str]:
        return {"text": f"{word} {word} {LONG}", "label": label}

    def put(key: str, text: str) -> None:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text(text, encoding="utf-8")

    def texts(report: dict[str, Any]) -> Counter[str]:
        found = (line for path in (tmp_path / "labelled").rglob("part-*") if path.parts[-3] in report["labelled"]
                 for line in path.read_text(encoding="utf-8").splitlines())  # fmt: skip
        return Counter(json.loads(line)["text"].split()[0] for line in found)

    prefix, spark = f"file://{tmp_path}", SparkSession.builder.getOrCreate()
    first = run({"a.csv": table(row("alfa"), row("cargo"), row("gama"))}, min_label_rows=4)
    assert {found["label"] for found in collected(first)} == {None}
    earlier_index = stored(first, tmp_path)
    assert not texts(write(first, prefix=prefix, put=put, started=0.0))
    earlier_rare = spark.createDataFrame(spark.read.text(f"{prefix}/labelled/rare").select("value").collect(), "value string")

    same = run({"b.csv": table(row("alfa"))}, earlier_index=earlier_index, earlier_rare=earlier_rare, min_label_rows=4)
    assert collected(same)[0]["label"] is None  # the same text again is not a fourth
    assert same.report["labelled_earlier"] == {"train": 0, "validation": 0, "test": 0}
    changed = earlier_index.unionByName(
        earlier_index.where(F.col("fingerprint") == fingerprint_of(first, "gama")).withColumn("label", F.lit("x"))
    )
    more = run(
        {"c.csv": table({"text": "cobro doble de la cuota", "label": "fees"}, row("alfa"))},
        earlier_index=changed, earlier_rare=earlier_rare, min_label_rows=4,
    )  # fmt: skip
    assert collected(more)[0]["label"] == "fees"
    # alfa came again, and gama has had another label since.
    assert texts(write(more, prefix=prefix, put=put, started=0.0)) == {"cobro": 1, "alfa": 1, "cargo": 1}
    assert sum(more.report["labelled_earlier"].values()) == 1
    assert sum(more.report["labelled"].values()) == 2
    after = run(
        {"d.csv": table(row("delta"))},
        earlier_index=earlier_index.unionByName(stored(more, tmp_path / "more")),
        earlier_rare=earlier_rare,
        min_label_rows=4,
    )
    assert not sum(after.report["labelled_earlier"].values())  # they are learned already


def test_rows_of_a_label_are_learned_if_each_of_two_runs_at_once_found_it_rare(spark: SparkSession) -> None:
    def index(words: str, *, learned: bool) -> DataFrame:
        rows = [(hashlib.sha256(word.encode()).hexdigest(), "fees", learned) for word in words.split()]
        return spark.createDataFrame(rows, "fingerprint string, label string, learned boolean")

    lines = [(json.dumps({"text": word, "label": "fees", "group_id": word}),) for word in ("alfa", "beta", "gama", "delta")]
    rare = spark.createDataFrame(lines, "value string")
    before = index("alfa beta gama delta", learned=False)
    found = find_rows_no_longer_rare(rare, before, index("cargo", learned=True), ["fees"])
    assert found is not None
    assert {json.loads(row["value"])["text"] for row in found.collect()} == {"alfa", "beta", "gama", "delta"}
    after = before.unionByName(index("cargo", learned=True))
    assert find_rows_no_longer_rare(rare, after, index("doble", learned=True), ["fees"]) is None


def fingerprint_of(prepared: Prepared, word: str) -> str:
    [row] = prepared.records.where(F.col("text").startswith(word)).select(F.sha2(F.lower("text"), 256).alias("it")).collect()
    return str(row["it"])


def test_personal_data_is_gone_from_text_and_carried_columns_and_amounts_and_dates_stay(run: Run) -> None:
    prepared = run(
        {
            "a.csv": table(
                {
                    "text": "Me cobraron $1.200.000 el 03/04/2026. Mi cel es 312 456 7890 y mi correo ana@example.com",
                    "asesor": "jorge@example.com",
                    "monto": "$1.200.000",
                    "Cédula": "1.073.098.264",
                }
            )
        }
    )
    [row] = collected(prepared)
    assert row["text"] == "Me cobraron $1.200.000 el 03/04/2026. Mi cel es <PHONE> y mi correo <EMAIL>"
    assert row["carried"] == {"asesor": "<EMAIL>", "monto": "$1.200.000", "Cédula": "<ID_NUMBER>"}
    assert row["redactions"] == {"PHONE": 1, "EMAIL": 1}
    assert prepared.report["redactions"] == {"PHONE": 1, "EMAIL": 1}
    assert "312" not in json.dumps(prepared.report)


def test_entities_and_language(run: Run) -> None:
    spanish, english, french = collected(
        run(
            {
                "a.csv": table(
                    {"text": "El radicado B3481713 por COP 50 mil sigue abierto desde ayer en la app", "fecha": "2026-06-17"},
                    {"text": "They charged my credit cards $45.50 yesterday and nobody answers", "fecha": "2026-06-17"},
                    {
                        "text": "Je ne peux pas accéder à mon compte depuis la semaine dernière, c'est inacceptable",
                        "fecha": "",
                    },
                )
            }
        )
    )
    assert (spanish["language"], english["language"], french["language"]) == ("es", "en", "fr")
    assert french["flags"] == ["other_language"]
    assert spanish["entities"]["amounts"][0].asDict() == {"value": 50000, "currency": "COP"}
    assert spanish["entities"]["dates"] == english["entities"]["dates"] == [date(2026, 6, 16)]
    assert len(spanish["entities"]["references"]) == 1
    assert "3481713" not in str(spanish)
    assert spanish["entities"]["channels"] == ["app"]
    assert english["entities"]["products"] == ["credit card"]


def test_a_rerun_writes_the_same_lines(spark: SparkSession, settings: JobSettings, tmp_path: Path) -> None:
    generator.write_csv(tmp_path / "a.csv", 120, seed=4, broken=3)
    body = (tmp_path / "a.csv").read_bytes()
    loose = dataclasses.replace(settings, max_reject_share=1.0)
    written = []
    for name in ("one", "two"):
        source = SourceFile(key="a.csv", version_id="1", size=len(body), read=lambda start, end: body[start:end])
        folder = tmp_path / name

        def put(key: str, text: str, folder: Path = folder) -> None:
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_text(text, encoding="utf-8")

        if name == "two":  # an attempt that was killed has left its report, and rows of other settings
            put("runs/r/report.json", "{}")
            put("labelled/test/run_id=r/part-0.txt", "{}")
            put("runs/r/to_score/part-0.txt", "{}")
        write(prepare(spark, [source], loose, run_id="r", salt="s"), prefix=folder.as_uri(), put=put, started=0)
        parts = sorted(path for path in folder.rglob("part-*") if path.is_file())
        # Spark puts the attempt's id into the names; order, number and bytes of the files are the run's.
        written.append([(path.relative_to(folder).parent, path.read_bytes()) for path in parts])
        report = json.loads((folder / "runs/r/report.json").read_text(encoding="utf-8"))
        assert balanced(report)
        # SageMaker would read a marker file as data.
        assert not list((folder / "labelled" / "train").rglob("_SUCCESS"))
    assert written[0] == written[1]
    assert written[0]


def test_what_an_export_gives_back_is_carried_as_it_was_written(run: Run) -> None:
    [row] = collected(run({"a.csv": table({"text": LONG, "fecha": "27/04/2026", "canal": "web"})}))
    assert row["carried"] == {"fecha": "27/04/2026", "canal": "web"}
    assert row["received_at"].date() == date(2026, 4, 27)


def test_accents_written_as_two_characters_become_one(run: Run) -> None:
    [row] = collected(run({"a.csv": table({"text": "cafe\u0301 y man\u0303ana"})}))
    assert row["text"] == "café y mañana"


def test_the_length_cap_is_flagged(run: Run) -> None:
    """Told from the text before redaction, which makes it longer or shorter; a text that just fits is not cut."""
    fits = "mi correo es ana.maria.pena@example.com " + "ah" * 30
    cut, whole = collected(run({"a.csv": table({"text": "palabra " * 100}, {"text": fits})}, max_text_characters=100))
    assert (cut["text"], cut["flags"]) == (("palabra " * 12).strip(), ["truncated"])
    assert (whole["text"], whole["flags"]) == ("mi correo es <EMAIL> " + "ah" * 30, [])


def test_the_same_labelled_rows_again_are_not_new_and_a_week_of_products_is_classified(run: Run, tmp_path: Path) -> None:
    motives = ("cobros", "cajero", "app")
    rows = [
        {"id": f"H{n}", "texto": f"queja distinta {n} sobre {motives[n % 3]}", "motivo": motives[n % 3]} for n in range(60)
    ]
    more = {"id": "N", "texto": "queja del todo nueva sobre un cobro", "motivo": "cobros"}
    rows[0]["texto"] += ", escríbanme a ana@example.com"
    week = [{"id": f"S{n}", "producto": "Billetera", "texto": f"otra queja de la semana {n}"} for n in range(5)]
    first = run({"a.csv": table(*rows)})
    [redacted] = [row["text"] for row in collected(first) if row["original_id"] == "H0"]
    assert redacted == rows[0]["texto"].replace("ana@example.com", "<EMAIL>")
    # A person corrected its label on the page, which has redacted texts (label_checks.page_row).
    corrected = {
        **dict.fromkeys(REVIEW_COLUMNS, ""),
        "complaint_id": "H0",
        "text": redacted,
        "why": LABEL_TO_CHECK,
        "label": "app",
    }

    again = run(
        {"b.csv": table(*rows[1:], more), "review.csv": table(corrected), "semana.csv": table(*week)},
        earlier_index=stored(first, tmp_path),
        served_labels=motives,
    )

    report = again.report
    assert balanced(report)
    assert sum(report["labelled"].values()) == 61
    assert sum(report["labelled_repeated"].values()) == 59
    assert report["to_score"] == 5
    assert report["unfamiliar_labels"] == []
    assert report["notes"] == [
        {"code": "column_not_label", "file": "semana.csv", "column": "producto"}, {"code": "repeated_rows", "rows": 59}
    ]  # fmt: skip
    write(again, prefix=f"file://{tmp_path}", put=lambda *_: None, started=0.0)
    lines = [line for path in tmp_path.glob("labelled/*/run_id=*/part-*.txt") for line in path.read_text("utf-8").splitlines()]
    assert sorted((row["text"], row["label"]) for row in map(json.loads, lines)) == sorted(
        ((more["texto"], "cobros"), (redacted, "app"))
    )
    assert report["conflicting_texts"] == 1  # it is the text that an earlier run has with another label


def test_labels_that_the_model_does_not_know_are_noted_and_handed_on(run: Run) -> None:
    rows = [{"texto": f"queja distinta {n} de hoy", "motivo": "Envíos" if n % 2 else "Garantía"} for n in range(30)]
    rare = [{"texto": "una queja sin motivo conocido", "motivo": "Otro"}]
    report = run({"a.csv": table(*rows, *rare)}, served_labels=("cobros", "Otro")).report
    assert report["unfamiliar_labels"] == [["Garantía", "Envíos"]] or report["unfamiliar_labels"] == [["Envíos", "Garantía"]]
    [note] = report["notes"]
    assert (note["code"], note["file"], note["column"], note["rows"]) == ("unfamiliar_labels", "a.csv", "motivo", 30)
    assert not run({"a.csv": table(*rows)}, served_labels=("ENVIOS",)).report["notes"]
