"""Drop rows of a workbook's sheets. Other rows, their numbers and their formats stay; the place of a dropped row is empty.

What the workbook keeps of the dropped cells elsewhere goes, too: shared strings, links, comments, and copies in other parts (caches of pivot
tables and charts, filters, properties). One part of the workbook is in memory at a time.
"""

from __future__ import annotations

import html
import posixpath
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ptmlops.errors import OperatorError


def _element(name: str, attributes: str = "[^<>]*+", content: str = "") -> re.Pattern[bytes]:
    """Return the pattern of an XML element that holds no other one of its name.

    Each part can end in one place only, and an element that never ends is given up at the next tag of its name: so the time grows
    with the length of the part, whatever is in it.
    """
    tag = rf"(?:\w+:)?(?:{name})\b"
    inside = rf"[^<]*+(?:<(?!/?{tag})[^<]*+)*"
    return re.compile(rf"<{tag}{attributes}>(?:(?<=/>)|({content or inside})</{tag}>)".encode())


_SHEET = re.compile(r"<(?:\w+:)?sheet\b[^<>]*+>")
_RELATION = re.compile(r"<(?:\w+:)?Relationship\b[^<>]*+>")
_ATTRIBUTE = re.compile(r'(?<![\w:])([\w:]++)\s*+=\s*+"([^"]*)"')
_ROW = _element("row")
_ROW_NUMBER = re.compile(rb'<(?:\w+:)?row\b[^<>]*?\br="(\d+)"')
_CELL = _element("c", attributes="([^<>]*+)")
_VALUE = _element("v")
_TEXT = _element("t")
_STRING = _element("si")
_SHARED = re.compile(rb'\bt="s"')
_LINK = _element("hyperlink", attributes=r'(?=[^<>]*?\bref="[A-Z$]++(\d++)[^"<>]*+")[^<>]*+', content=r"\s*+")
_COMMENT = _element("comment|threadedComment", attributes=r'(?=[^<>]*?\bref="[A-Z$]++(\d++)")[^<>]*+')
_CONTENT = re.compile(r'(?<=>)[^<>]+(?=<)|(?<==")[^"<>]*(?=")')
_LEAST_COPY = 4  # characters of a cell whose copies elsewhere are looked for
_LEAST_PART = 10  # characters of a cell that may be a part of a longer text elsewhere
_KEPT_AS_THEY_ARE = re.compile(
    r"(?i)^\[Content_Types\]\.xml$|/styles\.xml$|/theme/|/workbook\.xml$|workbook\.xml\.rels$|^_rels/"
)
_XML = (".xml", ".rels", ".vml")


@dataclass
class _Dropped:
    """What the dropped rows held."""

    strings: set[int] = field(default_factory=set)  # numbers of shared strings
    values: set[str] = field(default_factory=set)


def drop_rows(path: Path, out: IO[bytes], doomed: Mapping[int | None, Collection[int]]) -> None:
    """Write a workbook without some rows.

    Args:
        path: the workbook.
        out: the file to write.
        doomed: for each sheet, by its place among all sheets, the numbers of the rows as Excel shows them.

    Raises:
        OperatorError: the workbook's parts are not where the format has them. Nothing was changed.
    """
    with zipfile.ZipFile(path) as old:
        parts = _sheet_parts(old)
        rows = {parts[place]: set(numbers) for place, numbers in doomed.items() if place is not None}
        shared = next((name for name in old.namelist() if name.lower().endswith("sharedstrings.xml")), None)
        dropped, used = _Dropped(), set[int]()
        for name in parts:
            _look(old.read(name), rows.get(name, frozenset()), dropped, used)
        orphans = dropped.strings - used
        if shared:
            dropped.values |= _texts_of(old.read(shared), orphans)
        comments = {part: numbers for name, numbers in rows.items() for part in _related(old, name)}
        with zipfile.ZipFile(out, "w") as new:
            for entry in old.infolist():
                content = old.read(entry)
                name = entry.filename
                if name in rows:
                    content = _without_rows(content, rows[name])
                if name == shared:
                    content = _blank_strings(content, orphans)
                if name in comments:
                    content = _without(_COMMENT, content, comments[name])
                if name.lower().endswith(_XML) and name != shared and not _KEPT_AS_THEY_ARE.search(name):
                    content = _without_copies(content, dropped.values, is_sheet=name in parts)
                copy = zipfile.ZipInfo(name, entry.date_time)
                copy.compress_type, copy.external_attr = entry.compress_type, entry.external_attr
                new.writestr(copy, content)


def _sheet_parts(workbook: zipfile.ZipFile) -> list[str]:
    """Return the names of the sheets' parts, in the order of the sheets."""
    names = {name.lower(): name for name in workbook.namelist()}
    try:
        main = _targets(workbook.read(names["_rels/.rels"]).decode(), "")
        book = names[next(target for kind, target in main.values() if kind.endswith("/officeDocument")).lower()]
        folder, file = posixpath.split(book)
        relations = _targets(workbook.read(names[f"{folder}/_rels/{file}.rels".lstrip("/").lower()]).decode(), folder)
        sheets = [dict(_ATTRIBUTE.findall(tag)) for tag in _SHEET.findall(workbook.read(book).decode())]
        ids = [next(value for key, value in sheet.items() if key.endswith(":id")) for sheet in sheets]
        return [names[relations[id_][1].lower()] for id_ in ids]
    except (KeyError, StopIteration, UnicodeDecodeError):
        raise OperatorError(
            "a workbook has its parts in places that are not read: open it, save it as .xlsx, upload it again, and delete the old one"
        ) from None


def _targets(relations: str, folder: str) -> dict[str, tuple[str, str]]:
    """Return kind and target of each relation."""
    found = {}
    for tag in _RELATION.findall(relations):
        values = dict(_ATTRIBUTE.findall(tag))
        target = values.get("Target", "")
        path = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
        found[values.get("Id", "")] = (values.get("Type", ""), path)
    return found


def _related(workbook: zipfile.ZipFile, sheet: str) -> list[str]:
    """Return the parts that a sheet names: its comments among them."""
    folder, file = posixpath.split(sheet)
    name = f"{folder}/_rels/{file}.rels"
    if name not in workbook.namelist():
        return []
    return [target for _, target in _targets(workbook.read(name).decode("utf-8", "replace"), folder).values()]


def _numbered(sheet: bytes) -> Iterator[tuple[int, re.Match[bytes]]]:
    """Yield the rows of a sheet with their numbers. A row without a number follows the one before it."""
    number = 0
    for row in _ROW.finditer(sheet):
        given = _ROW_NUMBER.match(row[0])
        number = int(given[1]) if given else number + 1
        yield number, row


def _look(sheet: bytes, rows: Collection[int], dropped: _Dropped, used: set[int]) -> None:
    """Collect what the dropped rows hold, and which shared strings the others use."""
    for number, row in _numbered(sheet):
        for attributes, content in _CELL.findall(row[0]):
            found = _VALUE.search(content)
            value = (found and found[1]) or b""
            if _SHARED.search(attributes):
                if value:
                    (dropped.strings if number in rows else used).add(int(value))
            elif number in rows:
                inline = b"".join(_TEXT.findall(content))
                dropped.values.add(html.unescape((inline or value).decode("utf-8", "replace")))


def _without_rows(sheet: bytes, rows: Collection[int]) -> bytes:
    pieces, place = [], 0
    for number, row in _numbered(sheet):
        if number in rows:
            pieces.append(sheet[place : row.start()])
            place = row.end()
    content = b"".join((*pieces, sheet[place:]))
    return _without(_LINK, content, rows)


def _without(pattern: re.Pattern[bytes], part: bytes, rows: Collection[int]) -> bytes:
    """Take out what belongs to a cell of these rows: a link, a comment."""
    return pattern.sub(lambda found: b"" if int(found[1]) in rows else found[0], part)


def _texts_of(strings: bytes, numbers: Collection[int]) -> set[str]:
    return {
        html.unescape(b"".join(_TEXT.findall(match[0])).decode("utf-8", "replace"))
        for number, match in enumerate(_STRING.finditer(strings))
        if number in numbers
    }


def _blank_strings(strings: bytes, numbers: Collection[int]) -> bytes:
    """Empty shared strings that no cell uses any more. The others keep their numbers."""
    count = iter(range(len(strings)))

    def blank(match: re.Match[bytes]) -> bytes:
        if next(count) not in numbers:
            return match[0]
        prefix = re.match(rb"<(\w+:)?", match[0])[1] or b""  # type: ignore[index] # a string begins with its tag
        return b"<" + prefix + b"si><" + prefix + b"t/></" + prefix + b"si>"

    return _STRING.sub(blank, strings)


def _without_copies(part: bytes, values: Collection[str], *, is_sheet: bool) -> bytes:
    """Empty contents and attributes that are copies of dropped cells, or contain a long one. Cells of sheets stay: they are other rows."""
    equal = {value.strip() for value in values if len(value.strip()) >= _LEAST_COPY and not _is_number(value)}
    inside = [value for value in equal if len(value) >= _LEAST_PART]
    if not equal:
        return part
    try:
        text = part.decode("utf-8")
    except UnicodeDecodeError:
        return part
    start = text.rfind("sheetData>") if is_sheet else 0
    head, tail = text[: max(start, 0)], text[max(start, 0) :]

    def blank(match: re.Match[str]) -> str:
        content = html.unescape(match[0]).strip()
        plain = content.removeprefix("mailto:")
        return "" if plain in equal or any(value in content for value in inside) else match[0]

    return (head + _CONTENT.sub(blank, tail)).encode()


def _is_number(value: str) -> bool:
    """Return True for a short number: the same number elsewhere is most probably another one."""
    return len(value.strip()) < _LEAST_PART and re.fullmatch(r"[\d.,\-+eE]+", value.strip()) is not None
