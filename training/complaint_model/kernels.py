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
from numba.extending import intrinsic

WORD, NUMBER, MASK = 0, 1, 2
SEPARATOR, SKIP, EDGE, MASK_LETTER = 0, 1, 2, 3
ZERO, LETTER_X = 48, 120  # among ASCII's folded codes
BLOCK = 16  # bytes folded at a time
TABLE_SIZE = 0x20000
WORD_BITS, BUCKET_BITS, RUN_BITS = 21, 23, 22
FIRST_IDEOGRAPH, FIRST_SYLLABLE = 0x2E80, 0xAC00
LEAST_CONTRIBUTION = 1e-6
_LEAST_LOG = math.log(1e-12)

_P = np.uint64(0x9E3779B97F4A7C15)
_MASK_HASH = np.uint64(0x5851F42D4C957F2D)
_UNIGRAM = np.uint64(0x14057B7EF767814F)
_PAIR_LEFT, _PAIR_RIGHT = np.uint64(0x2545F4914F6CDD1D), np.uint64(0xD6E8FEB86659FD93)
_OPENING = np.uint64(0xC2B2AE3D27D4EB4F)
_RUN = np.uint64(0xA0761D6478BD642F)
_WORD_SHIFT, _PAIR_SHIFT, _RUN_SHIFT = np.uint64(64 - WORD_BITS), np.uint64(65 - BUCKET_BITS), np.uint64(64 - RUN_BITS)
_PAIRS = np.int32(1 << (BUCKET_BITS - 1))
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
def _word_bucket(value: Any) -> Any:
    return np.int32(_mix(value) >> _WORD_SHIFT)


@compiled
def _pair_bucket(value: Any) -> Any:
    return np.int32(_mix(value) >> _PAIR_SHIFT) | _PAIRS


def _folded_block(_typing: Any, data: Any, position: Any, digit_before: Any, letters: Any, length: Any) -> Any:
    """Fold the BLOCK bytes data[position:] into letters[length:], all at a time, which compilers do not find by themselves.

    Gives how many of them, from the first on, are ASCII of which each is a letter or a separator. What it wrote of the others
    is to be written over. `digit_before` (0 or 1): whether a digit that was kept stands before them.
    """
    from llvmlite import ir  # noqa: PLC0415 - for the compiler only
    from numba.core import types  # noqa: PLC0415

    octets, codes, bits = ir.VectorType(ir.IntType(8), BLOCK), ir.VectorType(ir.IntType(32), BLOCK), ir.IntType(BLOCK)

    def all_of(value: int) -> Any:
        return ir.Constant(octets, [value] * BLOCK)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def block_of(array: int, kind: Any) -> Any:
            start = context.make_array(signature.args[array])(context, builder, arguments[array]).data
            return builder.bitcast(builder.gep(start, [arguments[array + 1]]), kind.as_pointer())

        byte = builder.load(block_of(0, octets), align=1)
        lower = builder.or_(byte, all_of(0x20))
        letter = builder.icmp_unsigned("<", builder.sub(lower, all_of(ord("a"))), all_of(26))
        digit = builder.icmp_unsigned("<", builder.sub(byte, all_of(ord("0"))), all_of(10))
        odd = builder.icmp_unsigned(">=", byte, all_of(0x80))
        for skipped in b"'`_":
            odd = builder.or_(odd, builder.icmp_unsigned("==", byte, all_of(skipped)))
        digits = builder.bitcast(digit, bits)
        repeated = builder.and_(digits, builder.or_(builder.shl(digits, bits(1)), builder.trunc(arguments[2], bits)))
        folded = builder.select(letter, lower, builder.select(digit, all_of(ZERO), all_of(SEPARATOR)))
        builder.store(builder.zext(folded, codes), block_of(3, codes), align=4)
        plain = builder.cttz(builder.or_(builder.bitcast(odd, bits), repeated), ir.IntType(1)(0))
        return builder.zext(plain, ir.IntType(64))

    return types.uint64(data, position, digit_before, letters, length), build


_fold_block: Any = intrinsic(_folded_block)


@compiled
def _tokenise(
    data: Any, first: Any, last: Any, table: Any, powers: Any, inverses: Any, letters: Any, at: Any, sums: Any, bounds: Any,
    hashes: Any, kinds: Any, words: Any,
) -> Any:  # fmt: skip
    """The tokens of data[first:last]: token t is letters[words[t, 0]:words[t, 1]], and letter i stands at byte first + at[i].

    Where words end is what a processor guesses wrong. So the text is walked without a branch on it: a letter or the edge of a word
    is written in any case, and stays where it is one. A word's hash is the difference of two running sums (features.py).
    """
    length, edges, one, two = np.uint64(0), np.uint64(0), np.uint64(1), np.uint64(2)
    previous = np.uint32(SEPARATOR)
    position, stop, three = np.uint64(first), np.uint64(last), np.uint64(3)
    in_ascii, whole = True, np.uint64(max(len(data) - BLOCK, 0))
    while position < stop:
        if in_ascii and position < whole:
            plain = min(_fold_block(data, position, np.uint64(previous == ZERO), letters, length), stop - position)
            for step in range(np.uint64(BLOCK)):
                at[length + step] = position + step - first
            length, position = length + plain, position + plain
            previous = letters[length - one] if plain > 0 else previous
            if position == stop or plain == BLOCK:
                continue
        lead = data[position]
        in_ascii = lead < 0x80
        if lead < 0x80:
            folded, following = table[lead], position + one
        else:
            second = int(data[position + one]) & 0x3F
            if lead < 0xE0:
                code, following = (int(lead) & 0x1F) << 6 | second, position + two
            else:
                code, following = (int(lead) & 0x0F) << 12 | second << 6 | int(data[position + two]) & 0x3F, position + three
                if lead >= 0xF0:
                    code = (code & 0x7FFF) << 6 | int(data[position + three]) & 0x3F
                    following += one
            folded = table[code] if code < TABLE_SIZE else np.uint32(code)
            if FIRST_IDEOGRAPH <= folded < FIRST_SYLLABLE or folded >= TABLE_SIZE:
                # A word by itself: separators that the text does not have set it off.
                letters[length], letters[length + one], letters[length + two] = SEPARATOR, folded, SEPARATOR
                at[length], at[length + one], at[length + two] = position - first, position - first, following - first
                previous = folded
                length += three
                position = following
                continue
        letters[length] = folded
        at[length] = position - first
        skipped = folded == SKIP
        kept = (not skipped) & ((folded != ZERO) | (previous != ZERO))
        previous = previous if skipped else folded
        length += np.uint64(kept)
        position = following
    letters[length], at[length] = SEPARATOR, stop - first
    running, inside = np.uint64(0), False
    for place in range(length + one):
        letter = letters[place]
        sums[edges], bounds[edges] = running, place
        running += np.uint64(letter) * powers[place]
        is_letter = letter != SEPARATOR
        edges += np.uint64(is_letter ^ inside)
        inside = is_letter
    count, last_kind = np.uint64(0), np.int8(WORD)
    for edge in range(np.uint64(0), edges, two):
        begin, end = np.uint64(bounds[edge]), np.uint64(bounds[edge + one])
        value, kind = (sums[edge + one] - sums[edge]) * inverses[begin], np.int8(WORD)
        if letters[begin] == ZERO and end - begin == one:
            kind = np.int8(NUMBER)
        if letters[begin] == LETTER_X and end - begin > one:
            kind = np.int8(MASK)
            for place in range(begin + one, end):
                if letters[place] != LETTER_X:
                    kind = np.int8(WORD)
        start, after = np.uint64(first) + np.uint64(at[begin]), np.uint64(first) + np.uint64(at[end])
        # <…>: the text's first byte has none before it, its last none after, and no placeholder is named in ideographs.
        if start > np.uint64(first) and after < stop and letters[begin] < FIRST_IDEOGRAPH:
            kind = np.int8(MASK) if data[start - one] == 60 and data[after] == 62 else kind
        hashes[count] = _MASK_HASH if kind == MASK else value
        kinds[count] = kind
        words[count, 0], words[count, 1] = begin, end
        count += np.uint64((kind == WORD) | (kind != last_kind))
        last_kind = kind
    return np.int64(count)


@compiled
def _words(count: int, hashes: Any, reach: int, opening: int, bucket: Any) -> int:
    """Every word, then every pair of words at most `reach` apart, neighbours first; then again, as features of their own, the
    first `opening` words and the pairs of neighbours among them; where pairs reach farther than that, the pairs alone.
    """
    for token in range(np.uint64(count)):
        bucket[token] = _word_bucket(hashes[token] + _UNIGRAM)
    found = np.uint64(count)
    for step in range(1, min(reach, count - 1) + 1):
        apart = np.uint64(step)
        for token in range(np.uint64(count - step)):
            bucket[found + token] = _pair_bucket(_mix(hashes[token] * _PAIR_LEFT) * _PAIR_RIGHT + hashes[token + apart])
        found += np.uint64(count - step)
    first, one = min(opening, count), np.uint64(1)
    alone = np.uint64(first if reach <= 1 else 0)
    for token in range(alone):
        bucket[found + token] = _pair_bucket(hashes[token] + _OPENING)
    found += alone
    pairs = np.uint64(max(first - 1, 0) if reach else 0)
    for token in range(pairs):
        bucket[found + token] = _pair_bucket(_mix(hashes[token] * _PAIR_LEFT) * _PAIR_RIGHT + hashes[token + one] + _OPENING)
    return int(found + pairs)


@compiled
def _places_of_words(count: int, reach: int, opening: int, left: Any, right: Any) -> int:
    """The words that each of `_words` is of; gives how many there are before the opening's."""
    found = usual = 0
    for size, nearest, farthest in ((count, 0, reach), (min(opening, count), int(reach > 1), min(reach, 1))):
        usual = found
        for step in range(nearest, min(farthest, max(size - 1, 0)) + 1):
            for token in range(size - step):
                left[found], right[found] = token, token + step
                found += 1
    return usual


@compiled
def _runs(letters: Any, kind: int, begin: int, end: int, spread: Any, bucket: Any) -> int:
    """Every run of 2, 3 and 4 letters of the token letters[begin:end], an edge on either side."""
    spread[0], length = EDGE, 1
    if kind == MASK:
        spread[1], length = MASK_LETTER, 2
    else:
        for place in range(begin, end):
            spread[length] = letters[place]
            length += 1
    spread[length] = EDGE
    length += 1
    found = 0
    for size in range(2, 5):
        for at in range(length - size + 1):
            value, power = _RUN * np.uint64(size), np.uint64(1)
            for step in range(size):
                value += np.uint64(spread[at + step]) * power
                power *= _P
            bucket[found] = _mix(value) >> _RUN_SHIFT
            found += 1
    return found


@compiled
def _distinct(count: int, found: int, bucket: Any, keys: Any, slots: Any, unique: Any, times: Any, which: Any) -> Any:
    """Distinct buckets in order of appearance, how often each stands there, and which of them each occurrence is. Gives how many
    there are of the first `count` occurrences, which are words, and how many of all.

    Whether a bucket is new is what a processor guesses wrong, so that it is counted with instead of branched on.
    """
    size = np.uint32(64)
    while size < 4 * found:
        size *= np.uint32(2)
    most, one = np.uint32(size - np.uint32(1)), np.uint32(1)
    keys[:size] = -1
    times[:found] = 0
    distinct = words = np.int32(0)
    for begin, end in ((np.uint64(0), np.uint64(count)), (np.uint64(count), np.uint64(found))):
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
    return np.int64(words), np.int64(distinct)


@compiled
def _room(starts: Any, reach: int, opening: int) -> tuple[int, int, int]:
    """(tokens, letters, features) that the longest text can have."""
    longest = 0
    for text in range(len(starts) - 1):
        longest = max(longest, starts[text + 1] - starts[text])
    tokens = longest // 2 + 2
    return tokens, longest + tokens + 3 + BLOCK, tokens * (1 + reach) + 2 * opening


@compiled
def _letters(most: int) -> Any:
    """Room for the letters of a text, and what is known of them."""
    return np.empty(most, np.uint32), np.empty(most, np.uint32), np.empty(most, np.uint64), np.empty(most, np.uint32)


@compiled
def count_features(data: Any, starts: Any, table: Any, powers: Any, inverses: Any, reach: int, opening: int) -> Any:
    """(text, bucket, times) of each distinct feature of each text."""
    texts = len(starts) - 1
    tokens, most_letters, room = _room(starts, reach, opening)
    letters, at, sums, bounds = _letters(most_letters)
    hashes, kinds, words = np.empty(tokens, np.uint64), np.empty(tokens, np.int8), np.empty((tokens, 2), np.uint32)
    bucket = np.empty(room, np.int32)
    keys, slots = np.empty(8 * room + 128, np.int32), np.empty(8 * room + 128, np.int32)
    unique, times, which = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    out = np.empty((3, 4096), np.int32)
    total = 0
    for text in range(texts):
        count = _tokenise(
            data, starts[text], starts[text + 1], table, powers, inverses, letters, at, sums, bounds, hashes, kinds, words
        )
        found = _words(count, hashes, reach, opening, bucket)
        _, distinct = _distinct(count, found, bucket, keys, slots, unique, times, which)
        out = _grown(out, total, distinct)
        for feature in range(distinct):
            out[0, total + feature] = text
            out[1, total + feature] = unique[feature]
            out[2, total + feature] = times[feature]
        total += distinct
    return out[:, :total].copy()


@compiled
def _grown(out: Any, total: int, more: int) -> Any:
    """`out` with room for `more` columns after the first `total`."""
    if total + more <= out.shape[1]:
        return out
    grown = np.empty((out.shape[0], 2 * (total + more)), np.int32)
    grown[:, :total] = out[:, :total]
    return grown


@compiled
def spell(data: Any, starts: Any, table: Any, powers: Any, inverses: Any, seen: Any) -> Any:
    """(word's bucket, bucket of a run of its letters) of each word whose bucket is not yet marked in `seen` (buckets,); marks it."""
    tokens, most_letters, _ = _room(starts, 0, 0)
    letters, at, sums, bounds = _letters(most_letters)
    hashes, kinds, words = np.empty(tokens, np.uint64), np.empty(tokens, np.int8), np.empty((tokens, 2), np.uint32)
    run = np.empty(3 * most_letters, np.int32)
    out = np.empty((2, 4096), np.int32)
    total = 0
    for text in range(len(starts) - 1):
        count = _tokenise(
            data, starts[text], starts[text + 1], table, powers, inverses, letters, at, sums, bounds, hashes, kinds, words
        )
        for token in range(count):
            word = _word_bucket(hashes[token] + _UNIGRAM)
            if seen[word]:
                continue
            seen[word] = True
            found = _runs(letters, kinds[token], words[token, 0], words[token, 1], bounds, run)
            out = _grown(out, total, found)
            out[0, total : total + found] = word
            out[1, total : total + found] = run[:found]
            total += found
    return out[:, :total].copy()


@compiled
def _ones_below(word: Any, bit: Any) -> Any:
    """How many bits of `word` are set below `bit`; compilers know this for the one instruction that it is."""
    bits = word & (bit - np.uint64(1))
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (bits * np.uint64(0x0101010101010101)) >> np.uint64(56)


def _fetched(_typing: Any, array: Any, _place: Any) -> Any:
    """Ask the memory for array[place] (1-d, uint64) and do not await it: it changes nothing but when the value is there."""
    from llvmlite import ir  # noqa: PLC0415 - for the compiler only
    from numba.core import cgutils, types  # noqa: PLC0415

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kind)
        builder.call(fetch, [pointer, number(0), number(3), number(1)])  # to read, to keep, data
        return context.get_dummy_value()

    return types.void(array, types.uint64), build


_fetch: Any = intrinsic(_fetched)


@compiled
def _look_up(count: int, bucket: Any, directory: Any, flat: Any, width: Any, absent: int, row: Any) -> int:
    """The table's row of each feature, up to a multiple of four; how many are known."""
    known, one = np.uint64(0), np.uint64(1)
    for feature in range(np.uint64(count)):
        place = np.uint64(np.uint32(bucket[feature]))
        cell, bit = place >> np.uint64(6), one << (place & np.uint64(63))
        word = directory[cell, np.uint64(0)]
        there = (word & bit) != 0
        known += np.uint64(there)
        # Not a branch: whether a pair is known is what a processor guesses wrong.
        place = np.uint64(absent) + (directory[cell, one] + _ones_below(word, bit) - np.uint64(absent)) * np.uint64(there)
        row[feature] = place
        _fetch(flat, place * width)
    for feature in range(count, count + 3):
        row[feature] = len(flat) // width - np.uint64(1)  # all zeros
    return int(known)


@compiled
def _new_words(count: int, which: Any, row: Any, new_word: int, tokens: Any) -> int:
    """Fill `tokens` with where each word that has the row `new_word` stands first; gives how many there are."""
    found, seen = 0, -1
    for token in range(count):
        if which[token] > seen:  # words are numbered by appearance
            seen = which[token]
            tokens[found] = token
            found += row[seen] == new_word
    return found


@compiled
def _spelled(
    token: int, letters: Any, kinds: Any, words: Any, spread: Any, run: Any, directory: Any, runs: Any, vector: Any
) -> None:
    """Fill `vector` (width,) with the sum of the rows of a token's runs of letters, divided by their length."""
    vector[:] = 0.0
    squares, one = 0.0, np.uint64(1)
    for place in range(_runs(letters, kinds[token], words[token, 0], words[token, 1], spread, run)):
        bucket = np.uint64(np.uint32(run[place]))
        cell, bit = bucket >> np.uint64(6), one << (bucket & np.uint64(63))
        if directory[cell, np.uint64(0)] & bit:
            row = directory[cell, one] + _ones_below(directory[cell, np.uint64(0)], bit)
            squares += np.float64(runs[row, 0]) ** 2
            for k in range(len(vector)):
                vector[k] += runs[row, k]
    if squares > 0:
        vector /= math.sqrt(squares)


@compiled
def _add_up(count: int, row: Any, amount: Any, flat: Any, width: Any, totals: Any) -> float:
    """Fill `totals` (width,) with the sum of the rows times their amounts, and give the text's length: four rows at a time, of
    which the processor awaits none before it has asked for the next.
    """
    squares, one, two, three = 0.0, np.uint64(1), np.uint64(2), np.uint64(3)
    for k in range(width):
        totals[k] = 0.0
    for feature in range(np.uint64(0), np.uint64(count), np.uint64(4)):
        a, b, c, d = amount[feature], amount[feature + one], amount[feature + two], amount[feature + three]
        at_a, at_b, at_c, at_d = (
            row[feature] * width,
            row[feature + one] * width,
            row[feature + two] * width,
            row[feature + three] * width,
        )
        squares += (a * flat[at_a]) ** 2 + (b * flat[at_b]) ** 2 + (c * flat[at_c]) ** 2 + (d * flat[at_d]) ** 2
        for k in range(width):
            totals[k] += a * flat[at_a + k] + b * flat[at_b + k] + c * flat[at_c + k] + d * flat[at_d + k]
    return math.sqrt(squares)


@compiled
def score(
    data: Any, starts: Any, table: Any, powers: Any, inverses: Any, reach: int, opening: int, directory: Any, entries: Any,
    run_directory: Any, runs: Any, bias: Any, offsets: Any, probabilities: Any, label: Any, recognised: Any, terms: Any,
    term_spans: Any,
) -> None:  # fmt: skip
    """Fill `probabilities` (texts, labels), `label`, `recognised`, and where `terms` (texts, n) has columns the n strongest
    terms of each text for its label: contributions, and in `term_spans` (texts, n, 5) the bytes of the text where the left and
    the right word begin and end, and how many words apart they are.

    `directory` (buckets / 64, 2): which of 64 buckets have a row in `entries`, a bit each, and how many have one before them.
    `entries` (features + 2, width): rarity, then each label's weight; the last row but one is of a word that training did not see,
    the last, all zeros, of any other feature. `run_directory` and `runs` are the same for the runs of letters that give such a
    word its weights; with no runs it has none.
    """
    texts, labels = probabilities.shape
    flat, width, cells = entries.ravel(), np.uint64(entries.shape[1]), directory.ravel()
    new_word, absent = entries.shape[0] - 2, entries.shape[0] - 1
    rarity = entries[new_word, 0]
    wanted = terms.shape[1]
    tokens, most_letters, room = _room(starts, reach, opening)
    letters, at, sums, bounds = _letters(most_letters)
    hashes, kinds, words = np.empty(tokens, np.uint64), np.empty(tokens, np.int8), np.empty((tokens, 2), np.uint32)
    keys, slots = np.empty(8 * room + 128, np.int32), np.empty(8 * room + 128, np.int32)
    bucket, left, right = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    unique, times, which = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    row, pair_row = np.empty(tokens + 3, np.uint64), np.empty(room + 3, np.uint64)
    amount, once = np.zeros(tokens + 3, np.float64), np.ones(room + 3, np.float64)
    run, vector = np.empty(3 * most_letters if len(runs) else 0, np.int32), np.empty(width, np.float64)
    new, news, contribution = np.empty(tokens + 1, np.int32), 0, np.empty(room, np.float64)
    logarithms = np.log(np.maximum(np.arange(256), 1).astype(np.float64)) + 1.0
    logits, totals = np.empty(labels, np.float64), np.empty(width, np.float64)
    for text in range(texts):
        count = _tokenise(
            data, starts[text], starts[text + 1], table, powers, inverses, letters, at, sums, bounds, hashes, kinds, words
        )
        found = _words(count, hashes, reach, opening, bucket)
        for feature in range(np.uint64(found)):  # looked up below, when they are there
            _fetch(cells, np.uint64(np.uint32(bucket[feature])) >> np.uint64(6) << np.uint64(1))
        own, distinct = _distinct(count, found if wanted else count, bucket, keys, slots, unique, times, which)
        # The words' vector has length one, each word in it for 1 + ln(how often it stands there).
        known = _look_up(own, unique, directory, flat, width, new_word, row)
        for feature in range(np.uint64(own)):
            repeats = np.uint32(times[feature])
            amount[feature] = logarithms[repeats] if repeats < 256 else math.log(float(repeats)) + 1.0
        size = _add_up(own, row, amount, flat, width, totals)
        recognised[text] = known > 0
        news = _new_words(count, which, row, new_word, new) if len(runs) and known < own else 0
        for place in range(news):
            _spelled(new[place], letters, kinds, words, bounds, run, run_directory, runs, vector)
            for k in range(1, labels + 1):
                totals[k] += amount[which[new[place]]] * rarity * vector[k]
        norm = 1.0 / size if size > 0 else 0.0
        for k in range(labels):
            logits[k] = bias[k] + totals[k + 1] * norm
        # So has that of pairs and opening words, each in it once for every time that it stands there: nobody counts them.
        _look_up(found - count, bucket[count:], directory, flat, width, absent, pair_row)
        size = _add_up(found - count, pair_row, once, flat, width, totals)
        pair_norm = 1.0 / size if size > 0 else 0.0
        for k in range(labels):
            logits[k] += totals[k + 1] * pair_norm
        highest = logits.max()
        total = 0.0
        for k in range(labels):
            probabilities[text, k] = math.exp(logits[k] - highest)
            total += probabilities[text, k]
        best, chosen, log_total = -math.inf, 0, highest + math.log(total)
        for k in range(labels):
            probabilities[text, k] /= total
            decided = max(logits[k] - log_total, _LEAST_LOG) + offsets[k]
            if decided > best:
                best, chosen = decided, k
        label[text] = chosen
        if wanted:
            usual = _places_of_words(count, reach, opening, left, right)
            contribution[own:distinct] = 0.0
            for feature in range(own):
                contribution[feature] = amount[feature] * norm * entries[row[feature], 1 + chosen]
            for place in range(news):
                _spelled(new[place], letters, kinds, words, bounds, run, run_directory, runs, vector)
                contribution[which[new[place]]] = amount[which[new[place]]] * norm * rarity * vector[1 + chosen]
            for occurrence in range(count, found):
                feature, token = occurrence, left[occurrence]
                if occurrence >= usual:
                    # Of the opening: it counts for the same word or pair anywhere. Words come first, then pairs of neighbours.
                    feature = token if token == right[occurrence] else count + token
                contribution[which[feature]] += pair_norm * entries[pair_row[occurrence - count], 1 + chosen]
            _strongest(wanted, usual, left, right, which, kinds, contribution, terms[text], term_spans[text])
            _locate(data, starts[text], at, words, terms[text], term_spans[text])


@compiled
def _strongest(
    wanted: int, usual: int, left: Any, right: Any, which: Any, kinds: Any, contribution: Any, terms: Any, term_spans: Any
) -> None:
    """The strongest terms, words and pairs, each at its first place. Of `term_spans`, fills the two words, and how far apart they are."""
    terms[:] = 0.0
    least = LEAST_CONTRIBUTION
    seen = -1
    for occurrence in range(usual):
        feature = which[occurrence]
        new = feature > seen  # features are numbered by appearance: another one has been looked at
        seen = max(seen, feature)
        if not new & (contribution[feature] > least):
            continue
        value = math.floor(contribution[feature] * 1e9 + 0.5) / 1e9  # so that what is equal stays in the text's order
        one, other = left[occurrence], right[occurrence]
        if value <= terms[wanted - 1] or (one == other and kinds[one] != WORD):
            continue
        rank = wanted - 1
        while rank > 0 and terms[rank - 1] < value:
            terms[rank] = terms[rank - 1]
            term_spans[rank] = term_spans[rank - 1]
            rank -= 1
        terms[rank] = value
        term_spans[rank, 0], term_spans[rank, 2], term_spans[rank, 4] = one, other, other - one
        least = max(least, terms[wanted - 1] - 1e-9)


@compiled
def _locate(data: Any, first: int, at: Any, words: Any, terms: Any, term_spans: Any) -> None:
    """Put the bytes at which the terms' words begin and end in the place of the words."""
    for rank in range(len(terms)):
        if terms[rank] > 0:
            for side in (0, 2):
                token = term_spans[rank, side]
                final = int(at[words[token, 1] - 1])
                lead = data[first + final]
                term_spans[rank, side] = at[words[token, 0]]
                term_spans[rank, side + 1] = final + (1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4)


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
