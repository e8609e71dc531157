"""The folders of the checkout that hold the units' code, which the command line reuses."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def add_source_roots_to_path() -> None:
    """Append the source roots to the import path, so that their packages import here as they do in the units."""
    for name in ("glue_jobs", "training", "lambdas"):
        if str(ROOT / name) not in sys.path:
            sys.path.append(str(ROOT / name))
