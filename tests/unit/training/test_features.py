"""Tokens and hashed n-grams: what is folded away, what is kept, and that vectorised hashing equals a plain loop."""

from __future__ import annotations

import unicodedata
from collections import Counter

import numpy as np
import pytest
from complaint_model import features
from complaint_model.hashing import BUCKET_BITS, PAIRS, WORD_BITS
from hypothesis import example, given, settings
from hypothesis import strategies as st

MASK = (1 << 64) - 1


def buckets(text: str) -> Counter[int]:
    return Counter(features.word_occurrences(features.tokenise([text]), 3, 0).bucket.tolist())


def ngrams(text: str) -> set[tuple[int, int]]:
    """Return (word, character n-gram) buckets."""
    words, buckets = features.spell([text], np.zeros(1 << WORD_BITS, dtype=np.bool_))
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
def test_differences_that_do_not_distinguish_complaints_are_folded_away(one: str, other: str) -> None:
    assert buckets(one) == buckets(other)
    assert ngrams(one) == ngrams(other)


@pytest.mark.parametrize(("one", "other"), [("año", "ayer"), ("no pago", "pago no"), ("карта", "счёт"), ("漢字", "字漢")])
def test_differences_that_distinguish_complaints_are_kept(one: str, other: str) -> None:
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
    assert ngrams(texts[0]) == set()


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
@pytest.mark.slow
def test_a_text_has_the_same_features_alone_and_in_a_batch(texts: list[str]) -> None:
    tokens = features.tokenise(texts)
    found = features.word_occurrences(tokens, 3, 0)
    for index, text in enumerate(texts):
        assert Counter(found.bucket[found.document == index].tolist()) == buckets(text)


def test_words_with_similar_spelling_share_character_ngrams() -> None:
    one, other, third = ({ngram for _, ngram in ngrams(word)} for word in ("transferencia", "transferensia", "XXXX"))
    assert len(one) == 14 + 13 + 12  # of "_transferencia_", of 2, 3 and 4 letters, each other than the rest
    assert len(one & other) == 12 + 10 + 8  # those that do not touch the letter
    assert len(third) == 3  # a mask is one letter


def test_a_word_is_spelled_once_in_all_batches() -> None:
    seen = np.zeros(1 << WORD_BITS, dtype=np.bool_)
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
    assert abs(float(found.bucket.mean()) / (1 << WORD_BITS) - 0.5) < 0.05


def test_words_and_pairs_and_lead_words_have_separate_buckets() -> None:
    text = " ".join(f"{a}{b}" for a in "abcdefghij" for b in "klmnopqrst")
    found = features.word_occurrences(features.tokenise([text]), 1, 50)
    plain = np.arange(len(found.bucket)) < 100
    assert found.bucket[plain].max() < 1 << WORD_BITS
    others = found.bucket[~plain] - PAIRS
    assert others.min() >= 0
    assert others.max() < PAIRS
    assert abs(float(others.mean()) / PAIRS - 0.5) < 0.1


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
@example(["fifteen letters0", "0 and a 20", "on 12/03/2019 it's", "ñandú 2,000 años"], 2)  # at the end of sixteen bytes
@pytest.mark.slow
def test_compiled_features_are_those_of_numpy(texts: list[str], max_skip: int) -> None:
    found = features.count_features(texts, max_skip=max_skip, lead_words=3)
    order = np.lexsort((found[1], found[0]))
    occurrences = features.word_occurrences(features.tokenise(texts), max_skip, 3)
    keys, count = np.unique((occurrences.document << BUCKET_BITS) | occurrences.bucket, return_counts=True)
    expected = keys >> BUCKET_BITS, keys & ((1 << BUCKET_BITS) - 1), count
    for ours, theirs in zip(found, expected, strict=True):
        assert ours[order].tolist() == theirs.tolist()


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_compiled_character_ngrams_are_those_of_numpy(texts: list[str]) -> None:
    seen = np.zeros(1 << WORD_BITS, dtype=np.bool_)
    found = features.spell(texts, seen)
    tokens = features.tokenise(texts)
    words = features.word_occurrences(tokens, 0, 0)
    _, first = np.unique(words.bucket, return_index=True)
    place, bucket = features.char_ngrams(tokens, first)
    assert np.flatnonzero(seen).tolist() == np.unique(words.bucket).tolist()
    assert Counter(zip(*(part.tolist() for part in found), strict=True)) == Counter(
        zip(words.bucket[first][place].tolist(), bucket.tolist(), strict=True)
    )


def test_pairs_are_at_most_max_skip_apart() -> None:
    tokens = features.tokenise(["uno dos tres cuatro", "cinco"])
    pairs = features.word_occurrences(tokens, 2, 0)
    apart = (pairs.right - pairs.left).tolist()
    assert Counter(apart) == {0: 5, 1: 3, 2: 2}


def test_lead_words_are_features_of_their_own_and_explained_as_plain_words() -> None:
    tokens = features.tokenise(["uno dos tres dos", "dos"])
    usual = features.word_occurrences(tokens, 1, 0)
    found = features.word_occurrences(tokens, 1, 2)
    assert found.bucket[: len(usual.bucket)].tolist() == usual.bucket.tolist()
    lead = slice(len(usual.bucket), None)
    places = list(zip(found.left[lead].tolist(), found.right[lead].tolist(), strict=True))
    assert places == [(0, 0), (1, 1), (4, 4), (0, 1)]
    assert not set(found.bucket[lead].tolist()) & set(usual.bucket.tolist())
    buckets_of = dict(zip(zip(usual.left, usual.right, strict=True), usual.bucket, strict=True))
    assert found.term[lead].tolist() == [buckets_of[place] for place in places]


def test_with_skip_bigrams_the_lead_features_are_pairs_of_neighbours_only() -> None:
    tokens = features.tokenise(["uno dos tres dos", "dos"])
    usual = features.word_occurrences(tokens, 2, 0)
    found = features.word_occurrences(tokens, 2, 3)
    lead = slice(len(usual.bucket), None)
    assert list(zip(found.left[lead].tolist(), found.right[lead].tolist(), strict=True)) == [(0, 1), (1, 2)]
    assert not set(found.bucket[lead].tolist()) & set(usual.bucket.tolist())
    buckets_of = dict(zip(zip(usual.left, usual.right, strict=True), usual.bucket, strict=True))
    assert found.term[lead].tolist() == [buckets_of[0, 1], buckets_of[1, 2]]
