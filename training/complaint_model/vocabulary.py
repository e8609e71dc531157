"""Choose the features that training keeps, and turn texts into a matrix of their tf-idf values."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, vstack

from complaint_model import features
from complaint_model.arrays import Bools, Float32s, Floats, Int32s, Ints, UInt16s, UInt32s
from complaint_model.hashing import BUCKET_BITS, CHAR_BITS, WORD_BITS
from complaint_model.settings import FeatureSettings
from complaint_model.tfidf import inverse_document_frequency, pair_values, word_values

log = logging.getLogger(__name__)

# The length of a text's vector of words in training, and of its vector of pairs and lead features. Character n-grams have a vector of
# length 1, which leaves less for the words themselves. Shares near these do as well.
SHARES = (0.7, 0.7)
SHARES_WITH_CHAR_NGRAMS = (0.3, 1.0)
WORD_BUCKETS = 1 << WORD_BITS


@dataclass(frozen=True)
class CharNgrams:
    """The character n-grams that at least two words have."""

    words: csr_matrix  # (word buckets, n-grams) float32, the vector of each word, of length 1
    buckets: UInt32s  # (n-grams,)
    idf: Float32s  # (n-grams,)


@dataclass(frozen=True)
class Vocabulary:
    """The features that training keeps. Other words count as new words; other pairs count for nothing, not even in a vector's length."""

    matrix: csr_matrix  # (texts, features and n-grams) float32, the most frequent columns first
    buckets: UInt32s  # (features,)
    idf: Float32s  # (features,)
    shares: Float32s  # (features,) factor of the matrix's values
    new_word_idf: float
    char_ngrams: CharNgrams | None
    columns: Ints  # (features, then n-grams) the column of each in the matrix
    known_elsewhere: Ints  # (texts, 3) as ScoreArrays.features, if training had not seen the text


@dataclass(frozen=True)
class _Counts:
    """(row, bucket, count) of the distinct features of one batch, as small as they can be held: a large corpus has millions."""

    row: Int32s
    bucket: Int32s
    count: UInt16s


def learn_vocabulary(texts: Sequence[str], wanted: FeatureSettings, *, min_rows: int, most: int) -> Vocabulary:
    """Count the features of the texts, keep the frequent ones, and compute the texts' values of them.

    Args:
        texts: The texts to train on.
        wanted: Which features they have.
        min_rows: Drop features of fewer texts. (Character n-grams of a single word are dropped, too.)
        most: Keep at most so many features and n-grams, the most frequent ones.
    """
    parts: list[_Counts] = []
    frequency = np.zeros(1 << BUCKET_BITS, dtype=np.int64)
    seen = np.zeros(WORD_BUCKETS, dtype=np.bool_)
    spelled: list[tuple[Ints, Ints]] = []
    for first, last in features.batches(texts):
        document, bucket, count = features.count_features(
            texts[first:last], max_skip=wanted.max_skip, lead_words=wanted.lead_words
        )
        frequency += np.bincount(bucket, minlength=len(frequency))
        small = np.minimum(count, np.iinfo(np.uint16).max).astype(np.uint16)
        parts.append(_Counts((document + first).astype(np.int32), bucket.astype(np.int32), small))
        if wanted.char_ngrams:
            spelled.append(features.spell(texts[first:last], seen))
    idf = inverse_document_frequency(frequency, len(texts))
    buckets = np.flatnonzero(frequency >= min_rows)
    ngrams, ngram_idf, spelling = _char_ngrams_of_words(spelled)
    # The features of most texts come first in the table of weights, so that the processor's cache holds them.
    often = np.concatenate((frequency[buckets], spelling.T @ frequency[:WORD_BUCKETS]))
    order = np.argsort(-often, kind="stable")
    if len(order) > most:
        order = np.sort(order[:most])
        buckets, kept = buckets[order[order < len(buckets)]], order[order >= len(buckets)] - len(buckets)
        ngrams, ngram_idf, spelling = ngrams[kept], ngram_idf[kept], spelling[:, kept]
        order = np.argsort(-often[order], kind="stable")
        log.info("kept the %d most frequent features", most)
    columns = np.empty(len(order), dtype=np.int64)
    columns[order] = np.arange(len(order))
    index = np.full(len(frequency), -1, dtype=np.int32)
    index[buckets] = columns[: len(buckets)]
    new_word_idf = float(inverse_document_frequency(np.ones(1, dtype=np.int64), len(texts))[0])
    idf[:WORD_BUCKETS][index[:WORD_BUCKETS] < 0] = new_word_idf
    known = (index >= 0) & (frequency > min_rows)
    known_elsewhere = [
        _known_elsewhere(part, first, last, known) for part, (first, last) in zip(parts, features.batches(texts), strict=True)
    ]
    char_ngrams = None
    if wanted.char_ngrams:
        char_ngrams = CharNgrams(_of_length_one(spelling, ngram_idf), ngrams.astype(np.uint32), ngram_idf)
    shares = SHARES_WITH_CHAR_NGRAMS if char_ngrams else SHARES
    return Vocabulary(
        matrix=_matrix(texts, parts, index=index, idf=idf, shares=shares, char_ngrams=char_ngrams, columns=columns),
        buckets=buckets.astype(np.uint32),
        idf=idf[buckets],
        shares=np.where(buckets < WORD_BUCKETS, *shares).astype(np.float32),
        new_word_idf=new_word_idf,
        char_ngrams=char_ngrams,
        columns=columns,
        known_elsewhere=np.concatenate(known_elsewhere) if known_elsewhere else np.zeros((0, 3), dtype=np.int64),
    )


def _known_elsewhere(part: _Counts, first: int, last: int, known: Bools) -> Ints:
    """Return `Vocabulary.known_elsewhere` of a batch of texts. A word counts once, a pair as often as it occurs."""
    word, there = part.bucket < WORD_BUCKETS, known[part.bucket]
    times = np.where(word, 1, part.count)
    counts = [
        np.bincount(part.row[chosen] - first, weights=times[chosen], minlength=last - first)
        for chosen in (word & there, there, np.ones_like(there))
    ]
    return np.stack(counts, axis=1).astype(np.int64)


def _matrix(
    texts: Sequence[str],
    parts: list[_Counts],
    *,
    index: Int32s,
    idf: Float32s,
    shares: tuple[float, float],
    char_ngrams: CharNgrams | None,
    columns: Ints,
) -> csr_matrix:
    """Build the matrix batch by batch, and empty `parts` meanwhile, so that a large corpus is held about once.

    Args:
        texts: All texts.
        parts: The counts of each batch.
        index: (buckets,) column of each bucket, -1 if it has none.
        idf: (buckets,)
        shares: Lengths of the vectors of words and of pairs.
        char_ngrams: Their vectors of words, if they count.
        columns: The column of each feature, then of each n-gram.
    """
    matrices = []
    parts.reverse()
    for first, last in features.batches(texts):
        part = parts.pop()
        row, bucket = (part.row - first).astype(np.int64), part.bucket
        word, known = bucket < WORD_BUCKETS, index[bucket] >= 0
        value = np.zeros(len(row), dtype=np.float32)
        for kind, values in ((word, word_values), (~word & known, pair_values)):
            value[kind] = values(row[kind], part.count[kind].astype(np.int64), idf[bucket[kind]])
        shape, shared = (last - first, len(columns)), np.where(word, *shares) * value
        matrix = csr_matrix((shared[known], (row[known], index[bucket[known]])), shape=shape, dtype=np.float32)
        if char_ngrams:
            words = csr_matrix((value[word], (row[word], bucket[word])), shape=(last - first, WORD_BUCKETS))
            spelled = words @ char_ngrams.words
            ngram_columns = columns[len(columns) - spelled.shape[1] :]
            matrix += csr_matrix((spelled.data, ngram_columns[spelled.indices], spelled.indptr), shape=shape)
        matrices.append(matrix)
    return vstack(matrices, format="csr") if matrices else csr_matrix((0, len(columns)), dtype=np.float32)


def _char_ngrams_of_words(spelled: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Float32s, csr_matrix]:
    """Return bucket and idf of the n-grams that at least two words have, and (word buckets, n-grams) how often each word has each."""
    words, buckets = (np.concatenate(part) for part in zip(*spelled, strict=True)) if spelled else (np.zeros(0, np.int64),) * 2
    counts = csr_matrix((np.ones(len(words), dtype=np.float32), (words, buckets)), shape=(WORD_BUCKETS, 1 << CHAR_BITS))
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    ngrams = np.flatnonzero(frequency > 1)
    return ngrams, inverse_document_frequency(frequency[ngrams], len(np.unique(words))), counts[:, ngrams]


def _of_length_one(counts: csr_matrix, idf: Float32s) -> csr_matrix:
    """Return each word's vector of idfs, divided by its length; an n-gram that occurs twice counts twice."""
    squares: Floats = counts @ idf.astype(np.float64) ** 2
    scale = 1.0 / np.sqrt(np.where(squares > 0, squares, 1.0))
    values = counts.data * idf[counts.indices] * np.repeat(scale, np.diff(counts.indptr))
    return csr_matrix((values.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)
