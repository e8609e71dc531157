"""Install numba from wheels that lie beside the code, on a machine that has no network and no numba."""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from complaint_model.compiled.cache import own_folder

log = logging.getLogger(__name__)
PACKAGES = ("llvmlite", "numba")
# pip decides which wheels fit this interpreter, processor and C library. SageMaker's images have pip: their own toolkits call it.
PIP = (sys.executable, "-m", "pip", "--isolated", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "install")
PIP_OPTIONS = ("--no-index", "--no-deps", "--no-compile", "--no-warn-conflicts", "--root-user-action=ignore")


def install(folders: Sequence[Path]) -> bool:
    """Install the wheels in the folders once per machine, and put them first on the path.

    Returns:
        False if the folders hold no wheels.

    Raises:
        ImportError: pip cannot install them: they are for another Python or machine, or damaged.
        OSError: There is no folder to install them to.
    """
    wheels = [wheel for folder in folders for wheel in sorted(folder.glob("*.whl"))]
    if not wheels:
        return False
    digest = hashlib.sha256(sys.version.encode())
    for wheel in wheels:
        with wheel.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    target = own_folder("wheels") / digest.hexdigest()[:16]
    if not target.is_dir():
        _pip_install(folders, target)
    sys.path.insert(0, str(target))  # first: a numba that is installed and broken must not be found again
    for name in list(sys.modules):
        if name.partition(".")[0] in PACKAGES:
            del sys.modules[name]
    log.info("numba was installed from wheels")
    return True


def _pip_install(folders: Sequence[Path], target: Path) -> None:
    """Install to a temporary folder and rename it, so that `target` is complete or not there."""
    links = [option for folder in folders for option in ("--find-links", str(folder))]
    part = Path(tempfile.mkdtemp(dir=target.parent, suffix=".part"))
    try:
        command = [*PIP, *PIP_OPTIONS, *links, "--target", str(part), *PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ImportError(f"pip cannot install numba: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        if not target.is_dir():  # unless another process of this job was faster
            part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
