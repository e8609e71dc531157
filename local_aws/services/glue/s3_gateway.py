"""Give Spark an S3 file system: Hadoop's WebHDFS protocol, answered from S3 with the credentials of the job run.

Spark from PyPI has no S3 client, but it has one for WebHDFS (https://hadoop.apache.org/docs/r3.3.4/hadoop-project-dist/hadoop-hdfs/WebHDFS.html).
The client cannot express a `+` or `%` in a path (HDFS-14323): Spark cannot use such keys here, as it can on Glue.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from botocore.exceptions import ClientError

from local_aws.services.glue.s3_files import RemoteError, S3FileSystem

PREFIX = "/webhdfs/v1"
ACCESS_CONTROL = "org.apache.hadoop.security.AccessControlException"


class _Handler(BaseHTTPRequestHandler):
    """One WebHDFS request. The first part of the path is the secret of this gateway."""

    protocol_version = "HTTP/1.1"
    # Header and body leave in one packet, at once: else each of a run's hundred answers waits up to 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - as above

    def _answer(self) -> None:
        try:
            # The client sends letters beyond ASCII as they are, in UTF-8; http.server reads a request as Latin-1.
            address = urlsplit(self.path.encode("iso-8859-1").decode())
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            if query.get("op") == "GETHOMEDIRECTORY":
                self._send(200, {"Path": "/"})  # asked without a path, when a bucket is mounted
                return
            token, _, path = unquote(address.path).removeprefix(f"{PREFIX}/").partition("/")
            if not secrets.compare_digest(token, self.server.token):
                self._send(403, RemoteError(403, ACCESS_CONTROL, "wrong secret in the address").document())
                return
            self._perform(query.get("op", "").upper(), path.strip("/"), query)
        except RemoteError as error:
            self._send(error.status, error.document())
        except ClientError as error:
            self._send(*_client_error(error))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # Hadoop seeks by closing a stream
        except Exception as error:  # noqa: BLE001 - the job must fail with this error, not wait for an answer
            self._send(500, RemoteError(500, "java.io.IOException", f"S3 gateway: {error!r}").document())

    def _perform(self, operation: str, path: str, query: Mapping[str, str]) -> None:
        files = self.server.files
        if operation == "GETFILESTATUS":
            self._send(200, {"FileStatus": files.status(path)})
        elif operation == "LISTSTATUS":
            self._send(200, {"FileStatuses": {"FileStatus": files.entries(path)}})
        elif operation == "LISTSTATUS_BATCH":
            part = {"partialListing": {"FileStatuses": {"FileStatus": files.entries(path)}}, "remainingEntries": 0}
            self._send(200, {"DirectoryListing": part})
        elif operation == "OPEN":
            length = int(query["length"]) if "length" in query else None
            self._send_bytes(*files.read(path, int(query.get("offset", 0)), length))
        elif operation == "CREATE" and query.get("data") != "true":
            # The protocol's first step: the client sends the bytes to the address that it gets here.
            host = self.headers["Host"]
            self._send(307, None, Location=f"http://{host}{PREFIX}/{quote(f'{self.server.token}/{path}')}?op=CREATE&data=true")
        elif operation == "CREATE":
            files.write(path, _Body(self.rfile, self.headers))
            self._send(201, None)
        elif operation == "MKDIRS":
            files.make_folder(path)
            self._send(200, {"boolean": True})
        elif operation == "RENAME":
            target = query["destination"].strip("/").partition("/")[2]
            self._send(200, {"boolean": files.rename(path, target)})
        elif operation == "DELETE":
            self._send(200, {"boolean": files.delete(path)})
        elif operation in ("SETPERMISSION", "SETOWNER", "SETTIMES"):
            self._send(200, None)  # S3 has none of these
        else:
            message = f"{operation} is not supported on S3"
            raise RemoteError(400, "java.lang.UnsupportedOperationException", message)

    def _send(self, status: int, document: object, **headers: str) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _send_bytes(self, length: int, pieces: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)

    def log_message(self, *_: object) -> None:
        """Log nothing: errors reach the job as exceptions."""


class _Body:
    """The body of a request as a stream, whether its length is known or it comes in chunks (RFC 9112, section 7.1)."""

    def __init__(self, stream: BufferedIOBase, headers: Any) -> None:
        self._stream = stream
        self._chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
        self._left = 0 if self._chunked else int(headers.get("Content-Length", 0))
        self._ended = not self._chunked and not self._left

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, all of the rest if negative, b"" at the end."""
        parts: list[bytes] = []
        wanted = size
        while not self._ended and wanted:
            if self._chunked and not self._left:
                self._left = int(self._stream.readline().split(b";")[0], 16)
                if not self._left:
                    self._stream.readline()
                    self._ended = True
                    break
            part = self._stream.read(self._left if wanted < 0 else min(wanted, self._left))
            if not part:
                raise ConnectionResetError("the request ended before its body")
            parts.append(part)
            self._left -= len(part)
            wanted = wanted if wanted < 0 else wanted - len(part)
            if not self._left:
                if self._chunked:
                    self._stream.readline()
                else:
                    self._ended = True
        return b"".join(parts)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    files: S3FileSystem
    token: str


def _client_error(error: ClientError) -> tuple[int, dict[str, Any]]:
    """Translate an error of S3 into the Java exception that Hadoop's S3 clients raise for it."""
    code = error.response["Error"]["Code"]
    denied = code in ("AccessDenied", "403", "Forbidden")
    java_class = ACCESS_CONTROL if denied else "java.io.IOException"
    translated = RemoteError(403 if denied else 500, java_class, str(error))
    return translated.status, translated.document()


def serve(client: Any, staging: Path) -> str:
    """Start a gateway in a thread of this process.

    Args:
        client: An S3 client with the credentials of the job run.
        staging: A folder for files that are not committed yet.

    Returns:
        The address to mount: a bucket is at `<address>/<bucket>`.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.files = S3FileSystem(client, staging)
    server.token = secrets.token_urlsafe(24)
    threading.Thread(target=server.serve_forever, name="s3-gateway", daemon=True).start()
    return f"webhdfs://localhost:{server.server_address[1]}/{server.token}"
