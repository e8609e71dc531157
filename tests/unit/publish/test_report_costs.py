"""The costs in report.html: Publish writes the words, Record fills in the numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from complaints_etl.publish.report_page import Page, render
from record_run.report_costs import with_costs

from tests.unit.publish.test_report import read

JOB: Any = {"job": "j", "statuses": {}, "instance": None, "seconds": 1.0, "usd": 1.0}
PRICES = {"region": "us-east-1", "recorded": "2026-11-23", "run_region": "us-east-1"}
RUN: Any = {
    "jobs": [{**JOB, "part": part} for part in ("prepare", "prepare", "training", "evaluation", "publish")],
    "cost": {"prepare": 1234.5, "training": 0.0421, "evaluation": None, "publish": 2.0},
    "cost_usd": 1236.5421,
    "prices": PRICES,
}


def shown(html: str) -> str:
    """The section with the costs, as text."""
    structure = read(html.split("<!-- costs -->")[1].split("<!-- end of costs -->", maxsplit=1)[0])
    return " ".join(" ".join(structure.text).split())


def test_each_part_has_its_translated_name_its_jobs_and_its_cost(page: Page) -> None:
    spanish, english = (with_costs(render(dataclasses.replace(page, language=language)), RUN) for language in ("es", "en"))

    assert spanish
    assert english
    read(spanish)
    for words in (
        "Preparación 2 1.234,50",
        "Entrenamiento 1 0,0421",
        "Evaluación 1 –",
        "Publicación 1 2,00",
        "Total 5 1.236,54",
    ):
        assert words in shown(spanish)
    for words in ("Preparation 2 1,234.50", "Training 1 0.0421", "Evaluation 1 –", "Publication 1 2.00", "Total 5 1,236.54"):
        assert words in shown(english)
    assert "Clasificación" not in shown(spanish), "the run did not score"
    assert "precios de lista de us-east-1 del 2026-11-23" in shown(spanish)
    assert "No se conocen" not in shown(spanish)


@pytest.mark.parametrize(
    ("language", "words"), [("es", "No se conocen los precios de eu-west-1"), ("en", "prices of eu-west-1 are not known")]
)
def test_prices_of_another_region_are_said_to_be_so(page: Page, language: str, words: str) -> None:
    run = {**RUN, "prices": {**PRICES, "run_region": "eu-west-1"}}

    assert words in shown(with_costs(render(dataclasses.replace(page, language=language)), run) or "")  # type: ignore[arg-type]


def test_a_page_that_is_filled_again_has_the_new_costs_only(page: Page) -> None:
    first = with_costs(render(page), RUN)
    assert first

    again = with_costs(first, {**RUN, "cost": {"publish": 3.0}, "cost_usd": 3.0, "jobs": RUN["jobs"][-1:]})

    assert again
    assert "Publicación 1 3,00 Total 1 3,00" in shown(again)
    assert "Preparación" not in shown(again)


def test_a_page_without_costs_shows_nothing_of_them_and_one_of_an_earlier_version_stays(page: Page) -> None:
    assert shown(render(page)) == ""
    assert with_costs("<p>page</p>", RUN) is None
