"""Write a benchmark's result to a JSON file with the date, the machine and the command, for docs/measurements/."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil


def write_measurement(path: Path, result: Mapping[str, Any]) -> None:
    """Write `result` with a first key `measured`: date (UTC), machine and command line.

    `docs/generate.py` renders the files of docs/measurements/ into the pages that quote them.
    """
    measured = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "command": _command()}
    path.write_text(json.dumps({"measured": measured, **result}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def machine() -> str:
    """Describe this machine: processor, cores, memory and Python version."""
    lines = _read_lines("/proc/cpuinfo")
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    memory = psutil.virtual_memory().total / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, Python {platform.python_version()}"


def _read_lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return []


def _command() -> str:
    """Return the command line with file names instead of paths: a measurement must not name folders of one machine."""
    module = Path(sys.argv[0]).resolve()
    root = Path(__file__).resolve().parent.parent
    name = ".".join(module.relative_to(root).with_suffix("").parts).removesuffix(".__main__")
    arguments = [Path(argument).name if os.sep in argument else argument for argument in sys.argv[1:]]
    return shlex.join(["python", "-m", name, *arguments])
