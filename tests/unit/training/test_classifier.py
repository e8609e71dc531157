"""Learning: quality against scikit-learn, calibration, cross-fitting that does not leak, thresholds, exact explanations."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from complaint_model import acceleration, classifier, scoring
from complaint_model.classifier import Rows, Settings, TrainingError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from tests.unit.training.conftest import ROOT, make_complaints

Complaints = tuple[list[str], list[str]]


def rows_of(complaints: Complaints) -> Rows:
    texts, labels = complaints
    return Rows(texts=texts, labels=labels, groups=[str(index) for index in range(len(texts))])


@pytest.fixture(scope="module")
def trained(complaints: Complaints) -> tuple[classifier.Model, classifier.CrossFit]:
    return classifier.fit(rows_of(complaints), Settings())


def test_is_as_good_as_scikit_learn_on_complaints_it_never_saw(
    complaints: Complaints, trained: tuple[classifier.Model, classifier.CrossFit]
) -> None:
    texts, labels = make_complaints(600, seed=99)
    model, _ = trained
    found = [model.labels[index] for index in scoring.score(model, texts).label]
    reference = (
        make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LinearSVC()).fit(*complaints).predict(texts)
    )
    ours, theirs = (f1_score(labels, answers, average="macro") for answers in (found, reference))
    assert ours > 0.88  # one label in ten is noise, of which a third is right by chance
    assert ours >= theirs - 0.01


def test_probabilities_are_calibrated_where_labels_are_noisy(trained: tuple[classifier.Model, classifier.CrossFit]) -> None:
    texts, labels = make_complaints(2000, seed=5)
    model, crossfit = trained
    scores = scoring.score(model, texts)
    right = np.asarray([model.labels[index] for index in scores.label]) == np.asarray(labels)
    assert np.allclose(scores.probabilities.sum(1), 1)
    assert classifier.calibration_error(scores.confidence, right) < 0.05
    assert crossfit.accuracy == pytest.approx(right.mean(), abs=0.04)


def test_cross_fitting_does_not_profit_from_copies() -> None:
    """Labels drawn at random cannot be learned; copies of a row on both sides would make it look as if they could."""
    texts, _ = make_complaints(150, seed=3)
    random = np.random.default_rng(0)
    labels = random.choice(["a", "b"], size=len(texts)).tolist()
    groups = [str(index) for index in range(len(texts))]
    _, honest = classifier.fit(Rows(texts * 4, labels * 4, groups * 4), Settings())
    _, leaking = classifier.fit(Rows(texts * 4, labels * 4, [str(index) for index in range(4 * len(texts))]), Settings())
    assert honest.accuracy < 0.65
    assert leaking.accuracy > 0.8


def test_folds_keep_groups_whole_and_labels_spread() -> None:
    labels = np.asarray([0] * 90 + [1] * 10)
    groups = [str(index // 2) for index in range(100)]
    fold = classifier.folds_of(labels, groups, 5, seed=1)
    assert all(len({fold[index] for index, group in enumerate(groups) if group == name}) == 1 for name in set(groups))
    assert set(fold[labels == 1].tolist()) == {0, 1, 2, 3, 4}
    assert np.bincount(fold).max() <= 24


def test_contributions_sum_to_the_logit(trained: tuple[classifier.Model, classifier.CrossFit]) -> None:
    model, _ = trained
    text = "Me cobraron dos veces, dos veces! <EMAIL> 漢字 unknownword"
    _check_sum(model, text)
    none = {"run_buckets": model.run_buckets[:0], "run_rarity": model.run_rarity[:0], "run_weights": model.run_weights[:0]}
    _check_sum(replace(model, opening=4, **none), text)


def test_a_word_that_training_did_not_see_speaks_by_its_spelling(
    trained: tuple[classifier.Model, classifier.CrossFit],
) -> None:
    model, _ = trained
    fraud = model.labels.index("fraud")
    spelled = {term.term: term.contribution for term in scoring.explain(model, "clonarontes zzzz", fraud)[0]}
    assert spelled["clonarontes"] > 0.1
    assert spelled["zzzz"] == 0
    scores, terms = scoring.score_and_explain(model, ["clonarontes", "zzzz"])
    assert scores.probabilities[0, fraud] > scores.probabilities[1, fraud] + 0.02
    assert terms[1] == []
    assert scores.recognised.tolist() == [False, False]  # a person should look: no word of them was ever seen


def _check_sum(model: classifier.Model, text: str) -> None:
    log_probabilities = np.log(scoring.score(model, [text]).probabilities[0])
    logits = []
    for label in range(len(model.labels)):
        terms, bias = scoring.explain(model, text, label)
        logits.append(sum(term.contribution for term in terms) + bias)
    differences = np.asarray(logits) - log_probabilities
    assert np.ptp(differences) < 1e-4  # the same up to the constant that softmax takes away


def test_top_terms_name_the_cause(trained: tuple[classifier.Model, classifier.CrossFit]) -> None:
    model, _ = trained
    scores, terms = scoring.score_and_explain(model, ["Buenas tardes. Ayer CLONARON la tarjeta. Gracias", ""])
    assert model.labels[scores.label[0]] == "fraud"
    assert any("clonaron" in term.term for term in terms[0])
    assert len(terms[0]) <= 5
    assert terms[1] == []
    assert scores.recognised.tolist() == [True, False]


def test_a_text_is_scored_the_same_alone_and_in_any_batch(trained: tuple[classifier.Model, classifier.CrossFit]) -> None:
    model, _ = trained
    texts, _ = make_complaints(40, seed=8)
    together = scoring.score(model, texts).probabilities
    alone = np.concatenate([scoring.score(model, [text]).probabilities for text in texts])
    assert np.array_equal(together, alone)


def test_labels_do_not_move_with_accents_case_spaces_redactions_and_amounts(
    trained: tuple[classifier.Model, classifier.CrossFit],
) -> None:
    model, _ = trained
    texts, _ = make_complaints(300, seed=21)
    before = scoring.score(model, texts).label
    plain = str.maketrans("áéíóúÁÉÍÓÚñ", "aeiouAEIOUn")
    changes = {
        "accents": [text.translate(plain) for text in texts],
        "case": [text.upper() for text in texts],
        "spaces": [text.replace(" ", "  ") for text in texts],
        "redactions": [text.replace("<CITY>", "XXXX").replace("<DATE>", "XX/XX/XXXX") for text in texts],
        "amounts": [text.replace("45.000", "1.234.567,89") for text in texts],
    }
    for name, changed in changes.items():
        assert (scoring.score(model, changed).label != before).mean() < 0.01, name


def test_no_name_or_place_speaks_for_a_label(trained: tuple[classifier.Model, classifier.CrossFit]) -> None:
    model, _ = trained
    texts, _ = make_complaints(300, seed=22)
    before = scoring.score(model, texts).label
    swapped = [text.replace("Bogotá", "Texas").replace("Ana", "John").replace("Medellín", "Marta") for text in texts]
    assert (scoring.score(model, swapped).label != before).mean() < 0.01


def test_coverage_is_the_largest_share_of_the_surest_rows_that_keeps_the_precision() -> None:
    confidence = np.asarray([0.9, 0.8, 0.7, 0.6])
    right = np.asarray([True, True, False, True])
    assert classifier.coverage_for(confidence, right, 0.95) == 0.5
    assert classifier.coverage_for(confidence, right, 0.7) == 1.0
    assert classifier.coverage_for(confidence, ~right, 0.95) == 0.0
    # Equal confidences cannot be separated by a threshold.
    assert classifier.coverage_for(np.asarray([0.9, 0.9]), np.asarray([True, False]), 0.95) == 0.0


def test_the_threshold_keeps_the_target_precision_where_it_can_be_kept() -> None:
    """Of rows that are right as often as their confidence says, those above the threshold are right often enough; nearly all that can be."""
    random = np.random.default_rng(2)
    reached = []
    for _ in range(40):
        confidence = random.uniform(0.5, 1, 2000)
        threshold = classifier.threshold_for(confidence, random.random(2000) < confidence, 0.9)
        reached.append((1 + threshold) / 2)  # the precision of endless fresh rows above it
    assert np.mean(np.asarray(reached) >= 0.9) >= 0.7
    assert np.mean(reached) < 0.92


def test_a_target_that_cannot_be_kept_gives_no_threshold_however_often_it_is_tried() -> None:
    """Right in 83% of cases whatever the confidence: the luckiest of many thresholds looks better, and is not."""
    random = np.random.default_rng(3)
    found = [
        classifier.threshold_for(random.random(rows), random.random(rows) < 0.83, 0.95) for rows in [250] * 50 + [2000] * 50
    ]
    assert np.mean(np.asarray(found) == 1.0) >= 0.95
    assert classifier.threshold_for(np.linspace(0.5, 1, 29), np.ones(29, dtype=bool), 0.6) == 1.0  # too few to tell
    assert classifier.threshold_for(np.linspace(0.5, 1, 30), np.ones(30, dtype=bool), 0.6) == 0.5
    assert classifier.threshold_for(np.zeros(0), np.zeros(0, dtype=bool), 0.6) == 1.0


def test_the_bound_is_wilson_s() -> None:
    from scipy.stats import binomtest

    for right, rows in ((30, 30), (90, 100), (83, 250), (0, 40)):
        expected = binomtest(right, rows, alternative="greater").proportion_ci(0.8, method="wilson").low
        found = classifier._lower_bound(np.asarray([right / rows]), np.asarray([float(rows)]))
        assert found[0] == pytest.approx(expected, abs=1e-12)


def test_offsets_raise_macro_f1_of_a_rare_label() -> None:
    random = np.random.default_rng(4)
    labels = (random.random(2000) < 0.06).astype(np.int64)
    evidence = random.normal(labels * 1.6, 1.0)
    logit = evidence * 1.6 - 1.28 + np.log(0.06 / 0.94)
    probability = 1 / (1 + np.exp(-logit))
    probabilities = np.stack([1 - probability, probability], axis=1)
    offsets = classifier.fit_offsets(probabilities, labels)

    def quality(chosen: np.ndarray) -> float:
        return float(f1_score(labels, chosen, average="macro"))

    assert quality(classifier.choose(probabilities, offsets)) > quality(probabilities.argmax(1)) + 0.02


@pytest.mark.parametrize("count", [2, 3, 40])
def test_a_rows_rivals_are_known_without_looking_at_all_labels_again(count: int) -> None:
    random = np.random.default_rng(count)
    scores = random.normal(size=(300, count)).round(1)  # so that many are equal: the first of them counts
    offsets = np.zeros(count)
    best = classifier._BestTwo(scores)
    for _ in range(3 * count):
        label = int(random.integers(count))
        shifted = scores + offsets
        shifted[:, label] = -np.inf
        rival, value = best.without(label)
        assert (rival == shifted.argmax(1)).all()
        assert (value == shifted.max(1)).all()
        offsets[label] = random.integers(-15, 16) / 10
        best.shift(label, offsets)


@pytest.mark.parametrize(
    ("texts", "labels", "reason"),
    [
        ([], [], "2 labels"),
        (["a b", "a b"], ["x", "x"], "2 labels"),
        (["uno", "dos"], ["x", "y"], "no word occurs in two rows"),
    ],
)
def test_what_cannot_be_learned_is_said(texts: list[str], labels: list[str], reason: str) -> None:
    with pytest.raises(TrainingError, match=reason):
        classifier.fit(Rows(texts, labels, [str(index) for index in range(len(texts))]), Settings())


def test_an_interrupted_training_resumes_and_gives_the_same_model(
    complaints: Complaints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of((complaints[0][:200], complaints[1][:200]))
    whole, _ = classifier.fit(rows, Settings())
    fits = []
    real = classifier.fit_machines

    def interrupted(*arguments: object) -> object:
        fits.append(1)
        if len(fits) == 3:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(classifier, "fit_machines", interrupted)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(rows, Settings(), checkpoints=tmp_path)
    resumed, _ = classifier.fit(rows, Settings(), checkpoints=tmp_path)
    assert len(fits) == 3 + 4  # two folds were kept: three remain, and the final fit
    assert np.array_equal(resumed.weights, whole.weights)
    assert resumed.threshold == whole.threshold


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2] ^= 0x40
    path.write_bytes(data)


def _resign(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    content = change(np.frombuffer(path.read_bytes()[32:])).tobytes()
    path.write_bytes(hashlib.sha256(content).digest() + content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:500]),
        lambda path: path.write_bytes(b"garbage" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:32] + bytes(path.stat().st_size - 32)),
        _flip,
        lambda path: _resign(path, lambda scores: scores * np.nan),
        lambda path: _resign(path, lambda scores: scores.astype(np.float32)),
    ],
)
def test_a_damaged_checkpoint_is_computed_again(
    kept: tuple[Path, classifier.Model, Rows], tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    folder, whole, rows = kept
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    damage(min(tmp_path.iterdir()))
    caplog.set_level("INFO")
    resumed, _ = classifier.fit(rows, Settings(), checkpoints=tmp_path)
    assert caplog.text.count("taken from the checkpoint") == 4
    assert caplog.text.count("is damaged and not taken") == 1
    assert np.array_equal(resumed.weights, whole.weights)
    assert np.array_equal(resumed.bias, whole.bias)
    assert _digests(tmp_path) == _digests(folder)  # and kept as it should be


def test_a_checkpoint_of_other_code_or_another_solver_is_not_taken(
    kept: tuple[Path, classifier.Model, Rows],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(kept[0], tmp_path, dirs_exist_ok=True)
    caplog.set_level("INFO")
    monkeypatch.setattr(acceleration, "numba_version", lambda: None)
    classifier.fit(kept[2], Settings(), checkpoints=tmp_path)
    monkeypatch.setattr(classifier, "code_version", lambda _: "other")
    classifier.fit(kept[2], Settings(), checkpoints=tmp_path)
    assert "taken from the checkpoint" not in caplog.text
    assert len(list(tmp_path.iterdir())) == 15


@pytest.fixture(scope="module")
def kept(complaints: Complaints, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, classifier.Model, Rows]:
    """(checkpoints of a finished training, its model, its rows)."""
    folder = tmp_path_factory.mktemp("checkpoints")
    rows = rows_of((complaints[0][:200], complaints[1][:200]))
    return folder, classifier.fit(rows, Settings(), checkpoints=folder)[0], rows


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


CORES = """
import hashlib, sys
import numpy as np
from complaint_model import acceleration, classifier
acceleration.call = lambda *_: None  # the solver without numba asks BLAS too
random = np.random.default_rng(1)
labels = random.integers(0, 20, 1500)
words = [f"w{label}x{word}" for label in range(20) for word in range(6)]
texts = [" ".join(random.choice(words[6 * label : 6 * label + 6] if random.random() < 0.7 else words, 8)) for label in labels]
rows = classifier.Rows(texts, [f"l{label:02d}" for label in labels], [str(row) for row in range(len(texts))])
model, found = classifier.fit(rows, classifier.Settings(characters="off", folds=2))
parts = model.weights, model.bias, model.offsets, found.probabilities, model.threshold
print(hashlib.sha256(b"".join(np.asarray(part).tobytes() for part in parts)).hexdigest())
"""


@pytest.mark.slow
def test_any_number_of_cores_gives_the_same_bytes() -> None:
    def trained_on(cores: str) -> str:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": cores, "PYTHONPATH": str(ROOT / "training")}
        command = [sys.executable, "-c", CORES]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert trained_on("1") == trained_on("2")


HOSTILE = [
    "",
    "…",
    "\ud800 solo",
    "漢字 한국어 карта",
    "XX/XX/2019 <EMAIL> $1.234,50",
    "a\u200bb 🙂 ab\u2028cd\x00ef",
    "x" * 70_000,
]


@pytest.mark.parametrize("opening", [classifier.SHORT_TEXT_WORDS, 7])
@pytest.mark.parametrize("characters", ["on", "off"])
def test_without_numba_answers_and_their_reasons_are_the_same(
    complaints: Complaints, monkeypatch: pytest.MonkeyPatch, characters: str, opening: int
) -> None:
    if opening == 7:  # as texts are read that are longer than these
        monkeypatch.setattr(classifier, "wants_of", lambda _, setting: (1, opening, setting == "on"))
    model, _ = classifier.fit(rows_of(complaints), Settings(characters=characters))
    assert model.opening == opening
    texts = make_complaints(300, seed=77)[0] + HOSTILE
    fast, reasons = scoring.score_and_explain(model, texts)
    monkeypatch.setattr(acceleration, "call", lambda *_: None)
    slow, slow_reasons = scoring.score_and_explain(model, texts)
    assert np.array_equal(fast.label, slow.label)
    assert np.array_equal(fast.recognised, slow.recognised)
    assert np.abs(fast.probabilities - slow.probabilities).max() < 1e-12
    assert reasons == slow_reasons


def test_without_numba_the_machines_learn_the_same_to_the_solver_s_tolerance(
    complaints: Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, _ = make_complaints(400, seed=13)
    fast, _ = classifier.fit(rows_of(complaints), Settings())
    monkeypatch.setattr(acceleration, "call", lambda *_: None)
    slow, _ = classifier.fit(rows_of(complaints), Settings())
    assert np.array_equal(fast.buckets, slow.buckets)
    same = scoring.score(fast, texts).label == scoring.score(slow, texts).label
    assert same.mean() > 0.97


def test_without_numba_features_are_scaled_by_the_same_ratios(complaints: Complaints) -> None:
    texts, labels = complaints
    matrix = classifier.learn_vocabulary(texts, reach=1, opening=0, characters=False, min_rows=2, most=10**6).matrix
    names = sorted(set(labels))
    truth = np.asarray([names.index(label) for label in labels])
    shape = (matrix.shape[1], len(names))
    squares = np.zeros(shape, np.float32)
    assert acceleration.call("bayes_scales", matrix.indptr.astype(np.int64), matrix.indices, truth, 0.5, squares)
    seen = np.bincount(matrix.indices, minlength=shape[0]).astype(np.float64)
    for label in range(len(names)):
        scale = classifier.bayes_scale(matrix, truth == label, seen, 0.5)
        assert np.abs(scale**2 - squares[:, label]).max() < 1e-5


def test_the_compiled_solver_minimises_what_scikit_learn_minimises(complaints: Complaints) -> None:
    """Both leave the same objective: 0.5 |w|^2 + sum of costs * squared hinge, bias among the weights."""
    texts, labels = complaints
    vocabulary = classifier.learn_vocabulary(texts, reach=1, opening=0, characters=False, min_rows=2, most=10**6)
    names = sorted(set(labels))
    truth = np.asarray([names.index(label) for label in labels])
    settings = Settings(bayes_power=0.0)
    weights, biases = classifier.fit_machines(vocabulary.matrix, truth, len(names), settings)
    frequency = np.bincount(truth)
    costs = frequency[truth] ** -settings.weight_power
    costs *= settings.cost * len(truth) / costs.sum()
    for label in range(len(names)):
        reference = LinearSVC(C=1.0, tol=1e-6, max_iter=10_000).fit(vocabulary.matrix, truth == label, sample_weight=costs)
        sign = np.where(truth == label, 1.0, -1.0)

        def objective(w: np.ndarray, b: float, sign: np.ndarray = sign) -> float:
            slack = np.maximum(0, 1 - sign * (vocabulary.matrix @ w + b))
            return float(0.5 * (w @ w + b * b) + (costs * slack**2).sum())

        best = objective(reference.coef_[0], float(reference.intercept_[0]))
        assert objective(weights[:, label].astype(float), float(biases[label])) == pytest.approx(best, rel=0.01)


def test_where_the_compiler_fails_the_model_answers_all_the_same(
    trained: tuple[classifier.Model, classifier.CrossFit], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, _ = trained
    texts, _ = make_complaints(20, seed=4)
    expected = scoring.score(model, texts)

    def broken(*_: object) -> None:
        raise RuntimeError("LLVM ERROR")

    monkeypatch.setattr(acceleration, "_failed", [])
    monkeypatch.setattr(acceleration, "_kernels", lambda: SimpleNamespace(score=broken, count_features=broken, spell=broken))
    found = scoring.score(model, texts)
    assert np.array_equal(found.label, expected.label)
    assert [record.levelname for record in caplog.records] == ["WARNING"]  # once, not for every batch


def test_short_texts_are_read_with_far_pairs_and_characters_and_long_ones_are_not() -> None:
    assert classifier.wants_of(["mi tarjeta no llegó"] * 3, "auto") == (
        classifier.SHORT_TEXT_REACH,
        classifier.SHORT_TEXT_WORDS,
        True,
    )
    assert classifier.wants_of(["palabra " * 200] * 3, "auto") == (classifier.LONG_TEXT_REACH, classifier.OPENING_WORDS, False)
    assert classifier.wants_of(["palabra " * 200] * 3, "on") == (classifier.LONG_TEXT_REACH, classifier.OPENING_WORDS, True)


def test_folds_are_told_in_order_with_what_is_known_so_far_and_no_model_depends_on_it(complaints: Complaints) -> None:
    rows, heard, whole = rows_of(complaints), [], []
    listened, crossfit = classifier.fit(rows, Settings(), progress=lambda *said: heard.append(said), report=whole.append)
    silent, _ = classifier.fit(rows, Settings())
    assert [folds for folds, _ in heard] == [2, 3, 4]
    assert whole == [crossfit]
    assert all(abs(so_far - crossfit.macro_f1) < 0.1 for _, so_far in heard)
    assert np.array_equal(listened.weights, silent.weights)


def test_what_is_known_of_two_folds_is_the_second_by_the_calibration_of_the_first() -> None:
    fold = np.asarray([0] * 40 + [1] * 40 + [2] * 40)
    labels = np.arange(120) % 2
    scores = np.stack([1.0 - labels, labels - 0.0], axis=1)
    scores[40:60] = scores[40:60, ::-1]  # half of the second fold is told the wrong way round
    scores[80:] = np.nan  # not there yet
    heard: list[tuple[int, float]] = []
    progress = classifier.FoldsSoFar(labels, fold, lambda *said: heard.append(said))
    for held in range(3):
        progress(held, scores)
    assert heard == [(2, pytest.approx(0.5))]


def test_labels_of_copies_alone_are_not_turned_round() -> None:
    """Of each label a machine that did not see it says the contrary: calibration must not learn that."""
    from complaint_model import scoring
    from complaint_model.classifier import Rows, Settings, fit, folds_of

    texts = [f"me cobraron dos veces la cuota {number}" for number in range(30)] + [
        f"la app no abre {number}" for number in range(30)
    ]
    labels = ["cobros"] * 30 + ["app"] * 30
    model, found = fit(Rows(texts, labels, labels), Settings())
    scores = scoring.score(model, texts)
    assert [model.labels[label] for label in scores.label] == labels
    assert found.macro_f1 == 1.0
    fold = folds_of(np.repeat([0, 1, 2], 20), ["a"] * 20 + ["b"] * 20 + [str(number) for number in range(20)], 5, 1)
    assert [len(set(fold[start : start + 20])) for start in (0, 20, 40)] == [5, 5, 5]


def test_scores_that_say_the_contrary_of_the_labels_give_what_is_common() -> None:
    from complaint_model.classifier import fit_softmax

    labels = np.repeat([0, 1], [300, 100])
    slopes, shift = fit_softmax(np.where(np.arange(2) == labels[:, None], -1.0, 1.0), labels)
    assert not slopes.any()
    assert np.exp(shift) / np.exp(shift).sum() == pytest.approx([0.75, 0.25], abs=0.01)
