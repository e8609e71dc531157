"""The gate: what promotes, what does not, what a person decides; and that no odd number ever promotes."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Unit = Callable[[str, str], ModuleType]
POLICY = {
    "mode": "automatic",
    "min_macro_f1": 0.6,
    "max_recall_drop": 0.1,
    "max_calibration_error": 0.05,
    "min_holdout_rows": 100,
}


@pytest.fixture
def gate(unit: Unit) -> ModuleType:
    return unit("promote_model", "gate")


def measured(**changes: Any) -> dict[str, Any]:
    numbers = {"macro_f1": 0.8, "expected_calibration_error": 0.02, "expected_calibration_error_by_chance": 0.03}
    return {**numbers, **changes}


def first(**changes: Any) -> dict[str, Any]:
    """The evaluation of a candidate without a champion."""
    return {
        "holdout": {"rows": 300},
        "leakage": {"rows": 0},
        "candidate": measured(),
        "champion": None,
        "comparison": None,
        **changes,
    }


def against(difference: float = 0.0, interval: Any = (-0.02, 0.02), **recall: Any) -> dict[str, Any]:
    """The evaluation of a candidate against version 3."""
    return first(
        champion={**measured(macro_f1=0.79), "version": "3"},
        comparison={
            "macro_f1_difference": difference,
            "interval": list(interval),
            "p_value": 0.5,
            "recall": {"fraud": {"difference": 0.0, "p_value": 1.0, "lost": 0, "gained": 0}, **recall},
        },
    )


def recall(lost: int, gained: int, support: int) -> dict[str, Any]:
    total = lost + gained
    chance = sum(math.comb(total, k) for k in range(lost, total + 1)) / 2**total
    return {"difference": (gained - lost) / support, "p_value": chance, "lost": lost, "gained": gained}


def test_a_first_candidate_over_the_floors_serves(gate: ModuleType) -> None:
    verdict = gate.judge(first(), POLICY, champion_version="none")
    assert verdict.status == "Approved"
    assert verdict.reasons == ("first champion: macro-F1 0.800 on 300 held-out rows",)
    assert all(check.passed for check in verdict.checks)


def test_the_settings_may_leave_it_to_a_person(gate: ModuleType) -> None:
    verdict = gate.judge(first(), {**POLICY, "mode": "manual"}, champion_version="none")
    assert verdict.status == "PendingManualApproval"
    assert "approval by a person" in verdict.reasons[1]


@pytest.mark.parametrize(
    ("change", "objection"),
    [
        ({"holdout": {"rows": 99}}, "the holdout has 99 rows and deciding takes 100"),
        ({"candidate": measured(macro_f1=0.599)}, "macro-F1 0.599 is under the floor of 0.600"),
        ({"candidate": measured(expected_calibration_error=0.051)}, "calibration error 0.051 is over the limit of 0.050"),
        (
            {"candidate": measured(expected_calibration_error=0.09, expected_calibration_error_by_chance=0.08)},
            "calibration error 0.090 is over the limit of 0.080",
        ),
        ({"leakage": {"rows": 16}}, "16 of 316 holdout rows are near-copies of training rows: the split does not hold"),
    ],
)
@pytest.mark.parametrize("champion", [False, True])
def test_floors_hold_with_and_without_a_champion(
    gate: ModuleType, change: dict[str, Any], objection: str, *, champion: bool
) -> None:
    evaluation = {**(against() if champion else first()), **change}
    verdict = gate.judge(evaluation, POLICY, champion_version="3" if champion else "none")
    assert verdict.status == "Rejected"
    assert verdict.reasons == (objection,)


def test_a_limit_itself_is_within_the_limit(gate: ModuleType) -> None:
    edge = first(
        holdout={"rows": 100},
        leakage={"rows": 5},
        candidate=measured(macro_f1=0.6, expected_calibration_error=0.05),
    )
    assert gate.judge(edge, POLICY, champion_version="none").status == "Approved"


def test_what_chance_gives_on_few_rows_is_no_lack_of_calibration(gate: ModuleType) -> None:
    few = first(candidate=measured(expected_calibration_error=0.09, expected_calibration_error_by_chance=0.1))
    assert gate.judge(few, POLICY, champion_version="none").status == "Approved"


@pytest.mark.parametrize(
    ("difference", "interval", "status"),
    [
        (0.03, (0.01, 0.05), "Approved"),  # better
        (0.01, (-0.01, 0.03), "Approved"),  # perhaps better
        (-0.01, (-0.03, 0.01), "Approved"),  # chance explains it
        (-0.01, (-0.02, 0.0), "Approved"),  # just so
        (-0.01, (-0.02, -0.0001), "Rejected"),  # small, and certain on so many rows
        (-0.2, (-0.3, -0.1), "Rejected"),
    ],
)
def test_worse_is_what_chance_does_not_explain(
    gate: ModuleType, difference: float, interval: tuple[float, float], status: str
) -> None:
    verdict = gate.judge(against(difference, interval), POLICY, champion_version="3")
    assert verdict.status == status
    assert f"{interval[0]:+.3f} to {interval[1]:+.3f}" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (recall(5, 5, 40), "Approved"),
        (recall(4, 0, 30), "Approved"),  # 13 points, and four rows in a row come of chance in 6% of cases
        (recall(5, 0, 30), "Rejected"),
        (recall(5, 0, 5), "Rejected"),  # a small label that is forgotten
        (recall(1, 0, 1), "Approved"),  # one row says nothing
        (recall(9, 0, 100), "Approved"),  # certain, and within the limit
        (recall(11, 0, 100), "Rejected"),
    ],
)
def test_no_label_may_be_sacrificed(gate: ModuleType, change: dict[str, Any], status: str) -> None:
    verdict = gate.judge(against(0.01, (-0.01, 0.03), access=change), POLICY, champion_version="3")
    assert verdict.status == status
    assert ("recall of access falls" in verdict.reasons[0]) == (status == "Rejected")


def test_a_champion_that_cannot_be_read_leaves_it_to_a_person(gate: ModuleType) -> None:
    evaluation = first(champion={"version": "3", "error": "champion: weights.npy was changed after training"})
    verdict = gate.judge(evaluation, POLICY, champion_version="3")
    assert verdict.status == "PendingManualApproval"
    assert "weights.npy was changed" in verdict.reasons[1]
    below = {**evaluation, "candidate": measured(macro_f1=0.1)}
    assert gate.judge(below, POLICY, champion_version="3").status == "Rejected"


@pytest.mark.parametrize(
    "evaluation",
    [
        first(),  # silent about the champion
        first(champion={}),
        first(champion=None, comparison=against()["comparison"]),
        {**against(), "champion": {**measured(), "version": "2"}},  # compared with another
        {**against(), "comparison": None},
        {**against(), "comparison": {}},
        {**against(), "comparison": {**against()["comparison"], "recall": None}},
        {**against(), "comparison": {**against()["comparison"], "recall": {"fraud": None}}},
    ],
)
def test_without_a_comparison_with_the_champion_nothing_is_promoted(gate: ModuleType, evaluation: Any) -> None:
    assert gate.judge(evaluation, POLICY, champion_version="3").status == "Rejected"


def test_every_objection_is_said_and_every_number_kept(gate: ModuleType) -> None:
    evaluation = against(-0.2, (-0.3, -0.1), access=recall(20, 0, 40))
    evaluation["candidate"] = measured(macro_f1=0.5, expected_calibration_error=0.2)
    verdict = gate.judge(evaluation, POLICY, champion_version="3")
    assert len(verdict.reasons) == 4
    kept = {check.name: (check.value, check.limit) for check in verdict.checks}
    assert kept["macro_f1"] == (0.5, 0.6)
    assert kept["expected_calibration_error"] == (0.2, 0.05)
    assert kept["macro_f1_difference"] == (-0.2, None)
    assert kept["recall: access"] == (-0.5, -0.1)
    assert kept["holdout_rows"] == (300, 100)
    assert kept["leaked_share"] == (0, 0.05)


NUMBERS = [
    ("holdout", "rows"),
    ("leakage", "rows"),
    ("candidate", "macro_f1"),
    ("candidate", "expected_calibration_error"),
    ("candidate", "expected_calibration_error_by_chance"),
    ("champion", "macro_f1"),
    ("comparison", "macro_f1_difference"),
    ("comparison", "interval"),
    ("comparison", "interval", 0),
    ("comparison", "interval", 1),
    ("comparison", "recall", "fraud", "difference"),
    ("comparison", "recall", "fraud", "p_value"),
]
NO_NUMBERS = [None, math.nan, math.inf, -math.inf, "0.9", "", True, False, [], [0.9], {}, 10**400, -(10**400), -2, "absent"]


def _replaced(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    evaluation = copy.deepcopy(against(0.02, (0.01, 0.03)))
    place: Any = evaluation
    for step in path[:-1]:
        place = place[step]
    if value == "absent" and isinstance(place, dict):
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return evaluation


@pytest.mark.parametrize("path", NUMBERS, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:12])
def test_what_is_no_number_never_promotes(gate: ModuleType, path: tuple[Any, ...], value: Any) -> None:
    for mode in ("automatic", "manual"):
        verdict = gate.judge(_replaced(path, value), {**POLICY, "mode": mode}, champion_version="3")
        assert verdict.status == "Rejected", value
        assert verdict.reasons
    json.dumps([check.value for check in verdict.checks], allow_nan=False)  # promotion.json can be written


@pytest.mark.parametrize("part", ["holdout", "leakage", "candidate", "champion", "comparison"])
@pytest.mark.parametrize("value", [None, math.nan, "text", 1, [], True])
def test_what_is_no_part_never_promotes(gate: ModuleType, part: str, value: Any) -> None:
    assert gate.judge({**against(), part: value}, POLICY, champion_version="3").status == "Rejected"


@pytest.mark.parametrize("document", [None, [], "x", 3, math.nan, {}])
def test_what_is_no_evaluation_never_promotes(gate: ModuleType, document: Any) -> None:
    for version in ("none", "3"):
        assert gate.judge(document, POLICY, champion_version=version).status == "Rejected"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _sound(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def test_whatever_stands_in_the_evaluation_only_sound_numbers_promote(gate: ModuleType) -> None:
    """Any JSON in any place: no crash, and an approval only where the value there is a number that may be."""

    @settings(max_examples=400, deadline=None)
    @given(path=st.sampled_from(NUMBERS), value=ANYTHING)
    def check(path: tuple[Any, ...], value: Any) -> None:
        verdict = gate.judge(_replaced(path, value), POLICY, champion_version="3")
        if verdict.status != "Rejected":
            if path == ("comparison", "interval"):
                assert len(value) == 2
                assert all(_sound(end, -1, 1) for end in value)
            else:
                low = -1 if "difference" in path[-1:] or "macro_f1_difference" in path or path[-1] in (0, 1) else 0
                assert _sound(value, low, 2**53 if path[-1] == "rows" else 1)

    check()


def test_a_whole_evaluation_of_anything_never_promotes(gate: ModuleType) -> None:
    @settings(max_examples=200, deadline=None)
    @given(document=ANYTHING)
    def check(document: Any) -> None:
        assert gate.judge(document, POLICY, champion_version="3").status == "Rejected"

    check()
