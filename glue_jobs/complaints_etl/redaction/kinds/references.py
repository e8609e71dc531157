"""REFERENCE: numbers of cases, orders, transfers, contracts and loans.

Positive: `radicado 2026-000123`, `PQR-20260001`. Negative: `el caso de 2026`, `el pedido costó $300.000`, `artículo 1681s-2`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON, any_of
from complaints_etl.redaction.context import nearest_keyword
from complaints_etl.redaction.kinds.phrases import (
    CURRENCY_BEFORE,
    DATE,
    LINK,
    LONG_GAP,
    NOT_MONEY,
    NOT_QUANTITY,
    YEAR,
    another,
    is_personal,
)
from complaints_etl.redaction.notation import after_error, is_public_term
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import Prefixes, ScannedText

REFERENCE_PREFIXES = Prefixes(*LEXICON.prefixes("references"))
_NEAR = LEXICON.terms("references", "near")
_ADJACENT = any_of((*_NEAR, *LEXICON.terms("references", "adjacent")))
_FORM = r"[A-Z]{0,5}[\-_]?\d[\dA-Z]*(?:[\-/_][A-Z]{0,5}\d[\dA-Z]*){0,8}"  # AB-2026/0012
# Dates, years, sections of laws, and masks beside a year.
_NOT_A_REFERENCE = re.compile(rf"(?i)(?:{DATE.pattern}|{YEAR.pattern}|\d{{3,4}}[a-z](?:-\d+)?|ucc.*|.*xx.*)")


def _capitals(scanned: ScannedText) -> list[int]:
    """Return the positions of capitals before a number, with or without a dash between the two."""
    text, begins = scanned.text, []
    for start, _, _ in scanned.runs():
        first = start - 1 if start and text[start - 1] == "-" else start
        end = first
        while first and text[first - 1].isupper():
            first -= 1
        if first < end:
            begins.append(first)
    return begins


def _is_reference(match: re.Match[str]) -> bool:
    value = match["value"]
    return sum(map(str.isdigit, value)) >= 4 and not _NOT_A_REFERENCE.fullmatch(value) and not is_public_term(value)


def _is_far_reference(match: re.Match[str]) -> bool:
    value = match["value"]
    digits = sum(map(str.isdigit, value))
    coded = len(value) >= 7 and digits >= 3 and any(map(str.isalpha, value))
    return (
        (coded or (digits >= 6 and is_personal(match))) and not _NOT_A_REFERENCE.fullmatch(value) and not is_public_term(value)
    )


def _is_not_a_document(match: re.Match[str]) -> bool:
    """Return False for a passport or a licence, letters and digits behind a word for an identity document; and for an error's code."""
    if is_public_term(match["value"]) or after_error(match.string, match.start()):
        return False
    before = match.string[max(match.start() - 60, 0) : match.start()]
    nearest, _ = nearest_keyword(before, len(before), len(before), {"ID_NUMBER", "REFERENCE"})
    return _is_reference(match) and nearest != "ID_NUMBER"


RULES = (
    Rule(
        name="reference with known prefix",
        type="REFERENCE",
        example="PQR-20260001 sin respuesta",
        positions=_capitals,
        min_digits=4,
        pattern=re.compile(
            r"\b(?P<value>(?:PQRS?|RAD|TKT|REF|CASO?|CASE|INV|FE|SR|INC|CRM)[\-_/]\d[\dA-Z]{1,20}(?:[\-/_][A-Z]{0,5}\d[\dA-Z]*){0,8})(?![\w]|[.,]\d)"
        ),
        accepts=_is_reference,
    ),
    Rule(
        name="reference after keyword",
        type="REFERENCE",
        example="radicado No. 2026-000123",
        prefixes=REFERENCE_PREFIXES,
        min_digits=1,
        # Groups of four digits, or letters and digits that may end in the initials of a city: 00987-2024-BOG.
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{_ADJACENT})(?:e?s)?\b{LINK})"
            rf"(?P<value>\d{{4}}(?: \d{{4}}){{2,6}}(?: \d{{1,3}})?|{_FORM}(?:-(?-i:[A-Z]{{1,4}})(?![\w\-]))?)(?![\w]|[.,]\d){NOT_MONEY}"
        ),
        accepts=_is_reference,
    ),
    Rule(
        name="alphanumeric reference",
        type="REFERENCE",
        example="el BC-12345 del banco",
        positions=_capitals,
        min_digits=5,
        pattern=re.compile(
            rf"\b(?!(?:{CURRENCY_BEFORE})[\-\d])(?P<value>[A-Z]{{1,5}}-?\d{{5,20}}(?:-\d{{1,10}})*)\b(?![.,]\d)"
        ),
        accepts=_is_not_a_document,
    ),
    Rule(
        name="reference near keyword",
        type="REFERENCE",
        example="el reclamo que puse en marzo, AB20260012",
        prefixes=REFERENCE_PREFIXES,
        min_digits=3,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{any_of(_NEAR)})(?:e?s)?\b{LONG_GAP})(?P<value>{_FORM})(?![\w]|[.,]\d){NOT_QUANTITY}"
        ),
        accepts=_is_far_reference,
    ),
    another(
        "REFERENCE",
        r"[A-Z]{0,5}[\-_]?\d[\dA-Z]{4,}(?:[\-/_][A-Z]{0,5}\d[\dA-Z]*){0,3}|\d{4}-\d{4,}",
        name="reference in a list",
        example="<REFERENCE> y 20260012345",
    ),
)
