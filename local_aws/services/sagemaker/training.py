"""Training jobs: fetch the channels, run the entry script, upload the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_aws.context import LocalContext
from local_aws.process import Outcome
from local_aws.services.sagemaker.container import (
    HOSTS,
    OPT_ML,
    check_image,
    failure_reason,
    local_path,
    process_environment,
    training_variables,
    write_json,
)
from local_aws.services.sagemaker.files import fetch_input, unpack, upload_archive, upload_tree
from local_aws.services.sagemaker.job import Job, JobFailedError, JobStore


class TrainingJob(Job):
    """One training job. `on_metric` is called with each value of a metric that the code prints."""

    kind = "TrainingJob"
    arn_kind = "training-job"
    log_group = "/aws/sagemaker/TrainingJobs"

    def __init__(self, context: LocalContext, jobs: JobStore, name: str, request: Mapping[str, Any]) -> None:
        super().__init__(context, jobs, name, request)
        self.on_metric: Callable[[str, float], None] = lambda _name, _value: None

    @classmethod
    def check(cls, request: Mapping[str, Any], jobs: JobStore) -> None:
        check_image(request["AlgorithmSpecification"].get("TrainingImage", "no image"))
        if request.get("EnableManagedSpotTraining") and "MaxWaitTimeInSeconds" not in request["StoppingCondition"]:
            raise JobFailedError("MaxWaitTimeInSeconds is required when EnableManagedSpotTraining is true")

    def work(self) -> None:
        volume_key = self.record["ResourceConfig"].get("VolumeKmsKeyId")
        self.check_role(
            self.record["RoleArn"], image=self.record["AlgorithmSpecification"]["TrainingImage"], volume_key=volume_key
        )
        client = self.client(self.record["RoleArn"])
        self._secondary_status("Downloading")
        self.record["TrainingStartTime"] = datetime.now(UTC)
        channels = self._fetch_channels(client)
        self._fetch_checkpoints(client)
        hyperparameters = {key: local_path(self, value) for key, value in self.record.get("HyperParameters", {}).items()}
        self._write_configuration(hyperparameters)
        self._secondary_status("Training")
        outcome = self._train(channels, hyperparameters)
        self._secondary_status("Uploading")
        self._upload(client)
        self.record["TrainingEndTime"] = datetime.now(UTC)
        seconds = max(1, round((self.record["TrainingEndTime"] - self.record["TrainingStartTime"]).total_seconds()))
        self.record["TrainingTimeInSeconds"] = self.record["BillableTimeInSeconds"] = seconds
        if outcome.stopped or outcome.timed_out:
            self._secondary_status("Stopped" if outcome.stopped else "MaxRuntimeExceeded")
            self.end("Stopped")
        elif outcome.returncode:
            self._secondary_status("Failed")
            self.end("Failed", failure_reason(self.folder / "output" / "failure", outcome))
        else:
            self._secondary_status("Completed")
            self.end("Completed")

    def final_metric(self, name: str) -> float | None:
        """Return the last value of a metric, or None if the code has not printed it."""
        for metric in self.record.get("FinalMetricDataList", []):
            if metric["MetricName"] == name:
                return float(metric["Value"])
        return None

    def _secondary_status(self, status: str) -> None:
        now = datetime.now(UTC)
        transitions = self.record.setdefault("SecondaryStatusTransitions", [])
        if transitions:
            transitions[-1]["EndTime"] = now
        transitions.append({"Status": status, "StartTime": now})
        self.record["SecondaryStatus"] = status

    def _fetch_channels(self, client: Any) -> dict[str, Path]:
        channels = {}
        for channel in self.record.get("InputDataConfig", []):
            name = channel["ChannelName"]
            channels[name] = self.folder / "input" / "data" / name
            fetch_input(client, channel["DataSource"]["S3DataSource"], channels[name])
        return channels

    def _checkpoint_folder(self) -> Path:
        return Path(local_path(self, self.record["CheckpointConfig"].get("LocalPath", f"{OPT_ML}/checkpoints")))

    def _fetch_checkpoints(self, client: Any) -> None:
        if "CheckpointConfig" in self.record:
            source = {"S3DataType": "S3Prefix", "S3Uri": self.record["CheckpointConfig"]["S3Uri"].rstrip("/") + "/"}
            fetch_input(client, source, self._checkpoint_folder(), may_be_empty=True)

    def _write_configuration(self, hyperparameters: Mapping[str, str]) -> None:
        for name in ("model", "output/data", "code", "checkpoints"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        channels = {
            channel["ChannelName"]: {"TrainingInputMode": "File", "ContentType": channel.get("ContentType", "")}
            for channel in self.record.get("InputDataConfig", [])
        }
        configuration = self.folder / "input" / "config"
        write_json(configuration / "hyperparameters.json", hyperparameters)
        write_json(configuration / "inputdataconfig.json", channels)
        write_json(configuration / "resourceconfig.json", {**HOSTS, "network_interface_name": "lo"})

    def _train(self, channels: Mapping[str, Path], hyperparameters: Mapping[str, str]) -> Outcome:
        """Run the entry script, with each hyperparameter as an argument, and collect the metrics that it prints."""
        program = hyperparameters.get("sagemaker_program")
        if not program:
            raise JobFailedError("AlgorithmError: hyperparameter sagemaker_program names no entry script")
        code = self.folder / "code"
        unpack(Path(hyperparameters["sagemaker_submit_directory"]), code)
        of_script = {key: value for key, value in hyperparameters.items() if not key.startswith(("sagemaker_", "_tuning_"))}
        isolated = bool(self.record.get("EnableNetworkIsolation"))
        environment = {
            **process_environment(self, self.record["RoleArn"], isolated=isolated),
            **self.record.get("Environment", {}),
            **training_variables(self, channels, of_script, program),
        }
        definitions = self.record["AlgorithmSpecification"].get("MetricDefinitions", [])
        patterns = [(definition["Name"], re.compile(definition["Regex"])) for definition in definitions]
        metrics: dict[str, dict[str, Any]] = {}

        def read_metrics(line: str) -> None:
            for name, pattern in patterns:
                match = pattern.search(line)
                if match:
                    value = float(match.group(1))
                    metrics[name] = {"MetricName": name, "Value": value, "Timestamp": datetime.now(UTC)}
                    self.on_metric(name, value)

        arguments = [part for key, value in sorted(of_script.items()) for part in (f"--{key}", value)]
        outcome = self.process.run(
            [self.context.python, str(code / program), *arguments],
            environment=environment,
            folder=code,
            timeout=self.record["StoppingCondition"].get("MaxRuntimeInSeconds", 86400),
            on_line=read_metrics,
        )
        self.record["FinalMetricDataList"] = list(metrics.values())
        return outcome

    def _upload(self, client: Any) -> None:
        if "CheckpointConfig" in self.record:
            upload_tree(client, self._checkpoint_folder(), self.record["CheckpointConfig"]["S3Uri"])
        target = f"{self.record['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output"
        if any((self.folder / "model").iterdir()):
            upload_archive(client, self.folder / "model", f"{target}/model.tar.gz")
            self.record["ModelArtifacts"] = {"S3ModelArtifacts": f"{target}/model.tar.gz"}
        if any((self.folder / "output" / "data").iterdir()):
            upload_archive(client, self.folder / "output" / "data", f"{target}/output.tar.gz")
