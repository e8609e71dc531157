"""Drop lines of a text file. All other bytes stay as they are."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Container, Iterable, Iterator
from typing import IO

_ENDS = {"\n": re.compile(rb"[^\n]*\n|[^\n]+\Z"), "": re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")}
_WIDE = ("utf-16", "utf-32")
# The byte-order marks of each encoding, as Prepare names it.
MARKS = {
    "utf-8-sig": (codecs.BOM_UTF8,),
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}


def drop_lines(
    blocks: Iterable[bytes], out: IO[bytes], lines: Container[int], *, encoding: str, newline: str, keep_ends: bool
) -> None:
    """Write a file without some lines.

    Args:
        blocks: its bytes.
        out: the file to write.
        lines: numbers of lines, from 1.
        encoding: as Prepare detected it.
        newline: as in `FileFormat.newline`: what ends a line.
        keep_ends: leave an empty line instead, so that all lines keep their numbers.
    """
    if encoding.startswith(_WIDE):
        _drop_wide(blocks, out, lines, encoding=encoding, newline=newline, keep_ends=keep_ends)
        return
    for number, line in enumerate(split(blocks, newline), start=1):
        if number not in lines:
            out.write(line)
        elif keep_ends:
            out.write(line[len(line.rstrip(b"\r\n")) :])


def split(blocks: Iterable[bytes], newline: str = "\n") -> Iterator[bytes]:
    """Yield lines with their ends, as `csv_parser.lines_of` splits them."""
    pattern, rest = _ENDS[newline], b""
    for block in blocks:
        rest += block
        # A carriage return at the end of a block may be the first half of a line end.
        end = max(rest.rfind(b"\n"), rest.rfind(b"\r", 0, len(rest) - 1) if not newline else -1) + 1
        if end:
            yield from (match[0] for match in pattern.finditer(rest[:end]))
            rest = rest[end:]
    yield from (match[0] for match in pattern.finditer(rest))


def _drop_wide(
    blocks: Iterable[bytes], out: IO[bytes], lines: Container[int], *, encoding: str, newline: str, keep_ends: bool
) -> None:
    """Do as `drop_lines` for UTF-16 and UTF-32, where a character has two bytes or more."""
    content = b"".join(blocks)
    mark = next((one for one in MARKS.get(encoding, ()) if content.startswith(one)), b"")
    codec = codec_of(encoding, mark)
    text = content[len(mark) :].decode(codec, "surrogatepass")
    out.write(mark)
    for number, line in enumerate(io.StringIO(text, newline=newline), start=1):
        kept = line if number not in lines else (line[len(line.rstrip("\r\n")) :] if keep_ends else "")
        out.write(kept.encode(codec, "surrogatepass"))


def codec_of(encoding: str, mark: bytes) -> str:
    """Return the codec that neither reads nor writes a byte-order mark."""
    if encoding == "utf-8-sig":
        return "utf-8"
    if encoding not in _WIDE or not mark:
        return encoding
    return f"{encoding}-{'be' if mark in (codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE) else 'le'}"
