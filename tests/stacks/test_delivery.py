"""Who may deploy from GitHub Actions, and who may compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.stacks.conftest import REPOSITORY, Template, settings_of

PROVIDER = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"


def _stack(folder: Path, **delivery: str) -> Template:
    import aws_cdk as cdk

    from stacks.delivery_stack import DeliveryStack

    app = cdk.App(outdir=str(folder), analytics_reporting=False)
    settings = settings_of("prod", delivery=delivery)
    DeliveryStack(
        app, "ptmlops-prod-delivery", settings=settings, env=cdk.Environment(account="123456789012", region="us-east-1")
    )
    app.synth()
    return Template(json.loads((folder / "ptmlops-prod-delivery.template.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return _stack(tmp_path_factory.mktemp("delivery"), repository=REPOSITORY)


def _role(template: Template, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The trust policy's statement and the permissions of a role."""
    [(logical_id, role)] = [one for one in template.resources("AWS::IAM::Role").items() if one[0].startswith(name)]
    [trust] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    permissions = [
        statement
        for policy in template.resources("AWS::IAM::Policy").values()
        if {"Ref": logical_id} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    return trust, permissions


def _conditions(subject: str) -> dict[str, Any]:
    issuer = "token.actions.githubusercontent.com"
    return {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": subject}}


def test_only_the_jobs_of_the_github_environment_deploy(delivery: Template) -> None:
    trust, permissions = _role(delivery, "DeployRole")
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Condition"] == _conditions("repo:bank/ptmlops:environment:prod")
    [statement] = permissions
    assert statement["Action"] == "sts:AssumeRole"
    names = {resource["Fn::Join"][1][-1].split("/")[-1] for resource in statement["Resource"]}
    assert names == {f"cdk-hnb659fds-{role}-role-123456789012-us-east-1" for role in ("deploy", "file-publishing", "lookup")}


def test_pull_requests_read_the_templates_of_this_environment_and_nothing_else(delivery: Template) -> None:
    trust, permissions = _role(delivery, "DiffRole")
    assert trust["Condition"] == _conditions("repo:bank/ptmlops:pull_request")
    [statement] = permissions
    assert set(statement["Action"]) == {"cloudformation:GetTemplate", "cloudformation:DescribeStacks"}
    assert ":stack/ptmlops-prod-*/*" in json.dumps(statement["Resource"])


def test_a_provider_that_the_account_has_is_used(delivery: Template, tmp_path: Path) -> None:
    [(created, _)] = delivery.resources("AWS::IAM::OIDCProvider").items()
    assert _role(delivery, "DiffRole")[0]["Principal"] == {"Federated": {"Fn::GetAtt": [created, "Arn"]}}
    existing = _stack(tmp_path, repository=REPOSITORY, oidc_provider_arn=PROVIDER)
    assert not existing.resources("AWS::IAM::OIDCProvider")
    assert _role(existing, "DeployRole")[0]["Principal"] == {"Federated": PROVIDER}


@pytest.mark.parametrize("repository", ["ptmlops", "https://github.com/bank/ptmlops", "bank/*", "bank/ptmlops:ref"])
def test_a_repository_has_an_owner_and_a_name_and_no_pattern(repository: str) -> None:
    with pytest.raises(ValidationError, match="repository"):
        settings_of("prod", delivery={"repository": repository})
