"""One run of a Glue job: fetch its code with its role, run the script on a Spark of the pool, end in a final state."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import threading
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError
from packaging.utils import parse_wheel_filename

from local_aws.authorization.authorizer import DeniedError
from local_aws.authorization.job_roles import glue_log
from local_aws.context import LocalContext
from local_aws.credentials import RoleNotAssumableError
from local_aws.paths import ROOT
from local_aws.process import JobProcess, download
from local_aws.services.glue import driver
from local_aws.services.glue.spark_pool import SparkPool, SparkStartError

GLUE_VERSION = "5.1"
DPUS = 2  # of a job on one machine: a driver and a worker of type G.1X


class CannotStartError(Exception):
    """The definition of the job cannot be run here."""


class JobRun:
    """A run.

    Attributes:
        record: What GetJobRun returns.
        finished: Set once `record` has a final state.
    """

    def __init__(
        self, context: LocalContext, job: Any, arguments: dict[str, str], timeout: int | None, previous: JobRun | None = None
    ) -> None:
        self._context = context
        self._job = job
        attempt = previous.record["Attempt"] + 1 if previous else 0
        run_id = f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}"
        now = datetime.now(UTC)
        # Since Glue 5.0 the group's name contains the security configuration and the role, if the job has a configuration.
        secured = f"/{job.security_configuration}-role/{job.role.rpartition('/')[2]}" if job.security_configuration else ""
        self._log_group = f"{arguments.get('--custom-logGroup-prefix', '/aws-glue/jobs')}{secured}/output"
        record = {
            "Id": f"{run_id}_attempt_{attempt}" if attempt else run_id,
            "Attempt": attempt,
            "PreviousRunId": previous.record["Id"] if previous else None,
            "JobName": job.name,
            "JobRunState": "STARTING",
            "StartedOn": now,
            "LastModifiedOn": now,
            "Arguments": arguments,
            "ExecutionTime": 0,
            "Timeout": timeout or job.timeout or 480,
            "GlueVersion": job.glue_version,
            "WorkerType": job.worker_type,
            "NumberOfWorkers": job.number_of_workers,
            "LogGroupName": self._log_group,
        }
        self.record: dict[str, Any] = {name: value for name, value in record.items() if value is not None}
        self.finished = threading.Event()
        self._lock = threading.Lock()  # guards the state
        self._process = JobProcess(context, self._log_group, f"{self.record['Id']}-driver")

    def stop(self) -> None:
        """Ask the script to end, if the run has not ended. `execute` then returns STOPPED."""
        with self._lock:
            if self.finished.is_set():
                return
            self.record["JobRunState"] = "STOPPING"
        threading.Thread(target=self._process.stop, daemon=True).start()

    def kill(self) -> None:
        """End the script at once."""
        self._process.kill()

    def end(self, state: str) -> None:
        """Set the final state."""
        with self._lock:
            self.record["JobRunState"] = state
            self.finished.set()

    def execute(self, pool: SparkPool) -> str:
        """Run the script. Whatever happens, return the final state; the caller sets it in `record`."""
        folder = self._context.scratch("glue", self.record["Id"][:24])
        state, message = "FAILED", "Unknown error"
        try:
            state, message = self._execute(pool, folder)
        except (RoleNotAssumableError, DeniedError, ClientError, CannotStartError, SparkStartError) as error:
            message = str(error)
        except Exception as error:  # noqa: BLE001 - a run without a final state would be waited for for ever
            message = f"local AWS failed: {error!r}"
        shutil.rmtree(folder, ignore_errors=True)
        ended = datetime.now(UTC)
        self.record["CompletedOn"] = self.record["LastModifiedOn"] = ended
        self.record["ExecutionTime"] = max(1, round((ended - self.record["StartedOn"]).total_seconds()))
        if self.record["Arguments"].get("--enable-auto-scaling") == "true":
            self.record["DPUSeconds"] = float(self.record["ExecutionTime"] * DPUS)
        if self._process.stopping.is_set():
            state, message = "STOPPED", "The job run was stopped."
        if state != "SUCCEEDED":
            self.record["ErrorMessage"] = message[:2048]
        return state

    def _execute(self, pool: SparkPool, folder: Path) -> tuple[str, str]:
        job, record, arguments = self._job, self.record, self.record["Arguments"]
        if job.glue_version != GLUE_VERSION:
            raise CannotStartError(f"local AWS runs Glue {GLUE_VERSION}, not {job.glue_version}: change the job's GlueVersion")
        credentials = self._context.role_environment(job.role, "glue.amazonaws.com", record["Id"])
        context, encrypted = self._context, bool(job.security_configuration)
        wanted = glue_log(context.region, context.account_id, self._log_group, encrypted=encrypted)
        context.authorizer.check_role(job.role, record["Id"], wanted)
        client = self._context.client("s3", job.role, "glue.amazonaws.com")
        check_modules(client, arguments, folder)
        script = folder / "script.py"
        fetch(client, job.command["ScriptLocation"], script)
        libraries = []
        for index, address in enumerate(filter(None, arguments.get("--extra-py-files", "").split(","))):
            library = folder / f"library-{index}{Path(urlparse(address).path).suffix}"
            fetch(client, address, library)
            libraries.append(str(library))
        buckets = [bucket["Name"] for bucket in self._context.client_of_operator("s3").list_buckets()["Buckets"]]
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            **credentials,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *libraries]),
            "PYSPARK_PYTHON": self._context.python,
            "GLUE_VERSION": GLUE_VERSION,
            driver.BUCKETS: ",".join(buckets),
        }
        options = [part for name, value in arguments.items() for part in (name, value)]
        command = [self._context.python, "-m", driver.__name__, str(script)]
        command += ["--JOB_NAME", job.name, "--JOB_ID", "j_local", "--JOB_RUN_ID", record["Id"], *options]

        spark = pool.take(self._process.stopping)
        reusable = False
        try:
            environment |= spark.lend(self._process.log)
            with self._lock:
                if record["JobRunState"] == "STARTING":
                    record["JobRunState"] = "RUNNING"
            limit = record["Timeout"] * self._context.minute
            outcome = self._process.run(command, environment=environment, folder=folder, timeout=limit)
            reusable = outcome.returncode == 0 and not outcome.stopped and not outcome.timed_out
        finally:
            pool.give_back(spark, reusable=reusable)
        if outcome.timed_out:
            return "TIMEOUT", f"Job run exceeded its timeout of {record['Timeout']} minutes."
        if outcome.returncode:
            return "FAILED", error_message(outcome.lines)
        return "SUCCEEDED", ""


def check_modules(client: Any, arguments: dict[str, str], folder: Path) -> None:
    """Check that the Python modules of a run are installed here, in the versions that it names. Nothing is installed.

    `--additional-python-modules` holds requirements, or the address of a zip of wheels that Glue installs from.

    Raises:
        CannotStartError: A module is missing or has another version, or pip could fetch from the internet.
    """
    modules = [part for part in arguments.get("--additional-python-modules", "").split(",") if part]
    if modules and modules[0].endswith(".gluewheels.zip"):
        if "--no-index" not in arguments.get("--python-modules-installer-option", "").split():
            raise CannotStartError("--python-modules-installer-option: a zip of wheels needs --no-index")
        fetch(client, modules[0], folder / "modules.zip")
        modules = packed_modules(folder / "modules.zip")
    for module in modules:
        name, _, version = module.partition("==")
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise CannotStartError(f"--additional-python-modules: {name} is not installed here") from None
        if version and installed != version:
            raise CannotStartError(f"--additional-python-modules: {name} is {installed} here, not {version}")


def packed_modules(path: Path) -> list[str]:
    """Return the requirements of a zip of wheels, such as `jinja2==3.1.6`.

    Raises:
        CannotStartError: A requirement has no wheel. A zip without any wheel is accepted: synthesis for local AWS makes such a zip.
    """
    with zipfile.ZipFile(path) as archive:
        required = archive.read("wheels/requirements.txt").decode().split()
        wheels = [Path(name).name for name in archive.namelist() if name.endswith(".whl")]
    packed = {f"{name}=={version}" for name, version, *_ in map(parse_wheel_filename, wheels)}
    missing = sorted(set(required) - packed) if packed else []
    if missing:
        raise CannotStartError(f"--additional-python-modules: no wheel of {', '.join(missing)}")
    return required


def fetch(client: Any, address: str, target: Path) -> None:
    """Download one `s3://` address."""
    location = urlparse(address)
    download(client, location.netloc, location.path.lstrip("/"), target)


def error_message(lines: list[str]) -> str:
    """Return the line of the last exception as Glue shows it: its class has no module."""
    for line in reversed(lines):
        if found := re.match(r"^(?:\w+\.)*(\w*(?:Error|Exception|Exit|Interrupt)\b.*)", line):
            return found[1]
    return next((line for line in reversed(lines) if line.strip()), "The script ended without a message")
