"""Local AWS is deployed as an account of AWS is."""

from __future__ import annotations

from local_aws import LocalAws


def test_the_cdk_cli_finds_nothing_to_bootstrap(local_aws: LocalAws) -> None:
    environment = local_aws.environment
    account = local_aws.client("sts").get_caller_identity()["Account"]
    output = local_aws.cdk("bootstrap", f"aws://{account}/{environment['AWS_REGION']}")
    assert "bootstrapped (no changes)" in output
