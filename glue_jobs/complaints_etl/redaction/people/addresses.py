"""Complete the addresses that rules and the tagger found, and leave out those of branches and shops.

Example: of `2188 Martin Luther King Rd, El Paso, TX 79901`, of which the tagger found `King Rd`, all is one address.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON
from complaints_etl.redaction.context import Span
from complaints_etl.redaction.kinds.addresses import is_of_a_place
from complaints_etl.text.normalize import fold

WAYS = frozenset(map(fold, LEXICON.sections["streets"]["words"]))
_PARTICLES = frozenset(LEXICON.terms("names", "between"))
_ADDRESS = re.compile("<ADDRESS>")
# Codes of states, without those that are words or names, too.
_STATES = "A[LKZR]|C[AT]|DC|FL|GA|I[AL]|K[SY]|M[ADINOST]|N[CDEHJMVY]|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]"
_CAPITAL = r"[A-Z][\w.'’\-]{1,20}"
_TERRITORY = rf"(?i:{LEXICON.pattern('territories')})\b"
# Behind an address: ", Fort Wayne, Indiana", ", Boise, ID 83702"; ", Leeds LS2 9JT"; " barrio La Candelaria"; " 28013".
_TOWN = re.compile(
    rf"(?:(?:[ ,\n]{{1,3}}{_CAPITAL}(?: {_CAPITAL}){{0,2}})?[ ,]{{1,2}}"
    rf"(?:(?:[A-Z]{{2}}|{_TERRITORY})[ ,]{{1,2}}\d{{5}}(?:-\d{{4}})?\b|(?:{_STATES})\b|{_TERRITORY}"
    r"|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b)"
    rf"|[ ,\-]{{1,3}}(?i:{LEXICON.pattern('streets', 'quarters')})\b\.? (?:(?i:el|la|los|las|de|del) )?"
    r"[^\W\d_]\w+(?: [A-ZÁÉÍÓÚÑ]\w+)?"
    r"|[ ,]{1,2}\d{5}\b(?![.,]?\d|-\d{1,3}\b| ?[€$%]| (?i:pesos|d[oó]lares|dollars|euros|usd|cop)))"
)
_LONGEST_STREET = 4  # words of a street's name before the first that the tagger found
_CONTEXT = 25  # words before an address that may say whose it is
_IN_NUMBER = re.compile(r"\d[\-:.,/]\Z")


def first_of_address(parts: list[str], first: int) -> int:
    """Return the first word of an address, with the street or the number that its words continue.

    Args:
        parts: a text, split into words and what is between them; word i is part 2 i.
        first: the first word that the tagger found.
    """
    for place in range(first - 1, max(first - 1 - _LONGEST_STREET, -1), -1):
        word, gap = parts[2 * place], parts[2 * place + 1]
        if gap != " " and not (gap in (". ", "/ ") and fold(word) in WAYS):
            break
        if fold(word) in WAYS or (word.isdigit() and len(word) < 6 and place < first - 1):
            return first if place and parts[2 * place - 1].endswith(("$", "#", ",", ".", "<")) else place
        if not word[:1].isupper() and word.lower() not in _PARTICLES:
            break
    return first


def is_elsewhere(parts: list[str], first: int, last: int) -> bool:
    """Return True for the address of a branch or a shop, and for the rest of a number that a rule left: `19` of `13-19`."""
    before, value, behind = (
        "".join(parts[max(2 * first - 2 * _CONTEXT, 0) : 2 * first]),
        "".join(parts[2 * first : 2 * last + 1]),
        "".join(parts[2 * last + 1 : 2 * last + 4]),
    )
    return _IN_NUMBER.search(before) is not None or is_of_a_place(before + value + behind, len(before), len(before + value))


def with_towns(text: str, spans: list[Span]) -> list[Span]:
    """Return the spans with the quarters, towns, states and postal codes behind addresses, also behind those of rules."""
    begins = {span.end: span.start for span in spans if span.type == "ADDRESS"}
    if "<ADDRESS>" in text:
        begins |= {match.end(): match.start() for match in _ADDRESS.finditer(text)}
    towns = []
    for end, start in begins.items():
        stop = end
        while town := _TOWN.match(text, stop):
            stop = town.end()
        if stop > end:
            towns.append(Span("ADDRESS", start, stop))
    if not towns:
        return spans
    merged: list[Span] = []
    for span in sorted([*spans, *towns], key=lambda one: (one.start, -one.end)):
        if not merged or span.start >= merged[-1].end:
            merged.append(span)
        elif "ADDRESS" in (span.type, merged[-1].type):
            merged[-1] = Span("ADDRESS", merged[-1].start, max(span.end, merged[-1].end))
    return merged
