"""Drop items of a JSON document: a list of objects, or an object with one such list in it."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import pairwise

from ptmlops.erasure.formats.lines import MARKS, codec_of
from ptmlops.errors import OperatorError


def drop_items(content: bytes, numbers: Container[int], *, encoding: str) -> bytes:
    """Return a document without some items. What is between other items stays as it is.

    Args:
        content: the document, unpacked.
        numbers: numbers of items, from 1.
        encoding: as Prepare detected it.

    Raises:
        OperatorError: the items cannot be found again. Nothing is written then.
    """
    text, mark = _decoded(content, encoding)
    places = list(_places(text))
    kept = [place for number, place in enumerate(places, start=1) if number not in numbers]
    between = {end: text[end:start] for (_, end), (start, _) in pairwise(places)}
    parts = [text[: places[0][0]]]
    for order, (start, end) in enumerate(kept):
        parts.append(text[start:end])
        if order < len(kept) - 1:
            parts.append(between[end])
    parts.append(text[places[-1][1] :])
    result = "".join(parts)
    if [result[start:end] for start, end in _places(result)] != [text[start:end] for start, end in kept]:
        raise OperatorError(
            "a JSON document could not be rewritten without changing other rows: delete it, or erase its rows by hand"
        )
    return mark + result.encode(codec_of(encoding, mark), _errors(encoding))


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each item begins and ends."""
    from complaints_etl.readers.json_document import read_items

    place = 0
    for item in read_items([text]):
        start = text.index(item.record, place)
        place = start + len(item.record)
        yield start, place


def _decoded(content: bytes, encoding: str) -> tuple[str, bytes]:
    """Return the text without its byte-order mark, and the mark."""
    mark = next((one for one in MARKS.get(encoding, ()) if content.startswith(one)), b"")
    return content[len(mark) :].decode(codec_of(encoding, mark), _errors(encoding)), mark


def _errors(encoding: str) -> str:
    return "surrogatepass" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
