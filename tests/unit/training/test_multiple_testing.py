"""Which labels' recall fell: exact p-values, decisions of known cases, and error rates in simulated holdouts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from complaint_model.multiple_testing import RecallCounts, labels_with_lower_recall


def counts(*labels: tuple[int, int, int]) -> RecallCounts:
    """Of each label the rows lost, gained, and in all."""
    lost, gained, support = np.array(labels, dtype=np.int64).reshape(-1, 3).T
    return RecallCounts(lost=lost, gained=gained, support=support)


def test_the_chance_of_a_fall_is_exact() -> None:
    for total in (*range(12), 77, 400):
        found = counts(*((lost, total - lost, max(total, 1)) for lost in range(total + 1))).p_values
        exact = [sum(math.comb(total, k) for k in range(lost, total + 1)) / 2**total for lost in range(total + 1)]
        assert found == pytest.approx(exact, rel=1e-9)
    assert counts((500_000_000, 500_000_000, 10**9)).p_values == pytest.approx([0.5], abs=1e-4)


@pytest.mark.parametrize(
    ("labels", "max_drop", "p_values", "fallen", "why"),
    [
        ([(5, 0, 30)], 0.1, [0.03125], [0], "one label, as McNemar's test alone"),
        ([(4, 0, 30)], 0.1, [0.0625], [], "chance gives it in 6% of cases"),
        (
            [(15, 0, 100), (16, 1, 100), (16, 0, 100)],
            0.15,
            [2**-15, 0.000137329101563, 2**-16],
            [2],
            "a fall of the limit itself is within the limit",
        ),
        (
            [(6, 0, 30), (5, 1, 30), (8, 2, 40), (3, 3, 30), (0, 4, 25), (20, 9, 100)],
            0.1,
            [0.015625, 0.109375, 0.0546875, 0.65625, 1, 0.0307141728699],
            [],
            "the smallest p-value of six is not small enough",
        ),
        ([(7, 0, 30), *[(5, 5, 30)] * 40], 0.1, [2**-7, *[0.623046875] * 40], [0], "0.05 of plain Holm would be 0.0012"),
        (
            [(12, 1, 50), (9, 1, 50), (7, 1, 50), (6, 1, 50), (5, 1, 50), *[(3, 3, 50)] * 8],
            0.1,
            [0.001708984375, 0.0107421875, 0.03515625, 0.0625, 0.109375, *[0.65625] * 8],
            [0, 1],
            "step by step: those that fell leave the others their share",
        ),
    ],
)
def test_known_cases_have_their_p_values_and_decisions(
    labels: list[tuple[int, int, int]], max_drop: float, p_values: list[float], fallen: list[int], why: str
) -> None:
    """The values of the implementation in pure Python that the gate had before version 0.2.0."""
    found = counts(*labels)
    assert found.p_values == pytest.approx(p_values, rel=1e-9)
    assert sorted(labels_with_lower_recall(found, max_drop)) == fallen, why


def holdouts(labels: int, rows: int, contested: float, *, fall: bool = False) -> int:
    """Of 200 simulated holdouts, those with a fallen label.

    Both models are right or wrong on the same rows, but on a share of `contested` rows, where each tosses its own coin. With
    `fall`, the first label has 50 rows of which the champion has .9 right, and the candidate .6.
    """
    random = np.random.default_rng(20)
    differing = random.binomial(rows, contested / 2, (200, labels))
    all_lost = random.binomial(differing, 0.5)
    found = 0
    for total, lost in zip(differing, all_lost, strict=True):
        gained, support = total - lost, np.full(labels, rows)
        if fall:
            lost[0], gained[0], support[0] = random.binomial(50, 0.3), random.binomial(5, 0.1), 50
        fallen = labels_with_lower_recall(RecallCounts(lost=lost, gained=gained, support=support), 0.1)
        found += 0 in fallen if fall else bool(fallen)
    return found


@pytest.mark.parametrize(
    ("labels", "rows", "contested"), [(9, 30, 0.12), (77, 40, 0.16), (77, 40, 0.3), (200, 30, 0.15), (500, 50, 0.3)]
)
def test_many_labels_do_not_refuse_an_equal_candidate(labels: int, rows: int, contested: float) -> None:
    """Looked at one by one, 30% to 100% of those with 77 labels or more had a fallen one."""
    assert holdouts(labels, rows, contested) <= 16  # 5%, and two standard errors of the simulation


@pytest.mark.parametrize(("labels", "contested"), [(9, 0.12), (77, 0.1), (77, 0.16), (200, 0.15), (500, 0.2)])
def test_a_real_fall_is_seen_among_many_labels(labels: int, contested: float) -> None:
    assert holdouts(labels, 50, contested, fall=True) >= (180 if labels == 500 else 190)


def test_a_label_that_hardly_differs_takes_nothing_from_the_others() -> None:
    fallen, same, differing = (6, 0, 30), [(2, 2, 30)] * 500, [(5, 5, 30)] * 500
    assert labels_with_lower_recall(counts(fallen, *same), 0.1) == [0]
    assert labels_with_lower_recall(counts(fallen, *differing), 0.1) == []


def test_all_that_fell_are_named() -> None:
    assert sorted(labels_with_lower_recall(counts(*((9 + label, 0, 40) for label in range(4))), 0.1)) == [0, 1, 2, 3]
    assert labels_with_lower_recall(counts(), 0.1) == []
