"""The counts of a report, from groups of rows as Spark counts them: nothing is counted twice, and no row is lost in silence."""

from __future__ import annotations

from typing import Any

import pytest
from complaints_etl.prepare_report import AccountingError, report_of
from complaints_etl.redaction import TYPES

ACCEPTED, DUPLICATE = "accepted", "duplicate"
NAMES = [f"label {number:03}" for number in range(103)]


def group(rows: int, **fields: Any) -> dict[str, Any]:
    """Return a group of accepted rows with a label to learn from."""
    plain = {
        "source_file": "a.csv", "source_version": "1", "status": ACCEPTED, "label": "app", "given_label": "app", "unknown_label": None,
        "conflict": False, "repeated": False, "split": "train", "language": "es", "flags": [], "step": 1, "n": rows,
    }  # fmt: skip
    return {**plain, **{f"redacted_{kind}": 0 for kind in TYPES}, **fields}


def rejected(rows: int, reason: str = "blank_text", unknown_label: str | None = None) -> dict[str, Any]:
    return {"source_file": "a.csv", "source_version": "1", "reason": reason, "unknown_label": unknown_label, "count": rows}


def file(read: int, key: str = "a.csv", columns: tuple[str, ...] = ("text", "label"), version: str = "1") -> dict[str, Any]:
    return {"key": key, "version_id": version, "columns": {name: name for name in columns}, "read": read}


def report(
    groups: list[dict[str, Any]], *files: dict[str, Any], counted: list[dict[str, Any]] | None = None, **more: Any
) -> Any:
    return report_of(groups, counted or [], list(files), "run", min_label_rows=10, spark="3.5.6", **more)


def test_rows_read_are_those_accepted_rejected_and_duplicates_per_file_and_in_total() -> None:
    found = report(
        [group(5), group(2, status=DUPLICATE), group(3, source_file="b.csv", label=None, given_label=None)],
        file(11),
        file(3, "b.csv", ("text",)),
        counted=[rejected(4), {**rejected(9), "reason": None}],
    )
    assert found["rows"] == {"read": 14, "accepted": 8, "rejected": 4, "duplicates": 2}
    assert [entry["rows"] for entry in found["files"]] == [
        {"read": 11, "accepted": 5, "rejected": 4, "duplicates": 2},
        {"read": 3, "accepted": 3, "rejected": 0, "duplicates": 0},
    ]
    assert "read" not in found["files"][0]
    assert found["rejects"] == {"blank_text": 4}
    assert (found["labelled"]["train"], found["to_score"]) == (5, 3)
    assert found["run_id"] == "run"
    assert found["versions"]["spark"] == "3.5.6"


@pytest.mark.parametrize("read", [4, 6])
def test_a_row_that_is_lost_or_counted_twice_stops_the_run(read: int) -> None:
    with pytest.raises(AccountingError, match=f"{read} rows were read of one file, and 5 accounted for"):
        report([group(5)], file(read))


def test_rows_of_a_file_that_nobody_read_stop_the_run() -> None:
    with pytest.raises(AccountingError, match="accepted rows are not equal to labelled rows plus rows to score"):
        report([group(5), group(2, source_file="other.csv")], file(5))


def test_two_versions_of_a_key_are_counted_apart() -> None:
    with pytest.raises(AccountingError):
        report([group(5), group(2, source_version="2")], file(2), file(5, version="2"))


def test_only_accepted_rows_are_described() -> None:
    found = report(
        [
            group(2, language="es", flags=["long"], step=3, redacted_EMAIL=4, redacted_PHONE=1, conflict=True),
            group(3, language="en", flags=["long", "mixed"], redacted_EMAIL=None, split="test", repeated=True),
            group(7, status=DUPLICATE, language="pt", flags=["long"], redacted_EMAIL=9, conflict=True),
        ],
        file(12),
    )
    assert found["languages"] == {"en": 3, "es": 2}
    assert found["flags"] == {"long": 5, "mixed": 3}
    assert found["redactions"] == {"EMAIL": 4, "PHONE": 1}
    assert found["conflicting_texts"] == 2
    assert found["labels"] == {"app": 5}
    assert found["labelled"] == {"train": 2, "validation": 0, "test": 3}
    assert found["labelled_repeated"] == {"train": 0, "validation": 0, "test": 3}
    assert found["characters"]["up_to_50"] == 3
    assert found["characters"]["over_100"] == 2
    assert sum(found["characters"].values()) == 5


@pytest.mark.parametrize(
    ("step", "name", "why"),
    [
        (1, "up_to_50", "1 to 50 characters"),
        (2, "over_50", "51 to 100 characters"),
        (3, "over_100", "101 to 150 characters"),
        (4, "over_100", "151 to 200 characters"),
        (5, "over_200", "201 to 250 characters"),
        (10, "over_200", "451 to 500 characters"),
        (11, "over_500", "501 to 550 characters"),
        (20, "over_500", "951 to 1,000 characters"),
        (21, "over_1000", "1,001 to 1,050 characters"),
        (40, "over_1000", "1,951 to 2,000 characters"),
        (41, "over_2000", "2,001 to 2,050 characters"),
        (100, "over_2000", "4,951 to 5,000 characters"),
        (101, "over_5000", "5,001 to 5,050 characters"),
        (200, "over_5000", "9,951 to 10,000 characters"),
        (201, "over_10000", "more than the last edge"),
    ],
)
def test_lengths_are_counted_by_class(step: int, name: str, why: str) -> None:
    characters = report([group(1, step=step)], file(1))["characters"]
    assert [edge for edge, rows in characters.items() if rows] == [name], why


def test_labels_that_are_not_learned_are_counted_by_why() -> None:
    found = report(
        [
            group(2, label=None, given_label="rare"),
            group(3, label=None, given_label=None, unknown_label="other"),
            group(4, label=None, given_label=None),
            group(6, source_file="b.csv", label=None, given_label=None),
        ],
        file(10),
        file(6, "b.csv", ("text",)),
        counted=[rejected(1, "unknown_label", "other")],
    )
    assert found["rare_labels"] == {"rare": 2}
    assert found["unknown_labels"] == {"other": 4}
    assert found["blank_labels"] == 4
    assert found["to_score"] == 15
    assert found["labels"] == {}


def test_a_file_whose_labels_the_serving_model_does_not_know_is_noted() -> None:
    groups = [
        group(2, label="Fees"),
        group(1, label="Cards"),
        group(1, source_file="b.csv", label="app"),
        group(1, status=DUPLICATE),
    ]
    files = [file(4), file(1, "b.csv")]
    found = report(groups, *files, served_labels=["App", "web"])
    [note] = found["notes"]
    assert (note["code"], note["file"], note["rows"], note["column"]) == ("unfamiliar_labels", "a.csv", 3, "label")
    assert found["unfamiliar_labels"] == [["Fees", "Cards"]]
    assert report(groups, *files)["unfamiliar_labels"] == []


def test_the_most_frequent_rare_labels_are_listed_and_the_others_summed() -> None:
    groups = [group(1 if number else 2, label=None, given_label=name) for number, name in enumerate(reversed(NAMES))]
    rare = report(groups, file(104))["rare_labels"]
    assert len(rare) == 101
    assert rare[NAMES[-1]] == 2
    assert list(rare)[:-1] == sorted([*NAMES[:99], NAMES[-1]])
    assert list(rare.values())[-1] == 3
    assert len(report(groups[:100], file(101))["rare_labels"]) == 100


def test_labels_that_differ_in_case_accents_and_marks_are_variants_and_repeats_are_noted() -> None:
    groups = [group(1, label=name, given_label=name) for name in ("Crédito", "credito", "CREDITO.", "app", "?", "!")]
    found = report([*groups, group(2, repeated=True)], file(8))
    assert found["label_variants"] == [["CREDITO.", "Crédito", "credito"]]
    two = [group(1, label=name, given_label=name) for name in ("web", "Web")]
    assert report(two, file(2))["label_variants"] == [["Web", "web"]]
    [note] = [note for note in found["notes"] if note["code"] == "repeated_rows"]
    assert note["rows"] == 2
