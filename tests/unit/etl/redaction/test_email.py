"""E-mail addresses, as people write, mistype, hide and dictate them."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

CASES = (
    ("mi correo juan.perez@gmail.com no llega", "mi correo <EMAIL> no llega", "usual"),
    ("mi correo juan.perez @gmail.com no llega", "mi correo <EMAIL> no llega", "space before the @"),
    ("mi correo juan.perez@ gmail.com no llega", "mi correo <EMAIL> no llega", "space behind the @"),
    ("mi correo juan.perez@gmail,com no llega", "mi correo <EMAIL> no llega", "comma for the dot"),
    ("mi correo juan.perez@Hotmail no llega", "mi correo <EMAIL> no llega", "no ending at a well-known host"),
    ("mi correo juan.perez@yahoo.com.mx no llega", "mi correo <EMAIL> no llega", "ending of two parts"),
    ("mi correo JUAN.PEREZ@GMAIL .COM no llega", "mi correo <EMAIL> no llega", "capitals and a space"),
    ("ana.cel3105551234@example.com", "<EMAIL>", "a telephone number in the address"),
    ("escriban a ana@x.com punto y aparte", "escriban a <EMAIL> punto y aparte", '"punto" behind the address is a word'),
    ("my PayPal is under jruiz.1985@yahoo dot com.", "my PayPal is under <EMAIL>.", "the dot in a word"),
    ("emails to support @ tienda . com.co or bought 3 @ 4.50", "emails to <EMAIL> or bought 3 @ 4.50", "spaces around the @; a price"),
    ("escríbanme a carlos punto ruiz arroba gmail punto com por favor", "escríbanme a <EMAIL> por favor", "dictated in Spanish"),
    ("mlpena at gmail punto com, jgil(arroba)hotmail.com y ventas [at] x.co", "<EMAIL>, <EMAIL> y ventas [at] x.co", "dictated and hidden; a host of one letter is not one"),
    ("ana arroba gmail.com, rosa at gmail.com", "<EMAIL>, <EMAIL>", "only the @ in a word"),
    ("a 12.000 la arroba, dos arroba 12.000, look at amazon.com", "a 12.000 la arroba, dos arroba 12.000, look at amazon.com", "a unit of weight, and a shop"),
    ("los sigo en @banco.co y a 3 @ 5", "los sigo en @banco.co y a 3 @ 5", "an account of social media, and a price"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "why"), CASES)
def test_email_addresses_go(text: str, expected: str, why: str) -> None:
    assert redact(text)[0] == expected, why
