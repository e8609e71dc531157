"""Measure a model on held-out rows: the numbers of evaluation.json."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from complaint_model.arrays import MIN_PROBABILITY, Bools, Floats, Ints
from complaint_model.bootstrap import draw_macro_f1
from complaint_model.metrics import calibration_error, confidence_bins, coverage_at
from complaint_model.model import Model
from complaint_model.records import Labelled
from complaint_model.scoring import score
from ptmlops_contracts.evaluation import HeldOutAnswer, length_bucket, text_digest

CALIBRATION_DRAWS = 200
NORMAL_QUANTILE = 1.959964  # of 0.975
RELIABILITY_BINS = 15
CURVE_POINTS = 50


@dataclass(frozen=True)
class Answers:
    """A model's answers on the holdout, as numbers of one list of labels that all models and rows share."""

    predicted: Ints
    confidence: Floats
    needs_review: Bools
    known_share: Floats  # of the text's features, those that training saw
    probability_of_truth: Floats  # 0 if the model does not know the label


def all_labels(rows: Sequence[Labelled], models: Sequence[Model]) -> list[str]:
    """Return the labels of the holdout and of every model, in order."""
    return sorted({row.label for row in rows}.union(*(model.labels for model in models)))


def answer_holdout(model: Model, rows: Sequence[Labelled], labels: Sequence[str]) -> Answers:
    """Score the holdout; `labels` from all_labels."""
    number = {label: index for index, label in enumerate(labels)}
    model_numbers = np.asarray([number[label] for label in model.labels], dtype=np.int64)
    scores = score(model, [row.text for row in rows])
    column = {label: index for index, label in enumerate(model.labels)}
    truth = [column.get(row.label, -1) for row in rows]
    return Answers(
        predicted=model_numbers[scores.label],
        confidence=scores.confidence,
        needs_review=scores.needs_review,
        known_share=scores.known_share,
        probability_of_truth=np.asarray(
            [scores.probabilities[row, at] if at >= 0 else 0.0 for row, at in enumerate(truth)], dtype=np.float64
        ),
    )


def answer_lines(answers: Answers, rows: Sequence[Labelled], labels: Sequence[str]) -> list[HeldOutAnswer]:
    """Return the lines of answers.jsonl, which has no texts: evaluations are kept, and texts expire.

    Args:
        answers: The candidate's.
        rows: The held-out complaints.
        labels: From all_labels.
    """
    return [
        HeldOutAnswer(
            complaint_id=row.complaint_id,
            text_digest=text_digest(row.text),
            label=row.label,
            answer=labels[predicted],
            confidence=round(confidence, 6),  # as inference.py rounds it
        )
        for row, predicted, confidence in zip(rows, answers.predicted.tolist(), answers.confidence.tolist(), strict=True)
    ]


def metrics(
    answers: Answers,
    truth: Ints,
    rows: Sequence[Labelled],
    labels: Sequence[str],
    *,
    target_precision: float,
    threshold: float,
    seed: int,
) -> dict[str, Any]:
    """Return the metrics of one model in evaluation.json (docs/contracts.md). None means that there are no rows to measure.

    Macro-F1 is over the labels that have held-out rows.

    Args:
        answers: The model's.
        truth: (rows,) as numbers of `labels`.
        rows: The held-out complaints.
        labels: From all_labels.
        target_precision: That coverage is measured at.
        threshold: The model's.
        seed: Of bootstrap draws.
    """
    right = answers.predicted == truth
    return {
        **figures(answers.predicted, answers.confidence, answers.needs_review, truth, labels, seed=seed),
        "expected_calibration_error_by_chance": _number(_calibration_error_by_chance(answers.confidence, seed)),
        "log_loss": _number(
            -np.log(np.maximum(answers.probability_of_truth, MIN_PROBABILITY)).mean() if len(right) else math.nan
        ),
        "coverage_at_target_precision": _number(
            coverage_at(answers.confidence, right, target_precision) if len(right) else math.nan
        ),
        "threshold": threshold,
        "confusion": _confusion(truth, answers.predicted, labels),
        "reliability": _reliability(answers.confidence, right),
        "coverage_curve": _coverage_curve(answers.confidence, right),
        "by_language": _by([row.language or "unknown" for row in rows], truth, answers.predicted),
        "by_length": _by([_length(row.text) for row in rows], truth, answers.predicted),
    }


def figures(
    predicted: Ints, confidence: Floats, needs_review: Bools, truth: Ints, labels: Sequence[str], *, seed: int
) -> dict[str, Any]:
    """Return the metrics that are also known of cross-fitted rows (ptmlops_contracts.evaluation.Figures).

    Args:
        predicted: (rows,) as numbers of `labels`.
        confidence: (rows,)
        needs_review: (rows,)
        truth: (rows,) as numbers of `labels`.
        labels: The names.
        seed: Of bootstrap draws.
    """
    right, answered = predicted == truth, ~needs_review
    return {
        "accuracy": _number(right.mean() if len(right) else math.nan),
        "accuracy_interval": _wilson_interval(right),
        "macro_f1": _number(_macro_f1(truth, predicted)),
        "macro_f1_interval": _macro_f1_interval(truth, predicted, len(labels), seed),
        "expected_calibration_error": _number(calibration_error(confidence, right)),
        "answered_share": _number(answered.mean() if len(right) else math.nan),
        "answered_share_interval": _wilson_interval(answered),
        "answered_precision": _number(right[answered].mean() if answered.any() else math.nan),
        "answered_precision_interval": _wilson_interval(right[answered]),
        "per_label": _per_label(truth, predicted, labels),
    }


def _macro_f1(truth: Ints, predicted: Ints) -> float:
    """Return the mean F1 over the labels that have rows."""
    if not len(truth):
        return math.nan
    return float(f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0))


def _confusion(truth: Ints, predicted: Ints, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return true label -> answer -> rows, without zeros: a square of 1,000 labels would be a million numbers."""
    confusion = confusion_matrix(truth, predicted, labels=range(len(labels))) if len(truth) else np.zeros((0, 0))
    counts: dict[str, dict[str, int]] = {}
    for true, answer in np.argwhere(confusion).tolist():
        counts.setdefault(labels[true], {})[labels[answer]] = int(confusion[true, answer])
    return counts


def _calibration_error_by_chance(confidence: Floats, seed: int) -> float:
    """Return the error that a perfectly calibrated model with these confidences stays below in 95% of draws.

    Binning makes the measured error positive even for such a model, the more so the fewer rows there are (Nixon et al., 2019).
    """
    if not len(confidence):
        return math.nan
    random = np.random.default_rng(seed)
    draws = [calibration_error(confidence, random.random(len(confidence)) < confidence) for _ in range(CALIBRATION_DRAWS)]
    return float(np.quantile(draws, 0.95))


def _wilson_interval(right: Bools) -> list[float] | None:
    """Return the 95% interval of a share (Wilson, 1927). Also without a wrong answer it has a width: 5 of 5 give 0.57 to 1."""
    rows = len(right)
    if not rows:
        return None
    share, z = float(right.mean()), NORMAL_QUANTILE
    center = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * math.sqrt(share * (1 - share) / rows + (z / (2 * rows)) ** 2) / (1 + z**2 / rows)
    return [round(max(center - half, 0.0), 6), round(min(center + half, 1.0), 6)]


def _macro_f1_interval(truth: Ints, predicted: Ints, count: int, seed: int) -> list[float] | None:
    """Return the 95% interval of macro-F1 by bootstrap.

    If all answers are right, or all wrong, every draw has the same macro-F1. Then the interval is that of the accuracy.
    """
    draws = draw_macro_f1(truth, predicted, count, seed)
    right = truth == predicted
    if not len(draws) or right.all() or not right.any():
        return _wilson_interval(right)
    low, high = np.quantile(draws, (0.025, 0.975))
    return [round(float(low), 6), round(float(high), 6)]


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None


def _per_label(truth: Ints, predicted: Ints, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    count = len(labels)
    columns: Sequence[Floats] = (*np.full((3, count), math.nan), np.zeros(count))
    if len(truth):  # scikit-learn refuses an empty holdout
        columns = precision_recall_fscore_support(truth, predicted, labels=range(count), zero_division=math.nan)
    return {
        label: {
            "precision": _number(precision),
            "recall": _number(recall),
            "f1": _number(f1 if support else math.nan),
            "support": int(support),
        }
        for label, precision, recall, f1, support in zip(labels, *columns, strict=True)
    }


def _reliability(confidence: Floats, right: Bools) -> list[dict[str, Any]]:
    bin_of = confidence_bins(confidence, RELIABILITY_BINS)
    return [
        {
            "confidence": round(float(confidence[bin_of == index].mean()), 6),
            "accuracy": round(float(right[bin_of == index].mean()), 6),
            "rows": int((bin_of == index).sum()),
        }
        for index in range(RELIABILITY_BINS)
        if (bin_of == index).any()
    ]


def _coverage_curve(confidence: Floats, right: Bools) -> list[dict[str, Any]]:
    order = np.argsort(-confidence, kind="stable")
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    if not len(order):
        return []
    at = np.unique(np.linspace(1, len(order), min(CURVE_POINTS, len(order))).astype(int))
    return [
        {
            "coverage": round(int(rows) / len(order), 6),
            "precision": round(float(precision[rows - 1]), 6),
            "threshold": round(float(confidence[order][rows - 1]), 6),
        }
        for rows in at
    ]


def _by(parts: Sequence[str], truth: Ints, predicted: Ints) -> dict[str, dict[str, Any]]:
    of = np.asarray(parts, dtype=object)
    result = {}
    for part in sorted(set(parts)):
        rows = of == part
        result[part] = {
            "rows": int(rows.sum()),
            "accuracy": _number(accuracy_score(truth[rows], predicted[rows])),
            "macro_f1": _number(_macro_f1(truth[rows], predicted[rows])),
        }
    return result


def _length(text: str) -> str:
    return length_bucket(len(text.split()))
