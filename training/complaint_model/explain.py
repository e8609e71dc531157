"""Explain a label: the words and pairs of words that added to its logit.

A term shows what the model reads. All numbers are the same word to it, and so are all masks:

    text                          term
    "sin 5.000 pesos"             sin <number>
    "XX/XX/2019", "<EMAIL>"       xx, <email>
    "covid19"                     covid19
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np

from complaint_model import features, numpy_scoring
from complaint_model.arrays import ScoreArrays
from complaint_model.model import Model

LONGEST_TERM = 80  # characters shown of a term
NUMBER_TERM = "<number>"
_TAIL = 80  # bytes after a token that are looked at


class Term(NamedTuple):
    """A word or pair of words ("…" between words that are not neighbours), and what it added to the label's logit."""

    term: str
    contribution: float


def explain(model: Model, text: str, label: int) -> tuple[list[Term], float]:
    """Return every term's contribution to a label's logit, and the label's bias: their sum is the logit.

    The character n-grams of a word that training did not see count for that word.
    """
    tokens = features.tokenise([text])
    found = numpy_scoring.find_features(model, tokens)
    explained = numpy_scoring.contributions(model, found, tokens, np.asarray([label]))
    terms = []
    for left, right, amount in zip(explained.left, explained.right, explained.amount, strict=True):
        one, other = (_shown(text, int(tokens.start[token]), int(tokens.end[token])) for token in (left, right))
        terms.append(Term(_join(one, other, int(right - left)), float(amount)))
    return terms, float(model.bias[label])


def terms_of(texts: Sequence[str], scores: ScoreArrays) -> list[list[Term]]:
    """Read the strongest terms of each text from what scoring wrote."""
    amounts, counts = scores.contributions.round(4).tolist(), np.count_nonzero(scores.contributions > 0, axis=1).tolist()
    return [_terms(*row) for row in zip(texts, counts, amounts, scores.spans.tolist(), strict=True)]


def _terms(text: str, count: int, amounts: list[float], spans: list[list[int]]) -> list[Term]:
    """Return the first `count` terms. Spans are of bytes; only in ASCII is a byte a character."""
    shown: Callable[[Any, int, int], str] = _shown if text.isascii() else _shown_bytes
    source: Any = text if text.isascii() else text.encode("utf-8", "surrogatepass")
    return [
        Term(_join(shown(source, start, end), shown(source, other, last) if apart else "", apart), amount)
        for amount, (start, end, other, last, apart) in zip(amounts[:count], spans, strict=False)
    ]


def _shown(text: str, start: int, end: int) -> str:
    """Return how a token is shown. The token ends behind the first digit if it ends with a number, because digits are folded."""
    token = text[start:end]
    if token[-1].isalpha():
        if text.startswith(">", end) and start and text[start - 1] == "<":
            return f"<{token}>"
        return token
    if len(token) == 1 and _is_digit(token):
        return NUMBER_TERM
    return token + "".join(takewhile(_is_digit, text[end : end + _TAIL]))


def _shown_bytes(octets: bytes, start: int, end: int) -> str:
    """Return what `_shown` returns, for positions in UTF-8."""
    token = octets[start:end].decode("utf-8", "replace")
    if token[-1].isalpha():
        if octets.startswith(b">", end) and start and octets[start - 1] == ord("<"):
            return f"<{token}>"
        return token
    return _shown(token + octets[end : end + _TAIL].decode("utf-8", "replace"), 0, len(token))


def _is_digit(character: str) -> bool:
    return unicodedata.category(character)[0] == "N"


def _join(left: str, right: str, apart: int) -> str:
    term = left if not apart else f"{left} {right}" if apart == 1 else f"{left} … {right}"
    return term.lower()[:LONGEST_TERM]
