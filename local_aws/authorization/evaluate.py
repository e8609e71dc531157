"""The decision on one call. A pure function of the call and of the policies that concern it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html, within one account.
Not modelled: permission boundaries, session policies, service and resource control policies. Local AWS has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_aws.authorization.conditions import NotUnderstoodError
from local_aws.authorization.patterns import Context
from local_aws.authorization.policies import Policy, Statement
from local_aws.authorization.principals import Match, Principal


@dataclass(frozen=True)
class Call:
    """What is decided on.

    Attributes:
        principal: Who calls.
        action: For instance `s3:GetObject`.
        resource: An ARN, or `*` for an action that takes no resource.
        context: The condition keys that have a value, in lower case.
    """

    principal: Principal
    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Grant:
    """A grant on a KMS key.

    Attributes:
        grantee: The ARN of the role or user, or the name of the service, that may use the key.
        operations: For instance `Decrypt`.
        constraints: `EncryptionContextSubset` and `EncryptionContextEquals`.
    """

    grantee: str
    operations: frozenset[str]
    constraints: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What AWS answers.

    Attributes:
        allowed: The answer.
        reason: In words, for a message.
        statements: The digests of policies and names of their statements that allow, or that deny.
    """

    allowed: bool
    reason: str
    statements: tuple[tuple[str, str], ...] = ()


# Services whose resource policy alone decides, unless it delegates to the account.
_RESOURCE_POLICY_DECIDES = ("kms:", "sts:")


def decide(
    call: Call, identity: Sequence[Policy], resource_policy: Policy | None = None, grants: Sequence[Grant] = ()
) -> Decision:
    """Return the decision on a call.

    Args:
        call: The call.
        identity: The policies of the user or the role.
        resource_policy: The policy of the resource, or None.
        grants: The grants on a key.
    """
    action = call.action.lower()
    identity_statements = [(policy, statement) for policy in identity for statement in policy.statements]
    resource_statements = resource_policy.statements if resource_policy else ()
    try:
        by_identity = [(policy, each) for policy, each in identity_statements if _applies(each, action, call)]
        by_resource = [
            (each, match)
            for each in resource_statements
            if (match := each.names(call.principal)) and _applies(each, action, call)
        ]
    except _DeniedError as denied:
        return Decision(allowed=False, reason=str(denied))
    denying = [(p.digest, s.name) for p, s in by_identity if not s.allows]
    denying += [(resource_policy.digest, s.name) for s, _ in by_resource if not s.allows] if resource_policy else []
    if denying:
        return Decision(allowed=False, reason=f"explicit deny in statement {denying[0][1]}", statements=tuple(denying))

    from_identity = tuple((p.digest, s.name) for p, s in by_identity)
    directly, delegated = (
        tuple((resource_policy.digest, s.name) for s, match in by_resource if match is wanted) if resource_policy else ()
        for wanted in (Match.ITSELF, Match.ACCOUNT)
    )
    if directly:
        return Decision(allowed=True, reason="allowed by the resource's policy", statements=(*directly, *from_identity))
    if call.principal.is_service:
        return Decision(allowed=False, reason=f"no statement of the resource's policy allows {call.principal.arn}")
    if action.startswith(_RESOURCE_POLICY_DECIDES) and resource_policy is not None:
        if any(_covers(grant, call) for grant in grants):
            return Decision(allowed=True, reason="allowed by a grant")
        if not delegated:
            return Decision(
                allowed=False, reason="the resource's policy neither allows it nor leaves it to the account's policies"
            )
    if from_identity:
        return Decision(allowed=True, reason="allowed by an identity policy", statements=(*from_identity, *delegated))
    return Decision(allowed=False, reason="no policy allows it")


class _DeniedError(Exception):
    pass


def _applies(statement: Statement, action: str, call: Call) -> bool:
    try:
        return (
            statement.concerns_action(action)
            and statement.concerns_resource(call.resource, call.context)
            and statement.holds(call.context)
        )
    except NotUnderstoodError as error:
        raise _DeniedError(f"statement {statement.name}: {error}") from None


def _covers(grant: Grant, call: Call) -> bool:
    if grant.grantee not in (call.principal.arn, call.principal.role_arn):
        return False
    if call.action.partition(":")[2] not in grant.operations:
        return False
    prefix = "kms:encryptioncontext:"
    pairs = {key.removeprefix(prefix): value for key, value in call.context.items() if key.startswith(prefix)}
    subset = _folded(grant.constraints.get("EncryptionContextSubset", {}))
    equals = grant.constraints.get("EncryptionContextEquals")
    return subset.items() <= pairs.items() and (equals is None or _folded(equals) == pairs)


def _folded(pairs: Mapping[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in pairs.items()}
