"""What every part of local AWS needs to know: where its state lives, how to reach the APIs, how to become a role."""

from __future__ import annotations

import functools
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials
from botocore.loaders import Loader

# The executions that run at once share a client, and each of them may hold a connection.
_CLIENT_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 3}, connect_timeout=5, read_timeout=900, max_pool_connections=50
)
# Clients that are kept. Reading a service's model takes most of the time that it takes to make one.
_CACHED_CLIENTS = 64
_loader = Loader()


class RoleNotAssumableError(Exception):
    """A service was handed a role that does not exist or does not trust it."""


@dataclass(frozen=True)
class LocalContext:
    """One local AWS: its folder, its port, its account. Used inside the server's process."""

    folder: Path
    port: int
    account_id: str
    region: str

    @property
    def endpoint_url(self) -> str:
        """The name, not 127.0.0.1: moto finds the bucket of a template by the host's name."""
        return f"http://localhost:{self.port}"

    @property
    def python(self) -> str:
        """The interpreter that jobs and functions run on."""
        return sys.executable

    def scratch(self, *parts: str) -> Path:
        """A folder for work in progress, made if missing."""
        path = self.folder.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def role_environment(self, role_arn: str, service: str, session_name: str | None = None) -> dict[str, str]:
        """Environment variables with temporary credentials of a role, as the service would hand them to its work.

        Args:
            role_arn: the role.
            service: the principal that assumes it, for instance `lambda.amazonaws.com`.
            session_name: what the session is called in error messages.

        Raises:
            RoleNotAssumableError: there is no such role, or its trust policy does not name the service.
        """
        from local_aws.access import assume_role

        session = assume_role(self, role_arn, service, session_name or f"local-{uuid.uuid4().hex[:8]}")
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
            RoleNotAssumableError: there is no such role, or its trust policy does not name the service.
        """
        from local_aws.access import check_trust

        check_trust(self, role_arn, service)  # each time, because a role may have changed since its client was made
        return _client_of_role(self, name, role_arn, service)

    def client_of_operator(self, name: str) -> Any:
        """Return a boto3 client with the operator's credentials, for what the platform itself looks up."""
        return _client_of_operator(self, name)

    def backend(self, service: str) -> Any:
        """moto's own store of a service, for what the service itself does (writing a log, moving a state)."""
        from moto.backends import get_backend

        region = "aws" if service in ("iam", "sts", "s3") else self.region
        return get_backend(service)[self.account_id][region]


@functools.lru_cache(_CACHED_CLIENTS)
def _client_of_role(context: LocalContext, name: str, role_arn: str, service: str) -> Any:
    from local_aws.access import assume_role

    def assume() -> dict[str, str]:
        session = assume_role(context, role_arn, service, f"local-{uuid.uuid4().hex[:8]}")
        return {
            "access_key": session.access_key_id,
            "secret_key": session.secret_access_key,
            "token": session.session_token,
            "expiry_time": f"{session.expiration:%Y-%m-%dT%H:%M:%SZ}",
        }

    session = botocore.session.Session()
    session._credentials = DeferredRefreshableCredentials(assume, "assume-role")  # type: ignore[attr-defined] # there is no public way
    return _client(context, name, session)


@functools.lru_cache(_CACHED_CLIENTS)
def _client_of_operator(context: LocalContext, name: str) -> Any:
    from local_aws.server import administrator_credentials

    credentials = administrator_credentials(context.folder)
    session = botocore.session.Session()
    session.set_credentials(credentials["aws_access_key_id"], credentials["aws_secret_access_key"])
    return _client(context, name, session)


def _client(context: LocalContext, name: str, session: botocore.session.Session) -> Any:
    session.register_component("data_loader", _loader)
    made = boto3.Session(botocore_session=session, region_name=context.region)
    return made.client(name, endpoint_url=context.endpoint_url, config=_CLIENT_CONFIG)  # type: ignore[call-overload]
