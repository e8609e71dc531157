"""Numbers spelled out, as they are dictated."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

CASES = (
    ("mi celular es tres diez cuatro cincuenta y cinco ochenta y ocho gracias", "mi celular es <PHONE> gracias", "a telephone number in groups"),
    ("the pin is four two one seven and", "the pin is <SECRET> and", "a PIN"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "why"), CASES)
def test_spelled_numbers_go(text: str, expected: str, why: str) -> None:
    assert redact(text)[0] == expected, why
