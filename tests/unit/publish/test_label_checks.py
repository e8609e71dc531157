"""Labels to check: the list that a person fills in and uploads, and the page that a run gets for it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import boto3
import pytest
from complaints_etl.job_settings import JobSettings
from complaints_etl.publish.exports import write_parts
from complaints_etl.publish.join import Run
from complaints_etl.publish.label_checks import write_label_checks
from complaints_etl.publish.review import ReviewList
from complaints_etl.publish.review_page import PageRow
from complaints_etl.readers.header import find_columns
from moto import mock_aws
from publish_predictions import ARGUMENTS, Inputs, Results, parse_arguments, write_label_checks_and_page
from typer.testing import CliRunner

from ptmlops.main import app
from ptmlops.options import CommonOptions
from ptmlops.review_list import read_review
from ptmlops.target import Target
from ptmlops_contracts.keys import ModelKeys, OutputKeys, PreparedKeys
from ptmlops_contracts.review import LABEL_CHECK_COLUMNS, LabelToCheck
from stacks.config import load_settings

RUN_ID = "20260715-093000-0123abcd"


def doubt(text: str, given: float) -> LabelToCheck:
    return {
        "complaint_id": "7",
        "text": text,
        "given_label": "fees",
        "suggestion": "=access",
        "given_probability": given,
        "suggestion_probability": 0.9,
        "language": "es",
    }


@pytest.mark.parametrize("separator", [",", ";"])
def test_the_list_has_a_row_per_doubtful_label_and_no_live_formula(separator: str) -> None:
    texts = ['=1+1; "dos", línea\u2028tres\nfin', "no abre"]
    lines = b"".join(json.dumps(doubt(text, 0.01 + index)).encode() + b"\n" for index, text in enumerate(texts))
    stored: dict[str, bytes] = {}

    def put(key: str, body: IO[bytes]) -> None:
        stored[key] = body.read()

    keys = write_label_checks(lines, RUN_ID, put, separator=separator)

    assert keys == [f"review/run_id={RUN_ID}/labels_to_check.csv"]
    rows = list(csv.reader(io.StringIO(stored[keys[0]].decode("utf-8-sig"), newline=""), delimiter=separator))
    assert rows == [
        ["complaint_id", "text", "given_label", "suggestion", "given_probability", "suggestion_probability", "label"],
        ["7", f"'{texts[0]}", "fees", "'=access", "0.0100", "0.9000", ""],
        ["7", "no abre", "fees", "'=access", "1.0100", "0.9000", ""],
    ]


@pytest.mark.parametrize("lines", [None, b""])
def test_without_doubts_nothing_is_written(lines: bytes | None) -> None:
    def refuse(key: str, _: IO[bytes]) -> None:
        raise AssertionError(key)

    assert write_label_checks(lines, RUN_ID, refuse) == []


def test_what_a_person_fills_in_is_read_as_the_label() -> None:
    columns = find_columns(LABEL_CHECK_COLUMNS, load_settings("local").complaints.columns.model_dump())
    assert columns == {"complaint_id": "complaint_id", "text": "text", "label": "label"}


# -- the page of a run, and `review pull` -----------------------------------------------------------------------------

BUCKETS = {f"{name}_bucket": f"{name}-files" for name in ("output", "models", "prepared")}
KEYS = OutputKeys(RUN_ID)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    monkeypatch.chdir(tmp_path)
    with mock_aws():
        found = Target("dev", boto3.Session(aws_access_key_id="id", aws_secret_access_key="key", region_name="us-east-1"))
        for bucket in BUCKETS.values():
            found.client("s3").create_bucket(Bucket=bucket)
        found.__dict__["outputs"] = {"OutputBucketName": BUCKETS["output_bucket"]}
        monkeypatch.setattr(CommonOptions, "target", lambda _: found)
        yield found


def publish(target: Target, doubts: list[LabelToCheck] | None, results: Results) -> dict[str, list[str]]:
    """Write what Publish writes for people to review, of a run whose evaluation found these doubts (None: it did not train)."""
    s3 = target.client("s3")
    if doubts is not None:
        lines = "".join(f"{json.dumps(row)}\n" for row in doubts).encode()
        evaluation = json.dumps({"candidate": {"per_label": {"fees": {}, "cards": {}}}}).encode()
        s3.put_object(Bucket=BUCKETS["prepared_bucket"], Key=PreparedKeys(RUN_ID).labels_to_check, Body=lines)
        s3.put_object(Bucket=BUCKETS["models_bucket"], Key=ModelKeys(RUN_ID).evaluation_document, Body=evaluation)
    given = {**dict.fromkeys(ARGUMENTS, "-"), "run_id": RUN_ID, **BUCKETS}
    arguments = parse_arguments([part for name, value in given.items() for part in (f"--{name}", value)])
    chosen = load_settings("local")
    settings = JobSettings.from_tables({"complaints": chosen.complaints.model_dump(), "results": chosen.results.model_dump()})
    run = Run(run_id=RUN_ID, model_version="none", answered_at=datetime(2026, 7, 15, tzinfo=UTC), audit_sample=0)
    nothing: Any = None  # neither rows nor the report are read here
    inputs = Inputs(run=run, settings=settings, report=nothing, records=nothing, rejected=nothing, answers=nothing)
    written = write_label_checks_and_page(s3, arguments, inputs, results, None)
    s3.put_object(Bucket=BUCKETS["output_bucket"], Key=KEYS.marker, Body=b"{}")
    return written


def block(html: str) -> dict[str, Any]:
    [found] = re.findall(r'<script type="application/json" id=data>(.*?)</script>', html, re.DOTALL)
    data: dict[str, Any] = json.loads(found)
    return data


@pytest.mark.slow
def test_a_run_that_trained_and_scored_nothing_has_a_page_that_review_pull_fetches(target: Target, tmp_path: Path) -> None:
    written = publish(target, [doubt("no abre", 0.01), doubt("no cierra", 0.02)], Results())
    pulled = CliRunner().invoke(app, ["review", "pull", "--json", "--out", "list.csv"])

    assert written == {"labels_file": [KEYS.labels_to_check], "review_page": [KEYS.review_page]}
    assert pulled.exit_code == 0, pulled.output
    assert json.loads(pulled.stdout) == {
        "run_id": RUN_ID, "file": None, "workbook": None, "page": "list.html", "labels": "list.labels.csv",
        "files": ["list.html", "list.labels.csv"],
    }  # fmt: skip
    data = block((tmp_path / "list.html").read_text(encoding="utf-8"))
    assert data["rows"] == []
    assert [(row["id"], "".join(row["parts"])) for row in data["checks"]] == [("7", "no abre"), ("7", "no cierra")]
    assert {"fees", "cards", "=access"} == set(data["labels"])  # those of the model that found them
    again = CliRunner().invoke(app, ["review", "pull", "--out", "list.csv"])
    assert again.exit_code == 2
    assert "list.labels.csv exists and may be filled in already" in " ".join(again.output.split())
    # The list, filled in as it was pulled, is what `review push` takes.
    content = (tmp_path / "list.labels.csv").read_bytes().replace(b"0.9000,\r\n", b"0.9000,fees\r\n", 1)
    (tmp_path / "filled.csv").write_bytes(content)
    reviewed = read_review(tmp_path / "filled.csv", load_settings("local").complaints.columns.model_dump())
    assert (reviewed.labels, reviewed.blank) == (["fees"], 1)


@pytest.mark.slow
@pytest.mark.parametrize("doubts", [None, []], ids=["did not train", "found nothing"])
def test_a_run_with_nothing_to_review_has_no_page(target: Target, doubts: list[LabelToCheck] | None) -> None:
    assert publish(target, doubts, Results()) == {}
    pulled = CliRunner().invoke(app, ["review", "pull"])
    assert pulled.exit_code == 2
    assert "no run has anything to review yet" in " ".join(pulled.output.split())


@pytest.mark.slow
def test_a_run_that_trained_and_scored_has_both_lists_on_its_page(target: Target) -> None:
    cells = dict.fromkeys(("suggestion", "confidence", "alternatives", "top_terms", "received_at"), "")
    review = ReviewList(keys=[KEYS.review])
    review.counts["uncertain"] = 1
    review.first.add(
        PageRow(
            cells={**cells, "complaint_id": "1", "text": "otra", "why": "uncertain"},
            why="uncertain", language="es", alternatives=[("fees", 0.4)], terms=[],
        )
    )  # fmt: skip
    publish(target, [doubt("no abre", 0.01)], Results(review=review))
    page = target.client("s3").get_object(Bucket=BUCKETS["output_bucket"], Key=KEYS.review_page)["Body"].read().decode()

    assert [(row["id"], "".join(row["parts"])) for row in block(page)["rows"]] == [("1", "otra")]
    assert [(row["id"], row["alternatives"]) for row in block(page)["checks"]] == [
        ("7", [["fees", "1\xa0%"], ["=access", "90\xa0%"]])
    ]


@pytest.mark.slow
def test_a_review_list_in_parts_is_pulled_as_it_is(target: Target, tmp_path: Path) -> None:
    """Publish writes parts of 500,000 rows; the workbook holds more."""
    written: dict[str, bytes] = {KEYS.review_workbook: b"workbook", KEYS.review_page: b"page", KEYS.marker: b"{}"}
    write_parts(KEYS.review, "text\r\n", iter(["uno\r\n", "dos\r\n"]), lambda key, body: written.update({key: body.read()}), 1)
    for key, content in written.items():
        target.client("s3").put_object(Bucket=BUCKETS["output_bucket"], Key=key, Body=content)
    pulled = CliRunner().invoke(app, ["review", "pull", "--out", "list.csv"])
    expected = ["list.part-001.csv", "list.part-002.csv", "list.xlsx", "list.html"]
    assert pulled.exit_code == 0, pulled.output
    assert pulled.stdout.split() == expected
    first, second, workbook, page = [(tmp_path / name).read_text("utf-8-sig").split() for name in expected]
    assert (first, second, workbook, page) == (["text", "uno"], ["text", "dos"], ["workbook"], ["page"])
    assert "ptmlops review push list.part-001.csv" in " ".join(pulled.stderr.split())

    again = CliRunner().invoke(app, ["review", "pull", RUN_ID, "--out", "list.csv", "--json"])
    assert again.exit_code == 2
    assert "list.part-001.csv exists" in " ".join(again.output.split())
    other = json.loads(CliRunner().invoke(app, ["review", "pull", "--out", "other", "--json"]).stdout)
    assert (other["file"], other["labels"], len(other["files"])) == ("other.part-001.csv", None, 4)
    refused = CliRunner().invoke(app, ["review", "pull", "--out", "list.html"])
    assert "list.html is where the page goes" in " ".join(refused.output.split())
