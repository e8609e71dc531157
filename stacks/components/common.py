"""What several stacks share: the base stack, roles that hold only what they are given, acknowledged findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ptmlops_contracts.run_ids import RUN_ID_PATTERN
from stacks.config import Settings

ENVIRONMENT_TAG = "environment"


class EnvironmentStack(cdk.Stack):
    """A stack of one environment: it knows the settings, and what to do with data when it is destroyed."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, env: cdk.Environment, protected: bool = False
    ) -> None:
        """Create the stack; `protected` makes CloudFormation refuse to delete it."""
        # Roles may read all assets of the environment, also those of earlier deployments: a job that starts during a deployment reads
        # either.
        synthesizer = cdk.DefaultStackSynthesizer(bucket_prefix=f"{settings.prefix}/")
        super().__init__(
            scope,
            construct_id,
            env=env,
            description=f"PTMLops ({settings.name}): {type(self).__name__}",
            termination_protection=protected,
            synthesizer=synthesizer,
        )
        # The stack binds a copy, which jsii cannot hand to Python. Both write to one list of assets.
        synthesizer.bind(self)
        self.file_assets = synthesizer
        self.settings = settings

    @property
    def data_removal(self) -> cdk.RemovalPolicy:
        """The removal policy of resources with data: only a disposable environment deletes them with its stacks.

        Resources of a first deployment that failed are always deleted: they hold no data, and would block the next deployment.
        """
        disposable = self.settings.environment.disposable
        return cdk.RemovalPolicy.DESTROY if disposable else cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE

    def output(self, name: str, value: str) -> None:
        """Add a stack output with exactly this name, by which the command line finds it."""
        cdk.CfnOutput(self, name, value=value).override_logical_id(name)

    def assets_arn(self, bucket: s3.IBucket) -> str:
        """Return the pattern of all assets of this environment in the assets bucket."""
        return bucket.arn_for_objects(f"{self.settings.prefix}/*")

    def sagemaker_arn(self, kind: str, name: str) -> str:
        """Return the ARN of a SageMaker resource of this account and region."""
        return self.format_arn(service="sagemaker", resource=kind, resource_name=name)

    def sagemaker_job_arn(self, kind: str) -> str:
        """Return the pattern of the ARNs of jobs that are named after a run.

        The environment's name does not fit: a tuning job's name has at most 32 characters, and a run id and two numbers take 28 or
        more. What is limited to this environment is limited by `own_jobs` or `new_jobs`.
        """
        return self.sagemaker_arn(kind, f"{RUN_ID_PATTERN}*")  # the next character is one of ATTEMPTS

    @property
    def own_jobs(self) -> dict[str, object]:
        """The condition that a job has the tag of this environment. SageMaker gives a tuning job's tags to its training jobs."""
        return {"StringEquals": {f"aws:ResourceTag/{ENVIRONMENT_TAG}": self.settings.name}}

    @property
    def new_jobs(self) -> dict[str, object]:
        """The condition that a job is created with the tag of this environment."""
        return {"StringEquals": {f"aws:RequestTag/{ENVIRONMENT_TAG}": self.settings.name}}

    def log_group(
        self, scope: Construct, construct_id: str, *, key: cdk.aws_kms.IKey, name: str | None = None
    ) -> logs.LogGroup:
        """Create a log group that is encrypted with `key` and keeps lines for `retention.log_days`."""
        return logs.LogGroup(
            scope,
            construct_id,
            log_group_name=name,
            encryption_key=key,
            retention=logs.RetentionDays[_RETENTION[self.settings.retention.log_days]],
            removal_policy=self.data_removal,
        )


_RETENTION = {
    1: "ONE_DAY", 3: "THREE_DAYS", 5: "FIVE_DAYS", 7: "ONE_WEEK", 14: "TWO_WEEKS", 30: "ONE_MONTH", 60: "TWO_MONTHS",
    90: "THREE_MONTHS", 120: "FOUR_MONTHS", 150: "FIVE_MONTHS", 180: "SIX_MONTHS", 365: "ONE_YEAR", 400: "THIRTEEN_MONTHS",
    545: "EIGHTEEN_MONTHS", 731: "TWO_YEARS", 1096: "THREE_YEARS", 1827: "FIVE_YEARS", 2192: "SIX_YEARS", 2557: "SEVEN_YEARS",
    2922: "EIGHT_YEARS", 3288: "NINE_YEARS", 3653: "TEN_YEARS",
}  # fmt: skip


def allow(
    role: iam.Role,
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    conditions: Mapping[str, object] | None = None,
) -> None:
    """One statement of a role's policy, named so that a reader of the template knows what it is for."""
    role.add_to_policy(
        iam.PolicyStatement(
            sid=sid, actions=list(actions), resources=list(resources), conditions=dict(conditions or {}) or None
        )
    )


def pass_role(role: iam.Role, passed: iam.IRole, service: str) -> None:
    """Let `role` hand `passed` to one service, and to no other."""
    allow(
        role,
        f"Pass{passed.node.id}",
        ["iam:PassRole"],
        [passed.role_arn],
        {"StringEquals": {"iam:PassedToService": service}},
    )


def acknowledgements_of(scope: Construct) -> cdk.Validations:
    """Return what CDK knows of the construct's acknowledgements."""
    return cdk.Validations.of(scope)


def acknowledge(scope: Construct, finding: str, reason: str) -> None:
    """Accept one finding of cdk-nag on this construct and what is below it, for a reason that a reviewer can judge."""
    acknowledgements_of(scope).acknowledge(cdk.Acknowledgment(id=finding, reason=reason))
