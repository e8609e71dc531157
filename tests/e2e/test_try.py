"""`ptmlops try` on made-up files: what it writes, what it refuses, what it leaves behind."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from complaints_etl.spreadsheet import active
from typer.testing import CliRunner

from local_aws import ROOT
from ptmlops import generator
from ptmlops.main import app
from tests.e2e.conftest import family_once_spark_runs

COMMAND = [sys.executable, "-m", "ptmlops", "try"]
OURS = ["label", "confidence", "needs_review", "alternatives", "top_terms", "status", "reason"]
WRONG = "no_such_category"
TWO_LABELS = b"text,label\n" + b"".join(b"complaint,%s\n" % label for label in (b"fees", b"card") for _ in range(10))


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "TMPDIR": str(folder)}


def attempt(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@dataclass(frozen=True)
class Tried:
    done: subprocess.CompletedProcess[str]
    given: list[dict[str, str]]
    found: list[dict[str, str]]
    header: list[str]
    evaluation: dict[str, Any]
    truth: list[str]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """400 labelled rows in a packed file; a file to score that has labels of its own, all wrong, and rows of every kind."""
    folder = tmp_path_factory.mktemp("prueba ñ")
    generator.write_csv(folder / "labelled.csv", 400, seed=7)
    packed = folder / "quejas de agosto, señaladas.csv.gz"
    packed.write_bytes(gzip.compress((folder / "labelled.csv").read_bytes()))
    made = list(generator.complaints(120, seed=8))
    made[10] = next(generator.complaints(1, seed=7))  # a text that is also in the labelled file
    rows = [[c.complaint_id, "=1+1", f"{c.text}\nsegunda línea, con coma", WRONG] for c in made]
    rows[4][1] = " 007 \r\n-5"
    rows[5][2] = rows[3][2]
    rows[6][2] = "   "
    rows[7] = [rows[7][0], "too short"]
    rows[8][2] = "🤷 @@@"
    rows[9] = [rows[9][0], "", "una queja corta", WRONG, "a field too many"]
    with (folder / "por clasificar.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows([["radicado", "nota", "queja", "label"], *rows])
    done = attempt(folder, "--labelled", packed.name, "--score", "por clasificar.csv", "--out", "results/here")
    assert done.returncode == 0, done.stderr
    body = (folder / "results" / "here" / "predictions.csv").read_bytes()
    assert body.startswith(b"\xef\xbb\xbfradicado;nota;")  # a spreadsheet opens it as it opened the file that was scored
    with (folder / "results" / "here" / "predictions.csv").open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=";")
        found, header = list(reader), list(reader.fieldnames or [])
    with (folder / "por clasificar.csv").open(encoding="utf-8", newline="") as file:
        given = list(csv.DictReader(file, delimiter=";", restval=""))
    evaluation = json.loads((folder / "results" / "here" / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["target_precision"] == 0.95  # the settings' default, not what the demo asks of easy complaints
    assert not list(folder.glob("ptmlops-try-*"))
    return Tried(done, given, found, header, evaluation, [c.label for c in made])


def test_predictions_are_the_files_own_columns_then_ours(tried: Tried) -> None:
    # Its own label column gives way, so that neither a DictReader nor pandas takes it for ours.
    assert tried.header == ["radicado", "nota", "queja", "label_in_file", *OURS]
    assert len(tried.found) == len(tried.given)
    for given, found in zip(tried.given, tried.found, strict=True):
        assert [active(found[name]) for name in ("radicado", "nota", "queja", "label_in_file")] == [
            given[name] for name in ("radicado", "nota", "queja", "label")
        ]
    assert tried.found[0]["nota"] == "'=1+1"


def test_every_row_has_an_answer_or_a_reason(tried: Tried) -> None:
    for number, row in enumerate(tried.found):
        if number in (6, 7, 9):
            assert (row["label"], row["confidence"], row["status"]) == ("", "", "rejected")
        else:
            assert row["label"] in generator.EVENTS
            assert 0 < float(row["confidence"]) <= 1
            label, _, probability = row["alternatives"].partition("; ")[0].rpartition(" ")
            assert (label, float(probability)) == (row["label"], pytest.approx(float(row["confidence"]), abs=0.006))
            assert not re.search(r"(^|[ ;])\d+($|;)", row["top_terms"])  # a number is <number>
            assert row["needs_review"] in ("yes", "no")
            unfamiliar = row["reason"].startswith("unfamiliar: ")
            assert not row["reason"] or (unfamiliar and row["needs_review"] == "yes")
    assert tried.found[6]["reason"].startswith("empty_text")
    assert tried.found[7]["reason"].startswith("wrong_field_count")
    assert "a field too many" in tried.found[9]["reason"]


def test_a_duplicate_carries_its_twins_answer(tried: Tried) -> None:
    first, second = tried.found[3], tried.found[5]
    assert {first["status"], second["status"]} == {"scored", "duplicate"}
    assert [first[name] for name in OURS[:5]] == [second[name] for name in OURS[:5]]


def test_the_answers_are_right_and_the_files_own_labels_play_no_part(tried: Tried) -> None:
    right = [row["label"] == truth for row, truth in zip(tried.found, tried.truth, strict=True) if row["status"] != "rejected"]
    assert sum(right) / len(right) > 0.75  # chance is 0.1
    assert WRONG not in tried.evaluation["data"]["labels"]
    assert WRONG not in tried.evaluation["candidate"]["per_label"]
    assert tried.evaluation["scored"]["also_labelled"] == 0  # its text has a second line there


def test_the_evaluation_is_that_of_a_run_and_more(tried: Tried) -> None:
    evaluation = tried.evaluation
    assert evaluation["candidate"]["accuracy"] > 0.6
    assert evaluation["leakage"]["rows"] == 0
    rows = evaluation["data"]["rows"]
    assert rows["read"] == 400 == rows["accepted"] + rows["rejected"] + rows["duplicates"]
    # Held-out rows are not learned from before they are judged; afterwards every row is.
    assert evaluation["candidate"]["training_rows"] + evaluation["holdout"]["rows"] == rows["accepted"]
    assert evaluation["cross_fitted"]["rows"] == rows["accepted"]
    assert 0.6 < evaluation["cross_fitted"]["macro_f1"] <= 1
    counts = evaluation["scored"]
    assert counts["rows"] == 120 == counts["scored"] + counts["duplicate"] + counts["rejected"]
    texts = [row["queja"].lower() for number, row in enumerate(tried.given) if number not in (6, 7, 9)]
    assert (counts["rejected"], counts["scored"]) == (3, len(set(texts)))
    assert "120 rows:" in tried.done.stdout
    assert "not redacted" in " ".join(tried.done.stdout.split())
    assert "macro-F1" in tried.done.stdout
    assert max(map(len, tried.done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("labelled", "more", "says"),
    [
        (
            b"text,amount\nhello,1\n",
            (),
            "labelled.csv has no label column (text, amount): give it one of the names label, category",
        ),
        (
            b"amount,label\n1,fees\n",
            (),
            "no text column among 2 columns (amount, label): the first line must be a header with one of the names text",
        ),
        (TWO_LABELS, ("--score", "missing.csv"), "missing.csv does not exist"),
        (TWO_LABELS, ("--score", "notext.csv"), "notext.csv cannot be used"),
        (TWO_LABELS, ("--score", "sub/labelled.csv"), "sub/labelled.csv cannot be used"),
        (TWO_LABELS, ("--score", "header.csv"), "header.csv has a header and no complaint under it"),
        (TWO_LABELS, ("--out", "labelled.csv"), "is a file: --out names a folder"),
        (TWO_LABELS, ("--score", "out/predictions.csv"), "would be overwritten"),
        (TWO_LABELS, ("--out", "folders"), "evaluation.json is a folder"),
        (b"text,label\na complaint,\n", (), "has no label in its column label"),
        (b"text,label\n", (), "has no complaint that can be read under its header"),
    ],
)
def test_what_cannot_work_is_refused_at_once_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labelled: bytes, more: tuple[str, ...], says: str
) -> None:
    (tmp_path / "labelled.csv").write_bytes(labelled)
    (tmp_path / "notext.csv").write_bytes(b"amount\n1\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "labelled.csv").write_bytes(b"amount\n1\n")
    (tmp_path / "header.csv").write_bytes(b"id,text\n")
    (tmp_path / "folders" / "evaluation.json").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "predictions.csv").write_bytes(b"text\nhello\n")

    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(app, ["try", "--labelled", "labelled.csv", "--out", "out", *more], catch_exceptions=False)

    assert done.exit_code == 2
    assert says in " ".join(done.stderr.split())
    assert not done.stdout
    assert (tmp_path / "out" / "predictions.csv").read_bytes() == b"text\nhello\n"


@pytest.mark.nightly
def test_labels_of_copies_alone_keep_their_answers_and_are_named(tmp_path: Path) -> None:
    """What somebody tries first: a file made by a loop, under a report's title."""
    made = [("cobros", "me cobraron dos veces la cuota {} y nadie responde"), ("app", "la aplicacion no abre {} desde ayer")]
    rows = [f"{label};{text.format(number)}\n" for number in range(30) for label, text in made]
    (tmp_path / "loop.csv").write_text("Informe de PQR\n\nMotivo;Queja\n" + "".join(rows), encoding="utf-8")
    done = attempt(tmp_path, "--labelled", "loop.csv", "--score", "loop.csv", "--out", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert "Prepare" in done.stderr  # progress, beside the one document on standard output
    assert json.loads(done.stdout)["files"] == ["out/predictions.csv", "out/evaluation.json"]
    with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file, delimiter=";"))
    assert len(found) == 60
    assert [row["label"] for row in found] == [row["Motivo"] for row in found]
    notes = " ".join(json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))["notes"])
    assert "are of copies: app, cobros" in notes
    assert "also in the labelled file: 60 scored texts" in notes
    again = attempt(tmp_path, "--labelled", "loop.csv", "--out", "out")
    assert again.returncode == 2
    assert "out has predictions.csv and evaluation.json from an earlier trial" in " ".join(again.stderr.split())


def test_one_label_is_not_enough(tmp_path: Path) -> None:
    lines = [f"complaint about fee {letter * 5},fees" for letter in "abcdefghij"]
    (tmp_path / "one.csv").write_text("\n".join(["text,label", *lines, "another complaint,card"]), encoding="utf-8")

    done = attempt(tmp_path, "--labelled", "one.csv", "--out", "out", "--json")

    assert done.returncode == 2
    assert "1 label with at least 10 different complaints and 1 with fewer in its column label, and 2 are needed" in " ".join(
        done.stderr.split()
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("which", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.nightly)]
)
def test_interrupted_it_leaves_no_process_no_folder_and_no_traceback(
    tmp_path: Path, which: signal.Signals, status: int
) -> None:
    generator.write_csv(tmp_path / "labelled.csv", 300)
    process = subprocess.Popen(
        [*COMMAND, "--labelled", "labelled.csv", "--out", "out"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        started = family_once_spark_runs(process.pid)

        os.killpg(process.pid, which)
        output, _ = process.communicate(timeout=60)
    finally:
        process.terminate()  # where the test failed before

    assert process.returncode == status, output
    assert "Traceback" not in output
    gone, alive = psutil.wait_procs(started, timeout=10)
    assert len(gone) >= 2
    assert not alive
    assert not list(tmp_path.glob("ptmlops-try-*"))
    assert not (tmp_path / "out").exists()
