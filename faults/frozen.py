"""A local AWS whose functions can be called again and again in the world as it was just before they were called.

    python -m faults.frozen FOLDER PORT [--detached] [--minute SECONDS]

Before it calls a function, the server forks. The child is a snapshot: ledger, buckets, registry and executions, as they are at that
moment. For each request on its socket it forks again, serves its copy of the APIs behind a proxy that injects faults, calls the function
with the same event, and answers what the function did to the world. So every fault meets the same world, and none leaves a trace.

Snapshots are taken while the server's folder has the file `freeze`. Their sockets are `frozen/<number>-<function>.sock`. A request is a
line of JSON: the `calls` to make, one after the other, each with the rule of its fault (faults/proxy.py), all of them or `until_success`.
The answer is one, too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import signal
import socket
import stat
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

from faults.proxy import FaultProxy, Rule
from faults.world import World
from local_aws import patching, server
from local_aws.authorization.record import Recorder
from local_aws.context import LocalContext
from local_aws.paths import STATE
from local_aws.services.lambda_.runner import FunctionRunner

FREEZE, FROZEN = "freeze", "frozen"
FUNCTIONS = ("start_run", "collect_run", "plan_run", "promote_model", "record_run")


def main() -> None:
    """Serve as local_aws.server does, and freeze functions."""
    from werkzeug import serving

    os.environ["MOTO_S3_DEFAULT_KEY_BUFFER_SIZE"] = str(1 << 30)  # a file on disk would share its position with every fork
    make_server, applications = serving.make_server, []

    def remember(host: str, port: int, app: Any, **options: Any) -> Any:
        applications.append((app, options))
        return make_server(host, port, app, **options)

    serving.make_server = remember
    numbers = itertools.count()

    @patching.extend(FunctionRunner, "run")
    def run(original: Any, self: FunctionRunner, function: Any, event: object) -> Any:
        name = str(function.handler).split(".", 1)[0]
        if name in FUNCTIONS and (self._context.folder / FREEZE).exists():
            _freeze(self, function, event, f"{next(numbers):02}-{name}", lambda: (make_server, *applications[0]))
        return original(self, function, event)

    server.main()


def _freeze(runner: FunctionRunner, function: Any, event: object, name: str, serving: Any) -> None:
    """Fork a snapshot that answers on its socket. Return in the server."""
    from moto.core.base_backend import backend_lock

    folder, server_process = runner._context.scratch(FROZEN), os.getpid()
    with backend_lock:  # no other thread may hold it in the moment of the fork
        if os.fork():
            return
    try:
        _close_sockets()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the calls' processes
        listener = socket.socket(socket.AF_UNIX)
        path = folder / f"{name}.sock"
        listener.bind(f"{path}.new")
        listener.listen(64)
        Path(f"{path}.new").rename(path)
        listener.settimeout(1)
        while os.getppid() == server_process:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _answer(connection, runner, function, event, serving)
                os._exit(0)
            connection.close()
    finally:
        os._exit(1)


def _close_sockets() -> None:
    """Close what the server's threads talk through: a peer that waits for its end would wait for ours."""
    for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        with contextlib.suppress(OSError):
            if descriptor > 2 and stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.close(descriptor)


def _answer(connection: socket.socket, runner: FunctionRunner, function: Any, event: object, serving: Any) -> None:
    with connection, tempfile.TemporaryDirectory() as folder:
        try:
            request = json.loads(connection.makefile().readline())
            rules = [Rule(**rule) for rule in request["calls"]]
            answer = _call(Path(folder), runner, function, event, serving, rules, until_success=request["until_success"])
        except BaseException:  # noqa: BLE001 - a defect of this tool, reported to who asked
            answer = {"defect": traceback.format_exc()}
        with contextlib.suppress(OSError):  # who asked may have ended
            connection.sendall(json.dumps(answer).encode() + b"\n")


def _call(
    folder: Path, runner: FunctionRunner, function: Any, event: object, serving: Any, rules: list[Rule], *, until_success: bool
) -> dict[str, Any]:
    """Serve this copy of the world, call the function once per rule, or until it succeeds, and return what happened."""
    context = runner._context
    world = World(context)
    _own(context, folder)
    _start_no_execution()
    make_server, application, options = serving()
    http = make_server("localhost", 0, application, **options)
    object.__setattr__(context, "port", http.server_port)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    proxy = FaultProxy(context.endpoint_url, end_process=lambda: _end_processes(runner))
    behind_proxy = dataclasses.replace(context, port=proxy.port)
    behind_proxy.__dict__["authorizer"] = context.authorizer
    behind_proxy.__dict__["metrics"] = context.metrics
    runner._context = behind_proxy
    calls, variables = [], dict(function.environment_vars)
    for rule in rules:
        proxy.begin(rule)
        function.environment_vars = {**variables, **_clock(folder, rule.clock)}
        result = runner.run(function, event)  # freezes nothing, because its folder asks for nothing
        payload = json.loads(result.payload or "null")
        calls.append(
            {
                "error": result.error,
                "payload": world.normalized(payload),
                "requests": proxy.requests,
                "fired": proxy.fired or int(bool(rule.clock)),
                "effects": world.effects(),
            }
        )
        if until_success and result.error is None:
            break
    return {"calls": calls}


def _clock(folder: Path, seconds: int) -> dict[str, str]:
    """Return the variables that make Python's clock wrong from its start."""
    if not seconds:
        return {}
    startup = folder / "sitecustomize.py"
    startup.write_text(f"import time, time_machine\ntime_machine.travel(time.time() + {seconds}).start()\n", encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


def _end_processes(runner: FunctionRunner) -> None:
    for process in list(runner._running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _own(context: LocalContext, folder: Path) -> None:
    """Let this process write to a folder of its own; it shares the unpacked code."""
    shutil.copy(context.folder / STATE, folder / STATE)
    (folder / "lambda").symlink_to(context.folder / "lambda")
    context.authorizer._recorder = Recorder(folder)
    object.__setattr__(context, "folder", folder)
    context.__dict__.pop("_clients", None)  # their connections lead to the server


def _start_no_execution() -> None:
    """Let StartExecution note the execution, and run none: its states would call the next function."""
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

    ExecutionWorker.start = lambda _self: None


if __name__ == "__main__":
    main()
