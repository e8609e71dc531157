"""Find dates in a text: `2026-04-03`, `3/4/2026`, `4 de mayo`, `May 4, 2026`, `hace 3 días`, `last Friday`."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from complaints_etl.lexicon import LEXICON, any_of
from complaints_etl.redaction.scanner import Prefixes, Run, ScannedText
from complaints_etl.text.normalize import fold_spanish

_MONTH = rf"(?P<month>{any_of(sorted(LEXICON.months, key=len, reverse=True))})\b\.?"
_WEEKDAY = f"(?:{LEXICON.pattern('dates', 'weekdays')})"
_COUNT = rf"(?P<count>\d{{1,3}}|{any_of(LEXICON.numbers)})"
_UNIT = "(?:" + any_of(f"(?P<{unit}>{names})" for unit, names in LEXICON.date_units().items()) + ")"

_ISO = re.compile(r"(?<![\d/\-])(?P<year>(?:19|20)\d{2})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?![\d/\-])")
_SHORTEST_DATE = len("1/1/26")
_NUMERIC = re.compile(
    r"(?<![\d/\-.])(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>(?:19|20)\d{2}|\d{2})(?![\d/\-]|\.\d)"
)
# "el 05/04", and no 50/50, 24/7 or 1/2.
_DAY_OF_A_YEAR = re.compile(r"(?!24/7)(\d{1,2})/(\d{1,2})(?![\w/%]|[.,\-]\d)")
_ON = re.compile(r"(?i)\b(?:el|d[ií]a|del|al|on|since)\s\Z")
DAY_MONTH = re.compile(
    rf"(?i)(?<![\d.,$])(?P<day>\d{{1,2}})(?:st|nd|rd|th|ro|\.?º)?(?:\s+(?:de\s+|of\s+)?|[-/]){_MONTH}(?:(?:,?\s+(?:de\s+|del\s+)?|[-/])(?P<year>(?:19|20)\d{{2}}))?"
)
# "May 4" in two steps, because numbers are fewer than words: first the number, then the month before it.
DAY_AFTER = re.compile(r"(?i)\s(?P<day>\d{1,2})(?:st|nd|rd|th)?\b(?!\s*(?:%|:\d))(?:,?\s+(?P<year>(?:19|20)\d{2}))?")
MONTH_ENDS = re.compile(rf"(?i)\b{_MONTH}\s*$")
LONGEST_MONTH = 16
HACE = re.compile(rf"(?i)\bhace\s+{_COUNT}\s+{_UNIT}\b")
AGO = re.compile(rf"(?i)\b{_COUNT}\s+{_UNIT}\s+ago\b")
NAMED_DAY = re.compile(rf"(?i)\b({LEXICON.named_day})\b")
LAST_WEEKDAY = re.compile(
    rf"(?i)\b(?:pasado\s+(?P<one>{_WEEKDAY})|(?P<two>{_WEEKDAY})\s+pasado|last\s+(?P<three>{_WEEKDAY}))\b"
)
HACE_PREFIXES, AGO_PREFIXES, NAMED_DAY_PREFIXES = Prefixes("hace"), Prefixes("ago"), Prefixes(*LEXICON.days_ago)
WEEKDAY_PREFIXES = Prefixes("pasado", "last", *LEXICON.weekdays)
PREFIXES = (HACE_PREFIXES, AGO_PREFIXES, NAMED_DAY_PREFIXES, WEEKDAY_PREFIXES)


def find_dates(scanned: ScannedText, language: str, received: date | None) -> list[date]:
    """Return the dates in the order of the text, each once.

    Args:
        scanned: a cleaned text.
        language: two letters; `en` reads 05/04/2026 as the fourth of May, any other language as the fifth of April.
        received: when the complaint was received. Without it, relative dates and dates without a year are left out.
    """
    found: list[tuple[int, date]] = []

    def add(place: int, year: int, month: int, day: int) -> None:
        if 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]:
            found.append((place, date(year, month, day)))

    text, runs = scanned.text, scanned.runs()
    for start, end, run in runs:
        if len(run) < _SHORTEST_DATE or run.isdigit():
            if received and "/" in run and (day_month := _day_of_a_year(text, start, language)):
                day, month = day_month
                add(start, _last_year_of(received, month, day), month, day)
            continue
        for match in _ISO.finditer(text, start, end):
            add(match.start(), int(match["year"]), int(match["month"]), int(match["day"]))
        for match in _NUMERIC.finditer(text, start, end):
            year = int(match["year"])
            day, month = _day_and_month(int(match["first"]), int(match["second"]), language)
            add(match.start(), year + 2000 if year < 100 else year, month, day)
    for place, name, match in days_of_months(text, runs):
        month, day = LEXICON.months[name.lower()], int(match["day"])
        if match["year"]:
            add(place, int(match["year"]), month, day)
        elif received:
            add(place, _last_year_of(received, month, day), month, day)
    if received:
        found.extend(_relative(scanned, received))
    return list(dict.fromkeys(day for _, day in sorted(found)))


def _day_and_month(first: int, second: int, language: str) -> tuple[int, int]:
    """Return (day, month): in the order of the language, if both orders give a month."""
    day_first = second <= 12 and (first > 12 or language != "en")
    return (first, second) if day_first else (second, first)


def _day_of_a_year(text: str, start: int, language: str) -> tuple[int, int] | None:
    """Return (day, month) of "el 05/04"; None for 50/50, 24/7 or 1/2."""
    match = _DAY_OF_A_YEAR.match(text, start)
    if match is None or not _ON.search(text, max(start - 7, 0), start):
        return None
    return _day_and_month(int(match[1]), int(match[2]), language)


def _last_year_of(received: date, month: int, day: int) -> int:
    """Return the year of the last such day before a complaint was received."""
    return received.year - ((month, day) > (received.month, received.day))


def days_of_months(text: str, runs: Sequence[Run]) -> Iterator[tuple[int, str, re.Match[str]]]:
    """Return (position, month's name, match with day and year) of each "4 de mayo" and "May 4", tried at the text's numbers."""
    taken = 0
    for start, end, run in runs:
        day = end - 2 if run[-2:].isdigit() and len(run) > 1 else end - 1
        match = DAY_MONTH.match(text, day) if day >= taken else None
        if match:
            taken = match.end()
            yield match.start(), match["month"], match
        match = DAY_AFTER.match(text, start - 1) if start else None
        before = MONTH_ENDS.search(text, max(0, start - 1 - LONGEST_MONTH), start - 1) if match else None
        if match and before:
            yield before.start(), before["month"], match


def _relative(scanned: ScannedText, received: date) -> list[tuple[int, date]]:
    """Return (position, date) of each "hace 3 días", "two weeks ago", "ayer", "last Friday"."""
    found = []
    ago = AGO.finditer(scanned.text) if scanned.may_contain(AGO_PREFIXES) else ()
    for match in (*scanned.matches(HACE, HACE_PREFIXES), *ago):
        written = match["count"].lower()
        count = int(written) if written.isdigit() else LEXICON.numbers[written]
        found.append((match.start(), _before(received, count, match.lastgroup or "")))
    for match in scanned.matches(NAMED_DAY, NAMED_DAY_PREFIXES):
        found.append((match.start(), received - timedelta(days=LEXICON.days_ago[fold_spanish(match[1])])))
    for match in scanned.matches(LAST_WEEKDAY, WEEKDAY_PREFIXES):
        weekday = LEXICON.weekdays[fold_spanish(match["one"] or match["two"] or match["three"])]
        found.append((match.start(), received - timedelta(days=(received.weekday() - weekday - 1) % 7 + 1)))
    return found


def _before(day: date, count: int, unit: str) -> date:
    if unit in ("days", "weeks"):
        return day - timedelta(days=count * (7 if unit == "weeks" else 1))
    months = day.year * 12 + day.month - 1 - count * (12 if unit == "years" else 1)
    year, month = divmod(months, 12)
    return date(max(year, 1), month + 1, min(day.day, calendar.monthrange(max(year, 1), month + 1)[1]))
