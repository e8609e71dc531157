"""Compiled training: naive Bayes feature scales, and all one-vs-rest linear SVMs in one walk over the rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from complaint_model.arrays import Float32s, Int32s, Ints
from complaint_model.compiled.jit import compiled


@compiled
def bayes_scales(starts: Ints, columns: Int32s, labels: Ints, power: float, scales: Float32s) -> None:
    """Fill `scales` (features, labels) with squared naive Bayes scales: |log-count ratio| ** power, with mean 1 per label, squared.

    The log-count ratio (Wang and Manning, 2012) says how much more often a feature occurs in rows of the label than in the others. Counts
    are smoothed by 1 inside the label and by 2 outside: what docs/explanation/model.md was measured with.

    Args:
        starts: (rows + 1,) where each row begins in `columns`, as in a CSR matrix.
        columns: Features of the rows.
        labels: (rows,)
        power: Exponent of the ratio.
        scales: (features, labels), written.
    """
    features, count = scales.shape
    for feature in range(features):
        for k in range(count):
            scales[feature, k] = 1
    for row in range(len(starts) - 1):
        for place in range(starts[row], starts[row + 1]):
            scales[columns[place], labels[row]] += 1
    inside = np.zeros(count)
    outside = np.zeros(count)
    for feature in range(features):
        seen = 2.0
        for k in range(count):
            seen += scales[feature, k] - 1
        for k in range(count):
            inside[k] += scales[feature, k]
            outside[k] += seen - (scales[feature, k] - 1)
    means = np.zeros(count)
    for feature in range(features):
        seen = 2.0
        for k in range(count):
            seen += scales[feature, k] - 1
        for k in range(count):
            here = scales[feature, k]
            ratio = abs(math.log(here / inside[k]) - math.log((seen - here + 1) / outside[k])) ** power
            scales[feature, k] = ratio
            means[k] += ratio
    for k in range(count):
        means[k] = max(means[k] / max(features, 1), 1e-9)
    for feature in range(features):
        for k in range(count):
            scales[feature, k] = (scales[feature, k] / means[k]) ** 2


@compiled
def fit_svms(
    starts: Ints, columns: Int32s, values: Float32s, labels: Ints, costs: Float32s, table: Float32s, passes: int, seed: int
) -> Float32s:
    """Fit one linear SVM (squared hinge) per label against the rest, by dual coordinate descent as liblinear does (Hsieh et al., 2008).

    A feature scaled by r is a feature whose step is r squared, so the rows need not be copied for each label's scales.

    Args:
        starts: (rows + 1,) where each row begins in `columns` and `values`, as in a CSR matrix.
        columns: Features of the rows.
        values: Their values.
        labels: (rows,)
        costs: (rows,) C of each row.
        table: (features, 2 * labels): weights, zero at first and written here, and beside them the squared scales. They share a
            table because the processor then waits for one place in memory instead of two.
        passes: Walks over the rows at most.
        seed: Of the order of rows.

    Returns:
        (labels,) biases.
    """
    rows, count = len(starts) - 1, table.shape[1] // 2
    biases = np.zeros(count, np.float32)
    alpha = np.zeros((rows, count), np.float32)
    curvature = np.ones((rows, count), np.float32)
    for row in range(rows):
        for place in range(starts[row], starts[row + 1]):
            square = values[place] * values[place]
            for k in range(count):
                curvature[row, k] += square * table[columns[place], count + k]
    order: Any = np.arange(rows)
    state = np.uint64(2 * seed + 1)
    margins, steps, moving = np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, np.int64)
    one, half, zero = np.float32(1), np.float32(0.5), np.float32(0)
    for _ in range(passes):
        for row in range(rows - 1, 0, -1):
            state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            other = int((state >> np.uint64(33)) % np.uint64(row + 1))
            order[row], order[other] = order[other], order[row]
        worst = zero
        for row in order:
            for k in range(count):
                margins[k] = biases[k]
            for place in range(starts[row], starts[row + 1]):
                column, value = columns[place], values[place]
                for k in range(count):
                    margins[k] += value * table[column, k]
            damping = half / costs[row]
            moved = 0
            for k in range(count):
                sign = one if labels[row] == k else -one
                before = alpha[row, k]
                slope = sign * margins[k] - one + before * damping
                wrong = slope if before > 0 else min(slope, zero)
                if abs(wrong) > 1e-4:
                    worst = max(worst, abs(wrong))
                    after = max(before - slope / (curvature[row, k] + damping), zero)
                    alpha[row, k] = after
                    steps[k] = (after - before) * sign
                    biases[k] += steps[k]
                    moving[moved] = k
                    moved += 1
            if moved:
                for place in range(starts[row], starts[row + 1]):
                    column, value = columns[place], values[place]
                    for which in range(moved):
                        k = moving[which]
                        table[column, k] += value * steps[k] * table[column, count + k]
        if worst < 0.1:
            break
    return biases
