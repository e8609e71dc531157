"""promote_model: what is registered, with what; who serves after it; two candidates at once; nothing that AWS would refuse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import boto3
import jsonschema
import pytest
from common.clients import Clients
from common.model_registry import list_packages
from common.pinned_artifact import ArtifactReplacedError
from moto import mock_aws
from moto.sagemaker.models import sagemaker_backends
from promote_model import handler

from local_aws import ROOT, validation
from ptmlops_contracts.keys import PreparedKeys, training_rows_manifest
from ptmlops_contracts.registry import MANIFEST_VARIABLE
from ptmlops_contracts.report import SPLITS
from tests.unit.lambdas.conftest import CONTEXT
from tests.unit.lambdas.test_gate import ARCHIVE, MODEL, POLICY, against, first, measured

MODELS, PREPARED, GROUP = "models-bucket", "prepared-bucket", "ptmlops-test"
ROLE = "arn:aws:iam::123456789012:role/model-role"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    with mock_aws():
        for bucket in (MODELS, PREPARED):
            boto3.client("s3").create_bucket(Bucket=bucket)
        versioning = {"Status": "Enabled"}
        boto3.client("s3").put_bucket_versioning(Bucket=MODELS, VersioningConfiguration=versioning)  # type: ignore[arg-type] # as the stack does
        sagemaker = boto3.client("sagemaker")
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        topic = boto3.client("sns").create_topic(Name="notices")["TopicArn"]
        queue = boto3.client("sqs").create_queue(QueueName="notices")["QueueUrl"]
        boto3.client("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:notices", Attributes={}
        )
        monkeypatch.setenv("QUEUE", queue)
        for name, value in {
            "MODEL_PACKAGE_GROUP": GROUP,
            "MODELS_BUCKET": MODELS,
            "PREPARED_BUCKET": PREPARED,
            "INFERENCE_IMAGE": IMAGE,
            "MODEL_ROLE_ARN": ROLE,
            "MODEL_NETWORK": "{}",
            "SCORING_INSTANCE": "ml.m5.large",
            "PROMOTION_POLICY": json.dumps(POLICY),
            "CODE_VERSION": "code12345678",
            "NOTIFICATION_TOPIC_ARN": topic,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(handler, "CLIENTS", Clients())
        yield handler


def read(bucket: str, key: str) -> Any:
    return json.loads(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def trained(run_id: str, evaluation: Any, *, score: bool = True, champion: str = "none", body: bytes | None = None) -> Any:
    """A run whose candidate is trained and evaluated: what Promote receives."""
    plan = f"runs/{run_id}/plan/"
    state = {
        "run_id": run_id,
        "training": {"tuning_job": f"{run_id}-0-0", "best_training_job": f"{run_id}-0-0-001-abc", "objective": 0.79},
        "plan": {
            "train": True,
            "attempt": "-",
            "score": score,
            "rows": {"labelled_new": 400, "labelled_total": 900, "to_score": 7 if score else 0},
            "manifests": {"train": f"s3://{PREPARED}/{plan}train.manifest"},
            "request_uri": f"s3://{PREPARED}/{plan}",
            "champion": {"version": champion, "model_name": "none", "model_data_url": "s3://x/y", "macro_f1": 0},
        },
    }
    boto3.client("sagemaker").create_training_job(
        TrainingJobName=state["training"]["best_training_job"],
        HyperParameters={
            "cost": "0.31",
            "weight_power": "0.7",
            "_tuning_objective_metric": "f1",
            "sagemaker_program": "train.py",
        },
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": f"s3://{MODELS}/training/{run_id}"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )
    boto3.client("s3").put_object(Bucket=MODELS, Key=artifact_key(run_id), Body=MODEL)
    evaluate(run_id, evaluation, body)
    request = {"run_id": run_id, "champion_version": champion, "seed": 20}
    boto3.client("s3").put_object(Bucket=PREPARED, Key=f"{plan}request.json", Body=json.dumps(request).encode())
    for split in SPLITS:
        put_manifest(run_id, split, run_id)
    return {"state": state}


def put_manifest(run_id: str, split: str, *runs: str) -> None:
    """Store what Plan writes: the labelled files of a split."""
    manifest = training_rows_manifest(PREPARED, [f"labelled/{split}/run_id={run}/part-00000.txt" for run in runs])
    key = PreparedKeys(run_id).split_manifest(split)
    boto3.client("s3").put_object(Bucket=PREPARED, Key=key, Body=json.dumps(manifest).encode())


def artifact_key(run_id: str) -> str:
    return f"training/{run_id}/{run_id}-0-0-001-abc/output/model.tar.gz"


def evaluate(run_id: str, evaluation: Any, body: bytes | None = None) -> None:
    content = json.dumps({**evaluation, "run_id": run_id}).encode() if body is None else body
    boto3.client("s3").put_object(Bucket=MODELS, Key=f"evaluations/{run_id}/evaluation.json", Body=content)


def packages() -> list[Any]:
    client = boto3.client("sagemaker")
    found = client.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    described = [client.describe_model_package(ModelPackageName=package["ModelPackageArn"]) for package in found]
    return sorted(described, key=lambda package: package["ModelPackageVersion"])


def notices() -> list[str]:
    import os

    received = boto3.client("sqs").receive_message(QueueUrl=os.environ["QUEUE"], MaxNumberOfMessages=10)
    return [json.loads(message["Body"])["Message"] for message in received.get("Messages", [])]


def promote(deployed: ModuleType, event: Any) -> Any:
    return deployed.lambda_handler(json.loads(json.dumps(event)), CONTEXT)


def test_a_first_candidate_is_registered_and_serves(deployed: ModuleType) -> None:
    models: list[Any] = []
    deployed.CLIENTS.sagemaker = boto3.Session().client("sagemaker")  # not shared: other tests are not to be recorded
    deployed.CLIENTS.sagemaker.meta.events.register(
        "provide-client-params.sagemaker.CreateModel", lambda params, **_: models.append(params)
    )
    made = promote(deployed, trained("run-1", first()))

    artifact = f"s3://{MODELS}/training/run-1/run-1-0-0-001-abc/output/model.tar.gz"
    digest = hashlib.sha256(f"{artifact} {ROLE}".encode()).hexdigest()[:8]
    name = f"{GROUP}-v1-{digest}"
    assert made["champion"] == {
        "version": "1",
        "model_name": name,
        "model_data_url": artifact,
        "macro_f1": 0.8,
        "evaluation_uri": f"s3://{MODELS}/evaluations/run-1/",
    }
    assert made["promotion"] == {
        "decision": "Approved",
        "promoted": True,
        "reasons": ["first champion: macro-F1 0.800 on 300 held-out rows"],
        "candidate_version": "1",
    }
    assert boto3.client("sagemaker").describe_model(ModelName=name)["ExecutionRoleArn"] == ROLE
    [container] = packages()[0]["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == artifact
    assert models == [
        {
            "ModelName": name,
            # Not the package's name: the service deploys a package only once it is approved, and others wait for a person.
            "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": artifact, "Environment": container["Environment"]},
            "ExecutionRoleArn": ROLE,
            "EnableNetworkIsolation": True,
        }
    ]


def test_the_package_says_what_led_to_it(deployed: ModuleType) -> None:
    promote(deployed, trained("run-1", first()))
    (package,) = packages()
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["CustomerMetadataProperties"] == {
        "run_id": "run-1",
        "macro_f1": "0.8",
        "accuracy": "0.85",
        "expected_calibration_error": "0.02",
        "training_job": "run-1-0-0-001-abc",
        "tuning_job": "run-1-0-0",
        "champion_version": "none",
        "training_rows": "720",
        "data_fingerprint": "d" * 64,  # of what was learned from
        "holdout_rows": "300",
        "holdout_fingerprint": "e" * 64,
        "training_code_version": "train1234567",
        "code_version": "code12345678",
        "hyperparameters": "cost=0.31 weight_power=0.7",
        "evaluation_uri": f"s3://{MODELS}/evaluations/run-1/",
        "decision": "Approved",
        "reason": "first champion: macro-F1 0.800 on 300 held-out rows",
        "decided_by": "gate",
        "artifact_version": boto3.client("s3").head_object(Bucket=MODELS, Key=artifact_key("run-1"))["VersionId"],
        "artifact_sha256": hashlib.sha256(MODEL).hexdigest(),
        "artifact_bytes": str(len(MODEL)),
    }
    # What serves compares its files with the manifest, and the manifest with this.
    [container] = package["InferenceSpecification"]["Containers"]
    assert container["Environment"][MANIFEST_VARIABLE] == ARCHIVE["manifest_sha256"]
    statistics = package["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert statistics["S3Uri"] == f"s3://{MODELS}/evaluations/run-1/evaluation.json"


CARD_SCHEMA = json.loads((ROOT / "local_aws/services/sagemaker/model_card.schema.json").read_text(encoding="utf-8"))


def card_of(deployed: ModuleType, evaluation: Any, **more: Any) -> tuple[dict[str, Any], str]:
    """The model card with which a run's candidate is registered, and its status."""
    cards: list[Any] = []
    deployed.CLIENTS.sagemaker = boto3.Session().client("sagemaker")  # not shared, as above
    deployed.CLIENTS.sagemaker.meta.events.register(
        "provide-client-params.sagemaker.CreateModelPackage", lambda params, **_: cards.append(params["ModelCard"])
    )
    promote(deployed, trained("run-1", evaluation, score=False, **more))
    content = json.loads(cards[0]["ModelCardContent"])
    jsonschema.validate(content, CARD_SCHEMA)
    assert len(cards[0]["ModelCardContent"]) <= 94_000, "room for a person's decision"
    return content, cards[0]["ModelCardStatus"]


def metrics_of(card: dict[str, Any]) -> dict[str, dict[str, float]]:
    groups = card["evaluation_details"][0]["metric_groups"]
    return {group["name"]: {metric["name"]: metric["value"] for metric in group["metric_data"]} for group in groups}


def test_the_model_card_has_what_was_measured_and_where_the_version_comes_from(deployed: ModuleType) -> None:
    labels = {
        "card": {"precision": 0.9, "recall": 0.7, "f1": None, "support": 200},
        "loan": {"precision": None, "recall": 0.8, "f1": 0.4, "support": 100},
    }
    card, status = card_of(deployed, first(candidate=measured(per_label=labels)))
    metrics = metrics_of(card)
    assert status == "Approved"
    assert (metrics["Held-out rows"]["macro_f1"], metrics["Held-out rows"]["threshold"]) == (0.8, 0.6)
    assert metrics["Label card"] == {"precision": 0.9, "recall": 0.7, "support": 200}
    assert metrics["Label loan"] == {"recall": 0.8, "f1": 0.4, "support": 100}
    details = card["additional_information"]["custom_details"]
    assert (details["data_fingerprint"], details["training_code_version"]) == ("d" * 64, "train1234567")
    assert (details["decided_by"], details["status"]) == ("gate", "Approved")
    training = card["training_details"]["training_job_details"]
    assert training["hyper_parameters"] == [{"name": "cost", "value": "0.31"}, {"name": "weight_power", "value": "0.7"}]
    assert training["training_arn"].endswith(":training-job/run-1-0-0-001-abc")
    assert card["model_overview"]["model_artifact"] == [f"s3://{MODELS}/training/run-1/run-1-0-0-001-abc/output/model.tar.gz"]
    assert card["evaluation_details"][0]["metadata"]["rows"] == "300"


def test_the_card_of_a_thousand_labels_is_small_enough_and_has_the_largest_labels(deployed: ModuleType) -> None:
    measures = {"precision": 0.123456, "recall": 0.123456, "f1": 0.123456}
    labels = {f"{number:04} " + "ñ\n" * 90: {**measures, "support": number} for number in range(1000)}
    card, _ = card_of(deployed, first(candidate={**measured(), "per_label": labels}))
    supports = [group["support"] for group in metrics_of(card).values() if "support" in group]
    assert supports == list(range(999, 999 - len(supports), -1))
    assert len(supports) > 100


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"candidate": {"macro_f1": NaN, "accuracy": 1' + b"0" * 400 + b', "per_label": [1]}, "notes": 3, "holdout": 1}',
    ],
)
def test_a_broken_evaluation_has_a_card_without_numbers(deployed: ModuleType, body: bytes) -> None:
    card, status = card_of(deployed, None, body=body)
    assert status == "Draft"
    assert metrics_of(card) == {}
    assert card["additional_information"]["caveats_and_recommendations"]


def test_every_number_behind_the_decision_is_kept(deployed: ModuleType) -> None:
    promote(deployed, trained("run-1", first()))
    kept = read(MODELS, "evaluations/run-1/promotion.json")
    assert kept["policy"] == POLICY
    assert kept["hyperparameters"] == {"cost": "0.31", "weight_power": "0.7"}
    assert kept["manifests"] == {"train": f"s3://{PREPARED}/runs/run-1/plan/train.manifest"}
    assert kept["objective"] == 0.79
    checks = {check["name"]: (check["value"], check["limit"], check["passed"]) for check in kept["checks"]}
    assert checks == {
        "holdout_rows": (300, 100, True),
        "leaked_share": (0, 0.05, True),
        "macro_f1": (0.8, 0.6, True),
        "expected_calibration_error": (0.02, 0.05, True),
    }


def test_a_worse_candidate_is_registered_and_the_champion_stays(deployed: ModuleType) -> None:
    champion = promote(deployed, trained("run-1", first()))["champion"]
    worse = against(-0.2, (-0.3, -0.1))
    worse["champion"]["version"] = "1"

    made = promote(deployed, trained("run-2", worse, champion="1"))

    assert made["champion"] == champion
    assert made["promotion"]["decision"] == "Rejected"
    assert "worse by more than chance explains" in made["promotion"]["reasons"][0]
    assert [package["ModelApprovalStatus"] for package in packages()] == ["Approved", "Rejected"]
    assert notices() == []


def test_a_candidate_that_waits_for_a_person_is_announced_at_each_try(
    deployed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMOTION_POLICY", json.dumps({**POLICY, "mode": "manual"}))
    event = trained("run-1", first(), score=False)
    made = promote(deployed, event)
    assert made["promotion"]["decision"] == "PendingManualApproval"
    assert made["champion"]["version"] == "none"
    (notice,) = notices()
    assert "`ptmlops promote 1 --reason TEXT`" in notice
    promote(deployed, event)  # an earlier try may have ended before its notice
    assert notices() == [notice]


def test_a_try_that_does_not_see_the_version_of_an_earlier_one_registers_no_second_one(
    deployed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    deployed.CLIENTS.sagemaker.meta.events.register(
        "before-parameter-build.sagemaker.CreateModelPackage", lambda params, **_: sent.append(params["ClientToken"])
    )
    event = trained("run-1", first())
    promote(deployed, event)
    monkeypatch.setattr(
        deployed, "list_packages", lambda *_: []
    )  # a list may be older than what was registered a moment before
    promote(deployed, event)
    assert len(sent) == 2
    assert len(set(sent)) == 1


def test_rows_that_wait_for_a_model_that_waits_fail_the_run_and_say_how_to_go_on(
    deployed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMOTION_POLICY", json.dumps({**POLICY, "mode": "manual"}))
    event = trained("run-1", first())
    with pytest.raises(deployed.NoChampionError, match=r"7 complaints wait.*ptmlops promote 1"):
        promote(deployed, event)
    # A person approves it, and the run is redriven from Promote.
    boto3.client("sagemaker").update_model_package(
        ModelPackageArn=packages()[0]["ModelPackageArn"], ModelApprovalStatus="Approved"
    )
    made = promote(deployed, event)
    assert made["champion"]["version"] == "1"
    assert len(packages()) == 1


def test_rows_that_wait_behind_a_refused_candidate_fail_the_run(deployed: ModuleType) -> None:
    with pytest.raises(deployed.NoChampionError, match=r"under the floor.*Upload more labelled"):
        promote(deployed, trained("run-1", first(candidate=measured(macro_f1=0.1))))


def test_a_repeated_promote_registers_nothing_twice(deployed: ModuleType) -> None:
    event = trained("run-1", first())
    assert promote(deployed, event) == promote(deployed, event)
    assert len(packages()) == 1


def test_the_second_of_two_candidates_is_compared_with_the_winner_of_the_first(deployed: ModuleType) -> None:
    """Both were planned and evaluated while there was no champion."""
    one, two = trained("run-1", first()), trained("run-2", first())
    promote(deployed, one)

    again = promote(deployed, two)

    assert again["promotion"]["decision"] == "ChampionChanged"
    assert again["champion"]["version"] == "1"
    request = read(PREPARED, "runs/run-2/plan/request.json")
    assert request["champion_version"] == "1"
    assert request["max_recall_drop"] == POLICY["max_recall_drop"]  # also if a run of an earlier version wrote the request
    assert len(packages()) == 1

    compared = against(-0.2, (-0.3, -0.1))
    compared["champion"]["version"] = "1"
    evaluate("run-2", compared)
    made = promote(deployed, {"state": {**two["state"], "plan": {**two["state"]["plan"], "champion": again["champion"]}}})
    assert made["promotion"]["decision"] == "Rejected"
    assert made["champion"]["version"] == "1"


def test_of_two_that_judge_in_the_same_moment_the_later_gives_way(
    deployed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """run-2 looks at the registry, run-1 registers its model, and only then run-2 registers its own."""
    one, two = trained("run-1", first()), trained("run-2", first())
    register = deployed.register
    pending = [one]

    def slow(*arguments: Any, **named: Any) -> Any:
        if pending:
            promote(deployed, pending.pop())
        return register(*arguments, **named)

    monkeypatch.setattr(deployed, "register", slow)
    again = promote(deployed, two)

    assert again["promotion"]["decision"] == "ChampionChanged"
    assert again["champion"]["version"] == "1"
    assert [package["ModelApprovalStatus"] for package in packages()] == ["Approved", "Rejected"]
    compared = against(0.05, (0.01, 0.09))
    compared["champion"]["version"] = "1"
    evaluate("run-2", compared)
    made = promote(deployed, {"state": {**two["state"], "plan": {**two["state"]["plan"], "champion": again["champion"]}}})
    assert made["promotion"]["decision"] == "Approved"
    assert made["champion"]["version"] == "3"


def test_a_version_that_the_list_does_not_show_yet_overtakes_too(
    deployed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list shows the registry as it was before run-1 registered its model."""
    promote(deployed, trained("run-0", first(candidate=measured(macro_f1=0.1)), score=False))
    one, two = trained("run-1", first()), trained("run-2", first())
    promote(deployed, one)

    def stale(client: Any, group: str) -> Any:
        return [package for package in list_packages(client, group) if package["ModelPackageVersion"] != 2]

    monkeypatch.setattr(deployed, "list_packages", stale)
    monkeypatch.setattr("promote_model.registry.list_packages", stale)
    again = promote(deployed, two)
    assert again["promotion"]["decision"] == "ChampionChanged"
    assert again["champion"]["version"] == "2"
    assert [package["ModelApprovalStatus"] for package in packages()] == ["Rejected", "Approved", "Rejected"]


def test_a_deleted_version_between_two_is_no_obstacle(deployed: ModuleType) -> None:
    promote(deployed, trained("run-1", first(candidate=measured(macro_f1=0.1)), score=False))
    mock = sagemaker_backends["123456789012"]["us-east-1"]
    mock.model_packages = {
        name: package for name, package in mock.model_packages.items() if package.model_package_version != 1
    }
    assert promote(deployed, trained("run-2", first()))["promotion"]["decision"] == "Approved"


def test_a_large_registry_costs_no_more_calls(deployed: ModuleType) -> None:
    for number in range(12):
        promote(deployed, trained(f"old-{number}", first(candidate=measured(macro_f1=0.1)), score=False))
    event = trained("run-1", first())
    calls: list[str] = []
    client = deployed.CLIENTS.sagemaker = boto3.Session().client("sagemaker")  # not shared, as above
    client.meta.events.register(
        "provide-client-params.sagemaker.DescribeModelPackage", lambda params, **_: calls.append(params["ModelPackageName"])
    )
    promote(deployed, event)
    assert len(calls) == 1, "the new version alone"


REFUSED = {"schema_version": 2, "refused": "the code was deployed anew while the tuning job ran"}


def test_what_evaluate_refused_is_not_registered_and_trained_again(deployed: ModuleType) -> None:
    event = trained("run-1", REFUSED)
    made = promote(deployed, event)
    assert made["promotion"]["decision"] == "CodeChanged"
    assert made["promotion"]["reasons"] == ["the code was deployed anew while the tuning job ran: the run trains again"]
    assert made["attempt"] == "r"
    assert packages() == []


def test_a_run_trains_again_once_and_once_more_per_redrive(deployed: ModuleType) -> None:
    event = trained("run-1", REFUSED)
    event["state"]["plan"]["attempt"] = "r"
    with pytest.raises(deployed.CodeChangedError, match=r"has trained 2 times.*`ptmlops replay run-1`"):
        promote(deployed, event)
    assert promote(deployed, {**event, "redrives": 1})["attempt"] == "s"


def test_what_a_person_approved_is_not_taken_back(deployed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two candidates wait, both planned without a champion; a person approves the first and then the second."""
    monkeypatch.setenv("PROMOTION_POLICY", json.dumps({**POLICY, "mode": "manual"}))
    promote(deployed, trained("run-1", first(), score=False))
    event = trained("run-2", first())
    with pytest.raises(deployed.NoChampionError):
        promote(deployed, event)
    for package in packages():
        boto3.client("sagemaker").update_model_package(
            ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Approved"
        )
    made = promote(deployed, event)
    assert made["champion"]["version"] == "2"
    assert [package["ModelApprovalStatus"] for package in packages()] == ["Approved", "Approved"]


def test_a_rollback_during_the_evaluation_is_a_changed_champion_too(deployed: ModuleType) -> None:
    promote(deployed, trained("run-1", first()))
    event = trained("run-2", against(), champion="1")
    boto3.client("sagemaker").update_model_package(
        ModelPackageArn=packages()[0]["ModelPackageArn"], ModelApprovalStatus="Rejected"
    )
    again = promote(deployed, event)
    assert again["promotion"]["decision"] == "ChampionChanged"
    assert again["champion"] == {
        "version": "none",
        "model_name": "none",
        "model_data_url": f"s3://{PREPARED}/runs/run-2/plan/",
        "macro_f1": 0,
        "evaluation_uri": "none",
    }


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b"null", b'{"candidate": NaN}', b'{"candidate": {"macro_f1": NaN}}', b"[" * 200_000]
)
def test_a_broken_evaluation_never_promotes(deployed: ModuleType, body: bytes) -> None:
    made = promote(deployed, trained("run-1", None, score=False, body=body))
    assert made["promotion"]["decision"] == "Rejected"
    assert packages()[0]["CustomerMetadataProperties"]["macro_f1"] in ("missing", "nan")
    # Approved by a person all the same, it is a champion whose macro-F1 is not known, and no error.
    boto3.client("sagemaker").update_model_package(
        ModelPackageArn=packages()[0]["ModelPackageArn"], ModelApprovalStatus="Approved"
    )
    again = promote(deployed, trained("run-2", first(), score=False))
    assert again["champion"]["version"] == "1"
    assert again["champion"]["macro_f1"] == 0


def test_the_evaluation_of_another_run_never_promotes(deployed: ModuleType) -> None:
    event = trained("run-1", first(), score=False)
    evaluate("run-1", None, json.dumps(first(run_id="run-0")).encode())
    made = promote(deployed, event)
    assert made["promotion"]["decision"] == "Rejected"
    assert made["promotion"]["reasons"] == ["the evaluation is of run run-0, not of run-1"]


@pytest.mark.parametrize(
    "label",
    ["crédito, «tarjeta»", "it's; (x) 100% \n\t\x00 <b>", "😡" * 300, "n\u0303andu\u0301", "a" * 2000, "\u2028", "\ud800"],
)
@pytest.mark.slow
def test_no_label_makes_a_request_that_the_service_refuses(
    deployed: ModuleType, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    """A label's name reaches the description and the metadata; the service takes few characters there."""
    requests: list[Any] = []
    client = deployed.CLIENTS.sagemaker = boto3.Session().client("sagemaker")  # not shared, as above
    client.meta.events.register(
        "provide-client-params.sagemaker.CreateModelPackage", lambda params, **_: requests.append(params)
    )
    promote(deployed, trained("run-1", first()))
    worse = against(-0.2, (-0.3, -0.1), **{label: (20, 0, 40)})
    worse["champion"]["version"] = "1"
    made = promote(deployed, trained("run-2", worse, champion="1"))
    assert len(requests) == 2
    for request in requests:
        assert validation.problems("sagemaker", "CreateModelPackage", request) == []
        for field, value in (("CustomerMetadataProperties", {"reason": "it's"}), ("ModelPackageDescription", "two\nlines")):
            assert validation.problems("sagemaker", "CreateModelPackage", {**request, field: value})  # it would be seen
    reason = made["promotion"]["reasons"][1]
    assert reason.startswith(f"recall of {label[:3].strip() if label.isprintable() or label[0].isalpha() else '(no name)'}")
    assert reason.endswith("falls by 0.500, more than 0.100 and more than chance explains")
    assert reason.isprintable()
    assert len(reason) < 150


@pytest.mark.parametrize("network", [{"SecurityGroupIds": ["sg-0123"], "Subnets": ["subnet-0123"]}, None])
def test_a_model_is_created_in_the_network_of_the_settings(
    deployed: ModuleType, monkeypatch: pytest.MonkeyPatch, network: dict[str, Any] | None
) -> None:
    monkeypatch.setenv("MODEL_NETWORK", json.dumps(network or {}))
    made = promote(deployed, trained("run-1", first()))
    model = boto3.client("sagemaker").describe_model(ModelName=made["champion"]["model_name"])
    assert (model.get("VpcConfig") or None) == network


def test_an_artifact_that_was_replaced_after_its_evaluation_is_not_registered(deployed: ModuleType) -> None:
    event = trained("run-1", first())
    boto3.client("s3").put_object(Bucket=MODELS, Key=artifact_key("run-1"), Body=b"another.gz..")
    with pytest.raises(ArtifactReplacedError, match=r"the candidate's artifact .* was replaced .* Nothing was registered"):
        promote(deployed, event)
    assert packages() == []
    # Restored, the same run goes on.
    boto3.client("s3").put_object(Bucket=MODELS, Key=artifact_key("run-1"), Body=MODEL)
    assert promote(deployed, event)["promotion"]["promoted"] is True


@pytest.mark.parametrize(("score", "why"), [(True, "the champion would score"), (False, "nothing runs")])
def test_a_champion_that_was_replaced_does_not_score(deployed: ModuleType, *, score: bool, why: str) -> None:
    promote(deployed, trained("run-1", first()))
    boto3.client("s3").put_object(Bucket=MODELS, Key=artifact_key("run-1"), Body=b"another.gz..")
    refused = {**against(candidate=measured(macro_f1=0.1)), "champion": {**measured(), "version": "1"}}
    event = trained("run-2", refused, score=score, champion="1")
    if not score:
        assert promote(deployed, event)["champion"]["version"] == "1", why
        return
    with pytest.raises(ArtifactReplacedError, match=r"the artifact of model version 1, .* was replaced"):
        promote(deployed, event)
    assert [package["ModelApprovalStatus"] for package in packages()] == ["Approved", "Rejected"]


def test_evaluate_gets_the_digest_and_the_run_of_the_champion_to_compare_with(deployed: ModuleType) -> None:
    promote(deployed, trained("run-1", first()))
    event = trained("run-2", first(), champion="none")  # planned before run-1 had a model
    put_manifest("run-2", "test", "run-0", "run-1", "run-2")
    promote(deployed, event)
    request = read(PREPARED, "runs/run-2/plan/request.json")
    assert (request["champion_version"], request["champion_sha256"]) == ("1", hashlib.sha256(MODEL).hexdigest())
    assert request["champion_runs"] == ["run-1"]
