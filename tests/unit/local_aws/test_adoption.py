"""A storage stack that was destroyed comes back with its data, by the commands that `ptmlops adopt` names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local_aws import ROOT, LocalAws
from local_aws.assembly import find_or_synthesize
from ptmlops import adoption
from ptmlops.errors import OperatorError
from ptmlops.target import Target

STACK = "ptmlops-local-storage"
EMAIL = "team@example.com"
# The CDK CLI's commands, and the same calls of CloudFormation without it.
WAYS = ["api", "cdk"]

pytestmark = pytest.mark.slow


def _assembly() -> Path:
    """Synthesize the storage stack of a local environment that keeps its data."""
    import aws_cdk as cdk

    from stacks.storage_stack import StorageStack
    from tests.stacks.conftest import settings_of

    def write(folder: Path) -> None:
        settings = settings_of("local", environment={"disposable": False}, alarms={"emails": [EMAIL]})
        context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
        app = cdk.App(outdir=str(folder), analytics_reporting=False, context=context)
        StorageStack(app, STACK, settings=settings, env=cdk.Environment())
        app.synth()

    return find_or_synthesize("local-kept-storage", write, kept=ROOT / "build" / "assembly-of-tests")


def _stack(aws: LocalAws) -> dict[str, Any]:
    [stack] = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return dict(stack)


def _resources(aws: LocalAws) -> dict[str, str]:
    found = aws.client("cloudformation").list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}


class Api:
    """What the CLI does, by CloudFormation's API."""

    def __init__(self, aws: LocalAws, template: dict[str, Any]) -> None:
        self.client, self.template = aws.client("cloudformation"), {**template, "Rules": {}}
        # The CLI's template refers to the version of `cdk bootstrap`, which this account does not have.
        self.template["Parameters"] = {}

    def arguments(self, template: Mapping[str, Any]) -> dict[str, Any]:
        return {"StackName": STACK, "TemplateBody": json.dumps(template), "Capabilities": ["CAPABILITY_NAMED_IAM"]}

    def deploy(self) -> None:
        if any(stack["StackName"] == STACK for stack in self.client.describe_stacks()["Stacks"]):
            self.client.update_stack(**self.arguments(self.template))
        else:
            self.client.create_stack(**self.arguments(self.template))
        self.client.update_termination_protection(StackName=STACK, EnableTerminationProtection=True)

    def destroy(self) -> None:
        self.client.delete_stack(StackName=STACK)

    def import_(self, mapping: Path) -> None:
        wanted = json.loads(mapping.read_text(encoding="utf-8"))
        resources = {name: self.template["Resources"][name] for name in wanted}
        change_set = self.client.create_change_set(
            **self.arguments({"Resources": resources}),
            ChangeSetName="import",
            ChangeSetType="IMPORT",
            ResourcesToImport=[
                {"LogicalResourceId": name, "ResourceType": resources[name]["Type"], "ResourceIdentifier": identifier}
                for name, identifier in wanted.items()
            ],
        )
        self.client.execute_change_set(ChangeSetName=change_set["Id"])


class Cdk:
    """The CDK CLI, as a person calls it."""

    def __init__(self, aws: LocalAws, assembly: Path) -> None:
        self.aws, self.assembly = aws, assembly

    def deploy(self) -> None:
        self.aws.deploy(assembly=self.assembly)

    def destroy(self) -> None:
        self.aws.cdk("destroy", STACK, "--app", str(self.assembly), "--force")

    def import_(self, mapping: Path) -> None:
        self.aws.cdk("import", STACK, "--app", str(self.assembly), "--resource-mapping", str(mapping))


@pytest.mark.nightly
@pytest.mark.parametrize("way", WAYS)
def test_a_destroyed_storage_stack_is_adopted_with_object_ledger_item_and_key(tmp_path: Path, way: str) -> None:
    assembly = _assembly()
    template = json.loads((assembly / f"{STACK}.template.json").read_text(encoding="utf-8"))
    with LocalAws.start(tmp_path / "aws") as aws:
        target = Target.local(aws, "local")
        by = Cdk(aws, assembly) if way == "cdk" else Api(aws, template)
        by.deploy()
        with pytest.raises(OperatorError, match="nothing to adopt"):
            adoption.find(target, template)
        resources = _resources(aws)
        outputs = {output["OutputKey"]: output["OutputValue"] for output in _stack(aws)["Outputs"]}
        s3, dynamodb = aws.client("s3"), aws.client("dynamodb")
        s3.put_object(Bucket=outputs["RawBucketName"], Key="a.csv", Body=b"complaint")
        dynamodb.put_item(TableName=outputs["LedgerTableName"], Item={"pk": {"S": "run#1"}, "status": {"S": "SUCCEEDED"}})
        cloudformation = aws.client("cloudformation")
        cloudformation.update_termination_protection(StackName=STACK, EnableTerminationProtection=False)
        by.destroy()

        found = adoption.find(target, template)

        retained = {name for name, body in template["Resources"].items() if "Retain" in body.get("DeletionPolicy", "")}
        assert found.mapping.keys() == retained
        assert (found.missing, found.left_over) == ([], [])
        assert "AWS::SNS::Subscription" in found.created_again
        mapping = tmp_path / "mapping.json"
        mapping.write_text(json.dumps(found.mapping), encoding="utf-8")
        by.import_(mapping)
        assert _stack(aws)["StackStatus"] == "IMPORT_COMPLETE"
        by.deploy()

        again = _resources(aws)
        assert {name: again[name] for name in retained} == {name: resources[name] for name in retained}
        for name in ("RawBucketName", "LedgerTableName", "ArrivalsQueueUrl"):
            assert outputs[name] in {output["OutputValue"] for output in _stack(aws)["Outputs"]}
        assert _stack(aws)["EnableTerminationProtection"] is True
        stored = s3.get_object(Bucket=outputs["RawBucketName"], Key="a.csv")
        assert stored["Body"].read() == b"complaint"
        [key] = [name for name, body in template["Resources"].items() if body["Type"] == "AWS::KMS::Key"]
        assert stored["SSEKMSKeyId"].endswith(again[key])
        assert dynamodb.get_item(TableName=outputs["LedgerTableName"], Key={"pk": {"S": "run#1"}})["Item"]["status"]
