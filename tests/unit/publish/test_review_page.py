"""The review page holds the beginning of the list, and its texts fit its script."""

from __future__ import annotations

import re

import pytest
from complaints_etl.publish.label_checks import LABEL_TO_CHECK
from complaints_etl.publish.report_page import load_texts, resource
from complaints_etl.publish.review import empty_counts
from complaints_etl.publish.review_page import PAGE_CHARACTERS, PAGE_ROWS, FirstRows, PageRow, fit


def row(characters: int) -> PageRow:
    return PageRow(cells={"text": "x" * characters}, why="uncertain", language=None, alternatives=[], terms=[])


@pytest.mark.parametrize(
    ("characters", "rows", "why"),
    [
        (900, PAGE_ROWS, "short texts: the number of rows is the limit"),
        (20_000, PAGE_CHARACTERS // 20_000, "long texts: their size is"),
        (2 * PAGE_CHARACTERS, 1, "a text over the limit is there, because a page without rows is of no use"),
    ],
)
def test_the_page_takes_what_a_browser_opens_at_once(characters: int, rows: int, why: str) -> None:
    first = FirstRows()
    while not first.is_full:
        first.add(row(characters))
    assert len(first.rows) == rows, why


HALF = PAGE_CHARACTERS // 2


@pytest.mark.parametrize(
    ("rows", "checks", "expected", "why"),
    [
        ((10, 900), (10, 900), (10, 10), "both fit"),
        ((10, HALF // 5), (0, 0), (10, 0), "without labels to check, complaints take the whole page"),
        ((0, 0), (2 * PAGE_ROWS, 1), (0, PAGE_ROWS), "a list has at most its rows"),
        ((10, HALF // 5), (10, HALF // 10), (5, 10), "each list has half of the page if it needs it"),
        ((10, HALF // 10), (10, HALF // 5), (10, 5), "and so has the other one"),
        ((2, HALF // 10), (30, HALF // 10), (2, 18), "what one list leaves is the other's"),
        ((2, 2 * PAGE_CHARACTERS), (2, 2 * PAGE_CHARACTERS), (1, 1), "a text over the limit is there in either list"),
    ],
)
def test_both_lists_share_the_page(
    rows: tuple[int, int], checks: tuple[int, int], expected: tuple[int, int], why: str
) -> None:
    both = [[row(characters)] * count for count, characters in (rows, checks)]
    shown = fit(*both)
    assert (len(shown[0]), len(shown[1])) == expected, why


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_text_of_the_script_and_the_template_exists_and_is_used(language: str) -> None:
    sources = resource("templates/review.js") + resource("templates/review.html.j2")
    named = set(re.findall(r"\btext\.(\w+)", sources))
    reasons = {why.replace(" ", "_") for why in (*empty_counts(), LABEL_TO_CHECK)}  # chosen by the column `why`
    assert named | reasons == load_texts(language)["review"].keys()
