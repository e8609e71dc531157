"""Compare the speed of Prepare with a Spark copy, pandas and polars: `python -m benchmarks.prepare [--rows N] [--json PATH]`.

Each contender runs in its own process, in turns, on the same generated CSV.

- Seconds: from a started session to the last byte written.
- CPU seconds: of all its processes, start included. Other work on the machine changes them little.
- Memory: the largest resident size of the driver, which is the JVM (in local mode it holds the executors, too) or the Python process.

Goals (docs/explanation/measurements.md): at most 3 times the copy; faster than pandas; a cost per row at full size of at most 1.2
times that at a tenth of it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measurement import write_measurement
from benchmarks.prepare.contenders import CONTENDERS, ROOT
from benchmarks.prepare.data import write_csv

COPY_GOAL, GROWTH_GOAL = 3.0, 1.2


def run(name: str, path: Path) -> dict[str, Any]:
    """Run one contender once. Return its seconds, rows, and peak memory in MB of the driver and of the Python workers."""
    with tempfile.TemporaryDirectory(prefix="prepare-benchmark-") as folder:
        environment = {**os.environ, "TMPDIR": folder}
        command = [sys.executable, "-m", "benchmarks.prepare.contenders", name, str(path), folder]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        peaks = {"jvm": 0, "workers": 0}
        spent: dict[int, float] = {}
        watcher = threading.Thread(target=_watch, args=(process, peaks, spent), daemon=True)
        watcher.start()
        out, errors = process.communicate()
        watcher.join()
    if process.returncode:
        raise SystemExit(f"{name} failed:\n{errors[-3000:]}")
    result: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return {
        **result,
        "cpu_seconds": round(sum(spent.values()), 1),
        "jvm_peak_mb": peaks["jvm"] // 2**20,
        "workers_peak_mb": peaks["workers"] // 2**20,
    }


def _watch(process: subprocess.Popen[str], peaks: dict[str, int], spent: dict[int, float]) -> None:
    root = psutil.Process(process.pid)
    while process.poll() is None:
        sizes = {"jvm": 0, "workers": 0}
        try:
            for child in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.Error):  # it ended meanwhile
                    times = child.cpu_times()
                    spent[child.pid] = times.user + times.system
                    if child.pid != root.pid:
                        sizes["jvm" if "java" in child.name() else "workers"] += child.memory_info().rss
        except psutil.Error:
            return
        for kind, size in sizes.items():
            peaks[kind] = max(peaks[kind], size)
        time.sleep(0.25)


def main() -> None:
    """Generate, run in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    sizes = (given.rows // 10, given.rows)
    runs: dict[tuple[str, int], list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="prepare-benchmark-") as folder:
        for rows in sizes:
            path = Path(folder) / f"{rows}.csv"
            write_csv(path, rows)
            for _ in range(given.rounds):
                for name in given.only:
                    runs.setdefault((name, rows), []).append(run(name, path))
                    print(f"{rows} rows: {runs[name, rows][-1]}", file=sys.stderr)
            path.unlink()
    result = summary(runs, sizes)
    print(
        f"\n{'':<12}{'rows':>10}{'seconds':>10}{'µs a row':>10}{'x copy':>8}{'CPU s':>8}{'x copy':>8}{'driver MB':>11}{'workers MB':>12}"
    )
    for row in result["runs"]:
        ratio, cpu_ratio = (f"{value:.2f}" if value else "" for value in (row["times_copy"], row["times_copy_cpu"]))
        print(
            f"{row['name']:<12}{row['input_rows']:>10}{row['seconds']:>10.1f}{row['microseconds_per_row']:>10.1f}{ratio:>8}"
            f"{row['cpu_seconds']:>8.1f}{cpu_ratio:>8}"
            f"{row['driver_mb']:>11}{row['workers_mb']:>12}"
        )
    for goal, (value, met) in result["goals"].items():
        print(f"{'met   ' if met else 'MISSED'}  {goal}: {value}")
    if given.json:
        write_measurement(given.json, result)


def summary(runs: dict[tuple[str, int], list[dict[str, Any]]], sizes: tuple[int, int]) -> dict[str, Any]:
    """Medians, ratios to the copy at the same size, and the goals with whether they are met."""
    seconds = {key: statistics.median(found["seconds"] for found in group) for key, group in runs.items()}
    cpu = {key: statistics.median(found["cpu_seconds"] for found in group) for key, group in runs.items()}
    table = [
        {
            "name": name,
            "input_rows": rows,
            "seconds": taken,
            "microseconds_per_row": taken / rows * 1e6,
            "times_copy": taken / seconds["spark_copy", rows] if ("spark_copy", rows) in seconds else None,
            "cpu_seconds": cpu[name, rows],
            "times_copy_cpu": cpu[name, rows] / cpu["spark_copy", rows] if ("spark_copy", rows) in cpu else None,
            "driver_mb": max(found["jvm_peak_mb"] or found["python_peak_mb"] for found in runs[name, rows]),
            "workers_mb": max(found["workers_peak_mb"] for found in runs[name, rows]),
            "output_rows": runs[name, rows][0]["rows"],
        }
        for (name, rows), taken in seconds.items()
    ]
    small, full = sizes
    goals: dict[str, tuple[float, bool]] = {}
    if ("prepare", full) in seconds:
        ours = seconds["prepare", full]
        growth = round(ours / full / (seconds["prepare", small] / small), 2)
        goals[f"cost per row, {full} against {small} rows, at most {GROWTH_GOAL}"] = (growth, growth <= GROWTH_GOAL)
        if ("spark_copy", full) in seconds:
            ratio = round(ours / seconds["spark_copy", full], 2)
            goals[f"times the copy, at most {COPY_GOAL}"] = (ratio, ratio <= COPY_GOAL)
        for peer in ("pandas", "polars"):
            if (peer, full) in seconds:
                ratio = round(ours / seconds[peer, full], 2)
                goals[f"times {peer}, below 1"] = (ratio, ratio < 1)
    return {"runs": table, "goals": goals}


if __name__ == "__main__":
    main()
