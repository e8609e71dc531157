"""Keep Sparks ready for job runs, like Glue's warm pools: such a run does not wait for Java and Spark to start.

One Spark serves one run at a time. After a run that succeeded it serves the next; a run that failed, was stopped or timed out takes
its Spark with it. One idle Spark is kept; others end soon after they are no longer needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_aws.context import LocalContext
from local_aws.java import SHORT_JOBS
from local_aws.paths import ROOT

START_SECONDS, ANSWER_SECONDS = 300, 60
# A second Spark stays for the next run of a burst, and no longer: an idle one holds 0.7 GB.
SPARE_SECONDS = 60

# Java gives back memory that a run used, so that an idle Spark is small.
JAVA_OPTIONS = f"{SHORT_JOBS} -XX:MinHeapFreeRatio=10 -XX:MaxHeapFreeRatio=30"
SETTINGS = {
    "spark.driver.memory": "2g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.extraJavaOptions": JAVA_OPTIONS,
    "spark.sql.shuffle.partitions": "2",  # runs are small: a task of a shuffle costs more than its rows
    # Each run compiles over 100 classes, and Spark's default is to keep 100: the next run would compile all of them again.
    "spark.sql.codegen.cache.maxEntries": "3000",
    "spark.sql.adaptive.enabled": "false",  # plans that change while they run cost small runs more than they save
    "spark.sql.sources.ignoreDataLocality": "true",  # S3 has no block locations
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # `s3://BUCKET/` leads to the S3 gateway of the run (s3_gateway.py); the driver adds the address of each bucket.
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
    "spark.hadoop.fs.viewfs.overload.scheme.target.s3.impl": "org.apache.hadoop.hdfs.web.WebHdfsFileSystem",
    "spark.hadoop.fs.viewfs.overload.scheme.target.webhdfs.impl": "org.apache.hadoop.hdfs.web.WebHdfsFileSystem",
    # Tasks rename their files to the final place at once, as the committer of Glue writes them there at once.
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
}


class SparkStartError(Exception):
    """Spark did not start or did not answer."""


class WarmSpark:
    """A running Spark: the process of `spark_host.py` and, below it, Java."""

    def __init__(self, folder: Path) -> None:
        """Start the process; `wait_until_ready` waits for Spark.

        Args:
            folder: A new folder for all that this Spark writes.
        """
        self._folder = folder
        folder.mkdir(parents=True)
        pairs = " ".join(f'--conf "{name}={value}"' for name, value in SETTINGS.items())
        folders = f'--conf "spark.sql.warehouse.dir={folder / "warehouse"}" --conf "spark.local.dir={folder / "spark"}"'
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            **({"JAVA_HOME": os.environ["JAVA_HOME"]} if os.environ.get("JAVA_HOME") else {}),
            "PYTHONPATH": str(ROOT),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_SUBMIT_ARGS": f"--master local[2] {pairs} {folders} pyspark-shell",
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local_aws.services.glue.spark_host", str(writing)],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        os.close(writing)
        self._answers = os.fdopen(reading, encoding="utf-8")
        self._last_lines: list[str] = []
        self._on_line: Callable[[str], None] = lambda _: None
        threading.Thread(target=self._read_log, name="spark-log", daemon=True).start()
        self.idle_since = time.monotonic()

    def wait_until_ready(self) -> None:
        """Return once a run can be lent this Spark.

        Raises:
            SparkStartError: It did not start; with the last line that it printed.
        """
        self._answer(START_SECONDS)

    def lend(self, on_line: Callable[[str], None]) -> dict[str, str]:
        """Prepare this Spark for one run.

        Args:
            on_line: Called with each line that Java or a Python worker logs during the run.

        Returns:
            The variables that lead the run's driver to this Spark.
        """
        self._on_line = on_line
        connection = self._ask("lend")
        return {"PYSPARK_GATEWAY_PORT": str(connection["port"]), "PYSPARK_GATEWAY_SECRET": connection["secret"]}

    def restore(self) -> dict[str, str]:
        """Remove what the last run left.

        Returns:
            What could not be removed; such a Spark must not serve another run.
        """
        self._on_line = lambda _: None
        left: dict[str, str] = self._ask("restore")["left"]
        return left

    def is_alive(self) -> bool:
        """Return whether the process still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """End the process and all below it, and remove its folder."""
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101 - a pipe, see __init__
        try:
            self._process.stdin.write(f"{command}\n")
            self._process.stdin.flush()
        except OSError:
            raise SparkStartError(self._reason()) from None
        return self._answer(ANSWER_SECONDS)

    def _answer(self, seconds: float) -> dict[str, Any]:
        # A host that hangs is killed, so that `readline` returns.
        watchdog = threading.Timer(seconds, self._process.kill)
        watchdog.start()
        try:
            line = self._answers.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise SparkStartError(self._reason())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _reason(self) -> str:
        last_line = next((line for line in reversed(self._last_lines) if line.strip()), "it printed nothing")
        return f"Spark ended: {last_line}"

    def _read_log(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, see __init__
        for line in self._process.stdout:
            text = line.rstrip("\n")
            self._last_lines = [*self._last_lines[-20:], text]
            self._on_line(text)


class SparkPool:
    """The Sparks of one local AWS."""

    def __init__(self, context: LocalContext) -> None:
        self._context = context
        self._changed = threading.Condition()  # guards all below
        self._every: set[WarmSpark] = set()
        self._idle: list[WarmSpark] = []
        self._starting = 0
        self._waiting_runs = 0
        self._failures: list[SparkStartError] = []
        self._closed = False

    def start_in_advance(self) -> None:
        """Start a Spark in the background, unless one is idle or starting."""
        with self._changed:
            if not self._idle and not self._starting:
                self._start_in_background()

    def take(self, stopped: threading.Event) -> WarmSpark:
        """Return an idle Spark; if there is none, start one.

        Args:
            stopped: Set when the run is no longer wanted.

        Raises:
            SparkStartError: Spark did not start, or `stopped` was set first.
        """
        with self._changed:
            self._waiting_runs += 1
            try:
                while not (spark := self._take_idle()):
                    if self._closed or stopped.is_set():
                        raise SparkStartError("the run was stopped before it started")
                    if self._failures:
                        raise self._failures.pop()
                    if self._starting < self._waiting_runs:
                        self._start_in_background()
                    self._changed.wait(0.5)
                return spark
            finally:
                self._waiting_runs -= 1

    def _take_idle(self) -> WarmSpark | None:
        """Return an idle Spark that still runs; forget those that ended meanwhile."""
        while self._idle:
            spark = self._idle.pop()
            if spark.is_alive():
                return spark
            self._every.discard(spark)
            spark.end()
        return None

    def give_back(self, spark: WarmSpark, *, reusable: bool) -> None:
        """Take a Spark back from a run: restore it for the next run, or end it and start another."""
        left = {"a failure": ""}
        if reusable:
            try:
                left = spark.restore()
            except SparkStartError as error:
                left = {str(error): ""}
            if left:
                print(f"Spark is replaced, because a run left {', '.join(left)}", file=sys.stderr)  # noqa: T201 - the server's log
        if left:
            self._end(spark)
            self.start_in_advance()
        else:
            self._add_idle(spark)

    def close(self) -> None:
        """End all Sparks."""
        with self._changed:
            self._closed = True
            every = list(self._every)
            self._changed.notify_all()
        for spark in every:
            self._end(spark)

    def _start_in_background(self) -> None:
        if not self._closed:
            self._starting += 1
            threading.Thread(target=self._start, name="spark-start", daemon=True).start()

    def _start(self) -> None:
        """Start a Spark."""
        spark = WarmSpark(self._context.scratch("glue") / f"spark-{uuid.uuid4().hex[:8]}")
        failure = None
        with self._changed:
            self._every.add(spark)
        try:
            spark.wait_until_ready()
        except SparkStartError as error:
            failure = error
            self._end(spark)
        with self._changed:
            self._starting -= 1
            if failure and self._waiting_runs:
                self._failures.append(failure)
            self._changed.notify_all()
        if not failure:
            self._add_idle(spark)

    def _add_idle(self, spark: WarmSpark) -> None:
        with self._changed:
            spark.idle_since = time.monotonic()
            self._idle.append(spark)
            self._changed.notify_all()
            if self._closed:
                return
        timer = threading.Timer(SPARE_SECONDS + 1, self._end_spares)
        timer.daemon = True
        timer.start()

    def _end_spares(self) -> None:
        """End idle Sparks beyond the first that no run took for SPARE_SECONDS."""
        with self._changed:
            old = [spark for spark in self._idle if time.monotonic() - spark.idle_since >= SPARE_SECONDS]
            spares = old[: max(0, len(self._idle) - 1)]
            self._idle = [spark for spark in self._idle if spark not in spares]
        for spark in spares:
            self._end(spark)

    def _end(self, spark: WarmSpark) -> None:
        with self._changed:
            self._every.discard(spark)
        spark.end()
