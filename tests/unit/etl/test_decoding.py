"""What programs left encoded in a text is decoded before anything looks at it, and only if it is sure."""

from __future__ import annotations

import json
import quopri
from email.header import Header
from urllib.parse import quote, quote_plus

import pytest
from complaints_etl.redaction import redact
from complaints_etl.text.cleaning import clean_cell, clean_text

from tests.unit.hostile.attacks import growth

TEXTS = (
    "La aplicación no acepta mi contraseña: ¿por qué?",
    "Não recebi a devolução do cartão de crédito",
    "The bank didn’t refund €50 – “never” 😀",
    "SEÑOR GERENTE: LA TRANSACCIÓN NO LLEGÓ",
)
# As programs write a text.
ENCODINGS = {
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON inside JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "Python bytes": lambda text: repr(text.encode()),
    "percent": quote,
    "form": quote_plus,
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "MIME word Q": lambda text: Header(text, "utf-8").encode(),
    "MIME word of Latin-1": lambda text: (
        Header(text, "iso-8859-1").encode() if text.encode("latin-1", "ignore").decode("latin-1") == text else text
    ),
    "references twice": lambda text: text.encode("ascii", "xmlcharrefreplace").decode().replace("&", "&amp;"),
    "references three times": lambda text: (
        text.encode("ascii", "xmlcharrefreplace").decode().replace("&", "&amp;").replace("&", "&amp;")
    ),
    "Excel": lambda text: "".join(f"_x{ord(sign):04X}_" if 0x7F < ord(sign) < 0xD800 else sign for sign in text),
}


def clean(text: str) -> str:
    return clean_text(text, max_characters=1000)[0]


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_what_it_was_before_a_program_encoded_it(text: str, encode) -> None:  # type: ignore[no-untyped-def]
    assert clean(encode(text)) == text
    assert clean_cell(encode(text)) == text  # labels, ids and carried cells


@pytest.mark.parametrize(
    "text", ["Falla técnica que impide la operación del portal, no está disponible", "¿Qué pasó con la solución? Año perdido"]
)
def test_bytes_of_another_code_page_are_repaired(text: str) -> None:
    shown = "".join(bytes([octet]).decode("cp1252", "ignore") or chr(octet) for octet in text.encode("mac_roman"))
    assert clean(shown) == text


DECODED = (
    ("no he recibido soluci=C3=B3n=20=\nde nadie", "no he recibido solución de nadie", "a soft line break behind a space"),
    ("Reclamaci=F3n por cobro, ya est=E1 pago", "Reclamación por cobro, ya está pago", "quoted-printable of Latin-1"),
    ("no lleg=C3=\n=B3 nada", "no llegó nada", "a soft line break inside a character"),
    ("cobro doble =?UTF-8?B?ZW4gbGEgdGFyamV0YQ==?=", "cobro doble en la tarjeta", "a MIME word in base 64"),
    ("Reclamo%20por%20cobro%20doble", "Reclamo por cobro doble", "escaped spaces alone"),
    ("mi cr%E9dito no lleg%F3", "mi crédito no llegó", "JavaScript's escape()"),
    ("dijo %u201Cno%u201D", "dijo “no”", "JavaScript's escape() beyond Latin-1"),
    ("la afiliaci\\xf3n", "la afiliación", "a byte of Latin-1"),
    ("el n\\303\\272mero", "el número", "octal escapes of UTF-8"),
    ("Primero.\\nSegundo\\tTercero\\r\\nfin", "Primero. Segundo Tercero fin", "written line ends and tabs"),
    ("Hola\\nno me responden", "Hola no me responden", "a written line end between small letters"),
    ('me dijo \\"ma\\u00f1ana\\" y\\/o nunca', 'me dijo "mañana" y/o nunca', "quotes and strokes of JSON"),
    ("\\ud83d\\ude00 y \\u{1F600}", "😀 y 😀", "a surrogate pair, and a code point"),
    ("uno_x000D_\ndos_x000d_", "uno dos", "Excel's carriage returns"),
    ("&amp;lt;p&amp;gt;hola&amp;lt;/p&amp;gt;", "hola", "tags that were escaped twice"),
    ("no lleg\\u00c3\\u00b3", "no llegó", "misread and then escaped"),
    ("año, tŽcnica", "año, técnica", "one word of a joined text is of Mac Roman"),
    ("TƒCNICO DE OPERACIîN", "TÉCNICO DE OPERACIÓN", "capitals of Mac Roman"),
    ("el n£mero de operaci¢n", "el número de operación", "a code page of DOS"),
    ("escr\\u00edbame a ana%40example.com", "escríbame a ana@example.com", "an address that redaction has to see"),
)  # fmt: skip


@pytest.mark.parametrize(("raw", "expected", "why"), DECODED)
def test_what_is_decoded(raw: str, expected: str, why: str) -> None:
    assert clean(raw) == expected, why


@pytest.mark.parametrize(
    "text",
    [
        "50%20 de descuento, 100%de interés y un 3%25",
        "guardado en C:\\nuevo\\tabla\\usuarios y C:\\temp\\xc3\\u00f3",
        "\\\\servidor\\nomina\\reportes y datos\\notas.txt",
        "el usuario BANCO\\nperez no entra",
        "=SUMA(E1:F3) da total=20, y a=E1b",
        "https://banco.example/buscar?q=hola%20mundo&c=cr%C3%A9dito",
        "www.banco.example/pago%20doble",
        "me cobran 20% 30% y 40%",
        "snake_x_case y _x00_",
        "une œuvre, mon cœur",
        "uno—dos y tres – no llegó; l’eau, don’t",
        "cobran £20 y ¢50",
        "a=b y c=d=e",
        "R&D y AT&T; 5 &lt 6",
    ],
)
def test_signs_of_ordinary_texts_stay(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Pido la devoluci\\u00f3n de mi cuenta de ahorros por la afiliaci\\u00f3n, la contrase\\u00f1a no sirve",
        "La aplicaci%C3%B3n no acepta mi clave",
        "n%FAmero de cuenta: la aplicaci\\xF3n no abre, la clave tampoco",
    ],
)
def test_letters_that_are_left_encoded_are_no_personal_data(text: str) -> None:
    assert redact(text) == (text, {})


@pytest.mark.slow
def test_the_time_of_decoding_grows_with_the_length_alone() -> None:
    parts = (
        "=?utf-8?Q?", "=?utf-8?Q?a?= ", "=C3", "=\n", "=20", "%C3", "%20a", "%u00f3", "\\u00f3", "\\\\", "\\n", "\\x", "\\303", "_x000D_",
        "_x", "&amp;", "&amp;amp;", "tŽc", "a.b%20", "A\\", "C:\\", "=E1a", ".com%20/",
    )  # fmt: skip
    slow = []
    for part in parts:
        for before, after in (("", ""), ("Reclamaci=C3=B3n ", " cr%C3%A9dito \\u00f3"), ("\\u00f3", "x")):
            small, large = (before + part * (size // len(part)) + after for size in (10_000, 40_000))
            if found := growth(clean, small, large):
                slow.append((part, before, found))
    assert slow == []
