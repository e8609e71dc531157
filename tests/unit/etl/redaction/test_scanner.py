"""A scanned text finds what a search of the whole text finds, by itself and as one of a batch."""

from __future__ import annotations

import os
import re
from collections import Counter

import pytest
from complaints_etl import entities, redaction
from complaints_etl.entities import amounts, dates
from complaints_etl.redaction.context import find_by_context
from complaints_etl.redaction.engine import apply_rules, separate_numbers
from complaints_etl.redaction.scanner import ScannedText, prefix_index
from complaints_etl.text.normalize import fold
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CASES = 5000 if os.environ.get("PTMLOPS_NIGHTLY") else 500
_BITS = [
    "mi ", "cédula ", "C.C. ", "cc", "NIT ", "nit.", "cuenta ", "cta.", "acct ending in ", "cel ", "tel:", "llámame al ", "caso ", "Ref ",
    "radicado ", "order #", "PIN: ", "clave es ", "http://a.co/x?", "@", "ana@example.com", "+57 ", "(601) ", "3001234567", "300 123 4567",
    "1.023.456.789", "900.123.456-8", "4000 0000 0000 0002", "ES91 2100 0418 4502 0005 1332", "032180000118359719", "192.168.1.1",
    "12", "2024", "-", ".", ",", "/", " ", "\n", "  ", "A", "BC-12345", "B1234567", "de ", "es ", "número ", "pesos", "$", "€", "US$ ", "COP",
    "mil", " millones", "USD", "MXN ", "4 de mayo", "May 4, 2024", "3/04/2026", "2026-04-03", "st", "10 abr", "İ", "ñ", "%", "tarjetas de crédito",
    "credit cards", "app", "apps", "x", "_", "ayer", "anteayer", "hace 3 días", "5 days ago", "the day before yesterday",
    "el pasado lunes", "Miércoles", " pasado ", "last Friday", "last ", "GB82WEST12345698765432", "AB", "AB-", "12345",
]  # fmt: skip
texts = st.lists(st.sampled_from(_BITS) | st.text(max_size=3), max_size=14).map("".join)
many = settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))


def redacted_by_searching(text: str) -> tuple[str, dict[str, int]]:
    """Apply each rule's pattern to the whole text: redact() without any shortcut."""
    counts: Counter[str] = Counter()
    original, text = text, separate_numbers(ScannedText(text)).text
    for rule in redaction.RULES:
        parts, end = [], 0
        for match in rule.pattern.finditer(text):
            if rule.admits(match):
                parts += [text[end : rule.value_start(match)], f"<{rule.type}>"]
                end = match.end()
                counts[rule.type] += 1
        text = "".join([*parts, text[end:]])
    for span in reversed(list(find_by_context(ScannedText(text), alone=True))):
        text = f"{text[: span.start]}<{span.type}>{text[span.end :]}"
        counts[span.type] += 1
    return text if counts else original, dict(counts)


NAMES = entities.Names.of(("tarjeta de crédito", "credit card", "app", "card"))
GROUPS = (*redaction.PREFIXES, *entities.PREFIXES, NAMES.prefixes)


def ways(text: str) -> list[ScannedText]:
    """Return the text scanned by itself, and as one of a batch."""
    return [ScannedText(text), prefix_index(GROUPS).scan(["ayer cc ", text, "9"])[1]]


@many
@given(texts)
@pytest.mark.slow
def test_redaction_finds_what_a_search_of_the_whole_text_finds(text: str) -> None:
    for scanned in ways(text):
        assert apply_rules(scanned)[:2] == redacted_by_searching(text)


@many
@given(texts)
@pytest.mark.slow
def test_amounts_and_days_of_months_are_those_of_a_search_of_the_whole_text(text: str) -> None:
    for scanned in ways(text):
        runs = scanned.runs()
        assert runs == [(*match.span(), match[0]) for match in re.finditer(r"\d[\d.,/\-]*", text)]
        found = [match.span() for match in amounts.amount_matches(text, runs)]
        assert found == [match.span() for match in amounts.AMOUNT.finditer(text)]
        days = sorted(match.span() for _, _, match in dates.days_of_months(text, runs))
        searched = [match.span() for match in dates.DAY_MONTH.finditer(text)]
        for match in dates.DAY_AFTER.finditer(text):
            if dates.MONTH_ENDS.search(text, max(0, match.start() - dates.LONGEST_MONTH), match.start()):
                searched.append(match.span())
        assert days == sorted(searched)


@many
@given(texts)
@pytest.mark.slow
def test_names_and_relative_days_are_those_of_a_search_of_the_whole_text(text: str) -> None:
    mentioned = {match.lastgroup for match in NAMES.pattern.finditer(fold(text))}
    expected = tuple(name for index, name in enumerate(NAMES.names) if f"n{index}" in mentioned)
    for scanned in ways(text):
        assert entities.find_mentions(scanned, NAMES) == expected
        assert scanned.may_contain(dates.AGO_PREFIXES) or not dates.AGO.search(text)
        for relative, prefixes in (
            (dates.HACE, dates.HACE_PREFIXES),
            (dates.NAMED_DAY, dates.NAMED_DAY_PREFIXES),
            (dates.LAST_WEEKDAY, dates.WEEKDAY_PREFIXES),
        ):
            found = [match.span() for match in scanned.matches(relative, prefixes)]
            assert found == [match.span() for match in relative.finditer(text)]


def test_names_that_do_not_begin_with_a_latin_word_are_found_too() -> None:
    names = ("+plus", "日本銀行", "x", "24/7")
    group = entities.Names.of(names)
    [scanned] = prefix_index((group.prefixes,)).scan(["mi 日本銀行 y el x de 24/7"])
    assert entities.find_mentions(scanned, group) == ("日本銀行", "x", "24/7")
