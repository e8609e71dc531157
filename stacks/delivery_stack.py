"""Deployments by GitHub Actions without stored keys: an OpenID Connect provider and two roles. Exists if `delivery.repository` is set."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.components.common import EnvironmentStack, acknowledge, allow
from stacks.config import Settings

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
# The roles of `cdk bootstrap` that a deployment uses. They carry the permissions; CloudFormation creates the resources.
BOOTSTRAP_ROLES = ("deploy", "file-publishing", "lookup")


class DeliveryStack(EnvironmentStack):
    """Let workflows of one repository deploy this environment, and show what a pull request would change.

    GitHub signs a token for each job. Its subject says for what the job runs:
    https://docs.github.com/en/actions/reference/security/oidc
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, env: cdk.Environment) -> None:
        super().__init__(scope, construct_id, settings=settings, env=env)
        repository = f"repo:{settings.delivery.repository}"
        self._provider_arn = settings.delivery.oidc_provider_arn or self._create_provider()

        # Jobs get this subject only in the GitHub environment of this name, whose rules can ask for a person's approval.
        deploy = self._create_role(
            "DeployRole", subject=f"{repository}:environment:{settings.name}", description="deploys from GitHub Actions"
        )
        allow(deploy, "UseBootstrapRoles", ["sts:AssumeRole"], [self._bootstrap_role_arn(role) for role in BOOTSTRAP_ROLES])

        # Whoever opens a pull request decides what its jobs run. This role reads deployed templates and nothing else: the lookup role of
        # `cdk bootstrap` could read the whole account.
        diff = self._create_role(
            "DiffRole", subject=f"{repository}:pull_request", description="compares templates for pull requests"
        )
        stacks = self.format_arn(service="cloudformation", resource="stack", resource_name=f"{settings.prefix}-*/*")
        allow(diff, "ReadTemplates", ["cloudformation:GetTemplate", "cloudformation:DescribeStacks"], [stacks])
        acknowledge(
            diff, "AwsSolutions-IAM5", "the stacks of this environment: CloudFormation ends their ARNs with an id of its own"
        )

        self.output("DeployRoleArn", deploy.role_arn)
        self.output("DiffRoleArn", diff.role_arn)

    def _create_provider(self) -> str:
        # IAM trusts GitHub's certificate by its own list of authorities, so there is no thumbprint to keep up to date.
        provider = iam.CfnOIDCProvider(self, "GitHub", url=f"https://{ISSUER}", client_id_list=[AUDIENCE])
        return provider.attr_arn

    def _create_role(self, name: str, *, subject: str, description: str) -> iam.Role:
        conditions = {"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": subject}}
        return iam.Role(
            self,
            name,
            assumed_by=iam.WebIdentityPrincipal(self._provider_arn, conditions),
            description=f"PTMLops ({self.settings.name}): {description}",
            max_session_duration=cdk.Duration.hours(1),
        )

    def _bootstrap_role_arn(self, role: str) -> str:
        qualifier = cdk.DefaultStackSynthesizer.DEFAULT_QUALIFIER
        name = f"cdk-{qualifier}-{role}-role-{self.account}-{self.region}"
        return self.format_arn(service="iam", region="", resource="role", resource_name=name)
