"""Uploads, and the lists that Publish makes of them: whatever Prepare's readers read, also in workbooks and zip archives.

Of a file that Prepare cannot read as a table, each line is a row, unless it is no text: then it is one row.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from ptmlops.erasure.formats import AGAIN, ALL, Doomed, Found, Stored, lines, lists, sheets
from ptmlops.erasure.person import Facts, Place
from ptmlops_contracts.files import ARCHIVE_ENDINGS, file_ending, is_workbook

if TYPE_CHECKING:
    from complaints_etl.readers.storage import SourceFile
    from complaints_etl.readers.table import Aliases, FileFormat, Row, Table

# Makes what a row says of its cells. Uploads and lists have different columns.
# The third argument is True if the table has no text column, so that any cell may be anything.
MakeFacts = Callable[["SourceFile", "Table", bool, "Row"], Facts]
UNREAD = "unread"  # the kind of a file that is not a table
_MOST_UNREAD = 256 * 1024**2  # bytes of such a file that are searched
_BLOCK = 4 * 1024**2
_HEAD_BYTES = 4096
_OPAQUE = (b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"Rar!", b"7z\xbc\xaf", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd")


def rows(
    stored: Stored, aliases: Aliases, make: MakeFacts, hows: dict[str, dict[str, Any]], *, has_header: bool
) -> Iterator[Found]:
    """Yield the rows of all tables in a file.

    Args:
        stored: the file.
        aliases: for each column of ours, the names that it may have.
        make: makes the facts of a row.
        hows: gets what `without` needs to find the rows of each table again.
        has_header: the first row of a table is certainly no row of anybody.
    """
    for file in _tables(stored):
        name = file.key[len(stored.key) :].removeprefix("/")
        if file.refused:  # an archive in an archive, or a workbook with a password
            yield from _unread(file, name, hows)
            continue
        try:
            table, is_guess = _open(file, aliases)
        except _unreadable():
            yield from _unread(file, name, hows)
            continue
        hows[name] = _how(table.format)
        try:
            if is_guess and not has_header and table.format.kind in ("csv", "xlsx"):
                yield _header(name, table.format)
            yield from _found(name, table, partial(make, file, table, is_guess))
        except _unreadable():  # it breaks off, or an entry is damaged
            yield Found(name, AGAIN, 0, Facts())
            yield from _unread(file, name, hows)


def _header(name: str, file_format: FileFormat) -> Found:
    """Return the lines above the first row of a table without a text column: the file may have no header, and this be a row."""
    cells = file_format.header_cells
    facts = Facts(loose=tuple(cells), record=" ".join(cells), is_unread=True)
    return Found(name, 1, file_format.first_row_line - 1, facts)


def _found(name: str, table: Table, make: Callable[[Row], Facts]) -> Iterator[Found]:
    kind, newline = table.format.kind, table.format.newline
    for row in table.rows:
        if kind in ("json", "text"):
            yield Found(name, row.number, 1, make(row))
        elif kind == "csv" and any(end in row.record for end in "\r\n"):
            count = sum(1 for _ in StringIO(row.record, newline=newline))
            yield Found(name, row.line, count, make(row))
        else:
            yield Found(name, row.line, 1, make(row))


def without(stored: Stored, doomed: Mapping[str, Doomed], out: IO[bytes], *, keep_ends: bool) -> None:
    """Write a file without the doomed rows.

    Args:
        stored: the file.
        doomed: by table.
        out: the file to write.
        keep_ends: leave empty lines, so that other rows keep their line numbers.
    """
    if file_ending(stored.key) in ARCHIVE_ENDINGS:
        _archive_without(stored, doomed, out, keep_ends=keep_ends)
    elif is_workbook(stored.key):
        places = {file.key[len(stored.key) :].removeprefix("/"): file.sheet for file in _tables(stored)}
        sheets.drop_rows(stored.path, out, {places[name]: table.numbers() for name, table in doomed.items()})
    else:
        _text_without(stored, doomed[""], out, keep_ends=keep_ends)


def _text_without(stored: Stored, table: Doomed, out: IO[bytes], *, keep_ends: bool) -> None:
    kind = table.how["kind"]
    is_packed = stored.key.lower().endswith(".gz")
    with _unpacked(stored.path, is_packed=is_packed) as source, _packing(out, is_packed=is_packed) as target:
        if kind == "json":
            target.write(lists.drop_items(source.read(), table.numbers(), encoding=table.how["encoding"]))
        else:
            blocks = iter(lambda: source.read(_BLOCK), b"")
            lines.drop_lines(
                blocks,
                target,
                table.numbers(),
                encoding=table.how["encoding"],
                newline=table.how["newline"],
                keep_ends=keep_ends,
            )


def _archive_without(stored: Stored, doomed: Mapping[str, Doomed], out: IO[bytes], *, keep_ends: bool) -> None:
    """Write an archive: other members are packed again, and hold the same bytes."""
    from complaints_etl.readers.archive import name_of

    with zipfile.ZipFile(stored.path) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            name = name_of(entry)
            inside = {
                table[len(name) :].removeprefix("/"): found
                for table, found in doomed.items()
                if table == name or table.startswith(f"{name}/")
            }
            if inside and not any(found.left for found in inside.values()) and not _has_more(stored, name, inside):
                continue
            copy = zipfile.ZipInfo(entry.filename, entry.date_time)
            copy.compress_type, copy.external_attr, copy.comment = entry.compress_type, entry.external_attr, entry.comment
            with old.open(entry) as source, new.open(copy, "w", force_zip64=True) as target:
                if not inside:
                    shutil.copyfileobj(source, target, _BLOCK)
                    continue
                with tempfile.NamedTemporaryFile() as member:
                    shutil.copyfileobj(source, member, _BLOCK)
                    member.flush()
                    part = replace(stored, key=f"{stored.key}/{name}", path=Path(member.name))
                    without(part, inside, target, keep_ends=keep_ends)


def _has_more(stored: Stored, name: str, inside: Mapping[str, Doomed]) -> bool:
    """Return True if a workbook in an archive has sheets without doomed rows."""
    key = f"{stored.key}/{name}"
    return any(
        file.key[len(key) :].removeprefix("/") not in inside
        for file in _tables(stored)
        if file.key == key or file.key.startswith(f"{key}/")
    )


@contextmanager
def _unpacked(path: Path, *, is_packed: bool) -> Generator[IO[bytes]]:
    with path.open("rb") as file:
        if not is_packed:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield cast("IO[bytes]", unpacked)


@contextmanager
def _packing(out: IO[bytes], *, is_packed: bool) -> Generator[IO[bytes]]:
    if not is_packed:
        yield out
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as packed:
        yield cast("IO[bytes]", packed)


# -- reading ----------------------------------------------------------------------------------------------------------


def _tables(stored: Stored) -> list[SourceFile]:
    from complaints_etl.readers.packed import tables_in
    from complaints_etl.readers.storage import SourceFile

    def read(start: int, end: int) -> bytes:
        with stored.path.open("rb") as file:
            file.seek(start)
            return file.read(max(end - start, 0))

    version = stored.processed_as or stored.version_id
    return tables_in(SourceFile(key=stored.key, version_id=version, size=stored.size, read=read, named=dict(stored.named)))


def _open(file: SourceFile, aliases: Aliases) -> tuple[Table, bool]:
    """Open a table. If it has no text column, its first column counts as one: nobody classified its rows, and they are there.

    Returns:
        The table, and True in that case.
    """
    from complaints_etl.readers import read_tables
    from complaints_etl.readers.table import Chosen, UnreadableFileError
    from complaints_etl.records.column_choice import named_aliases

    named = named_aliases(aliases, file.named)
    try:
        return read_tables([file], [named]), False
    except UnreadableFileError as error:
        if not error.header:
            raise
        return read_tables([file], [{"text": Chosen((error.header[0],))}]), True


def _how(file_format: FileFormat) -> dict[str, Any]:
    return {"kind": file_format.kind, "encoding": file_format.encoding, "newline": file_format.newline}


def _unreadable() -> type[Exception]:
    from complaints_etl.readers.table import UnreadableFileError

    return UnreadableFileError


def _unread(file: SourceFile, name: str, hows: dict[str, dict[str, Any]]) -> Iterator[Found]:
    """Yield the lines of a file that is not a table, and then all of it: a text may go over several lines."""
    content = b""
    if not name or file.workbook is None:  # the sheets of a workbook that cannot be read have no lines
        for block in unpacked_blocks(file):
            content += block
            if len(content) > _MOST_UNREAD:
                break
    encoding = encoding_of(content[:_HEAD_BYTES]) or "utf-8"
    hows[name] = {"kind": UNREAD, "encoding": encoding, "newline": "\n"}
    text = text_of(content)
    if not is_opaque(content[:_HEAD_BYTES]) and not file.refused:
        for number, line in enumerate(StringIO(text, newline="\n"), start=1):
            if line.strip():
                yield Found(name, number, 1, Facts(record=line, is_unread=True))
    yield Found(name, ALL, 0, Facts(record=text, is_unread=True, place=Place(file.key, file.version_id, 1, 1)))


def unpacked_blocks(file: SourceFile) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked as far as they can be if its name ends in `.gz`."""
    from complaints_etl.readers.blocks import unpacked

    blocks = unpacked(file.key, file.blocks)()
    try:
        yield from blocks
    except _unreadable():
        return


def is_opaque(head: bytes) -> bool:
    """Return True for a file in which a search for words finds nothing: an image, a PDF, a workbook with a password."""
    return head.startswith(_OPAQUE) or (b"\0" in head and not encoding_of(head))


def text_of(content: bytes) -> str:
    """Return bytes as text, in whatever encoding they may be, for a search."""
    encoding = encoding_of(content[:_HEAD_BYTES])
    if encoding.startswith(("utf-16", "utf-32")):
        return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def encoding_of(head: bytes) -> str:
    """Return the encoding of a file with a byte-order mark or in UTF-16, or an empty string."""
    from complaints_etl.readers.encoding import encoding_by_mark

    return encoding_by_mark(head)


# -- what rows say ----------------------------------------------------------------------------------------------------


def upload_facts(stored: Stored) -> MakeFacts:
    """Return the function that makes the facts of an upload's rows."""
    from complaints_etl.spreadsheet import active
    from complaints_etl.text.subject import join_subject

    shifted = bool(stored.processed_as) and stored.processed_as != stored.version_id

    def cell(row: Row, column: str | None) -> str | None:
        value = active(row.values.get(column, "").replace("\x00", "")) if column else ""
        return unicodedata.normalize("NFC", value.strip()) or None

    def make(file: SourceFile, table: Table, is_guess: bool, row: Row) -> Facts:
        columns = {} if is_guess else table.columns
        subject, text = cell(row, columns.get("subject")), cell(row, columns.get("text"))
        joined = join_subject(subject, text)
        id_ = cell(row, columns.get("complaint_id"))
        place: Place | None = Place(file.key, file.version_id, row.line, None if shifted else row.number)
        if shifted and table.format.kind == "json":
            place = None  # its items may all be on one line
        return Facts(
            ids=(id_,) if id_ else (),
            texts=tuple(dict.fromkeys(filter(None, (joined, text if subject else None)))),
            loose=tuple(filter(None, map(active, row.values.values()))) if is_guess else (),
            originals=True,
            cells=row.values,
            place=place,
            record=row.record,
            is_unread=not row.values,
        )

    return make


# Columns of our lists that hold the id of a complaint.
_ID_COLUMNS = ("complaint_id", "ptmlops_complaint_id")
_LEAST_TEXT = 20  # characters of a cell that may be a text


def list_facts(stored: Stored) -> MakeFacts:
    """Return the function that makes the facts of a row of an export, a review list, rejected rows or a query's result.

    Any long cell may be the text: exports have the columns of their upload, and queries have those that a person wrote. Nothing is learned from
    these cells, because others are the same in many rows ("the label is the file's own").
    """
    from complaints_etl.spreadsheet import active

    def make(_file: SourceFile, _table: Table, _is_guess: bool, row: Row) -> Facts:
        values = {name: active(value) for name, value in row.values.items()}
        place = None
        if "source_file" in values and values.get("line_number", "").isdigit():
            number = values.get("row_number", "")
            place = Place(values["source_file"], None, int(values["line_number"]), int(number) if number.isdigit() else None)
        record = values.get("record", "")
        return Facts(
            ids=tuple(filter(None, (values.get(name) for name in _ID_COLUMNS))),
            loose=tuple(value for name, value in values.items() if len(value) >= _LEAST_TEXT and name != "record"),
            cells=values,
            place=place,
            run=values.get("run_id") or stored.run,
            record=record or ("" if row.values else row.record),
            is_unread=bool(record) or not row.values,
        )

    return make
