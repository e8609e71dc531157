"""One invocation of a function, in a process of its own: `lambda_runtime.py HANDLER RESULT_FILE`, the event on standard input.

Stands for Lambda's runtime interface: imports the packaged handler, calls it with event and context, and writes what it
returned, or the error as Lambda reports one. Imports nothing of local AWS: what the handler sees is its package and boto3.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any


class Context:
    """The context object; https://docs.aws.amazon.com/lambda/latest/dg/python-context.html."""

    def __init__(self) -> None:
        self.aws_request_id = os.environ["PTMLOPS_REQUEST_ID"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = "$LATEST"
        self.invoked_function_arn = os.environ["PTMLOPS_FUNCTION_ARN"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = time.monotonic() + float(os.environ["PTMLOPS_TIMEOUT_SECONDS"])

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def _error(error: BaseException) -> dict[str, Any]:
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": os.environ["PTMLOPS_REQUEST_ID"],
        "stackTrace": traceback.format_tb(error.__traceback__)[1:],
    }


def main() -> int:
    """0: the handler returned; 1: it raised, or what it returned is not JSON."""
    module_name, _, function_name = sys.argv[1].rpartition(".")
    result_file = Path(sys.argv[2])
    event = json.load(sys.stdin)
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    try:
        context = Context()
        handler = getattr(importlib.import_module(module_name.replace("/", ".")), function_name)
        answer = json.dumps(handler(event, context), ensure_ascii=False)
    except BaseException as error:  # noqa: BLE001 - Lambda reports whatever a handler raises, SystemExit included
        result_file.write_text(json.dumps(_error(error), ensure_ascii=False), encoding="utf-8")
        traceback.print_exc()
        return 1
    result_file.write_text(answer, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
