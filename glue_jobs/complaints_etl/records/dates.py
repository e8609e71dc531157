"""Read when a complaint was received: ISO 8601, digits with marks between them, a month's name, a number of days or seconds.

A time and its zone are found first, in the form of any program. The rest of the cell is the day.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from complaints_etl.lexicon import LEXICON
from complaints_etl.text.blank import is_blank
from complaints_etl.text.normalize import fold

_FIRST_SERIAL, _SERIALS = datetime(1899, 12, 30), range(20_000, 80_001)  # a spreadsheet's days: 1954 to 2119
# A spreadsheet's days, YYYYMMDD with or without hhmmss, and seconds or milliseconds since 1970.
_FIGURES = re.compile(
    r"(?P<days>\d{5}(?:[.,]\d+)?)|\d{8}(?:T?\d{6}Z?)?|(?P<seconds>\d{9,10}(?:\.\d+)?)|(?P<milliseconds>\d{12,13}(?:\.0+)?)"
)
# A time is taken out of a cell, wherever it is, and the rest is the day: `Wed Aug 19 15:45:00 COT 2026` has the day `Wed Aug 19 2026`.
_SECONDS = r"(?P<second>\d\d)(?:[.,:]\d{1,9})?"
_HALF = r"(?:\s*(?:(?P<half>[ap])\.?\s*m\b\.?|(?P<noon>m)\b\.?(?!\w)|h(?:rs?|s|oras?)?\b\.?))?"
# An offset, a name of the IANA's database, or an abbreviation; behind an offset, its name in brackets (Java, JavaScript).
_ZONE = (
    r"(?:\s*(?:(?:UTC|GMT)?\s?(?P<sign>[+-])(?P<hours>\d\d?)(?::?(?P<minutes>\d\d))?(?![\d/-])|(?P<place>[A-Z][A-Za-z]+/[\w/+\-]+)"
    r"|(?P<abbreviation>[A-Z]{1,5})(?=\s|\Z|\())?(?:\s*[\[(][^\])]*[\])])?)"
)
_CLOCKS = (
    re.compile(rf"(?<![\d:.+])(?<!\s-)(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?:[:.]{_SECONDS})?(?i:{_HALF}){_ZONE}"),
    re.compile(
        rf"(?<![\d:.])(?P<hour>\d{{1,2}})(?i:h)(?P<minute>\d\d)(?:(?:min|m|:)?{_SECONDS}s?)?(?![\w:])(?i:{_HALF}){_ZONE}"
    ),
    # With a full stop, as some countries, Oracle and DB2 write it: only at the end, because a day has full stops, too.
    re.compile(rf"(?<=[\s\-T])(?P<hour>\d{{1,2}})\.(?P<minute>\d\d)(?:\.{_SECONDS})?(?i:{_HALF}){_ZONE}\s*\Z"),
)
# Hours from UTC. Abbreviations that several zones share have the one of the Americas.
_ABBREVIATIONS = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "COT": -5, "PET": -5, "VET": -4, "BOT": -4, "CLT": -4, "CLST": -3, "ART": -3, "BRT": -3,
    "UYT": -3, "PYT": -4, "AST": -4, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "CET": 1,
    "CEST": 2, "WEST": 1, "BST": 1,
}  # fmt: skip
_AROUND_CLOCK = re.compile(r"(?i)(?:[\s,;|@T–-]|\b(?:a las?|at|às|as|kl|hora)\b)+\Z")
_YEAR = r"(?P<year>\d{4}|\d\d)"
_WEEKDAY = r"(?:[^\W\d]{2,10}(?:-feira)?\.?,?\s+)?"
_NAME = r"(?P<name>[^\W\d]{3,10})"
_DAYS = (
    re.compile(rf"(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second>\d{{1,2}})(?P=mark){_YEAR}"),
    re.compile(r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"),
    re.compile(
        rf"(?i){_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th|º)?[-/.\s]*(?:de\s+|of\s+)?{_NAME}\.?,?[-/.\s]*(?:del?\s+)?{_YEAR}"
    ),
    re.compile(rf"(?i){_WEEKDAY}{_NAME}\.?[-/.\s]+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?[-/.\s]+{_YEAR}"),
)
_LONGEST = 100
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
    if len(written) > _LONGEST:
        return None  # no program writes a date so long
    if written[4:5] == "-":
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            pass  # it may be nearly ISO 8601
        else:
            return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    if figures := _FIGURES.fullmatch(written):
        return _counted(figures)
    written = written.replace("\xa0", " ")
    clock = next(filter(None, (form.search(written) for form in _CLOCKS)), None)
    # Days repeat, times do not: only the day is cached.
    if clock is None:
        return _day(written, month_first)
    before = _AROUND_CLOCK.sub("", written[: clock.start()])
    day = _day(f"{before} {written[clock.end() :].strip(' ,-')}".strip(), month_first)
    return None if day is None else _at(day, clock)


def _at(day: datetime, clock: re.Match[str]) -> datetime | None:
    """Return the time on a day in UTC, or None if its time zone is unknown."""
    part = clock.groupdict(default="")
    hour, half = int(part["hour"]), part["half"]
    if part["noon"] and hour != 12:
        return None
    # 12 AM is midnight, and some write 13:00 PM.
    hours = hour % 12 + (12 if half in "pP" else 0) if half and hour <= 12 else hour
    moment = day.replace(hour=hours, minute=int(part["minute"]), second=int(part["second"] or 0))
    if part["sign"]:
        offset = timedelta(hours=int(part["hours"]), minutes=int(part["minutes"] or 0))
        return moment - offset if part["sign"] == "+" else moment + offset
    if part["place"]:
        zone = _zone(part["place"]) or _zone(part["place"].title())  # Oracle writes AMERICA/BOGOTA
        return moment.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None) if zone else None
    abbreviation = part["abbreviation"]
    if abbreviation and abbreviation not in _ABBREVIATIONS:
        return None
    return moment - timedelta(hours=_ABBREVIATIONS.get(abbreviation, 0))


@lru_cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


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
    return datetime.strptime(re.sub("[TZ]", "", figures[0]).ljust(14, "0"), "%Y%m%d%H%M%S")
