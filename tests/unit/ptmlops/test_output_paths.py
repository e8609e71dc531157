"""--out is checked before any work: nothing that exists is replaced unasked, and no result is lost for want of a place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from ptmlops import file_runs, predictions, runs
from ptmlops.errors import OperatorError
from ptmlops.main import app
from ptmlops.options import CommonOptions
from ptmlops.output_paths import local_path
from ptmlops.source_roots import ROOT
from ptmlops.target import Target
from ptmlops_contracts.keys import OutputKeys

RUN = "20261128-101500-1a2b3c4d"
KEPT = "text,label\nmine,card\n"
# Every command with --out that names a file, and with --out that names a folder.
FILES = {
    "generate": ["generate", "--rows", "5"],
    "csv": ["results", "--format", "csv"],
    "json": ["results", "--format", "json"],
    "parquet": ["results", "--format", "parquet"],
    "report": ["report"],
}
FOLDERS = {"results": ["results"], "run": ["run", "in.csv", "--local"], "demo": ["demo", "--rows", "5", "--to-score", "5"]}
TRY = ["try", "--labelled", "in.csv"]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A deployment with one run. The list has what commands began to do."""
    begun: list[str] = []

    def target(_: CommonOptions) -> SimpleNamespace:
        begun.append("target")
        return SimpleNamespace(environment="dev", endpoint_url=None, chosen=(), ends_with_command=False)

    def run_locally(*_: object, **__: object) -> None:
        begun.append("run")
        raise OperatorError("no pipeline here")

    def fetch_one(_: object, key_of: Any, run_id: str | None) -> tuple[str, bytes]:
        return run_id or RUN, key_of(run_id or RUN).encode()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(CommonOptions, "target", target)
    monkeypatch.setattr(file_runs, "run_locally", run_locally)
    monkeypatch.setattr(runs, "run_document", lambda *_, **__: {})
    monkeypatch.setattr(predictions, "newest_scored", lambda _: RUN)
    monkeypatch.setattr(predictions, "predictions", lambda *_: pa.table({"complaint_id": ["Q1"], "label": ["card"]}))
    monkeypatch.setattr(predictions, "fetch_one", fetch_one)
    Path("in.csv").write_text(KEPT, encoding="utf-8")
    Path("file").write_text(KEPT, encoding="utf-8")
    Path("folder").mkdir()
    return begun


def refused(*arguments: str) -> str:
    """Run a command that is refused. Returns its message, which is one sentence."""
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False, env={"COLUMNS": "600"})
    assert done.exit_code == 2, done.output
    assert not done.stdout
    [message] = done.stderr.strip().splitlines()
    return message


@pytest.mark.parametrize("command", FILES.values(), ids=FILES)
def test_a_file_that_exists_is_kept_unless_overwrite_is_added(work: list[str], command: list[str]) -> None:
    message = refused(*command, "--out", "file")

    assert message == "ptmlops: file exists: choose another --out, or add --overwrite to replace it"
    assert Path("file").read_text(encoding="utf-8") == KEPT
    assert not work  # refused before anything was asked
    assert CliRunner().invoke(app, [*command, "--out", "file", "--overwrite"]).exit_code == 0
    assert Path("file").read_bytes() != KEPT.encode()


@pytest.mark.parametrize("command", FILES.values(), ids=FILES)
@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("folder", "folder is a folder: --out names a file"),
        ("file/x", "is a file: choose another --out"),
        ("/proc/x", "/proc/x cannot be written (No such file or directory): choose another --out"),
        ("n" * 300, "cannot be written (File name too long): choose another --out"),
    ],
)
def test_a_path_that_cannot_be_a_file_is_refused_before_any_work(
    work: list[str], command: list[str], out: str, message: str
) -> None:
    assert refused(*command, "--out", out).endswith(message)
    assert not work


@pytest.mark.parametrize("command", [*FOLDERS.values(), TRY], ids=[*FOLDERS, "try"])
@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("file", "file is a file: --out names a folder"),
        ("file/x", "is a file: choose another --out"),
        ("/proc/x", "/proc/x cannot be written (No such file or directory): choose another --out"),
    ],
)
def test_a_path_that_cannot_be_a_folder_is_refused_before_any_work(
    work: list[str], monkeypatch: pytest.MonkeyPatch, command: list[str], out: str, message: str
) -> None:
    from ptmlops.trial import checks

    monkeypatch.setattr(checks, "check_table", lambda *_, **__: None)  # the folder is checked after it
    assert refused(*command, "--out", out).endswith(message)
    assert not work


@pytest.mark.parametrize(("command", "place"), [("run", "folder/runs"), ("results", "folder/exports"), ("demo", "folder/out")])
def test_a_file_in_the_place_of_a_folder_of_results_is_found_before_any_work(
    work: list[str], command: str, place: str
) -> None:
    Path(place).write_text(KEPT, encoding="utf-8")
    assert place in refused(*FOLDERS[command], "--out", "folder")
    assert not work


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("command", FILES.values(), ids=FILES)
def test_missing_folders_are_created(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--out", "new/er/x.bin"])
    assert done.exit_code == 0, done.output
    assert Path("new/er/x.bin").stat().st_size


@pytest.mark.usefixtures("work")
def test_a_link_to_a_missing_folder_is_followed() -> None:
    Path("link.csv").symlink_to("elsewhere.csv")
    assert CliRunner().invoke(app, ["generate", "--rows", "5", "--out", "link.csv"]).exit_code == 0
    assert Path("elsewhere.csv").read_text(encoding="utf-8").startswith("complaint_id,")


@pytest.mark.usefixtures("work")
def test_a_special_file_is_written_to() -> None:
    assert CliRunner().invoke(app, ["generate", "--rows", "5", "--out", "/dev/null"]).exit_code == 0


@pytest.mark.usefixtures("work")
def test_the_report_of_a_run_is_replaced_by_itself() -> None:
    """Its default name has the run's id, so nothing else is lost."""
    for _ in range(2):
        assert CliRunner().invoke(app, ["report"]).exit_code == 0
    assert Path(f"report-{RUN}.html").read_text(encoding="utf-8") == OutputKeys(RUN).report_page


@pytest.mark.usefixtures("work")
def test_formats_are_written_to_standard_output_and_files_alike() -> None:
    shown = CliRunner().invoke(app, ["results", "--format", "csv"])
    CliRunner().invoke(app, ["results", "--format", "csv", "--out", "a.csv"])
    assert shown.stdout_bytes == b"complaint_id,label\r\nQ1,card\r\n"
    assert Path("a.csv").read_bytes() == b"\xef\xbb\xbf" + shown.stdout_bytes
    assert json.loads(CliRunner().invoke(app, ["results", "--format", "json"]).stdout) == [
        {"complaint_id": "Q1", "label": "card"}
    ]
    CliRunner().invoke(app, ["results", "--format", "parquet", "--out", "a.parquet"])
    assert pq.read_table("a.parquet").to_pylist() == [{"complaint_id": "Q1", "label": "card"}]


@pytest.mark.parametrize("option", ["--rows", "--to-score"])
@pytest.mark.parametrize("count", ["0", "-1"])
def test_a_demo_of_no_complaints_is_refused(work: list[str], option: str, count: str) -> None:
    done = CliRunner().invoke(app, ["demo", option, count])
    assert done.exit_code == 2
    assert f"Invalid value for '{option}': Input should be greater than or equal to 1" in done.stderr
    assert not work
    assert not Path("demo").exists()


def test_fetched_files_of_a_run_that_may_be_filled_in_are_not_replaced_unasked(tmp_path: Path) -> None:
    keys = OutputKeys(RUN)
    with mock_aws():
        session = boto3.Session(aws_access_key_id="id", aws_secret_access_key="key", region_name="us-east-1")
        target = Target("dev", session)
        target.__dict__["outputs"] = {"OutputBucketName": "output"}
        target.client("s3").create_bucket(Bucket="output")
        target.client("s3").put_object(Bucket="output", Key=keys.review, Body=b"text,label\nhello,\n")
        [review] = runs.copy_output(target, tmp_path, run_id=RUN, overwrite=False)
        review.write_text("text,label\nhello,card\n", encoding="utf-8")
        with pytest.raises(OperatorError, match=r"has 1 file of this run already.*add --overwrite"):
            runs.copy_output(target, tmp_path, run_id=RUN, overwrite=False)
        assert review.read_text(encoding="utf-8") == "text,label\nhello,card\n"
        runs.copy_output(target, tmp_path, run_id=RUN, overwrite=True)
    assert review.read_bytes() == b"text,label\nhello,\n"


@pytest.mark.parametrize(
    "name", ["x" * 240, "x" * 241 + ".csv", "x" * 800 + ".jsonl.gz", "ñ" * 300, ".csv" + "x" * 300, "año 😀" * 60 + ".csv"]
)
def test_a_part_of_a_key_that_is_too_long_for_a_file_is_cut_and_stays_unique(tmp_path: Path, name: str) -> None:
    path, other = (local_path(tmp_path, f"exports/{start}{name}/a.csv") for start in ("", "y"))
    assert path.parts[-3::2] == ("exports", "a.csv")
    cut = path.parent.name
    assert len(cut.encode()) <= 240
    assert (cut == name) == (len(name.encode()) <= 240)
    assert cut.endswith(".csv") == name.endswith(".csv")
    assert path != other
    path.parent.mkdir(parents=True)
    path.touch()


def test_long_names_that_begin_alike_are_two_files(tmp_path: Path) -> None:
    assert local_path(tmp_path, "x" * 300 + "1.csv") != local_path(tmp_path, "x" * 300 + "2.csv")


def test_parquet_is_not_written_to_a_terminal(tmp_path: Path) -> None:
    terminal, stdout = os.openpty()
    command = [sys.executable, "-m", "ptmlops", "results", "--format", "parquet", "-e", "prod"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.set_blocking(terminal, False)
    with pytest.raises(BlockingIOError):
        os.read(terminal, 1)  # nothing was written
    os.close(stdout)
    os.close(terminal)
    assert done.returncode == 2
    assert done.stderr.startswith("ptmlops: Parquet cannot be shown on a terminal: name a file with --out")
