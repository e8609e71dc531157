"""CloudWatch on local AWS: what services and functions emit, and alarms that are evaluated on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_aws.paths import NOTICES
from ptmlops.views.notices import read_notices
from tests.unit.local_aws.conftest import Sandbox, allow, eventually, let_events, policy

pytestmark = pytest.mark.slow  # alarms are evaluated each second


@pytest.fixture
def topic(sandbox: Sandbox) -> str:
    arn = str(sandbox.client("sns").create_topic(Name=sandbox.name("topic"))["TopicArn"])
    publish = {**allow("sns:Publish", on=arn), "Principal": {"Service": "cloudwatch.amazonaws.com"}}
    sandbox.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy(publish))
    sandbox.client("sns").subscribe(TopicArn=arn, Protocol="email", Endpoint="operator@example.com")
    return arn


@pytest.fixture(autouse=True)
def _clock(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.aws.set_clock_ahead(timedelta())


def alarm(sandbox: Sandbox, topic: str, namespace: str, metric: str, **more: Any) -> str:
    name = sandbox.name("alarm")
    sandbox.client("cloudwatch").put_metric_alarm(
        **{
            "AlarmName": name, "Namespace": namespace, "MetricName": metric, "EvaluationPeriods": 1, "Period": 300, "Statistic": "Sum",
            "Threshold": 1, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "AlarmActions": [topic], "OKActions": [topic],
            "TreatMissingData": "notBreaching", **more,
        }
    )  # fmt: skip
    return name


def state(sandbox: Sandbox, name: str) -> str:
    [found] = sandbox.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found["StateValue"])


def reaches(sandbox: Sandbox, name: str, expected: str) -> None:
    eventually(lambda: state(sandbox, name) == expected, 15)


def emitted(sandbox: Sandbox, namespace: str, name: str, **dimensions: str) -> float | None:
    """The sum of a metric's values, or None if it has none."""
    client = sandbox.client("cloudwatch")

    now = datetime.now(UTC)
    found = client.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=86_400,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in found) if found else None


def test_an_alarm_rises_with_its_data_and_is_over_when_they_are_old(sandbox: Sandbox, topic: str) -> None:
    namespace = sandbox.name("n")
    name = alarm(sandbox, topic, namespace, "Errors")
    reaches(sandbox, name, "OK")
    sandbox.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "Errors", "Value": 1}])
    reaches(sandbox, name, "ALARM")
    sandbox.aws.set_clock_ahead(timedelta(minutes=20))
    reaches(sandbox, name, "OK")

    notices = [one for one in read_notices(sandbox.aws.folder / NOTICES) if name in one["subject"]]
    assert [one["subject"].partition(":")[0] for one in notices] == ["OK", "ALARM", "OK"]
    assert {tuple(one["recipients"]) for one in notices} == {("email:operator@example.com",)}
    messages = [json.loads(one["message"]) for one in notices]
    assert [message["OldStateValue"] for message in messages] == ["INSUFFICIENT_DATA", "OK", "ALARM"]
    assert "[1]" in messages[1]["NewStateReason"]


def test_no_alarm_is_raised_without_data_of_its_own_metric(sandbox: Sandbox, topic: str) -> None:
    namespace = sandbox.name("n")
    watched = alarm(sandbox, topic, namespace, "Errors", Dimensions=[{"Name": "service", "Value": "one"}])
    ignoring = alarm(sandbox, topic, namespace, "Errors", TreatMissingData="ignore")
    for dimensions, metric in (([{"Name": "service", "Value": "two"}], "Errors"), ([], "Other")):
        datum = {"MetricName": metric, "Value": 5, "Dimensions": dimensions}
        sandbox.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])
    reaches(sandbox, watched, "OK")
    assert state(sandbox, ignoring) == "INSUFFICIENT_DATA"


def test_a_changed_alarm_keeps_its_state(sandbox: Sandbox, topic: str) -> None:
    namespace = sandbox.name("n")
    name = alarm(sandbox, topic, namespace, "Cost", TreatMissingData="ignore")
    sandbox.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "Cost", "Value": 1}])
    reaches(sandbox, name, "ALARM")
    sandbox.aws.set_clock_ahead(timedelta(hours=1))
    alarm(sandbox, topic, namespace, "Cost", TreatMissingData="ignore", AlarmName=name, Threshold=2)
    reaches(sandbox, name, "ALARM")


def test_a_queue_emits_what_waits_and_its_age(sandbox: Sandbox, topic: str) -> None:
    sqs, name = sandbox.client("sqs"), sandbox.name("q")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    dimensions = [{"Name": "QueueName", "Value": name}]
    old = alarm(
        sandbox, topic, "AWS/SQS", "ApproximateAgeOfOldestMessage", Dimensions=dimensions, Statistic="Maximum", Threshold=900
    )
    many = alarm(
        sandbox,
        topic,
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        Dimensions=dimensions,
        Statistic="Maximum",
        Threshold=2,
    )
    for body in "ab":
        sqs.send_message(QueueUrl=url, MessageBody=body)
    reaches(sandbox, many, "ALARM")
    reaches(sandbox, old, "OK")
    assert emitted(sandbox, "AWS/SQS", "NumberOfMessagesSent", QueueName=name) == 2
    sandbox.aws.set_clock_ahead(timedelta(minutes=20))
    reaches(sandbox, old, "ALARM")


def test_a_function_emits_errors_and_the_metrics_that_it_logs(sandbox: Sandbox) -> None:
    namespace = sandbox.name("n")
    source = f"""
import json, time
def lambda_handler(event, context):
    directive = {{"Namespace": "{namespace}", "Dimensions": [["service"]], "Metrics": [{{"Name": "Rows", "Unit": "Count"}}]}}
    metadata = {{"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}}
    print(json.dumps({{"_aws": metadata, "service": "s", "Rows": [event["rows"]]}}))
    if event["rows"] > 10:
        raise ValueError("too many")
"""
    function = sandbox.function(source, LoggingConfig={"LogFormat": "JSON"})
    for rows in (3, 20):
        sandbox.invoke(function, {"rows": rows})
    assert emitted(sandbox, namespace, "Rows", service="s") == 23
    assert emitted(sandbox, "AWS/Lambda", "Invocations", FunctionName=function) == 2
    assert emitted(sandbox, "AWS/Lambda", "Errors", FunctionName=function) == 1


def test_an_execution_emits_how_it_ended(sandbox: Sandbox) -> None:
    states, role = sandbox.client("stepfunctions"), sandbox.role("states")
    definition = {
        "StartAt": "Good?",
        "States": {
            "Good?": {"Type": "Choice", "Choices": [{"Variable": "$.good", "BooleanEquals": True, "Next": "Done"}], "Default": "Bad"},
            "Done": {"Type": "Succeed"},
            "Bad": {"Type": "Fail", "Error": "E"},
        },
    }  # fmt: skip
    machine = states.create_state_machine(name=sandbox.name("m"), definition=json.dumps(definition), roleArn=role)[
        "stateMachineArn"
    ]
    for number, good in enumerate((True, False, False)):
        execution = states.start_execution(stateMachineArn=machine, name=f"e{number}", input=json.dumps({"good": good}))[
            "executionArn"
        ]
        eventually(lambda arn=execution: states.describe_execution(executionArn=arn)["status"] != "RUNNING")

    def count(name: str) -> float | None:
        return emitted(sandbox, "AWS/States", name, StateMachineArn=machine)

    assert eventually(lambda: count("ExecutionsFailed") == 2)
    assert [count(name) for name in ("ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsTimedOut")] == [3, 1, None]
    assert (count("ExecutionTime") or 0) > 0


def test_a_stopped_execution_emits_that(sandbox: Sandbox) -> None:
    states, role = sandbox.client("stepfunctions"), sandbox.role("states")
    definition = {"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": 120, "End": True}}}
    machine = states.create_state_machine(name=sandbox.name("m"), definition=json.dumps(definition), roleArn=role)[
        "stateMachineArn"
    ]
    execution = states.start_execution(stateMachineArn=machine, name="e")["executionArn"]

    def waits() -> bool:
        events = states.get_execution_history(executionArn=execution)["events"]
        return any(event["type"] == "WaitStateEntered" for event in events)

    eventually(waits)
    states.stop_execution(executionArn=execution, error="E", cause="enough")
    eventually(lambda: emitted(sandbox, "AWS/States", "ExecutionsAborted", StateMachineArn=machine) == 1)


def test_a_rule_that_cannot_deliver_emits_it(sandbox: Sandbox) -> None:
    events, sqs, rule = sandbox.client("events"), sandbox.client("sqs"), sandbox.name("rule")
    url = sqs.create_queue(QueueName=sandbox.name("q"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule_arn = events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))["RuleArn"]
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    entry = {"Source": rule, "DetailType": "d", "Detail": "{}"}
    events.put_events(Entries=[entry])
    assert emitted(sandbox, "AWS/Events", "FailedInvocations", RuleName=rule) == 1
    document = policy(let_events("sqs:SendMessage", on=arn, rule=rule_arn))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    events.put_events(Entries=[entry])
    assert emitted(sandbox, "AWS/Events", "FailedInvocations", RuleName=rule) == 1
