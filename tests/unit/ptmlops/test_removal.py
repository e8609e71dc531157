"""Where an operator's commands look: this environment's stacks, the queue that a dead letter came from, never another's data."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto import mock_aws

from ptmlops import dead_letters, removal
from ptmlops.errors import OperatorError
from ptmlops.target import Target


def test_an_environment_is_not_taken_for_one_whose_name_begins_alike() -> None:
    with mock_aws():
        target = Target("dev", boto3.Session(region_name="us-east-1"))
        for environment in ("dev", "dev-two"):
            target.client("cloudformation").create_stack(
                StackName=f"ptmlops-{environment}-workflow", TemplateBody=_template(environment)
            )
        assert target.outputs["StateMachineArn"] == "dev"


def _template(value: str) -> str:
    return f'{{"Resources": {{"T": {{"Type": "AWS::SNS::Topic"}}}}, "Outputs": {{"StateMachineArn": {{"Value": "{value}"}}}}}}'


def test_an_environment_that_keeps_its_data_is_not_emptied() -> None:
    with pytest.raises(OperatorError, match="'prod' is not disposable"):
        removal.empty(Target("prod", boto3.Session(region_name="us-east-1")), lambda _: None)


@pytest.mark.slow
def test_a_dead_letter_goes_back_to_where_it_was_going(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's to the arrivals queue; that of a run that could not be recorded to record_run, as the rule sent it or as Lambda kept it."""
    with mock_aws():
        target = Target("dev", boto3.Session(region_name="us-east-1"))
        sqs, invoked = target.client("sqs"), list[Any]()
        dead, arrivals = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "arrivals"))
        target.__dict__["outputs"] = {
            "DeadLetterQueueUrl": dead,
            "ArrivalsQueueUrl": arrivals,
            "RecordRunFunctionName": "record",
        }
        monkeypatch.setattr(
            target.client("lambda"), "invoke", lambda **call: invoked.append((call["FunctionName"], call["Payload"]))
        )
        ended = '{"detail-type": "Step Functions Execution Status Change", "detail": {}}'
        for body in (
            '{"detail-type": "Object Created"}',
            ended,
            f'{{"requestPayload": {ended}, "version": "1.0"}}',
            "no JSON",
        ):
            sqs.send_message(QueueUrl=dead, MessageBody=body)

        assert dead_letters.resend(target) == 4

        assert invoked == [("record", ended)] * 2
        messages = sqs.receive_message(QueueUrl=arrivals, MaxNumberOfMessages=10)["Messages"]
        assert {message["Body"] for message in messages} == {'{"detail-type": "Object Created"}', "no JSON"}
