"""A folder for files that jobs on one machine share: the kernels' compiled code, and numba if it was installed from wheels."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path


def own_folder(name: str) -> Path:
    """Return a lasting folder that only this user can write to: in the user's cache, or else among temporary files.

    Raises:
        OSError: There is neither.
    """
    candidates = [Path(tempfile.gettempdir()) / f"ptmlops-{os.getuid()}"]
    with contextlib.suppress(RuntimeError):  # a user without a home
        candidates.insert(0, Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ptmlops")
    reason = OSError("no folder can be made")
    for place in candidates:
        folder = place / name
        try:
            for made in (place, folder):
                made.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Do not run code from another user's folder. Try to write, because mkdir succeeds on a read-only disk.
            if all(path.stat().st_uid == os.getuid() for path in (place, folder)):
                with tempfile.TemporaryFile(dir=folder):
                    return folder
        except OSError as error:
            reason = error
    raise reason


def stable_copy(package: Path) -> Path:
    """Return a copy of the kernels' package at a path that depends on their content alone.

    numba keeps compiled code beside its source's path, and each job unpacks the same source to another folder. If no folder can be
    written, return the package itself.
    """
    sources = sorted(package.glob("*.py"))
    imported = [package.parent / name for name in ("arrays.py", "hashing.py")]  # compiled into the kernels as constants
    digest = hashlib.sha256(b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in (*sources, *imported)))
    try:
        folder = own_folder(f"kernels-{digest.hexdigest()[:16]}")
        for source in sources:
            target, content = folder / source.name, source.read_bytes()
            if not target.is_file() or target.read_bytes() != content:
                with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
                    part.write(content)
                Path(part.name).replace(target)
    except OSError:
        return package
    return folder
