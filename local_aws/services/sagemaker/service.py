"""The job calls of the SageMaker API; models, model packages and everything else stay moto's."""

from __future__ import annotations

import json
import re
import threading
from types import SimpleNamespace
from typing import Any

from local_aws import patching
from local_aws.context import LocalContext
from local_aws.services.base import Service
from local_aws.services.sagemaker.job import Job, JobExistsError, JobFailedError, JobStore
from local_aws.services.sagemaker.packages import add_deletion, keep_metadata, keep_model_cards, register_once
from local_aws.services.sagemaker.processing import ProcessingJob
from local_aws.services.sagemaker.training import TrainingJob
from local_aws.services.sagemaker.transform import TransformJob
from local_aws.services.sagemaker.trial import trial_page
from local_aws.services.sagemaker.tuning import TuningJob


class SageMakerService(Service):
    """The jobs of one local AWS."""

    def __init__(self, context: LocalContext) -> None:
        super().__init__(context)
        self.jobs = JobStore()

    def install(self) -> None:
        """Answer the job calls, add the deletions that moto lacks, and repair updates of packages."""
        from moto.core.responses import ActionResult
        from moto.sagemaker.responses import SageMakerResponse

        self.context.authorizer.tags["sagemaker"] = self.jobs.tags_of
        for job_class in (TrainingJob, ProcessingJob, TransformJob, TuningJob):
            self._answer_calls(job_class)

        @patching.add(SageMakerResponse, "list_training_jobs_for_hyper_parameter_tuning_job")
        def list_trials(response: Any) -> Any:
            job = self._requested(response, TuningJob)
            summaries = [trial.summary() for trial in job.trials] if isinstance(job, TuningJob) else []
            return ActionResult(trial_page(summaries, response._get_param))

        self._answer_list_tags()
        add_deletion()
        keep_metadata()
        keep_model_cards()
        register_once()

    def start(self, job_class: type[Job], name: str, request: dict[str, Any]) -> Job:
        """Start a job in the background.

        Raises:
            JobFailedError: The service would refuse the request.
            JobExistsError: There is a job of this kind and name.
        """
        job_class.check(request, self.jobs)
        job = job_class(self.context, self.jobs, name, request)
        self.jobs.add(job)
        threading.Thread(target=job.run, name=f"{job.arn_kind}-{name}", daemon=True).start()
        return job

    def shutdown(self) -> None:
        """End every job."""
        self.jobs.kill()

    def _answer_calls(self, job_class: type[Job]) -> None:
        """Answer Create, Describe and Stop of one kind of job."""
        from moto.core.responses import ActionResult
        from moto.sagemaker.exceptions import AWSValidationException, ResourceInUseException
        from moto.sagemaker.responses import SageMakerResponse

        kind = job_class.kind

        def create(self_: Any) -> Any:
            request = json.loads(self_.body)
            name = request[f"{kind}Name"]
            try:
                job = self.start(job_class, name, request)
            except JobFailedError as error:
                raise AWSValidationException(str(error)) from None
            except JobExistsError:
                raise ResourceInUseException(f"{kind} already exists: {name}") from None
            return ActionResult({f"{kind}Arn": job.arn})

        def describe(self_: Any) -> Any:
            return ActionResult(self._requested(self_, job_class).describe())

        def stop(self_: Any) -> Any:
            self._requested(self_, job_class).stop()
            return ActionResult({})

        operation = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()
        for verb, method in (("create", create), ("describe", describe), ("stop", stop)):
            name = f"{verb}_{operation}"
            # moto can create and describe these jobs, which then never run, but it can stop only one kind.
            patch = patching.replace if hasattr(SageMakerResponse, name) else patching.add
            patch(SageMakerResponse, name)(method)

    def _answer_list_tags(self) -> None:
        """Let ListTags find our jobs, and answer for a resource that does not exist."""
        from moto.sagemaker.exceptions import AWSValidationException
        from moto.sagemaker.models import SageMakerModelBackend

        jobs = self.jobs

        @patching.extend(SageMakerModelBackend, "_get_resource_from_arn")
        def resource(moto_resource: Any, self: SageMakerModelBackend, arn: str) -> Any:
            tags = jobs.tags_of(arn)
            if tags is not None:
                return SimpleNamespace(tags=[{"Key": key, "Value": value} for key, value in tags.items()])
            try:
                found = moto_resource(self, arn)
            except (AttributeError, ValueError):  # a kind of resource that moto does not know
                found = None
            if found is None:
                raise AWSValidationException(f"Requested resource not found: {arn}")
            return found

    def _requested(self, response: Any, job_class: type[Job]) -> Job:
        """Return the job that a request names."""
        from moto.sagemaker.exceptions import AWSValidationException

        name = response._get_param(f"{job_class.kind}Name")
        job = self.jobs.get(job_class.kind, name)
        if job is None:
            raise AWSValidationException(f"Requested resource not found: {name}")
        return job
