"""The report says the run's numbers, in both languages, and believes nothing that a file or label says."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from complaints_etl.report import Page, render
from complaints_etl.report_words import WORDS
from complaints_etl.run_facts import RunFacts, drift, stability_index
from record_run import report_costs

from ptmlops_contracts.run import COST_MARK

VOID = {"wbr", "meta", "br", "circle", "rect", "line"}


class Structure(HTMLParser):
    """Elements must close in order; texts, addresses and ids are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, tag
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Structure:
    structure = Structure()
    structure.feed(html)
    structure.close()
    assert structure.open == []
    return structure


def with_costs(html: str) -> str:
    """The page as Record leaves it."""
    costs: dict[str, float | None] = {
        "prepare": 0.0147,
        "training": 0.0689,
        "evaluation": None,
        "scoring": 0.0092,
        "publish": 0.0147,
    }
    states = {"Prepare": 60.5, "Plan": 0.9, "Train": 301.2, "Evaluate": 122.4, "Promote": 1.2, "Score": 190.0, "Publish": 44.1}
    run: Any = {"cost_usd": 0.1075, "seconds": 721.4, "cost": costs, "states": states}
    return report_costs.with_costs(html, run)


def test_both_languages_have_the_same_words_with_the_same_places() -> None:
    places = {
        language: {name: sorted(re.findall(r"{(\w+)}", text)) for name, text in words.items()}
        for language, words in WORDS.items()
    }
    assert places["es"] == places["en"]


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_page_is_whole_and_needs_nothing_from_elsewhere(page: Page, language: str) -> None:
    structure = read(render(dataclasses.replace(page, language=language)))

    assert {"script", "img", "link", "iframe"}.isdisjoint({tag for tag, _ in structure.seen})
    addresses = [value for _, attributes in structure.seen for name, value in attributes.items() if name in ("src", "href")]
    assert addresses
    assert all(str(address).startswith("../../") for address in addresses)


def test_numbers_are_written_as_the_language_writes_them(page: Page) -> None:
    assert "1.250" in render(page)
    assert "1,250" in render(dataclasses.replace(page, language="en"))


def test_names_from_files_and_labels_are_text_and_never_markup(page: Page) -> None:
    html = render(page)

    assert "<de julio>" not in html
    assert "<indebidos>" not in html
    assert 'href="../../exports/run_id%3D20260715-093000-0123abcd/quejas%20%3Cde%20julio%3E%20%26%20agosto.csv"' in html


def test_each_file_leads_to_its_export_and_a_large_one_to_all_its_parts(page: Page) -> None:
    structure = read(render(page))
    own = [attributes["href"] for tag, attributes in structure.seen if tag == "a"]
    # Once where there is little to list, once beside the file; between them the review list.
    assert len(own) == 3
    assert own[0] == own[2]
    assert "150 por decidir y 50 al azar" in "".join(structure.text)
    keys = tuple(f"exports/run_id=x/a.part-{number:03d}.csv" for number in range(1, 8))
    files = [("export", key) for key in keys]
    many = dataclasses.replace(page, files=files, exports=[dataclasses.replace(page.exports[0], keys=keys)])
    structure = read(render(many))
    assert [attributes["href"] for tag, attributes in structure.seen if tag == "a"] == [
        f"../../{key.replace('=', '%3D')}" for key in keys
    ]
    assert "7 archivos, enlazados" in "".join(structure.text)


def test_a_category_is_compared_with_its_share_of_the_runs_before(page: Page) -> None:
    # 900 of 1,200 is 75%, and it was 50%: 25 points more.
    html = render(dataclasses.replace(page, language="en"))
    assert "+25.0" in html
    assert "−25.0" in html


def test_the_model_card_names_what_the_model_is_bad_at(page: Page) -> None:
    html = render(dataclasses.replace(page, language="en"))
    assert "fraud: finds only 42% of the complaints" in html
    assert "In English it is right 70% of the time" in html
    assert "95%: 0.78 to 0.84" in html


def test_the_champions_own_numbers_are_shown_where_the_candidate_was_refused(page: Page, evaluation: dict[str, Any]) -> None:
    evaluation["champion"] = {**evaluation["candidate"], "macro_f1": 0.777, "version": "3"}
    assert "0.777" in render(dataclasses.replace(page, language="en", evaluation=evaluation))


def test_a_run_that_scored_nothing_and_has_no_model_has_a_page_too(page: Page) -> None:
    nothing = dataclasses.replace(
        page, language="en", facts=RunFacts(), evaluation=None, model_version="none", earlier=[], files=[]
    )
    html = render(nothing)
    read(html)
    assert "This run classified no complaints." in html
    assert "No model serves yet." in html


def test_the_same_distribution_does_not_drift_and_another_one_does() -> None:
    before = {"a": 500.0, "b": 500.0}
    assert stability_index(before, {"a": 50, "b": 50}) == pytest.approx(0, abs=1e-3)
    # (.9 - .5) ln(.9/.5) + (.1 - .5) ln(.1/.5) = .879, a little less by the half row that is added to each count
    assert stability_index(before, {"a": 900, "b": 100}) == pytest.approx(0.879, abs=0.01)
    assert stability_index(before, {"a": 10, "b": 10}) is None
    assert stability_index(before, {"c": 1000}) > 1  # type: ignore[operator]


def test_drift_compares_answers_with_answers(page: Page, evaluation: dict[str, Any]) -> None:
    found = drift(page.facts, evaluation["candidate"])
    # The holdout was answered 432 to 58; the run 900 to 300.
    assert found["categories"] == pytest.approx(0.127, abs=0.01)
    assert found["languages"] is not None
    assert found["length"] == pytest.approx(0)


def test_record_fills_in_what_the_run_cost(page: Page) -> None:
    done = with_costs(render(page))

    read(done)
    assert "USD 0,11" in done
    assert "precio desconocido" in done
    assert "5 min 1 s" in done
    assert COST_MARK not in done
    assert WORDS["es"]["cost_later"] not in done
    assert done.count("<footer>") == 1
