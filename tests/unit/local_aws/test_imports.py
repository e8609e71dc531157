"""Retained resources come back into a stack by an import, which refuses what CloudFormation refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.services.cloudformation.imports import IMPORTABLE
from tests.unit.local_aws.conftest import Sandbox

pytestmark = pytest.mark.slow

KEPT: dict[str, Any] = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "RetainExceptOnCreate", "Properties": {}}
TABLE: dict[str, Any] = {
    "Type": "AWS::DynamoDB::Table",
    "DeletionPolicy": "Retain",
    "Properties": {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    },
}


def _create(sandbox: Sandbox, resources: dict[str, Any]) -> tuple[str, str]:
    name = sandbox.name("stack")
    answer = sandbox.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    return name, answer["StackId"]


def _resources(sandbox: Sandbox, stack: str) -> dict[str, dict[str, Any]]:
    found = sandbox.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
    return {resource["LogicalResourceId"]: resource for resource in found}


def _import(
    sandbox: Sandbox, stack: str, resources: dict[str, Any], identifiers: dict[str, dict[str, str]], **parts: Any
) -> None:
    client = sandbox.client("cloudformation")
    change_set = client.create_change_set(
        StackName=stack,
        ChangeSetName=sandbox.name("import"),
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps({"Resources": resources, **parts}),
        ResourcesToImport=[
            {"LogicalResourceId": name, "ResourceType": resources[name]["Type"], "ResourceIdentifier": identifier}
            for name, identifier in identifiers.items()
        ],
    )["Id"]
    changes = client.describe_change_set(ChangeSetName=change_set)["Changes"]
    assert {change["ResourceChange"]["Action"] for change in changes} == {"Import"}
    client.execute_change_set(ChangeSetName=change_set)


def test_a_deleted_stack_leaves_what_it_retains_and_lists_it(sandbox: Sandbox) -> None:
    name, stack_id = _create(sandbox, {"Kept": KEPT, "Gone": {"Type": "AWS::SNS::Topic"}})
    bucket = _resources(sandbox, name)["Kept"]["PhysicalResourceId"]

    sandbox.client("cloudformation").delete_stack(StackName=name)

    left = _resources(sandbox, stack_id)
    assert {key: resource["ResourceStatus"] for key, resource in left.items()} == {
        "Kept": "DELETE_SKIPPED",
        "Gone": "DELETE_COMPLETE",
    }
    assert left["Kept"]["PhysicalResourceId"] == bucket
    sandbox.client("s3").head_bucket(Bucket=bucket)


def test_a_creation_that_fails_leaves_nothing_of_retain_except_on_create(sandbox: Sandbox) -> None:
    bucket = sandbox.name("bucket")
    refused = {"Type": "AWS::Glue::Job", "DependsOn": "Kept", "Properties": {"Name": "j" * 300, "Role": "r", "Command": {}}}
    name, _ = _create(sandbox, {"Kept": {**KEPT, "Properties": {"BucketName": bucket}}, "Refused": refused})

    [stack] = sandbox.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    with pytest.raises(ClientError, match="404"):
        sandbox.client("s3").head_bucket(Bucket=bucket)


def test_an_import_takes_resources_with_their_data_into_a_new_stack(sandbox: Sandbox) -> None:
    name, _ = _create(sandbox, {"Kept": KEPT, "Ledger": TABLE})
    ids = {key: resource["PhysicalResourceId"] for key, resource in _resources(sandbox, name).items()}
    sandbox.put(ids["Kept"], "a.csv", "complaint")
    sandbox.client("dynamodb").put_item(TableName=ids["Ledger"], Item={"pk": {"S": "run"}})
    client = sandbox.client("cloudformation")
    client.delete_stack(StackName=name)

    _import(
        sandbox,
        name,
        {"Kept": KEPT, "Ledger": TABLE},
        {"Kept": {"BucketName": ids["Kept"]}, "Ledger": {"TableName": ids["Ledger"]}},
    )

    [stack] = client.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "IMPORT_COMPLETE"
    assert {key: resource["PhysicalResourceId"] for key, resource in _resources(sandbox, name).items()} == ids
    assert sandbox.get(ids["Kept"], "a.csv") == "complaint"
    assert "Item" in sandbox.client("dynamodb").get_item(TableName=ids["Ledger"], Key={"pk": {"S": "run"}})


def test_an_import_adds_to_a_stack_and_the_next_update_goes_on_from_there(sandbox: Sandbox) -> None:
    first = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "Complaints"}}}
    name, _ = _create(sandbox, first)
    topic, bucket = _resources(sandbox, name)["Topic"]["PhysicalResourceId"], sandbox.bucket()
    _import(sandbox, name, {**first, "Kept": KEPT}, {"Kept": {"BucketName": bucket}})

    template = {
        "Resources": {**first, "Kept": KEPT, "Second": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"Bucket": {"Value": {"Ref": "Kept"}}},
    }
    sandbox.client("cloudformation").update_stack(StackName=name, TemplateBody=json.dumps(template))

    assert _resources(sandbox, name)["Topic"]["PhysicalResourceId"] == topic
    [stack] = sandbox.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    assert [output["OutputValue"] for output in stack["Outputs"]] == [bucket]


@pytest.mark.parametrize(
    ("changes", "identifier", "parts", "reason"),
    [
        pytest.param({}, {"BucketName": "no-such-bucket"}, {}, "was not found", id="an identifier that does not exist"),
        pytest.param(
            {"DeletionPolicy": None}, {}, {}, "must have a DeletionPolicy", id="a resource without a deletion policy"
        ),
        pytest.param({}, {"Arn": "x"}, {}, r"must be \[BucketName\]", id="a property that does not identify the type"),
        pytest.param(
            {"Type": "AWS::Glue::Job"}, {"Name": "x"}, {}, "not supported for import", id="a type that has no import"
        ),
        pytest.param({}, {}, {"Outputs": {"A": {"Value": "b"}}}, "cannot modify or add", id="an output"),
    ],
)
def test_an_import_refuses_what_cloudformation_refuses(
    sandbox: Sandbox, changes: dict[str, Any], identifier: dict[str, str], parts: dict[str, Any], reason: str
) -> None:
    resource = {key: value for key, value in {**KEPT, **changes}.items() if value is not None}
    name = sandbox.name("stack")

    with pytest.raises(ClientError, match=reason):
        _import(sandbox, name, {"Kept": resource}, {"Kept": identifier or {"BucketName": sandbox.bucket()}}, **parts)

    with pytest.raises(ClientError, match="does not exist"):
        sandbox.client("cloudformation").describe_stacks(StackName=name)


def test_an_import_refuses_what_is_in_a_stack_already(sandbox: Sandbox) -> None:
    owner, stack_id = _create(sandbox, {"Kept": KEPT})
    bucket = _resources(sandbox, owner)["Kept"]["PhysicalResourceId"]

    with pytest.raises(ClientError, match=f"already exists in stack {stack_id}"):
        _import(sandbox, sandbox.name("stack"), {"Kept": KEPT}, {"Kept": {"BucketName": bucket}})


def test_an_import_refuses_other_changes_of_the_template(sandbox: Sandbox) -> None:
    with pytest.raises(ClientError, match=r"modified resources \[Topic\].*not being imported"):
        _import(
            sandbox,
            sandbox.name("stack"),
            {"Kept": KEPT, "Topic": {"Type": "AWS::SNS::Topic"}},
            {"Kept": {"BucketName": sandbox.bucket()}},
        )


@pytest.mark.parametrize("kind", sorted(IMPORTABLE))
def test_a_type_is_identified_as_in_cloudformations_schema(kind: str) -> None:
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # a second to import

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema

    assert schema["primaryIdentifier"] == [f"/properties/{IMPORTABLE[kind].identifier}"]
