"""Bank accounts: account numbers, IBAN, CLABE and addresses of wallets."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

CASES = (
    ("la cuenta00912345678, pin4821 y la clave20201 no", "la cuenta <ACCOUNT>, pin <SECRET> y la clave <SECRET> no", "typed without a space"),
    ("iban es7921000813610123456789", "iban <IBAN>", "an IBAN in small letters"),
    ("tengo dos cuentas, la #6864843277 y otra", "tengo dos cuentas, la #<ACCOUNT> y otra", "behind a sign"),
    ("tengo dos cuentas, la *6864843277* y otra", "tengo dos cuentas, la *<ACCOUNT>* y otra", "bold, as chats write it"),
    ("mi cuenta fue abierta en la calle #1234", "mi cuenta fue abierta en la <ADDRESS>", "the number of a house"),
    ("la cuenta ****4321* y el error #4012", "la cuenta ****4321* y el error #4012", "a mask and an error"),
    ("wallet 0x8F3a91C2b7E04d5A6c1D22e9B7710fA4C3e65D08 y nunca", "wallet <ACCOUNT> y nunca", "the address of a wallet"),
    ("my account 705-20486-67 4 days ago", "my account <ACCOUNT> 4 days ago", "a quantity right behind the number"),
    ("opened the account on 2026-01-02, deposited", "opened the account on 2026-01-02, deposited", "a date behind the word"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "why"), CASES)
def test_account_numbers_go(text: str, expected: str, why: str) -> None:
    assert redact(text)[0] == expected, why


KEPT = (
    ("cuenta terminada en 1234", "the last four digits"),
    ("me cobraron 3.120.000 pesos", "a sum"),
    ("entre 2026-01-05 y 2026-02-05", "dates"),
    ("transacción por 1200000 pesos", "a sum behind a preposition"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "why"), KEPT)
def test_what_is_not_an_account_stays(text: str, why: str) -> None:
    assert redact(text) == (text, {}), why
