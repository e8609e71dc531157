"""Find what a destroyed storage stack has left, so that `cdk import` can bring it into a new stack.

CloudFormation keeps the list of a deleted stack's resources for 90 days. A resource that was retained is in status DELETE_SKIPPED there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ptmlops.errors import OperatorError
from ptmlops.source_roots import ROOT
from ptmlops.target import Target
from stacks.config import load_settings

RETAINED = ("Retain", "RetainExceptOnCreate")
KEPT_DAYS = 90
# What a person has to do after resources of these types were deleted with the stack and created again.
NEW_AGAIN = {
    "AWS::SNS::Topic": "subscribe other systems again",
    "AWS::SNS::Subscription": "each person confirms the mail from AWS again",
    "AWS::IAM::ManagedPolicy": "attach it again to the people and systems that upload (DropPolicyArn), erase "
    "(ErasePolicyArn) or promote (PromotePolicyArn)",
    "AWS::KMS::Alias": "an alias that was created by hand still points to the key",
}


@dataclass(frozen=True)
class Adoption:
    """What can be imported, and what cannot."""

    stack_name: str
    mapping: Mapping[str, Mapping[str, str]]
    missing: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    created_again: Mapping[str, str] = field(default_factory=dict)


def synthesize(environment: str) -> dict[str, Any]:
    """Return the template of the environment's storage stack.

    Raises:
        OperatorError: the app cannot be synthesized.
    """
    with tempfile.TemporaryDirectory(prefix="ptmlops-adopt-") as folder:
        variables = {**os.environ, "CDK_OUTDIR": folder, "PTMLOPS_ENVIRONMENT": environment}
        done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=variables, check=False, text=True, capture_output=True)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise OperatorError(f"the app cannot be synthesized: {lines[-1] if lines else 'see python app.py'}")
        name = f"{load_settings(environment).prefix}-storage.template.json"
        template: dict[str, Any] = json.loads((Path(folder) / name).read_text(encoding="utf-8"))
        return template


def find(target: Target, template: Mapping[str, Any]) -> Adoption:
    """Compare what the deleted storage stack has left with the stack's template.

    Args:
        target: The environment.
        template: The template of its storage stack, as it will be deployed.

    Raises:
        OperatorError: the stack exists, the environment is disposable, or CloudFormation does not know a deleted stack that left something.
    """
    name = f"ptmlops-{target.environment}-storage"
    _refuse_if_deployed(target, name)
    resources: dict[str, Any] = template["Resources"]
    retained = {key: body for key, body in resources.items() if body.get("DeletionPolicy") in RETAINED}
    if not retained:
        raise OperatorError(
            f"environment '{target.environment}' is disposable: its stacks leave nothing that could be adopted"
        )
    left = _left_resources(target, name)
    identifiers = _identifiers(target, retained)
    mapping: dict[str, dict[str, str]] = {}
    left_over = []
    for logical_id, (kind, physical_id) in left.items():
        properties = identifiers.get(kind, [])
        if retained.get(logical_id, {}).get("Type") == kind and len(properties) == 1:
            mapping[logical_id] = {properties[0]: physical_id}
        else:
            left_over.append(f"{kind} {physical_id}")
    return Adoption(
        stack_name=name,
        mapping=mapping,
        missing=sorted(f"{body['Type']} {key}" for key, body in retained.items() if key not in mapping),
        left_over=left_over,
        created_again={
            kind: NEW_AGAIN[kind]
            for kind in NEW_AGAIN
            if kind == "AWS::KMS::Alias" or any(body["Type"] == kind for body in resources.values())
        },
    )


def _refuse_if_deployed(target: Target, name: str) -> None:
    try:
        [stack] = target.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return
    if stack["StackStatus"] != "REVIEW_IN_PROGRESS":  # an import that was refused leaves such a stack, without resources
        raise OperatorError(
            f"stack {name} exists (status {stack['StackStatus']}), so there is nothing to adopt: "
            f"`cdk deploy --all -c environment={target.environment}` updates it"
        )


def _left_resources(target: Target, name: str) -> dict[str, tuple[str, str]]:
    """Return (type, physical id) by logical id of what the last deleted stack of this name has left."""
    client = target.client("cloudformation")
    pages = client.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    stacks = [stack for page in pages for stack in page["StackSummaries"] if stack["StackName"] == name]
    # A deployment after the destroy may have failed and left nothing: then an earlier stack is the one.
    for stack in sorted(stacks, key=lambda stack: stack.get("DeletionTime", stack["CreationTime"]), reverse=True):
        found = {
            resource["LogicalResourceId"]: (resource["ResourceType"], resource["PhysicalResourceId"])
            for page in client.get_paginator("list_stack_resources").paginate(StackName=stack["StackId"])
            for resource in page["StackResourceSummaries"]
            if resource["ResourceStatus"] == "DELETE_SKIPPED"
        }
        if found:
            return found
    raise OperatorError(
        f"CloudFormation knows no deleted stack {name} that left resources. It remembers deleted stacks for {KEPT_DAYS} days. After that, "
        "write the mapping by hand: see docs/how-to/adopt.md"
    )


def _identifiers(target: Target, retained: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the identifying properties of each type that CloudFormation can import."""
    body = json.dumps({"Resources": dict(retained)}, separators=(",", ":"))
    summary = target.client("cloudformation").get_template_summary(TemplateBody=body)
    return {
        entry["ResourceType"]: entry["ResourceIdentifiers"][0].split(",")
        for entry in summary.get("ResourceIdentifierSummaries", [])
        if entry.get("ResourceIdentifiers")
    }
