"""Step Functions on local AWS: a state waits for its job, with the state machine's role."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from record_run.costs import job_costs
from record_run.history import read_events
from record_run.jobs import started_jobs

from ptmlops_contracts.run import Part
from tests.unit.local_aws.conftest import Sandbox, allow, eventually

PRICES = {"glue_dpu_hour": 0.44, "glue_dpus": 2, "prepare_job": "p", "instances": {}}

pytestmark = pytest.mark.slow  # every test starts processes


def start(sandbox: Sandbox, job: str, role: str, *, attempts: int = 0, **parameters: Any) -> str:
    """Start an execution with one state, which runs a Glue job. Returns the execution's ARN."""
    states = sandbox.client("stepfunctions")
    resource = "arn:aws:states:::glue:startJobRun.sync"
    state = {"Type": "Task", "Resource": resource, "Parameters": {"JobName": job, **parameters}, "End": True}
    if attempts:
        state["Retry"] = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": attempts}]
    definition = json.dumps({"StartAt": "Job", "States": {"Job": state}})
    arn = states.create_state_machine(name=sandbox.name("machine"), definition=definition, roleArn=role)["stateMachineArn"]
    return str(states.start_execution(stateMachineArn=arn)["executionArn"])


def end(sandbox: Sandbox, execution: str) -> dict[str, Any]:
    """Return the description of an execution that has ended."""
    states = sandbox.client("stepfunctions")
    ended: dict[str, Any] = eventually(
        lambda: (d := states.describe_execution(executionArn=execution))["status"] != "RUNNING" and d, 60
    )
    return ended


def test_a_state_machine_waits_for_a_job_and_reports_its_failure(sandbox: Sandbox) -> None:
    good, _ = sandbox.glue_job("print('done')\n")
    bad, _ = sandbox.glue_job("raise SystemExit('out of milk')\n")
    role = sandbox.role("states", allow("glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"))

    done = end(sandbox, start(sandbox, good, role))
    assert done["status"] == "SUCCEEDED"
    assert json.loads(done["output"])["JobRunState"] == "SUCCEEDED"
    failed = end(sandbox, start(sandbox, bad, role))
    assert (failed["status"], failed["error"]) == ("FAILED", "States.TaskFailed")
    assert "out of milk" in failed["cause"]


def test_a_role_that_may_start_a_job_and_not_look_at_it_fails_the_state(sandbox: Sandbox) -> None:
    """As on AWS, where the state machine polls the job. Here it waits in memory between two looks."""
    job, _ = sandbox.glue_job("print('never')\n", DefaultArguments={"--additional-python-modules": "jinja2==0.1"})
    failed = end(sandbox, start(sandbox, job, sandbox.role("states", allow("glue:StartJobRun"))))
    assert (failed["status"], failed["error"]) == ("FAILED", "Glue.AccessDeniedException")
    assert "glue:GetJobRun" in failed["cause"]


def test_stopping_an_execution_stops_the_job_that_it_waits_for(sandbox: Sandbox) -> None:
    job, bucket = sandbox.glue_job(
        "import boto3, sys, time\n"
        "bucket = dict(zip(sys.argv[1::2], sys.argv[2::2]))['--bucket']\n"
        "boto3.client('s3').put_object(Bucket=bucket, Key='started')\n"
        "time.sleep(300)\n"
    )
    role = sandbox.role("states", allow("glue:StartJobRun", "glue:GetJobRun", "glue:BatchStopJobRun"))
    execution = start(sandbox, job, role, Arguments={"--bucket": bucket})
    eventually(lambda: sandbox.client("s3").list_objects_v2(Bucket=bucket, Prefix="started")["KeyCount"], 60)

    sandbox.client("stepfunctions").stop_execution(executionArn=execution, error="Cancelled", cause="by a person")

    ended = end(sandbox, execution)
    assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "Cancelled", "by a person")
    eventually(lambda: sandbox.client("glue").get_job_runs(JobName=job)["JobRuns"][0]["JobRunState"] == "STOPPED")


@pytest.mark.nightly
def test_a_history_lists_each_job_that_was_started_before_and_after_a_redrive(sandbox: Sandbox) -> None:
    job, _ = sandbox.glue_job("raise SystemExit('out of milk')\n")
    role = sandbox.role("states", allow("glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"))
    states, glue = sandbox.client("stepfunctions"), sandbox.client("glue")
    execution = start(sandbox, job, role, attempts=1)
    end(sandbox, execution)
    states.redrive_execution(executionArn=execution)
    end(sandbox, execution)

    found = started_jobs(read_events(states, execution), {job: Part.PREPARE})

    ran = {run["Id"]: run["JobRunState"] for run in glue.get_job_runs(JobName=job)["JobRuns"]}
    assert {one.name: one.part for one in found} == dict.fromkeys(ran, Part.PREPARE)
    assert list(ran.values()) == ["FAILED"] * 4
    [first, *_] = job_costs(found, sandbox.client("sagemaker"), glue, PRICES, now=datetime.now(UTC))
    assert (first["statuses"], first["seconds"]) == ({"FAILED": 1}, 120)


def test_a_path_through_one_element_gives_its_value_and_a_slice_gives_a_list(sandbox: Sandbox) -> None:
    states = sandbox.client("stepfunctions")
    paths = {
        "name.$": "$.trials[0].name",
        "first.$": "$.trials[0]",
        "names.$": "$.trials[0:1].name",
        "all.$": "$.trials[*].name",
    }
    definition = json.dumps({"StartAt": "Take", "States": {"Take": {"Type": "Pass", "Parameters": paths, "End": True}}})
    role = sandbox.role("states")
    arn = states.create_state_machine(name=sandbox.name("machine"), definition=definition, roleArn=role)["stateMachineArn"]
    given = json.dumps({"trials": [{"name": "a"}]})
    output = json.loads(end(sandbox, states.start_execution(stateMachineArn=arn, input=given)["executionArn"])["output"])
    assert output == {"name": "a", "first": {"name": "a"}, "names": ["a"], "all": ["a"]}
