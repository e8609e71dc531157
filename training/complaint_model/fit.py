"""Train the classifier: features, cross-fitting, calibration, and a final fit whose weights fold into one table.

One-vs-rest linear SVMs (squared hinge) on words and skip-bigrams and, for short texts, character n-grams. Cross-fitted scores train a
softmax over all labels' scores, and an offset per label. The steps from features to logits are linear, so scales, n-grams,
weights and the softmax's slopes multiply into one table of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from complaint_model import compiled, svm
from complaint_model.arrays import Floats
from complaint_model.calibration import fit_offsets, fit_softmax
from complaint_model.cross_fitting import CrossFit, FoldsSoFar, assign_folds, cross_fit_scores, evaluate_cross_fit
from complaint_model.familiarity import familiarity_limits, is_familiar
from complaint_model.model import Model
from complaint_model.provenance import code_version, fingerprint
from complaint_model.records import Rows
from complaint_model.settings import Settings, TrainingError, feature_settings
from complaint_model.vocabulary import WORD_BUCKETS, Vocabulary, learn_vocabulary

MAX_WEIGHTS = 100_000_000  # 400 MB; with very many labels, the rarest features are dropped to stay below


@contextmanager
def _one_blas_thread() -> Generator[None]:
    """Limit BLAS to one thread, because the rounding of a sum depends on the number of threads.

    One thread is also faster: the matrices are long and thin, and folds are fitted in parallel (Banking77: 26 s of processor
    time, not 60).
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415  scoring does not need it

    with threadpool_limits(limits=1, user_api="blas"):
        yield


@_one_blas_thread()
def fit(
    rows: Rows,
    settings: Settings,
    *,
    checkpoints: Path | None = None,
    progress: Callable[[int, float], None] = lambda _folds, _macro_f1: None,
    report: Callable[[CrossFit], None] = lambda _crossfit: None,
) -> tuple[Model, CrossFit]:
    """Train on `rows`. The same rows, settings and versions give the same model, bit for bit, on any number of cores.

    Args:
        rows: Labelled texts.
        settings: Hyperparameters.
        checkpoints: Keep the scores of finished folds in this folder, and use those of an interrupted job.
        progress: Called with (folds, macro-F1 so far) as folds finish.
        report: Called with the result of cross-fitting, before the final fit.

    Raises:
        TrainingError: There are fewer than two labels or no usable feature.
        NumbaError: numba does not work here.
    """
    names = sorted(set(rows.labels))
    if len(names) < 2:
        raise TrainingError(
            f"training needs rows of at least 2 labels and got {len(names)}, in {len(set(rows.texts))} different texts: "
            "upload labelled complaints of another label"
        )
    index_of = {name: index for index, name in enumerate(names)}
    labels = np.fromiter((index_of[label] for label in rows.labels), dtype=np.int64, count=len(rows.labels))
    wanted = feature_settings(rows.texts, settings.char_ngrams)
    most = max(1, MAX_WEIGHTS // len(names))
    vocabulary = learn_vocabulary(rows.texts, wanted, min_rows=settings.min_rows, most=most)
    matrix = vocabulary.matrix
    if matrix.shape[1] == 0:
        raise TrainingError("no word occurs in two rows: the texts are empty or all different; look at the prepared data")

    settings = replace(settings, folds=max(2, min(settings.folds, len(set(rows.groups)))))
    fold = assign_folds(labels, rows.groups, settings.folds, settings.seed)
    # A redrive after a deployment finds the checkpoints of the earlier code in the same folder.
    versions = (code_version(Path(__file__).parent), compiled.version(), np.__version__)
    key = fingerprint(rows, repr((sorted(asdict(settings).items()), versions)))[:16]
    so_far = FoldsSoFar(labels, fold, progress)
    scores = cross_fit_scores(matrix, labels, fold, settings, folder=checkpoints, key=key, after=so_far)
    crossfit = evaluate_cross_fit(scores, labels, fold, settings)
    limits = familiarity_limits(vocabulary.known_elsewhere, ~crossfit.needs_review)
    familiar = is_familiar(vocabulary.known_elsewhere, *limits)
    crossfit = replace(crossfit, needs_review=crossfit.needs_review | ~familiar)
    report(crossfit)

    slope, shift = fit_softmax(scores, labels)
    offsets = fit_offsets(softmax(scores @ slope + shift, axis=1), labels)
    weights, biases = svm.fit_svms(matrix, labels, len(names), settings)
    return Model(
        **_fold_weights(vocabulary, weights @ slope),
        labels=tuple(names),
        bias=biases @ slope + shift,
        offsets=offsets,
        max_skip=wanted.max_skip,
        lead_words=wanted.lead_words,
        threshold=crossfit.threshold,
        min_known_words=limits[0],
        min_known_share=limits[1],
    ), crossfit


def _fold_weights(vocabulary: Vocabulary, weights: Floats) -> dict[str, Any]:
    """Return a model's arrays: each weight times the feature's share and idf. A word's weights include its n-grams'.

    Args:
        vocabulary: the features.
        weights: (columns of the training matrix, labels).
    """
    # A constant added to the logits of all labels changes no probability. It is removed, so that a contribution is evidence
    # for one label.
    weights = (weights - weights.mean(axis=1, keepdims=True))[vocabulary.columns]
    count, char_ngrams = len(vocabulary.buckets), vocabulary.char_ngrams
    folded = weights[:count] * vocabulary.shares[:, None]
    if char_ngrams:
        words = np.flatnonzero(vocabulary.buckets < WORD_BUCKETS)
        folded[words] += char_ngrams.words[vocabulary.buckets[words]] @ weights[count:]
    char_idf = char_ngrams.idf if char_ngrams else np.zeros(0, dtype=np.float32)
    return {
        "buckets": vocabulary.buckets,
        "idf": vocabulary.idf,
        "weights": (folded * vocabulary.idf[:, None]).astype(np.float32),
        "new_word_idf": vocabulary.new_word_idf,
        "char_buckets": char_ngrams.buckets if char_ngrams else np.zeros(0, dtype=np.uint32),
        "char_idf": char_idf,
        "char_weights": (weights[count:] * char_idf[:, None]).astype(np.float32),
    }
