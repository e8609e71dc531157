"""The decision on a call: a table per part of IAM's language, and the cases that AWS's documentation names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws.authorization.conditions import NotUnderstoodError, hold
from local_aws.authorization.evaluate import Call, Decision, Grant, decide
from local_aws.authorization.patterns import arn_matches, matches
from local_aws.authorization.policies import Policy, parse
from local_aws.authorization.principals import Principal

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION = Principal.of(f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/job")
EVENTS = Principal("events.amazonaws.com")
OBJECT, QUEUE, KEY = (
    "arn:aws:s3:::data/in/a.csv",
    f"arn:aws:sqs:us-east-1:{ACCOUNT}:q",
    f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k",
)
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def statement(effect: str, action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> Policy:
    return parse(json.dumps({"Version": version, "Statement": list(statements)}))


def decided(
    identity: list[dict[str, Any]],
    resource: list[dict[str, Any]] | None = None,
    *,
    by: Principal = SESSION,
    action: str = "s3:GetObject",
    on: str = OBJECT,
    grants: tuple[Grant, ...] = (),
    **context: str,
) -> Decision:
    call = Call(by, action, on, {key.replace("__", ":").lower(): value for key, value in context.items()})
    return decide(call, [document(*identity)] if identity else [], document(*resource) if resource else None, grants)


ALLOW = statement("Allow", "s3:GetObject", "arn:aws:s3:::data/in/*")


@pytest.mark.parametrize(
    ("identity", "allowed", "why"),
    [
        ([], False, "nothing allows it"),
        ([ALLOW], True, "a prefix"),
        ([statement("Allow", "S3:getobject", OBJECT)], True, "actions ignore case"),
        ([statement("Allow", "s3:GetObject", OBJECT.upper())], False, "resources do not"),
        ([statement("Allow", "s3:Get*")], True, "a wildcard in an action"),
        ([statement("Allow", "s3:GetObject", "arn:aws:s3:*")], False, "a wildcard does not reach across colons"),
        ([statement("Allow", "s3:GetObject", "arn:aws:s3:::data/in/?.csv")], True, "one character"),
        ([ALLOW, statement("Deny", "s3:*", "arn:aws:s3:::data/*")], False, "deny wins"),
        ([ALLOW, statement("Deny", "s3:*", "arn:aws:s3:::other/*")], True, "a deny of something else"),
        ([{"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}], True, "NotAction allows the rest"),
        ([{"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}], False, "NotAction leaves out"),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::data/*"}], False, "NotResource leaves out"),
        ([ALLOW, {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::data/*"}], True, "NotResource of a deny"),
    ],
)
def test_identity_policies_decide(identity: list[dict[str, Any]], allowed: bool, why: str) -> None:
    assert decided(identity).allowed is allowed, why


TO_ROLE = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}


@pytest.mark.parametrize(
    ("identity", "resource", "by", "allowed", "why"),
    [
        ([], {**TO_ROLE, "Principal": {"AWS": ROLE}}, SESSION, True, "the bucket's policy is enough for a role that it names"),
        ([], {**TO_ROLE, "Principal": ROOT}, SESSION, False, "the account's name only lets its own policies decide"),
        ([ALLOW], {**TO_ROLE, "Principal": ROOT, "Effect": "Deny"}, SESSION, False, "a deny of the account reaches all in it"),
        ([], {**TO_ROLE, "Principal": "*"}, SESSION, True, "everybody"),
        ([], {**TO_ROLE, "Principal": {"AWS": ROLE + "2"}}, SESSION, False, "another role"),
        ([ALLOW], {**TO_ROLE, "Effect": "Deny", "NotPrincipal": {"AWS": ROLE}}, SESSION, True, "everybody else is denied"),
        ([], {**TO_ROLE, "Principal": {"Service": "events.amazonaws.com"}}, EVENTS, True, "a service"),
        ([], {**TO_ROLE, "Principal": {"Service": "sns.amazonaws.com"}}, EVENTS, False, "another service"),
        ([], {**TO_ROLE, "Principal": ROOT}, EVENTS, False, "a service is not of the account"),
    ],
)
def test_resource_policies_decide(
    identity: list[dict[str, Any]], resource: dict[str, Any], by: Principal, allowed: bool, why: str
) -> None:
    assert decided(identity, [resource], by=by).allowed is allowed, why


USE = statement("Allow", "kms:Decrypt", KEY)


@pytest.mark.parametrize(
    ("identity", "key_policy", "grants", "allowed", "why"),
    [
        ([USE], [statement("Allow", "kms:*", Principal=ROOT)], (), True, "the key's policy leaves it to the account"),
        ([USE], [statement("Allow", "kms:*", Principal={"AWS": ROLE + "2"})], (), False, "without the account, policies of roles count for nothing"),
        ([], [statement("Allow", "kms:*", Principal={"AWS": ROLE})], (), True, "the key's policy names the role"),
        ([], [statement("Allow", "kms:*", Principal=ROOT)], (), False, "the account has no policy that allows it"),
        ([], [statement("Allow", "kms:*", Principal=ROOT)], (Grant(ROLE, frozenset({"Decrypt"})),), True, "a grant"),
        ([], [statement("Allow", "kms:*", Principal=ROOT)], (Grant(ROLE, frozenset({"Encrypt"})),), False, "a grant of another operation"),
        ([], [statement("Allow", "kms:*", Principal=ROOT)],
         (Grant(ROLE, frozenset({"Decrypt"}), {"EncryptionContextSubset": {"aws:s3:arn": "other"}}),), False, "a grant for other data"),
        ([], [statement("Deny", "kms:*", Principal="*")], (Grant(ROLE, frozenset({"Decrypt"})),), False, "a deny wins over a grant"),
    ],
)  # fmt: skip
def test_a_key_s_policy_must_allow_or_delegate(
    identity: list[dict[str, Any]], key_policy: list[dict[str, Any]], grants: tuple[Grant, ...], allowed: bool, why: str
) -> None:
    decision = decided(
        identity,
        key_policy,
        action="kms:Decrypt",
        on=KEY,
        grants=grants,
        kms__encryptioncontext__aws__s3__arn="arn:aws:s3:::data",
    )
    assert decision.allowed is allowed, why


def test_a_service_may_only_call_for_the_source_that_the_policy_names() -> None:
    source = {"ArnEquals": {"aws:SourceArn": "arn:aws:events:us-east-1:123456789012:rule/mine"}}
    policy = [statement("Allow", "sqs:SendMessage", QUEUE, Principal={"Service": EVENTS.arn}, Condition=source)]

    def answer(**context: str) -> bool:
        return decided([], policy, by=EVENTS, action="sqs:SendMessage", on=QUEUE, **context).allowed

    assert answer(aws__SourceArn="arn:aws:events:us-east-1:123456789012:rule/mine")
    assert not answer(aws__SourceArn="arn:aws:events:us-east-1:123456789012:rule/other")
    assert not answer()


CONTEXT = {
    "aws:securetransport": "true", "aws:username": "ana", "s3:prefix": "home/ana/x", "aws:tagkeys": ("team", "cost"),
    "aws:sourceip": "10.1.2.3", "aws:currenttime": "2026-11-28T12:00:00Z", "s3:tlsversion": "1.3", "s3:max-keys": "10",
    "aws:sourcearn": "arn:aws:events:us-east-1:123456789012:rule/mine",
}  # fmt: skip


@pytest.mark.parametrize(
    ("operator", "key", "value", "holds", "why"),
    [
        ("StringEquals", "aws:username", "ana", True, "equal"),
        ("StringEquals", "AWS:UserName", "ana", True, "keys ignore case"),
        ("StringEquals", "aws:username", "Ana", False, "values do not"),
        ("StringEqualsIgnoreCase", "aws:username", "Ana", True, "unless asked to"),
        ("StringEquals", "aws:username", "an*", False, "no wildcards without Like"),
        ("StringLike", "aws:username", ["b*", "a?a"], True, "one of the values"),
        ("StringNotEquals", "aws:username", ["ana", "eva"], False, "none of the values"),
        ("StringNotLike", "aws:username", ["b*"], True, "none matches"),
        ("StringLike", "s3:prefix", "home/${aws:username}/*", True, "a variable"),
        ("StringLike", "s3:prefix", "home/${aws:referer}/*", False, "a variable without a value matches nothing"),
        ("StringLike", "s3:prefix", "home/${aws:referer, 'ana'}/*", True, "or its default"),
        ("StringEquals", "aws:referer", "x", False, "a missing key"),
        ("StringNotEquals", "aws:referer", "x", True, "a missing key and a negated operator"),
        ("StringEqualsIfExists", "aws:referer", "x", True, "IfExists"),
        ("Null", "aws:referer", "true", True, "is missing"),
        ("Null", "aws:username", True, False, "is there"),
        ("Bool", "aws:SecureTransport", False, False, "JSON's booleans"),
        ("Bool", "aws:SecureTransport", "true", True, "and as text"),
        ("NumericLessThan", "s3:TlsVersion", 1.2, False, "JSON's numbers"),
        ("NumericLessThanEquals", "s3:max-keys", "10", True, "the bound itself"),
        ("DateLessThan", "aws:CurrentTime", "2026-11-29T00:00:00Z", True, "a date"),
        ("DateGreaterThan", "aws:CurrentTime", "2026-11-28T12:00:00Z", False, "the same moment"),
        ("IpAddress", "aws:SourceIp", "10.1.0.0/16", True, "in the network"),
        ("NotIpAddress", "aws:SourceIp", ["10.2.0.0/16", "10.1.2.3"], False, "an address without a mask"),
        ("ArnLike", "aws:SourceArn", "arn:aws:events:*:123456789012:rule/*", True, "part by part"),
        ("ArnLike", "aws:SourceArn", "arn:aws:*:rule/mine", False, "a wildcard does not reach across colons"),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team", "cost", "x"], True, "each value is one of these"),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team"], False, "cost is not"),
        ("ForAllValues:StringEquals", "aws:CalledVia", ["x"], True, "no value at all"),
        ("ForAnyValue:StringLike", "aws:TagKeys", ["t*"], True, "one value is"),
        ("ForAnyValue:StringEquals", "aws:CalledVia", ["x"], False, "no value at all"),
    ],
)
def test_conditions_hold(operator: str, key: str, value: Any, holds: bool, why: str) -> None:
    assert hold({operator: {key: value}}, CONTEXT) is holds, why


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ({"StringResembles": {"aws:username": "ana"}}, "operator StringResembles is unknown"),
        ({"StringEquals": {"ec2:InstanceType": "t3"}}, "key ec2:InstanceType is unknown"),
        ({"StringEquals": {"aws:TagKeys": "team"}}, "aws:TagKeys has several values"),
        ({"ForAnyValue:StringEqualsIfExists": {"aws:CalledVia": "x"}}, "undocumented for a missing key"),
        ({"StringEquals": {"aws:username": "eva", "ec2:InstanceType": "t3"}}, "key ec2:InstanceType is unknown"),
    ],
)
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_condition_that_is_not_understood_denies_and_says_so(condition: dict[str, Any], says: str, effect: str) -> None:
    with pytest.raises(NotUnderstoodError, match=says):
        hold(condition, CONTEXT)
    call = Call(SESSION, "s3:GetObject", OBJECT, CONTEXT)
    decision = decide(call, [document(ALLOW, {**ALLOW, "Sid": "Strange", "Effect": effect, "Condition": condition})])
    assert not decision.allowed
    assert "statement Strange" in decision.reason
    assert says in decision.reason


def test_a_variable_without_a_value_leaves_out_nothing() -> None:
    """In NotResource it would name other resources than its author meant, so the call is denied."""
    call = Call(SESSION, "s3:GetObject", OBJECT)
    own = {"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::data/${aws:username}/*"}
    assert decide(call, [document(own)]).reason == "statement 0: a variable in NotResource has no value"
    condition = {"StringNotLike": {"s3:prefix": "home/${aws:referer}/*"}}
    assert hold(condition, CONTEXT)  # AWS documents that it fulfils a negated operator


def test_conditions_of_one_statement_hold_all_together() -> None:
    assert hold({"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:username": "ana"}}, CONTEXT)
    assert not hold({"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:username": "eva"}}, CONTEXT)


def test_variables_are_literal_in_the_old_version_and_their_values_are_no_patterns() -> None:
    folder = statement("Allow", "s3:GetObject", "arn:aws:s3:::data/${aws:username}/*")
    call = Call(SESSION, "s3:GetObject", "arn:aws:s3:::data/ana/x", {"aws:username": "ana"})
    assert decide(call, [document(folder)]).allowed
    assert not decide(call, [document(folder, version="2008-10-17")]).allowed
    assert not matches("${aws:username}", "anything", {"aws:username": "*"})
    assert matches("${*}", "*", {})
    assert arn_matches("arn:aws:s3:::data/${aws:username}", "arn:aws:s3:::data/ana", {"aws:username": "ana"})


def test_a_decision_names_the_statements_behind_it() -> None:
    allowing, denying = {**ALLOW, "Sid": "Read"}, statement("Deny", "s3:*", Sid="Never")
    assert [name for _, name in decided([allowing]).statements] == ["Read"]
    assert [name for _, name in decided([allowing, denying]).statements] == ["Never"]
    assert decided([allowing, denying]).reason == "explicit deny in statement Never"
