"""Bootstrap macro-F1: draw rows with replacement, many times at once.

Rows with the same truth and the same answers form a cell. A draw is a number of rows per cell, from a multinomial
distribution. This is equivalent to drawing the rows themselves, as scipy.stats.bootstrap does one draw after another.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from complaint_model.arrays import Bools, Floats, Ints

DRAWS = 1000


def draw_macro_f1(truth: Ints, predicted: Ints, count: int, seed: int, draws: int = DRAWS) -> Floats:
    """Return macro-F1 in bootstrap draws of the rows.

    Args:
        truth: (rows,) index of the true label.
        predicted: (rows,) index of the predicted label.
        count: number of labels.
        seed: of the random generator.
        draws: number of draws.

    Returns:
        (draws,), or (0,) if there are no rows.
    """
    if not len(truth):
        return np.zeros(0)
    cells, cell_rows = np.unique(truth * count + predicted, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(truth), cell_rows / len(truth), size=draws).astype(float)
    present = np.bincount(truth, minlength=count) > 0
    answers = cells % count
    return macro_f1_of_cells(cells // count, (answers, answers), drawn, np.zeros_like(drawn), present)


def macro_f1_of_cells(true: Ints, answers: tuple[Ints, Ints], ours: Floats, theirs: Floats, present: Bools) -> Floats:
    """Return macro-F1 for each draw.

    Args:
        true: (cells,) truth of the rows of a cell.
        answers: (cells,) and (cells,) the two answers that the rows of a cell may have.
        ours: (draws, cells) number of rows with the first answer.
        theirs: (draws, cells) number of rows with the second answer.
        present: (labels,) True for labels that have rows.
    """
    count = len(present)
    first, second = answers

    def rows_per_label(label_of_cell: Ints, rows: Floats) -> Floats:
        size = len(label_of_cell)
        one_hot = csr_matrix((np.ones(size), (np.arange(size), label_of_cell)), shape=(size, count))
        return np.asarray(rows @ one_hot)

    support = rows_per_label(true, ours + theirs)
    predicted = rows_per_label(first, ours) + rows_per_label(second, theirs)
    right = rows_per_label(true, ours * (first == true) + theirs * (second == true))
    f1 = 2 * right / np.maximum(support + predicted, 1e-12)
    # A label without rows in a draw does not count in that draw.
    counted = present & (support > 0)
    return np.asarray((f1 * counted).sum(1) / np.maximum(counted.sum(1), 1))
