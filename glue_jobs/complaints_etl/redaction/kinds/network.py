"""URL_QUERY and IP: what a link carries behind its address, and internet addresses of devices.

Positive: `https://a.co/x?token=1`, `mi IP es 190.24.1.8`. Negative: `¿por qué?`, `versión 10.4.2.1`, `a las 10:45:30`.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from complaints_etl.lexicon import LEXICON
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import ScannedText, find_all

_LONGEST_LINK = 1000  # characters that the pattern reads before a question mark
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF:")
_ADDRESS = re.compile(rf"(?i)(?<!<)\b(?:ips?|{LEXICON.pattern('impersonal', 'address')})\b")
# "versión", "build" anywhere before; "v.", "iOS" right before; "app" in the same sentence.
_VERSION = re.compile(
    rf"(?i)\b(?:(?:{LEXICON.pattern('impersonal', 'version')})\b|(?:ver|v|ios|android)\b[.:#]?(?: (?:es|is))?[ .:#]*\Z|app\b(?=.{{0,40}}\Z))"
)


def _links(text: ScannedText) -> list[int]:
    """Return where the words begin that contain a question mark and are not longer than a link."""
    begins = {
        max(text.text.rfind(space, max(place - _LONGEST_LINK, 0), place) for space in " \n\t") + 1
        for place in find_all(text.text, ("?",))
    }
    return sorted(begins)


def _colons(scanned: ScannedText) -> list[int]:
    """Return where runs of hexadecimal digits and colons begin that have a colon without a space behind it."""
    text, begins, end = scanned.text, [], 0
    for place in find_all(text, (":",)):
        if place >= end and text[place + 1 : place + 2] in _HEXADECIMAL:
            first = place
            while first > end and text[first - 1] in _HEXADECIMAL:
                first -= 1
            begins.append(first)
            end = place + 1
            while text[end : end + 1] in _HEXADECIMAL:
                end += 1
    return begins


def _is_ipv6(match: re.Match[str]) -> bool:
    """Return True for an IPv6 address with more colons than a time or an operator of a programming language has."""
    try:
        IPv6Address(match[0])
    except ValueError:
        return False
    return match[0].count(":") > 2


def _is_ipv4(match: re.Match[str]) -> bool:
    """Return True unless a part is over 255, or words before it name a version."""
    before = match.string[max(match.start() - 80, 0) : match.start()]
    return all(int(part) < 256 for part in match[0].split(".")) and (
        bool(_ADDRESS.search(before)) or not _VERSION.search(before)
    )


RULES = (
    Rule(
        name="URL query",
        type="URL_QUERY",
        example="entré a https://a.co/x?token=1",
        contains_folded="http",
        # A link without a query matches, too, and is refused: its parts are not tried again, whatever its length.
        pattern=re.compile(r"(?i)(?P<keep>https?://[^\s?#]++)(?P<value>[?#]\S+)?"),
        accepts=lambda match: match["value"] is not None,
    ),
    Rule(
        name="URL query without scheme",
        type="URL_QUERY",
        example="entré a www.banco.co/x?token=1",
        positions=_links,
        contains="?",
        pattern=re.compile(r"(?P<keep>(?<!\S)[^\w\s]?(?:[\w\-]{1,63}\.){1,8}[A-Za-z]{2,20}(?:/[^\s?#]{0,400})?)\?(?=\S*=)\S+"),
    ),
    Rule(
        name="IPv6",
        type="IP",
        example="desde 2001:db8::8a2e:370:7334",
        contains=":",
        positions=_colons,
        pattern=re.compile(r"(?<![\w.:])[0-9A-Fa-f:]{7,44}[0-9A-Fa-f](?!\w|:[\w:])"),
        accepts=_is_ipv6,
    ),
    Rule(
        name="IPv4",
        type="IP",
        example="mi IP es 190.24.1.8",
        min_digits=4,
        number_like=lambda number: number.count(".") >= 3,
        pattern=re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)"),
        accepts=_is_ipv4,
    ),
)
