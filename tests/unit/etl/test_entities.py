"""Amounts, dates and mentions in a text."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from complaints_etl import entities
from complaints_etl.redaction.scanner import ScannedText


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("$1.200.000", "en", [(Decimal(1200000), "COP")]),
        ("$1,200.50", "es", [(Decimal("1200.5"), "USD")]),
        ("$45", "es", [(Decimal(45), "COP")]),
        ("$45", "en", [(Decimal(45), "USD")]),
        ("1,5 millones de pesos", "es", [(Decimal(1500000), "COP")]),
        ("COP 50 mil y 30 dólares", "es", [(Decimal(50000), "COP"), (Decimal(30), "USD")]),
        ("{$12.00}", "en", [(Decimal(12), "USD")]),
        ("500 pesos mexicanos", "es", [(Decimal(500), "MXN")]),
        ("24,5% y 3 tarjetas", "es", []),
    ],
)
def test_amounts(text: str, language: str, expected: list[tuple[Decimal, str]]) -> None:
    assert entities.find_amounts(ScannedText(text), language) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("el 03/04/2026", "es", [date(2026, 4, 3)]),
        ("on 03/04/2026", "en", [date(2026, 3, 4)]),
        ("on 25/04/2026", "en", [date(2026, 4, 25)]),
        ("12 de marzo", "es", [date(2026, 3, 12)]),
        ("12 de diciembre", "es", [date(2025, 12, 12)]),  # the last one before it was received
        ("31/02/2026", "es", []),
        ("XX/XX/2020", "en", []),
        ("hace 3 días y ayer", "es", [date(2026, 6, 14), date(2026, 6, 16)]),
    ],
)
def test_dates(text: str, language: str, expected: list[date]) -> None:
    assert entities.find_dates(ScannedText(text), language, date(2026, 6, 17)) == expected


def test_relative_dates_need_to_know_when_it_was_received() -> None:
    assert entities.find_dates(ScannedText("ayer, hace 3 días, 12 de marzo"), "es", None) == []


def test_a_mention_is_found_without_accents_in_plural_and_only_as_a_word() -> None:
    names = entities.Names.of(("tarjeta de crédito", "app", "préstamo"))
    assert entities.find_mentions(ScannedText("Mis TARJETAS DE CREDITO y los prestamos"), names) == (
        "tarjeta de crédito",
        "préstamo",
    )
    assert entities.find_mentions(ScannedText("happy aplicación"), names) == ()
