"""Card numbers: those that pass Luhn's check, and mistyped ones behind the word."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

CASES = (
    ("pagué con 4111111111111111 ayer", "pagué con <CARD> ayer", "digits alone"),
    ("pagué con 4111-1111-1111-1111 ayer", "pagué con <CARD> ayer", "dashes"),
    ("pagué con 4111\u20131111\u20131111\u20131111 ayer", "pagué con <CARD> ayer", "dashes of a word processor"),
    ("pagué con 4111.1111.1111.1111 ayer", "pagué con <CARD> ayer", "dots"),
    ("pagué con 4111,1111,1111,1111 ayer", "pagué con <CARD> ayer", "commas"),
    ("pagué con 41 11 11 11 11 11 11 11 ayer", "pagué con <CARD> ayer", "pairs"),
    ("pagué con 3782 822463 10005 ayer", "pagué con <CARD> ayer", "as American Express groups them"),
    ("tarjeta débito 6016 6034 1209 8812, mistyped", "tarjeta débito <CARD>, mistyped", "the check fails, the word says it"),
    ("pagué 1111,2222,3333,4444 y 11 22 33 44 55 66 77 88", "pagué 1111,2222,3333,4444 y 11 22 33 44 55 66 77 88", "the check fails, and no word says it"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "why"), CASES)
def test_card_numbers_go(text: str, expected: str, why: str) -> None:
    assert redact(text)[0] == expected, why


KEPT = (
    ("XXXX XXXX XXXX 1234", "a masked card"),
    ("4000 0012 3456 7890", "the check fails"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "why"), KEPT)
def test_what_is_not_a_card_stays(text: str, why: str) -> None:
    assert redact(text) == (text, {}), why
