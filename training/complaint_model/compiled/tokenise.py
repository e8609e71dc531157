"""Compiled tokenisation: what features.tokenise, word_occurrences and char_ngrams do, one text at a time, on UTF-8 bytes.

A text is walked three times: bytes become folded letters (`_fold_letters`), letters become words (`_find_edges`), words become
tokens (`_classify`). The processor mispredicts wherever a word ends, so the first two loops do not branch on it: they write a letter or an
edge in any case, and advance the write position by 1 if it counts and by 0 if not.

    text        P  a  g  u  é     2  0  x  !          the second digit is written, and then written over
    letters     p  a  g  u  e  .  0  x  .  .          one digit per run of digits; . is SEPARATOR
    edges       0              5  6     8             a word starts or ends where letter and separator alternate
    tokens      "pague"           "0x"

UTF-8 decoding, for every byte that `fold_block` does not take (C3 A9 is 110·00011 10·101001, so 00011·101001 = U+00E9, "é"):

    first byte   bytes   code point
    0xxxxxxx     1       xxxxxxx                          the table has its folded letter
    110xxxxx     2       xxxxx yyyyyy
    1110xxxx     3       xxxx yyyyyy zzzzzz
    11110xxx     4       xxx yyyyyy zzzzzz wwwwww
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from complaint_model.arrays import Bools, Int8s, Int32s, Ints, PackedTexts, UInt8s, UInt32s, UInts
from complaint_model.compiled.jit import BLOCK, compiled, fold_block, mix
from complaint_model.hashing import (
    BUCKET_BITS,
    CHAR_BITS,
    CHAR_SALT,
    EDGE,
    FIRST_IDEOGRAPH,
    FIRST_SYLLABLE,
    LEAD_SALT,
    LETTER_X,
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
    ZERO,
)

_WORD_SHIFT, _PAIR_SHIFT, _CHAR_SHIFT = np.uint64(64 - WORD_BITS), np.uint64(65 - BUCKET_BITS), np.uint64(64 - CHAR_BITS)
_PAIRS = np.int32(PAIRS)
_NONE, _ONE, _TWO, _THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)


class Tokens(NamedTuple):
    """The letters and tokens of one text: buffers that are reused for the next.

    Token t is letters[spans[t, 0] : spans[t, 1]], and letter i comes from byte offsets[i] of the text.
    """

    letters: UInt32s
    offsets: UInt32s
    sums: UInts  # running sums of the hash polynomial at each edge
    edges: UInt32s  # letters at which words start and end, in turn
    hashes: UInts
    kinds: Int8s
    spans: UInt32s


class Features(NamedTuple):
    """The features of one text: buffers that are reused for the next."""

    buckets: Int32s  # (occurrences,) words first, then pairs and lead features (features.word_occurrences)
    distinct: Int32s  # (occurrences,) buckets in order of appearance
    counts: Int32s  # (occurrences,) how often each distinct bucket occurs
    feature: Int32s  # (occurrences,) index into `distinct` of each occurrence
    keys: Int32s  # a hash table: bucket, and its index into `distinct`
    slots: Int32s


@compiled
def longest(starts: Ints) -> int:
    """Return the bytes of the longest text."""
    most = 0
    for text in range(len(starts) - 1):
        most = max(most, starts[text + 1] - starts[text])
    return most


@compiled
def room_for_tokens(length: int) -> Tokens:
    """Allocate buffers for texts of up to `length` bytes."""
    tokens = length // 2 + 2
    letters = length + tokens + 3 + BLOCK
    return Tokens(
        np.empty(letters, np.uint32),
        np.empty(letters, np.uint32),
        np.empty(letters, np.uint64),
        np.empty(letters, np.uint32),
        np.empty(tokens, np.uint64),
        np.empty(tokens, np.int8),
        np.empty((tokens, 2), np.uint32),
    )


@compiled
def room_for_features(tokens: Tokens, max_skip: int, lead_words: int) -> Features:
    """Allocate buffers for the features of `tokens`."""
    room = len(tokens.hashes) * (1 + max_skip) + 2 * lead_words
    return Features(
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.empty(8 * room + 128, np.int32),
        np.empty(8 * room + 128, np.int32),
    )


@compiled
def tokenise(texts: PackedTexts, text: int, tokens: Tokens) -> int:
    """Fill `tokens` with those of a text, and return how many there are."""
    first, last = texts.starts[text], texts.starts[text + 1]
    length = _fold_letters(texts.data, first, last, texts.fold_table, tokens.letters, tokens.offsets)
    edges = _find_edges(tokens.letters, length, texts.powers, tokens.sums, tokens.edges)
    return _classify(texts.data, first, last, texts.inverses, edges, tokens)


@compiled
def _fold_letters(data: UInt8s, first: Any, last: Any, table: UInt32s, letters: UInt32s, offsets: UInt32s) -> Any:
    """Fold data[first:last] into `letters`, and return how many there are; one more separator follows them."""
    length, position, stop = np.uint64(0), np.uint64(first), np.uint64(last)
    previous = np.uint32(SEPARATOR)
    in_ascii, last_block = True, np.uint64(max(len(data) - BLOCK, 0))
    while position < stop:
        if in_ascii and position < last_block:
            plain = min(fold_block(data, position, np.uint64(previous == ZERO), letters, length), stop - position)
            for step in range(np.uint64(BLOCK)):
                offsets[length + step] = position + step - first
            length, position = length + plain, position + plain
            previous = letters[length - _ONE] if plain > 0 else previous
            if position == stop or plain == BLOCK:
                continue
        lead = data[position]
        in_ascii = lead < 0x80
        if lead < 0x80:
            folded, following = table[lead], position + _ONE
        else:
            second = int(data[position + _ONE]) & 0x3F
            if lead < 0xE0:
                code, following = (int(lead) & 0x1F) << 6 | second, position + _TWO
            else:
                code, following = (int(lead) & 0x0F) << 12 | second << 6 | int(data[position + _TWO]) & 0x3F, position + _THREE
                if lead >= 0xF0:
                    code = (code & 0x7FFF) << 6 | int(data[position + _THREE]) & 0x3F
                    following += _ONE
            folded = table[code] if code < TABLE_SIZE else np.uint32(code)
            if FIRST_IDEOGRAPH <= folded < FIRST_SYLLABLE or folded >= TABLE_SIZE:
                # A word by itself: set it off by separators that the text does not have.
                letters[length], letters[length + _ONE], letters[length + _TWO] = SEPARATOR, folded, SEPARATOR
                offsets[length], offsets[length + _ONE] = position - first, position - first
                offsets[length + _TWO] = following - first
                previous = folded
                length += _THREE
                position = following
                continue
        letters[length] = folded
        offsets[length] = position - first
        skipped = folded == SKIP
        kept = (not skipped) & ((folded != ZERO) | (previous != ZERO))
        previous = previous if skipped else folded
        length += np.uint64(kept)
        position = following
    letters[length], offsets[length] = SEPARATOR, stop - first
    return length


@compiled
def _find_edges(letters: UInt32s, length: Any, powers: UInts, sums: UInts, edges: UInt32s) -> Any:
    """Fill `edges` with where words start and end, and `sums` with the polynomial's sum there; return how many edges there are."""
    count, running, inside = np.uint64(0), np.uint64(0), False
    for place in range(length + _ONE):
        letter = letters[place]
        sums[count], edges[count] = running, place
        running += np.uint64(letter) * powers[place]
        is_letter = letter != SEPARATOR
        count += np.uint64(is_letter ^ inside)
        inside = is_letter
    return count


@compiled
def _classify(data: UInt8s, first: Any, last: Any, inverses: UInts, edges: Any, tokens: Tokens) -> int:
    """Fill hashes, kinds and spans of the words between the edges; return how many tokens they make.

    Numbers in a row are one token, and so are masks: the write position stays for the second.
    """
    letters, offsets, sums, bounds = tokens.letters, tokens.offsets, tokens.sums, tokens.edges
    hashes, kinds, spans = tokens.hashes, tokens.kinds, tokens.spans
    count, last_kind, stop = np.uint64(0), np.int8(WORD), np.uint64(last)
    for edge in range(_NONE, edges, _TWO):
        begin, end = np.uint64(bounds[edge]), np.uint64(bounds[edge + _ONE])
        value, kind = (sums[edge + _ONE] - sums[edge]) * inverses[begin], np.int8(WORD)
        if letters[begin] == ZERO and end - begin == _ONE:
            kind = np.int8(NUMBER)
        if letters[begin] == LETTER_X and end - begin > _ONE:
            kind = np.int8(MASK)
            for place in range(begin + _ONE, end):
                if letters[place] != LETTER_X:
                    kind = np.int8(WORD)
        start, after = np.uint64(first) + np.uint64(offsets[begin]), np.uint64(first) + np.uint64(offsets[end])
        # <…> within the text; no placeholder has a name in ideographs.
        if start > np.uint64(first) and after < stop and letters[begin] < FIRST_IDEOGRAPH:
            kind = np.int8(MASK) if data[start - _ONE] == 60 and data[after] == 62 else kind
        hashes[count] = MASK_HASH if kind == MASK else value
        kinds[count] = kind
        spans[count, 0], spans[count, 1] = begin, end
        count += np.uint64((kind == WORD) | (kind != last_kind))
        last_kind = kind
    return int(np.int64(count))


@compiled
def word_bucket(value: Any) -> Any:
    """Return the bucket of a word by its hash."""
    return np.int32(mix(value + WORD_SALT) >> _WORD_SHIFT)


@compiled
def _pair_bucket(value: Any) -> Any:
    return np.int32(mix(value) >> _PAIR_SHIFT) | _PAIRS


@compiled
def hash_features(count: int, hashes: UInts, max_skip: int, lead_words: int, bucket: Int32s) -> int:
    """Fill `bucket` with the occurrences of features in the order of features.word_occurrences; return how many there are."""
    for token in range(np.uint64(count)):
        bucket[token] = word_bucket(hashes[token])
    total = np.uint64(count)
    for step in range(1, min(max_skip, count - 1) + 1):
        apart = np.uint64(step)
        for token in range(np.uint64(count - step)):
            bucket[total + token] = _pair_bucket(mix(hashes[token] * PAIR_LEFT) * PAIR_RIGHT + hashes[token + apart])
        total += np.uint64(count - step)
    first = min(lead_words, count)
    alone = np.uint64(first if max_skip <= 1 else 0)
    for token in range(alone):
        bucket[total + token] = _pair_bucket(hashes[token] + LEAD_SALT)
    total += alone
    pairs = np.uint64(max(first - 1, 0) if max_skip else 0)
    for token in range(pairs):
        bucket[total + token] = _pair_bucket(mix(hashes[token] * PAIR_LEFT) * PAIR_RIGHT + hashes[token + _ONE] + LEAD_SALT)
    return int(total + pairs)


@compiled
def char_ngrams(kind: int, begin: Any, end: Any, tokens: Tokens, bucket: Int32s) -> int:
    """Fill `bucket` with the character n-grams of the token letters[begin:end]; return how many there are."""
    letters, spread = tokens.letters, tokens.edges  # edges are not needed any more
    spread[0], length = EDGE, 1
    if kind == MASK:
        spread[1], length = MASK_LETTER, 2
    else:
        for place in range(begin, end):
            spread[length] = letters[place]
            length += 1
    spread[length] = EDGE
    length += 1
    total = 0
    for size in range(2, 5):
        for at in range(length - size + 1):
            value, power = CHAR_SALT * np.uint64(size), np.uint64(1)
            for step in range(size):
                value += np.uint64(spread[at + step]) * power
                power *= MULTIPLIER
            bucket[total] = mix(value) >> _CHAR_SHIFT
            total += 1
    return total


@compiled
def number_distinct(count: int, total: int, features: Features) -> tuple[int, int]:
    """Number the distinct buckets of `total` occurrences in order of appearance, and count them, in a hash table with open addressing.

    Whether a bucket is new is added to the count instead of branched on: the processor would mispredict it.

    Returns:
        How many distinct buckets the first `count` occurrences (words) have, and how many all have.
    """
    keys, slots, bucket = features.keys, features.slots, features.buckets
    unique, times, which = features.distinct, features.counts, features.feature
    size = np.uint32(64)
    while size < 4 * total:
        size *= np.uint32(2)
    most, one = np.uint32(size - np.uint32(1)), np.uint32(1)
    keys[:size] = -1
    times[:total] = 0
    distinct = words = np.int32(0)
    for begin, end in ((np.uint64(0), np.uint64(count)), (np.uint64(count), np.uint64(total))):
        words = distinct
        for occurrence in range(begin, end):
            key = bucket[occurrence]
            slot = np.uint32(key) & most  # buckets are spread already
            there = keys[slot]
            while there != key and there != -1:
                slot = (slot + one) & most
                there = keys[slot]
            new = np.int32(there == -1)
            feature = (slots[slot] & (new - np.int32(1))) + distinct * new
            distinct += new
            keys[slot], slots[slot] = key, feature
            unique[np.uint32(feature)] = key
            times[np.uint32(feature)] += 1
            which[occurrence] = feature
    return int(np.int64(words)), int(np.int64(distinct))


@compiled
def count_features(texts: PackedTexts, max_skip: int, lead_words: int) -> Int32s:
    """Return (3, n): text, bucket and count of each distinct feature of each text."""
    tokens = room_for_tokens(longest(texts.starts))
    features = room_for_features(tokens, max_skip, lead_words)
    out = np.empty((3, 4096), np.int32)
    total = 0
    for text in range(len(texts.starts) - 1):
        count = tokenise(texts, text, tokens)
        occurrences = hash_features(count, tokens.hashes, max_skip, lead_words, features.buckets)
        _, distinct = number_distinct(count, occurrences, features)
        out = _grown(out, total, distinct)
        for feature in range(distinct):
            out[0, total + feature] = text
            out[1, total + feature] = features.distinct[feature]
            out[2, total + feature] = features.counts[feature]
        total += distinct
    return out[:, :total].copy()


@compiled
def spell(texts: PackedTexts, seen: Bools) -> Int32s:
    """Return (2, n): bucket of the word and of a character n-gram, of each word that `seen` (buckets,) does not mark; mark it."""
    tokens = room_for_tokens(longest(texts.starts))
    ngrams = np.empty(3 * len(tokens.letters), np.int32)
    out = np.empty((2, 4096), np.int32)
    total = 0
    for text in range(len(texts.starts) - 1):
        for token in range(tokenise(texts, text, tokens)):
            word = word_bucket(tokens.hashes[token])
            if seen[word]:
                continue
            seen[word] = True
            count = char_ngrams(tokens.kinds[token], tokens.spans[token, 0], tokens.spans[token, 1], tokens, ngrams)
            out = _grown(out, total, count)
            out[0, total : total + count] = word
            out[1, total : total + count] = ngrams[:count]
            total += count
    return out[:, :total].copy()


@compiled
def _grown(out: Int32s, total: int, more: int) -> Int32s:
    """Return `out` with room for `more` columns after the first `total`."""
    if total + more <= out.shape[1]:
        return out
    grown = np.empty((out.shape[0], 2 * (total + more)), np.int32)
    grown[:, :total] = out[:, :total]
    return grown
