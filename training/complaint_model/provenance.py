"""Identify the training data and the code that a model was made with."""

from __future__ import annotations

import hashlib
from pathlib import Path

from complaint_model.records import Rows
from ptmlops_contracts.code_version import code_version as version_of_files


def code_version(source: Path) -> str:
    """Return the version of the Python files below `source`. A training instance has no git."""
    return version_of_files({path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*.py")})


def fingerprint(rows: Rows, extra: str = "") -> str:
    """Return a SHA-256 of the rows, independent of their order, and of `extra`."""
    digests = sorted(
        hashlib.sha256("\0".join(row).encode("utf-8", "surrogatepass")).digest()
        for row in zip(rows.labels, rows.texts, rows.groups, strict=True)
    )
    return hashlib.sha256(b"".join(digests) + extra.encode()).hexdigest()
