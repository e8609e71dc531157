"""Join a complaint's subject and its description into one text."""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON
from complaints_etl.text.blank import is_blank
from complaints_etl.text.cleaning import clean_cell
from complaints_etl.text.normalize import fold

_WORDS = {use: frozenset(map(fold, words)) for use, words in LEXICON.sections["subject"].items()}
_REFERENCE = _WORDS["subjects"] | _WORDS["pointers"]
_LONGEST_REFERENCE = 60  # characters
_WORD = re.compile(r"[^\W_]+")


def refers_to_subject(description: str) -> bool:
    """Return True for a description that says only that the complaint is in its subject, such as `(Ver asunto)`."""
    if len(description) > _LONGEST_REFERENCE:
        return False
    words = _WORD.findall(fold(description))
    if " ".join(words) in _WORDS["alone"]:
        return True
    return not _WORDS["subjects"].isdisjoint(words) and _REFERENCE.issuperset(words)


def join_subject(subject: str | None, description: str | None) -> str | None:
    """Return the text of a complaint with a subject and a description.

    If one is blank, the other is the text. A subject without a letter is a ticket number, and counts as blank. A subject with
    which the description begins is not repeated.

    Example:
        `join_subject("Cobro doble", "Me cobraron dos veces.")` returns `"Cobro doble\\nMe cobraron dos veces."`.
    """
    if subject is None or is_blank(clean_cell(subject)) or not any(map(str.isalpha, subject)):
        return description
    if description is None or is_blank(clean_cell(description)) or refers_to_subject(description):
        return subject
    if fold(description[: len(subject) + 1]).startswith(fold(subject)):
        return description
    return f"{subject}\n{description}"
