"""Join a complaint's subject and its description into one text."""

from __future__ import annotations

import re

from complaints_etl.text.blank import is_blank
from complaints_etl.text.cleaning import clean_cell
from complaints_etl.text.normalize import fold


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A description such as "Ver asunto" or "same as title" consists of words that point and words for the subject, and of nothing else.
_SUBJECTS = _words(
    "asunto asuntos titulo subject title encabezado encabezamiento referencia heading headline summary resumen assunto topic"
)
_POINTERS = _words(
    "ver vea vease leer lea favor por revisar mirar consultar igual idem mismo misma mismos que el la lo en al del de segun "
    "descrito indicado indica indicada dice como arriba anterior ya mencionado mencionada relacionado quedo correo mensaje "
    "linea caso see view read please refer check to the as in is same above per described stated mentioned already given "
    "line email mail ticket vide veja conforme acima no na o a do da"
)
_ALONE = frozenset(
    ("idem", "ver arriba", "see above", "same as above", "as above", "lo mismo", "igual que arriba", "ver acima")
)
_LONGEST_REFERENCE = 60  # characters
_WORD = re.compile(r"[^\W_]+")


def refers_to_subject(description: str) -> bool:
    """Return True for a description that says only that the complaint is in its subject, such as `(Ver asunto)`."""
    if len(description) > _LONGEST_REFERENCE:
        return False
    words = _WORD.findall(fold(description))
    if " ".join(words) in _ALONE:
        return True
    return any(word in _SUBJECTS for word in words) and all(word in _SUBJECTS or word in _POINTERS for word in words)


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
