"""Facts that a complaint states: amounts with currency, dates, reference numbers, products and channels.

Plain Python on one cleaned text, before redaction. What is ambiguous is read as people of the text's language write it: 1.200 is
twelve hundred, 05/04 is the fifth of April in Spanish and the fourth of May in English.
"""

from __future__ import annotations

import calendar
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import NamedTuple, Self

from complaints_etl.places import Run, Starts, Text, folded, without_accents
from complaints_etl.redaction import redact_and_list

MAX_OF_A_KIND = 50  # a fact list is for people and sums; a text of thousands of numbers is neither
_LARGEST = Decimal(10) ** 18

_NUMBER = r"\d{1,3}(?:[.,'’]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_SCALE = r"(?P<scale>\s?(?:mil millones|millones|mill[oó]n|mil|million|thousand|k)\b(?: y medi[oa]\b)?|m\b)?"
_BEFORE = r"(?:(?P<before>\b(?:COP|USD|EUR|MXN|GBP|CLP|PEN|US)\s?\$?|US\$|COL\$|S/\.?|[$€£])\s?)"
_AFTER = r"(?:\s?(?P<after>(?:de )?(?:(?:mexican |colombian )?pesos|d[oó]lares|d[oó]lar|euros?|dollars?|bucks|dlls?|soles)\b|(?:COP|USD|EUR|MXN|GBP|CLP|PEN)\b|[€£]))"
_AMOUNT = re.compile(
    rf"(?i)(?:{_BEFORE}(?P<number>{_NUMBER}){_SCALE}{_AFTER}?|(?<![\w.,/\-$])(?P<plain>{_NUMBER}){_SCALE.replace('scale', 'scale2')}"
    rf"{_AFTER.replace('after', 'after2')})(?![\d])"
)
_SCALES = {
    "mil": 1000, "thousand": 1000, "k": 1000, "m": 10**6, "millon": 10**6, "millones": 10**6, "million": 10**6, "mil millones": 10**9,
}  # fmt: skip
# Where a number begins, by what stands before it: the few characters that can begin an amount are tried, not the whole text.
_LONGEST_SIGN = 6
_SIGN_START = re.compile("[$€£CcUuEeMmGgSsPp]")
# By what its sign or its name begins with.
_CURRENCIES = {
    "MXN": ("MXN", "MEXICAN"), "COP": ("COP", "COL", "PESO"), "USD": ("US", "DOLAR", "DOLLAR", "BUCK", "DLL"), "PEN": ("S/", "SOLES", "PEN"), "CLP": ("CLP",),
    "EUR": ("EUR", "€"), "GBP": ("GBP", "£"),
}  # fmt: skip
_MEXICAN = re.compile(r"(?i)(?:pesos )?mexicanos|MXN")

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "enero ene january jan", "febrero feb february", "marzo mar march", "abril abr april apr", "mayo may",
            "junio jun june", "julio jul july", "agosto ago august aug", "septiembre setiembre sep sept september",
            "octubre oct october", "noviembre nov november", "diciembre dic december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = r"(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        ("lunes monday", "martes tuesday", "miercoles miércoles wednesday", "jueves thursday", "viernes friday",
         "sabado sábado saturday", "domingo sunday")
    )
    for name in names.split()
}  # fmt: skip
_WEEKDAY = "(?:" + "|".join(_WEEKDAYS) + ")"
_COUNT_WORDS = {
    "un": 1, "una": 1, "uno": 1, "a": 1, "an": 1, "one": 1, "dos": 2, "two": 2, "tres": 3, "three": 3, "cuatro": 4, "four": 4,
    "cinco": 5, "five": 5, "seis": 6, "six": 6, "siete": 7, "seven": 7, "ocho": 8, "eight": 8, "nueve": 9, "nine": 9,
    "diez": 10, "ten": 10, "quince": 15, "fifteen": 15, "veinte": 20, "twenty": 20,
}  # fmt: skip
_COUNT = r"(?P<count>\d{1,3}|" + "|".join(_COUNT_WORDS) + ")"
_UNIT = {"d": "days", "s": "weeks", "w": "weeks", "m": "months", "a": "years", "y": "years"}

_ISO = re.compile(r"(?<![\d/\-])(?P<year>(?:19|20)\d{2})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?![\d/\-])")
_SHORTEST_DATE = len("1/1/26")
_NUMERIC = re.compile(
    r"(?<![\d/\-.])(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>(?:19|20)\d{2}|\d{2})(?![\d/\-]|\.\d)"
)
# "el 05/04", and no 50/50, 24/7 or 1/2.
_DAY_OF_A_YEAR = re.compile(r"(?!24/7)(\d{1,2})/(\d{1,2})(?![\w/%]|[.,\-]\d)")
_ON = re.compile(r"(?i)\b(?:el|d[ií]a|del|al|on|since)\s\Z")
_DAY_MONTH = re.compile(
    rf"(?i)(?<![\d.,$])(?P<day>\d{{1,2}})(?:st|nd|rd|th|ro|\.?º)?(?:\s+(?:de\s+|of\s+)?|[-/]){_MONTH}(?:(?:,?\s+(?:de\s+|del\s+)?|[-/])(?P<year>(?:19|20)\d{{2}}))?"
)
# "May 4" in two steps: numbers are fewer than words, so the number is found first and the month looked for before it.
_DAY_AFTER = re.compile(r"(?i)\s(?P<day>\d{1,2})(?:st|nd|rd|th)?\b(?!\s*(?:%|:\d))(?:,?\s+(?P<year>(?:19|20)\d{2}))?")
_MONTH_ENDS = re.compile(rf"(?i)\b{_MONTH}\s*$")
_LONGEST_MONTH = 16
_HACE = re.compile(rf"(?i)\bhace\s+{_COUNT}\s+(?P<unit>d[ií]as?|semanas?|mes(?:es)?|a[nñ]os?)\b")
_AGO = re.compile(rf"(?i)\b{_COUNT}\s+(?P<unit>days?|weeks?|months?|years?)\s+ago\b")
_NAMED = {
    "anteayer": 2, "antier": 2, "antes de ayer": 2, "day before yesterday": 2, "ayer": 1, "yesterday": 1, "hoy": 0, "today": 0,
    "semana pasada": 7, "last week": 7, "anoche": 1, "last night": 1, "this morning": 0, "this afternoon": 0, "tonight": 0,
    "esta manana": 0, "esta tarde": 0, "esta noche": 0,
}  # fmt: skip
_NAMED_DAY = re.compile(
    r"(?i)\b("
    + "|".join(sorted(_NAMED, key=len, reverse=True)).replace("hoy", "hoy(?! en d[ií]a)").replace("manana", "ma[nñ]ana")
    + r")\b"
)
_HACE_STARTS, _AGO_STARTS = Starts("hace"), Starts("ago")
_NAMED_STARTS = Starts(
    "anteayer",
    "antier",
    "antes de",
    "day before",
    "ayer",
    "yesterday",
    "hoy",
    "today",
    "semana",
    "last week",
    "last night",
    "anoche",
    "this morning",
    "this aft",
    "tonight",
    "esta manana",
    "esta tarde",
    "esta noche",
)
_LAST_WEEKDAY = re.compile(
    rf"(?i)\b(?:pasado\s+(?P<one>{_WEEKDAY})|(?P<two>{_WEEKDAY})\s+pasado|last\s+(?P<three>{_WEEKDAY}))\b"
)
_WEEKDAY_STARTS = Starts("pasado", "last", *dict.fromkeys(map(folded, _WEEKDAYS)))
STARTS = (_HACE_STARTS, _AGO_STARTS, _NAMED_STARTS, _WEEKDAY_STARTS)


class Facts(NamedTuple):
    """What one text states; amounts are (value, ISO 4217 code), references SHA-256 of salt and number."""

    amounts: tuple[tuple[Decimal, str], ...] = ()
    dates: tuple[date, ...] = ()
    references: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


def extract(
    text: str | Text,
    *,
    language: str,
    received: date | None,
    products: Names,
    channels: Names,
    salt: str,
    references: Sequence[str] | None = None,
) -> Facts:
    """Facts of a cleaned text.

    Args:
        text: cleaned, not yet redacted.
        language: two letters; decides what is ambiguous.
        received: what relative dates ("hace 3 días") count from; without it they are left out.
        products: names to look for.
        channels: as `products`.
        salt: what reference numbers are hashed with, so that nobody can list them by trying.
        references: what redaction took for reference numbers; by default it is asked.
    """
    seen = Text(text) if isinstance(text, str) else text
    numbers = redact_and_list(seen)[2] if references is None else references
    return Facts(
        amounts=tuple(amounts(seen, language))[:MAX_OF_A_KIND],
        dates=tuple(dates(seen, language, received))[:MAX_OF_A_KIND],
        references=tuple(hashed(salt, number) for number in numbers[:MAX_OF_A_KIND]),
        products=mentions(seen, products),
        channels=mentions(seen, channels),
    )


def hashed(salt: str, number: str) -> str:
    """A reference number as it is stored: equal numbers can be joined, none can be read."""
    return hashlib.sha256(f"{salt}\0{number}".encode()).hexdigest()[:16]


def fold(text: str) -> str:
    """Lower case without accents, for comparing names."""
    return without_accents(folded(text))


@dataclass(frozen=True, kw_only=True, eq=False)
class Names:
    """Names to look for in texts; case and accents do not matter, and each word may be in the plural."""

    names: tuple[str, ...]
    pattern: re.Pattern[str]
    starts: Starts  # the words that they begin with

    @classmethod
    @cache
    def of(cls, names: tuple[str, ...]) -> Self:
        """Made once a process for the same names."""
        longest_first = sorted(enumerate(names), key=lambda pair: -len(pair[1]))
        # Tarjetas de crédito, credit cards.
        words = {index: r"(?:e?s)?\s+".join(map(re.escape, fold(name).split())) for index, name in longest_first}
        parts = [f"(?P<n{index}>{words[index]}(?:e?s)?)" for index, _ in longest_first]
        return cls(
            names=names,
            pattern=re.compile(r"\b(?:" + "|".join(parts) + r")\b" if parts else r"(?!)"),
            starts=Starts(*dict.fromkeys(fold(name).split()[0] for name in names if name.split())),
        )


def mentions(seen: Text, names: Names) -> tuple[str, ...]:
    """The names that the text mentions, in the order of the list."""
    if not seen.may_hold(names.starts):
        return ()
    # Other accents than Spanish ones are rare, and places in a text without them are others.
    moved = seen.plain != seen.folded
    matches = names.pattern.finditer(seen.plain) if moved else seen.matches(names.pattern, names.starts, seen.folded)
    mentioned = {match.lastgroup for match in matches}
    return tuple(name for index, name in enumerate(names.names) if f"n{index}" in mentioned) if mentioned else ()


def amounts(seen: Text, language: str) -> list[tuple[Decimal, str]]:
    """(value, currency) of each amount, in order; a number without a sign or name of a currency is none."""
    text, found = seen.text, []
    for match in _amount_matches(text, seen.runs()):
        written = match["number"] or match["plain"]
        value = _value(written)
        if value is None:
            continue
        scale, _, half = fold((match["scale"] or match["scale2"] or "").strip()).partition(" y ")
        value = (value + (Decimal("0.5") if half else 0)) * _SCALES.get(scale, 1)
        sign = (match["before"] or "").upper().replace(" ", "")
        name = fold(match["after"] or match["after2"] or "").upper().removeprefix("DE ")
        if value < _LARGEST:
            found.append((value, _currency(sign, name, written, language, after=text[match.end() : match.end() + 12])))
    return found


def _amount_matches(text: str, runs: Sequence[Run]) -> Iterator[re.Match[str]]:
    """As `_AMOUNT.finditer(text)`: an amount begins with its first digit or with one of a few signs right before it."""
    end = 0
    for first, _, _ in runs:
        place = max(first - _LONGEST_SIGN, end)
        match = None
        while place <= first and not match:
            sign = _SIGN_START.search(text, place, first)
            place = sign.start() if sign else first
            match = _AMOUNT.match(text, place)
            place += 1
        if match:
            end = match.end()
            yield match


def _currency(sign: str, name: str, written: str, language: str, *, after: str) -> str:
    if _MEXICAN.match(after.strip()):
        return "MXN"
    for code, beginnings in _CURRENCIES.items():
        if sign.startswith(beginnings) or name.startswith(beginnings):
            return code
    # A bare $: the way its number is written says more than the language around it.
    if re.search(r"\.\d{3}(?!\d)", written):
        return "COP"
    if re.search(r",\d{3}(?!\d)|\.\d{2}$", written):
        return "USD"
    return "COP" if language == "es" else "USD"


def _value(written: str) -> Decimal | None:
    """1.200.000, 1,200.50, 1200,50 and 45 as decimals: the last mark is the decimal one if it has one or two digits after it."""
    match = re.fullmatch(r"(.*?)(?:[.,](\d{1,2}))?", written)
    whole = re.sub(r"\D", "", match[1]) if match else ""
    try:
        return Decimal(f"{whole or 0}.{(match and match[2]) or 0}")
    except InvalidOperation:
        return None


def dates(seen: Text, language: str, received: date | None) -> list[date]:
    """Dates in the order of the text, each once; relative ones only where it is known when the complaint was received."""
    found: list[tuple[int, date]] = []

    def add(place: int, year: int, month: int, day: int) -> None:
        if 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]:
            found.append((place, date(year, month, day)))

    text, runs = seen.text, seen.runs()
    for start, end, run in runs:
        if len(run) < _SHORTEST_DATE or run.isdigit():
            if (
                received
                and "/" in run
                and (match := _DAY_OF_A_YEAR.match(text, start))
                and _ON.search(text, max(start - 7, 0), start)
            ):
                first, second = int(match[1]), int(match[2])
                month, day = (second, first) if second <= 12 and (first > 12 or language != "en") else (first, second)
                add(start, received.year - ((month, day) > (received.month, received.day)), month, day)
            continue
        for match in _ISO.finditer(text, start, end):
            add(match.start(), int(match["year"]), int(match["month"]), int(match["day"]))
        for match in _NUMERIC.finditer(text, start, end):
            first, second, year = int(match["first"]), int(match["second"]), int(match["year"])
            year += 2000 if year < 100 else 0
            day_first = second <= 12 and (first > 12 or language != "en")
            add(match.start(), year, *((second, first) if day_first else (first, second)))
    for place, name, match in _days_of_months(text, runs):
        month, day = _MONTHS[name.lower()], int(match["day"])
        if match["year"]:
            add(place, int(match["year"]), month, day)
        elif received:
            add(place, received.year - ((month, day) > (received.month, received.day)), month, day)
    if received:
        found.extend(_relative(seen, received))
    return list(dict.fromkeys(day for _, day in sorted(found)))


def _days_of_months(text: str, runs: Sequence[Run]) -> Iterator[tuple[int, str, re.Match[str]]]:
    """(place, month's name, match with day and year) of "4 de mayo" and "May 4", tried at the text's numbers."""
    taken = 0
    for start, end, run in runs:
        day = end - 2 if run[-2:].isdigit() and len(run) > 1 else end - 1
        match = _DAY_MONTH.match(text, day) if day >= taken else None
        if match:
            taken = match.end()
            yield match.start(), match["month"], match
        match = _DAY_AFTER.match(text, start - 1) if start else None
        before = _MONTH_ENDS.search(text, max(0, start - 1 - _LONGEST_MONTH), start - 1) if match else None
        if match and before:
            yield before.start(), before["month"], match


def _relative(seen: Text, received: date) -> list[tuple[int, date]]:
    found = []
    for match in (*seen.matches(_HACE, _HACE_STARTS), *(_AGO.finditer(seen.text) if seen.may_hold(_AGO_STARTS) else ())):
        written = match["count"].lower()
        count = int(written) if written.isdigit() else _COUNT_WORDS[written]
        found.append((match.start(), _before(received, count, _UNIT[match["unit"][0].lower()])))
    for match in seen.matches(_NAMED_DAY, _NAMED_STARTS):
        found.append((match.start(), received - timedelta(days=_NAMED[folded(match[1])])))
    for match in seen.matches(_LAST_WEEKDAY, _WEEKDAY_STARTS):
        weekday = _WEEKDAYS[(match["one"] or match["two"] or match["three"]).lower()]
        found.append((match.start(), received - timedelta(days=(received.weekday() - weekday - 1) % 7 + 1)))
    return found


def _before(day: date, count: int, unit: str) -> date:
    if unit in ("days", "weeks"):
        return day - timedelta(days=count * (7 if unit == "weeks" else 1))
    months = day.year * 12 + day.month - 1 - count * (12 if unit == "years" else 1)
    year, month = divmod(months, 12)
    return date(max(year, 1), month + 1, min(day.day, calendar.monthrange(max(year, 1), month + 1)[1]))
