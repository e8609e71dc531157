"""Write the lines of a CSV as an Excel workbook, for people who open their files in Excel.

XlsxWriter makes everything but the rows: styles, frozen header, widths, the drop-down. Its own rows would take several times as long as
the whole job, so the rows are streamed into its sheet here.
"""

from __future__ import annotations

import csv
import io
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, NamedTuple, Self

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from complaints_etl.spreadsheet import MARK, active
from ptmlops_contracts.files import LABELS_SHEET

# Limits of Excel: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
MAX_CELL_CHARACTERS = 32_767  # in UTF-16, where an emoji is two
MAX_ROWS = 1_048_576
PART_BYTES = 512 * 1024**2  # of a sheet; more takes Excel minutes to open, and Prepare reads up to 1 GB
_CUT = " … [cut here: a cell of Excel holds 32,767 characters, and the CSV file has the whole text]"
_SHEET, _SHEET_PART = "complaints", "xl/worksheets/sheet1.xml"
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEVEL = 1  # of deflate: a fourth larger than the default and twice as fast
_WIDTH = 18
# What XML does not allow in a text, and what Excel would take for its own escape of it. ECMA-376, 22.9.2.19, ST_Xstring.
_SPECIAL = re.compile("[&<>\x00-\x08\x0b\x0c\r\x0e-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_SIGNS = ("&", "<", ">", "_x")
# As bytes; the last two are of U+FFFE and U+FFFF, and of some characters that are allowed.
_CONTROLS, _NO_CHARACTER = bytes({*range(32)} - {9, 10}), b"\xef\xbf"
_REFERENCES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")

# Stores a file under a key of the output bucket.
Put = Callable[[str, IO[bytes]], None]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a sheet looks.

    Attributes:
        header: the names of the columns.
        separator: of the lines that become its rows.
        created: the creation time in the file, which is the same in a redrive.
        widths: of columns by name, in characters; others have a usual width.
        wrapped: columns whose texts are wrapped.
        numbers: columns that hold numbers.
        labels: what the drop-down of `label_column` offers, in a hidden sheet.
        label_column: the column that a person fills in.
    """

    header: Sequence[str]
    separator: str
    created: datetime
    widths: Mapping[str, int] = field(default_factory=dict)
    wrapped: Collection[str] = ()
    numbers: Collection[str] = ()
    labels: Sequence[str] = ()
    label_column: str = ""


class Workbook:
    """A workbook with one sheet, which takes lines of a CSV. Memory holds one of them."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.rows, self.size = 0, 0  # without the header; bytes of the sheet
        self.file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        self._zip = zipfile.ZipFile(self.file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        frame = _frame(layout)
        for name, content in frame.parts.items():
            self._zip.writestr(_entry(name), content, zipfile.ZIP_DEFLATED, _LEVEL)
        self._sheet = self._zip.open(_entry(_SHEET_PART), "w")
        self._sheet.write(frame.before)
        self._after = frame.after
        self._lines: list[str] = []
        csv.field_size_limit(sys.maxsize)  # the module's own limit is below that of Prepare's cells
        self._reader = csv.reader(self._next_lines(), delimiter=layout.separator)
        text = ' t="inlineStr"{}><is><t xml:space="preserve">'
        self._columns = [
            (
                f'<c r="{xl_col_to_name(place)}',
                name in layout.numbers,
                f'"{text.format(frame.styles[place][0])}',
                f'"{text.format(frame.styles[place][1])}',
            )
            for place, name in enumerate(layout.header)
        ]

    def add(self, line: str) -> None:
        """Add a line of the CSV as a row."""
        self._lines.append(line)
        cells = next(self._reader)
        self.rows += 1
        # Looking at each cell takes three times as long as looking at the line, and most lines have nothing to escape.
        is_plain = len(line) <= MAX_CELL_CHARACTERS // 2 and not any(sign in line for sign in _SIGNS)
        xml = self._row(cells, is_plain=is_plain)
        if is_plain and (len(xml.translate(None, _CONTROLS)) < len(xml) or _NO_CHARACTER in xml):
            xml = self._row(cells, is_plain=False)
        self.size += len(xml)
        self._sheet.write(xml)

    def finish(self) -> IO[bytes]:
        """Complete the workbook and return it as a file."""
        self._sheet.write(self._after)
        self.close()
        self.file.seek(0)
        return self.file

    def close(self) -> None:
        """End the archive, complete or not."""
        self._sheet.close()
        self._zip.close()

    def _next_lines(self) -> Iterator[str]:
        while self._lines:
            yield self._lines.pop()

    def _row(self, cells: Sequence[str], *, is_plain: bool) -> bytes:
        number = str(self.rows + 1)
        xml = [f'<row r="{number}">']
        for cell, (reference, is_number, text, marked) in zip(cells, self._columns, strict=True):
            if not cell:
                continue
            if is_number and _DECIMAL.fullmatch(cell):
                xml.append(f'{reference}{number}"><v>{cell}</v></c>')
            elif cell.startswith(MARK) and (shown := active(cell)) != cell:
                # Without the mark, and in the style with which Excel keeps it a text when a person edits it.
                xml.append(f"{reference}{number}{marked}{cell_xml(shown)}</t></is></c>")
            else:
                xml.append(f"{reference}{number}{text}{cell if is_plain else cell_xml(cell)}</t></is></c>")
        xml.append("</row>")
        return "".join(xml).encode()


class WorkbookParts:
    """Stores the lines of a CSV as a workbook beside it, or as several if there are many: `a.part-001.xlsx` and so on."""

    def __init__(self, csv_key: str, layout: Layout, put: Put, *, part_rows: int, part_bytes: int = PART_BYTES) -> None:
        """Name the workbook.

        Args:
            csv_key: the key of the CSV, as if it had one part.
            layout: of each sheet.
            put: stores a file under a key.
            part_rows: rows per workbook.
            part_bytes: bytes per sheet, as XML.
        """
        self.keys: list[str] = []
        self._stem, self._layout, self._put = csv_key.removesuffix(".csv"), layout, put
        self._limits = (min(part_rows, MAX_ROWS - 1), part_bytes)
        self._workbook: Workbook | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._workbook:  # an error interrupted `following`
            self._workbook.close()
            self._workbook.file.close()

    def following(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield the lines, and add each to the workbook."""
        for line in lines:
            if self._workbook and (self._workbook.rows >= self._limits[0] or self._workbook.size >= self._limits[1]):
                self._store(is_last=False)
            self._workbook = self._workbook or Workbook(self._layout)
            self._workbook.add(line)
            yield line

    def finish(self) -> list[str]:
        """Store the last workbook, which has no rows if there were no lines, and return the keys of all."""
        self._workbook = self._workbook or Workbook(self._layout)
        self._store(is_last=True)
        return self.keys

    def _store(self, *, is_last: bool) -> None:
        assert self._workbook is not None  # noqa: S101 - both callers have one
        is_only_one = is_last and not self.keys
        key = f"{self._stem}.xlsx" if is_only_one else f"{self._stem}.part-{len(self.keys) + 1:03d}.xlsx"
        workbook, self._workbook = self._workbook, None
        with workbook.finish() as file:
            self._put(key, file)
        self.keys.append(key)


def cell_xml(text: str) -> str:
    """Return the content of a cell as XML, cut with a remark if Excel cannot hold it.

    Example: `a<b` → `a&lt;b`; a carriage return → `_x000D_`; the text `_x000D_` → `_x005F_x000D_`.
    """
    if len(text) > MAX_CELL_CHARACTERS // 2:
        text = _fitting(text)
    return _SPECIAL.sub(_escape, text)


def _fitting(text: str) -> str:
    units = text.encode("utf-16-le", "replace")
    if len(units) <= 2 * MAX_CELL_CHARACTERS:
        return text
    return units[: 2 * (MAX_CELL_CHARACTERS - len(_CUT))].decode("utf-16-le", "ignore") + _CUT


def _escape(match: re.Match[str]) -> str:
    return _REFERENCES.get(match[0]) or f"_x{ord(match[0]):04X}_"


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry._compresslevel = _LEVEL  # type: ignore[attr-defined] # zipfile has no other way to it for a part that is streamed
    return entry


class _Frame(NamedTuple):
    """A workbook without its rows.

    Attributes:
        parts: its parts without the sheet.
        before, after: the sheet, around its rows.
        styles: per column, as attributes of a cell: for texts, and for those that would be formulas if a person typed them.
    """

    parts: dict[str, bytes]
    before: bytes
    after: bytes
    styles: list[tuple[str, str]]


def _frame(layout: Layout) -> _Frame:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "constant_memory": True})
    book.set_properties({"created": layout.created.replace(tzinfo=None)})
    sheet = book.add_worksheet(_SHEET)
    bold = book.add_format({"bold": True, "valign": "top"})
    plain, quoted = book.add_format({"valign": "top"}), book.add_format({"valign": "top", "quote_prefix": True})
    wrapped = book.add_format({"valign": "top", "text_wrap": True})
    both = book.add_format({"valign": "top", "text_wrap": True, "quote_prefix": True})
    sheet.freeze_panes(1, 0)
    for place, name in enumerate(layout.header):
        sheet.set_column(place, place, layout.widths.get(name, _WIDTH))
        sheet.write_string(0, place, cell_text(name), bold)
    for place, name in enumerate(layout.header):
        # Two cells show which numbers XlsxWriter gives to the styles; they are taken out again.
        is_wrapped = name in layout.wrapped
        sheet.write_blank(1, 2 * place, None, wrapped if is_wrapped else plain)
        sheet.write_blank(1, 2 * place + 1, None, both if is_wrapped else quoted)
    if layout.labels:
        labels = book.add_worksheet(LABELS_SHEET)
        labels.hide()
        for line, label in enumerate(layout.labels):
            labels.write_string(line, 0, cell_text(label))
        column = layout.header.index(layout.label_column)
        source = f"={LABELS_SHEET}!$A$1:$A${len(layout.labels)}"
        # A person may write a new label; Excel asks if that is meant.
        sheet.data_validation(1, column, MAX_ROWS - 1, column, {"validate": "list", "source": source, "error_type": "warning"})
    book.close()
    with zipfile.ZipFile(out) as made:
        parts = {name: made.read(name) for name in made.namelist()}
    before, sample, after = re.split(rb'(<row r="2".*?</row>)', parts.pop(_SHEET_PART), maxsplit=1, flags=re.DOTALL)
    found = [f" {style.decode()}" for style in re.findall(rb's="\d+"', sample)]
    # The size of the sheet is not known before the last row, and may be absent.
    before = re.sub(rb"<dimension [^>]*>", b"", before)
    return _Frame(parts, before, after, list(zip(found[::2], found[1::2], strict=True)))


def cell_text(name: str) -> str:
    """Return a name that a cell can hold."""
    return _fitting(name) if len(name) > MAX_CELL_CHARACTERS // 2 else name
