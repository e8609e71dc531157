"""The state machine of a run in Amazon States Language; the document of ptmlops_contracts/state.py grows through it.

It is data and not CDK's task classes: there are none for tuning and processing jobs, and the others add permissions of their own (the
transform task attaches AmazonSageMakerFullAccess). JSONPath, because one definition must run both on AWS and on local AWS
(docs/decisions/0002-states-as-data.md).
"""

from __future__ import annotations

from typing import Any

from ptmlops_contracts.state import CHAMPION_CHANGED, CODE_CHANGED, NONE, Collected, Plan, Planned
from stacks.components.sagemaker_states import best_trial_states, processing_job, transform_job, tuning_job
from stacks.components.states import State, glue_job, invoke, retry
from stacks.config import Settings
from stacks.modeling_stack import Modeling
from stacks.preparation_stack import Jobs
from stacks.storage_stack import Storage

# The fields of `$.collect`, of `$.plan` as Plan returns it, and of `$.plan` as Promote does.
COLLECTED, PLANNED, PLAN = (tuple(fields.__annotations__) for fields in (Collected, Planned, Plan))


def run_definition(
    *,
    settings: Settings,
    storage: Storage,
    jobs: Jobs,
    modeling: Modeling,
    collect_arn: str,
    plan_arn: str,
    promote_arn: str,
    record_arn: str,
) -> dict[str, Any]:
    """Return the definition. Names and ARNs of resources in it are CDK tokens."""
    job_seconds = settings.compute.timeout_minutes * 60
    plan = invoke(plan_arn, {"state.$": "$"}, result_path="$.plan", keep=PLANNED, then="Train?")
    # The code of training is deployed some minutes before the functions: a run that plans in between waits for them.
    plan["Retry"].append(retry("CodeReplacedError", seconds=30, attempts=8, longest=120))
    promote = invoke(
        promote_arn,
        {"state.$": "$", "redrives.$": "$$.Execution.RedriveCount"},
        result_path="$.plan",
        keep=PLAN,
        then="Promoted?",
    )
    record = invoke(
        record_arn,
        {"state.$": "$", "execution_arn.$": "$$.Execution.Id", "redrives.$": "$$.Execution.RedriveCount"},
        result_path="$.record",
        keep=("status",),
        then=None,
    )
    states: dict[str, State] = {
        "Collect": _collect(collect_arn),
        "Collected?": _choice("$.collect.ready", yes="Prepare", no="Wait for files"),
        "Wait for files": {"Type": "Wait", "SecondsPath": "$.collect.wait_seconds", "Next": "Collect"},
        "Prepare": glue_job(jobs.prepare_name, {}, result_path="$.prepare", seconds=job_seconds, then="Plan"),
        "Plan": plan,
        "Train?": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": "$.plan.train", "BooleanEquals": True},
                        {"Not": {"Variable": "$.plan.parent_tuning_job", "StringEquals": NONE}},
                    ],
                    "Next": "Train warm",
                },
                {"Variable": "$.plan.train", "BooleanEquals": True, "Next": "Train"},
            ],
            "Default": "Score?",
        },
        "Train": tuning_job(settings, storage, modeling, seconds=job_seconds),
        # JSONPath cannot leave a parameter out, so a job that starts from an earlier one is a state of its own.
        "Train warm": tuning_job(settings, storage, modeling, seconds=job_seconds, warm=True),
        **best_trial_states(),
        "Evaluate": processing_job(settings, storage, modeling, seconds=job_seconds),
        "Promote": promote,
        "Promoted?": {
            "Type": "Choice",
            "Choices": [
                # Another run promoted its model while this one was evaluating: the candidate must beat the new champion.
                {"Variable": "$.plan.promotion.decision", "StringEquals": CHAMPION_CHANGED, "Next": "Evaluate"},
                # A deployment changed the code in the middle: what was trained is not used.
                {"Variable": "$.plan.promotion.decision", "StringEquals": CODE_CHANGED, "Next": "Train?"},
            ],
            "Default": "Score?",
        },
        "Score?": _choice("$.plan.score", yes="Score", no="Publish"),
        "Score": transform_job(settings, storage, seconds=job_seconds),
        "Publish": glue_job(
            jobs.publish_name,
            {
                "--model_version.$": "$.plan.champion.version",
                "--evaluation_uri.$": "$.plan.champion.evaluation_uri",
            },
            result_path="$.publish",
            seconds=job_seconds,
            then="Record",
        ),
        "Record": record,
    }
    return {
        "Comment": "From dropped complaint files to published predictions",
        # No TimeoutSeconds: a run may wait for days for a free slot. Each task has a limit, and each retrier a number of attempts.
        "StartAt": "Collect",
        "States": states,
    }


def _collect(function_arn: str) -> State:
    """Return the state that waits for files and for a slot. It fails only if another run takes the files, or a person cancelled."""
    payload = {"run_id.$": "$.run_id", "redrives.$": "$$.Execution.RedriveCount", "state_machine_arn.$": "$$.StateMachine.Id"}
    state = invoke(function_arn, payload, result_path="$.collect", keep=COLLECTED, then="Collected?")
    final = {"ErrorEquals": ["SupersededError", "CancelledError", "UnknownRunError", "ExecutionEndedError"], "MaxAttempts": 0}
    # All other errors are retried for hours. If the execution failed, its files would wait until the next upload.
    again = retry("States.TaskFailed", "States.Timeout", seconds=10, attempts=40, longest=900)
    return {**state, "Retry": [final, *state["Retry"], again]}


def _choice(variable: str, *, yes: str, no: str) -> State:
    return {
        "Type": "Choice",
        "Choices": [{"Variable": variable, "BooleanEquals": True, "Next": yes}],
        "Default": no,
    }
