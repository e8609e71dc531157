"""Turn scores into calibrated probabilities, choose labels for macro-F1, and find the confidence that reaches a target precision."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from complaint_model.arrays import Bools, Floats, Ints
from complaint_model.metrics import f1_scores, lowest_threshold, wilson_lower_bound
from complaint_model.model import add_offsets, choose

LABELS_OF_UNIT_PRIOR = 8  # with more labels, the prior grows in proportion (measured with 9 and 77)
FULL_CALIBRATION_LABELS = 200  # with more labels, a label's probability depends on its own score alone
OFFSET_GRID = np.linspace(-1.5, 1.5, 31)
OFFSET_ROUNDS = 2
PLATEAU = 5e-4  # macro-F1 that makes no difference between offsets
MIN_ANSWERED_ROWS = 30  # above the threshold in training: fewer rows cannot show a precision
BOUND_CONFIDENCE = 0.8  # that the precision above the threshold reaches the target (measured in docs/explanation/model.md)


def calibrate(scores: Floats, labels: Ints, fitted_on: Bools, applied_to: Bools) -> tuple[Floats, Ints]:
    """Fit softmax and offsets on some rows, and return (probabilities, labels) of others."""
    slope, bias = fit_softmax(scores[fitted_on], labels[fitted_on])
    offsets = fit_offsets(softmax(scores[fitted_on] @ slope + bias, axis=1), labels[fitted_on])
    probabilities = softmax(scores[applied_to] @ slope + bias, axis=1)
    return probabilities, choose(probabilities, offsets)


# ---------------------------------------------------------------- softmax


def fit_softmax(scores: Floats, labels: Ints) -> tuple[Floats, Floats]:
    """Fit a K x K logistic calibration: probabilities are softmax(scores @ A + b).

    First one slope for all labels, then A, pulled towards that slope. The more labels, the more slopes can be wrong, so the pull grows
    with their number. Targets are Platt's (1999): with n rows of a label, no probability exceeds about 1 - 1/(n + 2), even if the scores
    separate the labels perfectly.

    Args:
        scores: (rows, labels) of models that did not see the row.
        labels: (rows,)

    Returns:
        A (labels, labels) and b (labels,).
    """
    count = scores.shape[1]
    doubt = 1.0 / (np.bincount(labels, minlength=count) + 2.0)[labels]
    target = np.repeat(doubt[:, None] / (count - 1), count, axis=1)
    target[np.arange(len(labels)), labels] = 1.0 - doubt

    def loss_of_slope(parameters: Floats) -> tuple[float, Floats]:
        slope, shift = parameters[0], parameters[1:]
        loss, error = _cross_entropy(scores * slope + shift, target)
        return loss + 0.5 * float(shift @ shift), np.concatenate(([(error * scores).sum()], error.sum(0) + shift))

    first = np.concatenate(([3.0], np.zeros(count)))
    start = minimize(loss_of_slope, first, jac=True, method="L-BFGS-B", options={"maxiter": 50}).x
    # Scores that contradict the labels carry no information: each label's probability is its frequency.
    if start[0] <= 0:
        return np.zeros((count, count)), np.log(np.bincount(labels, minlength=count) + 1.0)
    prior = np.eye(count) * start[0]
    if count > FULL_CALIBRATION_LABELS:
        return prior, start[1:]

    pull = max(1.0, count / LABELS_OF_UNIT_PRIOR)

    def loss_of_matrix(parameters: Floats) -> tuple[float, Floats]:
        matrix, shift = parameters[:-count].reshape(count, count), parameters[-count:]
        away = matrix - prior
        loss, error = _cross_entropy(scores @ matrix + shift, target)
        gradient = np.concatenate(((scores.T @ error + pull * away).ravel(), error.sum(0) + shift))
        return loss + 0.5 * float(pull * (away**2).sum() + shift @ shift), gradient

    parameters = np.concatenate((prior.ravel(), start[1:]))
    fitted = minimize(loss_of_matrix, parameters, jac=True, method="L-BFGS-B", options={"maxiter": 30}).x
    return fitted[:-count].reshape(count, count), fitted[-count:]


def _cross_entropy(logits: Floats, target: Floats) -> tuple[float, Floats]:
    """Return the summed loss and its gradient by the logits."""
    logs = log_softmax(logits, axis=1)
    return -float((target * logs).sum()), np.exp(logs) - target


# ---------------------------------------------------------------- offsets


def fit_offsets(probabilities: Floats, labels: Ints) -> Floats:
    """Find offsets to log-probabilities for which the chosen labels have the highest macro-F1.

    Coordinate ascent, one label after another, the rarest first, as Lachiche and Flach (2003) weight the classes of a probabilistic
    classifier. Example with two labels: a row has log-probabilities (-0.2, -1.7). Label 1 wins it with an offset above its margin,
    1.5. So for one label, rows sorted by margin change hands in order as the offset grows, and counts change by a few rows at a time.

    Args:
        probabilities: (rows, labels)
        labels: (rows,)

    Returns:
        (labels,) values of OFFSET_GRID.
    """
    count = probabilities.shape[1]
    scores = add_offsets(probabilities, np.zeros(count))
    offsets = np.zeros(count)
    support = np.bincount(labels, minlength=count).astype(np.float64)
    top = TopTwo(scores)
    for _ in range(OFFSET_ROUNDS):
        for label in np.argsort(support, kind="stable").tolist():
            if support[label]:
                rival, value = top.without(label)
                quality = _macro_f1_by_offset(label, value - scores[:, label], rival, labels, support)
                # The smallest offset among the nearly best: the far end of a plateau is fitted to noise.
                near = np.flatnonzero(quality >= quality.max() - PLATEAU)
                offsets[label] = OFFSET_GRID[near[np.argmin(np.abs(OFFSET_GRID[near]))]]
                top.update(label, offsets)
    return offsets


def _macro_f1_by_offset(label: int, margin: Floats, rival: Ints, labels: Ints, support: Floats) -> Floats:
    """Return macro-F1 for each offset of one label in OFFSET_GRID.

    Args:
        label: The label whose offset varies.
        margin: (rows,) offset above which the row goes to the label.
        rival: (rows,) the label that has the row below it.
        labels: (rows,) truth.
        support: (labels,) rows of each label.
    """
    occurs = support > 0
    chosen = np.where(margin < OFFSET_GRID[0], label, rival)
    right = np.bincount(labels[chosen == labels], minlength=len(support)).astype(np.float64)
    predicted = np.bincount(chosen, minlength=len(support)).astype(np.float64)
    # Rows with margins outside the grid never change hands.
    contested = np.flatnonzero(np.abs(margin) <= OFFSET_GRID[-1])
    contested = contested[np.argsort(margin[contested], kind="stable")]
    quality = []
    before = 0
    for place in np.searchsorted(margin[contested], OFFSET_GRID).tolist():
        moved = contested[before:place]
        before = place
        np.subtract.at(predicted, rival[moved], 1)
        predicted[label] += len(moved)
        np.subtract.at(right, labels[moved][rival[moved] == labels[moved]], 1)
        right[label] += np.count_nonzero(labels[moved] == label)
        quality.append(float(f1_scores(right[occurs], support[occurs], predicted[occurs]).mean()))
    return np.asarray(quality)


class TopTwo:
    """The two highest columns of each row of scores plus offsets; of equal columns, the first comes first.

    A change of one offset leaves nearly all rows as they are. Searching all columns again for each label would take time quadratic in their
    number.
    """

    def __init__(self, scores: Floats) -> None:
        rows, self._scores = len(scores), scores
        self._columns, self._values = np.empty((2, rows), dtype=np.int64), np.empty((2, rows))
        self._search(np.arange(rows), np.zeros(scores.shape[1]))

    def without(self, column: int) -> tuple[Ints, Floats]:
        """Return (column, value) of each row's highest column other than `column`."""
        second = self._columns[0] == column
        return np.where(second, self._columns[1], self._columns[0]), np.where(second, self._values[1], self._values[0])

    def update(self, column: int, offsets: Floats) -> None:
        """Take over a new offset of `column`."""
        value = self._scores[:, column] + offsets[column]
        among = (self._columns == column).any(axis=0)
        passes = (value > self._values[1]) | ((value == self._values[1]) & (column < self._columns[1]))
        self._search(np.flatnonzero(among | passes), offsets)

    def _search(self, rows: Ints, offsets: Floats) -> None:
        shifted = self._scores[rows] + offsets
        for place in range(2):
            column = shifted.argmax(1)
            self._columns[place, rows], self._values[place, rows] = column, shifted[np.arange(len(rows)), column]
            shifted[np.arange(len(rows)), column] = -np.inf


# ---------------------------------------------------------------- threshold


def threshold_for(confidence: Floats, right: Bools, target: float) -> float:
    """Return the lowest confidence above which at least a share of `target` of labels is right, or 1.0 if there is none.

    Many thresholds are tried, and one of them reaches any target by luck. So the Wilson lower bound of the precision must reach it, over
    enough rows. With 1.0, every row needs review.
    """

    def accepted(precision: Floats, rows: Floats) -> Bools:
        return np.asarray((rows >= MIN_ANSWERED_ROWS) & (wilson_lower_bound(precision, rows, BOUND_CONFIDENCE) >= target))

    return lowest_threshold(confidence, right, accepted)[0]
