"""Find runs whose labels contradict the champion.

Wrong labels in a whole file are in its held-out rows, too, so a candidate that learned them looks better than the champion. The champion
has not learned them: it gives the rows other labels, and its calibrated confidence says how many of them it should have right.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

from complaint_model.arrays import Bools, Floats
from complaint_model.records import Labelled
from ptmlops_contracts.evaluation import CONTRADICTION_ALPHA, MAX_DISAGREEMENT, ContradictingRun


def contradicting_runs(
    rows: Sequence[Labelled], agreed: Bools, confidence: Floats, *, known_labels: Container[str], learned: Container[str] = ()
) -> dict[str, ContradictingRun]:
    """Return the runs whose held-out rows have the champion's labels much less often than it expects.

    The gap is more than `MAX_DISAGREEMENT`, and more than chance explains: by Hoeffding's inequality (1963), a mean of n independent
    answers is below its expectation by d or more with a chance of at most exp(-2 n d²). All runs are tested at once (Bonferroni).

    Args:
        rows: The held-out rows. Of near-copies in a run one counts, because they get the same answer. Rows of no known run, and rows with
            a label that the champion does not know, do not count: they say nothing of whether the label is wrong.
        agreed: (rows,) whether the row has the label that the champion gives it.
        confidence: (rows,) of the champion in that label.
        known_labels: Those of the champion.
        learned: The runs that the champion has learned from. It would give them their own labels, right or wrong.

    Example:
        >>> rows = [Labelled(str(n), "text", "fraud", str(n), "es", "run") for n in range(40)]
        >>> contradicting_runs(rows, np.array([True, False] * 20), np.full(40, 0.9), known_labels={"fraud"})
        {'run': {'rows': 40, 'agreed': 20, 'expected': 36.0}}
    """
    places: dict[str, dict[str, int]] = {}
    for place, row in enumerate(rows):
        if row.run_id and row.run_id not in learned and row.label in known_labels:
            places.setdefault(row.run_id, {}).setdefault(row.group, place)
    found = {}
    for run_id, of_groups in sorted(places.items()):
        chosen = list(of_groups.values())
        count, right, expected = len(chosen), int(agreed[chosen].sum()), float(confidence[chosen].sum())
        gap = (expected - right) / count
        if gap > MAX_DISAGREEMENT and math.exp(-2 * count * gap * gap) * len(places) <= CONTRADICTION_ALPHA:
            found[run_id] = ContradictingRun(rows=count, agreed=right, expected=round(expected, 3))
    return found
