"""Names, addresses and birth dates for frames/people_*.txt, written down by hand: the training does not see these lists."""

from __future__ import annotations

import random

from benchmarks.redaction.sentences import MONTHS_EN, MONTHS_ES

Rng = random.Random

_FIRSTS = {
    "es": ("Yurany", "Leidy Johanna", "Wilmer", "Edilberto", "María Fernanda", "Claudia", "Jhon Fredy", "Íngrid", "Rosalba",
    "Hernando", "Nubia", "Óscar Iván", "Yesenia", "Gildardo",
           "Marta Cecilia", "Brayan", "Ximena", "Anselmo", "Lupita", "José Guadalupe", "Macarena", "Iñaki", "Begoña",
           "Pancracio", "Deisy", "Adalberto", "Luz Dary", "Santiago"),
    "en": ("Latoya", "Keisha", "Duane", "Marjorie", "Priyanka", "Hyun-woo", "DeShawn", "Siobhan", "Nigel", "Beverly",
    "Chidi", "Rosalind", "Tyrone", "Mei", "Ezekiel", "Darlene", "Gareth", "Aaliyah",
           "Kathleen", "Bartholomew", "Ingrid", "Stanislav", "Trevor", "Wanda", "Jamal", "Phyllis"),
}  # fmt: skip
_LASTS = {
    "es": ("Guarnizo", "Quintero", "Rincón", "Bohórquez", "Chaparro", "Zuluaga", "Piedrahíta", "Cuéllar", "Palacios",
    "Sarmiento", "Tovar", "Buitrago", "Etxeberria", "Ontiveros", "Villaseñor", "Huertas",
           "Arboleda", "Mosquera", "Cifuentes", "Patiño", "Ospina", "Londoño", "Carvajalino", "Urrutia", "Pinzón",
           "Benavides", "de la Hoz", "Castiblanco", "Montealegre", "Riascos"),
    "en": ("Okonkwo", "Fitzgerald", "Delacroix", "Nakamura", "Thibodeaux", "Kowalczyk", "O'Shaughnessy", "Abernathy",
    "Mehta", "Villanueva", "Goldstein", "McAllister", "Papadopoulos", "Strickland", "Hathaway",
           "Pendergrass", "Whitlock", "Nguyen", "Ferreira", "Castellanos", "Yamamoto", "Oyelaran", "Buchanan", "Haggerty",
           "Lindqvist", "Vandermeer"),
}  # fmt: skip
_STREETS_MX = (
    "Gutiérrez Nájera",
    "Río Lerma",
    "20 de Noviembre",
    "Volcán Paricutín",
    "Tlacoquemécatl",
    "Josefa Ortiz de Domínguez",
    "Xola",
    "Nicolás Bravo",
)
_QUARTERS_MX = ("Anáhuac", "Santa María la Ribera", "Jardines del Bosque", "San Rafael", "Vallarta Poniente", "Mitras Centro")
_STREETS_ES = (
    "Embajadores",
    "Pintor Sorolla",
    "Fray Luis de León",
    "Bravo Murillo",
    "la Constitución",
    "Sancho el Fuerte",
    "Ribera del Segura",
    "Maestro Falla",
)
_TOWNS_ES = ("Getxo", "Alcobendas", "Jerez de la Frontera", "Lugo", "Torrevieja", "Madrid")
_QUARTERS_CO = (
    "Álamos Norte",
    "Las Granjas",
    "El Bosque",
    "Villa del Rosario",
    "San Fernando",
    "La Candelaria",
    "Ciudad Berna",
    "Nuevo Horizonte",
    "Bomboná",
)
_STREETS_US = (
    "Peachtree Industrial",
    "Wilshire",
    "Old Mill",
    "Cottonwood",
    "Martin Luther King Jr",
    "Sycamore",
    "Dogwood Hollow",
    "Ridgecrest",
    "Garfield",
    "County Line",
    "Juniper",
    "22nd",
)
_TOWNS_US = (
    "Tuscaloosa, AL 35401",
    "Boise, ID 83702",
    "El Paso, TX 79901",
    "Yonkers, NY 10701",
    "Fort Wayne, Indiana",
    "Spokane WA 99201",
    "Macon, GA",
    "Eau Claire, WI 54701",
)
_STREETS_UK = ("Acacia", "Kingsway", "Fernbank", "Mill", "Wellington", "Harcourt", "St Mary's", "Priory")
_TOWNS_UK = ("Leicester LE2 3AB", "Hull, HU5 2QW", "Stirling FK8 1EA", "Southend-on-Sea, SS1 2JU", "Wrexham")


def name(rng: Rng, language: str, form: str) -> str:
    """Return a name: `full`, `fl` (one first name and one surname), `first`, `last`; `lower` or `upper` for its letters."""
    firsts, lasts = _FIRSTS[language], _LASTS[language]
    sort, _, case = form.partition(" ")
    first, last = rng.choice(firsts), rng.choice(lasts)
    if sort == "first":
        text = first.split()[0] if rng.random() < 0.7 else first
    elif sort == "last":
        text = last
    elif sort == "fl":
        text = f"{first.split()[0]} {last}"
    elif language == "es":
        text = rng.choice((f"{first} {last} {rng.choice(lasts)}", f"{first} {last}", f"{first} {last} {rng.choice(lasts)}"))
    else:
        text = rng.choice(
            (f"{first} {rng.choice('ABCDEJKLMRT')}. {last}", f"{first} {last}", f"{first} {rng.choice(firsts)} {last}")
        )
    return text.lower() if case == "lower" else text.upper() if case == "upper" else text


def address(rng: Rng, form: str) -> str:
    """Return an address of `co`, `mx`, `es`, `us`, `uk`, or a post box `po`; `lower` or `upper` for its letters."""
    country, _, case = form.partition(" ")
    text = _ADDRESSES[country](rng)
    return text.lower() if case == "lower" else text.upper() if case == "upper" else text


def _colombian(rng: Rng) -> str:
    a, b, c = rng.randrange(1, 180), rng.randrange(1, 120), rng.randrange(1, 99)
    return rng.choice((
        f"Cra {a} # {b}-{c} apto {rng.randrange(101, 1204)}", f"Calle {a} Sur No. {b}A-{c} Int {rng.randrange(1, 9)}",
        f"Calle {a}B #{b}-{c}, barrio {rng.choice(_QUARTERS_CO)}",
        f"Carrera {a}A N° {b} - {c} barrio {rng.choice(_QUARTERS_CO)}",
        f"Transversal {a} # {b} B {c} torre {rng.randrange(1, 9)} apartamento {rng.randrange(101, 999)}",
        f"Diagonal {a} Bis # {b}-{c}",
        f"cll {a} n {b}-{c} casa {rng.randrange(1, 40)}", f"Av. Calle {a} # {b}-{c} Of. {rng.randrange(201, 900)}",
        f"Kr {a} {b} {c}", f"Mz {rng.randrange(1, 30)} casa {rng.randrange(1, 30)} barrio {rng.choice(_QUARTERS_CO)}",
    ))  # fmt: skip


def _mexican(rng: Rng) -> str:
    street, quarter, number = rng.choice(_STREETS_MX), rng.choice(_QUARTERS_MX), rng.randrange(2, 1900)
    return rng.choice((
        f"Calle {street} No. {number}, Col. {quarter}, C.P. 0{rng.randrange(1000, 9999)}",
        f"{street} {number} int. {rng.randrange(1, 40)}, colonia {quarter}",
        f"Av. {street} #{number}, Col. {quarter}, CP {rng.randrange(10000, 99999)}",
        f"Privada {street} {number}-B, Fracc. {quarter}",
    ))  # fmt: skip


def _spanish(rng: Rng) -> str:
    street, number, floor = rng.choice(_STREETS_ES), rng.randrange(1, 190), rng.randrange(1, 9)
    return rng.choice((
        f"C/ {street}, {number}, {floor}º {rng.choice('ABCD')}, {rng.randrange(10000, 52000)} {rng.choice(_TOWNS_ES)}",
        f"calle {street} {number}, {floor}º izquierda",
        f"Avda. {street} nº {number}",
        f"Plaza de {street}, {number}, bajo B, {rng.randrange(10000, 52000)} {rng.choice(_TOWNS_ES)}",
        f"Paseo {street} {number}",
    ))  # fmt: skip


def _american(rng: Rng) -> str:
    street, number = rng.choice(_STREETS_US), rng.randrange(2, 19999)
    way = rng.choice(("Street", "St", "Ave", "Avenue", "Rd", "Dr.", "Lane", "Blvd", "Ct", "Pkwy"))
    return rng.choice((
        f"{number} {street} {way}, {rng.choice(_TOWNS_US)}",
        f"{number} {street} {way} Apt {rng.randrange(1, 40)}{rng.choice('ABC')}, {rng.choice(_TOWNS_US)}",
        f"{number} {rng.choice('NSEW')} {street} {way}",
        f"{number} {street} {way}, Unit {rng.randrange(1, 300)}",
        f"{number} {rng.choice(('Northwest', 'SE'))} {street} {way} #{rng.randrange(1, 90)}",
    ))  # fmt: skip


def _british(rng: Rng) -> str:
    street, number = rng.choice(_STREETS_UK), rng.randrange(1, 180)
    way = rng.choice(("Road", "Lane", "Close", "Street", "Gardens", "Crescent"))
    return rng.choice(
        (
            f"{number} {street} {way}, {rng.choice(_TOWNS_UK)}",
            f"Flat {rng.randrange(1, 30)}, {number} {street} {way}, {rng.choice(_TOWNS_UK)}",
            f"{number}a {street} {way}",
        )
    )


_ADDRESSES = {
    "co": _colombian, "mx": _mexican, "es": _spanish, "us": _american, "uk": _british,
    "po": lambda rng: rng.choice((f"PO Box {rng.randrange(20, 9999)}, {rng.choice(_TOWNS_US)}",
    f"P.O. Box {rng.randrange(20, 9999)}", f"p.o. box {rng.randrange(20, 9999)}")),
}  # fmt: skip


def birth_date(rng: Rng, form: str) -> str:
    """Return a date of a customer's birth in Spanish (`es`) or English (`en`); `lower` for its letters."""
    language, _, case = form.partition(" ")
    year, month, day = rng.randrange(1938, 2008), rng.randrange(1, 13), rng.randrange(1, 29)
    if language == "es":
        month_name = MONTHS_ES[month - 1]
        text = rng.choice(
            (
                f"{day} de {month_name} de {year}",
                f"{day:02d}/{month:02d}/{year}",
                f"{day}-{month}-{year % 100:02d}",
                f"{day} de {month_name} del {year}",
                f"{day:02d}.{month:02d}.{year}",
                f"{day} {month_name[:3]}/{year}",
                f"{year}/{month:02d}/{day:02d}",
            )
        )
    else:
        month_name = MONTHS_EN[month - 1]
        text = rng.choice(
            (
                f"{month_name} {day}, {year}",
                f"{month}/{day}/{year}",
                f"{month:02d}-{day:02d}-{year % 100:02d}",
                f"{day} {month_name} {year}",
                f"{month_name[:3]}. {day}, {year}",
                f"the {day}th of {month_name}, {year}",
                f"{year}-{month:02d}-{day:02d}",
            )
        )
    return text.lower() if case == "lower" else text
