"""Tokens and hashed n-grams: what is folded away, what is kept, and that vectorised hashing equals a plain loop."""

from __future__ import annotations

import unicodedata
from collections import Counter

import numpy as np
import pytest
from complaint_model import acceleration, features
from hypothesis import example, given, settings
from hypothesis import strategies as st

MASK = (1 << 64) - 1


def buckets(text: str) -> Counter[int]:
    return Counter(features.word_occurrences(features.tokenise([text]), 3, 0).bucket.tolist())


def runs(text: str) -> set[tuple[int, int]]:
    """(word, run of its letters), as buckets."""
    words, buckets = features.spell([text], np.zeros(1 << features.WORD_BITS, dtype=np.bool_))
    return set(zip(words.tolist(), buckets.tolist(), strict=True))


def words(text: str) -> list[str]:
    tokens = features.tokenise([text])
    return [text[start:end] for start, end in zip(tokens.start, tokens.end, strict=True)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Él no PAGÓ la comisión", "el no pago la comision"),
        (unicodedata.normalize("NFC", "suplantación"), unicodedata.normalize("NFD", "suplantación")),
        ("cobro   de \t 3\n cuotas", "cobro de 9 cuotas"),
        ("pagué $1.234.567,50 ayer", "pagué $ 80 ayer"),
        ("on XX/XX/2019 I paid", "on XX/XX/XXXX 1 I paid".replace("XXXX 1", "2021")),
        ("write to <EMAIL> now", "write to <PHONE_NUMBER> now"),
        ("my name is XXXX XXXX", "my name is XXXX"),
        ("I don't know", "I don’t know"),
        ("I don't know", "I dont know"),
        ("zero\u200bwidth", "zerowidth"),
    ],
)
def test_what_does_not_tell_complaints_apart_is_folded_away(one: str, other: str) -> None:
    assert buckets(one) == buckets(other)
    assert runs(one) == runs(other)


@pytest.mark.parametrize(("one", "other"), [("año", "ayer"), ("no pago", "pago no"), ("карта", "счёт"), ("漢字", "字漢")])
def test_what_tells_complaints_apart_is_kept(one: str, other: str) -> None:
    assert buckets(one) != buckets(other)


def test_words_of_any_script_and_only_words() -> None:
    assert words("Hola,mundo! Привет мир 漢字 🙂 ab\u2028cd\x00ef") == [
        "Hola",
        "mundo",
        "Привет",
        "мир",
        "漢",
        "字",
        "ab",
        "cd",
        "ef",
    ]


def test_pairs_never_cross_from_one_text_to_the_next() -> None:
    tokens = features.tokenise(["tarjeta", "crédito"])
    apart = features.word_occurrences(tokens, 3, 0)
    assert len(apart.bucket) == 2
    assert len(buckets("tarjeta crédito")) == 3


@pytest.mark.parametrize("texts", [[""], ["", ""], ["…"], [" \n"], ["\x00"], ["\ud800"]])
def test_texts_without_words_have_no_features(texts: list[str]) -> None:
    tokens = features.tokenise(texts)
    assert len(features.word_occurrences(tokens, 3, 0).bucket) == 0
    assert runs(texts[0]) == set()


def _plain_hash(word: str) -> int:
    """The polynomial of the module's docstring, by a loop."""
    total, power = 0, 1
    for letter in word:
        total, power = (total + ord(letter) * power) & MASK, (power * 0x9E3779B97F4A7C15) & MASK
    return total


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="abcdefghijklmnopqrstuvñwyzя", min_size=1, max_size=12), min_size=1, max_size=20))
def test_hashes_equal_a_plain_loop_wherever_the_word_stands(parts: list[str]) -> None:
    tokens = features.tokenise(["prefix", " ".join(parts)])
    assert tokens.hash[1:].tolist() == [_plain_hash(part.replace("ñ", "n")) for part in parts]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_a_text_has_the_same_features_alone_and_in_a_batch(texts: list[str]) -> None:
    tokens = features.tokenise(texts)
    found = features.word_occurrences(tokens, 3, 0)
    for index, text in enumerate(texts):
        assert Counter(found.bucket[found.document == index].tolist()) == buckets(text)


def test_words_that_are_written_alike_have_runs_of_letters_in_common() -> None:
    one, other, third = ({run for _, run in runs(word)} for word in ("transferencia", "transferensia", "XXXX"))
    assert len(one) == 14 + 13 + 12  # of "_transferencia_", of 2, 3 and 4 letters, each other than the rest
    assert len(one & other) == 12 + 10 + 8  # those that do not touch the letter
    assert len(third) == 3  # a mask is one letter


def test_a_word_is_spelled_once_in_all_batches() -> None:
    seen = np.zeros(1 << features.WORD_BITS, dtype=np.bool_)
    words, _ = features.spell(["no llegó", "no"], seen)
    again, _ = features.spell(["no pago"], seen)
    assert len(set(words.tolist())) == 2
    assert len(set(again.tolist())) == 1
    assert not set(words.tolist()) & set(again.tolist())


def test_buckets_are_spread_evenly() -> None:
    found = features.word_occurrences(
        features.tokenise([f"{a}{b}{c}" for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwyzabcde"]),
        1,
        0,
    )
    assert len(np.unique(found.bucket)) >= 998
    assert abs(float(found.bucket.mean()) / (1 << features.WORD_BITS) - 0.5) < 0.05


def test_words_pairs_and_opening_words_have_buckets_of_their_own() -> None:
    text = " ".join(f"{a}{b}" for a in "abcdefghij" for b in "klmnopqrst")
    found = features.word_occurrences(features.tokenise([text]), 1, 50)
    plain = np.arange(len(found.bucket)) < 100
    assert found.bucket[plain].max() < 1 << features.WORD_BITS
    others = found.bucket[~plain] - features.PAIRS
    assert others.min() >= 0
    assert others.max() < features.PAIRS
    assert abs(float(others.mean()) / features.PAIRS - 0.5) < 0.1


TEXTS = st.lists(
    st.text(max_size=80) | st.text(alphabet="aáñXx0123 <>_.,/'’漢字한㐀𠀁\u0301\u200b\ud800🙂", max_size=80),
    min_size=1,
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(0, 4))
@example(["<", "㐀>"], 0)
@example(["<㐀", ">"], 0)
@example(["<㐀", "<㐀>", "<𠀁\u200b>"], 1)
@example(["fifteen letters0", "0 and a 20", "on 12/03/2019 it's", "ñandú 2,000 años"], 2)  # where sixteen bytes end
def test_compiled_features_are_those_of_numpy(texts: list[str], reach: int) -> None:
    data, starts = features.packed(texts)
    folded = (data, starts, features.fold_table(), *features.powers_for(starts))
    compiled = acceleration.call("count_features", *folded, reach, 3)
    assert compiled is not None
    order = np.lexsort((compiled[1], compiled[0]))
    occurrences = features.word_occurrences(features.tokenise(texts), reach, 3)
    for ours, theirs in zip(compiled, features.counts(occurrences), strict=True):
        assert ours[order].tolist() == theirs.tolist()


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_compiled_spelling_is_that_of_numpy(texts: list[str]) -> None:
    seen = [np.zeros(1 << features.WORD_BITS, dtype=np.bool_) for _ in range(2)]
    fast = features.spell(texts, seen[0])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(acceleration, "call", lambda *_: None)
        slow = features.spell(texts, seen[1])
    assert np.array_equal(*seen)
    fast_pairs, slow_pairs = (Counter(zip(*(part.tolist() for part in found), strict=True)) for found in (fast, slow))
    assert fast_pairs == slow_pairs


def test_pairs_reach_as_far_as_they_are_asked_to() -> None:
    tokens = features.tokenise(["uno dos tres cuatro", "cinco"])
    pairs = features.word_occurrences(tokens, 2, 0)
    apart = (pairs.right - pairs.left).tolist()
    assert Counter(apart) == {0: 5, 1: 3, 2: 2}


def test_the_first_words_of_a_text_are_features_of_their_own_and_are_told_as_the_words_that_they_are() -> None:
    tokens = features.tokenise(["uno dos tres dos", "dos"])
    usual = features.word_occurrences(tokens, 1, 0)
    found = features.word_occurrences(tokens, 1, 2)
    assert found.bucket[: len(usual.bucket)].tolist() == usual.bucket.tolist()
    opening = slice(len(usual.bucket), None)
    places = list(zip(found.left[opening].tolist(), found.right[opening].tolist(), strict=True))
    assert places == [(0, 0), (1, 1), (4, 4), (0, 1)]
    assert not set(found.bucket[opening].tolist()) & set(usual.bucket.tolist())
    told = dict(zip(zip(usual.left, usual.right, strict=True), usual.bucket, strict=True))
    assert found.term[opening].tolist() == [told[place] for place in places]


def test_where_pairs_reach_farther_neighbours_are_features_of_their_own_and_words_are_not_again() -> None:
    tokens = features.tokenise(["uno dos tres dos", "dos"])
    usual = features.word_occurrences(tokens, 2, 0)
    found = features.word_occurrences(tokens, 2, 3)
    opening = slice(len(usual.bucket), None)
    assert list(zip(found.left[opening].tolist(), found.right[opening].tolist(), strict=True)) == [(0, 1), (1, 2)]
    assert not set(found.bucket[opening].tolist()) & set(usual.bucket.tolist())
    told = dict(zip(zip(usual.left, usual.right, strict=True), usual.bucket, strict=True))
    assert found.term[opening].tolist() == [told[0, 1], told[1, 2]]
