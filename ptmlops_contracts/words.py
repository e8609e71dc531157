"""Write counts in sentences for people."""

from __future__ import annotations

from ptmlops_contracts.live import LiveAccuracy
from ptmlops_contracts.report import Rows
from ptmlops_contracts.run import PriceBasis


def quantity(count: int, singular: str, plural: str = "") -> str:
    """Return a count with its noun: `1 duplicate`, `1,200 duplicates`. The plural is the noun with an s unless it is passed."""
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"


def accounting(rows: Rows) -> str:
    """Return what became of rows: `1,500 rows: 1,456 accepted, 38 duplicates, 6 rejected`."""
    duplicates = quantity(rows["duplicates"], "duplicate")
    return f"{quantity(rows['read'], 'row')}: {rows['accepted']:,} accepted, {duplicates}, {rows['rejected']:,} rejected"


def price_basis(prices: PriceBasis) -> str:
    """Return which prices an estimate uses: `list prices of us-east-1, 2026-11-23`."""
    missing = "" if prices["region"] == prices["run_region"] else f"; those of {prices['run_region']} are not known"
    return f"list prices of {prices['region']}, {prices['recorded']}{missing}"


def live_accuracy(live: LiveAccuracy) -> str:
    """Return a version's live accuracy: `People confirmed 91.2% of the answers of version 3 (95%: 88.0% to 93.9%; 240 checked).`"""
    low, high = live["accuracy_interval"] or (0.0, 1.0)
    confirmed = f"People confirmed {live['accuracy'] or 0:.1%} of the answers of version {live['model_version']}"
    sentence = f"{confirmed} (95%: {low:.1%} to {high:.1%}; {live['checked']:,} checked)."
    if live["fall"]:
        sentence += f" That is {100 * live['fall']:.1f} percentage points less than on held-out complaints."
    return sentence
