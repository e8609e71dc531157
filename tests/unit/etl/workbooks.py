"""Makes workbooks and zip archives for tests: real ones with XlsxWriter, and faulty ones from parts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import xlsxwriter

Cells = Sequence[Sequence[Any]]


def workbook(sheets: Mapping[str, Cells], **formats: str) -> bytes:
    """Return a workbook. A string is written as one; None leaves the cell out; `formats` are number formats by the type of a value."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    by_type = {name: book.add_format({"num_format": number_format}) for name, number_format in formats.items()}
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for line, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if cell is not None:
                    sheet.write(line, column, cell, by_type.get(type(cell).__name__))
    book.close()
    return out.getvalue()


def archive(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        for name, body in members.items():
            packed.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), body, method)
    return out.getvalue()


def parts_of(body: bytes) -> dict[str, bytes]:
    """Return the parts of a workbook or the members of an archive."""
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def changed(body: bytes, part: str, *replacements: tuple[str, str]) -> bytes:
    """Return a workbook in which strings of a part are replaced. Each must be there."""
    parts = parts_of(body)
    text = parts[part].decode()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return archive({**parts, part: text.encode()})
