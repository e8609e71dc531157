"""Local AWS: the synthesized template on one machine. moto's APIs, the unmodified CDK CLI, and real compute behind the calls.

with LocalAws.start(folder) as aws:
    aws.deploy()
    aws.session().client("s3").upload_file(…)
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import psutil

ROOT = Path(__file__).resolve().parent.parent
NODE = Path(__file__).resolve().parent / "node"
STATE, LOG = "state.json", "server.log"
START_SECONDS = 60

Progress = Callable[[str], None]


class LocalAwsError(Exception):
    """Local AWS could not be started, reached or deployed to; the message says what to do."""


class LocalAws:
    """A running local AWS: where its API is, whose credentials reach it, and how to deploy to it and end it."""

    def __init__(self, folder: Path, state: dict[str, Any], process: subprocess.Popen[bytes] | None) -> None:
        self.folder = folder
        self._state = state
        self._process = process

    @classmethod
    def start(cls, folder: Path, *, environment: str = "local", region: str | None = None, detached: bool = False) -> Self:
        """Start a server whose state lives in `folder`, made if missing.

        Args:
            folder: everything it writes; a second server on the same folder is refused.
            environment: whose settings give the region.
            detached: it stays when this process ends; otherwise it ends with it, however it ends.

        Raises:
            LocalAwsError: the folder is in use, or the server did not come up.
        """
        from stacks.config import load_settings

        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        running = _read_state(folder)
        if running:
            raise LocalAwsError(
                f"local AWS already runs on {folder} (process {running['pid']}): use it, or end it with `ptmlops down`"
            )
        (folder / STATE).unlink(missing_ok=True)
        region = region or load_settings(environment).environment.region
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with (folder / LOG).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "local_aws.server", str(folder), str(port), *(["--detached"] if detached else [])],
                cwd=ROOT,
                env=clean_environment(region),
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal is for the command; what it means for the server, the command decides.
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
        """The local AWS that runs on `folder`.

        Raises:
            LocalAwsError: none does.
        """
        state = _read_state(folder.resolve())
        if not state:
            raise LocalAwsError(f"no local AWS runs on {folder}: start one with `ptmlops up`")
        return cls(folder.resolve(), state, None)

    @property
    def endpoint_url(self) -> str:
        """Where the APIs are."""
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
        """A session of the operator; clients need `endpoint_url=aws.endpoint_url`, as `client` gives them."""
        return boto3.Session(
            aws_access_key_id=self._state["access_key_id"],
            aws_secret_access_key=self._state["secret_access_key"],
            region_name=self._state["region"],
        )

    def client(self, service: str) -> Any:
        """A boto3 client of the operator."""
        return self.session().client(service, endpoint_url=self.endpoint_url)  # type: ignore[call-overload]

    def deploy(
        self, assembly: Path | None = None, *, environment: str = "local", on_progress: Progress = lambda _: None
    ) -> None:
        """`cdk bootstrap` and `cdk deploy`, by the CLI that deploys to AWS.

        Args:
            assembly: a synthesized app; None takes that of `environment`, and synthesizes it if its sources changed.
            environment: which settings to synthesize with.
            on_progress: told what happens, in a few words.

        Raises:
            LocalAwsError: with the CLI's last lines, and where all of them are.
        """
        account, region = self._state["account_id"], self._state["region"]
        # Bootstrapping needs no template, so it goes on while the template is made.
        bootstrap = self._cdk("bootstrap", f"aws://{account}/{region}", log="bootstrap.log")
        with bootstrap:
            if assembly is None:
                from local_aws.assembly import find_or_synthesize

                def synthesize(folder: Path) -> None:
                    on_progress("synthesizing the template")
                    extra = {"CDK_OUTDIR": str(folder), "PTMLOPS_ENVIRONMENT": environment}
                    with self._command([sys.executable, "app.py"], "synthesis", extra=extra) as synthesis:
                        synthesis.wait()

                assembly = find_or_synthesize(environment, synthesize)
            on_progress("bootstrapping (cdk bootstrap)")
            bootstrap.wait()
        on_progress("deploying six stacks (cdk deploy)")
        with self._cdk(
            "deploy", "--all", "--app", str(assembly), "--require-approval", "never", "--concurrency", "4",
            "--method", "direct", "--progress", "events",
        ) as deployment:  # fmt: skip
            deployment.wait()

    def _cdk(self, *arguments: str, log: str = "deploy.log") -> _Command:
        cdk = NODE / "node_modules" / ".bin" / "cdk"
        if not cdk.exists():
            raise LocalAwsError("the CDK CLI is not installed: run `make install`")
        options = ("--no-notices", "--no-version-reporting", "--ci", "--no-color")
        return self._command([str(cdk), *arguments, *options], f"cdk {arguments[0]}", log=log)

    def _command(
        self, command: list[str], title: str, *, extra: Mapping[str, str] | None = None, log: str = "deploy.log"
    ) -> _Command:
        # The CLI finds the app's modules and its own credentials; nothing of the user's AWS configuration is read.
        environment = {**clean_environment(self._state["region"]), **self.environment, **(extra or {})}
        return _Command(command, title, environment=environment, log=self.folder / log)

    def stop(self) -> None:
        """End the server and everything it started; safe to call twice."""
        try:
            server = psutil.Process(self._state["pid"])
            family = [server, *server.children(recursive=True)]
            server.send_signal(signal.SIGTERM)
        except psutil.NoSuchProcess:
            family = []
        if self._process and self._process.stdin:
            self._process.stdin.close()
        _, alive = psutil.wait_procs(family, timeout=10)
        # What was started while the server ended (Spark's Python workers) is nobody's child now, but works in our folder.
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


class _Command:
    """A program of the deployment, which starts at once. It ends with the `with` block that holds it."""

    def __init__(self, command: list[str], title: str, *, environment: Mapping[str, str], log: Path) -> None:
        self._title, self._log = title, log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def wait(self) -> None:
        """Wait for its end.

        Raises:
            LocalAwsError: it failed; the message ends with its last lines.
        """
        status = self._process.wait()
        if status:
            text = self._log.read_text(encoding="utf-8", errors="replace")
            lines = [line for line in text.splitlines() if line.strip()]
            raise LocalAwsError(f"{self._title} failed with status {status}; {self._log} ends with:\n" + "\n".join(lines[-8:]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


def _read_state(folder: Path) -> dict[str, Any] | None:
    """The state of the server on `folder`, where one is alive."""
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
    """Processes in the folders of jobs, where only jobs work; a person's shell in `folder` itself is left alone."""
    found = []
    jobs = [folder / name for name in ("glue", "sagemaker", "lambda")]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(Path(process.cwd()).is_relative_to(job) for job in jobs):
                found.append(process)
    return found


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("localhost", port), timeout=1):
            return True
    except OSError:
        return False


def clean_environment(region: str) -> dict[str, str]:
    """The caller's environment without its AWS: neither profile nor credentials of a real account come near."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MOTO_", "SPARK_"))}
    node = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    path = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), node and str(Path(node).parent), kept.get("PATH"))))
    return {
        **kept,
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # The CLI would look for a newer version of itself, and wait for an answer that cannot come.
        "CDK_DISABLE_VERSION_CHECK": "1",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }
