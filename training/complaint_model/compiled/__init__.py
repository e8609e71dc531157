"""Typed access to the numba kernels: `kernels()` returns them, or None on a machine without numba.

Training requires numba. Scoring uses NumPy without it, with the same results, 3 to 10 times slower. On a machine without numba, as in SageMaker's
scikit-learn image, it comes from wheels that travel with the code or the model (docs/decisions/0012-numba-travels-with-the-code.md).

    jit.py        how kernels are compiled
    tokenise.py   UTF-8 bytes -> tokens -> hashed features
    score.py      features -> probabilities, labels and terms
    train.py      naive Bayes scales and linear SVMs
    cache.py      a folder for compiled code that jobs share
    wheels.py     installs numba from wheels
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from complaint_model.arrays import Bools, Float32s, Int32s, Ints, PackedTexts, ScoreArrays, ScoringTables
from complaint_model.compiled import cache, wheels

log = logging.getLogger(__name__)


class NumbaError(Exception):
    """Training needs numba, and numba does not work here. The message has the reason."""


@dataclass(frozen=True)
class Kernels:
    """The compiled functions. The docstring of each has the shapes of its arrays."""

    count_features: Callable[[PackedTexts, int, int], Int32s]
    spell: Callable[[PackedTexts, Bools], Int32s]
    score: Callable[[PackedTexts, ScoringTables, ScoreArrays], None]
    bayes_scales: Callable[[Ints, Int32s, Ints, float, Float32s], None]
    fit_svms: Callable[[Ints, Int32s, Float32s, Ints, Float32s, Float32s, int, int], Float32s]


class Numba:
    """The kernels, loaded at their first use."""

    def __init__(self, load: Callable[[], Kernels]) -> None:
        self._import = load
        self._lock = threading.Lock()  # a server's first two requests arrive together
        self._folders: list[Path] = []
        self._loaded = False
        self._kernels: Kernels | None = None
        self._failure: Exception | None = None

    def look_for_wheels(self, folder: Path) -> None:
        """Install numba from the wheels in `folder` if it cannot be imported. Call it before anything is computed."""
        self._folders.append(folder)

    def kernels(self) -> Kernels | None:
        """Return the kernels, or None if numba does not work here."""
        with self._lock:
            if not self._loaded:
                self._loaded = True
                try:
                    self._kernels = self._load()
                except Exception as error:  # noqa: BLE001 - a broken numba can fail in any way, and the model must still answer
                    self._give_up("numba is not available", error)
            return self._kernels

    def require(self) -> Kernels:
        """Return the kernels. Raises NumbaError if numba does not work here."""
        kernels = self.kernels()
        if kernels is None:
            kind = type(self._failure).__name__
            raise NumbaError(
                f"training needs numba, which does not work here ({kind}: {self._failure}): on AWS set compute.numba to jobs or models"
            ) from self._failure
        return kernels

    def disable(self, error: Exception) -> None:
        """Score with NumPy from now on, because a kernel failed."""
        with self._lock:
            self._give_up("numba cannot run a kernel", error)

    def version(self) -> str | None:
        """Return the version of numba, or None if it does not work here."""
        return None if self.kernels() is None else str(sys.modules["numba"].__version__)

    def _load(self) -> Kernels:
        try:
            return self._import()
        except Exception:
            if not wheels.install(self._folders):
                raise
            return self._import()

    def _give_up(self, what: str, error: Exception) -> None:
        self._kernels, self._failure = None, error
        log.warning("%s (%s): NumPy scores, with the same results, but slower", what, type(error).__name__)


def _import_kernels() -> Kernels:
    # From a copy at a path that depends on the content alone, beside which numba caches what it compiles.
    __path__[:] = [str(cache.stable_copy(Path(__file__).parent))]
    from complaint_model.compiled import score, tokenise, train  # noqa: PLC0415 - they import numba

    return Kernels(
        count_features=tokenise.count_features,
        spell=tokenise.spell,
        score=score.score,
        bayes_scales=train.bayes_scales,
        fit_svms=train.fit_svms,
    )


_numba = Numba(_import_kernels)
kernels, require, disable = _numba.kernels, _numba.require, _numba.disable
look_for_wheels, version = _numba.look_for_wheels, _numba.version
