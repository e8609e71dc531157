"""What holds for redaction as a whole: measured quality, every rule's example, idempotence, speed on hostile texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

import pytest
from complaints_etl import entities
from complaints_etl.redaction import RULES, TYPES, redact
from complaints_etl.redaction.checksums import is_card, is_clabe, is_iban, is_nit
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import ScannedText

from benchmarks.redaction.__main__ import measure
from benchmarks.redaction.frames import framed
from benchmarks.redaction.sentences import Sentence, in_capitals, sentences
from tests.unit.hostile.attacks import growth

LEARNED = {"precision": 0.92, "recall": 0.95}  # of the kinds that a tagger finds by context


@pytest.mark.parametrize(
    ("found", "destroyed", "least"),
    [
        (lambda: sentences(2000, seed=77), 0, 0.97),
        (lambda: (one for seed in (77, 78, 79) for one in (*framed(seed), *framed(seed, "people_"))), 10, 0.97),
        (
            lambda: map(in_capitals, (*framed(77), *(one for seed in (77, 78, 79) for one in framed(seed, "people_")))),
            4,
            0.95,
        ),
    ],  # no seed of the benchmark's
    ids=["templates", "complaints", "capitals"],
)
@pytest.mark.slow
def test_precision_and_recall_hold_on_labelled_sentences(
    found: Callable[[], Iterable[Sentence]], destroyed: int, least: float
) -> None:
    result = measure(list(found()))
    for kind in TYPES:
        row = result["redaction"][kind]
        assert row["n"] >= 50, kind
        for score, least_learned in LEARNED.items():
            assert row[score] >= (least_learned if kind in ("NAME", "ADDRESS") else least), (kind, score)
    for kind, row in result["entities"].items():
        assert row["f1"] >= 0.95, kind
    assert result["destroyed"] <= destroyed


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_finds_something_in_its_example(rule: Rule) -> None:
    assert rule.find(ScannedText(rule.example))
    assert f"<{rule.type}>" in redact(rule.example)[0]


def test_checksums_of_published_examples() -> None:
    assert is_card("4111111111111111")
    assert not is_card("4111111111111112")
    assert is_iban("GB82 WEST 1234 5698 7654 32")
    assert not is_iban("GB82 WEST 1234 5698 7654 33")
    assert is_clabe("032180000118359719")
    assert is_nit("800197268-4")  # DIAN's own


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("numero123456", "numero123456"),
        ("numero1234567", "numero <REFERENCE>"),
        ("numero123456789012", "numero <REFERENCE>"),
        ("numero1234567890123", "numero1234567890123"),
        ("el 12 dijo cel3105551234", "el 12 dijo cel <PHONE>"),
        ("el 1234 dijo cel3105551234", "el 1234 dijo cel <PHONE>"),
        ("cel3105551234 y cel3105551235", "cel <PHONE> y cel <PHONE>"),
    ],
)
def test_a_number_is_taken_off_the_word_before_it_if_it_may_be_a_number_of_a_person(text: str, expected: str) -> None:
    assert redact(text)[0] == expected


def test_redacting_twice_changes_nothing() -> None:
    for sentence in sentences(300, seed=9):
        once, _ = redact(sentence.text)
        assert redact(once) == (once, {})


HOSTILE = (  # to patterns that backtrack, if repeated
    ("", "9", ""),
    ("", "cuenta no no no ", ""),
    ("", "a@", ""),
    ("", "1-", ""),
    ("", "clave: ", ""),
    ("", "ES12", ""),
    ("", ":", ""),
    ("", "a:", ""),
    ("", "?", ""),
    ("", " a.co?", ""),
    ("", "clave a a a a a a a a a a 1 ", ""),
    ("clave ", "a", ""),
    ("", "social ", ""),
    ("", "<ID_NUMBER> y ", ""),
    ("", "x as my password ", ""),
    ("", "a", "@ and aaaaaaaa @ b"),
)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "again", "after"), HOSTILE)
def test_the_time_grows_with_the_length_alone(before: str, again: str, after: str) -> None:
    def read(text: str) -> None:
        redact(text)
        entities.extract(
            text,
            language="es",
            received=date(2026, 1, 1),
            products=entities.Names.of(("x",)),
            channels=entities.Names.of(("y",)),
            salt="",
        )

    small, large = (before + again * (size // len(again)) + after for size in (8_000, 32_000))
    assert growth(read, small, large) == ""
