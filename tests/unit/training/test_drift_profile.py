"""Profiles of held-out rows, and the thresholds that a bootstrap gives them."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from complaint_model.drift_profile import FALSE_ALARMS, joint_limits, profile_of

from ptmlops_contracts.drift import (
    DRIFT_KINDS,
    LEAST_THRESHOLD,
    OTHER,
    DriftProfile,
    drifted,
    measure,
    stability_index,
    threshold_at,
    times_threshold,
)

SHARES = {
    "categories": {"fees": 0.5, "loan": 0.3, "card": 0.17, "theft": 0.03},
    "languages": {"es": 0.97, "en": 0.02, "und": 0.01},
    "length": {"short": 0.4, "long": 0.6},
    "confidence": {str(tenth): 0.1 for tenth in range(10)},
    "vocabulary": {"5": 0.02, "6": 0.1, "7": 0.4, "8": 0.48},
}
Buckets = dict[str, list[str]]


def draw(random: np.random.Generator, rows: int, **changed: dict[str, float]) -> Buckets:
    return {
        kind: random.choice(list(shares), size=rows, p=list(shares.values())).tolist()
        for kind, shares in {**SHARES, **changed}.items()
    }


def draw_counts(random: np.random.Generator, rows: int) -> dict[str, dict[str, int]]:
    return {
        kind: dict(zip(shares, random.multinomial(rows, list(shares.values())).tolist(), strict=True))
        for kind, shares in SHARES.items()
    }


def counts(buckets: Buckets) -> dict[str, Counter[str]]:
    return {kind: Counter(values) for kind, values in buckets.items()}


def test_a_profile_counts_its_rows_per_kind() -> None:
    rows = [("fees", "es")] * 20 + [("fees", "en")] * 20 + [("loan", "es")] * 14 + [("card", "pt")] * 6
    buckets = {**draw(np.random.default_rng(1), 60), "categories": [a for a, _ in rows], "languages": [b for _, b in rows]}
    found = profile_of(buckets, {}, seed=1, sizes=(100,))
    assert found["rows"] == 60
    # Six rows of the profile are too few for a bucket.
    assert found["counts"]["categories"] == {"fees": 40, "loan": 14, OTHER: 6}
    assert found["counts"]["languages"] == {"en": 20, "es": 34, OTHER: 6}
    [thresholds] = found["thresholds"]
    assert thresholds["rows"] == 100
    assert set(thresholds["index"]) == set(DRIFT_KINDS)


def test_the_rows_of_training_say_which_buckets_are_large() -> None:
    """Of many small labels, those with most held-out rows are no larger than the others."""
    buckets = {
        **draw(np.random.default_rng(1), 60),
        "categories": ["fees"] * 30 + ["loan"] * 12 + ["card"] * 9 + ["theft"] * 9,
    }
    trained = ["fees"] * 500 + ["loan"] * 100 + ["card"] * 200 + ["theft"] * 200
    assert profile_of(buckets, {"categories": trained}, seed=1, sizes=(100,))["counts"]["categories"] == {
        "card": 9, "fees": 30, "theft": 9, OTHER: 12,
    }  # fmt: skip


def test_what_the_profile_lacks_counts_with_its_small_buckets() -> None:
    profile = profile_of({kind: ["a"] * 90 + ["b"] * 10 for kind in DRIFT_KINDS}, {}, seed=1, sizes=(100,))
    same = measure(profile, {kind: {"a": 90, "b": 10} for kind in DRIFT_KINDS})
    new = measure(profile, {kind: {"a": 60, "b": 10, "new": 20, "newer": 10} for kind in DRIFT_KINDS})
    assert {one["index"] for one in same.values()} == {0}
    before, now = (90.5 / 101.5, 10.5 / 101.5, 0.5 / 101.5), (60.5 / 101.5, 10.5 / 101.5, 30.5 / 101.5)
    by_hand = sum((b - a) * math.log(b / a) for a, b in zip(before, now, strict=True))
    assert new["length"]["index"] == pytest.approx(by_hand, abs=1e-4)


def test_the_same_rows_and_seed_give_the_same_thresholds_whatever_their_order() -> None:
    buckets = draw(np.random.default_rng(2), 80)
    other = {kind: values[::-1] for kind, values in buckets.items()}
    assert profile_of(buckets, {}, seed=5, sizes=(50, 80)) == profile_of(other, {}, seed=5, sizes=(50, 80))
    assert profile_of(buckets, {}, seed=5, sizes=(80,)) != profile_of(buckets, {}, seed=6, sizes=(80,))


def test_the_limits_are_one_quantile_of_each_kind_that_holds_for_all_together() -> None:
    # Each kind exceeds its second largest value in one draw. These are two draws of 100: more than 1%, and not more than 2%.
    indexes = np.zeros((100, 2))
    indexes[:3, 0], indexes[3:6, 1] = (0.9, 0.8, 0.7), (9, 8, 7)
    assert joint_limits(indexes, 0.02).tolist() == [0.8, 8]
    assert joint_limits(indexes, 0.01).tolist() == [0.9, 9]
    # In the same draw, both exceed it in one of 100.
    indexes[3:6, 1], indexes[:3, 1] = 0, (9, 8, 7)
    assert joint_limits(indexes, 0.01).tolist() == [0.8, 8]


def test_a_threshold_is_interpolated_in_the_inverse_of_the_rows() -> None:
    points: Any = [{"rows": 100, "index": {"length": 0.5}}, {"rows": 200, "index": {"length": 0.3}}]
    assert threshold_at(points, "length", 100) == 0.5
    assert threshold_at(points, "length", 60) == 0.5
    assert threshold_at(points, "length", 133) == pytest.approx(0.3 + 0.2 * (1 / 133 - 1 / 200) / (1 / 100 - 1 / 200))
    assert threshold_at(points, "length", 10**6) == 0.3
    assert threshold_at(points, "length", 49) is None
    assert threshold_at(points, "vocabulary", 100) is None
    assert threshold_at([{"rows": 100, "index": {"length": 0.001}}], "length", 100) == LEAST_THRESHOLD


def profiles(rows: int, count: int) -> list[tuple[np.random.Generator, DriftProfile]]:
    randoms = [np.random.default_rng(seed) for seed in range(count)]
    return [(random, profile_of(draw(random, rows), {}, seed=20, sizes=(100, 1000))) for random in randoms]


@pytest.mark.slow
@pytest.mark.parametrize("rows", [100, 400, 1000])
def test_uploads_like_the_profile_cross_any_threshold_in_under_one_of_a_hundred(rows: int) -> None:
    alarms = uploads = 0
    for random, profile in profiles(150, 10):
        for _ in range(200):
            uploads += 1
            alarms += bool(drifted(measure(profile, draw_counts(random, rows))))
    # By chance, a share of 0.01 gives at most 29 of 2,000 with probability 0.98.
    assert alarms / uploads <= 0.0145, f"{alarms} of {uploads}; the bootstrap aims at {FALSE_ALARMS}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("categories", {"fees": 0.2, "loan": 0.3, "card": 0.17, "theft": 0.33}),
        ("languages", {"es": 0.6, "en": 0.1, "und": 0.01, "pt": 0.29}),
        ("length", {"short": 0.8, "long": 0.2}),
        ("confidence", {"4": 0.3, "5": 0.4, "6": 0.3}),
        ("vocabulary", {"2": 0.1, "3": 0.2, "4": 0.3, "5": 0.2, "6": 0.2}),
    ],
)
def test_a_change_of_one_kind_is_found_in_that_kind(kind: str, changed: dict[str, float]) -> None:
    for random, profile in profiles(300, 3):
        found = measure(profile, counts(draw(random, 1000, **{kind: changed})))
        assert drifted(found) == [kind]
        assert next(iter(times_threshold(found))) == kind


def test_what_cannot_be_measured_is_not_drift() -> None:
    profile = profile_of(draw(np.random.default_rng(3), 100), {}, seed=1, sizes=(100,))
    few = measure(profile, counts(draw(np.random.default_rng(3), 49)))
    assert few == {kind: {"index": None, "threshold": None} for kind in DRIFT_KINDS}
    assert drifted(few) == []
    # A model of an earlier version does not say how many words it knows.
    without = measure(profile, {**counts(draw(np.random.default_rng(4), 100)), "vocabulary": Counter()})
    assert without["vocabulary"] == {"index": None, "threshold": None}
    assert without["length"]["index"] is not None


def test_the_index_of_the_same_distribution_is_near_zero_and_that_of_another_is_as_computed_by_hand() -> None:
    before = {"a": 500.0, "b": 500.0}
    assert stability_index(before, {"a": 50, "b": 50}) == pytest.approx(0, abs=1e-3)
    # (.9 - .5) ln(.9/.5) + (.1 - .5) ln(.1/.5) = .879, a little less by the half row that is added to each count
    assert stability_index(before, {"a": 900, "b": 100}) == pytest.approx(0.879, abs=0.01)
    assert stability_index(before, {"a": 10, "b": 10}) is None
    assert (stability_index(before, {"c": 1000}) or 0) > 1
