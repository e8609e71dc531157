"""The calls of the Glue API that concern job runs; jobs themselves stay moto's."""

from __future__ import annotations

import threading
from typing import Any

from local_aws import process as jobs
from local_aws.context import LocalContext
from local_aws.services.glue.runs import JobRun
from local_aws.services.glue.spark_pool import SparkPool


class GlueService:
    """The job runs of one local AWS, and the Sparks that they run on."""

    def __init__(self, context: LocalContext) -> None:
        self._context = context
        self.pool = SparkPool(context)
        self._runs: dict[str, list[JobRun]] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        """Answer the run calls of moto's Glue API from here on, and start a Spark as soon as a deployment begins."""
        from moto.cloudformation.responses import CloudFormationResponse
        from moto.core.responses import ActionResult
        from moto.glue.exceptions import JobRunNotFoundException
        from moto.glue.responses import GlueResponse

        def start_job_run(response: Any) -> Any:
            job = response.glue_backend.get_job(response._get_param("JobName"))
            arguments = {**job.default_arguments, **(response._get_param("Arguments") or {})}
            run = self.start(job, arguments, response._get_param("Timeout"))
            return ActionResult({"JobRunId": run.record["Id"]})

        def find(response: Any, run_id: str) -> JobRun:
            for run in self.runs_of(response._get_param("JobName")):
                if run.record["Id"] == run_id:
                    return run
            raise JobRunNotFoundException(run_id)

        def get_job_run(response: Any) -> Any:
            return ActionResult({"JobRun": dict(find(response, response._get_param("RunId")).record)})

        def get_job_runs(response: Any) -> Any:
            newest_first = reversed(self.runs_of(response._get_param("JobName")))
            return ActionResult({"JobRuns": [dict(run.record) for run in newest_first]})

        def batch_stop_job_run(response: Any) -> Any:
            submissions = []
            for run_id in response._get_param("JobRunIds"):
                run = find(response, run_id)
                if not run.ended:
                    run.record["JobRunState"] = "STOPPING"
                    threading.Thread(target=run.stop, daemon=True).start()
                submissions.append({"JobName": run.record["JobName"], "JobRunId": run_id})
            return ActionResult({"SuccessfulSubmissions": submissions, "Errors": []})

        create_change_set = CloudFormationResponse.create_change_set

        def create_change_set_and_warm(response: Any) -> Any:
            self.pool.warm()
            return create_change_set(response)

        CloudFormationResponse.create_change_set = create_change_set_and_warm
        GlueResponse.start_job_run = start_job_run
        GlueResponse.get_job_run = get_job_run
        GlueResponse.get_job_runs = get_job_runs
        GlueResponse.batch_stop_job_run = batch_stop_job_run

    def start(self, job: Any, arguments: dict[str, str], timeout: int | None) -> JobRun:
        """Start a run in the background.

        Raises:
            ConcurrentRunsExceededException: As many runs of the job as it allows have not ended yet.
        """
        from moto.glue.exceptions import ConcurrentRunsExceededException

        with self._lock:
            running = [run for run in self._runs.get(job.name, []) if not run.ended]
            if len(running) >= (job.execution_property or {}).get("MaxConcurrentRuns", 1):
                raise ConcurrentRunsExceededException(f"Concurrent runs exceeded for {job.name}")
            run = JobRun(self._context, job, arguments, timeout)
            self._runs.setdefault(job.name, []).append(run)
        threading.Thread(target=self._work, args=(job, run), name=f"glue-{job.name}", daemon=True).start()
        return run

    def runs_of(self, job_name: str) -> list[JobRun]:
        """Return the runs of a job, oldest first."""
        with self._lock:
            return list(self._runs.get(job_name, []))

    def shutdown(self) -> None:
        """End every run and every Spark."""
        jobs.shutdown()
        self.pool.close()

    def _work(self, job: Any, run: JobRun) -> None:
        """Execute a run and its retries. A retry is listed before the run that failed has ended."""
        state = run.execute(self.pool)
        retry = None
        if state == "FAILED" and run.record["Attempt"] < (job.max_retries or 0):
            retry = JobRun(self._context, job, run.record["Arguments"], run.record["Timeout"], previous=run)
            with self._lock:
                self._runs[job.name].append(retry)
        run.record["JobRunState"] = state
        if retry:
            self._work(job, retry)
