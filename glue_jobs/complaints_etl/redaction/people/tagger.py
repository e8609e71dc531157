"""Tag the words of a text as names, addresses, identifiers and telephone numbers: a window network on hashed features.

A word's vector is the sum of the rows of its features (features.py) and is computed once per process. A hidden layer reads the vectors of
the word and of four words on each side (Collobert et al. 2011, https://jmlr.org/papers/v12/collobert11a.html), and an output layer gives the
probability of each class. Most words of a complaint cannot be personal, by themselves: a score of the word alone (the gate) leaves them
out, so that the network runs on a tenth of the words.

benchmarks/redaction/people/train.py makes model.npz.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from itertools import chain
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from complaints_etl.redaction.people.features import Lists, case_of, gap_rows, token_rows

CLASSES = ("", "NAME", "ADDRESS", "ID_NUMBER", "PHONE")
WINDOW = 4
_SPLIT = re.compile(r"(\W+)")
_MOST_STRINGS = 1 << 17  # whose vectors are kept; 16 MB
_CAPITALS = {"A": 1, "a": -1, "T": -1, "m": -1, "I": 0, "9": 0}
Floats = NDArray[np.float32]
_PADS = [0] * WINDOW


class Tags(NamedTuple):
    """The words of a text that may be personal.

    Attributes:
        parts: the text, split into words and what is between them; word i is part 2 i.
        words: numbers of words.
        probabilities: one row per such word and one column per class.
    """

    parts: list[str]
    words: NDArray[np.intp]
    probabilities: Floats


class _Vectors(dict[str, int]):
    """Number distinct strings; keep their vectors and what is known of them in arrays that grow."""

    def __init__(self, table: Floats, rows_of: Callable[[str], list[int]]) -> None:
        super().__init__()
        self._table, self._rows_of = table, rows_of
        self.vectors = np.zeros((1024, table.shape[1]), np.float32)
        self.capitals = np.zeros(1024, np.int8)  # 1 for a word in capitals, -1 for one with small letters
        self.clear()

    def clear(self) -> None:
        """Forget all strings but the empty one, which pads texts: its vector is zero."""
        super().clear()
        self[""] = 0
        self._new: list[str] = []

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        self._new.append(text)
        return number

    def settle(self) -> None:
        """Compute the vectors of the strings that were numbered since the last call. All at once they take a third of the time."""
        new = self._new
        if not new:
            return
        first, last = len(self) - len(new), len(self)
        while last > len(self.vectors):
            self.vectors = np.concatenate([self.vectors, np.zeros_like(self.vectors)])
            self.capitals = np.concatenate([self.capitals, np.zeros_like(self.capitals)])
        rows = list(map(self._rows_of, new))
        starts = np.cumsum([0, *map(len, rows[:-1])])
        np.add.reduceat(
            self._table[np.fromiter(chain.from_iterable(rows), np.intp)], starts, axis=0, out=self.vectors[first:last]
        )
        self.capitals[first:last] = [_CAPITALS[case_of(text)] for text in new]
        self._new = []


class Tagger:
    """The network and the vectors of the words that it has seen."""

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the arrays of a model.

        Args:
            arrays: `table` (ROWS x size, 8 bits) and `table_scale`, `gap_table` and `gap_scale`, `gate_table` and `gate_bias`, `hidden`
                (9 size x units) and `hidden_bias`, `out` (units x classes) and `out_bias`, the `Lists`, `gate` (the least score of a
                word).
        """
        # The gate's weights are one more column of the table, so that one sum gives a word's vector and its score.
        table = np.column_stack([arrays["table"] * arrays["table_scale"], arrays["gate_table"]]).astype(np.float32)
        gaps = arrays["gap_table"].astype(np.float32) * arrays["gap_scale"]
        self._least = float(arrays["gate"] - arrays["gate_bias"])
        self._hidden, self._hidden_bias = arrays["hidden"].astype(np.float32), arrays["hidden_bias"].astype(np.float32)
        self._out, self._out_bias = arrays["out"].astype(np.float32), arrays["out_bias"].astype(np.float32)
        self._lists = Lists(*(arrays[name].tolist() for name in Lists._fields))
        self._tokens = _Vectors(table, lambda token: token_rows(token, self._lists))
        self._between = _Vectors(gaps, gap_rows)
        self._offsets = np.arange(-WINDOW, WINDOW + 1)

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Make a tagger of the content of a file of weights."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return cls(dict(arrays))

    def name_flags(self, folded: str) -> int:
        """Return 1 for a word in the list of first names, plus 2 for one in the list of surnames."""
        return self._lists.name_flags(folded)

    def is_common(self, folded: str) -> bool:
        """Return True for a word that is common in small letters."""
        return self._lists.is_common(folded)

    def tag(self, texts: Sequence[str]) -> list[Tags | None]:
        """Return the words of each text that may be personal, with their probabilities; None for a text without such a word.

        Many texts at once cost a third of as many calls.
        """
        known = self._tokens
        split = [_SPLIT.split(text) for text in texts]
        for strings in (known, self._between):
            if len(strings) > _MOST_STRINGS:
                strings.clear()
        numbers: list[int] = []
        begins = []
        for parts in split:
            numbers += _PADS
            begins.append(len(numbers))
            numbers += map(known.__getitem__, parts[::2])
        numbers += _PADS
        words = np.array(numbers, np.intp)
        known.settle()
        self._as_small_letters(split, begins, words)
        chosen = np.flatnonzero((known.vectors[words, -1] > self._least) & (words > 0))
        if not len(chosen):
            return [None] * len(split)
        probabilities = self._probabilities(words, self._gaps(split, len(words)), chosen)
        ends = np.searchsorted(chosen, [*begins[1:], len(words)]).tolist()
        tags: list[Tags | None] = []
        first = 0
        for parts, begin, end in zip(split, begins, ends, strict=True):
            tags.append(Tags(parts, chosen[first:end] - begin, probabilities[first:end]) if end > first else None)
            first = end
        return tags

    def _as_small_letters(self, split: list[list[str]], begins: list[int], words: NDArray[np.intp]) -> None:
        """Number the words of texts in capitals as if they were in small letters: there capitals say nothing."""
        case = self._tokens.capitals[words]
        at = np.array(begins) - WINDOW
        for place in np.flatnonzero(np.add.reduceat(case, at, dtype=np.int64) > np.add.reduceat(case != 0, at) / 3).tolist():
            begin, parts = begins[place], split[place]
            words[begin : begin + len(parts) // 2 + 1] = [self._tokens[part.lower()] for part in parts[::2]]
        self._tokens.settle()

    def _gaps(self, split: list[list[str]], size: int) -> NDArray[np.intp]:
        """Return the number of what stands before each word."""
        between = self._between
        numbers: list[int] = []
        for parts in split:
            numbers += _PADS
            numbers.append(0)
            numbers += map(between.__getitem__, parts[1::2])
        between.settle()
        gaps = np.zeros(size, np.intp)
        gaps[: len(numbers)] = numbers
        return gaps

    def _probabilities(self, words: NDArray[np.intp], gaps: NDArray[np.intp], chosen: NDArray[np.intp]) -> Floats:
        window = chosen[:, None] + self._offsets
        vectors = self._tokens.vectors[words[window], :-1] + self._between.vectors[gaps[window]]
        hidden = np.maximum(vectors.reshape(len(chosen), -1) @ self._hidden + self._hidden_bias, 0)
        scores = hidden @ self._out + self._out_bias
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: Floats = scores / scores.sum(axis=1, keepdims=True)
        return probabilities


@cache
def tagger() -> Tagger:
    """Return the tagger of this package, also from inside an archive."""
    return Tagger.read(resources.files(__package__ or "").joinpath("model.npz").read_bytes())
