"""Explain a label: the words and pairs of words that added to its logit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from complaint_model import features, numpy_scoring
from complaint_model.arrays import ScoreArrays
from complaint_model.model import Model

LONGEST_TERM = 80  # characters shown of a term


class Term(NamedTuple):
    """A word or pair of words as the text has it ("…" between words that are not neighbours), and what it added to the label's logit."""

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
        one, other = (text[int(tokens.start[token]) : int(tokens.end[token])] for token in (left, right))
        terms.append(Term(_join(one, other, int(right - left)), float(amount)))
    return terms, float(model.bias[label])


def terms_of(texts: Sequence[str], scores: ScoreArrays) -> list[list[Term]]:
    """Read the strongest terms of each text from what scoring wrote."""
    amounts, counts = scores.contributions.round(4).tolist(), np.count_nonzero(scores.contributions > 0, axis=1).tolist()
    return [_terms(*row) for row in zip(texts, counts, amounts, scores.spans.tolist(), strict=True)]


def _terms(text: str, count: int, amounts: list[float], spans: list[list[int]]) -> list[Term]:
    """Return the first `count` terms. Spans are of bytes; only in ASCII is a byte a character."""
    terms = []
    octets = b"" if text.isascii() else text.encode("utf-8", "surrogatepass")
    for amount, (start, end, other, last, apart) in zip(amounts[:count], spans, strict=False):
        if octets:
            left, right = octets[start:end].decode("utf-8", "replace"), octets[other:last].decode("utf-8", "replace")
        else:
            left, right = text[start:end], text[other:last]
        terms.append(Term(_join(left, right, apart), amount))
    return terms


def _join(left: str, right: str, apart: int) -> str:
    term = left if not apart else f"{left} {right}" if apart == 1 else f"{left} … {right}"
    return term.lower()[:LONGEST_TERM]
