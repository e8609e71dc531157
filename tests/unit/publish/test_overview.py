"""What the first screen says changed is what chance does not explain, and names, examples and the chart show the run."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from complaints_etl.publish.changes import EarlierRun, changed_categories
from complaints_etl.publish.display_names import DisplayNames
from complaints_etl.publish.excerpt import EXCERPT_CHARACTERS, excerpt
from complaints_etl.publish.overview import run_names
from complaints_etl.publish.report_page import Page, load_texts, render
from complaints_etl.publish.review_page import PageRow, render_review
from complaints_etl.publish.statistics import Category, Example, RunStatistics

from stacks.config import Results

STEADY = [{"a": 500, "b": 300, "c": 200}, {"a": 490, "b": 310, "c": 200}, {"a": 510, "b": 295, "c": 195}]
RESTLESS = [{"a": 700, "b": 300}, {"a": 300, "b": 700}, {"a": 500, "b": 500}, {"a": 620, "b": 380}]
MANY = {f"label {n:02}": 20 for n in range(50)}


@pytest.mark.parametrize(
    ("current", "earlier", "changed", "why"),
    [
        ({"a": 400, "b": 300, "c": 300}, STEADY, ["c", "a"], "ten points of 1,000 complaints"),
        ({"a": 510, "b": 300, "c": 190}, STEADY, [], "one point is what chance gives"),
        ({"a": 5, "b": 3, "c": 6}, STEADY, [], "few complaints say little"),
        ({"a": 496, "b": 300, "c": 200, "new": 4}, STEADY, [], "a new category of four complaints"),
        ({"a": 450, "b": 280, "c": 190, "new": 80}, STEADY, ["new"], "a new category of eighty"),
        ({"a": 620, "b": 380}, STEADY, ["c", "a", "b"], "a category without complaints any more"),
        ({"a": 510_000, "b": 294_000, "c": 196_000}, STEADY * 100, [], "in many complaints no trifle is news"),
        ({"a": 630, "b": 370}, RESTLESS, [], "the runs always differ so much"),
        ({"a": 630, "b": 370}, [{"a": 530, "b": 470}] * 4, ["a", "b"], "the same change after equal runs"),
        ({**MANY, "label 00": 35}, [MANY] * 5, [], "one of fifty categories is so far off by chance"),
        ({"a": 35, "b": 965}, [{"a": 20, "b": 980}] * 5, ["a"], "and one of two is not"),
        ({}, STEADY, [], "nothing was classified"),
        ({"a": 10}, [], [], "there is no run before"),
    ],
)
def test_categories_that_changed_beyond_chance_are_found(
    current: dict[str, int], earlier: list[dict[str, int]], changed: list[str], why: str
) -> None:
    assert [change.label for change in changed_categories(current, earlier)] == changed, why


def with_categories(page: Page, **categories: Category) -> Page:
    return dataclasses.replace(page, statistics=dataclasses.replace(page.statistics, categories=categories), language="en")


def category(complaints: int, text: str = "", **changed: Any) -> Category:
    example = Example(text=text, language="en", **changed) if text else None
    return Category(complaints=complaints, confidence=0.9, needs_review=0, example=example)


def test_the_page_names_what_rose_and_fell_with_both_shares_and_what_waits(page: Page) -> None:
    earlier = [EarlierRun(run_id="20260708-093000-0123abcd", categories={"card_fraud": 100, "fees": 900})]
    changed = dataclasses.replace(
        with_categories(page, card_fraud=category(300), fees=category(700)),
        earlier=earlier, display_names={"CARD_FRAUD": "Card fraud"},
    )  # fmt: skip
    text = " ".join(render(changed).split())

    assert "<b>Card fraud</b> rose from 10.0% to 30.0% of the complaints (300 of 1,000)." in text
    assert "<b>fees</b> fell from 90.0% to 70.0% of the complaints (700 of 1,000)." in text
    assert 'aria-label="Card fraud: from 10.0% in the first run shown to 30.0% in this run.' in text
    assert "<code class=soft>card_fraud</code>" in text  # as data files call it
    assert "Rejected rows to look at <b>20</b>" in text
    assert text.index("What changed") < text.index("The last runs") < text.index("The run in figures")


def test_labels_to_check_need_a_person(page: Page) -> None:
    quiet = dataclasses.replace(page, audit=0, report={**page.report, "rows": {**page.report["rows"], "rejected": 0}})
    text = " ".join(render(dataclasses.replace(with_categories(quiet, fees=category(700)), labels_to_check=18)).split())
    assert "Labels to check (probably wrong) <b>18</b>" in text
    assert "no complaint waits for a decision" not in text


def test_a_run_like_those_before_says_so(page: Page) -> None:
    steady = [EarlierRun(run_id=f"2026070{n}-093000-0123abcd", categories={"a": 500, "b": 500}) for n in (3, 2, 1)]
    html = render(dataclasses.replace(with_categories(page, a=category(505), b=category(495)), earlier=steady))

    assert "No category rose or fell by more than chance explains." in html


def test_another_model_version_is_named_as_a_possible_cause(page: Page) -> None:
    run = dataclasses.replace(page.earlier[0], model_version="2")
    text = load_texts("es")["overview"]["other_model"]

    assert text in render(dataclasses.replace(page, earlier=[run]))
    assert text not in render(dataclasses.replace(page, earlier=[dataclasses.replace(run, model_version="3")]))


def test_an_example_is_shown_once_as_text_with_its_language(page: Page) -> None:
    examples = {
        "fees": category(9, "Hi. I was charged <b>twice</b> by <NAME>."),
        "app": category(5, "It fails", is_certain=False),
    }
    html = render(with_categories(page, **examples))

    assert html.count('<dd lang="en">Hi. I was charged &lt;b&gt;twice&lt;/b&gt; by &lt;NAME&gt;.</dd>') == 1
    assert html.count("(uncertain answer)") == 1
    assert "no complaint texts" not in html
    assert "no complaint texts" in render(dataclasses.replace(page, language="en", statistics=RunStatistics()))


@pytest.mark.parametrize(
    ("text", "terms", "start"),
    [
        ("Short text.", (), "Short text."),
        ("Good morning, I have been a customer for years. " * 3 + "They charged the fee twice. " + "I wait for an answer. " * 9, ("charged",), "… They charged"),
        ("Buenos días <NAME>, " + "palabra " * 40, (), "Buenos días <NAME>, palabra"),
        ("存款不见了" * 60, (), "存款不见了"),
    ],
)  # fmt: skip
def test_an_excerpt_is_short_and_begins_where_the_reason_is(text: str, terms: tuple[str, ...], start: str) -> None:
    found = excerpt(text, terms)

    assert len(found) <= EXCERPT_CHARACTERS
    assert found.startswith(start)
    assert (found == text) or found.endswith("…")


def test_no_word_and_no_mask_is_cut() -> None:
    words = " ".join(["<ACCOUNT_NUMBER>", "comisiones"] * 20)
    assert set(excerpt(words, ()).split()) == {"<ACCOUNT_NUMBER>", "comisiones", "…"}


def test_runs_of_one_day_are_told_apart_by_their_time() -> None:
    ids = ["20260105-093000-a", "20260105-173000-a", "20261224-010000-a"]
    assert run_names(load_texts("es")["months"], ids) == ["5 ene 09:30", "5 ene 17:30", "24 dic"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"es": {"a": "Uno", "b": "uno"}}, "could not tell them apart"),
        ({"es": {"a": "B", "b": "Otra"}}, "could not tell them apart"),
        ({"es": {"a": "Uno", "A": "Dos"}}, "names a label twice"),
        ({"es": {"a": " "}}, "should match pattern"),
        ({"fr": {"a": "Un"}}, "Input should be 'es' or 'en'"),
    ],
)
def test_names_that_people_could_not_tell_apart_are_refused(names: dict[str, dict[str, str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Results.model_validate({"display_names": names})


def test_a_label_without_a_name_is_its_own_name() -> None:
    assert (
        Results.model_validate({"display_names": {"es": {"a": "Uno"}, "en": {"a": "Uno"}}}).display_names["es"]["a"] == "Uno"
    )
    assert [DisplayNames({"Fraud": "Fraude"})(label) for label in ("fraud", "fees")] == ["Fraude", "fees"]


def review_page(**changed: Any) -> str:
    cells = {"complaint_id": "1", "text": "They took money", "suggestion": "card_fraud"}
    row = PageRow(
        cells=cells, why="uncertain", language="en", alternatives=[("card_fraud", 0.6), ("fees", 0.3)], terms=["money"]
    )
    return render_review(
        [row], total=1, labels=["card_fraud", "fees"], columns=[*cells, "label"], separator=",", language="en", run_id="r",
        **changed,
    )  # fmt: skip


@pytest.mark.slow
def test_the_review_page_shows_names_and_downloads_labels() -> None:
    from tests.unit.publish.browser import chromium

    with chromium() as browser:
        tab = browser.new_page()
        tab.set_content(review_page(display_names={"card_fraud": "Fraud with a card"}))
        assert "Fraud with a card" in tab.locator("#facts").inner_text()
        assert "Fraud with a card" in tab.locator("#alternatives button").first.inner_text()
        tab.locator("#search").fill("with a card")
        assert tab.locator("#found button").all_inner_texts()[0] == "Fraud with a card"
        tab.locator("#search").fill("fraud with a CARD")
        assert tab.locator("#found button").all_inner_texts() == ["Fraud with a card"]  # and no new label
        tab.locator("#search").press("Enter")
        with tab.expect_download() as download:
            tab.locator("#download").click()
        assert download.value.path().read_text("utf-8-sig").splitlines()[1] == "1,They took money,card_fraud,card_fraud"
