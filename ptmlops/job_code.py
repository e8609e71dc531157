"""The jobs' source roots, importable here as AWS mounts them there, for what is better reused than written twice."""

from __future__ import annotations

import sys

from local_aws import ROOT


def reach_jobs() -> None:
    """Put glue_jobs/ and training/ on the path, after everything that is there."""
    for root in ("glue_jobs", "training"):
        if str(ROOT / root) not in sys.path:
            sys.path.append(str(ROOT / root))
