"""Compiled scoring: probabilities, labels and the strongest terms of texts, one text at a time (numpy_scoring.py has the same with NumPy).

For each text, `score`

1. tokenises it, hashes its features and numbers the distinct ones (tokenise.py);
2. looks up the words' rows of weights and adds them up, tf-idf weighted and of length 1 (`_add_words`); words that training did not see
   get weights from their character n-grams;
3. does the same with pairs and lead features (`_add_pairs`);
4. applies the softmax, adds the offsets and chooses a label (`_choose`);
5. if terms are wanted, computes what each added to that label's logit, and keeps the strongest (`_contribute`, `_keep_strongest`).

Most of the time is spent waiting for rows of weights from memory, so addresses are computed early and prefetched.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from complaint_model.arrays import (
    MIN_CONTRIBUTION,
    MIN_PROBABILITY,
    Float32s,
    Floats,
    Int32s,
    Ints,
    PackedTexts,
    ScoreArrays,
    ScoringTables,
    UInt8s,
    UInts,
)
from complaint_model.compiled.jit import compiled, prefetch
from complaint_model.compiled.tokenise import (
    Features,
    Tokens,
    char_ngrams,
    hash_features,
    longest,
    number_distinct,
    room_for_features,
    room_for_tokens,
    tokenise,
)
from complaint_model.hashing import WORD

_MIN_LOG = math.log(MIN_PROBABILITY)
_NONE, _ONE, _TWO, _THREE, _FOUR = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
_SIX, _IN_WORD = np.uint64(6), np.uint64(63)


class Sums(NamedTuple):
    """What is looked up and added up for one text: buffers that are reused for the next."""

    word_rows: UInts  # (words + 3,) rows of the distinct words, up to a multiple of four
    word_amounts: Floats  # 1 + ln(count) of each distinct word
    pair_rows: UInts  # (occurrences + 3,) of pairs and lead features
    pair_amounts: Floats  # ones: each occurrence counts
    new_words: Int32s  # tokens of the distinct words that training did not see
    ngrams: Int32s  # character n-grams of one word
    spelled: Floats  # (width,) weights of one word from its character n-grams
    totals: Floats  # (width,) sums of rows: idf first, then a weight per label
    logits: Floats  # (labels,)
    left: Int32s  # (occurrences,) first token of each occurrence
    right: Int32s
    contribution: Floats  # (distinct,) what each distinct feature adds to the label's logit
    logarithms: Floats  # 1 + ln(n) for n < 256


@compiled
def _room_for_sums(tokens: Tokens, features: Features, model: ScoringTables) -> Sums:
    words, room, width, labels = len(tokens.hashes), len(features.buckets), model.entries.shape[1], len(model.bias)
    return Sums(
        np.empty(words + 3, np.uint64),
        np.zeros(words + 3, np.float64),
        np.empty(room + 3, np.uint64),
        np.ones(room + 3, np.float64),
        np.empty(words + 1, np.int32),
        np.empty(3 * len(tokens.letters) if len(model.char_entries) else 0, np.int32),
        np.empty(width, np.float64),
        np.empty(width, np.float64),
        np.empty(labels, np.float64),
        np.empty(room, np.int32),
        np.empty(room, np.int32),
        np.empty(room, np.float64),
        np.log(np.maximum(np.arange(256), 1).astype(np.float64)) + 1.0,
    )


@compiled
def score(texts: PackedTexts, model: ScoringTables, out: ScoreArrays) -> None:
    """Fill `out` with the answers for the texts; without room for terms nothing is explained."""
    cells, flat, width = model.directory.ravel(), model.entries.ravel(), np.uint64(model.entries.shape[1])
    absent, wanted = model.entries.shape[0] - 1, out.contributions.shape[1]
    tokens = room_for_tokens(longest(texts.starts))
    features = room_for_features(tokens, model.max_skip, model.lead_words)
    sums = _room_for_sums(tokens, features, model)
    bucket, logits, totals = features.buckets, sums.logits, sums.totals
    for text in range(len(texts.starts) - 1):
        count = tokenise(texts, text, tokens)
        total = hash_features(count, tokens.hashes, model.max_skip, model.lead_words, bucket)
        for occurrence in range(np.uint64(total)):
            prefetch(cells, np.uint64(np.uint32(bucket[occurrence])) >> _SIX << _ONE)
        words, distinct = number_distinct(count, total if wanted else count, features)
        known, new, word_norm = _add_words(count, words, tokens, features, sums, model, flat, width)
        out.features[text, 0] = known
        for k in range(len(logits)):
            logits[k] = model.bias[k] + totals[k + 1] * word_norm
        # Pairs and lead features make a vector of length 1 of their own, in which each occurrence counts.
        known += _look_up(total - count, bucket[count:], model.directory, flat, width, absent, sums.pair_rows)
        out.features[text, 1], out.features[text, 2] = known, words + total - count
        pair_norm = _inverse(_add_up(total - count, sums.pair_rows, sums.pair_amounts, flat, width, totals))
        for k in range(len(logits)):
            logits[k] += totals[k + 1] * pair_norm
        label = _choose(logits, model.offsets, out.probabilities[text])
        out.label[text] = label
        if wanted:
            terms, spans = out.contributions[text], out.spans[text]
            _contribute(words, distinct, new, word_norm, label, tokens, features, sums, model)
            plain = _locate_tokens(count, model.max_skip, model.lead_words, sums.left, sums.right)
            for occurrence in range(count, total):
                feature, token = occurrence, sums.left[occurrence]
                if occurrence >= plain:
                    # A lead feature is explained as the same word or pair anywhere. Words come first, then pairs of neighbours.
                    feature = token if token == sums.right[occurrence] else count + token
                weight = model.entries[sums.pair_rows[occurrence - count], 1 + label]
                sums.contribution[features.feature[feature]] += pair_norm * weight
            _keep_strongest(plain, tokens, features, sums, terms, spans)
            _locate_bytes(texts.data, texts.starts[text], tokens, terms, spans)


@compiled
def _inverse(length: float) -> float:
    return 1.0 / length if length > 0 else 0.0


@compiled
def _add_words(
    count: int, words: int, tokens: Tokens, features: Features, sums: Sums, model: ScoringTables, flat: Float32s, width: Any
) -> tuple[int, int, float]:
    """Add up the rows of the distinct words in `sums.totals`.

    Returns:
        How many of them training saw; how many of the others are in `sums.new_words`; 1 / length of the words' vector.
    """
    new_word = model.entries.shape[0] - 2
    amount, totals = sums.word_amounts, sums.totals
    known = _look_up(words, features.distinct, model.directory, flat, width, new_word, sums.word_rows)
    for feature in range(np.uint64(words)):
        repeats = np.uint32(features.counts[feature])
        amount[feature] = sums.logarithms[repeats] if repeats < 256 else math.log(float(repeats)) + 1.0
    length = _add_up(words, sums.word_rows, amount, flat, width, totals)
    new = 0
    if len(model.char_entries) and known < words:
        new = _list_new_words(count, features.feature, sums.word_rows, new_word, sums.new_words)
    for place in range(new):
        _spell(sums.new_words[place], tokens, sums, model)
        for k in range(1, len(model.bias) + 1):
            idf = model.entries[new_word, 0]
            totals[k] += amount[features.feature[sums.new_words[place]]] * idf * sums.spelled[k]
    return known, new, _inverse(length)


@compiled
def _ones_below(word: Any, bit: Any) -> Any:
    """Count the bits of `word` below `bit`. Compilers turn these lines into one instruction (population count)."""
    bits = word & (bit - np.uint64(1))
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (bits * np.uint64(0x0101010101010101)) >> np.uint64(56)


@compiled
def _look_up(count: int, bucket: Int32s, directory: UInts, flat: Float32s, width: Any, absent: int, row: UInts) -> int:
    """Fill `row` with the row of each bucket, `absent` if it has none, and rows of zeros up to a multiple of four.

    Example: bucket 70 is bit 6 of word 1. If the bit is set, the row is the number of rows before word 1 plus the bits set below it.

    Returns:
        How many buckets have a row.
    """
    known = np.uint64(0)
    for feature in range(np.uint64(count)):
        place = np.uint64(np.uint32(bucket[feature]))
        cell, bit = place >> _SIX, _ONE << (place & _IN_WORD)
        word = directory[cell, _NONE]
        there = (word & bit) != 0
        known += np.uint64(there)
        # Multiplied, not branched on: the processor would mispredict whether a pair is known.
        place = np.uint64(absent) + (directory[cell, _ONE] + _ones_below(word, bit) - np.uint64(absent)) * np.uint64(there)
        row[feature] = place
        prefetch(flat, place * width)
    for feature in range(count, count + 3):
        row[feature] = len(flat) // width - np.uint64(1)
    return int(known)


@compiled
def _add_up(count: int, row: UInts, amount: Floats, flat: Float32s, width: Any, totals: Floats) -> float:
    """Fill `totals` (width,) with the sum of the rows times their amounts, and return the length of the vector amount * idf.

    Four rows at a time, so that the processor asks for the next row before the last has come.
    """
    squares = 0.0
    for k in range(width):
        totals[k] = 0.0
    for feature in range(_NONE, np.uint64(count), _FOUR):
        a, b, c, d = amount[feature], amount[feature + _ONE], amount[feature + _TWO], amount[feature + _THREE]
        at_a, at_b, at_c, at_d = (
            row[feature] * width,
            row[feature + _ONE] * width,
            row[feature + _TWO] * width,
            row[feature + _THREE] * width,
        )
        squares += (a * flat[at_a]) ** 2 + (b * flat[at_b]) ** 2 + (c * flat[at_c]) ** 2 + (d * flat[at_d]) ** 2
        for k in range(width):
            totals[k] += a * flat[at_a + k] + b * flat[at_b + k] + c * flat[at_c + k] + d * flat[at_d + k]
    return math.sqrt(squares)


@compiled
def _list_new_words(count: int, feature: Int32s, row: UInts, new_word: int, new_words: Int32s) -> int:
    """Fill `new_words` with the first token of each distinct word that has the row `new_word`; return how many there are."""
    total, seen = 0, -1
    for token in range(count):
        if feature[token] > seen:  # words are numbered by appearance
            seen = feature[token]
            new_words[total] = token
            total += row[seen] == new_word
    return total


@compiled
def _spell(token: int, tokens: Tokens, sums: Sums, model: ScoringTables) -> None:
    """Fill `sums.spelled` with the sum of the rows of a token's character n-grams, divided by the length of their idfs."""
    directory, entries, vector = model.char_directory, model.char_entries, sums.spelled
    vector[:] = 0.0
    squares = 0.0
    count = char_ngrams(tokens.kinds[token], tokens.spans[token, 0], tokens.spans[token, 1], tokens, sums.ngrams)
    for place in range(count):
        bucket = np.uint64(np.uint32(sums.ngrams[place]))
        cell, bit = bucket >> _SIX, _ONE << (bucket & _IN_WORD)
        if directory[cell, _NONE] & bit:
            row = directory[cell, _ONE] + _ones_below(directory[cell, _NONE], bit)
            squares += np.float64(entries[row, 0]) ** 2
            for k in range(len(vector)):
                vector[k] += entries[row, k]
    if squares > 0:
        vector /= math.sqrt(squares)


@compiled
def _choose(logits: Floats, offsets: Floats, probabilities: Floats) -> int:
    """Fill `probabilities` with the softmax of the logits; return the label with the highest log-probability plus offset."""
    highest = logits.max()
    total = 0.0
    for k in range(len(logits)):
        probabilities[k] = math.exp(logits[k] - highest)
        total += probabilities[k]
    best, chosen, log_total = -math.inf, 0, highest + math.log(total)
    for k in range(len(logits)):
        probabilities[k] /= total
        value = max(logits[k] - log_total, _MIN_LOG) + offsets[k]
        if value > best:
            best, chosen = value, k
    return chosen


@compiled
def _contribute(
    words: int,
    distinct: int,
    new: int,
    norm: float,
    label: int,
    tokens: Tokens,
    features: Features,
    sums: Sums,
    model: ScoringTables,
) -> None:
    """Fill `sums.contribution` with what each distinct word adds to the label's logit, and 0 for the other features."""
    contribution, amount = sums.contribution, sums.word_amounts
    contribution[words:distinct] = 0.0
    for feature in range(words):
        contribution[feature] = amount[feature] * norm * model.entries[sums.word_rows[feature], 1 + label]
    idf = model.entries[model.entries.shape[0] - 2, 0]
    for place in range(new):
        _spell(sums.new_words[place], tokens, sums, model)
        feature = features.feature[sums.new_words[place]]
        contribution[feature] = amount[feature] * norm * idf * sums.spelled[1 + label]


@compiled
def _locate_tokens(count: int, max_skip: int, lead_words: int, left: Int32s, right: Int32s) -> int:
    """Fill `left` and `right` with the tokens of each occurrence of `hash_features`; return how many precede the lead features."""
    total = plain = 0
    for size, nearest, farthest in ((count, 0, max_skip), (min(lead_words, count), int(max_skip > 1), min(max_skip, 1))):
        plain = total
        for step in range(nearest, min(farthest, max(size - 1, 0)) + 1):
            for token in range(size - step):
                left[total], right[total] = token, token + step
                total += 1
    return plain


@compiled
def _keep_strongest(plain: int, tokens: Tokens, features: Features, sums: Sums, terms: Floats, spans: Ints) -> None:
    """Insert the strongest terms (words and pairs, each at its first occurrence) in `terms`, in descending order.

    Fills columns 0, 2 and 4 of `spans`: the left token, the right token, and how far apart they are.
    """
    left, right, contribution, which = sums.left, sums.right, sums.contribution, features.feature
    terms[:] = 0.0
    least, last = MIN_CONTRIBUTION, len(terms) - 1
    seen = -1
    for occurrence in range(plain):
        feature = which[occurrence]
        new = feature > seen  # features are numbered by appearance: any other occurrence is a repetition
        seen = max(seen, feature)
        if not new & (contribution[feature] > least):
            continue
        value = math.floor(contribution[feature] * 1e9 + 0.5) / 1e9  # so that equal terms keep the order of the text
        one, other = left[occurrence], right[occurrence]
        if value <= terms[last] or (one == other and tokens.kinds[one] != WORD):
            continue
        rank = last
        while rank > 0 and terms[rank - 1] < value:
            terms[rank] = terms[rank - 1]
            spans[rank] = spans[rank - 1]
            rank -= 1
        terms[rank] = value
        spans[rank, 0], spans[rank, 2], spans[rank, 4] = one, other, other - one
        least = max(least, terms[last] - 1e-9)


@compiled
def _locate_bytes(data: UInt8s, first: int, tokens: Tokens, terms: Floats, spans: Ints) -> None:
    """Replace the tokens in `spans` by the bytes at which they start and end."""
    for rank in range(len(terms)):
        if terms[rank] > 0:
            for side in (0, 2):
                token = spans[rank, side]
                final = int(tokens.offsets[tokens.spans[token, 1] - 1])
                lead = data[first + final]
                spans[rank, side] = tokens.offsets[tokens.spans[token, 0]]
                spans[rank, side + 1] = final + (1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4)
