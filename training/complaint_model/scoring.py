"""Score texts with a trained model: labels, calibrated probabilities, and the terms that added most to the label's logit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from complaint_model import compiled, features, numpy_scoring
from complaint_model.arrays import Bools, Floats, Ints, ScoreArrays
from complaint_model.explain import Term, terms_of
from complaint_model.familiarity import is_familiar, known_share
from complaint_model.model import Model

TOP_TERMS = 5
BATCH_CHARACTERS = 500_000  # a batch fits the processor's cache


@dataclass(frozen=True)
class Scores:
    """A model's answers on a batch of texts."""

    probabilities: Floats  # (texts, labels)
    label: Ints  # (texts,) index of the chosen label
    confidence: Floats  # (texts,) probability of the chosen label
    known_share: Floats  # (texts,) share of the text's features that training saw
    familiar: Bools  # (texts,) False if the text shares too little with the rows of training (familiarity.py)
    needs_review: Bools  # (texts,) whether a person should read the text


def score(model: Model, texts: Sequence[str]) -> Scores:
    """Return label and probabilities of each text. The result does not depend on the other texts of the batch."""
    return _score(model, texts, terms=0)[0]


def score_and_explain(model: Model, texts: Sequence[str]) -> tuple[Scores, list[list[Term]]]:
    """Return the scores, and for each text up to TOP_TERMS terms that add most to its label's logit, strongest first."""
    return _score(model, texts, terms=TOP_TERMS)


def _score(model: Model, texts: Sequence[str], *, terms: int) -> tuple[Scores, list[list[Term]]]:
    out = ScoreArrays(
        probabilities=np.empty((len(texts), len(model.labels))),
        label=np.empty(len(texts), dtype=np.int64),
        features=np.empty((len(texts), 3), dtype=np.int64),
        contributions=np.zeros((len(texts), terms)),
        spans=np.zeros((len(texts), terms, 5), dtype=np.int64),
    )
    for first, last in features.batches(texts, BATCH_CHARACTERS):
        part = ScoreArrays(
            probabilities=out.probabilities[first:last],
            label=out.label[first:last],
            features=out.features[first:last],
            contributions=out.contributions[first:last],
            spans=out.spans[first:last],
        )
        _fill(model, texts[first:last], part)
    confidence = out.probabilities[np.arange(len(texts)), out.label]
    familiar = is_familiar(out.features, model.min_known_words, model.min_known_share)
    needs_review = (confidence < model.threshold) | ~familiar
    shares = known_share(out.features)
    return Scores(out.probabilities, out.label, confidence, shares, familiar, needs_review), terms_of(texts, out)


def _fill(model: Model, texts: Sequence[str], out: ScoreArrays) -> None:
    kernels = compiled.kernels()
    if kernels:
        try:
            kernels.score(features.pack(texts), model.tables, out)
        except Exception as error:  # noqa: BLE001 - a compiler can fail in any way, and the model must still answer
            compiled.disable(error)
        else:
            return
    numpy_scoring.score(texts, model, out)
