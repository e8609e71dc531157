"""What resource policies, keys and grants decide on a running local AWS, and what services may do for each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.authorization.record import FILE
from tests.judge import read_decisions
from tests.unit.local_aws.conftest import Sandbox, allow, eventually, let_events, policy

ACCOUNT = "123456789012"


def refused(call: Any, *parts: str) -> None:
    with pytest.raises(ClientError) as caught:
        call()
    assert "AccessDenied" in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def key(sandbox: Sandbox, *statements: dict[str, Any]) -> str:
    """Create a key whose policy also leaves it to the account, unless it has a statement of its own for that."""
    root = {**allow("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    document = policy(*(statements or (root,)))
    return str(sandbox.client("kms").create_key(Policy=document)["KeyMetadata"]["Arn"])


def encrypted_bucket(sandbox: Sandbox, key_arn: str) -> str:
    bucket = sandbox.bucket()
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}
    sandbox.client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    return bucket


@pytest.mark.slow
def test_a_bucket_s_policy_denies_and_allows(sandbox: Sandbox) -> None:
    bucket, role = sandbox.bucket(), sandbox.role("lambda", allow("s3:GetObject"))
    other = sandbox.role("lambda")
    for name in ("open/a", "closed/a"):
        sandbox.put(bucket, name, "a")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/closed/*"}
    plain = {**deny, "Resource": f"arn:aws:s3:::{bucket}/*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    named = {**allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/open/*"), "Principal": {"AWS": other}}
    sandbox.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy(deny, plain, named))

    reader, named_reader = sandbox.as_role(role, "s3"), sandbox.as_role(other, "s3")
    assert reader.get_object(Bucket=bucket, Key="open/a")["Body"].read() == b"a"
    assert named_reader.get_object(Bucket=bucket, Key="open/a")["Body"].read() == b"a"
    refused(lambda: reader.get_object(Bucket=bucket, Key="closed/a"))
    refused(lambda: sandbox.client("s3").get_object(Bucket=bucket, Key="closed/a"))  # not even the administrator


def test_what_is_encrypted_with_a_key_takes_the_use_of_the_key(sandbox: Sandbox) -> None:
    arn = key(sandbox)
    bucket = encrypted_bucket(sandbox, arn)
    sandbox.put(bucket, "a", "a")
    objects = allow("s3:GetObject", "s3:PutObject", on=f"arn:aws:s3:::{bucket}/*")
    through_s3 = {"Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com",
                                                 "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{bucket}"}}}  # fmt: skip
    without = sandbox.as_role(sandbox.role("lambda", objects), "s3")
    reader = sandbox.as_role(sandbox.role("lambda", objects, {**allow("kms:Decrypt", on=arn), **through_s3}), "s3")
    writer = sandbox.as_role(sandbox.role("lambda", objects, {**allow("kms:GenerateDataKey", on=arn), **through_s3}), "s3")

    refused(lambda: without.get_object(Bucket=bucket, Key="a"))
    assert reader.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"
    refused(lambda: reader.put_object(Bucket=bucket, Key="a", Body=b"b"))
    assert writer.put_object(Bucket=bucket, Key="a", Body=b"b")["ETag"]
    refused(lambda: writer.get_object(Bucket=bucket, Key="a"))


def test_a_disabled_key_stops_everything_that_uses_it_until_it_is_enabled(sandbox: Sandbox) -> None:
    arn = key(sandbox)
    bucket, kms = encrypted_bucket(sandbox, arn), sandbox.client("kms")
    sandbox.put(bucket, "a", "a")
    queue = sandbox.client("sqs").create_queue(QueueName="of-a-key", Attributes={"KmsMasterKeyId": arn})["QueueUrl"]
    uses = (
        lambda: sandbox.client("s3").get_object(Bucket=bucket, Key="a"),
        lambda: sandbox.client("s3").put_object(Bucket=bucket, Key="b", Body=b"b"),
        lambda: sandbox.client("sqs").send_message(QueueUrl=queue, MessageBody="a"),
    )
    kms.disable_key(KeyId=arn.rpartition("/")[2])
    for use in uses:
        with pytest.raises(ClientError, match="is disabled") as caught:
            use()
        assert caught.value.response["Error"]["Code"] == "KMS.DisabledException"
    kms.enable_key(KeyId=arn.rpartition("/")[2])
    for use in uses:
        use()


def test_an_earlier_version_below_a_delete_marker_takes_the_use_of_its_key(sandbox: Sandbox) -> None:
    arn = key(sandbox)
    bucket, s3 = encrypted_bucket(sandbox, arn), sandbox.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="a", Body=b"a")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="a")
    read = allow("s3:GetObject", "s3:GetObjectVersion")
    earlier = {"Bucket": bucket, "Key": "a", "VersionId": version}

    refused(lambda: sandbox.as_role(sandbox.role("lambda", read), "s3").get_object(**earlier))
    reader = sandbox.as_role(sandbox.role("lambda", read, allow("kms:Decrypt", on=arn)), "s3")
    assert reader.get_object(**earlier)["Body"].read() == b"a"


def test_a_key_that_does_not_leave_it_to_the_account_ignores_identity_policies(sandbox: Sandbox) -> None:
    operator = f"arn:aws:iam::{ACCOUNT}:user/operator"
    arn = key(sandbox, {**allow("kms:*"), "Principal": {"AWS": operator}})
    bucket = encrypted_bucket(sandbox, arn)
    sandbox.put(bucket, "a", "a")
    role = sandbox.role("lambda", allow("s3:GetObject", "kms:*"))
    reader = sandbox.as_role(role, "s3")
    refused(lambda: reader.get_object(Bucket=bucket, Key="a"))

    sandbox.client("kms").create_grant(KeyId=arn, GranteePrincipal=role, Operations=["Decrypt"])

    assert reader.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"


def test_a_missing_object_is_not_found_only_for_who_may_list_the_bucket(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    read, list_ = allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/*"), allow("s3:ListBucket", on=f"arn:aws:s3:::{bucket}")
    refused(lambda: sandbox.as_role(sandbox.role("lambda", read), "s3").get_object(Bucket=bucket, Key="gone"))
    with pytest.raises(ClientError, match="NoSuchKey"):
        sandbox.as_role(sandbox.role("lambda", read, list_), "s3").get_object(Bucket=bucket, Key="gone")


def test_a_copy_takes_reading_the_source(sandbox: Sandbox) -> None:
    source, target = sandbox.bucket(), sandbox.bucket()
    sandbox.put(source, "a", "a")
    write, read = allow("s3:PutObject", on=f"arn:aws:s3:::{target}/*"), allow("s3:GetObject", on=f"arn:aws:s3:::{source}/*")
    arguments = {"Bucket": target, "Key": "a", "CopySource": {"Bucket": source, "Key": "a"}}
    refused(lambda: sandbox.as_role(sandbox.role("lambda", write), "s3").copy_object(**arguments))
    assert sandbox.as_role(sandbox.role("lambda", write, read), "s3").copy_object(**arguments)["CopyObjectResult"]


@pytest.mark.slow
def test_a_queue_takes_events_of_the_rule_that_its_policy_names_and_no_others(sandbox: Sandbox) -> None:
    events, sqs = sandbox.client("events"), sandbox.client("sqs")
    url, dead_url = (sqs.create_queue(QueueName=sandbox.name("q"))["QueueUrl"] for _ in range(2))
    arn, dead = (
        sqs.get_queue_attributes(QueueUrl=each, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for each in (url, dead_url)
    )
    rules = {}
    for name, source in (("mine", sandbox.name("source")), ("other", sandbox.name("source"))):
        rule = sandbox.name(name)
        events.put_rule(Name=rule, EventPattern=json.dumps({"source": [source]}))
        events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn, "DeadLetterConfig": {"Arn": dead}}])
        rules[name] = (f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{rule}", source)
    mine, other = rules["mine"], rules["other"]
    document = policy(let_events("sqs:SendMessage", on=arn, rule=mine[0]))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    document = policy(let_events("sqs:SendMessage", on=dead, rule=other[0]))
    sqs.set_queue_attributes(QueueUrl=dead_url, Attributes={"Policy": document})

    for number, (_, source) in enumerate((other, mine)):
        events.put_events(Entries=[{"Source": source, "DetailType": "d", "Detail": json.dumps({"n": number})}])

    def received(queue: str) -> list[int]:
        messages = eventually(lambda: sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"))
        return [json.loads(message["Body"])["detail"]["n"] for message in messages]

    assert received(url) == [1]
    assert received(dead_url) == [0]  # what a rule cannot deliver goes to the dead-letter queue of its target


@pytest.mark.parametrize("key_allows", [True, False])
def test_an_alarm_reaches_an_encrypted_topic_only_if_the_key_lets_cloudwatch_use_it(
    sandbox: Sandbox, key_allows: bool
) -> None:
    sns, sqs, alarm = sandbox.client("sns"), sandbox.client("sqs"), sandbox.name("alarm")
    root = {**allow("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    cloudwatch = {**allow("kms:Decrypt", "kms:GenerateDataKey*"), "Principal": {"Service": "cloudwatch.amazonaws.com"}}
    topic = sns.create_topic(Name=sandbox.name("topic"))["TopicArn"]
    sns.set_topic_attributes(
        TopicArn=topic,
        AttributeName="KmsMasterKeyId",
        AttributeValue=key(sandbox, root, *([cloudwatch] if key_allows else [])),
    )
    publish = {**allow("sns:Publish", on=topic), "Principal": {"Service": "cloudwatch.amazonaws.com"}}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy(publish))
    url = sqs.create_queue(QueueName=sandbox.name("q"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sandbox.client("cloudwatch").put_metric_alarm(
        AlarmName=alarm, Namespace="n", MetricName="m", EvaluationPeriods=1, Period=60, Statistic="Sum", Threshold=1,
        ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic],
    )  # fmt: skip

    sandbox.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")

    messages = sqs.receive_message(QueueUrl=url).get("Messages", [])
    told = [json.loads(json.loads(message["Body"])["Message"])["NewStateValue"] for message in messages]
    assert told == (["ALARM"] if key_allows else [])


def test_an_operation_whose_resource_is_unknown_takes_a_statement_on_everything(sandbox: Sandbox) -> None:
    some = allow("athena:GetNamedQuery", on=f"arn:aws:athena:us-east-1:{ACCOUNT}:workgroup/primary")
    refused(lambda: sandbox.as_role(sandbox.role("lambda", some), "athena").get_named_query(NamedQueryId="x"))


def test_each_decision_is_recorded_with_its_role_once(sandbox: Sandbox) -> None:
    bucket = sandbox.bucket()
    sandbox.put(bucket, "a", "a")
    role = sandbox.role("lambda", {**allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/*"), "Sid": "Read"})
    client = sandbox.as_role(role, "s3")
    for _ in range(3):
        client.get_object(Bucket=bucket, Key="a")
    refused(lambda: client.put_object(Bucket=bucket, Key="a", Body=b""))

    mine = [decision for decision in read_decisions(sandbox.aws.folder / FILE)[1] if decision["role"] == role]

    assert [(line["action"], line["allowed"]) for line in mine] == [("s3:GetObject", True), ("s3:PutObject", False)]
    assert [name for _, name in mine[0]["statements"]] == ["Read"]
    assert mine[0]["context"]["aws:principalarn"] == role
