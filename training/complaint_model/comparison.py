"""Compare two models on the same held-out rows, in macro-F1 and in each label's recall, and say how sure the comparison is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from complaint_model.arrays import Bools, Floats, Ints
from complaint_model.bootstrap import DRAWS, macro_f1_of_cells
from complaint_model.multiple_testing import RecallCounts, labels_with_lower_recall


def compare_answers(
    candidate: Ints, champion: Ints, truth: Ints, names: Sequence[str], *, max_recall_drop: float, seed: int
) -> dict[str, Any] | None:
    """Return candidate minus champion, as in evaluation.json's `comparison`, or None without rows.

    The interval is 95% by paired bootstrap. The p-value is two-sided, by approximate randomisation (Noreen, 1989): if both models were
    the same, the two answers to each row could be swapped. Both work on counts of (truth, candidate, champion), which is the same as
    on rows.

    Args:
        candidate: (rows,) answers, as numbers of labels.
        champion: (rows,)
        truth: (rows,)
        names: The labels.
        max_recall_drop: Smaller falls of a label's recall are not tested.
        seed: Of the draws.
    """
    if not len(truth):
        return None
    labels = len(names)
    keys, count = np.unique((truth * labels + candidate) * labels + champion, return_counts=True)
    true, first, second = keys // (labels * labels), keys // labels % labels, keys % labels
    present = np.bincount(truth, minlength=labels) > 0

    def difference(ours: Floats, theirs: Floats) -> Floats:
        mine = macro_f1_of_cells(true, (first, second), ours, theirs, present)
        return mine - macro_f1_of_cells(true, (second, first), ours, theirs, present)

    random = np.random.default_rng(seed)
    observed = float(difference(count[None, :].astype(float), np.zeros((1, len(count))))[0])
    drawn = random.multinomial(len(truth), count / len(truth), size=DRAWS).astype(float)
    interval = np.quantile(difference(drawn, np.zeros_like(drawn)), (0.025, 0.975))
    swapped = random.binomial(count, 0.5, size=(DRAWS, len(count))).astype(float)
    shuffled = difference(count.astype(float) - swapped, swapped)
    return {
        "macro_f1_difference": round(observed, 6),
        "interval": [round(float(interval[0]), 6), round(float(interval[1]), 6)],
        "p_value": round(float((1 + (np.abs(shuffled) >= abs(observed) - 1e-12).sum()) / (1 + DRAWS)), 6),
        "rows_answered_differently": int((candidate != champion).sum()),
        **_recall_changes(candidate == truth, champion == truth, truth, names, max_recall_drop),
    }


def _recall_changes(ours: Bools, theirs: Bools, truth: Ints, names: Sequence[str], max_drop: float) -> dict[str, Any]:
    """Return candidate minus champion in recall for each label that has rows, and the labels whose recall is lower.

    Args:
        ours: (rows,) whether the candidate is right.
        theirs: (rows,) whether the champion is right.
        truth: (rows,)
        names: The labels.
        max_drop: Smaller falls are not tested.
    """

    def rows_per_label(rows: Ints) -> Ints:
        return np.bincount(rows, minlength=len(names))

    support = rows_per_label(truth)
    labels = np.flatnonzero(support).tolist()
    counts = RecallCounts(
        lost=rows_per_label(truth[theirs & ~ours])[labels],
        gained=rows_per_label(truth[ours & ~theirs])[labels],
        support=support[labels],
    )
    changes = {
        names[label]: {
            "difference": round(-float(fall) + 0.0, 6),
            "p_value": round(float(p_value), 6),
            "lost": int(lost),
            "gained": int(gained),
        }
        for label, fall, p_value, lost, gained in zip(
            labels, counts.fall, counts.p_values, counts.lost, counts.gained, strict=True
        )
    }
    lower = sorted(names[labels[place]] for place in labels_with_lower_recall(counts, max_drop))
    return {
        "recall": changes,
        "lower_recall": {"max_drop": max_drop, "labels": {name: changes[name]["p_value"] for name in lower}},
    }
