"""Train the network: hashed features, a window, one hidden layer. AdaGrad on minibatches, the same result on every run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from complaints_etl.redaction.people.features import GAP_ROWS, IDENTITY, LISTED, ROWS
from complaints_etl.redaction.people.tagger import CLASSES, WINDOW
from numba import njit
from numpy.typing import NDArray

SIZE, UNITS, BATCH = 32, 48, 512
DROPPED = 0.3  # share of the words of a batch that lose the features that name them
SPAN = 2 * WINDOW + 1
Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass
class Corpus:
    """Tokens of many texts in a row, WINDOW pads between texts.

    `words` and `gaps` number distinct strings; `rows` and `starts` have the feature rows of each distinct string (`gap_rows`,
    `gap_starts` of what is between words). `labels` has a class for each token, `chosen` the tokens to learn from.
    """

    words: Ints
    gaps: Ints
    labels: Ints
    chosen: Ints
    rows: Ints
    starts: Ints
    gap_rows: Ints
    gap_starts: Ints


@njit(cache=True, fastmath=True)
def _vectors(  # type: ignore[no-untyped-def] # noqa: PLR0917 -- numba infers types, and calls by position
    distinct, rows, starts, table, skipped, out
):
    """Sum the rows of each distinct string."""
    for i in range(len(distinct)):
        for d in range(SIZE):
            out[i, d] = 0.0
        for j in range(starts[distinct[i]] + skipped[i], starts[distinct[i] + 1]):
            row = rows[j]
            for d in range(SIZE):
                out[i, d] += table[row, d]


@njit(cache=True, fastmath=True)
def _add_by_place(place, grad, out):  # type: ignore[no-untyped-def]
    """Sum the gradients of a batch by distinct string."""
    for i in range(place.shape[0]):
        for k in range(SPAN):
            base, to = k * SIZE, place[i, k]
            for d in range(SIZE):
                out[to, d] += grad[i, base + d]


@njit(cache=True, fastmath=True)
def _update(  # type: ignore[no-untyped-def] # noqa: PLR0917 -- numba infers types, and calls by position
    distinct, rows, starts, table, square, skipped, grad, rate
):
    """Do one step of AdaGrad, with one learning rate per row."""
    for i in range(len(distinct)):
        norm = 0.0
        for d in range(SIZE):
            norm += grad[i, d] ** 2
        norm /= SIZE
        for j in range(starts[distinct[i]] + skipped[i], starts[distinct[i] + 1]):
            row = rows[j]
            square[row] += norm
            step = np.float32(rate / np.sqrt(square[row] + 1e-8))
            for d in range(SIZE):
                table[row, d] -= step * grad[i, d]


@njit(cache=True)
def _gate_pass(  # type: ignore[no-untyped-def] # noqa: PLR0917 -- numba infers types, and calls by position
    order, words, is_entity, rows, starts, weights, square, bias, rate, dropped
):
    for i in range(len(order)):
        word = words[order[i]]
        begin = starts[word] + (IDENTITY if dropped[i] else 0)
        score = bias
        for j in range(begin, starts[word + 1]):
            score += weights[rows[j]]
        error = 1.0 / (1.0 + np.exp(-score)) - is_entity[order[i]]
        for j in range(begin, starts[word + 1]):
            row = rows[j]
            square[row] += error * error
            weights[row] -= rate * (error / np.sqrt(square[row] + 1e-6) + 1e-5 * weights[row])
        bias -= 0.01 * rate * error
    return bias


def train(corpus: Corpus, *, passes: int, seed: int) -> dict[str, Any]:
    """Return the arrays of the network (Tagger.__init__), except the lists of names and the gate's threshold."""
    rng = np.random.default_rng(seed)
    classes = len(CLASSES)
    table = (rng.standard_normal((ROWS, SIZE)) * 0.05).astype(np.float32)
    gap_table = (rng.standard_normal((GAP_ROWS, SIZE)) * 0.05).astype(np.float32)
    square, gap_square = np.full(ROWS, 1e-4), np.full(GAP_ROWS, 1e-4)
    dense = [
        (rng.standard_normal((SPAN * SIZE, UNITS)) * np.sqrt(2 / (SPAN * SIZE))).astype(np.float32),
        np.zeros(UNITS, np.float32),
        (rng.standard_normal((UNITS, classes)) * np.sqrt(2 / UNITS)).astype(np.float32),
        np.zeros(classes, np.float32),
    ]
    squares = [np.full_like(array, 1e-3) for array in dense]
    at = corpus.chosen.copy()
    shifts = np.arange(-WINDOW, WINDOW + 1)
    steps, done = passes * -(-len(at) // BATCH), 0
    for number in range(passes):
        rng.shuffle(at)
        total = 0.0
        for begin in range(0, len(at), BATCH):
            batch = at[begin : begin + BATCH]
            rate = 0.08 * (1 - done / steps) + 0.002
            done += 1
            window = batch[:, None] + shifts
            words, word_place = np.unique(corpus.words[window], return_inverse=True)
            gaps, gap_place = np.unique(corpus.gaps[window], return_inverse=True)
            draw = rng.random(len(words))
            skipped = np.where(draw < DROPPED / 2, LISTED, np.where(draw < DROPPED, IDENTITY, 0))
            skipped = np.minimum(skipped, corpus.starts[words + 1] - corpus.starts[words])
            none_skipped = np.zeros(len(gaps), np.int64)
            known, between = np.empty((len(words), SIZE), np.float32), np.empty((len(gaps), SIZE), np.float32)
            _vectors(words, corpus.rows, corpus.starts, table, skipped, known)
            _vectors(gaps, corpus.gap_rows, corpus.gap_starts, gap_table, none_skipped, between)
            vectors = (known[word_place] + between[gap_place]).reshape(len(batch), -1)
            before = vectors @ dense[0] + dense[1]
            mask = (rng.random(before.shape) < 0.9).astype(np.float32) / np.float32(0.9)
            hidden = np.maximum(before, 0) * mask
            scores = hidden @ dense[2] + dense[3]
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores /= scores.sum(axis=1, keepdims=True)
            truth = corpus.labels[batch]
            total -= np.log(scores[np.arange(len(batch)), truth] + 1e-9).sum()
            scores[np.arange(len(batch)), truth] -= 1
            back = (scores @ dense[2].T) * mask * (before > 0)
            grads = [vectors.T @ back, back.sum(axis=0), hidden.T @ scores, scores.sum(axis=0)]
            into = np.ascontiguousarray(back @ dense[0].T, np.float32)
            grad_words, grad_gaps = np.zeros_like(known), np.zeros_like(between)
            _add_by_place(word_place.reshape(window.shape), into, grad_words)
            _add_by_place(gap_place.reshape(window.shape), into, grad_gaps)
            _update(words, corpus.rows, corpus.starts, table, square, skipped, grad_words, rate)
            _update(gaps, corpus.gap_rows, corpus.gap_starts, gap_table, gap_square, none_skipped, grad_gaps, rate)
            for array, grad, seen in zip(dense, grads, squares, strict=True):
                np.add(seen, (grad / len(batch)) ** 2, out=seen)
                array[...] -= (0.35 * rate * (grad / len(batch)) / np.sqrt(seen)).astype(np.float32)
        print(f"pass {number + 1}: loss {total / len(at):.4f}", flush=True)
        if number == passes // 2 - 1:
            harder = _mistaken(corpus, table, gap_table, dense)
            print(f"{len(harder)} words more, which are taken for personal", flush=True)
            at = np.concatenate([at, harder, harder])
            steps = done + (passes - number - 1) * -(-len(at) // BATCH)
    gate, gate_bias = _train_gate(corpus, rng)
    return {
        "table": table, "gap_table": gap_table, "gate_table": gate, "gate_bias": gate_bias, "hidden": dense[0],
        "hidden_bias": dense[1],
        "out": dense[2], "out_bias": dense[3],
    }  # fmt: skip


def _mistaken(corpus: Corpus, table: Floats, gap_table: Floats, dense: list[Floats]) -> Ints:
    """Return the words that are not personal, not among the chosen, and taken for personal with a probability above .03."""
    known, between = (
        np.empty((len(corpus.starts) - 1, SIZE), np.float32),
        np.empty((len(corpus.gap_starts) - 1, SIZE), np.float32),
    )
    for array, rows, starts, weights in (
        (known, corpus.rows, corpus.starts, table),
        (between, corpus.gap_rows, corpus.gap_starts, gap_table),
    ):
        _vectors(np.arange(len(array)), rows, starts, weights, np.zeros(len(array), np.int64), array)
    rest = np.setdiff1d(np.flatnonzero((corpus.words > 0) & (corpus.labels == 0)), corpus.chosen).astype(np.int32)
    shifts, found = np.arange(-WINDOW, WINDOW + 1), []
    for begin in range(0, len(rest), 1 << 14):
        at = rest[begin : begin + (1 << 14)]
        window = at[:, None] + shifts
        vectors = (known[corpus.words[window]] + between[corpus.gaps[window]]).reshape(len(at), -1)
        scores = np.maximum(vectors @ dense[0] + dense[1], 0) @ dense[2] + dense[3]
        odds = scores[:, 1:].max(axis=1) - scores[:, 0]
        found.append(at[odds > -3.5])
    return np.concatenate(found)


def _train_gate(corpus: Corpus, rng: np.random.Generator) -> tuple[Floats, float]:
    weights, square, bias = np.zeros(ROWS), np.full(ROWS, 1e-2), -2.0
    tokens = np.flatnonzero(corpus.words > 0).astype(np.int32)
    is_entity = (corpus.labels > 0).astype(np.float64)
    for rate in (0.3, 0.15, 0.05):
        rng.shuffle(tokens)
        bias = _gate_pass(
            tokens,
            corpus.words,
            is_entity,
            corpus.rows,
            corpus.starts,
            weights,
            square,
            bias,
            rate,
            rng.random(len(tokens)) < 0.5,
        )
    return weights.astype(np.float32), bias
