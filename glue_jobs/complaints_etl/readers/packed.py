"""The tables in an uploaded file: the sheets of a workbook, the members of a zip archive, or the file itself.

Each is a `SourceFile`, so that columns, rejected rows, exports and the report treat it like a file. Its key is the key of the
uploaded file, followed by its name: `agosto/quejas.xlsx/Enero`, `agosto/todo.zip/bogota/enero.csv`. The only sheet of a
workbook has the key alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from zipfile import ZipInfo

from complaints_etl.readers import workbook
from complaints_etl.readers.archive import Archive, CheckedEntries, name_of
from complaints_etl.readers.blocks import MAX_UNPACKED_BYTES
from complaints_etl.readers.storage import SourceFile
from complaints_etl.readers.table import UnreadableFileError
from ptmlops_contracts.files import ARCHIVE_ENDINGS, file_ending, is_workbook
from ptmlops_contracts.report import Reason

MAX_MEMBERS = 1000


def tables_in(file: SourceFile) -> list[SourceFile]:
    """Return the tables in an uploaded file, in their order. A packed file that cannot be opened is `refused`, with the reason."""
    try:
        if file_ending(file.key) in ARCHIVE_ENDINGS:
            return [table for member in _members(file) for table in (_sheets(member) if is_workbook(member.key) else [member])]
        return _sheets(file) if is_workbook(file.key) else [file]
    except UnreadableFileError as error:
        return [replace(file, refused=(error.reason, str(error)))]


def _sheets(file: SourceFile) -> list[SourceFile]:
    if file.refused:
        return [file]
    try:
        sheets = workbook.sheets_of(file)
    except UnreadableFileError as error:
        return [replace(file, refused=(error.reason, str(error)))]
    return [
        replace(
            file,
            key=f"{file.key}/{sheet.name}" if len(sheets) > 1 else file.key,
            part_of=file.part_of or file.key,
            workbook=file,
            sheet=sheet.place,
            follows=sheet is not sheets[0],
        )
        for sheet in sheets
    ]


def _members(file: SourceFile) -> list[SourceFile]:
    archive = Archive(file.read, file.size, max_bytes=MAX_UNPACKED_BYTES)
    entries = [entry for entry in archive.entries if not entry.is_dir()]
    if len(entries) > MAX_MEMBERS:
        message = f"it holds {len(entries):,} files, and at most {MAX_MEMBERS:,} are read: upload it in parts"
        raise UnreadableFileError(Reason.ZIP_BOMB, message)
    if not entries:
        raise UnreadableFileError(Reason.EMPTY_FILE, "the archive holds no file")
    return [_member(file, entry) for entry in entries]


def _member(file: SourceFile, entry: ZipInfo) -> SourceFile:
    refused = None
    if entry.filename.lower().endswith((*ARCHIVE_ENDINGS, ".gz")):
        message = "it is an archive in an archive: upload it by itself, or the files in it"
        refused = (Reason.UNSAFE_ARCHIVE, message)
    elif not entry.file_size:
        refused = (Reason.EMPTY_FILE, "the file holds nothing")
    return replace(
        file,
        key=f"{file.key}/{name_of(entry)}",
        size=entry.file_size,
        part_of=file.key,
        read=_range_reader(file, entry),
        stream=_streamer(file, entry),
        refused=refused,
    )


def _streamer(file: SourceFile, entry: ZipInfo) -> Callable[[], Iterator[bytes]]:
    read, size = file.read, file.size
    # The list of entries is not read again for each of them: a thousand files would take a million steps.
    return lambda: CheckedEntries(read, size).blocks(entry)


def _range_reader(file: SourceFile, entry: ZipInfo) -> Callable[[int, int], bytes]:
    stream = _streamer(file, entry)

    def read(start: int, end: int) -> bytes:
        """Unpack from the beginning, because a place inside a packed member cannot be reached otherwise."""
        blocks, place = [], 0
        for block in stream():
            blocks.append(block[max(start - place, 0) : max(end - place, 0)])
            place += len(block)
            if place >= end and end < entry.file_size:
                break
        return b"".join(blocks)

    return read
