"""Recognise column names that no list has, such as `¿Cuál es el motivo de su queja?`, by the words that they consist of."""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON
from complaints_etl.text.normalize import fold

# Names are compared without case and accents (`header.fold`), so the words are folded.
_WORDS = {use: frozenset(map(fold, words)) for use, words in LEXICON.sections["column_names"].items()}
KINDS = {"text": _WORDS["texts"], "label": _WORDS["categories"]}
_WORD = re.compile(r"[^\W_]+")


def kind_of(folded: str) -> str | None:
    """Return "text" or "label" for a name that says that it is the complaint's text or category, and nothing else.

    The name needs a word for the content, a word for a complaint, and may have articles and prepositions beside them.

    Args:
        folded: the name, as `header.fold` returns it.

    Example:
        "text" for `descripcion del caso`, "label" for `complaint reason`, None for `fecha de la queja` and `motivo de cierre`.
    """
    words = set(_WORD.findall(folded)) - _WORDS["fillers"]
    if not words & _WORDS["complaints"]:
        return None
    rest = words - _WORDS["complaints"]
    return next((kind for kind, heads in KINDS.items() if rest and rest <= heads), None)
