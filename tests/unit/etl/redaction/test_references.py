"""Numbers of cases, orders, transfers and contracts."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

CASES = (
    ("Ojo que esa, 572841424, me la dio la señorita", "Ojo que esa, <REFERENCE>, me la dio la señorita", "a long number is personal without a keyword"),
    ("habló Roberto 79456123, pagaré 4500123, pago 4455667", "habló <NAME> <REFERENCE>, pagaré <REFERENCE>, pago <REFERENCE>", "behind a name and behind words"),
    ("tutela radicado 11001-40-03-001-2026-00123-00 en curso", "tutela radicado <REFERENCE> en curso", "the number of a law case"),
    ("tutela 11001-40-03-015-2026-00234-00 a mi favor", "tutela <REFERENCE> a mi favor", 'the same without "radicado"'),
    ("reserva YQ8ZPL del 12 de dic, tengo GALAXY y COVID19", "reserva <REFERENCE> del 12 de dic, tengo GALAXY y COVID19", "a booking; names with digits stay"),
    ("conf# JPM9x8k2l4, $1,500.00 sent", "conf# <REFERENCE>, $1,500.00 sent", "behind an abbreviation and a sign; a sum stays"),
    ("consecutivo 2025ER0098123, copia del contrato 00987-2024-BOG, File 2024-CFPB-0002", "consecutivo <REFERENCE>, copia del contrato <REFERENCE>, File <REFERENCE>", "letters between or behind the digits"),
    ("Radicado: 2025048217-001-000. Saldo 3.000.000", "Radicado: <REFERENCE>. Saldo 3.000.000", "parts of zeros; a sum stays"),
    ("tracking 9400 1000 0000 0000 0000 00 says", "tracking <REFERENCE> says", "groups of four digits"),
    ("el PQR20260001234", "el <REFERENCE>", "letters that begin references belong to it"),
    ("3 1 0 5 5 5 1 2 3 4 es mi número", "<REFERENCE> es mi número", "digit by digit without a keyword"),
    ("me robaron 2500000 en total", "me robaron 2500000 en total", "a round sum stays"),
    ("under 15 U.S. Code 1681s-2 my account", "under 15 U.S. Code 1681s-2 my account", "the section of a law stays"),
    ("entre 2020\u20132021 y el 10/11/2026 no pasó", "entre 2020\u20132021 y el 10/11/2026 no pasó", "years and dates stay"),
    ("error 503 y código ERR_4031", "error 503 y código ERR_4031", "errors stay"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "why"), CASES)
def test_reference_numbers_go(text: str, expected: str, why: str) -> None:
    assert redact(text)[0] == expected, why


KEPT = (
    ("Ley 1328 de 2009", "a law"),
    ("error 40312", "an error"),
    ("orden del 2026-01-05", "a date"),
    ("24,5% anual", "a percentage"),
    ("el pedido costó $300.000", "a sum"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "why"), KEPT)
def test_what_is_not_a_reference_stays(text: str, why: str) -> None:
    assert redact(text) == (text, {}), why


def test_a_year_is_not_a_reference() -> None:
    assert redact("My claim 2019 was paid, el crédito 2021 también")[1] == {}
