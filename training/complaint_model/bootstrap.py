"""Bootstrap macro-F1: draw rows with replacement, many times at once.

Draws are counts of cells, which are rows with the same truth and answers. To draw counts is the same as to draw rows.
scipy.stats.bootstrap draws the rows themselves, one draw after another.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from complaint_model.arrays import Bools, Floats, Ints

DRAWS = 1000


def draw_macro_f1(truth: Ints, predicted: Ints, count: int, seed: int, draws: int = DRAWS) -> Floats:
    """Return macro-F1 in bootstrap draws of the rows."""
    if not len(truth):
        return np.zeros(0)
    keys, cells = np.unique(truth * count + predicted, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(truth), cells / len(truth), size=draws).astype(float)
    present = np.bincount(truth, minlength=count) > 0
    answers = keys % count
    return macro_f1_of_cells(keys // count, (answers, answers), drawn, np.zeros_like(drawn), present)


def macro_f1_of_cells(true: Ints, answers: tuple[Ints, Ints], ours: Floats, theirs: Floats, present: Bools) -> Floats:
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
