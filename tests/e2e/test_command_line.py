"""The command line as a person uses it: what it refuses, and what it leaves behind when it is interrupted."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from local_aws import ROOT
from ptmlops.main import COMMANDS, app
from tests.e2e.conftest import family_once_spark_runs

COMMAND = [sys.executable, "-m", "ptmlops"]


def ptmlops(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.csv", None, "does not exist"),
        ("empty.csv", b"", "is empty"),
        ("complaints.pdf", b"%PDF", ".csv, .tsv, .jsonl, .json, .txt, .xlsx, .xlsm, .zip"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(app, ["run", "--local", name, "--out", "out"], catch_exceptions=False)

    assert done.exit_code == 2
    assert says in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_without_credentials_the_command_says_where_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    done = ptmlops("status", "-e", "dev", cwd=tmp_path)
    assert done.returncode == 2
    assert "no AWS credentials" in done.stderr


def test_an_unknown_environment_is_one_line_that_names_those_there_are(tmp_path: Path) -> None:
    done = ptmlops("status", "--environment", "production", cwd=tmp_path)
    assert done.returncode == 2
    assert "prod" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_ctrl_c_leaves_no_process_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + "the card was charged twice,card\n" * 5, encoding="utf-8")
    process = subprocess.Popen(
        [*COMMAND, "run", "--local", "a.csv", "--out", "out"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    started = family_once_spark_runs(process.pid)

    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 130, output
    assert "Traceback" not in output
    gone, alive = psutil.wait_procs(started, timeout=10)
    assert len(gone) >= 3
    assert not alive
    assert not list(tmp_path.glob("ptmlops-*"))  # nor a folder


def test_ctrl_c_while_the_command_is_still_imported_is_quiet(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "ptmlops", "status", "--local"],  # tells on stderr how far it is
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    before = next((line for line in process.stderr if line.rstrip().endswith(" botocore")), "")

    os.killpg(process.pid, signal.SIGINT)
    _, after = process.communicate(timeout=60)

    assert before
    assert process.returncode == 130, after
    assert "Traceback" not in after
    assert "ptmlops up" not in after  # it did not get that far


def test_on_aws_the_environment_is_never_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PTMLOPS_ENVIRONMENT", raising=False)
    done = ptmlops("status", cwd=tmp_path)
    assert done.returncode == 2
    message = " ".join(done.stderr.split())
    assert "--environment NAME or set PTMLOPS_ENVIRONMENT=NAME" in message
    assert "dev, local, prod" in message


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text("text\nhello\n", encoding="utf-8")
    done = ptmlops("drop", "a/x.csv", "b/x.csv", "-e", "dev", cwd=tmp_path)
    assert done.returncode == 2
    assert "two of the files are called x.csv" in done.stderr


def test_help_fits_80_columns_and_has_a_line_for_each_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    names = [name for commands in COMMANDS.values() for name in commands]
    for words in (
        (),
        ("review",),
        *((name,) for name in names),
        ("review", "push"),
        ("review", "pull"),
        ("restore",),
        ("restore", "objects"),
    ):
        done = CliRunner().invoke(app, [*words, "--help"])
        assert done.exit_code == 0
        assert max(map(len, done.stdout.splitlines())) <= 80
        if not words:
            commands = done.stdout.partition("Try it without")[2]
            shown = re.findall(r"^  (\w+) +[A-Z]", commands, re.MULTILINE)
            listed = [*names]
            for group, before in (("review", "models"), ("restore", "forget")):
                listed.insert(listed.index(before), group)
            assert shown == listed
            assert "..." not in commands  # each help text fits its line
            assert not re.search(r"^   ", commands, re.MULTILINE)


def test_the_shell_completes_commands_and_environments(tmp_path: Path) -> None:
    def complete(line: str) -> list[str]:
        words = line.split(" ")
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_PTMLOPS_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        }
        program = [str(Path(sys.executable).parent / "ptmlops")]
        done = subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.split()

    assert complete("ptmlops re") == ["replay", "reconcile", "results", "report", "review", "restore"]
    assert complete("ptmlops status -e pr") == ["prod"]
    shown = subprocess.run(
        ["bash", "-c", f"{Path(sys.executable).parent}/ptmlops --show-completion; exit $?"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "complete -o default -F _ptmlops_completion ptmlops" in shown.stdout, shown
