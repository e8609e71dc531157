"""The state machine's promises: nothing waits for ever, nothing is retried at once, every job can be stopped."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from stacks.config import load_settings


def _tasks(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: state for name, state in definition["States"].items() if state["Type"] == "Task"}


def test_every_state_leads_somewhere_and_is_reached(definition: dict[str, Any]) -> None:
    states = definition["States"]
    reached, todo = set(), [definition["StartAt"]]
    while todo:
        name = todo.pop()
        if name in reached:
            continue
        reached.add(name)
        state = states[name]
        following = [
            state.get("Next"),
            state.get("Default"),
            *(choice["Next"] for choice in state.get("Choices", [])),
        ]
        todo += [target for target in following if target]
        assert state.get("End") or state["Type"] == "Fail" or any(following)
    assert reached == set(states)


def test_every_task_has_a_timeout_and_bounded_retries(definition: dict[str, Any]) -> None:
    for name, state in _tasks(definition).items():
        assert state["TimeoutSeconds"] > 0, name
        assert state["Retry"], name
        for retry in state["Retry"]:
            assert retry["MaxAttempts"] <= 100, name
            assert "States.ALL" not in retry["ErrorEquals"], "a user's mistake is not cured by trying again"
            if retry["MaxAttempts"] > 1:
                assert retry["BackoffRate"] > 1, name
                assert retry["IntervalSeconds"] <= retry["MaxDelaySeconds"] <= 900, name


@pytest.mark.parametrize(
    ("state", "error", "why"),
    [
        ("Prepare", "Glue.ConcurrentRunsExceededException", "a person redrives more runs than the job allows"),
        ("Publish", "Glue.AWSGlueException", "StartJobRun is throttled"),
        ("Train", "SageMaker.ResourceLimitExceeded", "the account's instances are in use"),
        ("Evaluate", "SageMaker.ResourceLimitExceeded", "the account's instances are in use"),
        ("Score", "SageMaker.AmazonSageMakerException", "CreateTransformJob is throttled"),
        ("Promote", "Lambda.TooManyRequestsException", "the account's concurrency is in use"),
    ],
)
def test_what_other_work_causes_is_waited_out_for_hours(definition: dict[str, Any], state: str, error: str, why: str) -> None:
    [retry] = [one for one in definition["States"][state]["Retry"] if error in one["ErrorEquals"]]
    delays = [retry["IntervalSeconds"] * retry["BackoffRate"] ** attempt for attempt in range(retry["MaxAttempts"])]
    assert "JitterStrategy" not in retry, "full jitter would halve the wait"
    assert sum(min(delay, retry["MaxDelaySeconds"]) for delay in delays) >= 12 * 3600, why


def test_a_run_that_cannot_collect_tries_again_unless_another_has_its_files(definition: dict[str, Any]) -> None:
    final, *others = definition["States"]["Collect"]["Retry"]
    assert final["MaxAttempts"] == 0
    assert {"SupersededError", "CancelledError"} <= set(final["ErrorEquals"])
    assert any("States.TaskFailed" in retry["ErrorEquals"] for retry in others)


def test_glue_jobs_wait_in_the_queue_instead_of_failing(definition: dict[str, Any], templates: dict[str, Any]) -> None:
    for job in templates["preparation"].properties("AWS::Glue::Job"):
        assert job["JobRunQueuingEnabled"] is True
        assert job["MaxRetries"] == 0, "the queue requires it"
        assert job["DefaultArguments"]["--enable-auto-scaling"] == "true"
    for state in ("Prepare", "Publish"):
        assert definition["States"][state]["TimeoutSeconds"] >= 24 * 3600, "the state's time-out counts the wait"


def test_a_job_outlives_its_own_timeout_before_the_state_gives_up(definition: dict[str, Any]) -> None:
    job = definition["States"]["Evaluate"]
    assert job["TimeoutSeconds"] > job["Parameters"]["StoppingCondition"]["MaxRuntimeInSeconds"]


@pytest.mark.parametrize(
    ("state", "operation"),
    [
        ("Train", "CreateHyperParameterTuningJob"),
        ("Train warm", "CreateHyperParameterTuningJob"),
        ("Best trial", "ListTrainingJobsForHyperParameterTuningJob"),
        ("Evaluate", "CreateProcessingJob"),
        ("Score", "CreateTransformJob"),
        ("Prepare", "StartJobRun"),
        ("Publish", "StartJobRun"),
    ],
)
@pytest.mark.slow
def test_job_requests_are_what_the_service_accepts(definition: dict[str, Any], state: str, operation: str) -> None:
    """Unknown fields, missing fields and wrong types, by botocore's model of the service."""
    service = "glue" if operation == "StartJobRun" else "sagemaker"
    shape = get_session().get_service_model(service).operation_model(operation).input_shape

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key.removesuffix(".$"): ("dynamic" if key.endswith(".$") else plain(item)) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list) else value

    report = ParamValidator().validate(plain(definition["States"][state]["Parameters"]), shape)
    assert not report.has_errors(), report.generate_report()


def _choose(choices: list[dict[str, Any]], default: str, plan: dict[str, Any]) -> str:
    """The next state, by the operators that the definition uses."""

    def holds(rule: dict[str, Any]) -> bool:
        if "And" in rule:
            return all(map(holds, rule["And"]))
        if "Not" in rule:
            return not holds(rule["Not"])
        value = plan[rule["Variable"].removeprefix("$.plan.")]
        return bool(value == rule.get("BooleanEquals", rule.get("StringEquals")))

    return next((choice["Next"] for choice in choices if holds(choice)), default)


def test_a_tuning_job_starts_from_the_last_one_where_there_is_one(definition: dict[str, Any]) -> None:
    states = definition["States"]
    cold, warm = states["Train"]["Parameters"], states["Train warm"]["Parameters"]
    assert warm == {
        **cold,
        "WarmStartConfig": {
            "WarmStartType": "TransferLearning",
            "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName.$": "$.plan.parent_tuning_job"}],
        },
    }
    choice = states["Train?"]
    for train, parent, following in (
        (True, "r1-0-0", "Train warm"),
        (True, "none", "Train"),
        (False, "none", "Score?"),
        (False, "r1-0-0", "Score?"),
    ):
        plan = {"train": train, "parent_tuning_job": parent}
        assert _choose(choice["Choices"], choice["Default"], plan) == following
    assert states["Train warm"]["Next"] == states["Train"]["Next"] == "Best trial"


def test_evaluate_gets_the_best_completed_trial_or_the_run_ends_with_a_reason(definition: dict[str, Any]) -> None:
    """A trial that was stopped early has no model and may be the tuning job's best. What the request finds: tests of local AWS."""
    states = definition["States"]
    assert states["Best trial"]["Parameters"]["StatusEquals"] == "Completed"
    choice = states["Trial found?"]
    [found] = choice["Choices"]
    assert (found["Variable"], found["IsPresent"]) == ("$.training.trials.found[0].TrainingJobName", True)
    assert states[found["Next"]]["Parameters"]["best_training_job.$"] == found["Variable"]
    assert states[found["Next"]]["Next"] == "Evaluate"
    assert "upload further labelled complaints" in states[choice["Default"]]["Cause"]


def test_a_refused_evaluation_leads_back_to_training_under_other_names(definition: dict[str, Any]) -> None:
    states = definition["States"]
    following = {choice["StringEquals"]: choice["Next"] for choice in states["Promoted?"]["Choices"]}
    assert following == {"ChampionChanged": "Evaluate", "CodeChanged": "Train?"}
    for state, field in (
        ("Train", "HyperParameterTuningJobName.$"),
        ("Train warm", "HyperParameterTuningJobName.$"),
        ("Evaluate", "ProcessingJobName.$"),
    ):
        assert "$.plan.attempt" in states[state]["Parameters"][field]
    # A tuning job's name has 32 characters at most: the run's id, the attempt, and up to two digits and three.
    assert len("20261128-101500-1a2b3c4d" + "r" + "10" + "-" + "150") <= 32


def test_every_unit_that_can_be_redriven_has_an_address_that_outlives_a_deployment(definition: dict[str, Any]) -> None:
    """A definition is frozen in each execution. An asset's address is the hash of its content."""
    text = json.dumps(definition)
    assert "cdk-hnb659fds-assets" not in text
    assert not re.search(r"[0-9a-f]{64}", text)
    inputs = definition["States"]["Evaluate"]["Parameters"]["ProcessingInputs"]
    channels = definition["States"]["Train"]["Parameters"]["TrainingJobDefinition"]["InputDataConfig"]
    places = [inputs[0]["S3Input"]["S3Uri"], channels[0]["DataSource"]["S3DataSource"]["S3Uri"]]
    assert all(place.endswith("/code/training/sourcedir.tar.gz") for place in places)


def test_jobs_may_read_the_code_of_every_deployment(templates: dict[str, Any]) -> None:
    """A job that starts during a deployment reads the code of before or after it."""
    code = [
        json.dumps(statement["Resource"])
        for stack in ("preparation", "modeling")
        for _, statement in templates[stack].statements()
        if statement.get("Sid") in ("Code", "Assets")
    ]
    assert len(code) == 3  # both Glue jobs, and the function that copies the code of training
    assert all(resource.endswith('/ptmlops-local/*"]]}') for resource in code)
    for job in templates["preparation"].properties("AWS::Glue::Job"):
        given = [job["Command"]["ScriptLocation"], *job["DefaultArguments"].values()]
        assets = [value["Fn::Sub"] for value in given if isinstance(value, dict) and "Fn::Sub" in value]
        assert len(assets) == 4
        assert all("/ptmlops-local/" in asset for asset in assets)


def test_no_job_may_change_the_code(templates: dict[str, Any]) -> None:
    writers = [
        name
        for stack in templates
        for name, statement in templates[stack].statements()
        if "s3:PutObject" in str(statement["Action"]) and "/code/" in json.dumps(statement["Resource"])
    ]
    assert [name.startswith("DeployCode") for name in writers] == [True]


def _tuning(**changes: Any) -> Any:
    from stacks.components.search_space import search_space, tuning_space
    from stacks.config import Tuning

    settings = load_settings("local").model_copy(update={"tuning": Tuning.model_validate(changes)})
    return search_space(settings), tuning_space(settings)


def test_one_job_tries_the_defaults_and_starts_from_nothing() -> None:
    from train import parse_settings

    searched, space = _tuning(max_jobs=1, max_parallel_jobs=1)
    assert space is None
    arguments = [part for tuned in searched["tuned"] for part in (f"--{tuned['name']}", str(tuned["values"][0]))]
    assert parse_settings(arguments) == parse_settings([])
    assert {(tuned["type"], len(tuned["values"])) for tuned in searched["tuned"]} == {("Categorical", 1)}


def test_only_bayesian_search_starts_warm() -> None:
    assert _tuning(strategy="Random")[1] is None
    assert _tuning(strategy="Hyperband")[1] is None
    space = _tuning(strategy="Bayesian")[1]
    assert space["objective"] == "validation:macro_f1"
    assert "cost" in space["tuned"]
    assert "seed" in space["static"]


def test_the_leak_check_sees_every_row_that_training_learns_from(definition: dict[str, Any]) -> None:
    job = definition["States"]["Train"]["Parameters"]["TrainingJobDefinition"]
    learned = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri.$"] for channel in job["InputDataConfig"][1:]
    }
    inputs = definition["States"]["Evaluate"]["Parameters"]["ProcessingInputs"]
    given = {item["InputName"]: item["S3Input"] for item in inputs}
    assert set(learned) == {"train", "validation"}
    assert {name: given[name]["S3Uri.$"] for name in learned} == learned
    assert {given[name]["S3DataType"] for name in learned} == {"ManifestFile"}


def test_texts_that_evaluation_writes_expire_with_their_run(
    definition: dict[str, Any], templates: dict[str, Any], prod_templates: dict[str, Any]
) -> None:
    """Evaluations are kept as long as their models. The labels to check have texts of complaints."""
    outputs = definition["States"]["Evaluate"]["Parameters"]["ProcessingOutputConfig"]["Outputs"]
    places = {output["OutputName"]: output["S3Output"] for output in outputs}
    assert len({output["LocalPath"] for output in places.values()}) == len(places) == 2
    key = re.search(r"s3://[\w-]+/([^']+)'", places["labels_to_check"]["S3Uri.$"])[1]  # type: ignore[index]
    [written] = [
        json.dumps(resource)
        for policy, statement in templates["modeling"].statements()
        if policy.startswith("EvaluationRole") and "s3:PutObject" in statement["Action"]
        for resource in statement["Resource"]
        if key.replace("{}", "*") in json.dumps(resource)
    ]
    assert "PreparedBucket" in written
    [rules] = [
        bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        for name, bucket in prod_templates["storage"].resources("AWS::S3::Bucket").items()
        if name.startswith("PreparedBucket")
    ]
    [expire] = [rule for rule in rules if rule["Id"] == "expire"]
    assert expire["ExpirationInDays"] > 0
    assert key.startswith(expire["Prefix"])


def test_training_and_evaluation_are_isolated_and_encrypted(definition: dict[str, Any]) -> None:
    """cdk-nag does not look inside a state machine."""
    training = definition["States"]["Train"]["Parameters"]["TrainingJobDefinition"]
    assert training["EnableNetworkIsolation"] is True
    assert training["EnableInterContainerTrafficEncryption"] is True
    assert "TOKEN" in training["OutputDataConfig"]["KmsKeyId"]
    assert "TOKEN" in training["ResourceConfig"]["VolumeKmsKeyId"]
    evaluation = definition["States"]["Evaluate"]["Parameters"]
    assert evaluation["NetworkConfig"] == {
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": True,
    }
    assert "TOKEN" in evaluation["ProcessingOutputConfig"]["KmsKeyId"]
    scoring = definition["States"]["Score"]["Parameters"]
    assert "TOKEN" in scoring["TransformOutput"]["KmsKeyId"]
    assert "TOKEN" in scoring["TransformResources"]["VolumeKmsKeyId"]


def test_a_retry_and_a_redrive_name_their_jobs_anew(definition: dict[str, Any]) -> None:
    for state, field in (
        ("Train", "HyperParameterTuningJobName.$"),
        ("Train warm", "HyperParameterTuningJobName.$"),
        ("Evaluate", "ProcessingJobName.$"),
        ("Score", "TransformJobName.$"),
    ):
        name = definition["States"][state]["Parameters"][field]
        assert "$$.Execution.RedriveCount" in name
        assert "$$.State.RetryCount" in name


def test_the_state_machine_may_stop_every_job_it_starts(templates: dict[str, Any]) -> None:
    allowed = {
        action
        for policy, statement in templates["workflow"].statements()
        if "StateMachine" in policy
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert {
        "glue:BatchStopJobRun",
        "sagemaker:StopHyperParameterTuningJob",
        "sagemaker:StopProcessingJob",
        "sagemaker:StopTransformJob",
    } <= allowed


def test_failed_timed_out_and_aborted_runs_are_recorded(templates: dict[str, Any]) -> None:
    rules = templates["workflow"].properties("AWS::Events::Rule")
    (rule,) = [rule for rule in rules if rule["EventPattern"]["source"] == ["aws.states"]]
    assert rule["EventPattern"]["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    (target,) = rule["Targets"]
    assert "RecordRun" in json.dumps(target["Arn"])
    assert "DeadLetterConfig" in target


def test_nothing_that_was_dropped_or_ended_is_lost_without_a_word(templates: dict[str, Any]) -> None:
    """Not delivered by a rule, or delivered and the function failed each time: the dead-letter queue has it, and an alarm tells."""
    storage, workflow = templates["storage"], templates["workflow"]
    (dead,) = [
        name for name, body in storage.resources("AWS::SQS::Queue").items() if "RedrivePolicy" not in body["Properties"]
    ]
    (uploaded,), (failed,) = storage.properties("AWS::Events::Rule"), workflow.properties("AWS::Events::Rule")
    assert uploaded["Targets"][0]["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": [dead, "Arn"]}
    assert _exported(failed["Targets"][0]["DeadLetterConfig"]["Arn"]) == dead
    (configuration,) = workflow.properties("AWS::Lambda::EventInvokeConfig")
    assert "RecordRun" in json.dumps(configuration["FunctionName"])
    assert _exported(configuration["DestinationConfig"]["OnFailure"]["Destination"]) == dead
    sends = [policy for policy, statement in workflow.statements() if statement["Action"] == "sqs:SendMessage"]
    assert [policy.startswith("RecordRun") for policy in sends] == [True]
    alarms = templates["monitoring"].properties("AWS::CloudWatch::Alarm")
    watched = [alarm["Dimensions"][0] for alarm in alarms if alarm["MetricName"] == "FailedInvocations"]
    assert [dimension["Name"] for dimension in watched] == ["RuleName"] * 2


def _exported(reference: dict[str, str]) -> str:
    """The logical id in the name of a stack's export, which ends in what of the resource is exported."""
    exported = reference["Fn::ImportValue"]
    return exported.partition("ExportsOutputFnGetAtt")[2].removesuffix("Arn" + exported[-8:])


def test_the_dead_letter_queue_takes_failed_runs_from_their_rule(templates: dict[str, Any]) -> None:
    (rule,) = templates["workflow"].properties("AWS::Events::Rule")
    statements = [
        statement
        for policy in templates["storage"].properties("AWS::SQS::QueuePolicy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement.get("Sid") == "FailedRuns"
    ]
    (source,) = [statement["Condition"]["ArnEquals"]["aws:SourceArn"] for statement in statements]
    assert source["Fn::Join"][1][-1].endswith(f":rule/{rule['Name']}")


def test_what_waits_is_in_the_stack_that_stays(prod_templates: dict[str, Any]) -> None:
    """A file that is uploaded while every other stack is missing waits in the queue, and a Model keeps its role."""
    storage = prod_templates["storage"]
    assert [rule["EventPattern"]["source"] for rule in storage.properties("AWS::Events::Rule")] == [["aws.s3"]]
    queues = storage.resources("AWS::SQS::Queue")
    assert len(queues) == 2
    assert {queue["DeletionPolicy"] for queue in queues.values()} == {"RetainExceptOnCreate"}
    for stack in ("preparation", "modeling", "workflow", "monitoring", "analytics"):
        assert not prod_templates[stack].resources("AWS::SQS::Queue")
        assert not any(name.startswith("ModelRole") for name in prod_templates[stack].resources("AWS::IAM::Role"))


def test_a_run_keeps_its_execution_arn(prod_templates: dict[str, Any]) -> None:
    (machine,) = prod_templates["workflow"].properties("AWS::StepFunctions::StateMachine")
    assert machine["StateMachineName"] == "ptmlops-prod"


def test_waiting_for_files_does_not_count_against_a_time_limit(definition: dict[str, Any]) -> None:
    assert "TimeoutSeconds" not in definition
    assert definition["StartAt"] == "Collect"
    assert definition["States"]["Wait for files"] == {
        "Type": "Wait",
        "SecondsPath": "$.collect.wait_seconds",
        "Next": "Collect",
    }


def test_eventbridge_may_use_the_key_of_the_queues(templates: dict[str, Any]) -> None:
    """Without it no file that is dropped ever arrives. EventBridge's guide has no condition, and none may be relied on."""
    (key,) = templates["storage"].properties("AWS::KMS::Key")
    (grant,) = [s for s in key["KeyPolicy"]["Statement"] if s["Principal"].get("Service") == "events.amazonaws.com"]
    assert {"kms:Decrypt", "kms:GenerateDataKey"} == set(grant["Action"])
    assert "Condition" not in grant


def test_the_arrivals_queue_takes_events_of_the_rule_for_uploads_only(templates: dict[str, Any]) -> None:
    storage = templates["storage"]
    (rule,) = [name for name, body in storage.resources("AWS::Events::Rule").items() if name.startswith("FileDropped")]
    policies = [each["PolicyDocument"]["Statement"] for each in storage.properties("AWS::SQS::QueuePolicy")]
    allowed = [
        statement for statements in policies for statement in statements
        if statement["Effect"] == "Allow" and "Arrivals" in str(statement["Resource"])
    ]  # fmt: skip
    (statement,) = allowed
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}}


def test_jobs_carry_the_tags_of_the_stacks(definition: dict[str, Any]) -> None:
    for state in ("Train", "Train warm", "Evaluate", "Score"):
        tags = {tag["Key"]: tag["Value"] for tag in definition["States"][state]["Parameters"]["Tags"]}
        assert tags == {**load_settings("local").tags, "environment": "local"}
        assert len(tags) >= 2


def test_a_message_is_hidden_for_as_long_as_the_function_may_need(templates: dict[str, Any]) -> None:
    """AWS asks for six times the function's time-out plus the batching window."""
    (mapping,) = templates["workflow"].properties("AWS::Lambda::EventSourceMapping")
    queues = templates["storage"].properties("AWS::SQS::Queue")
    (arrivals,) = [queue for queue in queues if "RedrivePolicy" in queue]
    functions = templates["workflow"].properties("AWS::Lambda::Function")
    [start] = [function for function in functions if function["Handler"].startswith("start_run")]
    assert arrivals["VisibilityTimeout"] >= 6 * start["Timeout"] + mapping["MaximumBatchingWindowInSeconds"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert arrivals["RedrivePolicy"]["maxReceiveCount"] == 5


def test_the_definition_and_every_template_fit_their_limits(templates: dict[str, Any], definition: dict[str, Any]) -> None:
    assert len(json.dumps(definition)) < 1_048_576  # Step Functions: 1 MB
    for template in templates.values():
        assert len(json.dumps(template.body)) < 1_000_000  # CloudFormation: 1 MB from S3
        assert len(template.body["Resources"]) < 500
    for function in templates["workflow"].properties("AWS::Lambda::Function"):
        assert len(json.dumps(function["Environment"])) < 4096
