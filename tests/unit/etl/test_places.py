"""Patterns are tried only where a match can begin: what they find there is what they find in the whole text."""

from __future__ import annotations

import os
import re
from collections import Counter

from complaints_etl import facts, redaction
from complaints_etl.leftovers import leftovers
from complaints_etl.places import Text, lookup
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
    """redact() without any shortcut."""
    found: Counter[str] = Counter()
    for rule in redaction._RULES:
        parts, end = [], 0
        for match in rule.pattern.finditer(text):
            if not rule.check or rule.check(match):
                kept = match["keep"] if "keep" in rule.pattern.groupindex else ""
                parts += [text[end : match.start()], kept, f"<{rule.type}>"]
                end = match.end()
                found[rule.type] += 1
        text = "".join([*parts, text[end:]])
    for left in reversed(list(leftovers(Text(text), alone=True))):
        text = f"{text[: left.start]}<{left.type}>{text[left.end :]}"
        found[left.type] += 1
    return text, dict(found)


NAMES = facts.Names.of(("tarjeta de crédito", "credit card", "app", "card"))
GROUPS = (*redaction.STARTS, *facts.STARTS, NAMES.starts)


def ways(text: str) -> list[Text]:
    """The text by itself, and as one of a batch."""
    return [Text(text), lookup(GROUPS).look(["ayer cc ", text, "9"])[1]]


@many
@given(texts)
def test_redaction_finds_what_a_search_of_the_whole_text_finds(text: str) -> None:
    for seen in ways(text):
        assert redaction.redact(seen) == redacted_by_searching(text)


@many
@given(texts)
def test_amounts_and_days_of_months_too(text: str) -> None:
    for seen in ways(text):
        runs = seen.runs()
        assert runs == [(*match.span(), match[0]) for match in re.finditer(r"\d[\d.,/\-]*", text)]
        amounts = [match.span() for match in facts._amount_matches(text, runs)]
        assert amounts == [match.span() for match in facts._AMOUNT.finditer(text)]
        days = sorted(match.span() for _, _, match in facts._days_of_months(text, runs))
        searched = [match.span() for match in facts._DAY_MONTH.finditer(text)]
        for match in facts._DAY_AFTER.finditer(text):
            if facts._MONTH_ENDS.search(text, max(0, match.start() - facts._LONGEST_MONTH), match.start()):
                searched.append(match.span())
        assert days == sorted(searched)


@many
@given(texts)
def test_names_and_relative_days_too(text: str) -> None:
    folded = facts.fold(text)
    mentioned = {match.lastgroup for match in NAMES.pattern.finditer(folded)}
    for seen in ways(text):
        assert facts.mentions(seen, NAMES) == tuple(name for index, name in enumerate(NAMES.names) if f"n{index}" in mentioned)
        assert seen.may_hold(facts._AGO_STARTS) or not facts._AGO.search(text)
        for relative, starts in (
            (facts._HACE, facts._HACE_STARTS),
            (facts._NAMED_DAY, facts._NAMED_STARTS),
            (facts._LAST_WEEKDAY, facts._WEEKDAY_STARTS),
        ):
            found = [match.span() for match in seen.matches(relative, starts)]
            assert found == [match.span() for match in relative.finditer(text)]


def test_names_that_do_not_begin_with_a_latin_word_are_found_too() -> None:
    names = ("+plus", "日本銀行", "x", "24/7")
    group = facts.Names.of(names)
    [seen] = lookup((group.starts,)).look(["mi 日本銀行 y el x de 24/7"])
    assert facts.mentions(seen, group) == ("日本銀行", "x", "24/7")
