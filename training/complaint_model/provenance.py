"""Identify the training data and the code that a model was made with."""

from __future__ import annotations

import hashlib
from pathlib import Path

from complaint_model.records import Rows


def code_version(source: Path) -> str:
    """Return the first 12 digits of a SHA-256 of the Python files below `source`. A training instance has no git."""
    digest = hashlib.sha256()
    for path in sorted(source.rglob("*.py")):
        digest.update(path.relative_to(source).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def fingerprint(rows: Rows, extra: str = "") -> str:
    """Return a SHA-256 of the rows, independent of their order, and of `extra`."""
    digests = sorted(
        hashlib.sha256("\0".join(row).encode("utf-8", "surrogatepass")).digest()
        for row in zip(rows.labels, rows.texts, rows.groups, strict=True)
    )
    return hashlib.sha256(b"".join(digests) + extra.encode()).hexdigest()
