"""Decode bytes: byte-order marks, UTF-16 and UTF-32, UTF-8 in its older form (CESU-8), and one-byte code pages.

Invalid bytes become lone surrogates (PEP 383), so that their row can be detected and rejected.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from complaints_etl.readers.blocks import whole_lines, with_first_of
from complaints_etl.readers.table import Row, UnreadableFileError
from ptmlops_contracts.report import Reason

ONE_BYTE = ("cp1252", "cp850", "mac_roman")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_PAIR = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


def encoding_by_mark(head: bytes) -> str:
    """Return the encoding of the byte-order mark, or UTF-16 for Latin text with a zero in every other byte, or else ""."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) / 2
    # Zeros nearly everywhere on one side and nearly nowhere on the other: Spanish and English have few signs above U+00FF.
    if odd > half * 0.6 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.6 and odd < half * 0.05:
        return "utf-16-be"
    return ""


def text_blocks(blocks: Iterable[bytes], encoding: str) -> Iterator[str]:
    """Yield the text of a file, without its byte-order mark, in blocks that end with a line."""
    return (decode(block, encoding) for block in whole_lines(as_utf8(blocks, encoding)))


def as_utf8(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the blocks without a byte-order mark. UTF-16 and UTF-32 become UTF-8, in which a newline is one byte.

    Raises:
        UnreadableFileError: the file breaks off inside a character.
    """
    if encoding == "utf-8-sig":
        rest = with_first_of(iter(blocks), len(codecs.BOM_UTF8))
        yield next(rest).removeprefix(codecs.BOM_UTF8)
        yield from rest
    elif encoding.startswith(("utf-16", "utf-32")):
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


def decode(block: bytes, encoding: str) -> str:
    """Return the text of complete lines from `as_utf8`. In a joined file, some lines may be UTF-8, others of a code page."""
    if encoding not in ONE_BYTE or block.isascii():
        return join_surrogate_pairs(block).decode("utf-8", "surrogateescape")
    return "".join([decode_line(line, encoding) for line in block.splitlines(keepends=True)])


def decode_line(line: bytes, code_page: str) -> str:
    """Return the text of a line, decoded as UTF-8 if it is valid UTF-8, and with the code page if not."""
    try:
        return join_surrogate_pairs(line).decode()
    except UnicodeDecodeError:
        return line.decode(code_page, "surrogateescape")


def join_surrogate_pairs(block: bytes) -> bytes:
    """Convert CESU-8 to UTF-8. CESU-8 encodes each half of a UTF-16 surrogate pair, for example of an emoji, by itself.

    Some databases write CESU-8 and call it UTF8 (Unicode Technical Report 26).
    Example: b"\\xed\\xa0\\xbd\\xed\\xb8\\x80" (U+D83D, U+DE00) becomes "😀" in UTF-8, b"\\xf0\\x9f\\x98\\x80".
    """
    if b"\xed" not in block:
        return block
    return _SURROGATE_PAIR.sub(
        lambda pair: pair[0].decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16").encode(),
        block,
    )


def reject_bytes(number: int, line: int, record: str) -> Row:
    """Reject a row with bytes that are invalid in its file's encoding. The record shows them as escapes such as `\\xff`."""
    record = LONE_SURROGATE.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", record)
    detail = "it has bytes that are not of the file's encoding; the record shows each as \\x and two digits"
    return Row(number, line, {}, Reason.BROKEN_ENCODING, detail, record)
