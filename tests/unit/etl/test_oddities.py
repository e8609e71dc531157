"""Cleaning skips a step only for texts that the step leaves as they are."""

from __future__ import annotations

import os
import re

import pyarrow as pa
from complaints_etl import cleaning
from complaints_etl.oddities import REPEATED, SPACES, UNUSUAL, oddities
from hypothesis import given, settings
from hypothesis import strategies as st

CASES = 20_000 if os.environ.get("PTMLOPS_NIGHTLY") else 1000
# What each step changes, in Python's notation; a search for it is what the marks stand in for.
_NEEDED = {
    UNUSUAL: re.compile(cleaning._CONTROL[:-1] + cleaning._LEADS + "\u200d&<\r]"),
    SPACES: re.compile(r"  |[^\S ]|[\x0b\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"),
    REPEATED: re.compile(r"([!?.,;:*=_\-])\1{3}|([^\W\d_Xx])\2{3}"),
}
_BITS = [
    *"aAñÑ ªß.!-_\n\t\r\x0b\x00\x1f\x7f\x85\xa0\xad&<",
    *cleaning._LEADS,
    "",
    "\u2028",
    "\u200b",
    "\u200d",
    "\u3000",
    "\ufeff",
    "…",
    "’",
    "€",
    "日",
    "é",
    "😀",
]
texts = st.lists(
    st.none() | st.lists(st.sampled_from(_BITS) | st.characters(exclude_categories=["Cs"]), max_size=12).map("".join),
    max_size=6,
)


@settings(max_examples=CASES, deadline=None)
@given(texts, st.integers(0, 3))
def test_what_a_step_would_change_is_marked_for_it(found: list[str | None], first: int) -> None:
    marks = oddities(pa.array(found, pa.string()).slice(first)).to_pylist()
    assert len(marks) == len(found[first:])
    for text, mark in zip(found[first:], marks, strict=True):
        for step, pattern in _NEEDED.items():
            assert mark & (step | UNUSUAL) or not pattern.search(text or "")


def test_usual_texts_are_not_marked() -> None:
    usual = ["¿Dónde está mi dinero? «Nada», dijo – “mañana” vuelvo… cuesta 5 €.", "The bank's app didn’t work.", "", None]
    assert oddities(pa.array(usual)).to_pylist() == [0, 0, 0, 0]
    assert oddities(pa.array(["a  b", "a\nb", "nooooo", "ñññññ", "a&amp;b", "quÃ©"])).to_pylist() == [
        SPACES, SPACES, REPEATED, REPEATED, UNUSUAL, UNUSUAL,
    ]  # fmt: skip
