"""Turn texts into hashed words, pairs of words and runs of a word's letters, in any script, with NumPy alone.

What does not tell complaints apart is folded away before hashing: case, accents, apostrophes, spaces, which digits a
number has and what a mask (`XXXX`, `<EMAIL>`) stood for. A word's hash is the polynomial sum(code_i * P**i) modulo
2**64. Because P is odd it has an inverse, so all words' hashes come from one running sum, with no loop over words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from complaint_model import acceleration

# Words have buckets below 2**WORD_BITS, pairs and opening words from PAIRS to 2**BUCKET_BITS, runs of letters a space of their own.
WORD_BITS, BUCKET_BITS, RUN_BITS = 21, 23, 22
PAIRS = 1 << (BUCKET_BITS - 1)
RUN_SIZES = (2, 3, 4)
BATCH_CHARACTERS = 2_000_000  # of memory: an uncompressed batch of this size needs about 0.5 GB

UInts = NDArray[np.uint64]
Ints = NDArray[np.int64]
Codes = NDArray[np.uint32]

# Folded codes below 2 are not letters. SKIP vanishes from inside a word, SEPARATOR ends it.
SEPARATOR, SKIP = 0, 1
# Above the table lie only ideographs and private use: each is its own word.
TABLE_SIZE = 0x20000
FIRST_IDEOGRAPH, FIRST_SYLLABLE = 0x2E80, 0xAC00
WORD, NUMBER, MASK = 0, 1, 2

_P = 0x9E3779B97F4A7C15
_P_INVERSE = pow(_P, -1, 1 << 64)
_MASK_HASH = np.uint64(0x5851F42D4C957F2D)
_UNIGRAM = np.uint64(0x14057B7EF767814F)
_OPENING = np.uint64(0xC2B2AE3D27D4EB4F)
_BIGRAM_LEFT, _BIGRAM_RIGHT = np.uint64(0x2545F4914F6CDD1D), np.uint64(0xD6E8FEB86659FD93)
_RUN = 0xA0761D6478BD642F
# Letters of runs that no text has: a word's edge, and a mask whatever it hides.
_EDGE, _MASK_LETTER = np.uint32(2), np.uint32(3)


@dataclass(frozen=True)
class Tokens:
    """The words of a batch of texts, one entry a word in reading order."""

    document: Ints  # which text
    start: Ints  # first character, counted in the joined batch
    end: Ints  # one past the last
    hash: UInts
    kind: NDArray[np.int8]  # WORD, NUMBER or MASK
    folded: Codes  # all folded characters of the batch, for runs of letters
    folded_start: Ints
    folded_end: Ints


@dataclass(frozen=True)
class Occurrences:
    """Features as they stand in the texts: entry i is feature `bucket[i]` in text `document[i]`, of the words `left` to `right`.

    `term` is the bucket of the word or pair that it is told as: for opening words, that of the same words anywhere.
    """

    document: Ints
    bucket: Ints
    left: Ints
    right: Ints
    term: Ints


@cache
def fold_table() -> Codes:
    """Code point -> folded code point, SEPARATOR or SKIP, for the first TABLE_SIZE code points (Unicode of this Python)."""
    table = np.zeros(TABLE_SIZE + 1, dtype=np.uint32)
    for code in range(TABLE_SIZE):
        character = chr(code)
        category = unicodedata.category(character)
        if category[0] == "L" or category == "Mc":
            table[code] = _folded_letter(character)
        elif category[0] == "N":
            table[code] = ord("0")
        elif category in ("Mn", "Me", "Cf") or character in "'’ʼ`´_":
            table[code] = SKIP
    return table


def _folded_letter(character: str) -> int:
    lower = character.lower()
    if len(lower) == 1 and not unicodedata.decomposition(lower):
        return ord(lower)
    base = [part for part in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(part)]
    # Hangul syllables and ligatures come apart into several letters: they stay what they are.
    return ord(base[0].lower()[0]) if len(base) == 1 else ord(lower[0])


@cache
def _powers(length: int) -> tuple[UInts, UInts]:
    """P**i and P**-i for i < length, modulo 2**64."""
    powers = np.full(length, _P, dtype=np.uint64)
    inverses = np.full(length, _P_INVERSE, dtype=np.uint64)
    powers[0] = inverses[0] = 1
    return np.multiply.accumulate(powers), np.multiply.accumulate(inverses)


def _mix(values: UInts) -> UInts:
    """Spread the polynomial's bits: the finaliser of splitmix64 (Steele, Lea, Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _bucket(values: UInts, bits: int) -> Ints:
    return (_mix(values) >> np.uint64(64 - bits)).astype(np.int64)


def _word_bucket(values: UInts) -> Ints:
    return _bucket(values, WORD_BITS)


def _pair_bucket(values: UInts) -> Ints:
    return _bucket(values, BUCKET_BITS - 1) | PAIRS


def packed(texts: Sequence[str]) -> tuple[NDArray[np.uint8], Ints]:
    """(UTF-8 of all texts, where each begins and the last ends); lone surrogates pass as they are."""
    if all(map(str.isascii, texts)):  # a byte a character: encoded at once
        data, lengths = "".join(texts).encode(), map(len, texts)
    else:
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        data, lengths = b"".join(encoded), map(len, encoded)
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(lengths, dtype=np.int64, count=len(texts)), out=starts[1:])
    return np.frombuffer(data, dtype=np.uint8), starts


def powers_for(starts: Ints) -> tuple[UInts, UInts]:
    """What the kernels hash the words of such texts with."""
    return _powers(1 << (int(np.diff(starts).max(initial=0)) + 1).bit_length())


def joined_codes(texts: Sequence[str]) -> tuple[Codes, Ints]:
    """(code points of all texts, each followed by a space; where each text starts)."""
    lengths = np.fromiter((len(text) + 1 for text in texts), dtype=np.int64, count=len(texts))
    starts = np.concatenate(([0], np.cumsum(lengths)))
    data = (" ".join(texts) + " ").encode("utf-32-le", "surrogatepass")
    return np.frombuffer(data, dtype=np.uint32), starts


def tokenise(texts: Sequence[str]) -> Tokens:
    """The words of `texts`."""
    codes, document_starts = joined_codes(texts)
    folded = fold_table()[np.minimum(codes, TABLE_SIZE)]
    folded = np.where(codes >= TABLE_SIZE, codes, folded)
    kept = np.flatnonzero(folded != SKIP)
    # Runs of digits count as one digit: an amount is an amount.
    digits = folded[kept] == ord("0")
    repeated = np.zeros(len(kept), dtype=bool)
    repeated[1:] = digits[1:] & digits[:-1]
    kept = kept[~repeated]
    folded = folded[kept]

    letter = folded != SEPARATOR
    alone = ((folded >= FIRST_IDEOGRAPH) & (folded < FIRST_SYLLABLE)) | (folded >= TABLE_SIZE)
    starts_here = letter.copy()
    starts_here[1:] &= ~letter[:-1] | alone[1:] | alone[:-1]
    ends_here = letter.copy()
    ends_here[:-1] &= ~letter[1:] | starts_here[1:]
    start = np.flatnonzero(starts_here)
    end = np.flatnonzero(ends_here) + 1

    powers, inverses = _powers(1 << len(folded).bit_length())
    running = np.zeros(len(folded) + 1, dtype=np.uint64)
    np.cumsum(folded * powers[: len(folded)], out=running[1:])
    hashes = (running[end] - running[start]) * inverses[start]

    crosses = np.concatenate(([0], np.cumsum(folded == ord("x"))))
    length = end - start
    kind = np.zeros(len(start), dtype=np.int8)
    kind[(length == 1) & (folded[start] == ord("0"))] = NUMBER
    first, last = kept[start], kept[end - 1] + 1
    # What stands right before a word, and after it; a text's last word is followed by the space between texts.
    before = np.where(start > 0, codes[np.maximum(first - 1, 0)], ord(" "))
    bracketed = (before == ord("<")) & (codes[kept[end]] == ord(">")) & (folded[start] < FIRST_IDEOGRAPH)
    kind[((crosses[end] - crosses[start] == length) & (length > 1)) | bracketed] = MASK
    hashes[kind == MASK] = _MASK_HASH

    document = np.searchsorted(document_starts, first, side="right") - 1
    # 1,234.50 and XX/XX/XXXX are one number and one mask, not three.
    same = np.zeros(len(start), dtype=bool)
    same[1:] = (kind[1:] != WORD) & (kind[1:] == kind[:-1]) & (document[1:] == document[:-1])
    tokens = ~same
    return Tokens(
        document=document[tokens],
        start=first[tokens],
        end=last[tokens],
        hash=hashes[tokens],
        kind=kind[tokens],
        folded=folded,
        folded_start=start[tokens],
        folded_end=end[tokens],
    )


def word_occurrences(tokens: Tokens, reach: int, opening: int) -> Occurrences:
    """Every word, then every pair of words at most `reach` apart: neighbours first. Then again, as features of their own, the
    first `opening` words of each text and the pairs of neighbours among them; where pairs reach farther than that, the pairs alone.
    """
    every = np.arange(len(tokens.hash))
    left, right = [every], [every]
    buckets = [_word_bucket(tokens.hash + _UNIGRAM)]
    for step in range(1, reach + 1):
        one = np.flatnonzero(tokens.document[step:] == tokens.document[:-step])
        if not len(one):
            break
        left.append(one)
        right.append(one + step)
        buckets.append(_pair_bucket(_mix(tokens.hash[one] * _BIGRAM_LEFT) * _BIGRAM_RIGHT + tokens.hash[one + step]))
    terms = list(buckets)
    place_in_text = every - np.searchsorted(tokens.document, tokens.document)
    first = np.flatnonzero(place_in_text < (opening if reach <= 1 else 0))
    left.append(first)
    right.append(first)
    buckets.append(_pair_bucket(tokens.hash[first] + _OPENING))
    terms.append(buckets[0][first])
    one = np.flatnonzero((place_in_text[1:] < opening) & (place_in_text[1:] > 0)) if reach else first[:0]
    left.append(one)
    right.append(one + 1)
    pair = _mix(tokens.hash[one] * _BIGRAM_LEFT) * _BIGRAM_RIGHT + tokens.hash[one + 1]
    buckets.append(_pair_bucket(pair + _OPENING))
    terms.append(_pair_bucket(pair))
    place = np.concatenate(left)
    return Occurrences(
        document=tokens.document[place],
        bucket=np.concatenate(buckets),
        left=place,
        right=np.concatenate(right),
        term=np.concatenate(terms),
    )


def runs_of(tokens: Tokens, places: Ints) -> tuple[Ints, Ints]:
    """(which of `places`, bucket) of every run of 2, 3 and 4 letters of those words, an edge on either side; a number is one digit, a
    mask one letter.
    """
    plain = tokens.kind[places] != MASK
    length = np.where(plain, tokens.folded_end[places] - tokens.folded_start[places], 1)
    offsets = np.concatenate(([0], np.cumsum(length + 2)))
    word = np.repeat(np.arange(len(places)), length + 2)
    within = np.arange(offsets[-1]) - offsets[word]
    source = np.clip(tokens.folded_start[places][word] + within - 1, 0, max(len(tokens.folded) - 1, 0))
    letters = np.where(plain[word], tokens.folded[source] if len(word) else 0, _MASK_LETTER)
    letters = np.where((within == 0) | (within == 1 + length[word]), _EDGE, letters).astype(np.uint64)
    words: list[Ints] = []
    buckets: list[Ints] = []
    for size in RUN_SIZES:
        at = np.flatnonzero(within + size <= 2 + length[word])
        value = np.full(len(at), (_RUN * size) % (1 << 64), dtype=np.uint64)
        for step in range(size):
            value += letters[at + step] * np.uint64(pow(_P, step, 1 << 64))
        words.append(word[at])
        buckets.append(_bucket(value, RUN_BITS))
    return np.concatenate(words), np.concatenate(buckets)


def batches(texts: Sequence[str], most: int = BATCH_CHARACTERS) -> Iterator[tuple[int, int]]:
    """(first, one past last) of slices that hold about `most` characters each."""
    first, characters = 0, 0
    for index, text in enumerate(texts):
        characters += len(text)
        if characters >= most:
            yield first, index + 1
            first, characters = index + 1, 0
    if first < len(texts):
        yield first, len(texts)


def count_features(texts: Sequence[str], *, reach: int, opening: int) -> tuple[Ints, Ints, Ints]:
    """(text, bucket, how often) of the distinct words and pairs, sorted by text; compiled where numba works."""
    data, starts = packed(texts)
    table = acceleration.call("count_features", data, starts, fold_table(), *powers_for(starts), reach, opening)
    return (table[0], table[1], table[2]) if table is not None else counts(word_occurrences(tokenise(texts), reach, opening))


def spell(texts: Sequence[str], seen: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """(word's bucket, bucket of a run of its letters) of each word whose bucket is not yet marked in `seen`; marks it."""
    data, starts = packed(texts)
    table = acceleration.call("spell", data, starts, fold_table(), *powers_for(starts), seen)
    if table is not None:
        return table[0], table[1]
    tokens = tokenise(texts)
    words, first = np.unique(_word_bucket(tokens.hash + _UNIGRAM), return_index=True)
    new = ~seen[words]
    seen[words] = True
    word, bucket = runs_of(tokens, first[new])
    return words[new][word], bucket


def counts(occurrences: Occurrences) -> tuple[Ints, Ints, Ints]:
    """(document, bucket, how often), sorted by document, then bucket."""
    keys = (occurrences.document << BUCKET_BITS) | occurrences.bucket
    unique, count = np.unique(keys, return_counts=True)
    return unique >> BUCKET_BITS, unique & ((1 << BUCKET_BITS) - 1), count
