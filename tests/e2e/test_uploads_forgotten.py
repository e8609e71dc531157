"""A person's complaint, in every kind of file, goes from everything that a deployment stores; the model is replaced.

The file's name puts it after the tests that count runs and models.
"""

from __future__ import annotations

import csv
import io
import json
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from local_aws import LocalAws
from ptmlops import generator, registry, runs, uploads
from ptmlops.erasure import flow, models, plan
from ptmlops.erasure.flow import Named
from ptmlops.target import Target
from ptmlops_contracts.keys import QUERY_RESULTS, PreparedKeys
from stacks.config import load_settings
from tests.unit.ptmlops.test_erasure_formats import opened

pytestmark = [pytest.mark.slow, pytest.mark.nightly]
BUCKETS = ("RawBucketName", "PreparedBucketName", "ModelsBucketName", "OutputBucketName")
# Invented words, so that nothing else can hold them.
CANARY = "Señores, soy Quirzuela Vantrobe y la sucursal de Tolvirama me cobró dos veces el seguro de la cuenta de ahorros"
TRACES = ("Quirzuela", "Vantrobe", "Tolvirama")
SETTINGS = load_settings("local")


def with_canary(path: Path, cells: dict[str, str]) -> list[dict[str, str]]:
    """Put the person's row among the rows of a generated file. Returns all rows."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows.insert(len(rows) // 2, {name: cells.get(name, "") for name in rows[0]})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def workbook(rows: list[dict[str, str]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Quejas")
        for line, row in enumerate([list(rows[0]), *(list(row.values()) for row in rows)]):
            for place, cell in enumerate(row):
                sheet.write_string(line, place, cell)
    return out.getvalue()


def files(made: Path) -> dict[str, bytes]:
    """The person's complaint with an id in a labelled file, and without one in files of other kinds; and where rows fail."""
    learned = made / "forgotten-learned.csv"
    generator.write_csv(learned, 900, seed=61)
    header = next(csv.reader(learned.read_text(encoding="utf-8").splitlines()))
    text, label = header[place_of(header, "text")], header[place_of(header, "label")]
    id_ = header[place_of(header, "complaint_id")]
    known = next(csv.DictReader(learned.read_text(encoding="utf-8").splitlines(keepends=True)))[label]
    with_canary(learned, {text: CANARY, label: known, id_: "QZ-0000061"})
    asked = made / "forgotten-asked.csv"
    generator.write_csv(asked, 30, labelled=False, seed=62)
    rows = with_canary(asked, {text: CANARY})
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("enero/quejas.jsonl", lines)
        archive.writestr("una.txt", CANARY)
    broken = asked.read_text(encoding="utf-8") + f'9,"{CANARY}\n' + f"{CANARY},1,2,3,4,5,6,7,8,9,10,11,12\n"
    return {
        "forgotten-learned.csv": learned.read_bytes(),
        "forgotten-asked.csv": broken.encode(),
        "forgotten-book.xlsx": workbook(rows),
        "forgotten-lines.jsonl": lines.encode(),
        "forgotten-list.json": json.dumps(rows, ensure_ascii=False).encode(),
        "forgotten-packed.zip": packed.getvalue(),
        "forgotten-alone.txt": CANARY.encode(),
        "forgotten-unread.csv": f"uno,dos\n1,{CANARY}\n2,otra cosa\n".encode(),
    }


def place_of(header: list[str], ours: str) -> int:
    """Return the place of our column in a header."""
    names = getattr(SETTINGS.complaints.columns, ours)
    return next(place for place, name in enumerate(header) if name in (ours, *names))


def upload(target: Target, key: str, content: bytes) -> uploads.Upload:
    bucket = target.outputs["RawBucketName"]
    version = target.client("s3").put_object(Bucket=bucket, Key=key, Body=content)["VersionId"]
    return uploads.Upload(Path(key), bucket, key, version)


def follow(target: Target, run_id: str) -> dict[str, Any]:
    for _ in runs.follow(target, run_id):
        pass
    return runs.run_document(target, run_id)


@pytest.fixture(scope="module")
def processed(target: Target, made: Path) -> dict[str, dict[str, Any]]:
    """The runs that learned and classified the person's complaint, each with its run.json."""
    contents = files(made)
    found = {}
    learned = upload(target, "forgotten-learned.csv", contents.pop("forgotten-learned.csv"))
    run_id = uploads.wait_for_run(target, learned)
    found[run_id] = follow(target, run_id)
    others = [upload(target, key, content) for key, content in contents.items()]
    for run_id in {uploads.wait_for_run(target, one) for one in others}:
        found[run_id] = follow(target, run_id)
    assert {one["status"] for one in found.values()} == {"SUCCEEDED"}, [
        (one.get("error"), one["promotion"]) for one in found.values()
    ]
    # What a person asked of the tables.
    s3, bucket = target.client("s3"), target.outputs["OutputBucketName"]
    s3.put_object(Bucket=bucket, Key=f"{QUERY_RESULTS}forgotten.csv", Body=f'"text"\n"{CANARY}"\n"otra"\n'.encode())
    return found


@pytest.fixture(scope="module")
def eraser(local_aws: LocalAws, target: Target) -> Target:
    """The deployment as somebody sees it who has the policy of the eraser, and no other."""
    iam, sts = target.client("iam"), target.client("sts")
    account = sts.get_caller_identity()["Account"]
    trust = {
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}}]
    }
    role = iam.create_role(RoleName="eraser", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", **trust}))["Role"][
        "Arn"
    ]
    iam.attach_role_policy(RoleName="eraser", PolicyArn=target.outputs["ErasePolicyArn"])
    given = sts.assume_role(RoleArn=role, RoleSessionName="eraser")["Credentials"]
    session = boto3.Session(
        aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"], region_name=target.session.region_name,
    )  # fmt: skip
    return Target(target.environment, session, target.endpoint_url)


def versions(target: Target) -> Iterator[tuple[str, str, str, bytes]]:
    s3 = target.client("s3")
    for bucket in BUCKETS:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=target.outputs[bucket]):
            for item in page.get("Versions", []):
                name = {"Bucket": target.outputs[bucket], "Key": item["Key"], "VersionId": item["VersionId"]}
                yield bucket, item["Key"], item["VersionId"], s3.get_object(**name)["Body"].read()


def searchable(body: bytes) -> bytes:
    """Everything in an object, unpacked; escapes of JSON and the letters of Parquet's pages, too."""
    if body.startswith(b"PAR1"):
        return str(pq.read_table(io.BytesIO(body)).to_pylist()).encode()
    if body.startswith(b"\x1f\x8b") or body.startswith(b"PK"):
        return opened(body)
    return body


def traces(target: Target) -> list[tuple[str, str]]:
    """Where a word of the person is."""
    found = {
        (bucket, key)
        for bucket, key, _, body in versions(target)
        for trace in TRACES
        if trace.lower().encode() in searchable(body).lower()
    }
    items = json.dumps(target.client("dynamodb").scan(TableName=target.outputs["LedgerTableName"])["Items"], default=str)
    return sorted(found | {("ledger", trace) for trace in TRACES if trace in items})


def forget(target: Target, **named: Any) -> flow.Outcome:
    return flow.forget(target, Named(**named), SETTINGS, wait=True, report=lambda _: None)


@pytest.fixture(scope="module")
def erased(processed: dict[str, Any], target: Target, eraser: Target) -> tuple[flow.Outcome, dict[str, Any]]:
    """The erasure, interrupted in the middle and called again; and what there was before."""
    before = {
        "where": {bucket for bucket, _ in traces(target)},
        "runs": {run["name"] for run in runs.list_runs(target, 100)},
        "rows": {
            key: body
            for bucket, key, _, body in versions(target)
            if bucket == "RawBucketName" and not key.startswith("forgotten")
        },
        "models": registry.statuses(target),
    }
    left = 40

    def interrupt(**_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    events = eraser.client("s3").meta.events
    for operation in ("PutObject", "DeleteObject"):
        events.register(f"before-call.s3.{operation}", interrupt)
    with pytest.raises(KeyboardInterrupt):
        forget(eraser, ids=["QZ-0000061"])
    assert [one.rows > 0 for one in plan.unfinished(target)] == [True]
    return forget(eraser, ids=["QZ-0000061"]), before


def test_nothing_of_the_person_is_left_in_any_version_or_item(
    erased: tuple[flow.Outcome, dict[str, Any]], target: Target, local_aws: LocalAws
) -> None:
    outcome, before = erased
    assert {"RawBucketName", "PreparedBucketName", "OutputBucketName"} <= before["where"]
    assert len(outcome.completed) == 1
    assert traces(target) == []
    # Neither do the folders of local AWS hold it, where jobs work.
    for folder, _, names in os.walk(local_aws.folder):
        for name in names:
            path = Path(folder) / name
            if path.is_file() and path.stat().st_size < 50_000_000:
                assert not any(trace.encode() in path.read_bytes() for trace in TRACES), path


def test_everybody_elses_rows_are_there(
    erased: tuple[flow.Outcome, dict[str, Any]], processed: dict[str, Any], target: Target, made: Path
) -> None:
    _, before = erased
    now = {key: body for bucket, key, _, body in versions(target) if bucket == "RawBucketName"}
    assert before["rows"].items() <= now.items()
    with (made / "forgotten-learned.csv").open(encoding="utf-8", newline="") as file:
        expected = [row for row in csv.reader(file) if not any("Quirzuela" in cell for cell in row)]
    assert [row for row in csv.reader(io.StringIO(now["forgotten-learned.csv"].decode())) if row] == expected
    assert "otra cosa" in now["forgotten-unread.csv"].decode()
    assert "forgotten-alone.txt" not in now
    for run_id, document in processed.items():
        report = runs.read_json(target, target.outputs["PreparedBucketName"], PreparedKeys(run_id).report)
        assert report
        assert 0 < document["rows"]["read"] - report["rows"]["read"] < 20


def test_a_rewritten_upload_starts_no_run(erased: tuple[flow.Outcome, dict[str, Any]], target: Target) -> None:
    time.sleep(5)  # more than an upload takes to start one
    _, before = erased
    assert {run["name"] for run in runs.list_runs(target, 100)} == before["runs"]


def test_a_second_call_finds_nothing(erased: tuple[flow.Outcome, dict[str, Any]], eraser: Target) -> None:
    outcome = forget(eraser, texts=[CANARY])
    assert (outcome.rows, outcome.completed, len(outcome.earlier)) == (0, [], 1)


def test_the_model_that_learned_is_replaced_in_a_run_like_any_other(
    erased: tuple[flow.Outcome, dict[str, Any]], target: Target
) -> None:
    outcome, before = erased
    assert {model["version"] for model in before["models"] if model["serves"]} <= set(outcome.models)
    assert models.learned_erased_rows(target)
    found = models.retrain(target, lambda run_id: follow(target, run_id)["status"] == "SUCCEEDED")
    assert (found["status"], found["trained"]) == ("SUCCEEDED", True)
    assert "rows that were learned were erased since" in found["training_reason"]
    assert found["macro_f1"]["new"] > 0
    assert found["difference"].keys() == {"macro_f1_difference", "interval", "rows_answered_differently"}
    assert len(registry.statuses(target)) == len(before["models"]) + 1
    assert not models.learned_erased_rows(target)
    assert traces(target) == []
