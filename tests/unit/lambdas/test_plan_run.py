"""plan_run: what a run does, from counts, policy and champion; and the manifests that list whole runs only."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import boto3
import pytest
from common.clients import Clients
from common.pinned_artifact import ArtifactReplacedError, pin_artifact
from common.served_model import ModelMismatchError
from moto import mock_aws
from plan_run import decision, handler
from plan_run.decision import RunCounts
from plan_run.limits import CostLimitError
from plan_run.training_code import CodeReplacedError

from ptmlops_contracts.keys import TRAINING_CODE
from ptmlops_contracts.report import SPLITS
from tests.unit.lambdas.conftest import CONTEXT, PRICES, create_ledger

BUCKET, GROUP = "prepared-bucket", "models"
CODE = b"sourcedir.tar.gz"
ROLE = "arn:aws:iam::123456789012:role/model-role"
SPACE = {"objective": "f1", "static": ["sagemaker_program", "seed"], "tuned": {"cost": "Continuous"}, "environment": {}}


def decide(
    *,
    new: int,
    total: int,
    repeated: int = 0,
    waiting: int = 0,
    to_score: int = 0,
    champion: bool = False,
    pending: Any = (),
    drifted: bool = False,
) -> Any:
    def spread(rows: int) -> dict[str, int]:
        return {"train": rows - 2 * (rows // 10), "validation": rows // 10, "test": rows // 10}

    counts = RunCounts(
        new=spread(new),
        repeated=repeated,
        waiting=waiting,
        totals=spread(total),
        to_score=to_score,
        has_champion=champion,
        pending=pending,
        drifted=drifted,
    )
    return decision.decide(counts, run_id="R", min_labelled_rows=200, min_new_rows=50, raw_bucket="raw")


@pytest.mark.parametrize(
    ("new", "total", "to_score", "champion", "train", "score"),
    [
        (300, 300, 0, False, True, False),  # a first labelled file
        (300, 300, 10, False, True, True),  # one file with both
        (0, 300, 10, True, False, True),  # the usual day
        (49, 349, 0, True, False, False),  # too few new rows to be worth it
        (50, 350, 0, True, True, False),
        (1, 300, 0, False, True, False),  # without a champion any new row will do
        (100, 199, 0, False, False, False),  # too few in all
        (0, 0, 0, False, False, False),  # nothing at all
    ],
)
def test_the_decision(*, new: int, total: int, to_score: int, champion: bool, train: bool, score: bool) -> None:
    found = decide(new=new, total=total, to_score=to_score, champion=champion)
    assert (found.train, found.score) == (train, score)
    assert found.reason


@pytest.mark.parametrize(
    ("new", "repeated", "waiting", "champion", "train", "why"),
    [
        (0, 488, 0, True, False, "the same file again: a version was trained from its rows"),
        (49, 488, 0, True, False, "too few of its rows are new"),
        (60, 488, 0, True, True, "enough of its rows are new"),
        (0, 488, 488, True, True, "the run that brought the rows failed before it trained"),
        (0, 300, 20, True, False, "only a few of the rows were not learned"),
        (0, 300, 0, False, False, "a version was trained from the rows, and was refused or waits"),
        (0, 300, 300, False, True, "the first run failed before it trained"),
    ],
)
def test_rows_that_came_before_with_their_label_are_not_new(
    *, new: int, repeated: int, waiting: int, champion: bool, train: bool, why: str
) -> None:
    found = decide(new=new, repeated=repeated, waiting=waiting, total=900, champion=champion)
    assert found.train is train, why
    assert ("came before with the same label" in found.reason) is not train


@pytest.mark.parametrize(
    ("new", "waiting", "drifted", "train", "why"),
    [
        (1, 0, True, True, "one new row is enough after drift"),
        (1, 0, False, False, "without drift it is not"),
        (0, 7, True, True, "rows of earlier runs that were too few then"),
        (0, 7, False, False, "without drift they wait for more"),
        (0, 0, True, False, "without a row that no version learned, training would make the same model"),
    ],
)
def test_after_drift_a_run_trains_from_the_first_row_that_no_version_has_learned(
    *, new: int, waiting: int, drifted: bool, train: bool, why: str
) -> None:
    found = decide(new=new, waiting=waiting, total=900, to_score=10, champion=True, drifted=drifted)
    assert (found.train, found.score) == (train, True), why
    assert ("differ from those that the serving model was measured on" in found.reason) is (train and drifted)


def test_rows_that_nothing_can_label_are_an_error_that_says_what_to_drop() -> None:
    with pytest.raises(decision.NoChampionError, match=r"at least 80 more labelled complaints into s3://raw/"):
        decide(new=0, total=120, to_score=9)


def test_a_version_that_waits_for_approval_is_the_way_out() -> None:
    with pytest.raises(decision.NoChampionError, match=r"`ptmlops promote 4 --reason TEXT`\)\. Then run `ptmlops replay R`\."):
        decide(new=0, total=300, to_score=9, pending=(3, 4))


def test_a_split_without_rows_cannot_be_trained_on() -> None:
    counts = RunCounts(
        new={"train": 300, "validation": 5, "test": 0},
        totals={"train": 300, "validation": 5, "test": 0},
        to_score=0,
        has_champion=False,
        pending=(),
    )
    found = decision.decide(counts, run_id="R", min_labelled_rows=200, min_new_rows=50, raw_bucket="raw")
    assert not found.train
    assert "test" in found.reason


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    with mock_aws():
        for bucket in (BUCKET, "models"):
            boto3.client("s3").create_bucket(Bucket=bucket)
        boto3.client("s3").put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
        boto3.client("s3").put_object(Bucket="models", Key=TRAINING_CODE, Body=CODE)
        create_ledger()
        boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
        for name, value in {
            "PREPARED_BUCKET": BUCKET,
            "RAW_BUCKET": "raw",
            "MODEL_PACKAGE_GROUP": GROUP,
            "TRAINING_CODE": json.dumps(
                {
                    "uri": f"s3://models/{TRAINING_CODE}",
                    "sha256": hashlib.sha256(CODE).hexdigest(),
                    "source": "s3://assets/code.gz",
                }
            ),
            "MIN_LABELLED_ROWS": "200",
            "MIN_NEW_ROWS": "50",
            "ON_DRIFT": "propose",
            "TARGET_PRECISION": "0.95",
            "MAX_RECALL_DROP": "0.1",
            "SEED": "20",
            "MODEL_ROLE_ARN": ROLE,
            "MODEL_NETWORK": "{}",
            "TUNING_SPACE": json.dumps(SPACE),
            "LEDGER_TABLE": "ledger",
            "PRICES": json.dumps(PRICES),
            "RUN_LIMIT_USD": "0",
            "MONTH_LIMIT_USD": "0",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(handler, "CLIENTS", Clients())
        yield handler


def put(key: str, document: Any = "x") -> None:
    body = document if isinstance(document, str) else json.dumps(document)
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body.encode())


def prepared(
    run_id: str, labelled: int, to_score: int = 0, earlier: int = 0, redaction: int | None = None, **changed: Any
) -> None:
    rows = {"train": labelled - 40, "validation": 20, "test": 20} if labelled else dict.fromkeys(SPLITS, 0)
    for split in SPLITS if labelled else ():
        put(f"labelled/{split}/run_id={run_id}/part-00000.txt")
    put(
        f"runs/{run_id}/report.json",
        {
            "rows": {"read": labelled + to_score},
            "labelled": rows,
            "labelled_earlier": {"train": earlier, "validation": 0, "test": 0},
            "to_score": to_score,
        }
        | ({"versions": {"redaction": redaction}} if redaction else {})
        | changed,
    )


def read(key: str) -> Any:
    return json.loads(boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())


def plan(deployed: ModuleType, run_id: str) -> Any:
    return deployed.lambda_handler({"state": {"run_id": run_id}}, CONTEXT)


def package(status: str, run_id: str = "r0", **metadata: str) -> None:
    boto3.client("sagemaker").create_model_package(
        ModelPackageGroupName=GROUP,
        InferenceSpecification={
            "Containers": [
                {
                    "Image": "image",
                    "ModelDataUrl": f"s3://models/{run_id}/model.tar.gz",
                    "Environment": {"PROGRAM": "inference.py"},
                }
            ],
            "SupportedContentTypes": ["application/jsonlines"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
        },
        ModelApprovalStatus=status,
        CustomerMetadataProperties={"run_id": run_id, "macro_f1": "0.8125", **metadata},
    )


def test_a_run_that_would_cost_more_than_its_limit_stops_before_anything_is_planned(
    deployed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared("r1", 300, to_score=50)
    monkeypatch.setenv("RUN_LIMIT_USD", "0.5")

    with pytest.raises(
        CostLimitError, match=r"costs\.run_limit_usd is 0\.50.*training .*, evaluation .*, scoring .*, publish "
    ):
        plan(deployed, "r1")

    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="runs/r1/plan/")
    monkeypatch.setenv("RUN_LIMIT_USD", "1.5")
    assert plan(deployed, "r1")["train"]


def test_the_manifests_list_the_rows_of_every_whole_run_and_no_other(deployed: ModuleType) -> None:
    prepared("r1", 300)
    plan(deployed, "r1")
    # r2 was killed in the middle of writing: rows, and no report.
    put("labelled/train/run_id=r2/part-00000.txt")
    prepared("r3", 400, earlier=7)
    put("labelled/train/run_id=r3/_SUCCESS")
    put("labelled/rare/run_id=r3/part-00000.txt")

    made = plan(deployed, "r3")

    assert made["rows"] == {
        "labelled_new": 407,
        "labelled_repeated": 0,
        "labelled_total": 707,
        "labelled_left_out": 0,
        "to_score": 0,
    }
    assert read("runs/r3/plan/train.manifest") == [
        {"prefix": f"s3://{BUCKET}/"},
        "labelled/train/run_id=r1/part-00000.txt",
        "labelled/train/run_id=r3/part-00000.txt",
    ]


def test_rows_of_another_version_of_redaction_are_left_out_of_training_and_counted(deployed: ModuleType) -> None:
    put("labelled/complete/r0.json", {"train": 50, "validation": 5, "test": 5})  # from before there were versions
    put("labelled/train/run_id=r0/part-00000.txt")
    prepared("r1", 300, redaction=1)
    plan(deployed, "r1")
    prepared("r2", 400, redaction=2)
    prepared("r3", 500, redaction=2)
    plan(deployed, "r2")

    made = plan(deployed, "r3")

    assert made["rows"] == {
        "labelled_new": 500,
        "labelled_repeated": 0,
        "labelled_total": 900,
        "labelled_left_out": 360,
        "to_score": 0,
    }
    assert read("runs/r3/plan/train.manifest")[1:] == [
        "labelled/train/run_id=r2/part-00000.txt",
        "labelled/train/run_id=r3/part-00000.txt",
    ]
    assert read("labelled/complete/r3.json") == {"train": 460, "validation": 20, "test": 20, "redaction_version": 2}


def test_a_file_that_comes_again_trains_nothing_unless_no_version_has_learned_it(deployed: ModuleType) -> None:
    again = {"labelled_repeated": {"train": 260, "validation": 20, "test": 20}}
    prepared("r1", 300)
    plan(deployed, "r1")
    prepared("r2", 300, **again)
    # r1 failed before it trained: the version of r0 does not know its rows.
    package("Approved", "r0")
    assert plan(deployed, "r2")["train"] is True

    package("Approved", "r2")
    prepared("r3", 300, **again)
    made = plan(deployed, "r3")

    assert made["train"] is False
    assert made["reason"] == (
        "0 new labelled rows; training starts at 50. 300 further rows came before with the same label, and are not new"
    )
    assert made["rows"] == {
        "labelled_new": 0, "labelled_repeated": 300, "labelled_total": 300, "labelled_left_out": 0, "to_score": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("erased", "total", "train"), [("after", 300, True), ("before", 300, False), ("after", 150, False)])
def test_after_an_erasure_the_next_run_trains_whatever_it_brings(
    deployed: ModuleType, erased: str, total: int, train: bool
) -> None:
    """`ptmlops forget` marks the run whose learned rows it erased. A version that was registered since learned from what is left."""
    prepared("r1", total)
    plan(deployed, "r1")
    moment = datetime.now(UTC) + timedelta(hours=1 if erased == "after" else -1)
    put("labelled/complete/r1.json", {**read("labelled/complete/r1.json"), "erased_at": moment.isoformat(timespec="seconds")})
    package("Approved", "r1")
    prepared("r2", 0, to_score=3)
    made = plan(deployed, "r2")
    assert made["train"] is train
    assert ("rows that were learned were erased since" in made["reason"]) is train


@pytest.mark.parametrize(
    ("policy", "version", "kinds", "train", "why"),
    [
        ("retrain", "1", ["vocabulary"], True, "the champion's complaints have drifted, and 60 rows are new"),
        ("propose", "1", ["vocabulary"], False, "the settings say that a person decides"),
        ("retrain", "1", [], False, "nothing has drifted"),
        ("retrain", "7", ["vocabulary"], False, "another version's complaints had drifted"),
    ],
)
def test_after_drift_the_policy_decides_whether_few_rows_are_enough(
    deployed: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    version: str,
    kinds: list[str],
    *,
    train: bool,
    why: str,
) -> None:
    monkeypatch.setenv("MIN_NEW_ROWS", "100")
    monkeypatch.setenv("ON_DRIFT", policy)
    prepared("r1", 300)
    plan(deployed, "r1")
    package("Approved", "r1")
    item = {
        "pk": {"S": "DRIFT"},
        "run_id": {"S": "r1"},
        "model_version": {"S": version},
        "drifted": {"L": [{"S": kind} for kind in kinds]},
    }
    boto3.client("dynamodb").put_item(TableName="ledger", Item=item)
    prepared("r2", 60)

    assert plan(deployed, "r2")["train"] is train, why


def test_labels_that_the_model_of_their_time_did_not_know_stay_with_the_rows(deployed: ModuleType) -> None:
    prepared("r1", 300, unfamiliar_labels=[["Wallet", "Loan"]])
    plan(deployed, "r1")
    prepared("r2", 300)
    plan(deployed, "r2")
    assert read("runs/r2/plan/request.json")["unfamiliar"] == [["Wallet", "Loan"]]
    assert "unfamiliar" not in read("labelled/complete/r2.json")


def test_a_redriven_plan_does_not_count_its_own_rows_twice(deployed: ModuleType) -> None:
    prepared("r1", 300)
    assert plan(deployed, "r1")["rows"] == plan(deployed, "r1")["rows"]


def test_the_champion_is_the_newest_approved_version(deployed: ModuleType) -> None:
    for status, run in (("Approved", "r1"), ("Approved", "r2"), ("Rejected", "r3"), ("PendingManualApproval", "r4")):
        package(status, run, evaluation_uri=f"s3://models-bucket/evaluations/{run}/")
    prepared("r9", 0, to_score=5)

    champion = plan(deployed, "r9")["champion"]

    assert champion == {
        "version": "2",
        "model_name": f"{GROUP}-v2-{hashlib.sha256(f's3://models/r2/model.tar.gz {ROLE}'.encode()).hexdigest()[:8]}",
        "model_data_url": "s3://models/r2/model.tar.gz",
        "macro_f1": 0.8125,
        "evaluation_uri": "s3://models-bucket/evaluations/r2/",
    }


def test_without_a_champion_every_later_state_still_gets_its_values(deployed: ModuleType) -> None:
    prepared("r1", 300)
    made = plan(deployed, "r1")
    assert made["train"] is True
    assert made["champion"]["version"] == "none"
    assert made["champion"]["model_data_url"] == made["request_uri"] == f"s3://{BUCKET}/runs/r1/plan/"
    assert read("runs/r1/plan/request.json") == {
        "run_id": "r1",
        "champion_version": "none",
        "champion_sha256": "none",
        "champion_runs": [],
        "target_precision": 0.95,
        "max_recall_drop": 0.1,
        "seed": 20,
        "unfamiliar": [],
    }


def test_a_champion_that_a_person_approved_without_numbers_is_a_champion(deployed: ModuleType) -> None:
    package("Approved", macro_f1="missing")
    prepared("r9", 0, to_score=5)
    champion = plan(deployed, "r9")["champion"]
    assert (champion["version"], champion["macro_f1"]) == ("1", 0)


def tuning_job(name: str, **changes: Any) -> None:
    """A tuning job as the service describes it: with a hyperparameter of its own among the static ones."""
    request: dict[str, Any] = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": changes.get("objective", "f1")},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": changes.get(
                "ranges", {"ContinuousParameterRanges": [{"Name": "cost", "MinValue": "0", "MaxValue": "9"}]}
            ),
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": {
                "seed": "1",
                "sagemaker_program": "train.py",
                "_tuning_objective_metric": "f1",
                **changes.get("static", {}),
            },
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "RoleArn": "arn:aws:iam::123456789012:role/training-role",
            "OutputDataConfig": {"S3OutputPath": "s3://models/"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "Environment": changes.get("environment", {}),
        },
    }
    boto3.client("sagemaker").create_hyper_parameter_tuning_job(**request)


def parent(deployed: ModuleType) -> str:
    prepared("r9", 300)
    found: str = plan(deployed, "r9")["parent_tuning_job"]
    return found


def test_a_first_tuning_job_starts_from_nothing(deployed: ModuleType) -> None:
    assert parent(deployed) == "none"
    package("Approved")  # by a version of this code that did not say where its model came from
    assert parent(deployed) == "none"


def test_a_tuning_job_starts_from_the_one_behind_the_newest_version(deployed: ModuleType) -> None:
    """Whether or not that version was promoted: its trials were measured all the same."""
    for run, status in (("r1", "Approved"), ("r2", "Rejected")):
        tuning_job(f"{run}-0-0")
        package(status, run, tuning_job=f"{run}-0-0")
    assert parent(deployed) == "r2-0-0"


def test_a_run_that_does_not_train_has_no_parent(deployed: ModuleType) -> None:
    tuning_job("r1-0-0")
    package("Approved", "r1", tuning_job="r1-0-0")
    prepared("r9", 0, to_score=5)
    assert plan(deployed, "r9")["parent_tuning_job"] == "none"


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "accuracy"},
        {"static": {"folds": "5"}},
        {"environment": {"PTMLOPS_MODEL_BRINGS_NUMBA": "true"}},
        {"ranges": {"IntegerParameterRanges": [{"Name": "cost", "MinValue": "0", "MaxValue": "9"}]}},
        {"ranges": {"ContinuousParameterRanges": [{"Name": "power", "MinValue": "0", "MaxValue": "9"}]}},
    ],
)
def test_a_job_that_the_service_would_refuse_as_a_parent_is_none(deployed: ModuleType, changes: dict[str, Any]) -> None:
    tuning_job("r1-0-0", **changes)
    package("Approved", "r1", tuning_job="r1-0-0")
    assert parent(deployed) == "none"


def test_a_job_that_is_gone_is_no_parent(deployed: ModuleType) -> None:
    package("Approved", "r1", tuning_job="r1-0-0")
    assert parent(deployed) == "none"


def test_one_job_and_random_search_start_from_nothing(deployed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    tuning_job("r1-0-0")
    package("Approved", "r1", tuning_job="r1-0-0")
    monkeypatch.setenv("TUNING_SPACE", "null")
    assert parent(deployed) == "none"


def test_log_lines_name_the_run_and_metrics_have_units(
    deployed: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(deployed.LOGGER.registered_handler, "stream", written)
    prepared("r1", 300, to_score=7)

    plan(deployed, "r1")

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert lines
    assert {line["run_id"] for line in lines} == {"r1"}
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    [declared] = metrics["_aws"]["CloudWatchMetrics"]
    assert {metric["Name"]: metric["Unit"] for metric in declared["Metrics"]} == {
        "ComplaintsToScore": "Count",
        "LabelledRows": "Count",
        "ModelsWaiting": "Count",
    }
    assert metrics["ComplaintsToScore"] == [7]
    assert metrics["ModelsWaiting"] == [0]


def models() -> dict[str, str]:
    """The role of each SageMaker Model."""
    client = boto3.client("sagemaker")
    names = [model["ModelName"] for model in client.list_models()["Models"]]
    return {name: client.describe_model(ModelName=name)["ExecutionRoleArn"] for name in names}


def test_a_run_that_scores_finds_the_champions_model_or_makes_it(deployed: ModuleType) -> None:
    package("Approved")
    prepared("r1", 0, to_score=5)
    champion = plan(deployed, "r1")["champion"]
    assert models() == {champion["model_name"]: ROLE}
    described = boto3.client("sagemaker").describe_model(ModelName=champion["model_name"])
    assert described["PrimaryContainer"]["ModelDataUrl"] == champion["model_data_url"]
    assert plan(deployed, "r1")["champion"] == champion
    boto3.client("sagemaker").delete_model(ModelName=champion["model_name"])
    assert plan(deployed, "r1")["champion"] == champion
    assert models() == {champion["model_name"]: ROLE}


def test_a_run_that_does_not_score_makes_no_model(deployed: ModuleType) -> None:
    package("Approved")
    prepared("r1", 60)
    plan(deployed, "r1")
    assert models() == {}


def test_the_champion_gets_a_model_of_the_present_role(deployed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    package("Approved")
    prepared("r1", 0, to_score=5)
    before = plan(deployed, "r1")["champion"]["model_name"]
    monkeypatch.setenv("MODEL_ROLE_ARN", f"{ROLE}-2")
    after = plan(deployed, "r1")["champion"]["model_name"]
    assert models() == {before: ROLE, after: f"{ROLE}-2"}


def test_the_champion_gets_a_model_in_the_present_network(deployed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    package("Approved")
    prepared("r1", 0, to_score=5)
    before = plan(deployed, "r1")["champion"]["model_name"]
    network = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]}
    monkeypatch.setenv("MODEL_NETWORK", json.dumps(network))
    after = plan(deployed, "r1")["champion"]["model_name"]
    assert after != before
    described = boto3.client("sagemaker").describe_model(ModelName=after)
    assert described["VpcConfig"] == network


def test_a_model_that_somebody_else_made_is_not_used(deployed: ModuleType) -> None:
    package("Approved")
    prepared("r1", 0, to_score=5)
    name = plan(deployed, "r1")["champion"]["model_name"]
    client = boto3.client("sagemaker")
    client.delete_model(ModelName=name)
    container = {"Image": "image", "ModelDataUrl": "s3://elsewhere/model.tar.gz"}
    client.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    with pytest.raises(ModelMismatchError, match=rf"s3://elsewhere/model.tar.gz, not .*delete-model --model-name {name}"):
        plan(deployed, "r1")


@pytest.fixture
def pinned(deployed: ModuleType) -> ModuleType:
    """A champion that was registered with its digest."""
    del deployed
    client = boto3.client("s3")
    client.put_object(Bucket="models", Key="r0/model.tar.gz", Body=b"model")
    package("Approved", **pin_artifact(client, "s3://models/r0/model.tar.gz", None).metadata())
    return handler


def test_evaluate_gets_the_digest_and_the_run_of_the_champion(pinned: ModuleType) -> None:
    prepared("r0", 300)
    prepared("r1", 300)
    plan(pinned, "r0")
    prepared("q9", 300)  # opened before r0, and was still prepared when r0 trained
    plan(pinned, "q9")
    assert plan(pinned, "r1")["train"] is True
    request = read("runs/r1/plan/request.json")
    assert (request["champion_version"], request["champion_sha256"]) == ("1", hashlib.sha256(b"model").hexdigest())
    assert request["champion_runs"] == ["r0"]


@pytest.mark.parametrize(
    ("labelled", "to_score", "refused", "why"),
    [
        (0, 5, True, "it would score"),
        (300, 0, True, "a candidate would be compared with it"),
        (300, 5, True, "both"),
        (60, 0, False, "it is not used: too few new rows to train, and nothing to score"),
    ],
)
@pytest.mark.parametrize("content", [b"lemod", b"a larger one", None])
def test_a_champion_that_was_replaced_is_not_used(
    pinned: ModuleType, content: bytes | None, labelled: int, to_score: int, *, refused: bool, why: str
) -> None:
    prepared("r0", 300)
    plan(pinned, "r0")
    prepared(
        "r1",
        labelled,
        to_score=to_score,
        labelled_repeated={"train": 20, "validation": 0, "test": 0} if labelled == 60 else {},
    )
    client = boto3.client("s3")
    if content is None:
        client.delete_object(Bucket="models", Key="r0/model.tar.gz")
    else:
        client.put_object(Bucket="models", Key="r0/model.tar.gz", Body=content)
    if not refused:
        assert plan(pinned, "r1")["champion"]["version"] == "1", why
        return
    with pytest.raises(
        ArtifactReplacedError, match=r"the artifact of model version 1, .* since it was registered.*copy-object"
    ):
        plan(pinned, "r1")
    assert models() == {}, why


def test_a_champion_of_an_earlier_release_is_noted_and_used(deployed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(deployed.LOGGER.registered_handler, "stream", written)
    package("Approved")
    prepared("r1", 0, to_score=5)
    assert plan(deployed, "r1")["champion"]["version"] == "1"
    [line] = [json.loads(line) for line in written.getvalue().splitlines() if "not compared" in line]
    assert "version 1 was registered by an earlier release" in line["note"]


@pytest.mark.parametrize(
    ("content", "happened"), [(b"other code archi", "was replaced"), (CODE + b"\0", "was replaced"), (None, "was deleted")]
)
def test_code_that_was_replaced_after_its_deployment_does_not_train(
    deployed: ModuleType, content: bytes | None, happened: str
) -> None:
    client = boto3.client("s3")
    if content is None:
        client.delete_object(Bucket="models", Key=TRAINING_CODE)
    else:
        client.put_object(Bucket="models", Key=TRAINING_CODE, Body=content)
    prepared("r1", 300)
    with pytest.raises(CodeReplacedError, match=rf"{happened}.*`aws s3 cp s3://assets/code.gz s3://models/{TRAINING_CODE}`"):
        plan(deployed, "r1")
    package("Approved", "r2")
    prepared("r2", 0, to_score=5)
    assert plan(deployed, "r2")["score"] is True, "a model scores with the code that it brings"
    client.put_object(Bucket="models", Key=TRAINING_CODE, Body=CODE)
    assert plan(deployed, "r1")["train"] is True
