"""`promote`, `rollback`, `models` and `compare` on a registry: who may serve, after which check, and what is recorded of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest
from click.testing import Result
from common.pinned_artifact import pin_artifact, restore_command
from moto import mock_aws
from moto.sagemaker.models import FakeTransformJob, SageMakerModelBackend
from typer.testing import CliRunner

from local_aws.services.sagemaker.packages import keep_metadata
from ptmlops import canary, runs
from ptmlops.main import app
from ptmlops.options import CommonOptions
from ptmlops.target import Target
from ptmlops_contracts.evaluation import text_digest
from ptmlops_contracts.keys import ModelKeys, OutputKeys, PreparedKeys
from ptmlops_contracts.state import MODEL_SERVING

pytestmark = pytest.mark.slow

GROUP, MODELS, PREPARED, OUTPUT = "ptmlops-dev", "models-bucket", "prepared-bucket", "output-bucket"
ROLE = "arn:aws:iam::123456789012:role/serving"
RUNS = {version: f"2026112{version}-101500-1a2b3c4d" for version in range(1, 7)}
TEXTS = {f"c-{number}": f"Complaint {number} on a card" for number in range(8)}
PATHS = {
    "TransformJobName.$": "States.Format('{}', $.run_id)",
    "ModelName.$": "$.plan.champion.model_name",
    "BatchStrategy": "MultiRecord",
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri.$": "$.somewhere"}},
        "ContentType": "application/jsonlines",
        "SplitType": "Line",
    },
    "TransformOutput": {"S3OutputPath.$": "$.somewhere", "AssembleWith": "Line", "KmsKeyId": "key"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 4},
    "Tags": [{"Key": "environment", "Value": "dev"}],
}
Answer = Callable[[str], dict[str, Any]]
Serve = Callable[[Answer], None]


def evaluated(text: str) -> dict[str, Any]:
    """What the models answer at their evaluation and, unless a test says otherwise, when they serve."""
    return {"label": "card" if "1" in text or "2" in text else "loan", "confidence": 0.9}


@pytest.fixture(scope="module")
def clients() -> dict[str, Any]:
    """One client per service for all tests: to create one takes longer than a test, and mock_aws answers it all the same."""
    return {}


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, clients: dict[str, Any]) -> Iterator[Target]:
    # moto forgets the metadata that an update does not name. Local AWS repairs that.
    monkeypatch.setattr(SageMakerModelBackend, "update_model_package", SageMakerModelBackend.update_model_package)
    keep_metadata()
    with mock_aws():
        session = boto3.Session(aws_access_key_id="id", aws_secret_access_key="key", region_name="us-east-1")
        found = Target("dev", session, _clients=clients)
        for bucket in (MODELS, PREPARED, OUTPUT):
            found.client("s3").create_bucket(Bucket=bucket)
        found.client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
        machine = found.client("stepfunctions").create_state_machine(
            name="runs", roleArn=ROLE,
            definition=json.dumps({"StartAt": "Score", "States": {"Score": {"Type": "Pass", "Parameters": PATHS, "End": True}}}),
        )["stateMachineArn"]  # fmt: skip
        found.__dict__["outputs"] = {
            "ModelPackageGroupName": GROUP, "ModelsBucketName": MODELS, "PreparedBucketName": PREPARED, "OutputBucketName": OUTPUT,
            "StateMachineArn": machine, MODEL_SERVING: json.dumps({"role_arn": ROLE, "network": {}}),
        }  # fmt: skip
        monkeypatch.setattr(CommonOptions, "target", lambda _: found)
        rows = [{"complaint_id": name, "text": text, "label": "card"} for name, text in TEXTS.items()]
        put(found, PREPARED, f"{PreparedKeys(RUNS[1]).labelled('test')}part-0", lines(rows))
        yield found


@pytest.fixture(autouse=True)
def serve(monkeypatch: pytest.MonkeyPatch, target: Target) -> Serve:
    """Let transform jobs answer so. moto's do nothing."""
    answer_of: list[Answer] = [evaluated]
    create = FakeTransformJob.__init__

    def work(self: FakeTransformJob, *arguments: Any, **values: Any) -> None:
        create(self, *arguments, **values)
        self.transform_job_status = "Completed"
        source = self.transform_input["DataSource"]["S3DataSource"]["S3Uri"].removeprefix(f"s3://{PREPARED}/")
        place = self.transform_output["S3OutputPath"].removeprefix(f"s3://{PREPARED}/")
        for key in runs.keys(target, PREPARED, source):
            asked = [json.loads(line) for line in read(target, PREPARED, key).splitlines()]
            answers = [
                {"error": None, **answer_of[0](line["text"]), "complaint_id": line["complaint_id"]}
                for line in asked
                if answer_of[0](line["text"])
            ]
            put(target, PREPARED, f"{place}{key.removeprefix(source)}.out", lines(answers))

    monkeypatch.setattr(FakeTransformJob, "__init__", work)
    return lambda answer: answer_of.__setitem__(0, answer)


def put(target: Target, bucket: str, key: str, body: str) -> None:
    target.client("s3").put_object(Bucket=bucket, Key=key, Body=body.encode())


def read(target: Target, bucket: str, key: str) -> str:
    body: bytes = target.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body.decode()


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def register(
    target: Target,
    version: int,
    status: str,
    *,
    decision: str | None = None,
    answers: Answer = evaluated,
    pinned: Mapping[str, str] | None = None,
) -> str:
    """Register a version as promote_model does. `decision` is the gate's; by default the status is as the gate set it.

    `pinned` is the pin of its artifact, which versions of earlier releases have not.
    """
    run_id = RUNS[version]
    kept = [
        {
            "complaint_id": name,
            "text_digest": text_digest(text),
            "label": "card",
            "answer": answers(text)["label"],
            "confidence": answers(text)["confidence"],
        }
        for name, text in TEXTS.items()
    ]
    put(target, MODELS, ModelKeys(run_id).answers, lines(kept))
    put(target, MODELS, ModelKeys(run_id).promotion, json.dumps({"reasons": [f"reason {version}"]}))
    container = {
        "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
        "ModelDataUrl": f"s3://{MODELS}/training/{run_id}/model.tar.gz", "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
    }  # fmt: skip
    arn: str = target.client("sagemaker").create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus=status,
        InferenceSpecification={"Containers": [container]},
        CustomerMetadataProperties={
            "run_id": run_id, "decision": decision or status, "reason": f"reason {version}", "macro_f1": "0.75", "accuracy": "0.8",
            "data_fingerprint": "d" * 64, "training_code_version": "abc123", "holdout_fingerprint": "e" * 64, "decided_by": "gate",
            **(pinned or {}),
        },
    )["ModelPackageArn"]  # fmt: skip
    return arn


def ptmlops(*arguments: str) -> Result:
    done = CliRunner().invoke(app, [*arguments], catch_exceptions=False, env={"COLUMNS": "200"})
    assert "Traceback" not in done.output
    return done


def refused(*arguments: str) -> str:
    done = ptmlops(*arguments)
    assert done.exit_code == 2, done.output
    return " ".join(done.stderr.split())


def versions(target: Target) -> dict[int, dict[str, Any]]:
    client = target.client("sagemaker")
    found = client.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    described = [client.describe_model_package(ModelPackageName=one["ModelPackageArn"]) for one in found]
    return {one["ModelPackageVersion"]: one for one in described}


def approvals(target: Target) -> dict[int, str]:
    return {version: package["ModelApprovalStatus"] for version, package in sorted(versions(target).items())}


def test_a_version_that_waits_serves_after_its_check_and_the_decision_is_kept(target: Target) -> None:
    register(target, 1, "Approved")
    register(target, 2, "PendingManualApproval")

    done = ptmlops("promote", "2", "--reason", "Better  on cards\n(claims team)", "--json")

    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert not done.stderr
    assert approvals(target) == {1: "Approved", 2: "Approved"}
    assert (document["serving"], document["rejected"], document["override"]) == (2, [], False)
    assert (document["canary"]["answered"], document["canary"]["compared"]) == (10, 8)
    package = versions(target)[2]
    metadata = package["CustomerMetadataProperties"]
    caller = target.client("sts").get_caller_identity()["Arn"]
    assert (metadata["decided_by"], metadata["decided_reason"]) == (caller, "Better on cards claims team")
    assert (metadata["decision"], metadata["reason"]) == ("PendingManualApproval", "reason 2"), "the gate's stay"
    assert "Better on cards (claims team)" in package["ApprovalDescription"]
    assert caller in package["ApprovalDescription"]
    [key] = runs.keys(target, MODELS, "decisions/v2/")
    assert json.loads(read(target, MODELS, key)) == document
    # The check is a job like Score's, on one instance, with the tags that cost reports need.
    job = target.client("sagemaker").describe_transform_job(TransformJobName=document["canary"]["job"])
    assert (job["BatchStrategy"], job["TransformResources"]["InstanceCount"]) == ("MultiRecord", 1)
    assert job["TransformOutput"]["KmsKeyId"] == "key"
    assert target.client("sagemaker").list_tags(ResourceArn=job["TransformJobArn"])["Tags"] == PATHS["Tags"]


def test_an_overtaken_version_gets_its_model_and_the_newer_ones_are_rejected(target: Target) -> None:
    register(target, 1, "Approved")
    register(target, 2, "Rejected", decision="ChampionChanged")
    register(target, 3, "Approved")
    assert target.client("sagemaker").list_models()["Models"] == []

    message = refused("promote", "2", "--reason", "r")
    assert f"version 2 was overtaken: another one was promoted while it was judged, and run {RUNS[2]} registered it" in message
    assert "add --override" in message
    assert ptmlops("promote", "2", "--reason", "r", "--override").exit_code == 0

    assert approvals(target) == {1: "Approved", 2: "Approved", 3: "Rejected"}
    [model] = target.client("sagemaker").list_models()["Models"]
    described = target.client("sagemaker").describe_model(ModelName=model["ModelName"])
    assert described["ExecutionRoleArn"] == ROLE
    assert described["PrimaryContainer"]["ModelDataUrl"] == f"s3://{MODELS}/training/{RUNS[2]}/model.tar.gz"
    rejected = versions(target)[3]
    assert rejected["ApprovalDescription"].startswith("Version 2 serves: r (arn:")
    assert len(runs.keys(target, MODELS, "decisions/v3/")) == 1


def test_what_the_gate_refused_needs_an_override_that_is_kept(target: Target) -> None:
    register(target, 1, "Rejected")
    message = refused("promote", "1", "--reason", "we need answers today")
    assert "the gate refused version 1 (reason 1)" in message
    assert approvals(target) == {1: "Rejected"}

    done = ptmlops("promote", "1", "--reason", "we need answers today", "--override")

    assert done.exit_code == 0, done.stderr
    assert "Version 1 serves from the next run on." in done.stderr
    assert versions(target)[1]["CustomerMetadataProperties"]["override"] == "yes"
    assert "with --override" in versions(target)[1]["ApprovalDescription"]


def test_an_override_that_was_not_needed_is_not_one(target: Target) -> None:
    register(target, 1, "PendingManualApproval")
    done = ptmlops("promote", "1", "--reason", "r", "--override", "--json")
    assert json.loads(done.stdout)["override"] is False


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda text: {**evaluated(text), "label": "fee"}, "8 have another label than at its evaluation, and 0 a confidence"),
        (
            lambda text: {**evaluated(text), "confidence": 0.8},
            "0 have another label than at its evaluation, and 8 a confidence",
        ),
        (lambda _: {"label": None, "error": "text is empty"}, "did not answer 10 of 10 rows (the first: text is empty)"),
        (lambda _: {}, "was asked 10 rows and gave 0 answers, not one for each"),
    ],
)
def test_a_version_that_answers_otherwise_than_at_its_evaluation_does_not_serve(
    target: Target, serve: Serve, answer: Answer, says: str
) -> None:
    register(target, 1, "Approved")
    register(target, 2, "PendingManualApproval")
    serve(answer)
    message = refused("promote", "2", "--reason", "r")
    assert "version 2 did not pass its canary check, and nothing was changed" in message
    assert says in message
    assert approvals(target) == {1: "Approved", 2: "PendingManualApproval"}
    assert runs.keys(target, MODELS, "decisions/") == []
    assert not any(name in message for name in TEXTS), "an id may be a person's"


def test_a_version_that_does_not_load_does_not_serve(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    register(target, 1, "PendingManualApproval")
    create = FakeTransformJob.__init__

    def fail(self: FakeTransformJob, *arguments: Any, **values: Any) -> None:
        create(self, *arguments, **values)
        self.transform_job_status = "Failed"
        self.failure_reason = "AlgorithmError: the model has format 5"

    monkeypatch.setattr(FakeTransformJob, "__init__", fail)
    message = refused("promote", "1", "--reason", "r")
    assert "nothing was changed" in message
    assert approvals(target) == {1: "PendingManualApproval"}


def test_a_version_of_an_earlier_release_is_checked_without_its_answers(target: Target) -> None:
    register(target, 1, "PendingManualApproval")
    target.client("s3").delete_object(Bucket=MODELS, Key=ModelKeys(RUNS[1]).answers)
    document = json.loads(ptmlops("promote", "1", "--reason", "r", "--json").stdout)
    assert (document["canary"]["answered"], document["canary"]["compared"]) == (2, 0)


def test_rows_that_were_erased_are_left_out_of_the_check(target: Target) -> None:
    register(target, 1, "PendingManualApproval")
    rows = [{"complaint_id": name, "text": TEXTS[name], "label": "card"} for name in ("c-1", "c-2")]
    put(target, PREPARED, f"{PreparedKeys(RUNS[1]).labelled('test')}part-0", lines(rows))
    document = json.loads(ptmlops("promote", "1", "--reason", "r", "--json").stdout)
    assert (document["canary"]["answered"], document["canary"]["compared"]) == (4, 2)


def test_the_rows_of_a_check_are_the_same_each_time_and_of_every_label() -> None:
    answers = [
        {
            "complaint_id": f"{number}",
            "text_digest": text_digest(f"{number}"),
            "label": "a",
            "answer": label,
            "confidence": 0.5,
        }
        for number, label in enumerate(["frequent"] * 500 + ["rare"] * 3 + ["once"])
    ]
    chosen = canary.choose(answers)  # type: ignore[arg-type] # as dictionaries
    assert len(chosen) == 100
    assert sum(answer["answer"] == "rare" for answer in chosen.values()) == 3
    assert sum(answer["answer"] == "once" for answer in chosen.values()) == 1
    assert list(canary.choose(answers[::-1])) == list(chosen)  # type: ignore[arg-type] # as above


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["promote", "9", "--reason", "r"], "model version 9 does not exist; the versions are 1"),
        (["promote", "1", "--reason", "r"], "version 1 serves already"),
        (["promote", "1", "--reason", " "], "--reason is empty"),
        (["promote", "1", "--reason", "r" * 501], "--reason has 501 characters, more than 500"),
        (["promote", "1"], "Missing option '--reason'"),
        (["rollback"], "Missing option '--reason'"),
        (["rollback", "--reason", "r"], "no approved version is older than version 1, so none would serve"),
        (["models", "9"], "model version 9 does not exist; the versions are 1"),
        (["compare", "1", "9"], "model version 9 does not exist; the versions are 1"),
        (["compare", "1", "1"], "version 1 is compared with itself"),
    ],
)
def test_a_mistake_changes_nothing_and_is_explained(target: Target, arguments: list[str], says: str) -> None:
    register(target, 1, "Approved")
    assert says in refused(*arguments)
    assert approvals(target) == {1: "Approved"}


def test_a_rollback_checks_the_version_before_and_keeps_the_decision_with_both(target: Target, serve: Serve) -> None:
    register(target, 1, "Approved")
    register(target, 2, "Rejected")
    register(target, 3, "Approved")
    serve(lambda _: {"label": None, "error": "broken"})
    assert "version 1 did not pass its canary check" in refused("rollback", "--reason", "wrong fees")
    assert approvals(target) == {1: "Approved", 2: "Rejected", 3: "Approved"}
    serve(evaluated)

    document = json.loads(ptmlops("rollback", "--reason", "wrong fees", "--json").stdout)

    assert (document["serving"], document["rejected"]) == (1, [3])
    assert approvals(target) == {1: "Approved", 2: "Rejected", 3: "Rejected"}
    assert versions(target)[3]["ApprovalDescription"].startswith("Rolled back: wrong fees (arn:")
    assert versions(target)[1]["ApprovalDescription"].startswith("Serves again after a rollback: wrong fees (arn:")
    shown = ptmlops("models").stdout
    assert shown.count("wrong fees") == 2


def test_a_rollback_to_no_version_needs_an_override(target: Target) -> None:
    register(target, 1, "Approved")
    document = json.loads(ptmlops("rollback", "--reason", "r", "--override", "--json").stdout)
    assert (document["serving"], document["rejected"], document["override"], document["canary"]) == (None, [1], True, None)
    assert approvals(target) == {1: "Rejected"}
    assert "no model version serves, so there is nothing to roll back" in refused("rollback", "--reason", "r")
    # What the gate approved serves again without an override.
    assert ptmlops("promote", "1", "--reason", "back").exit_code == 0


def test_a_version_that_another_person_promotes_meanwhile_is_not_rolled_back(target: Target, serve: Serve) -> None:
    register(target, 1, "Approved")
    register(target, 2, "Approved")

    def promoted_meanwhile(text: str) -> dict[str, Any]:
        if len(versions(target)) == 2:
            register(target, 3, "Approved")
        return evaluated(text)

    serve(promoted_meanwhile)
    assert "version 3 serves since this command began, and nothing was changed" in refused("rollback", "--reason", "r")
    assert approvals(target) == {1: "Approved", 2: "Approved", 3: "Approved"}


def test_the_lineage_of_a_version_has_its_data_code_metrics_decisions_and_runs(target: Target) -> None:
    register(target, 1, "PendingManualApproval")
    ptmlops("promote", "1", "--reason", "good enough")
    # A failed run that was redriven may be older than the version that answered it.
    for run_id, scored, version in (
        ("20261101-000000-00000001", 7, "1"),
        (RUNS[2], 5, "2"),
        (RUNS[3], 0, "1"),
        (RUNS[4], 3, "1"),
    ):
        marker = {"scored": scored, "model_version": version}
        put(target, OUTPUT, OutputKeys(run_id).marker, json.dumps(marker))

    document = json.loads(ptmlops("models", "1", "--json").stdout)
    assert document["answered"] == [
        {"run_id": RUNS[4], "complaints": 3},
        {"run_id": "20261101-000000-00000001", "complaints": 7},
    ]
    assert (document["data_fingerprint"], document["training_code_version"]) == ("d" * 64, "abc123")
    assert (document["macro_f1"], document["accuracy"], document["gate"]) == ("0.75", "0.8", ["reason 1"])
    assert [decision["reason"] for decision in document["decisions"]] == ["good enough"]
    shown = ptmlops("models", "1", "--runs", "1").stdout
    caller = target.client("sts").get_caller_identity()["Arn"]
    for words in (
        f"promoted by {caller}: good enough",
        "PendingManualApproval by the gate: reason 1",
        f"{RUNS[4]}  3 complaints",
    ):
        assert words in shown
    assert "3 older runs not searched" in shown


def test_the_rows_on_which_two_versions_differ_are_shown_with_their_texts(target: Target) -> None:
    def other(text: str) -> dict[str, Any]:
        return {"label": "loan", "confidence": 0.6} if "1" in text or "7" in text else evaluated(text)

    register(target, 1, "Approved")
    register(target, 2, "Approved", answers=other)  # the label of every row is card; versions differ on c-1 alone
    rows = [{"complaint_id": name, "text": text, "label": "card"} for name, text in TEXTS.items()]
    put(target, PREPARED, f"{PreparedKeys(RUNS[2]).labelled('test')}part-0", lines(rows))  # the same rows once more

    document = json.loads(ptmlops("compare", "1", "2", "--json").stdout)

    assert (document["rows"], document["differing"], document["right"]) == (8, 1, {"1": 2, "2": 1})
    [label] = document["labels"]
    assert label == {
        "label": "card", "rows": 8, "both_right": 1, "only_first_right": 1, "only_second_right": 0, "none_right": 6,
    }  # fmt: skip
    assert document["changes"] == [{"from": "card", "to": "loan", "rows": 1}]
    assert document["differing_rows"] == [
        {
            "complaint_id": "c-1", "label": "card", "answers": {"1": "card", "2": "loan"}, "confidence": {"1": 0.9, "2": 0.6},
            "text": "Complaint 1 on a card",
        }
    ]  # fmt: skip
    shown = ptmlops("compare", "2", "1").stdout
    assert "Versions 2 and 1 answer 1 of 8 held-out rows differently. Right: 1 and 2." in shown
    assert "c-1  label card; 2: loan (0.60), 1: card (0.90)" in shown
    assert "Complaint 1 on a card" in shown
    assert "1 more: add --limit N" in ptmlops("compare", "1", "2", "--limit", "0").stdout


def test_a_comparison_on_fewer_rows_than_were_held_out_says_so(target: Target) -> None:
    register(target, 1, "Approved")
    register(target, 2, "Approved")
    assert "were held out" not in ptmlops("compare", "1", "2").stdout
    [first, *_] = (
        target.client("s3").get_object(Bucket=MODELS, Key=ModelKeys(RUNS[1]).answers)["Body"].read().decode().splitlines()
    )
    put(target, MODELS, ModelKeys(RUNS[1]).answers, first + "\n")

    assert json.loads(ptmlops("compare", "1", "2", "--json").stdout)["held_out"] == {"1": 1, "2": 8}
    assert "1 row was held out for version 1 and 8 rows for version 2" in ptmlops("compare", "1", "2").stdout


def test_versions_whose_answers_were_not_kept_cannot_be_compared(target: Target) -> None:
    register(target, 1, "Approved")
    register(target, 2, "Approved")
    target.client("s3").delete_object(Bucket=MODELS, Key=ModelKeys(RUNS[2]).answers)
    assert "the answers of version 2 to held-out rows were not kept" in refused("compare", "1", "2")


def test_an_older_deployment_is_named(target: Target) -> None:
    register(target, 1, "PendingManualApproval")
    target.outputs.pop(MODEL_SERVING)  # type: ignore[attr-defined] # the fixture's own dictionary
    assert "the deployment is older than this command" in refused("promote", "1", "--reason", "r")


def pin(target: Target, version: int) -> tuple[str, dict[str, str]]:
    """Put the artifact of a version. Return its key, and its pin as the registry has it."""
    client, key = target.client("s3"), f"training/{RUNS[version]}/model.tar.gz"
    client.put_bucket_versioning(Bucket=MODELS, VersioningConfiguration={"Status": "Enabled"})
    put(target, MODELS, key, f"model {version}")
    return key, pin_artifact(client, f"s3://{MODELS}/{key}", None).metadata()


@pytest.mark.parametrize("arguments", [("promote", "1"), ("rollback",)])
@pytest.mark.parametrize(
    ("content", "happened"), [("model 9", "was replaced"), ("a larger model", "was replaced"), ("", "was deleted")]
)
def test_a_version_whose_artifact_was_replaced_does_not_run(
    target: Target, arguments: tuple[str, ...], content: str, happened: str
) -> None:
    key, pinned = pin(target, 1)
    register(target, 1, "Approved", pinned=pinned)
    register(target, 2, "Approved")
    if content:
        put(target, MODELS, key, content)
    else:
        target.client("s3").delete_object(Bucket=MODELS, Key=key)
    before = approvals(target)

    message = refused(*arguments, "--reason", "r")

    assert f"nothing was changed: the artifact of model version 1, s3://{MODELS}/{key}, {happened}" in message
    assert restore_command(MODELS, key, pinned["artifact_version"]) in message
    assert approvals(target) == before
    assert target.client("sagemaker").list_transform_jobs()["TransformJobSummaries"] == [], "it did not run"
    put(target, MODELS, key, "model 1")  # restored
    assert ptmlops(*arguments, "--reason", "r").exit_code == 0
    assert approvals(target)[2] == "Rejected"


def test_an_artifact_that_is_replaced_while_it_is_checked_does_not_serve(target: Target, serve: Serve) -> None:
    key, pinned = pin(target, 1)
    register(target, 1, "PendingManualApproval", pinned=pinned)

    def replaces(text: str) -> dict[str, Any]:
        put(target, MODELS, key, "model 9")
        return evaluated(text)

    serve(replaces)
    assert "was replaced" in refused("promote", "1", "--reason", "r")
    assert approvals(target) == {1: "PendingManualApproval"}


def test_a_version_of_an_earlier_release_is_checked_without_a_digest_and_this_is_said(target: Target) -> None:
    register(target, 1, "PendingManualApproval")
    done = ptmlops("promote", "1", "--reason", "r")
    assert done.exit_code == 0
    assert "version 1 was registered by an earlier release, without a digest of its artifact" in " ".join(done.output.split())


def test_the_digest_of_a_version_is_shown(target: Target) -> None:
    _, pinned = pin(target, 1)
    register(target, 1, "Approved", pinned=pinned)
    document = json.loads(ptmlops("models", "1", "--json").stdout)
    assert {name: document[name] for name in ("artifact_version", "artifact_sha256")} == {
        name: pinned[name] for name in ("artifact_version", "artifact_sha256")
    }
    assert pinned["artifact_sha256"] in ptmlops("models", "1").stdout
