"""Processing jobs: fetch the inputs, run the command, upload the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_aws.services.sagemaker.container import (
    HOSTS,
    check_image,
    failure_reason,
    local_path,
    process_environment,
    write_json,
)
from local_aws.services.sagemaker.files import fetch_input, upload_tree
from local_aws.services.sagemaker.job import Job, JobStore


class ProcessingJob(Job):
    """One processing job."""

    kind = "ProcessingJob"
    arn_kind = "processing-job"
    log_group = "/aws/sagemaker/ProcessingJobs"

    @classmethod
    def check(cls, request: Mapping[str, Any], jobs: JobStore) -> None:
        check_image(request["AppSpecification"]["ImageUri"])

    def work(self) -> None:
        record, role = self.record, self.record["RoleArn"]
        volume_key = record["ProcessingResources"]["ClusterConfig"].get("VolumeKmsKeyId")
        self.check_role(role, image=record["AppSpecification"]["ImageUri"], volume_key=volume_key)
        client = self.client(role)
        for item in record.get("ProcessingInputs", []):
            fetch_input(client, item["S3Input"], Path(local_path(self, item["S3Input"]["LocalPath"])))
        outputs = [item["S3Output"] for item in record.get("ProcessingOutputConfig", {}).get("Outputs", [])]
        for output in outputs:
            Path(local_path(self, output["LocalPath"])).mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "config" / "processingjobconfig.json", record)
        write_json(self.folder / "config" / "resourceconfig.json", HOSTS)
        application = record["AppSpecification"]
        command = [*application.get("ContainerEntrypoint", []), *application.get("ContainerArguments", [])]
        isolated = bool(record.get("NetworkConfig", {}).get("EnableNetworkIsolation"))
        environment = {**process_environment(self, role, isolated=isolated), **record.get("Environment", {})}
        record["ProcessingStartTime"] = datetime.now(UTC)
        outcome = self.process.run(
            [local_path(self, part) for part in command],
            environment={**environment, "PROCESSING_JOB_NAME": self.name},
            folder=self.folder,
            timeout=record.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400),
        )
        message = self.folder / "output" / "message"
        if message.is_file():
            record["ExitMessage"] = message.read_text(encoding="utf-8", errors="replace")[:1024]
        record["ProcessingEndTime"] = datetime.now(UTC)
        if outcome.stopped:
            self.end("Stopped")
        elif outcome.timed_out:
            self.end("Stopped", "ClientError: the job exceeded MaxRuntimeInSeconds")
        elif outcome.returncode:
            self.end("Failed", failure_reason(message, outcome))
        else:
            for output in outputs:
                upload_tree(client, Path(local_path(self, output["LocalPath"])), output["S3Uri"])
            self.end("Completed")
