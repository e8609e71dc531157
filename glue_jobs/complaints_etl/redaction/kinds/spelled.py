"""Numbers spelled out, as they are dictated: SECRET, PHONE or ID_NUMBER by the keyword before them.

Positive: `the pin is four two one seven`. Negative: `mi PIN falló dos veces`, `la clave vale cuatro mil pesos`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON, any_of
from complaints_etl.redaction.kinds.identity import IDENTITY_PREFIXES, SOCIAL_SECURITY_PREFIXES
from complaints_etl.redaction.kinds.passwords import SECRET_PREFIXES
from complaints_etl.redaction.kinds.phones import PHONE_PREFIXES
from complaints_etl.redaction.rule import Positions, Rule
from complaints_etl.redaction.scanner import Prefixes

OWN_NUMBER_PREFIXES = Prefixes(*LEXICON.prefixes("own_number"))
SPELLED_PREFIXES = Prefixes(*LEXICON.terms("spelled", "distinctive"))
_NUMBER_WORD = any_of((*LEXICON.terms("spelled", "distinctive"), *LEXICON.terms("spelled", "other")))
# The sections of the lexicon that share a rule, what their numbers are, and an example.
_KEYWORDS = (
    ("secret", "SECRET", SECRET_PREFIXES, ("passwords", "pins", "card_codes", "codes"), "mi clave es cuatro dos uno siete"),
    ("own number", "PHONE", OWN_NUMBER_PREFIXES, ("own_number",), "mi número es tres diez cuatro cincuenta"),
    ("telephone", "PHONE", PHONE_PREFIXES, ("phones",), "mi celular es tres diez cuatro cincuenta"),
    ("identity document", "ID_NUMBER", IDENTITY_PREFIXES, ("identity",), "mi cédula es uno cero tres ocho"),
    ("social security number", "ID_NUMBER", SOCIAL_SECURITY_PREFIXES, ("social_security",), "my SSN is one two three four"),
)


def _beginning(words: str, prefixes: Prefixes) -> Positions:
    """Return a function for where one of the words begins."""
    pattern = re.compile(words)
    return lambda text: [match.start() for match in text.matches(pattern, prefixes)]


def _rule(name: str, kind: str, prefixes: Prefixes, sections: tuple[str, ...], example: str) -> Rule:
    words = any_of(term for section in sections for term in LEXICON.terms(section, "spelled"))
    return Rule(
        name=f"{name} spelled out",
        type=kind,
        example=example,
        prefixes=SPELLED_PREFIXES,
        positions=_beginning(rf"(?i)\b(?:{words})\b", prefixes),
        # At least four words of numbers, and no sum.
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{words})\b[^.!?\d\n]{{0,30}}?\b)(?:{_NUMBER_WORD})(?:[ ,]{{1,2}}(?:y |double )?(?:{_NUMBER_WORD})){{3,15}}\b"
            r"(?! (?:mil|mill|pesos|d[oó]lares|euros|soles))"
        ),
    )


RULES = tuple(_rule(*row) for row in _KEYWORDS)
