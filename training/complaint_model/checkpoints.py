"""Keep the scores of finished folds, so that an interrupted training job can continue."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from complaint_model.arrays import Floats


def write(path: Path, scores: Floats) -> None:
    """Write the SHA-256 of the scores, then the scores. The write is atomic, because a spot instance may stop at any time."""
    content = np.ascontiguousarray(scores, dtype="<f8").tobytes()
    temporary = path.with_suffix(".part")
    temporary.write_bytes(hashlib.sha256(content).digest() + content)
    temporary.replace(path)


def read(path: Path, shape: tuple[int, int]) -> Floats | None:
    """Return the scores, or None if the file is damaged, for example by a full disk or an incomplete transfer."""
    data = path.read_bytes()
    digest, content = data[:32], data[32:]
    if len(content) != 8 * shape[0] * shape[1] or hashlib.sha256(content).digest() != digest:
        return None
    scores = np.frombuffer(content, dtype="<f8").reshape(shape)
    return scores if np.isfinite(scores).all() else None
