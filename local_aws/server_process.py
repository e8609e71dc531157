"""The process of a local AWS: start it, and find out from its folder whether it runs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from local_aws.metrics import CLOCK
from local_aws.paths import LOG, NOTICES, ROOT, STATE, clean_environment

START_SECONDS = 60


class LocalAwsError(Exception):
    """Local AWS could not be started, reached or deployed to; the message says what to do."""


def start_server(
    folder: Path, region: str, *, detached: bool, minute: float, module: str = "local_aws.server"
) -> tuple[dict[str, Any], subprocess.Popen[bytes], int | None]:
    """Start the server's process, and wait until it answers.

    Returns:
        The server's state, its process, and the process of an earlier server that died.

    Raises:
        LocalAwsError: It does not answer. It has been ended.
    """
    died = died_process(folder)
    for left_over in (STATE, NOTICES, CLOCK):  # of an earlier server
        (folder / left_over).unlink(missing_ok=True)
    port = _free_port()
    options = ["--minute", str(minute), *(["--detached"] if detached else [])]
    with (folder / LOG).open("ab") as log:
        begins = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder), str(port), *options],
            cwd=ROOT,
            env=clean_environment(region),
            stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
            stdout=log,
            stderr=log,
            # Ctrl-C in the terminal reaches the command only, and the command decides whether to end the server.
            start_new_session=True,
        )
    try:
        state = _wait_for_answer(folder, process, begins)
    except BaseException:  # also Ctrl-C: a detached server would stay
        process.kill()
        process.wait()
        (folder / STATE).unlink(missing_ok=True)
        raise
    return state, process, died


def _wait_for_answer(folder: Path, process: subprocess.Popen[bytes], begins: int) -> dict[str, Any]:
    """Return the server's state as soon as it answers. Its log begins at `begins`."""
    deadline = time.monotonic() + START_SECONDS
    while not (state := running_state(folder)) or not _answers(state["port"]):
        if process.poll() is not None:
            raise LocalAwsError(_why_not_started(folder, begins, f"its server ended with status {process.returncode}"))
        if time.monotonic() > deadline:
            raise LocalAwsError(_why_not_started(folder, begins, f"its server did not answer within {START_SECONDS} s"))
        time.sleep(0.1)
    return state


def _free_port() -> int:
    """Return a port that the server can use.

    Raises:
        LocalAwsError: This machine does not reach itself by the name localhost.
    """
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            probe.listen()
            port: int = probe.getsockname()[1]
            socket.create_connection(("localhost", port), timeout=5).close()
    except OSError as error:
        raise LocalAwsError(
            f"local AWS did not start: its address, localhost, cannot be reached ({error.strerror or error}): "
            "switch on the loopback interface, for example with `ip link set lo up`"
        ) from None
    return port


def _why_not_started(folder: Path, begins: int, reason: str) -> str:
    """Return the message for a server that did not start, with the last lines of its own log: earlier servers wrote before `begins`."""
    log = folder / LOG
    tail = log.read_bytes()[begins:].decode("utf-8", "replace").strip().splitlines()[-3:]
    return f"local AWS did not start: {reason}; " + (
        f"{log} ends with: {' | '.join(tail)}" if tail else f"it wrote nothing to {log}"
    )


def running_state(folder: Path) -> dict[str, Any] | None:
    """Return the state of the server on `folder`, or None if no server runs."""
    state = _written_state(folder)
    if state is None:
        return None
    try:
        command = psutil.Process(state["pid"]).cmdline()
    except psutil.NoSuchProcess:
        return None
    return state if str(folder) in command else None  # else another process has its id by now


def died_process(folder: Path) -> int | None:
    """Return the process of a server that left its state behind: it was killed, or the machine was switched off."""
    state = _written_state(folder)
    return int(state["pid"]) if state and not running_state(folder) else None


def _written_state(folder: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return state


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("localhost", port), timeout=1):
            return True
    except OSError:
        return False
