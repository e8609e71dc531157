"""The deployment that a command works on: an AWS account or a local AWS, found through the outputs of its stacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ProfileNotFound

from ptmlops.errors import OperatorError, profile_message
from ptmlops.options import account_options
from stacks.config import load_settings

if TYPE_CHECKING:
    from local_aws import LocalAws

# Waits as a service asks when it throttles: the model registry allows few calls per second.
RETRIES = Config(retries={"mode": "adaptive", "max_attempts": 10})
STACKS = ("storage", "preparation", "modeling", "workflow", "monitoring", "analytics")


@dataclass(frozen=True)
class Target:
    """One deployed environment.

    Attributes:
        chosen: the options that chose the account, such as `--profile NAME`. A hint repeats them.
        ends_with_command: no later command finds it, because it is a local AWS that was started for this one.
    """

    environment: str
    session: boto3.Session
    endpoint_url: str | None = None
    chosen: tuple[str, ...] = ()
    ends_with_command: bool = False
    _clients: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def local(cls, aws: LocalAws, environment: str, *, ends_with_command: bool = False) -> Target:
        """Return the deployment of a local AWS."""
        return cls(environment, aws.session(), aws.endpoint_url, ends_with_command=ends_with_command)

    @classmethod
    def on_aws(cls, environment: str, *, profile: str | None, region: str | None) -> Target:
        """Return the deployment in an AWS account, in the region of the environment's settings unless one is given.

        Raises:
            OperatorError: the profile does not exist.
        """
        try:
            session = boto3.Session(profile_name=profile, region_name=region or load_settings(environment).environment.region)
        except ProfileNotFound as error:
            raise OperatorError(profile_message(error)) from None
        return cls(environment, session, chosen=account_options(profile=profile, region=region))

    def client(self, service: str) -> Any:
        """Return a boto3 client, created once per service."""
        if service not in self._clients:
            self._clients[service] = self.session.client(  # type: ignore[call-overload]
                service, endpoint_url=self.endpoint_url, config=RETRIES
            )
        return self._clients[service]

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """All outputs of the environment's stacks, by name.

        Raises:
            OperatorError: the environment is not deployed.
        """
        names = {f"ptmlops-{self.environment}-{stack}" for stack in STACKS}  # not by prefix: "dev" is one of "dev-two"
        outputs: dict[str, str] = {}
        for page in self.client("cloudformation").get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                if stack["StackName"] in names:
                    outputs.update({output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])})
        if "StateMachineArn" not in outputs:
            if self.endpoint_url:
                place, remedy = (
                    "this local AWS",
                    f"`ptmlops down`, which ends its runs and results, then `ptmlops up -e {self.environment}`",
                )
            else:
                place = f"region {self.session.region_name} of this account"
                remedy = f"`cdk deploy --all -c environment={self.environment}`, or name another --region or --profile"
            raise OperatorError(f"environment '{self.environment}' is not deployed in {place}: {remedy}")
        return outputs
