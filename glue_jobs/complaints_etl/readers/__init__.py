"""Read uploaded files into rows, each with the number of its first line. A row that cannot be read is rejected with a reason.

detect.py       the format of a file (`FileFormat`), with encoding.py, evidence.py, header.py
csv_arrow.py    rows of a CSV that any parser reads alike, in bulk
csv_rows.py     rows of any CSV, with csv_parser.py, and csv_recovery.py for broken records
json_lines.py   rows of JSON Lines; json_document.py of a list of objects
plain_text.py   the only row of a text file; text_rows.py finds text files that hold rows
parts.py        where a large CSV can be cut, so that several workers read it
storage.py, blocks.py   where the bytes come from
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from complaints_etl.readers import json_document, json_lines, plain_text
from complaints_etl.readers.blocks import blocks_of, unpacked
from complaints_etl.readers.csv_parser import lines_of
from complaints_etl.readers.csv_rows import CsvRows
from complaints_etl.readers.detect import detect
from complaints_etl.readers.encoding import text_blocks
from complaints_etl.readers.table import Aliases, Blocks, FileFormat, Row, Table


def read_table(name: str, content: bytes | Blocks, aliases: Aliases) -> Table:
    """Read a file: detect its format, then iterate over its rows. Memory holds a block and a record.

    Args:
        name: the object's key. Its ending gives the kind of file.
        content: the file's bytes, or a function that returns them in blocks.
        aliases: for each column of ours, the names that it may have in a file.

    Raises:
        UnreadableFileError: no row of the file can be read.
    """
    blocks = blocks_of(content) if isinstance(content, bytes) else content
    file_format = detect(name, blocks, aliases)
    return Table(file_format, read_rows(name, blocks, file_format))


def read_rows(name: str, blocks: Blocks, file_format: FileFormat) -> Iterator[Row]:
    """Return the rows of a file with a known format, from its beginning.

    Raises:
        UnreadableFileError: the one complaint of a text file is too long.
    """
    texts = text_blocks(unpacked(name, blocks)(), file_format.encoding)
    if file_format.kind == "text":
        return iter([plain_text.read_row(texts)])
    if file_format.kind == "json":
        items = json_document.read_items(texts)
        return json_lines.rows_of(((item.line, item.record, item.object) for item in items), file_format)
    lines = lines_of(texts, file_format.newline)
    if file_format.kind == "jsonl":
        return json_lines.read_rows(lines, file_format)
    above = file_format.first_row_line - 1
    return iter(CsvRows(islice(lines, above, None), above, file_format))
