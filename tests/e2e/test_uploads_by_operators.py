"""The commands of an operator, each once with success and once with a mistake, and models that people promote and take back.

The file's name puts it after the tests that count runs and models. It ends with the version that served before.
"""

from __future__ import annotations

import csv
import json
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import Result
from typer.testing import CliRunner

from local_aws import LocalAws
from ptmlops import generator, registry, runs, uploads
from ptmlops.main import app
from ptmlops.options import CommonOptions
from ptmlops.target import Target
from ptmlops_contracts.keys import ModelKeys, parse_s3_uri
from ptmlops_contracts.registry import ARTIFACT_BYTES, ARTIFACT_SHA256, ARTIFACT_VERSION

pytestmark = pytest.mark.slow
Command = Callable[..., Result]


@pytest.fixture
def ptmlops(local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command in a folder whose local AWS is the tests' own."""
    (tmp_path / ".local_aws").symlink_to(local_aws.folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("PTMLOPS_ENVIRONMENT", raising=False)

    def run(*arguments: str, answer: str | None = None) -> Result:
        done = CliRunner().invoke(app, [*arguments], input=answer, catch_exceptions=False)
        assert "Traceback" not in done.output
        return done

    return run


def refused(done: Result) -> str:
    assert done.exit_code == 2, done.output
    return " ".join(done.stderr.split())


def follow(target: Target, run_id: str) -> dict[str, Any]:
    for _ in runs.follow(target, run_id):
        pass
    return runs.run_document(target, run_id)


def evaluated_versions(target: Target) -> list[int]:
    """The versions whose answers to held-out rows were kept, the newest last."""
    bucket = target.outputs["ModelsBucketName"]
    kept = (
        model["version"]
        for model in registry.versions(target)
        if model["run_id"] and runs.keys(target, bucket, ModelKeys(model["run_id"]).answers)
    )
    return sorted(kept)


@pytest.fixture(scope="module")
def two_versions(target: Target, made: Path) -> tuple[int, int]:
    """The two newest versions; if other tests made none, they are trained."""
    for seed in (71, 72):
        if len(evaluated_versions(target)) < 2:
            path = made / f"operators-{seed}.csv"
            generator.write_csv(path, 900, seed=seed)
            document = follow(target, uploads.wait_for_run(target, uploads.upload(target, path)))
            assert document["status"] == "SUCCEEDED", document.get("error")
    old, new = evaluated_versions(target)[-2:]
    return old, new


@pytest.fixture(scope="module")
def sign_in(target: Target) -> Callable[[str], Target]:
    """The deployment as somebody sees it who has the policy of who promotes, and no other, in a session of this name."""
    iam, sts = target.client("iam"), target.client("sts")
    account = sts.get_caller_identity()["Account"]
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="approver", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="approver", PolicyArn=target.outputs["PromotePolicyArn"])

    def assume(name: str) -> Target:
        given = sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
        session = boto3.Session(
            aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"], region_name=target.session.region_name,
        )  # fmt: skip
        return Target(target.environment, session, target.endpoint_url)

    return assume


@pytest.fixture(scope="module")
def approver(sign_in: Callable[[str], Target]) -> Target:
    return sign_in("ana")


@pytest.fixture
def by_approver(ptmlops: Command, approver: Target, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command that the approver calls."""

    def run(*arguments: str) -> Result:
        with monkeypatch.context() as patch:
            patch.setattr(CommonOptions, "target", lambda _: approver)
            return ptmlops(*arguments)

    return run


@pytest.fixture
def restored(target: Target) -> Iterator[None]:
    """Afterwards each version has the status that it had."""
    before = registry.versions(target)
    yield
    for model in before:
        target.client("sagemaker").update_model_package(
            ModelPackageArn=model["arn"],
            ModelApprovalStatus=model["status"],
            CustomerMetadataProperties={"decision": model["decision"]},
        )


def serving(target: Target) -> int | None:
    return next((model["version"] for model in registry.statuses(target) if model["serves"]), None)


def test_people_promote_and_roll_back_with_the_policy_for_it_alone(
    target: Target, by_approver: Command, two_versions: tuple[int, int], restored: None
) -> None:
    old, new = two_versions
    sagemaker = target.client("sagemaker")
    # The old one as an overtaken version: nobody made its Model.
    for model in sagemaker.list_models(NameContains=f"-v{old}-")["Models"]:
        sagemaker.delete_model(ModelName=model["ModelName"])
    for model in registry.statuses(target):
        status = "Approved" if model["version"] == new else "Rejected"
        sagemaker.update_model_package(ModelPackageArn=model["arn"], ModelApprovalStatus=status)
    for version, decision in ((old, "ChampionChanged"), (new, "Approved")):
        sagemaker.update_model_package(
            ModelPackageArn=registry.find(target, version)["arn"], CustomerMetadataProperties={"decision": decision}
        )
    assert "was overtaken" in refused(by_approver("promote", str(old), "--reason", "the older labels"))

    done = by_approver("promote", str(old), "--reason", "the older labels", "--override", "--json")

    assert done.exit_code == 0, done.stderr
    decision = json.loads(done.stdout)
    assert serving(target) == old
    assert (decision["serving"], decision["rejected"], decision["override"]) == (old, [new], True)
    assert "assumed-role/approver/ana" in decision["by"]
    assert decision["canary"]["compared"] >= 20
    assert decision["canary"]["answered"] == decision["canary"]["compared"] + 2
    assert len(sagemaker.list_models(NameContains=f"-v{old}-")["Models"]) == 1
    package = registry.describe(target, registry.find(target, old)["arn"])
    card = json.loads(package["ModelCard"]["ModelCardContent"])
    assert package["ModelCard"]["ModelCardStatus"] == "Approved"
    assert card["additional_information"]["custom_details"]["decided_reason"] == "the older labels"
    [group] = [one for one in card["evaluation_details"][0]["metric_groups"] if one["name"] == "Held-out rows"]
    measured = {metric["name"]: metric["value"] for metric in group["metric_data"]}
    assert measured["macro_f1"] == pytest.approx(float(package["CustomerMetadataProperties"]["macro_f1"]), abs=1e-5)

    assert by_approver("promote", str(new), "--reason", "better after all").exit_code == 0
    assert serving(target) == new
    back = by_approver("rollback", "--reason", "wrong on fees", "--json")
    assert back.exit_code == 0, back.stderr
    assert json.loads(back.stdout)["rejected"] == [new]
    assert serving(target) == old
    assert "no approved version is older" in refused(by_approver("rollback", "--reason", "again"))

    lineage = json.loads(by_approver("models", str(old), "--json").stdout)
    reasons = [(one["command"], one["reason"]) for one in lineage["decisions"]]
    assert reasons[-2:] == [("promote", "the older labels"), ("rollback", "wrong on fees")]
    assert len(lineage["data_fingerprint"]) == 64
    assert lineage["training_code_version"]
    shown = by_approver("models", str(new)).stdout
    assert "rejected by" in shown
    assert "wrong on fees" in shown
    assert re.search(rf"^{new} +Rejected .* ana +wrong on fees", by_approver("models").stdout, re.MULTILINE)


def test_a_version_whose_artifact_was_replaced_or_damaged_does_not_serve(
    target: Target, by_approver: Command, two_versions: tuple[int, int], restored: None, tmp_path: Path
) -> None:
    old, new = two_versions
    sagemaker, s3 = target.client("sagemaker"), target.client("s3")
    for model in registry.statuses(target):
        status = "Approved" if model["version"] == new else "PendingManualApproval"
        sagemaker.update_model_package(ModelPackageArn=model["arn"], ModelApprovalStatus=status)
    places = [
        parse_s3_uri(
            registry.describe(target, registry.find(target, version)["arn"])["InferenceSpecification"]["Containers"][0][
                "ModelDataUrl"
            ]
        )
        for version in (old, new)
    ]
    bucket, key = places[0]
    original = s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def attempt(artifact: bytes) -> str:
        s3.put_object(Bucket=bucket, Key=key, Body=artifact)
        try:
            return refused(by_approver("promote", str(old), "--reason", "r", "--override"))
        finally:
            s3.put_object(Bucket=bucket, Key=key, Body=original)

    other = s3.get_object(Bucket=bucket, Key=places[1][1])["Body"].read()
    (tmp_path / "model.tar.gz").write_bytes(original)
    with tarfile.open(tmp_path / "model.tar.gz") as tar:
        tar.extraction_filter = tarfile.data_filter
        tar.extractall(tmp_path / "model")  # noqa: S202 - ours
    weights = tmp_path / "model" / "weights.npy"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\x00\x00\x80\x7f")
    with tarfile.open(tmp_path / "damaged.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "model", arcname=".")
    damaged = (tmp_path / "damaged.tar.gz").read_bytes()
    for artifact in (other, damaged):
        message = attempt(artifact)
        assert f"nothing was changed: the artifact of model version {old}, s3://{bucket}/{key}, was replaced" in message

    # A version of an earlier release has no digest, but its files say what they are once they are loaded.
    [arn] = [model["arn"] for model in registry.statuses(target) if model["version"] == old]
    metadata = registry.describe(target, arn)["CustomerMetadataProperties"]
    pin = {name: metadata[name] for name in (ARTIFACT_VERSION, ARTIFACT_SHA256, ARTIFACT_BYTES)}
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=list(pin))
    try:
        replaced, changed = attempt(other), attempt(damaged)
    finally:
        sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties=pin)
    assert "manifest.json is not the one of the registered model" in replaced
    assert "weights.npy was changed after training" in changed
    for message in (replaced, changed):
        assert "nothing was changed" in message
    assert serving(target) == new


def test_the_approver_can_neither_upload_nor_change_a_model(
    target: Target, sign_in: Callable[[str], Target], two_versions: tuple[int, int]
) -> None:
    approver = sign_in("test")  # test_usage_of_permissions.py expects denials in sessions of this name
    for bucket, key in (
        ("RawBucketName", "a.csv"), ("ModelsBucketName", "training/x/model.tar.gz"), ("ModelsBucketName", "evaluations/x/evaluation.json"),
    ):  # fmt: skip
        with pytest.raises(ClientError, match="AccessDenied"):
            approver.client("s3").put_object(Bucket=target.outputs[bucket], Key=key, Body=b"x")
    learned = runs.keys(target, target.outputs["PreparedBucketName"], "labelled/train/")
    with pytest.raises(ClientError, match="AccessDenied"):
        approver.client("s3").get_object(Bucket=target.outputs["PreparedBucketName"], Key=learned[0])


def test_two_versions_are_compared_on_rows_that_neither_learned(
    target: Target, by_approver: Command, two_versions: tuple[int, int]
) -> None:
    old, new = map(str, two_versions)
    document = json.loads(by_approver("compare", old, new, "--limit", "1000", "--json").stdout)
    assert document["rows"] >= 50
    assert len(document["differing_rows"]) == document["differing"] <= document["rows"]
    assert sum(label["rows"] for label in document["labels"]) == document["rows"]
    for version in (old, new):
        assert document["right"][version] > document["rows"] / 2
    assert all(row["text"] and row["answers"][old] != row["answers"][new] for row in document["differing_rows"])
    assert f"of {document['rows']} held-out rows differently" in by_approver("compare", old, new).stdout
    assert "does not exist; the versions are" in refused(by_approver("compare", old, "999"))
    assert "does not exist; the versions are" in refused(by_approver("models", "999"))


@pytest.fixture(scope="module")
def dropped(target: Target, local_aws: LocalAws, made: Path, two_versions: tuple[int, int]) -> tuple[str, str]:
    """The run of a file that `drop` uploaded, and the file's key."""
    folder = made / "dropped"
    folder.mkdir()
    (folder / ".local_aws").symlink_to(local_aws.folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert CliRunner().invoke(app, ["generate", "--rows", "20", "--unlabelled", "--out", "dropped.csv"]).exit_code == 0
        done = CliRunner().invoke(app, ["drop", "dropped.csv", "--local", "--wait", "--json"])
    assert done.exit_code == 0, done.output
    [document] = json.loads(done.stdout)
    return document["run_id"], "dropped.csv"


def test_a_file_is_generated_dropped_and_followed_to_its_end(
    target: Target, dropped: tuple[str, str], ptmlops: Command
) -> None:
    run_id, key = dropped
    assert runs.run_document(target, run_id)["scored"] > 0
    watched = ptmlops("watch", run_id, "--local")
    assert watched.exit_code == 0, watched.output
    assert "Score" in watched.stderr
    assert json.loads(ptmlops("where", key, "--local", "--json").stdout)[0]["run_id"] == run_id
    # The model that answered knows the run.
    served = str(runs.run_document(target, run_id)["model"]["version"])
    lineage = json.loads(ptmlops("models", served, "--local", "--json").stdout)
    assert run_id in {run["run_id"] for run in lineage["answered"]}


def test_a_run_and_its_files_cannot_be_cancelled_once_they_are_published(ptmlops: Command, dropped: tuple[str, str]) -> None:
    assert "has ended" in refused(ptmlops("cancel", dropped[0], "--local", "--yes"))


def test_an_estimate_is_calibrated_on_the_runs_that_there_are(ptmlops: Command, dropped: tuple[str, str]) -> None:
    generator.write_csv(Path("estimate.csv"), 50, labelled=False, seed=3)
    document = json.loads(ptmlops("estimate", "estimate.csv", "--local", "--json").stdout)
    assert document["trained"]["usd"] > document["classified"]["usd"] > 0
    assert "does not exist" in refused(ptmlops("estimate", "missing.csv", "--local"))


def test_objects_come_back_as_they_were(target: Target, ptmlops: Command) -> None:
    s3, bucket = target.client("s3"), target.outputs["ModelsBucketName"]
    key = "decisions/e2e.json"
    s3.put_object(Bucket=bucket, Key=key, Body=b"first")
    time.sleep(1.1)  # versions have whole seconds
    before = datetime.now(UTC).isoformat(timespec="seconds")
    time.sleep(1.1)
    s3.put_object(Bucket=bucket, Key=key, Body=b"second")
    options = ("--local", "--bucket", "models", "--prefix", "decisions/e2e", "--to", before, "--json")
    document = json.loads(ptmlops("restore", "objects", *options).stdout)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"first", document
    s3.delete_object(Bucket=bucket, Key=key)
    late = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert "in the future" in refused(ptmlops("restore", "objects", "--local", "--bucket", "models", "--to", late))


def test_ledger_items_come_back_as_they_were(target: Target, ptmlops: Command) -> None:
    dynamodb, table = target.client("dynamodb"), target.outputs["LedgerTableName"]
    item = {"pk": {"S": "e2e#restored"}, "status": {"S": "kept"}}
    dynamodb.put_item(TableName=table, Item=item)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    looked = ptmlops("restore", "ledger", "--local", "--to", now, "--dry-run", "--json")
    assert looked.exit_code == 0, looked.output
    dynamodb.delete_item(TableName=table, Key={"pk": item["pk"]})
    done = ptmlops("restore", "ledger", "--local", "--from", json.loads(looked.stdout)["table"], "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["missing"] == json.loads(done.stdout)["written"] == 1
    assert dynamodb.get_item(TableName=table, Key={"pk": item["pk"]})["Item"] == item
    dynamodb.delete_item(TableName=table, Key={"pk": item["pk"]})
    assert "--to needs a time" in refused(ptmlops("restore", "ledger", "--local", "--to", "yesterday"))


def test_rows_of_a_person_are_counted_and_a_call_without_a_person_is_refused(
    target: Target, ptmlops: Command, dropped: tuple[str, str]
) -> None:
    body = target.client("s3").get_object(Bucket=target.outputs["RawBucketName"], Key=dropped[1])["Body"].read().decode()
    complaint = next(csv.DictReader(body.splitlines()))
    done = ptmlops("forget", "--complaint-id", next(iter(complaint.values())), "--dry-run", "--local", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] > 0
    assert ptmlops("forget", "--local", "--dry-run").exit_code == 2


def test_what_an_operator_asks_of_the_environment_is_answered(ptmlops: Command) -> None:
    doctor = ptmlops("doctor", "--local", "--json")
    assert doctor.exit_code == 0, doctor.output
    assert "account" in {finding["check"] for finding in json.loads(doctor.stdout)}
    assert "nosuch" in refused(ptmlops("doctor", "-e", "nosuch"))
    assert ptmlops("notices", "--local").exit_code == 0
    assert "only local AWS keeps notices" in refused(ptmlops("notices"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("where", "never-uploaded.csv", "--local"), "never-uploaded.csv"),
        (("reconcile", "--since", "yesterday", "--local"), "yesterday"),
        (("drop", "missing.csv", "--local"), "does not exist"),
        (("generate", "--rows", "5", "--out", "there.csv"), "there.csv exists"),
        (("demo", "--rows", "5", "--out", "there.csv"), "there.csv"),
        (("empty", "-e", "prod", "--local"), "environment 'prod' is not disposable, so its data is kept"),
        (("adopt",), "no environment is named"),
        (("up",), "local AWS already runs on"),
        (("run", "missing.csv", "--local", "--out", "out"), "does not exist"),
        (("try", "--labelled", "missing.csv", "--out", "out"), "does not exist"),
    ],
)
def test_a_mistake_is_explained(ptmlops: Command, arguments: tuple[str, ...], says: str) -> None:
    Path("there.csv").write_text("text\nhello\n", encoding="utf-8")
    assert says in refused(ptmlops(*arguments))


@pytest.mark.parametrize("arguments", [("status", "--local"), ("down",)])
def test_without_a_local_aws_the_command_says_how_to_start_one(
    ptmlops: Command, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert "ptmlops up" in refused(ptmlops(*arguments))
