"""Cells that say "nothing" are blank, as texts, labels and dates; short complaints are not."""

from __future__ import annotations

import pytest
from complaints_etl.records.labels import label
from complaints_etl.text.blank import BLANKS, is_blank

NOTHING = (
    "", " ", "-", "-----", "—", "...", "???", "(-)", "N/A", "n.a.", "NA", "n/d", "S/D", "null", "NULL", "None", "NaN", "(blank)", "[vacío]",
    "ninguno", "NINGUNA.", "Ningún comentario", "Sin comentarios", "SIN OBSERVACIONES.", "no aplica", "No Aplica", "no-aplica", "NS/NR",
    "nenhum", "Não se aplica", "NAO SE APLICA", "sem comentários", "Sem observações.", "em branco", "no comments", "Not applicable",
    '"n/a"', "#N/A", "#n/a", "#¡REF!", "#REF!", "#VALUE!", "#¡VALOR!", "#VALOR!", "#¿NOMBRE?", "#NOMBRE?", "#NOME?", "#NAME?", "#DIV/0!",
    "#¡DIV/0!", "#NULL!", "#¡NULO!", "#NUM!", "#¡NUM!", "#NÚM!", "#SPILL!", "#DESPEJAR!", "#######", "Err:508",
)  # fmt: skip


@pytest.mark.parametrize("cell", [*NOTHING, *BLANKS])
def test_placeholders_and_errors_of_spreadsheets_are_blank(cell: str) -> None:
    assert is_blank(cell)
    assert label(cell) is None


@pytest.mark.parametrize(
    "cell",
    [
        "sin respuesta", "No responde", "no funciona", "no sirve", "nada funciona", "ninguna respuesta a mi caso", "fraude", "otro", "0", "5",
        "😡", "👍👍", "No aplica el descuento", "sin comentarios, pésimo servicio", "none of it works", "error", "valor", "campo", "ocupado", "name", "😡" * 99, "pago", "ñ",
    ],
)  # fmt: skip
def test_short_complaints_and_labels_are_not_blank(cell: str) -> None:
    assert not is_blank(cell)
    assert label(cell) is not None
