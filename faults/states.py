"""A local AWS whose state machine calls Glue, SageMaker and Lambda through a proxy that injects faults.

    python -m faults.states FOLDER PORT [--detached] [--minute SECONDS]

The rule of the next calls is the file `states-rule.json` in the server's folder (faults/proxy.py).
"""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

from faults.proxy import FaultProxy
from local_aws import patching, server
from local_aws.context import LocalContext

STATES_RULE = "states-rule.json"


def main() -> None:
    """Serve as local_aws.server does, with the proxy."""
    proxies: list[FaultProxy] = []
    starting = threading.Lock()

    @patching.extend(LocalContext, "_make_client")
    def through_proxy(make_client: Any, self: LocalContext, name: str, role_arn: str | None, service: str) -> Any:
        if service != "states.amazonaws.com":
            return make_client(self, name, role_arn, service)
        with starting:
            if not proxies:
                proxies.append(FaultProxy(self.endpoint_url, rule_file=self.folder / STATES_RULE))
        return make_client(dataclasses.replace(self, port=proxies[0].port), name, role_arn, service)

    server.main()


if __name__ == "__main__":
    main()
