"""Names, addresses and birth dates: what a person wrote, in both languages, and what only looks like it."""

from __future__ import annotations

from datetime import date

import pytest
from complaints_etl.entities import Names, extract
from complaints_etl.records.identifiers import redact_names
from complaints_etl.redaction import redact, redact_value

from benchmarks.redaction.frames import framed
from benchmarks.redaction.people.evaluate import on_values

GONE = (
    ("Mi nombre es Nubia Guarnizo Tovar y vivo en Cali.", ("Nubia Guarnizo Tovar",), "a name behind its keyword"),
    ("hola soy wilmer quintero, me bloquearon la app", ("wilmer quintero",), "a chat in small letters"),
    ("YO, MARTA CECILIA ZULUAGA, EXIJO UNA RESPUESTA", ("MARTA CECILIA ZULUAGA",), "capitals"),
    ("Cliente Gildardo Ospina indica que no reconoce el cobro", ("Gildardo Ospina",), "an agent's note"),
    ("la asesora Yesenia me dijo que esperara", ("Yesenia",), "a first name alone"),
    ("I spoke with Marjorie Whitlock and her manager, Mr. Haggerty.", ("Marjorie Whitlock", "Haggerty"), "a title"),
    ("my husband Trevor passed away in May", ("Trevor",), "a relative"),
    ("Regards,\nPriyanka Mehta", ("Priyanka Mehta",), "a signature"),
    ("El señor Pedro Bohórquez firmó. Luego Bohórquez me llamó.", ("Bohórquez",), "a surname that is repeated"),
    ("vivo en la Cra 7 # 32-16 apto 501 barrio La Candelaria", ("32-16", "501"), "a Colombian address"),
    ("Dirección: Calle 45 Sur No. 12A-30 Int 3", ("12A-30", "Int 3"), "an address in a form"),
    ("me mudé a la C/ Bravo Murillo, 12, 3º B, 28013 Madrid", ("Bravo Murillo", "3º B"), "a Spanish address"),
    ("mi domicilio es Calle Río Lerma No. 12, Col. Anáhuac, C.P. 06700", ("Río Lerma", "Anáhuac"), "a Mexican address"),
    ("I live at 1200 N Sycamore Street, Apt 4, Boise, ID 83702", ("Sycamore", "Apt 4"), "an American address"),
    ("send it to P.O. Box 4410, Macon, GA 31201", ("4410",), "a post box"),
    ("my address is 14 Acacia Road, Leicester LE2 3AB", ("Acacia", "LE2"), "a British address"),
    ("I moved from 2188 Martin Luther King Jr Rd, Fort Wayne, Indiana 46802 to Boise.", ("2188", "Fort Wayne", "46802"), "a town"),
    ("Vivo en la Plaza de Sancho el Fuerte, 49, bajo B, 26696 Lugo", ("Sancho", "26696"), "a postal code"),
    ("Dirección: Calle 17B #73-8, barrio Bomboná. Gracias.", ("17B", "Bomboná"), "a quarter"),
    ("nací en Cali el 3 de marzo de 1984", ("3 de marzo de 1984",), "a birth date some words behind its keyword"),
    ("Fecha de nacimiento: 03/03/84", ("03/03/84",), "a form"),
    ("DOB 4/12/1971", ("4/12/1971",), "an abbreviation"),
    ("I was born on March 3rd, 1984.", ("March 3rd, 1984",), "an ordinal"),
    ("03.03.1984 es mi fecha de nacimiento", ("03.03.1984",), "a date before its keyword"),
    ("nací el tres de marzo de mil novecientos ochenta y cuatro", ("tres de marzo", "ochenta"), "a date in words"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "values", "why"), GONE, ids=[why for *_, why in GONE])
def test_personal_data_goes(text: str, values: tuple[str, ...], why: str) -> None:
    assert not [value for value in values if value in redact(text)[0]], why


# Measured on other seeds: docs/measurements/redaction-people.json. Recall and precision, less a margin of a few values.
LEAST = {"es": {"NAME": (0.92, 0.97), "ADDRESS": (0.93, 0.95)}, "en": {"NAME": (0.91, 0.97), "ADDRESS": (0.93, 0.95)}}


@pytest.mark.parametrize("language", LEAST)
def test_recall_and_precision_hold_on_complaints_that_the_training_did_not_see(language: str) -> None:
    people = [one for seed in (77, 78, 79) for one in framed(seed, "people_") if one.language == language]
    scores = on_values(people, [])
    for kind, (recall, precision) in LEAST[language].items():
        assert scores[kind]["recall"] >= recall, kind
        assert scores[kind]["precision"] >= precision, kind
    assert (scores["BIRTH_DATE"]["recall"], scores["BIRTH_DATE"]["precision"]) == (1, 1)


def test_a_birth_date_is_not_among_the_dates_that_a_complaint_states() -> None:
    nobody = Names.of(())
    for text in (
        "Nací el 03/03/1984 y el 04/05/2026 me cobraron.",
        "03/03/1984 es mi fecha de nacimiento; el 04/05/2026 me cobraron.",
    ):
        stated = extract(text, language="es", received=date(2026, 6, 1), products=nobody, channels=nobody, salt="")
        assert stated.dates == (date(2026, 5, 4),), text


STAYS = (
    "Fui a la oficina de la calle 72 y el cajero de la carrera 15 con calle 93 estaba dañado.",
    "La sucursal de la Calle 72 # 10-34 cerró a las 4.",
    "Fui a la oficina de la Calle 72 # 10-34 y me mandaron a la de la Carrera 7 # 32-16.",
    "En el datáfono del almacén (NIT de la tienda, carrera 7 No. 82-15) no pasa.",
    "I visited the branch at 350 Fifth Avenue and was told to go to 1221 Main Street.",
    "Paid through your agent at Calle 26 # 13-19. Payout refused.",
    "I AM AT THE TILL WITH 14 ITEMS AND NO WAY TO PAY",
    "I used Apple Pay at Trader Joe's and Wendy's, both charged twice.",
    "Bancolombia y el Banco de Bogotá me cobran dos veces lo de Juan Valdez y Arturo Calle.",
    "Según la Ley 1480 de 2011 la Superintendencia Financiera debe responder en septiembre.",
    "Me llamo la atención que la app se llama Nequi y no funciona.",
    "Nací en 1985 y soy cliente desde 2009. El 3 de marzo de 2026 me cobraron.",
    "Mi nombre está mal escrito y mi dirección no aparece en el extracto.",
    "DAVE took a fee, and so did the Dave app. I told Dave to stop, but Dave went on.",
    "SENECA Mortgage Servicing LLC sold my loan, and SENECA never wrote.",
    "I wrote to Nelson & Kennard, LLP and to Keith D. Weiner & Assoc. Co. LPA in May.",
    "Carpenter v. Longan and Hurricane Irma are no customers of Nevada Division of Insurance.",
    "Wells Fargo and Charles Schwab charged me at Trader Joe's in May.",
    "The branch on Main Street will close in August, mark my words.",
    "Under the Fair Credit Reporting Act, Equifax has 30 days.",
    "My date of birth is wrong on the report dated 03/04/2026.",
    "palabra " * 30 + "palabra",
    "Hola Hola Hola Hola Hola",
)


@pytest.mark.parametrize("text", STAYS)
def test_banks_shops_branches_laws_and_dates_stay(text: str) -> None:
    assert redact(text) == (text, {})


def test_a_placeholder_of_the_text_itself_may_be_part_of_an_address() -> None:
    assert redact("Vivo en <ADDRESS>, New York 10001 desde mayo.") == ("Vivo en <ADDRESS> desde mayo.", {"ADDRESS": 1})
    assert redact("<NAME> Ospina y <PHONE> 456 1234")[0].startswith("<NAME>")


COLUMNS = (
    ("nombre", "ana gil", "<NAME>", "small letters"),
    ("Nombres y Apellidos", "Ximena", "<NAME>", "a first name alone"),
    ("nombre_cliente", "Grupo Norte", "<NAME>", "the column decides"),
    ("customer_name", "X Æ", "<NAME>", "a name of no list"),
    ("firstName", "Mei", "<NAME>", "camel case"),
    ("Asesor", "Duane", "<NAME>", "an adviser"),
    ("titular", "Itziar", "<NAME>", "a holder"),
    ("dirección", "donde siempre", "<ADDRESS>", "the column decides"),
    ("home_address", "Elm 4", "<ADDRESS>", "a street"),
    ("fecha_nacimiento", "1984", "<BIRTH_DATE>", "a year alone"),
    ("DOB", "04/12/71", "<BIRTH_DATE>", "an abbreviation"),
    ("nombre del producto", "Visa Oro", "Visa Oro", "a product"),
    ("nombre_banco", "Banco Mundo Mujer", "Banco Mundo Mujer", "a bank"),
    ("nombre de la oficina", "San Fernando", "San Fernando", "a branch"),
    ("company_name", "Charles Schwab", "Charles Schwab", "a company"),
    ("ip address", "desconocida", "desconocida", "not postal"),
    ("email address", "pendiente", "pendiente", "not postal"),
    ("tipo de cliente", "Natural", "Natural", "a kind of customer"),
    ("customer satisfaction", "Very low", "Very low", "an answer"),
    ("fecha de la queja", "03/03/2026", "03/03/2026", "no birth"),
    ("nombre", "N/A", "N/A", "a blank cell"),
    ("asesor", "ana@example.com", "<EMAIL>", "replaced already"),
    ("ciudad", "San Antonio", "San Antonio", "a city"),
    ("Company", "Edward Jones", "Edward Jones", "a company named after a person"),
)


@pytest.mark.parametrize(("column", "value", "expected", "why"), COLUMNS, ids=[f"{one[0]}: {one[3]}" for one in COLUMNS])
def test_the_name_of_a_column_decides(column: str, value: str, expected: str, why: str) -> None:
    assert redact_value(column, value) == expected, why


def test_labels_ids_and_column_names_lose_full_names_and_keep_the_rest() -> None:
    labels = (
        "Robo de identidad", "Credit Karma", "Cobro indebido", "credit_reporting", "card_arrival", "Debt collection", "Wells Fargo", "Santander", "Morgan Stanley", "Charles Schwab",
        "Edward Jones", "San José", "Santa Marta", "Tarjeta Joven", "Payday loan, title loan, or personal loan", "Visa Oro", "Banco Agrario", "Seguros Bolívar", "Robo", "Consumer disputed?",
    )  # fmt: skip
    assert [redact(label, prose=False)[0] for label in labels] == list(labels)
    assert redact("Reclamo de Claudia Quintero", prose=False)[0] == "Reclamo de <NAME>"
    assert redact_names(["texto", "Claudia Quintero"]) == ("texto", "<NAME>")
