from __future__ import annotations

import numpy as np
import pytest
from complaint_model.contradiction import contradicting_runs


def found(**runs: tuple[int, int, float]) -> set[str]:
    """Return the contradicting ones of runs with (rows, rows that agree, confidence in each)."""
    parts = [(name, np.arange(rows) < agreed, np.full(rows, confidence)) for name, (rows, agreed, confidence) in runs.items()]
    agreed = np.concatenate([part for _, part, _ in parts])
    names = [name for name, part, _ in parts for _ in part]
    return set(contradicting_runs(agreed, np.concatenate([sure for *_, sure in parts]), np.full(len(agreed), True), names))


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


def test_rows_whose_label_the_champion_does_not_know_say_nothing() -> None:
    agreed, sure = np.zeros(60, dtype=bool), np.full(60, 0.9)
    is_known = np.arange(60) < 20
    runs = contradicting_runs(agreed, sure, is_known, ["run"] * 60)
    assert runs == {"run": {"rows": 20, "agreed": 0, "expected": 18.0}}
    assert contradicting_runs(agreed, sure, np.zeros(60, dtype=bool), ["run"] * 60) == {}


def test_rows_without_a_run_are_left_out() -> None:
    assert contradicting_runs(np.zeros(60, dtype=bool), np.full(60, 0.9), np.full(60, True), [""] * 60) == {}


def test_right_labels_are_seldom_reported() -> None:
    """A champion with calibrated confidences, a hundred uploads of 30 held-out rows, a hundred times."""
    random = np.random.default_rng(28)
    names = [f"run{number}" for number in range(100) for _ in range(30)]
    reported = 0
    for _ in range(100):
        sure = random.beta(6, 2, len(names))
        agreed = random.random(len(names)) < sure
        reported += bool(contradicting_runs(agreed, sure, np.full(len(names), True), names))
    assert reported <= 2
