"""The compiled kernels where numba works, and nothing where it does not: callers then take their slower way, with one warning."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

log = logging.getLogger(__name__)
_failed: list[str] = []  # names of calls that failed once and are not tried again


def call(name: str, *arguments: Any) -> Any:
    """What the kernel `name` returns (True where it returns nothing), or None where it cannot run: do it with NumPy then."""
    module = _kernels()
    if module is None or name in _failed:
        return None
    try:
        result = getattr(module, name)(*arguments)
    except Exception as error:  # noqa: BLE001 - a compiler can fail in any way, and the model must answer all the same
        _failed.append(name)
        log.warning("numba cannot run %s (%s): NumPy does, with the same results, slower", name, type(error).__name__)
        return None
    return True if result is None else result


@cache
def _kernels() -> ModuleType | None:
    source = Path(__file__).with_name("kernels.py")
    try:
        return _load(_kept(source))
    except Exception as error:  # noqa: BLE001 - see call()
        log.warning("numba is not at hand (%s): NumPy scores and trains, with the same results, slower", type(error).__name__)
        return None


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("complaint_model.kernels", path)
    if spec is None or spec.loader is None:
        raise ImportError(path.name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _kept(source: Path) -> Path:
    """A copy of the kernels whose path depends on their content alone: numba keeps compiled code beside its source's path, and
    jobs unpack the same source to a new folder each time. Where no folder of our own can be had, the source itself.
    """
    content = source.read_bytes()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "ptmlops" / f"kernels-{hashlib.sha256(content).hexdigest()[:16]}"
    target = folder / source.name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_uid != os.getuid():
            return source  # somebody else's: what lies there is not ours to run
        if not target.is_file() or target.read_bytes() != content:
            with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
                part.write(content)
            shutil.move(part.name, target)
    except OSError:
        return source
    return target
