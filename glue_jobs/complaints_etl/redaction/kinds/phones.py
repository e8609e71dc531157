"""PHONE: telephone numbers, by their form or behind a keyword.

Positive: `llámenme al 310 555 1234`, `call me at (415) 555-0123`. Negative: `hablé por teléfono 4 veces`, `$3105551234`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON
from complaints_etl.redaction.context import nearest_keyword
from complaints_etl.redaction.kinds.phrases import ANOTHER, LINK, NOT_MONEY, placeholder
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import Prefixes, find_all

PHONE_PREFIXES = Prefixes(*LEXICON.prefixes("phones"))
# Behind a keyword: seven to thirteen digits in groups of any size, also with a code in brackets. A date is not a telephone number.
# Examples: `234 5678`, `670.97.10.26`, `+ 34 93 693 29 05`, `(5982) 487-3837`.
_NUMBER = (
    r"(?P<number>(?:\+ ?)?(?!(?:19|20)\d\d-\d\d?-\d\d?\b)(?!\d\d?(?P<mark>[.\-])\d\d?(?P=mark)(?:19|20)\d\d\b)"
    rf"(?:\d{{0,3}} ?\(\d{{1,4}}\)[ .\-]{{0,2}}\d(?:[\s.\-]{{0,2}}\d){{5,9}}|\d(?:[\s.\-]{{0,2}}\d){{6,12}}))(?![\d]|[.,\-]\d){NOT_MONEY}"
)


def _is_phone(match: re.Match[str]) -> bool:
    """Return True unless the nearest keyword before the number is one for accounts or references."""
    before = match.string[max(match.start() - 35, 0) : match.start()]
    return nearest_keyword(before, len(before), len(before), {"ACCOUNT", "REFERENCE", "PHONE"})[0] in ("", "PHONE")


RULES = (
    Rule(
        name="international telephone",
        type="PHONE",
        example="escriban al +57 310 555 1234",
        positions=lambda text: find_all(text.text, ("+",)),
        contains="+",
        min_digits=5,
        # Digits alone; North America; Colombia; other countries in groups.
        pattern=re.compile(
            r"(?<![\w$/\-])(?<!\d[.,])\+(?:\d{9,15}|1[\s.\-]?\(?\d{3}\)?[\s.\-]?\d{3}[\s.\-]?\d{4}"
            r"|57[\s.\-]?\(?\d{3}\)?[\s.\-]?\d{3}[\s.\-]?\d{2}[\s.\-]?\d{2}"
            rf"|\d{{1,3}}[\s.\-]?(?:\(?\d{{1,4}}\)?[\s.\-]?){{2,5}}\d{{2,4}}|\d{{1,3}} \d{{2,4}} \d{{6,8}})(?![\d]|[.,/\-]\d){NOT_MONEY}"
        ),
    ),
    Rule(
        name="telephone in a chat link",
        type="PHONE",
        example="https://wa.me/573105551234",
        contains_folded="wa.me/",
        min_digits=9,
        pattern=re.compile(r"(?i)(?P<keep>\bwa\.me/)\+?\d{9,15}"),
    ),
    Rule(
        name="telephone format",
        type="PHONE",
        example="es el 310 555 12 34",
        min_digits=10,
        pattern=re.compile(
            r"(?<![\w$/\-])(?<!\d[.,])(?:"
            r"(?:\(?57\)?[\s.\-]?)?3[0-5]\d[\s.\-]?\d{3}[\s.\-]?\d{2}[\s.\-]?\d{2}"  # a Colombian mobile
            r"|\(?60[1-8]\)?[\s.\-]?\d{3}[\s.\-]?\d{2}[\s.\-]?\d{2}"  # a Colombian landline
            r"|01[\s.\-]?8000[\s.\-]?\d{2,3}[\s.\-]?\d{3,4}"  # a Colombian free line
            r"|(?:1[\s.\-])?(?:\([2-9]\d{2}\)[\s.\-]?\d{3}[\s.\-]|[2-9]\d{2}(?P<mark>[\s.\-])\d{3}(?P=mark))\d{4}"  # North America
            rf")(?![\d]|[.,/\-]\d){NOT_MONEY}"
        ),
        accepts=_is_phone,
    ),
    Rule(
        name="telephone after keyword",
        type="PHONE",
        example="mi teléfono es 234 5678",
        prefixes=PHONE_PREFIXES,
        min_digits=2,
        pattern=re.compile(rf"(?i)(?P<keep>\b(?:{LEXICON.pattern('phones', 'adjacent')})\b\.?{LINK}){_NUMBER}"),
    ),
    Rule(
        name="telephone in a list",
        type="PHONE",
        example="Tfno. <PHONE> y 956 013 060",
        contains="<PHONE>",
        positions=lambda text: placeholder("PHONE", text),
        min_digits=2,
        pattern=re.compile(rf"(?i)(?P<keep><PHONE>(?:{ANOTHER}| ?[/,;|\-] ?)){_NUMBER}"),
        accepts=lambda match: not match["number"].endswith("000"),
    ),
)
