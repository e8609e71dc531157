"""Credentials inside the server: those of its operator, and temporary ones of a role that a service assumes."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

from local_aws.authorization.evaluate import Call, decide
from local_aws.authorization.policies import parse
from local_aws.authorization.principals import Principal
from local_aws.paths import STATE


class RoleNotAssumableError(Exception):
    """A service was handed a role that does not exist or does not trust it."""


def operator_credentials(folder: Path) -> tuple[str, str]:
    """Return access key and secret key of whoever operates the local AWS in `folder`."""
    state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return state["access_key_id"], state["secret_access_key"]


def check_trust(account_id: str, role_arn: str, service: str) -> None:
    """Check that a service may assume a role.

    Raises:
        RoleNotAssumableError: There is no such role, or its trust policy does not allow it.
    """
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import iam_backends

    try:
        role = iam_backends[account_id]["aws"].get_role_by_arn(role_arn)
    except NotFoundException:
        raise RoleNotAssumableError(f"role {role_arn} does not exist") from None
    policy = parse(role.assume_role_policy_document)
    call = Call(Principal(service), "sts:AssumeRole", role_arn, {"aws:sourceaccount": account_id})
    decision = decide(call, (), policy)
    if not decision.allowed:
        raise RoleNotAssumableError(f"{service} cannot assume {role_arn}: {decision.reason}")


def assume_role(account_id: str, region: str, role_arn: str, service: str, session_name: str | None = None) -> Any:
    """Return moto's AssumedRole for a service.

    Args:
        account_id: The account of the role.
        region: The region of the caller.
        role_arn: The role.
        service: The principal that assumes it, for instance `lambda.amazonaws.com`.
        session_name: What the session is called in error messages.

    Raises:
        RoleNotAssumableError: There is no such role, or its trust policy does not allow it.
    """
    from moto.sts.models import sts_backends

    check_trust(account_id, role_arn, service)
    name = re.sub(r"[^\w+=,.@-]", "-", session_name or f"local-{uuid.uuid4().hex[:8]}")[:64]
    return sts_backends[account_id]["aws"].assume_role(region, name, role_arn, "", 43200, "")
