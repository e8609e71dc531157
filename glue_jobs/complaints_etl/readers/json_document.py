"""Read a JSON document: a list of objects, or an object that contains one such list, as APIs answer. Each object is a row.

Objects of a list are parsed one after the other: memory holds a block of the file and an object. A document whose list is
inside an object is in memory as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from complaints_etl.readers.json_lines import RepeatedKeyError, decoder
from complaints_etl.readers.table import MAX_CELL_CHARACTERS, UnreadableFileError
from ptmlops_contracts.report import Reason

MAX_DOCUMENT_CHARACTERS = 64 * 1024**2  # of an object that contains the list
_MAX_OBJECT_CHARACTERS = 4 * MAX_CELL_CHARACTERS
_SPACE = re.compile(r"[ \t\r\n\ufeff]*+")
_BETWEEN = re.compile(r"[ \t\r\n]*+,[ \t\r\n]*+")


class Item(NamedTuple):
    """An item of the list: its first line in the file, its text and its value."""

    line: int
    record: str
    value: object

    def fields(self) -> dict[str, object] | None:
        """Return the value if it is an object, else None."""
        return self.value if isinstance(self.value, dict) else None


def begins_document(lines: Sequence[str]) -> bool:
    """Return True if these first lines of a file, which are not JSON Lines, begin a list or an object that contains one."""
    first = "".join(lines).lstrip("\ufeff \t\r\n")
    if first.startswith("["):
        return first[1:].lstrip()[:1] in ("{", "]", "")
    return first.startswith("{")


def read_items(texts: Iterable[str]) -> Iterator[Item]:
    """Yield the items of the list.

    Raises:
        UnreadableFileError: while iterating, if the document is damaged, or contains no list of objects, or several.
    """
    blocks = iter(texts)
    head = ""
    while not head.strip("\ufeff \t\r\n") and (block := next(blocks, "")):
        head += block
    start = _SPACE.match(head).end()  # type: ignore[union-attr]
    if head[start : start + 1] == "[":
        return _items(_Buffer(head, blocks), start + 1)
    document = head
    for block in blocks:
        document += block
        if len(document) > MAX_DOCUMENT_CHARACTERS:
            message = (
                f"the object that contains the list has over {MAX_DOCUMENT_CHARACTERS:,} characters: "
                "upload the list alone, or one object per line"
            )
            raise UnreadableFileError(Reason.TOO_LONG, message)
    return _items(_Buffer(document, iter(())), _find_list(document, start))


class _Buffer:
    """The part of a text that has been read and not yet been parsed."""

    def __init__(self, text: str, blocks: Iterator[str]) -> None:
        self.text = text
        self.lines = 0  # line ends of the text that was dropped
        self._blocks = blocks

    def read_more(self, start: int) -> bool:
        """Drop the text before `start`, which becomes position 0, and read a block. Return False at the end of the file."""
        block = next(self._blocks, "")
        self.lines += self.text.count("\n", 0, start)
        self.text = self.text[start:] + block
        return bool(block)


def _items(buffer: _Buffer, position: int) -> Iterator[Item]:
    line, counted = 1, 0  # of the position `counted`
    is_first = True
    while True:
        text = buffer.text
        try:
            parsed = _parse_item(text, position, is_first=is_first)
        except RepeatedKeyError:
            raise _damaged(buffer, position, "an object has a key twice") from None
        except json.JSONDecodeError as error:
            if len(text) - position > _MAX_OBJECT_CHARACTERS or not buffer.read_more(position):
                raise _damaged(buffer, min(error.pos, len(buffer.text)), "it is not JSON") from None
            line, counted, position = buffer.lines + 1, 0, 0
            continue
        except (ValueError, RecursionError):
            raise _damaged(buffer, position, "a number is too long, or objects are nested too deeply") from None
        if parsed is None:
            return
        place, end, value = parsed
        line += text.count("\n", counted, place)
        counted = place
        yield Item(line, text[place:end], value)
        position, is_first = end, False


def _parse_item(text: str, position: int, *, is_first: bool) -> tuple[int, int, object] | None:
    """Return (start, end, value) of the item at a position, or None at the end of the list.

    Raises:
        json.JSONDecodeError: the text is damaged, or breaks off here.
    """
    place = _SPACE.match(text, position).end()  # type: ignore[union-attr]
    if text[place : place + 1] == "]":
        return None
    if not is_first:
        comma = _BETWEEN.match(text, position)
        if comma is None:
            raise json.JSONDecodeError("no comma", text, position)
        place = comma.end()
    value, end = decoder.raw_decode(text, place)
    if end == len(text):
        raise json.JSONDecodeError("a number may go on", text, end)
    return place, end, value


def _damaged(buffer: _Buffer, position: int, problem: str) -> UnreadableFileError:
    line = buffer.lines + buffer.text.count("\n", 0, position) + 1
    return UnreadableFileError(
        Reason.NOT_JSON_LINES, f"{problem} at line {line:,}: repair the list, or write one object per line"
    )


def _find_list(document: str, start: int) -> int:
    """Return the position behind the bracket of the only list of objects in an object."""
    found: list[int] = []
    position = start + 1
    try:
        while True:
            place = _SPACE.match(document, position).end()  # type: ignore[union-attr]
            if document[place : place + 1] == "}":
                break
            _, place = decoder.raw_decode(document, place)
            place = _SPACE.match(document, place).end()  # type: ignore[union-attr]
            if document[place : place + 1] != ":":
                raise json.JSONDecodeError("no colon", document, place)
            place = _SPACE.match(document, place + 1).end()  # type: ignore[union-attr]
            value, position = decoder.raw_decode(document, place)
            if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
                found.append(place + 1)
            comma = _BETWEEN.match(document, position)
            position = comma.end() if comma else position
    except (ValueError, RecursionError) as error:
        raise _damaged(_Buffer(document, iter(())), getattr(error, "pos", position), "it is not JSON") from None
    if len(found) != 1:
        message = (
            f"it is an object that contains {len(found)} lists of objects: "
            "upload the list of complaints alone, or one object per line"
        )
        raise UnreadableFileError(Reason.NOT_JSON_LINES, message)
    return found[0]
