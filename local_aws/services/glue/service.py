"""The calls of the Glue API that concern job runs; jobs themselves stay moto's."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any

from local_aws import patching
from local_aws.context import LocalContext
from local_aws.services.base import Service
from local_aws.services.glue.runs import JobRun
from local_aws.services.glue.spark_pool import SparkPool

# How long a run waits in the queue until it ends as EXPIRED. AWS does not document it: this is an assumption.
QUEUE_MINUTES = 24 * 60
CHECK_SECONDS = 1.0  # a run that is stopped in the queue notices after this at the latest


class GlueService(Service):
    """The job runs of one local AWS, and the Sparks that they run on."""

    def __init__(self, context: LocalContext) -> None:
        super().__init__(context)
        self.pool = SparkPool(context)
        self._runs: dict[str, list[JobRun]] = {}
        self._lock = threading.Lock()
        self._run_ended = threading.Condition(self._lock)
        self._queuing: dict[str, bool] = {}  # JobRunQueuingEnabled of each job, which moto does not keep

    def install(self) -> None:
        """Take over the calls of moto's Glue API that run jobs, and start a Spark as soon as a deployment begins."""
        from moto.cloudformation.responses import CloudFormationResponse
        from moto.core.responses import ActionResult
        from moto.glue.responses import GlueResponse

        @patching.extend(CloudFormationResponse, "create_stack")
        def create_stack(moto_create: Any, self_: Any) -> Any:
            self.pool.start_in_advance()
            return moto_create(self_)

        @patching.extend(GlueResponse, "create_job")
        def create_job(moto_create: Any, self_: Any) -> Any:
            self._queuing[self_._get_param("Name")] = bool(self_._get_param("JobRunQueuingEnabled"))
            return moto_create(self_)

        @patching.replace(GlueResponse, "start_job_run")
        def start_job_run(self_: Any) -> Any:
            job = self_.glue_backend.get_job(self_._get_param("JobName"))
            arguments = {**job.default_arguments, **(self_._get_param("Arguments") or {})}
            run = self.start(job, arguments, self_._get_param("Timeout"))
            return ActionResult({"JobRunId": run.record["Id"]})

        @patching.replace(GlueResponse, "get_job_run")
        def get_job_run(self_: Any) -> Any:
            run = self.find(self_._get_param("JobName"), self_._get_param("RunId"))
            return ActionResult({"JobRun": dict(run.record)})

        @patching.replace(GlueResponse, "get_job_runs")
        def get_job_runs(self_: Any) -> Any:
            newest_first = reversed(self.runs_of(self_._get_param("JobName")))
            return ActionResult({"JobRuns": [dict(run.record) for run in newest_first]})

        @patching.add(GlueResponse, "batch_stop_job_run")
        def batch_stop_job_run(self_: Any) -> Any:
            submissions = []
            for run_id in self_._get_param("JobRunIds"):
                run = self.find(self_._get_param("JobName"), run_id)
                run.stop()
                submissions.append({"JobName": run.record["JobName"], "JobRunId": run_id})
            return ActionResult({"SuccessfulSubmissions": submissions, "Errors": []})

    def start(self, job: Any, arguments: dict[str, str], timeout: int | None) -> JobRun:
        """Start a run in the background. If the job's limit is reached, a job that queues its runs lets it wait.

        Raises:
            ConcurrentRunsExceededException: The limit is reached, and the job does not queue its runs.
        """
        from moto.glue.exceptions import ConcurrentRunsExceededException

        with self._lock:
            is_full = self._working(job.name) >= _max_concurrent_runs(job)
            if is_full and not self._queuing.get(job.name):
                raise ConcurrentRunsExceededException(f"Concurrent runs exceeded for {job.name}")
            run = JobRun(self.context, job, arguments, timeout)
            if is_full:
                run.record["JobRunState"] = "WAITING"
            self._runs.setdefault(job.name, []).append(run)
        threading.Thread(target=self._work, args=(job, run), name=f"glue-{job.name}", daemon=True).start()
        return run

    def runs_of(self, job_name: str) -> list[JobRun]:
        """Return the runs of a job, oldest first."""
        with self._lock:
            return list(self._runs.get(job_name, []))

    def find(self, job_name: str, run_id: str) -> JobRun:
        """Return a run.

        Raises:
            JobRunNotFoundException: There is no such run.
        """
        from moto.glue.exceptions import JobRunNotFoundException

        for run in self.runs_of(job_name):
            if run.record["Id"] == run_id:
                return run
        raise JobRunNotFoundException(run_id)

    def shutdown(self) -> None:
        """End every run and every Spark."""
        with self._lock:
            runs = [run for of_job in self._runs.values() for run in of_job]
        for run in runs:
            run.kill()
        self.pool.close()

    def _work(self, job: Any, run: JobRun) -> None:
        """Execute a run and its retries. A retry is listed before the run that failed has ended."""
        if not self._leave_queue(job, run):
            return
        state = run.execute(self.pool)
        retry = None
        if state == "FAILED" and run.record["Attempt"] < (job.max_retries or 0):
            retry = JobRun(self.context, job, run.record["Arguments"], run.record["Timeout"], previous=run)
            with self._lock:
                self._runs[job.name].append(retry)
        run.end(state)
        with self._run_ended:
            self._run_ended.notify_all()
        if retry:
            self._work(job, retry)

    def _working(self, job_name: str) -> int:
        """Return how many runs of a job neither wait nor have ended. The caller holds the lock."""
        runs = self._runs.get(job_name, [])
        return sum(not run.finished.is_set() and run.record["JobRunState"] != "WAITING" for run in runs)

    def _leave_queue(self, job: Any, run: JobRun) -> bool:
        """Wait until a run may start. Returns False if it was stopped or has expired in the queue."""
        deadline = time.monotonic() + QUEUE_MINUTES * self.context.minute
        with self._run_ended:
            while run.record["JobRunState"] == "WAITING":
                first = next(one for one in self._runs[job.name] if one.record["JobRunState"] == "WAITING")
                if first is run and self._working(job.name) < _max_concurrent_runs(job):
                    run.record |= {"JobRunState": "STARTING", "StartedOn": datetime.now(UTC)}
                elif time.monotonic() > deadline:
                    run.end("EXPIRED")
                else:
                    self._run_ended.wait(CHECK_SECONDS)
        if run.record["JobRunState"] == "STOPPING":
            run.end("STOPPED")
        return not run.finished.is_set()


def _max_concurrent_runs(job: Any) -> int:
    return int((job.execution_property or {}).get("MaxConcurrentRuns", 1))
