"""ADDRESS: postal addresses whose form has a grammar. The tagger (people/) finds the others.

Positive: `Cra 7 # 32-16 apto 501`, `1200 N Main Street, Apt 4`, `P.O. Box 4410`. Negative: `la oficina de la calle 72`,
`la sucursal de la Calle 72 # 10-34`, `la carrera 15 con calle 93`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON
from complaints_etl.redaction.notation import after_law
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import Prefixes, ScannedText

_WAYS = r"calles?|cll?e?|carreras?|cra|kra?|cr|k|avenida|avda?|ave?|diagonal|diag|dg|transversal|transv?|tv|tr|circular|autopista|ak|ac"
_SIDE = r"(?: ?(?:sur|norte|este|oeste|occidente)\b)?"
_LETTERS = r" ?(?:[a-h]{1,2}\b)?(?: ?bis\b)?(?: ?[a-h]\b)?"
_MARK = r"(?: ?(?:#|n[°º]|n[uú]mero|n[uú]m|nro|no|n)[ .]{0,2}| [-–] | )"
_INSIDE = (
    rf"(?:[ ,\-]{{1,3}}(?:{LEXICON.pattern('streets', 'inside')})\b\.? ?(?:n[o°º]\.? ?)?(?:\d{{1,5}}[a-z]?|[a-z])\b){{0,4}}"
)
_PLACES = rf"\b(?:{LEXICON.pattern('streets', 'places')})\b"
# The words before the address of a branch or a shop: `la oficina de la `, `the store at `; `almacén (NIT <NIT>, `.
_PLACE = re.compile(
    rf"(?i){_PLACES}(?:[^.!?\n<]{{0,12}}?(?:\s(?:de|en|del|la|el|on|at|in|the|ubicad[oa]|of))*\s|[^.!?\n()]{{0,12}}\([^!?\n()]{{0,40}})\Z"
)
# And before that of another one in the same sentence: `la oficina de la Calle 72 # 10-34 y me mandaron a la de la `.
_OTHER_PLACE = re.compile(
    rf"(?i){_PLACES}[^!?\n]{{0,100}}?(?:\b(?:la|otra) (?:de|en) (?:la )?|\b(?:me|nos) \w{{3,12}}(?:ron|on) (?:a|para) (?:la )?|\b(?:fui|fuimos|ir|vaya) a (?:la )?"
    r"|\bthe (?:other )?one (?:at|on|in) |\b(?:I|we) (?:\w+ )?(?:went|drove|walked) to |\b(?:go|sent (?:me|us)|referred (?:me|us)) to )\Z"
)
_PLACE_BEHIND = re.compile(rf"(?i)\s(?:{LEXICON.pattern('streets', 'places')})\b")
_BEFORE, _SENTENCE = 60, 140
POST_PREFIXES = Prefixes("po box", "p.o", "p. o", "post office box", "apartado", "apdo")


def is_of_a_place(text: str, start: int, end: int) -> bool:
    """Return True for the address of a branch or a shop, by the words around it."""
    return (
        _PLACE_BEHIND.match(text, end) is not None
        or _PLACE.search(text, max(start - _BEFORE, 0), start) is not None
        or _OTHER_PLACE.search(text, max(start - _SENTENCE, 0), start) is not None
    )


def _is_home(match: re.Match[str]) -> bool:
    """Return False for the address of a branch or a shop, and for the number of a section of a law."""
    start = match.start()
    return not is_of_a_place(match.string, start, match.end()) and not after_law(match.string, start)


def _numbers(text: ScannedText) -> list[int]:
    return [start for start, _, _ in text.runs()]


RULES = (
    Rule(
        name="Colombian address",
        type="ADDRESS",
        example="vivo en la Cra 7 # 32-16 apto 501",
        min_digits=1,
        contains="-",
        pattern=re.compile(
            rf"(?i)(?<![^\W_])(?:{_WAYS})\.? ?(?:(?:calle|carrera|cra|cl)\.? )?\d{{1,3}}{_LETTERS}{_SIDE}{_MARK}\d{{1,3}}{_LETTERS}{_SIDE} ?[\-–] ?\d{{1,3}}(?![\d/]){_SIDE}{_INSIDE}"
        ),
        accepts=_is_home,
    ),
    Rule(
        name="street with number",
        type="ADDRESS",
        example="I live at 1200 N Main Street, Apt 4",
        positions=_numbers,
        min_digits=1,
        pattern=re.compile(
            r"(?<![\w$#€£.,:/\-])\d{1,6}[A-Z]?(?: 1/2)? (?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.? )?"
            rf"(?:(?!(?i:{LEXICON.pattern('streets', 'not_in')})\b)(?:[A-Z][\w'’.\-]{{1,20}}|\d{{1,3}}(?i:st|nd|rd|th)) ){{1,3}}"
            rf"(?!(?i:(?:way|place|close|court) (?:to|of)\b))(?i:{LEXICON.pattern('streets', 'suffixes')})\b\.?(?: (?:N|S|E|W|NE|NW|SE|SW)\b)?(?i:{_INSIDE})(?: ?,? #\d{{1,5}})?"
        ),
        accepts=_is_home,
    ),
    Rule(
        name="post office box",
        type="ADDRESS",
        example="send it to P.O. Box 4410",
        prefixes=POST_PREFIXES,
        min_digits=1,
        pattern=re.compile(
            r"(?i)\b(?:p\.? ?o\.? box|post office box|apartado (?:postal|a[eé]reo|de correos)|apdo\.?(?: postal| de correos)?)[ .:#]{0,3}(?:n[o°º]\.? )?\d{1,7}\b"
        ),
    ),
)
