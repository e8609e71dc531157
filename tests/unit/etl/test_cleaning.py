"""Cleaning takes away what is no complaint, keeps what may be one, and takes its time from a text's length alone."""

from __future__ import annotations

import random

import pytest
from complaints_etl.text.cleaning import clean_cell, clean_text

from tests.unit.hostile.attacks import growth

LATIN = "".join(map(chr, range(0xA0, 0x100)))
MARKS = "‘’“”–—…•€™‚„†‡‰‹›Œœžˆ˜ƒ"
SYMBOLS = ["✅", "→", "★", "\ufffd", "😀", "🙏🏽", "❤\ufe0f", "👨\u200d👩\u200d👧"]


def cleaned(texts: list[str], *, cap: int = 1000) -> list[str]:
    return [clean_text(text, max_characters=cap)[0] for text in texts]


def misread(text: str) -> str:
    """UTF-8 read as Windows-1252, the bytes that it does not know as Latin-1."""
    return "".join(bytes([octet]).decode("cp1252", "ignore") or chr(octet) for octet in text.encode())


def unchanged(*texts: str) -> list[tuple[str, str]]:
    return [(text, " ".join(text.split())) for text in texts]


MAIL_PARTS = [
    *unchanged(
        # Lines in the middle of a complaint.
        "El cajero me debitó y no entregó el dinero.\n--\nEso fue el lunes en la sucursal del centro.",
        "El cajero no entregó el dinero.\n--\nAdemás el asesor me insultó",
        "Mi queja tiene tres partes:\n--\nPrimera: cobro\n--\nSegunda: mal trato\n--\nTercera: sin respuesta",
        "Cobro\n--\nUno\n--\nDos",
        "No llegó\n--\nJuan Pérez\nGerente General\n\nP.D. También me cobraron el seguro sin permiso",
        "No llegó\n--\nJuan Pérez\nME ROBARON LA PLATA",
        "No llegó\n--\nAna\n" + "Ana Peña\n" * 6,
        "No llegó\n--\n" + "Ana " * 9,
        # Single lines, and forms.
        "Reenvío lo que me pasó.\nSubject: they closed my account and kept $3,000\nThanks",
        "Date: 3 March I was charged twice\nSubject: the fees are $30\nThen nothing",
        "Fecha: 03/03/2026\nHora: 10:00\nAsunto: cobro de Rappi\nProducto: tarjeta\nPara: que me devuelvan la plata",
        "Me dijeron\nDe: mañana\nDe: tarde\ny nada",
        "De: mí\nPara: ti",
    ),
    (
        "No llegó\n-- \nJuan Carlos Pérez de la Hoz\nGerente, Acme S.A.S.\nTel. +57 310 555 1234 | juan@acme.co\nwww.acme.co",
        "No llegó",
    ),
    ("No llegó \n--\n <br> &nbsp; to \t Rebeca Souza &nbsp;", "No llegó"),
    (
        "De: Juan\nEnviado el: lunes, 3 de marzo de 2026\nPara: PQR Banco\nAsunto: Me clonaron la tarjeta\n\nAdjunto soportes.",
        "Me clonaron la tarjeta Adjunto soportes.",
    ),
    ("Hola\n> From: a@b.co\n> Sent: Monday\n> To: me\n> Cc: you\nthen nothing", "Hola then nothing"),
    ("Hi\nOn Mon, 3 Mar 2026, Bank <a@b.co>\nwrote:\n> reply", "Hi > reply"),
    ("Hi\n-----Original Message-----\nbye", "Hi bye"),
]
TAGS = [
    *unchanged(
        "Me dijeron <a las 3 de la tarde>, <i think so>, <p or not>, <en la sucursal>, <b 20000 pesos>",
        "Quiero <br que me devuelvan la plata. Gracias > adiós",
        "si saldo <b y saldo> c, <3, a < b > c, <bold>, <input data>",
    ),
    ("me<b>ntira</b> y <SPAN style='x: y' class=MsoNormal>otra</SPAN >", "mentira y otra"),
    (
        '<a href="https://x.co/?a=1&b=2"\n title="a > b">ver</a><br/>uno<BR />dos<input type=checkbox checked>tres',
        "ver uno dos tres",
    ),
    ("<p>a</p><style>p { x: '<b>' }</style>b<!-- < - -- x --->c<script src=x>if (a<b) {}</script >d", "a b c d"),
    *unchanged("sin fin <script> y <!-- nada"),
]
MOJIBAKE = [
    *unchanged("“IRMÔ y “AMANHÃ… Ã que «Ã» SÃO", "dijo “no sé”… “está”… ¿POR QUÉ”, “PERÚ”, naïve", "emoji ðŸ y Ã"),
    ("Pasó esto:\nâ€¢ cobro doble\nâ€¢ sin respuesta", "Pasó esto: • cobro doble • sin respuesta"),
    ("El crÃƒÂ©dito, Ã‚Â¿por quÃƒÂ©? Ã¢â‚¬Å“NoÃ¢â‚¬Â\x9d", "El crédito, ¿por qué? “No”"),
    ("emoji ðŸ˜€ y ðŸ‘¨â€\x8dðŸ‘©â€\x8dðŸ‘§ bien Ã±", "emoji 😀 y 👨\u200d👩\u200d👧 bien ñ"),
    ("Me cobraron Â£1,200.50, donÂ’t, â€œnoâ€, â€˜sÃ\xadâ€™", "Me cobraron £1,200.50, don’t, “no”, ‘sí’"),
    ("\xef\xbb\xbfHola", "Hola"),
]
ENTITIES = [("&frac14; &sup1; &amp;lt; &amp;amp; R&D; &#8364;&euro;&unknown;", "¼ ¹ < & R&D; €€&unknown;")]


@pytest.mark.parametrize("cases", [MAIL_PARTS, TAGS, MOJIBAKE, ENTITIES], ids=["mail", "tags", "mojibake", "entities"])
def test_what_goes_and_what_stays(cases: list[tuple[str, str]]) -> None:
    assert cleaned([raw for raw, _ in cases]) == [expected for _, expected in cases]


def test_characters_read_in_the_wrong_encoding_once_or_twice_are_repaired() -> None:
    signs = [sign for sign in [*LATIN, *MARKS, *SYMBOLS] if sign not in "\xa0\xad"]
    wrong = [f"me {misread(sign)} co" for sign in signs] + [f"me{misread(misread(sign))}co" for sign in signs]
    wrong += [f"me{sign.encode().decode('latin-1')}co" for sign in signs]
    # Å and Ã before a closing mark are a letter and a mark where no letter is beside them.
    right = [f"me {misread(sign) if misread(sign)[0] == 'Ã' and misread(sign)[1] in '’”…–—›»' else sign} co" for sign in signs]
    assert cleaned(wrong) == right + [f"me{sign}co" for sign in signs] * 2
    assert [clean_cell(text) for text in wrong] == cleaned(wrong)  # labels and ids are repaired alike


def test_correct_texts_are_no_mojibake() -> None:
    draw = random.Random(5)  # noqa: S311 - test data
    letters = [*"aeñéíóúÁÉÍÓÚÑüÜçÇàèìòùâêîôûäëïößãõÃÕ"]
    words = ["".join(draw.sample(letters, k=draw.randint(1, 6))) for _ in range(3000)]
    texts = [f"“{word}” «{word}» ‘{word}’ {word}… {word}–{word.lower()} ¿{word}? {word}. {word}’s" for word in words]
    texts = [text for text in texts if "Ã–" not in text and "Ã’s" not in text]  # before a letter these are Ö and Ò
    assert cleaned(texts) == texts


def test_a_cut_loses_the_last_number_or_word_and_little_else() -> None:
    figures = "Estado de cuenta: " + "500 1200 33.5 77 -20 (15) " * 20
    texts = [
        figures,
        "9" * 300,
        "ab" * 45 + "9" * 300,
        "ab" * 90 + "9" * 300,
        "hola " * 38 + "4111 1111 1111 1111",
        "ab " * 100,
    ]
    found = cleaned(texts, cap=200)
    assert all(len(short) >= 140 and text.startswith(short) for text, short in zip(texts, found, strict=True))
    assert figures[: len(found[0]) + 1].endswith(" ")
    assert found[1:] == ["9" * 200, "ab" * 45 + "9" * 110, "ab" * 90, ("hola " * 38).strip(), ("ab " * 66 + "ab").strip()]


def test_no_cut_leaves_part_of_a_number() -> None:
    numbers = [
        "4111 1111 1111 1111", "4111 - 1111 - 1111 - 1111", "+57 (310) 555-1234", "79.123.456", "ES91 2100 0418 4502 0005 1332",
        "ana.maria@example.com",
    ]  # fmt: skip
    begun = "me robaron la plata y nadie da la cara "
    texts = [(begun * 3)[:at].rstrip() + f" {number} de Ana" for number in numbers for at in range(65, 100)]
    for text, short in zip(texts, cleaned(texts, cap=100), strict=True):
        [number] = [number for number in numbers if number in text]
        assert text.startswith(short)
        assert number in short or len(short) < text.index(number)


# Before, again and again, after.
HOSTILE = [
    ("hola: uno", "\n", "fin de la queja"),
    ("hola: uno", "\n > ", "x"),
    ("", "<script>", ""),
    ("", "<script><style>a", "</styl"),
    ("<script>", "< </", ""),
    ("", "<!--", ""),
    ("<!--", "-<", ""),
    ("", "<b a='<b ", ""),
    ("<b", " a=b", "<"),
    ("", "<p a=\"'", ""),
    ("a", " ", "b"),
    ("<br", " ", "b"),
    ("a", "\u3000", "b"),
    ("hola:", "\n--\n", "fin"),
    ("hola:", "\n--\nAna Peña", "fin"),
    ("hola:\n", "-", "x"),
    ("hola\n", "De: a\nPara: b\n", "fin"),
    ("hola\n", "De: a\n\n", "fin"),
    ("hola\n", "El a escribió b\n", "escribió:"),
    ("", "Ã©a", ""),
    ("", "ðŸ˜€", ""),
    ("", "âÃð", ""),
    ("", "&#233;", ""),
    ("", "&a", ""),
    ("&", "a", ""),
    ("", "😀\u200d", ""),
    ("", "!!!!?", ""),
    ("", "aaaabbbb", ""),
    ("", "1", ""),
    ("", "1 - ", ""),
]


@pytest.mark.slow
def test_the_time_grows_with_the_length_alone() -> None:
    def texts(size: int) -> list[str]:
        repeated = [before + again * (size // len(again)) + after for before, again, after in HOSTILE]
        return [*repeated, "".join(f"&#{code};" for code in range(200, 200 + size // 8))]

    def clean(text: str) -> None:
        clean_text(text, max_characters=20_000)

    slow = [
        (small[:40], found)
        for small, large in zip(texts(50_000), texts(200_000), strict=True)
        if (found := growth(clean, small, large))
    ]
    assert slow == []


CLEANED = [
    ("  Mañana   no\tabrió ", "Mañana no abrió"),
    ("MaÃ±ana no abriÃ³ el cajero", "Mañana no abrió el cajero"),
    ("&lt;b&gt; 5 &amp; 6 &nbsp; fin", "5 & 6 fin"),
    ("<p>Hola <b>amigos</b></p>", "Hola amigos"),
    ("cero\u200bancho\ufeff y \u0007control", "ceroancho y control"),
    ("noooooo!!!!!!!! por qué????", "noo!!! por qué???"),
    ("XXXX XXXX 1234 el XX/XX/XXXX, siiiii xxxx", "XXXX XXXX 1234 el XX/XX/XXXX, sii xxxx"),
    ("Nadie responde 😡 ni por €5 ni por $10", "Nadie responde 😡 ni por €5 ni por $10"),
    ("Hola\nDe: banco@example.com\nAsunto: queja\nno llegó", "Hola queja no llegó"),
    ("No llegó la tarjeta\n--\nAna Peña\nGerente", "No llegó la tarjeta"),
    (
        "aquí &aacute;&#225;&#xE1;&ntilde; &euro;5 &#8364; &#146; &#128545; &nada; &amp;lt; R&D; fin",
        "aquí áááñ €5 € ’ 😡 &nada; < R&D; fin",
    ),
    ("&#0;uno &#x110000; dos&#xD800;", "uno \ufffd dos\ufffd"),
    ("LÃ\x81STIMA, MÃ‘AÃ‘A, â€œsÃ\xadâ€\x9d y â‚¬5", "LÁSTIMA, MÑAÑA, “sí” y €5"),
    (
        "<P>Hola<BR/>a <mi asesor> y <EMAIL>, 3 <b 4<!-- x --></P><script>var a;</script>",
        "Hola a <mi asesor> y <EMAIL>, 3 <b 4",
    ),
    ("familia 👨\u200d👩\u200d👧 y 🏳️\u200d🌈 a\u200db \u2067oculto\u2069", "familia 👨\u200d👩\u200d👧 y 🏳️\u200d🌈 ab oculto"),
    ("uno\u2028dos\u3000tres\u0085cuatro", "uno dos tres cuatro"),
    ("Para: quien corresponda, mi tarjeta no llegó", "Para: quien corresponda, mi tarjeta no llegó"),
    ("Asunto: no llegó\nDe: mí", "no llegó"),
    (
        "Primero pasó esto\n--\n" + "y luego todo lo demás " * 30,
        "Primero pasó esto -- " + "y luego todo lo demás " * 29 + "y luego todo lo demás",
    ),
    ("Gracias\nEl lun, 3 mar 2026 a las 10:00, Banco <a@b.co> escribió:\n> respuesta", "Gracias > respuesta"),
]


@pytest.mark.parametrize(("raw", "expected"), CLEANED)
def test_what_is_cleaned(raw: str, expected: str) -> None:
    assert clean_text(raw, max_characters=1000) == (expected, False)


def test_a_text_is_cut_before_the_word_and_the_number_that_the_limit_goes_through() -> None:
    texts = ["uno dos tres", "tarjeta 4111 1111 1111 1111", "abcdefgh" * 5, "justo aquí!"]
    assert cleaned(texts, cap=20) == ["uno dos tres", "tarjeta", "abcdefghabcdefghabcd", "justo aquí!"]
    assert cleaned(texts, cap=11) == ["uno dos", "tarjeta", "abcdefghabc", "justo aquí!"]


def test_a_text_is_cut_only_if_it_is_longer_than_the_limit() -> None:
    assert clean_text("uno dos", max_characters=7) == ("uno dos", False)
    assert clean_text("uno dos ", max_characters=7) == ("uno dos", False)
    assert clean_text("uno dos!", max_characters=7) == ("uno", True)


@pytest.mark.parametrize(
    ("raw", "expected", "why"),
    [
        ("  CrÃ©dito&nbsp; de  consumo ", "Crédito de consumo", "wrong decoding, a reference, white space"),
        ("R&D <b>", "R&D <b>", "no reference, and tags are the writer's"),
        ("uno\u200b\ufeffdos\x07", "unodos", "invisible characters"),
        ("cafe\u0301", "café", "a combining accent"),
        ("-----", "-----", "repetitions stay"),
        ("De: a\nPara: b", "De: a Para: b", "mail parts stay"),
    ],
)
def test_cells_are_cleaned_without_what_only_texts_have(raw: str, expected: str, why: str) -> None:
    assert clean_cell(raw) == expected, why
