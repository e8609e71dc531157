"""Check that the trials of a tuning job, its candidate and the code that evaluates them fit together.

A deployment may change the code while a run is under way: each job takes the code that is deployed when it starts.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from complaint_model.artifact import ArtifactError, Origin, read_origin, serving_code, serving_wheels

log = logging.getLogger(__name__)


def find_disagreement(candidate: Path, trials: Sequence[Path], source: Path) -> str | None:
    """Return why the models must not be evaluated, or None.

    Objectives of trials that ran different code cannot be compared. A candidate serves with the code that it brings, so it is only
    measured truly by the same code.

    Args:
        candidate: model.tar.gz of the best trial.
        trials: model.tar.gz of every trial.
        source: the code that evaluates.
    """
    versions = Counter(origin.code_version or "unknown" for trial in trials if (origin := _origin(trial)))
    if len(versions) > 1:
        counts = ", ".join(f"{count} ran {version}" for version, count in sorted(versions.items()))
        return f"the code was deployed anew while the tuning job ran, so its trials cannot be compared ({counts})"
    origin = _origin(candidate)
    if origin and origin.serving_code != serving_code(source):
        return "the code was deployed anew after the tuning job, so the candidate serves with other code than evaluates it"
    # A model brings all wheels of the code or, unless the settings ask for them, none.
    if origin and not origin.wheels.items() <= serving_wheels(source).items():
        return "the code was deployed anew after the tuning job, so the candidate serves with other wheels than evaluate it"
    return None


def _origin(archive: Path) -> Origin | None:
    try:
        return read_origin(archive)
    except ArtifactError as error:  # a damaged candidate ends the evaluation; a damaged trial is not evaluated
        log.info("%s", error)
        return None
