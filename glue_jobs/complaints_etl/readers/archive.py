"""Open zip archives and workbooks safely: sizes, counts and names are checked before anything is unpacked.

No entry is written to a disk.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from complaints_etl.readers.blocks import BLOCK_BYTES, HARMLESS_BYTES, MAX_UNPACK_RATIO
from complaints_etl.readers.table import UnreadableFileError
from ptmlops_contracts.report import Reason

ReadRange = Callable[[int, int], bytes]

MAX_ENTRIES = 10_000
# The record at the end, with offset and size of the central directory (PKWARE's APPNOTE, 4.3.16). A comment may follow it.
_END, _END_BYTES, _MAX_COMMENT = b"PK\x05\x06", 22, 65_535
_MAX_DIRECTORY_BYTES = 16 * 1024**2
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, lengths of the name and of the extra field
_RAW = -15  # zlib's `wbits` for deflate without a header
_ENCRYPTED, _IS_UTF8 = 0x1, 0x800  # bits of an entry's flags
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class _OutsideError(OSError):
    """A position before the beginning of the file. zipfile expects an OSError."""


# What zipfile raises for damaged and malicious archives.
_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, OverflowError, RuntimeError, IndexError,
    _OutsideError,
)  # fmt: skip


class CheckedEntries:
    """The bytes of an archive's entries, which `Archive` has checked."""

    def __init__(self, read: ReadRange, size: int) -> None:
        """Read nothing yet.

        Args:
            read: returns the bytes of a range of the archive.
            size: of the archive, in bytes.
        """
        self._read, self._size = read, size

    def blocks(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield an entry's unpacked bytes: exactly as many as its header states.

        Raises:
            UnreadableFileError: while iterating, if the entry is damaged or has more or fewer bytes.
        """
        size = 0
        checksum = 0
        try:
            for block in self._unpack(entry):
                size += len(block)
                if size > entry.file_size:
                    raise _damaged()
                checksum = zlib.crc32(block, checksum)
                yield block
        except _ZIP_ERRORS:
            raise _damaged() from None
        if size != entry.file_size or checksum != entry.CRC:
            raise _damaged()

    def check(self, entry: zipfile.ZipInfo) -> None:
        """Raise UnreadableFileError if an entry is damaged, or its size is not that of its header."""
        for _ in self.blocks(entry):
            pass

    def with_only(self, entries: Sequence[zipfile.ZipInfo]) -> bytes:
        """Return an archive of some of the entries, with headers of its own. The entries are copied without unpacking them."""
        out, listed = io.BytesIO(), io.BytesIO()
        for entry in entries:
            name = entry.filename.encode()
            # Version 2.0, the flag for UTF-8, the method, and the first day that a zip archive can hold.
            common = struct.pack(
                "<3H2H3I2H",
                20,
                _IS_UTF8,
                entry.compress_type,
                0,
                0x21,
                entry.CRC,
                entry.compress_size,
                entry.file_size,
                len(name),
                0,
            )
            listed.write(b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<3H2I", 0, 0, 0, 0, out.tell()) + name)
            out.write(b"PK\x03\x04" + common + name)
            out.write(self._read(*self._packed_range(entry)))
        place, size, count = out.tell(), listed.tell(), len(entries)
        out.write(listed.getvalue() + _END + struct.pack("<4H2IH", 0, 0, count, count, size, place, 0))
        return out.getvalue()

    def _packed_range(self, entry: zipfile.ZipInfo) -> tuple[int, int]:
        """Return where the packed bytes of an entry begin and end."""
        at = entry.header_offset
        header = self._read(at, min(at + _LOCAL_HEADER.size, self._size)) if 0 <= at < self._size else b""
        if len(header) < _LOCAL_HEADER.size:
            raise _damaged()
        signature, name, extra = _LOCAL_HEADER.unpack(header)
        start = at + _LOCAL_HEADER.size + name + extra
        if signature != b"PK\x03\x04" or start + entry.compress_size > self._size:
            raise _damaged()
        return start, start + entry.compress_size

    def _unpack(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        # zipfile ignores what follows the stated size. Another program would unpack it, so it is an error here.
        start, end = self._packed_range(entry)
        packed = (self._read(place, min(place + BLOCK_BYTES, end)) for place in range(start, end, BLOCK_BYTES))
        if entry.compress_type == zipfile.ZIP_STORED:
            yield from packed
            return
        inflate = zlib.decompressobj(wbits=_RAW)
        for block in packed:
            rest = block
            while rest and not inflate.eof:
                if out := inflate.decompress(rest, BLOCK_BYTES):
                    yield out
                rest = inflate.unconsumed_tail
            if inflate.eof and (inflate.unused_data or rest):
                raise _damaged()
        if not inflate.eof:
            raise _damaged()


class Archive(CheckedEntries):
    """A zip archive whose entries have been checked."""

    def __init__(self, read: ReadRange, size: int, *, max_bytes: int) -> None:
        """Read the list of entries.

        Args:
            read: returns the bytes of a range of the archive.
            size: of the archive, in bytes.
            max_bytes: the limit of all entries together, unpacked.

        Raises:
            UnreadableFileError: the archive is damaged, encrypted, a bomb, or has names that lead out of its folder.
        """
        super().__init__(read, size)
        _check_directory(read, size)
        try:
            with io.BufferedReader(_Ranges(read, size), BLOCK_BYTES) as content, zipfile.ZipFile(content) as directory:
                self.entries: Sequence[zipfile.ZipInfo] = directory.infolist()
        except _ZIP_ERRORS:
            raise _damaged() from None
        _check_entries(self.entries, size, max_bytes)


class _Ranges(io.RawIOBase):
    """Adapt a function that reads ranges to a file that zipfile can read."""

    def __init__(self, read: ReadRange, size: int) -> None:
        self._read_range, self._size, self._place = read, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if place < 0:
            raise _OutsideError
        self._place = place
        return place

    def readinto(self, buffer: Any, /) -> int:
        block = self._read_range(self._place, min(self._place + len(buffer), self._size)) if self._place < self._size else b""
        buffer[: len(block)] = block
        self._place += len(block)
        return len(block)


def name_of(entry: zipfile.ZipInfo) -> str:
    """Return an entry's name. Without the flag for UTF-8, it is UTF-8 too (macOS), or in code page 850 (Windows)."""
    if entry.flag_bits & _IS_UTF8 or entry.filename.isascii():
        return entry.filename
    raw = entry.filename.encode("cp437")  # as zipfile decodes it
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp850")


def is_name_safe(name: str) -> bool:
    """Return False for a name that leads out of the archive's folder, such as `../a.csv`, `/etc/a.csv` or `C:\\a.csv`."""
    parts = name.replace("\\", "/").split("/")
    return bool(name) and bool(parts[0]) and ".." not in parts and ":" not in parts[0] and not _CONTROL.search(name)


def _check_directory(read: ReadRange, size: int) -> None:
    """Refuse a central directory that is too long, before zipfile makes an object of each entry."""
    tail = read(max(size - _END_BYTES - _MAX_COMMENT, 0), size)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise _damaged()
    entries, directory_bytes = struct.unpack_from("<HI", tail, at + 10)
    if entries > MAX_ENTRIES or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise UnreadableFileError(Reason.ZIP_BOMB, f"it has over {MAX_ENTRIES:,} entries: upload it in parts")


def _check_entries(entries: Sequence[zipfile.ZipInfo], size: int, max_bytes: int) -> None:
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES:
        raise UnreadableFileError(Reason.ZIP_BOMB, f"it has over {MAX_ENTRIES:,} entries: upload it in parts")
    if unpacked > max_bytes:
        raise UnreadableFileError(
            Reason.ZIP_BOMB, f"it unpacks to over {max_bytes / 1024**3:g} GB: upload it in parts, or as CSV packed with gzip"
        )
    in_order = sorted(entries, key=lambda entry: entry.header_offset)
    if any(
        one.header_offset + _LOCAL_HEADER.size + one.compress_size > other.header_offset for one, other in pairwise(in_order)
    ):
        raise UnreadableFileError(Reason.ZIP_BOMB, "its entries overlap: pack and upload it again")
    if unpacked > max(HARMLESS_BYTES, size * MAX_UNPACK_RATIO):
        raise UnreadableFileError(
            Reason.ZIP_BOMB, f"it unpacks to over {MAX_UNPACK_RATIO} times its size: upload its tables as CSV"
        )
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise encrypted()
    names = {entry.filename for entry in entries}
    decoded = {name_of(entry) for entry in entries}  # two spellings may be one name
    if min(len(names), len(decoded)) < len(entries) or not all(map(is_name_safe, names | decoded)):
        raise UnreadableFileError(
            Reason.UNSAFE_ARCHIVE,
            "two of its files have the same name, or a name leads out of its folder: pack and upload it again",
        )
    if any(stat.S_ISLNK(entry.external_attr >> 16) for entry in entries):
        raise UnreadableFileError(Reason.UNSAFE_ARCHIVE, "it contains links: pack the files themselves, and upload it again")
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
        message = "its compression method is not deflate: pack it as an ordinary zip archive, and upload it again"
        raise UnreadableFileError(Reason.BROKEN_ZIP, message)


def encrypted() -> UnreadableFileError:
    """Return the error for a file with a password."""
    message = "it is protected with a password: save it without one, and upload it again"
    return UnreadableFileError(Reason.ENCRYPTED_FILE, message)


def _damaged() -> UnreadableFileError:
    message = "it is damaged or incomplete: open it and save it again, or pack it again, and upload the new file"
    return UnreadableFileError(Reason.BROKEN_ZIP, message)
