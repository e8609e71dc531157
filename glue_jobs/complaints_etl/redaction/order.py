"""The order in which rules are applied. Each rule sees the text as the rules before it left it.

So a link goes before the numbers in it, a card with its checksum before a telephone number that its digits resemble, and a keyword right
before a number counts before one that is some words away.
"""

from __future__ import annotations

from complaints_etl.redaction.kinds import (
    accounts,
    answers,
    cards,
    codes,
    email,
    identity,
    network,
    passwords,
    phones,
    references,
    spelled,
)
from complaints_etl.redaction.rule import Rule

KINDS = (network, email, answers, spelled, passwords, accounts, cards, identity, phones, references, codes)
ORDER = (
    "query of a link",
    "query of a link without its scheme",
    "email",
    "email at a well-known host, mistyped",
    "email with spaces",
    *(rule.name for rule in email.RULES if rule.name.startswith("email dictated")),
    "answer about a first pet, car or school",
    "words that open a wallet",
    "answer to a security question",
    *(rule.name for rule in spelled.RULES),
    "secret behind the word",
    "key of a program",
    "wallet address",
    # Numbers with a checksum or a form of their own.
    "IBAN",
    "CLABE",
    "card",
    "NIT behind the word",
    "NIT with its check digit",
    "identity document, number behind the word",
    "passport behind the word",
    "document in letters and digits",
    "passport, some words behind the word",
    "social security number by its form",
    "social security number, some words behind the word",
    "IPv6",
    "IPv4",
    "account, number behind the word",
    "account in the form of a Colombian bank",
    "account, number before the word",
    "another account",
    "telephone in the international form",
    "telephone in a link that opens a chat",
    "reference with a known beginning",
    "reference behind the word",
    "telephone by its form",
    "telephone behind the word",
    "capitals and digits",
    # Values some words behind their keyword.
    "reference, some words behind the word",
    "identity document, some words behind the word",
    "another identity document",
    "account, some words behind the word",
    "card code, some words behind the word",
    "PIN, some words behind the word",
    "code, some words behind the word",
    "password, some words behind the word",
    "passphrase in quotes",
    "passphrase of several words",
    "password of words with underscores",
    "code beside a card",
    'password in " quotes',
    "password in “ quotes",
    "secret before the word",
    "another reference",
)


def _in_order(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    named = {rule.name: rule for rule in rules}
    if len(named) != len(rules) or set(named) != set(ORDER) or len(ORDER) != len(named):
        raise ValueError(f"each rule has a name of its own, once in ORDER; check {sorted(set(named) ^ set(ORDER))}")
    return tuple(named[name] for name in ORDER)


RULES = _in_order(tuple(rule for kind in KINDS for rule in kind.RULES))
