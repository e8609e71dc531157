"""Processor time of the local AWS server: while it idles, and per run of the pipeline.

    python -m benchmarks.local.server [--runs N] [--files N] [--idle SECONDS] [--limit SECONDS] [--json PATH]

It starts a local AWS in a temporary folder, deploys to it, and lets it idle. Then it uploads small files of unlabelled complaints to
the raw bucket, one group per run, with all runs going at once. A run is a Glue job (Prepare) and three Lambda functions. It ends
without scores, because no model is registered.

Only the server's own process is counted. The jobs and functions that it starts are processes of their own. Processor seconds per run
grow with the time that a run takes, so compare two versions of the code in alternation on one machine. Deployment is reported, too, as
seconds on the clock and as processor seconds of the server and of the programs that deploy.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from local_aws import STATE, LocalAws
from ptmlops import generator
from ptmlops.target import Target

ROWS_PER_FILE = 20


def measure(folder: Path, *, run_count: int, files_per_run: int, idle_seconds: float, limit_seconds: float) -> dict[str, Any]:
    """Deploy, idle and run.

    Args:
        folder: an empty folder.
        run_count: groups of files, each of which becomes a run.
        files_per_run: files that are uploaded at once.
        idle_seconds: how long to watch the idle server.
        limit_seconds: when to stop waiting for the runs.

    Returns:
        What `main` prints; times are in seconds.
    """
    began = time.monotonic()
    with LocalAws.start(folder / "aws") as aws:
        started = time.monotonic()
        before = os.times()
        aws.deploy()
        deployed = time.monotonic()
        after = os.times()
        server = psutil.Process(json.loads((aws.folder / STATE).read_text(encoding="utf-8"))["pid"])
        result: dict[str, Any] = {
            "load_at_start": os.getloadavg()[0],
            "start_seconds": started - began,
            "deploy_seconds": deployed - started,
            "deploy_cpu_seconds": sum(after[2:4]) - sum(before[2:4]),
            "deploy_server_cpu_seconds": _cpu(server),
        }
        time.sleep(5)
        spent = _cpu(server)
        time.sleep(idle_seconds)
        result["idle_percent"] = (_cpu(server) - spent) / idle_seconds * 100
        if run_count:
            result |= _follow_runs(
                aws, folder, server=server, run_count=run_count, files_per_run=files_per_run, limit_seconds=limit_seconds
            )
    return {key: round(value, 2) for key, value in result.items()}


def _follow_runs(
    aws: LocalAws, folder: Path, *, server: psutil.Process, run_count: int, files_per_run: int, limit_seconds: float
) -> dict[str, Any]:
    """Upload the files through the real trigger and wait for the runs that they start."""
    target = Target.local(aws, "local")
    bucket, state_machine = target.outputs["RawBucketName"], target.outputs["StateMachineArn"]
    s3, states = target.client("s3"), target.client("stepfunctions")
    path = folder / "complaints.csv"
    generator.write_csv(path, ROWS_PER_FILE, labelled=False)
    body = path.read_bytes()
    spent, began = _cpu(server), time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        for group in range(run_count):
            keys = [f"group-{group}/complaints-{number}.csv" for number in range(files_per_run)]
            list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=body), keys))
            while len(_executions(states, state_machine)) <= group:  # files that arrive later are the next run's
                if time.monotonic() > began + limit_seconds:
                    raise SystemExit("the files started no run within the limit")
                time.sleep(0.5)
    while time.monotonic() < began + limit_seconds:
        statuses = [execution["status"] for execution in _executions(states, state_machine)]
        if "RUNNING" not in statuses:
            break
        time.sleep(2)
    ended = len(statuses) - statuses.count("RUNNING")
    used = _cpu(server) - spent
    return {
        "runs_started": len(statuses),
        "runs_ended": ended,
        "runs_seconds": time.monotonic() - began,
        "runs_server_cpu_seconds": used,
        "server_cpu_seconds_per_run": used / max(1, ended),
        "server_percent_of_a_core": used / (time.monotonic() - began) * 100,
    }


def _executions(states: Any, state_machine: str) -> list[dict[str, Any]]:
    executions: list[dict[str, Any]] = states.list_executions(stateMachineArn=state_machine)["executions"]
    return executions


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()  # without those of the processes that it started
    return float(times.user + times.system)


def main() -> None:
    """Measure, and print a line per result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=4, help="groups of files, a run each; 0 measures deployment and idling")
    parser.add_argument("--files", type=int, default=10, help="files per group")
    parser.add_argument("--idle", type=float, default=30, help="seconds to watch the idle server")
    parser.add_argument("--limit", type=float, default=900, help="seconds to wait for the runs")
    parser.add_argument("--json", type=Path, help="write the results to this file, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="local-aws-") as folder:
        result = measure(
            Path(folder),
            run_count=arguments.runs,
            files_per_run=arguments.files,
            idle_seconds=arguments.idle,
            limit_seconds=arguments.limit,
        )
    for name, value in result.items():
        print(f"{name:32} {value:>10}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
