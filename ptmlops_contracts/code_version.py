"""The version of a unit's code: a hash of its Python files. Synthesis and the jobs compute the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

DIGITS = 12


def code_version(files: Mapping[str, bytes]) -> str:
    """Return the first digits of a SHA-256 of Python files, by their path with slashes below the source root."""
    digest = hashlib.sha256()
    for name in sorted(files):
        if name.endswith(".py"):
            digest.update(name.encode() + b"\0" + files[name] + b"\0")
    return digest.hexdigest()[:DIGITS]
