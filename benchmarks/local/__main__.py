"""Measure what a warm Spark saves: Prepare and Publish of the demo's files on local AWS, warm against cold, in one run.

    python -m benchmarks.local [--rounds 3] [--json FILE]

Each round starts the same job run twice: after the idle Spark was ended (the run starts a new one), and on the Spark that the first
run left. Times are ExecutionTime as Glue counts it, to a tenth of a second, from StartJobRun to the final state.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from local_aws import LocalAws
from ptmlops import generator, runs, uploads
from ptmlops.target import Target

LABELLED, UNLABELLED = 3000, 1000


def main() -> None:
    """Deploy, run the demo's two files through the pipeline once, then repeat their jobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the result here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, LocalAws.start(Path(folder, "aws")) as aws:
        began = time.monotonic()
        aws.deploy()
        deployment = time.monotonic() - began
        result = measure(Target.local(aws, "local"), Path(folder), options.rounds)
    result |= {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{psutil.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "deployment_seconds": round(deployment, 1),
    }
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measure(target: Target, folder: Path, rounds: int) -> dict[str, Any]:
    """Return the median seconds of each job, cold and warm, and the idle memory."""
    jobs: dict[str, tuple[str, dict[str, str]]] = {}
    for labelled, rows in ((True, LABELLED), (False, UNLABELLED)):
        file = folder / f"labelled-{labelled}.csv"
        generator.write_csv(file, rows, labelled=labelled, seed=7 + rows)
        run_id = uploads.wait_for_run(target, uploads.upload(target, file))
        for _ in runs.follow(target, run_id):
            pass
        for name in ("Prepare", "Publish"):
            job = target.outputs[f"{name}JobName"]
            [found] = [
                run
                for run in target.client("glue").get_job_runs(JobName=job)["JobRuns"]
                if run["Arguments"]["--run_id"] == run_id
            ]
            own = {
                key: value
                for key, value in found["Arguments"].items()
                if key in ("--run_id", "--model_version", "--evaluation_uri")
            }
            jobs[f"{name}, {rows:,} {'labelled' if labelled else 'unlabelled'} rows"] = (job, own)
    table: dict[str, Any] = {}
    for title, (job, arguments) in jobs.items():
        cold, warm = [], []
        for _ in range(rounds):
            for host in spark_hosts():
                host.kill()
            cold.append(seconds(target, job, arguments))
            warm.append(seconds(target, job, arguments))
        table[title] = {
            "cold_seconds": round(statistics.median(cold), 1),
            "warm_seconds": round(statistics.median(warm), 1),
            "ratio": round(statistics.median(warm) / statistics.median(cold), 2),
        }
    return {"jobs": table, "idle": idle()}


def spark_hosts() -> list[psutil.Process]:
    """Return the processes that keep a Spark running below this one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it ended since it was listed
            if "local_aws.services.glue.spark_host" in process.cmdline():
                found.append(process)
    return found


def seconds(target: Target, job: str, arguments: dict[str, str]) -> float:
    """Run a job to its end and return how long that took."""
    glue = target.client("glue")
    began = time.monotonic()
    run = glue.start_job_run(JobName=job, Arguments=arguments)["JobRunId"]
    while (state := glue.get_job_run(JobName=job, RunId=run)["JobRun"])["JobRunState"] in ("STARTING", "RUNNING"):
        time.sleep(0.1)
    assert state["JobRunState"] == "SUCCEEDED", state
    return time.monotonic() - began


def idle(settle: float = 90, period: float = 20) -> dict[str, float]:
    """Return memory and processor share of an idle local AWS with a warm Spark."""
    time.sleep(settle)
    family = psutil.Process().children(recursive=True)
    before = {process.pid: sum(process.cpu_times()[:2]) for process in family}
    time.sleep(period)
    used = sum(sum(process.cpu_times()[:2]) - before[process.pid] for process in family if process.is_running())
    gib = sum(process.memory_full_info().pss for process in family if process.is_running()) / 2**30
    return {"memory_gib": round(gib, 2), "core_percent": round(100 * used / period, 2)}


if __name__ == "__main__":
    main()
