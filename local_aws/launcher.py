"""Start, reach, deploy to and end a local AWS. The server itself is another process (server.py)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import botocore.session
import psutil

from local_aws.assembly import find_or_synthesize
from local_aws.lock import FolderLock
from local_aws.metrics import Clock
from local_aws.paths import LOCK, NODE, ROOT, STATE, clean_environment
from local_aws.server_process import LocalAwsError, died_process, running_state, start_server

CDK = NODE / "node_modules" / ".bin" / "cdk"
BOOTSTRAP_STACK = "CDKToolkit"
# In botocore's form: key in the configuration file, variables, default, conversion.
NO_CONFIGURATION = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}

Progress = Callable[[str], None]


class LocalAws:
    """A running local AWS: its address and credentials, and how to deploy to it and end it.

    Attributes:
        folder: Everything it writes.
        replaces: The process of an earlier server on the folder that died, or None. Its data was in its memory.
    """

    def __init__(
        self,
        folder: Path,
        state: dict[str, Any],
        process: subprocess.Popen[bytes] | None,
        *,
        lock: FolderLock | None = None,
        replaces: int | None = None,
    ) -> None:
        self.folder = folder
        self.replaces = replaces
        self._state = state
        self._process = process
        self._lock = lock

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        environment: str = "local",
        region: str | None = None,
        detached: bool = False,
        minute: float = 60,
        module: str = "local_aws.server",
    ) -> Self:
        """Start a server whose state lives in `folder`, made if missing.

        Args:
            folder: Everything it writes. A second server on the same folder is refused, also while the first one starts.
            environment: The settings that define the region.
            region: Another region than that of the settings.
            detached: Whether it continues when this process ends.
            minute: Seconds in a minute of a Glue job's time limit. Tests shorten it.
            module: What runs as the server.

        Raises:
            LocalAwsError: The folder is in use or cannot be written, or the server did not start.
        """
        from stacks.config import load_settings

        folder = folder.resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(folder / LOCK)
        except OSError as error:
            raise LocalAwsError(f"local AWS cannot write to {folder} ({error.strerror}): call it in another folder") from None
        locked = lock.take()
        if running := running_state(folder):
            lock.release()
            advice = (
                "use it, or end it" if locked else "wait until the command that started it has deployed to it, or end both"
            )
            raise LocalAwsError(f"local AWS already runs on {folder} (process {running['pid']}): {advice} with `ptmlops down`")
        if not locked:
            raise LocalAwsError(f"another command is starting local AWS on {folder}: wait until it has ended")
        try:
            region = region or load_settings(environment).environment.region
            state, process, died = start_server(folder, region, detached=detached, minute=minute, module=module)
        except BaseException:
            lock.release()
            raise
        return cls(folder, state, process, lock=lock, replaces=died)

    @classmethod
    def attach(cls, folder: Path) -> Self:
        """Return the local AWS that runs on `folder`.

        Raises:
            LocalAwsError: There is none.
        """
        state = running_state(folder.resolve())
        if not state:
            died = died_process(folder.resolve())
            lost = f" (process {died} died, and its data with it: local AWS keeps data in memory)" if died else ""
            raise LocalAwsError(f"no local AWS runs on {folder}{lost}: start one with `ptmlops up`")
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
        """Return a session of the operator. Its clients need `endpoint_url=aws.endpoint_url`; `client` sets it.

        It reads nothing of the user's AWS configuration: AWS_PROFILE may name a profile with other settings, or none that exists.
        """
        return boto3.Session(
            botocore_session=botocore.session.Session(session_vars=NO_CONFIGURATION),
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
        try:
            self._deploy(assembly, environment, on_progress)
        finally:
            self._release_lock()

    def _deploy(self, assembly: Path | None, environment: str, on_progress: Progress) -> None:
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
        on_progress("deploying the stacks (cdk deploy)")
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
            self._end(patience=10)
        except BaseException:  # Ctrl-C, or a request to end: nothing is waited for any more, and nothing is left
            self._end(patience=0)
            raise

    def _end(self, patience: float) -> None:
        """Ask the server and its processes to end, and kill those that have not ended after so many seconds."""
        try:
            server = psutil.Process(self._state["pid"])
            family = [server, *server.children(recursive=True)]
            server.send_signal(signal.SIGTERM)
        except psutil.NoSuchProcess:
            family = []
        if self._process and self._process.stdin:
            self._process.stdin.close()
        _, alive = psutil.wait_procs(family, timeout=patience)
        # A process that was started while the server ended (a Python worker of Spark) is not its child any more.
        alive += _working_in(self.folder)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=5)
        if self._process:
            self._process.wait()
        (self.folder / STATE).unlink(missing_ok=True)
        self._release_lock()

    def _release_lock(self) -> None:
        if self._lock:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.stop()


def _working_in(folder: Path) -> list[psutil.Process]:
    """Return the processes that work in the folders of jobs. A person's shell in `folder` itself is not one of them."""
    processes = []
    jobs = [folder / name for name in ("glue", "sagemaker", "lambda")]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(Path(process.cwd()).is_relative_to(job) for job in jobs):
                processes.append(process)
    return processes
