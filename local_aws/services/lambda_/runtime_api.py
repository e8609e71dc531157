"""Lambda's runtime API for one invocation: what AWS's runtime client (awslambdaric) asks the service for.

The client is the one that AWS's Python images run: it imports the packaged handler, makes the context, formats logs and reports
errors. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

VERSION = "/2018-06-01/runtime"
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
RESPONSE_BYTES = 6 * 1024 * 1024


class RuntimeApi:
    """The server of one event, which it serves once.

    Attributes:
        done: Set when the function has answered.
        done_or_ended: Set with `done`, and by the runner if the process ends without an answer.
        payload: The answer.
        failed: Whether the answer is an error.
    """

    def __init__(self, event: bytes, *, request_id: str, function_arn: str, timeout_seconds: float) -> None:
        self.done = threading.Event()
        self.done_or_ended = threading.Event()
        self.payload = b""
        self.failed = False
        self._event = event
        self._headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Invoked-Function-Arn": function_arn,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + timeout_seconds) * 1000)),
            "Content-Type": "application/json",
        }
        self._sent = False
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        """AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def _answered(self, payload: bytes, *, failed: bool) -> None:
        if len(payload) > RESPONSE_BYTES:
            message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES} bytes)."
            payload = json.dumps({"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}).encode()
            failed = True
        self.payload, self.failed = payload, failed
        self.done.set()
        self.done_or_ended.set()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path != f"{VERSION}/invocation/next":
                    self._send(404, b"")
                elif api._sent:
                    api._ended.wait()  # AWS freezes the environment until the next event; here there is none
                else:
                    api._sent = True
                    self._send(200, api._event, api._headers)

            def do_POST(self) -> None:
                body = self._body()
                if self.path.endswith("/response"):
                    api._answered(body, failed=False)
                elif self.path.endswith("/error"):
                    api._answered(body, failed=True)
                self._send(202, b'{"status":"OK"}')

            def _body(self) -> bytes:
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """No line per request."""

        return Handler
