"""Start, reach, deploy to and end a local AWS. The server itself is another process (server.py)."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import psutil

from local_aws.assembly import find_or_synthesize
from local_aws.metrics import CLOCK, Clock
from local_aws.paths import LOG, NODE, NOTICES, ROOT, STATE, clean_environment

START_SECONDS = 60
CDK = NODE / "node_modules" / ".bin" / "cdk"
BOOTSTRAP_STACK = "CDKToolkit"

Progress = Callable[[str], None]


class LocalAwsError(Exception):
    """Local AWS could not be started, reached or deployed to; the message says what to do."""


class LocalAws:
    """A running local AWS: its address and credentials, and how to deploy to it and end it."""

    def __init__(self, folder: Path, state: dict[str, Any], process: subprocess.Popen[bytes] | None) -> None:
        self.folder = folder
        self._state = state
        self._process = process

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        environment: str = "local",
        region: str | None = None,
        detached: bool = False,
        minute: float = 60,
    ) -> Self:
        """Start a server whose state lives in `folder`, made if missing.

        Args:
            folder: Everything it writes. A second server on the same folder is refused.
            environment: The settings that define the region.
            region: Another region than that of the settings.
            detached: Whether it continues when this process ends.
            minute: Seconds in a minute of a Glue job's time limit. Tests shorten it.

        Raises:
            LocalAwsError: The folder is in use, or the server did not start.
        """
        from stacks.config import load_settings

        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        running = _read_state(folder)
        if running:
            raise LocalAwsError(
                f"local AWS already runs on {folder} (process {running['pid']}): use it, or end it with `ptmlops down`"
            )
        for left_over in (STATE, NOTICES, CLOCK):  # of an earlier server
            (folder / left_over).unlink(missing_ok=True)
        region = region or load_settings(environment).environment.region
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = ["--minute", str(minute), *(["--detached"] if detached else [])]
        with (folder / LOG).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "local_aws.server", str(folder), str(port), *options],
                cwd=ROOT,
                env=clean_environment(region),
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal reaches the command only, and the command decides whether to end the server.
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not (state := _read_state(folder)) or not _answers(state["port"]):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                tail = (folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
                raise LocalAwsError(f"local AWS did not start; {folder / LOG} ends with: " + " | ".join(tail))
            time.sleep(0.1)
        return cls(folder, state, process)

    @classmethod
    def attach(cls, folder: Path) -> Self:
        """Return the local AWS that runs on `folder`.

        Raises:
            LocalAwsError: There is none.
        """
        state = _read_state(folder.resolve())
        if not state:
            raise LocalAwsError(f"no local AWS runs on {folder}: start one with `ptmlops up`")
        return cls(folder.resolve(), state, None)

    @property
    def endpoint_url(self) -> str:
        """The address of the APIs."""
        return f"http://localhost:{self._state['port']}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point any AWS tool at this local AWS, as its operator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self._state["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self._state["secret_access_key"],
            "AWS_REGION": self._state["region"],
            "AWS_DEFAULT_REGION": self._state["region"],
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def session(self) -> boto3.Session:
        """Return a session of the operator. Its clients need `endpoint_url=aws.endpoint_url`; `client` sets it."""
        return boto3.Session(
            aws_access_key_id=self._state["access_key_id"],
            aws_secret_access_key=self._state["secret_access_key"],
            region_name=self._state["region"],
        )

    def set_clock_ahead(self, ahead: timedelta) -> None:
        """Set the clock of metrics and alarms ahead, so that an alarm's period of a day passes in a second. Nothing else is affected."""
        Clock(self.folder).set_ahead(ahead)

    def client(self, service: str) -> Any:
        """Return a boto3 client of the operator."""
        return self.session().client(service, endpoint_url=self.endpoint_url)  # type: ignore[call-overload]

    def deploy(
        self, assembly: Path | None = None, *, environment: str = "local", on_progress: Progress = lambda _: None
    ) -> None:
        """Bootstrap the account and run `cdk deploy`, by the CLI that deploys to AWS.

        Args:
            assembly: A synthesized app. None takes that of `environment`, and synthesizes it if its sources changed.
            environment: The settings to synthesize with.
            on_progress: Called with a description of each step.

        Raises:
            LocalAwsError: A step failed. The message has the CLI's last lines and the file with all of them.
        """
        if not CDK.exists():
            raise LocalAwsError("the CDK CLI is not installed: run `make install`")
        on_progress("bootstrapping the account")
        self._bootstrap()
        if assembly is None:

            def synthesize(folder: Path) -> None:
                on_progress("synthesizing the template")
                extra = {"CDK_OUTDIR": str(folder), "PTMLOPS_ENVIRONMENT": environment}
                self._run([sys.executable, "app.py"], "synthesis", extra=extra)

            assembly = find_or_synthesize(environment, synthesize)
        on_progress("deploying six stacks (cdk deploy)")
        self.cdk(
            "deploy", "--all", "--app", str(assembly), "--require-approval", "never", "--concurrency", "4",
            "--method", "direct", "--progress", "events",
        )  # fmt: skip

    def _bootstrap(self) -> None:
        """Create the stack of `cdk bootstrap` from the template that the CLI carries, as AWS documents for accounts without the CLI.

        The CLI would wait in intervals of seconds for a stack that is there at once. A test runs it afterwards: it finds no change.
        """
        cloudformation = self.client("cloudformation")
        if any(stack["StackName"] == BOOTSTRAP_STACK for stack in cloudformation.describe_stacks()["Stacks"]):
            return
        template = NODE / "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml"
        parameters = {
            "CloudFormationExecutionPolicies": "arn:aws:iam::aws:policy/AdministratorAccess",
            "FileAssetsBucketKmsKeyId": "AWS_MANAGED_KEY",
            "PublicAccessBlockConfiguration": "true",
        }
        cloudformation.create_stack(
            StackName=BOOTSTRAP_STACK,
            TemplateBody=template.read_text(encoding="utf-8"),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

    def cdk(self, *arguments: str) -> str:
        """Run the CDK CLI against this local AWS. Return what it has written.

        Raises:
            LocalAwsError: It failed.
        """
        options = ("--no-notices", "--no-version-reporting", "--ci", "--no-color")
        return self._run([str(CDK), *arguments, *options], f"cdk {arguments[0]}")

    def _run(self, command: list[str], title: str, *, extra: Mapping[str, str] | None = None) -> str:
        """Run a program of the deployment. Its output is added to deploy.log."""
        # The CLI gets the app's modules and the operator's credentials, and reads nothing of the user's AWS configuration.
        environment = {**clean_environment(self._state["region"]), **self.environment, **(extra or {})}
        log = self.folder / "deploy.log"
        with log.open("ab") as output:
            begins = output.tell()
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
            )
        text = log.read_bytes()[begins:].decode("utf-8", "replace")
        if done.returncode:
            lines = [line for line in text.splitlines() if line.strip()]
            raise LocalAwsError(f"{title} failed with status {done.returncode}; {log} ends with:\n" + "\n".join(lines[-8:]))
        return text

    def stop(self) -> None:
        """End the server and everything it started. A second call does nothing."""
        try:
            server = psutil.Process(self._state["pid"])
            family = [server, *server.children(recursive=True)]
            server.send_signal(signal.SIGTERM)
        except psutil.NoSuchProcess:
            family = []
        if self._process and self._process.stdin:
            self._process.stdin.close()
        _, alive = psutil.wait_procs(family, timeout=10)
        # A process that was started while the server ended (a Python worker of Spark) is not its child any more.
        alive += _working_in(self.folder)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=5)
        if self._process:
            self._process.wait()
        (self.folder / STATE).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.stop()


def _read_state(folder: Path) -> dict[str, Any] | None:
    """Return the state of the server on `folder`, or None if no server runs."""
    try:
        state: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    try:
        command = " ".join(psutil.Process(state["pid"]).cmdline())
    except psutil.NoSuchProcess:
        return None
    return state if "local_aws.server" in command else None


def _working_in(folder: Path) -> list[psutil.Process]:
    """Return the processes that work in the folders of jobs. A person's shell in `folder` itself is not one of them."""
    processes = []
    jobs = [folder / name for name in ("glue", "sagemaker", "lambda")]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(Path(process.cwd()).is_relative_to(job) for job in jobs):
                processes.append(process)
    return processes


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("localhost", port), timeout=1):
            return True
    except OSError:
        return False
