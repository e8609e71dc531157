"""Show what a run would cost: `ptmlops estimate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ptmlops.cost_estimate import RunEstimate
from ptmlops.terminal import console
from ptmlops_contracts.words import price_basis, quantity

_KINDS = {"classified": "Without labels, the rows are classified", "trained": "With labels, a model is trained"}


def show(found: RunEstimate, stopped: Mapping[str, Sequence[str]], missing: str) -> None:
    """Print the estimate.

    Args:
        found: the estimate.
        stopped: the limits that would stop the run, by kind of run.
        missing: why no deployment was asked, or an empty string.
    """
    lines = [f"{path}: about {quantity(rows, 'row')}" for path, rows in found.rows.items()]
    for kind, title in _KINDS.items():
        one = getattr(found, kind)
        lines.append(f"{title}: {one.describe()}")
        lines.append(
            "  " + ", ".join(f"{part} {'unknown' if usd is None else f'{usd:.2f}'}" for part, usd in one.parts.items())
        )
        lines += [f"  {limit} would stop it" for limit in stopped[kind]]
    if found.labelled:
        lines.append(f"Training counts {quantity(found.labelled, 'labelled row')} of earlier runs.")
    if found.month is not None:
        lines.append(f"Runs of this month so far: USD {found.month:.2f}")
    lines.append(f"Prices: {price_basis(found.prices)}")
    if missing:
        lines.append(f"No past runs were read: {missing}")
    for line in lines:
        console().print(line, markup=False, highlight=False)
