"""Measure how many small faults the unit tests find: `python -m benchmarks.mutants [MODULE…] [--json PATH]`.

A mutant is a module with one small fault, made by cosmic-ray: another operator, number, constant or exception, a loop without a round.
At most MOST mutants of each module are drawn. The module's unit tests run on each, and find it if one of them fails. cosmic-ray has an
environment of its own (build/mutants), which this makes. Each mutant is a fork of a process that has imported the libraries, and no file
is changed. The result of one module does not touch those of the others in the file, so it can be run in portions.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = [str(ROOT / name) for name in ("glue_jobs", "training", "lambdas", ".")]
sys.path[:0] = SOURCE_ROOTS

from benchmarks.measurement import write_measurement

FOLDER = ROOT / "build" / "mutants"
LIBRARY = "cosmic-ray==8.7.0"
MOST, SEED = 200, 28
_MAKE = Path(__file__).with_name("make_mutants.py")
_FUNCTIONS = (
    "boto3",
    "moto",
    "moto.dynamodb",
    "moto.stepfunctions",
    "moto.sagemaker",
    "moto.s3",
    "moto.sns",
    "aws_lambda_powertools",
)


@dataclass(frozen=True)
class Measured:
    """A module, what its unit tests are, and the libraries that each test process needs.

    Args:
        module: its name.
        path: its file.
        tests: files of unit tests, the fastest first.
        imports: imported once. None of these may import the module.
    """

    module: str
    path: str
    tests: tuple[str, ...]
    imports: tuple[str, ...] = ()


MODULES = {
    "gate": Measured(
        "promote_model.gate", "lambdas/promote_model/gate.py", ("tests/unit/lambdas/test_gate.py",), ("numpy", "scipy.stats", *_FUNCTIONS)
    ),
    "ledger": Measured(
        "common.ledger",
        "lambdas/common/ledger.py",
        tuple(f"tests/unit/lambdas/test_{name}.py" for name in ("ledger", "start_run", "collect_run", "record_run", "plan_run")),
        _FUNCTIONS,
    ),
    "arrivals": Measured(
        "start_run.ledger",
        "lambdas/start_run/ledger.py",
        tuple(f"tests/unit/lambdas/test_{name}.py" for name in ("start_run", "collect_run", "collecting_model")),
        _FUNCTIONS,
    ),
    "accounting": Measured(
        "complaints_etl.prepare_report",
        "glue_jobs/complaints_etl/prepare_report.py",
        ("tests/unit/etl/test_accounting.py", "tests/unit/etl/test_length_classes.py"),
        ("pyspark.sql", "complaints_etl.records.column_choice", "complaints_etl.redaction"),
    ),
    "redaction": Measured(
        "complaints_etl.redaction.engine",
        "glue_jobs/complaints_etl/redaction/engine.py",
        ("tests/unit/etl/redaction",),
        ("numpy", "complaints_etl.lexicon", "benchmarks.redaction.frames"),
    ),
    "artifact": Measured(
        "complaint_model.artifact", "training/complaint_model/artifact.py", ("tests/unit/training/test_artifact.py",),
        ("numpy", "numba", "complaint_model.fit", "complaint_model.scoring"),
    ),
}  # fmt: skip


class Finder(importlib.abc.MetaPathFinder):
    """Imports one module from a text instead of its file."""

    def __init__(self, module: str, path: Path, code: str) -> None:
        self._module, self._path, self._code = module, path, code

    def find_spec(
        self, name: str, _path: Any = None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of the module."""
        if name != self._module:
            return None
        code = self._code

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, fullname: str) -> Any:
                return compile(code, self.get_filename(fullname), "exec")

        return importlib.util.spec_from_file_location(name, self._path, loader=Loader(name, str(self._path)))


def mutants_of(path: Path, most: int) -> list[tuple[str, str]]:
    """Return (operator, code) of at most `most` mutants that differ from the module in more than annotations."""
    python, ready = FOLDER / "bin" / "python", FOLDER / ".ready"
    if not ready.exists():  # an installation that was interrupted is repeated
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", LIBRARY], check=True)
        ready.touch()
    program = [str(python), str(_MAKE), str(path), str(most), str(SEED)]
    return [
        (name, code) for name, code in json.loads(subprocess.run(program, check=True, capture_output=True, text=True).stdout)
    ]


def passes(measured: Measured, code: str, seconds: float) -> bool:
    """Return True if all tests pass on a module with this code, within a time."""
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setpgid(0, 0)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nowhere, stream)
            sys.meta_path.insert(0, Finder(measured.module, ROOT / measured.path, code))
            import pytest

            options = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0", "--timeout=120")
            status = int(pytest.main([*options, *measured.tests]))
        finally:
            os._exit(status)
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def change(before: str, after: str) -> str:
    """Return the line that a mutant changes, as it was and as it is: `12: a < b → a <= b`."""
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, start, end, begin, finish in matcher.get_opcodes():
        if kind != "equal":
            return f"{start + 1}: {' '.join(old[start:end]).strip()} → {' '.join(new[begin:finish]).strip()}"
    return ""


def measure(name: str, most: int) -> dict[str, Any]:
    """Run the tests on the mutants of a module."""
    measured = MODULES[name]
    path = ROOT / measured.path
    code = path.read_text(encoding="utf-8")
    mutants = mutants_of(path, most)
    for library in ("pytest", "hypothesis", *measured.imports):
        importlib.import_module(library)
    if measured.module in sys.modules:
        raise SystemExit(f"{name}: one of its imports imports {measured.module}, so that no mutant would be read")
    began = time.monotonic()
    if not passes(measured, code, 1800):
        raise SystemExit(f"{name}: the tests fail on the module as it is")
    longest = 5 * (time.monotonic() - began) + 10
    survivors = []
    for operator, mutant in mutants:
        if passes(measured, mutant, longest):
            survivors.append(f"{operator}, {change(code, mutant)}")
            print(f"{name}: survived: {survivors[-1]}", flush=True)
    found = len(mutants) - len(survivors)
    print(f"{name}: {found} of {len(mutants)} found in {time.monotonic() - began:.0f} s", flush=True)
    return {"path": measured.path, "mutants": len(mutants), "found": found, "survivors": survivors}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure modules, each in a process of its own, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", choices=[*MODULES, []], metavar="MODULE", help=", ".join(MODULES))
    parser.add_argument("--json", type=Path, help="write the results, beside those of other modules that the file has")
    parser.add_argument("--most", type=int, default=MOST, help=f"mutants of each module, {MOST} by default")
    parser.add_argument("--one", choices=MODULES, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.one:
        result = measure(chosen.one, chosen.most)
        chosen.json.write_text(json.dumps(result), encoding="utf-8")
        return
    kept = json.loads(chosen.json.read_text(encoding="utf-8"))["modules"] if chosen.json and chosen.json.exists() else {}
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    for name in chosen.modules or MODULES:
        result = FOLDER.parent / f"mutants-{name}.json"
        program = [
            sys.executable,
            "-m",
            "benchmarks.mutants",
            "--one",
            name,
            "--json",
            str(result),
            "--most",
            str(chosen.most),
        ]
        subprocess.run(program, check=True, cwd=ROOT)
        kept[name] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", **json.loads(result.read_text(encoding="utf-8"))}
        if chosen.json:
            write_measurement(chosen.json, {"modules": {known: kept[known] for known in MODULES if known in kept}})


if __name__ == "__main__":
    main()
