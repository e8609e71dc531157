"""PINs, one-time codes and the digits on the back of a card."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

CASES = (
    ("Me pidieron el token y pensé que era normal. El que les pasé fue 834 112", "Me pidieron el token y pensé que era normal. El que les pasé fue <SECRET>", "in the next sentence"),
    ("the number on the back of my card has worn off, I think it's 934", "the number on the back of my card has worn off, I think it's <SECRET>", "what the code is called stands far before it"),
    ("Me hizo leerle lo que decía la tarjeta por detrás: 113. Y colgó", "Me hizo leerle lo que decía la tarjeta por detrás: <SECRET>. Y colgó", "the back of the card, in other words"),
    ('el código CVV que está atrás (lo llaman "clave de 3"), 904 en mi caso', 'el código CVV que está atrás (lo llaman "clave de 3"), <SECRET> en mi caso', "a digit stands between"),
    ("Mi hija abrió la app, puso 2580 y entró", "Mi hija abrió la app, puso <SECRET> y entró", "a verb says it"),
    ("puse 1500 de mi bolsillo y otros 2000", "puse 1500 de mi bolsillo y otros 2000", "the same verb with round sums"),
    ("no recuerdo si dije el 455 de atrás", "no recuerdo si dije el <SECRET> de atrás", "the word stands behind"),
    ('me pidieron "los 6 dígitos": 204 881, los últimos 4 dígitos 6789', 'me pidieron "los 6 dígitos": <SECRET>, los últimos 4 dígitos 6789', "six digits are a code, the last four stay"),
    ("PIN, 1947, the year he was born in", "PIN, <SECRET>, the year he was born in", "a PIN that looks like a year"),
    ("two codes came, 40-18-27 and 91-33-05", "two codes came, <SECRET> and <SECRET>", "two in pairs"),
    ("60417 was my old voice banking code", "<SECRET> was my old voice banking code", "the word stands behind"),
    ("PIN 4-4-3-2, mi pin es 4 4 3 2", "PIN <SECRET>, mi pin es <SECRET>", "digit by digit"),
    ("llamé a las 3 4 5 veces; opciones 1 2 3 4 del menú", "llamé a las 3 4 5 veces; opciones 1 2 3 4 del menú", "digits of nothing"),
    ("the PIN pad at branch 4127 swallowed 20 cards", "the PIN pad at branch 4127 swallowed 20 cards", "the number of a branch, and a quantity"),
    ('Sale "código 4012: operación no permitida"', 'Sale "código 4012: operación no permitida"', "a message of an app"),
    ("Mi clave del cajero es #4718 y se bloquea", "Mi clave del cajero es #<SECRET> y se bloquea", "behind a sign"),
    ("vivo en la Calle 12 #34-56, cerca del cajero", "vivo en la <ADDRESS>, cerca del cajero", "the number of a house"),
    ("mi clave dinámica era 771 002 cuando entré", "mi clave dinámica era <SECRET> cuando entré", "two groups"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "why"), CASES)
def test_codes_go(text: str, expected: str, why: str) -> None:
    assert redact(text)[0] == expected, why


KEPT = (
    ("the PIN is invalid", "a state of a PIN"),
    ("cambiar la clave 20000 pesos", "a sum"),
    ("me llegó el pin 2026-11-24", "a date"),
    ("el token 12/03/2026", "a date with strokes"),
    ("la clave 1.200.000", "a sum with dots"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "why"), KEPT)
def test_what_is_not_a_code_stays(text: str, why: str) -> None:
    assert redact(text) == (text, {}), why


def test_a_pin_right_behind_its_word_is_counted() -> None:
    assert redact("mi pin 4821 no sirve") == ("mi pin <SECRET> no sirve", {"SECRET": 1})
