"""Run the matrix of faults on local AWS, and write what was observed for docs/reference/reliability.md.

    python -m faults [--part functions | scoring | training] [--restart] [--json FILE]

A matrix that was stopped goes on where it stood, unless the code has changed since or `--restart` is given. It ends with status 1 if a
promise did not hold. Runs that score and runs that train have a local AWS each, at the same time, because both wait most of the time.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.measurement import write_measurement
from faults.functions import freeze_situations, try_all
from faults.outcome import DIFFERS, FUNCTIONS, RUNS, Outcome, Outcomes, count
from faults.runs import Bench, scoring_checks, training_checks, try_check
from local_aws import ROOT, LocalAws

RUN_PARTS = {"scoring": scoring_checks, "training": training_checks}
_OWN_FOLDER = re.compile(rf"{re.escape(tempfile.gettempdir())}/\w+")
RESULTS = ROOT / "build" / "faults"


def main() -> int:
    """Run what is missing, and print a line for each part and each promise that did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=(FUNCTIONS, *RUN_PARTS), help="only this part")
    parser.add_argument("--restart", action="store_true", help="forget what an earlier call observed")
    parser.add_argument("--json", type=Path, help="write what was observed here")
    options = parser.parse_args()
    if options.restart:
        shutil.rmtree(RESULTS, ignore_errors=True)
    outcomes = Outcomes(RESULTS)
    if options.part:
        _try_part(options.part, outcomes)
    else:
        _try_part(FUNCTIONS, outcomes)
        children = [subprocess.Popen([sys.executable, "-m", "faults", "--part", part]) for part in RUN_PARTS]
        for child in children:
            child.wait()
        outcomes = Outcomes(RESULTS)
        if missing := [check.name for part in RUN_PARTS.values() for check in part() if check.name not in outcomes.known]:
            print(f"stopped: {len(missing)} checks were not tried; the same command goes on with them", file=sys.stderr)
            return 2
    if options.json:
        write_measurement(options.json, _document(outcomes))
    return int(bool(count(outcomes.known.values())[DIFFERS]))


def _try_part(part: str, outcomes: Outcomes) -> None:
    began = time.monotonic()
    module = "faults.frozen" if part == FUNCTIONS else "faults.states"
    with tempfile.TemporaryDirectory() as folder, LocalAws.start(Path(folder, "aws"), module=module) as aws:
        aws.deploy()
        print(f"{part}: deployed after {time.monotonic() - began:.0f} s", flush=True)
        if part == FUNCTIONS:
            _try_functions(aws, Path(folder), outcomes)
        else:
            _try_runs(part, aws, Path(folder), outcomes)
    print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)


def _try_functions(aws: LocalAws, folder: Path, outcomes: Outcomes) -> None:
    frozen = freeze_situations(aws, folder)
    for number, outcome in enumerate(try_all(frozen, outcomes.known), start=1):
        _keep(outcomes, outcome)
        if number % 100 == 0:
            print(f"{FUNCTIONS}: {_line(outcomes)}", flush=True)


def _try_runs(part: str, aws: LocalAws, folder: Path, outcomes: Outcomes) -> None:
    wanted = [check for check in RUN_PARTS[part]() if check.name not in outcomes.known]
    if not wanted:
        return
    bench = Bench.deploy(aws, folder)
    for number, check in enumerate(wanted, start=1):
        began = time.monotonic()
        _keep(outcomes, outcome := try_check(bench, check))
        seconds = time.monotonic() - began
        print(f"{part}: {number} of {len(wanted)}, {check.name}: {outcome.result} ({seconds:.0f} s)", flush=True)


def _keep(outcomes: Outcomes, outcome: Outcome) -> None:
    outcomes.add(outcome)
    if outcome.result == DIFFERS:
        print(f"NOT HELD: {outcome.name}: {outcome.why} {outcome.error}", flush=True)


def _line(outcomes: Outcomes) -> str:
    counts = count(one for one in outcomes.known.values() if one.part == FUNCTIONS)
    return f"{sum(counts.values())} faults: " + ", ".join(f"{number} {result}" for result, number in counts.items())


def _document(outcomes: Outcomes) -> dict[str, Any]:
    """Return what the documentation shows: counts per unit and kind of fault, and an example of each sentence."""
    known = sorted(outcomes.known.values(), key=lambda one: (one.part, one.unit, one.kind, one.times))
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for one in known:
        key = (one.part, one.unit, one.kind, one.times)
        row = rows.setdefault(
            key, {"part": one.part, "unit": one.unit, "kind": one.kind, "times": one.times, "results": Counter()}
        )
        row["results"][one.result] += 1
        if one.part == RUNS:
            row["promise"] = one.situation
        if one.error and "example" not in row:
            row["example"] = _OWN_FOLDER.sub("FOLDER", one.error)[:200]
    return {
        "faults": len(known),
        "counts": count(known),
        "operations": len({(one.unit, one.operation) for one in known if one.part == FUNCTIONS}),
        "rows": list(rows.values()),
    }


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on where it stood")
