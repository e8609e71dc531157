"""Glue with real compute: a job run starts the packaged PySpark script, with the job's role and its `s3://` addresses intact.

Spark from PyPI has no S3 file system. Hadoop's own ViewFileSystemOverloadScheme maps `s3://BUCKET/` to a folder, so the script
reads and writes the addresses that it has on AWS. What the folder holds before the run is what the role may read, fetched with
its credentials; what the run wrote there is uploaded with them afterwards, and a failed run's partial output too, as on S3.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from local_aws import java
from local_aws import process as jobs
from local_aws.context import LocalContext, RoleNotAssumableError

GLUE_VERSION = "5.1"
ENDED = ("SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT")
DPUS = {"G.025X": 0.25, "G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}


@dataclass
class _Run:
    """A job run: what GetJobRun answers, and the process behind it."""

    record: dict[str, Any]
    process: jobs.JobProcess


_runs: dict[str, list[_Run]] = {}
_lock = threading.Lock()


def install(context: LocalContext) -> None:
    """Answer the run calls of the Glue API here; jobs themselves stay moto's."""
    from moto.core.responses import ActionResult
    from moto.glue.exceptions import ConcurrentRunsExceededException, JobRunNotFoundException
    from moto.glue.responses import GlueResponse

    def start_job_run(self: Any) -> Any:
        job = self.glue_backend.get_job(self._get_param("JobName"))
        arguments = {**job.default_arguments, **(self._get_param("Arguments") or {})}
        with _lock:
            running = [run for run in _runs.get(job.name, []) if run.record["JobRunState"] not in ENDED]
            if len(running) >= (job.execution_property or {}).get("MaxConcurrentRuns", 1):
                raise ConcurrentRunsExceededException(f"Concurrent runs exceeded for {job.name}")
            run = _new_run(context, job, arguments, self._get_param("Timeout"))
            _runs.setdefault(job.name, []).append(run)
        threading.Thread(target=_work, args=(context, job, run), name=f"glue-{job.name}", daemon=True).start()
        return ActionResult({"JobRunId": run.record["Id"]})

    def find(name: str, run_id: str) -> _Run:
        for run in _runs.get(name, []):
            if run.record["Id"] == run_id:
                return run
        raise JobRunNotFoundException(run_id)

    def get_job_run(self: Any) -> Any:
        return ActionResult({"JobRun": dict(find(self._get_param("JobName"), self._get_param("RunId")).record)})

    def get_job_runs(self: Any) -> Any:
        newest_first = reversed(_runs.get(self._get_param("JobName"), []))
        return ActionResult({"JobRuns": [dict(run.record) for run in newest_first]})

    def batch_stop_job_run(self: Any) -> Any:
        name = self._get_param("JobName")
        stopped = []
        for run_id in self._get_param("JobRunIds"):
            run = find(name, run_id)
            if run.record["JobRunState"] not in ENDED:
                run.record["JobRunState"] = "STOPPING"
                threading.Thread(target=run.process.stop, daemon=True).start()
            stopped.append({"JobName": name, "JobRunId": run_id})
        return ActionResult({"SuccessfulSubmissions": stopped, "Errors": []})

    GlueResponse.start_job_run = start_job_run
    GlueResponse.get_job_run = get_job_run
    GlueResponse.get_job_runs = get_job_runs
    GlueResponse.batch_stop_job_run = batch_stop_job_run


def shutdown() -> None:
    """End every run."""
    jobs.shutdown()


def _new_run(context: LocalContext, job: Any, arguments: dict[str, str], timeout: int | None, attempt: int = 0) -> _Run:
    run_id = f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}"
    # As Glue names it from 5.0 on, where logs are encrypted by a security configuration and where they are not.
    secured = f"/{job.security_configuration}-role/{job.role.rpartition('/')[2]}" if job.security_configuration else ""
    group = f"{arguments.get('--custom-logGroup-prefix', '/aws-glue/jobs')}{secured}/output"
    record = {
        "Id": run_id if not attempt else f"{run_id}_attempt_{attempt}",
        "Attempt": attempt,
        "JobName": job.name,
        "JobRunState": "STARTING",
        "StartedOn": datetime.now(UTC),
        "LastModifiedOn": datetime.now(UTC),
        "Arguments": arguments,
        "ExecutionTime": 0,
        "Timeout": timeout or job.timeout or 480,
        "GlueVersion": job.glue_version,
        "WorkerType": job.worker_type,
        "NumberOfWorkers": job.number_of_workers,
        "LogGroupName": group,
    }
    return _Run(
        {key: value for key, value in record.items() if value is not None}, jobs.JobProcess(context, group, f"{run_id}-driver")
    )


def _work(context: LocalContext, job: Any, run: _Run) -> None:
    """The run from start to end, and its retries; nothing here may end without a final state."""
    record = run.record
    folder = context.scratch("glue", record["Id"][:24])
    state, message = "FAILED", "Unknown error"
    try:
        state, message = _execute(context, job, run, folder)
    except (RoleNotAssumableError, ClientError, _CannotStartError) as error:
        message = str(error)
    except Exception as error:  # noqa: BLE001 - a run that vanished without a state would be waited for for ever
        message = f"local AWS failed: {error!r}"
    shutil.rmtree(folder, ignore_errors=True)
    ended = datetime.now(UTC)
    record["CompletedOn"] = record["LastModifiedOn"] = ended
    record["ExecutionTime"] = max(1, round((ended - record["StartedOn"]).total_seconds()))
    if state != "SUCCEEDED":
        record["ErrorMessage"] = message[:2048]
    retry = None
    if state == "FAILED" and record["Attempt"] < (job.max_retries or 0):
        retry = _new_run(context, job, record["Arguments"], record["Timeout"], record["Attempt"] + 1)
        retry.record["PreviousRunId"] = record["Id"]
        with _lock:
            _runs[job.name].append(retry)
    record["JobRunState"] = state
    if retry:
        _work(context, job, retry)


class _CannotStartError(Exception):
    """The run's definition cannot be run here."""


def _execute(context: LocalContext, job: Any, run: _Run, folder: Path) -> tuple[str, str]:
    record = run.record
    arguments: dict[str, str] = record["Arguments"]
    if job.glue_version != GLUE_VERSION:
        raise _CannotStartError(f"local AWS runs Glue {GLUE_VERSION}, not {job.glue_version}: change the job's GlueVersion")
    credentials = context.role_environment(job.role, "glue.amazonaws.com", record["Id"])
    client = context.client("s3", job.role, "glue.amazonaws.com")
    _check_modules(client, arguments, folder)
    script = folder / "script.py"
    _fetch(client, job.command["ScriptLocation"], script)
    libraries = []
    for index, address in enumerate(filter(None, arguments.get("--extra-py-files", "").split(","))):
        library = folder / f"library-{index}{Path(urlparse(address).path).suffix}"
        _fetch(client, address, library)
        libraries.append(str(library))
    store = folder / "s3"
    buckets = [bucket["Name"] for bucket in context.client_of_operator("s3").list_buckets()["Buckets"]]
    before = _materialise(context, client, buckets, store)

    record["JobRunState"] = "RUNNING"
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        **({"JAVA_HOME": os.environ["JAVA_HOME"]} if os.environ.get("JAVA_HOME") else {}),
        **credentials,
        "PYTHONPATH": os.pathsep.join(libraries),
        "PYSPARK_PYTHON": context.python,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder / "spark"),
        "PYSPARK_SUBMIT_ARGS": _spark_arguments(buckets, store, folder),
        "GLUE_VERSION": GLUE_VERSION,
    }
    argv = [part for key, value in arguments.items() for part in (key, value)]
    command = [context.python, str(script), "--JOB_NAME", job.name, "--JOB_ID", "j_local", "--JOB_RUN_ID", record["Id"], *argv]
    outcome = run.process.run(command, environment=environment, folder=folder, timeout=record["Timeout"] * 60)
    _publish(client, store, before)
    if outcome.stopped:
        return "STOPPED", "The job run was stopped."
    if outcome.timed_out:
        return "TIMEOUT", f"Job run exceeded its timeout of {record['Timeout']} minutes."
    if outcome.returncode:
        return "FAILED", _error_message(outcome.lines)
    return "SUCCEEDED", ""


def _check_modules(client: Any, arguments: dict[str, str], folder: Path) -> None:
    """Nothing is installed here: what the run asks pip for must be there, in the version that it asks for."""
    modules = [part for part in arguments.get("--additional-python-modules", "").split(",") if part]
    if arguments.get("--python-modules-installer-option", "").split()[-1:] == ["-r"]:
        _fetch(client, modules[0], folder / "requirements.txt")
        lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
        modules = [line.removesuffix("\\").strip() for line in lines if line and not line.startswith((" ", "#"))]
    for module in modules:
        name, _, version = module.partition("==")
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise _CannotStartError(f"--additional-python-modules: {name} is not installed here") from None
        if version and installed != version:
            raise _CannotStartError(f"--additional-python-modules: {name} is {installed} here, not {version}")


def _spark_arguments(buckets: list[str], store: Path, folder: Path) -> str:
    """Spark as a small worker, bound to this machine, with every bucket mounted on its folder."""
    settings = {
        "spark.driver.memory": "2g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.shuffle.partitions": "4",  # a laptop's share of Glue's default of 200
        "spark.ui.showConsoleProgress": "false",
        # Runs are short, and many small jobs: better code, and plans that change under way, cost half of their time and earn nothing.
        "spark.driver.extraJavaOptions": java.options(),
        "spark.sql.adaptive.enabled": "false",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        "spark.hadoop.fs.viewfs.overload.scheme.target.s3.impl": "org.apache.hadoop.fs.LocalFileSystem",
        "spark.hadoop.fs.viewfs.overload.scheme.target.file.impl": "org.apache.hadoop.fs.LocalFileSystem",
    }
    for bucket in buckets:
        settings[f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback"] = (store / bucket).as_uri()
    pairs = " ".join(f'--conf "{key}={value}"' for key, value in settings.items())
    return f"--master local[2] {pairs} pyspark-shell"


def _fetch(client: Any, address: str, target: Path) -> None:
    location = urlparse(address)
    jobs.download(client, location.netloc, location.path.lstrip("/"), target)


def _materialise(context: LocalContext, client: Any, buckets: list[str], store: Path) -> dict[Path, tuple[int, int]]:
    """Put every object that the role may read where Spark will look for it. Returns size and time of each file."""
    for bucket in buckets:
        (store / bucket).mkdir(parents=True, exist_ok=True)
        if "-assets-" in bucket:
            continue  # CDK's staging bucket: the script and its libraries have been fetched already
        try:
            keys = jobs.objects(client, bucket, "")
        except ClientError:
            continue  # not the role's to list
        for key in keys:
            target = store / bucket / key
            try:
                jobs.download(client, bucket, key, target)
            except ClientError:
                target.unlink(missing_ok=True)  # not the role's to read
    return {path: _stamp(path) for path in store.rglob("*") if path.is_file()}


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _publish(client: Any, store: Path, before: dict[Path, tuple[int, int]]) -> None:
    """Upload what the run wrote and delete what it deleted, with its role's credentials."""
    after = {path: _stamp(path) for path in store.rglob("*") if path.is_file() and not path.name.endswith(".crc")}
    for path, stamp in sorted(after.items()):
        if before.get(path) != stamp:
            bucket, _, key = path.relative_to(store).as_posix().partition("/")
            client.upload_file(str(path), bucket, key)
    for path in sorted(before.keys() - after.keys()):
        if not path.exists():
            bucket, _, key = path.relative_to(store).as_posix().partition("/")
            client.delete_object(Bucket=bucket, Key=key)


def _error_message(lines: list[str]) -> str:
    """The last exception's line, as Glue shows it."""
    for line in reversed(lines):
        if re.match(r"^[\w.]*(Error|Exception|Exit|Interrupt)\b.*", line):
            return line
    return next((line for line in reversed(lines) if line.strip()), "The script ended without a message")
