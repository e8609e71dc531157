"""Look up list prices. prices.json names the source of each figure and the day it was recorded; `python -m stacks.price_list` adds regions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

FILE = Path(__file__).with_name("prices.json")
# Its prices stand for those of a region without figures, which differ by some tens of per cent.
DEFAULT_REGION = "us-east-1"
# What SageMaker charges separately: each use has its own price list.
Use = Literal["training", "processing", "transform"]

_PRICES: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
# What costs without runs, in USD of us-east-1.
IDLE: dict[str, Any] = _PRICES["idle"]
# What services that classify text cost, in USD of us-east-1 per million complaints of `characters` characters.
ALTERNATIVES: dict[str, Any] = _PRICES["alternatives"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One list price.

    Attributes:
        usd: per hour of a data processing unit or of an instance.
        source: where it comes from.
        recorded: the day of the price list, `YYYY-MM-DD`.
    """

    usd: float
    source: str
    recorded: str


class RegionPrices:
    """The list prices that estimates in a region use.

    Attributes:
        region: the region that runs are in.
        priced_region: the region that the figures are of: `region`, or DEFAULT_REGION if it has none.
    """

    def __init__(self, region: str, *, prices: dict[str, Any] | None = None) -> None:
        self._prices = _PRICES if prices is None else prices
        self.region = region
        self.priced_region = region if region in self._prices["regions"] else DEFAULT_REGION
        self._figures: dict[str, Any] = self._prices["regions"][self.priced_region]

    @property
    def glue_dpu_hour(self) -> Figure:
        """The price of an hour of a data processing unit of Glue."""
        return self._figure(self._figures["glue_dpu_hour"])

    def instance_hour(self, use: Use, instance_type: str) -> Figure | None:
        """Return the price of an hour of `ml.<family>.<size>`, or None if there is no figure: then there is no estimate."""
        exact = self._figures["instance_hour"][use].get(instance_type)
        if exact:
            return self._figure(exact)
        _, family, size = instance_type.split(".")
        per_vcpu, vcpus = self._figures.get("instance_vcpu_hour", {}).get(family), self._prices["instance_vcpus"].get(size)
        return self._figure({**per_vcpu, "usd": round(per_vcpu["usd"] * vcpus, 4)}) if per_vcpu and vcpus else None

    def _figure(self, entry: dict[str, Any]) -> Figure:
        return Figure(usd=entry["usd"], **self._prices["sources"][entry["source"]])


def priced_regions() -> list[str]:
    """Return the regions that have figures."""
    return sorted(_PRICES["regions"])
