"""The commands that read what runs left, on the deployment that the pipeline's tests (test_pipeline.py) have filled."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result
from complaints_etl.spreadsheet import active
from typer.testing import CliRunner

from local_aws import LocalAws
from ptmlops import generator, predictions, runs, uploads
from ptmlops.main import app
from ptmlops.target import Target
from ptmlops_contracts.keys import OutputKeys

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def scored_run(target: Target, made: Path) -> str:
    """The newest run that classified something; where the pipeline's tests did not run, one is made."""
    for attempt in (1, 2):
        for run_id in runs.published_runs(target):
            if predictions.predictions(target, run_id).num_rows:
                return run_id
        assert attempt == 1
        for name, rows, labelled in (("results_labelled.csv", 500, True), ("results_unlabelled.csv", 60, False)):
            generator.write_csv(made / name, rows, labelled=labelled, seed=21 + labelled)
            for _ in runs.follow(target, run_id := uploads.wait_for_run(target, uploads.upload(target, made / name))):
                pass
            runs.run_document(target, run_id)
    raise AssertionError("unreachable")


@pytest.fixture
def ptmlops(local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command in a folder whose local AWS is the tests' own."""
    (tmp_path / ".local_aws").symlink_to(local_aws.folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("PTMLOPS_ENVIRONMENT", raising=False)

    def run(*arguments: str) -> Result:
        done = CliRunner().invoke(app, [*arguments, "--local"], catch_exceptions=False)
        assert "Traceback" not in done.output
        assert max(map(len, done.stdout.splitlines()), default=0) <= 80 or "--json" in arguments or "--format" in arguments
        return done

    return run


def test_results_are_the_runs_numbers_in_every_form(ptmlops: Command, scored_run: str, tmp_path: Path) -> None:
    told = json.loads(ptmlops("results", scored_run, "--json").stdout)
    rows = json.loads(ptmlops("results", scored_run, "--format", "json").stdout)
    # Without a run it is the newest that has any: this one, or one that ended after it.
    assert json.loads(ptmlops("results", "--format", "json").stdout)[0]["run_id"] >= scored_run
    lines = list(csv.DictReader(io.StringIO(ptmlops("results", scored_run, "--format", "csv").stdout, newline="")))
    ptmlops("results", scored_run, "--format", "parquet", "--out", "p.parquet")
    table = ptmlops("results", scored_run)

    assert sum(row["complaints"] for row in told["categories"]) == told["scored"] == len(rows) == len(lines) > 0
    assert [row["complaint_id"] for row in rows] == [active(row["complaint_id"]) for row in lines]
    assert lines[0]["label"] == rows[0]["label"]
    assert json.loads(lines[0]["alternatives"]) == rows[0]["alternatives"]
    assert pq.read_table(tmp_path / "p.parquet").num_rows == len(rows)
    for row in told["categories"]:
        assert re.search(rf"{row['label']} +{row['complaints']} ", table.stdout)


def test_the_runs_files_are_fetched(ptmlops: Command, scored_run: str, tmp_path: Path) -> None:
    done = ptmlops("results", scored_run, "--out", "files", "--json")

    files = [Path(name) for name in json.loads(done.stdout)["files"]]
    assert {path.parts[1] for path in files} >= {"predictions", "exports", "review", "runs"}
    assert all((tmp_path / path).stat().st_size and scored_run in str(path) for path in files)


def test_why_names_the_words_the_entities_and_the_run(ptmlops: Command, target: Target, scored_run: str) -> None:
    row = next(row for row in predictions.predictions(target, scored_run).to_pylist() if len(row["top_terms"]) > 1)

    quick = ptmlops("why", row["complaint_id"], "--run", scored_run)
    searched = json.loads(ptmlops("why", row["complaint_id"], "--json").stdout)

    assert (searched["complaint_id"], searched["label"]) == (row["complaint_id"], row["label"])
    assert quick.stdout.startswith(row["label"])
    for term in row["top_terms"]:
        assert term["term"] in quick.stdout
    shown = re.findall(r" (\d\.\d\d) +(█+)", quick.stdout.partition("terms that led to the label")[2])
    assert [float(value) for value, _ in shown] == sorted((float(value) for value, _ in shown), reverse=True)
    assert [len(bar) for _, bar in shown] == sorted((len(bar) for _, bar in shown), reverse=True)
    assert scored_run in quick.stdout
    assert row["source_file"] in quick.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("why", "no-such-complaint"), "no prediction for 'no-such-complaint'"),
        (
            ("why", "x", "--run", "20200101-000000-00000000"),
            "run '20200101-000000-00000000' does not exist; the latest runs are 20",
        ),
        (("results", "20200101-000000-00000000"), "run '20200101-000000-00000000' does not exist"),
        (("watch", "20200101-000000-00000000"), "run '20200101-000000-00000000' does not exist"),
        (("report", "20200101-000000-00000000"), "run '20200101-000000-00000000' does not exist"),
        (("review", "pull", "20200101-000000-00000000"), "run '20200101-000000-00000000' does not exist"),
        (("replay", "20200101-000000-00000000"), "run '20200101-000000-00000000' does not exist"),
        (("promote", "999", "--reason", "r"), "model version 999 does not exist; the versions are"),
        (("status", "-e", "dev"), "environment 'dev' is not deployed in this local AWS"),
    ],
)
def test_a_mistake_is_a_line_that_says_what_there_is(
    ptmlops: Command, scored_run: str, arguments: tuple[str, ...], says: str
) -> None:
    done = ptmlops(*arguments)
    assert done.exit_code == 2
    assert says in " ".join(done.stderr.split())


def test_a_run_that_succeeded_cannot_be_replayed(ptmlops: Command, scored_run: str) -> None:
    done = ptmlops("replay", scored_run)
    assert done.exit_code == 2
    assert "has not failed" in " ".join(done.stderr.split())


def test_status_lists_the_runs_newest_first(ptmlops: Command, target: Target, scored_run: str) -> None:
    done = ptmlops("status")
    shown = re.findall(r"^\d{8}-\d{6}-[0-9a-f]{8}", done.stdout, re.MULTILINE)
    assert shown == [run["name"] for run in runs.list_runs(target)]
    assert scored_run in shown


def test_the_report_is_fetched_and_opened(
    ptmlops: Command, scored_run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "browser.sh"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n', encoding="utf-8")
    browser.chmod(0o755)
    monkeypatch.setattr("webbrowser._tryorder", None)  # it looks at BROWSER once in a process
    monkeypatch.setenv("BROWSER", f"{browser} %s")

    done = ptmlops("report", scored_run, "--open")

    path = tmp_path / f"report-{scored_run}.html"
    assert done.stdout.strip() == path.name
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "opened").read_text(encoding="utf-8") == path.as_uri()


def test_the_review_list_goes_out_and_comes_back(ptmlops: Command, target: Target, scored_run: str, tmp_path: Path) -> None:
    pulled = ptmlops("review", "pull", scored_run, "--out", "list.csv")
    assert pulled.exit_code == 0, pulled.stderr
    has_labels = runs.keys(target, target.outputs["OutputBucketName"], OutputKeys(scored_run).labels_to_check)  # if it trained
    assert pulled.stdout.split() == ["list.csv", "list.xlsx", "list.html", *(["list.labels.csv"] if has_labels else [])]
    title = "Quejas y etiquetas por revisar" if has_labels else "Quejas por revisar"
    assert f"<title>{title}" in (tmp_path / "list.html").read_text(encoding="utf-8")
    assert ptmlops("review", "pull", scored_run, "--out", "list.csv").exit_code == 2  # it may be filled in
    blank = ptmlops("review", "push", "list.csv")
    assert blank.exit_code == 2
    assert "no label is filled in" in " ".join(blank.stderr.split())
    with (tmp_path / "list.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))

    def fill(label: str) -> str:
        """As a Spanish spreadsheet saves it: semicolons and Windows-1252."""
        with (tmp_path / "filled.csv").open("w", encoding="cp1252", errors="replace", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
            writer.writeheader()
            writer.writerows({**row, "label": label if number < 2 else ""} for number, row in enumerate(rows))
        return "filled.csv"

    known = sorted({row["suggestion"] for row in rows})[0]
    wrong = ptmlops("review", "push", fill(known[:-1] + "x"))
    assert wrong.exit_code == 2
    assert f"meant {known}?" in " ".join(wrong.stderr.split())

    done = ptmlops("review", "push", fill(f" {known} "), "--json")

    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["labelled"], told["blank"], told["key"]) == (2, len(rows) - 2, "filled.csv")
    body = target.client("s3").get_object(Bucket=target.outputs["RawBucketName"], Key="filled.csv")["Body"].read()
    sent = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert [row["label"] for row in sent] == [known, known]
    # The mark that keeps a spreadsheet from computing a cell is there once: Prepare removes it.
    assert [row["complaint_id"] for row in sent] == [row["complaint_id"] for row in rows[:2]]
