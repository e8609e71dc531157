"""The order in which rules are applied. Each rule sees the text as the rules before it left it.

So a link goes before the numbers in it, a card with its checksum before a telephone number that its digits resemble, and a keyword right
before a number counts before one that is some words away.
"""

from __future__ import annotations

from complaints_etl.redaction.kinds import (
    accounts,
    addresses,
    answers,
    birth,
    cards,
    codes,
    email,
    identity,
    names,
    network,
    passwords,
    phones,
    references,
    spelled,
)
from complaints_etl.redaction.rule import Rule

KINDS = (
    network,
    email,
    answers,
    spelled,
    passwords,
    accounts,
    cards,
    identity,
    phones,
    references,
    codes,
    birth,
    addresses,
    names,
)
ORDER = (
    "URL query",
    "URL query without scheme",
    "email",
    "email, mistyped host",
    "email with spaces",
    "email after keyword",
    *(rule.name for rule in email.RULES if rule.name.startswith("email dictated")),
    # Dates and house numbers, which later rules could take for other numbers.
    "birth date after keyword",
    "birth date before keyword",
    "Colombian address",
    "street with number",
    "post office box",
    "security answer, first pet or school",
    "seed phrase",
    "security answer",
    *(rule.name for rule in spelled.RULES),
    "secret after keyword",
    "API key",
    "wallet address",
    # Numbers with a checksum or a form of their own.
    "IBAN",
    "CLABE",
    "card",
    "NIT after keyword",
    "NIT with check digit",
    "identity document after keyword",
    "passport after keyword",
    "alphanumeric identity document",
    "passport near keyword",
    "social security number format",
    "social security number near keyword",
    "IPv6",
    "IPv4",
    "account after keyword",
    "Colombian account format",
    "account before keyword",
    "account in a list",
    "international telephone",
    "telephone in a chat link",
    "reference with known prefix",
    "reference after keyword",
    "telephone format",
    "telephone after keyword",
    "telephone in a list",
    "alphanumeric reference",
    # Values some words behind their keyword.
    "reference near keyword",
    "identity document near keyword",
    "identity document in a list",
    "account near keyword",
    "card code near keyword",
    "PIN near keyword",
    "code near keyword",
    "password near keyword",
    "passphrase in quotes",
    "multi-word passphrase",
    "snake_case password",
    "code near a card",
    'password in " quotes',
    "password in “ quotes",
    "secret before keyword",
    "reference in a list",
    "name after keyword",
)


def _in_order(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    named = {rule.name: rule for rule in rules}
    if len(named) != len(rules) or set(named) != set(ORDER) or len(ORDER) != len(named):
        raise ValueError(f"each rule has a name of its own, once in ORDER; check {sorted(set(named) ^ set(ORDER))}")
    return tuple(named[name] for name in ORDER)


RULES = _in_order(tuple(rule for kind in KINDS for rule in kind.RULES))
