"""SageMaker in local AWS: the code really runs, under the container's contract, and ends as on the service."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import ROOT
from local_aws.services.sagemaker.early_stopping import is_below_median
from local_aws.services.sagemaker.optimizer import Optimizer
from tests.unit.local_aws.conftest import Sandbox, archive, data_role, eventually
from tests.unit.training.conftest import make_complaints

pytestmark = pytest.mark.slow  # every test starts processes
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"


# -- sagemaker ------------------------------------------------------------------------------------------------------------

TRAIN = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser(); parser.add_argument("--depth", type=float); parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
given, _ = parser.parse_known_args()
rows = sum(1 for path in pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]).rglob("*") if path.is_file() for _ in path.open())
score = 1 - abs(given.depth - 3) / 10
print(f"validation score={score:.4f};")
config = json.loads((pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]).parents[2] / "input/config/hyperparameters.json").read_text())
about = {"rows": rows, "depth": given.depth, "credentials": "AWS_ACCESS_KEY_ID" in os.environ, "config": config["depth"]}
(pathlib.Path(given.model_dir) / "about.json").write_text(json.dumps(about))
"""


def _training(sandbox: Sandbox, code: str, bucket: str, image: str = IMAGE) -> dict[str, Any]:
    sandbox.put(bucket, "code/source.tar.gz", archive(train_py=code))
    sandbox.put(bucket, "train/a.jsonl", "1\n2\n3\n")

    def channel(name: str) -> dict[str, Any]:
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{name}/", "S3DataDistributionType": "FullyReplicated"}
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}}

    return {
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "score", "Regex": "score=([0-9.]+);"}],
        },
        "RoleArn": data_role(sandbox, "sagemaker", bucket),
        "InputDataConfig": [channel("code"), channel("train")],
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models/"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 300},
        "EnableNetworkIsolation": True,
    }


SCRIPT = {
    "sagemaker_program": "train.py",
    "sagemaker_submit_directory": "/opt/ml/input/data/code/source.tar.gz",
}


def _ended(describe: Any, field: str) -> dict[str, Any]:
    def check() -> Any:
        found = describe()
        return found if found[field] in ("Completed", "Failed", "Stopped") else None

    found: dict[str, Any] = eventually(check, 180)
    return found


def _logged(sandbox: Sandbox, group: str, text: str) -> bool:
    with contextlib.suppress(ClientError):  # the first line makes the log group
        return text in sandbox.logs(group)
    return False


def _train(sandbox: Sandbox, request: dict[str, Any], **hyperparameters: str) -> dict[str, Any]:
    sagemaker, name = sandbox.client("sagemaker"), sandbox.name("training")
    sagemaker.create_training_job(TrainingJobName=name, HyperParameters={**SCRIPT, **hyperparameters}, **request)
    return _ended(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus")


def test_training_runs_the_code_on_its_channels_and_packs_the_model(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()

    job = _train(sandbox, _training(sandbox, TRAIN, bucket), depth="2.5")

    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{bucket}/")
    assert key == f"models/{job['TrainingJobName']}/output/model.tar.gz"
    body = sandbox.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        member = tar.extractfile(next(item for item in tar if item.name.endswith("about.json")))
        assert member
        about = json.load(member)
    # The job was isolated: its code got no credentials.
    assert about == {"rows": 3, "depth": 2.5, "credentials": False, "config": "2.5"}
    [metric] = job["FinalMetricDataList"]
    assert (metric["MetricName"], round(metric["Value"], 4)) == ("score", 0.95)
    assert job["BillableTimeInSeconds"] >= 1
    assert "score=0.9500;" in sandbox.logs("/aws/sagemaker/TrainingJobs")


def test_a_job_name_is_used_once(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    request = _training(sandbox, TRAIN, bucket)
    done = _train(sandbox, request, depth="1")
    with pytest.raises(ClientError, match="ResourceInUse"):
        sandbox.client("sagemaker").create_training_job(
            TrainingJobName=done["TrainingJobName"], HyperParameters=SCRIPT, **request
        )


def test_a_training_that_fails_gives_the_reason_that_it_wrote(sandbox: Sandbox) -> None:
    code = (
        "import os, pathlib, sys\n"
        "output = pathlib.Path(os.environ['SM_OUTPUT_DIR']); output.mkdir(exist_ok=True, parents=True)\n"
        "(output / 'failure').write_text('only one label: drop complaints of a second one'); sys.exit(1)\n"
    )
    job = _train(sandbox, _training(sandbox, code, sandbox.bucket()), depth="1")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError:")
    assert "only one label" in job["FailureReason"]


def test_a_job_has_no_package_of_the_project_but_what_it_brings(sandbox: Sandbox) -> None:
    """They are installed here, and in no container."""
    training = _train(sandbox, _training(sandbox, "import ptmlops_contracts\n", bucket := sandbox.bucket()), depth="1")
    sandbox.put(bucket, "in/a.jsonl", '{"n": 1}\n')
    transform = _transform(sandbox, bucket, serve=f"import ptmlops_contracts\n{SERVE}")
    for job, status in ((training, "TrainingJobStatus"), (transform, "TransformJobStatus")):
        assert job[status] == "Failed"
        assert "No module named 'ptmlops_contracts'" in job["FailureReason"]


def test_a_training_over_its_time_stops(sandbox: Sandbox) -> None:
    request = _training(sandbox, "import time; time.sleep(100)\n", sandbox.bucket())
    request["StoppingCondition"] = {"MaxRuntimeInSeconds": 1}
    job = _train(sandbox, request, depth="1")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_stopped_job_leaves_its_checkpoints_to_the_next(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    code = (
        "import os, pathlib, time\n"
        "base = pathlib.Path(os.environ['SM_MODEL_DIR']).parent\n"
        "kept = base / 'checkpoints' / 'fold-0.npy'\n"
        "if kept.exists():\n"
        "    print('score=0.7;'); (base / 'model' / 'model.txt').write_bytes(kept.read_bytes())\n"
        "else:\n"
        "    kept.write_text('half of the work')\n"
        "    while True: print('fold written', flush=True); time.sleep(0.3)\n"
    )
    request = {
        **_training(sandbox, code, bucket),
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": f"s3://{bucket}/checkpoints/r1", "LocalPath": "/opt/ml/checkpoints"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 300, "MaxWaitTimeInSeconds": 600},
    }
    sagemaker, name = sandbox.client("sagemaker"), sandbox.name("training")
    sagemaker.create_training_job(TrainingJobName=name, HyperParameters=SCRIPT, **request)

    eventually(lambda: _logged(sandbox, "/aws/sagemaker/TrainingJobs", "fold written"), 60)
    sagemaker.stop_training_job(TrainingJobName=name)
    stopped = _ended(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus")
    assert stopped["TrainingJobStatus"] == "Stopped"
    assert "ModelArtifacts" not in stopped

    resumed = _train(sandbox, request)

    assert resumed["TrainingJobStatus"] == "Completed", resumed.get("FailureReason")
    assert [metric["Value"] for metric in resumed["FinalMetricDataList"]] == [pytest.approx(0.7)]


def test_an_unreadable_channel_is_a_client_error(sandbox: Sandbox) -> None:
    request = _training(sandbox, TRAIN, sandbox.bucket())
    request["RoleArn"] = sandbox.role("sagemaker")
    job = _train(sandbox, request, depth="1")
    assert job["TrainingJobStatus"] == "Failed"
    assert "AccessDenied" in job["FailureReason"]


@pytest.mark.parametrize("action", ["ecr:BatchGetImage", "logs:PutLogEvents", "cloudwatch:PutMetricData", "kms:CreateGrant"])
def test_a_job_fails_if_its_role_does_not_let_sagemaker_prepare_it(sandbox: Sandbox, action: str) -> None:
    request = _training(sandbox, TRAIN, sandbox.bucket())
    request["RoleArn"] = sandbox.role("sagemaker", {"Effect": "Deny", "Action": action, "Resource": "*"})
    request["ResourceConfig"]["VolumeKmsKeyId"] = sandbox.client("kms").create_key()["KeyMetadata"]["Arn"]
    job = _train(sandbox, request, depth="1")
    assert job["TrainingJobStatus"] == "Failed"
    assert f"not authorized to perform: {action}" in job["FailureReason"]


def test_tuning_trains_every_trial_and_the_best_wins(sandbox: Sandbox) -> None:
    bucket, name = sandbox.bucket(), sandbox.name("tune")
    definition = _training(sandbox, TRAIN, bucket)
    sagemaker = sandbox.client("sagemaker")
    ranges = {"ContinuousParameterRanges": [{"Name": "depth", "MinValue": "0", "MaxValue": "6", "ScalingType": "Linear"}]}
    goal = {"Type": "Maximize", "MetricName": "score"}
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": goal,
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": ranges,
        },
        TrainingJobDefinition={**definition, "StaticHyperParameters": SCRIPT},
    )

    def describe() -> Any:
        return sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)

    job = _ended(describe, "HyperParameterTuningJobStatus")

    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    assert job["TrainingJobStatusCounters"]["Completed"] == 4
    trials = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    scores = [t["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for t in trials["TrainingJobSummaries"]]
    assert len(scores) == 4
    best = job["BestTrainingJob"]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == max(scores)
    # The objective is what the code printed for the value that it received.
    depth = float(best["TunedHyperParameters"]["depth"])
    assert max(scores) == pytest.approx(1 - abs(depth - 3) / 10, abs=1e-3)


def _tuning(
    sandbox: Sandbox, definition: dict[str, Any], *, jobs: int, parallel: int = 1, seed: int = 3, **more: Any
) -> dict[str, Any]:
    """A tuning job over `depth`, to its end: its description, with its trials as `trials`."""
    sagemaker, name = sandbox.client("sagemaker"), sandbox.name("tune")
    low, high = more.pop("depths", ("0", "6"))
    configuration = {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": parallel},
        "ParameterRanges": {
            "ContinuousParameterRanges": [{"Name": "depth", "MinValue": low, "MaxValue": high, "ScalingType": "Linear"}]
        },
        "RandomSeed": seed,
        **more.pop("configuration", {}),
    }
    sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig=configuration,
        TrainingJobDefinition={**definition, "StaticHyperParameters": SCRIPT},
        **more,
    )
    job = _ended(
        lambda: sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name),
        "HyperParameterTuningJobStatus",
    )
    listed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    return {**job, "trials": listed["TrainingJobSummaries"]}


def _parents(*names: str) -> dict[str, Any]:
    parents = [{"HyperParameterTuningJobName": name} for name in names]
    return {"WarmStartConfig": {"WarmStartType": "TransferLearning", "ParentHyperParameterTuningJobs": parents}}


def test_a_warm_start_knows_what_its_parent_found(sandbox: Sandbox) -> None:
    definition = _training(sandbox, TRAIN, sandbox.bucket())
    parent = _tuning(sandbox, definition, jobs=6, parallel=2)
    warm = _parents(parent["HyperParameterTuningJobName"])

    cold, warmed = _tuning(sandbox, definition, jobs=1), _tuning(sandbox, definition, jobs=1, **warm)

    # One seed, one trial each: what differs is what the optimizer learned from the parent's trials.
    proposed = [job["BestTrainingJob"]["TunedHyperParameters"]["depth"] for job in (cold, warmed)]
    assert proposed[0] != proposed[1]
    assert len(warmed["trials"]) == 1
    # Another range: the parent's values outside of it are no hint, and no error.
    narrow = _tuning(sandbox, definition, jobs=1, depths=("5", "6"), **warm)
    assert 5 <= float(narrow["BestTrainingJob"]["TunedHyperParameters"]["depth"]) <= 6


def test_the_trials_of_parents_are_observations_before_the_first_trial() -> None:
    ranges = {"ContinuousParameterRanges": [{"Name": "depth", "MinValue": "0", "MaxValue": "6"}]}
    goal = {"Type": "Maximize", "MetricName": "score"}
    optimizer = Optimizer({"Strategy": "Bayesian", "HyperParameterTuningJobObjective": goal, "ParameterRanges": ranges})
    optimizer.observe([({"depth": "2.5"}, 0.9), ({"depth": "9"}, 0.1), ({"width": "1"}, 0.2)])
    optimizer.observe([({"depth": "0.5"}, 0.7)])
    # Values outside of the present ranges, and those of other hyperparameters, are ignored.
    assert [(trial.params, trial.value) for trial in optimizer.study.trials] == [({"depth": 2.5}, 0.9), ({"depth": 0.5}, 0.7)]


def test_a_parent_that_the_service_would_refuse_is_refused(sandbox: Sandbox) -> None:
    definition = _training(sandbox, TRAIN, sandbox.bucket())
    parent = _tuning(sandbox, definition, jobs=1)["HyperParameterTuningJobName"]
    with pytest.raises(ClientError, match="does not exist"):
        _tuning(sandbox, definition, jobs=1, **_parents("nobody"))
    goal = {"Type": "Minimize", "MetricName": "score"}
    with pytest.raises(ClientError, match="another objective"):
        _tuning(sandbox, definition, jobs=1, configuration={"HyperParameterTuningJobObjective": goal}, **_parents(parent))
    one_more = {"CategoricalParameterRanges": [{"Name": "a", "Values": ["1"]}, {"Name": "b", "Values": ["1"]}]}
    with pytest.raises(ClientError, match="another number of static and tunable"):
        _tuning(sandbox, definition, jobs=1, configuration={"ParameterRanges": one_more}, **_parents(parent))
    with pytest.raises(ClientError, match="must be Off"):
        _tuning(sandbox, definition, jobs=1, configuration={"Strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Auto"})


EPOCHS = """
import argparse, os, pathlib, time
parser = argparse.ArgumentParser(); parser.add_argument("--depth", type=float)
given, _ = parser.parse_known_args()
for epoch in range(1, 9):
    print(f"epoch {epoch} score={(1 - abs(given.depth - 3) / 10) * epoch / 8:.4f};", flush=True)
    time.sleep(0.25)
(pathlib.Path(os.environ["SM_MODEL_DIR"]) / "model.txt").write_text("done")
"""


# RandomSeed 3 puts seven of eight trials into brackets that may stop them early.
HYPERBAND = {
    "Strategy": "Hyperband",
    "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}},
}


@pytest.mark.parametrize("configuration", [{"TrainingJobEarlyStoppingType": "Auto"}, HYPERBAND], ids=["Bayesian", "Hyperband"])
def test_unpromising_trials_are_stopped_and_a_complete_one_wins(sandbox: Sandbox, configuration: dict[str, Any]) -> None:
    job = _tuning(sandbox, _training(sandbox, EPOCHS, sandbox.bucket()), jobs=8, parallel=2, configuration=configuration)
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    by_status: dict[str, list[float]] = {"Completed": [], "Stopped": []}
    for trial in job["trials"]:
        depth = abs(float(trial["TunedHyperParameters"]["depth"]) - 3)
        by_status[trial["TrainingJobStatus"]].append(depth)
    assert by_status["Stopped"]
    counters = job["TrainingJobStatusCounters"]
    assert (counters["Completed"], counters["Stopped"]) == (len(by_status["Completed"]), len(by_status["Stopped"]))
    best = job["BestTrainingJob"]
    assert best["TrainingJobStatus"] == "Completed"
    assert abs(float(best["TunedHyperParameters"]["depth"]) - 3) == min(by_status["Completed"])
    assert min(by_status["Stopped"]) >= min(by_status["Completed"])


DECLINING = """
import argparse, os, pathlib, time
parser = argparse.ArgumentParser(); parser.add_argument("--depth", type=float)
given, _ = parser.parse_known_args()
if given.depth > 1:
    print("score=0.8;", flush=True)
    time.sleep(60)
print("score=0.9;", flush=True)
print("score=0.5;", flush=True)
(pathlib.Path(os.environ["SM_MODEL_DIR"]) / "model.txt").write_text("done")
"""


def test_the_best_trial_may_be_one_that_was_stopped_and_the_list_finds_the_completed_one(sandbox: Sandbox) -> None:
    """The state machine's request. The stopped trial's first value is worse than the other's first, and better than its last."""
    configuration = {
        "Strategy": "Random",
        "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "depth", "Values": ["0.6", "200"]}]},
        "TrainingJobEarlyStoppingType": "Auto",
    }
    definition = _training(sandbox, DECLINING, sandbox.bucket())
    job = _tuning(sandbox, definition, jobs=2, seed=10, configuration=configuration)
    assert [trial["TrainingJobStatus"] for trial in job["trials"]] == ["Completed", "Stopped"]
    assert job["BestTrainingJob"]["TrainingJobStatus"] == "Stopped"

    def listed(**wanted: Any) -> list[str]:
        answer = sandbox.client("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=job["HyperParameterTuningJobName"], **wanted
        )
        return [trial["TrainingJobName"] for trial in answer["TrainingJobSummaries"]]

    completed, stopped = (trial["TrainingJobName"] for trial in job["trials"])
    by_objective = {"SortBy": "FinalObjectiveMetricValue", "SortOrder": "Descending"}
    assert listed(**by_objective) == [stopped, completed]
    assert listed(**by_objective, StatusEquals="Completed", MaxResults=1) == [completed]
    assert listed(SortOrder="Descending", MaxResults=1) == [max(completed, stopped)]


@pytest.mark.parametrize(
    ("values", "earlier", "worse"),
    [
        ([0.5], [], False),  # the first trial has nothing to be worse than
        ([0.5], [[0.6, 0.9]], True),
        ([0.6], [[0.6, 0.9]], False),
        # At the second epoch it is 0.74 against averages of .5, .75 and .8, not against what those trials had there or ended with.
        ([0.9, 0.74], [[0.4, 0.6, 0.1], [0.6, 0.9, 1.0], [0.8, 0.8, 0.8]], True),
        ([0.1, 0.76], [[0.4, 0.6, 0.1], [0.6, 0.9, 1.0], [0.8, 0.8, 0.8]], False),
        ([0.9, 0.5], [[0.9]], False),  # no earlier trial came so far
    ],
)
def test_a_trial_is_stopped_by_the_median_of_running_averages(
    values: list[float], earlier: list[list[float]], worse: bool
) -> None:
    assert is_below_median(values, earlier, "Maximize") is worse
    mirrored = [[-value for value in other] for other in earlier]
    assert is_below_median([-value for value in values], mirrored, "Minimize") is worse


@pytest.mark.nightly
def test_our_training_is_stopped_after_two_folds_if_it_is_worse_and_a_complete_trial_wins(sandbox: Sandbox) -> None:
    """The template's tuning job in small: our code, its hyperparameters, the log line that the service reads."""
    bucket = sandbox.bucket()
    definition = _training(sandbox, "", bucket)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for path in (ROOT / "training").rglob("*.py"):
            tar.add(path, path.relative_to(ROOT / "training").as_posix())
    sandbox.put(bucket, "code/source.tar.gz", content.getvalue())
    texts, labels = make_complaints(400, seed=6)
    rows = (
        {"complaint_id": str(index), "text": text, "label": label}
        for index, (text, label) in enumerate(zip(texts, labels, strict=True))
    )
    sandbox.put(bucket, "train/a.jsonl", "\n".join(map(json.dumps, rows)))
    published = json.loads((ROOT / "training/hyperparameters.json").read_text(encoding="utf-8"))
    objective = {"Name": "score", "Regex": published["objective"]["regex"]}
    definition["AlgorithmSpecification"]["MetricDefinitions"] = [objective]
    # By this seed a trial of the ordinary cost, one that learns the noise by heart, and the same again.
    ranges = {"CategoricalParameterRanges": [{"Name": "cost", "Values": ["0.6", "200"]}]}
    configuration = {"Strategy": "Random", "ParameterRanges": ranges, "TrainingJobEarlyStoppingType": "Auto"}
    job = _tuning(sandbox, definition, jobs=4, seed=10, configuration=configuration)

    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    found = [(trial["TunedHyperParameters"]["cost"], trial["TrainingJobStatus"]) for trial in job["trials"]]
    assert [cost for cost, _ in found] == ["0.6", "200"] * 2
    assert found[0] == ("0.6", "Completed")  # the first has nothing to be worse than
    assert found[1] == found[3] == ("200", "Stopped")
    best = job["BestTrainingJob"]
    assert (best["TunedHyperParameters"]["cost"], best["TrainingJobStatus"]) == ("0.6", "Completed")
    stopped = next(trial for trial in job["trials"] if trial["TrainingJobStatus"] == "Stopped")
    described = sandbox.client("sagemaker").describe_training_job(TrainingJobName=stopped["TrainingJobName"])
    assert described["SecondaryStatus"] == "Stopped"


def test_one_job_with_one_value_per_hyperparameter_is_one_training_job_with_that_value(sandbox: Sandbox) -> None:
    """The form of `tuning.max_jobs = 1`."""
    ranges = {"CategoricalParameterRanges": [{"Name": "depth", "Values": ["2.5"]}]}
    definition = _training(sandbox, TRAIN, sandbox.bucket())
    job = _tuning(sandbox, definition, jobs=1, configuration={"ParameterRanges": ranges})
    [trial] = job["trials"]
    assert trial["TunedHyperParameters"] == {"depth": "2.5"}
    assert job["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == pytest.approx(0.95)


def test_no_more_trials_run_at_once_than_allowed(sandbox: Sandbox) -> None:
    code = "import time\nprint('score=0.5;', flush=True)\ntime.sleep(1)\n"
    job = _tuning(sandbox, _training(sandbox, code, sandbox.bucket()), jobs=5, parallel=2)
    spans = [(trial["TrainingStartTime"], trial["TrainingEndTime"]) for trial in job["trials"]]
    at_once = [sum(start <= other < end for start, end in spans) for other, _ in spans]
    assert len(spans) == 5
    assert max(at_once) == 2


def test_a_hyperband_job_that_uses_up_its_resource_is_stopped_before_it_has_a_model(sandbox: Sandbox) -> None:
    """Why the template allows more than the objective is ever logged."""
    few = {"Strategy": "Hyperband", "StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 4}}}
    job = _tuning(sandbox, _training(sandbox, EPOCHS, sandbox.bucket()), jobs=1, configuration=few)
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert [trial["TrainingJobStatus"] for trial in job["trials"]] == ["Stopped"]


SERVE = """
import json
def model_fn(folder): return open(folder + "/about.json").read()
def input_fn(body, kind):
    assert kind == "application/jsonlines", kind
    return [line for line in (body.decode() if isinstance(body, bytes) else body).split("\\n") if line]
def predict_fn(lines, model): return [{"line": json.loads(line)["n"], "batch": len(lines), "model": model} for line in lines]
def output_fn(rows, accept): return "\\n".join(map(json.dumps, rows)) + "\\n", accept
"""


def _transform(
    sandbox: Sandbox, bucket: str, *, role: str | None = None, serve: str = SERVE, stop_at: str = "", **more: Any
) -> dict[str, Any]:
    """A transform job, to its end. It is stopped when its log contains `stop_at`, if that is not empty."""
    sagemaker, model, job = sandbox.client("sagemaker"), sandbox.name("model"), sandbox.name("transform")
    url = sandbox.put(bucket, "model.tar.gz", archive(**{"about_json": "m1", "code/inference_py": serve}))
    sagemaker.create_model(
        ModelName=model,
        ExecutionRoleArn=role or data_role(sandbox, "sagemaker", bucket),
        PrimaryContainer={
            "Image": IMAGE,
            "ModelDataUrl": url,
            "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
        },
    )
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}}
    sagemaker.create_transform_job(
        TransformJobName=job,
        ModelName=model,
        TransformInput={"DataSource": source, "ContentType": "application/jsonlines", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{bucket}/out/", "Accept": "application/jsonlines", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    )
    if stop_at:
        eventually(lambda: _logged(sandbox, "/aws/sagemaker/TransformJobs", stop_at), 60)
        sagemaker.stop_transform_job(TransformJobName=job)
    return _ended(lambda: sagemaker.describe_transform_job(TransformJobName=job), "TransformJobStatus")


def test_batch_transform_splits_by_line_within_the_payload_and_keeps_the_order(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    # Two lines of 400 KB fit a megabyte, three do not. U+2028 is no line end to the service.
    rows = [json.dumps({"n": number, "text": "\u2028" + "x" * 400_000}, ensure_ascii=False) for number in range(5)]
    sandbox.put(bucket, "in/a.jsonl", "\n".join(rows) + "\n")
    sandbox.put(bucket, "in/b.jsonl", '{"n": 9}')

    job = _transform(sandbox, bucket, BatchStrategy="MultiRecord", MaxPayloadInMB=1, MaxConcurrentTransforms=2)

    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    out = [json.loads(line) for line in sandbox.get(bucket, "out/a.jsonl.out").splitlines()]
    assert [row["line"] for row in out] == [0, 1, 2, 3, 4]
    assert [row["batch"] for row in out] == [2, 2, 2, 2, 1]
    assert {row["model"] for row in out} == {"m1"}
    assert json.loads(sandbox.get(bucket, "out/b.jsonl.out"))["line"] == 9


def test_one_record_per_request_if_the_strategy_is_single_record(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    sandbox.put(bucket, "in/a.jsonl", '{"n": 1}\n{"n": 2}\n')
    assert _transform(sandbox, bucket, BatchStrategy="SingleRecord")["TransformJobStatus"] == "Completed"
    assert [json.loads(line)["batch"] for line in sandbox.get(bucket, "out/a.jsonl.out").splitlines()] == [1, 1]


def test_a_record_larger_than_the_payload_fails_the_job(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    sandbox.put(bucket, "in/a.jsonl", json.dumps({"n": 1, "text": "x" * 1_100_000}))
    job = _transform(sandbox, bucket, MaxPayloadInMB=1)
    assert job["TransformJobStatus"] == "Failed"
    assert "MaxPayloadInMB" in job["FailureReason"]


def test_a_request_that_the_code_refuses_fails_the_job(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    sandbox.put(bucket, "in/a.jsonl", "not json\n")
    job = _transform(sandbox, bucket)
    assert job["TransformJobStatus"] == "Failed"


def test_a_stopped_transform_writes_nothing_for_what_it_had_not_finished(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    sandbox.put(bucket, "in/a.jsonl", '{"n": 1}\n')
    slow = SERVE.replace("def predict_fn", "def slow_predict_fn")
    slow += (
        "import time\ndef predict_fn(*_):\n    while True:\n        print('predicting', flush=True)\n        time.sleep(0.3)\n"
    )
    job = _transform(sandbox, bucket, serve=slow, stop_at="predicting")
    assert (job["TransformJobStatus"], job.get("FailureReason")) == ("Stopped", None)
    assert "Contents" not in sandbox.client("s3").list_objects_v2(Bucket=bucket, Prefix="out/")


def test_another_image_is_refused_rather_than_pretended(sandbox: Sandbox) -> None:
    request = _training(sandbox, TRAIN, sandbox.bucket(), image="123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1")
    with pytest.raises(ClientError, match="scikit-learn image only"):
        sandbox.client("sagemaker").create_training_job(TrainingJobName=sandbox.name(), HyperParameters=SCRIPT, **request)


def test_processing_moves_inputs_and_outputs_and_reports_its_message(sandbox: Sandbox) -> None:
    bucket, sagemaker = sandbox.bucket(), sandbox.client("sagemaker")
    sandbox.put(bucket, "in/n.txt", "20")
    code = (
        "import pathlib, sys\nbase = pathlib.Path(sys.argv[1])\n"
        "n = int((base / 'input/n.txt').read_text())\n"
        "(base / 'output/double.txt').write_text(str(2 * n))\n"
    )

    def run(argument: str) -> dict[str, Any]:
        name = sandbox.name("processing")
        place = {
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "LocalPath": "/opt/ml/processing/input",
            "S3Uri": f"s3://{bucket}/in/",
        }
        sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=data_role(sandbox, "sagemaker", bucket),
            AppSpecification={
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python3", "-c", code],
                "ContainerArguments": [argument],
            },
            ProcessingInputs=[{"InputName": "in", "S3Input": place}],
            ProcessingOutputConfig={
                "Outputs": [
                    {
                        "OutputName": "out",
                        "S3Output": {
                            "S3Uri": f"s3://{bucket}/out",
                            "LocalPath": "/opt/ml/processing/output",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            ProcessingResources={"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}},
        )
        return _ended(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")

    done = run("/opt/ml/processing")
    assert done["ProcessingJobStatus"] == "Completed", done.get("FailureReason")
    assert sandbox.get(bucket, "out/double.txt") == "40"
    failed = run("/opt/ml/processing/nowhere")
    assert failed["ProcessingJobStatus"] == "Failed"
    assert "exit code: 1" in failed["FailureReason"]


def test_a_repeated_creation_of_a_model_package_gives_the_same_version(sandbox: Sandbox) -> None:
    """Its client sends the same token again if an answer was lost."""
    sagemaker, group = sandbox.client("sagemaker"), sandbox.name("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    made = [
        sagemaker.create_model_package(ModelPackageGroupName=group, ClientToken=token)["ModelPackageArn"]
        for token in ("first", "first", "second")
    ]
    assert [arn.rpartition("/")[2] for arn in made] == ["1", "1", "2"]


def test_a_model_package_has_the_card_that_it_was_given_and_refuses_another_form(sandbox: Sandbox) -> None:
    sagemaker, group = sandbox.client("sagemaker"), sandbox.name("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    content = json.dumps({"model_overview": {"model_creator": "a run"}})
    card = {"ModelCardContent": content, "ModelCardStatus": "Draft"}
    arn = sagemaker.create_model_package(ModelPackageGroupName=group, ModelCard=card)["ModelPackageArn"]
    other = sagemaker.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]

    sagemaker.update_model_package(ModelPackageArn=arn, ModelCard={"ModelCardStatus": "Approved"})

    expected = {"ModelCardContent": content, "ModelCardStatus": "Approved"}
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelCard"] == expected
    assert "ModelCard" not in sagemaker.describe_model_package(ModelPackageName=other)
    for wrong, reason in (("{", "not JSON"), ('{"model_overview": {"model_name": "x"}}', r"\$\.model_overview.*model_name")):
        with pytest.raises(ClientError, match=reason):
            sagemaker.update_model_package(ModelPackageArn=arn, ModelCard={"ModelCardContent": wrong})
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelCard"] == expected


def test_an_update_of_a_model_package_keeps_what_it_does_not_name(sandbox: Sandbox) -> None:
    sagemaker, group = sandbox.client("sagemaker"), sandbox.name("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    arn = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties={"run_id": "r", "decision": "pending"},
    )["ModelPackageArn"]

    sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="better",
        CustomerMetadataProperties={"decision": "approved"},
    )  # fmt: skip
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"by": "ana"})

    package = sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["CustomerMetadataProperties"] == {"run_id": "r", "decision": "approved", "by": "ana"}
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == ("Approved", "better")

    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["by"])
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["CustomerMetadataProperties"] == {"run_id": "r", "decision": "approved"}
