"""Follow each alarm of synthesized templates to the people that hear of it: action, topic, its policy, its key, its subscriptions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local_aws import ROOT
from local_aws.authorization.evaluate import Call, decide
from local_aws.authorization.policies import Policy, parse
from local_aws.authorization.principals import Principal

ACCOUNT, REGION = "123456789012", "us-east-1"
CLOUDWATCH = "cloudwatch.amazonaws.com"
PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws"}
CHANNELS = ("AWS::Chatbot::SlackChannelConfiguration", "AWS::Chatbot::MicrosoftTeamsChannelConfiguration")
RUNBOOKS = ROOT / "docs/how-to/runbooks.md"


def headings(page: Path = RUNBOOKS) -> set[str]:
    """The anchors of the page's sections."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return {re.sub(r"[^\w-]", "", line.lstrip("# ").lower().replace(" ", "-")) for line in lines if line.startswith("## ")}


def broken_links(templates: Mapping[str, Any]) -> list[str]:
    """What would keep a notice from its readers, a sentence per alarm and link. Empty if each alarm reaches somebody."""
    return [
        f"{name}: {problem}"
        for name, alarm in sorted(templates["monitoring"].resources("AWS::CloudWatch::Alarm").items())
        for problem in _problems(templates, name, alarm["Properties"])
    ]


def _problems(templates: Mapping[str, Any], name: str, alarm: Mapping[str, Any]) -> Iterator[str]:
    if alarm.get("ActionsEnabled", True) is not True:
        yield "its actions are disabled"
    address = re.search(r"runbooks\.\w+#([\w-]+)$", alarm.get("AlarmDescription", ""))
    if address is None:
        yield "its description does not end in the address of a runbook"
    elif address[1] not in headings():
        yield f"the runbooks have no section {address[1]}"
    for actions in ("AlarmActions", "OKActions"):
        topics = [found for action in alarm.get(actions, []) if (found := _resource(templates, action))]
        own = [topic for topic in topics if topic in templates["storage"].resources("AWS::SNS::Topic")]
        if not own:
            yield f"{actions} has no topic of the templates"
        for topic in own:
            yield from (f"{actions}: {problem}" for problem in _topic_problems(templates, topic, name))


def _topic_problems(templates: Mapping[str, Any], topic: str, alarm: str) -> Iterator[str]:
    storage = templates["storage"]
    arn = _arn("sns", topic)
    context = {
        "aws:sourceaccount": ACCOUNT,
        "aws:sourcearn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{alarm}",
        "aws:securetransport": "true",
    }
    [policy] = [p for p in storage.properties("AWS::SNS::TopicPolicy") if {"Ref": topic} in p["Topics"]] or [None]
    publish = Call(Principal(CLOUDWATCH), "sns:Publish", arn, context)
    if policy is None or not decide(publish, [], _policy(policy["PolicyDocument"])).allowed:
        yield "the topic's policy does not let CloudWatch publish"
    encrypted_with = storage.resources("AWS::SNS::Topic")[topic]["Properties"].get("KmsMasterKeyId")
    key = _resource(templates, encrypted_with) if encrypted_with else None
    if key:
        document = storage.resources("AWS::KMS::Key")[key]["Properties"]["KeyPolicy"]
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            use = Call(Principal(CLOUDWATCH), action, _arn("kms", key), context)
            if not decide(use, [], _policy(document)).allowed:
                yield f"the key's policy does not let CloudWatch use {action}"
    if not any(_receives(templates, topic, kind, body) for kind, body in _receivers(templates)):
        yield "nobody is subscribed to the topic"


def _receivers(templates: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for template in templates.values():
        for kind in ("AWS::SNS::Subscription", *CHANNELS):
            yield from ((kind, body) for body in template.properties(kind))


def _receives(templates: Mapping[str, Any], topic: str, kind: str, body: Mapping[str, Any]) -> bool:
    if kind in CHANNELS:
        return topic in {_resource(templates, arn) for arn in body["SnsTopicArns"]}
    # A filter lets through what it names: an alarm's message has no attributes.
    return _resource(templates, body["TopicArn"]) == topic and "FilterPolicy" not in body


def _resource(templates: Mapping[str, Any], reference: Any) -> str | None:
    """The logical id that a reference or an import leads to, or None for a text."""
    if not isinstance(reference, dict):
        return None
    if "Ref" in reference:
        return str(reference["Ref"])
    if "Fn::GetAtt" in reference:
        return str(reference["Fn::GetAtt"][0])
    imported = reference.get("Fn::ImportValue")
    for template in templates.values():
        for output in template.body.get("Outputs", {}).values():
            if imported and output.get("Export", {}).get("Name") == imported:
                return _resource(templates, output["Value"])
    return None


def _policy(document: Any) -> Policy:
    return parse(_resolved(document))


def _arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"


def _resolved(value: Any) -> Any:
    """A policy as it is deployed: pseudo parameters have values, and a topic its ARN."""
    if isinstance(value, list):
        return [_resolved(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"}:
        return PSEUDO.get(value["Ref"]) or _arn("sns", value["Ref"])
    if set(value) == {"Fn::Join"}:
        separator, parts = value["Fn::Join"]
        return separator.join(_resolved(parts))
    if set(value) == {"Fn::GetAtt"}:
        return _arn("kms", value["Fn::GetAtt"][0])
    return {key: _resolved(one) for key, one in value.items()}
