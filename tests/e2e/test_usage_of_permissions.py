"""What the roles of the template were granted, compared with what the runs of all other end-to-end tests have used.

The file's name puts it behind all tests that use the roles. Alone it fails, because nothing has been used.
"""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws import LocalAws
from local_aws.authorization.patterns import arn_matches
from local_aws.authorization.policies import parse
from local_aws.authorization.record import FILE
from ptmlops.target import Target
from tests.judge import disagreements, read_decisions

REASONS = Path(__file__).with_name("unused_permissions.toml")
# Sessions of tests that try what must be denied.
TRIED_BY_TESTS = "/test"
# The roles of `cdk bootstrap`: what they may is the CDK's decision.
BOOTSTRAP = {"CloudFormationExecutionRole", "DeploymentActionRole", "FilePublishingRole", "ImagePublishingRole", "LookupRole"}
Decisions = tuple[dict[str, Any], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def decisions(local_aws: LocalAws) -> Decisions:
    return read_decisions(local_aws.folder / FILE)


@pytest.fixture(scope="module")
def resources(target: Target) -> list[dict[str, Any]]:
    """All resources of all stacks."""
    cloudformation = target.client("cloudformation")
    return [
        resource
        for stack in cloudformation.describe_stacks()["Stacks"]
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack["StackName"])
        for resource in page["StackResourceSummaries"]
    ]


@pytest.fixture(scope="module")
def names(resources: list[dict[str, Any]]) -> dict[str, str]:
    """Physical ids → logical ids without their hashes, the longest first."""
    # The physical id of a bucket's policy is the bucket's name.
    named = [each for each in resources if each["PhysicalResourceId"] and not each["ResourceType"].endswith("Policy")]
    found = {last_part(resource["PhysicalResourceId"]): logical_name(resource) for resource in named}
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def last_part(physical_id: str) -> str:
    return physical_id.rpartition(":")[2].rpartition("/")[2]


def logical_name(resource: dict[str, Any]) -> str:
    return re.sub(r"[0-9A-F]{8}$", "", resource["LogicalResourceId"])


def readable(arn: str, names: dict[str, str]) -> str:
    """Return an ARN without what differs per deployment: `s3:${RawBucket}/*`."""
    for physical, logical in names.items():
        arn = arn.replace(physical, f"${{{logical}}}")
    arn = re.sub(r"cdk-\w+-assets-[\w-]+/[0-9a-f]{64}\S*", "${Assets}/*", arn)
    arn = re.sub(r"cdk-\w+-assets-[\w-]+", "${Assets}", arn)
    return re.sub(r"^arn:aws:(\w+):[\w-]*:\d*:", r"\1:", arn)


def grants(decisions: Decisions, names: dict[str, str]) -> dict[str, bool]:
    """Each grant of a role of the template as `Role Sid Action Resource`, and whether it was used."""
    policies, calls = decisions
    used: dict[str, set[tuple[str, str, str, str]]] = {}
    identity: dict[str, set[str]] = {}
    for call in calls:
        if call["role"] and call["role"].rpartition("/")[2] in names and not call["principal"].endswith(TRIED_BY_TESTS):
            identity.setdefault(call["role"], set()).update(call["identity"])
            used.setdefault(call["role"], set()).update(
                (digest, name, call["action"].lower(), call["resource"])
                for digest, name in call["statements"]
                if call["allowed"]
            )
    found: dict[str, bool] = {}
    for role, digests in identity.items():
        for digest in digests:
            for statement in parse(json.dumps(policies[digest])).statements:
                for action in statement.actions:
                    for resource in statement.resources or ():
                        sid = "" if statement.name.isdigit() else statement.name
                        title = f"{names[role.rpartition('/')[2]]} {sid or '-'} {action} {readable(resource, names)}"
                        found[title] = found.get(title, False) or any(
                            (digest, statement.name) == (by, name)
                            and fnmatch.fnmatchcase(done, action)
                            and (resource == "*" or arn_matches(resource, on, {}))
                            for by, name, done, on in used[role]
                        )
    return found


def test_no_role_lacked_what_a_run_needed(decisions: Decisions) -> None:
    denied = {
        f"{call['principal']} {call['action']} {call['resource']}: {call['reason']}"
        for call in decisions[1]
        if not call["allowed"] and not call["principal"].endswith(TRIED_BY_TESTS)
    }
    assert denied == set()


def test_each_grant_is_used_or_has_a_reason(
    decisions: Decisions, names: dict[str, str], resources: list[dict[str, Any]]
) -> None:
    found = {title: used for title, used in grants(decisions, names).items() if title.partition(" ")[0] not in BOOTSTRAP}
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))["unused"]
    explained = {title: [entry for entry in reasons if _covers(entry, title)] for title in found}
    roles = {logical_name(resource) for resource in resources if resource["ResourceType"] == "AWS::IAM::Role"} - BOOTSTRAP

    assert {title.partition(" ")[0] for title in found} == roles, "some roles made no call: run all of tests/e2e"
    assert [title for title, is_used in found.items() if not is_used and not explained[title]] == [], "unused, no reason"
    stale = [
        f"{entry['grant']}: {'used' if any(_covers(entry, title) for title in found) else 'gone'}"
        for entry in reasons
        if not any(_covers(entry, title) and not is_used for title, is_used in found.items())
        or any(_covers(entry, title) and is_used for title, is_used in found.items())
    ]
    sometimes = [entry["grant"] for entry in reasons if entry.get("sometimes")]
    stale = [line for line in stale if not any(line == f"{grant}: used" for grant in sometimes)]
    assert stale == [], "a reason for a grant that is used or gone"
    assert all(len(entry["reason"]) > 20 for entry in reasons)


def _covers(entry: dict[str, str], title: str) -> bool:
    return fnmatch.fnmatchcase(title, entry["grant"])


def test_the_judge_decides_every_call_of_the_runs_alike(decisions: Decisions) -> None:
    policies, calls = decisions
    assert len(calls) > 100
    assert disagreements(policies, calls) == []


def test_the_arrivals_queue_takes_events_of_its_rule_and_its_bucket_only(target: Target, local_aws: LocalAws) -> None:
    """A rule of somebody else in the account, and an upload to another bucket, start nothing."""
    events, sqs, s3 = target.client("events"), target.client("sqs"), target.client("s3")
    url = target.outputs["ArrivalsQueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

    def messages() -> int:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
        return sum(int(attributes[name]) for name in counts)

    before = messages()  # of uploads in other tests
    s3.create_bucket(Bucket="not-ours")
    s3.put_bucket_notification_configuration(Bucket="not-ours", NotificationConfiguration={"EventBridgeConfiguration": {}})
    events.put_rule(Name="not-ours", EventPattern=json.dumps({"source": ["aws.s3", "not.ours"]}))
    events.put_targets(Rule="not-ours", Targets=[{"Id": "q", "Arn": arn}])
    try:
        s3.put_object(Bucket="not-ours", Key="a.csv", Body=b"text\nhello\n")
        events.put_events(Entries=[{"Source": "not.ours", "DetailType": "Object Created", "Detail": "{}"}])
        assert messages() <= before
    finally:
        events.remove_targets(Rule="not-ours", Ids=["q"])
        events.delete_rule(Name="not-ours")
    _, calls = read_decisions(local_aws.folder / FILE)
    sent = [call for call in calls if call["context"].get("aws:sourcearn", "").endswith(":rule/not-ours")]
    assert [(call["action"], call["resource"], call["allowed"]) for call in sent] == [("sqs:SendMessage", arn, False)]


def test_training_cannot_read_held_out_rows(target: Target, names: dict[str, str], local_aws: LocalAws) -> None:
    for logical, allowed in (("TrainingRole", False), ("EvaluationRole", True)):
        role = next(physical for physical, name in names.items() if name == logical)
        arn = f"arn:aws:iam::123456789012:role/{role}"
        given = target.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name="us-east-1")
        s3, bucket = session.client("s3", endpoint_url=local_aws.endpoint_url), target.outputs["PreparedBucketName"]
        pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="labelled/")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        held_out = next(key for key in keys if key.startswith("labelled/test/"))
        assert s3.get_object(Bucket=bucket, Key=next(key for key in keys if key.startswith("labelled/train/")))["ETag"]
        if allowed:
            assert s3.get_object(Bucket=bucket, Key=held_out)["ETag"]
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                s3.get_object(Bucket=bucket, Key=held_out)
