"""The words that a review page marks are the words that the model read."""

from __future__ import annotations

import pytest
from complaint_model import features
from complaints_etl.publish.marks import marked_parts, tokenise
from hypothesis import given
from hypothesis import strategies as st

ALPHABET = "aAáÁxX ñÑßİı0159.,/-$'’´_<>é\u0301\u200b\u00a0٣日本한글漢👍🏽𠀀\n\t≠Æﬁ"


@pytest.mark.parametrize(
    ("text", "terms", "marked", "why"),
    [
        ("Me cobraron. COBRÁRON 5.000!", ["cobraron <number>"], ["COBRÁRON 5.000"], "case, accents and digits are folded"),
        ("Recobraron y cobraron", ["cobraron"], ["cobraron"], "never a part of a word"),
        (
            "no me autorizó, no autorizó",
            ["no … autorizó"],
            ["no", "autorizó", "no autorizó"],
            "words with others between them",
        ),
        ("a XX/XX/2019 y <EMAIL>; xxxx", ["xx"], ["XX/XX", "<EMAIL>; xxxx"], "all masks are one word to the model"),
        ("de <EMAIL>, de <PHONE>", ["de <email>"], ["de <EMAIL>", "de <PHONE>"], "a mask is shown as the text has it"),
        ("cobro de 1.234,50 y 3", ["<number>"], ["1.234,50", "3"], "a number is marked to its end"),
        ("la covid19 y covid21", ["covid19"], ["covid19", "covid21"], "digits in a word are folded, too"),
        ("don't pay, dont pay", ["don't"], ["don't", "dont"], "an apostrophe is not a letter"),
        ("漢字 pagué 漢👍", ["漢"], ["漢", "漢"], "an ideograph is a word by itself"),
        ("<글> y <é>", ["글"], ["글"], "only words of alphabets before the ideographs are masks in brackets"),
        ("de <Á'>", ["de <email>"], ["de <Á'>"], "what is no letter may stand before the bracket"),
        ("nada de eso", ["otra", "", " … "], [], "a term that is not in the text, or is none"),
        ("cobro\n doble", ["cobro doble"], ["cobro\n doble"], "white space between neighbours is marked with them"),
    ],
)
def test_terms_are_marked_where_the_model_reads_them(text: str, terms: list[str], marked: list[str], why: str) -> None:
    parts = marked_parts(text, terms)

    assert "".join(parts) == text
    assert parts[1::2] == marked, why


@given(text=st.text(alphabet=ALPHABET, max_size=40))
def test_texts_are_split_as_the_model_splits_them(text: str) -> None:
    ours = tokenise(text)
    models = features.tokenise([text])

    kinds = {"0": 1, "<>": 2}
    assert [kinds.get(token.key, 0) for token in ours] == models.kind.tolist()
    inside = [token.start + (token.key == "<>" and text[token.start] == "<") for token in ours]
    assert inside == models.start.tolist()
    # The same words have the same hash, and others do not.
    assert len({*zip((token.key for token in ours), models.hash.tolist(), strict=True)}) == len({token.key for token in ours})
    assert len({token.key for token in ours}) == len(set(models.hash.tolist()))
