"""The log lines of jobs: one JSON object per line, with the run's id."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from ptmlops_contracts.job_log import FIELDS, JsonLines
from ptmlops_contracts.run_ids import run_of_job

RUN = "20260715-093000-0123abcd"


def test_a_line_has_the_run_and_the_fields_of_its_event() -> None:
    record = logging.LogRecord("prepare", logging.INFO, "", 1, "%d files", (3,), None)
    record.__dict__[FIELDS] = {"rows": {"read": 5}}
    line = json.loads(JsonLines(service="prepare", run_id=RUN).format(record))
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {"level": "INFO", "service": "prepare", "run_id": RUN, "message": "3 files", "rows": {"read": 5}}


def test_a_traceback_stays_on_its_line() -> None:
    try:
        int("the first line\nthe second")
    except ValueError:
        record = logging.LogRecord("train", logging.ERROR, "", 1, "Unexpected error", (), sys.exc_info())
    text = JsonLines(service="train", run_id=RUN).format(record)
    assert len(text.splitlines()) == 1
    assert json.loads(text)["exception"].startswith("Traceback")


@pytest.mark.parametrize(
    ("name", "run_id"),
    [(f"{RUN}-0-0-001-1a2b3c4d", RUN), (RUN, RUN), ("some-other-job", "some-other-job")],
)
def test_the_run_of_a_job_is_in_its_name(name: str, run_id: str) -> None:
    assert run_of_job(name) == run_id
