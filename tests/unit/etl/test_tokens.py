"""Tokens: words in lower case; amounts, numbers, masks and placeholders as classes."""

from __future__ import annotations

import pytest
from complaints_etl.text.tokens import tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Cobraron $1.200 el 03/04/2026 a XXXX, tel <PHONE>; ñandú 24h",
            "cobraron <amount> el <number> a <mask> tel <phone> ñandú 24h",
        ),
        ("COP 50.000, USD$3, US$ 4, € 5 y cop 6", "<amount> <amount> <amount> <amount> y cop <number>"),
        ("ACOP 5 XCOP5", "acop <number> xcop5"),
        ("el XX/XX/2026, xxx y exxon", "el <mask> <number> <mask> y exxon"),
        ("<ID_NUMBER>, número_5", "<id_number> número <number>"),
        ("1,200.50-3 x2 3x", "<number> x2 3x"),
        ("cafe\u0301 İstanbul", "cafe\u0301 i\u0307stanbul"),
        ("मुझे 漢字 ²", "मुझे 漢字 ²"),
    ],
)
def test_tokens_put_numbers_amounts_placeholders_and_masks_into_classes(text: str, expected: str) -> None:
    assert tokens(text) == expected.split(" ")
