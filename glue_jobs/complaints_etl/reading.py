"""Bytes of a dropped file → rows, each with the line it starts on; what cannot be read is named, never guessed or skipped."""

from __future__ import annotations

import codecs
import csv
import io
import json
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

# The command line refuses other endings before it uploads anything (tests/contract holds the two together).
SUPPORTED_ENDINGS = (".csv", ".tsv", ".jsonl", ".txt")
MAX_UNPACKED_BYTES = 6 * 1024**3
MAX_UNPACK_RATIO = 200
MAX_CELL_CHARACTERS = 2 * 1024**2
SNIFF_CHARACTERS = 64 * 1024
MAX_RECORD_LINES = 1000


class Reason(StrEnum):
    """Why a row or a whole file was rejected; docs/prepare.md explains each."""

    UNSUPPORTED_FORMAT = "unsupported_format"
    EMPTY_FILE = "empty_file"
    BINARY_FILE = "binary_file"
    BROKEN_ENCODING = "broken_encoding"
    UNKNOWN_ENCODING = "unknown_encoding"
    BROKEN_GZIP = "broken_gzip"
    TRUNCATED_GZIP = "truncated_gzip"
    GZIP_BOMB = "gzip_bomb"
    NO_HEADER = "no_header"
    NO_TEXT_COLUMN = "no_text_column"
    NOT_JSON_LINES = "not_json_lines"
    MALFORMED_ROW = "malformed_row"
    WRONG_FIELD_COUNT = "wrong_field_count"
    UNCLOSED_QUOTE = "unclosed_quote"
    EMPTY_TEXT = "empty_text"
    UNKNOWN_LABEL = "unknown_label"


class UnreadableFileError(Exception):
    """A whole file is rejected; `reason` says why in a code, the message in a sentence."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Row:
    """A data row as it stands in its file. `values` by column name, or a reason why it has none."""

    number: int
    line: int
    values: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    detail: str | None = None
    record: str = ""


@dataclass(frozen=True)
class Table:
    """A file understood: how it was read, its columns, and its rows (once)."""

    format: str
    encoding: str
    dialect: str
    header: tuple[str, ...]
    columns: Mapping[str, str]
    rows: Iterator[Row]


def fold(name: str) -> str:
    """A column name as aliases are compared: no case, no accents, no doubled spaces."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return " ".join(plain.replace("_", " ").lower().split())


def read_table(name: str, content: bytes, aliases: Mapping[str, Sequence[str]], *, sample: str | None = None) -> Table:
    """Read one file.

    Args:
        name: the object's key; its ending says what the file is.
        content: its bytes.
        aliases: for each of our columns the names it may have, in order of preference.
        sample: what to find out the dialect from; by default the beginning of `content`.

    Raises:
        UnreadableFileError: the file as a whole cannot be used.
    """
    lower = name.lower()
    if lower.endswith(".gz"):
        content, lower = _gunzip(content), lower.removesuffix(".gz")
    ending = next((ending for ending in SUPPORTED_ENDINGS if lower.endswith(ending)), None)
    if ending is None:
        raise UnreadableFileError(Reason.UNSUPPORTED_FORMAT, f"files end in {', '.join(SUPPORTED_ENDINGS)} or these with .gz")
    if not content.strip():
        raise UnreadableFileError(Reason.EMPTY_FILE, "the file holds nothing")
    text, encoding = decode(content)
    if "\x00" in text[:SNIFF_CHARACTERS]:
        raise UnreadableFileError(Reason.BINARY_FILE, "the file holds NUL characters: it is not text")
    if ending == ".txt":
        rows = iter([Row(number=1, line=1, values={"text": text}, record=text)])
        return Table("text", encoding, "one complaint", ("text",), {"text": "text"}, rows)
    if ending == ".jsonl":
        return _json_lines(text, encoding, aliases)
    return _separated(text, encoding, aliases, sample or text[:SNIFF_CHARACTERS])


def decode(content: bytes) -> tuple[str, str]:
    """Text and the encoding's name: byte-order marks first, then UTF-8 strictly, then Windows-1252."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            try:
                return content.decode(name), name
            except UnicodeDecodeError as error:
                raise UnreadableFileError(
                    Reason.BROKEN_ENCODING, f"starts as {name} but breaks at byte {error.start}"
                ) from None
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    # UTF-16 without a mark: every other byte of Latin text is zero.
    if len(content) > 3 and (content[1] == 0 or content[0] == 0):
        name = "utf-16-le" if content[1] == 0 else "utf-16-be"
        try:
            return content.decode(name), name
        except UnicodeDecodeError:
            pass
    try:
        return content.decode("cp1252"), "cp1252"
    except UnicodeDecodeError as error:
        raise UnreadableFileError(
            Reason.UNKNOWN_ENCODING, f"neither UTF-8, UTF-16 nor Windows-1252 (byte {error.start})"
        ) from None


def _gunzip(content: bytes) -> bytes:
    inflate = zlib.decompressobj(wbits=31)
    limit = min(MAX_UNPACKED_BYTES, max(len(content), 1024) * MAX_UNPACK_RATIO)
    try:
        unpacked = inflate.decompress(content, limit)
        if inflate.unconsumed_tail:
            raise UnreadableFileError(Reason.GZIP_BOMB, f"unpacks to over {MAX_UNPACK_RATIO} times its size")
        rest = inflate.flush()
    except zlib.error as error:
        raise UnreadableFileError(Reason.BROKEN_GZIP, f"is not gzip although its name says so ({error})") from None
    if not inflate.eof:
        raise UnreadableFileError(Reason.TRUNCATED_GZIP, "the gzip stream ends before its end: upload the file again")
    return unpacked + rest


def _find_columns(header: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> dict[str, str]:
    by_name: dict[str, str] = {}
    for column in header:
        by_name.setdefault(fold(column), column)
    found = {}
    for ours, names in aliases.items():
        match = next((by_name[fold(name)] for name in names if fold(name) in by_name), None)
        if match is not None:
            found[ours] = match
    if "text" not in found:
        # Where a file has no header its first complaint stands here, so the names that were found are not shown.
        wanted = ", ".join(aliases["text"])
        raise UnreadableFileError(
            Reason.NO_TEXT_COLUMN, f"none of the {len(header)} columns in its first line is a text column: name one {wanted}"
        )
    return found


def _separated(text: str, encoding: str, aliases: Mapping[str, Sequence[str]], sample: str) -> Table:
    first_line = sample.splitlines()[0] if sample.splitlines() else ""
    separator = max(",;\t|", key=lambda mark: (first_line.count(mark), mark == ","))
    escape = None if '""' in sample or '\\"' not in sample else "\\"
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    parse = partial(csv.reader, delimiter=separator, doublequote=escape is None, escapechar=escape)
    lines = list(io.StringIO(text, newline=""))
    reader = parse(lines)
    try:
        header = tuple(name.strip().lstrip("\ufeff") for name in next(reader))
    except (StopIteration, csv.Error) as error:
        raise UnreadableFileError(Reason.NO_HEADER, f"its first line is not a header ({error})") from None
    columns = _find_columns(header, aliases)
    name = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}[separator]
    dialect = f"{name}, quotes {'escaped by backslash' if escape else 'doubled'}"
    rows = _Records(lines, reader.line_num, header, parse, separator)
    return Table("csv", encoding, dialect, header, columns, iter(rows))


class _RecordTooLongError(Exception):
    """A record of more lines than any complaint has: a quote that was never closed."""


class _Records:
    """The rows of a CSV file, by Python's own parser; after a quote that was not closed it starts again at the next line."""

    def __init__(
        self, lines: list[str], start: int, header: tuple[str, ...], parse: Callable[..., Iterator[list[str]]], separator: str
    ) -> None:
        self._lines = lines
        self._position = start
        self._began = start
        self._header = header
        self._parse = parse
        self._separator = separator

    def _feed(self) -> Iterator[str]:
        while self._position < len(self._lines):
            if self._position - self._began >= MAX_RECORD_LINES:
                raise _RecordTooLongError
            self._position += 1
            yield self._lines[self._position - 1]

    def __iter__(self) -> Iterator[Row]:
        number = 0
        reader = self._parse(self._feed(), strict=True)
        while True:
            self._began = self._position
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _RecordTooLongError) as error:
                number += 1
                yield self._recovered(number, error)
                reader = self._parse(self._feed(), strict=True)
                continue
            if not cells:
                continue  # an empty line is no row
            number += 1
            if len(cells) != len(self._header) and self._swallowed_records():
                yield self._unclosed(number)
                reader = self._parse(self._feed(), strict=True)
                continue
            yield self._row(number, cells)

    def _row(self, number: int, cells: list[str]) -> Row:
        line = self._began + 1
        record = self._separator.join(cells)
        if len(cells) != len(self._header):
            detail = f"{len(cells)} fields where the header has {len(self._header)}"
            return Row(number=number, line=line, reason=Reason.WRONG_FIELD_COUNT, detail=detail, record=record)
        return Row(number=number, line=line, values=dict(zip(self._header, cells, strict=True)), record=record)

    def _recovered(self, number: int, error: Exception) -> Row:
        """The row where strict parsing failed: one line may be read leniently, several were swallowed by an open quote."""
        if self._position - self._began > 1 or str(error) == "unexpected end of data":
            return self._unclosed(number)
        record = self._lines[self._began]
        try:
            return self._row(number, next(self._parse([record], strict=False)))
        except (csv.Error, StopIteration):
            detail = str(error)
        return Row(
            number=number, line=self._began + 1, reason=Reason.MALFORMED_ROW, detail=detail, record=record.rstrip("\r\n")
        )

    def _unclosed(self, number: int) -> Row:
        self._position = self._began + 1
        record = self._lines[self._began].rstrip("\r\n")
        detail = "a quote is opened in this line and not closed"
        return Row(number=number, line=self._began + 1, reason=Reason.UNCLOSED_QUOTE, detail=detail, record=record)

    def _swallowed_records(self) -> bool:
        """Whether a later line of this wrong record is a whole record by itself."""
        for line in self._lines[self._began + 1 : self._position]:
            try:
                cells = next(self._parse([line], strict=True))
            except (csv.Error, StopIteration):
                continue
            if len(cells) == len(self._header) > 1:
                return True
        return False


def _json_lines(text: str, encoding: str, aliases: Mapping[str, Sequence[str]]) -> Table:
    # Only \n ends a record: JSON may hold U+2028 as it is.
    lines = text.split("\n")
    header: dict[str, None] = {}
    parsed: list[tuple[int, str, object]] = []
    for index, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            value = error
        if isinstance(value, dict):
            header.update(dict.fromkeys(map(str, value)))
        parsed.append((index, line, value))
    if not header:
        raise UnreadableFileError(Reason.NOT_JSON_LINES, "no line of it is a JSON object")
    columns = _find_columns(tuple(header), aliases)

    def rows() -> Iterator[Row]:
        for number, (line, record, value) in enumerate(parsed, start=1):
            if isinstance(value, dict):
                yield Row(number=number, line=line, values={_whole(str(k)): _cell(v) for k, v in value.items()}, record=record)
            else:
                detail = str(value) if isinstance(value, Exception) else "the line is not a JSON object"
                yield Row(number=number, line=line, reason=Reason.MALFORMED_ROW, detail=detail, record=record)

    return Table("jsonl", encoding, "one object a line", tuple(header), columns, rows())


def _cell(value: object) -> str:
    return _whole(value) if isinstance(value, str) else "" if value is None else json.dumps(value)


def _whole(text: str) -> str:
    """Without lone surrogates: JSON can write them, and no encoding can carry them on."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
