"""Commands that start, end or empty a local AWS: a day of somebody who has none yet.

In `make nightly` only: it deploys three times.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws import ROOT
from ptmlops import generator
from tests.e2e.commands import record

pytestmark = pytest.mark.slow
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def ptmlops(folder: Path) -> Iterator[Command]:
    """A command in a process of its own, and in one folder. Whatever happens, local AWS ends."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    environment.pop("PTMLOPS_ENVIRONMENT", None)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "ptmlops", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        record(arguments, done.returncode)
        assert "Traceback" not in done.stderr
        return done

    yield run
    run("down")


def document(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_local_aws_is_started_used_emptied_and_ended(ptmlops: Command, folder: Path) -> None:
    nothing = ptmlops("down")
    assert nothing.returncode == 2
    assert "ptmlops up" in nothing.stderr
    assert document(ptmlops("up", "--json"))["endpoint_url"].startswith("http://localhost:")
    again = ptmlops("up")
    assert again.returncode == 2
    assert "already runs on" in " ".join(again.stderr.split())
    assert document(ptmlops("generate", "--rows", "900", "--out", "labelled.csv", "--json"))["rows"] == 900

    [trained] = document(ptmlops("drop", "labelled.csv", "--local", "--wait", "--json"))

    assert (trained["status"], trained["promoted"]) == ("SUCCEEDED", True)
    [listed] = document(ptmlops("status", "--local", "--json"))
    assert (listed["run_id"], listed["status"]) == (trained["run_id"], "SUCCEEDED")
    [version] = document(ptmlops("models", "--local", "--json"))
    assert (version["serves"], version["decided_by"]) == (True, "gate")
    counts = document(ptmlops("empty", "--local", "--yes", "--json"))
    assert sum(counts.values()) > 10
    assert document(ptmlops("models", "--local", "--json")) == []
    assert document(ptmlops("down", "--json")) == {"ended": ".local_aws"}
    assert ptmlops("status", "--local").returncode == 2


def test_files_are_classified_without_a_local_aws_before_or_after(ptmlops: Command, folder: Path) -> None:
    generator.write_csv(folder / "known.csv", 900, seed=7)
    generator.write_csv(folder / "new.csv", 60, labelled=False, seed=8)
    ended = document(ptmlops("run", "--local", "known.csv", "new.csv", "--out", "out", "--json"))
    assert [run["status"] for run in ended] == ["SUCCEEDED"] * len(ended)
    assert sum(run["scored"] for run in ended) > 50
    assert list((folder / "out").rglob("report.html"))
    assert ptmlops("status", "--local").returncode == 2


def test_the_demo_ends_with_results(ptmlops: Command, folder: Path) -> None:
    shown = document(ptmlops("demo", "--rows", "600", "--to-score", "60", "--out", "demo", "--json"))
    assert {run["status"] for run in shown["runs"]} == {"SUCCEEDED"}
    assert all((folder / path).exists() for path in shown["files"])
