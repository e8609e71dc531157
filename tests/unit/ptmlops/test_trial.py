"""`ptmlops try`: the file's columns in predictions.csv, which files are refused, and the notes on the results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ptmlops.errors import OperatorError
from ptmlops.source_roots import add_source_roots_to_path
from ptmlops.trial import checks, notes, scoring
from stacks.config import load_settings

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
        (["fees"] * 30, "has 1 label(s) with at least 10 different complaints, and 2 are needed"),
        (["fees"] * 30 + ["card"] * 9, "has 1 label(s) with at least 10 different complaints and 1 with fewer, and 2"),
        (list("abcd"), "has 0 label(s)"),
        ([""] * 30, "has no label in its column label"),
    ],
)
def test_too_few_labels_are_counted(tmp_path: Path, labels: list[str], says: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"complaint {n},{label}\n" for n, label in enumerate(labels)), encoding="utf-8")
    with pytest.raises(OperatorError) as caught:
        checks.check_table(path, SETTINGS, needs_label=True)
    assert says in str(caught.value)


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
    }
    found = " ".join(notes.notes_on(report, {"scored": {"also_labelled": 5}}, SETTINGS))
    assert "fewer than 10 complaints were not learned: atm (4)" in found
    assert "it needs 200 labelled complaints, and the file has 70" in found
    assert "30 of 100 rows rejected, over 20%" in found
    assert "rows without a label were not learned: 7" in found
    assert "(over 80 characters) (3)" in found
    assert "of which the newest was learned: 2" in found
    assert "rows rejected: empty_text (30)" in found
    assert "5 of the scored texts are also in the labelled file" in found
