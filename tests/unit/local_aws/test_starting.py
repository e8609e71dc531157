"""One command at a time starts a local AWS on a folder, and whatever ends it leaves no server and no lock behind."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from local_aws import ROOT, STATE, LocalAws, LocalAwsError, server, server_process
from local_aws.lock import FolderLock
from local_aws.paths import LOCK, LOG
from ptmlops.main import app

UP = [sys.executable, "-m", "ptmlops", "up"]


def up(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "400"}
    return subprocess.Popen(UP, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_file(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.02)


def ended_process() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_second_start_is_refused_while_the_first_one_starts(tmp_path: Path) -> None:
    first = FolderLock(tmp_path / LOCK)
    assert first.take()
    with pytest.raises(LocalAwsError, match=r"another command is starting local AWS on .*: wait until it has ended"):
        LocalAws.start(tmp_path)
    first.release()
    assert FolderLock(tmp_path / LOCK).take()


def test_the_lock_of_a_killed_command_is_free(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from local_aws.lock import FolderLock\n"
        "lock = FolderLock(Path(sys.argv[1])); print(lock.take(), flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / LOCK)], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"True\n"
    assert not FolderLock(tmp_path / LOCK).take()
    holder.kill()
    holder.wait()
    assert FolderLock(tmp_path / LOCK).take()


def test_an_interrupted_start_leaves_no_server_and_no_lock(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)  # a server takes seconds to start
    try:
        with pytest.raises(KeyboardInterrupt):
            LocalAws.start(tmp_path, detached=True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not [child for child in psutil.Process().children() if str(tmp_path) in " ".join(child.cmdline())]
    assert FolderLock(tmp_path / LOCK).take()


def test_the_error_of_a_start_quotes_the_log_of_this_start_only(tmp_path: Path) -> None:
    (tmp_path / LOG).write_text("an earlier server failed\n", encoding="utf-8")
    no_number: Any = "x"
    with pytest.raises(LocalAwsError) as caught:
        LocalAws.start(tmp_path, minute=no_number)
    assert "its server ended with status 2; " in str(caught.value)
    assert "argument --minute: invalid float value: 'x'" in str(caught.value)
    assert "earlier" not in str(caught.value)


def test_without_a_loopback_interface_the_error_says_so_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    monkeypatch.setattr(server_process.socket, "create_connection", unreachable)  # type: ignore[attr-defined] # a module
    with pytest.raises(LocalAwsError, match=r"localhost, cannot be reached \(Network is unreachable\).*`ip link set lo up`"):
        LocalAws.start(tmp_path)
    assert not (tmp_path / LOG).exists()


@pytest.mark.parametrize("place", ["file", "/proc/x"])
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(LocalAwsError, match=r"local AWS cannot write to .*: call it in another folder"):
        LocalAws.start(tmp_path / place)


def test_after_the_server_died_commands_say_that_its_data_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".local_aws").mkdir()
    pid = ended_process()
    (tmp_path / ".local_aws" / STATE).write_text(json.dumps({"pid": pid}), encoding="utf-8")
    done = CliRunner().invoke(app, ["status", "--local"], env={"COLUMNS": "400"})
    assert done.exit_code == 2
    assert (
        f"(process {pid} died, and its data with it: local AWS keeps data in memory): start one with `ptmlops up`"
        in done.stderr
    )


@pytest.mark.slow
def test_up_beside_up_is_refused_and_up_after_a_death_starts_anew(tmp_path: Path) -> None:
    state = tmp_path / ".local_aws" / STATE
    pid = ended_process()
    state.parent.mkdir()
    state.write_text(json.dumps({"pid": pid}), encoding="utf-8")
    first = up(tmp_path)
    wait_for_file(tmp_path / ".local_aws" / LOG)  # the first one has the lock
    second = up(tmp_path)
    _, error = second.communicate(timeout=120)
    assert second.returncode == 2, error
    assert "another command is starting local AWS on" in error or "until the command that started it has deployed" in error
    assert first.stderr
    assert f"(process {pid}) died. Its runs and results are gone" in first.stderr.readline()  # it has started, and deploys
    server = psutil.Process(json.loads(state.read_text(encoding="utf-8"))["pid"])

    first.terminate()
    _, error = first.communicate(timeout=120)

    assert first.returncode == 143, error
    assert "Traceback" not in error
    assert "ptmlops: it was asked to end; everything that the command started has ended" in error
    assert psutil.wait_procs([server], timeout=10)[0]
    assert not state.exists()


@pytest.mark.slow
@pytest.mark.parametrize("module", ["local_aws.server", "faults.frozen", "faults.states"])
def test_each_local_aws_refuses_what_a_role_may_not_do(tmp_path: Path, module: str) -> None:
    with LocalAws.start(tmp_path, module=module) as aws:
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = aws.client("iam").create_role(RoleName="nothing", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        taken = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        session = boto3.Session(taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"], region_name="us-east-1")
        with pytest.raises(ClientError, match="AccessDenied"):
            session.client("s3", endpoint_url=aws.endpoint_url).list_buckets()


def test_a_server_that_would_check_no_permissions_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """moto reads how it checks them while it is imported."""
    monkeypatch.setattr(sys, "argv", ["server", str(tmp_path), "1"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setitem(sys.modules, "moto", object())
    with pytest.raises(RuntimeError, match="moto was imported before"):
        server.main()
