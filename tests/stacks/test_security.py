"""What cdk-nag does not see, and what a bank's reviewer asks first."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.athena import text
from tests.stacks.conftest import kept_assembly


def _buckets(templates: dict[str, Any]) -> dict[str, Any]:
    return templates["storage"].resources("AWS::S3::Bucket")


def test_every_bucket_blocks_public_access_and_is_versioned(templates: dict[str, Any]) -> None:
    buckets = _buckets(templates)
    assert len(buckets) == 5
    for body in buckets.values():
        block = body["Properties"]["PublicAccessBlockConfiguration"]
        assert block == dict.fromkeys(
            ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
        )
        assert body["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}


def test_every_data_bucket_is_under_our_key_and_refuses_plain_http(templates: dict[str, Any]) -> None:
    policies = {
        policy["Bucket"]["Ref"]: policy["PolicyDocument"]["Statement"]
        for policy in templates["storage"].properties("AWS::S3::BucketPolicy")
    }
    for name, body in _buckets(templates).items():
        (rule,) = body["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        algorithm = rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
        assert algorithm == ("AES256" if "AccessLog" in name else "aws:kms")
        assert any(
            statement["Effect"] == "Deny" and statement.get("Condition", {}).get("Bool") == {"aws:SecureTransport": "false"}
            for statement in policies[name]
        )


@pytest.mark.parametrize(
    ("stack", "kind", "field"),
    [
        ("storage", "AWS::DynamoDB::Table", "SSESpecification"),
        ("storage", "AWS::SNS::Topic", "KmsMasterKeyId"),
        ("storage", "AWS::SQS::Queue", "KmsMasterKeyId"),
        ("workflow", "AWS::Lambda::Function", "KmsKeyArn"),
        ("workflow", "AWS::Logs::LogGroup", "KmsKeyId"),
        ("preparation", "AWS::Logs::LogGroup", "KmsKeyId"),
    ],
)
def test_everything_at_rest_is_under_our_key(templates: dict[str, Any], stack: str, kind: str, field: str) -> None:
    found = templates[stack].properties(kind)
    assert found
    for properties in found:
        assert "Key" in json.dumps(properties[field])


def test_every_log_group_forgets(templates: dict[str, Any]) -> None:
    groups = [group for template in templates.values() for group in template.properties("AWS::Logs::LogGroup")]
    assert len(groups) >= 7
    assert {group["RetentionInDays"] for group in groups} == {30}


def test_topic_and_queues_refuse_plain_http(templates: dict[str, Any]) -> None:
    statements = [
        statement
        for stack, kind in (("storage", "AWS::SNS::TopicPolicy"), ("storage", "AWS::SQS::QueuePolicy"))
        for policy in templates[stack].properties(kind)
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    denied = [s for s in statements if s["Effect"] == "Deny" and s["Condition"]["Bool"] == {"aws:SecureTransport": "false"}]
    assert len(denied) == 3  # the topic, arrivals, dead letters


def test_eventbridge_may_use_the_key_of_the_queues_without_a_source_condition(templates: dict[str, Any]) -> None:
    """As its guide documents: with a condition that a call does not carry, every event would be lost."""
    [key] = templates["storage"].properties("AWS::KMS::Key")
    assert any(
        statement["Principal"] == {"Service": "events.amazonaws.com"}
        and set(statement["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
        and "Condition" not in statement
        for statement in key["KeyPolicy"]["Statement"]
    )


def test_no_role_has_a_managed_policy_and_no_statement_allows_everything(templates: dict[str, Any]) -> None:
    # Actions that take no resource, or whose resource is made by the service (Service Authorization Reference).
    resourceless = {
        "sagemaker:ListModelPackages",
        "athena:ListWorkGroups",
        "athena:ListDataCatalogs",
        "lakeformation:GetDataAccess",
        "cloudformation:DescribeStacks",  # without a name: the eraser's command finds the environment's stacks among all
        "ecr:GetAuthorizationToken",
        "cloudwatch:PutMetricData",
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
    }
    for template in templates.values():
        for role in template.properties("AWS::IAM::Role"):
            assert "ManagedPolicyArns" not in role
        for policy, statement in template.statements():
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert "*" not in actions
            if statement["Resource"] == "*" or statement["Resource"] == ["*"]:
                assert set(actions) <= resourceless, (policy, actions)


def test_every_lambda_role_may_be_assumed_by_lambda_alone(templates: dict[str, Any]) -> None:
    for role in templates["workflow"].properties("AWS::IAM::Role"):
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"]["Service"] in ("lambda.amazonaws.com", "states.amazonaws.com")


def test_roles_are_passed_to_sagemaker_and_to_nobody_else(templates: dict[str, Any]) -> None:
    passes = [
        statement
        for template in templates.values()
        for _, statement in template.statements()
        if "iam:PassRole" in str(statement["Action"])
    ]
    assert passes
    for statement in passes:
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
        assert statement["Resource"] != "*"


def test_data_of_prod_survives_its_stacks(prod_templates: dict[str, Any]) -> None:
    storage = prod_templates["storage"]
    for kind in ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key"):
        for body in storage.resources(kind).values():
            assert body["DeletionPolicy"] == "RetainExceptOnCreate"  # what a failed first deployment made goes with it
            assert body["UpdateReplacePolicy"] == "Retain"
    (ledger,) = storage.properties("AWS::DynamoDB::Table")
    assert ledger["DeletionProtectionEnabled"] is True
    (group,) = storage.resources("AWS::SageMaker::ModelPackageGroup").values()
    assert group["DeletionPolicy"] == "RetainExceptOnCreate"


def test_what_is_retained_outside_of_storage_has_another_name_when_its_stack_is_made_again(
    prod_templates: dict[str, Any],
) -> None:
    """CloudFormation would end in AlreadyExists: a name of our own must hold something that the new stack has not."""
    named = {"AWS::Logs::LogGroup": "LogGroupName"}
    found = 0
    for stack, template in prod_templates.items():
        if stack == "storage":
            continue
        for body in template.body["Resources"].values():
            if body.get("DeletionPolicy", "Delete") == "Delete":
                continue
            name = body["Properties"].get(named[body["Type"]])
            if name is not None:
                found += 1
                assert {"Ref": "AWS::StackId"} in _leaves(name) or any("Role" in str(leaf) for leaf in _leaves(name)), name
    assert found == 5  # the state machine's log, and two of each Glue job


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict) and set(value) != {"Ref"}:
        return [leaf for each in value.values() for leaf in _leaves(each)]
    return [leaf for each in value for leaf in _leaves(each)] if isinstance(value, list) else [value]


def test_nobody_may_write_or_delete_in_a_whole_bucket(shared_templates: dict[str, Any]) -> None:
    """A job that is misled writes where its results belong, and not over a query's results, a model or another stage's data."""
    seen = 0
    for template in shared_templates.values():
        for policy, statement in template.statements():
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            if not {"s3:PutObject", "s3:DeleteObject", "s3:*", "s3:Put*", "s3:Delete*"} & set(actions):
                continue
            if policy.startswith(("DropPolicy", "ErasePolicy")):
                continue  # people choose the places of their files in the raw bucket: both policies have tests of their own
            seen += 1
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            for resource in resources:
                place = text(resource).removeprefix("bucket")
                assert re.match(r"/[a-z_]+/", place), (policy, place)
    assert seen >= 8


def test_only_record_and_people_touch_what_people_query_besides_publish(templates: dict[str, Any]) -> None:
    writers: dict[str, set[str]] = {}
    for stack, template in templates.items():
        for policy, statement in template.statements():
            if "s3:PutObject" in statement["Action"]:
                for part in re.findall(r"/(predictions|run_history|athena)/\*", json.dumps(statement["Resource"])):
                    writers.setdefault(part, set()).add(f"{stack}: {re.sub('[0-9A-F]{8}$', '', policy)}")
    assert writers == {
        "predictions": {"preparation: PublishRoleDefaultPolicy", "storage: ErasePolicy"},
        "run_history": {"workflow: RecordRunRoleDefaultPolicy"},
        "athena": {"analytics: AnalystPolicy", "storage: ErasePolicy"},
    }


def test_every_role_trusts_one_service_of_its_own(shared_templates: dict[str, Any]) -> None:
    # Services whose documentation says that they name the account that they act for; the others take a role from who may pass it.
    names_the_account = {"sagemaker.amazonaws.com", "states.amazonaws.com"}
    for template in shared_templates.values():
        for role in template.properties("AWS::IAM::Role"):
            [statement] = role["AssumeRolePolicyDocument"]["Statement"]
            assert statement["Action"] == "sts:AssumeRole"
            [(kind, service)] = statement["Principal"].items()
            assert kind == "Service"
            if service in names_the_account:
                assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_only_the_storage_stack_of_prod_refuses_to_be_deleted() -> None:
    """The CLI deletes a stack whose creation failed before it creates it again, and CloudFormation refuses that if it is protected."""
    manifest = json.loads((kept_assembly("prod") / "manifest.json").read_text(encoding="utf-8"))
    stacks = [artifact for artifact in manifest["artifacts"].values() if artifact["type"] == "aws:cloudformation:stack"]
    assert len(stacks) == 6
    protected = [stack["displayName"] for stack in stacks if stack["properties"].get("terminationProtection")]
    assert protected == ["ptmlops-prod-storage"]
