"""Keep the scores of finished folds, so that a training job that was interrupted continues."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from complaint_model.arrays import Floats


def write(path: Path, scores: Floats) -> None:
    """Write the SHA-256 of the scores, then the scores, completely or not at all: a spot instance may stop at any time."""
    content = np.ascontiguousarray(scores, dtype="<f8").tobytes()
    temporary = path.with_suffix(".part")
    temporary.write_bytes(hashlib.sha256(content).digest() + content)
    temporary.replace(path)


def read(path: Path, shape: tuple[int, int]) -> Floats | None:
    """Return the scores, or None if the file is not as it was written: it may have crossed a network, or a disk was full."""
    data = path.read_bytes()
    digest, content = data[:32], data[32:]
    if len(content) != 8 * shape[0] * shape[1] or hashlib.sha256(content).digest() != digest:
        return None
    scores = np.frombuffer(content, dtype="<f8").reshape(shape)
    return scores if np.isfinite(scores).all() else None
