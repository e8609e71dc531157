"""A job's work: one process group, its lines to CloudWatch Logs, a limit on its time, and a way to stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.context import LocalContext
from local_aws.logs import write_log

FLUSH_SECONDS = 0.5
# SageMaker and Glue send SIGTERM and then SIGKILL: after two minutes on AWS, sooner here.
TERM_SECONDS = 10


@dataclass(frozen=True)
class Outcome:
    """How a process ended. `lines` holds all that it printed."""

    returncode: int
    timed_out: bool
    stopped: bool
    lines: list[str]


@dataclass(eq=False)
class JobProcess:
    """One process of a job. `stop` may come from another thread, also before the process has started."""

    context: LocalContext
    group: str
    stream: str
    _process: subprocess.Popen[str] | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        timeout: float,
        on_line: Callable[[str], None] = lambda _: None,
    ) -> Outcome:
        """Run to the end.

        Args:
            command: The program and its arguments.
            environment: All of its variables.
            folder: Its working directory.
            timeout: Seconds until it is ended.
            on_line: Called with each line that it prints.
        """
        lines: list[str] = []
        timed_out = False
        if not self.stopping.is_set():
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            reader = threading.Thread(target=self._read, args=(lines, on_line), daemon=True)
            reader.start()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                timed_out = True
                self._end()
            reader.join(5)
            _kill_group(self._process.pid)  # processes that it left behind
        code = self._process.returncode if self._process else -signal.SIGTERM
        return Outcome(code, timed_out, self.stopping.is_set(), lines)

    def log(self, line: str) -> None:
        """Add a line of another process that works for this job to the job's log."""
        write_log(self.context, self.group, self.stream, [line])

    def stop(self) -> None:
        """Ask it to end, and kill it if it does not end."""
        self.stopping.set()
        self._end()

    def kill(self) -> None:
        """End it at once."""
        self.stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            _kill_group(process.pid)

    def _end(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        try:
            process.wait(TERM_SECONDS)
        except subprocess.TimeoutExpired:
            _kill_group(process.pid)
            process.wait()

    def _read(self, lines: list[str], on_line: Callable[[str], None]) -> None:
        assert self._process is not None  # noqa: S101 - run() has just made it
        assert self._process.stdout is not None  # noqa: S101 - a pipe, see run()
        waiting: list[str] = []
        flushed = time.monotonic()
        for line in self._process.stdout:
            text = line.rstrip("\n")
            lines.append(text)
            waiting.append(text)
            on_line(text)
            if time.monotonic() - flushed > FLUSH_SECONDS:
                write_log(self.context, self.group, self.stream, waiting)
                waiting, flushed = [], time.monotonic()
        write_log(self.context, self.group, self.stream, waiting)


def download(client: Any, bucket: str, key: str, target: Path) -> None:
    """Download one object to a file, and make its folders."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        client.download_fileobj(bucket, key, file)


def objects(client: Any, bucket: str, prefix: str) -> list[str]:
    """Return the keys below a prefix, without the "folders" that consoles make."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/")]


def _signal_group(group: int, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # all have ended
        os.killpg(group, which)


def _kill_group(group: int) -> None:
    _signal_group(group, signal.SIGKILL)
