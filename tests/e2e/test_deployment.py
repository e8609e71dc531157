"""Local AWS is deployed as an account of AWS is."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import aws_cdk as cdk
import pytest

from local_aws import LocalAws
from local_aws.assembly import KEPT, fingerprint
from local_aws.launcher import CDK
from local_aws.paths import clean_environment
from ptmlops.account import Status, examine
from ptmlops.target import Target
from stacks.config import Delivery, load_settings
from stacks.delivery_stack import DeliveryStack


@pytest.mark.nightly
def test_the_cdk_cli_finds_nothing_to_bootstrap(local_aws: LocalAws) -> None:
    environment = local_aws.environment
    account = local_aws.client("sts").get_caller_identity()["Account"]
    output = local_aws.cdk("bootstrap", f"aws://{account}/{environment['AWS_REGION']}")
    assert "bootstrapped (no changes)" in output


def test_the_doctor_finds_local_aws_ready_and_says_what_it_cannot_check(target: Target) -> None:
    findings = {finding.check: finding for finding in examine(target, load_settings("local"))}
    assert {findings[name].status for name in ("account", "region", "CDK bootstrap")} == {Status.OK}
    assert {name for name, finding in findings.items() if finding.status is Status.NOT_CHECKED} == {
        "quotas of sagemaker", "quotas of glue", "quotas of lambda",
    }  # fmt: skip
    assert not any(finding.status is Status.BLOCKED for finding in findings.values())


@pytest.mark.nightly
def test_a_second_deployment_changes_nothing(local_aws: LocalAws) -> None:
    output = local_aws.cdk("deploy", "--all", "--app", str(deployed()), "--require-approval", "never", "--method", "direct")
    assert output.count("(no changes)") == len(stacks_in(deployed())) == 6


def test_pull_requests_see_that_nothing_differs_from_what_is_deployed(local_aws: LocalAws, tmp_path: Path) -> None:
    """With the permissions of DiffRole, which may read the templates of the environment's stacks and nothing else."""
    credentials = credentials_of(local_aws, permissions_of_diff_role(tmp_path))
    done = diff(local_aws, deployed(), credentials)
    assert done.returncode == 0, done.stdout
    assert "There were no differences" in done.stdout


@pytest.mark.nightly
def test_pull_requests_see_what_differs(local_aws: LocalAws, tmp_path: Path) -> None:
    from app import PtmlopsApp

    local = load_settings("local")
    changed = local.model_copy(update={"retention": local.retention.model_copy(update={"log_days": 3})})
    PtmlopsApp(chosen=changed, outdir=str(tmp_path / "changed")).synth()
    done = diff(local_aws, tmp_path / "changed", credentials_of(local_aws, permissions_of_diff_role(tmp_path)))
    assert done.returncode == 1
    assert "RetentionInDays" in done.stdout


def deployed() -> Path:
    """The assembly that local AWS has deployed."""
    return KEPT / f"local-{fingerprint('local')}"


def stacks_in(assembly: Path) -> list[Path]:
    return sorted(assembly.glob("*.template.json"))


def permissions_of_diff_role(folder: Path) -> str:
    """The policy of DiffRole, for this region and account."""
    settings = load_settings("local").model_copy(update={"delivery": Delivery(repository="bank/ptmlops")})
    app = cdk.App(outdir=str(folder / "delivery"), analytics_reporting=False)
    DeliveryStack(app, "delivery", settings=settings, env=cdk.Environment(account="123456789012", region="us-east-1"))
    [template] = stacks_in(Path(app.synth().directory))
    resources = json.loads(template.read_text(encoding="utf-8"))["Resources"]
    [policy] = [body for name, body in resources.items() if name.startswith("DiffRoleDefaultPolicy")]
    document = policy["Properties"]["PolicyDocument"]
    for statement in document["Statement"]:
        _, parts = statement["Resource"]["Fn::Join"]
        statement["Resource"] = "".join("aws" if part == {"Ref": "AWS::Partition"} else part for part in parts)
    return json.dumps(document)


def credentials_of(local_aws: LocalAws, policy: str) -> dict[str, str]:
    """Credentials of a new role of the account with this policy."""
    iam, sts = local_aws.client("iam"), local_aws.client("sts")
    account = sts.get_caller_identity()["Account"]
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    name = f"diff-{os.urandom(4).hex()}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    iam.put_role_policy(RoleName=name, PolicyName="permissions", PolicyDocument=policy)
    given = sts.assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="diff")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


def diff(local_aws: LocalAws, assembly: Path, credentials: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`cdk diff` as the workflow calls it."""
    command = [str(CDK), "diff", "--ci", "--fail", "--no-color", "--method", "template", "--app", str(assembly)]
    environment = {**clean_environment("us-east-1"), **local_aws.environment, **credentials}
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
