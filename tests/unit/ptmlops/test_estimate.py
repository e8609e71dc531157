"""`ptmlops estimate`: rows of files, and what a run with them would cost."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from common.ledger import serialize
from moto import mock_aws
from typer.testing import CliRunner

from ptmlops import main
from ptmlops.errors import OperatorError
from ptmlops.options import CommonOptions
from ptmlops.row_count import count_rows
from ptmlops.target import Target
from stacks.config import load_settings

CSV = b'texto,motivo\n"uno\ndos",a\ntres,b\n'


def workbook(rows: int) -> bytes:
    from xlsxwriter import Workbook

    content = BytesIO()
    with Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for row in range(rows):
            sheet.write_row(row, 0, [f"texto {row}", "a"])
    return content.getvalue()


def archive(**files: bytes) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for name, body in files.items():
            packed.writestr(name.replace("_", "."), body)
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.csv", CSV, 2),
        ("a.CSV.gz", gzip.compress(CSV), 2),
        ("a.csv", CSV.rstrip(b"\n"), 2),
        ("a.csv", CSV.replace(b"\n", b"\r\n"), 2),
        ("a.csv", b"texto\runo\rdos", 2),
        ("a.csv", CSV.decode().encode("utf-16"), 2),
        ("a.csv", b'texto\n5" pipe\nb\n', 2),
        ("a.jsonl", b'{"a": "x"}\n{"a": "y"}\n{"a": "z"}\n', 3),
        ("a.json", b'[{"a": "x"},\n {"a": "y"}]', 2),
        ("a.xlsx", 31, 30),  # a number of lines: the test makes the workbook
        ("a.xlsx", 20_001, 20_000),
        ("a.zip", archive(a_csv=CSV, b_jsonl=b'{"a": 1}\n', c_png=b"\n\n\n"), 3),
    ],
)
def test_rows_are_counted_in_every_kind_of_file(tmp_path: Path, name: str, content: bytes | int, rows: int) -> None:
    (tmp_path / name).write_bytes(workbook(content) if isinstance(content, int) else content)

    assert count_rows(tmp_path / name) == rows


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.xlsx", b"PK\x03\x04garbage"),
        ("a.zip", b"PK\x03\x04garbage"),
        ("a.csv.gz", b"\x1f\x8bgarbage"),
        ("a.csv.gz", gzip.compress(CSV * 1000)[:-40]),
        ("a.csv.gz", CSV),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OperatorError, match=rf"{name} is damaged or incomplete: open it and save it again"):
        count_rows(tmp_path / name)


Command = Callable[..., Any]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Run the command beside a ledger, which `deployed=False` hides."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    (tmp_path / "a.csv").write_text("texto\n" + "una queja\n" * 1000, encoding="utf-8")
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        dynamodb.create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        target = Target("prod", boto3.Session(region_name="us-east-1"))

        def run(*arguments: str, deployed: bool = True, items: tuple[dict[str, Any], ...] = ()) -> Any:
            for item in items:
                dynamodb.put_item(TableName="ledger", Item=serialize(item))
            if deployed:
                target.__dict__["outputs"] = {"LedgerTableName": "ledger"}
            monkeypatch.setattr(CommonOptions, "target", lambda _: target)
            done = CliRunner().invoke(main.app, ["estimate", str(tmp_path / "a.csv"), "-e", "prod", *arguments])
            assert done.exit_code == 0, done.output
            return json.loads(done.stdout) if "--json" in arguments else " ".join(done.output.split())

        yield run


def test_without_past_runs_the_estimate_is_a_factor_of_three_wide(command: Command) -> None:
    found = command("--json")

    assert list(found["rows"].values()) == [1000]
    assert list(found["classified"]["parts"]) == ["prepare", "scoring", "publish"]
    assert list(found["trained"]["parts"]) == ["prepare", "training", "evaluation", "publish"]
    assert found["classified"]["usd"] == pytest.approx((240.6 + 200.3) / 3600 * 0.44 + 240.2 / 3600 * 0.23, abs=1e-3)
    assert found["classified"]["high"] == pytest.approx(3 * found["classified"]["usd"], rel=1e-2)


def test_past_runs_and_the_sum_of_the_month_come_from_the_ledger(command: Command) -> None:
    from datetime import UTC, datetime

    ratios = {"prepare/glue": dict.fromkeys("abc", 2), "publish/glue": dict.fromkeys("abc", 2)}
    ratios["scoring/ml.m5.xlarge"] = dict.fromkeys("abc", 2)
    before = command("--json")
    items = (
        {"pk": "THROUGHPUT", "version": 3, "labelled": 5000, "ratios": ratios},
        {"pk": f"COSTS#{datetime.now(UTC):%Y-%m}", "a": 4},
        {"pk": "PLANNED", "b": 2},
    )

    found, text = command("--json", items=items), command(items=items)

    assert found["classified"]["usd"] == pytest.approx(2 * before["classified"]["usd"], abs=1e-3)
    assert (found["classified"]["runs"], found["trained"]["runs"]) == (3, 0)
    assert (found["labelled"], found["month"]) == (5000, 6)
    assert "calibrated on 3 past runs" in text
    assert "Runs of this month so far: USD 6.00" in text
    assert "Prices: list prices of us-east-1, 2026-11-23" in text


def test_the_limits_that_would_stop_the_run_are_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings("prod")
    limited = settings.model_copy(update={"costs": settings.costs.model_copy(update={"run_limit_usd": 0.2})})
    monkeypatch.setattr("stacks.config.load_settings", lambda _: limited)

    found = command("--json")

    assert found["stopped_by"] == {"classified": [], "trained": ["costs.run_limit_usd = 0.20"]}
    assert "costs.run_limit_usd = 0.20 would stop it" in command()


def test_an_environment_that_is_not_deployed_is_estimated_and_said_to_be_so(command: Command) -> None:
    found = command("--json", deployed=False)

    assert found["month"] is None
    assert "'prod' is not deployed" in found["not_calibrated"]
    assert "No past runs were read: environment 'prod' is not deployed" in command(deployed=False)
