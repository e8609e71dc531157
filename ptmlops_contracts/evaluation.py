"""evaluation.json, which Evaluate writes: candidate and champion on the same held-out rows.

docs/evaluation.schema.json has the ranges. A number that cannot be computed, as on an empty holdout, is null, and a null never
promotes. Intervals are 95%, by bootstrap over rows.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Optional, TypedDict

from ptmlops_contracts.drift import DriftProfile

# A document without `schema_version` is of version 1: it has no `comparison.lower_recall`, and the gate refuses it.
EVALUATION_VERSION = 2
# With fewer held-out rows, readers show the cross-fitted figures instead of the held-out ones.
MIN_HEADLINE_ROWS = 30
# Of evaluations of two equal models, at most this share names any label in `lower_recall`.
RECALL_ALPHA = 0.05
# The labels of a run contradict the champion if the share of rows with the champion's label is lower than expected by more than this.
MAX_DISAGREEMENT = 0.2
# If the champion's confidence is calibrated, at most this share of evaluations names a run with right labels.
CONTRADICTION_ALPHA = 0.01
# Buckets of `by_length`: (words, name); a text is in the first bucket that has more words than it.
LENGTH_BUCKETS = (
    (50, "under 50 words"),
    (150, "50 to 149 words"),
    (400, "150 to 399 words"),
    (math.inf, "400 words or more"),
)

Number = Optional[float]  # evaluated at import, which Python 3.9 cannot do with `|`
Interval = Optional["list[float]"]


class LabelMetrics(TypedDict):
    """A label's precision, recall and F1; `support` is its held-out rows."""

    precision: Number
    recall: Number
    f1: Number
    support: int


class Part(TypedDict):
    """Metrics of a part of the holdout: a language, a length bucket."""

    rows: int
    accuracy: Number
    macro_f1: Number


class Bin(TypedDict):
    """A bin of the reliability diagram: mean confidence, share right, rows."""

    confidence: Number
    accuracy: Number
    rows: int


class Coverage(TypedDict):
    """A point of the coverage curve: answering from `threshold` on covers a share of rows, at a precision."""

    coverage: Number
    precision: Number
    threshold: Number


class Figures(TypedDict):
    """How good answers are. `answered` are those that need no review."""

    accuracy: Number
    accuracy_interval: Interval
    macro_f1: Number
    macro_f1_interval: Interval
    expected_calibration_error: Number
    answered_share: Number
    answered_share_interval: Interval
    answered_precision: Number
    answered_precision_interval: Interval
    per_label: dict[str, LabelMetrics]


class CrossFitted(Figures):
    """The training rows, each answered by models that saw neither it nor a near-copy."""

    rows: int


class Archive(TypedDict):
    """The model.tar.gz that was measured: its SHA-256 and size, and the SHA-256 of its manifest. Digests have hexadecimal digits."""

    sha256: str
    bytes: int
    manifest_sha256: str


class Measured(Figures):
    """A model on the holdout, and where it comes from. Models of earlier versions have no `cross_fitted`."""

    expected_calibration_error_by_chance: Number
    log_loss: Number
    coverage_at_target_precision: Number
    threshold: float
    confusion: dict[str, dict[str, int]]
    reliability: list[Bin]
    coverage_curve: list[Coverage]
    by_language: dict[str, Part]
    by_length: dict[str, Part]
    training_rows: int | None
    data_fingerprint: str | None
    code_version: str | None
    settings: dict[str, Any] | None
    labels: list[
        str
    ]  # that the model knows; `per_label` also has those of the holdout. Absent in documents of 0.2.0 and earlier
    cross_fitted: CrossFitted | None
    archive: Archive  # Absent in documents of 0.2.0 and earlier
    profile: DriftProfile | None  # None with too few held-out rows. Absent in documents of 0.2.0 and earlier


class MeasuredChampion(Measured):
    """The champion on the holdout."""

    version: str


class UnreadChampion(TypedDict):
    """A champion that could not be read, and why."""

    version: str
    error: str


class RecallChange(TypedDict):
    """A label's recall, candidate minus champion; `lost` only the champion has right, `gained` only the candidate."""

    difference: float
    p_value: float
    lost: int
    gained: int


class LowerRecall(TypedDict):
    """The labels whose recall falls by more than `max_drop` and by more than chance explains, with their `RecallChange.p_value`."""

    max_drop: float
    labels: dict[str, float]


class ContradictingRun(TypedDict):
    """Held-out rows of a run whose labels the champion knows.

    `agreed` have the label that the champion gives them. `expected` is how many should, by its confidence.
    """

    rows: int
    agreed: int
    expected: float


class Comparison(TypedDict):
    """Candidate minus champion on the same rows."""

    macro_f1_difference: float
    interval: list[float]
    p_value: float
    rows_answered_differently: int
    recall: dict[str, RecallChange]
    lower_recall: LowerRecall
    contradicting_runs: dict[str, ContradictingRun]  # by run id. Absent in documents of 0.2.0 and earlier


class Holdout(TypedDict):
    """The test rows of all runs, without near-copies of training rows."""

    rows: int
    labels: dict[str, int]
    fingerprint: str


class Leakage(TypedDict):
    """Test rows that are near-copies of training rows: they are left out."""

    rows: int


class Evaluation(TypedDict):
    """evaluation.json."""

    schema_version: int
    run_id: str | None
    target_precision: float
    holdout: Holdout
    candidate: Measured
    champion: MeasuredChampion | UnreadChampion | None
    comparison: Comparison | None
    leakage: Leakage
    notes: list[str]


class HeldOutAnswer(TypedDict):
    """A line of answers.jsonl: the candidate's answer to a held-out row, which `complaint_id` and `text_digest` name."""

    complaint_id: str
    text_digest: str
    label: str
    answer: str
    confidence: float


class RefusedEvaluation(TypedDict):
    """evaluation.json if nothing was measured, because the code of trials, candidate and evaluation do not fit together."""

    schema_version: int
    run_id: str
    refused: str


def headline(measured: Mapping[str, Any], held_out_rows: int) -> tuple[Mapping[str, Any], bool]:
    """Return the `Figures` of a model to show first, and whether they are the cross-fitted ones.

    A handful of held-out rows says little about a model, and nothing about a label without any among them.

    Args:
        measured: the model's `Measured`.
        held_out_rows: `Holdout.rows`.
    """
    cross_fitted = measured.get("cross_fitted")
    return (cross_fitted, True) if cross_fitted and held_out_rows < MIN_HEADLINE_ROWS else (measured, False)


def text_digest(text: str) -> str:
    """Return what identifies a labelled row's text. As in training, a text is the same in capitals."""
    return hashlib.sha256(text.lower().encode("utf-8", "surrogatepass")).hexdigest()[:32]


def length_bucket(words: int) -> str:
    """Return the bucket of a text with so many words."""
    return next(name for limit, name in LENGTH_BUCKETS if words < limit)
