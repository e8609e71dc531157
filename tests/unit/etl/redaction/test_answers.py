"""Answers to security questions, and the words that open a wallet."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

CASES = (
    ("security answer Rocky, mother's maiden name (Gonzalez)", "security answer <SECRET>, mother's maiden name (<SECRET>)", "right behind the question, and in brackets"),
    ("first pet? Biscuit. My first car was 79 Camaro", "first pet? <SECRET>. My first car was <SECRET>", "a question mark, a verb and a year"),
    ("on first attempt. My first job was hard", "on first attempt. My first job was hard", "no name behind the words"),
    ("the memorable word you have for me is Trafalgar and", "the memorable word you have for me is <SECRET> and", "some words between"),
    ("frase semilla mesa gato luna pan río tren silla flor dedo nube sal taza", "frase semilla <SECRET>", "twelve words"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "why"), CASES)
def test_answers_go(text: str, expected: str, why: str) -> None:
    assert redact(text)[0] == expected, why
