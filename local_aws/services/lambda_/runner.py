"""One invocation of a function: a process with the packaged handler, its result, and its log."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import threading
import time
import uuid
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_aws.authorization.authorizer import DeniedError
from local_aws.authorization.job_roles import function_log
from local_aws.context import LocalContext
from local_aws.credentials import RoleNotAssumableError
from local_aws.logs import write_log
from local_aws.paths import JOB_SITE
from local_aws.services.lambda_.runtime_api import RuntimeApi


@dataclass(frozen=True)
class Result:
    """What an invocation returned. `error` is None if the function succeeded."""

    payload: str
    error: str | None
    log: str


class FunctionRunner:
    """The runner of functions. It knows which of them run."""

    def __init__(self, context: LocalContext) -> None:
        self._context = context
        self._running: set[subprocess.Popen[bytes]] = set()
        self._unpack_lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """End what runs, and refuse more."""
        self._closed = True
        for process in list(self._running):
            _kill(process)

    def run(self, function: Any, event: object) -> Result:
        """Invoke moto's function once, and log what it printed."""
        request_id = str(uuid.uuid4())
        if self._closed:
            return _refusal("Runtime.ExitError", "local AWS is stopping", request_id)
        try:
            credentials = self._context.role_environment(function.role, "lambda.amazonaws.com", function.function_name)
        except RoleNotAssumableError as denied:
            return _refusal("AccessDeniedException", str(denied), request_id)
        group = logging_of(function).get("LogGroup") or f"/aws/lambda/{function.function_name}"
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        root = self._unpack(function.code_bytes)
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(JOB_SITE),
            **function.environment_vars,
            **credentials,
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_LOG_GROUP_NAME": group,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "LAMBDA_TASK_ROOT": str(root),
            "_HANDLER": function.handler,
            "AWS_LAMBDA_LOG_FORMAT": logging_of(function).get("LogFormat", "Text"),
            # Without it the client warns that the runtime is a preview. The service has released it; this client does not know.
            "LAMBDA_DISABLE_PREVIEW_WARN": "1",
        }
        started = time.monotonic()
        payload, error, output = self._execute(function, event, request_id, environment, root)
        milliseconds = (time.monotonic() - started) * 1000
        start = _platform_line(function, "start", request_id)
        for metric, value, unit in (
            ("Invocations", 1.0, "Count"),
            ("Errors", float(error is not None), "Count"),
            ("Throttles", 0.0, "Count"),
            ("Duration", milliseconds, "Milliseconds"),
        ):
            self._context.metrics.add("AWS/Lambda", metric, value, unit, FunctionName=function.function_name)
        log = f"{start}\n{output}{_platform_line(function, 'report', request_id, milliseconds)}\n"
        self._write_log(function, group, stream, log)
        return Result(payload, error, log)

    def _write_log(self, function: Any, group: str, stream: str, log: str) -> None:
        """Write the log with the function's role. If the role may not write it, Lambda drops it."""
        context = self._context
        wanted = function_log(context.region, context.account_id, group)
        with contextlib.suppress(DeniedError):  # the authorizer has printed it
            context.authorizer.check_role(function.role, function.function_name, wanted)
            write_log(context, group, stream, log.splitlines())

    def _execute(
        self, function: Any, event: object, request_id: str, environment: dict[str, str], root: Path
    ) -> tuple[str, str | None, str]:
        """Run the process. Return the payload, the function error or None, and what was printed."""
        log_file = self._context.scratch("lambda") / f"{request_id}.log"
        body, arn = json.dumps(event).encode(), function.function_arn
        with (
            RuntimeApi(body, request_id=request_id, function_arn=arn, timeout_seconds=function.timeout) as api,
            log_file.open("wb") as log_stream,
        ):
            process = subprocess.Popen(
                [self._context.python, "-m", "awslambdaric", function.handler],
                cwd=root,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": api.address},
                stdin=subprocess.DEVNULL,
                stdout=log_stream,
                stderr=log_stream,
                start_new_session=True,
            )
            self._running.add(process)
            # Wait for the answer or for the end of the process, without polling.
            threading.Thread(target=_set_at_end, args=(process, api.done_or_ended), daemon=True).start()
            try:
                api.done_or_ended.wait(function.timeout)
                timed_out = not api.done.is_set() and process.poll() is None
                if process.poll() is not None:
                    api.done.wait(0.2)  # its answer may still be on its way
            finally:
                _kill(process)
                process.wait()
                self._running.discard(process)
        output = log_file.read_text(encoding="utf-8", errors="replace")
        log_file.unlink()
        if api.done.is_set():
            return api.payload.decode("utf-8", "replace"), "Unhandled" if api.failed else None, output
        if timed_out:
            now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
            message = f"{now} {request_id} Task timed out after {function.timeout:.2f} seconds"
            return _error_payload("Sandbox.Timedout", message), "Unhandled", f"{output}{message}\n"
        message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {process.returncode}"
        return _error_payload("Runtime.ExitError", message), "Unhandled", output

    def _unpack(self, code: bytes) -> Path:
        root = self._context.scratch("lambda") / hashlib.sha256(code).hexdigest()[:16]
        with self._unpack_lock:
            if not root.exists():
                partial = root.with_suffix(".partial")
                with zipfile.ZipFile(io.BytesIO(code)) as archive:
                    archive.extractall(partial)
                partial.rename(root)
        return root


def logging_of(function: Any) -> dict[str, str]:
    """Return the LoggingConfig of a function."""
    return getattr(function, "logging_configuration", None) or {}


def _error_payload(kind: str, message: str) -> str:
    return json.dumps({"errorMessage": message, "errorType": kind})


def _refusal(kind: str, message: str, request_id: str) -> Result:
    payload = json.dumps({"errorMessage": message, "errorType": kind, "requestId": request_id})
    return Result(payload, "Unhandled", message)


def _platform_line(function: Any, kind: str, request_id: str, milliseconds: float = 0) -> str:
    """Return a line of the service itself, in the format of the function's LoggingConfig."""
    if logging_of(function).get("LogFormat") == "JSON":
        record: dict[str, Any] = {"requestId": request_id}
        record |= {"metrics": {"durationMs": round(milliseconds, 2)}} if kind == "report" else {"version": "$LATEST"}
        return json.dumps({"time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z", "type": f"platform.{kind}", "record": record})
    if kind == "start":
        return f"START RequestId: {request_id} Version: $LATEST"
    return (
        f"END RequestId: {request_id}\n"
        f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\tMemory Size: {function.memory_size} MB"
    )


def _set_at_end(process: subprocess.Popen[bytes], ended: threading.Event) -> None:
    process.wait()
    ended.set()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # it may have ended by itself in the meantime
        os.killpg(process.pid, signal.SIGKILL)
