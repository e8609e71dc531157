"""Verify the checksums of numbers. python-stdnum computes all of them but Mexico's CLABE, which it lacks."""

from __future__ import annotations

import re

from stdnum import iban, luhn
from stdnum.co import nit


def digits_of(text: str) -> str:
    """Return the digits of a number that is written with marks between them, as ASCII."""
    digits = re.sub(r"\D", "", text)
    return digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)


def is_card(number: str) -> bool:
    """Return True for 13 to 19 digits that pass Luhn's check (ISO/IEC 7812-1), grouped as on a card.

    A card does not begin with a group of three digits, and its first digit is an issuer's (2 to 6). A run of one digit passes
    Luhn's check and is not a card.
    """
    digits = digits_of(number)
    groups = [len(group) for group in re.split("[ .,-]", number)]
    if groups[0] < 4 and set(groups) != {2}:
        return False
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and len(set(digits)) > 1 and luhn.is_valid(digits)


def is_iban(number: str) -> bool:
    """Return True for an IBAN of its country's length and form whose check digits hold (ISO 13616)."""
    return iban.is_valid(number, check_country=False)


def is_clabe(number: str) -> bool:
    """Return True for Mexico's 18-digit account number: weights 3, 7, 1 modulo 10 (Banco de México, circular 14/2017)."""
    digits = digits_of(number)
    weighted = sum(int(digit) * (3, 7, 1)[index % 3] % 10 for index, digit in enumerate(digits[:17]))
    return len(digits) == 18 and (10 - weighted % 10) % 10 == int(digits[17])


def is_nit(number: str) -> bool:
    """Return True for Colombia's tax number with its check digit (DIAN, Orden Administrativa 4 of 1989)."""
    return nit.is_valid(digits_of(number))
