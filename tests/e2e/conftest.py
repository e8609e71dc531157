"""One local AWS for all end-to-end tests: deployed once by the real CDK CLI, ended with everything it started."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from local_aws import LocalAws
from ptmlops.main import app
from ptmlops.target import Target
from tests.e2e.commands import record

# What takes minutes and needs a local AWS of its own.
collect_ignore = (
    [] if os.environ.get("PTMLOPS_NIGHTLY") else ["test_drift.py", "test_first_day.py", "test_own_aws.py", "test_recovery.py"]
)

LONG_WINDOW = "300"


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    # It can freeze functions (test_uploads_with_faults.py), and is a local AWS like any other otherwise.
    with LocalAws.start(tmp_path_factory.mktemp("local-aws"), module="faults.frozen") as aws:
        aws.deploy()
        yield aws


@pytest.fixture(scope="session")
def target(local_aws: LocalAws) -> Target:
    return Target.local(local_aws, "local")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the files that tests drop."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="session", autouse=True)
def _recorded_commands() -> Iterator[None]:
    """Note each command that a test calls in this process (tests/e2e/commands.py)."""
    invoke = CliRunner.invoke

    def recorded(self: CliRunner, called: Any, args: Any = None, **options: Any) -> Any:
        done = invoke(self, called, args, **options)
        if called is app:
            record(args or (), done.exit_code)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CliRunner, "invoke", recorded)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def family_once_spark_runs(pid: int) -> list[psutil.Process]:
    """All that a command has started, as soon as Java is among it: Prepare's Spark, deep in the tree."""

    def name_of(process: psutil.Process) -> str:
        try:
            return process.name()
        except psutil.NoSuchProcess:  # it ended since it was listed
            return ""

    command, deadline = psutil.Process(pid), time.monotonic() + 300
    while not any("java" in name_of(child) for child in command.children(recursive=True)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return command.children(recursive=True)


@contextmanager
def long_window(target: Target, seconds: str = LONG_WINDOW) -> Iterator[None]:
    """Let runs collect until no file came for so many seconds."""
    functions = target.client("lambda")
    [function] = [
        one for one in functions.list_functions()["Functions"] if one["Handler"] == "collect_run.handler.lambda_handler"
    ]
    name, variables = function["FunctionName"], function["Environment"]["Variables"]
    changed = {**variables, "WINDOW_SECONDS": seconds, "MAX_WAIT_SECONDS": seconds}
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": changed})
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
