"""What Evaluate measures: against scikit-learn and SciPy, against simulations whose answer is known, and at the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.unit.training.conftest import ROOT  # noqa: F401 - puts training/ on the path


def answers_of(predicted: Any, confidence: Any = None, of_truth: Any = None) -> Any:
    from complaint_model.evaluation import Answers

    predicted = np.asarray(predicted, dtype=np.int64)
    sure = np.full(len(predicted), 0.9) if confidence is None else np.asarray(confidence, dtype=float)
    return Answers(predicted, sure, sure < 0.5, sure, sure if of_truth is None else np.asarray(of_truth, dtype=float))


def rows_of(truth: Any, names: list[str], *, text: str = "uno dos") -> list[Any]:
    from complaint_model.records import Labelled

    return [Labelled(str(place), text, names[label], str(place), "es") for place, label in enumerate(truth)]


def measure(found: Any, truth: Any, names: list[str], **more: Any) -> dict[str, Any]:
    from complaint_model import evaluation

    truth = np.asarray(truth, dtype=np.int64)
    chosen = {"target_precision": 0.9, "threshold": 0.5, "seed": 1, **more}
    rows = chosen.pop("rows", None) or rows_of(truth, names)
    return evaluation.metrics(found, truth, rows, names, **chosen)


def compare(candidate: Any, champion: Any, truth: Any, labels: int, seed: int = 1) -> Any:
    from complaint_model.comparison import compare_answers

    names = [f"label {number}" for number in range(labels)]
    return compare_answers(
        candidate.predicted, champion.predicted, np.asarray(truth, dtype=np.int64), names, max_recall_drop=0.1, seed=seed
    )


@pytest.mark.parametrize("labels", [2, 9, 77])
def test_the_numbers_are_those_of_scikit_learn(labels: int) -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

    random = np.random.default_rng(labels)
    truth = random.integers(0, labels, 900)
    predicted = np.where(random.random(900) < 0.7, truth, random.integers(0, labels, 900))
    names = [f"label {number:02d}" for number in range(labels)]

    found = measure(answers_of(predicted), truth, names)

    assert found["accuracy"] == pytest.approx(accuracy_score(truth, predicted), abs=1e-6)
    expected = f1_score(truth, predicted, average="macro", labels=np.unique(truth), zero_division=0)
    assert found["macro_f1"] == pytest.approx(expected, abs=1e-6)
    low, high = found["macro_f1_interval"]
    assert low < found["macro_f1"] < high
    counts = [[found["confusion"].get(true, {}).get(given, 0) for given in names] for true in names]
    assert counts == confusion_matrix(truth, predicted, labels=range(labels)).tolist()
    assert all(rows for answers in found["confusion"].values() for rows in answers.values())
    columns = precision_recall_fscore_support(truth, predicted, labels=range(labels), zero_division=0)
    for label, name in enumerate(names):
        numbers = found["per_label"][name]
        assert numbers["support"] == columns[3][label]
        if numbers["support"]:
            assert [numbers["recall"], numbers["f1"]] == pytest.approx([columns[1][label], columns[2][label]], abs=1e-6)
        if numbers["precision"] is not None:
            assert numbers["precision"] == pytest.approx(columns[0][label], abs=1e-6)


def test_coverage_is_the_most_that_keeps_the_precision() -> None:
    # By confidence: right, right, wrong, right, right, right, right, right, right, right: 9 of 10 right at the end.
    right = np.array([1, 1, 0, 1, 1, 1, 1, 1, 1, 1], dtype=bool)
    found = measure(answers_of(np.where(right, 0, 1), np.linspace(0.99, 0.6, 10)), np.zeros(10), ["a", "b"])
    assert found["coverage_at_target_precision"] == 1.0
    stricter = measure(
        answers_of(np.where(right, 0, 1), np.linspace(0.99, 0.6, 10)), np.zeros(10), ["a", "b"], target_precision=0.95
    )
    assert stricter["coverage_at_target_precision"] == 0.2
    assert [point["precision"] for point in found["coverage_curve"]][:3] == [1.0, 1.0, pytest.approx(2 / 3, abs=1e-6)]
    assert found["answered_share"] == 1.0
    assert found["answered_precision"] == 0.9


@pytest.mark.slow
def test_the_calibration_error_of_a_calibrated_model_is_what_chance_gives() -> None:
    """On few rows the measured error is large though every confidence is exactly right."""
    random = np.random.default_rng(0)
    over = 0
    for _ in range(60):
        confidence = random.uniform(0.3, 1, 120)
        right = random.random(120) < confidence
        found = measure(answers_of(np.where(right, 0, 1), confidence), np.zeros(120), ["a", "b"])
        over += found["expected_calibration_error"] > found["expected_calibration_error_by_chance"]
        assert found["expected_calibration_error_by_chance"] > 0.05
    assert over <= 9  # 3 expected
    wrong = measure(answers_of(np.ones(2000), np.full(2000, 0.9)), np.zeros(2000), ["a", "b"])
    assert wrong["expected_calibration_error"] == pytest.approx(0.9)
    assert wrong["expected_calibration_error_by_chance"] < 0.02


@pytest.mark.slow
def test_two_equal_models_differ_by_chance_alone_and_a_worse_one_is_found_out() -> None:
    """Over many holdouts: 95% intervals miss the truth in about 5% of cases, and p-values are as often small."""
    random = np.random.default_rng(1)
    missed = small = found_out = 0
    for trial in range(100):
        truth = random.integers(0, 4, 400)

        def answers(share: float, truth: Any = truth) -> Any:
            wrong = (truth + random.integers(1, 4, len(truth))) % 4
            return answers_of(np.where(random.random(len(truth)) < share, truth, wrong))

        equal = compare(answers(0.8), answers(0.8), truth, 4, seed=trial)
        missed += not equal["interval"][0] <= 0 <= equal["interval"][1]
        small += equal["p_value"] < 0.05
        found_out += compare(answers(0.7), answers(0.8), truth, 4, seed=trial)["interval"][1] < 0
    assert missed <= 12
    assert small <= 12
    assert found_out >= 85


def test_the_same_answers_are_no_difference() -> None:
    truth = np.array([0, 1, 2] * 20)
    same = compare(answers_of(truth), answers_of(truth), truth, 3)
    assert same["macro_f1_difference"] == 0
    assert same["interval"] == [0, 0]
    assert same["p_value"] == 1
    assert same["rows_answered_differently"] == 0


def test_a_change_of_recall_is_reported_with_its_p_value() -> None:

    truth = np.zeros(50, dtype=int)
    champion = np.where(np.arange(50) < 40, 0, 1)  # 40 right
    candidate = np.where((np.arange(50) >= 12) & (np.arange(50) < 45), 0, 1)  # loses 12, gains 5
    change = compare(answers_of(candidate), answers_of(champion), truth, 2)["recall"]
    assert set(change) == {"label 0"}  # label 1 has no row
    assert change["label 0"]["difference"] == pytest.approx(-7 / 50)
    assert (change["label 0"]["lost"], change["label 0"]["gained"]) == (12, 5)
    expected = binomtest(12, 17, 0.5, alternative="greater").pvalue
    assert change["label 0"]["p_value"] == pytest.approx(expected, abs=1e-6)


def test_a_label_that_only_one_model_knows_speaks_for_or_against_it() -> None:
    truth = np.array([0] * 40 + [1] * 40 + [2] * 20)
    knows, ignorant = answers_of(truth), answers_of(np.where(truth == 2, 0, truth))
    better = compare(knows, ignorant, truth, 3)
    assert better["interval"][0] > 0
    assert better["recall"]["label 2"]["difference"] == 1
    worse = compare(ignorant, knows, truth, 3)
    assert worse["recall"]["label 2"]["p_value"] < 1e-5
    assert worse["lower_recall"] == {"max_drop": 0.1, "labels": {"label 2": worse["recall"]["label 2"]["p_value"]}}
    assert better["lower_recall"]["labels"] == {}


def test_a_holdout_of_one_label_or_one_row_has_its_numbers() -> None:
    one = measure(answers_of([0, 0, 1, 0]), [0, 0, 0, 0], ["a", "b"])
    assert one["macro_f1"] == pytest.approx(6 / 7, abs=1e-6)
    assert one["per_label"]["b"] == {"precision": 0.0, "recall": None, "f1": None, "support": 0}
    single = measure(answers_of([0]), [0], ["a", "b"])
    assert single["accuracy"] == 1.0
    assert single["macro_f1_interval"] == single["accuracy_interval"] == [0.206549, 1.0]


@pytest.mark.parametrize("right", [0, 1, 4, 5])
def test_the_interval_of_a_few_rows_is_wide_also_if_all_answers_are_right_or_wrong(right: int) -> None:
    found = measure(answers_of([0] * right + [1] * (5 - right)), [0] * 5, ["a", "b"])
    expected = binomtest(right, 5).proportion_ci(method="wilson")
    assert found["accuracy_interval"] == pytest.approx([expected.low, expected.high], abs=1e-5)
    if right in (0, 5):
        assert found["macro_f1_interval"] == found["accuracy_interval"]
    compared_low, compared_high = found["macro_f1_interval"]
    assert compared_high - compared_low > 0.4


def test_one_row_of_two_models_has_a_comparison() -> None:
    compared = compare(answers_of([0]), answers_of([1]), [0], 2)
    assert compared["macro_f1_difference"] == 1
    assert compared["recall"]["label 0"] == {"difference": 1.0, "p_value": 1.0, "lost": 0, "gained": 1}


def test_without_rows_every_number_is_null() -> None:
    nothing = measure(answers_of([]), [], ["a", "b"])
    for name in ("accuracy", "accuracy_interval", "macro_f1", "macro_f1_interval", "log_loss", "answered_share",
                 "expected_calibration_error", "expected_calibration_error_by_chance", "coverage_at_target_precision"):  # fmt: skip
        assert nothing[name] is None, name
    assert nothing["coverage_curve"] == nothing["reliability"] == []
    assert compare(answers_of([]), answers_of([]), [], 2) is None


def test_rows_are_counted_by_language_and_by_length() -> None:
    from complaint_model.records import Labelled

    lengths = (10, 49, 50, 149, 150, 399, 400, 2000)
    rows = [
        Labelled(str(words), "no " * words, "a", str(words), "es" if words < 100 else "en" if words < 400 else "")
        for words in lengths
    ]
    found = measure(answers_of([0] * 7 + [1]), [0] * 8, ["a", "b"], rows=rows)
    assert {name: part["rows"] for name, part in found["by_length"].items()} == {
        "under 50 words": 2,
        "50 to 149 words": 2,
        "150 to 399 words": 2,
        "400 words or more": 2,
    }
    assert found["by_length"]["400 words or more"]["accuracy"] == 0.5
    assert {name: part["rows"] for name, part in found["by_language"].items()} == {"es": 3, "en": 3, "unknown": 2}


@pytest.mark.parametrize(
    ("share", "precision", "target", "told"),
    [
        (0.5, 0.94, 0.95, False),  # 94 of 100: chance explains it
        (0.5, 0.8, 0.95, True),
        (0.5, 0.99, 0.95, False),
        (0.0, None, 0.95, False),
        (None, None, 0.95, False),
    ],
)
def test_answers_below_the_target_precision_are_reported(
    share: float | None, precision: float | None, target: float, told: bool
) -> None:
    from complaint_model.notes import missed_target

    found = missed_target({"answered_share": share, "answered_precision": precision}, 200, target)
    assert (found is not None) is told
    if found:
        assert found.startswith("80 of the 100 rows that the candidate answers without review are right")


def test_many_and_long_labels_are_named_in_a_sentence_that_can_be_read() -> None:
    from complaint_model.notes import disagreement

    holdout = {f"label {number:04d}" + "x" * 400 for number in range(1000)}
    (note,) = disagreement(["other"], (), holdout)
    assert len(note) < 400
    assert "label 0000xxx" in note
    assert "and 995 more" in note


def test_a_copy_is_a_leak_whatever_its_case_accents_and_punctuation() -> None:
    from complaint_model.leakage import leaked_rows
    from complaint_model.records import Labelled

    def row(name: str, text: str, group: str | None = None) -> Any:
        return Labelled(name, text, "a", group or name, "es")

    train = [row("1", "Me cobraron la comisión, dos veces."), row("2", "otro texto", "g"), row("3", "!!!")]
    holdout = [
        row("4", "ME COBRARON  LA COMISION dos veces"),
        row("5", "me cobraron la comisio\u0301n dos veces"),
        row("6", "algo distinto", "g"),
        row("7", "me cobraron la comisión tres veces"),
        row("8", "???"),
    ]
    assert leaked_rows(train, holdout) == [True, True, True, False, False]
