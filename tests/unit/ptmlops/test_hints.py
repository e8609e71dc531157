"""A hint names a command that reaches the same deployment: with --local after --local, and with the options of the account."""

from __future__ import annotations

import ast
import os
import re
import signal
from pathlib import Path

import boto3
import pytest
from typer.testing import CliRunner

from ptmlops import runs
from ptmlops.errors import OperatorError
from ptmlops.main import COMMANDS, app
from ptmlops.options import CommonOptions, command_for
from ptmlops.source_roots import ROOT
from ptmlops.target import Target

ON_DEPLOYMENTS = [name for subject in ("Files and runs", "Results", "Models") for name in COMMANDS[subject]]
# The name of a command between backquotes that is not followed by --local, and not built by `command_for`.
HINT = re.compile(rf"`ptmlops (?:{'|'.join([*ON_DEPLOYMENTS, 'review', 'restore'])})\b(?![^`]*--local)")


@pytest.mark.parametrize(
    ("options", "command"),
    [
        (CommonOptions(local=True), "ptmlops watch --local"),
        (CommonOptions(local=True, environment="local"), "ptmlops watch --local"),
        (CommonOptions(local=True, environment="dev"), "ptmlops watch --local -e dev"),
        (CommonOptions(environment="prod"), "ptmlops watch -e prod"),
        (CommonOptions(environment="named"), "ptmlops watch"),  # by PTMLOPS_ENVIRONMENT
        (
            CommonOptions(environment="prod", profile="two words", region="eu-west-1"),
            "ptmlops watch -e prod --profile 'two words' --region eu-west-1",
        ),
    ],
)
def test_a_hint_has_the_options_of_its_command(monkeypatch: pytest.MonkeyPatch, options: CommonOptions, command: str) -> None:
    monkeypatch.setenv("PTMLOPS_ENVIRONMENT", "named")
    assert options.command("watch") == command


@pytest.mark.parametrize(
    ("endpoint", "environment", "command"),
    [("http://localhost:1", "local", "ptmlops why --local"), (None, "prod", "ptmlops why -e prod --region eu-west-1")],
)
def test_a_target_gives_the_same_hint(
    monkeypatch: pytest.MonkeyPatch, endpoint: str | None, environment: str, command: str
) -> None:
    monkeypatch.delenv("PTMLOPS_ENVIRONMENT", raising=False)
    chosen = () if endpoint else ("--region", "eu-west-1")
    assert command_for(Target(environment, boto3.Session(region_name="us-east-1"), endpoint, chosen), "why") == command


def test_no_message_writes_the_name_of_a_command_without_the_options() -> None:
    """Help texts and comments may."""
    found = []
    for path in sorted((ROOT / "ptmlops").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        quiet = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("typer.Option", "typer.Argument"):
                quiet |= {id(node) for node in ast.walk(call)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in quiet
                and HINT.search(node.value)
            ):
                found.append(f"{path.relative_to(ROOT)}: {node.value}")
    assert found == EXCEPTIONS


EXCEPTIONS = [
    # The cause of an execution, which any account may show.
    "ptmlops/cancellation.py: `ptmlops cancel` stopped this run.",
]


@pytest.mark.parametrize(
    "command", [["watch"], ["drop", "a.csv", "--wait"], ["logs"], ["run", "a.csv", "--out", "out", "-e", "dev"]]
)
def test_ctrl_c_says_how_to_see_the_runs_that_continue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    def interrupt(_: CommonOptions) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(CommonOptions, "target", interrupt)
    monkeypatch.delenv("PTMLOPS_ENVIRONMENT", raising=False)
    Path("a.csv").write_text("text\nhello\n", encoding="utf-8")
    options = [] if "-e" in command else ["--local"]
    done = CliRunner().invoke(app, [*command, *options], env={"COLUMNS": "200"})
    assert done.exit_code == 130
    hint = "ptmlops status -e dev" if "-e" in command else "ptmlops status --local"
    assert done.stderr.strip() == f"ptmlops: interrupted; uploaded files are processed anyway; see `{hint}`"


def test_the_newest_run_of_none_names_the_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "list_runs", lambda *_: [])
    target = Target("local", boto3.Session(region_name="us-east-1"), "http://localhost:1")
    with pytest.raises(OperatorError, match="upload a file with `ptmlops drop FILE --local`"):
        runs.newest(target)
