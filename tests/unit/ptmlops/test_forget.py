"""A person's rows go from every version of every object and from the ledger; everybody else's stay."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from common.ledger import Ledger as RunLedger
from common.slots import Slots
from complaints_etl.publish.review_page import PageRow, render_review
from complaints_etl.redaction import REDACTION_VERSION, redact
from complaints_etl.spreadsheet import BYTE_ORDER_MARK, record
from moto import mock_aws
from start_run.arrivals import FileVersion
from start_run.ledger import Arrivals
from start_run.runs import join_runs
from typer.testing import CliRunner

from ptmlops import canary, reconciliation, restored_objects, runs
from ptmlops.erasure import carrying, flow, plan, uploads
from ptmlops.erasure.flow import Named
from ptmlops.errors import OperatorError
from ptmlops.main import app
from ptmlops.options import CommonOptions
from ptmlops.target import Target
from ptmlops_contracts.evaluation import text_digest
from ptmlops_contracts.keys import (
    ERASURE_RECORDS,
    ERASURES,
    INDEX,
    QUERY_RESULTS,
    RARE,
    ModelKeys,
    OutputKeys,
    PreparedKeys,
    s3_uri,
    training_rows_manifest,
)
from ptmlops_contracts.ledger import SLOTS_KEY, STARTED, chunk_key, file_key, run_key
from ptmlops_contracts.report import SPLITS
from stacks.config import load_settings
from tests.unit.ptmlops.test_erasure_formats import CANARY, OTHERS, delimited, opened

RAW, PREPARED, MODELS, OUTPUT, LEDGER = "raw", "prepared", "models", "output", "ledger"
BUCKETS = (RAW, PREPARED, MODELS, OUTPUT)
FIRST, SECOND = "20261101-080000-00000001", "20261102-080000-00000002"
SETTINGS = load_settings("local")
NOW = datetime(2026, 11, 29, tzinfo=UTC)
# What must be nowhere: of the text, of its ids, of the other cells.
TRACES = ("Quirarte", "Q-000002", "52100002", "Zulema")
HEADER = ["id", "cedula", "texto"]
pytestmark = pytest.mark.slow


def fingerprint(text: str) -> str:
    return hashlib.sha256(redact(text)[0].lower().encode()).hexdigest()


def made_id(text: str) -> str:
    return f"c-{hashlib.sha256(fingerprint(text).encode()).hexdigest()[:16]}"


class Bank:
    """An environment in which two runs have worked: one learned, one classified. Its files are those of the jobs, in small."""

    def __init__(self, target: Target) -> None:
        self.target, self.s3 = target, target.client("s3")
        self.versions: dict[str, str] = {}

    def put(self, bucket: str, key: str, body: bytes | str, **more: Any) -> str:
        content = body.encode() if isinstance(body, str) else body
        return str(self.s3.put_object(Bucket=bucket, Key=key, Body=content, **more)["VersionId"])

    def put_json(self, bucket: str, key: str, value: Any) -> None:
        self.put(bucket, key, json.dumps(value, ensure_ascii=False))

    def put_parquet(self, bucket: str, key: str, rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> None:
        out = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema), out, compression="zstd", row_group_size=2)
        self.put(bucket, key, out.getvalue())

    def put_lines(self, bucket: str, key: str, rows: list[dict[str, Any]]) -> None:
        self.put(bucket, key, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def put_list(self, key: str, rows: list[list[str]]) -> None:
        self.put(OUTPUT, key, BYTE_ORDER_MARK + "".join(record(row, ",") for row in rows).encode())
        out = io.BytesIO()
        with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
            sheet = book.add_worksheet("rows")
            for line, row in enumerate(rows):
                sheet.write_row(line, 0, row)
        self.put(OUTPUT, key.replace(".csv", ".xlsx"), out.getvalue())

    def upload(self, run: str, key: str, rows: list[list[str]]) -> str:
        body = delimited([HEADER, *rows]).encode()
        version = self.put(RAW, key, body, Metadata={"ptmlops-text": "texto"}, Tagging="team=quejas")
        self.versions[key] = version
        file = {"bucket": RAW, "key": key, "version_id": version, "size": len(body), "etag": "e"}
        ledger = Arrivals(self.target.client("dynamodb"), LEDGER)
        assert ledger.open(run, [FileVersion(**file)], instead_of=ledger.open_run_id(), now=NOW)  # type: ignore[arg-type]
        self.target.client("dynamodb").update_item(
            TableName=LEDGER, Key={"pk": {"S": run_key(run)}}, UpdateExpression="SET #s = :s",
            ExpressionAttributeNames={"#s": "status"}, ExpressionAttributeValues={":s": {"S": STARTED}},
        )  # fmt: skip
        self.put_json(PREPARED, PreparedKeys(run).manifest, {"run_id": run, "created_at": "", "files": [file]})
        return version

    def claim(self, key: str, version: str, run: str) -> None:
        item = {"pk": file_key(RAW, key, version), "run_id": run, "claimed_at": "2026-11-01T00:00:00.000+00:00"}
        self.target.client("dynamodb").put_item(TableName=LEDGER, Item={name: {"S": value} for name, value in item.items()})

    def prepare(self, run: str, key: str, rows: list[list[str]], *, labelled: bool) -> list[dict[str, Any]]:
        keys = PreparedKeys(run)
        records = [
            {
                "run_id": run, "source_file": key, "source_version": self.versions[key], "row_number": number, "line_number": number + 1,
                "complaint_id": row[0] or made_id(row[2]), "original_id": row[0] or None, "status": "accepted", "text": redact(row[2])[0],
                "label": "cuotas" if labelled else None, "split": "train" if labelled else None, "duplicate_of": None, "flags": [],
                "carried": [("cedula", "<ID_NUMBER>")],
            }
            for number, row in enumerate(rows, start=1)
        ]  # fmt: skip
        string = pa.string()
        schema = pa.schema(
            [
                (name, pa.int64() if name.endswith("number") else pa.list_(string) if name == "flags" else string)
                for name in list(records[0])[:-1]
            ]
            + [("carried", pa.map_(string, string))]
        )
        self.put_parquet(PREPARED, f"{keys.records}part-00000.zstd.parquet", records, schema)
        files = [
            {
                "key": key,
                "version_id": self.versions[key],
                "rows": {"read": len(rows), "accepted": len(rows), "rejected": 0, "duplicates": 0},
            }
        ]
        counts = {split: len(rows) if labelled and split == "train" else 0 for split in SPLITS}
        report = {
            "run_id": run, "files": files, "rows": files[0]["rows"], "to_score": 0 if labelled else len(rows), "labelled": counts, "notes": [],
            "labelled_repeated": dict.fromkeys(SPLITS, 0), "labelled_earlier": dict.fromkeys(SPLITS, 0), "rejects": {},
            "rare_labels": {"cuotas": 1, "lo que Zulema escribió": 1}, "unknown_labels": {"(others)": 2},
        }  # fmt: skip
        self.put_json(PREPARED, keys.report, report)
        return records

    def publish(self, run: str, key: str, records: list[dict[str, Any]]) -> None:
        output = OutputKeys(run)
        columns = ["id", "cedula", "texto", "ptmlops_status", "ptmlops_complaint_id", "ptmlops_reason"]
        same = "the label is the file's own, as in each row"  # what rows have in common leads from no row to another
        rows = [[one["original_id"] or "", "<ID_NUMBER>", one["text"], "scored", one["complaint_id"], same] for one in records]
        self.put_list(f"{output.exports}{key}", [columns, *rows])
        exports = [
            {"source_file": key, "source_version": self.versions[key], "rows": len(rows), "keys": [f"{output.exports}{key}"]}
        ]
        marker = {"run_id": run, "exports": exports, "files": [f"{output.exports}{key}", output.document]}
        self.put_json(PREPARED, PreparedKeys(run).published, marker)
        self.put_json(OUTPUT, output.marker, marker)

    def contents(self) -> Iterator[tuple[str, str, str, bytes]]:
        """Bucket, key, version and bytes of every version."""
        for bucket in BUCKETS:
            for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for item in page.get("Versions", []):
                    body = self.s3.get_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])["Body"].read()
                    yield bucket, item["Key"], item["VersionId"], body

    def traces(self) -> list[tuple[str, str, str]]:
        """Where anything of the person is, in objects and in the ledger."""
        prints = (fingerprint(CANARY), made_id(CANARY), text_digest(redact(CANARY)[0]))
        found = [
            (bucket, key, trace)
            for bucket, key, _, body in self.contents()
            for trace in (*TRACES, *prints)
            if trace.encode() in searchable(body)
        ]
        items = self.target.client("dynamodb").scan(TableName=LEDGER)["Items"]
        return found + [(LEDGER, "", trace) for trace in (*TRACES, *prints) if trace in json.dumps(items, default=str)]

    def text(self, bucket: str, key: str) -> str:
        return str(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode("utf-8-sig"))

    def item(self, pk: str) -> dict[str, Any] | None:
        return RunLedger(self.target.client("dynamodb"), LEDGER).find(pk)


def searchable(body: bytes) -> bytes:
    if body.startswith(b"PAR1"):
        return str(pq.read_table(io.BytesIO(body)).to_pylist()).encode()
    return opened(body)


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        target = Target("local", boto3.Session(region_name="us-east-1"))
        machine = target.client("stepfunctions").create_state_machine(
            name="ptmlops-local", definition='{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1, "End": true}}}',
            roleArn="arn:aws:iam::123456789012:role/machine",
        )["stateMachineArn"]  # fmt: skip
        target.client("sagemaker").create_model_package_group(ModelPackageGroupName="ptmlops-local")
        target.__dict__["outputs"] = {
            "RawBucketName": RAW, "PreparedBucketName": PREPARED, "ModelsBucketName": MODELS, "OutputBucketName": OUTPUT,
            "LedgerTableName": LEDGER, "StateMachineArn": machine, "ModelPackageGroupName": "ptmlops-local",
            "ArrivalsQueueUrl": target.client("sqs").create_queue(QueueName="arrivals")["QueueUrl"],
        }  # fmt: skip
        for bucket in BUCKETS:
            target.client("s3").create_bucket(Bucket=bucket)
            target.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        target.client("dynamodb").create_table(
            TableName=LEDGER, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        )  # fmt: skip
        made = Bank(target)
        fill(made)
        yield made


def fill(bank: Bank) -> None:
    """Two runs: the person's complaint was learned with its id, and classified without one."""
    learned = [["Q-000001", "52100001", OTHERS[0]], ["Q-000002", "52100002", CANARY], ["Q-000003", "52100003", OTHERS[1]]]
    bank.claim(
        "learned.csv", bank.put(RAW, "learned.csv", delimited([HEADER, learned[1], learned[0]])), FIRST
    )  # an earlier version
    bank.upload(FIRST, "learned.csv", learned)
    records = bank.prepare(FIRST, "learned.csv", learned, labelled=True)
    first, output = PreparedKeys(FIRST), OutputKeys(FIRST)
    lines = [{"complaint_id": one["complaint_id"], "text": one["text"], "label": "cuotas"} for one in records]
    bank.put_lines(PREPARED, f"{first.labelled('train')}part-00000.txt", lines)
    bank.put_lines(PREPARED, f"{first.labelled('validation')}part-00000.txt", lines[1:2])
    bank.put_lines(PREPARED, f"{first.labelled(RARE)}part-00000.txt", lines[:2])
    index = [{"fingerprint": fingerprint(row[2]), "group_id": "g", "label": "cuotas", "learned": True} for row in learned]
    bank.put_parquet(PREPARED, f"{first.labelled(INDEX)}part-00000.parquet", index)
    bank.put_json(PREPARED, first.complete, {"train": 3, "validation": 1, "test": 0, "redaction_version": REDACTION_VERSION})
    parts = [f"{first.labelled(split)}part-00000.txt" for split in ("train", "validation")]
    for split, part in zip(("train", "validation"), parts, strict=True):
        bank.put_json(PREPARED, first.split_manifest(split), training_rows_manifest(PREPARED, [part]))
    broken = {"run_id": FIRST, "source_file": "learned.csv", "source_version": bank.versions["learned.csv"], "row_number": 4,
              "line_number": 5, "reason": "unclosed_quote", "detail": "", "record": f'Q-000002,"{CANARY}', "text": None}  # fmt: skip
    bank.put_parquet(
        PREPARED,
        f"{first.rejected}part-00000.parquet",
        [broken, {**broken, "record": "x,y", "row_number": 5, "line_number": 6}],
    )
    bank.publish(FIRST, "learned.csv", records)
    bank.put_list(output.rejected, [["source_file", "line_number", "row_number", "reason", "detail", "record"],
                                    ["learned.csv", "5", "4", "unclosed_quote", "", str(broken["record"])],
                                    ["learned.csv", "6", "5", "unclosed_quote", "", "x,y"]])  # fmt: skip
    doubtful = [
        {**line, "given_label": "cuotas", "suggestion": "app", "given_probability": 0.1, "suggestion_probability": 0.9}
        for line in lines
    ]
    bank.put_lines(PREPARED, PreparedKeys(FIRST).labels_to_check, doubtful)
    bank.put(MODELS, ModelKeys(FIRST).artifact(f"{FIRST}-0-0"), b"weights")
    bank.put_lines(MODELS, ModelKeys(FIRST).answers, [
        {"complaint_id": one["complaint_id"], "text_digest": text_digest(one["text"]), "label": "cuotas", "answer": "app", "confidence": 0.5}
        for one in records
    ])  # fmt: skip
    # A check of `ptmlops promote` leaves its rows in a folder like a run's, which has nothing else.
    check = PreparedKeys("20261103-080000-00000003")
    bank.put_lines(PREPARED, f"{check.to_score}{canary.NAME}", [*canary.FIXED, *lines])
    bank.put_lines(
        PREPARED, f"{check.scored}{canary.NAME}.out", [{"complaint_id": one["complaint_id"], "label": "app"} for one in lines]
    )
    bank.put_list(
        output.labels_to_check, [["complaint_id", "text", "label"], *([one["complaint_id"], one["text"], ""] for one in lines)]
    )

    asked = [["", "52100009", OTHERS[2]], ["", "52100002", CANARY]]
    bank.upload(SECOND, "asked.csv", asked)
    records = bank.prepare(SECOND, "asked.csv", asked, labelled=False)
    second, output = PreparedKeys(SECOND), OutputKeys(SECOND)
    bank.put_lines(
        PREPARED,
        f"{second.to_score}part-00000.txt",
        [{"complaint_id": one["complaint_id"], "text": one["text"]} for one in records],
    )
    bank.put_lines(
        PREPARED,
        f"{second.scored}part-00000.txt.out",
        [{"complaint_id": one["complaint_id"], "label": "app"} for one in records],
    )
    bank.publish(SECOND, "asked.csv", records)
    bank.put_parquet(OUTPUT, f"{output.predictions}part-00000.parquet", [
        {"complaint_id": one["complaint_id"], "text": one["text"], "source_file": "asked.csv", "run_id": SECOND} for one in records
    ])  # fmt: skip
    review = [[one["complaint_id"], one["text"], "app", ""] for one in records]
    for text in ("an earlier attempt", "suggestion"):
        bank.put_list(output.review, [["complaint_id", "text", text, "label"], *review])
    page_rows = [
        PageRow(cells={"complaint_id": one["complaint_id"], "text": one["text"], "suggestion": "app"}, why="uncertain", language="es",
                alternatives=[("app", 0.5)], terms=["cuota"])
        for one in records
    ]  # fmt: skip
    bank.put(OUTPUT, output.review_page, render_review(
        page_rows, total=2, labels=["app"], columns=["complaint_id", "text", "suggestion", "label"], separator=",", language="es", run_id=SECOND,
    ))  # fmt: skip
    example = '<div><dt>{0}</dt><dd lang="es">{1}</dd></div>'
    examples = example.format("app", f"… {redact(CANARY)[0][6:60]} …") + example.format("otra", OTHERS[2])
    themes = f"<dl class=examples><div><dt>tema</dt><dd>{OTHERS[2]}</dd></div></dl>"
    bank.put(OUTPUT, output.report_page, f"<h1>asked.csv</h1>{themes}<dl class=examples>{examples}</dl><p>end</p>")
    bank.put(
        OUTPUT,
        f"{QUERY_RESULTS}one.csv",
        delimited([["complaint_id", "n"], [made_id(CANARY), "1"], [made_id(OTHERS[2]), "2"]]),
    )
    bank.put(OUTPUT, f"{QUERY_RESULTS}one.csv.metadata", b"\x00columns")
    bank.put(OUTPUT, f"{QUERY_RESULTS}two.csv", delimited([["words"], [redact(CANARY)[0]]]))
    same = "what each of the rows has in common"
    bank.put_parquet(
        OUTPUT, f"{QUERY_RESULTS}three", [{"t": redact(CANARY)[0], "of_all": same}, {"t": OTHERS[2], "of_all": same}]
    )
    bank.claim("queja de Zulema.txt", bank.put(RAW, "queja de Zulema.txt", CANARY), SECOND)
    bank.put(RAW, "deleted.csv", delimited([HEADER, *learned]))
    bank.s3.delete_object(Bucket=RAW, Key="deleted.csv")


def forget(bank: Bank, **named: Any) -> flow.Outcome:
    return flow.forget(bank.target, Named(**named), SETTINGS, wait=False, report=lambda _: None)


WAYS: dict[str, dict[str, Any]] = {
    "by its id": {"ids": ["Q-000002"]},
    "by the id that the pipeline made": {"ids": [made_id(CANARY)]},
    "by a value": {"where": [("Cédula", "52.100.002")]},
    "by its text": {"texts": [CANARY]},
}


@pytest.mark.parametrize("named", WAYS.values(), ids=WAYS)
def test_nothing_of_the_person_is_left_and_all_of_the_others(bank: Bank, named: dict[str, Any]) -> None:
    outcome = forget(bank, **named)
    assert bank.traces() == []
    assert outcome.rows > 20

    first, second = PreparedKeys(FIRST), PreparedKeys(SECOND)
    assert bank.text(RAW, "learned.csv") == delimited([HEADER, ["Q-000001", "52100001", OTHERS[0]]]) + "\n" + delimited(
        [["Q-000003", "52100003", OTHERS[1]]]
    )
    lines = bank.text(PREPARED, f"{first.labelled('train')}part-00000.txt").splitlines()
    assert [json.loads(line)["complaint_id"] for line in lines] == ["Q-000001", "Q-000003"]
    records = pq.read_table(
        io.BytesIO(bank.s3.get_object(Bucket=PREPARED, Key=f"{second.records}part-00000.zstd.parquet")["Body"].read())
    )
    assert records["complaint_id"].to_pylist() == [made_id(OTHERS[2])]
    assert records.schema.field("carried").type == pa.map_(pa.string(), pa.string())
    output = OutputKeys(SECOND)
    for key in (f"{output.exports}asked.csv", output.review, f"{QUERY_RESULTS}one.csv"):
        assert made_id(OTHERS[2]) in bank.text(OUTPUT, key)
    assert OTHERS[2] in bank.text(OUTPUT, output.report_page)
    assert "<p>end</p>" in bank.text(OUTPUT, output.report_page)
    assert made_id(OTHERS[2]) in bank.text(OUTPUT, output.review_page)
    assert "x,y" in bank.text(OUTPUT, OutputKeys(FIRST).rejected)
    workbook = bank.s3.get_object(Bucket=OUTPUT, Key=output.review_workbook)["Body"].read()
    assert made_id(OTHERS[2]).encode() in opened(workbook)


def test_what_held_only_the_persons_rows_is_gone_with_its_markers_and_its_name(bank: Bank) -> None:
    forget(bank, where=[("cedula", "52100002")], texts=[CANARY])
    keys = {
        (bucket, item["Key"])
        for bucket in BUCKETS
        for page in bank.s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for item in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
    }
    gone = [(RAW, "queja de Zulema.txt"), (OUTPUT, f"{QUERY_RESULTS}two.csv"),
            (PREPARED, f"{PreparedKeys(FIRST).labelled('validation')}part-00000.txt")]  # fmt: skip
    assert keys.isdisjoint(gone)
    assert (RAW, "deleted.csv") not in keys  # its only version had the row, and a marker was all that hid it
    assert (MODELS, ModelKeys(FIRST).artifact(f"{FIRST}-0-0")) in keys


def test_the_documents_of_runs_agree_with_their_rows(bank: Bank) -> None:
    forget(bank, ids=["Q-000002"])
    first, second = PreparedKeys(FIRST), PreparedKeys(SECOND)
    mark = json.loads(bank.text(PREPARED, first.complete))
    assert (mark["train"], mark["validation"]) == (2, 0)
    assert datetime.fromisoformat(mark["erased_at"]) > NOW - (NOW - NOW)
    report = json.loads(bank.text(PREPARED, second.report))
    assert report["rows"] == report["files"][0]["rows"] == {"read": 1, "accepted": 1, "rejected": 0, "duplicates": 0}
    assert report["to_score"] == 1
    learned = json.loads(bank.text(PREPARED, first.report))
    assert learned["labelled"] == {"train": 2, "validation": 0, "test": 0}
    assert (learned["rare_labels"], learned["unknown_labels"]) == ({"cuotas": 1}, {"(others)": 2})
    assert json.loads(bank.text(OUTPUT, OutputKeys(SECOND).marker))["exports"][0]["rows"] == 1
    assert json.loads(bank.text(PREPARED, first.split_manifest("validation"))) == [{"prefix": s3_uri(PREPARED)}]
    # Prepare and a replay read the version that is there.
    head = bank.s3.head_object(Bucket=RAW, Key="learned.csv")
    [file] = json.loads(bank.text(PREPARED, first.manifest))["files"]
    assert (file["version_id"], file["size"]) == (head["VersionId"], head["ContentLength"])
    run = bank.item(run_key(FIRST))
    assert run
    [chunk] = run["chunks"]
    chunk_item = bank.item(chunk_key(FIRST, chunk))
    assert chunk_item
    assert chunk_item["files"][0]["version_id"] == head["VersionId"]
    assert head["Metadata"] == {"ptmlops-text": "texto"}
    assert bank.s3.get_object_tagging(Bucket=RAW, Key="learned.csv")["TagSet"] == [{"Key": "team", "Value": "quejas"}]


def test_a_rewritten_upload_is_no_new_file(bank: Bank) -> None:
    seen: list[Any] = []
    put = bank.s3.put_object

    def put_and_report(**request: Any) -> Any:
        """Let S3 report the version at once, before anybody could have registered it."""
        answer = put(**request)
        if request["Bucket"] == RAW:
            file = FileVersion(bucket=RAW, key=request["Key"], version_id=answer["VersionId"], size=1, etag="e")
            ledger = Arrivals(bank.target.client("dynamodb"), LEDGER)
            seen.append((ledger.being_rewritten([file]) - ledger.claims([file]).keys(), file))
            assert reconciliation.reconcile(bank.target, dry_run=True).lost == 0
        return answer

    bank.s3.put_object = put_and_report
    forget(bank, ids=["Q-000002"])
    bank.s3.put_object = put
    assert {file.key for _, file in seen} == {"learned.csv", "asked.csv"}
    assert all(waits == {file} for waits, file in seen)
    # When the message comes back, the version belongs to the run of the version that it replaces.
    taken = join_runs([file for _, file in seen], ledger=Arrivals(bank.target.client("dynamodb"), LEDGER), clock=lambda: NOW)
    assert {file.key: run for file, run in taken.items()} == {"learned.csv": FIRST, "asked.csv": SECOND}
    found = reconciliation.reconcile(bank.target, dry_run=True)
    assert (found.lost, found.rewritten) == (0, 0)


def test_what_is_left_of_an_upload_that_no_run_has_taken_is_a_new_file(bank: Bank) -> None:
    bank.put(RAW, "lost.csv", delimited([HEADER, ["Q-000007", "1", OTHERS[0]], ["Q-000002", "2", CANARY]]))
    forget(bank, ids=["Q-000002"])
    version = bank.s3.head_object(Bucket=RAW, Key="lost.csv")["VersionId"]
    assert bank.item(file_key(RAW, "lost.csv", version)) is None
    assert reconciliation.reconcile(bank.target, dry_run=True).lost == 1


@pytest.mark.parametrize("requests", [*(pytest.param(n, marks=pytest.mark.nightly) for n in (1, 4, 70)), 30])
def test_an_interrupted_erasure_is_completed_by_the_next_call(bank: Bank, requests: int) -> None:
    """The first call ends in any request that changes something. Whatever the next one names, it completes the first."""
    left = requests

    def count(*_: Any, **__: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    events = [bank.target.client(service).meta.events for service in ("s3", "dynamodb")]
    changes = ("PutObject", "DeleteObject", "PutItem", "DeleteItem", "UpdateItem")
    names = [f"before-call.{service}.{operation}" for service in ("s3", "dynamodb") for operation in changes]
    for event in events:
        for name in names:
            event.register(name, count)
    with pytest.raises(KeyboardInterrupt):
        forget(bank, where=[("cedula", "52100002")])
    for event in events:
        for name in names:
            event.unregister(name, count)
    began = bool(list(plan.unfinished(bank.target)))
    outcome = forget(bank, ids=["nobody's id"]) if began else forget(bank, where=[("cedula", "52100002")])
    assert len(outcome.completed) == began
    assert bank.traces() == []
    assert not list(plan.unfinished(bank.target))
    assert delimited([["Q-000003", "52100003", OTHERS[1]]]) in bank.text(RAW, "learned.csv")
    assert reconciliation.reconcile(bank.target, dry_run=True).lost == 0
    item = bank.item(SLOTS_KEY)
    assert item is None or "paused_until" not in item


def test_a_second_call_finds_nothing_and_says_when_it_was_erased(bank: Bank) -> None:
    forget(bank, ids=["Q-000002"])
    before = sorted((bucket, key, version) for bucket, key, version, _ in bank.contents())
    for named in WAYS.values():
        outcome = forget(bank, **named)
        assert (outcome.rows, len(outcome.earlier)) == (0, "where" not in named)
    assert sorted((bucket, key, version) for bucket, key, version, _ in bank.contents()) == before


def test_the_record_has_counts_and_keyed_hashes_and_nothing_of_the_person(bank: Bank) -> None:
    outcome = forget(bank, where=[("cedula", "52100002")])
    assert outcome.record
    document = json.loads(bank.text(PREPARED, outcome.record))
    assert document["erased"]["uploaded files"] == {"rows": 5, "rewritten": 2, "deleted": 3}
    assert document["named"] == {"complaint_ids": 0, "values": 1, "texts": 0}
    assert all(len(one) == 64 for one in document["hashes"])
    assert hashlib.sha256(b"id:Q-000002").hexdigest() not in document["hashes"]  # without the key nobody can guess
    assert [
        key for bucket, key, _, _ in bank.contents() if key.startswith(ERASURES) and not key.startswith(ERASURE_RECORDS)
    ] == [f"{ERASURES}key"]


def test_a_dry_run_changes_nothing(bank: Bank) -> None:
    before = list(bank.contents())
    outcome = flow.look(bank.target, Named(ids=["Q-000002"]), SETTINGS, lambda _: None)
    assert outcome.rows == forget(bank, ids=["Q-000002"]).rows
    assert before != list(bank.contents())
    assert outcome.erasure_id is None


def test_while_rows_are_erased_no_run_gets_a_slot(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    slots = Slots(ledger=RunLedger(bank.target.client("dynamodb"), LEDGER), most=2)
    got: list[bool] = []
    carry_out = carrying.carry_out

    def carry_out_and_look(*arguments: Any) -> None:
        got.append(slots.take("a run/0", large=False, now=datetime.now(UTC)))
        carry_out(*arguments)

    monkeypatch.setattr(flow, "carry_out", carry_out_and_look)
    forget(bank, ids=["Q-000002"])
    assert got == [False]
    assert slots.take("a run/0", large=False, now=datetime.now(UTC))


def test_a_run_that_works_is_not_raced(bank: Bank) -> None:
    target = bank.target
    arn = target.outputs["StateMachineArn"]
    target.client("stepfunctions").start_execution(stateMachineArn=arn, name=SECOND, input="{}")
    Slots(ledger=RunLedger(target.client("dynamodb"), LEDGER), most=2).take(f"{SECOND}/0", large=False, now=NOW)
    traces = bank.traces()
    with pytest.raises(OperatorError, match=f"run {SECOND} works, and would write the rows again"):
        forget(bank, ids=["Q-000002"])
    assert bank.traces() == traces
    target.client("stepfunctions").stop_execution(executionArn=runs.execution_arn(target, SECOND))
    forget(bank, ids=["Q-000002"])
    assert bank.traces() == []


@pytest.mark.nightly
def test_what_was_erased_cannot_be_restored(bank: Bank) -> None:
    forget(bank, ids=["Q-000002"])
    for bucket in ("raw", "prepared", "models", "output"):
        restored_objects.carry_out(bank.target, restored_objects.plan(bank.target, bucket, NOW), lambda _: None)
    assert bank.traces() == []


@pytest.mark.nightly
def test_a_cancelled_file_stays_cancelled(bank: Bank) -> None:
    pk = file_key(RAW, "asked.csv", bank.versions["asked.csv"])
    bank.target.client("dynamodb").update_item(
        TableName=LEDGER,
        Key={"pk": {"S": pk}},
        UpdateExpression="SET cancelled_at = :n",
        ExpressionAttributeValues={":n": {"S": "x"}},
    )
    forget(bank, ids=["Q-000002"])
    version = bank.s3.head_object(Bucket=RAW, Key="asked.csv")["VersionId"]
    item = bank.item(file_key(RAW, "asked.csv", version))
    assert item
    assert item["cancelled_at"] == "x"


@pytest.mark.nightly
def test_an_upload_that_comes_meanwhile_is_not_hidden(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out = carrying.carry_out
    newer = delimited([HEADER, ["Q-000009", "9", OTHERS[0]]])

    def upload_and_carry_out(*arguments: Any) -> None:
        bank.put(RAW, "learned.csv", newer)
        carry_out(*arguments)

    monkeypatch.setattr(flow, "carry_out", upload_and_carry_out)
    forget(bank, ids=["Q-000002"])
    assert bank.text(RAW, "learned.csv") == newer
    assert bank.traces() == []


def test_files_in_which_nobody_can_look_are_counted(bank: Bank) -> None:
    bank.put(RAW, "scan.pdf", b"%PDF-1.7 \x00\x01")
    assert forget(bank, ids=["Q-000002"]).unreadable == 1


@pytest.mark.nightly
def test_two_persons_one_after_the_other(bank: Bank) -> None:
    """Row numbers of a rewritten upload have shifted; its lines have not, so the second person is found, too, and nobody else."""
    forget(bank, where=[("cedula", "52100002")])
    forget(bank, where=[("cedula", "52100003")])
    assert OTHERS[1].encode() not in b"".join(searchable(body) for _, _, _, body in bank.contents())
    assert "Q-000001" in bank.text(RAW, "learned.csv")
    lines = bank.text(PREPARED, f"{PreparedKeys(FIRST).labelled('train')}part-00000.txt").splitlines()
    assert [json.loads(line)["complaint_id"] for line in lines] == ["Q-000001"]


@pytest.mark.nightly
def test_a_large_object_is_stored_in_parts(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LARGEST_PUT", 10)
    monkeypatch.setattr(uploads, "_PART", 6 * 1024**2)
    many = [["Q-000002", "52100002", CANARY], *([f"Q-1{number:05}", "1", OTHERS[0] * 200] for number in range(600))]
    bank.put(RAW, "large.csv", delimited([HEADER, *many]))
    forget(bank, ids=["Q-000002"])
    assert bank.text(RAW, "large.csv").count("Q-1") == 600
    assert bank.traces() == []


def test_a_member_of_an_archive_goes_alone(bank: Bank) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("una.txt", CANARY)
        made.writestr("otra.txt", OTHERS[0])
        made.writestr("foto.png", b"\x89PNG\r\n\x1a\n\x00")
    bank.put(RAW, "all.zip", out.getvalue())
    forget(bank, texts=[CANARY])
    body = bank.s3.get_object(Bucket=RAW, Key="all.zip")["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as left:
        assert {name: left.read(name) for name in left.namelist()} == {
            "otra.txt": OTHERS[0].encode(),
            "foto.png": b"\x89PNG\r\n\x1a\n\x00",
        }


# The command


def ptmlops(bank: Bank, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr(CommonOptions, "target", lambda _: bank.target)
    return CliRunner().invoke(app, ["forget", *arguments], catch_exceptions=False)


def test_the_command_says_what_it_did_and_repeats_nothing_of_the_person(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "queja.txt").write_text(f"{CANARY}\n", encoding="utf-8")
    dry = ptmlops(bank, monkeypatch, "--text-file", str(tmp_path / "queja.txt"), "--dry-run")
    assert "rows would be erased" in dry.output
    done = ptmlops(bank, monkeypatch, "--where", "Cédula=52.100.002", "--json", "--yes")
    document = json.loads(done.stdout)
    assert document["rows"] == sum(one["rows"] for one in document["erased"].values()) > 20
    assert document["record"].startswith(ERASURE_RECORDS)
    again = ptmlops(bank, monkeypatch, "--complaint-id", "Q-000002", "--yes")
    assert "No rows were found" in again.output
    assert "The same was erased before, on 20" in again.output
    for one in (dry, done):
        assert not any(trace in one.output for trace in ("Zulema", "52100002"))


def test_without_a_terminal_nothing_is_erased_without_yes(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    named = ("--where", "Cédula=52.100.002")
    before = json.loads(ptmlops(bank, monkeypatch, *named, "--dry-run", "--json").stdout)["rows"]
    done = ptmlops(bank, monkeypatch, *named)
    assert (done.exit_code, "add --yes" in " ".join(done.output.split())) == (2, True)
    assert json.loads(ptmlops(bank, monkeypatch, *named, "--dry-run", "--json").stdout)["rows"] == before > 0


WRONG = [
    ([], "name the person's rows with --complaint-id, --where or --text-file"),
    (["--where", "cedula"], "--where COLUMN=VALUE"),
    (["--where", "=1"], "--where COLUMN=VALUE"),
    (["--complaint-id", " "], "--complaint-id is empty"),
    (["--text-file", "missing.txt"], "missing.txt cannot be read"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_what_names_nobody_is_refused(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["forget", *arguments, "--local"], catch_exceptions=False)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
