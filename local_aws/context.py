"""What every part of local AWS needs to know: where its state lives, how to reach the APIs, how to become a role."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials
from botocore.loaders import Loader

from local_aws.authorization.authorizer import Authorizer
from local_aws.credentials import assume_role, check_trust, operator_credentials
from local_aws.metrics import Clock, Metrics

# The executions that run at once share a client, and each of them may hold a connection.
_CLIENT_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 3}, connect_timeout=5, read_timeout=900, max_pool_connections=50
)
# Clients that are kept. Reading a service's model takes most of the time that it takes to make one.
_CACHED_CLIENTS = 64


@dataclass(frozen=True)
class LocalContext:
    """One local AWS: its folder, its port, its account. Used inside the server's process.

    Attributes:
        minute: Seconds in a minute of a Glue job's time limit.
    """

    folder: Path
    port: int
    account_id: str
    region: str
    minute: float = 60

    @property
    def endpoint_url(self) -> str:
        """The name, not 127.0.0.1: moto finds the bucket of a template by the host's name."""
        return f"http://localhost:{self.port}"

    @cached_property
    def authorizer(self) -> Authorizer:
        """Decides who may do what."""
        return Authorizer(self.account_id, self.region, self.folder)

    @cached_property
    def metrics(self) -> Metrics:
        """Takes what services and units emit."""

        def put(namespace: str, metric_data: list[dict[str, Any]]) -> None:
            self.backend("cloudwatch").put_metric_data(namespace, metric_data)

        return Metrics(Clock(self.folder), put)

    @property
    def python(self) -> str:
        """The interpreter that jobs and functions run on."""
        return sys.executable

    def scratch(self, *parts: str) -> Path:
        """Return a folder for work in progress, made if missing."""
        path = self.folder.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def role_environment(self, role_arn: str, service: str, session_name: str | None = None) -> dict[str, str]:
        """Return environment variables with temporary credentials of a role, as the service would hand them to its work.

        Args:
            role_arn: The role.
            service: The principal that assumes it, for instance `lambda.amazonaws.com`.
            session_name: What the session is called in error messages.

        Raises:
            RoleNotAssumableError: There is no such role, or its trust policy does not name the service.
        """
        session = assume_role(self.account_id, self.region, role_arn, service, session_name)
        return {
            "AWS_ACCESS_KEY_ID": session.access_key_id,
            "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
            "AWS_SESSION_TOKEN": session.session_token,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, name: str, role_arn: str, service: str) -> Any:
        """Return a boto3 client that calls with the credentials of a role. It renews them before they expire.

        Raises:
            RoleNotAssumableError: There is no such role, or its trust policy does not name the service.
        """
        check_trust(self.account_id, role_arn, service)  # each time, because a role may have changed since its client was made
        return self._clients(name, role_arn, service)

    def client_of_operator(self, name: str) -> Any:
        """Return a boto3 client with the operator's credentials, for what the platform itself looks up."""
        return self._clients(name, None, "")

    def backend(self, service: str) -> Any:
        """Return moto's own store of a service, for what the service itself does (writing a log, moving a state)."""
        from moto.backends import get_backend

        region = "aws" if service in ("iam", "sts", "s3") else self.region
        return get_backend(service)[self.account_id][region]

    @cached_property
    def _loader(self) -> Loader:
        return Loader()

    @cached_property
    def _clients(self) -> Callable[[str, str | None, str], Any]:
        return functools.lru_cache(_CACHED_CLIENTS)(self._make_client)

    def _make_client(self, name: str, role_arn: str | None, service: str) -> Any:
        session = botocore.session.Session()
        session.register_component("data_loader", self._loader)
        if role_arn is None:
            session.set_credentials(*operator_credentials(self.folder))
        else:
            session.register_component("credential_provider", _RoleCredentials(self, role_arn, service))
        made = boto3.Session(botocore_session=session, region_name=self.region)
        return made.client(name, endpoint_url=self.endpoint_url, config=_CLIENT_CONFIG)  # type: ignore[call-overload]


@dataclass(frozen=True)
class _RoleCredentials:
    """botocore's source of credentials for one role."""

    context: LocalContext
    role_arn: str
    service: str

    def load_credentials(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(self._assume, "assume-role")

    def _assume(self) -> dict[str, str]:
        session = assume_role(self.context.account_id, self.context.region, self.role_arn, self.service)
        return {
            "access_key": session.access_key_id,
            "secret_key": session.secret_access_key,
            "token": session.session_token,
            "expiry_time": f"{session.expiration:%Y-%m-%dT%H:%M:%SZ}",
        }
