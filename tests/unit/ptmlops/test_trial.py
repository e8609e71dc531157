"""`ptmlops try`: the file's columns in predictions.csv, which files are refused, and the notes on the results."""

from __future__ import annotations

import csv
import json
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ptmlops.errors import OperatorError
from ptmlops.source_roots import add_source_roots_to_path
from ptmlops.trial import checks, flow, learning, notes, scoring
from ptmlops.views.trial import show_trial
from ptmlops_contracts.keys import labelled_folder
from stacks.config import load_settings
from tests.unit.etl.workbooks import workbook
from tests.unit.training.conftest import make_complaints

SETTINGS = load_settings("local")
add_source_roots_to_path()


def cells_of(path: Path) -> list[tuple[list[str], str]]:
    table = checks.read_file(path, SETTINGS)
    return [scoring.file_cells(row, table) for row in table.rows]


def test_cells_of_a_csv_file_are_repeated_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('text,more,n\r\n" hola\r\n""tú""",second, 007\r\n=1+1,,\r\nshort\r\na,b,c,d,e\r\n'.encode())

    found = cells_of(path)

    # A short row is filled up; cells beyond the last column are reported.
    assert [cells for cells, _ in found] == [
        [' hola\r\n"tú"', "second", " 007"],
        ["=1+1", "", ""],
        ["short", "", ""],
        ["a", "b", "c"],
    ]
    assert [remark for _, remark in found] == ["", "", "", ' (beyond the last column: ["d", "e"])']


def test_predictions_are_written_for_spreadsheets_as_exports_are(tmp_path: Path) -> None:
    rows = [["id", "texto"], ["=1+1", 'hola; "tú"'], ["-12,5", "@cmd"], ["'nombre", "\t+57 1"]]

    scoring.write_export(tmp_path / "a.csv", iter(rows), ";")
    scoring.write_export(tmp_path / "b.csv", iter(rows[:2]), "\t")

    assert (tmp_path / "a.csv").read_bytes() == (
        b"\xef\xbb\xbf" + 'id;texto\r\n\'=1+1;"hola; ""tú"""\r\n-12,5;\'@cmd\r\n\'nombre;\'\t+57 1\r\n'.encode()
    )
    assert (tmp_path / "b.csv").read_text(encoding="utf-8-sig") == 'id,texto\n\'=1+1,"hola; ""tú"""\n'


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((9, 5, 1, 3), "9 rows: 5 scored, 1 duplicate, 3 rejected"),
        ((1, 1, 0, 0), "1 row: 1 scored, 0 duplicates, 0 rejected"),
        ((2000, 1500, 500, 0), "2,000 rows: 1,500 scored, 500 duplicates, 0 rejected"),
    ],
)
def test_rows_are_counted_once_and_in_the_right_number(counts: tuple[int, ...], says: str) -> None:
    assert scoring.counted(dict(zip(("rows", "scored", "duplicate", "rejected"), counts, strict=True))) == says


def test_values_of_json_lines_are_repeated_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": "línea\nuno", "n": 7, "none": None}, {"text": "dos", "more": {"a": [1]}}]
    path.write_text("\n".join([*(json.dumps(row) for row in rows), "{broken"]), encoding="utf-8")

    assert [cells for cells, _ in cells_of(path)] == [
        ["línea\nuno", "7", "", ""],
        ["dos", "", "", '{"a": [1]}'],
        ["{broken", "", "", ""],
    ]


def test_a_column_with_the_name_of_an_answer_column_is_renamed() -> None:
    assert scoring.file_header(["id", "label", "Label", "reason"]) == ["id", "label_in_file", "Label", "reason_in_file"]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["fees"] * 30, "has 1 label with at least 10 different complaints in its column label, and 2 are needed"),
        (
            ["fees"] * 30 + ["card"] * 9,
            "has 1 label with at least 10 different complaints and 1 with fewer in its column label, and 2",
        ),
        (list("abcd"), "has 0 labels with"),
        (list("abcd"), "or lower complaints.min_label_rows in environments/local.toml"),
        ([""] * 30, "has no label in its column label"),
    ],
)
def test_too_few_labels_are_counted(tmp_path: Path, labels: list[str], says: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"complaint {n},{label}\n" for n, label in enumerate(labels)), encoding="utf-8")
    with pytest.raises(OperatorError) as caught:
        checks.check_table(path, SETTINGS, needs_label=True)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "id,importe\n1,hola\n", "no text column among 2 columns (id, importe): the first line"),
        ("a.jsonl", '{"categoria": "x", "detalle largo": "y"}\n', "no text column among 2 columns (categoria, detalle largo)"),
        # No name is known, so the first line may be a complaint.
        (
            "a.csv",
            "Ana Pérez,me cobraron dos veces\nLuis,hola\n",
            "among 2 columns, and no other name in its first line is known",
        ),
        ("a.csv", f"id,{'x' * 90}\n1,2\n", f"(id, {'x' * 40}…)"),
        ("a.csv", "id,n\n1,2\n", "or add its name to complaints.columns.text in environments/local.toml"),
    ],
)
def test_a_file_without_a_text_column_is_refused_with_its_names_unless_they_may_be_data(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(OperatorError) as caught:
        checks.read_file(tmp_path / name, SETTINGS)
    assert says in str(caught.value)
    assert "Pérez" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "id,texto,tipo\n1,hola,x\n", "has no label column (id, texto, tipo): give it one of the names label,"),
        ("a.csv", "id,texto\n1,hola\n", "or add its name to complaints.columns.label in environments/local.toml"),
        ("a.txt", "cobros me cobraron dos veces\n", "is read as one complaint: labelled complaints need a table"),
    ],
)
def test_a_file_without_labels_is_refused_with_what_it_has(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(OperatorError) as caught:
        checks.check_table(tmp_path / name, SETTINGS, needs_label=True)
    assert says in str(caught.value)


def test_an_earlier_trial_is_replaced_only_on_request_and_no_folder_is_made_before_the_end(tmp_path: Path) -> None:
    checks.check_folder(tmp_path / "new" / "folder", [], overwrite=False)
    assert not list(tmp_path.iterdir())
    (tmp_path / "predictions.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(OperatorError, match=r"has predictions\.csv from an earlier trial: .* add --overwrite"):
        checks.check_folder(tmp_path, [], overwrite=False)
    checks.check_folder(tmp_path, [], overwrite=True)
    assert (tmp_path / "predictions.csv").read_text(encoding="utf-8") == "mine"
    with pytest.raises(OperatorError, match="cannot be written"):
        checks.check_folder(tmp_path / "predictions.csv" / "below", [], overwrite=True)


def test_notes_name_what_a_run_would_do_differently() -> None:
    report = {
        "rows": {"read": 100, "rejected": 30, "accepted": 70, "duplicates": 0},
        "labels": {"fees": 40, "card": 30},
        "rare_labels": {"atm": 4},
        "min_label_rows": 10,
        "blank_labels": 7,
        "unknown_labels": {"(over 80 characters)": 3},
        "conflicting_texts": 2,
        "rejects": {"empty_text": 30},
        "flags": {"unread_date": 36},
    }
    document = {"holdout": {"rows": 5}, "scored": {"also_labelled": 5}}
    found = " ".join(notes.notes_on(report, document, SETTINGS))
    assert "fewer than 10 complaints were not learned: atm (4)" in found
    assert "it needs 200 labelled complaints, and the file has 70" in found
    assert "30 of 100 rows rejected, over 20%" in found
    assert "rows without a label were not learned: 7" in found
    assert "dates of the labelled file that were not read: 36 of 70" in found
    assert "(over 80 characters) (3)" in found
    assert "of which the newest was learned: 2" in found
    assert "rows rejected: empty_text (30)" in found
    assert "also in the labelled file: 5 scored texts" in found
    assert "predictions.csv repeats the rows of your file, not redacted" in found
    assert "so of 70 complaints not exactly a tenth is: 5 here" in found
    report["flags"] = {"unread_date": 35}
    plenty = " ".join(notes.notes_on(report, {"holdout": {"rows": 30}}, SETTINGS))
    assert "a tenth" not in plenty
    assert "were not read" not in plenty  # half of them are read
    assert "redacted" not in plenty  # nothing was scored


def figures(value: float, low: float, support: int) -> dict[str, Any]:
    names = ("macro_f1", "accuracy", "answered_share", "answered_precision")
    return {
        "per_label": {"fees": {"precision": value, "recall": value, "f1": value, "support": support}},
        "expected_calibration_error": 0.1,
        **dict.fromkeys(names, value),
        **{f"{name}_interval": [low, 1.0] for name in names},
    }


def evaluation(rows: int) -> dict[str, Any]:
    return {
        "candidate": figures(1.0, 0.5, rows),
        "cross_fitted": {"rows": 60, **figures(0.7, 0.6, 60)},
        "holdout": {"rows": rows},
        "target_precision": 0.95,
        "notes": ["[a note]"],
        "columns": {
            "labelled": {"text": "Body", "subject": "Subject", "label": "[Queue]"},
            "score": {"text": "Body", "complaint_id": "Ticket"},
        },
        "labels_to_check": 1 if rows > 100 else 0,
        "scored": {"rows": 9, "scored": 5, "duplicate": 1, "rejected": 3, "needs_review": 2},
    }


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (29, "F1 rows fees 0.700 0.700 0.700 60 "),
        (
            29,
            "macro-F1 0.700 (95% interval 0.600 to 1.000) accuracy 0.700 (95% interval 0.600 to 1.000) on all 60, cross-fitted",
        ),
        (29, "held out accuracy 1.000 (95% interval 0.500 to 1.000) on 29 held-out complaints"),
        (1, "on 1 held-out complaint predictions"),
        (300, "labels to check 1 row whose label is probably wrong, in labels_to_check.csv"),
        (30, "F1 held-out rows fees 1.000 1.000 1.000 30 "),
        (300, "macro-F1 1.000 (95% interval 0.500 to 1.000)"),
        (300, "needs no review 1.000 (95% interval 0.500 to 1.000) of them"),
        (300, "their precision 1.000 (95% interval 0.500 to 1.000) (target 0.95, the default)"),
        (
            300,
            "cross-fitted macro-F1 0.700 (95% interval 0.600 to 1.000), accuracy 0.700 (95% interval 0.600 to 1.000) on all 60",
        ),
        (300, "predictions 9 rows: 5 scored, 1 duplicate, 3 rejected; 2 to review"),
        (300, "note [a note]"),
        (300, "columns of --labelled text: Body, with Subject; label: [Queue]; id: none; date: none"),
        (300, "columns of --score text: Body; label: none; id: Ticket; date: none"),
    ],
)
def test_the_terminal_states_what_the_numbers_rest_on(capsys: pytest.CaptureFixture[str], rows: int, says: str) -> None:
    show_trial(evaluation(rows), target_source="the default")
    assert says in " ".join(capsys.readouterr().out.split())


def test_a_note_names_at_most_five_values_and_a_count() -> None:
    report = {
        "rows": {"read": 100, "rejected": 0, "accepted": 100, "duplicates": 0},
        "labels": {"fees": 90},
        "rare_labels": {**{f"r{n}": n for n in range(1, 10)}, "fees;card": 9, "(others)": 4},
        "min_label_rows": 10,
        "blank_labels": 0,
        "unknown_labels": {},
        "label_variants": [[f"A{n}", f"a{n}"] for n in range(8)],
        "conflicting_texts": 0,
        "rejects": {},
        "notes": [{"code": "several_labels", "separator": ";", "rows": 9, "values": ["fees;card"], "more": 0}],
    }
    found = notes.notes_on(report, {"holdout": {"rows": 30}}, SETTINGS)
    assert (
        "labels with fewer than 10 complaints were not learned: r9 (9), r8 (8), r7 (7), r6 (6), r5 (5) and others (14 rows)"
        in found
    )
    assert sum("fees;card" in note for note in found) == 1
    assert any("9 rows seem to have several labels in a cell, with ';' between them: fees;card" in note for note in found)
    [variants] = [note for note in found if "differ only in case" in note]
    assert variants.endswith("A4 / a4; 3 more")


def test_named_columns_are_read_and_a_wrong_name_is_refused_with_the_names_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Marca,¿Qué pasó?,Clase\n" + "".join(f"{n},Otra queja número {n},x\n" for n in range(9)), encoding="utf-8")
    with pytest.raises(OperatorError) as caught:
        checks.read_file(path, SETTINGS)
    assert 'among 3 columns (Marca, ¿Qué pasó?, Clase); the likeliest is "¿Qué pasó?"' in str(caught.value)
    assert "--text '¿Qué pasó?', or rename it to text, or add its name to complaints.columns.text" in str(caught.value)
    assert checks.read_file(path, SETTINGS, named={"text": "¿Qué pasó?", "label": "clase"}).columns == {
        "text": "¿Qué pasó?",
        "label": "Clase",
    }
    for named, says in (
        ({"text": "Que"}, "it has no column Que, which --text names: no text column among 3 columns (Marca"),
        (
            {"text": "¿Qué pasó?", "label": "Tipo"},
            "has no column Tipo, which --label names: its columns are Marca, ¿Qué pasó?, Clase",
        ),
    ):
        with pytest.raises(OperatorError) as caught:
            checks.read_file(path, SETTINGS, named=named)
        assert says in str(caught.value)


def test_a_file_to_score_need_not_have_the_named_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Caso,queja\n1,Otra queja\n", encoding="utf-8")
    named = {"text": "¿Qué pasó?", "label": "Clase", "complaint_id": "caso", "received_at": ""}
    assert checks.named_in(path, SETTINGS, named) == {"complaint_id": "caso", "received_at": ""}


def test_the_sheets_of_a_workbook_are_read_as_one_table(tmp_path: Path) -> None:
    path = tmp_path / "quejas.xlsx"
    header = ["Radicado", "Descripción", "Motivo"]
    path.write_bytes(
        workbook(
            {
                "Portada": [["Informe"]],
                "Enero": [header, ["0001", "el cajero no entrega billetes", "cajero"]],
                "Febrero": [["Motivo", "Texto"], ["app", "la app se cierra sola"]],
            }
        )
    )
    table = checks.read_file(path, SETTINGS)
    assert (table.columns["text"], table.columns["label"]) == ("Descripción", "Motivo")
    assert [(row.number, row.values["Descripción"], row.values["Motivo"]) for row in table.rows] == [
        (1, "el cajero no entrega billetes", "cajero"), (2, "la app se cierra sola", "app"),
    ]  # fmt: skip
    path.write_bytes(workbook({"Enero": [["fecha", "valor"], ["2026-01-01", 3]]}))
    with pytest.raises(OperatorError, match="fecha, valor"):
        checks.read_file(path, SETTINGS)
    old = tmp_path / "quejas.xls"
    old.write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(OperatorError, match=r"save it as an Excel workbook \(\.xlsx\)"):
        checks.read_file(old, SETTINGS)


def test_the_columns_of_a_file_are_those_of_its_first_table_with_them() -> None:
    tables: list[dict[str, str]] = [{}, {"text": "Descripción"}, {"text": "Texto", "label": "Motivo"}]
    assert flow.columns_read({"files": [{"columns": columns} for columns in tables]}) == {
        "text": "Descripción",
        "label": "Motivo",
    }


def test_rows_of_several_tables_are_numbered_one_after_the_other() -> None:
    files = [
        {"key": f"a.xlsx/{name}", "rows": {"read": rows}} for name, rows in (("Portada", 0), ("Enero", 3), ("Febrero", 2))
    ]
    assert scoring.rows_before({"files": files}) == {"a.xlsx/Portada": 0, "a.xlsx/Enero": 0, "a.xlsx/Febrero": 3}


@pytest.mark.slow
def test_few_held_out_rows_give_way_to_cross_fitted_figures_and_wrong_labels_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No held-out row has the label fraud, and five rows have a wrong label."""
    texts, truth = make_complaints(240, seed=4, noise=0.0)
    wrong = [index for index, label in enumerate(truth) if label == "access"][:5]
    labels = ["billing" if index in wrong else label for index, label in enumerate(truth)]
    in_test = {index for index, label in enumerate(labels) if label != "fraud" and index % 12 == 0}
    splits: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for index, (text, label) in enumerate(zip(texts, labels, strict=True)):
        row = {"complaint_id": f"{index:03d}", "text": text, "label": label, "group_id": f"{index}", "language": "es"}
        splits["test" if index in in_test else "validation" if index % 12 == 1 else "train"].append(json.dumps(row))
    for split, lines in splits.items():
        folder = tmp_path / "labelled" / labelled_folder(split)
        folder.mkdir(parents=True)
        (folder / "part-0.jsonl").write_text("\n".join(lines), encoding="utf-8")
    report = {
        "labelled": {split: len(lines) for split, lines in splits.items()},
        "labels": Counter(labels),
        "files": [{"separator": ";"}],
    }

    document = learning.train_and_evaluate(tmp_path, SETTINGS, report, lambda _: nullcontext(lambda _: None))
    show_trial({**document, "columns": {}}, target_source="a test")

    assert 0 < document["holdout"]["rows"] < 30
    assert document["candidate"]["per_label"]["fraud"]["support"] == 0
    crossed = document["cross_fitted"]
    assert {label: row["support"] for label, row in crossed["per_label"].items()} == Counter(labels)
    assert document["candidate"]["cross_fitted"]["rows"] == 240 - len(in_test)  # of the model that is evaluated
    low, high = crossed["accuracy_interval"]
    assert low < crossed["accuracy"] <= high
    shown = " ".join(capsys.readouterr().out.split())
    fraud = crossed["per_label"]["fraud"]
    assert f"fraud {fraud['precision']:.3f} {fraud['recall']:.3f} {fraud['f1']:.3f} {labels.count('fraud')} " in shown
    assert f"macro-F1 {crossed['macro_f1']:.3f} (95% interval " in shown
    assert "on all 240, cross-fitted" in shown
    with (tmp_path / "labels_to_check.csv").open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file, delimiter=";"))
    assert {int(row["complaint_id"]) for row in found[:5]} == set(wrong)
    assert {(row["given_label"], row["suggestion"], row["label"]) for row in found[:5]} == {("billing", "access", "")}
    assert [row["text"] for row in found] == [texts[int(row["complaint_id"])] for row in found]
    assert document["labels_to_check"] == len(found)
    assert "in labels_to_check.csv" in shown
