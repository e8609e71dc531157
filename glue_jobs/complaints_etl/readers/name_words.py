"""Recognise column names that no list has, such as `¿Cuál es el motivo de su queja?`, by the words that they consist of."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names are compared without case and accents (`header.fold`), so the words are written so.
_COMPLAINT = _words(
    "queja quejas reclamo reclamos reclamacion reclamaciones pqr pqrs pqrsf pqrd peticion solicitud caso ticket problema "
    "incidente incidencia inconveniente contacto llamada hechos inconformidad complaint complaints case issue incident "
    "request problem contact enquiry inquiry call grievance customer reclamacao reclamacoes solicitacao chamado atendimento"
)
_FILLERS = _words(
    "de del la el los las lo su sus tu un una por para cual es fue que the a an of for your is was what which da do das dos "
    "o os seu sua principal main"
)
_TEXT = _words(
    "texto descripcion detalle detalles relato narracion narrativa contenido mensaje comentario comentarios observaciones "
    "text description detail details narrative content body message comment comments feedback descricao mensagem detalhe "
    "detalhes"
)
_LABEL = _words(
    "motivo motivos causa causal razon tipo tipologia categoria clasificacion reason category type cause classification "
    "topic classificacao"
)
KINDS = {"text": _TEXT, "label": _LABEL}
_WORD = re.compile(r"[^\W_]+")


def kind_of(folded: str) -> str | None:
    """Return "text" or "label" for a name that says that it is the complaint's text or category, and nothing else.

    The name needs a word for the content, a word for a complaint, and may have articles and prepositions beside them.

    Args:
        folded: the name, as `header.fold` returns it.

    Example:
        "text" for `descripcion del caso`, "label" for `complaint reason`, None for `fecha de la queja` and `motivo de cierre`.
    """
    words = set(_WORD.findall(folded)) - _FILLERS
    if not words & _COMPLAINT:
        return None
    rest = words - _COMPLAINT
    return next((kind for kind, heads in KINDS.items() if rest and rest <= heads), None)
