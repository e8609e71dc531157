"""Local AWS is deployed as an account of AWS is."""

from __future__ import annotations

import pytest

from local_aws import LocalAws
from ptmlops.account import Status, examine
from ptmlops.target import Target
from stacks.config import load_settings


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
