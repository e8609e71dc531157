"""The model's loops over bytes and rows, compiled by numba: what features.py, scoring.py and classifier.py do, many times faster.

Every function here has a slower twin in those modules, and a test that holds both to the same result. Nothing is imported
from them: the file is copied to a place where its compiled form can be kept (acceleration.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

WORD, NUMBER, MASK = 0, 1, 2
SEPARATOR, SKIP, EDGE, MASK_LETTER = 0, 1, 2, 3
ZERO, FIRST_LETTER, LETTER_X = 48, 97, 120  # among ASCII's folded codes
TABLE_SIZE = 0x20000
BUCKET_BITS = 22
FIRST_IDEOGRAPH, FIRST_SYLLABLE = 0x2E80, 0xAC00

_P = np.uint64(0x9E3779B97F4A7C15)
_P_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_MASK_HASH = np.uint64(0x5851F42D4C957F2D)
_UNIGRAM = np.uint64(0x14057B7EF767814F)
_PAIR_LEFT, _PAIR_RIGHT = np.uint64(0x2545F4914F6CDD1D), np.uint64(0xD6E8FEB86659FD93)
_OPENING = np.uint64(0xC2B2AE3D27D4EB4F)
_CHARACTERS = np.uint64(0xA0761D6478BD642F)
_SHIFT = np.uint64(64 - BUCKET_BITS)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compiled at its first call, kept on disk where that can be, and run without the interpreter's lock."""
    try:
        return cast("_Function", njit(cache=True, nogil=True)(function))
    except RuntimeError:  # "no locator available": no folder takes it
        return cast("_Function", njit(nogil=True)(function))


@compiled
def _mix(value: Any) -> Any:
    value = (value ^ (value >> _S30)) * _M1
    value = (value ^ (value >> _S27)) * _M2
    return value ^ (value >> _S31)


@compiled
def _bucket(value: Any) -> Any:
    return np.int32(_mix(value) >> _SHIFT)


@compiled
def _powers(base: Any, count: int) -> Any:
    """base ** 0, base ** 1, … modulo 2 ** 64: looked up, a letter need not wait for the power of the one before it."""
    powers = np.empty(count, np.uint64)
    power = np.uint64(1)
    for place in range(count):
        powers[place] = power
        power *= base
    return powers


@compiled
def _tokenise(
    data: Any,
    first: int,
    last: int,
    table: Any,
    powers: Any,
    hashes: Any,
    kinds: Any,
    spans: Any,
    letters: Any,
    letters_at: Any,
) -> tuple[int, int]:
    """(tokens, letters) of data[first:last]; `letters_at[t]` is where token t's letters begin, after the edge before them."""
    count = 0
    length = 1
    letters[0] = EDGE
    inside = False
    start = end = 0
    value = np.uint64(0)
    crosses = size = 0
    before = 32  # what stood before the word, and before it the text
    previous, previous_code, previous_alone = 0, 32, False
    position = first
    while position <= last:
        if inside and not previous_alone:
            # Most bytes are plain letters inside a word, and need none of what follows.
            while position < last:
                byte = data[np.uint64(position)]  # a signed place would be looked at for being negative, every time
                letter = table[byte]
                if byte >= 0x80 or letter < FIRST_LETTER:
                    break
                value += np.uint64(letter) * powers[np.uint64(size)]
                letters[np.uint64(length)] = letter
                length += 1
                size += 1
                crosses += letter == LETTER_X
                position += 1
                end = position
                previous, previous_code = int(letter), 0
        if position == last:
            code, following = 32, last + 1
        else:
            lead = data[position]
            if lead < 0x80:
                code, following = int(lead), position + 1
            elif lead < 0xE0:
                code, following = (int(lead) & 0x1F) << 6 | int(data[position + 1]) & 0x3F, position + 2
            elif lead < 0xF0:
                code = (int(lead) & 0x0F) << 12 | (int(data[position + 1]) & 0x3F) << 6 | int(data[position + 2]) & 0x3F
                following = position + 3
            else:
                code = (int(lead) & 0x07) << 18 | (int(data[position + 1]) & 0x3F) << 12
                code |= (int(data[position + 2]) & 0x3F) << 6 | int(data[position + 3]) & 0x3F
                following = position + 4
        folded = int(table[code]) if code < TABLE_SIZE else code
        if folded == SKIP or (folded == ZERO and previous == ZERO):
            position = following
            continue
        alone = FIRST_IDEOGRAPH <= folded < FIRST_SYLLABLE or folded >= TABLE_SIZE
        if inside and (folded == SEPARATOR or alone or previous_alone):
            kind = WORD
            if size == 1 and previous == ZERO:
                kind = NUMBER
            if (crosses == size and size > 1) or (before == 60 and code == 62):
                kind = MASK
                value = _MASK_HASH
            if kind == WORD or count == 0 or kinds[count - 1] != kind:
                hashes[count] = value
                kinds[count] = kind
                spans[count, 0], spans[count, 1] = start, end
                if kind == MASK:
                    length -= size - 1
                    letters[length - 1] = MASK_LETTER
                letters_at[count] = length - (1 if kind == MASK else size)
                letters[length] = EDGE
                length += 1
                count += 1
            else:
                length -= size
            inside = False
        if folded != SEPARATOR:
            if not inside:
                inside = True
                start, before = position, previous_code
                value = np.uint64(0)
                crosses = size = 0
            value += np.uint64(folded) * powers[size]
            letters[length] = folded
            length += 1
            size += 1
            crosses += folded == LETTER_X
            end = following
        previous, previous_code, previous_alone = folded, code, alone
        position = following
    return count, length


@compiled
def _tokenise_plain(
    data: Any, first: int, last: int, table: Any, powers: Any, inverses: Any, letters: Any, at: Any, sums: Any, begins: Any,
    ends: Any, hashes: Any, kinds: Any, spans: Any,
) -> int:  # fmt: skip
    """The tokens that `_tokenise` finds, a third faster; -1 for a text with signs from the ideographs on, and no letters for n-grams.

    Where words end is what a processor guesses wrong. So the bytes are walked without a branch on it: every letter is kept, then
    every place at which a word may begin or end is written, and stays written where one does. A word's hash is the difference of
    two running sums (features.py).
    """
    length, one = np.uint64(0), np.uint64(1)
    previous = np.uint32(SEPARATOR)
    position, stop = np.uint64(first), np.uint64(last)
    while position < stop:
        lead = data[position]
        if lead < 0x80:
            folded, following = table[lead], position + one
        else:
            second = int(data[position + one]) & 0x3F
            if lead < 0xE0:
                code, following = (int(lead) & 0x1F) << 6 | second, position + np.uint64(2)
            else:
                code = (int(lead) & 0x0F) << 12 | second << 6 | int(data[position + np.uint64(2)]) & 0x3F
                following = position + np.uint64(3)
            if lead >= 0xF0 or code >= FIRST_IDEOGRAPH:
                return -1
            folded = table[code]
        letters[length] = folded
        at[length] = position
        skipped = folded == SKIP
        kept = (not skipped) & ((folded != ZERO) | (previous != ZERO))
        previous = previous if skipped else folded
        length += np.uint64(kept)
        position = following
    at[length] = stop
    running = np.uint64(0)
    words = ended = np.uint64(0)
    inside = False
    for place in range(length):
        letter = letters[place]
        sums[place] = running
        running += np.uint64(letter) * powers[place]
        is_letter = letter != SEPARATOR
        begins[words] = place
        words += np.uint64(is_letter & (not inside))
        ends[ended] = place
        ended += np.uint64(inside & (not is_letter))
        inside = is_letter
    sums[length] = running
    ends[ended] = length
    count = 0
    for word in range(words):
        begin, end = begins[word], ends[word]
        size, start = end - begin, at[begin]
        kind = NUMBER if size == 1 and letters[begin] == ZERO else WORD
        if letters[begin] == LETTER_X and size > 1:
            kind = MASK
            for place in range(begin + 1, end):
                if letters[place] != LETTER_X:
                    kind = WORD
        if begin > 0 and data[at[begin - 1]] == 60 and end < length and data[at[end]] == 62:
            kind = MASK
        if kind == WORD or count == 0 or kinds[count - 1] != kind:
            hashes[count] = _MASK_HASH if kind == MASK else (sums[end] - sums[begin]) * inverses[begin]
            kinds[count] = kind
            final = at[end - 1]
            lead = data[final]
            spans[count, 0], spans[count, 1] = start, final + (1 if lead < 0x80 else 2 if lead < 0xE0 else 3)
            count += 1
    return count


@compiled
def _words(count: int, hashes: Any, reach: int, opening: int, bucket: Any, left: Any, right: Any) -> tuple[int, int]:
    """Every word, then every pair of words at most `reach` apart, neighbours first; then again, as features of their own, the
    first `opening` words and the pairs of neighbours among them. Gives how many there are before these, and in all.
    """
    for token in range(count):
        bucket[token] = _bucket(hashes[token] + _UNIGRAM)
        left[token] = token
        right[token] = token
    found = count
    for step in range(1, min(reach, count - 1) + 1):
        for token in range(count - step):
            bucket[found] = _bucket(_mix(hashes[token] * _PAIR_LEFT) * _PAIR_RIGHT + hashes[token + step])
            left[found] = token
            right[found] = token + step
            found += 1
    usual = found
    first = min(opening, count)
    for token in range(first):
        bucket[found] = _bucket(hashes[token] + _OPENING)
        left[found] = token
        right[found] = token
        found += 1
    for token in range(first - 1 if reach else 0):
        bucket[found] = _bucket(_mix(hashes[token] * _PAIR_LEFT) * _PAIR_RIGHT + hashes[token + 1] + _OPENING)
        left[found] = token
        right[found] = token + 1
        found += 1
    return usual, found


@compiled
def _grams(count: int, length: int, letters: Any, letters_at: Any, bucket: Any, left: Any) -> int:
    """Every run of 2, 3 and 4 letters, edges included, at the token in which (or at whose edge) it begins."""
    found = 0
    token = 0
    for at in range(length - 1):
        while token + 1 < count and letters_at[token + 1] - 1 <= at:
            token += 1
        value = np.uint64(letters[at])
        power = np.uint64(1)
        for size in range(2, 5):
            if at + size > length:
                break
            power *= _P
            value += np.uint64(letters[at + size - 1]) * power
            bucket[found] = _bucket(value + _CHARACTERS * np.uint64(size))
            left[found] = token
            found += 1
    return found


@compiled
def _distinct(found: int, bucket: Any, slots: Any, unique: Any, times: Any, which: Any) -> int:
    """Distinct buckets in order of appearance, how often each stands there, and which of them each occurrence is."""
    size = 64
    while size < 2 * found:
        size *= 2
    slots[:size] = -1
    count = 0
    for occurrence in range(found):
        key = bucket[occurrence]
        slot = np.uint32(key & (size - 1))  # buckets are spread already
        while slots[slot] >= 0 and unique[slots[slot]] != key:
            slot = np.uint32((slot + 1) & (size - 1))
        if slots[slot] < 0:
            slots[slot] = count
            unique[count] = key
            times[count] = 0
            count += 1
        times[slots[slot]] += 1
        which[occurrence] = slots[slot]
    return count


@compiled
def _room(starts: Any, reach: int, opening: int, characters: bool) -> tuple[int, int, int]:
    """(tokens, letters, features) that the longest text can have."""
    longest = 0
    for text in range(len(starts) - 1):
        longest = max(longest, starts[text + 1] - starts[text])
    tokens = longest // 2 + 2
    letters = longest + tokens + 3
    features = tokens * (1 + reach) + 2 * opening
    return tokens, letters, max(features, 3 * letters) if characters else features


@compiled
def count_features(data: Any, starts: Any, table: Any, reach: int, opening: int, block: int) -> Any:
    """(text, bucket, times) of each distinct feature of each text, of words (block 0) or characters (block 1)."""
    texts = len(starts) - 1
    tokens, most_letters, room = _room(starts, reach, opening, block == 1)
    hashes, kinds = np.empty(tokens, np.uint64), np.empty(tokens, np.int8)
    spans = np.empty((tokens, 2), np.int64)
    letters, letters_at, powers = np.empty(most_letters, np.uint32), np.empty(tokens, np.int32), _powers(_P, most_letters)
    sums, inverses, at = np.empty(most_letters, np.uint64), _powers(_P_INVERSE, most_letters), np.empty(most_letters, np.int64)
    begins, ends = np.empty(most_letters, np.int64), np.empty(most_letters, np.int64)
    bucket, left, right = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    slots = np.empty(4 * room + 128, np.int32)
    unique, times, which = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    capacity = 4096
    out = np.empty((3, capacity), np.int32)
    total = 0
    for text in range(texts):
        count, length, first, last = -1, 0, starts[text], starts[text + 1]
        if block == 0:
            count = _tokenise_plain(
                data, first, last, table, powers, inverses, letters, at, sums, begins, ends, hashes, kinds, spans
            )
        if count < 0:
            count, length = _tokenise(data, first, last, table, powers, hashes, kinds, spans, letters, letters_at)
        if block == 0:
            _, found = _words(count, hashes, reach, opening, bucket, left, right)
        else:
            found = _grams(count, length, letters, letters_at, bucket, left) if count else 0
        distinct = _distinct(found, bucket, slots, unique, times, which)
        if total + distinct > capacity:
            capacity = 2 * (total + distinct)
            grown = np.empty((3, capacity), np.int32)
            grown[:, :total] = out[:, :total]
            out = grown
        for feature in range(distinct):
            out[0, total + feature] = text
            out[1, total + feature] = unique[feature]
            out[2, total + feature] = times[feature]
        total += distinct
    return out[:, :total].copy()


@compiled
def score(
    data: Any, starts: Any, table: Any, reach: int, opening: int, characters: bool, index: Any, entries: Any,
    bias: Any, offsets: Any, probabilities: Any, label: Any, recognised: Any, terms: Any, term_spans: Any,
) -> None:  # fmt: skip
    """Fill `probabilities` (texts, labels), `label`, `recognised`, and where `terms` (texts, n) has columns the n strongest
    terms of each text for its label: contributions, and in `term_spans` (texts, n, 5) the bytes where the left and the right
    word begin and end, and how many words apart they are.

    `entries` (features, n): a feature's rarity, then its weights, then nothing up to where the next line of the cache begins.
    """
    texts, labels = probabilities.shape
    flat, size = entries.ravel(), np.uint64(entries.shape[1])
    wanted = terms.shape[1]
    tokens, most_letters, room = _room(starts, reach, opening, characters)
    hashes, kinds = np.empty(tokens, np.uint64), np.empty(tokens, np.int8)
    spans = np.empty((tokens, 2), np.int64)
    letters, letters_at, powers = np.empty(most_letters, np.uint32), np.empty(tokens, np.int32), _powers(_P, most_letters)
    sums, inverses, at = np.empty(most_letters, np.uint64), _powers(_P_INVERSE, most_letters), np.empty(most_letters, np.int64)
    begins, ends = np.empty(most_letters, np.int64), np.empty(most_letters, np.int64)
    slots = np.empty(4 * room + 128, np.int32)
    blocks = 2 if characters else 1
    bucket, left, right = np.empty((2, room), np.int32), np.empty((2, room), np.int32), np.empty((2, room), np.int32)
    unique, times, which = np.empty((2, room), np.int32), np.empty((2, room), np.int32), np.empty((2, room), np.int32)
    row, value = np.empty((2, room), np.int32), np.empty((2, room), np.float64)
    contribution = np.empty(room, np.float64)
    logarithms = np.log(np.arange(1, 257).astype(np.float64)) + 1.0
    found, distinct = np.zeros(2, np.int64), np.zeros(2, np.int64)
    logits, totals = np.empty(labels, np.float64), np.empty(labels, np.float64)
    for text in range(texts):
        count, length, first, last = -1, 0, starts[text], starts[text + 1]
        if not characters:
            count = _tokenise_plain(
                data, first, last, table, powers, inverses, letters, at, sums, begins, ends, hashes, kinds, spans
            )
        if count < 0:
            count, length = _tokenise(data, first, last, table, powers, hashes, kinds, spans, letters, letters_at)
        usual, found[0] = _words(count, hashes, reach, opening, bucket[0], left[0], right[0])
        if characters:
            found[1] = _grams(count, length, letters, letters_at, bucket[1], left[1]) if count else 0
        for k in range(labels):
            logits[k] = bias[k]
        known = False
        for block in range(blocks):
            distinct[block] = _distinct(found[block], bucket[block], slots, unique[block], times[block], which[block])
            squares = 0.0
            # Rows first, weights after: the processor waits for many rows of the large table at once.
            for feature in range(distinct[block]):
                row[block, feature] = index[np.uint32(unique[block, feature])]
            for feature in range(distinct[block]):
                place = row[block, feature]
                if place >= 0:
                    repeats = times[block, feature]
                    weight = logarithms[repeats - 1] if repeats <= 256 else math.log(float(repeats)) + 1.0
                    weight *= flat[np.uint64(place) * size]
                    value[block, feature] = weight
                    squares += weight * weight
            norm = 1.0 / math.sqrt(squares) if squares > 0 else 0.0
            for k in range(labels):
                totals[k] = 0.0
            for feature in range(distinct[block]):
                place = row[block, feature]
                if place >= 0:
                    known |= block == 0
                    amount, entry = value[block, feature], np.uint64(place) * size + np.uint64(1)
                    for k in range(labels):
                        totals[k] += amount * flat[entry + np.uint64(k)]
                    value[block, feature] = amount * norm
            for k in range(labels):
                logits[k] += totals[k] * norm
        recognised[text] = known
        highest = logits.max()
        total = 0.0
        for k in range(labels):
            probabilities[text, k] = math.exp(logits[k] - highest)
            total += probabilities[text, k]
        best, chosen = -math.inf, 0
        for k in range(labels):
            probabilities[text, k] /= total
            decided = math.log(max(probabilities[text, k], 1e-12)) + offsets[k]
            if decided > best:
                best, chosen = decided, k
        label[text] = chosen
        if wanted:
            _explain(
                wanted, chosen, count, usual, characters, found, distinct, left, right, which, times, row, value, entries, kinds, spans,
                contribution, terms[text], term_spans[text],
            )  # fmt: skip


@compiled
def _explain(
    wanted: int, chosen: int, count: int, usual: int, characters: bool, found: Any, distinct: Any, left: Any, right: Any, which: Any, times: Any,
    row: Any, value: Any, entries: Any, kinds: Any, spans: Any, contribution: Any, terms: Any, term_spans: Any,
) -> None:  # fmt: skip
    """The strongest terms: words (with the character runs that begin in them) and pairs, each at its first place and with what
    standing among the opening words adds to it.
    """
    for feature in range(distinct[0]):
        place = row[0, feature]
        contribution[feature] = value[0, feature] * entries[place, 1 + chosen] if place >= 0 else 0.0
    if characters:
        for occurrence in range(found[1]):
            feature = which[1, occurrence]
            place = row[1, feature]
            if place >= 0:
                amount = value[1, feature] / times[1, feature] * entries[place, 1 + chosen]
                contribution[which[0, left[1, occurrence]]] += amount
    for occurrence in range(usual, found[0]):
        feature = which[0, occurrence]
        place = row[0, feature]
        if place >= 0:
            token = left[0, occurrence]
            same = token if token == right[0, occurrence] else count + token  # words come first, then pairs of neighbours
            contribution[which[0, same]] += value[0, feature] / times[0, feature] * entries[place, 1 + chosen]
    for rank in range(wanted):
        terms[rank] = 0.0
    seen = -1
    for occurrence in range(usual):
        feature = which[0, occurrence]
        if feature <= seen:
            continue  # features are numbered by appearance: this one has been looked at
        seen = feature
        amount = math.floor(contribution[feature] * 1e9 + 0.5) / 1e9  # so that what is equal stays in the text's order
        one, other = left[0, occurrence], right[0, occurrence]
        if amount <= 1e-6 or amount <= terms[wanted - 1] or (one == other and kinds[one] != WORD):
            continue
        rank = wanted - 1
        while rank > 0 and terms[rank - 1] < amount:
            terms[rank] = terms[rank - 1]
            term_spans[rank] = term_spans[rank - 1]
            rank -= 1
        terms[rank] = amount
        term_spans[rank, 0], term_spans[rank, 1] = spans[one, 0], spans[one, 1]
        term_spans[rank, 2], term_spans[rank, 3] = spans[other, 0], spans[other, 1]
        term_spans[rank, 4] = other - one


@compiled
def bayes_scales(starts: Any, columns: Any, labels: Any, power: float, scales: Any) -> None:
    """Fill `scales` (features, labels): squared naive Bayes scales, |log-count ratio| ** power with mean 1 for each label, squared."""
    features, count = scales.shape
    for feature in range(features):
        for k in range(count):
            scales[feature, k] = 1
    for row in range(len(starts) - 1):
        for place in range(starts[row], starts[row + 1]):
            scales[columns[place], labels[row]] += 1
    inside = np.zeros(count)
    outside = np.zeros(count)
    for feature in range(features):
        seen = 2.0
        for k in range(count):
            seen += scales[feature, k] - 1
        for k in range(count):
            inside[k] += scales[feature, k]
            outside[k] += seen - (scales[feature, k] - 1)
    means = np.zeros(count)
    for feature in range(features):
        seen = 2.0
        for k in range(count):
            seen += scales[feature, k] - 1
        for k in range(count):
            here = scales[feature, k]
            ratio = abs(math.log(here / inside[k]) - math.log((seen - here + 1) / outside[k])) ** power
            scales[feature, k] = ratio
            means[k] += ratio
    for k in range(count):
        means[k] = max(means[k] / max(features, 1), 1e-9)
    for feature in range(features):
        for k in range(count):
            scales[feature, k] = (scales[feature, k] / means[k]) ** 2


@compiled
def fit_machines(starts: Any, columns: Any, values: Any, labels: Any, costs: Any, table: Any, passes: int, seed: int) -> Any:
    """Biases of one squared-hinge machine a label, all of them in one walk over the rows; the weights go into `table`.

    Dual coordinate descent (Hsieh et al., 2008), the method of liblinear. A feature scaled by r is a feature whose step is
    r squared: no scaled copy of the rows is made. `table` (features, 2 * labels) holds weights, zero at first, and beside them the
    squared scales: the processor waits for memory, and so waits for one place instead of two.
    """
    rows, count = len(starts) - 1, table.shape[1] // 2
    biases = np.zeros(count, np.float32)
    alpha = np.zeros((rows, count), np.float32)
    curvature = np.ones((rows, count), np.float32)
    for row in range(rows):
        for place in range(starts[row], starts[row + 1]):
            square = values[place] * values[place]
            for k in range(count):
                curvature[row, k] += square * table[columns[place], count + k]
    order: Any = np.arange(rows)
    state = np.uint64(2 * seed + 1)
    margins, steps, moving = np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, np.int64)
    one, half, zero = np.float32(1), np.float32(0.5), np.float32(0)
    for _ in range(passes):
        for row in range(rows - 1, 0, -1):
            state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            other = int((state >> np.uint64(33)) % np.uint64(row + 1))
            order[row], order[other] = order[other], order[row]
        worst = zero
        for row in order:
            for k in range(count):
                margins[k] = biases[k]
            for place in range(starts[row], starts[row + 1]):
                column, value = columns[place], values[place]
                for k in range(count):
                    margins[k] += value * table[column, k]
            damping = half / costs[row]
            moved = 0
            for k in range(count):
                sign = one if labels[row] == k else -one
                before = alpha[row, k]
                slope = sign * margins[k] - one + before * damping
                wrong = slope if before > 0 else min(slope, zero)
                if abs(wrong) > 1e-4:
                    worst = max(worst, abs(wrong))
                    after = max(before - slope / (curvature[row, k] + damping), zero)
                    alpha[row, k] = after
                    steps[k] = (after - before) * sign
                    biases[k] += steps[k]
                    moving[moved] = k
                    moved += 1
            if moved:
                for place in range(starts[row], starts[row + 1]):
                    column, value = columns[place], values[place]
                    for which in range(moved):
                        k = moving[which]
                        table[column, k] += value * steps[k] * table[column, count + k]
        if worst < 0.1:
            break
    return biases
