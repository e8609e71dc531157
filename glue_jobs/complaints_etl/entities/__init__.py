"""What a complaint states: amounts with their currency, dates, reference numbers, products and channels.

Plain Python on one cleaned text, before redaction. Ambiguous values are read as is usual in the text's language: 1.200 is one
thousand two hundred; 05/04 is the fifth of April in Spanish and the fourth of May in English.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from complaints_etl.entities.amounts import find_amounts
from complaints_etl.entities.dates import PREFIXES, find_dates
from complaints_etl.entities.mentions import Names, find_mentions
from complaints_etl.redaction import apply_rules
from complaints_etl.redaction.kinds.birth import without_birth_dates
from complaints_etl.redaction.scanner import ScannedText

__all__ = [
    "MAX_PER_KIND", "PREFIXES", "Entities", "Names", "extract", "find_amounts", "find_dates", "find_mentions", "hashed_reference",
]  # fmt: skip

MAX_PER_KIND = 50  # a text with thousands of numbers is not a complaint


class Entities(NamedTuple):
    """The entities of one text. Amounts are (value, ISO 4217 code). References are hashes of salt and number."""

    amounts: tuple[tuple[Decimal, str], ...] = ()
    dates: tuple[date, ...] = ()
    references: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


def extract(
    text: str | ScannedText,
    *,
    language: str,
    received: date | None,
    products: Names,
    channels: Names,
    salt: str,
    references: Sequence[str] | None = None,
) -> Entities:
    """Extract the entities of a cleaned text.

    Args:
        text: cleaned, not yet redacted.
        language: two letters; decides how ambiguous values are read.
        received: the day that relative dates ("hace 3 días") count from; without it they are left out.
        products: names of products to look for.
        channels: names of channels to look for.
        salt: for the hashes of reference numbers, so that trying all numbers does not reveal them.
        references: the reference numbers that redaction replaced; by default the text is redacted to find them.
    """
    scanned = ScannedText(text) if isinstance(text, str) else text
    numbers = apply_rules(scanned)[2] if references is None else references
    return Entities(
        amounts=tuple(find_amounts(scanned, language))[:MAX_PER_KIND],
        dates=tuple(find_dates(without_birth_dates(scanned), language, received))[:MAX_PER_KIND],
        references=tuple(hashed_reference(salt, number) for number in numbers[:MAX_PER_KIND]),
        products=find_mentions(scanned, products),
        channels=find_mentions(scanned, channels),
    )


def hashed_reference(salt: str, number: str) -> str:
    """Return the hash that is stored for a reference number: equal numbers can be joined, and none can be read."""
    return hashlib.sha256(f"{salt}\0{number}".encode()).hexdigest()[:16]
