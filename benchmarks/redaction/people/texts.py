"""Texts with labelled spans to train and measure the tagger.

Filled frames, complaints with filled masks and other names, MEDDOCAN, Presidio's sentences.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from complaints_etl.text.normalize import fold_spanish

from benchmarks.redaction.people import values
from benchmarks.redaction.people.values import Person, Rng
from benchmarks.redaction.sentences import Sentence

FOLDER = Path(__file__).parent
LEXICON_FOLDER = FOLDER.parents[2] / "glue_jobs" / "complaints_etl" / "lexicon"
Piece = tuple[str, str]  # (text, kind or "")
PEOPLE = {  # more words for people than the lexicon has
    "es": ("señor", "señora", "muchacho", "muchacha", "joven", "persona", "empleado", "empleada", "abogado", "abogada",
    "jefe", "jefa", "compañero", "ladrón", "estafador", "vendedor"),
    "en": ("lady", "guy", "man", "woman", "gentleman", "person", "employee", "attorney", "lawyer", "boss", "clerk",
    "officer", "scammer", "seller", "buyer", "individual", "ex", "caller", "kid"),
}  # fmt: skip
Labelled = tuple[str, list[tuple[int, int, str]]]  # a text, and (start, end, kind) of what is personal in it
_CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")
_OPTIONAL = re.compile(r"(?<!\\)([,.: ])\?")
_SLOT = re.compile(r"\{(\w+)\}")
_NAMES = {"N", "F", "L"}


@cache
def frames(language: str) -> dict[str, tuple[str, ...]]:
    """Return the frames of a language by section."""
    sections: dict[str, list[str]] = {}
    for line in (FOLDER / f"{language}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]") and line[1:-1].isalpha():
            current = sections.setdefault(line[1:-1], [])
        elif line and not line.startswith("#"):
            current.append(line.replace("\\n", "\n"))
    return {name: tuple(lines) for name, lines in sections.items()}


class Writer:
    """Write one text from frames, piece by piece, with the spans of what is personal."""

    def __init__(self, rng: Rng, language: str) -> None:
        self.rng, self.language = rng, language
        self.people = [Person(rng, language) for _ in range(3)]
        self.pieces: list[Piece] = []

    def add(self, frame: str) -> None:
        """Append a frame with its choices made and its slots filled."""
        while match := _CHOICE.search(frame):
            frame = frame[: match.start()] + self.rng.choice(match[1].split("|")) + frame[match.end() :]
        frame = _OPTIONAL.sub(lambda mark: mark[1] if self.rng.random() < 0.6 else "", frame).replace("\\?", "?")
        end = 0
        for slot in _SLOT.finditer(frame):
            self.pieces += [(frame[end : slot.start()], ""), self._value(slot[1])]
            end = slot.end()
        self.pieces.append((frame[end:], ""))

    def _value(self, slot: str) -> Piece:
        rng = self.rng
        if slot in _NAMES:
            person = rng.choice(self.people) if rng.random() < 0.5 else Person(rng, self.language)
            if slot == "N":
                return person.full(rng), "NAME"
            return (person.firsts[0] if slot == "F" else person.lasts[0]), "NAME"
        if slot == "A":
            return values.address(rng, self.language), "ADDRESS"
        if slot == "T":
            return values.landline(rng), "PHONE"
        if slot == "B":
            return values.birth_date(rng, self.language), "BIRTH_DATE"
        return values.plain(rng, self.language, slot), ""

    def text(self) -> Labelled:
        """Return the text with noise: small letters, capitals, lost accents, typing errors, missing spaces."""
        rng, pieces = self.rng, self.pieces
        draw = rng.random()
        if draw < 0.34:
            pieces = [(text.lower(), kind) for text, kind in pieces]
        elif draw < 0.42:
            pieces = [(text.upper(), kind) for text, kind in pieces]
        elif draw < 0.50:
            pieces = [((text.lower() if kind and rng.random() < 0.7 else text), kind) for text, kind in pieces]
        elif draw < 0.56:
            pieces = [((text.upper() if kind and rng.random() < 0.8 else text), kind) for text, kind in pieces]
        if rng.random() < 0.35:
            pieces = [(_without_accents(text), kind) for text, kind in pieces]
        if rng.random() < 0.15:
            pieces = [(_mistyped(rng, text), kind) for text, kind in pieces]
        if rng.random() < 0.08:
            pieces = [(re.sub(r"([,.]) ", r"\1", text), kind) if not kind else (text, kind) for text, kind in pieces]
        if rng.random() < 0.06:
            pieces = [(text.replace(",", "").replace(".", "") if not kind else text, kind) for text, kind in pieces]
        return _text_of(pieces)


def _text_of(pieces: list[Piece]) -> Labelled:
    """Return the pieces in a row, and where those with a kind are."""
    spans, at = [], 0
    for text, kind in pieces:
        if kind and text:
            spans.append((at, at + len(text), kind))
        at += len(text)
    return "".join(text for text, _ in pieces), spans


def _without_accents(text: str) -> str:
    plain = "".join(fold_spanish(letter) if letter.islower() else fold_spanish(letter).upper() for letter in text)
    return plain if len(plain) == len(text) else text


def _mistyped(rng: Rng, text: str) -> str:
    letters = list(text)
    for place in range(1, len(letters) - 1):
        if letters[place].isalpha() and letters[place + 1].isalpha() and rng.random() < 0.02:
            draw = rng.random()
            if draw < 0.4:
                letters[place], letters[place + 1] = letters[place + 1], letters[place]
            elif draw < 0.7:
                letters[place] = ""
            else:
                letters[place] *= 2
    return "".join(letters)


def labelled_of(sentence: Sentence) -> Labelled:
    """Return a benchmark's sentence with the places of its values."""
    places = [(sentence.text.index(value), value, kind) for kind, value in sentence.personal]
    return sentence.text, [(start, start + len(value), kind) for start, value, kind in places]


def body_pieces(rng: Rng, sentence: Sentence) -> list[Piece]:
    """Return a benchmark's sentence as pieces, with other names instead of those that its frame has."""
    person, pieces, text = Person(rng, sentence.language), [], sentence.text
    for kind, value in sentence.personal:
        if kind not in ("NAME", "ADDRESS") or value not in text:
            continue
        before, text = text.split(value, 1)
        if kind == "NAME" and rng.random() < 0.8:
            other = person.full(rng) if " " in value else rng.choice((person.firsts[0], person.firsts[0], person.lasts[0]))
            pieces += [(before, ""), (other.lower() if value.islower() else other, kind)]
        else:
            pieces += [(before, ""), (value, kind)]
    pieces.append((text, ""))
    return with_people(rng, pieces, sentence.language)


_SOMEBODY = {
    "es": r"\b(?:[ÉEée]l|[Ee]lla|[Aa]lguien)(?= (?:me|se|le|no|ya|dijo|nunca|fue|es|tiene|lo|la)\b)",
    "en": r"\b(?:[Ss]?[Hh]e|[Ss]ome(?:one|body))(?= [a-z])|\b(?:him|someone|somebody)\b(?! else)",
}
_DETERMINER = {"es": "el|la|un|una|mi|su|nuestr[oa]|al|del", "en": "an?|the|my|his|her|our|your|another"}
_AFTER_ROLE = {
    "es": r"(?=[,.;]| (?:que|quien|me|no|ya|se|le|lo|dijo|y|fue|está|es|tiene|de|del|en|a|para|por|con)\b)",
    "en": r"(?=[,.;]| (?:who|that|told|said|asked|called|and|was|is|has|had|at|from|on|to|with|did|would|about|in)\b)",
}
_CALLED = {"es": (" de nombre ", " llamado ", " que se llama "), "en": (" named ", " by the name of ", " called ")}


@cache
def _people(language: str) -> re.Pattern[str]:
    """Return what finds the pronouns for which a name may stand, and the roles and relatives behind which one may stand."""
    words = tomllib.loads((LEXICON_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    roles = "|".join(
        sorted({*words["roles"]["words"], *words["relatives"]["words"], *PEOPLE[language]} - {"cajero"})
    )  # often a machine
    return re.compile(
        rf"(?P<somebody>{_SOMEBODY[language]})|\b(?i:{_DETERMINER[language]}) (?i:{roles}"
        rf")\b(?P<behind>){_AFTER_ROLE[language]}"
    )


def with_people(rng: Rng, pieces: list[Piece], language: str) -> list[Piece]:
    """Return pieces with names for some pronouns and behind some roles and relatives: `my wife said` gives `my wife Ana said`.

    The tagger then learns names in the contexts of real texts, too, and not in those of the frames alone.
    """
    person, named = Person(rng, language), []
    for text, kind in pieces:
        end = 0
        for match in _people(language).finditer(text) if not kind else ():
            if rng.random() < 0.3:
                continue
            person = person if rng.random() < 0.4 else Person(rng, language)
            if match["somebody"]:
                start, link, mark = match.start(), "", ""
            else:
                start = match.end()
                link = rng.choice((" ", " ", ", ", ", ", rng.choice(_CALLED[language])))
                mark = "," if link == ", " and text[start : start + 1] == " " and rng.random() < 0.8 else ""
            named += [(text[end:start] + link, ""), (person.full(rng), "NAME"), (mark, "")]
            end = match.end()
        named.append((text[end:], kind))
    return named


def framed_texts(count: int, seed: int, bodies: dict[str, list[Sentence]]) -> Iterator[Labelled]:
    """Yield texts made from frames, between sentences of complaints without names.

    Args:
        count: how many.
        seed: of the random choices.
        bodies: the benchmark's sentences in each language.
    """
    rng = random.Random(seed)
    for number in range(count):
        language = "es" if number % 2 else "en"
        known = frames(language)
        writer = Writer(rng, language)
        if rng.random() < 0.15:
            writer.add(rng.choice(known["open"]))
        if rng.random() < 0.12:
            writer.add(rng.choice(known["form"]) + rng.choice(("\n", ". ", "\n\n", " ")))
        for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
            draw = rng.random()
            if draw < 0.42:
                writer.add(rng.choice(known["positive"]))
            elif draw < 0.74:
                writer.add(rng.choice(known["negative"]))
            else:
                writer.pieces += body_pieces(rng, rng.choice(bodies[language]))
            writer.pieces.append((rng.choice((" ", " ", ". ", ", ", "\n", " y " if language == "es" else " and ")), ""))
        if rng.random() < 0.15:
            writer.add(rng.choice(known["close"]))
        yield writer.text()


_MASK = r"XXXX(?: XXXX){0,2}"
_NAMED = re.compile(
    rf"(?:\b(?:Mr|Mrs|Ms|Miss|Dr)\.? |\bnamed |\bname (?:is|was) (?!XX/)|\bspoke (?:with|to) "
    rf"|\bsupervisor,? |\bmanager,? |\brepresentative,? |\bagent,? |\b[Mm]y (?:husband|wife|son|daughter"
    rf"|mother|father|brother|sister),? "
    rf"|\bDear |\b(?:Sincerely|Regards|Thank you),? ?\s*|\bI, |\b(?:told|said|asked|assured) by "
    rf"|\battorney,? )(?P<mask>{_MASK})(?![X/]|\w)"
)
_LIVES = re.compile(
    rf"(?:\baddress (?:is|was|at|of) |\bproperty (?:at|located at) |\blive at |\bresid(?:e|ing) at "
    rf"|\blocated at )(?P<mask>{_MASK}(?:, ?{_MASK}){{0,3}})(?![X/]|\w)"
)
_DAY = re.compile(r"XX/XX/(XXXX|\d{4}|year>)|XXXX/XXXX/(?:\d{2,4}|XXXX)")
_ANY = re.compile(rf"{_MASK}(?![X/]|\w)")


def complaints(path: Path) -> list[str]:
    """Return the complaints of the CFPB's file, as published."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [row["Consumer complaint narrative"] for row in csv.DictReader(lines)]


def unmasked(text: str, rng: Rng) -> Labelled:
    """Return a complaint with names for masks of names and for some of its people, and other values for some other masks."""
    found = [
        (match.start("mask"), match.end("mask"), kind)
        for pattern, kind in ((_NAMED, "NAME"), (_LIVES, "ADDRESS"))
        for match in pattern.finditer(text)
    ]
    taken = {place for start, end, _ in found for place in range(start, end)}
    found += [(match.start(), match.end(), "day") for match in _DAY.finditer(text) if rng.random() < 0.5]
    found += [
        (match.start(), match.end(), "other")
        for match in _ANY.finditer(text)
        if match.start() not in taken and rng.random() < 0.25
    ]
    pieces: list[Piece] = []
    end, person = 0, Person(rng, "en")
    for start, stop, kind in sorted(found):
        if start < end:
            continue
        person = person if rng.random() < 0.3 else Person(rng, "en")
        if kind == "NAME":
            value = person.full(rng)
        elif kind == "ADDRESS":
            value = values.address(rng, "en")
        elif kind == "day":
            value = values.plain(rng, "en", "date")
        else:
            value = values.plain(rng, "en", rng.choice(("bank", "bank", "city", "shop", "month")))
        pieces += [(text[end:start], ""), (value, kind if kind in ("NAME", "ADDRESS") else "other")]
        end = stop
    pieces = with_people(rng, [*pieces, (text[end:], "")], "en")
    result, spans = _text_of([(part, "" if kind == "other" else kind) for part, kind in pieces])
    if rng.random() < 0.2:
        result = result.lower() if len(result.lower()) == len(result) else result
    elif rng.random() < 0.08:
        result = result.upper() if len(result.upper()) == len(result) else result
    return result, spans


_MEDDOCAN = {
    "NOMBRE_SUJETO_ASISTENCIA": "NAME", "NOMBRE_PERSONAL_SANITARIO": "NAME", "CALLE": "ADDRESS",
    "ID_SUJETO_ASISTENCIA": "ID_NUMBER",
    "ID_ASEGURAMIENTO": "ID_NUMBER", "ID_TITULACION_PERSONAL_SANITARIO": "ID_NUMBER", "ID_CONTACTO_ASISTENCIAL": "ID_NUMBER",
    "ID_EMPLEO_PERSONAL_SANITARIO": "ID_NUMBER", "NUMERO_TELEFONO": "PHONE", "NUMERO_FAX": "PHONE",
}  # fmt: skip
_PRESIDIO = {"PERSON": "NAME", "STREET_ADDRESS": "ADDRESS"}
_BESIDE = re.compile(r"[\s,.\-()>?]{0,4}")


def meddocan(path: Path) -> list[Labelled]:
    """Return MEDDOCAN's texts. A postal code and a town right behind a street are part of the address."""
    return [(text, _joined(text, spans, _MEDDOCAN, {"TERRITORIO"})) for text, spans in _lines(path)]


def presidio(path: Path) -> list[Labelled]:
    """Return Presidio's sentences. A town between two parts of an address is part of it."""
    return [(text, _joined(text, spans, _PRESIDIO, {"GPE"})) for text, spans in _lines(path)]


def _lines(path: Path) -> list[Labelled]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [(row["text"], [tuple(span) for span in row["spans"]]) for row in map(json.loads, lines)]


def _joined(
    text: str, spans: list[tuple[int, int, str]], kinds: dict[str, str], places: set[str]
) -> list[tuple[int, int, str]]:
    """Return the spans of known kinds, addresses joined with the places and addresses right behind them."""
    joined: list[tuple[int, int, str]] = []
    for start, end, label in sorted(spans):
        kind = kinds.get(label, "ADDRESS" if label in places else "")
        if not kind:
            continue
        beside = joined and joined[-1][2] == kind == "ADDRESS" and _BESIDE.fullmatch(text, joined[-1][1], start) is not None
        if beside:
            joined[-1] = (joined[-1][0], end, kind)
        elif label not in places:
            joined.append((start, end, kind))
    return joined
