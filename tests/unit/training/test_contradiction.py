from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from complaint_model.contradiction import contradicting_runs
from complaint_model.records import Labelled


def row(number: int, run: str, *, label: str = "fraud", group: str = "") -> Labelled:
    return Labelled(str(number), f"text {number}", label, group or str(number), "es", run)


def found(*learned: str, **runs: tuple[int, int, float]) -> set[str]:
    """Return the contradicting ones of runs with (rows, rows that agree, confidence in each)."""
    rows, agreed, confidence = list[Labelled](), list[bool](), list[float]()
    for run, (count, right, sure) in runs.items():
        rows += [row(len(rows) + number, run) for number in range(count)]
        agreed += [number < right for number in range(count)]
        confidence += [sure] * count
    return set(contradicting_runs(rows, np.array(agreed), np.array(confidence), known_labels={"fraud"}, learned=learned))


def all_wrong(rows: list[Labelled]) -> dict[str, Any]:
    """Test rows that all have another label than the champion gives them, with a confidence of .9."""
    return dict(contradicting_runs(rows, np.zeros(len(rows), dtype=bool), np.full(len(rows), 0.9), known_labels={"fraud"}))


@pytest.mark.parametrize(
    ("rows", "agreed", "confidence", "contradicts", "why"),
    [
        (100, 12, 0.9, True, "a file with one label"),
        (100, 60, 0.9, True, "30% of its labels are wrong"),
        (100, 75, 0.9, False, "a gap of .15, as of a model that is badly calibrated"),
        (1000, 710, 0.9, False, "many rows do not make a small gap a large one"),
        (1000, 690, 0.9, True, "a gap of more than .2"),
        (100, 40, 0.5, False, "the champion expects no more"),
        (100, 98, 0.5, False, "the labels are easier than it expects"),
        (4, 0, 0.7, False, "four rows may be wrong by chance"),
        (5, 0, 0.7, True, "exp(-2 · 5 · .49) = .0074"),
    ],
)
def test_a_run_contradicts_if_far_more_labels_differ_than_the_champion_expects(
    rows: int, agreed: int, confidence: float, why: str, *, contradicts: bool
) -> None:
    assert found(run=(rows, agreed, confidence)) == ({"run"} if contradicts else set()), why


def test_all_runs_are_tested_at_once() -> None:
    right = {f"right{number}": (50, 45, 0.9) for number in range(20)}
    assert found(wrong=(5, 0, 0.7)) == {"wrong"}
    assert found(wrong=(5, 0, 0.7), **right) == set()
    assert found(wrong=(50, 5, 0.9), other=(50, 5, 0.9), **right) == {"wrong", "other"}


def test_runs_that_the_champion_learned_are_not_tested() -> None:
    wrong = {f"2026010{day}-000000-a": (50, 0, 0.9) for day in (1, 2, 3)}
    first, second, third = wrong
    assert found(**wrong) == {first, second, third}
    assert found(first, **wrong) == {second, third}
    assert found(first, third, **wrong) == {second}  # of two runs at the same time, the later one was learned first
    assert found(*wrong, **wrong) == set()
    # Nor do they take a share of the level.
    right = {f"20250101-{number:06}-a": (50, 45, 0.9) for number in range(20)}
    assert found(*right, first, **right, **{second: (5, 0, 0.7)}) == {second}


def test_rows_whose_label_the_champion_does_not_know_say_nothing() -> None:
    rows = [row(number, "run", label="fraud" if number < 20 else "new") for number in range(60)]
    assert all_wrong(rows) == {"run": {"rows": 20, "agreed": 0, "expected": 18.0}}
    assert all_wrong(rows[20:]) == {}


def test_rows_without_a_run_say_nothing() -> None:
    assert all_wrong([row(number, "") for number in range(60)]) == {}


def test_near_copies_of_a_run_count_once() -> None:
    assert all_wrong([row(number, "run", group="g") for number in range(60)]) == {}
    rows = [row(number, run, group=str(number % 10)) for number in range(60) for run in ("one", "two")]
    assert all_wrong(rows) == {run: {"rows": 10, "agreed": 0, "expected": 9.0} for run in ("one", "two")}


def test_right_labels_are_seldom_reported() -> None:
    """A champion with calibrated confidences, a hundred uploads of 30 held-out rows, a hundred times."""
    random = np.random.default_rng(28)
    rows = [row(number, f"run{number // 30}") for number in range(3000)]
    reported = 0
    for _ in range(100):
        sure = random.beta(6, 2, len(rows))
        agreed = random.random(len(rows)) < sure
        reported += bool(contradicting_runs(rows, agreed, sure, known_labels={"fraud"}))
    assert reported <= 2
