"""Stacks live and end as CloudFormation's do: protected, rolled back, deleted and created again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import LocalAwsError
from tests.unit.local_aws.conftest import Sandbox

# How the CLI deploys: by default, and as local AWS calls it.
METHODS = ["change-set", "direct"]
TOPIC = {"Type": "AWS::SNS::Topic"}


def _template(job_name: str) -> dict[str, Any]:
    """A topic, then a Glue job: Glue refuses names of more than 255 characters."""
    job = {
        "Type": "AWS::Glue::Job",
        "DependsOn": "Topic",
        "Properties": {
            "Name": job_name,
            "Role": "arn:aws:iam::123456789012:role/none",
            "Command": {"Name": "glueetl", "ScriptLocation": "s3://bucket/script.py"},
        },
    }
    output = {"TopicArn": {"Value": {"Ref": "Topic"}, "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-topic"}}}}
    return {"Resources": {"Topic": TOPIC, "Job": job}, "Outputs": output}


def _status(sandbox: Sandbox, stack: str) -> str:
    [found] = sandbox.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return str(found["StackStatus"])


def _topics(sandbox: Sandbox, stack: str) -> list[str]:
    return [topic["TopicArn"] for topic in sandbox.client("sns").list_topics()["Topics"] if stack in topic["TopicArn"]]


def _create(sandbox: Sandbox, stack: str, template: dict[str, Any], **more: Any) -> None:
    sandbox.client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template), **more)


@pytest.mark.slow
def test_a_creation_that_fails_is_rolled_back_with_the_reason(sandbox: Sandbox) -> None:
    stack = sandbox.name("stack")
    _create(sandbox, stack, _template("j" * 300))

    assert _status(sandbox, stack) == "ROLLBACK_COMPLETE"
    assert _topics(sandbox, stack) == []
    events = sandbox.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    assert any("255" in event.get("ResourceStatusReason", "") for event in events)
    exports = sandbox.client("cloudformation").list_exports()["Exports"]
    assert f"{stack}-topic" not in {export["Name"] for export in exports}


@pytest.mark.parametrize(("specified", "status"), [(True, "ENABLED"), (False, "DISABLED")])
def test_a_table_has_the_recovery_that_the_template_gives_it(sandbox: Sandbox, specified: bool, status: str) -> None:
    stack = sandbox.name("stack")
    properties = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": specified},
    }
    _create(sandbox, stack, {"Resources": {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}})
    resources = sandbox.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
    backups = sandbox.client("dynamodb").describe_continuous_backups(TableName=resources[0]["PhysicalResourceId"])
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == status


def test_a_stack_that_was_rolled_back_can_be_deleted_and_created_again(sandbox: Sandbox) -> None:
    stack = sandbox.name("stack")
    _create(sandbox, stack, _template("j" * 300))
    sandbox.client("cloudformation").delete_stack(StackName=stack)
    _create(sandbox, stack, _template(sandbox.name("job")))

    assert _status(sandbox, stack) == "CREATE_COMPLETE"
    assert len(_topics(sandbox, stack)) == 1


def test_a_type_that_nothing_creates_leaves_no_stack(sandbox: Sandbox) -> None:
    stack = sandbox.name("stack")
    for _ in range(2):
        with pytest.raises(ClientError, match="cannot create AWS::Braket::Nothing"):
            _create(sandbox, stack, {"Resources": {"Nothing": {"Type": "AWS::Braket::Nothing"}}})


def test_a_protected_stack_is_not_deleted_until_its_protection_is_lifted(sandbox: Sandbox) -> None:
    stack, cloudformation = sandbox.name("stack"), sandbox.client("cloudformation")
    _create(sandbox, stack, {"Resources": {"Topic": TOPIC}}, EnableTerminationProtection=True)
    stack_id = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    for name in (stack, stack_id):
        with pytest.raises(ClientError) as caught:
            cloudformation.delete_stack(StackName=name)
        assert caught.value.response["Error"] == {
            "Code": "ValidationError",
            "Message": f"Stack [{name}] cannot be deleted while TerminationProtection is enabled",
            "Type": "Sender",
        }
    assert len(_topics(sandbox, stack)) == 1

    answer = cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    assert answer["StackId"] == stack_id
    assert cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["EnableTerminationProtection"] is False
    cloudformation.delete_stack(StackName=stack)
    assert _topics(sandbox, stack) == []


def _assembly(folder: Path, stack: str, job_name: str, *, protected: bool) -> Path:
    import aws_cdk as cdk

    app = cdk.App(outdir=str(folder), analytics_reporting=False)
    made = cdk.Stack(app, stack, stack_name=stack, termination_protection=protected, synthesizer=cdk.LegacyStackSynthesizer())
    for name, body in _template(job_name)["Resources"].items():
        cdk.CfnResource(made, name, type=body["Type"], properties=body.get("Properties", {}))
    app.synth()
    return folder


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_cdk_cli_repeats_a_first_deployment_that_failed_unless_the_stack_is_protected(
    sandbox: Sandbox, tmp_path: Path, method: str
) -> None:
    stack, protected = sandbox.name("open"), sandbox.name("protected")

    def deploy(name: str, job: str) -> None:
        folder = _assembly(tmp_path / sandbox.name("assembly"), name, job, protected=name == protected)
        sandbox.aws.cdk("deploy", "--app", str(folder), "--require-approval", "never", "--method", method)

    with pytest.raises(LocalAwsError, match="255"):
        deploy(stack, "j" * 300)
    assert _status(sandbox, stack) == "ROLLBACK_COMPLETE"
    deploy(stack, sandbox.name("job"))
    assert _status(sandbox, stack) == "CREATE_COMPLETE"

    with pytest.raises(LocalAwsError):
        deploy(protected, "j" * 300)
    with pytest.raises(LocalAwsError, match="cannot be deleted while TerminationProtection is enabled"):
        deploy(protected, sandbox.name("job"))
    sandbox.client("cloudformation").update_termination_protection(StackName=protected, EnableTerminationProtection=False)
    deploy(protected, sandbox.name("job"))
    assert _status(sandbox, protected) == "CREATE_COMPLETE"
