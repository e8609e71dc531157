"""Look up where the stacks can be deployed and on which instance types the jobs can run.

The tables are data: supported.json names its sources and the day they were read. `python tests/stacks/derive_support.py` derives them
again, and a test compares the two.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_TABLES: dict[str, Any] = json.loads(Path(__file__).with_name("supported.json").read_text(encoding="utf-8"))

SOURCES: dict[str, str] = _TABLES["sources"]
READ_ON: str = _TABLES["read_on"]
# Region → whether QuickSight's dashboard can be created there.
REGIONS: dict[str, bool] = {region: entry["quicksight"] for region, entry in _TABLES["regions"].items()}
# Region that has the jobs' image → why the stacks cannot be deployed there.
REFUSED_REGIONS: dict[str, str] = _TABLES["refused_regions"]
# Use (training, processing, transform) → instance types that the service and the jobs accept.
INSTANCES: dict[str, tuple[str, ...]] = {use: tuple(names) for use, names in _TABLES["instances"].items()}


def partition(region: str) -> str:
    """Return the partition of a supported region: `aws-us-gov` or `aws`."""
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def one_region_per_partition() -> tuple[str, ...]:
    """Return us-east-1, and the first region of each other partition."""
    first = {partition(region): region for region in sorted(REGIONS, reverse=True)}
    return tuple({**first, "aws": "us-east-1"}.values())
