"""Lambda in local AWS: what a handler sees, how its failures are reported, and how queues feed it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.conftest import Sandbox, allow, eventually

pytestmark = pytest.mark.slow


def test_a_handler_runs_with_its_own_variables_role_and_context(sandbox: Sandbox) -> None:
    function = sandbox.function(
        "import os, boto3\n"
        "def lambda_handler(event, context):\n"
        "    arn = boto3.client('sts').get_caller_identity()['Arn']\n"
        "    return {'said': event['say'], 'own': os.environ['OWN'], 'arn': arn, 'name': context.function_name,\n"
        "            'left': context.get_remaining_time_in_millis(), 'home': os.environ.get('HOME')}\n",
        Environment={"Variables": {"OWN": "ñandú"}},
    )

    answer, error = sandbox.invoke(function, {"say": "hola"})

    assert error is None
    assert (answer["said"], answer["own"]) == ("hola", "ñandú")
    assert ":assumed-role/role-" in answer["arn"]
    assert answer["name"] == function
    assert 0 < answer["left"] <= 20_000
    assert answer["home"] is None  # nothing of the machine's own environment


def test_an_exception_comes_back_as_lambda_reports_it(sandbox: Sandbox) -> None:
    function = sandbox.function("class Sour(Exception): ...\ndef lambda_handler(event, context): raise Sour('no milk')\n")

    answer, error = sandbox.invoke(function)

    assert error == "Unhandled"
    assert answer["errorType"] == "Sour"
    assert answer["errorMessage"] == "no milk"
    assert answer["requestId"]
    assert any("lambda_handler" in line for line in answer["stackTrace"])


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import time\ndef lambda_handler(event, context): time.sleep(60)\n", "Sandbox.Timedout"),
        ("import os\ndef lambda_handler(event, context): os._exit(3)\n", "Runtime.ExitError"),
        ("import nothing_of_that_name\n", "Runtime.ImportModuleError"),
        ("import ptmlops_contracts\n", "Runtime.ImportModuleError"),  # installed here, and not brought
        ("def other(): ...\n", "Runtime.HandlerNotFound"),
        ("def lambda_handler(event, context): return {1, 2}\n", "Runtime.MarshalError"),
        ("def lambda_handler(event, context): return 'x' * (6 * 1024 * 1024 + 1)\n", "Function.ResponseSizeTooLarge"),
    ],
)
def test_a_function_that_cannot_answer_is_an_error_with_lambdas_name(sandbox: Sandbox, source: str, kind: str) -> None:
    answer, error = sandbox.invoke(sandbox.function(source, timeout=2))

    assert error == "Unhandled"
    assert answer["errorType"] == kind


def test_logged_fields_reach_cloudwatch_as_json(sandbox: Sandbox) -> None:
    """The format that unit_function.py asks for; without it Lambda drops the fields."""
    source = "import logging\nlog = logging.getLogger('x'); log.setLevel('INFO')\n"
    source += "def lambda_handler(event, context): log.info('planned', extra={'rows': 7})\n"
    function = sandbox.function(source, LoggingConfig={"LogFormat": "JSON", "LogGroup": sandbox.name("/logs/f")})
    group = sandbox.client("lambda").get_function(FunctionName=function)["Configuration"]["LoggingConfig"]["LogGroup"]

    sandbox.invoke(function)

    lines = [json.loads(line) for line in sandbox.logs(group).splitlines()]
    [line] = [line for line in lines if line.get("message") == "planned"]
    assert line["rows"] == 7
    assert [line["type"] for line in lines if "type" in line] == ["platform.start", "platform.report"]


def test_a_payload_over_the_limit_is_refused(sandbox: Sandbox) -> None:
    function = sandbox.function("def lambda_handler(event, context): return 1\n")
    with pytest.raises(ClientError, match=r"RequestTooLargeException|too large"):
        sandbox.client("lambda").invoke(FunctionName=function, Payload=json.dumps("x" * (6 * 1024 * 1024)))


def _queue(sandbox: Sandbox, **attributes: str) -> tuple[str, str]:
    sqs = sandbox.client("sqs")
    url = sqs.create_queue(QueueName=sandbox.name("queue"), Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


READ = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility")


@pytest.mark.slow
def test_a_queue_feeds_batches_and_failed_messages_end_in_the_dead_letter_queue(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    dead_url, dead_arn = _queue(sandbox)
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = _queue(sandbox, VisibilityTimeout="6", RedrivePolicy=redrive)
    function = sandbox.function(
        "import boto3, json, uuid\n"
        "def lambda_handler(event, context):\n"
        "    bodies = [r['body'] for r in event['Records']]\n"
        f"    boto3.client('s3').put_object(Bucket='{bucket}', Key=uuid.uuid4().hex, Body=json.dumps(bodies).encode())\n"
        "    bad = [{'itemIdentifier': r['messageId']} for r in event['Records'] if r['body'] == 'bad']\n"
        "    return {'batchItemFailures': bad}\n",
        timeout=5,
        role=sandbox.role("lambda", allow(*READ, on=arn), allow("s3:PutObject", on=f"arn:aws:s3:::{bucket}/*")),
    )
    for body in ("one", "bad", "two"):
        sandbox.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    sandbox.client("lambda").create_event_source_mapping(
        EventSourceArn=arn,
        FunctionName=function,
        BatchSize=10,
        MaximumBatchingWindowInSeconds=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )

    dead = eventually(lambda: sandbox.client("sqs").receive_message(QueueUrl=dead_url).get("Messages"))

    assert [message["Body"] for message in dead] == ["bad"]
    keys = [item["Key"] for item in sandbox.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    batches = sorted((json.loads(sandbox.get(bucket, key)) for key in keys), key=len)
    assert batches[-1] == ["one", "bad", "two"]  # one invocation for all that came within the window
    assert batches[:-1] == [["bad"]]  # then the failed one alone, until it had been received twice


def test_a_queue_that_shows_messages_again_before_the_function_ends_is_refused(sandbox: Sandbox) -> None:
    _, arn = _queue(sandbox, VisibilityTimeout="5")
    function = sandbox.function("def lambda_handler(event, context): return 1\n", timeout=6, role=sandbox.role("lambda"))
    with pytest.raises(ClientError, match="visibility timeout: 5 seconds is less than Function timeout: 6"):
        sandbox.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=function)


@pytest.mark.slow
def test_a_rule_calls_a_function_and_calls_it_again_when_it_fails(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    function = sandbox.function(
        "import boto3, json\n"
        "def lambda_handler(event, context):\n"
        "    s3 = boto3.client('s3')\n"
        f"    seen = s3.list_objects_v2(Bucket='{bucket}').get('KeyCount', 0)\n"
        f"    s3.put_object(Bucket='{bucket}', Key=str(seen), Body=json.dumps(event).encode())\n"
        "    if not seen: raise ValueError('not yet')\n",
        role=sandbox.role(
            "lambda",
            allow("s3:PutObject", on=f"arn:aws:s3:::{bucket}/*"),
            allow("s3:ListBucket", on=f"arn:aws:s3:::{bucket}"),
        ),
    )
    arn = sandbox.client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    events, rule, source = sandbox.client("events"), sandbox.name("rule"), sandbox.name("source")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "f", "Arn": arn}])
    sandbox.client("lambda").add_permission(
        FunctionName=function,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=f"arn:aws:events:us-east-1:123456789012:rule/{rule}",
    )

    events.put_events(Entries=[{"Source": source, "DetailType": "d", "Detail": '{"n": 1}'}])

    found: dict[str, Any] = eventually(lambda: "1" in _keys(sandbox, bucket) and json.loads(sandbox.get(bucket, "1")))
    assert found["detail"] == {"n": 1}


@pytest.mark.slow
def test_what_made_a_function_fail_each_time_goes_to_its_destination(sandbox: Sandbox) -> None:
    url, arn = _queue(sandbox)
    function = sandbox.function(
        "def lambda_handler(event, context): raise ValueError('never')\n",
        role=sandbox.role("lambda", allow("sqs:SendMessage", on=arn)),
    )
    sandbox.client("lambda").put_function_event_invoke_config(
        FunctionName=function, DestinationConfig={"OnFailure": {"Destination": arn}}
    )

    sandbox.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps({"n": 1}))

    [message] = eventually(lambda: sandbox.client("sqs").receive_message(QueueUrl=url).get("Messages"))
    record = json.loads(message["Body"])
    assert record["requestPayload"] == {"n": 1}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responsePayload"]["errorMessage"] == "never"


def _keys(sandbox: Sandbox, bucket: str) -> set[str]:
    return {item["Key"] for item in sandbox.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])}
