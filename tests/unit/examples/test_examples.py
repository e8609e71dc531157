"""examples/: twenty invented complaints, and what the product makes of them."""

from __future__ import annotations

import csv

import pytest

from examples.generate import COMPLAINTS, EXPECTED, expected


def test_each_of_the_twenty_complaints_has_its_section() -> None:
    with COMPLAINTS.open(encoding="utf-8", newline="") as lines:
        ids = [row["complaint_id"] for row in csv.DictReader(lines)]
    sections = [
        line.removeprefix("## ") for line in EXPECTED.read_text(encoding="utf-8").splitlines() if line.startswith("## ")
    ]
    assert len(ids) == 20
    assert sections == ids


@pytest.mark.nightly
def test_the_product_makes_of_the_complaints_what_the_page_says() -> None:
    """Run `python -m examples.generate` if a change is intended."""
    assert expected() == EXPECTED.read_text(encoding="utf-8")
