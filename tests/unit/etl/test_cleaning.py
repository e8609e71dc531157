"""Cleaning takes away what is no complaint, keeps what may be one, and takes its time from a text's length alone."""

from __future__ import annotations

import random
import time

import pyarrow as pa
import pytest
from complaints_etl.cleaning import clean, cut
from complaints_etl.oddities import UNUSUAL, oddities
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

pytestmark = pytest.mark.slow  # every test is a Spark job or more

LATIN = "".join(map(chr, range(0xA0, 0x100)))
MARKS = "‘’“”–—…•€™‚„†‡‰‹›Œœžˆ˜ƒ"
SYMBOLS = ["✅", "→", "★", "\ufffd", "😀", "🙏🏽", "❤\ufe0f", "👨\u200d👩\u200d👧"]


def cleaned(spark: SparkSession, texts: list[str], *, cap: int = 1000) -> list[str]:
    """As Prepare does it; where all steps are done for every text, the same has to come out."""
    rows = list(zip(range(len(texts)), texts, oddities(pa.array(texts)).to_pylist(), strict=True))
    frame = spark.createDataFrame(rows, "i int, t string, o int")

    for name, steps in (("marked", F.col("o")), ("all", F.lit(7))):
        frame = frame.withColumn(name, clean(F.trim("t"), steps, max_characters=cap))
        frame = frame.withColumn(name, cut(F.col(name), max_characters=cap))
    found = frame.orderBy("i").collect()
    assert [row["marked"] for row in found] == [row["all"] for row in found]
    return [row["all"] for row in found]


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
ENTITIES = [("&frac14; &sup1; &amp;lt; &amp;amp; R&D; &#8364;&euro;&unknown;", "¼ ¹ &lt; &amp; R&D; €€&unknown;")]


@pytest.mark.parametrize("cases", [MAIL_PARTS, TAGS, MOJIBAKE, ENTITIES], ids=["mail", "tags", "mojibake", "entities"])
def test_what_goes_and_what_stays(spark: SparkSession, cases: list[tuple[str, str]]) -> None:
    assert cleaned(spark, [raw for raw, _ in cases]) == [expected for _, expected in cases]


def test_characters_read_in_the_wrong_encoding_once_or_twice_are_repaired(spark: SparkSession) -> None:
    signs = [sign for sign in [*LATIN, *MARKS, *SYMBOLS] if sign not in "\xa0\xad"]
    wrong = [f"me {misread(sign)} co" for sign in signs] + [f"me{misread(misread(sign))}co" for sign in signs]
    wrong += [f"me{sign.encode().decode('latin-1')}co" for sign in signs]
    # Å and Ã before a closing mark are a letter and a mark where no letter is beside them.
    right = [f"me {misread(sign) if misread(sign)[0] == 'Ã' and misread(sign)[1] in '’”…–—›»' else sign} co" for sign in signs]
    assert cleaned(spark, wrong) == right + [f"me{sign}co" for sign in signs] * 2
    assert all(mark & UNUSUAL for mark in oddities(pa.array(wrong)).to_pylist())


def test_correct_texts_are_no_mojibake(spark: SparkSession) -> None:
    draw = random.Random(5)  # noqa: S311 - test data
    letters = [*"aeñéíóúÁÉÍÓÚÑüÜçÇàèìòùâêîôûäëïößãõÃÕ"]
    words = ["".join(draw.sample(letters, k=draw.randint(1, 6))) for _ in range(3000)]
    texts = [f"“{word}” «{word}» ‘{word}’ {word}… {word}–{word.lower()} ¿{word}? {word}. {word}’s" for word in words]
    texts = [text for text in texts if "Ã–" not in text and "Ã’s" not in text]  # before a letter these are Ö and Ò
    assert cleaned(spark, texts) == texts


def test_a_cut_loses_the_last_number_or_word_and_little_else(spark: SparkSession) -> None:
    figures = "Estado de cuenta: " + "500 1200 33.5 77 -20 (15) " * 20
    texts = [
        figures,
        "9" * 300,
        "ab" * 45 + "9" * 300,
        "ab" * 90 + "9" * 300,
        "hola " * 38 + "4111 1111 1111 1111",
        "ab " * 100,
    ]
    found = cleaned(spark, texts, cap=200)
    assert all(len(short) >= 140 and text.startswith(short) for text, short in zip(texts, found, strict=True))
    assert figures[: len(found[0]) + 1].endswith(" ")
    assert found[1:] == ["9" * 200, "ab" * 45 + "9" * 110, "ab" * 90, ("hola " * 38).strip(), ("ab " * 66 + "ab").strip()]


def test_no_cut_leaves_part_of_a_number(spark: SparkSession) -> None:
    numbers = [
        "4111 1111 1111 1111", "4111 - 1111 - 1111 - 1111", "+57 (310) 555-1234", "79.123.456", "ES91 2100 0418 4502 0005 1332",
        "ana.maria@example.com",
    ]  # fmt: skip
    begun = "me robaron la plata y nadie da la cara "
    texts = [(begun * 3)[:at].rstrip() + f" {number} de Ana" for number in numbers for at in range(65, 100)]
    for text, short in zip(texts, cleaned(spark, texts, cap=100), strict=True):
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


def test_the_time_grows_with_the_length_alone(spark: SparkSession) -> None:
    """Of what grows with its square, one such text alone takes minutes."""
    size = 300_000
    texts = [before + again * (size // len(again)) + after for before, again, after in HOSTILE]
    texts.append("".join(f"&#{code};" for code in range(200, 200 + size // 8)))
    frame = spark.createDataFrame([(text,) for text in texts], "t string")
    start = time.monotonic()
    frame.select(clean(F.col("t"), F.lit(7), max_characters=20_000)).collect()
    assert time.monotonic() - start < 180  # 62 s were seen beside eight other processes on two cores
