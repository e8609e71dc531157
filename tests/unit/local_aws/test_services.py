"""What local AWS refuses and enforces: request models, IAM, CloudFormation types; and its own process."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import time_machine
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from local_aws import ROOT, LocalAws, LocalAwsError
from tests.stacks.conftest import kept_assembly, read_templates
from tests.unit.local_aws.conftest import Sandbox, allow, data_role, eventually, let_events, policy


def _refused(call: Any, *parts: str) -> None:
    with pytest.raises(ClientError) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


# -- what AWS's own API models refuse -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_job_name_that_breaks_the_pattern_is_refused(sandbox: Sandbox) -> None:
    sagemaker = sandbox.client("sagemaker")
    request: dict[str, Any] = {
        "TrainingJobName": "under_score",
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn": sandbox.role("sagemaker"),
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    _refused(lambda: sagemaker.create_training_job(**request), "TrainingJobName")
    request["TrainingJobName"] = "n" * 64
    _refused(lambda: sagemaker.create_training_job(**request), "TrainingJobName")


def test_an_execution_input_over_256_kib_is_refused(sandbox: Sandbox) -> None:
    states = sandbox.client("stepfunctions")
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    role = sandbox.role("states")
    arn = states.create_state_machine(name=sandbox.name(), definition=json.dumps(definition), roleArn=role)["stateMachineArn"]
    _refused(lambda: states.start_execution(stateMachineArn=arn, input=json.dumps("x" * 262_144)), "input")


def test_a_tuning_job_name_over_32_characters_is_refused(sandbox: Sandbox) -> None:
    _refused(
        lambda: sandbox.client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="n" * 33),
        "HyperParameterTuningJobName",
    )


# -- permissions ----------------------------------------------------------------------------------------------------------


def test_a_role_may_do_what_its_policy_names_and_nothing_else(sandbox: Sandbox) -> None:
    mine, other = sandbox.bucket(), sandbox.bucket()
    for bucket in (mine, other):
        sandbox.put(bucket, "in/a", "a")
    role = sandbox.role(
        "lambda",
        allow("s3:GetObject", on=f"arn:aws:s3:::{mine}/in/*"),
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{mine}/in/secret*"},
    )
    s3 = sandbox.as_role(role, "s3")

    assert s3.get_object(Bucket=mine, Key="in/a")["Body"].read() == b"a"
    _refused(lambda: s3.get_object(Bucket=other, Key="in/a"), "AccessDenied")
    _refused(lambda: s3.get_object(Bucket=mine, Key="out/a"), "AccessDenied")
    _refused(lambda: s3.get_object(Bucket=mine, Key="in/secret"), "AccessDenied")
    _refused(lambda: s3.put_object(Bucket=mine, Key="in/a", Body=b""), "AccessDenied")
    _refused(lambda: s3.list_objects_v2(Bucket=mine), "AccessDenied")


def test_reading_a_version_takes_the_permission_for_versions(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    sandbox.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = sandbox.client("s3").put_object(Bucket=bucket, Key="a", Body=b"a")["VersionId"]
    s3 = sandbox.as_role(sandbox.role("glue", allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/*")), "s3")

    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"
    _refused(lambda: s3.get_object(Bucket=bucket, Key="a", VersionId=version), "AccessDenied")


def test_the_drop_policy_uploads_in_parts_and_neither_reads_nor_deletes(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    sandbox.put(bucket, "there", "there")
    storage = read_templates("local", kept_assembly("local"))["storage"]
    [document] = [
        body["Properties"]["PolicyDocument"]
        for name, body in storage.resources("AWS::IAM::ManagedPolicy").items()
        if name.startswith("DropPolicy")
    ]
    objects, whole = f"arn:aws:s3:::{bucket}/*", f"arn:aws:s3:::{bucket}"
    of_bucket = [
        allow(*statement["Action"], on=objects if "Fn::Join" in statement["Resource"] else whole)
        for statement in document["Statement"]
        if statement["Sid"] != "Key"
    ]
    s3 = sandbox.as_role(sandbox.role("lambda", *of_bucket), "s3")

    s3.put_object(Bucket=bucket, Key="small.csv", Body=b"a")
    parts = TransferConfig(multipart_threshold=5 * 2**20, multipart_chunksize=5 * 2**20)
    s3.upload_fileobj(io.BytesIO(b"x" * 6 * 2**20), bucket, "large.csv", Config=parts)
    assert len(sandbox.get(bucket, "large.csv")) == 6 * 2**20
    _refused(lambda: s3.get_object(Bucket=bucket, Key="there"), "AccessDenied")
    _refused(lambda: s3.delete_object(Bucket=bucket, Key="there"), "AccessDenied")
    _refused(lambda: s3.list_objects_v2(Bucket=bucket), "AccessDenied")


@pytest.mark.slow
def test_a_denial_names_the_action(sandbox: Sandbox) -> None:
    role = sandbox.role("lambda")
    _refused(lambda: sandbox.as_role(role, "stepfunctions").list_state_machines(), "AccessDenied", "states:ListStateMachines")
    _refused(lambda: sandbox.as_role(role, "dynamodb").get_item(TableName="t", Key={"pk": {"S": "x"}}), "dynamodb:GetItem")


def test_handing_a_role_to_sagemaker_takes_passrole(sandbox: Sandbox) -> None:
    given = sandbox.role("sagemaker")
    create = allow("sagemaker:CreateModel")
    request = {
        "ExecutionRoleArn": given,
        "PrimaryContainer": {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1", "ModelDataUrl": "s3://b/m.tar.gz"},
    }
    without = sandbox.as_role(sandbox.role("lambda", create), "sagemaker")
    _refused(lambda: without.create_model(ModelName=sandbox.name("m"), **request), "iam:PassRole")
    passing = {
        **allow("iam:PassRole", on=given),
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }
    may = sandbox.as_role(sandbox.role("lambda", create, passing), "sagemaker")
    assert may.create_model(ModelName=sandbox.name("m"), **request)["ModelArn"]


def test_a_service_assumes_only_roles_that_trust_it(sandbox: Sandbox) -> None:
    function = sandbox.function("def lambda_handler(event, context): return 1\n", role=sandbox.role("glue"))
    answer, error = sandbox.invoke(function)
    assert error
    assert "cannot assume" in answer["errorMessage"]


# -- templates ------------------------------------------------------------------------------------------------------------


def test_a_resource_type_that_cannot_be_made_here_is_refused_by_name(sandbox: Sandbox) -> None:
    template = {"Resources": {"Thing": {"Type": "AWS::Unheard::Of", "Properties": {}}}}
    _refused(
        lambda: sandbox.client("cloudformation").create_stack(StackName=sandbox.name("s"), TemplateBody=json.dumps(template)),
        "AWS::Unheard::Of",
    )


def test_the_arn_of_a_log_group_reaches_its_streams(sandbox: Sandbox) -> None:
    """As CloudFormation gives it to policies."""
    template = {
        "Resources": {"Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": sandbox.name("group")}}},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Group", "Arn"]}}},
    }
    cloudformation, name = sandbox.client("cloudformation"), sandbox.name("s")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    [output] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    assert output["OutputValue"].endswith(":*")


def test_a_bucket_sends_eventbridge_the_documented_event_of_an_object(sandbox: Sandbox) -> None:
    events, sqs = sandbox.client("events"), sandbox.client("sqs")
    bucket, rule = sandbox.bucket(), sandbox.name("rule")
    sandbox.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    sandbox.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    url = sqs.create_queue(QueueName=sandbox.name("q"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    rule_arn = f"arn:aws:events:us-east-1:123456789012:rule/{rule}"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(let_events("sqs:SendMessage", on=arn, rule=rule_arn))})

    version = sandbox.client("s3").put_object(Bucket=bucket, Key="quejas ñ.csv", Body=b"abc")["VersionId"]

    [message] = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    event = json.loads(message["Body"])
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    assert (event["source"], event["detail-type"], event["account"]) == ("aws.s3", "Object Created", "123456789012")
    found = event["detail"]["object"]
    assert (found["key"], found["size"], found["version-id"]) == ("quejas ñ.csv", 3, version)
    assert event["detail"]["bucket"] == {"name": bucket}
    assert event["time"].endswith("Z")

    # A large file comes in parts, and causes one event, when it is complete.
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    megabytes = 6
    in_parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    sandbox.client("s3").upload_fileobj(io.BytesIO(bytes(megabytes << 20)), bucket, "large.csv", Config=in_parts)
    [message] = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    detail = json.loads(message["Body"])["detail"]
    assert (detail["reason"], detail["object"]["size"]) == ("CompleteMultipartUpload", megabytes << 20)


def test_a_stack_is_deleted_although_one_of_its_resources_is_gone(sandbox: Sandbox) -> None:
    cloudformation, stack, function = sandbox.client("cloudformation"), sandbox.name("stack"), sandbox.name("function")
    resources = {
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": function,
                "Role": sandbox.role("lambda"),
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Code": {"ZipFile": "def handler(event, context): ..."},
            },
        },
        "Invocations": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {"FunctionName": {"Ref": "Function"}, "Qualifier": "$LATEST", "MaximumRetryAttempts": 1},
        },
    }
    exported = {"Name": {"Value": {"Ref": "Function"}, "Export": {"Name": stack}}}
    for _ in range(2):  # deployed, deleted, and deployed again under the same names
        cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": resources, "Outputs": exported}))
        sandbox.client("lambda").delete_function(FunctionName=function)
        cloudformation.delete_stack(StackName=stack)
        exports = [one["Name"] for page in cloudformation.get_paginator("list_exports").paginate() for one in page["Exports"]]
        assert stack not in exports


CUSTOM = """
import json, os, urllib.request, boto3

def lambda_handler(event, context):
    properties = event["ResourceProperties"]
    log = boto3.client("s3")
    key = f"{event['RequestType']}-{properties['Value']}"
    log.put_object(Bucket=properties["Bucket"], Key=key, Body=json.dumps(event).encode())
    if properties["Value"] == "silent":
        return
    answer = {
        "Status": "FAILED" if properties["Value"] == "bad" else "SUCCESS",
        "Reason": "the value is bad",
        "PhysicalResourceId": f"made-{properties['Identity']}",
        "Data": {"Twice": properties["Value"] * 2},
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request).close()
"""


@pytest.mark.slow
def test_a_custom_resource_is_made_changed_and_deleted_by_its_function(sandbox: Sandbox) -> None:
    cloudformation, bucket, stack = sandbox.client("cloudformation"), sandbox.bucket(), sandbox.name("stack")
    function = sandbox.function(CUSTOM, role=data_role(sandbox, "lambda", bucket))
    arn = sandbox.client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]

    def template(value: str, identity: str = "1") -> str:
        properties = {"ServiceToken": arn, "Bucket": bucket, "Value": value, "Identity": identity}
        resources = {"Thing": {"Type": "Custom::Thing", "Properties": properties}}
        return json.dumps({"Resources": resources, "Outputs": {"Twice": {"Value": {"Fn::GetAtt": ["Thing", "Twice"]}}}})

    def twice() -> str:
        [described] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        return str(described["Outputs"][0]["OutputValue"])

    def requests() -> list[str]:
        return sorted(item["Key"] for item in sandbox.client("s3").list_objects_v2(Bucket=bucket)["Contents"])

    cloudformation.create_stack(StackName=stack, TemplateBody=template("a"))
    assert twice() == "aa"
    cloudformation.update_stack(StackName=stack, TemplateBody=template("b"))
    assert twice() == "bb"
    update = json.loads(sandbox.get(bucket, "Update-b"))
    assert (update["PhysicalResourceId"], update["OldResourceProperties"]["Value"]) == ("made-1", "a")
    assert requests() == ["Create-a", "Update-b"]
    # Another physical id replaces the resource: the function is asked to delete the one before.
    cloudformation.update_stack(StackName=stack, TemplateBody=template("c", "2"))
    assert requests() == ["Create-a", "Delete-b", "Update-b", "Update-c"]
    _refused(
        lambda: cloudformation.update_stack(StackName=stack, TemplateBody=template("bad", "2")), "Thing: the value is bad"
    )
    cloudformation.delete_stack(StackName=stack)
    assert json.loads(sandbox.get(bucket, "Delete-c"))["PhysicalResourceId"] == "made-2"
    for value, reason in (("bad", "the value is bad"), ("silent", "ended without an answer")):
        name = sandbox.name("s")
        cloudformation.create_stack(StackName=name, TemplateBody=template(value))
        [described] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        assert described["StackStatus"] == "ROLLBACK_COMPLETE"
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        assert any(reason in event.get("ResourceStatusReason", "") for event in events)


# -- the process ----------------------------------------------------------------------------------------------------------


def test_its_key_is_readable_by_its_owner_alone(sandbox: Sandbox) -> None:
    assert stat.S_IMODE((sandbox.aws.folder / "state.json").stat().st_mode) == 0o600


@pytest.mark.slow
def test_a_second_one_on_the_same_folder_is_refused_and_one_beside_it_is_not(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match="already runs on"):
        LocalAws.start(sandbox.aws.folder)
    bucket = sandbox.bucket()
    with LocalAws.start(tmp_path) as other:
        assert other.endpoint_url != sandbox.aws.endpoint_url
        assert bucket not in {found["Name"] for found in other.client("s3").list_buckets()["Buckets"]}


@pytest.mark.slow
def test_it_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    script = (
        f"from local_aws import LocalAws; from pathlib import Path; import time\nLocalAws.start(Path({str(tmp_path)!r}))\n"
    )
    command = [sys.executable, "-c", script + "print('up', flush=True); time.sleep(600)"]
    owner = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert owner.stdout
    assert owner.stdout.readline() == b"up\n"
    server = psutil.Process(json.loads((tmp_path / "state.json").read_text())["pid"])

    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()

    gone, _ = psutil.wait_procs([server], timeout=10)
    assert gone
    assert not (tmp_path / "state.json").exists()


def test_nothing_of_the_users_aws_configuration_reaches_it(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    from local_aws import clean_environment

    assert "AWS_PROFILE" not in clean_environment("us-east-1")


@pytest.mark.parametrize(
    ("service", "operation", "minutes", "refused"),
    [
        ("s3", "list_buckets", 16, "RequestTimeTooSkewed"),
        ("s3", "list_buckets", -16, "RequestTimeTooSkewed"),
        ("s3", "list_buckets", 14, ""),
        ("dynamodb", "list_tables", 6, "InvalidSignatureException"),
        ("dynamodb", "list_tables", -6, "InvalidSignatureException"),
        ("dynamodb", "list_tables", -4, ""),
    ],
)
def test_a_request_that_was_signed_at_another_time_is_refused(
    sandbox: Sandbox, service: str, operation: str, minutes: int, refused: str
) -> None:
    client, code = sandbox.aws.client(service), ""
    with time_machine.travel(time.time() + minutes * 60):
        try:
            getattr(client, operation)()
        except ClientError as error:
            code = error.response["Error"]["Code"]
    assert code == refused
