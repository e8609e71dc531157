"""The review page holds the beginning of the list, and its texts fit its script."""

from __future__ import annotations

import re

import pytest
from complaints_etl.publish.report_page import load_texts, resource
from complaints_etl.publish.review import empty_counts
from complaints_etl.publish.review_page import PAGE_CHARACTERS, PAGE_ROWS, FirstRows, PageRow


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


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_text_of_the_script_and_the_template_exists_and_is_used(language: str) -> None:
    sources = resource("templates/review.js") + resource("templates/review.html.j2")
    named = set(re.findall(r"\btext\.(\w+)", sources))
    reasons = {why.replace(" ", "_") for why in empty_counts()}  # chosen by the column `why`
    assert named | reasons == load_texts(language)["review"].keys()
