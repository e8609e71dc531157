"""Score texts with a trained model: labels, calibrated probabilities, and the words that spoke for the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from complaint_model import acceleration, features
from complaint_model.classifier import Floats, Ints, Model, choose, values_of_pairs, values_of_words

TOP_TERMS = 5
LONGEST_TERM = 80  # characters shown of a term
LEAST_CONTRIBUTION = 1e-6
BATCH_CHARACTERS = 500_000  # what the processor's cache still holds when they are scored


class Term(NamedTuple):
    """A word or pair of words, as the text has it ("…" between words that stand apart), and what it added to the label's logit."""

    term: str
    contribution: float


@dataclass(frozen=True)
class Scores:
    """What the model says of a batch of texts."""

    probabilities: Floats  # (texts, labels)
    label: Ints  # (texts,) index of the label chosen
    confidence: Floats  # (texts,) the chosen label's probability
    recognised: NDArray[np.bool_]  # (texts,) whether the text has any word that training saw


def score(model: Model, texts: Sequence[str]) -> Scores:
    """Label and probabilities of each text; a text's result does not depend on its neighbours in the batch."""
    return _score(model, texts, 0)[0]


def score_and_explain(model: Model, texts: Sequence[str]) -> tuple[Scores, list[list[Term]]]:
    """`score`, and for each text up to five terms that spoke for its label, strongest first."""
    return _score(model, texts, TOP_TERMS)


def explain(model: Model, text: str, label: int) -> tuple[list[Term], float]:
    """(every term's contribution to `label`'s logit, the logit that a text with no known word has): they sum to the logit.

    How a word that training did not see is spelled counts for that word.
    """
    tokens = features.tokenise([text])
    found = _found(model, tokens)
    contributed = _contributions(model, found, tokens, np.asarray([label]))
    return [
        Term(_surface(text, contributed, tokens, index), float(value)) for index, value in enumerate(contributed.amount)
    ], float(model.bias[label])


def _score(model: Model, texts: Sequence[str], wanted: int) -> tuple[Scores, list[list[Term]]]:
    scores = Scores(
        probabilities=np.empty((len(texts), len(model.labels))),
        label=np.empty(len(texts), dtype=np.int64),
        confidence=np.empty(len(texts)),
        recognised=np.empty(len(texts), dtype=np.bool_),
    )
    terms: list[list[Term]] = []
    for first, last in features.batches(texts, BATCH_CHARACTERS):
        part = Scores(
            probabilities=scores.probabilities[first:last],
            label=scores.label[first:last],
            confidence=scores.confidence[first:last],
            recognised=scores.recognised[first:last],
        )
        terms += _compiled(model, texts[first:last], part, wanted) or _by_numpy(model, texts[first:last], part, wanted)
    scores.confidence[:] = scores.probabilities[np.arange(len(texts)), scores.label]
    return scores, terms


def _compiled(model: Model, texts: Sequence[str], part: Scores, wanted: int) -> list[list[Term]]:
    """Fill `part`; gives each text's terms, or nothing where numba does not work."""
    data, starts = features.packed(texts)
    contribution = np.empty((len(texts), wanted))
    spans = np.zeros((len(texts), wanted, 5), dtype=np.int64)
    done = acceleration.call(
        "score", data, starts, features.fold_table(), *features.powers_for(starts), model.reach, model.opening,
        *model.tables, model.bias, model.offsets, part.probabilities, part.label, part.recognised, contribution, spans,
    )  # fmt: skip
    if not done:
        return []
    if not wanted:
        return [[]] * len(texts)
    amounts, told = contribution.round(4).tolist(), np.count_nonzero(contribution > 0, axis=1).tolist()
    return [_terms(*row) for row in zip(texts, told, amounts, spans.tolist(), strict=True)]


def _terms(text: str, told: int, amounts: list[float], places: list[list[int]]) -> list[Term]:
    """The first `told` terms; places are of bytes, and only in ASCII a byte is a character."""
    terms = []
    octets = b"" if text.isascii() else text.encode("utf-8", "surrogatepass")
    for amount, (start, end, other, last, apart) in zip(amounts[:told], places, strict=False):
        if octets:
            left, right = octets[start:end].decode("utf-8", "replace"), octets[other:last].decode("utf-8", "replace")
        else:
            left, right = text[start:end], text[other:last]
        terms.append(Term(_joined(left, right, apart), amount))
    return terms


def _joined(left: str, right: str, apart: int) -> str:
    term = left if not apart else f"{left} {right}" if apart == 1 else f"{left} … {right}"
    return term.lower()[:LONGEST_TERM]


# ---------------------------------------------------------------- the same with NumPy: where numba is not, and what tests compare


@dataclass(frozen=True)
class _Found:
    """Distinct features of a batch, sorted by text (`feature` >= 0 where training saw it), and which of them each occurrence is."""

    document: Ints
    bucket: Ints
    feature: NDArray[np.int32]
    value: Floats  # of a row of weights
    count: Ints
    occurrences: features.Occurrences
    distinct: Ints  # (occurrences,) index into the arrays above
    new: Ints  # indices of the words that training did not see
    spelled: Floats  # (new, labels) their rows of weights


@dataclass(frozen=True)
class _Contributions:
    """Distinct terms of a batch, sorted by text: their contribution to the text's label, and their first place."""

    document: Ints
    amount: Floats
    first: Ints  # occurrence: words, then pairs from near to far
    left: Ints  # its tokens
    right: Ints
    shown: NDArray[np.bool_]  # numbers and masks are no reason that a person could read


def _by_numpy(model: Model, texts: Sequence[str], part: Scores, wanted: int) -> list[list[Term]]:
    tokens = features.tokenise(texts)
    found = _found(model, tokens)
    part.recognised[:] = False
    part.recognised[found.document[(found.feature >= 0) & (found.bucket < features.PAIRS)]] = True
    part.probabilities[:] = softmax(_logits(model, found, len(texts)), axis=1)
    part.label[:] = choose(part.probabilities, model.offsets)
    terms: list[list[Term]] = [[] for _ in texts]
    if wanted:
        contributed = _contributions(model, found, tokens, part.label)
        shown = np.flatnonzero(contributed.shown & (contributed.amount > LEAST_CONTRIBUTION))
        amount = np.floor(contributed.amount[shown] * 1e9 + 0.5) / 1e9  # so that what is equal stays in the text's order
        order = shown[np.lexsort((contributed.first[shown], -amount, contributed.document[shown]))]
        place = np.arange(len(order)) - np.searchsorted(contributed.document[order], contributed.document[order])
        joined = " ".join(texts) + " "
        told = np.zeros(len(contributed.amount))
        told[shown] = amount.round(4)
        for index in order[place < wanted].tolist():
            term = Term(_surface(joined, contributed, tokens, index), float(told[index]))
            terms[contributed.document[index]].append(term)
    return terms


def _found(model: Model, tokens: features.Tokens) -> _Found:
    occurrences = features.word_occurrences(tokens, model.reach, model.opening)
    keys = (occurrences.document << features.BUCKET_BITS) | occurrences.bucket
    unique, first, distinct, count = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    document, bucket = unique >> features.BUCKET_BITS, unique & ((1 << features.BUCKET_BITS) - 1)
    feature = model.index[bucket]
    rarity = np.where(feature >= 0, model.rarity[feature] if len(model.rarity) else 0, model.new_word_rarity)
    value = np.zeros(len(unique))
    word = bucket < features.PAIRS
    for kind, values_of in ((word, values_of_words), (~word & (feature >= 0), values_of_pairs)):
        value[kind] = values_of(document[kind], count[kind], rarity[kind])
    value[feature >= 0] /= rarity[feature >= 0]  # which is in the weights
    new = np.flatnonzero(word & (feature < 0)) if len(model.run_buckets) else np.zeros(0, dtype=np.int64)
    return _Found(
        document=document,
        bucket=bucket,
        feature=feature,
        value=value,
        count=count,
        occurrences=occurrences,
        distinct=distinct,
        new=new,
        spelled=_spelled(model, tokens, first[new]),  # words are the first occurrences, in the order of tokens
    )


def _spelled(model: Model, tokens: features.Tokens, places: Ints) -> Floats:
    """(words, labels) weights that the runs of the letters of the words at `places` add up to."""
    word, bucket = features.runs_of(tokens, places)
    run = np.searchsorted(model.run_buckets, bucket)
    known = run < len(model.run_buckets)
    known[known] = model.run_buckets[run[known]] == bucket[known]
    word, run = word[known], run[known]
    length = np.sqrt(np.bincount(word, weights=model.run_rarity[run].astype(np.float64) ** 2, minlength=len(places)))
    length[length == 0] = 1.0
    weights = np.zeros((len(places), len(model.labels)))
    for label in range(len(model.labels)):
        weights[:, label] = np.bincount(word, weights=model.run_weights[run, label], minlength=len(places)) / length
    return weights


def _logits(model: Model, found: _Found, texts: int) -> Floats:
    logits = np.tile(model.bias, (texts, 1))
    known, new = found.feature >= 0, found.new
    for label in range(logits.shape[1]):  # not as one product of matrices: that would copy the table of weights
        weight = model.weights[found.feature[known], label]
        logits[:, label] += np.bincount(found.document[known], weights=found.value[known] * weight, minlength=texts)
        logits[:, label] += np.bincount(
            found.document[new], weights=found.value[new] * found.spelled[:, label], minlength=texts
        )
    return logits


def _contributions(model: Model, found: _Found, tokens: features.Tokens, label: Ints) -> _Contributions:
    bits = features.BUCKET_BITS
    occurrences = found.occurrences
    amount = np.zeros(len(found.feature))
    known, new = found.feature >= 0, found.new
    amount[known] = model.weights[found.feature[known], label[found.document[known]]]
    amount[new] = found.spelled[np.arange(len(new)), label[found.document[new]]]
    amounts = (amount * found.value / found.count)[found.distinct]
    # An opening word counts for that word, and a pair is a term of its own.
    words = occurrences.bucket[: len(tokens.hash)]
    term = np.where(occurrences.left != occurrences.right, occurrences.term, words[occurrences.left])
    unique, first, term_of = np.unique((occurrences.document << bits) | term, return_index=True, return_inverse=True)
    left, right = occurrences.left[first], occurrences.right[first]
    return _Contributions(
        document=unique >> bits,
        amount=np.bincount(term_of, weights=amounts, minlength=len(unique)).astype(np.float64),
        first=first,
        left=left,
        right=right,
        shown=(left != right) | (tokens.kind[left] == features.WORD),
    )


def _surface(joined: str, contributed: _Contributions, tokens: features.Tokens, index: int) -> str:
    left, right = int(contributed.left[index]), int(contributed.right[index])
    one, other = (joined[int(tokens.start[token]) : int(tokens.end[token])] for token in (left, right))
    return _joined(one, other, right - left)
