"""Fixtures of a small run (its evaluation, and its report as Publish renders it), and of pages in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from complaints_etl.publish.changes import EarlierRun
from complaints_etl.publish.exports import Export
from complaints_etl.publish.report_page import Page
from complaints_etl.publish.statistics import Amounts, Category, Example, RunStatistics
from complaints_etl.publish.themes import Candidate, Theme

from tests.unit.publish.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

LABELS = ("Cobros & comisiones <indebidos>", "fraud", "Cancelación de producto sin autorización previa del cliente")

EXPORT = "exports/run_id=20260715-093000-0123abcd/quejas <de julio> & agosto.csv"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Tab]:
    """The page at the test's `address` as a person opens it: from a file, under the page's security policy."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address)
    yield page
    context.close()


@pytest.fixture
def evaluation() -> dict[str, Any]:
    """As training/evaluate.py writes it, with a weak label, a small one, and labels that contain markup."""
    numbers = {"precision": 0.9, "recall": 0.95, "f1": 0.924, "support": 400}
    candidate = {
        "accuracy": 0.88, "accuracy_interval": [0.86, 0.9], "macro_f1": 0.81, "macro_f1_interval": [0.78, 0.84],
        "expected_calibration_error": 0.02, "coverage_at_target_precision": 0.8, "threshold": 0.61, "answered_share": 0.8,
        "per_label": {
            LABELS[0]: numbers,
            LABELS[1]: {**numbers, "recall": 0.42, "support": 90},
            LABELS[2]: {"precision": None, "recall": None, "f1": None, "support": 0},
        },
        "confusion": {LABELS[0]: {LABELS[0]: 380, LABELS[1]: 20}, LABELS[1]: {LABELS[0]: 52, LABELS[1]: 38}},
        "reliability": [{"confidence": 0.55, "accuracy": 0.5, "rows": 90}, {"confidence": 0.95, "accuracy": 0.97, "rows": 400}],
        "by_language": {"es": {"rows": 300, "accuracy": 0.9, "macro_f1": 0.8}, "en": {"rows": 190, "accuracy": 0.7, "macro_f1": 0.7}},
        "by_length": {"under 50 words": {"rows": 490, "accuracy": 0.88, "macro_f1": 0.8}},
        "training_rows": 2000,
    }  # fmt: skip
    return {
        "run_id": "20260101-000000-aaaaaaaa",
        "target_precision": 0.95,
        "holdout": {"rows": 490, "labels": {LABELS[0]: 400, LABELS[1]: 90}, "fingerprint": "x"},
        "candidate": candidate,
        "champion": None,
        "comparison": None,
        "leakage": {"rows": 0},
        "notes": [],
    }


@pytest.fixture
def page(evaluation: dict[str, Any]) -> Page:
    file: dict[str, Any] = {
        "bucket": "raw", "key": "quejas <de julio> & agosto.csv", "version_id": "1", "rejected_whole": None,
        "rows": {"read": 1250, "accepted": 1200, "rejected": 20, "duplicates": 30},
    }  # fmt: skip
    example = Example(
        text="Me cobraron dos veces la cuota de la tarjeta <CARD> y nadie responde. " * 4, language="es", terms=["cobraron"]
    )
    return Page(
        language="es",
        run_id="20260715-093000-0123abcd",
        published_at=datetime(2026, 7, 15, 9, 35, tzinfo=UTC),
        report={
            "rows": file["rows"],
            "files": [file],
            "labelled": {"train": 0, "validation": 0, "test": 0},
            "labels": {},
            "rejects": {"empty_text": 15, "unclosed_quote": 5},
            "languages": {"es": 800, "en": 400},
        },
        statistics=RunStatistics(
            categories={
                LABELS[0]: Category(complaints=900, confidence=0.9, needs_review=50, example=example),
                LABELS[1]: Category(complaints=300, confidence=0.7, needs_review=100),
            },
            languages={"es": 800, "en": 400},
            lengths={"5": 1200},
            confidence=[0, 0, 0, 0, 50, 100, 150, 200, 300, 400],
            amounts=[Amounts(label=LABELS[0], currency="COP", mentions=40, median=120000.0, total=98765432.0)],
            medians={"COP": 120000.0},
        ),
        audit=50,
        unanswered=0,
        model_version="3",
        evaluation=evaluation,
        earlier=[
            EarlierRun(
                run_id="20260708-093000-0123abcd", categories={LABELS[0]: 400, LABELS[1]: 400}, medians={"COP": 110000.0}
            ),
            EarlierRun(run_id="20260708-083000-0123abcd", categories={LABELS[0]: 100, LABELS[1]: 100}, model_version="2"),
        ],
        files={"export": [EXPORT], "review_file": ["review/run_id=20260715-093000-0123abcd/review.csv"]},
        themes=[
            Theme(
                number=1,
                terms=("seguro de viaje", "vuelo <cancelado>"),
                groups=("a", "b"),
                complaints=37,
                expected=2,
                example=Candidate(
                    group_id="a", text="El seguro de viaje no cubrió el vuelo cancelado y <NAME> no responde & nadie más. " * 3
                ),
            )
        ],
        exports=[Export(source_file=file["key"], source_version="1", rows=1250, keys=(EXPORT,))],
    )
