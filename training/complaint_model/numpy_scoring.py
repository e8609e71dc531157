"""Score texts with NumPy alone: for Python without numba, and as the reference in tests of compiled/score.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from complaint_model import features
from complaint_model.arrays import MIN_CONTRIBUTION, Bools, Floats, Int32s, Ints, ScoreArrays
from complaint_model.features import Occurrences, Tokens
from complaint_model.hashing import BUCKET_BITS, PAIRS, WORD
from complaint_model.model import Model, choose
from complaint_model.tfidf import pair_values, word_values


@dataclass(frozen=True)
class FoundFeatures:
    """The distinct features of a batch, sorted by text and bucket."""

    document: Ints
    bucket: Ints
    row: Int32s  # of the weights, -1 if training did not see the feature
    value: Floats  # factor of the row of weights
    count: Ints
    occurrences: Occurrences
    distinct: Ints  # (occurrences,) index into the arrays above
    new: Ints  # (new words,) indices of the words that training did not see
    new_weights: Floats  # (new words, labels) from their character n-grams


@dataclass(frozen=True)
class Contributions:
    """The distinct terms of a batch, sorted by text: what each adds to the label's logit, and its first occurrence."""

    document: Ints
    amount: Floats
    first: Ints  # occurrence: words come first, then pairs from near to far
    left: Ints  # tokens
    right: Ints
    shown: Bools  # a number or mask is not a reason that a person can read


def score(texts: Sequence[str], model: Model, out: ScoreArrays) -> None:
    """Fill `out` with the answers for the texts, as the scoring kernel does."""
    tokens = features.tokenise(texts)
    found = find_features(model, tokens)
    _count_features(found, out.features)
    out.probabilities[:] = softmax(_logits(model, found, len(texts)), axis=1)
    out.label[:] = choose(out.probabilities, model.offsets)
    if out.contributions.shape[1]:
        _fill_terms(texts, tokens, contributions(model, found, tokens, out.label), out)


def _count_features(found: FoundFeatures, counts: Ints) -> None:
    """Fill `counts` (texts, 3) as `ScoreArrays.features`. A word counts once, a pair as often as it occurs."""
    word, known = found.bucket < PAIRS, found.row >= 0
    times = np.where(word, 1, found.count)
    for column, chosen in enumerate((word & known, known, np.ones_like(known))):
        counts[:, column] = np.bincount(found.document[chosen], weights=times[chosen], minlength=len(counts))


def _fill_terms(texts: Sequence[str], tokens: Tokens, explained: Contributions, out: ScoreArrays) -> None:
    """Write the strongest terms of each text, and the bytes at which they are."""
    shown = np.flatnonzero(explained.shown & (explained.amount > MIN_CONTRIBUTION))
    amount = np.floor(explained.amount[shown] * 1e9 + 0.5) / 1e9  # so that equal terms keep the order of the text
    order = np.lexsort((explained.first[shown], -amount, explained.document[shown]))
    shown, amount = shown[order], amount[order]
    document = explained.document[shown]
    rank = np.arange(len(shown)) - np.searchsorted(document, document)
    top = rank < out.contributions.shape[1]
    shown, document, rank = shown[top], document[top], rank[top]
    out.contributions[document, rank] = amount[top]
    codes, starts = features.code_points(texts)
    byte_at = np.concatenate(([0], np.cumsum(1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000))))
    left, right = explained.left[shown], explained.right[shown]
    bounds = (tokens.start[left], tokens.end[left], tokens.start[right], tokens.end[right])
    for column, place in enumerate(bounds):
        out.spans[document, rank, column] = byte_at[place] - byte_at[starts[document]]
    out.spans[document, rank, 4] = right - left


def find_features(model: Model, tokens: Tokens) -> FoundFeatures:
    """Find the distinct features of the texts, and the factors of their weights."""
    occurrences = features.word_occurrences(tokens, model.max_skip, model.lead_words)
    keys = (occurrences.document << BUCKET_BITS) | occurrences.bucket
    unique, first, distinct, count = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    document, bucket = unique >> BUCKET_BITS, unique & ((1 << BUCKET_BITS) - 1)
    row = model.index[bucket]
    idf = np.where(row >= 0, model.idf[row] if len(model.idf) else 0, model.new_word_idf)
    value = np.zeros(len(unique))
    word = bucket < PAIRS
    for kind, values in ((word, word_values), (~word & (row >= 0), pair_values)):
        value[kind] = values(document[kind], count[kind], idf[kind])
    value[row >= 0] /= idf[row >= 0]  # which the weights include
    new = np.flatnonzero(word & (row < 0)) if len(model.char_buckets) else np.zeros(0, dtype=np.int64)
    return FoundFeatures(
        document=document,
        bucket=bucket,
        row=row,
        value=value,
        count=count,
        occurrences=occurrences,
        distinct=distinct,
        new=new,
        new_weights=_spell(model, tokens, first[new]),  # the first occurrences are the words, in the order of tokens
    )


def _spell(model: Model, tokens: Tokens, chosen: Ints) -> Floats:
    """Return (words, labels) weights of the tokens `chosen` from their character n-grams."""
    word, bucket = features.char_ngrams(tokens, chosen)
    row = np.searchsorted(model.char_buckets, bucket)
    known = row < len(model.char_buckets)
    known[known] = model.char_buckets[row[known]] == bucket[known]
    word, row = word[known], row[known]
    length = np.sqrt(np.bincount(word, weights=model.char_idf[row].astype(np.float64) ** 2, minlength=len(chosen)))
    length[length == 0] = 1.0
    weights = np.zeros((len(chosen), len(model.labels)))
    for label in range(len(model.labels)):
        weights[:, label] = np.bincount(word, weights=model.char_weights[row, label], minlength=len(chosen)) / length
    return weights


def _logits(model: Model, found: FoundFeatures, texts: int) -> Floats:
    logits = np.tile(model.bias, (texts, 1))
    known, new = found.row >= 0, found.new
    for label in range(logits.shape[1]):  # a product of matrices would copy the table of weights
        weight = model.weights[found.row[known], label]
        logits[:, label] += np.bincount(found.document[known], weights=found.value[known] * weight, minlength=texts)
        new_weight = found.value[new] * found.new_weights[:, label]
        logits[:, label] += np.bincount(found.document[new], weights=new_weight, minlength=texts)
    return logits


def contributions(model: Model, found: FoundFeatures, tokens: Tokens, label: Ints) -> Contributions:
    """Return what each distinct term adds to the logit of its text's label (texts,)."""
    occurrences = found.occurrences
    amount = np.zeros(len(found.row))
    known, new = found.row >= 0, found.new
    amount[known] = model.weights[found.row[known], label[found.document[known]]]
    amount[new] = found.new_weights[np.arange(len(new)), label[found.document[new]]]
    amounts = (amount * found.value / found.count)[found.distinct]
    # A lead word counts for that word, and a pair is a term of its own.
    words = occurrences.bucket[: len(tokens.hash)]
    term = np.where(occurrences.left != occurrences.right, occurrences.term, words[occurrences.left])
    unique, first, term_of = np.unique((occurrences.document << BUCKET_BITS) | term, return_index=True, return_inverse=True)
    left, right = occurrences.left[first], occurrences.right[first]
    return Contributions(
        document=unique >> BUCKET_BITS,
        amount=np.bincount(term_of, weights=amounts, minlength=len(unique)).astype(np.float64),
        first=first,
        left=left,
        right=right,
        shown=(left != right) | (tokens.kind[left] == WORD),
    )
