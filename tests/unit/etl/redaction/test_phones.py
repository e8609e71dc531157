"""Telephone numbers."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

CASES = (
    ("llámenme al 3105551234 hoy", "llámenme al <PHONE> hoy", "digits alone"),
    ("llámenme al 310-555-12-34 hoy", "llámenme al <PHONE> hoy", "dashes"),
    ("llámenme al 310\u2013555\u20131234 hoy", "llámenme al <PHONE> hoy", "dashes of a word processor"),
    ("llámenme al 310\u2011555\u20111234 hoy", "llámenme al <PHONE> hoy", "dashes that do not break a line"),
    ("llámenme al 310.555.1234 hoy", "llámenme al <PHONE> hoy", "dots"),
    ("llámenme al 57 310 555 12 34 hoy", "llámenme al <PHONE> hoy", "with the country"),
    ("llámenme al (601) 234 5678 hoy", "llámenme al <PHONE> hoy", "a landline"),
    ("llámenme al 3 1 0 5 5 5 1 2 3 4 hoy", "llámenme al <PHONE> hoy", "digit by digit"),
    ("llámenme al 3105551234/3115551235 hoy", "llámenme al <PHONE> / <PHONE> hoy", "two numbers with a stroke between them"),
    ("llámenme al3105551234 o es3105551235.", "llámenme al <PHONE> o es <PHONE>.", "typed without a space behind any word"),
    ("Tfno. 670.97.10.26", "Tfno. <PHONE>", "an abbreviation, and pairs of digits"),
    ("Tlfno: 630 75 89 15, Fax: 987 23 73 92.", "Tlfno: <PHONE>, Fax: <PHONE>.", "groups of two"),
    ("Tel.: + 34 93 693 29 05. FAX: + 34- 963864175", "Tel.: <PHONE>. FAX: <PHONE>", "a space behind the plus"),
    ("Fax: (5982) 487-3837", "Fax: <PHONE>", "a code in brackets"),
    ("Tel. 956 013 059 y 956 013 060, o 956 013 061", "Tel. <PHONE> y <PHONE>, o <PHONE>", "several"),
    ("teléfono de la casa 234 5678", "teléfono de la casa <PHONE>", "words behind the keyword"),
    ("telefone 21 2345 6789", "telefone <PHONE>", "Portuguese"),
    ("my telephone number is 234 5678", "my telephone number is <PHONE>", "the long word"),
    ("compré un cel 2024-05-12 y otro tel 12.05.2024", "compré un cel 2024-05-12 y otro tel 12.05.2024", "dates"),
    ("tel 310 555 1234 y 500.000 pesos", "tel <PHONE> y 500.000 pesos", "a sum behind a number"),
    ("cel120 y card200 no abren", "cel120 y card200 no abren", "too short for a number"),
    ("escriban a https://wa.me/573105551234 ya", "escriban a https://wa.me/<PHONE> ya", "in a link that opens a chat"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "why"), CASES)
def test_telephone_numbers_go(text: str, expected: str, why: str) -> None:
    assert redact(text)[0] == expected, why
