"""Authorize requests by resource and condition, as AWS does. moto checks only the resource `*` and few conditions.

A request is allowed if a statement of the caller's policies allows its action on the resources that the request names, and none
denies it. Resources are taken from the request itself: every ARN in it, and every name for the patterns whose last part is that name.
iam:PassRole is required if a role is handed to SageMaker. Not modelled: permission boundaries, service control policies, resource
policies, key policies.
"""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

from local_aws import patching
from local_aws.credentials import as_list
from local_aws.services.base import Service

# Operations that AWS authorizes under the name of another action (Service Authorization Reference).
_ACTIONS = {
    "s3:HeadObject": ["s3:GetObject"],
    "s3:HeadBucket": ["s3:ListBucket"],
    "s3:ListObjects": ["s3:ListBucket"],
    "s3:ListObjectsV2": ["s3:ListBucket"],
    "s3:ListObjectVersions": ["s3:ListBucketVersions"],
    "s3:CopyObject": ["s3:PutObject"],
    "s3:CreateMultipartUpload": ["s3:PutObject"],
    "s3:UploadPart": ["s3:PutObject"],
    "s3:CompleteMultipartUpload": ["s3:PutObject"],
    "s3:DeleteObjects": ["s3:DeleteObject"],
    "sqs:SendMessageBatch": ["sqs:SendMessage"],
    "sqs:DeleteMessageBatch": ["sqs:DeleteMessage"],
    "sqs:ChangeMessageVisibilityBatch": ["sqs:ChangeMessageVisibility"],
    "lambda:Invoke": ["lambda:InvokeFunction"],
    "dynamodb:TransactGetItems": ["dynamodb:GetItem"],
}
_TRANSACTION = {"Put": "dynamodb:PutItem", "Update": "dynamodb:UpdateItem", "Delete": "dynamodb:DeleteItem"}


class IamService(Service):
    """Checks every request against the policies of its sender."""

    def install(self) -> None:
        """Replace moto's two decisions about a request."""
        from moto.iam.access_control import IAMRequestBase

        @patching.replace(IAMRequestBase, "check_signature")
        def check_signature(self: Any) -> None:
            """Accept any: on localhost the session token identifies the caller. moto's canonical form fails on keys with accents."""

        patching.replace(IAMRequestBase, "check_action_permitted")(_check_action_permitted)


def _check_action_permitted(self: Any, resource: str) -> None:
    if self._action == "sts:GetCallerIdentity":
        return
    statements = list(_statements(self._access_key.collect_policies()))
    if any(s["Effect"] == "Allow" and s.get("Action") == "*" and s.get("Resource") == "*" for s in statements):
        return  # the deploying administrator
    request = _parameters(self)
    names = set(_values(request))
    if resource != "*":
        names.add(resource)
    for action in _required_actions(self._action, request):
        if not _allowed(statements, action, names):
            _deny(self, action)
    if self._service == "sagemaker":
        for role in _roles(request):
            if not _allowed(statements, "iam:PassRole", {role}, {"iam:PassedToService": "sagemaker.amazonaws.com"}):
                _deny(self, "iam:PassRole")


def _deny(self: Any, action: str) -> None:
    """Raise AccessDenied in the form that the service's clients read, with the permission that is missing."""
    from moto.core.exceptions import JsonRESTError

    message = f"User: {self._access_key.arn} is not authorized to perform: {action}"
    print(f"denied: {message}", file=sys.stderr)  # noqa: T201 - the server's log
    if "X-Amz-Target" in self._headers or self._service == "lambda":
        raise JsonRESTError("AccessDeniedException", message)
    self._action = action
    self._raise_access_denied()


def _statements(policies: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Yield the statements of moto's policies, which are documents, models, or names of managed policies."""
    for policy in policies:
        if getattr(policy, "arn", "").endswith(":policy/AdministratorAccess"):
            yield {"Effect": "Allow", "Action": "*", "Resource": "*"}  # moto does not load AWS's managed policies
            continue
        document = policy
        if hasattr(policy, "versions"):
            document = next(version.document for version in policy.versions if version.is_default)
        elif isinstance(policy, dict):
            document = policy.get("policy_document", policy)
        yield from as_list((json.loads(document) if isinstance(document, str) else document)["Statement"])


def _required_actions(action: str, request: Mapping[str, Any]) -> list[str]:
    if action == "dynamodb:TransactWriteItems":
        return sorted(
            {_TRANSACTION[kind] for item in request.get("TransactItems", []) for kind in item if kind in _TRANSACTION}
        )
    if action == "s3:GetObject" and request.get("versionId"):
        return ["s3:GetObjectVersion"]
    return _ACTIONS.get(action, [action])


def _allowed(statements: list[dict[str, Any]], action: str, names: set[str], context: Mapping[str, str] | None = None) -> bool:
    verdict = False
    for statement in statements:
        actions = [pattern.lower() for pattern in as_list(statement.get("Action", []))]
        if not any(fnmatch.fnmatchcase(action.lower(), pattern) for pattern in actions):
            continue
        if not any(_names_resource(pattern, names) for pattern in as_list(statement.get("Resource", []))):
            continue
        if not _conditions_hold(statement.get("Condition", {}), context or {}):
            continue
        if statement["Effect"] == "Deny":
            return False
        verdict = True
    return verdict


def _names_resource(pattern: str, names: set[str]) -> bool:
    if pattern == "*":
        return True
    if any(fnmatch.fnmatchcase(name, pattern) for name in names if name.startswith("arn:")):
        return True
    # Requests of most services contain a resource's name, not its ARN: compare with what follows the resource's type.
    # Not for S3, because moto always knows the full ARN of its resources.
    parts = pattern.split(":", 5)
    if len(parts) < 6 or parts[2] == "s3":
        return False
    tail = parts[5]
    ids = {tail, tail.partition("/")[2], tail.partition(":")[2]} - {""}
    return any(fnmatch.fnmatchcase(name.lstrip("/"), candidate) for name in names for candidate in ids)


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Return whether all known keys match. A key that local AWS cannot know (an encryption context, a namespace) counts as met."""
    for operator, keys in conditions.items():
        for key, expected in keys.items():
            if key not in context:
                continue
            wanted = [str(value) for value in as_list(expected)]
            match = any(fnmatch.fnmatchcase(context[key], value) for value in wanted)
            if match == operator.startswith(("StringNot", "ArnNot")):
                return False
    return True


def _parameters(request: Any) -> dict[str, Any]:
    """Return the request's parameters, whichever protocol carried them."""
    url = urlparse(request._path)
    parameters: dict[str, Any] = {key: values[0] for key, values in parse_qs(url.query).items()}
    parameters["path"] = [unquote(part) for part in url.path.split("/") if part]
    try:
        body = json.loads(request._body or "{}")
    except (ValueError, UnicodeDecodeError):
        body = {}
    if isinstance(body, dict):
        parameters.update(body)
    for key, value in (request._data or {}).items():
        parameters.setdefault(key, value[0] if isinstance(value, list) and value else value)
    return parameters


def _values(value: object) -> Iterator[str]:
    """Yield every string in the parameters, and the name at the end of a queue's URL."""
    if isinstance(value, str):
        yield value
        if value.startswith("http"):
            yield value.rpartition("/")[2]
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)  # BatchGetItem names its tables so
            yield from _values(item)
    elif isinstance(value, list):
        for item in value:
            yield from _values(item)


def _roles(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in ("RoleArn", "ExecutionRoleArn") and isinstance(item, str):
                yield item
            else:
                yield from _roles(item)
    elif isinstance(value, list):
        for item in value:
            yield from _roles(item)
