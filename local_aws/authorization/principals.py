"""Who makes a call, and which principals of a policy's statement that is.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

_SESSION = re.compile(r"arn:([^:]+):sts::(\d{12}):assumed-role/([^/]+)/(.+)")


class Match(IntEnum):
    """How a statement names a principal: not, by its account, or itself."""

    NO = 0
    ACCOUNT = 1
    ITSELF = 2


@dataclass(frozen=True)
class Principal:
    """A user, a session of a role, or a service.

    Attributes:
        arn: The ARN of the user or of the session, or the service's name, such as `events.amazonaws.com`.
        account: The account, empty for a service.
        role_arn: The role of a session, or None.
    """

    arn: str
    account: str = ""
    role_arn: str | None = None

    @classmethod
    def of(cls, arn: str) -> Principal:
        """Return the principal of an ARN or of a service's name. A role without a path is assumed."""
        session = _SESSION.fullmatch(arn)
        if session:
            partition, account, role, _ = session.groups()
            return cls(arn, account, f"arn:{partition}:iam::{account}:role/{role}")
        return cls(arn, arn.split(":")[4] if arn.startswith("arn:") else "")

    @property
    def is_service(self) -> bool:
        """Whether a service calls in its own name."""
        return not self.arn.startswith("arn:")


def match(element: Any, principal: Principal) -> Match:
    """Return how an element `Principal` names a principal.

    Args:
        element: `"*"`, or an object of `AWS`, `Service`, `Federated` and `CanonicalUser`.
        principal: The caller.
    """
    if element == "*":
        return Match.ITSELF
    if not isinstance(element, Mapping):
        return Match.NO
    if principal.is_service:
        named = principal.arn in _items(element.get("Service", [])) or "*" in _items(element.get("AWS", []))
        return Match.ITSELF if named else Match.NO
    return max((_match_one(value, principal) for value in _items(element.get("AWS", []))), default=Match.NO)


def _match_one(value: str, principal: Principal) -> Match:
    if value in ("*", principal.arn, principal.role_arn):
        return Match.ITSELF
    if value == principal.account or re.fullmatch(rf"arn:[^:]+:iam::{principal.account}:root", value):
        return Match.ACCOUNT
    return Match.NO


def _items(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
