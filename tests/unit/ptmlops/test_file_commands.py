"""`where`, `cancel`, `reconcile` and `replay` on moto: files are taken by start_run's own code, and the ledger is the functions' own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collect_run.collecting import CancelledError, Window, collect, manifest
from common.slots import Slots
from moto import mock_aws
from moto.stepfunctions.models import Execution, StepFunctionBackend
from start_run.arrivals import FileVersion, parse_arrival
from start_run.ledger import Arrivals
from start_run.runs import ensure_executes, join_runs
from typer.testing import CliRunner

from ptmlops import cancellation, ledger, raw_files, reconciliation, replays, runs, whereabouts
from ptmlops.commands.recovery import time_range
from ptmlops.errors import OperatorError
from ptmlops.main import app
from ptmlops.options import CommonOptions
from ptmlops.target import Target
from ptmlops_contracts.keys import OutputKeys, PreparedKeys
from ptmlops_contracts.ledger import CANCELLED, COLLECTING, run_key

NOW = datetime(2026, 11, 28, 10, tzinfo=UTC)
RAW, PREPARED, OUTPUT, TABLE = "raw-files", "prepared-rows", "output-files", "ledger"
ROWS = {"read": 5, "accepted": 3, "rejected": 2, "duplicates": 0}


@dataclass
class Account:
    """A deployment without functions: what they would do is called here."""

    target: Target
    clock: datetime = NOW
    redriven: list[str] = field(default_factory=list)

    def upload(self, key: str, content: str = "text\nhello\n") -> str:
        return str(self.target.client("s3").put_object(Bucket=RAW, Key=key, Body=content.encode())["VersionId"])

    def start_run(self, *keys: str) -> str:
        """Deliver the events of the newest versions of these keys."""
        versions = [raw_files.versions_of(self.target, key, limit=1)[0] for key in keys]
        return self.deliver([reconciliation.arrival(version) for version in versions])

    def deliver(self, bodies: list[str]) -> str:
        self.clock += timedelta(minutes=1)
        files = [parse_arrival(body) for body in bodies]
        book, clock = self.book, lambda: self.clock
        [run_id] = set(join_runs(files, ledger=book, clock=clock).values())
        machine = self.target.outputs["StateMachineArn"]
        states = self.target.client("stepfunctions")
        return ensure_executes(run_id, ledger=book, states=states, state_machine_arn=machine, clock=clock)

    @property
    def book(self) -> Arrivals:
        return Arrivals(self.target.client("dynamodb"), TABLE)

    def close(self, run_id: str) -> list[str]:
        """Let the collector close a run, and write its manifest. Returns the keys of its files."""
        book = self.book
        answer = collect(
            run_id,
            redrives=0,
            ledger=book,
            slots=Slots(ledger=book, most=9),
            is_executing=lambda *_: True,
            window=Window(quiet_seconds=1, longest_seconds=1),
            large_bytes=10**9,
            now=datetime(2100, 1, 1, tzinfo=UTC),  # every window is over
        )
        assert answer["ready"]
        document = manifest(book, run_id)
        assert (answer["files"], answer["bytes"]) == (len(document["files"]), sum(file["size"] for file in document["files"]))
        self.put(PREPARED, PreparedKeys(run_id).manifest, document)
        return [file["key"] for file in document["files"]]

    def end(self, run_id: str, status: str, *, recorded: bool = True) -> None:
        """End a run's execution, and record it."""
        self.execution(run_id).status = status
        if recorded:
            book = self.book
            book.update(book.change(run_key(run_id), "SET #status = :to", "attribute_exists(pk)", names=["status"], to=status))

    def execution(self, run_id: str) -> Execution:
        from moto.backends import get_backend

        backend: StepFunctionBackend = get_backend("stepfunctions")["123456789012"]["us-east-1"]
        [found] = [one for machine in backend.state_machines for one in machine.executions if one.name == run_id]
        return found

    def report(self, run_id: str, *files: tuple[str, dict[str, Any]], rejects: dict[str, int] | None = None) -> None:
        """Write report.json: each file with its fields."""
        versions = {key: raw_files.versions_of(self.target, key, limit=1)[0].version_id for key, _ in files}
        entries = [
            {"key": key, "version_id": versions[key], "rejected_whole": None, "refused": None, "rows": ROWS, **fields}
            for key, fields in files
        ]
        self.put(PREPARED, PreparedKeys(run_id).report, {"files": entries, "rejects": rejects or {}})

    def put(self, bucket: str, key: str, document: object) -> None:
        self.target.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(document).encode())

    def status(self, run_id: str) -> str:
        run = self.book.run(run_id)
        assert run
        return run.status

    def where(self, key: str) -> whereabouts.Whereabouts:
        return whereabouts.find(self.target, key, limit=10)[0]

    def queued(self) -> list[str]:
        """Take all messages from the arrivals queue. Returns their bodies."""
        sqs, url = self.target.client("sqs"), self.target.outputs["ArrivalsQueueUrl"]
        bodies: list[str] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            bodies += [message["Body"] for message in messages]
        return bodies


@pytest.fixture(scope="module")
def clients() -> dict[str, Any]:
    """One client per service for all tests: to create one takes longer than a test."""
    return {}


@pytest.fixture
def account(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setenv("SF_EXECUTION_HISTORY_TYPE", "SUCCESS")
    with mock_aws():
        session = boto3.Session(aws_access_key_id="id", aws_secret_access_key="key", region_name="us-east-1")
        target = Target("dev", session, _clients=clients)
        for bucket in (RAW, PREPARED, OUTPUT):
            target.client("s3").create_bucket(Bucket=bucket)
        target.client("s3").put_bucket_versioning(Bucket=RAW, VersioningConfiguration={"Status": "Enabled"})
        target.client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        machine = target.client("stepfunctions").create_state_machine(
            name="runs",
            definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
            roleArn="arn:aws:iam::123456789012:role/r",
        )
        target.__dict__["outputs"] = {
            "RawBucketName": RAW,
            "PreparedBucketName": PREPARED,
            "OutputBucketName": OUTPUT,
            "LedgerTableName": TABLE,
            "StateMachineArn": machine["stateMachineArn"],
            "ArrivalsQueueUrl": target.client("sqs").create_queue(QueueName="arrivals")["QueueUrl"],
            "DeadLetterQueueUrl": target.client("sqs").create_queue(QueueName="dead")["QueueUrl"],
        }
        monkeypatch.setattr(CommonOptions, "target", lambda _: target)
        monkeypatch.delenv("PTMLOPS_ENVIRONMENT", raising=False)
        yield Account(target)


@pytest.fixture
def redrive(account: Account, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let Step Functions redrive these runs, and no others; moto has no redrive."""

    def allow(*run_ids: str) -> None:
        def answer(_: Target, run_id: str) -> bool:
            if run_id not in run_ids:
                return False
            account.execution(run_id).status = "RUNNING"
            account.redriven.append(run_id)
            return True

        monkeypatch.setattr(runs, "redrive", answer)

    allow()
    return allow


def ptmlops(*arguments: str, answer: str | None = None) -> Any:
    done = CliRunner().invoke(app, list(arguments), input=answer, catch_exceptions=False)
    assert "Traceback" not in done.output
    return done


# where


def test_a_file_that_no_run_has_taken_waits_and_a_late_one_was_lost(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.upload("a.csv")
    found = account.where("a.csv")
    assert (found.outcome, found.run_id, found.next_step) == ("waiting", None, "")

    monkeypatch.setattr(whereabouts, "START_SECONDS", 0)
    found = account.where("a.csv")
    assert (found.outcome, found.next_step) == ("waiting", "reconcile")
    assert "replay --dead-letters" in found.message


def test_a_file_that_waits_because_runs_failed_says_so(account: Account) -> None:
    account.upload("a.csv")
    account.start_run("a.csv")
    assert "waits for a free slot" in account.where("a.csv").message
    for run_id in "abc":
        Slots(ledger=account.book).note_failure(
            run_id, because="Prepare: Glue.InternalServiceException", now=datetime.now(UTC)
        )
    found = account.where("a.csv")
    assert found.outcome == "collecting"
    assert (
        "because 3 runs in a row failed (last in Prepare: Glue.InternalServiceException); one run tries again after"
        in found.message
    )


def test_a_file_is_followed_from_run_to_run(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """It collects, its execution ends, another run takes it, works and fails."""
    account.upload("a.csv")
    account.upload("b.csv")
    first = account.start_run("a.csv")
    found = account.where("a.csv")
    assert (found.outcome, found.run_id, found.next_step) == ("collecting", first, f"watch {first}")

    account.end(first, "FAILED", recorded=False)
    found = account.where("a.csv")
    assert (found.outcome, found.next_step) == ("collecting", "reconcile")

    second = account.start_run("b.csv")
    found = account.where("a.csv")
    assert (found.outcome, found.run_id, found.earlier_runs) == ("collecting", second, (first,))

    assert account.close(second) == ["a.csv", "b.csv"]
    monkeypatch.setattr(runs, "current_state", lambda *_: "Prepare")
    found = account.where("a.csv")
    assert (found.outcome, found.run_id, found.state) == ("working", second, "Prepare")

    account.end(second, "FAILED")
    account.put(OUTPUT, OutputKeys(second).document, {"error": {"state": "Plan", "message": "there is no model yet"}})
    found = account.where("a.csv")
    assert (found.outcome, found.state, found.next_step) == ("failed", "Plan", f"replay {second}")
    assert "there is no model yet" in found.message


@pytest.mark.parametrize(
    ("status", "fields", "says", "why"),
    [
        ("SUCCEEDED", {"rejected_whole": "no_text_column"}, "no column has a name of the text column", "other files went on"),
        ("SUCCEEDED", {"refused": "60% of its rows were rejected"}, "60% of its rows were rejected", "too many rows"),
        ("FAILED", {"refused": "60% of its rows were rejected"}, "60% of its rows were rejected", "it was the only file"),
    ],
)
def test_a_rejected_file_comes_with_the_reason(
    account: Account, status: str, fields: dict[str, Any], says: str, why: str
) -> None:
    account.upload("a.csv")
    run_id = account.start_run("a.csv")
    account.close(run_id)
    account.report(run_id, ("a.csv", fields), rejects={"empty_text": 2})
    account.end(run_id, status)

    found = account.where("a.csv")
    assert (found.outcome, found.rejects) == ("rejected", {"empty_text": 2})
    assert says in found.message


@pytest.mark.parametrize(("status", "reason"), [("SUCCEEDED", "unsupported_format"), ("FAILED", "binary_file")])
def test_a_file_that_is_no_table_was_passed_over(account: Account, status: str, reason: str) -> None:
    account.upload("fotos/Thumbs.db")
    run_id = account.start_run("fotos/Thumbs.db")
    account.close(run_id)
    account.report(run_id, ("fotos/Thumbs.db", {"rejected_whole": reason}), rejects={})
    account.end(run_id, status)

    found = account.where("fotos/Thumbs.db")
    assert (found.outcome, found.run_id, found.exports, found.next_step) == ("passed over", run_id, (), "")
    assert f"run {run_id} passed it over, because it is not a table: {reason}" in found.message


def test_a_published_file_has_its_own_counts_and_export_and_not_those_of_other_files(account: Account) -> None:
    for key in ("a.csv", "secret.csv"):
        account.upload(key)
    run_id = account.start_run("a.csv", "secret.csv")
    account.close(run_id)
    account.report(run_id, ("a.csv", {}), ("secret.csv", {}), rejects={"empty_text": 3, "unclosed_quote": 1})
    versions = {key: raw_files.versions_of(account.target, key, limit=1)[0].version_id for key in ("a.csv", "secret.csv")}
    rows = [("a.csv", "empty_text"), ("a.csv", "unclosed_quote"), ("secret.csv", "empty_text"), ("secret.csv", "empty_text")]
    table = pa.table(
        {
            "source_file": [key for key, _ in rows],
            "source_version": [versions[key] for key, _ in rows],
            "reason": [reason for _, reason in rows],
        }
    )
    pq.write_table(table, body := io.BytesIO())
    part = f"{PreparedKeys(run_id).rejected}part-0.parquet"
    account.target.client("s3").put_object(Bucket=PREPARED, Key=part, Body=body.getvalue())
    exports = [
        {"source_file": key, "source_version": version, "keys": [f"exports/{key}"]} for key, version in versions.items()
    ]
    account.put(OUTPUT, OutputKeys(run_id).marker, {"exports": exports})
    account.end(run_id, "SUCCEEDED")

    done = ptmlops("where", "a.csv", "--json")

    [found] = json.loads(done.stdout)
    assert (found["outcome"], found["rows"]) == ("published", ROWS)
    assert found["rejects"] == {"empty_text": 1, "unclosed_quote": 1}
    assert found["exports"] == [f"s3://{OUTPUT}/exports/a.csv"]
    assert "secret" not in done.output + ptmlops("where", "a.csv").output


def test_an_archive_has_the_rows_of_all_its_files_and_names_those_that_were_not_read(account: Account) -> None:
    version = account.upload("z.zip")
    run_id = account.start_run("z.zip")
    account.close(run_id)
    none = dict.fromkeys(ROWS, 0)
    parts = {"z.zip/a.csv": {}, "z.zip/b.csv": {}, "z.zip/doc.pdf": {"rejected_whole": "binary_file", "rows": none}}
    entries = [
        {"key": key, "version_id": version, "rejected_whole": None, "refused": None, "rows": ROWS, **fields}
        for key, fields in parts.items()
    ]
    account.put(PREPARED, PreparedKeys(run_id).report, {"files": entries, "rejects": {"empty_text": 4}})
    account.end(run_id, "SUCCEEDED")

    found = account.where("z.zip")
    assert (found.outcome, found.rows) == ("published", {name: 2 * count for name, count in ROWS.items()})
    assert "Not read: z.zip/doc.pdf: binary_file" in found.message
    part = ptmlops("where", "z.zip/doc.pdf")
    assert part.exit_code == 2
    assert "z.zip/doc.pdf is a part of z.zip, which was uploaded: use `ptmlops where z.zip" in " ".join(part.output.split())


def test_versions_are_listed_newest_first_and_a_path_stands_for_its_name(account: Account) -> None:
    for content in ("1", "2", "3"):
        account.upload("a.csv", content)
    account.upload("a.csv.gz")
    run_id = account.start_run("a.csv")
    for argument in ("a.csv", "/home/ana/files/a.csv"):
        found = json.loads(ptmlops("where", argument, "--limit", "2", "--json").stdout)
        assert [(one["key"], one["outcome"], one["run_id"]) for one in found] == [
            ("a.csv", "collecting", run_id),
            ("a.csv", "waiting", None),
        ]


def test_a_file_that_was_never_uploaded_is_an_error_with_a_next_step(account: Account) -> None:
    account.upload("a.csv.gz")
    done = ptmlops("where", "a.csv")
    assert done.exit_code == 2
    assert "ptmlops drop FILE" in " ".join(done.output.split())


# cancel


def test_a_cancelled_file_is_in_no_manifest_even_if_its_event_comes_again(account: Account) -> None:
    for key in ("a.csv", "b.csv"):
        account.upload(key, key * 10)
    run_id = account.start_run("a.csv", "b.csv")

    done = ptmlops("cancel", "a.csv", "--yes", "--json")

    [cancelled] = json.loads(done.stdout)["cancelled"]
    assert (cancelled["run_id"], cancelled["cancelled_run"]) == (run_id, None)
    assert account.start_run("a.csv") == run_id  # the event is delivered again
    assert account.where("a.csv").outcome == "cancelled"
    assert account.close(run_id) == ["b.csv"]


def test_a_cancelled_file_stays_out_of_the_run_that_takes_over(account: Account) -> None:
    """It is cancelled in the run that inherited it, and that run is superseded, too."""
    for key in ("a.csv", "b.csv", "c.csv"):
        account.upload(key)
    first = account.start_run("a.csv", "b.csv")
    account.end(first, "FAILED", recorded=False)
    second = account.start_run("a.csv")
    assert ptmlops("cancel", "a.csv", "--yes").exit_code == 0
    account.end(second, "FAILED", recorded=False)
    third = account.start_run("c.csv")
    assert third not in (first, second)
    assert account.close(third) == ["b.csv", "c.csv"]


def test_a_run_that_loses_its_last_file_is_cancelled(account: Account) -> None:
    account.upload("a.csv")
    run_id = account.start_run("a.csv")
    done = ptmlops("cancel", "a.csv", "--yes")
    assert "had no other file" in done.output
    assert account.status(run_id) == CANCELLED
    assert account.execution(run_id).status == "ABORTED"
    account.upload("b.csv")
    assert account.start_run("b.csv") != run_id
    with pytest.raises(OperatorError, match="all were cancelled"):
        replays.replay_run(account.target, run_id)


def test_a_file_that_joins_while_the_last_other_one_is_cancelled_is_not_lost(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.upload("a.csv")
    account.upload("b.csv")
    run_id = account.start_run("a.csv")
    count = ledger.Ledger.file_count

    def joined_in_between(self: ledger.Ledger, run: Any) -> int:
        found = count(self, run)
        account.start_run("b.csv")
        return found

    monkeypatch.setattr(ledger.Ledger, "file_count", joined_in_between)
    assert ptmlops("cancel", "a.csv", "--yes").exit_code == 0
    assert account.status(run_id) == COLLECTING
    assert account.close(run_id) == ["b.csv"]


def test_a_file_that_no_run_has_taken_is_kept_out_of_all(account: Account) -> None:
    account.upload("a.csv")
    account.upload("b.csv")
    assert ptmlops("cancel", "a.csv", "--yes").exit_code == 0
    assert account.where("a.csv").outcome == "cancelled"
    book = account.book
    versions = [raw_files.versions_of(account.target, key, limit=1)[0] for key in ("a.csv", "b.csv")]
    files = [parse_arrival(reconciliation.arrival(version)) for version in versions]
    taken = join_runs(files, ledger=book, clock=lambda: NOW)
    run = book.run(taken[files[1]])
    assert run
    assert [file["key"] for file in book.files(run)] == ["b.csv"]


def test_a_file_that_works_is_refused_and_the_run_is_named(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.upload("a.csv")
    run_id = account.start_run("a.csv")
    waiting = cancellation.waiting_versions(account.target, "a.csv", version_id=None, limit=5)
    account.close(run_id)
    monkeypatch.setattr(runs, "current_state", lambda *_: "Prepare")
    done = ptmlops("cancel", "a.csv", "--yes")
    assert done.exit_code == 2
    assert f"ptmlops cancel {run_id}" in " ".join(done.output.split())
    with pytest.raises(OperatorError, match=f"ptmlops cancel {run_id}"):  # it began between the question and the answer
        cancellation.cancel_file(account.target, waiting[0])


def test_one_of_several_waiting_versions_is_cancelled_or_all(account: Account) -> None:
    old, new = account.upload("a.csv", "old"), account.upload("a.csv", "new")
    assert ptmlops("cancel", "a.csv", "--version", old, "--yes").exit_code == 0
    outcomes = {one.version.version_id: one.outcome.value for one in whereabouts.find(account.target, "a.csv", limit=5)}
    assert outcomes == {old: "cancelled", new: "waiting"}
    account.upload("a.csv", "newest")
    assert len(json.loads(ptmlops("cancel", "a.csv", "--yes", "--json").stdout)["cancelled"]) == 2
    done = ptmlops("cancel", "a.csv", "--yes")
    assert done.exit_code == 2
    assert "does not wait" in done.output


def test_a_cancelled_run_is_marked_before_it_is_stopped_and_no_upload_takes_its_files(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.upload("a.csv")
    account.upload("b.csv")
    run_id = account.start_run("a.csv")
    seen: list[str] = []
    stop = StepFunctionBackend.stop_execution

    def noting(self: StepFunctionBackend, execution_arn: str) -> Execution:
        seen.append(account.status(run_id))
        return stop(self, execution_arn)

    monkeypatch.setattr(StepFunctionBackend, "stop_execution", noting)
    assert json.loads(ptmlops("cancel", run_id, "--yes", "--json").stdout) == {"run_id": run_id, "worked": False, "files": 1}
    assert seen == [CANCELLED]
    assert account.execution(run_id).status == "ABORTED"
    assert account.where("a.csv").outcome == "cancelled"
    with pytest.raises(CancelledError):
        account.close(run_id)

    assert account.start_run("a.csv") == run_id  # its event again: nothing starts
    assert account.execution(run_id).status == "ABORTED"
    other = account.start_run("b.csv")
    assert account.close(other) == ["b.csv"]


def test_a_run_that_works_is_stopped_and_one_that_has_ended_is_refused(account: Account) -> None:
    account.upload("a.csv")
    run_id = account.start_run("a.csv")
    account.close(run_id)
    assert json.loads(ptmlops("cancel", run_id, "--yes", "--json").stdout)["worked"] is True
    assert account.execution(run_id).status == "ABORTED"
    account.end(run_id, "ABORTED")
    assert account.where("a.csv").outcome == "stopped"
    done = ptmlops("cancel", run_id, "--yes")
    assert done.exit_code == 2
    assert "has ended (aborted)" in done.output
    done = ptmlops("cancel", "20200101-000000-00000000", "--yes")
    assert "does not exist" in done.output


def test_a_superseded_run_names_the_one_to_cancel(account: Account) -> None:
    account.upload("a.csv")
    first = account.start_run("a.csv")
    account.end(first, "FAILED", recorded=False)
    second = account.start_run("a.csv")
    done = ptmlops("cancel", first, "--yes")
    assert done.exit_code == 2
    assert f"ptmlops cancel {second}" in " ".join(done.output.split())


@pytest.mark.parametrize("what", ["file", "run"])
def test_without_a_terminal_cancel_needs_yes(account: Account, what: str) -> None:
    account.upload("a.csv")
    run_id = account.start_run("a.csv")
    done = ptmlops("cancel", run_id if what == "run" else "a.csv", answer="n\n")
    assert done.exit_code == 2
    assert "nothing was changed: there is no terminal to ask for confirmation, so add --yes" in " ".join(done.output.split())
    assert account.status(run_id) == COLLECTING
    assert account.close(run_id) == ["a.csv"]


# reconcile


def test_what_no_run_has_taken_is_sent_once_and_the_rest_is_left_alone(account: Account) -> None:
    for key in ("taken.csv", "cancelled.csv", "deleted.csv"):
        account.upload(key)
    account.start_run("taken.csv")
    assert ptmlops("cancel", "cancelled.csv", "--yes").exit_code == 0
    account.target.client("s3").delete_object(Bucket=RAW, Key="deleted.csv")
    account.upload("folder/", "")
    old, new = account.upload("lost.csv", "old"), account.upload("lost.csv", "newer")

    counts = {
        "versions": 4,
        "taken": 1,
        "cancelled": 1,
        "deleted": 1,
        "folders": 1,
        "rewritten": 0,
        "lost": 2,
        "stranded_runs": [],
    }
    assert json.loads(ptmlops("reconcile", "--dry-run", "--json").stdout) == {**counts, "sent": 0, "dry_run": True}
    assert account.queued() == []
    assert json.loads(ptmlops("reconcile", "--json").stdout) == {**counts, "sent": 2, "dry_run": False}

    bodies = account.queued()
    version = raw_files.versions_of(account.target, "lost.csv", limit=1)[0]
    assert [parse_arrival(body).version_id for body in bodies] == [new, old]
    assert parse_arrival(bodies[0]) == FileVersion(bucket=RAW, key="lost.csv", version_id=new, size=5, etag=version.etag)
    account.deliver(bodies)
    assert reconciliation.reconcile(account.target).lost == 0


def test_a_run_without_an_execution_is_taken_over_with_all_its_files(account: Account) -> None:
    for key in ("a.csv", "b.csv", "c.csv"):
        account.upload(key)
    first = account.start_run("a.csv", "b.csv", "c.csv")
    account.end(first, "ABORTED", recorded=False)

    found = reconciliation.reconcile(account.target)

    assert (found.taken, found.lost, found.stranded_runs, found.sent) == (3, 0, [first], 1)
    second = account.deliver(account.queued())
    assert second != first
    assert account.close(second) == ["a.csv", "b.csv", "c.csv"]
    assert reconciliation.reconcile(account.target).sent == 0


def test_prefix_and_time_choose_what_is_compared(account: Account) -> None:
    for key in ("november/a.csv", "december/b.csv"):
        account.upload(key)
    assert json.loads(ptmlops("reconcile", "--prefix", "nov", "--dry-run", "--json").stdout)["lost"] == 1
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    for option, lost in (("--since", 2), ("--until", 2)):
        assert json.loads(ptmlops("reconcile", option, today, "--dry-run", "--json").stdout)["lost"] == lost, option
    assert json.loads(ptmlops("reconcile", "--since", "2100-01-01", "--json").stdout)["lost"] == 0
    assert json.loads(ptmlops("reconcile", "--until", "2001-01-01T10:00+01:00", "--json").stdout)["lost"] == 0
    done = ptmlops("reconcile", "--since", "yesterday")
    assert done.exit_code == 2
    assert "2026-11-28T14:30+01:00" in done.output


def test_a_bucket_of_several_pages_is_compared_and_a_deleted_key_at_a_page_s_end_stays_deleted(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    for number in range(12):
        account.upload(f"{number:03}.csv")
    for content in ("1", "2", "3", "4"):
        account.upload("deleted.csv", content)
    account.target.client("s3").delete_object(Bucket=RAW, Key="deleted.csv")
    pages = list(raw_files.pages(account.target))
    assert len(pages) > 4
    found = reconciliation.reconcile(account.target)
    assert (found.lost, found.deleted, found.sent) == (12, 4, 12)
    assert {parse_arrival(body).key for body in account.queued()} == {f"{number:03}.csv" for number in range(12)}


# replay


def test_a_failed_run_is_redriven(account: Account, redrive: Callable[..., None]) -> None:
    account.upload("a.csv")
    run_id = account.start_run("a.csv")
    account.close(run_id)
    account.end(run_id, "FAILED")
    redrive(run_id)
    assert json.loads(ptmlops("replay", run_id, "--json").stdout) == {"run_id": run_id, "replays": run_id, "redriven": True}


def test_a_redriven_run_has_no_run_json_until_the_next_attempt_ends(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.upload("a.csv")
    run_id = account.start_run("a.csv")
    account.end(run_id, "FAILED")
    states = account.target.client("stepfunctions")
    describe = states.describe_execution  # of moto, which has no redrive
    redriven = datetime(2026, 7, 15, 10, 0, 0, 500_000, tzinfo=UTC)
    monkeypatch.setattr(states, "describe_execution", lambda **request: {**describe(**request), "redriveDate": redriven})
    key = OutputKeys(run_id).document

    account.put(OUTPUT, key, {"run_id": run_id, "finished_at": "2026-07-15T09:59:59+00:00"})
    with pytest.raises(OperatorError, match="has no run"):
        runs.run_document(account.target, run_id, wait_seconds=0)

    account.put(OUTPUT, key, {"run_id": run_id, "finished_at": "2026-07-15T10:00:00+00:00"})
    assert runs.run_document(account.target, run_id, wait_seconds=0)["run_id"] == run_id


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED", CANCELLED, "not recorded"])
def test_a_run_that_cannot_be_redriven_has_its_files_processed_by_a_new_one(
    account: Account, redrive: Callable[..., None], status: str
) -> None:
    account.upload("a.csv")
    account.upload("b.csv")
    run_id = account.start_run("a.csv", "b.csv")
    if status == CANCELLED:
        assert ptmlops("cancel", run_id, "--yes").exit_code == 0
    else:
        account.close(run_id)
        account.end(run_id, "FAILED" if status == "not recorded" else status, recorded=status != "not recorded")

    replayed = json.loads(ptmlops("replay", run_id, "--json").stdout)

    assert (replayed["redriven"], replayed["replays"]) == (False, run_id)
    assert replayed["run_id"] != run_id
    assert account.execution(replayed["run_id"]).status == "RUNNING"
    assert account.close(replayed["run_id"]) == ["a.csv", "b.csv"]
    found = account.where("a.csv")
    assert (found.run_id, found.earlier_runs) == (replayed["run_id"], (run_id,))
    done = ptmlops("replay", run_id)  # twice: the files are processed once
    assert done.exit_code == 2
    assert replayed["run_id"] in done.output


def test_two_people_who_replay_a_run_start_one(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.upload("a.csv")
    run_id = account.start_run("a.csv")
    assert ptmlops("cancel", run_id, "--yes").exit_code == 0
    count, others = ledger.Ledger.file_count, list[replays.Replayed]()

    def replayed_in_between(self: ledger.Ledger, run: Any) -> int:
        if not others:
            monkeypatch.setattr(ledger.Ledger, "file_count", count)
            others.append(replays.replay_run(account.target, run_id))
        return count(self, run)

    monkeypatch.setattr(ledger.Ledger, "file_count", replayed_in_between)
    monkeypatch.setattr(replays, "make_run_id", lambda _now, names: f"{names[0]}-{len(others)}")
    done = ptmlops("replay", run_id)
    assert done.exit_code == 2
    assert "has changed in the meantime" in " ".join(done.output.split())
    assert account.close(others[0].run_id) == ["a.csv"]


def test_a_replay_that_was_killed_before_its_execution_began_is_found_by_reconcile(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.upload("a.csv")
    run_id = account.start_run("a.csv")
    assert ptmlops("cancel", run_id, "--yes").exit_code == 0
    monkeypatch.setattr(
        account.target.client("stepfunctions"), "start_execution", lambda **_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    assert ptmlops("replay", run_id).exit_code == 130
    monkeypatch.undo()
    found = reconciliation.reconcile(account.target)
    assert found.sent == 1
    assert account.deliver(account.queued()) == found.stranded_runs[0]
    assert account.close(found.stranded_runs[0]) == ["a.csv"]


@pytest.mark.parametrize(
    ("status", "says"), [("SUCCEEDED", "it has not failed"), ("RUNNING", "it has not failed"), (None, "ptmlops reconcile")]
)
def test_a_run_that_has_not_failed_is_refused(
    account: Account, redrive: Callable[..., None], status: str | None, says: str
) -> None:
    account.upload("a.csv")
    run_id = account.start_run("a.csv")
    if status is None:
        account.end(run_id, "ABORTED", recorded=False)
    else:
        account.close(run_id)
        account.end(run_id, status, recorded=status != "RUNNING")
    done = ptmlops("replay", run_id)
    assert done.exit_code == 2
    assert says in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (("--since", "2020-01-01"), {"failed", "late", "other"}),
        (("--since", "2020-01-01", "--until", "2020-02-01"), set()),
        (("--prefix", "november/"), {"failed", "late"}),
        (("--since", "2100-01-01", "--prefix", "november/"), set()),
    ],
)
def test_failed_runs_are_chosen_by_time_and_prefix(
    account: Account, redrive: Callable[..., None], arguments: tuple[str, ...], chosen: set[str]
) -> None:
    """Runs that a person stopped, that were cancelled or superseded, and those that succeeded, are not among them."""
    ends = {"failed": "FAILED", "late": "TIMED_OUT", "other": "FAILED", "stopped": "ABORTED", "fine": "SUCCEEDED"}
    names: dict[str, str] = {}
    for name, status in ends.items():
        account.upload(key := f"{'december' if name == 'other' else 'november'}/{name}.csv")
        names[account.start_run(key)] = name
        run_id = list(names)[-1]
        account.close(run_id)
        account.end(run_id, status)
    account.upload("november/cancelled.csv")
    cancelled = account.start_run("november/cancelled.csv")
    assert ptmlops("cancel", cancelled, "--yes").exit_code == 0
    account.execution(cancelled).status = "FAILED"  # as its collector would have ended
    redrive(*names)

    document = json.loads(ptmlops("replay", *arguments, "--json").stdout)

    assert {names[one["run_id"]] for one in document["replayed"]} == chosen
    assert {names[run_id] for run_id in account.redriven} == chosen
    assert document["refused"] == {}


def test_replay_takes_one_way_to_choose(account: Account) -> None:
    done = ptmlops("replay", "20200101-000000-00000000", "--dead-letters")
    assert done.exit_code == 2
    assert "one of the three" in " ".join(done.output.split())


@pytest.mark.parametrize("arguments", [(), ("--dead-letters",)])
@pytest.mark.slow
def test_dead_letters_are_sent_again(account: Account, arguments: tuple[str, ...]) -> None:
    account.target.client("sqs").send_message(
        QueueUrl=account.target.outputs["DeadLetterQueueUrl"], MessageBody='{"detail-type": "Object Created"}'
    )
    assert json.loads(ptmlops("replay", *arguments, "--json").stdout) == {"resent": 1}
    assert account.queued() == ['{"detail-type": "Object Created"}']


# status and hints


def test_status_calls_a_cancelled_run_so_and_names_the_replay_that_works(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    account.upload("a.csv")
    cancelled = account.start_run("a.csv")
    cancellation.cancel_run(account.target, cancelled)
    account.upload("b.csv")
    emptied = account.start_run("b.csv")
    cancellation.cancel_file(account.target, account.where("b.csv").version)
    for run_id in (cancelled, emptied):
        account.execution(run_id).status = "FAILED"  # Collect refuses to work for it
        error = {"state": "Collect", "error": "CancelledError", "message": "this run was cancelled before it started"}
        account.put(OUTPUT, OutputKeys(run_id).document, {**ENDED, "status": "FAILED", "error": error})

    lines = {line[:24].strip(): " ".join(line.split()) for line in ptmlops("status").stdout.splitlines()}

    begin = "cancelled before it started; "
    assert begin + f"`ptmlops replay {cancelled} -e dev` processes its files" in lines[cancelled]
    assert begin + "all its files were cancelled: upload them again to process them" in lines[emptied]
    assert all(" failed " not in lines[run_id] for run_id in (cancelled, emptied))
    assert {run["status"] for run in json.loads(ptmlops("status", "--json").stdout)} == {"CANCELLED"}


ENDED = {
    "seconds": 500.0,
    "states": {"Collect": 1.0, "Prepare": 4.0},
    "rows": ROWS,
    "trained": False,
    "scored": 0,
    "training_reason": "",
    "finished_at": "2100-01-01T00:00:00+00:00",
}


@pytest.mark.parametrize(
    ("document", "outcome"),
    [
        ({}, "nothing to train or classify"),
        (
            {"training_reason": "0 new labelled rows; training starts at 100"},
            "nothing to classify; no model was trained: 0 new labelled rows; training starts at 100",
        ),
        ({"scored": 3}, "3 classified"),
        ({"error": {"state": "Prepare", "error": "Refused", "message": "palabra " * 40}}, "Prepare: " + "palabra " * 19 + "…"),
    ],
)
def test_status_says_how_each_run_ended_in_whole_words(
    account: Account, monkeypatch: pytest.MonkeyPatch, document: dict[str, Any], outcome: str
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    account.upload("a.csv")
    run_id = account.start_run("a.csv")
    account.end(run_id, "FAILED" if "error" in document else "SUCCEEDED")
    account.put(OUTPUT, OutputKeys(run_id).document, {**ENDED, "status": "SUCCEEDED", **document})
    assert ptmlops("status").stdout.splitlines()[1].rstrip().endswith(f" 5 s {outcome}")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("watch", "nope"), "run 'nope' does not exist: no run has started yet, upload a file first"),
        (
            ("why", "Q1"),
            "no run has classified anything yet: upload a file with unlabelled complaints with `ptmlops drop FILE --wait -e dev`",
        ),
        (("report",), "no run has a report.html yet: upload a file with complaints with `ptmlops drop FILE --wait -e dev`"),
        (
            ("review", "pull"),
            "no run has anything to review yet: upload a file with complaints with `ptmlops drop FILE --wait -e dev`",
        ),
    ],
)
@pytest.mark.usefixtures("account")
def test_before_any_run_a_command_says_only_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], message: str
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    done = ptmlops(*command)
    assert done.exit_code == 2
    assert done.stderr.strip() == f"ptmlops: {message}"
    assert not done.stdout


def test_a_hint_quotes_a_name_with_a_space(account: Account) -> None:
    account.upload("my file.csv")
    with pytest.raises(OperatorError, match=r"use `ptmlops where 'my file.csv'"):
        raw_files.versions_of(account.target, "my file.csv/x", limit=1)


def test_why_says_so_if_runs_only_trained(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    account.put(OUTPUT, OutputKeys("20261128-101500-1a2b3c4d").document, {**ENDED, "trained": True})
    assert "no run has classified anything yet" in ptmlops("why", "Q1").stderr


@pytest.mark.parametrize("day", ["2026-11-28", "20261128", "2026-W48-6"])
def test_the_day_of_until_is_included_however_it_is_written(day: str) -> None:
    assert time_range(day, day) == (datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC))
    assert time_range(None, f"{day}T10:00")[1] == datetime(2026, 11, 28, 10, tzinfo=UTC)


@pytest.mark.parametrize("command", ["replay", "reconcile"])
def test_a_range_that_ends_before_it_starts_is_refused(account: Account, command: str) -> None:
    done = ptmlops(command, "--since", "2026-11-30", "--until", "2026-11-29")
    assert done.exit_code == 2
    assert "--since 2026-11-30 is not before --until 2026-11-29: give an earlier --since" in " ".join(done.output.split())
