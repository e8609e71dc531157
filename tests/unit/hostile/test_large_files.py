"""Large hostile files are read in linear time and with little memory, or are refused by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("large_files.py")
ROOT = PROGRAM.parents[3]
GROWTH, NOTHING = 8.0, 0.2  # times for four times the length; seconds that say nothing about growth


@pytest.fixture(scope="module")
def results() -> dict[str, list[tuple[str, float]]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "glue_jobs")))}
    done = subprocess.run([sys.executable, str(PROGRAM)], check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]  # MemoryError among others
    found: dict[str, list[tuple[str, float]]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_the_time_grows_no_more_than_the_file(results: dict[str, list[tuple[str, float]]]) -> None:
    slow = {kind: (small, large) for kind, ((_, small), (_, large)) in results.items() if large > GROWTH * max(small, NOTHING)}
    assert slow == {}
