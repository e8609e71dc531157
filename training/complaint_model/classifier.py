"""Learn and apply a linear classifier over hashed n-grams whose probabilities are calibrated and whose scores add up.

One squared-hinge machine a label on words and pairs of words (and, for short texts, how words are spelled), each feature scaled by
how strongly it speaks for or against that label (naive Bayes log-count ratio: Wang and Manning, 2012). Scores on rows
that a machine did not see (cross-fitting, near-duplicates on one side) teach a softmax over all labels' scores and an
offset a label. All of it is linear, so scaling, spelling, weights and softmax fold into one table of weights.
"""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, vstack
from scipy.special import log_softmax, ndtri, softmax

from complaint_model import acceleration, features

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

# Where the median text is shorter, spelling helps (+.014 macro-F1) and so do pairs of words that stand apart (+.008); in long
# texts the first makes training three times as long for nothing, and the second add noise (docs/model.md).
SHORT_TEXT_WORDS = 60
SHORT_TEXT_REACH, LONG_TEXT_REACH = 20, 1
# A long complaint says first what it is about: its opening words count for more than the same words further down. In a short one
# neighbours say more than the same two words farther apart (+.003).
OPENING_WORDS = 15
# How long the vector of a text's words is in training, and that of its pairs and opening words. Where spelling counts too, its own
# vector's length is one, and less is left for the words themselves to say. Shares near these do as well.
SHARES = (0.7, 0.7)
SHARES_WITH_SPELLING = (0.3, 1.0)
PASSES = 8  # over the rows; more change no label that fewer do not
LINE_FLOATS = 16  # of 4 bytes: what a processor brings from memory at once
MAX_WEIGHTS = 100_000_000  # of the table, 400 MB: with very many labels the rarest features go
LEAST_ANSWERED = 30  # rows above the threshold in training: of fewer, no precision can be told
BOUND_CONFIDENCE = 0.8  # that the precision above the threshold is not below the target (measured in docs/model.md)
OFFSET_GRID = np.linspace(-1.5, 1.5, 31)
LABELS_OF_UNIT_PRIOR = 8  # with more labels than this, calibration's prior grows in proportion (measured at 9 and 77)
FULL_CALIBRATION_LABELS = 200  # above, a label's probability looks at its own score only


class TrainingError(Exception):
    """The data cannot be learned from; the message says why and what to do."""


@dataclass(frozen=True)
class Settings:
    """What can be tuned (training/hyperparameters.json holds the ranges) and what stays as it is."""

    cost: float = 0.6  # of a margin violation (liblinear's C)
    weight_power: float = 0.7  # a row counts frequency of its label ** -weight_power
    bayes_power: float = 0.5  # exponent of the naive Bayes scaling; 0 turns it off
    characters: str = "auto"  # whether spelling counts: auto | on | off
    min_rows: int = 2  # a feature of fewer rows is dropped
    folds: int = 5
    target_precision: float = 0.95
    seed: int = 20


@dataclass(frozen=True)
class Rows:
    """Labelled texts; `group` is the same for near-duplicates."""

    texts: Sequence[str]
    labels: Sequence[str]
    groups: Sequence[str]


@dataclass(frozen=True)
class Model:
    """A trained classifier: features' buckets -> rows of weights.

    Row i of `weights` belongs to hash bucket `buckets[i]`: its columns are what the feature, standing once in a text whose vector
    of such features has length 1, adds to each label's logit. A word's weights hold those of its spelling; a word that training did
    not see has only the latter, put together from the runs of its letters: their sum, divided by the length of their rarities.
    `offsets` are added to log-probabilities only to choose the label, never to report a probability.
    """

    labels: tuple[str, ...]
    buckets: NDArray[np.uint32]  # (features,) ascending
    rarity: Singles  # (features,) inverse document frequency, already in the weights and needed for a vector's length
    weights: Singles  # (features, labels)
    new_word_rarity: float  # of a word that training did not see
    run_buckets: NDArray[np.uint32]  # (runs,) ascending; none where the model does not look at spelling
    run_rarity: Singles  # (runs,)
    run_weights: Singles  # (runs, labels)
    bias: Floats  # (labels,)
    offsets: Floats  # (labels,)
    reach: int  # how far apart the words of a pair may stand
    opening: int  # how many words at a text's beginning are features of their own too (features.word_occurrences)
    threshold: float  # of confidence, above which labels keep the target precision

    @property
    def index(self) -> NDArray[np.int32]:
        """Bucket -> row of `weights`, -1 where training had no such feature."""
        cached = self.__dict__.get("_index")
        if cached is None:
            cached = np.full(1 << features.BUCKET_BITS, -1, dtype=np.int32)
            cached[self.buckets] = np.arange(len(self.buckets), dtype=np.int32)
            self.__dict__["_index"] = cached
        return cached

    @property
    def tables(self) -> tuple[NDArray[np.uint64], Singles, NDArray[np.uint64], Singles]:
        """(directory, entries) of the features, and of runs of letters, as the kernels look them up (kernels.score)."""
        cached = self.__dict__.get("_tables")
        if cached is None:
            new_word = np.zeros((2, 1 + len(self.labels)), dtype=np.float32)
            new_word[0, 0] = self.new_word_rarity
            own = _table(features.BUCKET_BITS, self.buckets, self.rarity, self.weights, new_word)
            runs = _table(features.RUN_BITS, self.run_buckets, self.run_rarity, self.run_weights, new_word[:0])
            cached = *own, *runs
            self.__dict__["_tables"] = cached
        return cached


def _table(
    bits: int, buckets: NDArray[np.uint32], rarity: Singles, weights: Singles, more: Singles
) -> tuple[NDArray[np.uint64], Singles]:
    """A directory that the processor's cache holds, and rows (rarity, weights; then `more`) that begin where a line of it does."""
    cells, places = np.divmod(buckets.astype(np.int64), 64)
    directory = np.zeros((1 << (bits - 6), 2), dtype=np.uint64)
    np.bitwise_or.at(directory[:, 0], cells, np.uint64(1) << places.astype(np.uint64))
    directory[:, 1] = np.searchsorted(cells, np.arange(len(directory)))
    known, count, size = len(buckets), len(buckets) + len(more), 1 + weights.shape[1]
    width = -(-size // LINE_FLOATS) * LINE_FLOATS
    room = np.zeros(count * width + LINE_FLOATS, dtype=np.float32)
    begin = -(room.ctypes.data // room.itemsize) % LINE_FLOATS
    entries = room[begin : begin + count * width].reshape(count, width)
    entries[:known, 0], entries[:known, 1:size], entries[known:, :size] = rarity, weights, more
    return directory, entries


@dataclass(frozen=True)
class CrossFit:
    """What cross-fitting says of the rows it was made on: each from machines that never saw its group."""

    probabilities: Floats  # (rows, labels)
    predicted: Ints  # (rows,)
    macro_f1: float
    macro_f1_error: float  # standard error over rows
    accuracy: float
    expected_calibration_error: float
    coverage: float  # the largest share of rows that has the target precision


# ---------------------------------------------------------------- features as a matrix


def values_of_words(document: Ints, count: Ints, rarity: Singles) -> Floats:
    """(1 + ln(count)) * rarity, divided by the length of its text's vector: long and short texts weigh the same."""
    values = (1.0 + np.log(count.astype(np.float64))) * rarity
    return np.asarray(values / np.sqrt(np.bincount(document, weights=values * values))[document], dtype=np.float64)


def values_of_pairs(document: Ints, count: Ints, rarity: Singles) -> Floats:
    """count * rarity, divided by the length of a vector that has a place for each time that a pair stands in the text."""
    single = rarity.astype(np.float64)
    length = np.sqrt(np.bincount(document, weights=count * single * single))
    return np.asarray(count * single / length[document], dtype=np.float64)


def inverse_document_frequency(frequency: NDArray[np.int64], texts: int) -> Singles:
    """1 + ln((1 + texts) / (1 + texts with the feature)), as scikit-learn has it."""
    rarity: Singles = (1.0 + np.log((1 + texts) / (1 + frequency))).astype(np.float32)
    return rarity


@dataclass(frozen=True)
class Spelling:
    """How words are written: runs of their letters, of which training keeps those that several words have."""

    words: csr_matrix  # (buckets of words, runs) float32, each word's vector of length one
    buckets: NDArray[np.uint32]  # (runs,)
    rarity: Singles  # (runs,)


@dataclass(frozen=True)
class Vocabulary:
    """The features that training keeps. Words that it does not keep count as new ones, other features for nothing, not even for
    a vector's length.
    """

    matrix: csr_matrix  # (texts, features and runs) float32, the most frequent columns first
    buckets: NDArray[np.uint32]  # (features,)
    rarity: Singles  # (features,)
    shares: Singles  # (features,) what the matrix's values are multiplied with
    new_word_rarity: float
    spelling: Spelling | None
    columns: Ints  # (features and then runs,) where each stands in the matrix


def learn_vocabulary(
    texts: Sequence[str], *, reach: int, opening: int, characters: bool, min_rows: int, most: int
) -> Vocabulary:
    """The features of at least `min_rows` texts and the runs of letters of at least two words (the `most` frequent of both), and
    the texts' values of them.
    """
    # Batch by batch, (row, bucket, count) as small as they can be held.
    parts: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint16]]] = []
    frequency = np.zeros(1 << features.BUCKET_BITS, dtype=np.int64)
    seen = np.zeros(1 << features.WORD_BITS, dtype=np.bool_)
    spelled: list[tuple[Ints, Ints]] = []
    for first, last in features.batches(texts):
        document, bucket, count = features.count_features(texts[first:last], reach=reach, opening=opening)
        frequency += np.bincount(bucket, minlength=len(frequency))
        parts.append(((document + first).astype(np.int32), bucket.astype(np.int32), _small(count)))
        if characters:
            spelled.append(features.spell(texts[first:last], seen))
    rarity = inverse_document_frequency(frequency, len(texts))
    buckets = np.flatnonzero(frequency >= min_rows)
    runs, run_rarity, letters = _runs_of_words(spelled)
    # What most texts have lies side by side in the table of weights, so that the processor's cache holds it.
    often = np.concatenate((frequency[buckets], letters.T @ frequency[: len(seen)]))
    order = np.argsort(-often, kind="stable")
    if len(order) > most:
        order = np.sort(order[:most])
        buckets, kept = buckets[order[order < len(buckets)]], order[order >= len(buckets)] - len(buckets)
        runs, run_rarity, letters = runs[kept], run_rarity[kept], letters[:, kept]
        order = np.argsort(-often[order], kind="stable")
        log.info("kept the %d most frequent features", most)
    columns = np.empty(len(order), dtype=np.int64)
    columns[order] = np.arange(len(order))
    index = np.full(len(frequency), -1, dtype=np.int32)
    index[buckets] = columns[: len(buckets)]
    new_word_rarity = float(inverse_document_frequency(np.ones(1, dtype=np.int64), len(texts))[0])
    rarity[: len(seen)][index[: len(seen)] < 0] = new_word_rarity
    letters = _of_length_one(letters, run_rarity)
    word_share, other_share = SHARES_WITH_SPELLING if characters else SHARES
    matrices = []
    parts.reverse()
    for first, last in features.batches(texts):  # taken apart as it is put together: a large corpus is held about once
        document32, bucket32, count16 = parts.pop()
        row, word, known = (document32 - first).astype(np.int64), bucket32 < len(seen), index[bucket32] >= 0
        value = np.zeros(len(row), dtype=np.float32)
        for kind, values_of in ((word, values_of_words), (~word & known, values_of_pairs)):
            value[kind] = values_of(row[kind], count16[kind].astype(np.int64), rarity[bucket32[kind]])
        shape, shared = (last - first, len(order)), np.where(word, word_share, other_share) * value
        matrix = csr_matrix((shared[known], (row[known], index[bucket32[known]])), shape=shape, dtype=np.float32)
        if characters:
            words = csr_matrix((value[word], (row[word], bucket32[word])), shape=(last - first, len(seen)))
            written = words @ letters
            matrix += csr_matrix((written.data, columns[len(buckets) :][written.indices], written.indptr), shape=shape)
        matrices.append(matrix)
    return Vocabulary(
        matrix=vstack(matrices, format="csr") if matrices else csr_matrix((0, len(order)), dtype=np.float32),
        buckets=buckets.astype(np.uint32),
        rarity=rarity[buckets],
        shares=np.where(buckets < len(seen), word_share, other_share).astype(np.float32),
        new_word_rarity=new_word_rarity,
        spelling=Spelling(letters, runs.astype(np.uint32), run_rarity) if characters else None,
        columns=columns,
    )


def _runs_of_words(spelled: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Singles, csr_matrix]:
    """(bucket, rarity) of the runs of letters that at least two words have, and how often each stands in each word (buckets, runs)."""
    words, buckets = (np.concatenate(part) for part in zip(*spelled, strict=True)) if spelled else (np.zeros(0, np.int64),) * 2
    size = 1 << features.WORD_BITS
    letters = csr_matrix((np.ones(len(words), dtype=np.float32), (words, buckets)), shape=(size, 1 << features.RUN_BITS))
    frequency = np.bincount(letters.indices, minlength=letters.shape[1])
    runs = np.flatnonzero(frequency > 1)
    return runs, inverse_document_frequency(frequency[runs], len(np.unique(words))), letters[:, runs]


def _of_length_one(letters: csr_matrix, rarity: Singles) -> csr_matrix:
    """Each word's vector: its runs' rarities, divided by the length that they have together, a run that stands twice counted twice."""
    squares = letters @ rarity.astype(np.float64) ** 2
    scale = 1.0 / np.sqrt(np.where(squares > 0, squares, 1.0))
    values = letters.data * rarity[letters.indices] * np.repeat(scale, np.diff(letters.indptr))
    return csr_matrix((values.astype(np.float32), letters.indices, letters.indptr), shape=letters.shape)


def _small(count: Ints) -> NDArray[np.uint16]:
    return np.minimum(count, np.iinfo(np.uint16).max).astype(np.uint16)


# ---------------------------------------------------------------- learning


def wants_of(texts: Sequence[str], setting: str) -> tuple[int, int, bool]:
    """(reach of word pairs, opening words, whether spelling is worth its time) for such texts."""
    words = sorted(text.count(" ") + 1 for text in texts)
    short = bool(words) and words[len(words) // 2] < SHORT_TEXT_WORDS
    reach, opening = (SHORT_TEXT_REACH, SHORT_TEXT_WORDS) if short else (LONG_TEXT_REACH, OPENING_WORDS)
    return reach, opening, short if setting == "auto" else setting == "on"


def folds_of(labels: Ints, groups: Sequence[str], folds: int, seed: int) -> Ints:
    """A fold for each row: groups stay whole, and each label is spread over all folds as evenly as its groups allow.

    A label whose rows are all near-copies of each other is spread row by row. In one fold its rows would be scored by a machine that
    never saw it, which says the contrary of them, and calibration would learn to turn its answers round.
    """
    first_label: dict[str, int] = {}
    for group, label in zip(groups, labels.tolist(), strict=True):
        first_label.setdefault(group, label)
    order = sorted(first_label, key=lambda group: hashlib.sha256(f"{seed}/{group}".encode(errors="replace")).digest())
    dealt: dict[int, int] = {}
    fold: dict[str, int] = {}
    for group in order:
        label = first_label[group]
        # Each label starts at another fold, so that rare labels do not all land in fold 0.
        fold[group] = (dealt.get(label, label)) % folds
        dealt[label] = dealt.get(label, label) + 1
    of_row = np.fromiter((fold[group] for group in groups), dtype=np.int64, count=len(labels))
    count = int(labels.max()) + 1
    lowest, highest = np.full(count, folds), np.full(count, -1)
    np.minimum.at(lowest, labels, of_row)
    np.maximum.at(highest, labels, of_row)
    for label in np.flatnonzero(lowest == highest).tolist():
        rows = np.flatnonzero(labels == label)
        of_row[rows] = (np.arange(len(rows)) + label) % folds
    return of_row


def fit_machines(matrix: csr_matrix, labels: Ints, label_count: int, settings: Settings) -> tuple[Singles, Floats]:
    """(weights (features, labels), biases (labels,)) of one squared-hinge machine a label."""
    frequency = np.bincount(labels, minlength=label_count).astype(np.float64)
    costs = np.maximum(frequency, 1)[labels] ** -settings.weight_power
    costs *= settings.cost * len(labels) / costs.sum()
    starts, columns = matrix.indptr.astype(np.int64), matrix.indices
    shape = (matrix.shape[1], label_count)
    table = np.zeros((shape[0], 2 * label_count), dtype=np.float32)  # NumPy asks for large pages, which the kernels do not
    weights, scales = table[:, :label_count], table[:, label_count:]
    scaled = True
    if settings.bayes_power:
        scaled = acceleration.call("bayes_scales", starts, columns, labels, settings.bayes_power, scales)
    else:
        scales[:] = 1
    biases = None
    if scaled:
        single = costs.astype(np.float32)
        biases = acceleration.call("fit_machines", starts, columns, matrix.data, labels, single, table, PASSES, settings.seed)
    if biases is None:
        return _fit_by_liblinear(matrix, labels, costs, settings, shape)
    return np.ascontiguousarray(weights), biases.astype(np.float64)


def _fit_by_liblinear(
    matrix: csr_matrix, labels: Ints, costs: Floats, settings: Settings, shape: tuple[int, int]
) -> tuple[Singles, Floats]:
    """The same machines by scikit-learn, one label after another: for where numba is not."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415  scoring must not pay for scikit-learn's import
    from sklearn.svm import LinearSVC  # noqa: PLC0415

    weights, biases = np.zeros(shape, dtype=np.float32), np.full(shape[1], -1.0)
    seen = np.bincount(matrix.indices, minlength=shape[0]).astype(np.float64)
    for label in range(shape[1]):
        rows = labels == label
        if not rows.any() or rows.all():
            continue
        scale = bayes_scale(matrix, rows, seen, settings.bayes_power)
        scaled = csr_matrix((matrix.data * scale[matrix.indices], matrix.indices, matrix.indptr), shape=matrix.shape)
        machine = LinearSVC(C=1.0, tol=0.1, max_iter=200, random_state=settings.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits of a margin change no label
            machine.fit(scaled, rows, sample_weight=costs)
        weights[:, label] = machine.coef_[0] * scale
        biases[label] = machine.intercept_[0]
    return weights, biases


def bayes_scale(matrix: csr_matrix, rows: NDArray[np.bool_], seen: Floats, power: float) -> Singles:
    """|log-count ratio| ** power of each feature for the label that `rows` carry, with mean 1: what kernels.bayes_scales does.

    Counts are smoothed by 1 inside the label and by 2 outside of it: what docs/model.md was measured with.
    """
    if power == 0:
        return np.ones(matrix.shape[1], dtype=np.float32)
    inside = np.bincount(matrix[np.flatnonzero(rows)].indices, minlength=matrix.shape[1]) + 1.0
    outside = seen - inside + 3.0
    ratio = np.abs(np.log(inside / inside.sum()) - np.log(outside / outside.sum()))
    scaled = ratio**power
    normal: Singles = (scaled / max(float(scaled.mean()), 1e-9)).astype(np.float32)
    return normal


def fit_softmax(scores: Floats, labels: Ints) -> tuple[Floats, Floats]:
    """(A (labels, labels), b): probabilities are softmax(scores @ A + b), A shrunk to one slope for all labels.

    The more labels, the more slopes each of them has to be wrong with: the pull towards the one slope grows with their number.

    The targets are Platt's: with n rows of a label nothing is ever surer than about 1 - 1/(n + 2), even where the scores
    separate the labels perfectly.
    """
    count = scores.shape[1]
    doubt = 1.0 / (np.bincount(labels, minlength=count) + 2.0)[labels]
    target = np.repeat(doubt[:, None] / (count - 1), count, axis=1)
    target[np.arange(len(labels)), labels] = 1.0 - doubt

    def common(parameters: Floats) -> tuple[float, Floats]:
        slope, shift = parameters[0], parameters[1:]
        loss, error = _cross_entropy(scores * slope + shift, target)
        return loss + 0.5 * float(shift @ shift), np.concatenate(([(error * scores).sum()], error.sum(0) + shift))

    start = minimize(common, np.concatenate(([3.0], np.zeros(count))), jac=True, method="L-BFGS-B", options={"maxiter": 50}).x
    # Scores that say the contrary of the labels say nothing: each label is as likely as it is common.
    if start[0] <= 0:
        return np.zeros((count, count)), np.log(np.bincount(labels, minlength=count) + 1.0)
    prior = np.eye(count) * start[0]
    if count > FULL_CALIBRATION_LABELS:
        return prior, start[1:]

    pull = max(1.0, count / LABELS_OF_UNIT_PRIOR)

    def full(parameters: Floats) -> tuple[float, Floats]:
        matrix, shift = parameters[:-count].reshape(count, count), parameters[-count:]
        away = matrix - prior
        loss, error = _cross_entropy(scores @ matrix + shift, target)
        gradient = np.concatenate(((scores.T @ error + pull * away).ravel(), error.sum(0) + shift))
        return loss + 0.5 * float(pull * (away**2).sum() + shift @ shift), gradient

    parameters = np.concatenate((prior.ravel(), start[1:]))
    found = minimize(full, parameters, jac=True, method="L-BFGS-B", options={"maxiter": 30}).x
    return found[:-count].reshape(count, count), found[-count:]


def _cross_entropy(logits: Floats, target: Floats) -> tuple[float, Floats]:
    """(summed loss, its gradient by the logits)."""
    logs = log_softmax(logits, axis=1)
    return -float((target * logs).sum()), np.exp(logs) - target


def macro_f1(confusion: Floats) -> float:
    """Mean F1 over the labels that occur; `confusion` (true, predicted)."""
    support, predicted, right = confusion.sum(1), confusion.sum(0), np.diag(confusion)
    occurs = support > 0
    return float((2 * right[occurs] / (support + predicted)[occurs]).mean()) if occurs.any() else float("nan")


def fit_offsets(probabilities: Floats, labels: Ints) -> Floats:
    """What to add to log-probabilities so that the label chosen makes macro-F1 highest: one label at a time, two rounds.

    For one label, each row has a rival (the best other label) and a margin: the row is given to the label when its offset
    exceeds the margin, so that walking the rows by margin visits every possible outcome.
    """
    count = probabilities.shape[1]
    scores = decision(probabilities, np.zeros(count))
    offsets = np.zeros(count)
    support = np.bincount(labels, minlength=count).astype(np.float64)
    occurs = support > 0
    best = _BestTwo(scores)
    for _ in range(2):
        for label in np.argsort(support, kind="stable").tolist():
            if not occurs[label]:
                continue
            rival, value = best.without(label)
            margin = value - scores[:, label]
            # Rows far from any offset in the grid never change hands; the counts of the others are all that moves.
            results = []
            sure, open_ = margin < OFFSET_GRID[0], np.flatnonzero(np.abs(margin) <= OFFSET_GRID[-1])
            chosen = np.where(sure, label, rival)
            right = np.bincount(labels[chosen == labels], minlength=count).astype(np.float64)
            predicted = np.bincount(chosen, minlength=count).astype(np.float64)
            open_ = open_[np.argsort(margin[open_], kind="stable")]
            places = np.searchsorted(margin[open_], OFFSET_GRID)
            before = 0
            for place in places.tolist():
                moved = open_[before:place]
                before = place
                np.subtract.at(predicted, rival[moved], 1)
                predicted[label] += len(moved)
                np.subtract.at(right, labels[moved][rival[moved] == labels[moved]], 1)
                right[label] += np.count_nonzero(labels[moved] == label)
                results.append(float((2 * right[occurs] / (support + predicted)[occurs]).mean()))
            values = np.asarray(results)
            # The smallest shift among the nearly best: a plateau's far end is fitted to noise.
            near = np.flatnonzero(values >= values.max() - 5e-4)
            offsets[label] = OFFSET_GRID[near[np.argmin(np.abs(OFFSET_GRID[near]))]]
            best.shift(label, offsets)
    return offsets


class _BestTwo:
    """The two highest columns of each row of `scores` plus an offset per column, the first of equal ones before the others.

    With many labels nearly all rows keep theirs when one offset changes: looking at all columns again for each label would take
    time with the square of their number.
    """

    def __init__(self, scores: Floats) -> None:
        rows, self._scores = len(scores), scores
        self._columns, self._values = np.empty((2, rows), dtype=np.int64), np.empty((2, rows))
        self._look(np.arange(rows), np.zeros(scores.shape[1]))

    def _look(self, rows: Ints, offsets: Floats) -> None:
        shifted = self._scores[rows] + offsets
        for place in range(2):
            column = shifted.argmax(1)
            self._columns[place, rows], self._values[place, rows] = column, shifted[np.arange(len(rows)), column]
            shifted[np.arange(len(rows)), column] = -np.inf

    def without(self, column: int) -> tuple[Ints, Floats]:
        """(column, value) of each row's highest, leaving out `column`."""
        second = self._columns[0] == column
        return np.where(second, self._columns[1], self._columns[0]), np.where(second, self._values[1], self._values[0])

    def shift(self, column: int, offsets: Floats) -> None:
        """`column` has another offset."""
        value = self._scores[:, column] + offsets[column]
        among = (self._columns == column).any(axis=0)
        passes = (value > self._values[1]) | ((value == self._values[1]) & (column < self._columns[1]))
        self._look(np.flatnonzero(among | passes), offsets)


def decision(probabilities: Floats, offsets: Floats) -> Floats:
    """What labels are ranked by: log-probability plus the label's offset."""
    return np.asarray(np.log(np.maximum(probabilities, 1e-12)) + offsets)


def choose(probabilities: Floats, offsets: Floats) -> Ints:
    """The label of each row."""
    chosen: Ints = decision(probabilities, offsets).argmax(1)
    return chosen


def coverage_for(confidence: Floats, right: NDArray[np.bool_], target: float) -> float:
    """The largest share of rows, the surest first, of which at least `target` are right; 0 where there is none."""
    return _surest(confidence, right, lambda precision, _: precision >= target)[1]


def threshold_for(confidence: Floats, right: NDArray[np.bool_], target: float) -> float:
    """The lowest confidence above which labels may be trusted to be right in at least `target` of cases.

    It is the lowest of many, so that one of them keeps any target by luck: what counts is the lower bound of the precision (Wilson,
    1927), over enough rows. 1.0 where no confidence keeps the target: every row then needs review.
    """
    return _surest(
        confidence, right, lambda precision, rows: (rows >= LEAST_ANSWERED) & (_lower_bound(precision, rows) >= target)
    )[0]


def _surest(
    confidence: Floats, right: NDArray[np.bool_], keeps: Callable[[Floats, Floats], NDArray[np.bool_]]
) -> tuple[float, float]:
    """(lowest confidence above which (precision, rows) are such that `keeps`, share of rows above it), or (1.0, 0.0)."""
    order = np.argsort(-confidence, kind="stable")
    rows = np.arange(1.0, len(order) + 1)
    # Rows of the same confidence stand on one side of any threshold.
    last_of_tie = np.append(confidence[order][1:] != confidence[order][:-1], True)
    good = np.flatnonzero(keeps(np.cumsum(right[order]) / rows, rows) & last_of_tie)
    if not len(good):
        return 1.0, 0.0
    return float(confidence[order][good[-1]]), float((good[-1] + 1) / len(order))


def _lower_bound(share: Floats, rows: Floats) -> Floats:
    """What the true share is above in 80% of cases, where `share` of `rows` was found."""
    square = ndtri(BOUND_CONFIDENCE) ** 2
    spread = np.sqrt(square * (share * (1 - share) / rows + square / (4 * rows * rows)))
    return np.asarray((share + square / (2 * rows) - spread) / (1 + square / rows))


def calibration_error(confidence: Floats, right: NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error: |share right - mean confidence| in bins of equal width, weighted by their rows."""
    if not len(confidence):
        return float("nan")
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gap = np.bincount(bin_of, weights=right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def standard_error_of_macro_f1(labels: Ints, predicted: Ints, count: int, seed: int) -> float:
    """Bootstrap over rows, drawn as counts of (true, predicted) pairs, which is the same and needs no rows."""
    pairs, cells = np.unique(labels * count + predicted, return_counts=True)
    draws = np.random.default_rng(seed).multinomial(len(labels), cells / len(labels), size=200)
    values = []
    for draw in draws:
        confusion = np.zeros(count * count)
        confusion[pairs] = draw
        values.append(macro_f1(confusion.reshape(count, count)))
    return float(np.std(values))


def cross_fit_scores(
    matrix: csr_matrix,
    labels: Ints,
    fold: Ints,
    settings: Settings,
    *,
    checkpoints: Path | None = None,
    key: str = "",
    after: Callable[[int, Floats], None] = lambda _held, _scores: None,
) -> Floats:
    """(rows, labels) scores by machines that did not see the row's fold; finished folds are kept in `checkpoints`.

    Folds are worked on side by side, one to a core: each result depends on its fold alone. `after` hears of each fold in order,
    whichever ended first, with the scores as far as they are known.
    """
    label_count = int(labels.max()) + 1
    scores = np.zeros((matrix.shape[0], label_count))

    def work(held: int) -> None:
        rows = np.flatnonzero(fold == held)
        path = checkpoints / f"{key}-{held}.fold" if checkpoints else None
        if path and path.is_file():
            kept = _kept_scores(path, (len(rows), label_count))
            if kept is not None:
                log.info("fold %d of %d: taken from the checkpoint", held + 1, settings.folds)
                scores[rows] = kept
                return
            log.warning("fold %d of %d: the checkpoint is damaged and not taken", held + 1, settings.folds)
        others = np.flatnonzero(fold != held)
        weights, biases = fit_machines(matrix[others], labels[others], label_count, settings)
        scores[rows] = matrix[rows] @ weights + biases
        if path:
            _keep_scores(path, scores[rows])
        log.info("fold %d of %d: trained on %d rows", held + 1, settings.folds, len(others))

    with ThreadPoolExecutor(max_workers=min(settings.folds, os.cpu_count() or 1)) as pool:
        for held, _ in enumerate(pool.map(work, range(settings.folds))):
            after(held, scores)
    return scores


def _keep_scores(path: Path, scores: Floats) -> None:
    """A checkpoint: the SHA-256 of the scores, then the scores."""
    content = np.ascontiguousarray(scores, dtype="<f8").tobytes()
    # Written whole or not at all: spot instances stop in the middle of things.
    temporary = path.with_suffix(".part")
    temporary.write_bytes(hashlib.sha256(content).digest() + content)
    temporary.replace(path)


def _kept_scores(path: Path, shape: tuple[int, int]) -> Floats | None:
    """What was kept, or None where it is not what was written: it came over a network, or a disk was full."""
    data = path.read_bytes()
    digest, content = data[:32], data[32:]
    if len(content) != 8 * shape[0] * shape[1] or hashlib.sha256(content).digest() != digest:
        return None
    kept = np.frombuffer(content, dtype="<f8").reshape(shape)
    return kept if np.isfinite(kept).all() else None


class FoldsSoFar:
    """Macro-F1 while folds come in: each fold's rows under the softmax and offsets of the folds before it.

    Lower than what cross-fitting says in the end, which calibrates on more rows, but trials of one tuning job share their folds, so
    that at the same fold they can be compared.
    """

    def __init__(self, labels: Ints, fold: Ints, report: Callable[[int, float], None]) -> None:
        self._labels, self._fold, self._report = labels, fold, report
        self._confusion: Floats | None = None

    def __call__(self, held: int, scores: Floats) -> None:
        """Report (folds, macro-F1) from the second fold on; not for the last, after which all of it is evaluated."""
        before, inside = self._fold < held, self._fold == held
        if held == self._fold.max() or not before.any() or not inside.any():
            return
        _, predicted = _calibrated(scores, self._labels, before, inside)
        found = confusion_of(self._labels[inside], predicted, scores.shape[1])
        self._confusion = found if self._confusion is None else self._confusion + found
        self._report(held + 1, macro_f1(self._confusion))


def confusion_of(labels: Ints, predicted: Ints, count: int) -> Floats:
    """(true, predicted) counts."""
    return np.bincount(labels * count + predicted, minlength=count * count).reshape(count, count).astype(np.float64)


def _calibrated(scores: Floats, labels: Ints, outside: NDArray[np.bool_], inside: NDArray[np.bool_]) -> tuple[Floats, Ints]:
    """(probabilities, labels) of the rows `inside`, by softmax and offsets that were fitted on the rows `outside`."""
    slope, bias = fit_softmax(scores[outside], labels[outside])
    offsets = fit_offsets(softmax(scores[outside] @ slope + bias, axis=1), labels[outside])
    probabilities = softmax(scores[inside] @ slope + bias, axis=1)
    return probabilities, choose(probabilities, offsets)


def evaluate_cross_fit(scores: Floats, labels: Ints, fold: Ints, settings: Settings) -> CrossFit:
    """Softmax and offsets of each fold come from the other folds, so that nothing is scored by what was fitted on it."""
    probabilities = np.zeros_like(scores)
    predicted = np.zeros(len(labels), dtype=np.int64)
    for held in range(settings.folds):
        inside = fold == held
        probabilities[inside], predicted[inside] = _calibrated(scores, labels, ~inside, inside)
    count = scores.shape[1]
    right = predicted == labels
    confidence = probabilities[np.arange(len(labels)), predicted]
    return CrossFit(
        probabilities=probabilities,
        predicted=predicted,
        macro_f1=macro_f1(confusion_of(labels, predicted, count)),
        macro_f1_error=standard_error_of_macro_f1(labels, predicted, count, settings.seed),
        accuracy=float(right.mean()),
        expected_calibration_error=calibration_error(confidence, right),
        coverage=coverage_for(confidence, right, settings.target_precision),
    )


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Sums that several cores share have other last digits for each number of cores. And one core is faster: matrices here are long
    and thin, and folds are worked on side by side as it is (Banking77 26 s of processor time instead of 60, CFPB 10 instead of 19).
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415  scoring must not pay for it

    with threadpool_limits(limits=1, user_api="blas"):
        yield


@_one_blas_thread()
def fit(
    rows: Rows,
    settings: Settings,
    *,
    checkpoints: Path | None = None,
    progress: Callable[[int, float], None] = lambda _folds, _macro_f1: None,
    report: Callable[[CrossFit], None] = lambda _crossfit: None,
) -> tuple[Model, CrossFit]:
    """Train on `rows`; the same rows, settings and versions give the same model, bit for bit, on any number of cores.

    `progress` hears (folds, macro-F1 over them so far) as folds come in, `report` what all of them say.

    Raises TrainingError when there are fewer than two labels or no usable feature.
    """
    names = sorted(set(rows.labels))
    if len(names) < 2:
        raise TrainingError(
            f"training needs rows of at least 2 labels and got {len(names)}, in {len(set(rows.texts))} different texts: "
            "drop labelled complaints of another"
        )
    number = {name: index for index, name in enumerate(names)}
    labels = np.fromiter((number[label] for label in rows.labels), dtype=np.int64, count=len(rows.labels))
    reach, opening, characters = wants_of(rows.texts, settings.characters)
    most = max(1, MAX_WEIGHTS // len(names))
    vocabulary = learn_vocabulary(
        rows.texts, reach=reach, opening=opening, characters=characters, min_rows=settings.min_rows, most=most
    )
    matrix = vocabulary.matrix
    if matrix.shape[1] == 0:
        raise TrainingError("no word occurs in two rows: the texts are empty or all different; look at the prepared data")
    settings = replace(settings, folds=max(2, min(settings.folds, len(set(rows.groups)))))
    fold = folds_of(labels, rows.groups, settings.folds, settings.seed)
    # Folds of other code, or by the other solver, are other folds: a redrive after a deployment finds them in the same place.
    made_by = (code_version(Path(__file__).parent), acceleration.numba_version(), np.__version__)
    key = fingerprint(rows, repr((sorted(asdict(settings).items()), made_by)))[:16]
    so_far = FoldsSoFar(labels, fold, progress)
    scores = cross_fit_scores(matrix, labels, fold, settings, checkpoints=checkpoints, key=key, after=so_far)
    crossfit = evaluate_cross_fit(scores, labels, fold, settings)
    report(crossfit)
    slope, shift = fit_softmax(scores, labels)
    probabilities = softmax(scores @ slope + shift, axis=1)
    offsets = fit_offsets(probabilities, labels)
    right = crossfit.predicted == labels
    confidence = crossfit.probabilities[np.arange(len(labels)), crossfit.predicted]
    weights, biases = fit_machines(matrix, labels, len(names), settings)
    return Model(
        **_folded(vocabulary, weights @ slope),
        labels=tuple(names),
        bias=biases @ slope + shift,
        offsets=offsets,
        reach=reach,
        opening=opening,
        threshold=threshold_for(confidence, right, settings.target_precision),
    ), crossfit


def _folded(vocabulary: Vocabulary, weights: Floats) -> dict[str, Any]:
    """A model's arrays: the matrix' columns' `weights` with shares and rarities in them, and each word's with those of its spelling."""
    # A constant added to all labels' logits changes no probability; without it a contribution speaks for one label.
    weights = (weights - weights.mean(axis=1, keepdims=True))[vocabulary.columns]
    count, spelling = len(vocabulary.buckets), vocabulary.spelling
    own = weights[:count] * vocabulary.shares[:, None]
    if spelling:
        words = np.flatnonzero(vocabulary.buckets < spelling.words.shape[0])
        own[words] += spelling.words[vocabulary.buckets[words]] @ weights[count:]
    run_buckets = spelling.buckets if spelling else np.zeros(0, dtype=np.uint32)
    run_rarity = spelling.rarity if spelling else np.zeros(0, dtype=np.float32)
    return {
        "buckets": vocabulary.buckets,
        "rarity": vocabulary.rarity,
        "weights": (own * vocabulary.rarity[:, None]).astype(np.float32),
        "new_word_rarity": vocabulary.new_word_rarity,
        "run_buckets": run_buckets,
        "run_rarity": run_rarity,
        "run_weights": (weights[count:] * run_rarity[:, None]).astype(np.float32),
    }


def code_version(source: Path) -> str:
    """The first 12 digits of the code's SHA-256: what ran, with no git on the machine that runs it."""
    digest = hashlib.sha256()
    for path in sorted(source.rglob("*.py")):
        digest.update(path.relative_to(source).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def fingerprint(rows: Rows, extra: str = "") -> str:
    """SHA-256 of the rows, whatever their order."""
    digests = sorted(
        hashlib.sha256("\0".join(row).encode("utf-8", "surrogatepass")).digest()
        for row in zip(rows.labels, rows.texts, rows.groups, strict=True)
    )
    return hashlib.sha256(b"".join(digests) + extra.encode()).hexdigest()
