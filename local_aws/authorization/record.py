"""Write each decision to a file, once per role, action, resource and outcome.

The file is JSON Lines. Policies and sets of condition keys have a line of their own, before the first decision that refers to them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local_aws.authorization.evaluate import Call, Decision, Grant
from local_aws.authorization.policies import Policy

FILE = "decisions.jsonl"
# Keys that differ in each call. They are recorded only if a policy mentions a time.
_TIMES = frozenset({"aws:currenttime", "aws:epochtime"})


class Recorder:
    """The decisions of one local AWS."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / FILE).open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._seen: set[Any] = set()
        self._contexts: dict[Any, int] = {}

    def add(
        self,
        call: Call,
        decision: Decision,
        identity: Sequence[Policy],
        resource_policy: Policy | None,
        grants: Sequence[Grant],
    ) -> None:
        """Record a decision, unless an equal one was recorded."""
        principal = call.principal
        policies = [*identity, *([resource_policy] if resource_policy else [])]
        timed = any(policy.mentions_time for policy in policies)
        context = tuple(item for item in call.context.items() if timed or item[0] not in _TIMES)
        seen = (
            principal.arn if not decision.allowed else principal.role_arn or principal.arn,
            call.action, call.resource, context, decision, tuple(policy.text for policy in policies),
        )  # fmt: skip
        if seen in self._seen:
            return
        lines: list[dict[str, Any]] = []
        with self._lock:
            if seen in self._seen:
                return
            self._seen.add(seen)
            for policy in policies:
                if policy.digest not in self._seen:
                    self._seen.add(policy.digest)
                    lines.append({"policy": policy.digest, "document": json.loads(policy.text)})
            number = self._contexts.get(context)
            if number is None:
                number = self._contexts[context] = len(self._contexts)
                lines.append({"keys": number, "values": dict(context)})
            lines.append(
                {
                    "principal": principal.arn,
                    "role": principal.role_arn,
                    "action": call.action,
                    "resource": call.resource,
                    "context": number,
                    "allowed": decision.allowed,
                    "reason": decision.reason,
                    "statements": decision.statements,
                    "identity": [policy.digest for policy in identity],
                    "resource_policy": resource_policy.digest if resource_policy else None,
                    "grants": len(grants),
                }
            )
            self._file.write("".join(f"{json.dumps(line)}\n" for line in lines))
            self._file.flush()
