"""Live accuracy: by hand on small examples with real Spark, and its bias and coverage by simulation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import numpy as np
import pytest
from complaints_etl.publish.live_accuracy import Cell, Stratum, combine, live_accuracy, wilson
from complaints_etl.publish.live_rows import ANSWER_COLUMNS, Samples, count, truths
from complaints_etl.publish.live_runs import Buckets, measure_live
from complaints_etl.publish.review import AUDIT_SAMPLE, NEW_THEME, NOT_ANSWERED, RANDOM_EVERY, UNCERTAIN, with_random
from moto import mock_aws
from pyspark.sql import SparkSession

from ptmlops_contracts.keys import PreparedKeys
from ptmlops_contracts.live import LiveAccuracy

MARCH, APRIL, MAY, JUNE = (f"2026{month:02}01-120000-0000000{month}" for month in (3, 4, 5, 6))


def cell(run_id: str = MARCH, *, doubtful: bool = False, label: str = "fees", version: str = "3", **counts: int) -> Cell:
    return Cell(run_id=run_id, model_version=version, doubtful=doubtful, label=label, **counts)


def figures(*cells: Cell, held_out: float | None = None) -> LiveAccuracy:
    measured = {"accuracy": held_out, "accuracy_interval": [(held_out or 0) - 0.01, (held_out or 0) + 0.01]}
    [found] = live_accuracy(cells, run_id=JUNE, held_out={"3": measured} if held_out else {})
    return found


def test_each_class_counts_by_its_answers_and_not_by_what_came_back() -> None:
    found = figures(
        cell(answers=900, returned=20, right=19, sampled=20, sampled_right=19),
        cell(answers=100, doubtful=True, returned=60, right=24, sampled=20, sampled_right=10),
    )
    # .9 * 19/20 + .1 * 10/20; of the doubtful ones only the random sample counts. Unweighted, 43 of 80 would be .54.
    assert found["accuracy"] == pytest.approx(0.9 * 0.95 + 0.1 * 0.5)
    assert (found["certain"]["accuracy"], found["doubtful"]["accuracy"]) == (0.95, 0.5)
    assert (found["answers"], found["returned"], found["checked"]) == (1000, 80, 40)
    # Wilson: 19 of 20 is .764 to .991, 10 of 20 is .299 to .701. Distances .186 and .041, .201 and .201, weighted and combined.
    assert found["accuracy_interval"] == pytest.approx([0.905 - 0.1686, 0.905 + 0.0420], abs=5e-4)


def test_a_stratum_that_came_back_whole_counts_whole() -> None:
    found = figures(
        cell(answers=900, returned=20, right=19, sampled=20, sampled_right=19),
        cell(answers=100, doubtful=True, returned=95, right=38, sampled=20, sampled_right=10),
    )
    assert found["doubtful"]["accuracy"] == 0.4
    assert found["checked"] == 115


def test_runs_count_by_their_answers() -> None:
    found = figures(
        cell(MARCH, answers=9_000, returned=50, right=45, sampled=50, sampled_right=45),
        cell(APRIL, answers=1_000, returned=50, right=25, sampled=50, sampled_right=25),
    )
    assert found["accuracy"] == pytest.approx(0.9 * 0.9 + 0.1 * 0.5)
    # The interval is that of 1 / (.81 / 50 + .01 / 50) = 61 rows, not of 100.
    assert found["accuracy_interval"] == pytest.approx(wilson(0.86, 1 / (0.82 / 50)), abs=1e-4)


def test_a_run_of_which_nothing_came_back_does_not_count() -> None:
    of_march = cell(MARCH, answers=100, returned=40, right=36, sampled=40, sampled_right=36)
    assert figures(of_march, cell(APRIL, answers=100_000)) == figures(of_march)


def test_labels_are_estimated_by_themselves() -> None:
    found = figures(
        cell(label="fees", answers=800, returned=20, right=20, sampled=20, sampled_right=20),
        cell(label="fees", answers=200, doubtful=True, returned=10, right=5, sampled=10, sampled_right=5),
        cell(label="loan", answers=100, returned=4, right=2, sampled=4, sampled_right=2),
        cell(label="card", answers=50),
    )
    assert found["labels"]["fees"]["accuracy"] == pytest.approx(0.8 * 1 + 0.2 * 0.5)
    assert found["labels"]["loan"] == {"answers": 100, "checked": 4, "accuracy": None, "accuracy_interval": None}
    assert set(found["labels"]) == {"fees", "loan"}


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([cell(answers=500, returned=29, right=29, sampled=29, sampled_right=29)], "29 rows are too few"),
        (
            [
                cell(answers=500),
                cell(answers=500, doubtful=True, returned=100, right=50, sampled=100, sampled_right=50),
            ],
            "half of the answers, the certain ones, were not checked",
        ),
        ([cell(answers=500, returned=200, right=150)], "none of them is of the random sample, nor did all come back"),
    ],
)
def test_too_little_gives_no_figure(cells: list[Cell], why: str) -> None:
    found = figures(*cells, held_out=0.9)
    assert (found["accuracy"], found["accuracy_interval"], found["fall"]) == (None, None, None), why
    assert found["returned"] == sum(one.returned for one in cells)


def test_a_small_unchecked_class_widens_the_interval_to_both_extremes() -> None:
    whole, part = combine([[Stratum(970, 97, 90)]]), combine([[Stratum(970, 97, 90)], [Stratum(30, 0, 0)]])
    assert whole is not None
    assert part is not None
    assert part.share == pytest.approx(whole.share)
    assert part.low < whole.low
    assert part.high > whole.high
    assert combine([[Stratum(940, 97, 90)], [Stratum(60, 0, 0)]]) is None


def test_a_fall_is_reported_only_beyond_chance() -> None:
    checked = cell(answers=1000, returned=200, right=160, sampled=200, sampled_right=160)
    assert figures(checked, held_out=0.92)["fall"] == pytest.approx(0.12)
    assert figures(checked, held_out=0.84)["fall"] == 0
    assert figures(checked, held_out=0.7)["fall"] == 0
    assert figures(checked)["fall"] is None


def test_versions_are_told_apart_and_the_newest_comes_first() -> None:
    row = {"answers": 100, "returned": 40, "sampled": 40}
    found = live_accuracy(
        [cell(version=version, right=right, sampled_right=right, **row) for version, right in (("9", 20), ("10", 40))]
        + [cell(version="11", answers=100)],
        run_id=JUNE,
        held_out={},
    )
    assert [(one["model_version"], one["accuracy"]) for one in found] == [("10", 1.0), ("9", 0.5)]


@pytest.mark.slow
def test_answers_are_found_by_id_or_text_and_counted_by_stratum_and_sample(spark: SparkSession) -> None:
    """March answered 14 complaints, April 3. Their labels came in May and June, before and after other files."""

    def drawn(run_id: str, names: list[str], size: int) -> set[str]:
        return set(sorted(names, key=lambda name: hashlib.sha256(f"{run_id}{name}".encode()).hexdigest())[:size])

    certain, doubtful = [f"march-{n:02}" for n in range(10)], [f"march-{n:02}" for n in range(10, 14)]
    answers = [
        *((MARCH, name, f"g-{name}", "fees", name in doubtful, "3") for name in (*certain, *doubtful)),
        (APRIL, "17", "g-short", "loan", False, "3"),
        (APRIL, "c-00000001", "g-moved", "loan", False, "3"),
        (APRIL, "april-late", "g-late", "loan", False, "4"),
    ]
    records = [
        # run_id, complaint_id, group_id, status, label, label_original, flags
        *((MAY, name, f"g-{name}", "accepted", "fees", "fees", []) for name in certain[:6]),
        (MAY, certain[6], "edited text", "accepted", "loan", "loan", []),  # a long id is enough
        (MAY, doubtful[0], f"g-{doubtful[0]}", "accepted", None, "brand new", ["rare_label"]),  # no label of the model: wrong
        (MAY, doubtful[1], f"g-{doubtful[1]}", "accepted", "loan", "loan", []),
        (JUNE, doubtful[1], f"g-{doubtful[1]}", "accepted", "fees", "fees", []),  # corrected: the newest label counts
        (JUNE, doubtful[2], f"g-{doubtful[2]}", "accepted", None, None, []),  # uploaded again without a label
        (MAY, doubtful[3], f"g-{doubtful[3]}", "duplicate", "fees", "fees", []),
        (MAY, "17", "g-of-another-file", "accepted", "fees", "fees", []),  # the row 17 of a file about something else
        (MAY, "c-00000002", "g-moved", "accepted", "loan", "loan", []),  # the same text under another id
        (MARCH, "april-late", "g-late", "accepted", "loan", "loan", []),  # labelled before it was answered
    ]  # fmt: skip
    schema = "run_id string, complaint_id string, group_id string, status string, label string, label_original string, flags array<string>"
    samples = {MARCH: Samples(certain=4, doubtful=2), APRIL: Samples(certain=2, doubtful=0)}
    found = count(spark.createDataFrame(answers, ANSWER_COLUMNS), truths(spark.createDataFrame(records, schema)), samples)

    certain_sample, doubtful_sample = drawn(MARCH, certain, 4), drawn(MARCH, doubtful, 2)
    right, wrong = set(certain[:6]), {certain[6]}
    april_sample = drawn(APRIL, ["17", "c-00000001"], 2)
    assert sorted(found, key=lambda one: (one.run_id, one.doubtful, one.model_version)) == [
        cell(MARCH, answers=10, returned=7, right=6, sampled=len(certain_sample & (right | wrong)), sampled_right=len(certain_sample & right)),
        cell(
            MARCH, doubtful=True, answers=4, returned=2, right=1, sampled=len(doubtful_sample & set(doubtful[:2])),
            sampled_right=len(doubtful_sample & {doubtful[1]}),
        ),
        cell(APRIL, label="loan", answers=2, returned=1, right=1, sampled=len(april_sample & {"c-00000001"}), sampled_right=1),
        cell(APRIL, label="loan", version="4", answers=1),
    ]  # fmt: skip


@pytest.mark.slow
def test_the_figures_of_answers_and_labels_are_those_computed_by_hand(spark: SparkSession) -> None:
    """80 certain answers, of which an audit sample of 25 came back, and 20 doubtful ones, of which all came back."""
    names = sorted(
        (f"certain-{n:03}" for n in range(80)), key=lambda name: hashlib.sha256(f"{MARCH}{name}".encode()).hexdigest()
    )
    doubtful = [f"doubtful-{n:03}" for n in range(20)]
    answers = [(MARCH, name, name, "fees" if place % 2 else "loan", False, "3") for place, name in enumerate(names)]
    answers += [(MARCH, name, name, "fees", True, "3") for name in doubtful]
    # The sample is right but for its first two rows, a loan and fees. Ten more certain answers came back, all wrong: they do not count.
    wrong = {*names[:2], *names[25:35], *doubtful[:8]}
    labelled = [
        (JUNE, name, name, "card" if name in wrong else label) for _, name, _, label, _, _ in answers if name not in names[35:]
    ]
    cells = count(
        spark.createDataFrame(answers, ANSWER_COLUMNS),
        spark.createDataFrame(labelled, "run_id string, complaint_id string, group_id string, truth string"),
        {MARCH: Samples(certain=25, doubtful=4)},
    )
    found = figures(*cells, held_out=0.97)

    # Certain: 23 of 25. Doubtful: 12 of 20. Weights .8 and .2. Unweighted, 35 of the 55 that came back are right: .64.
    assert (found["returned"], found["checked"], found["answers"]) == (55, 45, 100)
    assert found["accuracy"] == pytest.approx(0.8 * 23 / 25 + 0.2 * 12 / 20) == pytest.approx(0.856)
    # Wilson: .750 to .978 and .387 to .781. sqrt((.8 * .170)² + (.2 * .213)²) = .1426; sqrt((.8 * .0578)² + (.2 * .181)²) = .0588.
    assert found["accuracy_interval"] == pytest.approx([0.856 - 0.1426, 0.856 + 0.0588], abs=1e-3)
    # Loans: 12 of the sample's 13. Fees: 11 of 12 certain ones (weight 40 of 60), and 12 of 20 doubtful ones.
    assert found["labels"]["loan"]["accuracy"] == pytest.approx(12 / 13, abs=1e-4)
    assert found["labels"]["fees"]["accuracy"] == pytest.approx(40 / 60 * 11 / 12 + 20 / 60 * 12 / 20, abs=1e-4)
    assert found["fall"] == pytest.approx(0.97 - 0.856)


@pytest.mark.slow
def test_nothing_that_came_back_is_nothing_to_count(spark: SparkSession) -> None:
    answers = spark.createDataFrame([(MARCH, "march-01", "g", "fees", False, "3")], ANSWER_COLUMNS)
    schema = "run_id string, complaint_id string, group_id string, status string, label string, label_original string, flags array<string>"
    other = [(MAY, "may-01", "h", "accepted", "fees", "fees", [])]
    assert count(answers, truths(spark.createDataFrame(other, schema)), {}) == []


def test_every_fifth_doubtful_row_of_the_list_is_a_random_one() -> None:
    rows = [{"why": why, "name": name} for why, name in [
        *((NOT_ANSWERED, f"n{n}") for n in range(2)), (NEW_THEME, "t0"), *((UNCERTAIN, f"p{n}") for n in range(6)),
    ]]  # fmt: skip
    sample = [{"why": UNCERTAIN, "name": f"r{n}"} for n in range(3)]
    names = [row["name"] for row in with_random(iter(rows), iter(sample))]
    assert names == ["n0", "n1", "t0", "p0", "p1", "p2", "p3", "r0", "p4", "p5", "r1", "r2"]
    assert [row["name"] for row in with_random(iter(rows[:4]), iter(sample))] == ["n0", "n1", "t0", "p0", "r0", "r1", "r2"]


def test_a_run_without_labels_repeats_the_figures_of_the_last_one_that_published() -> None:
    figures_of_may = figures(cell(answers=100, returned=40, right=36, sampled=40, sampled_right=36))
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="prepared")
        for run_id, published in ((MARCH, {"scored": 9}), (APRIL, {"live_accuracy": [figures_of_may]})):
            s3.put_object(Bucket="prepared", Key=PreparedKeys(run_id).published, Body=json.dumps(published).encode())

        def found(report: dict[str, Any], *earlier: str) -> list[LiveAccuracy]:
            return measure_live(
                None, s3, Buckets(prepared="prepared", output="output"), run_id=JUNE, records=None, report=report, earlier=earlier,
                held_out={},
            )  # type: ignore[arg-type]  # nothing is read with Spark  # fmt: skip

        nothing = {"labelled": {"train": 0, "validation": 0, "test": 0}, "rare_labels": {}}
        assert found(nothing, MAY, APRIL, MARCH) == [figures_of_may], "May failed, and published nothing"
        assert found(nothing, MARCH) == []
        assert found(nothing) == []
        # With labels, but no run that answered before, there is nothing to compare.
        assert found({"labelled": {"train": 5}}, MAY) == []


@dataclass(frozen=True)
class Listed:
    """A row of a review list in the simulation."""

    why: str
    is_right: bool
    drawn: bool = False

    def __getitem__(self, name: str) -> str:
        assert name == "why"
        return self.why


def returned_list(random: np.random.Generator, run_id: str, answers: int, *, reads: int) -> Iterator[Cell]:
    """Simulate a run whose reviewer reads the first rows of the list and the audit sample, and return its cells.

    Doubtful answers are listed by priority, and answers of high priority are wrong more often.
    """
    is_doubtful = random.random(answers) < 0.2
    is_right = random.random(answers) < np.where(is_doubtful, 0.55, 0.97)
    of_doubtful = is_right[is_doubtful]
    by_priority = np.argsort(of_doubtful + random.normal(0, 0.8, len(of_doubtful)))
    drawn = set(random.permutation(len(of_doubtful))[: min(50, len(of_doubtful) // RANDOM_EVERY)].tolist())
    order = [Listed(UNCERTAIN, bool(of_doubtful[row])) for row in by_priority.tolist() if row not in drawn]
    sample = [Listed(UNCERTAIN, bool(of_doubtful[row]), drawn=True) for row in drawn]
    random.shuffle(sample)  # type: ignore[arg-type]  # a list of objects
    listed = [row for row in with_random(iter(order), iter(sample)) if row.why != AUDIT_SAMPLE]
    read, audit = listed[:reads], random.permutation(is_right[~is_doubtful])[:50]
    yield cell(
        run_id, answers=int((~is_doubtful).sum()), returned=len(audit), right=int(audit.sum()), sampled=len(audit),
        sampled_right=int(audit.sum()),
    )  # fmt: skip
    yield cell(
        run_id, doubtful=True, answers=len(of_doubtful), returned=len(read), right=sum(row.is_right for row in read),
        sampled=sum(row.drawn for row in read), sampled_right=sum(row.is_right and row.drawn for row in read),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "reads", "why"),
    [
        ([2000], 150, "a reviewer who stops early"),
        ([2000], 10_000, "a list that comes back whole"),
        ([3000, 300, 600], 60, "runs of different sizes"),
    ],
)
def test_the_estimate_is_unbiased_and_its_interval_covers(sizes: list[int], reads: int, why: str) -> None:
    random, truth = np.random.default_rng(20), 0.8 * 0.97 + 0.2 * 0.55
    estimates, covered, unweighted = [], 0, []
    for _ in range(600):
        cells = [one for run, size in enumerate(sizes) for one in returned_list(random, f"{run}", size, reads=reads)]
        found = figures(*cells)
        assert found["accuracy"] is not None
        assert found["accuracy_interval"] is not None
        low, high = found["accuracy_interval"]
        estimates.append(found["accuracy"])
        covered += low <= truth <= high
        unweighted.append(sum(one.right for one in cells) / sum(one.returned for one in cells))
    error = float(np.std(estimates)) / len(estimates) ** 0.5
    assert abs(float(np.mean(estimates)) - truth) < 3 * error, why
    assert covered / len(estimates) >= 0.945, why
    assert abs(float(np.mean(unweighted)) - truth) > 0.1, "the same rows without weights say something else"
