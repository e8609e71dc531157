"""Prepare the files of a trial in a Spark process of its own, which works on while the caller trains."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ptmlops.errors import OperatorError
from ptmlops.source_roots import ROOT
from stacks.config import Settings

MESSAGE_CHARACTERS = 500


@dataclass
class Preparation:
    """A running Spark process. It prepares the files in the order in which they were named."""

    process: subprocess.Popen[str]
    log: Path
    prepared: set[str] = field(default_factory=set)

    def wait_for(self, name: str) -> None:
        """Wait until the file is prepared.

        Raises:
            OperatorError: Spark ended before; the message is that of its last exception.
        """
        assert self.process.stdout is not None  # noqa: S101 - a pipe, see `preparing`
        while name not in self.prepared:
            line = self.process.stdout.readline()
            if not line:
                raise OperatorError(f"the preparation failed: {self._last_error()}")
            if line.startswith("prepared "):
                self.prepared.add(line.split()[1])

    def _last_error(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        exceptions = (line for line in reversed(lines) if re.match(r"^[\w.]*(Error|Exception)\b", line))
        last_line = next((line for line in reversed(lines) if line.strip()), "Spark ended without a message")
        return re.sub(r"^[\w.]*Error: ", "", next(exceptions, last_line))[:MESSAGE_CHARACTERS]


@contextlib.contextmanager
def preparing(base: Path, files: Sequence[tuple[str, Path, Mapping[str, str]]], settings: Settings) -> Generator[Preparation]:
    """Start Spark on the files, and kill it at the end of the context.

    Args:
        base: the folder for what Prepare writes, one folder per file.
        files: (name, path, named columns) of each file; the one called "labelled" is read with its labels.
        settings: the environment's settings.

    Raises:
        OperatorError: Java is missing.
    """
    from local_aws import java

    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise OperatorError("Java 17 is needed for Spark: install a Java 17 runtime and put java on the PATH")
    tables = json.loads(settings.job_settings())
    # The limit saves a run the cost of training on a broken file. A trial costs nothing and answers every row.
    tables["complaints"]["max_reject_share"] = 1.0
    requested = [
        {"name": name, "path": str(path.resolve()), "labelled": name == "labelled", "named": dict(named)}
        for name, path, named in files
    ]
    request = base / "request.json"
    request.write_text(
        json.dumps({"folder": str(base), "settings": tables, "files": requested, "java": java.SHORT_JOBS}), encoding="utf-8"
    )
    log = base / "spark.log"
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "ptmlops.trial.spark_process", str(request)],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        yield Preparation(process, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its results are on disk, or the trial has failed
        process.wait()
        if process.stdout:
            process.stdout.close()


def _environment() -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))},
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "glue_jobs"))),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONWARNINGS": "ignore",
        "LC_ALL": "C.UTF-8",  # Java encodes file names by it, and a folder may have any name
    }
