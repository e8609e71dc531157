"""Lambda with real compute: a function's packaged handler runs in its own process, with its own variables and its role.

Replaces what moto does at three places: `LambdaFunction.invoke` (docker, or a canned answer), the delivery of SQS messages
(one at a time, window ignored), and EventBridge's targets (no Lambda).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_aws.context import LocalContext, RoleNotAssumableError
from local_aws.lambda_runtime import RuntimeApi

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
SYNC_PAYLOAD_BYTES = 6 * 1024 * 1024
ASYNC_PAYLOAD_BYTES = 1024 * 1024
# An asynchronous invocation that failed is tried twice more; AWS waits one and two minutes, a laptop's user does not.
ASYNC_RETRY_SECONDS = (2, 4)

_stopping = threading.Event()
_running: set[subprocess.Popen[bytes]] = set()
_unpack_lock = threading.Lock()


class _Functions:
    """The functions of one local AWS."""

    def __init__(self, context: LocalContext) -> None:
        self._context = context

    def run(self, function: Any, event: object) -> tuple[str, str | None, str]:
        """Invoke once. Returns (payload, function error or None, log text)."""
        request_id = str(uuid.uuid4())
        if _stopping.is_set():
            return _failure("Runtime.ExitError", "local AWS is stopping", request_id)
        try:
            credentials = self._context.role_environment(function.role, "lambda.amazonaws.com", function.function_name)
        except RoleNotAssumableError as error:
            return _failure("AccessDeniedException", str(error), request_id)
        root = self._unpack(function.code_bytes)
        group, stream = _log_group(function), f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONUNBUFFERED": "1",
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
            "AWS_LAMBDA_LOG_FORMAT": _logging(function).get("LogFormat", "Text"),
            # It would tell users of a runtime that the service has deployed already that it is new to this client.
            "LAMBDA_DISABLE_PREVIEW_WARN": "1",
        }
        log_file = self._context.scratch("lambda") / f"{request_id}.log"
        started = time.monotonic()
        arn = function.function_arn
        with (
            RuntimeApi(
                json.dumps(event).encode(), request_id=request_id, function_arn=arn, timeout_seconds=function.timeout
            ) as api,
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
            _running.add(process)
            try:
                while not api.done.wait(0.02) and process.poll() is None and time.monotonic() - started < function.timeout:
                    pass
                timed_out = not api.done.is_set() and process.poll() is None
                if process.poll() is not None:
                    api.done.wait(0.2)  # its last words may still be on their way
            finally:
                _kill(process)
                process.wait()
                _running.discard(process)
        milliseconds = (time.monotonic() - started) * 1000
        output = log_file.read_text(encoding="utf-8", errors="replace")
        log_file.unlink()
        if api.done.is_set():
            payload, function_error = api.payload.decode("utf-8", "replace"), "Unhandled" if api.failed else None
        elif timed_out:
            message = (
                f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z} {request_id} Task timed out after {function.timeout:.2f} seconds"
            )
            payload, function_error = _error("Sandbox.Timedout", message), "Unhandled"
            output += message + "\n"
        else:
            message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {process.returncode}"
            payload, function_error = _error("Runtime.ExitError", message), "Unhandled"
        start = _platform(function, "start", request_id)
        log = f"{start}\n{output}{_platform(function, 'report', request_id, milliseconds)}\n"
        write_log(self._context, group, stream, log.splitlines())
        return payload, function_error, log

    def run_later(self, function: Any, event: object) -> None:
        """An asynchronous invocation: at once, and twice more where it fails; then its on-failure destination hears of it."""

        def work() -> None:
            payload = ""
            for pause in (0, *ASYNC_RETRY_SECONDS):
                if _stopping.wait(pause):
                    return
                payload, error, _ = self.run(function, event)
                if error is None:
                    return
            self._report_failure(function, event, payload)

        threading.Thread(target=work, name=f"async-{function.function_name}", daemon=True).start()

    def _report_failure(self, function: Any, event: object, payload: str) -> None:
        """Send what Lambda sends: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""
        configured = [each.config for each in function.event_invoke_config][-1:] or [{}]
        destination = configured[0].get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
        if ":sqs:" not in destination:
            return
        record = {
            "version": "1.0",
            "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": function.function_arn,
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 1 + len(ASYNC_RETRY_SECONDS),
            },
            "requestPayload": event,
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": json.loads(payload),
        }
        url = f"{self._context.endpoint_url}/{self._context.account_id}/{destination.rpartition(':')[2]}"
        try:
            client = self._context.client("sqs", function.role, "lambda.amazonaws.com")  # with the function's own rights
            client.send_message(QueueUrl=url, MessageBody=json.dumps(record))
        except Exception as error:  # noqa: BLE001 - the service drops what it may not send, too
            print(f"on-failure destination of {function.function_name}: {error}", file=sys.stderr)  # noqa: T201 - the server's log

    def by_arn(self, arn: str) -> Any:
        return self._context.backend("lambda").get_function(arn)

    def _unpack(self, code: bytes) -> Path:
        root = self._context.scratch("lambda") / hashlib.sha256(code).hexdigest()[:16]
        with _unpack_lock:
            if not root.exists():
                partial = root.with_suffix(".partial")
                with zipfile.ZipFile(io.BytesIO(code)) as archive:
                    archive.extractall(partial)
                partial.rename(root)
        return root


def _error(kind: str, message: str) -> str:
    return json.dumps({"errorMessage": message, "errorType": kind})


def _failure(kind: str, message: str, request_id: str) -> tuple[str, str, str]:
    return json.dumps({"errorMessage": message, "errorType": kind, "requestId": request_id}), "Unhandled", message


def _logging(function: Any) -> dict[str, str]:
    return getattr(function, "logging_configuration", None) or {}


def _log_group(function: Any) -> str:
    return _logging(function).get("LogGroup") or f"/aws/lambda/{function.function_name}"


def _platform(function: Any, kind: str, request_id: str, milliseconds: float = 0) -> str:
    """The service's own lines, in the format that the function's logging asks for."""
    if _logging(function).get("LogFormat") == "JSON":
        record: dict[str, Any] = {"requestId": request_id}
        record |= {"metrics": {"durationMs": round(milliseconds, 2)}} if kind == "report" else {"version": "$LATEST"}
        return json.dumps({"time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z", "type": f"platform.{kind}", "record": record})
    if kind == "start":
        return f"START RequestId: {request_id} Version: $LATEST"
    return (
        f"END RequestId: {request_id}\n"
        f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\tMemory Size: {function.memory_size} MB"
    )


def write_log(context: LocalContext, group: str, stream: str, lines: list[str]) -> None:
    """Append lines to a log stream, as the service does with its own rights; group and stream are made if missing."""
    logs = context.backend("logs")
    if group not in logs.groups:
        logs.create_log_group(group, {})
    if stream not in logs.groups[group].streams:
        logs.create_log_stream(group, stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines if line]
    if events:
        logs.put_log_events(group, stream, events)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # it may have ended by itself in the meantime
        os.killpg(process.pid, signal.SIGKILL)


def install(context: LocalContext) -> None:
    """Put real compute behind Lambda, SQS's event source mappings and EventBridge's Lambda targets."""
    from moto.awslambda.models import LambdaBackend, LambdaFunction
    from moto.core.exceptions import JsonRESTError
    from moto.events.models import Rule
    from moto.sqs.models import Queue

    _stopping.clear()
    functions = _Functions(context)

    def invoke(self: Any, body: Any, request_headers: Any, response_headers: Any) -> str | bytes:
        event = json.loads(body) if body else {}
        if request_headers.get("x-amz-invocation-type", "RequestResponse") == "Event":
            _refuse_larger_than(body, ASYNC_PAYLOAD_BYTES)
            functions.run_later(self, event)
            return ""
        _refuse_larger_than(body, SYNC_PAYLOAD_BYTES)
        payload, error, log = functions.run(self, event)
        if error:
            response_headers["x-amz-function-error"] = error
        response_headers["x-amz-log-result"] = base64.b64encode(log.encode()[-4096:]).decode()
        return payload.encode()

    original_create = LambdaFunction.create_from_cloudformation_json.__func__

    def create(cls: Any, resource_name: str, cloudformation_json: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        # moto passes on the properties that it knows, and logging is not one of them.
        function = original_create(cls, resource_name, cloudformation_json, *args, **kwargs)
        function.logging_configuration = cloudformation_json["Properties"].get("LoggingConfig")
        return function

    original_init, original_configuration = LambdaFunction.__init__, LambdaFunction.get_configuration

    def init(self: Any, account_id: str, spec: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        original_init(self, account_id, spec, *args, **kwargs)
        self.logging_configuration = spec.get("LoggingConfig")

    def configuration(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**original_configuration(self, *args, **kwargs), "LoggingConfig": {"LogFormat": "Text", **_logging(self)}}

    original_map = LambdaBackend.create_event_source_mapping

    def map_source(self: Any, spec: dict[str, Any]) -> Any:
        mapping = original_map(self, spec)
        function = functions.by_arn(mapping.function_arn)
        for queue in context.backend("sqs").queues.values():
            if queue.queue_arn == mapping.event_source_arn and queue.visibility_timeout < function.timeout:
                del self._event_source_mappings[mapping.uuid]
                raise JsonRESTError(
                    "InvalidParameterValueException",
                    f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than "
                    f"Function timeout: {function.timeout} seconds",
                )
        return mapping

    original_send = Rule.send_to_targets

    def send_to_targets(self: Any, original_event: Any, transform_input: bool = True) -> None:
        if self.state != "ENABLED" or not self.event_pattern.matches_event(original_event):
            return
        targets = list(self.targets)
        for target in targets:
            if ":lambda:" in target["Arn"]:
                event = dict(original_event)
                if isinstance(event.get("time"), int | float):
                    event["time"] = datetime.fromtimestamp(event["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                functions.run_later(functions.by_arn(target["Arn"]), event)
        others = [target for target in targets if ":lambda:" not in target["Arn"]]
        if others:
            rule = object.__new__(Rule)
            rule.__dict__.update(self.__dict__, targets=others)
            original_send(rule, original_event, transform_input)

    LambdaFunction.__init__ = init
    LambdaFunction.get_configuration = configuration
    LambdaBackend.create_event_source_mapping = map_source
    LambdaFunction.invoke = invoke
    LambdaFunction.create_from_cloudformation_json = classmethod(create)
    # Messages stay in the queue until our poller fetches them.
    Queue.lambda_event_source_mappings = property(lambda _self: {}, lambda _self, _value: None)
    LambdaBackend.send_sqs_batch = lambda *_args, **_kwargs: False
    Rule.send_to_targets = send_to_targets
    threading.Thread(target=_supervise_pollers, args=(context, functions), name="event-sources", daemon=True).start()


def _refuse_larger_than(body: Any, limit: int) -> None:
    from moto.core.exceptions import JsonRESTError

    size = len(body.encode() if isinstance(body, str) else body or b"")
    if size > limit:
        raise JsonRESTError("RequestTooLargeException", f"{size} byte payload is too large for the invocation (limit {limit})")


def _supervise_pollers(context: LocalContext, functions: _Functions) -> None:
    """One poller per event source mapping, for as long as the mapping exists."""
    started: set[str] = set()
    while not _stopping.wait(0.5):
        mappings = dict(context.backend("lambda")._event_source_mappings)
        for key in set(mappings) - started:
            started.add(key)
            threading.Thread(target=_poll, args=(context, functions, key), name=f"poller-{key[:8]}", daemon=True).start()


def _poll(context: LocalContext, functions: _Functions, key: str) -> None:
    """Read a queue for its function: batches by size and window, failed messages left for their visibility time-out.

    With the function's own role, as Lambda does: what the role may not do to the queue, the poller may not.
    """
    client: Any = None
    while not _stopping.wait(0.2):
        mapping = context.backend("lambda")._event_source_mappings.get(key)
        if mapping is None:
            return
        if not mapping.enabled:
            continue
        try:
            function = functions.by_arn(mapping.function_arn)
            if client is None:
                client = context.client("sqs", function.role, "lambda.amazonaws.com")
            name = mapping.event_source_arn.rpartition(":")[2]
            queue = context.backend("sqs").queues.get(name)
            if queue and not queue.messages:
                continue  # a request costs more than a look, and the queue is empty most of the time
            url = f"{context.endpoint_url}/{context.account_id}/{name}"
            batch = _gather(client, url, size=mapping.batch_size or 10, window=float(mapping.max_batch_window or 0))
            if batch:
                failed = _failed_messages(
                    functions.run(function, _sqs_event(context, mapping.event_source_arn, batch)), mapping
                )
                for message in batch:
                    if failed is not None and message["MessageId"] not in failed:
                        client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        except Exception as error:  # noqa: BLE001 - a poller outlives any single failure, as the service does
            if not _stopping.is_set():
                print(f"event source {key}: {error}", file=sys.stderr)  # noqa: T201 - the server's log
            client = None
            _stopping.wait(2)


def _gather(client: Any, url: str, *, size: int, window: float) -> list[dict[str, Any]]:
    """Up to `size` messages; from the first one on, wait `window` seconds for more."""
    batch: list[dict[str, Any]] = []
    deadline: float | None = None
    while len(batch) < size and not _stopping.is_set():
        received = client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=min(10, size - len(batch)),
            WaitTimeSeconds=0,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        batch += received
        if not batch:
            return []
        deadline = deadline or time.monotonic() + window
        if time.monotonic() >= deadline and not received:
            break
        if not received:
            time.sleep(0.1)
    return batch


def _sqs_event(context: LocalContext, queue_arn: str, batch: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message.get("Attributes", {}),
                "messageAttributes": message.get("MessageAttributes", {}),
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": queue_arn,
                "awsRegion": context.region,
            }
            for message in batch
        ]
    }


def _failed_messages(outcome: tuple[str, str | None, str], mapping: Any) -> set[str] | None:
    """Ids of the messages that failed; None where the whole batch did."""
    payload, error, _ = outcome
    if error:
        return None
    if "ReportBatchItemFailures" not in (mapping.function_response_types or []):
        return set()
    answer = json.loads(payload) or {}
    try:
        return {item["itemIdentifier"] for item in answer.get("batchItemFailures") or []}
    except (AttributeError, KeyError, TypeError):
        return None  # Lambda takes a malformed answer as a failed batch


def shutdown() -> None:
    """Stop polling and end what runs."""
    _stopping.set()
    for process in list(_running):
        _kill(process)
