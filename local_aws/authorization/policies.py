"""Policy documents, parsed once per text and kept."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_aws.authorization import conditions, principals
from local_aws.authorization.conditions import NotUnderstoodError
from local_aws.authorization.patterns import Context, arn_matches, lacks_value, matches
from local_aws.authorization.principals import Match, Principal

_EMPTY: Context = {}


@dataclass(frozen=True, eq=False)
class Statement:
    """One statement of a policy. `name` is its Sid, or its place in the document."""

    name: str
    allows: bool
    variables: bool
    actions: tuple[str, ...]
    except_actions: bool
    resources: tuple[str, ...] | None
    except_resources: bool
    principal: Any
    except_principal: bool
    condition: Mapping[str, Mapping[str, Any]]

    @functools.lru_cache(1024)  # noqa: B019 - statements are kept as long as the process
    def concerns_action(self, action: str) -> bool:
        """Return whether the statement is about an action, in lower case."""
        return any(matches(pattern, action, _EMPTY, variables=False) for pattern in self.actions) != self.except_actions

    def concerns_resource(self, resource: str, context: Context) -> bool:
        """Return whether the statement is about a resource: an ARN, or `*` for an action that takes none.

        Raises:
            NotUnderstoodError: A variable in NotResource has no value.
        """
        if self.resources is None:
            return True  # a trust policy
        found = any(
            pattern == "*" or arn_matches(pattern, resource, context, variables=self.variables) for pattern in self.resources
        )
        if self.except_resources and self.variables and any(lacks_value(each, context) for each in self.resources):
            raise NotUnderstoodError("a variable in NotResource has no value")
        return found != self.except_resources

    def names(self, principal: Principal) -> Match:
        """Return how the statement of a resource policy names a principal."""
        found = principals.match(self.principal, principal)
        if not self.except_principal:
            return found
        return Match.NO if found else Match.ITSELF

    def holds(self, context: Context) -> bool:
        """Return whether the conditions hold.

        Raises:
            NotUnderstoodError: A condition cannot be evaluated.
        """
        return not self.condition or conditions.hold(self.condition, context)


@dataclass(frozen=True, eq=False)
class Policy:
    """A parsed document."""

    text: str
    statements: tuple[Statement, ...]

    @functools.cached_property
    def mentions_time(self) -> bool:
        """Whether a condition may be about the time of the call."""
        return "time" in self.text.lower()

    @functools.cached_property
    def digest(self) -> str:
        """A short hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def parse(document: str | Mapping[str, Any]) -> Policy:
    """Return the policy of a document."""
    return _parse(document if isinstance(document, str) else json.dumps(document))


@functools.lru_cache(4096)
def _parse(text: str) -> Policy:
    document = json.loads(text)
    variables = document.get("Version") == "2012-10-17"
    statements = _items(document.get("Statement", []))
    return Policy(text, tuple(_statement(f"{index}", body, variables=variables) for index, body in enumerate(statements)))


def _statement(place: str, body: Mapping[str, Any], *, variables: bool) -> Statement:
    actions = _items(body.get("Action", body.get("NotAction", [])))
    resources = body.get("Resource", body.get("NotResource"))
    return Statement(
        name=body.get("Sid") or place,
        allows=body["Effect"] == "Allow",
        variables=variables,
        actions=tuple(action.lower() for action in actions),
        except_actions="NotAction" in body,
        resources=None if resources is None else tuple(_items(resources)),
        except_resources="NotResource" in body,
        principal=body.get("Principal", body.get("NotPrincipal")),
        except_principal="NotPrincipal" in body,
        condition=body.get("Condition", {}),
    )


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]
