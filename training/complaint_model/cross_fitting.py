"""Cross-fitting: score each row by models that saw neither it nor a near-duplicate, and judge the recipe by these scores."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from complaint_model import checkpoints, svm
from complaint_model.arrays import Bools, Floats, Ints
from complaint_model.bootstrap import draw_macro_f1
from complaint_model.calibration import calibrate, threshold_for
from complaint_model.metrics import calibration_error, confusion_counts, coverage_at, macro_f1
from complaint_model.settings import Settings

log = logging.getLogger(__name__)
ERROR_DRAWS = 200  # of the standard error


@dataclass(frozen=True)
class CrossFit:
    """What cross-fitting found on the training rows."""

    probabilities: Floats  # (rows, labels)
    predicted: Ints  # (rows,)
    confidence: Floats  # (rows,) probability of the predicted label
    labels: Ints  # (rows,) the given ones
    threshold: float  # calibration.threshold_for
    needs_review: Bools  # (rows,)
    macro_f1: float
    macro_f1_error: float  # standard error over rows
    accuracy: float
    expected_calibration_error: float
    coverage: float  # the largest share of rows that reaches the target precision


def assign_folds(labels: Ints, groups: Sequence[str], folds: int, seed: int) -> Ints:
    """Return a fold for each row: groups stay together, and each label is spread over the folds as evenly as its groups allow.

    A label whose rows are all near-duplicates is spread row by row. In one fold, its rows would be scored only by models that never saw the
    label. Their scores would be anti-correlated with it, and calibration would flip the sign.
    """
    first_label: dict[str, int] = {}
    for group, label in zip(groups, labels.tolist(), strict=True):
        first_label.setdefault(group, label)
    order = sorted(first_label, key=lambda group: hashlib.sha256(f"{seed}/{group}".encode(errors="replace")).digest())
    dealt: dict[int, int] = {}
    fold: dict[str, int] = {}
    for group in order:
        label = first_label[group]
        # Each label starts at another fold, so that rare labels do not all land in fold 0.
        fold[group] = (dealt.get(label, label)) % folds
        dealt[label] = dealt.get(label, label) + 1
    of_row = np.fromiter((fold[group] for group in groups), dtype=np.int64, count=len(labels))
    count = int(labels.max()) + 1
    lowest, highest = np.full(count, folds), np.full(count, -1)
    np.minimum.at(lowest, labels, of_row)
    np.maximum.at(highest, labels, of_row)
    for label in np.flatnonzero(lowest == highest).tolist():
        rows = np.flatnonzero(labels == label)
        of_row[rows] = (np.arange(len(rows)) + label) % folds
    return of_row


def cross_fit_scores(
    matrix: csr_matrix,
    labels: Ints,
    fold: Ints,
    settings: Settings,
    *,
    folder: Path | None = None,
    key: str = "",
    after: Callable[[int, Floats], None] = lambda _held, _scores: None,
) -> Floats:
    """Score each row by SVMs that were trained on the other folds.

    Folds are fitted in parallel, one per core: each result depends on its fold alone.

    Args:
        matrix: (rows, features)
        labels: (rows,)
        fold: (rows,) from assign_folds.
        settings: folds, and what svm.fit_svms takes.
        folder: Keep and look for checkpoints there.
        key: Names the checkpoints; must depend on everything that the scores depend on.
        after: Called after each fold, in order, with the fold and the scores so far.

    Returns:
        (rows, labels) scores.
    """
    label_count = int(labels.max()) + 1
    scores = np.zeros((matrix.shape[0], label_count))

    def work(held: int) -> None:
        rows = np.flatnonzero(fold == held)
        path = folder / f"{key}-{held}.fold" if folder else None
        if path and path.is_file():
            kept = checkpoints.read(path, (len(rows), label_count))
            if kept is not None:
                log.info("fold %d of %d: read from the checkpoint", held + 1, settings.folds)
                scores[rows] = kept
                return
            log.warning("fold %d of %d: the checkpoint is damaged, training again", held + 1, settings.folds)
        others = np.flatnonzero(fold != held)
        weights, biases = svm.fit_svms(matrix[others], labels[others], label_count, settings)
        scores[rows] = matrix[rows] @ weights + biases
        if path:
            checkpoints.write(path, scores[rows])
        log.info("fold %d of %d: trained on %d rows", held + 1, settings.folds, len(others))

    with ThreadPoolExecutor(max_workers=min(settings.folds, os.cpu_count() or 1)) as pool:
        for held, _ in enumerate(pool.map(work, range(settings.folds))):
            after(held, scores)
    return scores


class FoldsSoFar:
    """Macro-F1 while folds finish: each fold's rows under the softmax and offsets of the folds before it.

    It is lower than the final figure, which calibrates on more rows. But trials of one tuning job share their folds, so at the same fold
    they can be compared.
    """

    def __init__(self, labels: Ints, fold: Ints, report: Callable[[int, float], None]) -> None:
        self._labels, self._fold, self._report = labels, fold, report
        self._confusion: Floats | None = None

    def __call__(self, held: int, scores: Floats) -> None:
        """Report (folds, macro-F1) from the second fold on, but not after the last, when everything is evaluated."""
        before, inside = self._fold < held, self._fold == held
        if held == self._fold.max() or not before.any() or not inside.any():
            return
        _, predicted = calibrate(scores, self._labels, before, inside)
        confusion = confusion_counts(self._labels[inside], predicted, scores.shape[1])
        self._confusion = confusion if self._confusion is None else self._confusion + confusion
        self._report(held + 1, macro_f1(self._confusion))


def evaluate_cross_fit(scores: Floats, labels: Ints, fold: Ints, settings: Settings) -> CrossFit:
    """Calibrate each fold on the other folds, so that no row is judged by what was fitted on it, and measure the answers."""
    probabilities = np.zeros_like(scores)
    predicted = np.zeros(len(labels), dtype=np.int64)
    for held in range(settings.folds):
        inside = fold == held
        probabilities[inside], predicted[inside] = calibrate(scores, labels, ~inside, inside)
    count = scores.shape[1]
    right = predicted == labels
    confidence = probabilities[np.arange(len(labels)), predicted]
    threshold = threshold_for(confidence, right, settings.target_precision)
    return CrossFit(
        probabilities=probabilities,
        predicted=predicted,
        confidence=confidence,
        labels=labels,
        threshold=threshold,
        needs_review=confidence < threshold,
        macro_f1=macro_f1(confusion_counts(labels, predicted, count)),
        macro_f1_error=float(np.std(draw_macro_f1(labels, predicted, count, settings.seed, draws=ERROR_DRAWS))),
        accuracy=float(right.mean()),
        expected_calibration_error=calibration_error(confidence, right),
        coverage=coverage_at(confidence, right, settings.target_precision),
    )
