"""When a complaint was received: read from ISO 8601, digits with marks between them, a month's name, or a number of days or seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from complaints_etl.lexicon import LEXICON
from complaints_etl.text.blank import is_blank
from complaints_etl.text.normalize import fold

_FIRST_SERIAL, _SERIALS = datetime(1899, 12, 30), range(20_000, 80_001)  # a spreadsheet's days: 1954 to 2119
# A spreadsheet's days, YYYYMMDD, and seconds or milliseconds since 1970.
_FIGURES = re.compile(
    r"(?P<days>\d{5}(?:[.,]\d+)?)|\d{8}|(?P<seconds>\d{9,10}(?:\.\d+)?)|(?P<milliseconds>\d{12,13}(?:\.0+)?)"
)
_CLOCK = re.compile(
    r"(?i)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?(?:\s*(?P<half>[ap])\.?\s*m\.?)?"
    r"(?:\s*(?:Z|UTC|GMT|(?P<zone>[+-]\d\d)(?::?(?P<rest>\d\d))?))?"
)
_YEAR = r"(?P<year>\d{4}|\d\d)"
_WEEKDAY = r"(?:[^\W\d]{2,10}\.?,?\s+)?"
_NAME = r"(?P<name>[^\W\d]{3,10})"
_DAYS = (
    re.compile(rf"(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second>\d{{1,2}})(?P=mark){_YEAR}"),
    re.compile(r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"),
    re.compile(
        rf"(?i){_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th|º)?[-/.\s]*(?:de\s+|of\s+)?{_NAME}\.?,?[-/.\s]*(?:del?\s+)?{_YEAR}"
    ),
    re.compile(rf"(?i){_WEEKDAY}{_NAME}\.?[-/.\s]+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?[-/.\s]+{_YEAR}"),
)
_MONTHS = {fold(name)[:3]: number for name, number in LEXICON.months.items()}


@lru_cache(maxsize=10_000)
def received(cell: str | None, month_first: bool) -> datetime | None:
    """Return when a complaint was received, in UTC; a time without a zone is taken as UTC. None if the cell cannot be read.

    Args:
        cell: without white space around it: ISO 8601, figures with marks between them, a month's name, a spreadsheet's number
            of days, seconds or milliseconds since 1970.
        month_first: whether 03/04/2026 is the fourth of March in its file.
    """
    if not cell:
        return None
    try:
        moment = _moment(cell.removeprefix("'"), month_first)
    except (ValueError, OverflowError):
        return None  # no such day, hour or zone
    # Other years are mistakes, and neither Python nor Arrow can hold all of them.
    return moment if moment and 1900 <= moment.year <= 2200 else None


def is_unread(cell: str, month_first: bool) -> bool:
    """Return True for a cell that is not blank and cannot be read as a date."""
    return not is_blank(cell) and received(cell, month_first) is None


def _moment(written: str, month_first: bool) -> datetime | None:
    """Return the time that a cell names: `2026-04-03T10:00Z`, `3/4/2026 10:45 PM`, `4 de mayo de 2026`, `46115.5`."""
    if written[4:5] == "-":
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            pass  # it may be nearly ISO 8601
        else:
            return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    if figures := _FIGURES.fullmatch(written):
        return _counted(figures)
    # Days repeat, times do not: only the day is cached.
    begins = colon = written.find(":")
    if colon < 0:
        return _day(written, month_first)
    while begins and written[begins - 1].isdecimal():
        begins -= 1
    day, clock = _day(written[:begins].rstrip(" ,T\t\xa0"), month_first), _CLOCK.fullmatch(written, begins)
    if day is None or clock is None:
        return None
    hour, minute, second, half, zone, rest = clock.groups(default="")
    # 12 AM is midnight, and some write 13:00 PM.
    hours = int(hour) % 12 + (12 if half in "pP" else 0) if half and int(hour) <= 12 else int(hour)
    moment = day.replace(hour=hours, minute=int(minute), second=int(second or 0))
    return moment - timedelta(hours=int(zone), minutes=int(f"{zone[0]}{rest or 0}")) if zone else moment


@lru_cache(maxsize=10_000)
def _day(written: str, month_first: bool) -> datetime | None:
    match = next(filter(None, (form.fullmatch(written) for form in _DAYS)), None)
    if match is None:
        return None
    part = match.groupdict()
    if "first" in part:
        day, month = int(part["first"]), int(part["second"])
        # If only one order gives a month, it is that one.
        if (month_first and day <= 12) or month > 12:
            day, month = month, day
    else:
        day, month = int(part["day"]), int(part.get("month") or _MONTHS.get(part["name"][:3].lower(), 0))
    return datetime(int(part["year"]) + (2000 if len(part["year"]) == 2 else 0), month, day)


def _counted(figures: re.Match[str]) -> datetime | None:
    """Return the time of a number: a spreadsheet's days, seconds or milliseconds since 1970, or YYYYMMDD."""
    if days := figures["days"]:
        # A spreadsheet's time is a fraction, and only a rounded one is a second.
        after = timedelta(seconds=round(float(days.replace(",", ".")) * 86_400))
        return _FIRST_SERIAL + after if after.days in _SERIALS else None
    if figures["seconds"] or figures["milliseconds"]:
        seconds = float(figures["seconds"] or 0) or float(figures["milliseconds"]) / 1000
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return datetime.fromisoformat(figures[0])
