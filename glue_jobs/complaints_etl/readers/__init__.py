"""Read uploaded files into rows, each with the number of its first line. A row that cannot be read is rejected with a reason.

detect.py       the format of a file (`FileFormat`), with encoding.py, evidence.py, header.py
csv_arrow.py    rows of a CSV that any parser reads alike, in bulk
csv_rows.py     rows of any CSV, with csv_parser.py, and csv_recovery.py for broken records
json_lines.py   rows of JSON Lines; json_document.py of a list of objects
plain_text.py   the only row of a text file; text_rows.py finds text files that hold rows
workbook.py     rows of a workbook's sheet; packed.py lists the tables in workbooks and zip archives, archive.py opens both
parts.py        where a large CSV can be cut, so that several workers read it
storage.py, blocks.py   where the bytes come from
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice

from complaints_etl.readers import json_document, json_lines, plain_text, workbook
from complaints_etl.readers.blocks import blocks_of, unpacked
from complaints_etl.readers.csv_parser import lines_of
from complaints_etl.readers.csv_rows import CsvRows
from complaints_etl.readers.detect import detect
from complaints_etl.readers.encoding import text_blocks
from complaints_etl.readers.packed import tables_in
from complaints_etl.readers.storage import SourceFile
from complaints_etl.readers.table import Aliases, Blocks, FileFormat, Row, Table, UnreadableFileError
from ptmlops_contracts.files import is_packed
from ptmlops_contracts.report import NOT_TABLES


def read_table(name: str, content: bytes | Blocks, aliases: Aliases) -> Table:
    """Read a file: detect its format, then iterate over its rows. Memory holds a block and a record, or a workbook.

    The tables of a workbook or zip archive follow each other as one.

    Args:
        name: the object's key. Its ending gives the kind of file.
        content: the file's bytes, or a function that returns them in blocks.
        aliases: for each column of ours, the names that it may have in a file.

    Raises:
        UnreadableFileError: no row of the file can be read.
    """
    blocks = blocks_of(content) if isinstance(content, bytes) else content
    if is_packed(name):
        body = content if isinstance(content, bytes) else b"".join(blocks())
        tables = tables_in(SourceFile(key=name, version_id="", size=len(body), read=lambda start, end: body[start:end]))
        return read_tables(tables, [aliases] * len(tables))
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
        return json_lines.rows_of(((item.line, item.record, item.fields) for item in items), file_format)
    lines = lines_of(texts, file_format.newline)
    if file_format.kind == "jsonl":
        return json_lines.read_rows(lines, file_format)
    above = file_format.first_row_line - 1
    return iter(CsvRows(islice(lines, above, None), above, file_format))


def read_tables(files: Sequence[SourceFile], aliases: Sequence[Aliases]) -> Table:
    """Chain the tables in an uploaded file into one, with the columns of all.

    A column of ours has its name in the first table that has it.

    Args:
        files: the tables (`packed.tables_in`).
        aliases: per table, for each column of ours the names that it may have.

    Raises:
        UnreadableFileError: no row of any table can be read.
    """
    opened: list[Table | UnreadableFileError] = []
    passed_over: list[UnreadableFileError] = []
    for file, names_of in zip(files, aliases, strict=True):
        try:
            opened.append(_open(file, names_of))
        except UnreadableFileError as error:
            (passed_over if error.reason in NOT_TABLES else opened).append(error)
    tables = [table for table in opened if isinstance(table, Table)]
    if not tables:
        raise next(error for error in (*opened, *passed_over) if isinstance(error, UnreadableFileError))
    if len(opened) == 1:
        return tables[0]
    columns: dict[str, str] = {}
    names = []
    for table in tables:
        names.append({theirs: columns.setdefault(ours, theirs) for ours, theirs in table.columns.items()})
    header = dict.fromkeys(of.get(name, name) for table, of in zip(tables, names, strict=True) for name in table.header)
    file_format = replace(
        tables[0].format, header=tuple(header), header_cells=tuple(header), columns=columns, title_lines=0, survey_rows=0
    )

    def rows() -> Iterator[Row]:
        number, of = count(1), iter(names)
        for part in opened:
            if isinstance(part, UnreadableFileError):
                yield Row(next(number), 1, {}, part.reason, str(part), part.record)
                continue
            renamed = next(of)
            for row in part.rows:
                values = {renamed.get(name, name): value for name, value in row.values.items()}
                yield row._replace(number=next(number), values={**dict.fromkeys(header, ""), **values} if values else {})

    return Table(file_format, rows())


def _open(file: SourceFile, aliases: Aliases) -> Table:
    file.require_opened()
    if file.workbook is not None and file.sheet is not None:
        sheet = workbook.open_sheet(file.workbook, file.sheet, aliases)
        return Table(sheet.format, sheet.rows)
    file_format = detect(file.key, file.blocks, aliases)
    return Table(file_format, read_rows(file.key, file.blocks, file_format))
