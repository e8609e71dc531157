"""Measure a model on a holdout, compare two models on the same rows, and say how sure the comparison is."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import bdtr, bdtrc

from complaint_model.classifier import Floats, Ints, Model, calibration_error, coverage_for, macro_f1
from complaint_model.records import Labelled
from complaint_model.scoring import score
from ptmlops_contracts.evaluation import length_bucket

DRAWS = 1000
CALIBRATION_DRAWS = 200
CURVE_POINTS = 50
NAMED_LABELS = 5  # in a sentence
LONGEST_NAME = 50  # characters of a label in a sentence
UNLIKELY = 0.05
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Verdicts:
    """A model's answers on the holdout, as numbers of one list of labels that all models and rows share."""

    predicted: Ints
    confidence: Floats
    probability_of_truth: Floats  # 0 where the model does not know the label


def all_labels(rows: Sequence[Labelled], models: Sequence[Model]) -> list[str]:
    """The labels of the holdout and of every model, in order."""
    return sorted({row.label for row in rows}.union(*(model.labels for model in models)))


def verdicts(model: Model, rows: Sequence[Labelled], labels: Sequence[str]) -> Verdicts:
    """Score the holdout."""
    number = {label: index for index, label in enumerate(labels)}
    own = np.asarray([number[label] for label in model.labels], dtype=np.int64)
    scores = score(model, [row.text for row in rows])
    column = {label: index for index, label in enumerate(model.labels)}
    truth = [column.get(row.label, -1) for row in rows]
    return Verdicts(
        predicted=own[scores.label],
        confidence=scores.confidence,
        probability_of_truth=np.asarray(
            [scores.probabilities[row, at] if at >= 0 else 0.0 for row, at in enumerate(truth)], dtype=np.float64
        ),
    )


def metrics(
    found: Verdicts,
    truth: Ints,
    rows: Sequence[Labelled],
    labels: Sequence[str],
    *,
    target_precision: float,
    threshold: float,
    seed: int,
) -> dict[str, Any]:
    """METRICS of docs/contracts.md; None is "cannot be said". Macro-F1 is over the labels that the holdout has rows of."""
    right = found.predicted == truth
    confusion = _confusion(truth, found.predicted, len(labels))
    answered = found.confidence >= threshold
    return {
        "accuracy": _number(right.mean() if len(right) else math.nan),
        "accuracy_interval": _interval(_draw_means(right, seed)),
        "macro_f1": _number(macro_f1(confusion)),
        "macro_f1_interval": _interval(_draw_macro_f1(truth, found.predicted, len(labels), seed)),
        "expected_calibration_error": _number(calibration_error(found.confidence, right)),
        "expected_calibration_error_by_chance": _number(_calibration_error_by_chance(found.confidence, seed)),
        "log_loss": _number(-np.log(np.maximum(found.probability_of_truth, 1e-12)).mean() if len(right) else math.nan),
        "coverage_at_target_precision": _number(
            coverage_for(found.confidence, right, target_precision) if len(right) else math.nan
        ),
        "threshold": threshold,
        "answered_share": _number(answered.mean() if len(right) else math.nan),
        "answered_precision": _number(right[answered].mean() if answered.any() else math.nan),
        "per_label": _per_label(confusion, labels),
        "confusion": _told(confusion, labels),
        "reliability": _reliability(found.confidence, right),
        "coverage_curve": _coverage_curve(found.confidence, right),
        "by_language": _by([row.language or "unknown" for row in rows], truth, found.predicted, len(labels)),
        "by_length": _by([_length(row.text) for row in rows], truth, found.predicted, len(labels)),
    }


def compare(candidate: Verdicts, champion: Verdicts, truth: Ints, names: Sequence[str], seed: int) -> dict[str, Any] | None:
    """Candidate minus champion on the same rows, in macro-F1 and in each label's recall; None without rows.

    interval: 95% by paired bootstrap. p_value: two-sided, by approximate randomisation (Noreen, 1989): were both models the
    same, each row's two answers could be swapped. Both work on counts of (truth, candidate, champion), which is the same
    as on rows.
    """
    if not len(truth):
        return None
    labels = len(names)
    keys, count = np.unique((truth * labels + candidate.predicted) * labels + champion.predicted, return_counts=True)
    true, first, second = keys // (labels * labels), keys // labels % labels, keys % labels
    present = np.bincount(truth, minlength=labels) > 0

    def difference(ours: Floats, theirs: Floats) -> Floats:
        mine = _f1_of_cells(true, (first, second), ours, theirs, present)
        return mine - _f1_of_cells(true, (second, first), ours, theirs, present)

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
        "rows_answered_differently": int((candidate.predicted != champion.predicted).sum()),
        "recall": _recall_changes(candidate, champion, truth, names),
    }


def _recall_changes(candidate: Verdicts, champion: Verdicts, truth: Ints, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each label of the holdout, candidate minus champion in recall.

    p_value: one-sided, exact (McNemar): how often so great a fall comes of chance, were rows lost as often as gained.
    """
    ours, theirs = candidate.predicted == truth, champion.predicted == truth
    support = np.bincount(truth, minlength=len(names))
    lost = np.bincount(truth[theirs & ~ours], minlength=len(names))
    gained = np.bincount(truth[ours & ~theirs], minlength=len(names))
    by_chance = bdtrc(lost - 1.0, lost + gained, 0.5)  # P(at least `lost` of the rows answered differently)
    return {
        names[label]: {
            "difference": round(float((gained[label] - lost[label]) / support[label]), 6),
            "p_value": round(float(by_chance[label]), 6),
            "lost": int(lost[label]),
            "gained": int(gained[label]),
        }
        for label in np.flatnonzero(support).tolist()
    }


def _f1_of_cells(true: Ints, answers: tuple[Ints, Ints], ours: Floats, theirs: Floats, present: NDArray[np.bool_]) -> Floats:
    """(draws,) macro-F1 where `ours` rows of each cell were answered `first` and `theirs` rows `second`; (draws, cells)."""
    count = len(present)
    first, second = answers

    def sums(by: Ints, weights: Floats) -> Floats:
        cells = csr_matrix((np.ones(len(by)), (np.arange(len(by)), by)), shape=(len(by), count))
        return np.asarray(weights @ cells)

    support = sums(true, ours + theirs)
    predicted = sums(first, ours) + sums(second, theirs)
    right = sums(true, ours * (first == true) + theirs * (second == true))
    f1 = 2 * right / np.maximum(support + predicted, 1e-12)
    # A label that a draw has no row of says nothing in that draw.
    there = present & (support > 0)
    return np.asarray((f1 * there).sum(1) / np.maximum(there.sum(1), 1))


def leaked_rows(train: Sequence[Labelled], holdout: Sequence[Labelled]) -> list[bool]:
    """For each row of the holdout, whether training saw it: the same near-duplicate group, or the same words in order."""
    groups = {row.group for row in train}
    seen = {_words(row.text) for row in train} - {""}  # texts of no word at all are not copies of each other
    return [row.group in groups or _words(row.text) in seen for row in holdout]


def holdout_fingerprint(rows: Sequence[Labelled]) -> str:
    """SHA-256 of the holdout's ids, labels and texts, whatever their order."""
    parts = sorted(
        hashlib.sha256(f"{row.complaint_id}\0{row.label}\0{row.text}".encode("utf-8", "surrogatepass")).digest()
        for row in rows
    )
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _words(text: str) -> str:
    """The words in order, in lower case and without accents; what stands between them does not make another text."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(WORD.findall("".join(character for character in plain if not unicodedata.combining(character))))


def _confusion(truth: Ints, predicted: Ints, count: int) -> Floats:
    return np.bincount(truth * count + predicted, minlength=count * count).reshape(count, count).astype(np.float64)


def _told(confusion: Floats, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """True label -> answer -> rows, without what never happened: a square of 1,000 labels would be a million numbers."""
    told: dict[str, dict[str, int]] = {}
    for truth, answer in np.argwhere(confusion).tolist():
        told.setdefault(labels[truth], {})[labels[answer]] = int(confusion[truth, answer])
    return told


def _draw_macro_f1(truth: Ints, predicted: Ints, count: int, seed: int) -> Floats:
    if not len(truth):
        return np.zeros(0)
    keys, cells = np.unique(truth * count + predicted, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(truth), cells / len(truth), size=DRAWS).astype(float)
    present = np.bincount(truth, minlength=count) > 0
    true, answered = keys // count, keys % count
    return _f1_of_cells(true, (answered, answered), drawn, np.zeros_like(drawn), present)


def _draw_means(right: NDArray[np.bool_], seed: int) -> Floats:
    if not len(right):
        return np.zeros(0)
    return np.random.default_rng(seed).binomial(len(right), right.mean(), size=DRAWS) / len(right)


def _calibration_error_by_chance(confidence: Floats, seed: int) -> float:
    """What a perfectly calibrated model's measured error stays below in 95% of draws, with these confidences.

    Binning makes the measure positive even then, and the more so the fewer rows there are (Nixon et al., 2019).
    """
    if not len(confidence):
        return math.nan
    random = np.random.default_rng(seed)
    draws = [calibration_error(confidence, random.random(len(confidence)) < confidence) for _ in range(CALIBRATION_DRAWS)]
    return float(np.quantile(draws, 0.95))


def _interval(draws: Floats) -> list[float] | None:
    if not len(draws):
        return None
    low, high = np.quantile(draws, (0.025, 0.975))
    return [round(float(low), 6), round(float(high), 6)]


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None


def _per_label(confusion: Floats, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    support, predicted, right = confusion.sum(1), confusion.sum(0), np.diag(confusion)
    return {
        label: {
            "precision": _number(right[index] / predicted[index] if predicted[index] else math.nan),
            "recall": _number(right[index] / support[index] if support[index] else math.nan),
            "f1": _number(2 * right[index] / (support[index] + predicted[index]) if support[index] else math.nan),
            "support": int(support[index]),
        }
        for index, label in enumerate(labels)
    }


def _reliability(confidence: Floats, right: NDArray[np.bool_], bins: int = 15) -> list[dict[str, Any]]:
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    return [
        {
            "confidence": round(float(confidence[bin_of == index].mean()), 6),
            "accuracy": round(float(right[bin_of == index].mean()), 6),
            "rows": int((bin_of == index).sum()),
        }
        for index in range(bins)
        if (bin_of == index).any()
    ]


def _coverage_curve(confidence: Floats, right: NDArray[np.bool_]) -> list[dict[str, Any]]:
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


def _by(parts: Sequence[str], truth: Ints, predicted: Ints, count: int) -> dict[str, dict[str, Any]]:
    of = np.asarray(parts, dtype=object)
    result = {}
    for part in sorted(set(parts)):
        rows = of == part
        result[part] = {
            "rows": int(rows.sum()),
            "accuracy": _number((truth[rows] == predicted[rows]).mean()),
            "macro_f1": _number(macro_f1(_confusion(truth[rows], predicted[rows], count))),
        }
    return result


def _length(text: str) -> str:
    words = len(text.split())
    return length_bucket(words)


def named(labels: Sequence[str]) -> str:
    """Some of the labels, for a sentence; per_label has them all."""
    shown = ", ".join(
        label if len(label) <= LONGEST_NAME else f"{label[: LONGEST_NAME - 1]}…" for label in labels[:NAMED_LABELS]
    )
    return shown if len(labels) <= NAMED_LABELS else f"{shown} and {len(labels) - NAMED_LABELS} more"


def missed_target(measured: dict[str, Any], rows: int, target: float) -> str | None:
    """A sentence where a model's answers above its threshold are right more rarely than asked for, and chance does not explain it."""
    if not measured["answered_share"]:
        return None
    answered = round(measured["answered_share"] * rows)
    right = round(measured["answered_precision"] * answered)
    if bdtr(right, answered, target) >= UNLIKELY:
        return None
    return (
        f"{right} of the {answered} rows that the candidate answers without review are right: fewer than the "
        f"{target:g} that was asked for, by more than chance explains"
    )


def disagreement(candidate: Sequence[str], champion: Sequence[str], holdout: set[str]) -> list[str]:
    """Sentences on labels that not everyone knows."""
    notes = []
    for name, labels in (("the candidate", candidate), ("the champion", champion)):
        unknown = sorted(holdout - set(labels))
        if labels and unknown:
            notes.append(f"{name} does not know {named(unknown)}: every such row of the holdout counts as wrong for it")
    if candidate and champion and set(candidate) != set(champion):
        new, gone = sorted(set(candidate) - set(champion)), sorted(set(champion) - set(candidate))
        if new:
            notes.append(f"labels that only the candidate knows: {named(new)}")
        if gone:
            notes.append(f"labels that only the champion knows: {named(gone)}")
    return notes
