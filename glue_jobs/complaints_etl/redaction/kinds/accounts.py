"""ACCOUNT, IBAN and CLABE: numbers of bank accounts and addresses of wallets.

Positive: `mi cuenta de ahorros 912-345678-01`. Negative: `cuenta terminada en 1234`, `abrí la cuenta el 2026-01-05`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON
from complaints_etl.redaction.checksums import is_clabe, is_iban
from complaints_etl.redaction.kinds.phrases import LINK, LONG_GAP, NOT_QUANTITY, another, is_personal
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import Prefixes, ScannedText

ACCOUNT_PREFIXES = Prefixes(*LEXICON.prefixes("accounts"))
# " de ahorros del Banco de Bogotá": any other word between the keyword and the number may be a verb, and the number a sum.
_BANK = rf"(?:(?:\s+(?:de|del|en|at|with|el|la|the|banco|bank|of)){{0,4}}\s+(?:{LEXICON.pattern('banks')}))?"
_TYPE = r"(?:\s+(?:de ahorros?|ahorros?|corriente|checking|savings|bancaria))?"
_BEFORE = LEXICON.pattern("accounts", "before")
_ACCOUNT_WORD = re.compile(rf"(?i)\b(?:{_BEFORE})\b")
_NUMBER_AT_END = re.compile(r"\d(?:[ \-]?\d)*\s\Z")

# Length of the IBAN of each country (SWIFT's registry of IBAN formats). The pattern needs it, so that it does not take in the next word.
_IBAN_COUNTRIES = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST",
    26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV", 29: "BR EG PS QA UA",
    30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_IBAN_FORMS = "|".join(
    rf"(?:{countries.replace(' ', '|')})\d\d(?: ?[0-9A-Z]){{{length - 4}}}" for length, countries in _IBAN_COUNTRIES.items()
)


def _two_letters(scanned: ScannedText) -> list[int]:
    """Return the positions of exactly two letters right before a number."""
    text = scanned.text
    return [
        start - 2
        for start, _, _ in scanned.runs()
        if start > 1 and text[start - 1].isalpha() and text[start - 2].isalpha() and not text[start - 3 : start - 2].isalnum()
    ]


def _before_account(scanned: ScannedText) -> list[int]:
    """Return the positions of numbers right before "account"."""
    begins = []
    for word in scanned.matches(_ACCOUNT_WORD, ACCOUNT_PREFIXES):
        before = scanned.text[max(word.start() - 60, 0) : word.start()]
        if number := _NUMBER_AT_END.search(before):
            begins.append(word.start() - len(before) + number.start())
    return begins


RULES = (
    Rule(
        name="wallet address",
        type="ACCOUNT",
        example="wallet 0x8F3a91C2b7E04d5A6c1D22e9B7710fA4C3e65D08",
        min_digits=1,
        contains_folded="0x",
        pattern=re.compile(r"(?i)\b0x[0-9a-f]{40}\b"),
    ),
    Rule(
        name="IBAN",
        type="IBAN",
        example="transfer to ES91 2100 0418 4502 0005 1332",
        positions=_two_letters,
        min_digits=2,
        pattern=re.compile(rf"(?i)\b(?:{_IBAN_FORMS})(?!\w)"),
        accepts=lambda match: is_iban(match[0]),
    ),
    Rule(
        name="CLABE",
        type="CLABE",
        example="mi CLABE 032180000118359719",
        min_digits=18,
        pattern=re.compile(r"(?<![\d$])(?<!\d[.,])\d{3}[ \-]?\d{3}[ \-]?\d{11}[ \-]?\d(?![\d]|[.,]\d)"),
        accepts=lambda match: is_clabe(match[0]),
    ),
    Rule(
        name="account after keyword",
        type="ACCOUNT",
        example="mi cuenta de ahorros Bancolombia No. 00912345678",
        prefixes=ACCOUNT_PREFIXES,
        min_digits=6,
        # The word, the type of the account, a bank, a link; then digits, but not a date of the form 2026-01-05.
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{LEXICON.pattern('accounts', 'adjacent')})\b\.?{_TYPE}{_BANK}{LINK})"
            rf"(?!(?:19|20)\d\d-\d\d-\d\d(?!\d))\d(?:[ \-]?\d){{5,19}}(?![\d]|[.,]\d){NOT_QUANTITY}"
        ),
    ),
    Rule(
        name="Colombian account format",
        type="ACCOUNT",
        example="a la 912-345678-01 por favor",
        min_digits=11,
        number_like=lambda number: number.count("-") > 1,
        pattern=re.compile(r"(?<![\w$\-])(?<!\d[.,])\d{3}-\d{6}-\d{2}(?![\w\-]|[.,]\d)"),
    ),
    Rule(
        name="account before keyword",
        type="ACCOUNT",
        example="my 4417 123456 account",
        prefixes=ACCOUNT_PREFIXES,
        positions=_before_account,
        min_digits=8,
        pattern=re.compile(rf"(?<![\w$\-])(?<!\d[., \-])\d(?:[ \-]?\d){{7,19}}(?=\s(?i:{_BEFORE})\b)"),
    ),
    another("ACCOUNT", r"\d(?:[ \-]?\d){7,19}", name="account in a list", example="<ACCOUNT> y no a la 00912345678"),
    Rule(
        name="account near keyword",
        type="ACCOUNT",
        example="la cuenta que abrí con ustedes, 009123456",
        prefixes=ACCOUNT_PREFIXES,
        min_digits=9,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{LEXICON.pattern('accounts', 'near')})\b{LONG_GAP})(?P<value>\d(?:[ \-]?\d){{8,19}})(?![\d]|[.,]\d){NOT_QUANTITY}"
        ),
        accepts=is_personal,
    ),
)
