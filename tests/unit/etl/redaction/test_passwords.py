"""Passwords, right behind their word, apart from it, in lists."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

CASES = (
    ("I tried Rangers1, then rangers#26; neither password got me in", "I tried <SECRET>, then <SECRET>; neither password got me in", "the word stands behind both"),
    ("La del correo era una contraseña fácil. Junior2024* y ya", "La del correo era una contraseña fácil. <SECRET> y ya", "in the next sentence"),
    ("user kevinm, pass Kevin.1998!, locked out", "user kevinm, pass <SECRET>, locked out", "marks in the password"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "why"), CASES)
def test_passwords_go(text: str, expected: str, why: str) -> None:
    assert redact(text)[0] == expected, why


KEPT = (
    ("Mi clave es incorrecta", "a state of a password"),
    ("Olvidé la clave: nadie ayuda", "words behind a colon"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "why"), KEPT)
def test_what_is_not_a_password_stays(text: str, why: str) -> None:
    assert redact(text) == (text, {}), why
