"""Texts that share too little with the training rows go to review, whatever their confidence, and others do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from complaint_model import features, scoring
from complaint_model.cross_fitting import CrossFit
from complaint_model.familiarity import familiarity_limits, is_familiar
from complaint_model.fit import fit
from complaint_model.hashing import PAIRS
from complaint_model.model import Model
from complaint_model.records import Rows
from complaint_model.settings import FeatureSettings, Settings
from complaint_model.vocabulary import learn_vocabulary

from tests.unit.training.conftest import make_complaints

# Other subjects, of the length of the training rows, in their languages and in another. A few words are in both.
STRANGE = [
    "El equipo ganó la final por dos goles y la afición celebró en la plaza hasta la madrugada con banderas y música del barrio",
    "Mezcle la harina con los huevos, añada leche tibia, deje reposar la masa una hora y hornee a fuego medio por treinta minutos",
    "The hikers followed the river through the canyon, camped under tall pines and woke up to fresh snow on every tent and boot",
    "Spread the compost around the tomatoes in spring, water early in the morning and remove the lower leaves when fruit appears",
    "Der Zug nach Hamburg fährt heute von einem anderen Gleis ab, bitte achten Sie auf die Anzeige und die Durchsagen im Bahnhof",
]


@pytest.fixture(scope="module")
def trained() -> tuple[Model, CrossFit]:
    texts, labels = make_complaints(275, seed=8)
    return fit(Rows(texts, labels, [str(index) for index in range(len(texts))]), Settings(target_precision=0.8))


def test_strange_texts_go_to_review_also_above_the_threshold(trained: tuple[Model, CrossFit]) -> None:
    model = replace(trained[0], threshold=0.34)
    scores = scoring.score(model, STRANGE)
    assert (scores.confidence > model.threshold).all()
    assert scores.familiar.tolist() == [False] * len(STRANGE)
    assert scores.needs_review.all()


def test_at_most_one_new_row_in_fifty_goes_to_review_for_it(trained: tuple[Model, CrossFit]) -> None:
    model, crossfit = trained
    scores = scoring.score(model, make_complaints(2000, seed=31)[0])
    assert np.mean(~scores.familiar & (scores.confidence >= model.threshold)) <= 0.02
    assert np.mean(crossfit.needs_review & (crossfit.confidence >= model.threshold)) <= 0.02


def test_a_short_text_of_known_words_is_familiar_even_if_all_training_rows_are_longer(trained: tuple[Model, CrossFit]) -> None:
    short = [
        "Buenas tardes. Clonaron la tarjeta y sacaron dinero. Gracias",
        "I was charged twice for the same fee, please help",
    ]
    assert scoring.score(trained[0], short).familiar.tolist() == [True, True]


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [FeatureSettings(1, 15, char_ngrams=False), FeatureSettings(20, 60, char_ngrams=True)])
def test_a_row_is_counted_as_if_training_had_not_seen_it(wanted: FeatureSettings) -> None:
    texts = make_complaints(60, seed=2)[0]
    found = learn_vocabulary(texts, wanted, min_rows=2, most=10**6).known_elsewhere
    for index in (0, 41):
        others = learn_vocabulary(texts[:index] + texts[index + 1 :], wanted, min_rows=2, most=10**6)
        _, bucket, count = features.count_features([texts[index]], max_skip=wanted.max_skip, lead_words=wanted.lead_words)
        known, word = np.isin(bucket, others.buckets), bucket < PAIRS
        times = np.where(word, 1, count)
        assert found[index].tolist() == [np.sum(known & word), times[known].sum(), times.sum()]


@pytest.mark.parametrize(
    ("why", "words", "share", "answered", "limits"),
    [
        ("equal quantiles of both", range(1, 1001), 0.7, True, (17, 0.7)),
        ("rows that go to review anyway do not count", range(1, 1001), 0.7, False, (51, 0.7)),
        ("of few rows, only what is below all of them is unfamiliar", range(5, 45), 0.7, True, (5, 0.7)),
        ("rows that are all alike do not make a stricter limit", [100] * 1000, 1.0, True, (25, 0.75)),
    ],
)
def test_limits_leave_few_answers_to_review(
    why: str, words: list[int], share: float, answered: bool, limits: tuple[int, float]
) -> None:
    counts = np.asarray([[known, round(1000 * share), 1000] for known in words])
    assert familiarity_limits(counts, np.full(len(counts), answered)) == limits, why
    unfamiliar = ~is_familiar(counts, *limits)
    assert unfamiliar.sum() <= (0.016 if answered else 0.05) * len(counts)
