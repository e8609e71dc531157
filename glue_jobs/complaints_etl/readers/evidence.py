"""Count bytes of a file to decide its encoding, its quoting, its order of day and month, and if it can be cut into parts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from complaints_etl.readers.encoding import LONE_SURROGATE, join_surrogate_pairs

# The bytes of a character in UTF-8 that the beginning or the end of a range cuts.
_CUT_BEGIN = re.compile(rb"[\x80-\xbf]{0,3}")
_CUT_END = re.compile(rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z")
# Bytes between two ASCII letters that are Spanish letters: é í ó ú ñ in code page 850; é á ú ü in Mac Roman. The bytes of í ó
# ñ in Mac Roman are not counted: in Windows-1252 they are an apostrophe and dashes.
_LATIN, _DOS, _MAC = (
    re.compile(rb"(?<=[a-z])[%s](?=[a-z])" % letters)
    for letters in (rb"\xdf-\xf6\xf8-\xff", rb"\x82\xa1-\xa4", rb"\x87\x8e\x9c\x9f")
)
# Matches a cell such as 3/25/2026 from its first "/" on, or 3-25-2026 (only with four digits) from its first "-" on. Starting
# there is fast, because few bytes are a "/" or "-". The lookbehind checks the separator and the one or two digits in front.
_DATES = tuple(
    re.compile(
        rb"%(mark)s(?:(?<=[,;\t|\"\n]\d%(mark)s)|(?<=[,;\t|\"\n]\d\d%(mark)s))(\d\d?)%(mark)s%(year)s(?=[,;\t|\"\r\n]|\Z|,? \d)"
        % {b"mark": mark, b"year": year}
    )
    for mark, year in ((b"/", rb"\d\d(?:\d\d)?"), (b"-", rb"\d{4}"))
)
_ESCAPED = re.compile(rb'\\"(?![,;\t|\r\n"]|$)')
_BOUNDARY = np.zeros(256, dtype=bool)
_BOUNDARY[list(b",;\t|\r\n")] = True


@dataclass(frozen=True)
class Evidence:
    """Counts over a range of bytes. The counts over a file are the sum over its ranges.

    A run of quotes is classified by the bytes around it, `^` here: `,^"a` is opening, `a"^,` closing, `,^"^,` either and
    `a^"^b` stray. Only runs of an odd number count; an even one inside a word is a doubled quote.

    Attributes:
        quotes: all quotes.
        newlines: all newlines.
        multibyte: bytes beyond ASCII that are valid UTF-8.
        broken: bytes that are not valid UTF-8.
        escaped: quotes inside a cell that a backslash escapes.
        doubled: runs of an even number of quotes inside a cell: quotes that doubling escapes.
        opening, closing, either, stray: runs of quotes, see above.
        day_first, month_first: cells that are a date in that order only, for example 25/03/2026.
        latin, dos, mac: bytes between two ASCII letters that are letters in Windows-1252, code page 850, Mac Roman.
    """

    quotes: int = 0
    newlines: int = 0
    multibyte: int = 0
    broken: int = 0
    escaped: int = 0
    doubled: int = 0
    opening: int = 0
    closing: int = 0
    either: int = 0
    stray: int = 0
    day_first: int = 0
    month_first: int = 0
    latin: int = 0
    dos: int = 0
    mac: int = 0

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    @property
    def can_be_cut(self) -> bool:
        """Return True if a newline is inside quotes exactly if an odd number of quotes precedes it."""
        even = not self.quotes % 2 and abs(self.opening - self.closing) <= self.either
        return even and not self.stray and not self.escaped

    @property
    def is_escaped(self) -> bool:
        """Return True if quotes inside cells are escaped by backslashes."""
        return self.escaped > self.doubled

    @property
    def is_month_first(self) -> bool:
        """Return True if 03/04/2026 is the fourth of March: some dates must have the month first, and none the day."""
        return self.month_first > 0 and not self.day_first

    @property
    def encoding(self) -> str:
        """Return the encoding of a file without a byte-order mark."""
        # If most accents are valid UTF-8, a few broken bytes do not change the encoding.
        if not self.broken or self.multibyte >= self.broken:
            return "utf-8"
        # Windows-1252, unless nearly all bytes inside words are Spanish letters only in code page 850 or Mac Roman.
        count, name = max((self.dos, "cp850"), (self.mac, "mac_roman"))
        return name if count > 2 and count > 10 * self.latin else "cp1252"

    @classmethod
    def of(cls, body: bytes, before: bytes = b"", after: bytes = b"") -> Self:
        """Count over a range of a file with one byte per ASCII character.

        Args:
            body: the range.
            before: some bytes in front of the range; empty at the beginning of the file.
            after: some bytes behind the range; empty at the end of the file.
        """
        multibyte = broken = 0
        if not body.isascii():
            # A character that the range's limits cut is not broken.
            begins = _CUT_BEGIN.match(body).end() if before else 0  # type: ignore[union-attr]
            cut = _CUT_END.search(body[-3:]) if after else None
            characters = join_surrogate_pairs(body[begins : len(body) - (len(cut[0]) if cut else 0)])
            try:
                text = characters.decode()
            except UnicodeDecodeError:
                text = characters.decode("utf-8", "surrogateescape")
                broken = sum(1 for _ in LONE_SURROGATE.finditer(text))
            multibyte = len(characters) - len(text)
        latin, dos, mac = (sum(1 for _ in pattern.finditer(body)) if broken else 0 for pattern in (_LATIN, _DOS, _MAC))
        counts = cls(newlines=body.count(b"\n"), multibyte=multibyte, broken=broken, latin=latin, dos=dos, mac=mac)
        counts = replace(counts, **_dates(body))
        quotes = body.count(b'"')
        if not quotes:
            return counts
        escaped = sum(1 for _ in _ESCAPED.finditer(body)) if b'\\"' in body else 0
        return replace(counts, quotes=quotes, escaped=escaped, **_quote_runs(body, before, after))

    @classmethod
    def of_plain(cls, body: bytes) -> Self:
        """Count only dates. That is enough for valid UTF-8 without backslashes in a file that is not cut."""
        return cls(**_dates(body))


def _dates(body: bytes) -> dict[str, int]:
    """Count the cells that are a date in one order only, because day or month would be over 12."""
    body = body.replace(b"\\/", b"/")  # as some programs write JSON
    day_first = month_first = 0
    for pattern in _DATES:
        for match in pattern.finditer(body):
            first, second = int(body[match.start() - 2 : match.start()].lstrip(b',;\t|"\n')), int(match[1])
            day_first += 12 < first <= 31 and 0 < second <= 12
            month_first += 0 < first <= 12 < second <= 31
    return {"day_first": day_first, "month_first": month_first}


def _quote_runs(body: bytes, before: bytes, after: bytes) -> dict[str, int]:
    """Count runs of quotes by the bytes on their left and right, see `Evidence`."""
    octets = np.frombuffer(b"".join((b"\n", before, body, after, b"\n")), dtype=np.uint8)
    quotes = np.flatnonzero(octets == ord('"'))
    run_starts = np.flatnonzero(np.diff(quotes, prepend=-2) > 1)
    begins, lengths = quotes[run_starts], np.diff(run_starts, append=len(quotes))
    in_body = (begins > len(before)) & (begins <= len(before) + len(body))
    begins, lengths = begins[in_body], lengths[in_body]
    left, right, odd = _BOUNDARY[octets[begins - 1]], _BOUNDARY[octets[begins + lengths]], lengths % 2 == 1
    runs = {
        "opening": odd & left & ~right,
        "closing": odd & ~left & right,
        "either": odd & left & right,
        "stray": odd & ~left & ~right,
        "doubled": ~(left | right | odd) & (octets[begins - 1] != ord("\\")),
    }
    return {kind: int(is_kind.sum()) for kind, is_kind in runs.items()}
