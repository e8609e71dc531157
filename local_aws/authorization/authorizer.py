"""Decide the calls of the running local AWS: those that it receives, and those that its services make for each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from local_aws.authorization import encryption
from local_aws.authorization.condition_keys import RESOURCE_TAGS, TAGS_KNOWN
from local_aws.authorization.evaluate import Call, Decision, decide
from local_aws.authorization.principals import Principal
from local_aws.authorization.record import Recorder
from local_aws.authorization.requests import UNKNOWN, ApiRequest, Need, needs
from local_aws.authorization.stores import PolicyStores


class DeniedError(Exception):
    """A call is not allowed. The message is AWS's, with the reason behind it."""

    def __init__(self, call: Call, decision: Decision) -> None:
        on = f" on resource: {call.resource}" if call.resource != UNKNOWN else ""
        kind = "User" if not call.principal.is_service else "Service"
        super().__init__(f"{kind}: {call.principal.arn} is not authorized to perform: {call.action}{on}: {decision.reason}")
        self.action = call.action


class KeyUnusableError(DeniedError):
    """A key is disabled or waits for its deletion. No policy helps."""

    def __init__(self, call: Call, state: str) -> None:
        super().__init__(call, Decision(allowed=False, reason=""))
        self.args = (f"{call.resource} {'is disabled' if state == 'Disabled' else f'is in state {state}'}.",)


class Authorizer:
    """Decides and records."""

    def __init__(self, account: str, region: str, folder: Path) -> None:
        self.stores = PolicyStores(account, region)
        # By service: a function that returns the tags of the resource with an ARN, or None if there is no such resource.
        self.tags: dict[str, Callable[[str], Mapping[str, str] | None]] = {}
        self._recorder = Recorder(folder)

    def check_request(self, principal: Principal, request: ApiRequest) -> None:
        """Decide on an API request: each of its actions, and the use of keys that they imply.

        Raises:
            DeniedError: One of them is not allowed.
        """
        found = needs(request)
        for need in found:
            self._check(principal, need)
            for use in encryption.implied(need, request, self.stores):
                self._check(principal, use)
        self._check_missing_object(principal, found, request)

    def check_service(self, service: str, need: Need, *, source_arn: str) -> None:
        """Decide on a call that a service makes in its own name, and on the use of keys that it implies.

        Args:
            service: The service's name, such as `events.amazonaws.com`.
            need: The action and the resource.
            source_arn: The resource that the service calls for: a rule, an alarm.

        Raises:
            DeniedError: It is not allowed.
        """
        source = {"aws:sourcearn": source_arn, "aws:sourceaccount": self.stores.account}
        uses = encryption.of_queue(need.resource, need.action, self.stores)
        if need.action == "sns:Publish":
            uses = encryption.of_topic(need.resource, self.stores)
        self._check(Principal(service), Need(need.action, need.resource, {**need.context, **source}))
        for use in uses:
            # Nothing says that EventBridge's use of a key carries its source, so a condition on it denies.
            known = {} if service == "events.amazonaws.com" else source
            self._check(Principal(service), Need(use.action, use.resource, {**use.context, **known}))

    def check_role(self, role_arn: str, session: str, wanted: Iterable[Need]) -> None:
        """Decide on calls that a service makes with a role: that of a job, a function, a state machine.

        Raises:
            DeniedError: One of them is not allowed.
        """
        name = role_arn.rpartition("/")[2]
        principal = Principal(
            f"arn:aws:sts::{self.stores.account}:assumed-role/{name}/{session}", self.stores.account, role_arn
        )
        for need in wanted:
            self._check(principal, need)

    def decide(self, principal: Principal, need: Need) -> Decision:
        """Return and record the decision on one action."""
        call = Call(
            principal,
            need.action,
            need.resource,
            {**self._common(principal), **self._resource_tags(need.resource), **need.context},
        )
        identity = self.stores.of_principal(principal)
        resource_policy = self.stores.of_resource(need.resource)
        if need.action == "sts:AssumeRole" and principal.role_arn:
            # Users are exempt: who operates a local AWS may look at it with the eyes of each role.
            resource_policy = self.stores.trust_of(need.resource)
        grants = self.stores.grants_on(need.resource)
        decision = decide(call, identity, resource_policy, grants)
        self._recorder.add(call, decision, identity, resource_policy, grants)
        return decision

    def _check(self, principal: Principal, need: Need) -> None:
        decision = self.decide(principal, need)
        state = self.stores.key_state(need.resource) if need.action in encryption.USES else ""
        if decision.allowed and state not in ("", "Enabled"):
            raise KeyUnusableError(Call(principal, need.action, need.resource), state)
        if not decision.allowed:
            error = DeniedError(Call(principal, need.action, need.resource), decision)
            print(f"denied: {error}", file=sys.stderr)  # noqa: T201 - the server's log
            raise error

    def _check_missing_object(self, principal: Principal, found: list[Need], request: ApiRequest) -> None:
        """Check that the caller may list the bucket if the object does not exist: S3 answers others that access is denied."""
        need = found[0]
        if need.action not in ("s3:GetObject", "s3:GetObjectVersion"):
            return
        name, _, key = need.resource.removeprefix("arn:aws:s3:::").partition("/")
        bucket = self.stores.bucket(name)
        if bucket is not None and bucket.keys.get(key) is None:
            self._check(principal, Need("s3:ListBucket", f"arn:aws:s3:::{name}"))

    def _resource_tags(self, arn: str) -> Mapping[str, str]:
        """Return the condition keys for the tags of a resource, if local AWS keeps them."""
        of_service = self.tags.get(arn.split(":")[2]) if arn.startswith("arn:") else None
        tags = of_service(arn) if of_service else None
        if tags is None:
            return {}
        return {TAGS_KNOWN: "true", **{f"{RESOURCE_TAGS}{key.lower()}": value for key, value in tags.items()}}

    def _common(self, principal: Principal) -> Mapping[str, str]:
        """Return the condition keys that each call has. The connection to localhost counts as encrypted."""
        now = datetime.now(UTC)
        keys = {
            "aws:currenttime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "aws:epochtime": f"{now.timestamp():.0f}",
            "aws:securetransport": "true",
            "s3:tlsversion": "1.3",
            "aws:requestedregion": self.stores.region,
            "aws:resourceaccount": self.stores.account,
            "aws:principalisawsservice": "true" if principal.is_service else "false",
            "aws:viaawsservice": "false",
        }
        if principal.is_service:
            return {**keys, "aws:principalservicename": principal.arn}
        keys |= {
            "aws:sourceip": "127.0.0.1",
            "aws:principalaccount": principal.account,
            "aws:sourceowner": principal.account,
            "aws:principalarn": principal.role_arn or principal.arn,
            "aws:principaltype": "AssumedRole" if principal.role_arn else "User",
        }
        if not principal.role_arn:
            keys["aws:username"] = principal.arn.rpartition("/")[2]
        return keys
