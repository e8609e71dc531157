"""Cells that are no texts: whether one is blank, which row or label it names, and when its complaint was received."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from html import unescape

from complaints_etl.redaction import redact, redact_value

# What programs and people write where they have nothing to write; of a text's line of marks, cleaning leaves three.
BLANKS = ("none", "null", "nan", "na", "n/a", "#n/a", "n/d", "s/d", "-", "--", "---", "===", "___", "***", "...", "???")

# Ids without any of these are not looked at: those of figures tell rows apart, whatever else they may be.
MAY_BE_PERSONAL = "[@+. \u00a0]"
_MAY_BE_PERSONAL = re.compile(MAY_BE_PERSONAL)
# Characters that Windows-1252 has for bytes that Latin-1 leaves to control characters.
_OWN = bytes(range(0x80, 0xA0)).decode("cp1252", "ignore")
_LATIN_1 = str.maketrans(_OWN, _OWN.encode("cp1252").decode("latin-1"))
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]{2,}")
_ENTITY = re.compile(r"&#?\w{1,8};")

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
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("ene jan", "feb", "mar", "abr apr", "may", "jun", "jul", "ago aug", "sep set", "oct", "nov", "dic dec"), start=1
    )
    for name in names.split()
}


def is_blank(cell: str) -> bool:
    """Whether it says nothing, or only that it says nothing."""
    return not cell or cell.casefold() in BLANKS


def identity(cell: str | None) -> str | None:
    """An id, redacted where it holds personal data; a number of a complaint is none."""
    if not cell or not _MAY_BE_PERSONAL.search(cell):
        return cell
    redacted, counts = redact(_plain(cell), alone=False)
    return redacted if counts.keys() - {"REFERENCE"} else cell


def carried(column: str, cell: str) -> str:
    """A cell of a column that goes along, as it is written; redacted where it holds personal data, however it is set."""
    plain = _plain(cell)
    redacted = redact_value(column, plain)
    return redacted if redacted != plain else cell


@lru_cache(maxsize=10_000)
def label(cell: str | None) -> str | None:
    """The label that a cell names: without what nobody sees, and redacted, for it goes into reports and models; None for a blank."""
    plain = _plain(cell or "")
    return None if is_blank(plain) else redact(plain)[0]


@lru_cache(maxsize=10_000)
def label_as_written(cell: str | None) -> str | None:
    """The cell itself, for exports; redacted where it holds personal data."""
    redacted, counts = redact(_plain(cell or ""))
    return redacted if counts else cell


def _plain(cell: str) -> str:
    """Characters read in the wrong encoding and references repaired, invisible ones gone, white space single: as texts are cleaned."""
    plain = cell
    if not cell.isascii():
        for _ in range(2):  # some are read wrongly twice
            plain = _BEYOND_ASCII.sub(_read_again, plain)
    if "&" in plain:
        plain = _ENTITY.sub(lambda match: unescape(match[0]), plain)
    if not plain.isascii():
        plain = "".join(sign for sign in plain if sign.isascii() or unicodedata.category(sign) != "Cf")
    return unicodedata.normalize("NFC", " ".join(plain.split()))


def _read_again(match: re.Match[str]) -> str:
    """What UTF-8 it was, if it is UTF-8 that was read as Windows-1252."""
    with contextlib.suppress(UnicodeError):
        return match[0].translate(_LATIN_1).encode("latin-1").decode()
    return match[0]


@lru_cache(maxsize=10_000)
def received(cell: str | None, month_first: bool) -> datetime | None:
    """When a complaint was received: the time in UTC, which one without a zone is taken to be; None where it cannot be told.

    Args:
        cell: without white space around it: ISO 8601, figures with marks between them, a month's name, a spreadsheet's number
            of days, seconds or milliseconds since 1970.
        month_first: what its file means by 03/04/2026.
    """
    if not cell:
        return None
    try:
        moment = _moment(cell.removeprefix("'"), month_first)
    except (ValueError, OverflowError):
        return None  # no such day, hour or zone
    # No complaint is from another year, and neither Python nor Arrow can hold all.
    return moment if moment and 1900 <= moment.year <= 2200 else None


def is_unread(cell: str, month_first: bool) -> bool:
    """Whether a date was meant, and it cannot be told which."""
    return not is_blank(cell) and received(cell, month_first) is None


def _moment(written: str, month_first: bool) -> datetime | None:
    if written[4:5] == "-":
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            pass  # it may be nearly ISO 8601
        else:
            return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    if figures := _FIGURES.fullmatch(written):
        return _counted(figures)
    # Days come again and again, times do not.
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
        # Where only one order gives a month, it is that one.
        if (month_first and day <= 12) or month > 12:
            day, month = month, day
    else:
        day, month = int(part["day"]), int(part.get("month") or _MONTHS.get(part["name"][:3].lower(), 0))
    return datetime(int(part["year"]) + (2000 if len(part["year"]) == 2 else 0), month, day)


def _counted(figures: re.Match[str]) -> datetime | None:
    if days := figures["days"]:
        # A spreadsheet's time is a fraction, and only a rounded one is a second.
        after = timedelta(seconds=round(float(days.replace(",", ".")) * 86_400))
        return _FIRST_SERIAL + after if after.days in _SERIALS else None
    if figures["seconds"] or figures["milliseconds"]:
        seconds = float(figures["seconds"] or 0) or float(figures["milliseconds"]) / 1000
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return datetime.fromisoformat(figures[0])
