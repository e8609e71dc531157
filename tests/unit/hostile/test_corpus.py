"""Inputs that fuzzing found hold what is promised for every input: each one in `make test`, and 2,000 more per target in `make nightly`.

A kept input is not in a pattern of what people write: it reached code that no smaller input reached.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.hostile.targets import TARGETS, small_archive

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
LONGEST = 2.0  # seconds of processor time
CASES = 2000


@pytest.mark.parametrize("target", TARGETS)
def test_kept_inputs_break_nothing(target: str) -> None:
    kept = sorted((CORPUS / target).iterdir())
    assert kept
    for path in kept:
        started = time.thread_time()
        TARGETS[target](path.read_bytes())
        assert time.thread_time() - started < LONGEST, path


def test_the_model_that_fuzzing_begins_with_is_the_one_that_is_written_now() -> None:
    assert (CORPUS / "models" / "model").read_bytes() == small_archive()


@pytest.mark.nightly
@pytest.mark.parametrize("target", TARGETS)
def test_inputs_derived_from_kept_ones_break_nothing(target: str) -> None:
    program = [sys.executable, str(HERE / "fuzz.py"), target, f"-runs={CASES}"]
    done = subprocess.run(program, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800)
    assert done.returncode == 0, done.stdout[-5000:]
    assert f"stat::number_of_executed_units: {CASES}" in done.stdout
