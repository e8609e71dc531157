"""Turn texts into hashed words, skip-bigrams and character n-grams, in any script, with NumPy.

Differences that do not distinguish complaints are folded away first: case, accents, apostrophes, spaces, the digits of a number, and
what a mask (`XXXX`, `<EMAIL>`) replaced. `count_features` and `spell`, for training, call compiled kernels. Scoring without
numba uses the other functions, and the tests compare the kernels with them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from complaint_model import compiled
from complaint_model.arrays import Bools, Int8s, Ints, PackedTexts, UInt32s, UInts
from complaint_model.hashing import (
    BUCKET_BITS,
    CHAR_BITS,
    CHAR_SALT,
    CHAR_SIZES,
    EDGE,
    FIRST_IDEOGRAPH,
    FIRST_SYLLABLE,
    LEAD_SALT,
    MASK,
    MASK_HASH,
    MASK_LETTER,
    MULTIPLIER,
    NUMBER,
    PAIR_LEFT,
    PAIR_RIGHT,
    PAIRS,
    SEPARATOR,
    SKIP,
    TABLE_SIZE,
    WORD,
    WORD_BITS,
    WORD_SALT,
    mix,
)

BATCH_CHARACTERS = 2_000_000  # NumPy needs about 0.5 GB for a batch of this size


@dataclass(frozen=True)
class Tokens:
    """The tokens of a batch of texts in reading order, one entry per token."""

    document: Ints  # index of the text
    start: Ints  # first character, counted in the texts joined by spaces
    end: Ints  # one past the last character
    hash: UInts
    kind: Int8s  # WORD, NUMBER or MASK
    folded: UInt32s  # the folded letters of the batch
    folded_start: Ints
    folded_end: Ints


@dataclass(frozen=True)
class Occurrences:
    """Occurrences of features: entry i is feature `bucket[i]` in text `document[i]`, made of the tokens `left[i]` to `right[i]`.

    `term` is the bucket of the word or pair that an explanation shows. A lead feature has that of its word or pair.
    """

    document: Ints
    bucket: Ints
    left: Ints
    right: Ints
    term: Ints


@cache
def fold_table() -> UInt32s:
    """Return the folded letter, SEPARATOR or SKIP of each of the first TABLE_SIZE code points, by Python's Unicode version."""
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
    # Hangul syllables and ligatures decompose into several letters: keep them as they are.
    return ord(base[0].lower()[0]) if len(base) == 1 else ord(lower[0])


@cache
def _powers(length: int) -> tuple[UInts, UInts]:
    """Return MULTIPLIER**i and MULTIPLIER**-i modulo 2**64 for i < length."""
    powers = np.full(length, MULTIPLIER, dtype=np.uint64)
    inverses = np.full(length, pow(int(MULTIPLIER), -1, 1 << 64), dtype=np.uint64)
    powers[0] = inverses[0] = 1
    return np.multiply.accumulate(powers), np.multiply.accumulate(inverses)


def _bucket(values: UInts, bits: int) -> Ints:
    return (mix(values) >> np.uint64(64 - bits)).astype(np.int64)


def _pair_bucket(values: UInts) -> Ints:
    return _bucket(values, BUCKET_BITS - 1) | PAIRS


def pack(texts: Sequence[str]) -> PackedTexts:
    """Encode texts for the compiled kernels. Lone surrogates pass as they are."""
    if all(map(str.isascii, texts)):  # one byte per character: encode all at once
        data, lengths = "".join(texts).encode(), map(len, texts)
    else:
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        data, lengths = b"".join(encoded), map(len, encoded)
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(lengths, dtype=np.int64, count=len(texts)), out=starts[1:])
    powers, inverses = _powers(1 << (int(np.diff(starts).max(initial=0)) + 1).bit_length())
    return PackedTexts(np.frombuffer(data, dtype=np.uint8), starts, fold_table(), powers, inverses)


def code_points(texts: Sequence[str]) -> tuple[UInt32s, Ints]:
    """Return the code points of all texts, each text followed by a space, and where each text starts."""
    lengths = np.fromiter((len(text) + 1 for text in texts), dtype=np.int64, count=len(texts))
    starts = np.concatenate(([0], np.cumsum(lengths)))
    data = (" ".join(texts) + " ").encode("utf-32-le", "surrogatepass")
    return np.frombuffer(data, dtype=np.uint32), starts


def tokenise(texts: Sequence[str]) -> Tokens:
    """Split texts into tokens.

    Example: "Pagué $1,234 a <NAME>" has the tokens `pague`, `0` (NUMBER), `a` and a MASK.
    """
    codes, document_starts = code_points(texts)
    folded = fold_table()[np.minimum(codes, TABLE_SIZE)]
    folded = np.where(codes >= TABLE_SIZE, codes, folded)
    kept = np.flatnonzero(folded != SKIP)
    # A run of digits counts as one digit: the size of an amount is weak evidence.
    digits = folded[kept] == ord("0")
    repeated = np.zeros(len(kept), dtype=bool)
    repeated[1:] = digits[1:] & digits[:-1]
    kept = kept[~repeated]
    folded = folded[kept]

    start, end = _word_bounds(folded)
    powers, inverses = _powers(1 << len(folded).bit_length())
    running = np.zeros(len(folded) + 1, dtype=np.uint64)
    np.cumsum(folded * powers[: len(folded)], out=running[1:])
    hashes = (running[end] - running[start]) * inverses[start]

    first, last = kept[start], kept[end - 1] + 1
    kind = _kinds(codes, kept, folded, start, end)
    hashes[kind == MASK] = MASK_HASH
    document = np.searchsorted(document_starts, first, side="right") - 1
    # 1,234.50 is one number and XX/XX/XXXX one mask, not three.
    continues = np.zeros(len(start), dtype=bool)
    continues[1:] = (kind[1:] != WORD) & (kind[1:] == kind[:-1]) & (document[1:] == document[:-1])
    first_words = ~continues
    return Tokens(
        document=document[first_words],
        start=first[first_words],
        end=last[first_words],
        hash=hashes[first_words],
        kind=kind[first_words],
        folded=folded,
        folded_start=start[first_words],
        folded_end=end[first_words],
    )


def _word_bounds(folded: UInt32s) -> tuple[Ints, Ints]:
    """Return where each word starts and ends. An ideograph is a word by itself."""
    letter = folded != SEPARATOR
    alone = ((folded >= FIRST_IDEOGRAPH) & (folded < FIRST_SYLLABLE)) | (folded >= TABLE_SIZE)
    starts_here = letter.copy()
    starts_here[1:] &= ~letter[:-1] | alone[1:] | alone[:-1]
    ends_here = letter.copy()
    ends_here[:-1] &= ~letter[1:] | starts_here[1:]
    return np.flatnonzero(starts_here), np.flatnonzero(ends_here) + 1


def _kinds(codes: UInt32s, kept: Ints, folded: UInt32s, start: Ints, end: Ints) -> Int8s:
    """Classify words: NUMBER is one (folded) digit, MASK is `XX…` or a word in angle brackets."""
    crosses = np.concatenate(([0], np.cumsum(folded == ord("x"))))
    length = end - start
    kind = np.full(len(start), WORD, dtype=np.int8)
    kind[(length == 1) & (folded[start] == ord("0"))] = NUMBER
    # The last word of a text is followed by the space between texts.
    before = np.where(start > 0, codes[np.maximum(kept[start] - 1, 0)], ord(" "))
    bracketed = (before == ord("<")) & (codes[kept[end]] == ord(">")) & (folded[start] < FIRST_IDEOGRAPH)
    kind[((crosses[end] - crosses[start] == length) & (length > 1)) | bracketed] = MASK
    return kind


def word_occurrences(tokens: Tokens, max_skip: int, lead_words: int) -> Occurrences:
    """List the occurrences of words, skip-bigrams and lead features.

    In this order: every word; every pair of words at most `max_skip` apart, neighbours (1 apart) first; then the lead
    features, which are the first `lead_words` words of each text and the pairs of neighbours among them. If `max_skip` is
    above 1, only the pairs are lead features.
    """
    every = np.arange(len(tokens.hash))
    left, right = [every], [every]
    buckets = [_bucket(tokens.hash + WORD_SALT, WORD_BITS)]
    for step in range(1, max_skip + 1):
        begins = np.flatnonzero(tokens.document[step:] == tokens.document[:-step])
        if not len(begins):
            break
        left.append(begins)
        right.append(begins + step)
        buckets.append(_pair_bucket(_pair_hash(tokens, begins, step)))
    terms = list(buckets)
    position_in_text = every - np.searchsorted(tokens.document, tokens.document)
    lead = np.flatnonzero(position_in_text < (lead_words if max_skip <= 1 else 0))
    left.append(lead)
    right.append(lead)
    buckets.append(_pair_bucket(tokens.hash[lead] + LEAD_SALT))
    terms.append(buckets[0][lead])
    begins = np.flatnonzero((position_in_text[1:] < lead_words) & (position_in_text[1:] > 0)) if max_skip else lead[:0]
    left.append(begins)
    right.append(begins + 1)
    pair = _pair_hash(tokens, begins, 1)
    buckets.append(_pair_bucket(pair + LEAD_SALT))
    terms.append(_pair_bucket(pair))
    first_token = np.concatenate(left)
    return Occurrences(
        document=tokens.document[first_token],
        bucket=np.concatenate(buckets),
        left=first_token,
        right=np.concatenate(right),
        term=np.concatenate(terms),
    )


def _pair_hash(tokens: Tokens, begins: Ints, step: int) -> UInts:
    """Return the hash of each pair of the tokens at `begins` and at `begins + step`."""
    return mix(tokens.hash[begins] * PAIR_LEFT) * PAIR_RIGHT + tokens.hash[begins + step]


def char_ngrams(tokens: Tokens, chosen: Ints) -> tuple[Ints, Ints]:
    """List the character 2-, 3- and 4-grams of some tokens, with an edge on either side.

    A number is one digit and a mask one letter. Example: "no" has `_n no o_ _no no_ _no_`.

    Args:
        tokens: The tokens of a batch.
        chosen: (words,) indexes of the tokens to spell.

    Returns:
        (n,) index into `chosen`, and (n,) bucket, of each n-gram.
    """
    plain = tokens.kind[chosen] != MASK
    length = np.where(plain, tokens.folded_end[chosen] - tokens.folded_start[chosen], 1)
    offsets = np.concatenate(([0], np.cumsum(length + 2)))
    word = np.repeat(np.arange(len(chosen)), length + 2)
    within = np.arange(offsets[-1]) - offsets[word]
    source = np.clip(tokens.folded_start[chosen][word] + within - 1, 0, max(len(tokens.folded) - 1, 0))
    letters = np.where(plain[word], tokens.folded[source] if len(word) else 0, np.uint32(MASK_LETTER))
    letters = np.where((within == 0) | (within == 1 + length[word]), np.uint32(EDGE), letters).astype(np.uint64)
    words: list[Ints] = []
    buckets: list[Ints] = []
    for size in CHAR_SIZES:
        begins = np.flatnonzero(within + size <= 2 + length[word])
        value = np.full(len(begins), (int(CHAR_SALT) * size) % (1 << 64), dtype=np.uint64)
        for step in range(size):
            value += letters[begins + step] * np.uint64(pow(int(MULTIPLIER), step, 1 << 64))
        words.append(word[begins])
        buckets.append(_bucket(value, CHAR_BITS))
    return np.concatenate(words), np.concatenate(buckets)


def batches(texts: Sequence[str], most: int = BATCH_CHARACTERS) -> Iterator[tuple[int, int]]:
    """Cut texts into slices (first, one past the last) of about `most` characters each."""
    first, characters = 0, 0
    for index, text in enumerate(texts):
        characters += len(text)
        if characters >= most:
            yield first, index + 1
            first, characters = index + 1, 0
    if first < len(texts):
        yield first, len(texts)


def count_features(texts: Sequence[str], *, max_skip: int, lead_words: int) -> tuple[Ints, Ints, Ints]:
    """Return (text, bucket, count) of the distinct words and pairs of each text, sorted by text. Needs numba."""
    table = compiled.require().count_features(pack(texts), max_skip, lead_words)
    return table[0], table[1], table[2]


def spell(texts: Sequence[str], seen: Bools) -> tuple[Ints, Ints]:
    """Return (bucket of the word, bucket of a character n-gram) of each word that is not marked in `seen`, and mark it. Needs numba."""
    table = compiled.require().spell(pack(texts), seen)
    return table[0], table[1]
