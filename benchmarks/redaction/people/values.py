"""Values for the slots of frames.

Names of Faker's locales, addresses in the styles of six countries, birth dates, and what is not personal.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from benchmarks.redaction import sentences as numbers

Rng = random.Random

# Faker's locales with names in Latin letters, and how often a name is one of theirs.
SPANISH = {"es_CO": 8, "es_MX": 5, "es_ES": 5, "es_AR": 1, "es_CL": 1}
ENGLISH = {"en_US": 10, "en_GB": 4, "en_IN": 1, "en_IE": 1}
OTHERS = (
    "pt_BR", "it_IT", "fr_FR", "de_DE", "pl_PL", "nl_NL", "sv_SE", "tr_TR", "cs_CZ", "hu_HU", "hr_HR", "no_NO", "dk_DK",
    "fi_FI", "ro_RO",
    "sk_SK", "sl_SI", "et_EE", "lt_LT", "lv_LV", "id_ID", "fil_PH", "ga_IE", "pt_PT", "fr_CH", "de_AT", "es_CA", "yo_NG",
    "en_NZ", "is_IS", "az_AZ", "uz_UZ",
)  # fmt: skip
_LATIN = re.compile(r"[A-Za-zÀ-ɏ'’ \-.]+")


@cache
def name_lists(locale: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the first names and the surnames of a locale of Faker, sorted; empty if it has none."""
    try:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    except ImportError:
        return (), ()
    found: tuple[set[str], set[str]] = (set(), set())
    for attribute in dir(provider):
        place = 1 if re.match(r"last_names|surnames", attribute) else 0 if attribute.startswith("first_names") else -1
        values = getattr(provider, attribute) if place >= 0 else ()
        if isinstance(values, (tuple, list, dict, set)):
            found[place].update(value.strip() for value in values if isinstance(value, str) and _LATIN.fullmatch(value))
    return tuple(sorted(found[0])), tuple(sorted(found[1]))


@cache
def locales() -> tuple[str, ...]:
    """Return the locales of OTHERS that Faker has names for."""
    return tuple(locale for locale in OTHERS if all(name_lists(locale)))


@cache
def all_locales() -> tuple[str, ...]:
    """Return every locale of Faker with first names and surnames in Latin letters."""
    package = importlib.import_module("faker.providers.person")
    return tuple(sorted(one.name for one in pkgutil.iter_modules(package.__path__) if all(map(len, name_lists(one.name)))))


class Person:
    """A person with one or two first names and surnames. One text may name the same person in several forms."""

    def __init__(self, rng: Rng, language: str) -> None:
        self.language = language
        draw = rng.random()
        if draw < 0.16:
            locale = rng.choice(locales())
        else:
            table = SPANISH if (language == "es") == (draw < 0.88) else ENGLISH
            locale = rng.choices(list(table), list(table.values()))[0]
        firsts, lasts = name_lists(locale)
        spanish = locale.startswith("es")
        self.firsts = [rng.choice(firsts) for _ in range(1 + (rng.random() < (0.4 if spanish else 0.1)))]
        self.lasts = [rng.choice(lasts) for _ in range(1 + (rng.random() < (0.6 if spanish else 0.06)))]
        if rng.random() < 0.22:
            self.lasts[0] = invented(rng) if rng.random() < 0.25 else _crossed(rng, lasts)
        if rng.random() < 0.18:
            self.firsts[0] = invented(rng) if rng.random() < 0.25 else _crossed(rng, firsts)
        if spanish and rng.random() < 0.06:
            self.lasts[-1] = rng.choice(("de ", "de la ", "del ", "de los ")) + rng.choice(
                ("Cruz", "Torre", "Hoz", "Ríos", "Castillo", "Rosa", "Peña", "Ossa", "Espriella", "Vega", "León", "Moral")
            )
        elif rng.random() < 0.03:
            self.lasts[-1] = rng.choice(("van ", "Mc", "O'", "St. ", "de ", "al-", "Mac")) + self.lasts[-1]

    def full(self, rng: Rng) -> str:
        """Return the whole name, or a usual form of it."""
        first, last = " ".join(self.firsts), " ".join(self.lasts)
        draw = rng.random()
        if draw < 0.03:
            return f"{last}, {first}"
        if draw < 0.06:
            return f"{last} {first}"
        if draw < 0.10:
            return f"{self.firsts[0][0]}. {last}"
        if draw < 0.14:
            return f"{self.firsts[0]} {rng.choice('ABCDEFGHJLMPRST')}. {self.lasts[0]}"
        if draw < 0.16:
            return (
                f"{self.firsts[0]} {self.lasts[0]}-{self.lasts[-1]}"
                if len(self.lasts) > 1
                else f"{first} {last} {rng.choice(('Jr', 'Jr.', 'III', 'Sr.'))}"
            )
        if draw < 0.33:
            return f"{self.firsts[0]} {self.lasts[0]}"
        if draw < 0.58:
            return self.firsts[0] if rng.random() < 0.6 else self.lasts[0]
        return f"{first} {last}"


_SYLLABLES = (
    "ba",
    "ca",
    "du",
    "re",
    "mi",
    "lo",
    "tan",
    "ves",
    "gon",
    "rin",
    "zu",
    "qui",
    "her",
    "bel",
    "ño",
    "lar",
    "men",
    "dia",
    "cho",
    "var",
    "tri",
    "esk",
    "ya",
    "wi",
    "son",
    "ley",
    "ders",
    "kel",
    "mar",
    "oña",
    "dez",
    "ill",
    "ar",
    "pa",
    "gue",
    "ri",
    "za",
    "bal",
    "ta",
    "que",
    "yo",
    "ja",
    "he",
)


def invented(rng: Rng) -> str:
    """Return a name that no list has."""
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((2, 2, 3, 3, 4)))).capitalize()


def _crossed(rng: Rng, names: tuple[str, ...]) -> str:
    """Return a name that no list has: the beginning of one and the end of another."""
    first, last = rng.choice(names), rng.choice(names)
    return (first[: max(2, len(first) // 2)] + last[len(last) // 2 :].lower()).strip()


def _number(rng: Rng, most: int = 200) -> str:
    return str(rng.randrange(1, rng.choice((10, 60, most))))


def _street_name(rng: Rng, language: str) -> str:
    """Return what a street is named after."""
    person = Person(rng, language)
    if language == "es":
        return rng.choice((
            lambda: f"{person.firsts[0]} {person.lasts[0]}", lambda: person.lasts[0], lambda: rng.choice(SAINTS),
            lambda: rng.choice(HEROES),
            lambda: rng.choice(HEROES), lambda: rng.choice(CITIES_ES),
            lambda: rng.choice(("de los ", "de la ", "del ", "las ", "los ", "la ", "el ", "")) + rng.choice(WORDS_ES),
        ))()  # fmt: skip
    return rng.choice((
        lambda: person.lasts[0], lambda: person.lasts[0], lambda: rng.choice(WORDS_EN),
        lambda: f"{rng.choice(WORDS_EN)} {rng.choice(ENDINGS_EN)}",
        lambda: rng.choice(WORDS_EN) + rng.choice(("wood", "view", "field", "dale", "brook", "side", "land", "hurst")),
        lambda: f"{person.firsts[0]} {person.lasts[0]}",
        lambda: f"{rng.choice(range(1, 150))}{rng.choice(('th', 'th', 'st', 'nd', 'rd'))}", lambda: rng.choice(CITIES_EN),
    ))()  # fmt: skip


_TOWN_BEGINS = ("North", "South", "East", "West", "New", "Port", "Lake", "Fort", "Mount", "San", "St.")
# The parts of British postal codes.
_POST_TOWNS = ("LS", "B", "M", "SW", "N", "E", "EH", "G", "CF", "BS", "NE", "L", "SE", "W", "RG", "BT", "CB", "OX")
_INWARD = "ABDEFGHJLNPQRSTUWXYZ"
_SIDES = (" Sur", " sur", " Este", " Norte", " S", " Oeste")


def colombian(rng: Rng) -> str:
    """Return an address of a Colombian town: a street, the crossing street, the distance, and what is inside the building."""
    ways = (
        "Calle", "Calle", "Calle", "Cl", "Cl.", "CLL", "Cll", "cll", "Carrera", "Carrera", "Cra", "Cra.", "Cra", "Kr", "KR",
        "Kra", "K", "Cr", "Av", "Av.", "Avenida", "Avenida Calle",
        "Avenida Carrera", "AK", "AC", "Diagonal", "Diag.", "Dg", "DG", "Transversal", "Tv", "Transv.", "Tr", "Circular",
        "Autopista", "Avenida El Dorado", "Autopista Norte", "Av. Boyacá", "Av Caracas",
    )  # fmt: skip
    letter = lambda: rng.choice("ABCDEFGH") if rng.random() < 0.3 else ""  # noqa: E731 -- one letter, drawn four times
    bis = lambda: rng.choice((" Bis", " bis", "bis", " bis A")) if rng.random() < 0.08 else ""  # noqa: E731 -- as above
    side = lambda: rng.choice(_SIDES) if rng.random() < 0.16 else ""  # noqa: E731 -- as above
    mark = rng.choice(
        (
            " # ",
            " # ",
            " #",
            "#",
            " No. ",
            " No ",
            " no. ",
            " N° ",
            " Nº ",
            " n ",
            " número ",
            " numero ",
            " Nro. ",
            " nro ",
            " - ",
            " ",
            " con ",
        )
    )
    dash = rng.choice(("-", "-", "-", " - ", " – ", "- ", " "))
    text = (
        f"{rng.choice(ways)} {_number(rng)}{letter()}{bis()}{side()}{mark}{_number(rng, 130)}{letter()}"
        f"{bis()}{dash}{_number(rng, 100)}{side()}"
    )
    if rng.random() < 0.55:
        text += _inside_es(rng)
    if rng.random() < 0.35:
        text += (
            rng.choice((", ", " ", ", ", " - "))
            + rng.choice(
                (
                    "barrio",
                    "Barrio",
                    "B/",
                    "urbanización",
                    "Urb.",
                    "conjunto",
                    "Conjunto residencial",
                    "barrio el",
                    "edificio",
                    "Ed.",
                    "vereda",
                    "sector",
                    "etapa 2 barrio",
                )
            )
            + " "
            + quarter(rng)
        )
    if rng.random() < 0.1:
        text = rng.choice((
            f"Manzana {_number(rng, 30)} Casa {_number(rng, 40)}", f"Mz {rng.choice('ABCDEFGH')} Lote {_number(rng, 40)}",
            f"mz {_number(rng, 30)} cs {_number(rng, 40)}",
            f"vereda {quarter(rng)}, finca {rng.choice(SAINTS)}", f"Km {_number(rng, 30)} vía {rng.choice(CITIES_ES)}",
            f"Finca {rng.choice(WORDS_ES)}, vereda {quarter(rng)}",
            f"Conjunto {quarter(rng)} torre {_number(rng, 12)} apto {rng.randrange(101, 1405)}",
            f"apartado aéreo {rng.randrange(100, 99999)}", f"Casa {_number(rng, 60)} {quarter(rng)}",
        )) + (f", barrio {quarter(rng)}" if rng.random() < 0.5 else "")  # fmt: skip
    return text + _city_behind(rng, CITIES_ES)


def _city_behind(rng: Rng, cities: tuple[str, ...]) -> str:
    return rng.choice((", ", " ", " - ", ". ")) + rng.choice(cities) if rng.random() < 0.15 else ""


_ROOMS_ES = (
    "apto",
    "Apto.",
    "apartamento",
    "Apartamento",
    "ap",
    "Apt",
    "int",
    "Int.",
    "interior",
    "casa",
    "oficina",
    "Of.",
    "local",
    "piso",
    "torre",
    "bloque",
    "lote",
    "APTO",
    "Interior",
    "cs",
    "bl",
    "to",
    "etapa",
    "unidad",
    "garaje",
)


def _inside_es(rng: Rng) -> str:
    room = str(rng.randrange(101, 1905)) if rng.random() < 0.7 else _number(rng, 30)
    one = rng.choice(_ROOMS_ES)
    another = rng.choice(_ROOMS_ES)
    text = rng.choice((" ", ", ", " - ", "  ")) + f"{one} {room if rng.random() < 0.8 else rng.choice('ABCD')}"
    if rng.random() < 0.3:
        text += rng.choice((" ", ", ")) + f"{another} {rng.choice((_number(rng, 20), rng.choice('ABC')))}"
    return text


def quarter(rng: Rng) -> str:
    return rng.choice(
        (
            rng.choice(SAINTS),
            rng.choice(QUARTERS),
            rng.choice(QUARTERS),
            rng.choice(("La ", "El ", "Los ", "Las ", "Villa ", "Altos de ", "Portal de ", "Ciudad ", ""))
            + rng.choice(WORDS_ES),
        )
    )


def mexican(rng: Rng) -> str:
    way = rng.choice(
        (
            "Calle",
            "Calle",
            "C.",
            "Av.",
            "Avenida",
            "Av",
            "Blvd.",
            "Boulevard",
            "Calz.",
            "Calzada",
            "Privada",
            "Priv.",
            "Cerrada",
            "Andador",
            "Callejón",
            "Prolongación",
            "Circuito",
            "Eje",
            "Carretera",
            "Paseo",
            "Retorno",
            "",
        )
    )
    text = (
        f"{way} {_street_name(rng, 'es')}"
        f"{rng.choice((' ', ' No. ', ' #', ' # ', ' núm. ', ' num ', ', ', ' número ', ' No. Ext. ', ' n° '))}"
        f"{_number(rng, 2500)}{rng.choice(('', '', 'A', '-B', ' bis'))}"
    ).strip()
    if rng.random() < 0.4:
        text += (
            rng.choice((" ", ", ", "-"))
            + rng.choice(
                ("int.", "Int", "interior", "depto", "Depto.", "dpto", "edificio", "lote", "mz", "Mza.", "No. Int.", "piso")
            )
            + f" {rng.choice((_number(rng, 30), rng.choice('ABCD')))}"
        )
    if rng.random() < 0.7:
        text += (
            rng.choice((", ", " ", ", "))
            + rng.choice(
                (
                    "Col.",
                    "Colonia",
                    "col",
                    "colonia",
                    "Col",
                    "Fracc.",
                    "Fraccionamiento",
                    "Barrio",
                    "Unidad Habitacional",
                    "Residencial",
                )
            )
            + " "
            + quarter(rng)
        )
    if rng.random() < 0.5:
        text += rng.choice((", ", " ")) + rng.choice(("C.P. ", "CP ", "cp ", "C.P.", "")) + f"{rng.randrange(1000, 99999):05d}"
    if rng.random() < 0.35:
        text += rng.choice((", ", " ")) + rng.choice(CITIES_MX)
    return text


def spanish(rng: Rng) -> str:
    way = rng.choice(
        (
            "Calle",
            "Calle",
            "C/",
            "C/",
            "c/",
            "C/ ",
            "Avda.",
            "Avda",
            "Avenida",
            "Av.",
            "Avenida de",
            "Paseo de",
            "Pº de",
            "Plaza",
            "Pza.",
            "Plaza de",
            "Ronda",
            "Travesía",
            "Camino de",
            "Ctra. de",
            "Carretera de",
            "Rambla",
            "Gran Vía",
            "Urb.",
            "Glorieta",
            "Carrer de",
            "Carrer",
            "Rúa",
            "Vía",
            "Pasaje",
            "Cuesta de",
            "Polígono",
            "Bulevar",
        )
    )
    text = f"{way} {_street_name(rng, 'es')}".replace("  ", " ")
    text += rng.choice((", ", " ", ", nº ", " nº", ", n.º ", " num. ", ",")) + rng.choice(
        (_number(rng, 300), _number(rng, 300), "s/n", f"{_number(rng)}-{_number(rng)}", "km. " + _number(rng))
    )
    if rng.random() < 0.6:
        floor = rng.choice(
            (
                f"{rng.randrange(1, 12)}º",
                f"{rng.randrange(1, 12)}º ",
                f"{rng.randrange(1, 12)}°",
                f"{rng.randrange(1, 12)}",
                "bajo",
                "ático",
                "Esc. 2, 3º",
                "portal 4, 2º",
                "piso 3",
                f"{rng.randrange(1, 9)}o",
            )
        )
        text += (
            rng.choice((", ", " ", " - ", ","))
            + floor
            + rng.choice(("A", "B", " C", " izda", " dcha", " izq.", " izquierda", " puerta 3", "", "D", " dcha."))
        )
    if rng.random() < 0.5:
        text += (
            rng.choice((", ", " ", ". ", " - "))
            + f"{rng.randrange(1000, 52999):05d}"
            + (rng.choice((" ", ", ", " - ")) + rng.choice(CITIES_SPAIN) if rng.random() < 0.8 else "")
        )
    return text


def southern(rng: Rng) -> str:
    """Return an address of Argentina, Chile or Peru."""
    way = rng.choice(
        ("Av.", "Avenida", "Calle", "Jr.", "Jirón", "Pasaje", "Psje.", "Bv.", "", "Av", "Los", "Urb.", "Diagonal")
    )
    text = f"{way} {_street_name(rng, 'es')} {rng.choice(('', '', 'N° ', '#', 'nro '))}{_number(rng, 5000)}".strip()
    if rng.random() < 0.5:
        text += rng.choice((", ", " ")) + rng.choice(
            (
                f"piso {_number(rng, 20)} dpto {rng.choice('ABCDE')}",
                f"{rng.randrange(1, 12)}° {rng.choice('ABC')}",
                f"depto {rng.randrange(11, 900)}",
                f"dpto. {rng.randrange(11, 900)}",
                f"of. {rng.randrange(11, 900)}",
                f"Mz {rng.choice('ABC')} Lt {_number(rng, 30)}",
            )
        )
    if rng.random() < 0.3:
        text += ", " + rng.choice(
            (
                "Miraflores",
                "Providencia",
                "Palermo",
                "Caballito",
                "Ñuñoa",
                "San Isidro",
                "Surco",
                "Las Condes",
                "Belgrano",
                "Rosario",
            )
        )
    return text


def american(rng: Rng) -> str:
    if rng.random() < 0.12:
        number = rng.randrange(1, 9999)
        text = rng.choice(
            (
                f"PO Box {number}",
                f"P.O. Box {number}",
                f"P. O. Box {number}",
                f"po box {number}",
                f"Post Office Box {number}",
                f"P.O. BOX {number}",
                f"RR {_number(rng, 9)} Box {number}",
                f"HC {_number(rng, 90)} Box {number}",
                f"PSC {number}, Box {rng.randrange(1, 9999)}",
                f"Unit {number} Box {rng.randrange(1, 9999)}",
                f"PMB {number}",
            )
        )
    else:
        way = rng.choice(SUFFIXES_EN) + rng.choice(("", "", "", "."))
        side = (
            rng.choice(("N ", "S ", "E ", "W ", "N. ", "North ", "South ", "West ", "East ", "NE ", "SW ", "NW "))
            if rng.random() < 0.25
            else ""
        )
        text = (
            f"{rng.randrange(1, rng.choice((100, 1000, 9999, 29999)))}"
            f"{rng.choice(('', '', '', '', 'A', ' 1/2'))} {side}{_street_name(rng, 'en')} {way}"
        )
        text += rng.choice((" NW", " SE", " N", " South", " SW")) if rng.random() < 0.08 else ""
        if rng.random() < 0.06:
            text = (
                f"{rng.randrange(100, 29999)} {rng.choice(COUNTRY_ROADS)} "
                f"{rng.choice((_number(rng, 999), rng.choice(WORDS_EN)))}"
            )
        if rng.random() < 0.35:
            text += (
                rng.choice((" ", ", ", "\n", ", ", " "))
                + rng.choice(
                    (
                        "Apt",
                        "Apt.",
                        "apt",
                        "Apartment",
                        "Unit",
                        "Suite",
                        "Ste",
                        "Ste.",
                        "#",
                        "No.",
                        "Lot",
                        "Bldg 3 Apt",
                        "Floor",
                        "Room",
                        "Trlr",
                        "apartment",
                        "unit",
                    )
                )
                + " "
                + rng.choice(
                    (
                        _number(rng, 999),
                        rng.choice("ABCDEF"),
                        f"{_number(rng, 30)}{rng.choice('ABCDEF')}",
                        f"{rng.randrange(1, 999):03d}",
                    )
                )
            )
    if rng.random() < 0.6:
        text += rng.choice((", ", ", ", " ", "\n", ",")) + rng.choice(
            (
                rng.choice(CITIES_EN),
                rng.choice(CITIES_EN),
                f"{rng.choice(_TOWN_BEGINS)} {Person(rng, 'en').lasts[0]}",
                Person(rng, "en").lasts[0]
                + rng.choice(("ville", "ton", " City", "burg", "field", " Springs", " Heights", " Park")),
            )
        )
        text += rng.choice((", ", " ", ", ", " ,")) + rng.choice(
            (rng.choice(STATES), rng.choice(STATES), rng.choice(STATE_NAMES))
        )
        if rng.random() < 0.75:
            text += (
                rng.choice((" ", " ", ", "))
                + f"{rng.randrange(501, 99950):05d}"
                + (f"-{rng.randrange(9999):04d}" if rng.random() < 0.08 else "")
            )
    return text


def british(rng: Rng) -> str:
    way = rng.choice(
        (
            "Road",
            "Road",
            "Street",
            "Lane",
            "Avenue",
            "Close",
            "Gardens",
            "Drive",
            "Crescent",
            "Terrace",
            "Place",
            "Way",
            "Grove",
            "Hill",
            "Mews",
            "Court",
            "Square",
            "Rd",
            "St",
            "Green",
            "Walk",
            "Park",
            "Row",
        )
    )
    text = f"{_number(rng, 300)}{rng.choice(('', '', '', 'a', 'B'))} {_street_name(rng, 'en')} {way}"
    if rng.random() < 0.25:
        text = (
            rng.choice(
                (
                    f"Flat {_number(rng, 40)}{rng.choice(('', 'A', 'b'))}",
                    f"Apartment {_number(rng, 40)}",
                    f"Unit {_number(rng, 40)}",
                    f"{rng.choice(WORDS_EN)} {rng.choice(('House', 'Cottage', 'Farm', 'Court', 'Lodge'))}",
                    f"Studio {_number(rng, 40)}",
                    "The Old Rectory",
                )
            )
            + rng.choice((", ", "\n", " "))
            + text
        )
    if rng.random() < 0.75:
        text += rng.choice((", ", ", ", "\n", " ")) + rng.choice(CITIES_UK)
        if rng.random() < 0.8:
            text += (
                rng.choice((", ", " ", "\n", " "))
                + f"{rng.choice(_POST_TOWNS)}{rng.randrange(1, 30)} "
                + f"{rng.randrange(1, 10)}{rng.choice(_INWARD)}{rng.choice(_INWARD)}"
            )
    return text


def foreign(rng: Rng) -> str:
    """Return an address as generators of test data make them: the streets of one country in the order of another."""
    person = Person(rng, "en")
    street = rng.choice((
        lambda: (
            f"{rng.choice(('Rue', 'rue', 'Avenue', 'Boulevard', 'Place', 'Chemin', 'Quai'))} "
            f"{rng.choice(('de la ', 'du ', 'de ', 'des ', ''))}{person.lasts[0]}"
        ), lambda: f"{rng.choice(('Via', 'Viale', 'Piazza', 'Corso', 'Vicolo'))} {person.lasts[0]}",
        lambda: person.lasts[0] + rng.choice(GLUED_ROADS),
        lambda: f"{rng.choice(('ul.', 'ulica', 'al.', 'os.', 'út', 'ulice'))} {person.lasts[0]}",
        lambda: f"{rng.choice(PORTUGUESE_ROADS)} {rng.choice(('de ', 'do ', 'da ', 'dos ', ''))}{person.lasts[0]}",
        lambda: f"{rng.choice(('Jalan', 'Jl.', 'Calle', 'C/', 'Ctra. de', 'Paseo'))} {person.lasts[0]}",
        lambda: f"{person.lasts[0]} {rng.choice(SUFFIXES_EN)}", lambda: f"{person.firsts[0]} {rng.choice(SUFFIXES_EN)}",
    ))()  # fmt: skip
    text = rng.choice(
        (
            f"{rng.randrange(1, 99999)} {street} {_number(rng, 300)}",
            f"{street} {_number(rng, 300)}",
            f"{_number(rng, 999)} {street}",
            f"{rng.randrange(1, 99999)} {street}",
            f"{street}, {_number(rng, 99)}",
        )
    )
    if rng.random() < 0.35:
        text += rng.choice((" ", "\n", "\n ", ", ")) + rng.choice(
            (f"Apt. {rng.randrange(1, 999):03d}", f"Suite {rng.randrange(1, 999):03d}")
        )
    if rng.random() < 0.6:
        city = rng.choice((invented(rng), person.lasts[-1], rng.choice(CITIES_EN), rng.choice(CITIES_ES)))
        text += rng.choice((", ", "\n", "\n ", " ")) + city
        if rng.random() < 0.6:
            text += rng.choice(
                (
                    f" {rng.randrange(1000, 99999)}",
                    f", {rng.choice(STATES)} {rng.randrange(1000, 99999):05d}",
                    f", {rng.choice(COUNTRIES)} {rng.randrange(1000, 99999)}",
                    f"\n{rng.choice(COUNTRIES)} {rng.randrange(1000, 99999)}",
                    f", {rng.choice(COUNTRIES)}",
                )
            )
    return text


def address(rng: Rng, language: str) -> str:
    """Return an address, usually of a country with the language."""
    makers: tuple[tuple[Callable[[Rng], str], int], ...] = (
        ((colombian, 50), (mexican, 18), (spanish, 20), (southern, 8), (american, 3), (foreign, 1))
        if language == "es"
        else ((american, 62), (british, 18), (foreign, 16), (colombian, 2), (spanish, 2))
    )
    return rng.choices([make for make, _ in makers], [weight for _, weight in makers])[0](rng)


def landline(rng: Rng) -> str:
    """Return a telephone number of Spain, Mexico, Argentina or France, in one of the groupings that people write."""
    number = f"{rng.choice('6789')}{rng.randrange(10**8):08d}"
    groups = rng.choice(((3, 3, 3), (2, 3, 2, 2), (3, 2, 2, 2), (9,), (3, 6), (2, 7), (1, 2, 2, 2, 2)))
    starts = [sum(groups[:place]) for place in range(len(groups))]
    text = rng.choice((" ", " ", "-", ".")).join(number[at : at + size] for at, size in zip(starts, groups, strict=True))
    return rng.choice(("", "", "", "+34 ", "+34", "0034 ", "(+34) ", "55 ", "(0)")) + text


def birth_date(rng: Rng, language: str) -> str:
    """Return a day in one of many notations."""
    year, month, day = rng.randrange(1935, 2012), rng.randrange(1, 13), rng.randrange(1, 29)
    months = numbers.MONTHS_ES if language == "es" else numbers.MONTHS_EN
    name = months[month - 1]
    if language == "es":
        return rng.choice(
            (
                f"{day} de {name} de {year}",
                f"{day} de {name} del {year}",
                f"{day:02d}/{month:02d}/{year}",
                f"{day}/{month}/{year % 100:02d}",
                f"{day:02d}-{month:02d}-{year}",
                f"{year}-{month:02d}-{day:02d}",
                f"{day} {name[:3]} {year}",
                f"{day:02d}.{month:02d}.{year}",
                f"{name} {day} de {year}",
                f"{day} {name} {year}",
            )
        )
    return rng.choice(
        (
            f"{name} {day}, {year}",
            f"{name} {day} {year}",
            f"{month}/{day}/{year}",
            f"{month:02d}/{day:02d}/{year % 100:02d}",
            f"{day} {name} {year}",
            f"{name[:3]} {day}, {year}",
            f"{year}-{month:02d}-{day:02d}",
            f"{month:02d}-{day:02d}-{year}",
            f"{name} {day}th, {year}",
            f"{day}th of {name} {year}",
        )
    )


WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
SAINTS = tuple(WORDS["saints"])
HEROES = tuple(WORDS["heroes"])
WORDS_ES = tuple(WORDS["words_es"])
QUARTERS = tuple(WORDS["quarters"])
CITIES_ES = tuple(WORDS["cities_es"])
CITIES_MX = tuple(WORDS["cities_mx"])
CITIES_SPAIN = tuple(WORDS["cities_spain"])
CITIES_EN = tuple(WORDS["cities_en"])
CITIES_UK = tuple(WORDS["cities_uk"])
WORDS_EN = tuple(WORDS["words_en"])
ENDINGS_EN = tuple(WORDS["endings_en"])
SUFFIXES_EN = tuple(WORDS["suffixes_en"])
STATES = tuple(WORDS["states"])
STATE_NAMES = tuple(WORDS["state_names"])
COUNTRY_ROADS = tuple(WORDS["country_roads"])
GLUED_ROADS = tuple(WORDS["glued_roads"])
PORTUGUESE_ROADS = tuple(WORDS["portuguese_roads"])
COUNTRIES = tuple(WORDS["countries"])
BANKS = WORDS["banks"]
SHOPS = WORDS["shops"]
LAWS = WORDS["laws"]
PRODUCTS = WORDS["products"]
COMPANIES_AFTER = WORDS["companies"]
MONTHS = {"es": numbers.MONTHS_ES, "en": numbers.MONTHS_EN}


def branch(rng: Rng, language: str) -> str:
    """Return the street or the quarter of a branch. It is not the address of a person, so it is not labelled."""
    if language == "es":
        return rng.choice(
            (
                f"la calle {_number(rng)}",
                f"la Calle {_number(rng)}",
                f"la carrera {_number(rng)}",
                f"la {_number(rng)}",
                f"la {_number(rng)} con {_number(rng)}",
                f"la carrera {_number(rng)} con calle {_number(rng)}",
                f"la avenida {rng.choice(HEROES)}",
                f"la Avenida {rng.choice(WORDS_ES)}",
                quarter(rng),
                quarter(rng),
                f"el centro comercial {quarter(rng)}",
                f"Plaza {rng.choice(SAINTS)}",
                rng.choice(CITIES_ES),
                "Unicentro",
                f"la calle {rng.choice(HEROES)}",
                f"Av. {rng.choice(HEROES)}",
            )
        )
    return rng.choice(
        (
            f"{rng.choice(WORDS_EN)} {rng.choice(('Street', 'Ave', 'Avenue', 'Road', 'Blvd', 'St'))}",
            f"{_number(rng)}th Street",
            f"{_number(rng)}th and {rng.choice(WORDS_EN)}",
            rng.choice(CITIES_EN),
            f"{Person(rng, 'en').lasts[0]} {rng.choice(('Road', 'Avenue', 'Street', 'Plaza', 'Mall'))}",
            f"the corner of {rng.choice(WORDS_EN)} and {rng.choice(WORDS_EN)}",
            f"Route {_number(rng)}",
            "Broadway",
            f"{rng.choice(WORDS_EN)} Mall",
            "downtown",
        )
    )


def plain(rng: Rng, language: str, slot: str) -> str:
    """Return a value of a slot that is not personal, or that other rules replace."""
    person = Person(rng, language)
    if slot == "co":
        text = rng.choice(COMPANIES_AFTER[language])
        while "{" in text:
            text = text.replace("{L}", Person(rng, language).lasts[0], 1).replace("{F}", person.firsts[0], 1)
        return text
    makers: dict[str, Callable[[], str]] = {
        "bank": lambda: rng.choice(BANKS[language]),
        "app": lambda: rng.choice(
            ("Nequi", "Daviplata", "PSE", "Bizum", "SPEI")
            if language == "es"
            else ("Zelle", "Venmo", "Cash App", "PayPal", "wire")
        ),
        "shop": lambda: rng.choice(SHOPS[language]),
        "law": lambda: rng.choice(LAWS[language]),
        "prod": lambda: rng.choice(PRODUCTS[language]),
        "city": lambda: rng.choice(CITIES_ES if language == "es" else CITIES_EN),
        "month": lambda: rng.choice(MONTHS[language]),
        "branch": lambda: branch(rng, language),
        "street": lambda: rng.choice((_number(rng), rng.choice(HEROES), f"{_number(rng)} con {_number(rng)}")),
        "barrio": lambda: rng.choice(
            (quarter(rng), person.lasts[0], f"{person.firsts[0]} {person.lasts[0]}", rng.choice(SAINTS))
        ),
        "date": lambda: numbers.day(rng, language)[0],
        "time": lambda: f"{rng.randrange(24)}:{rng.randrange(60):02d}",
        "amt": lambda: numbers.amount(rng, language)[0],
        "n": lambda: _number(rng, 40),
        "zip": lambda: f"{rng.randrange(1000, 99999):05d}",
        "cc": lambda: numbers.identity(rng) if language == "es" else numbers.social_security(rng),
        "tel": lambda: numbers.mobile(rng) if language == "es" else numbers.american(rng),
        "mail": lambda: numbers.email(rng),
        "acct": lambda: numbers.account(rng),
    }
    return makers[slot]()
