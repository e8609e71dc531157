"""The base class of SageMaker jobs, and the store of all jobs."""

from __future__ import annotations

import shutil
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from local_aws.authorization.authorizer import DeniedError
from local_aws.authorization.job_roles import sagemaker_job
from local_aws.context import LocalContext
from local_aws.credentials import RoleNotAssumableError
from local_aws.process import JobProcess

ENDED = ("Completed", "Failed", "Stopped")


class JobFailedError(Exception):
    """The job cannot go on; the message is its FailureReason."""


class JobStoppedError(Exception):
    """The job was stopped while it worked."""


class JobExistsError(Exception):
    """A job of this kind and name exists."""


class Job(ABC):
    """A SageMaker job of any kind.

    Attributes:
        record: What its Describe call returns.
        tags: Its tags.
        finished: Set once `record` has a final status.
        folder: Everything that the job reads and writes on this machine.
    """

    kind: ClassVar[str]
    arn_kind: ClassVar[str]
    log_group: ClassVar[str]

    def __init__(self, context: LocalContext, jobs: JobStore, name: str, request: Mapping[str, Any]) -> None:
        now = datetime.now(UTC)
        self.context = context
        self.tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
        self.jobs = jobs
        self.name = name
        self.record: dict[str, Any] = {
            **{key: value for key, value in request.items() if key != "Tags"},
            f"{self.kind}Arn": f"arn:aws:sagemaker:{context.region}:{context.account_id}:{self.arn_kind}/{name}",
            f"{self.kind}Status": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        self.process = JobProcess(context, self.log_group, f"{name}/algo-1-{int(time.time())}")
        self.stopping = threading.Event()
        self.finished = threading.Event()
        self.folder = context.scratch("sagemaker", self.arn_kind, name)

    @classmethod
    @abstractmethod
    def check(cls, request: Mapping[str, Any], jobs: JobStore) -> None:
        """Check a request before the job is created.

        Raises:
            JobFailedError: The service would refuse it, or local AWS does not support it.
        """

    @abstractmethod
    def work(self) -> None:
        """Do what the job is for, and call `end`.

        Raises:
            JobFailedError: The job failed.
            JobStoppedError: The job was stopped.
        """

    def run(self) -> None:
        """Do the job's work. Whatever happens, the job ends in a final status."""
        try:
            self.work()
        except JobStoppedError:
            self.end("Stopped")
        except (JobFailedError, RoleNotAssumableError) as error:
            self.end("Failed", str(error))
        except (ClientError, DeniedError) as error:
            self.end("Failed", f"ClientError: {error}")
        except Exception as error:  # noqa: BLE001 - callers would wait for ever for a job without a final status
            self.end("Failed", f"InternalServerError: local AWS failed: {error!r}")

    @property
    def arn(self) -> str:
        """The Amazon Resource Name."""
        return str(self.record[f"{self.kind}Arn"])

    @property
    def status(self) -> str:
        """The status; one of ENDED if the job has ended."""
        return str(self.record[f"{self.kind}Status"])

    def describe(self) -> dict[str, Any]:
        """Return a copy of the record."""
        with self.jobs.lock:
            return dict(self.record)

    def end(self, status: str, reason: str | None = None) -> None:
        """Set a final status."""
        with self.jobs.lock:
            if reason:
                self.record["FailureReason"] = reason[:1024]
            self.record["LastModifiedTime"] = datetime.now(UTC)
            self.record[f"{self.kind}Status"] = status
        self.finished.set()
        shutil.rmtree(self.folder, ignore_errors=True)  # the volumes of a job end with it, and hold complaints

    def stop(self) -> None:
        """Ask the job to end. Its work then ends it as Stopped."""
        with self.jobs.lock:
            if self.status in ENDED:
                return
            self.record[f"{self.kind}Status"] = "Stopping"
        self.stopping.set()
        threading.Thread(target=self.process.stop, daemon=True).start()

    def client(self, role_arn: str) -> Any:
        """Return an S3 client with the job's role."""
        return self.context.client("s3", role_arn, "sagemaker.amazonaws.com")

    def check_role(self, role_arn: str, *, image: str, volume_key: str | None) -> None:
        """Check that a role lets SageMaker pull the image, write the job's log and metrics, and encrypt its volumes.

        Raises:
            DeniedError: It does not.
        """
        context = self.context
        wanted = sagemaker_job(
            context.region, context.account_id, log_group=self.log_group, image=image, volume_key=volume_key
        )
        context.authorizer.check_role(role_arn, self.name, wanted)


class JobStore:
    """All jobs of one local AWS. `lock` guards them and their records."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._jobs: dict[tuple[str, str], Job] = {}

    def add(self, job: Job) -> None:
        """Keep a job.

        Raises:
            JobExistsError: One of its kind has this name.
        """
        with self.lock:
            if (job.kind, job.name) in self._jobs:
                raise JobExistsError(job.name)
            self._jobs[job.kind, job.name] = job

    def get(self, kind: str, name: str) -> Job | None:
        """Return a job, or None if there is no such job."""
        return self._jobs.get((kind, name))

    def tags_of(self, arn: str) -> dict[str, str] | None:
        """Return the tags of the job with an ARN, or None if there is no such job."""
        with self.lock:
            return next((job.tags for job in self._jobs.values() if job.arn == arn), None)

    def find(self, kind: str, name: str) -> Job:
        """Return a job.

        Raises:
            KeyError: There is no such job.
        """
        return self._jobs[kind, name]

    def kill(self) -> None:
        """End all jobs at once."""
        with self.lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.stopping.set()
            job.process.kill()
