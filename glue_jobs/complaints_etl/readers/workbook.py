"""Read the sheets of an Excel workbook (.xlsx), each as a table: formulas by their values, dates as ISO 8601, numbers as a person typed them.

calamine parses a sheet as a whole, and holds all cells between the first and the last in memory. So sizes are checked first.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

from complaints_etl.readers.archive import Archive, encrypted
from complaints_etl.readers.evidence import Evidence
from complaints_etl.readers.header import (
    LONGEST_NAME,
    SAMPLE_LINES,
    fold,
    header_below_titles,
    is_survey_row,
    name_columns,
    require_text_column,
)
from complaints_etl.readers.storage import SourceFile
from complaints_etl.readers.table import MAX_CELL_CHARACTERS, Aliases, FileFormat, Row, UnreadableFileError
from ptmlops_contracts.files import LABELS_SHEET
from ptmlops_contracts.report import Reason

MAX_WORKBOOK_BYTES = 1024**3  # unpacked; memory holds about three times as much
MAX_GRID_CELLS = 40_000_000  # calamine needs 32 bytes for each cell between the first and the last, also for empty ones
MAX_SHEETS = 255
_SMALL_PART = 1024**2  # of a workbook: its structure, without texts and cells
_OLE = b"\xd0\xcf\x11\xe0"  # old .xls files, and workbooks with a password, whose stream has this name
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_OLE_BYTES = 4 * 1024**2  # of such a file, which are searched for that name
_CELLS_PART = re.compile(r"(?i)/worksheets/[^/]+\.xml$|sharedStrings")
_NOTHING_TO_READ = (Reason.NO_TEXT_COLUMN, Reason.EMPTY_FILE)
_MAX_TAG = 64 * 1024
_UNSURE = (MAX_GRID_CELLS, MAX_GRID_CELLS)
_XML = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\0]*<")
_IN_UTF8 = re.compile(rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:\?xml(?![^>]*encoding)|\?xml[^>]*encoding=.utf-?8\b|[!\w])")
_CELL = re.compile(rb"<c[\s/>]")
_REFERENCE = re.compile(rb'<c r="([A-Z]{1,3}[0-9]{1,7})"')
_PREFIXED = re.compile(rb"<\w+:c[\s/>]")
_FIGURES, _LETTERS = b"0123456789", bytes(range(65, 91))
_EXACT = 1e15  # Excel keeps 15 figures of a number
_SAMPLE_ROWS = 10_000  # from which the order of day and month is found
_LONG_ID = 4  # figures

Cell = str | int | float | bool | date | time | timedelta
NumberedCells = tuple[int, list[Cell]]  # a row's number in the sheet, and its cells


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook: its place among all sheets, and its name."""

    place: int
    name: str


class SheetTable:
    """A sheet's format and its rows, which can be iterated once."""

    def __init__(self, rows: Iterator[NumberedCells], file_format: FileFormat) -> None:
        """Read the rows below the header, each with its number in the sheet."""
        self.format = file_format
        self.rows = self._read(rows)
        self._figures: dict[int, int] = {}  # ids that are numbers, per number of figures
        self._largest = 0

    @property
    def short_ids(self) -> int:
        """The number of ids, among the rows read so far, with fewer figures than others: they may have lost zeros in front."""
        longest, count = max(self._figures, default=0), sum(self._figures.values())
        # Row numbers have different lengths, too, but are not larger than the number of rows.
        return count - self._figures[longest] if longest >= _LONG_ID and self._largest > 10 * count else 0

    def _read(self, rows: Iterator[NumberedCells]) -> Iterator[Row]:
        header, repeated = self.format.header, tuple(map(fold, self.format.header_cells))
        id_column = self.format.columns.get("complaint_id")
        id_place = header.index(id_column) if id_column else None
        for number, (line, values) in enumerate(rows, start=1):
            cells = list(map(cell_text, values))
            if len(cells[0]) <= LONGEST_NAME and fold(cells[0]) == repeated[0] and tuple(map(fold, cells)) == repeated:
                yield Row(number, line, {}, Reason.REPEATED_HEADER, "the header is repeated here", record_of(cells))
                continue
            if max(map(len, cells)) > MAX_CELL_CHARACTERS:
                detail = f"a cell has over {MAX_CELL_CHARACTERS:,} characters"
                yield Row(number, line, {}, Reason.TOO_LONG, detail, record_of(cells))
                continue
            if id_place is not None and not isinstance(values[id_place], str) and cells[id_place].isdecimal():
                figures = len(cells[id_place])
                self._figures[figures] = self._figures.get(figures, 0) + 1
                self._largest = max(self._largest, int(cells[id_place]))
            yield Row(number, line, dict(zip(header, cells, strict=True)), record=record_of(cells))


def sheets_of(file: SourceFile) -> list[Sheet]:
    """Return the worksheets of a workbook in their order, without the list of labels that a review list carries.

    Only the workbook's structure is unpacked.

    Raises:
        UnreadableFileError: the file is not a workbook, or has too many sheets.
    """
    archive = _archive(file)
    small = [entry for entry in archive.entries if entry.file_size <= _SMALL_PART and not _CELLS_PART.search(entry.filename)]
    for entry in small:
        archive.check(entry)
    return _worksheets(_parsed(archive.with_only(small)))


def _worksheets(workbook: CalamineWorkbook) -> list[Sheet]:
    found = enumerate(workbook.sheets_metadata)
    sheets = [Sheet(place, sheet.name) for place, sheet in found if sheet.typ == SheetTypeEnum.WorkSheet]
    if len(sheets) > MAX_SHEETS:
        message = f"it has {len(sheets):,} sheets, and at most {MAX_SHEETS} are read: upload it in parts"
        raise UnreadableFileError(Reason.ZIP_BOMB, message)
    if not sheets:
        raise UnreadableFileError(Reason.EMPTY_FILE, "the workbook has no sheet with cells")
    return [sheet for sheet in sheets if sheet.name != LABELS_SHEET] or sheets


def open_sheet(workbook: SourceFile, place: int, aliases: Aliases) -> SheetTable:
    """Read a sheet: find its header, then iterate over its rows.

    Args:
        workbook: the file.
        place: the sheet's among all sheets of the workbook.
        aliases: for each column of ours, the names that it may have.

    Raises:
        UnreadableFileError: no row of the sheet can be read, or it has no text column: OTHER_SHEET if another sheet has rows.
    """
    opened = _LAST.open(workbook)
    try:
        return opened.table(place, aliases)
    except UnreadableFileError as error:
        # Beside a sheet with complaints, a sheet without a text column is a cover, a list of codes or a pivot table.
        if error.reason in _NOTHING_TO_READ and place != opened.place_of_message(aliases):
            raise UnreadableFileError(Reason.OTHER_SHEET, str(error), header=error.header) from None
        raise


def release() -> None:
    """Drop the workbook that was read last, which memory holds for its other sheets."""
    _LAST.drop()


def cell_text(value: Cell) -> str:
    """Return a cell as a person typed it.

    Examples:
        123.0 → `123`; 0.30000000000000004 → `0.3`; 12345678901234567890.0, which Excel rounded → `1.23456789012346E+19`;
        True → `TRUE`; a date → `2026-11-02`; a time of a day → `2026-11-02T10:30:00`; half past ten → `10:30:00`.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        if abs(value) < _EXACT and value == int(value):
            return str(int(value))
        return format(value, ".15g").upper()
    if isinstance(value, datetime):
        value = _rounded(value)
        return value.isoformat() if value.time() != time.min else value.date().isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if isinstance(value, time):
        return _rounded(datetime.combine(date(2000, 1, 1), value)).time().isoformat()
    return value.isoformat()


def _rounded(moment: datetime) -> datetime:
    """Return a time without the fraction that comes from counting in days."""
    return (moment + timedelta(milliseconds=500)).replace(microsecond=0)


def record_of(cells: Sequence[str]) -> str:
    """Return a row as a line of CSV, for a person who looks for it."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


# -- a workbook in memory ---------------------------------------------------------------------------------------------


class _Workbook:
    """A parsed workbook: the texts of all sheets, and the cells of one sheet at a time."""

    def __init__(self, file: SourceFile) -> None:
        archive = _archive(file)
        # Pictures and macros are left out, so that nothing is parsed as a sheet that has not been checked.
        self._calamine = _parsed(archive.with_only([entry for entry in archive.entries if _is_checked_xml(archive, entry)]))
        self._places = [sheet.place for sheet in _worksheets(self._calamine)]
        self._reasons: dict[int, Reason | None] | None = None

    def rows(self, place: int) -> Iterator[NumberedCells]:
        """Yield the rows that are not empty, each with its number in the sheet from 1."""
        try:
            sheet = self._calamine.get_sheet_by_index(place)
        except CalamineError:
            raise _damaged() from None
        if sheet.start is not None:
            for line, cells in enumerate(sheet.iter_rows(), start=1):
                if any(not isinstance(cell, str) or cell.strip() for cell in cells):
                    yield line, cells

    def table(self, place: int, aliases: Aliases) -> SheetTable:
        """Find the header of a sheet."""
        rows = self.rows(place)
        sample = list(islice(rows, SAMPLE_LINES))
        if not sample:
            raise UnreadableFileError(Reason.EMPTY_FILE, "the sheet has no cells")
        texts = [list(map(cell_text, cells)) for _, cells in sample]
        titles = header_below_titles(texts, aliases, lambda place, _: place + 1 < len(texts)) or 0
        header = name_columns(texts[titles])
        columns = require_text_column(header, aliases, record_of(texts[titles]))
        below = texts[titles + 1 : titles + 3]
        surveys = next((count for count in range(len(below), 0, -1) if is_survey_row(below[count - 1])), 0)
        first = titles + surveys + 1
        body = chain(sample[first:], islice(rows, _SAMPLE_ROWS))
        date_place = header.index(columns["received_at"]) if "received_at" in columns else None
        month_first = False
        if date_place is not None:
            seen = list(body)
            month_first = _is_month_first(cells[date_place] for _, cells in seen)
            body = chain(seen)
        file_format = FileFormat(
            kind="xlsx",
            encoding="utf-8",
            month_first=month_first,
            header=header,
            header_cells=tuple(texts[titles]),
            columns=columns,
            title_lines=titles,
            survey_rows=surveys,
            first_row_line=sample[first - 1][0] + 1,
        )
        return SheetTable(chain(body, rows), file_format)

    def place_of_message(self, aliases: Aliases) -> int | None:
        """Return the sheet whose error is reported for the workbook, or None if a sheet can be read or has another error."""
        if self._reasons is None:
            self._reasons = {place: self._why_not(place, aliases) for place in self._places}
        if not all(reason in _NOTHING_TO_READ for reason in self._reasons.values()):
            return None
        # An error that lists columns helps more than one about an empty sheet.
        without_text = [place for place, reason in self._reasons.items() if reason is Reason.NO_TEXT_COLUMN]
        return (without_text or self._places)[0]

    def _why_not(self, place: int, aliases: Aliases) -> Reason | None:
        try:
            self.table(place, aliases)
        except UnreadableFileError as error:
            return error.reason
        return None


class _LastWorkbook:
    """Holds the workbook that was opened last: its sheets are read one after the other."""

    def __init__(self) -> None:
        self._held: tuple[SourceFile, _Workbook] | None = None

    def open(self, file: SourceFile) -> _Workbook:
        held = self._held
        if held is None or held[0] is not file:
            self._held = None  # before the next one takes memory
            held = self._held = (file, _Workbook(file))
        return held[1]

    def drop(self) -> None:
        self._held = None


_LAST = _LastWorkbook()


def _is_month_first(cells: Iterable[Cell]) -> bool:
    """Return True if dates that were typed as texts have the month first."""
    texts = {cell for cell in cells if isinstance(cell, str) and len(cell) <= LONGEST_NAME}
    return Evidence.of_plain("\n".join(("", *texts, "")).encode("utf-8", "replace")).is_month_first


def _archive(file: SourceFile) -> Archive:
    head = file.read(0, min(len(_OLE), file.size))
    if head == _OLE:
        content = file.read(0, min(file.size, _OLE_BYTES))
        if _ENCRYPTED_STREAM in content:
            raise encrypted()
        message = "it is in the format of Excel 97-2003, whatever its name says: save it as an Excel workbook (.xlsx), and upload that"
        raise UnreadableFileError(Reason.OTHER_SPREADSHEET, message)
    if not head:
        raise UnreadableFileError(Reason.EMPTY_FILE, "the file holds nothing")
    if not head.startswith(b"PK"):
        message = (
            "it is not an Excel workbook, whatever its name says: save it as one (.xlsx) or as CSV in UTF-8, and upload that"
        )
        raise UnreadableFileError(Reason.BROKEN_ZIP, message)
    return Archive(file.read, file.size, max_bytes=MAX_WORKBOOK_BYTES)


def _parsed(content: bytes) -> CalamineWorkbook:
    try:
        return CalamineWorkbook.from_object(io.BytesIO(content))
    except PasswordError:
        raise encrypted() from None
    except (CalamineError, OSError, ValueError):
        raise _damaged() from None


def _damaged() -> UnreadableFileError:
    message = (
        "it is not a workbook that Excel opens, or it is damaged: open it, save it again as .xlsx, and upload the new file"
    )
    return UnreadableFileError(Reason.BROKEN_ZIP, message)


# -- the size of a sheet ----------------------------------------------------------------------------------------------


def _is_checked_xml(archive: Archive, entry: zipfile.ZipInfo) -> bool:
    """Return True for an XML part, after checking its size and how far its cells reach.

    A cell in A1 and one in XFD1048576 are 17 billion cells.

    Raises:
        UnreadableFileError: memory cannot hold all cells between the first and the last; or the part is damaged.
    """
    blocks = archive.blocks(entry)
    first = next(blocks, b"")
    if not _XML.match(first):
        return not first
    columns, lines = _limits(first, blocks)
    if columns * lines > MAX_GRID_CELLS:
        columns, lines = _exact_limits(archive.blocks(entry))
    if columns * lines > MAX_GRID_CELLS:
        message = (
            f"the cells of a sheet reach over {columns:,} columns and {lines:,} rows, and at most {MAX_GRID_CELLS:,} cells are read: "
            "delete what is far below or beside the table, or save the sheet as CSV"
        )
        raise UnreadableFileError(Reason.ZIP_BOMB, message)
    return True


def _limits(first: bytes, blocks: Iterator[bytes]) -> tuple[int, int]:
    """Return the last column and row of the cells in a part, or _UNSURE.

    Searches the bytes for cells in the form that all usual programs write. Parsing the XML takes as long as reading the sheet.
    """
    names, lines = set[bytes](), set[bytes]()
    kept, unsure = b"", not _IN_UTF8.match(first)
    for block in chain([first], blocks):  # to the end, which checks the part's size
        if unsure:
            continue
        text = kept + block
        end = text.rfind(b"<")
        end = end if end > 0 and len(text) - end < _MAX_TAG else len(text)
        text, kept = text[:end], text[end:]
        found = _REFERENCE.findall(text)
        unsure = len(found) != len(_CELL.findall(text)) or bool(_PREFIXED.search(text))
        joined = b"\n".join(found)
        names.update(joined.translate(None, _FIGURES).split())
        lines.update(joined.translate(None, _LETTERS).split())
    return _UNSURE if unsure else (max(map(_column, names), default=0), max(map(int, lines), default=0))


def _column(name: bytes) -> int:
    number = 0
    for letter in name:
        number = 26 * number + letter - 64
    return number


def _exact_limits(blocks: Iterator[bytes]) -> tuple[int, int]:
    """Return the last column and the last row with a value."""
    limits = _Limits()
    parser = expat.ParserCreate()
    parser.StartElementHandler = limits.start
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        for block in blocks:
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError):
        raise _damaged() from None
    return limits.last_column, limits.last_line


class _Limits:
    """Track the positions of cells. A cell without a reference follows the one before, and so does a row without a number."""

    def __init__(self) -> None:
        self.line = self.column = self.last_line = self.last_column = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "c":
            reference = attributes.get("r", "").upper().encode("ascii", "replace")
            figures = reference.lstrip(bytes(range(65, 91)))
            self.column = _column(reference[: len(reference) - len(figures)]) if reference else self.column + 1
            self.line = int(figures) if figures else self.line
        elif name in ("v", "is"):
            self.last_line, self.last_column = max(self.last_line, self.line), max(self.last_column, self.column)
        elif name == "row":
            self.line, self.column = int(attributes.get("r", self.line + 1)), 0


def _refuse_doctype(*_: object) -> None:
    raise _damaged()
