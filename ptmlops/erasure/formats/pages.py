"""Pages for people: the rows in review.html, and the examples in report.html."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import IO, Any

from ptmlops.erasure.formats import Doomed, Found, Stored
from ptmlops.erasure.person import Facts

_LISTS = ("rows", "checks")  # complaints to review, labels to check
_DATA = re.compile(r'(<script[^>]*type="?application/json"?[^>]*>)(.*?)(</script>)', re.DOTALL)
_EXAMPLES = re.compile(r"(?<=<dl class=examples>).*?(?=</dl>)", re.DOTALL)
_EXAMPLE = re.compile(r"<div><dt>.*?</dt><dd[^>]*>(.*?)</dd></div>", re.DOTALL)
_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def review_rows(stored: Stored) -> Iterator[Found]:
    """Yield the rows of both lists of a review page, numbered through."""
    data = _data(stored)[1]
    for number, row in enumerate((row for name in _LISTS for row in data.get(name, ())), start=1):
        text = "".join(row["parts"])
        yield Found("", number, 1, Facts(ids=(row["id"],), texts=(text,), run=stored.run))


def review_without(stored: Stored, doomed: Mapping[str, Doomed], out: IO[bytes]) -> None:
    """Write a review page without some rows. Its version changes, so that a browser does not take over the progress of the old page."""
    match, data = _data(stored)
    numbers = doomed[""].numbers()
    places = count(1)
    data |= {name: [row for row in data[name] if next(places) not in numbers] for name in _LISTS if name in data}
    data["version"] = hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED)
    page = match.string
    out.write((page[: match.start(2)] + written + page[match.end(2) :]).encode())


def _data(stored: Stored) -> tuple[re.Match[str], dict[str, Any]]:
    match = _DATA.search(stored.path.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{stored.key} has no data block")
    return match, json.loads(match[2])


def report_rows(stored: Stored) -> Iterator[Found]:
    """Yield the examples of a report. Each is a part of a complaint's text."""
    for number, match in enumerate(_examples(stored), start=1):
        yield Found("", number, 1, Facts(texts=(html.unescape(match[1]).strip("… "),), is_excerpt=True))


def report_without(stored: Stored, doomed: Mapping[str, Doomed], out: IO[bytes]) -> None:
    """Write a report without some of its examples."""
    page = stored.path.read_text(encoding="utf-8")
    numbers = doomed[""].numbers()
    for number, match in reversed(list(enumerate(_examples(stored), start=1))):
        if number in numbers:
            page = page[: match.start()] + page[match.end() :]
    out.write(page.encode())


def _examples(stored: Stored) -> list[re.Match[str]]:
    page = stored.path.read_text(encoding="utf-8")
    # New themes and categories have a list each.
    return [match for block in _EXAMPLES.finditer(page) for match in _EXAMPLE.finditer(page, block.start(), block.end())]
