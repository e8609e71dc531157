"""`ptmlops demo` says at once what it does, and ends with the results, their files and the next command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ptmlops import file_runs
from ptmlops.errors import OperatorError
from ptmlops.main import app
from ptmlops.views.run_progress import EndedRun

RUN = "20261128-101500-1a2b3c4d"
DOCUMENT: dict[str, Any] = {
    "run_id": RUN,
    "status": "SUCCEEDED",
    "rows": {"read": 3, "accepted": 3, "rejected": 0, "duplicates": 0},
    "scored": 3,
    "needs_review": 1,
    "model": {"version": 1, "macro_f1": 0.9},
}


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The pipeline has run: its files are there."""

    def run_locally(_files: list[Path], out: Path, _environment: str, *, quiet: bool = False) -> list[EndedRun]:
        table = pa.table({"label": ["a", "a", "b"], "confidence": [0.9, 0.8, 0.5], "needs_review": [False, False, True]})
        for name in (f"predictions/run_date=2026-11-28/run_id={RUN}/p.parquet", f"runs/run_id={RUN}/report.html"):
            (out / name).parent.mkdir(parents=True)
            pq.write_table(table, out / name)
        return [EndedRun("earlier", DOCUMENT), EndedRun(RUN, DOCUMENT)]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file_runs, "run_locally", run_locally)


def test_the_plan_comes_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OperatorError("no pipeline here")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file_runs, "run_locally", refuse)
    done = CliRunner().invoke(app, ["demo", "--rows", "20", "--to-score", "5"], env={"COLUMNS": "80"})
    assert done.exit_code == 2
    plan = done.output.partition("no pipeline here")[0]
    assert "20 labelled and 5 unlabelled complaints" in plan
    assert "usually takes" in plan
    assert "demo/" in plan


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("columns", ["80", "120"])
def test_it_ends_with_results_files_and_a_command_to_copy(columns: str) -> None:
    done = CliRunner().invoke(app, ["demo", "--rows", "20", "--to-score", "5"], env={"COLUMNS": columns})
    assert done.exit_code == 0, done.output
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    assert any(line.startswith("a ") for line in lines)
    assert f"report       demo/out/runs/run_id={RUN}/report.html" in lines
    assert any(line.endswith("ptmlops try --labelled YOUR_FILE.csv --out results") for line in lines)
    # `results --local` would find nothing.
    assert any("Its local AWS has ended" in line for line in lines)
    assert [line.rpartition("ptmlops ")[2] for line in lines[-2:]] == ["up", "drop YOUR_FILE.csv --local --wait"]


def test_without_a_local_aws_the_message_names_the_demo_and_the_next_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["results", "--local"])
    assert done.exit_code == 2
    message = " ".join(done.stderr.split())
    assert "no local AWS runs on" in message
    assert "That of `ptmlops demo` and of `ptmlops run --local` ends with the command" in message
    assert "After `ptmlops up`, upload a file with `ptmlops drop FILE --local --wait`" in message


@pytest.mark.usefixtures("finished")
def test_json_holds_the_runs_and_the_files() -> None:
    done = CliRunner().invoke(app, ["demo", "--rows", "20", "--to-score", "5", "--json"])
    document = json.loads(done.stdout)
    assert document["runs"] == [DOCUMENT, DOCUMENT]
    assert f"demo/out/runs/run_id={RUN}/report.html" in document["files"]
    assert not done.stderr
