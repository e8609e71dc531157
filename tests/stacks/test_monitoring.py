"""The log queries find what the functions really log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

# What awslambdaric, Lambda's own runtime for Python, writes where a handler raises and where it logs.
RAISE = """
import sys
from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
import logging
sink = bootstrap.StandardLogSink()
bootstrap.log_error(bootstrap.make_error("the bucket is gone", "ClientError", [], "1"), sink)
record = logging.LogRecord("record_run", logging.WARNING, "", 1, "message not understood", (), None)
record.run_id = "20260715-093000-0123abcd"
sys.stdout.write(JsonFormatter().format(record))
"""


def test_the_errors_query_shows_what_was_raised_and_what_was_logged(templates: dict[str, Any]) -> None:
    environment = {**os.environ, "AWS_LAMBDA_LOG_FORMAT": "JSON"}
    done = subprocess.run([sys.executable, "-c", RAISE], env=environment, capture_output=True, text=True, check=True)
    raised, logged = (json.loads(line) for line in done.stdout.splitlines())
    [query] = [
        found["QueryString"]
        for found in templates["monitoring"].properties("AWS::Logs::QueryDefinition")
        if found["Name"].endswith("/errors")
    ]
    shown = set(re.findall(r"\w+", query.partition("|")[0]))
    levels = re.search(r"level in \[([^\]]+)\]", query)

    assert levels
    assert {raised["level"], logged["level"]} <= set(re.findall(r"\w+", levels[1]))
    assert raised["errorMessage"] == "the bucket is gone"
    assert {"errorMessage", "errorType"} <= shown & raised.keys()
    assert {"message", "run_id"} <= shown & logged.keys()
