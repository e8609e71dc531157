"""Compare two models on the same held-out rows, in macro-F1 and in each label's recall, and say how sure the comparison is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import bdtrc

from complaint_model.arrays import Bools, Floats, Ints

DRAWS = 1000


def compare_answers(candidate: Ints, champion: Ints, truth: Ints, names: Sequence[str], seed: int) -> dict[str, Any] | None:
    """Return candidate minus champion, as in evaluation.json's `comparison`, or None without rows.

    The interval is 95% by paired bootstrap. The p-value is two-sided, by approximate randomisation (Noreen, 1989): if both models were
    the same, the two answers to each row could be swapped. Both work on counts of (truth, candidate, champion), which is the same as
    on rows.

    Args:
        candidate: (rows,) answers, as numbers of labels.
        champion: (rows,)
        truth: (rows,)
        names: The labels.
        seed: Of the draws.
    """
    if not len(truth):
        return None
    labels = len(names)
    keys, count = np.unique((truth * labels + candidate) * labels + champion, return_counts=True)
    true, first, second = keys // (labels * labels), keys // labels % labels, keys % labels
    present = np.bincount(truth, minlength=labels) > 0

    def difference(ours: Floats, theirs: Floats) -> Floats:
        mine = _macro_f1_of_cells(true, (first, second), ours, theirs, present)
        return mine - _macro_f1_of_cells(true, (second, first), ours, theirs, present)

    random = np.random.default_rng(seed)
    observed = float(difference(count[None, :].astype(float), np.zeros((1, len(count))))[0])
    drawn = random.multinomial(len(truth), count / len(truth), size=DRAWS).astype(float)
    interval = np.quantile(difference(drawn, np.zeros_like(drawn)), (0.025, 0.975))
    swapped = random.binomial(count, 0.5, size=(DRAWS, len(count))).astype(float)
    shuffled = difference(count - swapped, swapped)
    return {
        "macro_f1_difference": round(observed, 6),
        "interval": [round(float(interval[0]), 6), round(float(interval[1]), 6)],
        "p_value": round(float((1 + (np.abs(shuffled) >= abs(observed) - 1e-12).sum()) / (1 + DRAWS)), 6),
        "rows_answered_differently": int((candidate != champion).sum()),
        "recall": _recall_changes(candidate, champion, truth, names),
    }


def _recall_changes(candidate: Ints, champion: Ints, truth: Ints, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return candidate minus champion in recall for each label that has rows.

    The p-value is one-sided and exact (McNemar): the chance of so large a fall if rows were lost as often as gained.
    """
    ours, theirs = candidate == truth, champion == truth
    support = np.bincount(truth, minlength=len(names))
    lost = np.bincount(truth[theirs & ~ours], minlength=len(names))
    gained = np.bincount(truth[ours & ~theirs], minlength=len(names))
    by_chance = bdtrc(lost - 1.0, lost + gained, 0.5)  # binomial: P(at least `lost` of the rows answered differently)
    return {
        names[label]: {
            "difference": round(float((gained[label] - lost[label]) / support[label]), 6),
            "p_value": round(float(by_chance[label]), 6),
            "lost": int(lost[label]),
            "gained": int(gained[label]),
        }
        for label in np.flatnonzero(support).tolist()
    }


def draw_macro_f1(truth: Ints, predicted: Ints, count: int, seed: int) -> Floats:
    """Return macro-F1 in DRAWS bootstrap draws of the rows."""
    if not len(truth):
        return np.zeros(0)
    keys, cells = np.unique(truth * count + predicted, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(truth), cells / len(truth), size=DRAWS).astype(float)
    present = np.bincount(truth, minlength=count) > 0
    answers = keys % count
    return _macro_f1_of_cells(keys // count, (answers, answers), drawn, np.zeros_like(drawn), present)


def _macro_f1_of_cells(true: Ints, answers: tuple[Ints, Ints], ours: Floats, theirs: Floats, present: Bools) -> Floats:
    """Return macro-F1 for each draw.

    Args:
        true: (cells,) truth of the rows of a cell.
        answers: (cells,) and (cells,) the two answers that its rows may have.
        ours: (draws, cells) rows with the first answer.
        theirs: (draws, cells) rows with the second answer.
        present: (labels,) which labels have rows.
    """
    count = len(present)
    first, second = answers

    def sums(by: Ints, weights: Floats) -> Floats:
        cells = csr_matrix((np.ones(len(by)), (np.arange(len(by)), by)), shape=(len(by), count))
        return np.asarray(weights @ cells)

    support = sums(true, ours + theirs)
    predicted = sums(first, ours) + sums(second, theirs)
    right = sums(true, ours * (first == true) + theirs * (second == true))
    f1 = 2 * right / np.maximum(support + predicted, 1e-12)
    # A label without rows in a draw does not count in that draw.
    there = present & (support > 0)
    return np.asarray((f1 * there).sum(1) / np.maximum(there.sum(1), 1))
