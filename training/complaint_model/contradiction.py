"""Find runs whose labels contradict the champion.

Wrong labels in a whole file are in its held-out rows, too, so a candidate that learned them looks better than the champion. The champion
has not seen them: it gives the rows other labels, and its calibrated confidence says how many of them it should have right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from complaint_model.arrays import Bools, Floats
from ptmlops_contracts.evaluation import CONTRADICTION_ALPHA, MAX_DISAGREEMENT, ContradictingRun


def contradicting_runs(
    agreed: Bools, confidence: Floats, is_known: Bools, run_ids: Sequence[str]
) -> dict[str, ContradictingRun]:
    """Return the runs whose held-out rows have the champion's labels much less often than it expects.

    The gap is more than `MAX_DISAGREEMENT`, which no calibration error explains, and more than chance explains: by Hoeffding's
    inequality (1963), a mean of n independent answers is below its expectation by d or more with a chance of at most exp(-2 n d²).
    All runs are tested at once (Bonferroni).

    Args:
        agreed: (rows,) whether the row has the label that the champion gives it.
        confidence: (rows,) of the champion in that label.
        is_known: (rows,) whether the champion knows the row's label. The others say nothing of whether it is wrong.
        run_ids: (rows,) the run whose upload brought the row; "" if it is not known, and the row is left out.

    Example:
        >>> half = np.array([True, False] * 20)
        >>> contradicting_runs(half, np.full(40, 0.9), np.full(40, True), ["run"] * 40)
        {'run': {'rows': 40, 'agreed': 20, 'expected': 36.0}}
    """
    runs = np.asarray(run_ids, dtype=object)
    names = sorted(set(runs[is_known].tolist()) - {""})
    found = {}
    for name in names:
        rows = is_known & (runs == name)
        count, right, expected = int(rows.sum()), int(agreed[rows].sum()), float(confidence[rows].sum())
        gap = (expected - right) / count
        if gap > MAX_DISAGREEMENT and math.exp(-2 * count * gap * gap) * len(names) <= CONTRADICTION_ALPHA:
            found[name] = ContradictingRun(rows=count, agreed=right, expected=round(expected, 3))
    return found
