"""Look up list prices for the cost estimate in run.json.

The prices are data: prices.json names their source, their region and the day they were recorded. An environment in another region differs by some tens of
per cent, one with spot instances or savings plans by more.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_PRICES: dict[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))

# AWS Glue: USD per hour of a data processing unit.
GLUE_DPU_HOUR: float = _PRICES["glue_dpu_hour"]
# What costs without runs, in USD.
IDLE: dict[str, Any] = _PRICES["idle"]


def instance_price(instance_type: str) -> float | None:
    """Return the USD per hour of `ml.<family>.<size>`, or None if prices.json does not have it: then there is no estimate."""
    _, family, size = instance_type.split(".")
    per_vcpu, vcpus = _PRICES["instance_vcpu_hour"].get(family), _PRICES["instance_vcpus"].get(size)
    return None if per_vcpu is None or vcpus is None else round(per_vcpu * vcpus, 4)
