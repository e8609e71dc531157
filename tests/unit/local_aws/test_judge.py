"""The decisions of local AWS agree with those of another implementation of IAM, call by call."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from local_aws.authorization.evaluate import Call, decide
from local_aws.authorization.policies import parse
from local_aws.authorization.principals import Principal
from local_aws.authorization.record import FILE, Recorder
from tests.judge import ACCOUNT, disagreements, read_decisions
from tests.unit.local_aws.conftest import Sandbox

pytestmark = pytest.mark.slow

CALLS = 12_000
REGION = f"us-east-1:{ACCOUNT}"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/job"
PRINCIPALS = (SESSION, SESSION, SESSION, f"arn:aws:iam::{ACCOUNT}:user/ana", "events.amazonaws.com")
# A call: its actions and resources, and patterns that match some of them.
ACTIONS = {
    "s3": ("s3:GetObject", "s3:PutObject"),
    "sqs": ("sqs:SendMessage", "sqs:ReceiveMessage"),
    "kms": ("kms:Decrypt", "kms:GenerateDataKey"),
}
RESOURCES = {
    "s3": ("arn:aws:s3:::data/home/ana/a.csv", "arn:aws:s3:::data/runs/1/x", "arn:aws:s3:::other/a"),
    "sqs": (f"arn:aws:sqs:{REGION}:arrivals", f"arn:aws:sqs:{REGION}:dead"),
    "kms": (f"arn:aws:kms:{REGION}:key/k1",),
}
PATTERNS = {
    "s3": ("*", "arn:aws:s3:::data/*", "arn:aws:s3:::data/runs/?/*", "arn:aws:s3:::*/a*", "arn:aws:s3:::data/home/${aws:username}/*",
           "arn:aws:s3:::data/home/${aws:PrincipalTag/team, 'ana'}/*", "arn:aws:s3:::data/${*}/*", "arn:aws:*:::data/*"),
    "sqs": ("*", f"arn:aws:sqs:{REGION}:*", f"arn:aws:sqs:*:{ACCOUNT}:arr?vals", f"arn:aws:sqs:{REGION}:${{aws:username}}"),
    "kms": ("*", f"arn:aws:kms:{REGION}:key/*", f"arn:aws:kms:*:{ACCOUNT}:key/k2", "arn:aws:kms:*:*:*"),
}  # fmt: skip
ACTION_PATTERNS = {
    "s3": ("*", "s3:*", "s3:Get*", "S3:putobject", "s3:?etObject"),
    "sqs": ("*", "sqs:*", "sqs:Send*", "sqs:*Message"),
    "kms": ("*", "kms:*", "kms:Decrypt", "kms:GenerateDataKey*"),
}
IDENTITIES = (
    "*", {"AWS": "*"}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"AWS": ACCOUNT}, {"AWS": f"arn:aws:iam::{ACCOUNT}:role/worker"},
    {"AWS": SESSION}, {"AWS": [f"arn:aws:iam::{ACCOUNT}:role/other", f"arn:aws:iam::{ACCOUNT}:user/ana"]},
    {"Service": "events.amazonaws.com"}, {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]},
)  # fmt: skip
# A condition key: values that a call may have, and values that a policy may have, by kind of operator.
KEYS: dict[str, tuple[str, tuple[Any, ...], tuple[str, ...]]] = {
    "aws:username": ("String", ("ana", "Ana", "eva"), ("ana", "a*", "e?a", "${aws:username}", "ANA")),
    "s3:prefix": ("String", ("home/ana/x", "runs/1", ""), ("home/${aws:username}/*", "runs/?", "home/*", "${aws:referer, 'runs/1'}")),
    "aws:SourceArn": ("Arn", (f"arn:aws:events:{REGION}:rule/a", f"arn:aws:events:{REGION}:rule/b"),
                      (f"arn:aws:events:{REGION}:rule/a", f"arn:aws:events:*:{ACCOUNT}:rule/*")),
    "aws:SourceIp": ("IpAddress", ("10.1.2.3", "192.168.0.9"), ("10.0.0.0/8", "192.168.0.9", "10.2.0.0/16")),
    "aws:SecureTransport": ("Bool", ("true", "false"), ("true", "false")),
    "s3:TlsVersion": ("Numeric", ("1.2", "1.3"), ("1.2", "1.3", "1")),
    "aws:CurrentTime": ("Date", ("2026-11-28T12:00:00Z", "2026-11-29T12:00:00Z"), ("2026-11-28T12:00:00Z", "2026-11-29T00:00:00Z")),
    "aws:TagKeys": ("Set", (("team",), ("team", "cost"), ("Cost", "x")), ("team", "cost", "t*", "?")),
}  # fmt: skip
COMPARISONS = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
STRINGS = tuple(
    f"String{name}" for name in ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike")
)
OPERATORS = {
    "String": STRINGS,
    "Arn": ("ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"),
    "IpAddress": ("IpAddress", "NotIpAddress"),
    "Bool": ("Bool",),
    "Numeric": tuple(f"Numeric{name}" for name in COMPARISONS),
    "Date": tuple(f"Date{name}" for name in COMPARISONS),
    "Set": tuple(f"{all_or_any}:{name}" for all_or_any in ("ForAllValues", "ForAnyValue") for name in STRINGS),
}


class Generator:
    """Calls with policies that concern them, the same in each run."""

    def __init__(self) -> None:
        self.draw = random.Random(24)  # noqa: S311 - test data

    def call(self) -> tuple[Call, list[dict[str, Any]], dict[str, Any] | None]:
        draw = self.draw
        service = draw.choice(tuple(ACTIONS))
        principal = Principal.of(draw.choice(PRINCIPALS))
        context = {key.lower(): draw.choice(values) for key, (_, values, _) in KEYS.items() if draw.random() < 0.6}
        identity = [] if principal.is_service else [self.document(service) for _ in range(draw.choice((0, 1, 1, 2)))]
        # A key always has a policy.
        resource = self.document(service, principals=True) if service == "kms" or draw.random() < 0.5 else None
        call = Call(principal, draw.choice(ACTIONS[service]), draw.choice(RESOURCES[service]), context)
        return call, identity, resource

    def document(self, service: str, *, principals: bool = False) -> dict[str, Any]:
        statements = [self.statement(service, principals=principals) for _ in range(self.draw.choice((1, 1, 2, 3)))]
        return {"Version": "2012-10-17", "Statement": statements}

    def statement(self, service: str, *, principals: bool) -> dict[str, Any]:
        draw = self.draw
        statement: dict[str, Any] = {"Effect": "Deny" if draw.random() < 0.2 else "Allow"}
        if principals:
            # AWS allows NotPrincipal only with Deny.
            excluded = statement["Effect"] == "Deny" and draw.random() < 0.2
            statement["NotPrincipal" if excluded else "Principal"] = draw.choice(IDENTITIES[2:] if excluded else IDENTITIES)
        statement["NotAction" if draw.random() < 0.15 else "Action"] = self.some(ACTION_PATTERNS[service])
        resource = "NotResource" if draw.random() < 0.15 else "Resource"
        statement[resource] = self.some(PATTERNS[service], variables=resource == "Resource")
        if draw.random() < 0.5:
            statement["Condition"] = self.condition()
        return statement

    def condition(self) -> dict[str, dict[str, Any]]:
        draw, condition = self.draw, dict[str, dict[str, Any]]()
        for _ in range(draw.choice((1, 1, 2))):
            key = draw.choice(tuple(KEYS))
            kind, _, values = KEYS[key]
            if draw.random() < 0.1:
                operator, expected = "Null", draw.choice(("true", "false"))
            else:
                operator = draw.choice(OPERATORS[kind])
                expected = self.some(values, variables="Not" not in operator)
                if not operator.startswith("ForAnyValue") and draw.random() < 0.15:
                    operator += "IfExists"
            condition.setdefault(operator, {})[key] = expected
        return condition

    def some(self, values: tuple[str, ...], *, variables: bool = True) -> Any:
        """Return one or two values.

        A variable without a value fulfils a negated operator, says AWS's documentation. The judge disagrees, so it is not asked.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-no-value
        """
        usable = [value for value in values if variables or "${" not in value or "'" in value]
        chosen = self.draw.sample(usable, self.draw.choice((1, 1, 2)))
        return chosen[0] if len(chosen) == 1 and self.draw.random() < 0.5 else chosen


def test_generated_calls_are_decided_as_the_judge_decides_them(tmp_path: Path) -> None:
    generator, recorder = Generator(), Recorder(tmp_path)
    for _ in range(CALLS):
        call, identity, resource = generator.call()
        policies = [parse(json.dumps(document)) for document in identity]
        resource_policy = parse(json.dumps(resource)) if resource else None
        recorder.add(call, decide(call, policies, resource_policy), policies, resource_policy, ())

    policies_by_digest, decisions = read_decisions(tmp_path / FILE)

    assert len(decisions) > 10_000
    reasons = Counter(decision["reason"].partition(" in ")[0] for decision in decisions)
    assert all(reasons[reason] > 300 for reason in (
        "explicit deny", "allowed by an identity policy", "allowed by the resource's policy", "no policy allows it",
        "the resource's policy neither allows it nor leaves it to the account's policies",
    )), reasons  # fmt: skip
    assert disagreements(policies_by_digest, decisions)[:5] == []


def test_the_judge_would_notice_a_wrong_decision(tmp_path: Path) -> None:
    policy = parse(json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}))
    call = Call(Principal.of(SESSION), "s3:GetObject", "arn:aws:s3:::data/a")
    Recorder(tmp_path).add(call, decide(call, []), [policy], None, ())
    policies, decisions = read_decisions(tmp_path / FILE)
    assert len(disagreements(policies, decisions)) == 1


def test_the_calls_of_this_suite_s_local_aws_are_decided_as_the_judge_decides_them(sandbox: Sandbox) -> None:
    """Those of the tests of its parts that ran before this one; those of whole runs are in tests/e2e."""
    role = sandbox.role("lambda")
    assert role not in sandbox.as_role(role, "sts").get_caller_identity()["Arn"]
    policies, decisions = read_decisions(sandbox.aws.folder / FILE)
    assert decisions
    assert disagreements(policies, decisions) == []
