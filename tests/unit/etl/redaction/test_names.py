"""Names of laws, shops, services, months and errors with figures stay, and passwords that look like them go."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

KEPT = (
    ("Según el art.23 de la Constitución, la clave que me dieron no funciona.", "a section of a law"),
    ("Conforme a la Ley1480 de 2011 y al DECRETO-2153 exijo el código de retracto.", "laws"),
    ("La sentencia T-760/08 y el num.4 amparan mi cédula y mi cuenta.", "a ruling"),
    ("Under sec.5 and Art12 my account number is private, as is my password.", "sections in English"),
    ("Nunca tuve cuenta en bet365 y alguien usó mi cédula.", "a service behind a word for a place"),
    ("Pagué en 7Eleven y en Forever21 y pidieron la clave dos veces.", "shops"),
    ("El ingreso a Office365 pide la contraseña sin parar.", "the keyword stands behind"),
    ("Tienda45 me pide la clave de mi correo.", "a name that nobody knows begins the sentence"),
    ("La contraseña de Musica24 no funciona, y la clave para Netflix4 tampoco.", "a password of a service"),
    ("My password for Store24 fails since I paid at Market99.", "in English"),
    ("El vuelo AV9213 se canceló y lo cobraron en mi cuenta.", "a flight"),
    ("Flight UA4071 was cancelled and my account was charged.", "a flight in English"),
    ("La factura de mayo2026 se debitó dos veces de mi cuenta.", "a month and its year"),
    ("La clave vence el 15may26 y la cuenta en dic-2026.", "days"),
    ("Sale el error ORA-00942 al poner la clave.", "an error code of five digits"),
    ("La app dice HTTP-500 y TNS-12154, y la clave no entra.", "error codes with known beginnings"),
    ("Aparece error: XJ20345 cuando escribo mi contraseña.", "what is called an error"),
    ("Windows gives 0x80070005 when I type my password.", "a result of Windows"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "why"), KEPT)
def test_names_with_figures_stay(text: str, why: str) -> None:
    assert redact(text) == (text, {}), why


GONE = (
    ("mi contraseña rangers26 la sabe", "rangers26", "right behind its keyword"),
    ("la clave era perro12", "perro12", "behind a verb"),
    ("cambié la clave a perro12", "perro12", "a password may be changed to another"),
    ("I used Luna16 as my login", "Luna16", "a verb of typing before, the keyword behind"),
    ("le puse de contraseña gato345", "gato345", "no word for a place"),
    ("mi contraseña fácil. Junior2024*", "Junior2024", "four figures and a mark"),
    ("el error fue mío: mi clave es mayo2026", "mayo2026", "a month that is a password"),
    ("tengo un error en el pedido AB1234567", "AB1234567", "the order has the number, not the error"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "value", "why"), GONE)
def test_values_that_look_like_names_go(text: str, value: str, why: str) -> None:
    assert value not in redact(text)[0], why


@pytest.mark.parametrize(
    "text", ["la contrase\\u00f1a y la cuenta\\Bogota123", "pedido\\AB1234567", "mi clave, la aplicaci\\xf3n12345"]
)
def test_nothing_personal_begins_inside_a_word(text: str) -> None:
    assert redact(text) == (text, {})
