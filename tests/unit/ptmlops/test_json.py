"""`--json` writes one document to standard output and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from ptmlops import dead_letters, predictions, registry, replays
from ptmlops.main import app
from ptmlops.options import CommonOptions
from ptmlops_contracts.keys import OutputKeys

RUN = "20261128-101500-1a2b3c4d"


def review_files(run_id: str) -> list[str]:
    keys = OutputKeys(run_id)
    return [keys.labels_to_check, keys.review, keys.review_page, keys.review_workbook]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """Commands act on a deployment that only notes what it is asked."""
    noted: list[tuple[Any, ...]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(CommonOptions, "target", lambda _: SimpleNamespace(environment="dev", endpoint_url=None, chosen=()))
    monkeypatch.setattr(
        replays, "replay_run", lambda _, run_id: replays.Replayed(run_id=run_id, replays=run_id, redriven=True)
    )
    monkeypatch.setattr(dead_letters, "resend", lambda _: 2)
    monkeypatch.setattr(predictions, "fetch_one", lambda _, key_of, run_id: (run_id or RUN, key_of(run_id or RUN).encode()))
    monkeypatch.setattr(predictions, "files_to_review", lambda _, run_id: (run_id or RUN, review_files(run_id or RUN)))
    monkeypatch.setattr(predictions, "fetch", lambda _, key: key.encode())
    return noted


@pytest.mark.parametrize(
    ("arguments", "document"),
    [
        (["replay", RUN], {"run_id": RUN, "replays": RUN, "redriven": True}),
        (["replay"], {"resent": 2}),
        (["report"], {"run_id": RUN, "file": f"report-{RUN}.html"}),
        (
            ["review", "pull", "--out", "list.csv"],
            {
                "run_id": RUN,
                "file": "list.csv",
                "workbook": "list.xlsx",
                "page": "list.html",
                "labels": "list.labels.csv",
                "files": ["list.csv", "list.xlsx", "list.html", "list.labels.csv"],
            },
        ),
        (["generate", "--out", "a.csv", "--rows", "5"], {"file": "a.csv", "rows": 5, "labelled": True}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_json_is_the_only_output(calls: list[tuple[Any, ...]], arguments: list[str], document: dict[str, Any]) -> None:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == document
    assert not done.stderr


def test_options_work_after_the_command_and_keep_their_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[CommonOptions] = []

    def target(options: CommonOptions) -> SimpleNamespace:
        seen.append(options)
        return SimpleNamespace(environment="dev", endpoint_url=None, chosen=())

    monkeypatch.setattr(CommonOptions, "target", target)
    monkeypatch.setattr(registry, "versions", lambda _, **_options: [])
    arguments = ["models", "--local", "-e", "x", "--profile", "p", "--region", "eu-west-1", "--json"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert CliRunner().invoke(app, ["models"], env={"PTMLOPS_ENVIRONMENT": "prod"}).exit_code == 0
    assert seen == [
        CommonOptions(local=True, as_json=True, environment="x", profile="p", region="eu-west-1"),
        CommonOptions(environment="prod"),
    ]
