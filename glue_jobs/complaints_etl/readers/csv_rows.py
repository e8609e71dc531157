"""Read the rows of any CSV, one by one, with Python's parser. Reject an unreadable record with its line and a reason."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import NamedTuple

from complaints_etl.readers.csv_parser import CsvParser
from complaints_etl.readers.csv_recovery import RecordLines, Recovery, Rejection
from complaints_etl.readers.encoding import LONE_SURROGATE, reject_bytes
from complaints_etl.readers.header import LONGEST_NAME, fold
from complaints_etl.readers.table import FileFormat, Row
from ptmlops_contracts.report import Reason
from ptmlops_contracts.words import quantity


class _Columns(NamedTuple):
    """The columns in the order of the rows that follow: names, which have no name in the file, folded names."""

    names: tuple[str, ...]
    unnamed: tuple[bool, ...]
    folded: tuple[str, ...]

    def repeated_in(self, cells: list[str]) -> _Columns | None:
        """Return the columns in the order of `cells` if these repeat the header, else None. The first cell rules out most rows."""
        if len(cells[0]) > LONGEST_NAME or fold(cells[0]) not in self.folded:
            return None
        folded = tuple(map(fold, cells))
        if folded == self.folded:
            return self
        if sorted(folded) != sorted(self.folded) or len(set(folded)) < len(folded):
            return None
        order = [self.folded.index(cell) for cell in folded]
        return _Columns(tuple(self.names[at] for at in order), tuple(self.unnamed[at] for at in order), folded)


class CsvRows:
    """The rows of a CSV, as an iterator. After a malformed record, the parser starts again below it."""

    def __init__(self, lines: Iterator[str], above: int, file_format: FileFormat) -> None:
        """Read `lines`, which begin below the header. `above` is the number of lines of the file above them."""
        cells = file_format.header_cells
        unnamed = tuple(not cell.strip() for cell in cells)
        self._columns = _Columns(file_format.header, unnamed, tuple(map(fold, cells)))
        self._initials = {name[:1].lower() for name in (*self._columns.folded, *self._columns.names)}
        self._width = len(cells)
        self._broken = file_format.broken
        self._parser = CsvParser(file_format.separator, escaped=file_format.escaped)
        self._lines = RecordLines(lines, above)
        self._recovery = Recovery(self._lines, self._parser, self._width)

    def __iter__(self) -> Iterator[Row]:
        number = 0
        lines, recovery, width = self._lines, self._recovery, self._width
        records = self._parser.records(iter(lines))
        while True:
            lines.start_record()
            try:
                cells = next(records)
            except StopIteration:
                return
            except csv.Error as error:
                number += 1
                outcome = recovery.after_error(str(error))
                yield self._row(number, outcome) if isinstance(outcome, list) else self._reject(number, outcome)
                records = self._parser.records(iter(lines))
                continue
            if not cells or (width > 1 and not any(map(str.strip, cells)) and '"' not in lines.current[0]):
                continue  # an empty line, or only the separators of an empty row of a spreadsheet
            number += 1
            if recovery.has_swallowed_records(len(cells)):
                yield self._reject(number, recovery.unclosed_quote(len(lines.current) - 1))
                records = self._parser.records(iter(lines))
                continue
            yield self._row(number, cells)

    def _row(self, number: int, cells: list[str]) -> Row:
        line, record, width, columns = self._lines.above + 1, self._lines.record, self._width, self._columns
        if self._broken and LONE_SURROGATE.search(record):
            return reject_bytes(number, line, record)
        if len(cells) != width:
            if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
                cells = cells[:width]  # separators behind the last column, as spreadsheets leave them
            elif len(cells) < width and all(columns.unnamed[len(cells) :]):
                cells = cells + [""] * (width - len(cells))
            else:
                detail = f"{quantity(len(cells), 'field')} where the header has {width:,}"
                return Row(number, line, {}, Reason.WRONG_FIELD_COUNT, detail, record)
        initial = cells[0].lstrip()[:1].lower()
        if initial in self._initials and (repeated := columns.repeated_in(cells)):
            self._columns = repeated  # joined files may have their columns in another order
            return Row(number, line, {}, Reason.REPEATED_HEADER, "the header is repeated here", record)
        return Row(number, line, dict(zip(columns.names, cells, strict=True)), record=record)

    def _reject(self, number: int, rejection: Rejection) -> Row:
        """Reject the lines of the broken record, and put back the lines below it."""
        lines = self._lines
        lines.put_back(rejection.lines)
        line, record = lines.above + 1, lines.record
        if self._broken and LONE_SURROGATE.search(record):
            return reject_bytes(number, line, record)
        return Row(number, line, {}, rejection.reason, rejection.detail, record)
