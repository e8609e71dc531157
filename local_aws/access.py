"""IAM as AWS decides it, for the services of this app: moto asks only about `*` and understands few conditions.

Replaces one method of moto, `check_action_permitted`. A request is allowed when a statement of the caller's policies allows
its action on the resources that the request names, and none denies it. Resources are taken from the request itself: every
ARN in it, and every name for the patterns whose last part is that name. iam:PassRole is asked for where a role is handed to
SageMaker. Not modelled: permission boundaries, service control policies, resource policies, key policies.
"""

from __future__ import annotations

import fnmatch
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

from local_aws.context import LocalContext, RoleNotAssumableError

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


def check_trust(context: LocalContext, role_arn: str, service: str) -> None:
    """Check that a service may assume a role.

    Raises:
        RoleNotAssumableError: there is no such role, or its trust policy does not name the service.
    """
    from moto.iam.exceptions import NotFoundException

    try:
        role = context.backend("iam").get_role_by_arn(role_arn)
    except NotFoundException:
        raise RoleNotAssumableError(f"role {role_arn} does not exist") from None
    document = role.assume_role_policy_document
    policy = json.loads(document) if isinstance(document, str) else document
    trusted = {
        principal
        for statement in _listed(policy["Statement"])
        if statement["Effect"] == "Allow" and isinstance(statement.get("Principal"), dict)
        for principal in _listed(statement["Principal"].get("Service", []))
    }
    if service not in trusted:
        raise RoleNotAssumableError(
            f"{service} cannot assume {role_arn}: its trust policy names {', '.join(sorted(trusted)) or 'no service'}"
        )


def assume_role(context: LocalContext, role_arn: str, service: str, session_name: str) -> Any:
    """Return moto's AssumedRole for a service.

    Raises:
        RoleNotAssumableError: there is no such role, or its trust policy does not name the service.
    """
    from moto.sts.models import sts_backends

    check_trust(context, role_arn, service)
    return sts_backends[context.account_id]["aws"].assume_role(
        context.region, re.sub(r"[^\w+=,.@-]", "-", session_name)[:64], role_arn, "", 43200, ""
    )


def install(_context: LocalContext) -> None:
    """From here on every request is held against the policies of whoever sent it."""
    from moto import settings
    from moto.iam.access_control import IAMRequestBase

    # No signature check: on localhost the session token says who calls, and moto's canonical form breaks on keys with accents.
    IAMRequestBase.check_signature = lambda _self: None
    IAMRequestBase.check_action_permitted = _check_action_permitted
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0


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
    """AccessDenied in the form that the service's clients read, naming the permission that is missing."""
    from moto.core.exceptions import JsonRESTError

    message = f"User: {self._access_key.arn} is not authorized to perform: {action}"
    print(f"denied: {message}", file=sys.stderr)  # noqa: T201 - the server's log
    if "X-Amz-Target" in self._headers or self._service == "lambda":
        raise JsonRESTError("AccessDeniedException", message)
    self._action = action
    self._raise_access_denied()


def _statements(policies: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Statements of moto's policies, which come as documents, as models, and as names of managed ones."""
    for policy in policies:
        if getattr(policy, "arn", "").endswith(":policy/AdministratorAccess"):
            yield {"Effect": "Allow", "Action": "*", "Resource": "*"}  # moto does not load AWS's managed policies
            continue
        document = policy
        if hasattr(policy, "versions"):
            document = next(version.document for version in policy.versions if version.is_default)
        elif isinstance(policy, dict):
            document = policy.get("policy_document", policy)
        yield from _listed((json.loads(document) if isinstance(document, str) else document)["Statement"])


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
        actions = [pattern.lower() for pattern in _listed(statement.get("Action", []))]
        if not any(fnmatch.fnmatchcase(action.lower(), pattern) for pattern in actions):
            continue
        if not any(_names_resource(pattern, names) for pattern in _listed(statement.get("Resource", []))):
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
    # Requests of most services name a thing, not its ARN: compare with what follows the resource's type.
    # Never for S3, whose resource moto always knows in full.
    parts = pattern.split(":", 5)
    if len(parts) < 6 or parts[2] == "s3":
        return False
    tail = parts[5]
    ids = {tail, tail.partition("/")[2], tail.partition(":")[2]} - {""}
    return any(fnmatch.fnmatchcase(name.lstrip("/"), candidate) for name in names for candidate in ids)


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Known keys are compared; a key that local AWS cannot know (an encryption context, a namespace) is taken as met."""
    for operator, keys in conditions.items():
        for key, expected in keys.items():
            if key not in context:
                continue
            wanted = [str(value) for value in _listed(expected)]
            match = any(fnmatch.fnmatchcase(context[key], value) for value in wanted)
            if match == operator.startswith(("StringNot", "ArnNot")):
                return False
    return True


def _parameters(request: Any) -> dict[str, Any]:
    """The request's parameters, whichever protocol carried them."""
    url = urlparse(request._path)
    found: dict[str, Any] = {key: values[0] for key, values in parse_qs(url.query).items()}
    found["path"] = [unquote(part) for part in url.path.split("/") if part]
    try:
        body = json.loads(request._body or "{}")
    except (ValueError, UnicodeDecodeError):
        body = {}
    if isinstance(body, dict):
        found.update(body)
    for key, value in (request._data or {}).items():
        found.setdefault(key, value[0] if isinstance(value, list) and value else value)
    return found


def _values(value: object) -> Iterator[str]:
    """Every string in the parameters; of a queue's URL also its name."""
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


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
