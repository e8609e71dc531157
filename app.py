"""The CDK app: one set of stacks for one environment, named by PTMLOPS_ENVIRONMENT or the context key `environment`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.analytics_stack import AnalyticsStack
from stacks.components.common import acknowledge
from stacks.components.network import run_in_network
from stacks.components.reviewed_checks import ReviewedAwsSolutions, ReviewedNist
from stacks.config import Settings, SettingsError, load_settings
from stacks.delivery_stack import DeliveryStack
from stacks.modeling_stack import ModelingStack
from stacks.monitoring_stack import MonitoringStack
from stacks.preparation_stack import PreparationStack
from stacks.storage_stack import StorageStack
from stacks.workflow_stack import WorkflowStack

POLICY_OF_ONE_ROLE = (
    "the permissions of one role, which is made for one unit: they are created, reviewed and deleted with it, and cannot be attached to "
    "anybody else. A managed policy could be"
)
ROOT = Path(__file__).resolve().parent


class PtmlopsApp(cdk.App):
    """All stacks of one environment, as deployed and as tested."""

    def __init__(self, *, chosen: Settings | None = None, outdir: str | None = None) -> None:
        """`chosen` settings, or by default those of the environment that the context names.

        Raises:
            SettingsError: the environment is not known, or its file has a key or value that is not allowed.
        """
        # The CLI hands over cdk.json's context, feature flags included; without the CLI the same flags must hold.
        context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
        super().__init__(outdir=outdir, analytics_reporting=False, context=context)
        name = os.environ.get("PTMLOPS_ENVIRONMENT") or self.node.get_context("environment")
        self.settings = chosen or load_settings(name)
        if self.settings.unnotified:
            raise SettingsError(f"environments/{self.settings.name}.toml: {self.settings.unnotified}")
        env = cdk.Environment(account=self.settings.environment.account, region=self.settings.environment.region)
        prefix, settings = self.settings.prefix, self.settings

        self.storage = StorageStack(self, f"{prefix}-storage", settings=settings, env=env)
        self.preparation = PreparationStack(
            self, f"{prefix}-preparation", storage=self.storage.outputs, settings=settings, env=env
        )
        self.modeling = ModelingStack(self, f"{prefix}-modeling", storage=self.storage.outputs, settings=settings, env=env)
        self.workflow = WorkflowStack(
            self,
            f"{prefix}-workflow",
            storage=self.storage.outputs,
            jobs=self.preparation.outputs,
            modeling=self.modeling.outputs,
            settings=settings,
            env=env,
        )
        self.monitoring = MonitoringStack(
            self,
            f"{prefix}-monitoring",
            storage=self.storage.outputs,
            jobs=self.preparation.outputs,
            workflow=self.workflow.outputs,
            settings=settings,
            env=env,
        )
        self.analytics = AnalyticsStack(self, f"{prefix}-analytics", storage=self.storage.outputs, settings=settings, env=env)
        if settings.delivery.repository:
            DeliveryStack(self, f"{prefix}-delivery", settings=settings, env=env)

        if self.storage.outputs.network:
            run_in_network(self, self.storage.outputs.network)
        for construct in self.node.find_all():
            if isinstance(construct, iam.Policy):
                acknowledge(construct, "NIST.800.53.R5-IAMNoInlinePolicy", POLICY_OF_ONE_ROLE)

        for key, value in self.settings.tags.items():
            cdk.Tags.of(self).add(key, value)
        cdk.Tags.of(self).add("environment", self.settings.name)
        cdk.Validations.of(self).add_plugins(ReviewedAwsSolutions(), ReviewedNist())


def main() -> int:
    """Synthesize; a setting that cannot be used is one line on standard error, and exit status 1."""
    try:
        PtmlopsApp().synth()
    except SettingsError as error:
        print(f"ptmlops: {error}", file=sys.stderr)  # noqa: T201 - the CDK CLI shows what an app prints
        return 1
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
        print("ptmlops: the findings above stop the synthesis; nothing was deployed", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
