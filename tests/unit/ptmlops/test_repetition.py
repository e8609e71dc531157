"""`replay RUN --pinned`: a run's own transform job is created again, and its answers are compared with the old ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest
from common.pinned_artifact import pin_artifact
from complaints_etl import PREPARE_VERSION
from complaints_etl.redaction import REDACTION_VERSION
from moto import mock_aws
from moto.sagemaker.models import FakeTransformJob
from typer.testing import CliRunner

from ptmlops import runs
from ptmlops.main import app
from ptmlops.options import CommonOptions
from ptmlops.target import Target
from ptmlops_contracts.keys import OutputKeys, PreparedKeys

pytestmark = pytest.mark.slow

RUN, MODEL, JOB = "20261128-101500-1a2b3c4d", "group-v3-00000000", "20261128-101500-1a2b3c4d-0-0"
PREPARED, OUTPUT = "prepared-rows", "output-files"
KEYS = PreparedKeys(RUN)
ANSWERS = [{"complaint_id": str(number), "label": "card", "confidence": 0.5} for number in range(4)]
ARTIFACT = "s3://models-bucket/m.tar.gz"
Score = Callable[..., None]


def lines(*answers: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(answer).encode() + b"\n" for answer in answers)


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    with mock_aws():
        found = Target("dev", boto3.Session(aws_access_key_id="id", aws_secret_access_key="key", region_name="us-east-1"))
        s3, sagemaker = found.client("s3"), found.client("sagemaker")
        for bucket in (PREPARED, OUTPUT):
            s3.create_bucket(Bucket=bucket)
        machine = "arn:aws:states:us-east-1:123456789012:stateMachine:runs"  # it was deleted, with its executions
        found.__dict__["outputs"] = {
            "PreparedBucketName": PREPARED, "OutputBucketName": OUTPUT, "StateMachineArn": machine, "ModelPackageGroupName": "group",
        }  # fmt: skip
        role = "arn:aws:iam::123456789012:role/serving"
        container = {"Image": "i", "ModelDataUrl": ARTIFACT}
        sagemaker.create_model_package_group(ModelPackageGroupName="group")
        sagemaker.create_model(ModelName=MODEL, PrimaryContainer=container, ExecutionRoleArn=role)
        sagemaker.create_transform_job(
            TransformJobName=JOB,
            ModelName=MODEL,
            BatchStrategy="MultiRecord",
            TransformInput={
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{PREPARED}/{KEYS.to_score}"}}
            },
            TransformOutput={"S3OutputPath": f"s3://{PREPARED}/{KEYS.scored}", "AssembleWith": "Line", "KmsKeyId": "k"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
            Tags=[{"Key": "environment", "Value": "dev"}],
        )
        s3.put_object(Bucket=PREPARED, Key=f"{KEYS.to_score}part-0", Body=b"{}\n")
        s3.put_object(Bucket=PREPARED, Key=f"{KEYS.scored}part-0.out", Body=lines(*ANSWERS))
        report = {"versions": {"prepare": PREPARE_VERSION, "redaction": REDACTION_VERSION, "spark": "3.5"}}
        s3.put_object(Bucket=PREPARED, Key=KEYS.report, Body=json.dumps(report).encode())
        s3.put_object(Bucket=OUTPUT, Key=OutputKeys(RUN).document, Body=json.dumps({"status": "SUCCEEDED"}).encode())
        state = {"scoring": {"transform_job": JOB}, "plan": {"champion": {"model_name": MODEL, "version": "3"}}}
        monkeypatch.setattr(runs, "last_document", lambda *_: state)
        monkeypatch.setattr(CommonOptions, "target", lambda _: found)
        yield found


@pytest.fixture
def score(target: Target, monkeypatch: pytest.MonkeyPatch) -> Score:
    """Let the next transform job answer so; moto's does nothing."""

    def answer(files: dict[str, bytes], *, status: str = "Completed") -> None:
        create = FakeTransformJob.__init__

        def work(self: FakeTransformJob, *arguments: Any, **values: Any) -> None:
            create(self, *arguments, **values)
            self.transform_job_status = status
            prefix = self.transform_output["S3OutputPath"].removeprefix(f"s3://{PREPARED}/")
            for name, body in files.items():
                target.client("s3").put_object(Bucket=PREPARED, Key=f"{prefix}{name}", Body=body)

        monkeypatch.setattr(FakeTransformJob, "__init__", work)

    return answer


def pinned() -> Any:
    return CliRunner().invoke(app, ["replay", RUN, "--pinned", "--json"], catch_exceptions=False)


def test_the_same_answers_in_another_order_and_other_files_are_the_same(target: Target, score: Score) -> None:
    before = {
        key: target.client("s3").get_object(Bucket=PREPARED, Key=key)["ETag"]
        for key in runs.keys(target, PREPARED, KEYS.folder)
    }
    score({"a.out": lines(ANSWERS[3], ANSWERS[1]), "b.out": lines(ANSWERS[0], ANSWERS[2])})

    done = pinned()

    document = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (document["rows"], document["differing"], document["same"]) == (4, 0, True)
    assert (document["model_version"], document["repeats"], document["prepared_otherwise"]) == ("3", RUN, [])
    job = target.client("sagemaker").describe_transform_job(TransformJobName=f"{document['run_id']}-0-0")
    assert (job["ModelName"], job["BatchStrategy"]) == (MODEL, "MultiRecord")
    assert job["TransformOutput"]["KmsKeyId"] == "k"
    tags = target.client("sagemaker").list_tags(ResourceArn=job["TransformJobArn"])["Tags"]
    assert tags == [{"Key": "environment", "Value": "dev"}]
    after = {
        key: target.client("s3").get_object(Bucket=PREPARED, Key=key)["ETag"]
        for key in runs.keys(target, PREPARED, KEYS.folder)
    }
    assert after == before  # nothing of the run is touched


@pytest.mark.parametrize(
    ("answers", "differing", "why"),
    [
        ([*ANSWERS[:3], {**ANSWERS[3], "label": "loan"}], 1, "another label"),
        ([*ANSWERS[:3], {**ANSWERS[3], "confidence": 0.5000001}], 1, "another confidence"),
        (ANSWERS[:2], 2, "two answers are missing"),
        ([*ANSWERS, ANSWERS[0]], 1, "an answer too many"),
    ],
)
def test_answers_that_differ_are_counted(
    target: Target, score: Score, answers: list[dict[str, Any]], differing: int, why: str
) -> None:
    score({"part-0.out": lines(*answers)})
    done = pinned()
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert (document["rows"], document["differing"], document["same"]) == (4, differing, False)


def test_rows_that_another_version_prepared_are_named(target: Target, score: Score) -> None:
    target.client("s3").put_object(
        Bucket=PREPARED,
        Key=KEYS.report,
        Body=json.dumps({"versions": {"prepare": "5", "redaction": REDACTION_VERSION}}).encode(),
    )
    score({"part-0.out": lines(*ANSWERS)})
    assert json.loads(pinned().stdout)["prepared_otherwise"] == ["prepare"]
    shown = CliRunner().invoke(app, ["replay", RUN, "--pinned"]).stdout
    assert "all are the same" in shown
    assert "Prepare was not repeated" in shown
    assert f"prepare: version 5 then, {PREPARE_VERSION} now" in shown


@pytest.mark.parametrize("missing", ["model", "rows", "scoring", "success", "job"])
def test_what_cannot_be_repeated_is_said(target: Target, score: Score, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    s3 = target.client("s3")
    if missing == "model":
        target.client("sagemaker").delete_model(ModelName=MODEL)
    elif missing == "rows":
        s3.delete_object(Bucket=PREPARED, Key=f"{KEYS.scored}part-0.out")
    elif missing == "scoring":
        monkeypatch.setattr(runs, "last_document", lambda *_: {"plan": {}})
    elif missing == "success":
        s3.put_object(Bucket=OUTPUT, Key=OutputKeys(RUN).document, Body=json.dumps({"status": "FAILED"}).encode())
    else:
        score({}, status="Failed")
    done = pinned()
    says = {
        "model": "SageMaker Model of version 3 was deleted",
        "rows": "have expired",
        "scoring": "classified nothing",
        "success": "without --pinned",
        "job": "did not complete",
    }
    assert done.exit_code == 2
    assert says[missing] in " ".join(done.output.split())


def register(target: Target, pinned: Mapping[str, str]) -> None:
    """Register versions 1 to 3; the third is that of the run."""
    for version in range(1, 4):
        target.client("sagemaker").create_model_package(
            ModelPackageGroupName="group",
            ModelApprovalStatus="Approved",
            InferenceSpecification={
                "Containers": [{"Image": "i", "ModelDataUrl": ARTIFACT if version == 3 else "s3://models-bucket/o"}]
            },
            CustomerMetadataProperties={"run_id": RUN, **(pinned if version == 3 else {})},
        )


@pytest.mark.parametrize("content", [b"model", b"lemod", None])
def test_a_model_whose_artifact_was_replaced_does_not_score_again(target: Target, score: Score, content: bytes | None) -> None:
    s3 = target.client("s3")
    s3.create_bucket(Bucket="models-bucket")
    s3.put_object(Bucket="models-bucket", Key="m.tar.gz", Body=b"model")
    register(target, pin_artifact(s3, ARTIFACT, None).metadata())
    score({"part-0.out": lines(*ANSWERS)})
    s3.delete_object(Bucket="models-bucket", Key="m.tar.gz")
    if content:
        s3.put_object(Bucket="models-bucket", Key="m.tar.gz", Body=content)

    done = pinned()

    if content == b"model":
        assert done.exit_code == 0
        return
    assert done.exit_code == 2
    assert "nothing was changed: the artifact of model version 3" in " ".join(done.output.split())
    jobs = target.client("sagemaker").list_transform_jobs()["TransformJobSummaries"]
    assert [job["TransformJobName"] for job in jobs] == [JOB], "it did not run"


def test_that_nothing_was_compared_is_said(target: Target, score: Score) -> None:
    score({"part-0.out": lines(*ANSWERS)})
    shown = CliRunner().invoke(app, ["replay", RUN, "--pinned"], env={"COLUMNS": "200"}).output
    assert "version 3 is not in the registry any more: its artifact was not compared" in " ".join(shown.split())
    register(target, {})
    shown = CliRunner().invoke(app, ["replay", RUN, "--pinned"], env={"COLUMNS": "200"}).output
    assert "version 3 was registered by an earlier release" in " ".join(shown.split())


def test_pinned_needs_a_run() -> None:
    done = CliRunner().invoke(app, ["replay", "--pinned"])
    assert done.exit_code == 2
    assert "name it" in done.output
