"""No regular expression that ships takes more than linear time on a text that is made to slow it down.

Checkers of regular expressions were looked at, and none reads these: they know JavaScript's syntax or the literals of a source file, and
these patterns are made of lexicons. So each is measured, as Python compiles and runs it (attacks.py).
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from complaints_etl.readers.encoding import LONE_SURROGATE

from tests.unit.hostile import attacks

ROOT = Path(__file__).resolve().parents[3]
READS_BYTES_OF_FILES = ("complaints_etl.text", "complaints_etl.redaction", "complaints_etl.entities", "complaints_etl.readers")
AT_ONCE = 0.01  # seconds: what a text of limited length may take

# Patterns that are superlinear, and read texts of limited length only: the limit in characters, and what sets it.
LIMITED = {
    "complaints_etl.records.dates._CLOCKS": (100, "a longer cell is not a date: records.dates._LONGEST"),
    "complaints_etl.records.dates._AROUND_CLOCK": (100, "a longer cell is not a date: records.dates._LONGEST"),
    "complaints_etl.redaction.kinds.accounts._NUMBER_AT_END": (60, "the characters before the word for an account"),
    "complaints_etl.redaction.kinds.passwords._is_my_password": (42, "the rule's value has at most 41 characters"),
}
# Patterns that are superlinear in a search, and are tried at a few places of a text, of which none is in what another one reads.
AT_GIVEN_PLACES = {
    "complaints_etl.readers.json_document._BETWEEN": "`match` behind each value of an array",
    "complaints_etl.readers.text_rows._ITEM": "`match` at the beginning of each line",
    "complaints_etl.redaction.columns._WHOLE": "`match` of a column's name, if no other words rule it out",
    "complaints_etl.redaction.context._TURN_ENDS": "`match` behind a number",
    "complaints_etl.redaction.notation._FOLLOWS_QUANTITY": "`match` behind a number",
}
# Patterns that read only what PTMLops itself wrote. In its pages, complaints are escaped, so that no tag is theirs.
OWN_DOCUMENTS = {
    "complaints_etl.lexicon.lexicon._ACCENTED": "terms of the lexicons",
    "complaints_etl.lexicon.lexicon._LOOK_AHEAD": "terms of the lexicons",
    "complaints_etl.lexicon.lexicon._GROUP": "terms of the lexicons",
    "complaints_etl.publish.excel._frame": "an empty workbook of one row",
    "record_run.report_costs._TEMPLATE": "report.html",
    "record_run.report_costs._FILLED": "report.html",
    "record_run.report_costs._ROW": "a section of report.html",
    "record_run.report_costs._OTHER_REGION": "a section of report.html",
    "ptmlops.erasure.formats.pages._DATA": "review.html",
    "ptmlops.erasure.formats.pages._EXAMPLE": "report.html",
}


class Shipped(NamedTuple):
    """A pattern with its name, if a module has one for it, and how it is used."""

    pattern: re.Pattern[Any]
    name: str
    where: str
    searched: bool


@cache
def shipped(*packages: str) -> list[Shipped]:
    """Return the patterns of some packages, or of all that ships."""
    program = [sys.executable, str(Path(__file__).with_name("patterns.py")), *packages]
    found = json.loads(subprocess.run(program, check=True, capture_output=True, cwd=ROOT, text=True).stdout)
    return [
        Shipped(
            re.compile(row["pattern"].encode("latin-1") if row["bytes"] else row["pattern"], row["flags"]),
            row["name"],
            row["where"],
            searched=not set(row["uses"]) <= {"match", "fullmatch"},
        )
        for row in found["patterns"]
    ]


def superlinear(patterns: list[Shipped], *, sizes: tuple[int, int] = attacks.SIZES, rounds: int = 2) -> list[str]:
    """Return what is wrong with the patterns that are slow, one line for each."""
    found = []
    for one in patterns:
        for pump in attacks.pumps(one.pattern, rounds=rounds):
            searched = one.searched and one.name not in AT_GIVEN_PLACES
            if slow := attacks.slowness(one.pattern, pump, searched=searched, sizes=sizes):
                begin, middle, end = pump
                text = " ".join(filter(None, (begin and repr(begin), f"{middle!r} * n", end and repr(end))))
                found.append(f"{one.where} {one.name}: {slow}, for {text}")
                break
    return found


def checked(*packages: str) -> list[Shipped]:
    return [one for one in shipped(*packages) if one.name not in LIMITED and one.name not in OWN_DOCUMENTS]


def test_patterns_that_read_files_take_linear_time() -> None:
    patterns = checked(*READS_BYTES_OF_FILES)
    assert len(patterns) > 200
    assert superlinear(patterns, sizes=(512, 2048), rounds=1) == []


@pytest.mark.nightly
def test_every_shipped_pattern_takes_linear_time() -> None:
    patterns = checked()
    assert {one.where.partition("/")[0] for one in patterns} == {
        "glue_jobs",
        "lambdas",
        "training",
        "ptmlops",
        "ptmlops_contracts",
    }
    assert superlinear(patterns) == []


@pytest.mark.nightly
def test_superlinear_patterns_read_texts_of_limited_length_at_once() -> None:
    limited = [one for one in shipped() if one.name in LIMITED]
    assert {one.name for one in limited} == set(LIMITED)
    for one in limited:
        longest, why = LIMITED[one.name]
        for pump in attacks.pumps(one.pattern):
            text = attacks.text_of(pump, longest)[-longest:]
            took = min(attacks.seconds(attacks.calls(one.pattern, searched=True), text) for _ in range(3))
            assert took < AT_ONCE, (one.name, pump, why)


@pytest.mark.nightly
def test_each_exception_names_a_pattern_that_ships_and_needs_it() -> None:
    names = {one.name for one in shipped()}
    assert {*LIMITED, *AT_GIVEN_PLACES, *OWN_DOCUMENTS} <= names
    excepted = [one for one in shipped() if one.name in {*LIMITED, *OWN_DOCUMENTS, *AT_GIVEN_PLACES}]
    needless = {one.name for one in excepted} - {
        one.name
        for one in excepted
        if any(attacks.slowness(one.pattern, pump, sizes=(1024, 4096)) for pump in attacks.pumps(one.pattern))
    }
    assert not needless


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"\d+x", "each digit begins a scan of all digits behind it"),
        (r"https?://[^\s?#]+[?#]", "each link of a text without spaces begins a scan"),
        (r"\s+\Z", "each space begins a scan of all spaces behind it"),
        (r"(?:a+)+b", "a run can be divided in two to the power of its length ways"),
        (r"\w+\d+;", "each letter or digit can end the first part"),
        (r"<b>.*?</b>", "each tag begins a scan for an end that is not there"),
        (r"(?:x|xx)*y", "a pair is one part or two"),
    ],
)
def test_the_check_finds_superlinear_patterns(pattern: str, why: str) -> None:
    compiled = re.compile(pattern)
    assert any(attacks.slowness(compiled, pump, sizes=(512, 2048)) for pump in attacks.pumps(compiled, rounds=1)), why


@pytest.mark.parametrize(
    "pattern", [r"(?<!\d)\d++x", r"https?://[^\s?#]++(?:[?#]\S+)?", r"(?:a|b)+c?", r"<b>[^<]*+</b>", r"\d{1,40}x"]
)
def test_the_check_admits_linear_patterns(pattern: str) -> None:
    compiled = re.compile(pattern)
    assert not any(attacks.slowness(compiled, pump) for pump in attacks.pumps(compiled))


def _read(text: str) -> None:
    from complaints_etl.readers import read_table
    from complaints_etl.readers.table import UnreadableFileError

    for name, header in (("a.csv", "text,label\n"), ("a.txt", "")):
        with contextlib.suppress(UnreadableFileError):
            for _ in read_table(
                name, (header + text).encode("utf-8", "replace"), {"text": ("text",), "label": ("label",)}
            ).rows:
                pass


def _clean(text: str) -> None:
    from complaints_etl.text.cleaning import clean_cell, clean_text

    clean_text(text, max_characters=10_000)
    clean_cell(text)


def _redact(text: str) -> None:
    from complaints_etl.redaction import redact

    redact(f"{text} 1")  # a text without any figure is not read by most rules


def _extract(text: str) -> None:
    from complaints_etl import entities

    names = entities.Names.of(("tarjeta de crédito", "app"))
    entities.extract(text, language="es", received=date(2026, 1, 1), products=names, channels=names, salt="")


@pytest.mark.nightly
@pytest.mark.parametrize("step", [_read, _clean, _redact, _extract])
def test_texts_against_any_pattern_take_linear_time_through_a_whole_step(step: Callable[[str], None]) -> None:
    """The code around a pattern decides what it is given, so all of it is measured, with the worst texts for each pattern."""
    slow = []
    for one in shipped(*READS_BYTES_OF_FILES):
        run = attacks.calls(one.pattern, searched=True)
        worst = [pump for pump in attacks.pumps(one.pattern) if one.name not in OWN_DOCUMENTS]
        worst.sort(key=lambda pump: -attacks.seconds(run, attacks.encoded(one.pattern, attacks.text_of(pump, 400))))
        for pump in worst[:2]:
            small, large = (LONE_SURROGATE.sub("\ufffd", attacks.text_of(pump, size)) for size in (4096, 16384))
            if found := attacks.growth(step, small, large):
                slow.append(f"{one.where} {one.name}: {found}, for {pump}")
    assert slow == []
