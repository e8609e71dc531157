"""Batch Transform jobs: start a model server, send it the objects in batches, and write its answers."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_aws.process import Outcome, objects
from local_aws.services.sagemaker.container import check_image, last_line, local_path, process_environment
from local_aws.services.sagemaker.files import fetch_file, split_address, unpack
from local_aws.services.sagemaker.job import Job, JobFailedError, JobStoppedError, JobStore
from local_aws.services.sagemaker.packages import model_container

SERVER = Path(__file__).with_name("serving.py")


class TransformJob(Job):
    """One Batch Transform job."""

    kind = "TransformJob"
    arn_kind = "transform-job"
    log_group = "/aws/sagemaker/TransformJobs"

    @classmethod
    def check(cls, request: Mapping[str, Any], jobs: JobStore) -> None:
        split = request["TransformInput"].get("SplitType", "None")
        if split not in ("None", "Line"):
            raise JobFailedError(f"local AWS splits by Line or not at all, not by {split}")
        if request.get("DataProcessing", {}).get("JoinSource", "None") != "None":
            raise JobFailedError("local AWS does not join inputs to outputs (DataProcessing.JoinSource)")
        if request["TransformInput"].get("CompressionType", "None") != "None":
            raise JobFailedError("local AWS does not read compressed transform inputs")

    def work(self) -> None:
        store = self.context.backend("sagemaker")
        model = store._models.get(self.record["ModelName"])
        if model is None:
            raise JobFailedError(f"ClientError: Could not find model {self.record['ModelName']}")
        container = model_container(store, model)
        check_image(container["Image"])
        volume_key = self.record["TransformResources"].get("VolumeKmsKeyId")
        self.check_role(model.execution_role_arn, image=container["Image"], volume_key=volume_key)
        client = self.client(model.execution_role_arn)
        self.record["TransformStartTime"] = datetime.now(UTC)
        fetch_file(client, container["ModelDataUrl"], self.folder / "model.tar.gz")
        unpack(self.folder / "model.tar.gz", self.folder / "model")
        try:
            with self._model_server(model, container) as url:
                self._transform_objects(client, url)
        finally:
            self.record["TransformEndTime"] = datetime.now(UTC)
        self.end("Stopped" if self.stopping.is_set() else "Completed")

    @contextmanager
    def _model_server(self, model: Any, container: Mapping[str, Any]) -> Generator[str]:
        """Run the model server and give the URL of its invocations."""
        configured = {**container.get("Environment", {}), **self.record.get("Environment", {})}
        variables = {key: local_path(self, value) for key, value in configured.items()}
        program, source = variables.get("SAGEMAKER_PROGRAM"), variables.get("SAGEMAKER_SUBMIT_DIRECTORY")
        if not program or not source:
            raise JobFailedError("AlgorithmError: SAGEMAKER_PROGRAM and SAGEMAKER_SUBMIT_DIRECTORY must name the serving code")
        isolated = bool(model.enable_network_isolation)
        environment = {**process_environment(self, model.execution_role_arn, isolated=isolated), **variables}
        port_file = self.folder / "port"
        command = [self.context.python, str(SERVER), str(self.folder / "model"), source, program, str(port_file)]
        outcomes: list[Outcome] = []

        def serve() -> None:
            outcomes.append(self.process.run(command, environment=environment, folder=self.folder, timeout=86400))

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        try:
            while not port_file.exists() and server.is_alive():
                time.sleep(0.05)
            if not port_file.exists():
                raise self._error(f"the model server did not start: {last_line(outcomes[0])}")
            yield f"http://127.0.0.1:{port_file.read_text(encoding='ascii')}/invocations"
        finally:
            self.process.stop()
            server.join()

    def _transform_objects(self, client: Any, url: str) -> None:
        """Transform the objects below the input's prefix, one output object for each."""
        record = self.record
        source = record["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        bucket, prefix = split_address(source)
        target_bucket, target = split_address(record["TransformOutput"]["S3OutputPath"])
        keys = objects(client, bucket, prefix)
        if not keys:
            raise JobFailedError(f"ClientError: no objects below {source}")
        separator = b"\n" if record["TransformOutput"].get("AssembleWith", "None") == "Line" else b""
        with ThreadPoolExecutor(max_workers=max(1, record.get("MaxConcurrentTransforms", 1))) as pool:
            for key in keys:
                batches = self._batches(client.get_object(Bucket=bucket, Key=key)["Body"].read())
                answers = list(pool.map(lambda batch: self._invoke(url, batch), batches))
                name = key.removeprefix(prefix.rpartition("/")[0] + "/")
                output = separator.join(answer.rstrip(b"\n") if separator else answer for answer in answers) + separator
                client.put_object(Bucket=target_bucket, Key=f"{target.rstrip('/')}/{name}.out", Body=output)

    def _batches(self, body: bytes) -> list[bytes]:
        """Split an object as the request says.

        Raises:
            JobFailedError: A part is larger than the payload may be.
        """
        megabytes = self.record.get("MaxPayloadInMB", 6)
        limit = megabytes * 1024 * 1024
        if self.record["TransformInput"].get("SplitType", "None") == "Line":
            single = self.record.get("BatchStrategy", "MultiRecord") == "SingleRecord"
            batches = list(line_batches(body, limit, single=single))
        else:
            batches = [body]
        if any(len(batch) > limit for batch in batches):
            raise JobFailedError(f"ClientError: a record is larger than MaxPayloadInMB ({megabytes})")
        return batches

    def _invoke(self, url: str, payload: bytes) -> bytes:
        """Return the model's answer to one batch."""
        if self.stopping.is_set():
            raise JobStoppedError
        headers = {
            "Content-Type": self.record["TransformInput"].get("ContentType", "application/json"),
            "Accept": self.record["TransformOutput"].get("Accept", "application/json"),
        }
        timeout = self.record.get("ModelClientConfig", {}).get("InvocationsTimeoutInSeconds", 600)
        request = urllib.request.Request(url, data=payload, headers=headers, method="POST")  # noqa: S310 - our own port
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - as above
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            raise self._error(f"the model answered {error.code}: {error.read().decode(errors='replace')[:400]}") from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise self._error(f"the model server does not answer: {error}") from None

    def _error(self, reason: str) -> Exception:
        """Return the error of a model server that failed. A stopped job's server fails because it was stopped."""
        return JobStoppedError() if self.stopping.is_set() else JobFailedError(f"AlgorithmError: {reason}")


def line_batches(body: bytes, limit: int, *, single: bool) -> Iterator[bytes]:
    """Yield complete lines: as many as fit the payload, or one if `single`."""
    batch: list[bytes] = []
    size = 0
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        record = line + b"\n"
        if batch and (single or size + len(record) > limit):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    if batch:
        yield b"".join(batch)
