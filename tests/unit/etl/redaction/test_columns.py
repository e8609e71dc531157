"""Cells of other columns: the name of a column says what its numbers are."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact_value


def test_a_long_number_of_a_column_stays_where_no_word_says_whose_it_is() -> None:
    """Rows are told apart by it."""
    assert redact_value("Complaint ID", "572841424") == "572841424"
    assert redact_value("notas", "el caso 572841424") == "el caso <REFERENCE>"


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("Cédula", "1073098264", "<ID_NUMBER>"),
        ("num_documento", "1.073.098.264", "<ID_NUMBER>"),
        ("NumeroDocumento", "52123456", "<ID_NUMBER>"),
        ("Teléfono", "2345678", "<PHONE>"),
        ("phone number", "5550142233", "<PHONE>"),
        ("Nro. cuenta", "00912345678", "<ACCOUNT>"),
        ("NIT", "900123456", "<NIT>"),
        ("PIN", "4821", "<SECRET>"),
        ("Contraseña", "Luna4821", "<SECRET>"),
        ("asesor", "ana@example.com", "<EMAIL>"),
        ("Saldo de la cuenta", "1500000", "1500000"),
        ("Estado de cuenta", "mora a 120 días", "mora a 120 días"),
        ("Complaint ID", "1404598", "1404598"),
        ("Tipo de documento", "CC", "CC"),
        ("ciudad", "110111", "110111"),
    ],
)
def test_a_column_says_what_its_numbers_are(column: str, value: str, expected: str) -> None:
    assert redact_value(column, value) == expected
