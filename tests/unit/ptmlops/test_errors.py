"""What a command says after Ctrl-C, for an address that does not answer, and for a file that it does not write."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner

from ptmlops.errors import explain, report_errors
from ptmlops.main import app
from ptmlops.options import confirm


@pytest.mark.parametrize("name", ["g.xlsx", "g.jsonl", "g.csv.gz", "g.zip"])
def test_a_file_that_is_no_csv_is_not_generated(tmp_path: Path, name: str) -> None:
    done = CliRunner().invoke(app, ["generate", "--out", str(tmp_path / name), "--rows", "3"])
    assert done.exit_code == 2
    assert f"{name} does not end in .csv, and a CSV file is written" in " ".join(done.output.split())
    assert not list(tmp_path.iterdir())


def test_ctrl_c_at_a_question_says_that_nothing_was_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: str) -> bool:
        raise typer.Abort

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(typer, "confirm", interrupted)

    @report_errors(if_interrupted="data that is deleted stays deleted")
    def command() -> None:
        confirm("Delete everything?", yes=False)

    with pytest.raises(typer.Exit) as ended:
        command()
    assert ended.value.exit_code == 130
    assert capsys.readouterr().err.strip() == "ptmlops: interrupted; nothing was changed"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://localhost:5000/", "the local AWS at http://localhost:5000/ has ended, and its runs and results with it"),
        ("https://s3.us-east-1.amazonaws.com/", "check the network, or use --local"),
    ],
)
def test_an_aws_that_does_not_answer_is_told_by_its_address(url: str, message: str) -> None:
    assert message in (explain(EndpointConnectionError(endpoint_url=url)) or "")
