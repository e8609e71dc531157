"""List prices of SageMaker instances for the cost estimate in run.json.

US East (N. Virginia), on demand, USD an hour, from the service's public price list. An estimate is what run.json
promises: regions differ by some tens of per cent, spot and savings plans by more.
"""

from __future__ import annotations

_BASE = {
    "m5": 0.23 / 4,
    "c5": 0.204 / 4,
    "m6i": 0.23 / 4,
    "c6i": 0.204 / 4,
    "r5": 0.302 / 4,
    "m7i": 0.242 / 4,
    "c7i": 0.214 / 4,
}
_VCPUS = {
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "4xlarge": 16,
    "8xlarge": 32,
    "12xlarge": 48,
    "16xlarge": 64,
    "24xlarge": 96,
}


def instance_price(instance_type: str) -> float | None:
    """USD an hour of `ml.<family>.<size>`; None where it is not in the table, and the estimate then says so."""
    _, family, size = instance_type.split(".")
    if family not in _BASE or size not in _VCPUS:
        return None
    return round(_BASE[family] * _VCPUS[size], 4)
