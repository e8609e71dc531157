"""The compiled kernels where numba works, and nothing where it does not: callers then take their slower way, with one warning.

Where the machine has no numba, as SageMaker's scikit-learn image, it comes from wheels that travel with the code or the model
(docs/decisions/0012-numba-travels-with-the-code.md).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import logging
import os
import platform
import re
import shutil
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

log = logging.getLogger(__name__)
_failed: list[str] = []  # names of calls that failed once and are not tried again
_places: list[Path] = []  # folders that may hold wheels of numba
_found: list[ModuleType | None] = []  # the kernels, once they were looked for
_lock = threading.Lock()

WHEELS = ("llvmlite", "numba")
WITHOUT = (
    "NumPy scores, with the same results, and scikit-learn trains, to the tolerance of its solver: "
    "a few answers of such a model differ. Both are slower"
)


def call(name: str, *arguments: Any) -> Any:
    """What the kernel `name` returns (True where it returns nothing), or None where it cannot run: do it with NumPy then."""
    module = _kernels()
    if module is None or name in _failed:
        return None
    try:
        result = getattr(module, name)(*arguments)
    except Exception as error:  # noqa: BLE001 - a compiler can fail in any way, and the model must answer all the same
        _failed.append(name)
        log.warning("numba cannot run %s (%s): %s", name, type(error).__name__, WITHOUT)
        return None
    return True if result is None else result


def numba_version() -> str | None:
    """The version of the numba that trains and scores here, or None where NumPy and scikit-learn do."""
    if _kernels() is None or {"bayes_scales", "fit_machines"} & set(_failed):
        return None
    return str(sys.modules["numba"].__version__)


def look_in(folder: Path) -> None:
    """Where numba cannot be imported otherwise, use the wheels in `folder`. To be called before anything is computed."""
    _places.append(folder)


def _kernels() -> ModuleType | None:
    with _lock:  # a server's first two requests come at once
        if not _found:
            _found.append(_find())
        return _found[0]


def _find() -> ModuleType | None:
    source = Path(__file__).with_name("kernels.py")
    try:
        try:
            return _load(_kept(source))
        except Exception:
            if not _bring_numba():
                raise
            return _load(_kept(source))
    except Exception as error:  # noqa: BLE001 - see call()
        log.warning("numba is not at hand (%s): %s", type(error).__name__, WITHOUT)
        return None


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("complaint_model.kernels", path)
    if spec is None or spec.loader is None:
        raise ImportError(path.name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# ---------------------------------------------------------------- where compiled code is kept


def _kept(source: Path) -> Path:
    """A copy of the kernels whose path depends on their content alone: numba keeps compiled code beside its source's path, and
    jobs unpack the same source to a new folder each time. Where no folder of our own can be had, the source itself.
    """
    content = source.read_bytes()
    try:
        folder = _own_folder(f"kernels-{hashlib.sha256(content).hexdigest()[:16]}")
        target = folder / source.name
        if not target.is_file() or target.read_bytes() != content:
            with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
                part.write(content)
            shutil.move(part.name, target)
    except OSError:
        return source
    return target


def _own_folder(name: str) -> Path:
    """A folder that outlives this process and that nobody else can write to: in the user's cache, or where all temporary files go.

    Raises OSError where there is neither.
    """
    places = [Path(tempfile.gettempdir()) / f"ptmlops-{os.getuid()}"]
    with contextlib.suppress(RuntimeError):  # a user that has no home
        places.insert(0, Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ptmlops")
    reason = OSError("no folder can be made")
    for place in places:
        folder = place / name
        try:
            for made in (place, folder):
                made.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Somebody else's: what lies there is not ours to run. Writing is tried because a read-only disk lets mkdir pass.
            if all(path.stat().st_uid == os.getuid() for path in (place, folder)):
                with tempfile.TemporaryFile(dir=folder):
                    return folder
        except OSError as error:
            reason = error
    raise reason


# ---------------------------------------------------------------- numba's wheels


def _bring_numba() -> bool:
    """Unpack the wheels that fit this Python, and put them first on the path."""
    wheels = [wheel for place in _places for wheel in sorted(place.glob("*.whl")) if _fits(wheel)]
    if {wheel.name.partition("-")[0] for wheel in wheels} != set(WHEELS):
        return False
    folder = _unpacked(wheels)
    sys.path.insert(0, str(folder))  # first: a numba that is there and does not work must not be found again
    for name in list(sys.modules):
        if name.partition(".")[0] in WHEELS or name == "complaint_model.kernels":
            del sys.modules[name]
    log.info("numba comes with the code: %s", ", ".join("-".join(wheel.name.split("-")[:2]) for wheel in wheels))
    return True


def _fits(wheel: Path) -> bool:
    """Whether this interpreter, processor and C library are those that the wheel's name tells (PEP 427, PEP 600)."""
    parts = wheel.stem.split("-")
    own = f"cp{sys.version_info.major}{sys.version_info.minor}"
    if len(parts) < 5 or sys.implementation.name != "cpython" or parts[-3:-1] != [own, own]:
        return False
    try:
        library = re.fullmatch(r"glibc (\d+)\.(\d+).*", os.confstr("CS_GNU_LIBC_VERSION") or "")
    except (AttributeError, OSError, ValueError):  # another C library, or no Linux
        return False
    needs = [re.fullmatch(r"manylinux_(\d+)_(\d+)_(\w+)", tag) for tag in parts[-1].split(".")]
    return library is not None and any(
        need is not None
        and need[3] == platform.machine()
        and (int(need[1]), int(need[2])) <= (int(library[1]), int(library[2]))
        for need in needs
    )


def _unpacked(wheels: list[Path]) -> Path:
    """The folder with the wheels' content, unpacked once: whole, or it is not there."""
    digest = hashlib.sha256()
    for wheel in wheels:
        with wheel.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    folder = _own_folder("wheels") / digest.hexdigest()[:16]
    if not folder.is_dir():
        part = Path(tempfile.mkdtemp(dir=folder.parent, suffix=".part"))
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                wanted = [name for name in archive.namelist() if not name.startswith(("numba/tests/", "llvmlite/tests/"))]
                archive.extractall(part, wanted)
        try:
            part.rename(folder)
        except OSError:  # another process of this job was faster
            shutil.rmtree(part, ignore_errors=True)
    return folder
