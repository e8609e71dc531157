"""Detect the format of a file, once. All later steps receive the `FileFormat`.

For a file that is not cut into parts, detection reads all of its bytes, so that an unreadable file is rejected before any row
is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

from complaints_etl.readers import json_document, json_lines, text_rows
from complaints_etl.readers.blocks import MAX_LINE_BYTES, unpacked, whole_lines, with_first_of
from complaints_etl.readers.csv_parser import lines_of
from complaints_etl.readers.encoding import LONE_SURROGATE, as_utf8, encoding_by_mark, text_blocks
from complaints_etl.readers.evidence import Evidence
from complaints_etl.readers.header import (
    SAMPLE_LINES,
    find_header,
    looks_like_table,
    name_columns,
    require_text_column,
    shown_names,
)
from complaints_etl.readers.table import MAX_CELL_CHARACTERS, Aliases, Blocks, FileFormat, UnreadableFileError
from complaints_etl.readers.text_rows import describe_rows, may_be_header
from ptmlops_contracts.files import OTHER_SPREADSHEETS, SUPPORTED_ENDINGS, file_ending, is_left_by_system
from ptmlops_contracts.report import Reason

SAMPLE_BYTES = 64 * 1024
# The first bytes of files that are not text (from the definition of each format).
_SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook (end its name in .xlsx) or another zip archive", b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"%PDF-": "a PDF", b"\x89PNG": "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"GIF8": "a GIF image",
    b"\x1f\x8b": "packed with gzip: end its name in .gz", b"BZh91AY&SY": "packed with bzip2", b"\xfd7zXZ": "packed with xz",
    b"7z\xbc\xaf": "a 7-Zip archive", b"Rar!": "a RAR archive", b"(\xb5/\xfd": "packed with zstd", b"PAR1": "a Parquet file",
    b"{\\rtf": "a rich text document", b"SQLite format 3": "an SQLite database",
}  # fmt: skip
_CONTROL_BYTES = bytes({*range(32)} - {9, 10, 11, 12, 13} | {127})
_UNDEFINED_IN_1252 = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))


def detect(name: str, blocks: Blocks, aliases: Aliases, *, evidence: Evidence | None = None) -> FileFormat:
    """Detect the format of a file.

    Args:
        name: the object's key. Its ending gives the kind of file.
        blocks: the file's bytes as stored, packed or not.
        aliases: for each column of ours, the names that it may have in a file.
        evidence: the counts over the file, if they are known. Then only its beginning is read.

    Raises:
        UnreadableFileError: no row of the file can be read.
    """
    ending = _ending(name)
    blocks = unpacked(name, blocks)
    head = next(with_first_of(blocks(), SAMPLE_BYTES), b"")
    for signature, description in _SIGNATURES.items():
        if head.startswith(signature):
            raise UnreadableFileError(
                Reason.BINARY_FILE, f"it is {description}, whatever its name says: export it as CSV in UTF-8"
            )
    mark = encoding_by_mark(head)
    counts, sample = _count(as_utf8(blocks(), mark), evidence)
    encoding = mark or counts.encoding
    _refuse_binary(sample, encoding)

    def texts() -> Iterator[str]:
        return text_blocks(blocks(), encoding)

    kind = {".txt": "text", ".jsonl": "jsonl", ".json": "jsonl"}.get(ending, "csv")
    if kind == "text":
        kind = _kind_of_text(texts, aliases, escaped=counts.is_escaped)
        if kind == "text":
            _refuse_rows(texts, aliases)
    file_format = FileFormat(kind=kind, encoding=encoding, broken=counts.broken > 0)
    if kind == "text":
        return file_format
    file_format = replace(file_format, month_first=counts.is_month_first)
    if kind == "jsonl" and _is_document(texts):
        items = json_document.read_items(texts())
        keys, header, first = json_lines.find_keys_of((item.record, item.value) for item in items)
        columns = require_text_column(header, aliases, first)
        return replace(file_format, kind="json", header=header, header_cells=keys, columns=columns)
    if kind == "jsonl":
        keys, header, first = json_lines.find_keys(lines_of(texts(), "\n"))
        return replace(file_format, header=header, header_cells=keys, columns=require_text_column(header, aliases, first))
    return _with_csv_header(replace(file_format, escaped=counts.is_escaped), lines_of(texts(), ""), aliases)


def _with_csv_header(file_format: FileFormat, lines: Iterator[str], aliases: Aliases) -> FileFormat:
    csv_header = find_header(lines, aliases, escaped=file_format.escaped)
    header = name_columns(csv_header.cells)
    columns = require_text_column(header, aliases, "".join(csv_header.lines).rstrip("\r\n"))
    # Files of old Macs end lines with a carriage return alone. In other files one may be part of a cell.
    newline = "" if csv_header.lines[-1].endswith("\r") else "\n"
    return replace(
        file_format,
        header=header,
        header_cells=tuple(csv_header.cells),
        columns=columns,
        separator=csv_header.separator,
        title_lines=csv_header.title_lines,
        survey_rows=csv_header.survey_rows,
        first_row_line=1 + sum(1 for _ in lines_of(["".join((*csv_header.above, *csv_header.lines))], newline)),
        newline=newline,
    )


def _ending(name: str) -> str:
    if is_left_by_system(name):
        raise UnreadableFileError(
            Reason.UNSUPPORTED_FORMAT, "an operating system or an office program made it for itself: it has no complaints"
        )
    if name.lower().endswith(OTHER_SPREADSHEETS):
        message = "its format is not read: save it as an Excel workbook (.xlsx) or as CSV in UTF-8, and upload that"
        raise UnreadableFileError(Reason.OTHER_SPREADSHEET, message)
    ending = file_ending(name)
    if ending is None:
        message = f"files end in {', '.join(SUPPORTED_ENDINGS)}; text files also with .gz"
        raise UnreadableFileError(Reason.UNSUPPORTED_FORMAT, message)
    return ending


def _count(blocks: Iterator[bytes], evidence: Evidence | None) -> tuple[Evidence, bytes]:
    """Return the counts over the file, and its first SAMPLE_BYTES after leading white space.

    Raises:
        UnreadableFileError: the file contains nothing but white space, or a line exceeds the limit.
    """
    counts, sample = evidence or Evidence(), b""
    for block in whole_lines(blocks, limit=MAX_LINE_BYTES):
        if evidence is None:
            counts += Evidence.of(block)
        if len(sample) < SAMPLE_BYTES:
            sample = (sample.lstrip() + block)[:SAMPLE_BYTES]
        elif evidence is not None:
            break
    if not sample.strip():
        raise UnreadableFileError(Reason.EMPTY_FILE, "the file holds nothing")
    return counts, sample


def _refuse_binary(sample: bytes, encoding: str) -> None:
    """Raise UnreadableFileError for bytes that are not text, or text in an unsupported encoding."""
    if len(sample) - len(sample.translate(None, _CONTROL_BYTES)) > max(16, len(sample) / 10):
        message = "a tenth of it is control characters: it is not text, whatever its name says"
        raise UnreadableFileError(Reason.BINARY_FILE, message)
    if encoding == "cp1252" and sum(map(sample.count, _UNDEFINED_IN_1252)) > max(3, len(sample) / 200):
        raise UnreadableFileError(Reason.UNKNOWN_ENCODING, "neither UTF-8, UTF-16 nor Windows-1252: save it as UTF-8")


def _is_document(texts: Callable[[], Iterator[str]]) -> bool:
    """Return True for a file that is one JSON document, False for JSON Lines.

    A file with one object in its only line is a document if the object contains a list of objects.
    """
    lines = list(islice(filter(str.strip, lines_of(texts(), "\n")), 2))
    if json_lines.looks_like_json_lines(lines[:1]) and (len(lines) > 1 or not json_lines.holds_list(lines[0])):
        return False
    return json_document.begins_document(lines)


def _kind_of_text(texts: Callable[[], Iterator[str]], aliases: Aliases, *, escaped: bool) -> str:
    """Return the kind of a .txt file: "csv", "jsonl", or "text" for one complaint."""
    if json_lines.looks_like_json_lines(_sample_lines(texts(), "\n")):
        return "jsonl"
    sample = _sample_lines(texts(), "")
    return "csv" if looks_like_table(sample, aliases, escaped=escaped) or may_be_header(sample) else "text"


def _refuse_rows(texts: Callable[[], Iterator[str]], aliases: Aliases) -> None:
    """Raise UnreadableFileError for a text file of rows without a header. Read as one complaint, the rows would be lost."""
    lines = list(islice(lines_of(texts(), ""), text_rows.SAMPLE_LINES))
    if rows := describe_rows(lines):
        message = (
            f"it has no header, and its lines look like {rows}: add a first line with the names of the columns, that of "
            f"the text one of {shown_names(aliases['text'])}"
        )
        record = LONE_SURROGATE.sub("\ufffd", next(filter(str.strip, lines)).rstrip("\r\n")[:MAX_CELL_CHARACTERS])
        raise UnreadableFileError(Reason.NO_HEADER, message, record)


def _sample_lines(texts: Iterator[str], newline: str) -> list[str]:
    return list(islice(filter(str.strip, lines_of(texts, newline)), SAMPLE_LINES))
