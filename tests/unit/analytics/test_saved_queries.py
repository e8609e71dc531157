"""Saved queries and data sets answer what they say, on files that the jobs' own code published: tests/unit/analytics/conftest.py."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import sqlglot.errors

from stacks.analytics_stack import SAVED_QUERIES
from stacks.components.quicksight import COLUMNS, data_set_sql
from tests.athena import Athena
from tests.unit.analytics.conftest import RUNS, TODAY

pytestmark = pytest.mark.slow  # the files come from Spark

QUICKSIGHT_TYPES = {
    "VARCHAR": "STRING", "DATE": "DATETIME", "DOUBLE": "DECIMAL", "INTEGER": "INTEGER", "BIGINT": "INTEGER",
}  # fmt: skip


def ask(athena: Athena, name: str, *parameters: object, today: date = TODAY) -> list[dict[str, Any]]:
    return athena.ask((SAVED_QUERIES / f"{name}.sql").read_text(encoding="utf-8"), *parameters, today=today)


def picked(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_categories_per_week(athena: Athena) -> None:
    rows = ask(athena, "categories_per_week")
    # By the week of receipt; the second run's file has no dates, so its complaints are of the run's week. r3 came twice
    # and counts once, here and below.
    assert [(str(row["week"])[:10], row["label"], row["complaints"], row["percent_of_week"]) for row in rows] == [
        ("2026-07-13", "fraud", 3, 75.0),
        ("2026-07-13", "app", 1, 25.0),
        ("2026-06-29", "fees", 2, 50.0),
        ("2026-06-29", "fraud", 2, 50.0),
        ("2026-06-22", "fees", 2, 66.7),
        ("2026-06-22", "fraud", 1, 33.3),
        ("2026-06-15", "fees", 1, 100.0),
    ]


def test_the_review_queue_is_uncertain_answers_and_the_latest_of_a_complaint(athena: Athena) -> None:
    rows = ask(athena, "review_queue")
    # r3 was uncertain in its first run and is certain in its second: nobody needs to read it any more.
    assert picked(rows, "complaint_id", "suggestion", "confidence", "second_choice", "top_terms") == [
        ("t4", "fraud", 0.45, "app", "clave"),
        ("s2", "fees", 0.64, "app", "comisión"),
        ("t5", "app", 0.71, "fees", "aplicación; cierra"),
    ]
    assert rows[0]["text"].startswith("Una persona desconocida")


def test_rejects_by_reason(athena: Athena) -> None:
    # One row of the first run, two of the third; 16 rows were read in all.
    assert ask(athena, "rejects_by_reason") == [
        {
            "reason": "empty_text",
            "rejected_rows": 3,
            "runs": 2,
            "latest_run": "20260713-140000-0000000c",
            "percent_of_rows_read": 18.75,
        }
    ]


def test_model_comparison(athena: Athena) -> None:
    rows = ask(athena, "model_comparison")
    names = ("model_version", "complaints", "mean_confidence", "percent_review", "held_out_macro_f1")
    assert picked(rows, *names) == [("2", 5, 0.782, 40.0, 0.72), ("1", 8, 0.8525, 25.0, 0.71)]
    assert picked(rows, "first_day", "last_day")[1] == (date(2026, 6, 22), date(2026, 6, 29))


def test_a_complaints_history_is_every_answer_it_got(athena: Athena) -> None:
    rows = ask(athena, "complaint_history", "r3")
    assert picked(rows, "run_id", "model_version", "label", "confidence", "needs_review") == [
        ("20260713-140000-0000000c", "2", "fees", 0.85, False),
        ("20260622-140000-0000000a", "1", "fees", 0.55, True),
    ]
    assert ask(athena, "complaint_history", "nobody's") == []


def test_amounts_are_never_added_across_currencies(athena: Athena) -> None:
    rows = ask(athena, "amounts_by_category")
    found = {
        (row["label"], row["currency"]): (row["complaints"], row["mentions"], float(row["largest"]), float(row["total"]))
        for row in rows
    }
    assert found == {
        ("fees", "COP"): (1, 1, 120_000, 120_000),
        ("fees", "USD"): (1, 1, 15.5, 15.5),
        ("fraud", "COP"): (2, 2, 2_500_000, 3_300_000),
    }
    assert {row["median"] for row in rows if row["label"] == "fees"} == {120_000, 15.5}


def test_languages(athena: Athena) -> None:
    rows = ask(athena, "languages")
    names = ("language", "complaints", "percent_of_complaints", "mean_confidence", "percent_review")
    assert picked(rows, *names) == [("es", 10, 83.3, 0.838, 30.0), ("en", 2, 16.7, 0.9, 0.0)]


def test_drift_compares_the_latest_week_with_the_four_before(athena: Athena) -> None:
    rows = ask(athena, "drift")
    assert picked(rows, "label", "this_week", "weeks_before", "percent_this_week", "percent_before", "change_in_points") == [
        ("fees", 0, 5, 0.0, 62.5, -62.5),
        ("fraud", 3, 3, 75.0, 37.5, 37.5),
        ("app", 1, 0, 25.0, 0.0, 25.0),
    ]


def test_drift_with_nothing_before_says_so(athena: Athena) -> None:
    # 90 days after the second run, only the third is looked at.
    rows = ask(athena, "drift", today=date(2026, 10, 1))
    assert picked(rows, "label", "percent_this_week", "percent_before", "change_in_points") == [
        ("app", 20.0, None, None),
        ("fees", 20.0, None, None),
        ("fraud", 60.0, None, None),
    ]


def test_confidence_distribution_adds_up_from_the_top(athena: Athena) -> None:
    rows = ask(athena, "confidence_distribution")
    assert picked(rows, "confidence_from", "complaints", "to_review", "percent_at_least_so_sure") == [
        (0.9, 7, 0, 58.3),
        (0.8, 2, 0, 75.0),
        (0.7, 1, 1, 83.3),
        (0.6, 1, 1, 91.7),
        (0.4, 1, 1, 100.0),
    ]


def test_top_terms_are_ranked_by_how_many_complaints_they_explain(athena: Athena) -> None:
    rows = ask(athena, "top_terms")
    assert [row for row in picked(rows, "label", "place", "term", "complaints", "mean_contribution") if row[1] <= 3] == [
        ("app", 1, "aplicación", 1, 2.0),
        ("app", 2, "cierra", 1, 1.0),
        ("fees", 1, "comisión", 2, 1.5),
        ("fees", 2, "cuota", 2, 1.5),
        ("fees", 3, "cobraron", 1, 2.0),
        ("fraud", 1, "clave", 1, 2.0),
        ("fraud", 2, "cloned", 1, 2.0),
        ("fraud", 3, "compras", 1, 2.0),
    ]


def test_runs_and_costs(athena: Athena) -> None:
    rows = ask(athena, "runs_and_costs")
    names = ("run_id", "rows_read", "accepted", "rejected", "scored", "needs_review", "model_version", "cost_usd")
    assert picked(rows, *names) == [
        ("20260713-140000-0000000c", 7, 5, 2, 5, 2, 2, 0.02),
        ("20260629-140000-0000000b", 4, 4, 0, 4, 1, 1, 0.02),
        ("20260622-140000-0000000a", 5, 4, 1, 4, 1, 1, 0.02),
    ]


def test_every_saved_query_has_a_test_of_its_answer_here() -> None:
    here = open(__file__, encoding="utf-8").read()  # noqa: PTH123, SIM115
    missing = [path.stem for path in SAVED_QUERIES.glob("*.sql") if f'ask(athena, "{path.stem}"' not in here]
    assert missing == []


def test_old_runs_are_not_read(athena: Athena) -> None:
    """Each query holds the partitions it reads: years later, none."""
    for path in SAVED_QUERIES.glob("*.sql"):
        parameters = ["r3"] if path.stem == "complaint_history" else []
        assert ask(athena, path.stem, *parameters, today=date(2030, 1, 1)) == [], path.stem


def test_quicksights_data_sets_are_what_their_columns_say(athena: Athena) -> None:
    for identifier, columns in COLUMNS.items():
        types = athena.types(data_set_sql(identifier, athena.database))
        assert {name: QUICKSIGHT_TYPES[kind] for name, kind in types.items()} == dict(columns)


def test_quicksights_data_sets_hold_a_row_a_complaint_and_a_row_an_amount(athena: Athena) -> None:
    complaints = athena.ask(data_set_sql("complaints", athena.database), today=TODAY)
    assert len(complaints) == 12 == len({c.name for found in RUNS.values() for c in found if c.text})
    assert sum(row["needs_review"] for row in complaints) == 3
    assert {str(row["complaint_date"]) for row in complaints if row["run_id"].endswith("b")} == {"2026-06-29"}
    amounts = athena.ask(data_set_sql("amounts", athena.database), today=TODAY)
    assert sorted((row["label"], row["currency"], row["amount"]) for row in amounts) == [
        ("fees", "COP", 120_000.0),
        ("fees", "USD", 15.5),
        ("fraud", "COP", 800_000.0),
        ("fraud", "COP", 2_500_000.0),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT labl FROM predictions",
        "SELECT label AS category, count(*) FROM predictions GROUP BY category",
        "SELECT confidence * 2 AS double_sure FROM predictions WHERE double_sure > 1",
    ],
)
def test_what_athena_would_refuse_is_refused_here(athena: Athena, sql: str) -> None:
    with pytest.raises(sqlglot.errors.OptimizeError):
        athena.ask(sql, today=TODAY)
