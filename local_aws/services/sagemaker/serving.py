"""The scikit-learn serving container's contract in one process: `serving.py MODEL_DIR SOURCE_DIR PROGRAM PORT_FILE`.

GET /ping, POST /invocations. model_fn is called once, and input_fn, predict_fn and output_fn for each request. Functions that the program
lacks are those of sagemaker-inference. tests/unit/training/test_serving.py compares the answers of both. This file imports nothing of
local AWS.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

JSON = "application/json"
TEXT_TYPES = (JSON, "text/csv")  # what the toolkits hand to input_fn as text; everything else as bytes


def _default_input(body: bytes | str, content_type: str) -> Any:
    if content_type == JSON:
        return json.loads(body)
    raise ValueError(f"Content type {content_type} is not supported by this framework.")


def _default_output(prediction: Any, accept: str) -> tuple[str, str]:
    return json.dumps(prediction), accept


def main() -> None:
    """Load the program, serve until terminated."""
    model_dir, source_dir, program, port_file = sys.argv[1:5]
    sys.path[0] = source_dir
    spec = importlib.util.spec_from_file_location("user_program", Path(source_dir) / program)
    assert spec is not None  # noqa: S101 - a path was given
    assert spec.loader is not None  # noqa: S101 - as above
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.model_fn(model_dir)
    input_fn = getattr(module, "input_fn", _default_input)
    predict_fn = getattr(module, "predict_fn", lambda data, loaded: loaded.predict(data))
    output_fn = getattr(module, "output_fn", _default_output)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(200, b"", "text/plain")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            content_type = self.headers.get("Content-Type", JSON)
            accept = self.headers.get("Accept", "*/*")
            if accept == "*/*":
                accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
            try:
                content = body.decode() if content_type in TEXT_TYPES else body
                answer = output_fn(predict_fn(input_fn(content, content_type), model), accept)
            except Exception as error:  # noqa: BLE001 - the container answers any failure of the program with 500
                traceback.print_exc()
                self._answer(500, str(error).encode(), "text/plain")
                return
            result, kind = answer if isinstance(answer, tuple) else (answer, accept)
            self._answer(200, result if isinstance(result, bytes) else str(result).encode(), kind)

        def _answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """No line per request."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    partial = Path(port_file).with_suffix(".partial")
    partial.write_text(str(server.server_address[1]), encoding="ascii")
    partial.rename(port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
