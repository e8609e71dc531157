"""Score texts with a trained model: labels, calibrated probabilities, and the words that spoke for the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import softmax

from complaint_model import features
from complaint_model.classifier import Floats, Ints, Model, block_values, blocks, choose

TOP_TERMS = 5
LONGEST_TERM = 80  # characters shown of a term


@dataclass(frozen=True)
class Term:
    """A word or pair of words, as the text has it, and what it added to the label's logit."""

    term: str
    contribution: float


@dataclass(frozen=True)
class Scores:
    """What the model says of a batch of texts."""

    probabilities: Floats  # (texts, labels)
    label: Ints  # (texts,) index of the label chosen
    confidence: Floats  # (texts,) the chosen label's probability
    recognised: NDArray[np.bool_]  # (texts,) whether the text has any feature that training saw


@dataclass(frozen=True)
class _Block:
    """Distinct features of a batch (`feature` >= 0 where training saw it) and which of them each occurrence is."""

    document: Ints
    feature: NDArray[np.int32]
    value: NDArray[np.float32]
    count: Ints
    occurrences: features.Occurrences
    distinct: Ints  # (occurrences,) index into the arrays above


def score(model: Model, texts: Sequence[str]) -> Scores:
    """Label and probabilities of each text; a text's result does not depend on its neighbours in the batch."""
    logits = [np.zeros((0, len(model.labels)))]
    recognised = [np.zeros(0, dtype=bool)]
    for first, last in features.batches(texts):
        found = _blocks_of(model, features.tokenise(texts[first:last]))
        logits.append(_logits(model, found, last - first))
        known = np.zeros(last - first, dtype=bool)
        for block in found:
            known[block.document[block.feature >= 0]] = True
        recognised.append(known)
    return _scores(model, np.concatenate(logits), np.concatenate(recognised))


def score_and_explain(model: Model, texts: Sequence[str]) -> tuple[Scores, list[list[Term]]]:
    """`score`, and for each text up to five terms that spoke for its label, strongest first."""
    parts: list[Scores] = []
    terms: list[list[Term]] = []
    for first, last in features.batches(texts):
        batch = texts[first:last]
        tokens = features.tokenise(batch)
        found = _blocks_of(model, tokens)
        known = np.zeros(len(batch), dtype=bool)
        for block in found:
            known[block.document[block.feature >= 0]] = True
        part = _scores(model, _logits(model, found, len(batch)), known)
        parts.append(part)
        terms.extend(_top_terms(model, found, tokens, part.label, batch))
    if not parts:
        return score(model, []), []
    return (
        Scores(
            probabilities=np.concatenate([part.probabilities for part in parts]),
            label=np.concatenate([part.label for part in parts]),
            confidence=np.concatenate([part.confidence for part in parts]),
            recognised=np.concatenate([part.recognised for part in parts]),
        ),
        terms,
    )


def explain(model: Model, text: str, label: int) -> tuple[list[Term], float]:
    """(every term's contribution to `label`'s logit, the logit that a text with no known word has): they sum to the logit.

    Character n-grams count for the word that they are in.
    """
    tokens = features.tokenise([text])
    found = _blocks_of(model, tokens)
    _, contribution, start, end, _ = _contributions(model, found, tokens, np.asarray([label]))
    joined = text + " "
    return [
        Term(_surface(joined, int(first), int(last)), float(value))
        for first, last, value in zip(start, end, contribution, strict=True)
    ], float(model.bias[label])


def _scores(model: Model, logits: Floats, recognised: NDArray[np.bool_]) -> Scores:
    probabilities = softmax(logits, axis=1)
    label = choose(probabilities, model.offsets) if len(logits) else np.zeros(0, dtype=np.int64)
    confidence = probabilities[np.arange(len(label)), label]
    return Scores(probabilities=probabilities, label=label, confidence=confidence, recognised=recognised)


def _blocks_of(model: Model, tokens: features.Tokens) -> list[_Block]:
    found = []
    for occurrences in blocks(tokens, model.characters):
        keys = (occurrences.document << features.BUCKET_BITS) | occurrences.bucket
        unique, distinct, count = np.unique(keys, return_inverse=True, return_counts=True)
        document = unique >> features.BUCKET_BITS
        feature = model.index[unique & ((1 << features.BUCKET_BITS) - 1)]
        rarity = np.where(feature >= 0, model.rarity[feature], np.float32(model.rarest))
        found.append(
            _Block(
                document=document,
                feature=feature,
                value=block_values(document, count, rarity),
                count=count,
                occurrences=occurrences,
                distinct=distinct,
            )
        )
    return found


def _logits(model: Model, found: Sequence[_Block], texts: int) -> Floats:
    logits = np.tile(model.bias, (texts, 1))
    for block in found:
        known = block.feature >= 0
        starts = np.searchsorted(block.document[known], np.arange(texts + 1))
        matrix = csr_matrix((block.value[known], block.feature[known], starts), shape=(texts, len(model.buckets)))
        logits += matrix @ model.weights
    return logits


def _contributions(
    model: Model, found: Sequence[_Block], tokens: features.Tokens, label: Ints
) -> tuple[Ints, Floats, Ints, Ints, NDArray[np.bool_]]:
    """(text, contribution, start, end, whether it is a word) of each distinct term, sorted by text."""
    words = len(tokens.hash)
    unigram = found[0].occurrences.bucket[:words]
    pair_keys: list[Ints] = []
    amounts: list[Floats] = []
    start: list[Ints] = []
    end: list[Ints] = []
    plain: list[NDArray[np.bool_]] = []
    for number, block in enumerate(found):
        occurrences, token = block.occurrences, block.occurrences.token
        feature = block.feature[block.distinct]
        weight = model.weights[np.maximum(feature, 0), label[occurrences.document]].astype(np.float64)
        amount = np.where(feature >= 0, weight, 0.0) * (block.value / block.count)[block.distinct]
        is_pair = np.zeros(len(token), dtype=bool)
        if number == 0:
            is_pair[words:] = True
        term = np.where(is_pair, occurrences.bucket + (1 << features.BUCKET_BITS), unigram[token] if words else token)
        pair_keys.append((occurrences.document << (features.BUCKET_BITS + 1)) | term)
        amounts.append(amount)
        start.append(tokens.start[token])
        end.append(tokens.end[np.minimum(token + is_pair, max(words - 1, 0))] if words else token)
        plain.append(is_pair | (tokens.kind[token] == features.WORD))
    keys, first, term_of = np.unique(np.concatenate(pair_keys), return_index=True, return_inverse=True)
    contribution = np.bincount(term_of, weights=np.concatenate(amounts), minlength=len(keys))
    return (
        keys >> (features.BUCKET_BITS + 1),
        contribution.astype(np.float64),
        np.concatenate(start)[first].astype(np.int64),
        np.concatenate(end)[first].astype(np.int64),
        np.concatenate(plain)[first],
    )


def _top_terms(
    model: Model, found: Sequence[_Block], tokens: features.Tokens, label: Ints, texts: Sequence[str]
) -> list[list[Term]]:
    document, contribution, start, end, plain = _contributions(model, found, tokens, label)
    shown = np.flatnonzero(plain & (contribution > 1e-6))
    order = shown[np.lexsort((start[shown], -contribution[shown], document[shown]))]
    place = np.arange(len(order)) - np.searchsorted(document[order], document[order])
    joined = " ".join(texts) + " "
    terms: list[list[Term]] = [[] for _ in texts]
    for index in order[place < TOP_TERMS].tolist():
        terms[document[index]].append(
            Term(_surface(joined, int(start[index]), int(end[index])), round(float(contribution[index]), 4))
        )
    return terms


def _surface(joined: str, start: int, end: int) -> str:
    return " ".join(joined[start:end].lower().split())[:LONGEST_TERM]
