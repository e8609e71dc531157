"""Deployments under runs: a repaired run goes on with the new code, and all stacks but one can be destroyed and deployed again.

In `make nightly` only, on a local AWS of its own: it deploys four times.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import ROOT, LocalAws
from local_aws.assembly import INPUTS
from ptmlops import generator, promotion, registry, runs, uploads
from ptmlops.target import Target
from ptmlops_contracts.keys import TRAINING_CODE, ModelKeys
from ptmlops_contracts.state import ATTEMPTS
from tests.e2e.test_pipeline import Run, body

pytestmark = pytest.mark.slow
MARK = "code of the second deployment"
# Each unit's entry, and the beginning of the log group that its output goes to.
ENTRIES = {
    "glue_jobs/prepare_complaints.py": "/aws-glue/jobs",
    "glue_jobs/publish_predictions.py": "/aws-glue/jobs",
    "lambdas/plan_run/handler.py": "ptmlops-local-workflow-PlanRun",
    "lambdas/promote_model/handler.py": "ptmlops-local-workflow-PromoteModel",
    "lambdas/record_run/handler.py": "ptmlops-local-workflow-RecordRun",
    "training/train.py": "/aws/sagemaker/TrainingJobs",
    "training/evaluate.py": "/aws/sagemaker/ProcessingJobs",
    "training/inference.py": "/aws/sagemaker/TransformJobs",
}
MISSING = ("monitoring", "workflow", "modeling", "preparation")


def synthesize_with_marks(copy: Path, assembly: Path) -> None:
    """Synthesize a copy of the app in which every unit's entry writes a mark into its log."""
    for name in INPUTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    for name in ENTRIES:
        path = copy / name
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("annotations\n", f"annotations\n\nprint({f'{MARK}: {name}'!r})\n", 1), encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(copy), "CDK_OUTDIR": str(assembly), "PTMLOPS_ENVIRONMENT": "local"}
    done = subprocess.run([sys.executable, "app.py"], cwd=copy, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembly of an app with other code in every unit."""
    assembly = tmp_path_factory.mktemp("assembly")
    synthesize_with_marks(tmp_path_factory.mktemp("changed"), assembly)
    return assembly


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with LocalAws.start(tmp_path_factory.mktemp("recovery")) as aws:
        aws.deploy()
        yield aws


@pytest.fixture(scope="module")
def target(local_aws: LocalAws) -> Target:
    return Target.local(local_aws, "local")


@pytest.fixture(scope="module")
def deploy(local_aws: LocalAws) -> Callable[..., None]:
    """Deploy an assembly, or the one of the checkout."""
    return local_aws.deploy


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 240) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


def follow(target: Target, run_id: str) -> Run:
    for _ in runs.follow(target, run_id):
        pass
    return run_id, runs.run_document(target, run_id)


def marks(target: Target, since: float) -> set[str]:
    """The entries that wrote their mark since a time."""
    logs, found = target.client("logs"), set()
    groups = [
        group["logGroupName"] for page in logs.get_paginator("describe_log_groups").paginate() for group in page["logGroups"]
    ]
    for group in groups:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=int(since * 1000))
        lines = [event["message"] for page in pages for event in page["events"]]
        found |= {
            name
            for name, prefix in ENTRIES.items()
            if group.startswith(prefix) and any(f"{MARK}: {name}" in line for line in lines)
        }
    return found


def tuning_jobs_of(target: Target, run_id: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Each tuning job of the run's first redrive, and its trials."""
    client, found = target.client("sagemaker"), []
    for attempt in ATTEMPTS[:3]:
        name = f"{run_id}{attempt}1-0"
        try:
            answer = client.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        except ClientError:
            break  # there is no such job, or none yet
        found.append((name, answer["TrainingJobSummaries"]))
    return found


def deploy_training_code_again(target: Target) -> None:
    """Put other training code to its address, as a deployment does."""
    code = io.BytesIO(body(target, "ModelsBucketName", TRAINING_CODE))
    changed = io.BytesIO()
    with tarfile.open(fileobj=code) as old, tarfile.open(fileobj=changed, mode="w:gz") as new:
        for member in old.getmembers():
            file = old.extractfile(member)
            assert file
            content = file.read() + (b"\n# Deployed meanwhile.\n" if member.name == "train.py" else b"")
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    target.client("s3").put_object(Bucket=target.outputs["ModelsBucketName"], Key=TRAINING_CODE, Body=changed.getvalue())


def stop_no_trial_early(target: Target) -> None:
    """Change the state machine for the runs that start from now on: a trial that is stopped early has no model to compare."""
    states, arn = target.client("stepfunctions"), target.outputs["StateMachineArn"]
    definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
    changed = definition.replace('"TrainingJobEarlyStoppingType":"Auto"', '"TrainingJobEarlyStoppingType":"Off"')
    assert changed != definition
    states.update_state_machine(stateMachineArn=arn, definition=changed)


@pytest.fixture(scope="module")
def defective(target: Target, made: Path) -> Run:
    """A run that failed because the deployed script of Prepare has a defect."""
    stop_no_trial_early(target)
    job = target.client("glue").get_job(JobName=target.outputs["PrepareJobName"])["Job"]
    bucket, _, key = job["Command"]["ScriptLocation"].removeprefix("s3://").partition("/")
    s3 = target.client("s3")
    script = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=b"raise SystemExit('a defect')\n")
    path = made / "to-repair.csv"
    generator.write_csv(path, 700, seed=31)
    failed = follow(target, uploads.wait_for_run(target, uploads.upload(target, path)))
    s3.put_object(Bucket=bucket, Key=key, Body=script)  # a deployment of the checkout finds its assets there, and keeps them
    return failed


@pytest.fixture(scope="module")
def repaired(defective: Run, changed: Path, deploy: Callable[..., None], target: Target) -> tuple[Run, float]:
    """The run, redriven after a deployment of other code in every unit; while it trains, training code is deployed once more."""
    run_id, _ = defective
    deploy(changed)
    since = time.time()
    runs.redrive(target, run_id)

    def first_trial_trains() -> bool:
        names = [trial["TrainingJobName"] for _, trials in tuning_jobs_of(target, run_id) for trial in trials]
        assert len(names) < 2, "too late"
        jobs = [target.client("sagemaker").describe_training_job(TrainingJobName=name) for name in names]
        return [job["SecondaryStatus"] for job in jobs] == ["Training"]

    wait_for("the first trial", first_trial_trains)
    deploy_training_code_again(target)
    return follow(target, run_id), since


def test_a_run_that_failed_by_a_defect_is_redriven_with_the_repaired_code(
    defective: Run, repaired: tuple[Run, float], target: Target
) -> None:
    assert defective[1]["error"]["state"] == "Prepare"
    (_, run), since = repaired
    assert run["status"] == "SUCCEEDED", run.get("error")
    assert run["trained"]
    # The attempts before the redrive and before the second training are paid for.
    jobs = [(job["part"], job["statuses"]) for job in run["jobs"]]
    assert jobs[:2] == [("prepare", {"FAILED": 1}), ("prepare", {"SUCCEEDED": 1})]
    assert [part for part, _ in jobs].count("training") == 2
    assert run["cost_usd"] == pytest.approx(sum(job["usd"] for job in run["jobs"]), abs=1e-4)
    # Nothing was scored, so serving code has not run.
    assert marks(target, since) == set(ENTRIES) - {"training/inference.py"}


def test_a_deployment_while_a_tuning_job_runs_makes_the_run_train_again(repaired: tuple[Run, float], target: Target) -> None:
    (run_id, _), _ = repaired
    trials = [trial for _, trials in tuning_jobs_of(target, run_id) for trial in trials]
    assert {
        trial["TrainingJobName"]: trial.get("FailureReason") for trial in trials if trial["TrainingJobStatus"] != "Completed"
    } == {}
    versions = [
        [_code_version(target, run_id, trial["TrainingJobName"]) for trial in trials]
        for _, trials in tuning_jobs_of(target, run_id)
    ]
    assert [len(set(of_job)) for of_job in versions] == [2, 1]
    package = registry.versions(target)[0]
    assert package["run_id"] == run_id
    described = target.client("sagemaker").describe_model_package(ModelPackageName=package["arn"])
    metadata = described["CustomerMetadataProperties"]
    assert metadata["tuning_job"] == f"{run_id}{ATTEMPTS[1]}1-0"
    assert metadata["training_code_version"] == versions[1][0] == versions[0][1]


def _code_version(target: Target, run_id: str, trial: str) -> str:
    archive = io.BytesIO(body(target, "ModelsBucketName", ModelKeys(run_id).artifact(trial)))
    with tarfile.open(fileobj=archive) as model:
        content = model.extractfile("model.json")
        assert content
        return str(json.load(content)["about"]["code_version"])


@pytest.fixture(scope="module")
def made_again(
    repaired: tuple[Run, float], deploy: Callable[[], None], local_aws: LocalAws, target: Target, made: Path
) -> tuple[Run, float, Target]:
    """A file that was uploaded while four stacks were missing, after these were deployed again, with the code of the checkout."""
    newest = registry.versions(target, limit=1)[0]
    if not newest["serves"]:
        promotion.promote(target, newest["version"], reason="the test needs it", override=True, report=lambda _: None)
    since = time.time()
    for stack in MISSING:
        local_aws.client("cloudformation").delete_stack(StackName=f"ptmlops-local-{stack}")
    path = made / "meanwhile.csv"
    generator.write_csv(path, 60, labelled=False, seed=32)
    uploaded = uploads.upload(target, path)
    deploy()
    again = Target.local(local_aws, "local")
    return follow(again, uploads.wait_for_run(again, uploaded)), since, again


def test_a_file_that_is_uploaded_while_stacks_are_missing_waits(made_again: tuple[Run, float, Target]) -> None:
    (_, run), _, _ = made_again
    assert run["status"] == "SUCCEEDED", run.get("error")
    assert run["scored"] == run["rows"]["accepted"] > 0


def test_the_champion_serves_with_the_code_that_it_was_registered_with(
    made_again: tuple[Run, float, Target], repaired: tuple[Run, float]
) -> None:
    (_, run), since, target = made_again
    serving = registry.serving_version(target)
    assert serving
    assert (serving["version"], serving["run_id"]) == (run["model"]["version"], repaired[0][0])
    # The deployed code writes no mark; the model brings code that does.
    assert marks(target, since) == {"training/inference.py"}


def test_a_run_of_the_deleted_state_machine_is_found(
    made_again: tuple[Run, float, Target], repaired: tuple[Run, float]
) -> None:
    _, _, target = made_again
    (run_id, document), _ = repaired
    listed = {run["name"]: run["status"] for run in runs.list_runs(target)}
    assert listed[run_id] == "SUCCEEDED"
    assert follow(target, run_id) == (run_id, document)
