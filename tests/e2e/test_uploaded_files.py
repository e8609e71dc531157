"""`where`, `cancel`, `reconcile` and `replay --pinned` on the deployed template: where a file is, in each place in which it can be."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local_aws import LocalAws
from ptmlops import generator, registry, runs, uploads
from ptmlops.main import app
from ptmlops.target import Target
from ptmlops_contracts.keys import OutputKeys, PreparedKeys
from tests.e2e.conftest import long_window

pytestmark = pytest.mark.slow
Command = Callable[..., Any]


@pytest.fixture
def ptmlops(local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command with --json in a folder whose local AWS is the tests' own. Returns its document."""
    (tmp_path / ".local_aws").symlink_to(local_aws.folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PTMLOPS_ENVIRONMENT", raising=False)

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--local", "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def published_key(target: Target, made: Path) -> str:
    """A file of which complaints were classified; if other tests have not run, one is uploaded."""
    for attempt in (1, 2):
        for run_id in runs.published_runs(target):
            marker = runs.read_json(target, target.outputs["OutputBucketName"], OutputKeys(run_id).marker) or {}
            if marker.get("scored") and marker.get("exports"):
                return str(marker["exports"][0]["source_file"])
        assert attempt == 1
        for name, rows, labelled in (("where_labelled.csv", 500, True), ("where_unlabelled.csv", 60, False)):
            generator.write_csv(made / name, rows, labelled=labelled, seed=31 + labelled)
            for _ in runs.follow(target, uploads.wait_for_run(target, uploads.upload(target, made / name))):
                pass
    raise AssertionError("unreachable")


@contextlib.contextmanager
def no_events(target: Target) -> Iterator[None]:
    """Let events of uploads be lost."""
    events, bucket = target.client("events"), target.outputs["RawBucketName"]
    [rule] = [one["Name"] for one in events.list_rules()["Rules"] if bucket in one.get("EventPattern", "")]
    events.disable_rule(Name=rule)
    try:
        yield
    finally:
        events.enable_rule(Name=rule)


def put(target: Target, key: str, content: str) -> uploads.Upload:
    bucket = target.outputs["RawBucketName"]
    version = target.client("s3").put_object(Bucket=bucket, Key=key, Body=content.encode())["VersionId"]
    return uploads.Upload(Path(key), bucket, key, version)


def object_of(target: Target, bucket: str, key: str) -> tuple[str, str]:
    found = target.client("s3").head_object(Bucket=bucket, Key=key)
    return found["VersionId"], found["ETag"]


def ended(target: Target, run_id: str) -> dict[str, Any]:
    for _ in runs.follow(target, run_id):
        pass
    return runs.run_document(target, run_id)


def test_a_published_file_is_found_with_its_export(target: Target, ptmlops: Command, published_key: str) -> None:
    found = ptmlops("where", published_key)[0]
    assert found["outcome"] == "published"
    assert found["rows"]["read"] > 0
    [export, *_] = found["exports"]
    bucket, _, key = export.removeprefix("s3://").partition("/")
    assert target.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 0


def test_a_run_is_scored_again_with_its_model_and_nothing_of_it_changes(
    target: Target, ptmlops: Command, published_key: str
) -> None:
    run_id = ptmlops("where", published_key)[0]["run_id"]
    bucket = target.outputs["PreparedBucketName"]
    before = {key: object_of(target, bucket, key) for key in runs.keys(target, bucket, PreparedKeys(run_id).folder)}
    versions = registry.versions(target)

    found = ptmlops("replay", run_id, "--pinned")

    assert (found["same"], found["repeats"]) == (True, run_id)
    assert found["rows"] > 0
    assert runs.keys(target, bucket, PreparedKeys(found["run_id"]).scored)
    assert {key: object_of(target, bucket, key) for key in runs.keys(target, bucket, PreparedKeys(run_id).folder)} == before
    assert registry.versions(target) == versions
    assert not runs.keys(target, target.outputs["OutputBucketName"], OutputKeys(found["run_id"]).folder)


def test_a_file_whose_event_was_lost_is_sent_by_reconcile_and_a_cancelled_one_is_not(target: Target, ptmlops: Command) -> None:
    with no_events(target):
        lost = put(target, "where/no_text.csv", "id,amount\n1,2\n")
        put(target, "where/unwanted.csv", "text\nhello there\n")
        assert ptmlops("where", lost.key)[0]["outcome"] == "waiting"
        ptmlops("cancel", "where/unwanted.csv", "--yes")

    found = ptmlops("reconcile", "--prefix", "where/")

    assert (found["lost"], found["cancelled"], found["sent"]) == (1, 1, 1)
    run_id = uploads.wait_for_run(target, lost)
    assert ended(target, run_id)["files"] == 1
    rejected = ptmlops("where", lost.key)[0]
    assert (rejected["outcome"], rejected["run_id"]) == ("rejected", run_id)
    assert "no column has a name of the text column" in rejected["message"]
    assert ptmlops("where", "where/unwanted.csv")[0]["outcome"] == "cancelled"
    assert ptmlops("reconcile", "--prefix", "where/")["sent"] == 0


def test_a_file_and_a_run_that_collect_are_cancelled(target: Target, ptmlops: Command) -> None:
    with long_window(target):
        first = put(target, "where/first.csv", "text\nfirst\n")
        run_id = uploads.wait_for_run(target, first)
        second = put(target, "where/second.csv", "text\nsecond\n")
        assert uploads.wait_for_run(target, second) == run_id
        found = ptmlops("where", first.key)[0]
        assert (found["outcome"], found["run_id"]) == ("collecting", run_id)

        [cancelled] = ptmlops("cancel", first.key, "--yes")["cancelled"]
        assert (cancelled["run_id"], cancelled["cancelled_run"]) == (run_id, None)
        assert ptmlops("where", first.key)[0]["outcome"] == "cancelled"
        assert ptmlops("cancel", run_id, "--yes") == {"run_id": run_id, "worked": False, "files": 1}

    document = ended(target, run_id)
    assert (document["status"], document["error"]["error"], document["files"]) == ("ABORTED", "Cancelled", 0)
    assert ptmlops("where", second.key)[0]["outcome"] == "cancelled"


def test_a_run_that_works_is_stopped_with_its_job_and_no_other_starts(target: Target, ptmlops: Command) -> None:
    uploaded = put(target, "where/stopped.csv", "text\nthe card was charged twice\n")
    run_id = uploads.wait_for_run(target, uploaded)
    glue, job = target.client("glue"), target.outputs["PrepareJobName"]
    for step in runs.follow(target, run_id):
        if step.state == "Prepare" and not step.ended:
            while not any(run["JobRunState"] == "RUNNING" for run in glue.get_job_runs(JobName=job)["JobRuns"]):
                time.sleep(0.05)
            found = ptmlops("where", uploaded.key)[0]
            assert (found["outcome"], found["state"]) == ("working", "Prepare")
            assert ptmlops("cancel", run_id, "--yes")["worked"] is True

    assert runs.run_document(target, run_id)["error"]["error"] == "Cancelled"
    newest = max(glue.get_job_runs(JobName=job)["JobRuns"], key=lambda run: run["StartedOn"])
    assert newest["JobRunState"] in ("STOPPING", "STOPPED")
    stopped = ptmlops("where", uploaded.key)[0]
    assert (stopped["outcome"], stopped["next_step"]) == ("stopped", f"replay {run_id}")
    assert ptmlops("reconcile", "--prefix", "where/stopped")["sent"] == 0
