"""The proxy between a function and the APIs: microburst, which knows botocore's models, told which of the calls a fault is for."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from microburst.app import make_app
from microburst.core.pipeline import Microburst
from microburst.detection import detect
from microburst.forward import HOP_BY_HOP

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A fault, and the calls that meet it.

    Attributes:
        rule: microburst's rule without `service`; empty for no fault.
        call: the number of the function's call that meets it, from 0.
        always: also each later call of the same operation meets it.
        kill: end the function's process "before" or "after" the call's effect.
        lose: the call takes effect, and the connection is reset instead of an answer.
        operation: instead of `call`: `service:Operation` of the calls that meet it.
        count: how many of them.
        delay: seconds that a call waits before it is passed on.
        clock: seconds by which the function's clock is ahead; the proxy does nothing about it.
    """

    rule: dict[str, Any] | None = None
    call: int = -1
    always: bool = False
    kill: str = ""
    lose: bool = False
    operation: str = ""
    count: int = 1
    delay: float = 0
    clock: int = 0


class _Proxy(Microburst):
    """microburst, with its engine asked only about the calls that the rule is for."""

    def __init__(self, upstream: str, end_process: Callable[[], None], rule_file: Path | None) -> None:
        super().__init__(upstream, resign=False)
        self._rule_file, self._rule_text = rule_file, ""
        self.requests: list[str] = []
        self._rule, self._operation, self._end_process = Rule(), "", end_process
        self.met = 0
        self._decide = self.engine.decide
        self.engine.decide = self._decide_met

    def begin(self, rule: Rule) -> None:
        self._rule, self._operation, self.requests, self.met = rule, "", [], 0
        self.engine.set_rules([{"service": "*", **rule.rule}] if rule.rule else [])

    def _decide_met(self, context: Any) -> Any:
        """Decide on a call that meets the fault; no other call gets here."""
        self._note(_name(context), meets=True)
        return self._decide(context)

    def _note(self, operation: str, *, meets: bool) -> None:
        self._operation = operation if len(self.requests) == self._rule.call else self._operation
        self.requests.append(operation)
        self.met += meets

    def _meets(self, operation: str) -> bool:
        rule = self._rule
        if rule.operation:
            return operation == rule.operation and self.met < rule.count
        return len(self.requests) == rule.call or (rule.always and operation == self._operation)

    def _read_rule(self) -> None:
        text = self._rule_file.read_text(encoding="utf-8") if self._rule_file and self._rule_file.exists() else ""
        if text != self._rule_text:
            self._rule_text = text
            self.begin(Rule(**json.loads(text)) if text else Rule())

    async def handle_proxy(self, request: web.Request) -> Any:
        self._read_rule()
        url, rule = request.rel_url, self._rule
        context = detect(request.headers, request.method, url.raw_path, url.query, None)
        if context.service != "s3":  # the operation is in the body, and a body that has been read cannot be cut any more
            context = detect(request.headers, request.method, url.raw_path, url.query, await request.read())
        meets = self._meets(_name(context))
        if meets and rule.rule:
            return await super().handle_proxy(request)
        self._note(_name(context), meets=meets)
        if meets and rule.kill == BEFORE:
            return self._break(request)
        if meets:
            await asyncio.sleep(rule.delay)
        answer = await self._forward(request)
        return self._break(request) if meets and (rule.lose or rule.kill) else answer

    def _break(self, request: web.Request) -> web.Response:
        """Kill the function if the rule says so, and reset its connection."""
        if self._rule.kill:
            self._end_process()
        if request.transport:
            request.transport.abort()
        return web.Response()

    async def _forward(self, request: web.Request) -> web.Response:
        """Return the answer with its length, which microburst leaves out."""
        session: Any = self.upstream.session
        address = self.upstream.base_url + request.rel_url.raw_path_qs
        headers, body = self.upstream._outbound_headers(request), await request.read()
        async with session.request(request.method, address, headers=headers, data=body, allow_redirects=False) as answer:
            content = await answer.read()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            if request.method == "HEAD":
                kept["Content-Length"] = answer.headers.get("Content-Length", "0")
            return web.Response(status=answer.status, headers=kept, body=content)


def _name(context: Any) -> str:
    return f"{context.service}:{context.operation}"


class FaultProxy:
    """A proxy that runs in a thread of this process."""

    def __init__(
        self, upstream: str, *, end_process: Callable[[], None] = lambda: None, rule_file: Path | None = None
    ) -> None:
        """Start.

        Args:
            upstream: the APIs.
            end_process: kills the function that calls.
            rule_file: where another process writes the rule of the next calls, as JSON. It may name an `operation` instead of a call,
                and then how many calls of it meet the fault: `count`.
        """
        self._proxy = _Proxy(upstream, end_process, rule_file)
        self._ready = threading.Event()
        self.port = 0
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        if not self._ready.wait(30):
            raise RuntimeError("the proxy did not start")

    def begin(self, rule: Rule) -> None:
        """Set the fault of the next call of the function."""
        self._proxy.begin(rule)

    @property
    def requests(self) -> list[str]:
        """`service:Operation` of each request since `begin`."""
        return list(self._proxy.requests)

    @property
    def fired(self) -> int:
        """How many requests since `begin` met the fault."""
        return self._proxy.met

    async def _serve(self) -> None:
        runner = web.AppRunner(make_app(self._proxy), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await asyncio.Event().wait()
