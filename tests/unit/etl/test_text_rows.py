"""A text file is one complaint, unless its lines are rows: then it is refused with advice, and never becomes one complaint."""

from __future__ import annotations

import pytest
from complaints_etl.readers import read_table
from complaints_etl.readers.table import UnreadableFileError

ALIASES = {"text": ["text", "texto", "queja"], "label": ["label", "motivo"]}
COMPLAINTS = (
    "Me cobraron dos veces la cuota de manejo y nadie lo corrige en Bogotá.",
    "La aplicación se cierra cuando intento ver mis movimientos.",
    "el cajero entregó menos billetes de los que pedí el martes",
    "Pedí la tarjeta hace un mes y sigue sin llegar a Cali",
    "no reconozco una compra en una tienda de ropa desde abril",
    "¿Por qué subieron la tasa del crédito sin avisarme?",
    "El asesor colgó la llamada sin resolver nada",
    "Llevo tres semanas esperando el reembolso de un pasaje, y nada.",
    "Cambié de teléfono y no puedo entrar a la banca en línea en la mañana ni en la noche, y nadie me explica qué hacer.",
)


def refusal(body: str, encoding: str = "utf-8") -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        read_table("quejas.txt", body.encode(encoding), ALIASES)
    return caught.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", ["\t", ";", "|", ","])
def test_a_table_without_a_header_is_refused_with_advice(separator: str, encoding: str) -> None:
    rows = [separator.join((str(n), "20260801", "cobros", f'"{text}"')) for n, text in enumerate(COMPLAINTS[:4])]
    error = refusal("\r\n".join(rows), encoding)
    assert error.reason == "no_header"
    assert "rows of 4 columns" in str(error)
    assert "text, texto, queja" in str(error)
    assert error.record == rows[0]  # rejected.csv shows the first line, the message nothing of it
    assert COMPLAINTS[0] not in str(error)


def test_two_columns_without_numbers_are_refused() -> None:
    assert "rows of 2 columns" in str(refusal("\n".join(f"cobros\t{text}" for text in COMPLAINTS[:2])))


def test_lines_of_fasttext_are_refused() -> None:
    for body in ("\n".join(f"__label__cobros {text}" for text in COMPLAINTS), "__label__a __label__b una sola línea\n"):
        error = refusal(body)
        assert error.reason == "no_header"
        assert "fastText" in str(error)


@pytest.mark.parametrize("change", [str, str.upper, str.lower], ids=["mixed", "capitals", "small letters"])
def test_a_list_of_complaints_is_refused(change) -> None:  # type: ignore[no-untyped-def]
    error = refusal("\n".join(map(change, COMPLAINTS)) + "\n")
    assert error.reason == "no_header"
    assert "9 lines that are each a complaint" in str(error)


def test_a_table_with_a_header_that_has_no_known_name_is_a_table() -> None:
    error = refusal("numero\tfecha\tcomentario del cliente\n1\t2026-08-01\tno abre\n2\t2026-08-02\tno llega\n")
    assert error.reason == "no_text_column"
    assert error.header == ("numero", "fecha", "comentario del cliente")


WRAPPED = """El lunes fui a la oficina del centro porque el cajero no entregó el
dinero que pedí, y la asesora me dijo que tenía que esperar quince días
para que lo devolvieran. Pasaron los quince días y nadie respondió, así
que llamé a la línea y me colgaron tres veces seguidas. Volví a ir a la
oficina y esta vez me dijeron que el caso no existía y que tenía que
radicarlo otra vez, con los mismos papeles que ya había entregado en la
primera visita. Exijo que me devuelvan el dinero y que me expliquen por
qué nadie tiene registro de lo que pasó ese día en esa oficina."""
ONE_COMPLAINT = {
    "paragraphs": "\n\n".join(COMPLAINTS),
    "a letter": "Señores Banco:\n" + "\n".join(COMPLAINTS) + "\nAtentamente,\nAna Peña",
    "a story": "\n".join(["El lunes fui al banco del centro.", *(f"{word} me dijeron que volviera otro día." for word in ("Luego", "Después", "Además", "Entonces", "También", "Finalmente", "Por eso"))]),
    "a wrapped text": WRAPPED,
    "a chat": "\n".join(f"{('Cliente', 'Asesor')[n % 2]}: {text}" for n, text in enumerate(COMPLAINTS)),
    "a form": "\n".join(f"{name}: {text}" for name, text in zip(("Nombre", "Ciudad", "Producto", "Fecha", "Hora", "Canal", "Queja", "Pide", "Anexos"), COMPLAINTS, strict=True)),
    "steps": "\n".join(f"{n}. {text}" for n, text in enumerate(COMPLAINTS, start=1)),
    "a few lines": "\n".join(COMPLAINTS[:4]),
    "one line with tabs": "uno\tdos\ttres",
    "commas": "\n".join(f"Hola, {n}" for n in range(5)),
    "an empty end": COMPLAINTS[0] + "\n\n\n",
}  # fmt: skip


@pytest.mark.parametrize("text", ONE_COMPLAINT.values(), ids=ONE_COMPLAINT)
def test_one_complaint_stays_one_complaint(text: str) -> None:
    [row] = read_table("queja.txt", text.encode(), ALIASES).rows
    assert row.values == {"text": text}
