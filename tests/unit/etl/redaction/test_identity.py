"""Identity documents and tax numbers."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

CASES = (
    ("mi cédula es 1032445667 y", "mi cédula es <ID_NUMBER> y", "digits alone"),
    ("mi cédula es 1.032.445.667 y", "mi cédula es <ID_NUMBER> y", "dots"),
    ("mi cédula es 1032.445.667 y", "mi cédula es <ID_NUMBER> y", "the first dot is missing"),
    ("mi cédula es 1.032445667 y", "mi cédula es <ID_NUMBER> y", "the last dots are missing"),
    ("mi cédula es 1'032.445.667 y", "mi cédula es <ID_NUMBER> y", "an apostrophe for millions"),
    ("mi cédula es 1,032,445,667 y", "mi cédula es <ID_NUMBER> y", "commas"),
    ("mi cédula es 1 032 445 667 y", "mi cédula es <ID_NUMBER> y", "spaces"),
    ("mi cédula es 52.123.456 y", "mi cédula es <ID_NUMBER> y", "eight digits"),
    ("mi cédula es 5 2 3 3 4 1 1 8", "mi cédula es <ID_NUMBER>", "digit by digit"),
    ("Bot: escribe tu documento / 10:03 Cliente: 1849109511 / 10:05 Bot: gracias", "Bot: escribe tu documento / 10:03 Cliente: <ID_NUMBER> / 10:05 Bot: gracias", "the word stands in the line before, in a chat"),
    ("termina en 118, completo es 1.032.445.667, mi documento", "termina en 118, completo es <ID_NUMBER>, mi documento", 'the word stands behind; "termina en" is about the number before'),
    ("Me identifico con 80.123.456 expedida en Cali", "Me identifico con <ID_NUMBER> expedida en Cali", "a verb says it"),
    ("soy cc52334118 y texted me 448921 as verification", "soy cc <ID_NUMBER> y texted me <SECRET> as verification", "typed without a space; a code by text message"),
    ("TI 1023456789 de mi hijo, abrieron cuenta", "TI <ID_NUMBER> de mi hijo, abrieron cuenta", "the document of a minor"),
    ("Carlos Murillo, 16.794.385, cel 3104567890", "<NAME>, <ID_NUMBER>, cel <PHONE>", "beside a telephone number"),
    ("Cliente: 1.110.549.273 / Asesor: ¿y el valor? / Cliente: 1.250.300 pesos", "Cliente: <ID_NUMBER> / Asesor: ¿y el valor? / Cliente: 1.250.300 pesos", "all that a customer wrote in a chat; a sum stays"),
    ("mi cedula1032445667 y el cel310 555 1234", "mi cedula <ID_NUMBER> y el cel <PHONE>", "typed without a space"),
    ("cc1032445667 ti1032445667", "cc <ID_NUMBER> ti <ID_NUMBER>", "abbreviations typed without a space"),
    ("TEL6012345678, NIT900123456-1", "TEL <PHONE>, NIT <NIT>", "capitals typed without a space"),
    ("son 1 200 000 pesos o 1 250 000", "son 1 200 000 pesos o 1 250 000", "sums with spaces"),
    ("me debitaron 1032445 sin autorización", "me debitaron 1032445 sin autorización", "a sum behind a verb of paying"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "why"), CASES)
def test_identity_numbers_go(text: str, expected: str, why: str) -> None:
    assert redact(text)[0] == expected, why


def test_passports_go() -> None:
    assert redact("Mi pasaporte es AV123456, passport number X1234567.")[1] == {"ID_NUMBER": 2}
