"""Where the command line works: an AWS account or a local AWS, and what the stacks' outputs say is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from local_aws import LocalAws
from stacks.config import load_settings

LOCAL_FOLDER = Path(".local_aws")


class OperatorError(Exception):
    """Something a person can repair; the message says what, and what to do next."""


STACKS = ("storage", "preparation", "modeling", "workflow", "monitoring", "analytics")


@dataclass(frozen=True)
class Target:
    """One deployed environment."""

    environment: str
    session: boto3.Session
    endpoint_url: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def local(cls, aws: LocalAws, environment: str) -> Target:
        """A local AWS."""
        return cls(environment, aws.session(), aws.endpoint_url)

    @classmethod
    def on_aws(cls, environment: str, *, profile: str | None, region: str | None) -> Target:
        """The account of the usual credentials, in the settings' region unless one is given.

        Raises:
            OperatorError: no such profile.
        """
        try:
            session = boto3.Session(profile_name=profile, region_name=region or load_settings(environment).environment.region)
        except ProfileNotFound:
            raise OperatorError(f"AWS profile '{profile}' is not configured: see `aws configure list-profiles`") from None
        return cls(environment, session)

    def client(self, service: str) -> Any:
        """A boto3 client, made once."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service, endpoint_url=self.endpoint_url)  # type: ignore[call-overload]
        return self._clients[service]

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """All outputs of the environment's stacks by name.

        Raises:
            OperatorError: nothing is deployed there.
        """
        names = {f"ptmlops-{self.environment}-{stack}" for stack in STACKS}  # an environment's name may begin as another's
        found: dict[str, str] = {}
        for page in self.client("cloudformation").get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                if stack["StackName"] in names:
                    found.update({output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])})
        if "StateMachineArn" not in found:
            if self.endpoint_url:
                place, remedy = "this local AWS", f"`ptmlops down`, then `ptmlops up -e {self.environment}`"
            else:
                place = f"region {self.session.region_name} of this account"
                remedy = f"`cdk deploy --all -c environment={self.environment}`, or name another --region or --profile"
            raise OperatorError(f"environment '{self.environment}' is not deployed in {place}: {remedy}")
        return found


def explain(error: Exception) -> str | None:
    """What an AWS error means for the person at the prompt; None where it is not one of the usual."""
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials were found: run `aws sso login` or set AWS_PROFILE, or use --local"
    if isinstance(error, NoRegionError):
        return "no AWS region is set: pass --region, or set AWS_REGION"
    if isinstance(error, EndpointConnectionError):
        return f"AWS cannot be reached ({error.kwargs.get('endpoint_url')}): check the network, or use --local"
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        if "Expired" in code:
            return "the AWS credentials have expired: log in again"
        if "AccessDenied" in code or "Unauthorized" in code:
            return f"AWS refused {error.operation_name}: the credentials in use lack that permission"
        return f"AWS refused {error.operation_name}: {error.response['Error'].get('Message', code)}"
    if isinstance(error, BotoCoreError):
        return f"AWS call failed: {error}"
    return None
