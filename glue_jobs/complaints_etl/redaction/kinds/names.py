"""NAME: a name right behind a word for names, if lists of names have its first word. The tagger (people/) finds the others.

Positive: `me llamo Nubia Guarnizo`, `Full name: Duane O'Hara`. Negative: `la app se llama Nequi`, `a nombre de Bancolombia`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON
from complaints_etl.redaction.people.tagger import tagger
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import Prefixes
from complaints_etl.text.normalize import fold

NAME_PREFIXES = Prefixes(*LEXICON.prefixes("names"))
_WORD = r"(?:[A-Z]['’])?[^\W\d_a-záéíóúñü][a-záéíóúñüçàèìòùâêôäö'’]+(?:[\-'’][^\W\d_]+)?"
_NAME = rf"{_WORD}(?: (?:(?:{LEXICON.pattern('names', 'between')}) ){{0,2}}(?:{_WORD}|[A-Z]\.)){{0,4}}"
_BANK = re.compile(rf"(?i)(?:{LEXICON.pattern('banks')})\b")


def _is_name(match: re.Match[str]) -> bool:
    """Return True if the first word is a known first name and does not begin the name of a bank."""
    first = re.split(r"[\W_]", match["name"], maxsplit=1)[0]
    return bool(tagger().name_flags(fold(first)) & 1) and not _BANK.match(match["name"])


RULES = (
    Rule(
        name="name after keyword",
        type="NAME",
        example="me llamo Nubia Guarnizo",
        prefixes=NAME_PREFIXES,
        pattern=re.compile(
            rf"(?P<keep>\b(?i:{LEXICON.pattern('names', 'adjacent')})\b(?i:\s?[:=]\s?| (?:es |is |el |la |de )?))(?P<name>{_NAME})"
        ),
        accepts=_is_name,
    ),
)
