"""The gate: what promotes, what does not, what a person decides; and that no odd number ever promotes."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from typing import Any

import numpy as np
import pytest
from complaint_model.multiple_testing import RecallCounts, labels_with_lower_recall
from hypothesis import given, settings
from hypothesis import strategies as st
from promote_model.gate import judge

POLICY: dict[str, Any] = {
    "mode": "automatic",
    "min_macro_f1": 0.6,
    "max_recall_drop": 0.1,
    "max_calibration_error": 0.05,
    "min_holdout_rows": 100,
}


MODEL = b"model.tar.gz"
ARCHIVE = {"sha256": hashlib.sha256(MODEL).hexdigest(), "bytes": len(MODEL), "manifest_sha256": "f" * 64}


def measured(**changes: Any) -> dict[str, Any]:
    numbers = {
        "accuracy": 0.85,
        "accuracy_interval": [0.81, 0.89],
        "macro_f1": 0.8,
        "macro_f1_interval": [0.75, 0.84],
        "expected_calibration_error": 0.02,
        "expected_calibration_error_by_chance": 0.03,
        "log_loss": 0.5,
        "coverage_at_target_precision": 0.7,
        "threshold": 0.6,
        "answered_share": 0.7,
        "answered_precision": 0.95,
        "training_rows": 720,
        "data_fingerprint": "d" * 64,
        "code_version": "train1234567",
        "settings": {"cost": 0.31},
        "archive": ARCHIVE,
    }
    return {**numbers, **changes}


def holdout(**labels: int) -> dict[str, Any]:
    return {"rows": sum(labels.values()), "labels": labels, "fingerprint": "e" * 64}


def first(**changes: Any) -> dict[str, Any]:
    """The evaluation of run r's candidate without a champion."""
    return {
        "schema_version": 2,
        "run_id": "r",
        "target_precision": 0.95,
        "holdout": holdout(fraud=300),
        "leakage": {"rows": 0},
        "candidate": measured(),
        "champion": None,
        "comparison": None,
        "notes": [],
        **changes,
    }


def against(
    difference: float = 0.0, interval: Any = (-0.02, 0.02), candidate: Any = None, **labels: tuple[int, int, int]
) -> dict[str, Any]:
    """The evaluation of a candidate against version 3; of each label the rows lost, gained, and in all."""
    candidate = candidate or measured()
    labels = {"fraud": (0, 0, 300 - sum(support for _, _, support in labels.values())), **labels}
    return first(
        candidate=candidate,
        holdout=holdout(**{label: support for label, (_, _, support) in labels.items()}),
        champion={**measured(macro_f1=round(candidate["macro_f1"] - difference, 6)), "version": "3"},
        comparison={
            "macro_f1_difference": difference,
            "interval": list(interval),
            "p_value": 0.5,
            "rows_answered_differently": sum(lost + gained for lost, gained, _ in labels.values()),
            "recall": {label: recall(*rows) for label, rows in labels.items()},
            "lower_recall": {"max_drop": POLICY["max_recall_drop"], "labels": lower_recall(labels)},
        },
    )


def lower_recall(labels: dict[str, tuple[int, int, int]]) -> dict[str, float]:
    """The labels that Evaluate names, with their p-values."""
    names, (lost, gained, support) = list(labels), np.array(list(labels.values())).T
    counts = RecallCounts(lost=lost, gained=gained, support=support)
    places = labels_with_lower_recall(counts, POLICY["max_recall_drop"])
    return {names[place]: round(float(counts.p_values[place]), 6) for place in places}


def recall(lost: int, gained: int, support: int) -> dict[str, Any]:
    total = lost + gained
    chance = sum(math.comb(total, k) for k in range(lost, total + 1)) / 2**total
    return {
        "difference": round((gained - lost) / support, 6),
        "p_value": round(chance, 6),
        "lost": lost,
        "gained": gained,
    }


def judged(evaluation: Any, champion: str = "3", **policy: Any) -> Any:
    return judge(evaluation, {**POLICY, **policy}, run_id="r", champion_version=champion)


def test_a_first_candidate_over_the_floors_serves() -> None:
    verdict = judged(first(), "none")
    assert verdict.status == "Approved"
    assert verdict.reasons == ("first champion: macro-F1 0.800 on 300 held-out rows",)
    assert all(check.passed for check in verdict.checks)


def test_a_twentieth_of_near_copies_is_allowed() -> None:
    verdict = judged(first(holdout=holdout(fraud=285), leakage={"rows": 15}), "none")
    assert verdict.status == "Approved"
    assert "15 of 300 holdout rows are near-copies of training rows" in [check.message for check in verdict.checks]


def test_a_perfect_candidate_is_checked_like_any_other() -> None:
    evaluation = against(0.2, (0.1, 0.3), candidate=measured(macro_f1=1.0))
    evaluation["champion"]["macro_f1"] = 0.7
    assert judged(evaluation).reasons == ("macro-F1 is reported to change by +0.200000, from 0.700000 to 1.000000",)


def test_a_candidate_that_an_earlier_release_evaluated_has_no_archive() -> None:
    earlier = measured()
    del earlier["archive"]
    assert judged(first(candidate=earlier), "none").status == "Approved"


@pytest.mark.parametrize(
    "archive",
    [
        None, {}, "x", {**ARCHIVE, "sha256": "x"}, {**ARCHIVE, "sha256": None}, {**ARCHIVE, "manifest_sha256": "F" * 64},
        {**ARCHIVE, "bytes": 0}, {**ARCHIVE, "bytes": -1}, {**ARCHIVE, "bytes": "12"}, {**ARCHIVE, "sha256": f"{'0' * 64}\n"},
    ],
)  # fmt: skip
def test_an_archive_that_is_not_named_by_digests_never_promotes(archive: Any) -> None:
    verdict = judged(first(candidate=measured(archive=archive)), "none")
    assert verdict.status == "Rejected"
    assert verdict.reasons == ("the candidate's archive is not named by two SHA-256 digests and a size",)


def test_the_settings_may_leave_it_to_a_person() -> None:
    verdict = judged(first(), "none", mode="manual")
    assert verdict.status == "PendingManualApproval"
    assert "approval by a person" in verdict.reasons[1]


@pytest.mark.parametrize(
    ("known", "unfamiliar", "status", "why"),
    [
        (["fraud", "fees"], [], "Approved", "no file was unfamiliar"),
        (["fraud", "fees"], [["Wallet", "Loan"]], "PendingManualApproval", "a file's labels may be another column of it"),
        (["fraud", "Loan"], [["Wallet", "Loan"]], "Approved", "a person approved a model with such labels since"),
        (["fraud", "Loan"], [["Loan"], ["Cali"]], "PendingManualApproval", "one of two files is still unfamiliar"),
        (None, [["Loan"]], "PendingManualApproval", "the evaluation does not say what the champion knows"),
    ],
)
def test_labels_of_files_that_the_champion_does_not_know_at_all_wait_for_a_person(
    known: list[str] | None, unfamiliar: list[list[str]], status: str, why: str
) -> None:
    evaluation = against()
    if known:
        evaluation["champion"]["labels"] = known
    verdict = judge(evaluation, POLICY, run_id="r", champion_version="3", unfamiliar=unfamiliar)
    assert verdict.status == status, why
    assert any("nothing in common with those of version 3" in reason for reason in verdict.reasons) is (status != "Approved")


def test_a_reason_names_five_labels_and_a_count() -> None:
    verdict = judge(against(), POLICY, run_id="r", champion_version="3", unfamiliar=[list("abcdefghijkl")])
    assert "(a, b, c, d, e and 7 more)" in verdict.reasons[1]


@pytest.mark.parametrize(
    ("unfamiliar", "sentence"),
    [
        ([list("abcde")], "the labels of a file have nothing in common with those of version 3 (a, b, c, d, e);"),
        ([list("abcdefg"), ["z"]], "the labels of each of 2 files have nothing in common with those of version 3 (a, b, c, d, e and 2 more);"),
        ([["z"], list("abcdefg")], "the labels of each of 2 files have nothing in common with those of version 3 (z);"),
    ],
)  # fmt: skip
def test_a_reason_says_how_many_files_are_unfamiliar(unfamiliar: list[list[str]], sentence: str) -> None:
    verdict = judge(against(), POLICY, run_id="r", champion_version="3", unfamiliar=unfamiliar)
    assert sentence in verdict.reasons[1]


def contradicted(**runs: tuple[int, int, float]) -> dict[str, Any]:
    evaluation = against()
    evaluation["comparison"]["contradicting_runs"] = {
        run: {"rows": rows, "agreed": agreed, "expected": expected} for run, (rows, agreed, expected) in runs.items()
    }
    return evaluation


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        ({"one": (40, 5, 35.6)}, "run one contradict version 3, which gives 5 of 40 held-out rows their label and by its confidence should give 36 (if"),
        ({"one": (1, 0, 0.9)}, "run one contradict version 3, which gives 0 of 1 held-out row their label and by its confidence should give 1 (if"),
        ({"one": (40, 20, 36.0), "two": (30, 0, 27.0)}, "run two contradict version 3, which gives 0 of 30 held-out rows their label and by its confidence should give 27; also run one (if"),
        ({"one": (100, 50, 90.0), "two": (10, 0, 9.0)}, "run two contradict version 3, which gives 0 of 10 held-out rows their label and by its confidence should give 9; also run one (if"),
        ({f"r{n}": (10, 0, 9.0) for n in range(6)}, "; also run r1; also run r2; also run r3; also run r4; also run r5 (if"),
        ({f"r{n}": (10, 0, 9.0) for n in range(8)}, "; also run r1; also run r2; also run r3; also run r4; also run r5 and 2 more (if"),
    ],
)  # fmt: skip
def test_labels_of_a_run_that_contradict_the_champion_wait_for_a_person(
    runs: dict[str, tuple[int, int, float]], sentence: str
) -> None:
    verdict = judged(contradicted(**runs))
    assert verdict.status == "PendingManualApproval"
    [_, reason] = verdict.reasons
    assert sentence in reason
    assert reason.endswith("(if they are wrong, correct them and upload the rows again): a person decides")


def test_a_run_that_contradicts_does_not_excuse_a_worse_candidate_and_may_explain_it() -> None:
    evaluation = contradicted(one=(40, 5, 35.6))
    evaluation["candidate"] = measured(macro_f1=0.5)
    evaluation["champion"]["macro_f1"] = 0.5
    verdict = judged(evaluation)
    assert verdict.status == "Rejected"
    assert verdict.reasons[0] == "macro-F1 0.500 is under the floor of 0.600"
    assert verdict.reasons[1].startswith("the labels of run one contradict version 3")
    assert "a person decides" not in verdict.reasons[1]


def test_both_kinds_of_doubtful_labels_are_told() -> None:
    verdict = judge(contradicted(one=(40, 5, 35.6)), POLICY, run_id="r", champion_version="3", unfamiliar=[["Loan"]])
    assert verdict.status == "PendingManualApproval"
    assert [reason.split()[:4] for reason in verdict.reasons[1:]] == [["the", "labels", "of", name] for name in ("a", "run")]


@pytest.mark.parametrize("absent", [False, True])
def test_a_candidate_is_promoted_if_no_run_contradicts_or_an_earlier_release_evaluated(*, absent: bool) -> None:
    assert judged(against() if absent else contradicted()).status == "Approved"


@pytest.mark.parametrize(
    ("runs", "objection"),
    [
        (None, "the evaluation has no contradicting_runs"),
        ([], "the evaluation has no contradicting_runs"),
        ({"one": None}, "run one is said to contradict the champion, without numbers"),
        ({"one": {}}, "run one's rows is missing"),
        ({"one": {"rows": 0, "agreed": 0, "expected": 0}}, "run one's rows is not a number from 1 to"),
        ({"one": {"rows": 40, "agreed": 41, "expected": 36}}, "run one's agreed is not a number from 0 to 40"),
        ({"one": {"rows": 40, "agreed": 5, "expected": 41}}, "run one's expected is not a number from 0 to 40"),
        ({"one": {"rows": 40, "agreed": 5, "expected": math.nan}}, "run one's expected is not a number from 0 to 40"),
        ({"one": {"rows": 40, "agreed": 5}}, "run one's expected is missing"),
        ({"one": {"rows": 4.5, "agreed": 0, "expected": 4}}, "run one's rows is 4.5, not a whole number"),
        ({"one": {"rows": 40, "agreed": 29, "expected": 36}}, "run one is said to contradict the champion: 29 of 40 rows agree, and 36 should"),
        ({"one": {"rows": 200, "agreed": 5, "expected": 180}, "two": {"rows": 101, "agreed": 5, "expected": 90}}, "the runs that contradict the champion have 301 rows, and the holdout has 300"),
        ({"one": {"rows": 40, "agreed": 5, "expected": 36}, "two": {}}, "run two's rows is missing"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)  # fmt: skip
def test_what_does_not_say_how_a_run_contradicts_never_promotes(runs: Any, objection: str) -> None:
    evaluation = against()
    evaluation["comparison"]["contradicting_runs"] = runs
    verdict = judged(evaluation)
    assert verdict.status == "Rejected"
    [reason] = verdict.reasons
    assert reason.startswith(objection)


@pytest.mark.parametrize("compared", ["2", "4", "30"])
def test_a_comparison_with_an_older_or_newer_version_never_promotes(compared: str) -> None:
    evaluation = against()
    evaluation["champion"]["version"] = compared
    assert judged(evaluation).reasons == (
        f"the candidate was compared with version {compared}, but the champion is version 3",
    )


def test_runs_that_contradict_may_be_the_whole_holdout() -> None:
    assert judged(contradicted(one=(300, 20, 270.0))).status == "PendingManualApproval"


def test_a_first_model_has_nothing_to_be_compared_with() -> None:
    assert judge(first(), POLICY, run_id="r", champion_version="none", unfamiliar=[["Loan"]]).status == "Approved"


@pytest.mark.parametrize(
    ("change", "objection"),
    [
        ({"holdout": holdout(fraud=99)}, "the holdout has 99 rows; at least 100 are needed"),
        ({"candidate": measured(macro_f1=0.599)}, "macro-F1 0.599 is under the floor of 0.600"),
        ({"candidate": measured(expected_calibration_error=0.051)}, "calibration error 0.051 is over the limit of 0.050"),
        (
            {"candidate": measured(expected_calibration_error=0.09, expected_calibration_error_by_chance=0.08)},
            "calibration error 0.090 is over the limit of 0.080",
        ),
        ({"leakage": {"rows": 20}}, "20 of 320 holdout rows are near-copies of training rows: the split does not hold"),
    ],
)
@pytest.mark.parametrize("champion", [False, True])
def test_floors_hold_with_and_without_a_champion(change: dict[str, Any], objection: str, *, champion: bool) -> None:
    evaluation = {**first(), **change}
    if champion:
        versus = against(candidate=evaluation["candidate"], fraud=(0, 0, evaluation["holdout"]["rows"]))
        evaluation |= {part: versus[part] for part in ("champion", "comparison")}
    verdict = judged(evaluation, "3" if champion else "none")
    assert verdict.status == "Rejected"
    assert verdict.reasons == (objection,)


def test_a_limit_itself_is_within_the_limit() -> None:
    edge = first(
        holdout=holdout(fraud=190),
        leakage={"rows": 10},
        candidate=measured(macro_f1=0.6, expected_calibration_error=0.05),
    )
    assert judged(edge, "none").status == "Approved"
    assert judged(first(holdout=holdout(fraud=100)), "none").status == "Approved"


def test_what_chance_gives_on_few_rows_is_no_lack_of_calibration() -> None:
    few = first(candidate=measured(expected_calibration_error=0.09, expected_calibration_error_by_chance=0.1))
    assert judged(few, "none").status == "Approved"


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
def test_worse_is_what_chance_does_not_explain(difference: float, interval: tuple[float, float], status: str) -> None:
    verdict = judged(against(difference, interval))
    assert verdict.status == status
    digits = 4 if interval[1] == -0.0001 else 3
    assert f"{interval[0]:+.{digits}f} to {interval[1]:+.{digits}f}" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ((5, 5, 40), "Approved"),
        ((4, 0, 30), "Approved"),  # 13 points, and four rows in a row come of chance in 6% of cases
        ((5, 0, 30), "Rejected"),
        ((5, 0, 5), "Rejected"),  # a small label that is forgotten
        ((1, 0, 1), "Approved"),  # one row says nothing
        ((9, 0, 100), "Approved"),  # certain, and within the limit
        ((11, 0, 100), "Rejected"),
    ],
)
def test_no_label_may_be_sacrificed(change: tuple[int, int, int], status: str) -> None:
    verdict = judged(against(0.01, (-0.01, 0.03), access=change))
    assert verdict.status == status
    assert ("recall of access falls" in verdict.reasons[0]) == (status == "Rejected")


def test_a_champion_that_cannot_be_read_leaves_it_to_a_person() -> None:
    evaluation = first(champion={"version": "3", "error": "champion: weights.npy was changed after training"})
    verdict = judged(evaluation)
    assert verdict.status == "PendingManualApproval"
    assert "weights.npy was changed" in verdict.reasons[1]
    below = {**evaluation, "candidate": measured(macro_f1=0.1)}
    assert judged(below).status == "Rejected"


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
def test_without_a_comparison_with_the_champion_nothing_is_promoted(evaluation: Any) -> None:
    assert judged(evaluation).status == "Rejected"


def changed(*path_and_value: Any, evaluation: Any = None) -> dict[str, Any]:
    """An evaluation against version 3 with another value in one place."""
    *path, last, value = path_and_value
    evaluation = copy.deepcopy(evaluation or against(0.02, (0.01, 0.03), access=(2, 3, 100)))
    place = evaluation
    for step in path:
        place = place[step]
    place[last] = value
    return evaluation


@pytest.mark.parametrize(
    ("evaluation", "objection"),
    [
        (changed("run_id", "other"), "the evaluation is of run other, not of r"),
        (changed("run_id", "s"), "the evaluation is of run s, not of r"),
        (changed("run_id", None), "the evaluation's run_id is missing or not text"),
        (changed("holdout", "rows", 300.5), "the holdout's rows is 300.5, not a whole number"),
        (changed("holdout", "rows", 301), "the holdout has 301 rows and its labels have 300"),
        (changed("holdout", "rows", 299), "the holdout has 299 rows and its labels have 300"),
        (changed("holdout", "labels", "fraud", 0), "the label fraud's rows is not a number from 1 to"),
        (
            first(candidate=measured(answered_share=0.7, answered_precision=0.95, accuracy=0.6649)),
            "an accuracy of 0.6649 contradicts a precision of 0.95 on a share of 0.7",
        ),
        (
            first(candidate=measured(answered_share=0.7, answered_precision=0.95, accuracy=0.9651)),
            "an accuracy of 0.9651 contradicts a precision of 0.95 on a share of 0.7",
        ),
        (against(0.13, (0.01, 0.06)), "the difference in macro-F1 is +0.130000 and its interval +0.010000 to +0.060000"),
        (against(-0.05, (0.01, 0.06)), "the difference in macro-F1 is -0.050000 and its interval +0.010000 to +0.060000"),
        (changed("leakage", "rows", 0.4), "the leakage check's rows is 0.4, not a whole number"),
        (changed("holdout", "fingerprint", "e" * 63), "the holdout's fingerprint is not a SHA-256 digest"),
        (changed("candidate", "data_fingerprint", "none"), "the candidate's data_fingerprint is not a SHA-256 digest"),
        (changed("candidate", "code_version", None), "the candidate's code_version is missing or not text"),
        (changed("candidate", "accuracy", None), "the candidate's accuracy is missing"),
        (changed("candidate", "log_loss", math.inf), "the candidate's log_loss is not a number from 0 to 1e+09"),
        (
            changed("candidate", "answered_precision", 0.0),
            "an accuracy of 0.85 contradicts a precision of 0 on a share of 0.7",
        ),
        (
            changed("candidate", "macro_f1_interval", [0.9, 0.7]),
            "the candidate's macro_f1_interval is not a pair of numbers from 0 to 1, the lower one first",
        ),
        (
            changed("comparison", "interval", [0.4, 0.0]),
            "the comparison's interval is not a pair of numbers from -1 to 1, the lower one first",
        ),
        (
            changed("comparison", "macro_f1_difference", -0.02, evaluation=against(0.02, (-0.03, 0.03))),
            "macro-F1 is reported to change by -0.020000, from 0.780000 to 0.800000",
        ),
        (
            against(-0.2, (-0.02, 0.02)),
            "the difference in macro-F1 is -0.200000 and its interval -0.020000 to +0.020000",
        ),
        (changed("comparison", "recall", {}), "the change of recall of access is missing"),
        (
            changed("comparison", "recall", {"fraud": recall(0, 0, 200)}),
            "the change of recall of access is missing",
        ),
        (
            changed("comparison", "recall", "gone", recall(0, 0, 1)),
            "recall of gone is compared, but the holdout has no row of it",
        ),
        (
            changed("comparison", "recall", "access", recall(60, 50, 100)),
            "60 rows lost and 50 gained of 100: more than the label has",
        ),
        (
            changed("comparison", "recall", "access", {**recall(20, 0, 100), "difference": 0.0}),
            "20 rows lost and 0 gained of 100 do not change recall by +0.000000",
        ),
        (
            changed("comparison", "recall", "access", {**recall(100, 0, 100), "p_value": 1.0}),
            "100 rows lost and 0 gained of 100 contradict a p-value of 1.000000: it must be from 0.000000 to 0.000000",
        ),
        (
            changed("comparison", "recall", "access", {**recall(2, 3, 100), "p_value": 0.4}),
            "2 rows lost and 3 gained of 100 contradict a p-value of 0.400000: it must be from 0.500000 to 1.000000",
        ),
        (
            changed("comparison", "recall", "access", {**recall(0, 3, 100), "p_value": 0.9}),
            "0 rows lost and 3 gained of 100 contradict a p-value of 0.900000: it must be from 1.000000 to 1.000000",
        ),
        (changed("schema_version", 1), "the evaluation has version 1 and the gate reads version 2: evaluate in a new run"),
        (changed("schema_version", 3), "the evaluation has version 3 and the gate reads version 2: evaluate in a new run"),
        (changed("comparison", "lower_recall", None), "the evaluation has no lower_recall"),
        (
            changed("comparison", "lower_recall", "max_drop", 0.15),
            "recall was tested for falls of more than 0.15, but the settings allow 0.1: evaluate in a new run",
        ),
        (
            changed("comparison", "lower_recall", "labels", {"gone": 0.01}),
            "recall of gone is reported to be lower, but is not compared",
        ),
        (
            changed("comparison", "lower_recall", "labels", {"access": 0.8125}),
            "recall of access is reported to be lower, but it changes by +0.010 with p 0.812500",
        ),
        (
            changed("comparison", "lower_recall", "labels", {}, evaluation=against(access=(30, 0, 100))),
            "recall of access falls by 0.300 with p 0.000000, and is not reported",
        ),
        (
            changed("comparison", "lower_recall", "labels", {"access": 0.04}, evaluation=against(access=(30, 0, 100))),
            "recall of access is reported to be lower, but it changes by -0.300 with p 0.000000",
        ),
        (changed("champion", "version", "2"), "the candidate was compared with version 2, but the champion is version 3"),
        (changed("champion", "version", 3), "the champion's version is missing or not text"),
        (changed("champion", "error", ""), "the champion's error is missing or not text"),
        (
            changed("champion", "error", "champion: damaged"),
            "there is a comparison with a champion that could not be read",
        ),
    ],
)
def test_an_evaluation_that_lacks_a_part_or_contradicts_itself_is_refused(evaluation: Any, objection: str) -> None:
    verdict = judged(evaluation, "3" if evaluation["champion"] else "none")
    assert verdict.status == "Rejected"
    assert objection in verdict.reasons[0]


@pytest.mark.parametrize("part", ["champion", "comparison"])
def test_a_first_candidate_was_compared_with_nothing(part: str) -> None:
    verdict = judged(first(**{part: against()[part]}), "none")
    assert verdict.status == "Rejected"
    assert verdict.reasons == ("the candidate was compared with a champion, but this run was planned without one",)


def test_an_empty_holdout_is_one_objection() -> None:
    """What Evaluate writes then: nulls, which nobody needs to be told one by one."""
    nothing = dict.fromkeys(measured())
    verdict = judged(first(holdout=holdout(), candidate=nothing), "none", min_holdout_rows=0)
    assert verdict.reasons == ("the holdout has 0 rows; at least 1 are needed",)


@pytest.mark.parametrize("accuracy", [0.665, 0.965])
def test_the_rows_that_are_not_answered_may_all_be_wrong_or_all_be_right(accuracy: float) -> None:
    candidate = measured(answered_share=0.7, answered_precision=0.95, accuracy=accuracy)
    assert judged(first(candidate=candidate), "none").status == "Approved"


def test_a_label_that_cannot_be_counted_is_one_objection() -> None:
    verdict = judged(first(holdout={**holdout(fraud=300), "labels": {"fraud": 300, "fees": "x"}}), "none")
    assert verdict.reasons == ("the label fees's rows is not a number",)


def test_a_model_that_answers_nothing_has_no_precision() -> None:
    candidate = measured(threshold=1.0, answered_share=0.0, answered_precision=None)
    assert judged(first(candidate=candidate), "none").status == "Approved"


@pytest.mark.parametrize(
    ("evaluation", "sentence"),
    [
        (first(candidate=measured(macro_f1=0.5996)), "macro-F1 0.5996 is under the floor of 0.6000"),
        (first(candidate=measured(macro_f1=0.599999)), "macro-F1 0.599999 is under the floor of 0.600000"),
        (first(candidate=measured(macro_f1=0.6)), "macro-F1 0.600 is at or over the floor of 0.600"),
        (first(), "macro-F1 0.800 is at or over the floor of 0.600"),
        (first(), "calibration error 0.020 is within the limit of 0.050"),
        (first(candidate=measured(expected_calibration_error=0.05)), "calibration error 0.050 is within the limit of 0.050"),
        (first(leakage={"rows": 3}), "3 of 303 holdout rows are near-copies of training rows"),
        (
            against(0.03, (0.01, 0.05)),
            "macro-F1 is 0.030 above the 0.770 (95% interval +0.010 to +0.050) of version 3: within what chance explains",
        ),
        (
            first(candidate=measured(expected_calibration_error=0.0504)),
            "calibration error 0.0504 is over the limit of 0.0500",
        ),
        (
            against(access=(201, 0, 2003), fraud=(0, 0, 10)),
            "recall of access falls by 0.1003, more than 0.1000 and more than chance explains",
        ),
        (against(access=(20, 0, 200)), "recall of access changes by -0.100"),
        (against(access=(4, 0, 30)), "recall of access changes by -0.133: within what chance explains"),
        (
            against(-0.0004, (-0.02, -0.000001)),
            "macro-F1 is 0.000400 below the 0.800 (95% interval -0.020000 to -0.000001) of version 3: "
            "worse by more than chance explains",
        ),
        (
            against(0.0, (-0.02, -0.0)),
            "macro-F1 is equal to the 0.800 (95% interval -0.020 to +0.000) of version 3: within what chance explains",
        ),
        (
            against(**{"a\nlabel\x00 " + "x" * 300: (30, 0, 100)}),
            f"recall of a label {'x' * 51}… falls by 0.300, more than 0.100 and more than chance explains",
        ),
    ],
)
def test_a_sentence_shows_what_it_says(evaluation: Any, sentence: str) -> None:
    verdict = judged(evaluation, "3" if evaluation["champion"] else "none")
    assert sentence in [check.message for check in verdict.checks]


def test_every_objection_is_said_and_every_number_kept() -> None:
    candidate = measured(macro_f1=0.5, expected_calibration_error=0.2)
    evaluation = against(-0.2, (-0.3, -0.1), candidate, access=(20, 0, 40))
    verdict = judged(evaluation)
    assert len(verdict.reasons) == 4
    kept = {check.name: (check.value, check.limit) for check in verdict.checks}
    assert kept["macro_f1"] == (0.5, 0.6)
    assert kept["expected_calibration_error"] == (0.2, 0.05)
    assert kept["macro_f1_difference"] == (-0.2, None)
    assert kept["recall: access"] == (-0.5, -0.1)
    assert kept["holdout_rows"] == (300, 100)
    assert kept["leaked_share"] == (0, 0.05)


SHARES = (
    "accuracy",
    "macro_f1",
    "expected_calibration_error",
    "expected_calibration_error_by_chance",
    "coverage_at_target_precision",
    "threshold",
    "answered_share",
    "answered_precision",
)
# Every number that the decision or the package rests on, and where it has to lie.
NUMBERS: dict[tuple[Any, ...], tuple[float, float]] = {
    ("schema_version",): (2, 2),
    ("target_precision",): (0, 1),
    ("holdout", "rows"): (1, math.inf),
    ("holdout", "labels", "fraud"): (1, math.inf),
    ("leakage", "rows"): (0, math.inf),
    **{("candidate", name): (0, 1) for name in SHARES},
    **{("candidate", name, end): (0, 1) for name in ("accuracy_interval", "macro_f1_interval") for end in (0, 1)},
    ("candidate", "log_loss"): (0, 1e9),
    ("candidate", "training_rows"): (1, math.inf),
    ("champion", "macro_f1"): (0, 1),
    ("comparison", "macro_f1_difference"): (-1, 1),
    ("comparison", "interval", 0): (-1, 1),
    ("comparison", "interval", 1): (-1, 1),
    ("comparison", "p_value"): (0, 1),
    ("comparison", "rows_answered_differently"): (0, 300),
    ("comparison", "recall", "fraud", "difference"): (-1, 1),
    ("comparison", "recall", "fraud", "p_value"): (0, 1),
    ("comparison", "recall", "fraud", "lost"): (0, 300),
    ("comparison", "recall", "fraud", "gained"): (0, 300),
    ("comparison", "lower_recall", "max_drop"): (0.1, 0.1),
}
PARTS = [
    *(("candidate", name) for name in ("accuracy_interval", "macro_f1_interval", "data_fingerprint")),
    ("comparison", "interval"),
    ("comparison", "recall"),
    ("comparison", "recall", "fraud"),
    ("comparison", "lower_recall"),
    ("holdout", "labels"),
    ("holdout", "fingerprint"),
    ("champion", "version"),
    ("run_id",),
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


@pytest.mark.parametrize("path", [*NUMBERS, *PARTS], ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:12])
def test_what_is_no_number_never_promotes(path: tuple[Any, ...], value: Any) -> None:
    for mode in ("automatic", "manual"):
        verdict = judged(_replaced(path, value), mode=mode)
        assert verdict.status == "Rejected", value
        assert all(verdict.reasons)
    json.dumps([check.value for check in verdict.checks], allow_nan=False)  # promotion.json can be written


OUTSIDE = [(path, low - 0.001) for path, (low, _) in NUMBERS.items()] + [
    (path, high + 0.001) for path, (_, high) in NUMBERS.items() if high < math.inf
]


@pytest.mark.parametrize(
    ("path", "value"), OUTSIDE, ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None
)
def test_a_number_just_out_of_its_range_never_promotes(path: tuple[Any, ...], value: float) -> None:
    verdict = judged(_replaced(path, value))
    assert verdict.status == "Rejected"
    if path[0] in ("candidate", "leakage") and isinstance(path[-1], str):
        assert any(f"{path[-1]} is not a number from" in reason for reason in verdict.reasons), verdict.reasons


@pytest.mark.parametrize("difference", [0.06, -0.06])
def test_an_interval_may_miss_the_difference_by_its_width(difference: float) -> None:
    assert judged(against(difference, (-0.02, 0.02))).status == "Approved"


@pytest.mark.parametrize("value", [value for value in NO_NUMBERS if value != {}], ids=lambda value: repr(value)[:12])
def test_what_does_not_name_the_labels_with_lower_recall_never_promotes(value: Any) -> None:
    """No label at all, `{}`, is a result; a p-value that is not a number is not."""
    assert judged(_replaced(("comparison", "lower_recall", "labels"), value)).status == "Rejected"
    assert judged(_replaced(("comparison", "lower_recall", "labels"), {"fraud": value})).status == "Rejected"
    assert judged(_replaced(("comparison", "lower_recall", "labels"), {})).status == "Approved"


@pytest.mark.parametrize("change", [{}, {"schema_version": 1}])
def test_an_evaluation_of_an_earlier_version_is_refused_by_its_version(change: dict[str, Any]) -> None:
    """It has no `lower_recall`; before 0.2.0 it has no `schema_version` either."""
    evaluation = first(**change)
    if not change:
        del evaluation["schema_version"]
    assert judged(evaluation, "none").reasons == (
        "the evaluation has version 1 and the gate reads version 2: evaluate in a new run",
    )


@pytest.mark.parametrize("part", ["holdout", "leakage", "candidate", "champion", "comparison"])
@pytest.mark.parametrize("value", [None, math.nan, "text", 1, [], True])
def test_what_is_no_part_never_promotes(part: str, value: Any) -> None:
    assert judged({**against(), part: value}).status == "Rejected"


@pytest.mark.parametrize("document", [None, [], "x", 3, math.nan, {}])
def test_what_is_no_evaluation_never_promotes(document: Any) -> None:
    for version in ("none", "3"):
        assert judged(document, version).status == "Rejected"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _sound(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


@pytest.mark.slow
def test_whatever_stands_in_the_evaluation_only_sound_numbers_promote() -> None:
    """Any JSON in any place: no crash, and an approval only where the value there is a number that may be."""

    @settings(max_examples=400, deadline=None)
    @given(path=st.sampled_from(list(NUMBERS)), value=ANYTHING)
    def check(path: tuple[Any, ...], value: Any) -> None:
        verdict = judged(_replaced(path, value))
        if verdict.status != "Rejected":
            assert _sound(value, *NUMBERS[path])

    check()


@pytest.mark.slow
def test_a_whole_evaluation_of_anything_never_promotes() -> None:
    @settings(max_examples=200, deadline=None)
    @given(document=ANYTHING)
    def check(document: Any) -> None:
        assert judged(document).status == "Rejected"

    check()
