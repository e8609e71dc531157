"""Bytes of a dropped file → rows, each with the line it starts on; what cannot be read is named, never guessed or skipped.

A file is gone through twice, a block at a time: once to find out how it is written (and whether it can be read at all), once for
its rows. So memory holds a block and a record, however large the file is and however it is packed.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import re
import unicodedata
import zlib
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, islice
from typing import Any, NamedTuple, Self

import numpy as np

from complaints_etl.redaction import redact

# The command line refuses other endings before it uploads anything (tests/contract holds the two together).
SUPPORTED_ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".txt")
MAX_UNPACKED_BYTES = 6 * 1024**3
MAX_UNPACK_RATIO = 200
# Below this nothing is a bomb: a thousand copies of one complaint pack 250 times smaller.
HARMLESS_BYTES = 16 * 1024**2
MAX_CELL_CHARACTERS = 2 * 1024**2
MAX_LINE_BYTES = 64 * 1024**2
MAX_COLUMNS = 1000
SNIFF_BYTES = 64 * 1024
BLOCK_BYTES = 4 * 1024**2
SNIFF_RECORDS = 100
MAX_BROKEN_LINES = 1000
MAX_REST_LINES = 50
ONE_BYTE = ("cp1252", "cp850", "mac_roman")  # encodings that are told by what stands inside words
LONGEST_NAME = 200  # characters of a column's name where a header stands again
NAME_CHARACTERS = 1000  # kept of any: a survey's question may be one, a complaint where a header should be is none
MOST_TITLES, MOST_FILLED = 20, 2  # lines above a header, cells of one of them
FEW_LINES = 4  # of a record; where it has more, it is looked at whether they are records

Blocks = Callable[[], Iterator[bytes]]
Aliases = Mapping[str, Sequence[str]]


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
    TOO_MANY_COLUMNS = "too_many_columns"
    NOT_JSON_LINES = "not_json_lines"
    TOO_LONG = "too_long"
    MALFORMED_ROW = "malformed_row"
    WRONG_FIELD_COUNT = "wrong_field_count"
    UNCLOSED_QUOTE = "unclosed_quote"
    REPEATED_HEADER = "repeated_header"
    EMPTY_TEXT = "empty_text"
    UNKNOWN_LABEL = "unknown_label"


class UnreadableFileError(Exception):
    """A whole file is rejected; `reason` says why in a code, the message in a sentence, `record` is its first line where it has one."""

    def __init__(self, reason: Reason, message: str, record: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.record = record


class Row(NamedTuple):
    """A data row as it stands in its file. `values` by column name, or a reason why it has none; `record` is its original text."""

    number: int
    line: int
    values: Mapping[str, str]
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
    month_first: bool = False


@dataclass(frozen=True)
class Evidence:
    """What counting finds in whole lines of a file; the counts of its stretches add up to those of the file.

    `multibyte` counts bytes that only UTF-8 explains, `broken` those that it does not; `escaped` and `doubled` quotes that can be
    nothing else; `opening` and `closing` quotes beside a separator or a line's end, `either` ones between two, `stray` ones beside none;
    `day_first` and `month_first` cells that are a date and can be read in that order only. Inside words, of bytes that are no UTF-8:
    `latin` letters of Windows-1252, and what is a letter in DOS or on old Macs and a sign in Windows-1252.
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
        """Whether counting quotes tells what is inside one: as many open as close, none stands in a word, none is escaped."""
        even = not self.quotes % 2 and abs(self.opening - self.closing) <= self.either
        return even and not self.stray and not self.escaped

    @classmethod
    def of(cls, body: bytes, before: bytes = b"", after: bytes = b"") -> Self:
        """Count in lines of a file whose letters of ASCII are ASCII's bytes; `before` and `after` are what stands around them."""
        multibyte = broken = 0
        if not body.isascii():
            # A character that the stretch cuts is no broken one.
            begins = _CUT_BEGIN.match(body).end() if before else 0  # type: ignore[union-attr]
            cut = _CUT_END.search(body[-3:]) if after else None
            characters = _whole_characters(body[begins : len(body) - (len(cut[0]) if cut else 0)])
            try:
                text = characters.decode()
            except UnicodeDecodeError:
                text = characters.decode("utf-8", "surrogateescape")
                broken = sum(1 for _ in _LONE.finditer(text))
            multibyte = len(characters) - len(text)
        latin, dos, mac = (sum(1 for _ in form.finditer(body)) if broken else 0 for form in (_LATIN, _DOS, _MAC))
        quotes = body.count(b'"')
        day_first, month_first = date_orders(body)
        about = cls(
            newlines=body.count(b"\n"), multibyte=multibyte, broken=broken, day_first=day_first, month_first=month_first,
            latin=latin, dos=dos, mac=mac,
        )  # fmt: skip
        if not quotes:
            return about
        opening, closing, either, stray, doubled = _quote_places(body, before, after)
        return replace(
            about,
            quotes=quotes,
            escaped=sum(1 for _ in _ESCAPED.finditer(body)) if b'\\"' in body else 0,
            doubled=doubled,
            opening=opening,
            closing=closing,
            either=either,
            stray=stray,
        )


def _whole_characters(block: bytes) -> bytes:
    """UTF-8 where a character outside the basic plane, an emoji for one, came as the two halves that UTF-16 has for it (CESU-8):
    databases write so that call it UTF8 and mean the older form (Unicode Technical Report 26).
    """
    if b"\xed" not in block:
        return block
    return _HALVES.sub(
        lambda pair: pair[0].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16").encode(),
        block,
    )


_HALVES = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
_CUT_BEGIN = re.compile(rb"[\x80-\xbf]{0,3}")
_CUT_END = re.compile(rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z")
_LONE = re.compile("[\ud800-\udfff]")
# Of Spanish: é í ó ú ñ in code page 850, and é á ú ü in Mac Roman, whose í ó ñ are an apostrophe and dashes in Windows-1252.
_LATIN, _DOS, _MAC = (
    re.compile(rb"(?<=[a-z])[%s](?=[a-z])" % letters)
    for letters in (rb"\xdf-\xf6\xf8-\xff", rb"\x82\xa1-\xa4", rb"\x87\x8e\x9c\x9f")
)
# From the first mark of a cell that is a date, with slashes or, with four digits of a year, dashes: few bytes are such marks.
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


def date_orders(body: bytes) -> tuple[int, int]:
    """How many cells are dates that have a day first, and a month first, by a part over 12."""
    body = body.replace(b"\\/", b"/")  # as some write JSON
    day_first = month_first = 0
    for form in _DATES:
        for match in form.finditer(body):
            first, second = int(body[match.start() - 2 : match.start()].lstrip(b',;\t|"\n')), int(match[1])
            day_first += 12 < first <= 31 and 0 < second <= 12
            month_first += 0 < first <= 12 < second <= 31
    return day_first, month_first


def says_month_first(day_first: int, month_first: int) -> bool:
    """What a file with so many dates of each order means by 03/04/2026: the fourth of March only if nothing speaks against it."""
    return month_first > 0 and not day_first


def _quote_places(body: bytes, before: bytes, after: bytes) -> list[int]:
    """How many runs of an odd number of quotes begin a field, end one, may do either, and stand in a word; how many double one there."""
    marks = np.frombuffer(b"".join((b"\n", before, body, after, b"\n")), dtype=np.uint8)
    places = np.flatnonzero(marks == ord('"'))
    first = np.flatnonzero(np.diff(places, prepend=-2) > 1)
    begins, lengths = places[first], np.diff(first, append=len(places))
    counted = (begins > len(before)) & (begins <= len(before) + len(body))
    begins, lengths = begins[counted], lengths[counted]
    left, right, odd = _BOUNDARY[marks[begins - 1]], _BOUNDARY[marks[begins + lengths]], lengths % 2 == 1
    doubled = ~(left | right | odd) & (marks[begins - 1] != ord("\\"))
    kinds = (odd & left & ~right, odd & ~left & right, odd & left & right, odd & ~left & ~right, doubled)
    return [int(kind.sum()) for kind in kinds]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a file is written: found out once, and the same for all of its parts."""

    encoding: str
    broken: bool = False
    escaped: bool = False
    month_first: bool = False

    @classmethod
    def of(cls, encoding: str, evidence: Evidence) -> Self:
        """`encoding` is that of the byte-order mark or of zeros in its place, or "" where there are none.

        Raises:
            UnreadableFileError: the bytes are of no encoding that is known here.
        """
        broken = evidence.broken > 0
        if not encoding or encoding == "utf-8-sig":
            # A few broken bytes do not make Windows-1252 of a text whose other accents are UTF-8.
            utf8 = not broken or encoding or evidence.multibyte >= evidence.broken
            encoding = encoding or ("utf-8" if utf8 else cls._of_one_byte(evidence))
        escaped = evidence.escaped > evidence.doubled
        month_first = says_month_first(evidence.day_first, evidence.month_first)
        return cls(encoding=encoding, broken=broken, escaped=escaped, month_first=month_first)

    @staticmethod
    def _of_one_byte(evidence: Evidence) -> str:
        """Windows-1252, unless nearly all that stands inside words are signs there, and letters in DOS or on old Macs."""
        found, name = max((evidence.dos, "cp850"), (evidence.mac, "mac_roman"))
        return name if found > 2 and found > 10 * evidence.latin else "cp1252"

    @property
    def codec(self) -> str:
        """What decodes the file's blocks: UTF-16 has become UTF-8 before (`_readable`)."""
        return self.encoding if self.encoding in ONE_BYTE else "utf-8"


def fold(name: str) -> str:
    """A column name as aliases are compared: no case, no accents, no doubled spaces; marks between words are spaces."""
    plain = "".join(
        mark for mark in unicodedata.normalize("NFKD", name) if unicodedata.category(mark) not in ("Mn", "Cf", "Cc")
    )
    return " ".join(re.sub(r"[_\-.]+", " ", plain).casefold().split())


def read_table(name: str, content: bytes | Blocks, aliases: Aliases, *, dialect: Dialect | None = None) -> Table:
    """Read one file, or a part of one.

    Args:
        name: the object's key; its ending says what the file is.
        content: its bytes, or a function that gives them in blocks, each time from the start.
        aliases: for each of our columns the names it may have, in order of preference.
        dialect: how the file is written where that is known; by default found out from `content`.

    Raises:
        UnreadableFileError: the file as a whole cannot be used.
    """
    blocks = _blocks(content) if isinstance(content, bytes) else content
    lower = name.lower()
    if lower.endswith(".gz"):
        packed, lower = blocks, lower.removesuffix(".gz")
        blocks = lambda: _gunzip(packed())  # noqa: E731 - a source of blocks, as the others are
    ending = next((ending for ending in SUPPORTED_ENDINGS if lower.endswith(ending)), None)
    if ending is None:
        raise UnreadableFileError(Reason.UNSUPPORTED_FORMAT, f"files end in {', '.join(SUPPORTED_ENDINGS)} or these with .gz")
    head = next(_first(blocks(), SNIFF_BYTES), b"")
    mark = _encoding_by_mark(head)
    if dialect is None:
        dialect = _find_out(blocks, head, mark)
    known = dialect

    def texts() -> Iterator[str]:
        return (_decoded(block, known.codec) for block in _whole_lines(_readable(blocks(), mark)))

    objects = ending in (".jsonl", ".json") or (ending == ".txt" and _is_json_lines(texts))
    if ending == ".txt" and not objects and not _is_table(texts, dialect, aliases):
        return _one_complaint(texts(), dialect)
    if objects:
        return _json_lines(lambda: _lines(texts(), "\n"), dialect, aliases)
    return _separated(texts, dialect, aliases)


def _blocks(content: bytes) -> Blocks:
    return lambda: (content[start : start + BLOCK_BYTES] for start in range(0, len(content), BLOCK_BYTES))


def _decoded(block: bytes, codec: str) -> str:
    """The text of whole lines; lines of UTF-8 in a file of Windows-1252, as joined files have them, are what they are."""
    if codec not in ONE_BYTE or block.isascii():
        return _whole_characters(block).decode(codec, "surrogateescape")
    return "".join([_decoded_line(line, codec) for line in block.splitlines(keepends=True)])


def _decoded_line(line: bytes, codec: str) -> str:
    try:
        return _whole_characters(line).decode()
    except UnicodeDecodeError:
        return line.decode(codec, "surrogateescape")


def _first(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes; the first block has at least `size` of them where there are so many."""
    first = b""
    while len(first) < size and (block := next(blocks, b"")):
        first += block
    yield first
    yield from blocks


def head_of(body: bytes, aliases: Aliases) -> int:
    """How many of a CSV file's first bytes are its header and what stands before it: a line for Excel, blank ones, titles."""
    place = 0
    while place < len(body):
        line = body[place:].removeprefix(codecs.BOM_UTF8).partition(b"\n")[0]
        if line.strip() and not _SEPARATOR_LINE.fullmatch(line.decode("latin-1")):
            above = body[place:].splitlines(keepends=True)[: MOST_TITLES + 2]
            place += sum(map(len, above[: _titles([_decoded_line(line, "cp1252") for line in above], aliases)]))
            end = record_end(body[place:], opened=False)
            return len(body) if end is None else place + end + 1
        place = body.find(b"\n", place) + 1 or len(body)
    return place


def record_end(body: bytes, *, opened: bool) -> int | None:
    """Where the first record ends: the place of the first newline outside quotes; `opened` tells that `body` begins in quotes."""
    position = 0
    while True:
        quote = body.find(b'"', position)
        if opened:
            if quote < 0:
                return None
        else:
            newline = body.find(b"\n", position, quote if quote >= 0 else len(body))
            if newline >= 0 or quote < 0:
                return newline if newline >= 0 else None
        opened, position = not opened, quote + 1


def _find_out(blocks: Blocks, head: bytes, mark: str) -> Dialect:
    """How the file is written, from all of it; what cannot be read is told here, before any row of it is counted."""
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            raise UnreadableFileError(Reason.BINARY_FILE, f"it is {what}, whatever its name says: export it as CSV in UTF-8")
    evidence, start = Evidence(), b""
    for block in _whole_lines(_readable(blocks(), mark), limit=MAX_LINE_BYTES):
        evidence += Evidence.of(block)
        if len(start) < SNIFF_BYTES:
            start = (start.lstrip() + block)[:SNIFF_BYTES]
    if not start.strip():
        raise UnreadableFileError(Reason.EMPTY_FILE, "the file holds nothing")
    dialect = Dialect.of(mark, evidence)
    if len(start) - len(start.translate(None, CONTROL_BYTES)) > max(16, len(start) / 10):
        raise UnreadableFileError(
            Reason.BINARY_FILE, "a tenth of it is control characters: it is not text, whatever its name says"
        )
    undefined = sum(start.count(byte) for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"))
    if dialect.encoding == "cp1252" and undefined > max(3, len(start) / 200):
        raise UnreadableFileError(Reason.UNKNOWN_ENCODING, "neither UTF-8, UTF-16 nor Windows-1252: save it as UTF-8")
    return dialect


def _encoding_by_mark(head: bytes) -> str:
    """The encoding that a byte-order mark names, or zeros in every other byte of Latin text; "" where neither is there."""
    marks = (
        (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
    )  # fmt: skip
    for mark, name in marks:
        if head.startswith(mark):
            return name
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) / 2
    # Zeros nearly everywhere on one side and nearly nowhere on the other: signs above U+00FF are few in Spanish and English.
    if odd > half * 0.6 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.6 and odd < half * 0.05:
        return "utf-16-be"
    return ""


def _readable(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The blocks without a byte-order mark, UTF-16 as UTF-8: a newline is one byte then, and nothing else is."""
    if encoding == "utf-8-sig":
        whole = _first(iter(blocks), len(codecs.BOM_UTF8))
        yield next(whole).removeprefix(codecs.BOM_UTF8)
        yield from whole
    elif encoding:
        decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        try:
            for block in blocks:
                yield decoder.decode(block).encode("utf-8", "surrogatepass")
            yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            message = f"starts as {encoding} and breaks off in the middle of a character: upload it again"
            raise UnreadableFileError(Reason.BROKEN_ENCODING, message) from None
    else:
        yield from blocks


def _whole_lines(blocks: Iterable[bytes], *, limit: int | None = None) -> Iterator[bytes]:
    """The same bytes in blocks that end where a line does, the last one aside; `limit` is how many bytes a line may have."""
    begun: list[bytes] = []
    size = 0
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if end:
            yield b"".join((*begun, block[:end]))
            begun, size = [], 0
        if end < len(block):
            begun.append(block[end:])
            size += len(block) - end
        if limit and size > limit:
            raise UnreadableFileError(Reason.TOO_LONG, f"a line of it has over {limit:,} bytes: it is no table of complaints")
    if begun:
        yield b"".join(begun)


# What the first bytes of files that are no text say, whatever their names do (each format's own definition).
_SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook or another zip archive", b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"%PDF-": "a PDF", b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"GIF8": "a GIF image",
    b"\x1f\x8b": "packed with gzip: end its name in .gz", b"BZh91AY&SY": "packed with bzip2", b"\xfd7zXZ": "packed with xz",
    b"7z\xbc\xaf": "a 7-Zip archive", b"Rar!": "a RAR archive", b"(\xb5/\xfd": "packed with zstd", b"PAR1": "a Parquet file",
    b"{\\rtf": "a rich text document", b"SQLite format 3": "an SQLite database",
}  # fmt: skip
CONTROL_BYTES = bytes({*range(32)} - {9, 10, 11, 12, 13} | {127})


def _gunzip(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpacked blocks of all members of a gzip file, no block over BLOCK_BYTES however well it was packed."""
    inflate = zlib.decompressobj(wbits=31)
    packed = unpacked = 0
    begun = False
    for block in blocks:
        packed += len(block)
        rest = block
        while rest:
            if inflate.eof:
                if not rest.strip(b"\0"):
                    break  # zeros may fill up a tape's last block (gzip's manual)
                inflate = zlib.decompressobj(wbits=31)
            begun = begun or rest.startswith(b"\x1f\x8b")
            try:
                out = inflate.decompress(rest, BLOCK_BYTES)
            except zlib.error:
                message = "is damaged: it does not unpack" if begun else "is not gzip although its name says so"
                raise UnreadableFileError(Reason.BROKEN_GZIP, f"{message}; pack and upload it again") from None
            unpacked += len(out)
            if unpacked > MAX_UNPACKED_BYTES:
                raise UnreadableFileError(
                    Reason.GZIP_BOMB, f"unpacks to over {MAX_UNPACKED_BYTES / 1024**3:g} GB: drop it in parts"
                )
            if unpacked > max(HARMLESS_BYTES, packed * MAX_UNPACK_RATIO):
                raise UnreadableFileError(
                    Reason.GZIP_BOMB, f"unpacks to over {MAX_UNPACK_RATIO} times its size: drop it unpacked"
                )
            if out:
                yield out
            rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if packed and not inflate.eof:
        raise UnreadableFileError(Reason.TRUNCATED_GZIP, "the gzip stream ends before its end: upload the file again")


def _is_json_lines(texts: Callable[[], Iterator[str]]) -> bool:
    """Whether a text file's first lines are objects, one and all."""
    lines = list(islice(filter(str.strip, _lines(texts(), "\n")), SNIFF_RECORDS))
    return bool(lines) and all(line.lstrip("\ufeff ").startswith("{") and isinstance(_parsed(line), dict) for line in lines)


def _is_table(texts: Callable[[], Iterator[str]], dialect: Dialect, aliases: Aliases) -> bool:
    """Whether a text file is what spreadsheets save as text: columns, one of them the complaint, and rows as wide as the header.

    A letter's first line may hold a comma, a semicolon and a word that is a column's name: there it takes more than one such column.
    """
    lines = list(islice(filter(str.strip, _lines(texts(), "")), SNIFF_RECORDS))
    if not lines or _SEPARATOR_LINE.fullmatch(lines[0]):
        return bool(lines)
    separator = _separator(lines, dialect, aliases)
    if separator == _NO_SEPARATOR:
        return False
    with contextlib.suppress(csv.Error):
        header, *rows = _Parser(separator, escaped=dialect.escaped).records(lines, strict=False)
        found = _find_columns(header, aliases)
        if "text" not in found or not all(map(str.strip, header)):
            return False
        wide = 2 * sum(len(row) == len(header) for row in rows) > len(rows)
        if separator in "\t|":
            return wide or len(found) > 1
        return wide and len(found) > 1 and not any(name.startswith(" ") for name in header)
    return False


def _one_complaint(texts: Iterable[str], dialect: Dialect) -> Table:
    text = ""
    for block in texts:
        text += block
        if len(text) > MAX_CELL_CHARACTERS:
            message = f"a text file is one complaint, and this one has over {MAX_CELL_CHARACTERS:,} characters"
            raise UnreadableFileError(Reason.TOO_LONG, message)
    row = _bytes_rejected(1, 1, text) if _LONE.search(text) else Row(1, 1, {"text": text}, record=text)
    return Table("text", dialect.encoding, "one complaint", ("text",), {"text": "text"}, iter([row]))


def _bytes_rejected(number: int, line: int, record: str) -> Row:
    """A row with bytes that its file's encoding does not know; they are written as \\xff in the record, for nothing can carry them."""
    record = _LONE.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", record)
    detail = "it has bytes that are not of the file's encoding; in the record they are written as \\x and two digits"
    return Row(number, line, {}, Reason.BROKEN_ENCODING, detail, record)


def _find_columns(header: Sequence[str], aliases: Aliases) -> dict[str, str]:
    by_name: dict[str, str] = {}
    for column in header:
        by_name.setdefault(fold(column), column)
    found = {}
    for ours, names in aliases.items():
        # Our own name goes without saying: a review list that comes back is headed by it, whatever the settings call the column.
        match = next((by_name[fold(name)] for name in (*names, ours) if fold(name) in by_name), None)
        if match is not None:
            found[ours] = match
    return found


def _needed_columns(header: Sequence[str], aliases: Aliases, record: str) -> dict[str, str]:
    found = _find_columns(header, aliases)
    if "text" not in found:
        # Where a file has no header its first complaint stands here: the names are kept with the rejected rows, and shown nowhere.
        wanted = ", ".join(aliases["text"])
        told = f"none of its {len(header)} columns (the rejected record) is a text column"
        message = f"{told}: name one {wanted}, and let the names be its first line"
        raise UnreadableFileError(Reason.NO_TEXT_COLUMN, message, record)
    return found


def _lines(texts: Iterable[str], newline: str) -> Iterator[str]:
    """Lines with their ends; `newline` "" takes a lone carriage return for one too."""
    return chain.from_iterable(io.StringIO(text, newline=newline) for text in texts)


_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_NO_SEPARATOR = "\x1f"  # of a file with one column: nothing in a cell may split it
# Excel's line for the separator, and PowerShell's for what was exported.
_SEPARATOR_LINE = re.compile(r'(?:"?sep=([^"\r\n])"?;*,*|#TYPE [\w.]+[,;]*)\s*', re.IGNORECASE)


class _Parser:
    """Python's csv with one separator, a quote that may be escaped by a backslash besides being doubled, and line ends as given."""

    # A backslash escapes a quote or itself; before anything else it is a backslash, or paths would lose theirs. csv's own
    # escape character knows no such difference, so escaped signs are parsed as signs that no text may hold (Unicode, D14).
    _HIDDEN = re.compile(r'\\(["\\])')
    _SHOWN = str.maketrans({"\ufdd0": '"', "\ufdd1": "\\"})

    def __init__(self, separator: str, *, escaped: bool) -> None:
        self.separator = separator
        self.escaped = escaped
        mark = re.escape(separator)
        # A field in quotes may hold quotes that do not end it; one without holds them as they are. No two ways to read a quote: it
        # takes no possessive quantifiers, whose groups Python 3.11.2 loses.
        self._field = re.compile(rf'(?:"((?:[^"]|""|"(?!"|{mark}|\Z))*)"|([^{mark}]*))(?:{mark}|\Z)')

    def records(self, lines: Iterable[str], *, strict: bool = True) -> Iterator[list[str]]:
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        if not self.escaped:
            return csv.reader(lines, delimiter=self.separator, strict=strict)
        hidden = (self._HIDDEN.sub(lambda match: "\ufdd0" if match[1] == '"' else "\ufdd1", line) for line in lines)
        read = csv.reader(hidden, delimiter=self.separator, strict=strict)
        return ([cell.translate(self._SHOWN) for cell in cells] for cells in read)

    def whole(self, line: str) -> list[str] | None:
        """The cells of a line that is a record by itself; None where it is not."""
        try:
            return next(self.records([line]))
        except (csv.Error, StopIteration):
            return None

    def cells(self, record: str) -> list[str]:
        """The cells of a record whose quotes keep no rule: a quote opens and closes only beside a separator."""
        found, place = [], 0
        while True:
            match = self._field.match(record, place)
            if match is None:
                return []
            found.append(match[2] if match[1] is None else match[1].replace('""', '"'))
            if match.end() == len(record) and not match[0].endswith(self.separator):
                return found if not any(cell.count('"') % 2 for cell in found) else []
            if len(found) > MAX_COLUMNS:
                return []
            place = match.end()


def _separated(texts: Callable[[], Iterator[str]], dialect: Dialect, aliases: Aliases) -> Table:
    taken: list[str] = []

    def counted() -> Iterator[str]:
        for line in _lines(texts(), ""):
            taken.append(line)
            yield line

    lines = counted()
    given = ""
    for line in lines:
        match = _SEPARATOR_LINE.fullmatch(line)
        if match and not given:
            given = match[1] or ""
        elif line.strip():
            break
    titles = _titles(list(islice(_lines(texts(), ""), len(taken) - 1, len(taken) + MOST_TITLES + 1)), aliases)
    for _ in range(titles):
        next(lines)
    before = len(taken) - 1
    separator = given or _separator(
        [*taken[-1:], *islice(_lines(texts(), ""), before + 1, before + SNIFF_RECORDS)], dialect, aliases
    )
    parser = _Parser(separator, escaped=dialect.escaped)
    try:
        cells = next(parser.records(chain(taken[-1:], lines)))
    except (StopIteration, csv.Error):
        message = (
            "its first line is not a header: a quote is not closed or not beside a separator, or a name is longer than any is"
        )
        if taken[-1].startswith("{"):
            message = "its first line is no header but a JSON object: if it is JSON Lines, let its name end in .jsonl"
        raise UnreadableFileError(Reason.NO_HEADER, message, _LONE.sub("\ufffd", taken[-1][:MAX_CELL_CHARACTERS])) from None
    header = _names(cells)
    columns = _needed_columns(header, aliases, _LONE.sub("\ufffd", "".join(taken[before:]).rstrip("\r\n")))
    # Files of old Macs end lines with a carriage return alone; elsewhere one may stand in a cell.
    newline = "" if taken[-1].endswith("\r") else "\n"
    above = sum(1 for _ in _lines(["".join(taken)], newline))
    unnamed = tuple(not cell.strip() for cell in cells)
    name = _SEPARATORS.get(separator, "one column" if separator == _NO_SEPARATOR else f"'{separator}'")
    told = f"{name}, quotes {'escaped by backslash' if dialect.escaped else 'doubled'}"
    told += f", {titles} line(s) of a title above the header" if titles else ""
    rest = islice(_lines(texts(), newline), above, None)
    columns_told = _Columns(header, unnamed, tuple(map(fold, cells)))
    rows = _Records(rest, above, columns_told, parser, broken=dialect.broken)
    return Table("csv", dialect.encoding, told, header, columns, iter(rows), dialect.month_first)


def _titles(lines: Sequence[str], aliases: Aliases) -> int:
    """How many of these lines are a report's title and page head, above the header of its table.

    At most two cells of each are filled, fewer than the header has, which holds a text column; a row stands below it.
    """
    return min(filter(None, (_header_at(lines, mark, aliases) for mark in _SEPARATORS)), default=1) - 1


def _header_at(lines: Sequence[str], mark: str, aliases: Aliases) -> int:
    """Which line under titles is a header with this separator, counted from 1; 0 where none is."""
    parser, most = _Parser(mark, escaped=False), 0
    for place, line in enumerate(lines[: MOST_TITLES + 1], start=1):
        cells = parser.whole(line)
        if cells is None:
            return 0
        filled = list(filter(str.strip, cells))
        if "text" in _find_columns(filled, aliases):
            below = next(filter(str.strip, lines[place:]), "")
            # Words of a sentence have a space behind a comma, and a table has rows. That of one text may go on in the next line.
            spaced = mark != "|" and any(cell.startswith(" ") for cell in filled)
            row = next(parser.records([below[:SNIFF_BYTES]], strict=False), [])
            is_header = place == 1 or (most < len(filled) and not spaced and 1 < len(row) <= len(cells))
            return place if is_header else 0
        most = max(most, len(filled))
        if most > MOST_FILLED or max(map(len, filled), default=0) > LONGEST_NAME:
            return 0
    return 0


def _separator(lines: list[str], dialect: Dialect, aliases: Aliases) -> str:
    """The separator under which the header has a text column and most rows have as many fields as the header."""

    def judged(mark: str) -> tuple[int, float, int]:
        records = []
        try:
            for cells in _Parser(mark, escaped=dialect.escaped).records(lines, strict=False):
                records.append(cells)
        except csv.Error:
            pass
        header, *rows = records or [[]]
        rows = [row for row in rows[:-1] or rows if row]  # the sample may end in the middle of the last one
        alike = sum(len(row) == len(header) for row in rows) / len(rows) if rows else 0.0
        found = _find_columns(header, aliases)
        widths[mark] = len(header) if "text" in found else 0
        return (len(found) if "text" in found else 0, round(alike, 1), len(header))

    widths: dict[str, int] = {}
    best = max(_SEPARATORS, key=judged)
    return _NO_SEPARATOR if widths[best] == 1 else best


def _few_enough(columns: int) -> None:
    """Refuse so many columns before they are named, which takes longer the more there are."""
    if columns > MAX_COLUMNS:
        raise UnreadableFileError(Reason.TOO_MANY_COLUMNS, f"it has {columns:,} columns, and at most {MAX_COLUMNS:,} are read")


def _names(cells: Sequence[str]) -> tuple[str, ...]:
    """Column names, each once: an empty one is named by its place, a repeated one by its turn."""
    _few_enough(len(cells))
    names: dict[str, None] = {}
    for place, cell in enumerate(cells, start=1):
        name = unicodedata.normalize("NFC", _LONE.sub("\ufffd", cell.replace("\ufeff", "").replace("\x00", ""))).strip()
        names[_unique(name or f"column {place}", names)] = None
    return tuple(names)


def _unique(name: str, taken: Container[str]) -> str:
    """A column's name as it may be told, redacted; with its turn where that is taken."""
    name = name[:NAME_CHARACTERS]
    if "@" in name or any(map(str.isdecimal, name)):
        name = redact(name)[0]
    unique, turn = name, 2
    while unique in taken:
        unique, turn = f"{name} ({turn})", turn + 1
    return unique


class _Columns(NamedTuple):
    """A header: the names of its columns, which of them it leaves empty, and its cells folded."""

    names: tuple[str, ...]
    unnamed: tuple[bool, ...]
    folded: tuple[str, ...]

    def again(self, cells: list[str]) -> _Columns | None:
        """The header that `cells` are, if they are this one's, in any order; a first cell that is none of it tells most rows."""
        if len(cells[0]) > LONGEST_NAME or fold(cells[0]) not in self.folded:
            return None
        folded = tuple(map(fold, cells))
        if folded == self.folded:
            return self
        if sorted(folded) != sorted(self.folded) or len(set(folded)) < len(folded):
            return None
        order = [self.folded.index(cell) for cell in folded]
        return _Columns(tuple(self.names[at] for at in order), tuple(self.unnamed[at] for at in order), folded)


class _Records:
    """The rows of a CSV file, by Python's own parser; after a record that breaks its rules it starts again behind it."""

    def __init__(self, lines: Iterator[str], line: int, columns: _Columns, parser: _Parser, *, broken: bool) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._line = line  # lines before the record
        self._columns = columns
        self._initials = {name[:1].lower() for name in (*columns.folded, *columns.names)}
        self._width = len(columns.names)
        self._parser = parser
        self._broken = broken

    def _feed(self) -> Iterator[str]:
        again, lines = self._again, self._lines
        while True:
            if again:
                line = again.popleft()
            else:
                found = next(lines, None)
                if found is None:
                    return
                line = found
            if line[0] == "\ufeff" and not self._taken:  # where files were joined; inside a record it is the cell's own
                line = line[1:]
            self._taken.append(line)
            yield line

    def __iter__(self) -> Iterator[Row]:
        number = 0
        reader = self._parser.records(self._feed())
        while True:
            self._line += len(self._taken)
            self._taken.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                number += 1
                yield self._recovered(number, str(error))
                reader = self._parser.records(self._feed())
                continue
            if not cells or (self._width > 1 and not any(map(str.strip, cells)) and '"' not in self._taken[0]):
                continue  # an empty line is no row, nor are the separators of a spreadsheet's row that nobody filled in
            number += 1
            swallowed = self._swallowed_records() if len(cells) != self._width else self._holds_many_records()
            if swallowed:
                yield self._unclosed(number, len(self._taken) - 1)
                reader = self._parser.records(self._feed())
                continue
            yield self._row(number, cells)

    def _record(self) -> str:
        taken = self._taken
        return (taken[0] if len(taken) == 1 else "".join(taken)).rstrip("\r\n")

    def _row(self, number: int, cells: list[str]) -> Row:
        line, record, width, columns = self._line + 1, self._record(), self._width, self._columns
        if self._broken and _LONE.search(record):
            return _bytes_rejected(number, line, record)
        if len(cells) != width:
            if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
                cells = cells[:width]  # separators after the last column, as spreadsheets leave them
            elif len(cells) < width and all(columns.unnamed[len(cells) :]):
                cells = cells + [""] * (width - len(cells))
            else:
                detail = f"{len(cells)} fields where the header has {width}"
                return Row(number, line, {}, Reason.WRONG_FIELD_COUNT, detail, record)
        initial = cells[0].lstrip()[:1].lower()
        if initial in self._initials and (again := columns.again(cells)):
            self._columns = again  # joined files may have their columns in another order
            return Row(number, line, {}, Reason.REPEATED_HEADER, "the header stands here again", record)
        return Row(number, line, dict(zip(columns.names, cells, strict=True)), record=record)

    def _recovered(self, number: int, error: str) -> Row:
        """The row where strict parsing failed: quotes inside a field may be read as they stand; an open quote is told."""
        ended = "unexpected end" in error or "field limit" in error
        if "field limit" in error and len(self._taken) == 1:
            return self._cut(number, 1, Reason.TOO_LONG, f"a cell has over {MAX_CELL_CHARACTERS:,} characters")
        if len(self._taken) == 1 and not ended:
            cells = self._parser.cells(self._taken[0].rstrip("\r\n"))
            if len(cells) == self._width:
                return self._row(number, cells)
            if self._taken[0].count('"') % 2:
                return self._unclosed(number, MAX_BROKEN_LINES)
            detail = "a quote stands inside a field in quotes and is not doubled"
            if "\r" in self._taken[0].rstrip("\r\n"):
                detail = "a carriage return stands in the middle of the line: save the file with one kind of line end"
            return self._cut(number, self._own_lines(MAX_BROKEN_LINES), Reason.MALFORMED_ROW, detail)
        # The line that showed the error holds the next quote. It is the end of this record, or another one begins in it.
        last = self._taken[-1]
        continues = not ended and not last.count('"') % 2 and not (self._width == 2 and last.startswith('"'))
        return self._unclosed(number, len(self._taken) - (0 if ended or continues else 1))

    def _unclosed(self, number: int, most: int) -> Row:
        detail = "a quote is opened in this record and not closed"
        return self._cut(number, self._own_lines(most), Reason.UNCLOSED_QUOTE, detail)

    def _own_lines(self, most: int) -> int:
        """How many lines the broken record has: as many as it takes to have the header's number of fields."""
        fields = 1
        for count in range(1, max(most, 1) + 1):
            if count > len(self._taken):
                following = self._again.popleft() if self._again else next(self._lines, None)
                if following is None:
                    return count - 1
                self._taken.append(following)
            line = self._taken[count - 1]
            if count > 1 and self._width > 2 and self._is_record(line):
                return count - 1  # two fields are soon found in a text; three or more are a record
            fields += line.count(self._parser.separator)
            if fields >= self._width:
                return self._with_its_rest(count)
        return max(most, 1)

    def _with_its_rest(self, count: int) -> int:
        """`count` and the lines behind that are no records, where records begin with something like a number."""
        if not self._numbered():
            return count
        most = count + MAX_REST_LINES
        while count < most:
            if count == len(self._taken):
                following = self._again.popleft() if self._again else next(self._lines, None)
                if following is None:
                    return count
                self._taken.append(following)
            if self._is_record(self._taken[count]) or _NUMBERED.match(self._taken[count]):
                return count
            count += 1
        return count

    def _numbered(self) -> bool:
        return _NUMBERED.match(self._taken[0]) is not None

    def _is_record(self, line: str) -> bool:
        """Whether a line behind a broken record's first one is a record by itself, and begins as that one does."""
        line = line.removeprefix("\ufeff")
        return len(self._parser.whole(line) or ()) == self._width and (not self._numbered() or bool(_NUMBERED.match(line)))

    def _cut(self, number: int, count: int, reason: Reason, detail: str) -> Row:
        """Reject the first `count` lines as one record, and read on behind them."""
        self._again.extendleft(reversed(self._taken[count:]))
        del self._taken[count:]
        record = self._record()
        if self._broken and _LONE.search(record):
            return _bytes_rejected(number, self._line + 1, record)
        return Row(number, self._line + 1, {}, reason, detail, record)

    def _holds_many_records(self) -> bool:
        """Whether the lines inside a text of this record are nearly all records: a quote was left open before them."""
        return len(self._taken) > FEW_LINES and holds_records(self._taken, self._width, self._parser.separator)

    def _swallowed_records(self) -> bool:
        """Whether this wrong record is complete in its first line, and a later one is a whole record by itself."""
        first, *others = self._taken
        complete = first.count(self._parser.separator) + 1 >= self._width > 1
        return complete and any(map(self._is_record, others))


def holds_records(lines: Sequence[str], width: int, separator: str) -> bool:
    """Whether most lines behind the first have the header's width and begin with a number written as the first line's is."""
    begins = _form(lines[0], separator)
    if not begins or width == 1:
        return False
    inner = lines[1:-1]
    alike = sum(line.count(separator) == width - 1 and _form(line, separator) == begins for line in inner)
    return alike >= FEW_LINES - 1 and alike >= 0.8 * len(inner)


def _form(line: str, separator: str) -> str:
    """A first cell that tells rows apart, with every number as one figure; "" where it is no such cell."""
    return re.sub(r"\d+", "0", line.partition(separator)[0]) if _NUMBERED.match(line) else ""


# A first cell that tells rows apart: one word with a figure in it, or nothing.
_NUMBERED = re.compile(r'"?(?:[\w./#\-]*\d[\w./#\-]*)?"?[,;\t|]')


def _json_lines(lines: Callable[[], Iterator[str]], dialect: Dialect, aliases: Aliases) -> Table:
    # Only \n ends a record: JSON may hold U+2028 as it is.
    names: dict[str, str] = {}
    first = ""
    for line in lines():
        first = first or line.strip()
        value = _parsed(line)
        if isinstance(value, dict):
            _few_enough(len(value))
            for key in value:
                name = _whole(key)
                if (folded := fold(name) or name) not in names:
                    names[folded] = _unique(name, names.values())
            _few_enough(len(names))
    if not names:
        message = "no line of it is a JSON object: it needs one complete object a line, and no list around them"
        raise UnreadableFileError(Reason.NOT_JSON_LINES, message)
    header = tuple(names.values())
    columns = _needed_columns(header, aliases, _LONE.sub("\ufffd", first))
    rows = _json_rows(lines(), names, broken=dialect.broken)
    return Table("jsonl", dialect.encoding, "one object a line", header, columns, rows, dialect.month_first)


def _json_rows(lines: Iterator[str], names: Mapping[str, str], *, broken: bool) -> Iterator[Row]:
    number = 0
    for place, line in enumerate(lines, start=1):
        record = line.strip("\ufeff\r\n \t")
        if not record:
            continue
        number += 1
        value = _parsed(line)
        cells = _cells(value) if isinstance(value, dict) else value
        if broken and _LONE.search(record):
            yield _bytes_rejected(number, place, record)
        elif isinstance(cells, list):
            values: dict[str, str] = {}
            twice = False
            for name, cell in cells:
                usual = names.get(fold(name) or name, name)
                if values.setdefault(usual, cell) != cell:
                    twice = bool(values[usual] and cell)
                    values[usual] = values[usual] or cell
                    if twice:
                        break
            if twice:
                detail = "a key stands in the object twice, in other letters"
                yield Row(number, place, {}, Reason.MALFORMED_ROW, detail, record)
            elif max(map(len, values.values()), default=0) > MAX_CELL_CHARACTERS:
                yield Row(number, place, {}, Reason.TOO_LONG, f"a value has over {MAX_CELL_CHARACTERS:,} characters", record)
            else:
                yield Row(number, place, values, record=record)
        else:
            detail = cells or "the line is not a JSON object"
            yield Row(number, place, {}, Reason.MALFORMED_ROW, detail, record)


class _Figure(float):
    """A number that remembers how it was written: 1.10 is an account's name as often as an amount."""

    written: str

    def __new__(cls, written: str) -> Self:
        number = super().__new__(cls, written)
        number.written = written
        return number


class _RepeatedKeyError(ValueError):
    """An object has a key twice: which of the values was meant cannot be known."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedKeyError
    return found


def _parsed(line: str) -> dict[str, object] | str | None:
    """The line's object, a sentence about what is wrong with it, or None where it is another JSON value."""
    try:
        value: Any = json.loads(line.strip("\ufeff\r\n \t"), object_pairs_hook=_object, parse_float=_Figure)
    except _RepeatedKeyError:
        return "a key stands in the object twice"
    except json.JSONDecodeError as error:
        return f"not JSON at character {error.pos + 1} of the line"
    except (ValueError, RecursionError):
        return _TOO_MUCH
    return value if isinstance(value, dict) else None


_TOO_MUCH = "a number of it is too long, or it is nested too deeply"


def _cells(value: dict[str, object]) -> list[tuple[str, str]] | str:
    """The object's keys and values as texts, or a sentence about what is wrong with it."""
    try:
        return [(_whole(key), _cell(given)) for key, given in value.items()]
    except RecursionError:
        return _TOO_MUCH


def _cell(value: object) -> str:
    if isinstance(value, str):
        return _whole(value)
    return "" if value is None else _whole(_json(value))


def _json(value: object) -> str:
    """As json.dumps, but that numbers are as they were written."""
    if isinstance(value, _Figure):
        return value.written
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, dict):
        return (
            "{" + ", ".join([f"{json.dumps(key, ensure_ascii=False)}: {_json(given)}" for key, given in value.items()]) + "}"
        )
    return json.dumps(value, ensure_ascii=False)


def _whole(text: str) -> str:
    """Without lone surrogates: JSON can write them, and no encoding can carry them on."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
