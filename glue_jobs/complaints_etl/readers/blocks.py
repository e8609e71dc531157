"""A file's bytes in blocks, unpacked if they are gzip: memory holds one block, however large the file is."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from complaints_etl.readers.table import Blocks, UnreadableFileError
from ptmlops_contracts.report import Reason

BLOCK_BYTES = 4 * 1024**2
MAX_UNPACKED_BYTES = 6 * 1024**3
MAX_UNPACK_RATIO = 200
# Below this size no file counts as a gzip bomb: a thousand copies of one complaint already have a ratio of 250.
HARMLESS_BYTES = 16 * 1024**2
MAX_LINE_BYTES = 64 * 1024**2
_GZIP = 31  # zlib's `wbits` for a gzip header and the largest window


def blocks_of(content: bytes, size: int = BLOCK_BYTES) -> Blocks:
    """Return the source of blocks of `content`, which is in memory."""
    return lambda: (content[start : start + size] for start in range(0, len(content), size))


def unpacked(name: str, blocks: Blocks) -> Blocks:
    """Return the source of a file's unpacked blocks. A file is packed if its name ends in `.gz`."""
    return (lambda: _gunzip(blocks())) if name.lower().endswith(".gz") else blocks


def with_first_of(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield the same bytes; the first block has at least `size` bytes, unless the file has fewer."""
    first = b""
    while len(first) < size and (block := next(blocks, b"")):
        first += block
    yield first
    yield from blocks


def whole_lines(blocks: Iterable[bytes], *, limit: int | None = None) -> Iterator[bytes]:
    """Yield the same bytes in blocks that end with a line; only the last one may not.

    Args:
        blocks: of any size.
        limit: how many bytes a line may have.

    Raises:
        UnreadableFileError: a line is longer.
    """
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
            raise UnreadableFileError(Reason.TOO_LONG, f"a line has over {limit:,} bytes: this is not a table of complaints")
    if begun:
        yield b"".join(begun)


def _gunzip(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack all members of a gzip file (RFC 1952); no block is larger than BLOCK_BYTES.

    Raises:
        UnreadableFileError: the file is not gzip, damaged, cut off, or a gzip bomb.
    """
    inflate = zlib.decompressobj(wbits=_GZIP)
    packed = size = 0
    begun = False
    for block in blocks:
        packed += len(block)
        rest = block
        while rest:
            if inflate.eof:
                if not rest.strip(b"\0"):
                    break  # zeros may fill up a tape's last block (gzip's manual)
                inflate = zlib.decompressobj(wbits=_GZIP)
            begun = begun or rest.startswith(b"\x1f\x8b")
            try:
                out = inflate.decompress(rest, BLOCK_BYTES)
            except zlib.error:
                message = "is damaged: it does not unpack" if begun else "is not gzip although its name says so"
                raise UnreadableFileError(Reason.BROKEN_GZIP, f"{message}; pack and upload it again") from None
            size += len(out)
            if size > MAX_UNPACKED_BYTES:
                message = f"unpacks to over {MAX_UNPACKED_BYTES / 1024**3:g} GB: upload it in parts"
                raise UnreadableFileError(Reason.GZIP_BOMB, message)
            if size > max(HARMLESS_BYTES, packed * MAX_UNPACK_RATIO):
                message = f"unpacks to over {MAX_UNPACK_RATIO} times its size: upload it unpacked"
                raise UnreadableFileError(Reason.GZIP_BOMB, message)
            if out:
                yield out
            rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if packed and not inflate.eof:
        raise UnreadableFileError(Reason.TRUNCATED_GZIP, "the gzip stream breaks off: upload the file again")
