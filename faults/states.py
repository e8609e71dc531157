"""A local AWS whose state machine and Glue jobs call the APIs through proxies that inject faults.

    python -m faults.states FOLDER PORT [--detached] [--minute SECONDS]

The rule of the next calls of each is a file in the server's folder (RULES; faults/proxy.py reads it). The state machine waits a twentieth of
the time before it retries, because checks would wait most of the time.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from types import SimpleNamespace
from typing import Any

from faults.proxy import FaultProxy
from local_aws import patching, server
from local_aws.context import LocalContext

STATE_MACHINE, GLUE_JOBS = "states.amazonaws.com", "glue.amazonaws.com"
WAITS = 1 / 20
RULES = {STATE_MACHINE: "states-rule.json", GLUE_JOBS: "glue-rule.json"}


def main() -> None:
    """Serve as local_aws.server does, with the proxies."""
    starting = threading.Lock()

    @patching.extend(server, "create_services")
    def create_services(original: Any, context: LocalContext) -> Any:
        # Not before: the server decides how moto is imported.
        from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

        retrier_decl.time = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds * WAITS))
        return original(context)

    @functools.cache
    def proxy(context: LocalContext, service: str) -> FaultProxy:
        return FaultProxy(context.endpoint_url, rule_file=context.folder / RULES[service])

    def behind_proxy(context: LocalContext, service: str) -> LocalContext:
        with starting:
            return dataclasses.replace(context, port=proxy(context, service).port)

    @patching.extend(LocalContext, "_make_client")
    def make_client(original: Any, self: LocalContext, name: str, role_arn: str | None, service: str) -> Any:
        return original(behind_proxy(self, service) if service == STATE_MACHINE else self, name, role_arn, service)

    @patching.extend(LocalContext, "role_environment")
    def role_environment(
        original: Any, self: LocalContext, role_arn: str, service: str, session_name: str | None = None
    ) -> dict[str, str]:
        variables: dict[str, str] = original(self, role_arn, service, session_name)
        if service == GLUE_JOBS:
            variables["AWS_ENDPOINT_URL"] = behind_proxy(self, service).endpoint_url
        return variables

    server.main()


if __name__ == "__main__":
    main()
