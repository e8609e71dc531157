"""Column names: which of a file's columns are ours, where a CSV's header is, and which separator it has."""

from __future__ import annotations

import contextlib
import csv
import re
import unicodedata
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice

from complaints_etl.lexicon import LEXICON
from complaints_etl.readers.csv_parser import CsvParser
from complaints_etl.readers.encoding import LONE_SURROGATE
from complaints_etl.readers.name_words import KINDS, kind_of
from complaints_etl.readers.table import MAX_CELL_CHARACTERS, MAX_COLUMNS, Aliases, Chosen, FileFormat, UnreadableFileError
from ptmlops_contracts.files import SEPARATORS
from ptmlops_contracts.report import Reason
from ptmlops_contracts.words import quantity

SAMPLE_LINES = 100  # from which the separator is found
LONGEST_NAME = 200  # characters of a title's cell, and of the first cell of a repeated header
FALLBACK_LABEL = "fallback_label"  # its names mean `label` if no other column does
_SHOWN_NAMES = 12  # of a list of names in a message
_NAME_CHARACTERS = 1000  # kept of a name: it may be a survey's question, or a complaint if the file has no header
_MOST_TITLES, _MOST_FILLED = 20, 2  # lines above a header; cells of such a line that are not empty
_SAMPLE_CHARACTERS = 64 * 1024
# A line for Excel, `sep=;` or `"sep=;"`, and one of PowerShell's Export-Csv, `#TYPE System.Data.DataRow`.
SEPARATOR_LINE = re.compile(r'(?:"?sep=([^"\r\n])"?;*,*|#TYPE [\w.]+[,;]*)\s*', re.IGNORECASE)
# Rows of headers that a survey tool writes below the names, and how it names the kinds of answers.
_MOST_SURVEY_ROWS = 2
_IMPORT_ID = re.compile(r'\{\s*"ImportId"')
# What forms add to a name: `¿Motivo?`, `Motivo *:`, `Motivo (obligatorio)`.
_MARKS = "¿?¡!*:"
_REMARK = re.compile(r" ?[(\[][^()\[\]]*[)\]] ?\Z")  # a folded name has single spaces


# -- names ------------------------------------------------------------------------------------------------------------


def fold(name: str) -> str:
    """Return a name as names are compared: without case, accents and invisible characters; one space for `_`, `-` and `.`."""
    if name.isascii() and name.isprintable():
        return " ".join(re.sub(r"[_\-.]+", " ", name).lower().split())
    plain = "".join(
        mark for mark in unicodedata.normalize("NFKD", name) if unicodedata.category(mark) not in ("Mn", "Cf", "Cc")
    )
    return " ".join(re.sub(r"[_\-.]+", " ", plain).casefold().split())


_ANSWERS = frozenset(map(fold, LEXICON.sections["surveys"]["answers"]))


def find_columns(header: Sequence[str], aliases: Aliases, *, by_words: bool = False) -> dict[str, str]:
    """Return, for each column of ours that the header has, its name there. The first alias in the header wins.

    `subject` is returned beside `text` only: in a file without a text column, the subject is `text`. A column with a name of
    `fallback_label` is `label` if no other column is.

    Args:
        header: the names of the file's columns.
        aliases: for each column of ours, the names that it may have.
        by_words: also recognise names that are in no list (`name_words`).
    """
    by_key = _by_key(header, _longest(aliases) + LONGEST_NAME)
    named = {ours: _find(by_key, ours, names, by_words=by_words) for ours, names in aliases.items()}
    columns = {ours: found[0] for ours, found in named.items() if found}
    chosen = {name: ours for ours, name in columns.items() if isinstance(aliases[ours], Chosen)}
    columns = {ours: name for ours, name in columns.items() if chosen.get(name, ours) == ours}
    fallback, subject = columns.pop(FALLBACK_LABEL, None), columns.pop("subject", None)
    if fallback and "label" in aliases and not isinstance(aliases["label"], Chosen):
        columns.setdefault("label", fallback)
    if subject and not isinstance(aliases["text"], Chosen):
        columns.setdefault("text", subject)
    if subject and subject not in columns.values():
        columns["subject"] = subject
    return columns


def label_candidates(header: Sequence[str], aliases: Aliases) -> tuple[list[str], list[str]]:
    """Return the columns that may be the label, the preferred ones first: those with a name of `label`, and all others."""
    by_key, names = _by_key(header, LONGEST_NAME), aliases.get("label", Chosen())
    columns = find_columns(header, aliases, by_words=True)
    taken = {name for ours, name in columns.items() if ours != "label"}
    certain = [name for name in _find(by_key, "label", names, by_words=False) if name not in taken]
    others = _find(by_key, FALLBACK_LABEL, aliases.get(FALLBACK_LABEL, Chosen()), by_words=False)
    others += _find(by_key, "label", names, by_words=True)
    return certain, [name for name in dict.fromkeys(others) if name not in taken.union(certain)]


def _by_key(header: Sequence[str], longest: int) -> dict[str, str]:
    """Return the columns by their keys, without longer cells: in a file without a header, cells may be complaints."""
    by_key: dict[str, str] = {}
    for column in header:
        if len(column) <= longest:
            by_key.setdefault(_key(column), column)
    return by_key


def _longest(aliases: Aliases) -> int:
    return max((len(name) for names in aliases.values() if isinstance(names, Chosen) for name in names), default=0)


def _find(by_key: Mapping[str, str], ours: str, names: Sequence[str], *, by_words: bool) -> list[str]:
    """Return the columns that have one of these names, in the order of the names; then those that are recognised by their words."""
    if isinstance(names, Chosen):
        return [by_key[key] for key in map(_key, names) if key in by_key]
    # Our own name is always an alias: a review list that comes back has it, whatever the settings call the column.
    ranks = _ranks((*names, ours))
    found = [by_key[key] for key in sorted(by_key.keys() & ranks.keys(), key=ranks.__getitem__)]
    if by_words and ours in KINDS:
        found += [column for column in by_key.values() if len(column) <= LONGEST_NAME and kind_of(fold(column)) == ours]
    return list(dict.fromkeys(found))


@lru_cache(maxsize=5_000)  # the lines above a header are compared several times, and files have the same names
def _key(name: str) -> str:
    """Return a name without spaces, marks and a remark behind it: equal for `issueType`, `Issue Type` and `issue_type*:`."""
    folded = fold(name)
    return _REMARK.sub("", folded).replace(" ", "").strip(_MARKS) or folded


@lru_cache  # the settings' names, compared with a hundred lines of every file
def _ranks(names: tuple[str, ...]) -> dict[str, int]:
    """Return the place of each name's key in the list."""
    return {_key(name): place for place, name in reversed(list(enumerate(names)))}


def require_text_column(header: Sequence[str], aliases: Aliases, first_line: str) -> dict[str, str]:
    """Find the columns, by words too, and require a text column among them.

    Raises:
        UnreadableFileError: there is no text column. The message quotes no name, because the first line of a file without
            a header is a complaint; the line is kept with the rejected rows. `missing_text.explain` says more.
    """
    columns = find_columns(header, aliases, by_words=True)
    if "text" not in columns:
        message = (
            f"no text column among {quantity(len(header), 'column')}: "
            f"the first line must be a header, and one of its names {shown_names(aliases['text'])}"
        )
        raise UnreadableFileError(Reason.NO_TEXT_COLUMN, message, LONE_SURROGATE.sub("\ufffd", first_line), header)
    return columns


def shown_names(names: Sequence[str]) -> str:
    """Return the first names for a sentence, and how many more there are."""
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" or {more} more" if more > 0 else "")


def check_column_count(columns: int) -> None:
    """Refuse too many columns before they are named, which takes longer the more there are."""
    if columns > MAX_COLUMNS:
        raise UnreadableFileError(Reason.TOO_MANY_COLUMNS, f"it has {columns:,} columns; at most {MAX_COLUMNS:,} are read")


def unique_name(name: str, taken: Container[str]) -> str:
    """Return `name`, or "name (2)" and so on if it is taken."""
    name = name[:_NAME_CHARACTERS]
    unique, turn = name, 2
    while unique in taken:
        unique, turn = f"{name} ({turn})", turn + 1
    return unique


def name_columns(cells: Sequence[str]) -> tuple[str, ...]:
    """Return a name for each column, no two alike; an empty third cell is "column 3"."""
    check_column_count(len(cells))
    names: dict[str, None] = {}
    for place, cell in enumerate(cells, start=1):
        plain = LONE_SURROGATE.sub("\ufffd", cell.replace("\ufeff", "").replace("\x00", ""))
        names[unique_name(unicodedata.normalize("NFC", plain).strip() or f"column {place}", names)] = None
    return tuple(names)


# -- where the header of a CSV is -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CsvHeader:
    """The header of a CSV, and the file's lines down to it.

    Attributes:
        cells: the header's cells as they are written.
        separator: "" for a file with one column.
        title_lines: how many lines of a title are above the header.
        survey_rows: how many more rows of headers are below it.
        above: the lines above the header, the titles included.
        lines: the header's own lines, and those of the survey rows.
    """

    cells: list[str]
    separator: str
    title_lines: int
    survey_rows: int
    above: list[str]
    lines: list[str]


def find_header(lines: Iterator[str], aliases: Aliases, *, escaped: bool) -> CsvHeader:
    """Find the header at or near the beginning of a CSV.

    Args:
        lines: the file's, with their ends. A lone carriage return ends one too.
        aliases: the names of our columns.
        escaped: as in `FileFormat`.

    Raises:
        UnreadableFileError: the first line cannot be a header.
    """
    above, first, separator = [], "", ""
    for line in lines:
        match = SEPARATOR_LINE.fullmatch(line)
        if (match and not separator) or not line.strip():
            separator = separator or (match[1] if match else "") or ""
            above.append(line)
        else:
            first = line
            break
    if not first and above:
        first = above.pop()
    sample = [first, *islice(lines, SAMPLE_LINES + _MOST_TITLES)]
    titles = count_titles(sample[: _MOST_TITLES + 2], aliases)
    above, sample = above + sample[:titles], sample[titles:]
    separator = separator or _find_separator(sample[:SAMPLE_LINES], aliases, escaped=escaped)
    header: list[str] = []

    def counted() -> Iterator[str]:
        for line in chain(sample, lines):
            header.append(line)
            yield line

    records = CsvParser(separator, escaped=escaped).records(counted())
    try:
        cells = next(records)
    except (StopIteration, csv.Error):
        message = "its first line is not a header: a quote is not closed or not beside a separator, or a name is too long"
        if header[-1].startswith("{"):
            message = "its first line is not a header but a JSON object: if the file is JSON Lines, let its name end in .jsonl"
        record = LONE_SURROGATE.sub("\ufffd", header[-1][:MAX_CELL_CHARACTERS])
        raise UnreadableFileError(Reason.NO_HEADER, message, record) from None
    survey_rows, end = 0, len(header)
    with contextlib.suppress(csv.Error):
        for number, row in enumerate(islice(records, _MOST_SURVEY_ROWS), start=1):
            if is_survey_row(row):
                survey_rows, end = number, len(header)
    return CsvHeader(cells, separator, titles, survey_rows, above, header[:end])


def is_survey_row(cells: Sequence[str]) -> bool:
    """Return True for the last of the headers that a survey tool writes.

    Qualtrics writes the questions, and then `{"ImportId":"QID1"}` for each column. SurveyMonkey leaves the first cell empty,
    and writes the kinds of answers, such as `Open-Ended Response`.
    """
    filled = [cell.strip() for cell in cells if cell.strip()]
    if not filled:
        return False
    if filled[0].startswith("{"):
        return all(map(_IMPORT_ID.match, filled))
    return (
        not cells[0].strip() and not any(map(str.isdigit, "".join(filled))) and any(fold(cell) in _ANSWERS for cell in filled)
    )


def header_end(body: bytes, file_format: FileFormat) -> int:
    """Return where the lines below the header begin in a CSV whose newline is one byte."""
    end = 0
    for _ in range(file_format.first_row_line - 1):
        end = body.find(b"\n", end) + 1 or len(body)
    return end


def count_titles(lines: Sequence[str], aliases: Aliases) -> int:
    """Return how many of these lines are a report's title above the header of its table.

    A title line has at most two cells that are not empty, fewer than the header. The header has a text column, and a row is below.
    Example: 2 for `Complaints;;`, `November;;`, `id;date;text`, `1;2026-11-02;the app fails`.
    """
    places = (_csv_header_place(lines, mark, aliases) for mark in SEPARATORS)
    return min((place for place in places if place is not None), default=0)


def _csv_header_place(lines: Sequence[str], separator: str, aliases: Aliases) -> int | None:
    """Return which line is the header if the file has this separator, counted from 0, or None."""
    parser = CsvParser(separator, escaped=False)

    def records() -> Iterator[list[str]]:
        for line in lines:
            cells = parser.complete_record(line)
            if cells is None:
                return
            yield cells

    def has_row(place: int, header: Sequence[str]) -> bool:
        # Words of a sentence have a space behind a comma, and a table has rows. A row's text may go on in the next line.
        if separator != "|" and any(cell.startswith(" ") for cell in header if cell.strip()):
            return False
        below = next(filter(str.strip, lines[place + 1 :]), "")
        row = next(parser.records([below[:_SAMPLE_CHARACTERS]], strict=False), [])
        return 1 < len(row) <= len(header)

    return header_below_titles(records(), aliases, has_row)


def header_below_titles(
    rows: Iterable[Sequence[str]], aliases: Aliases, has_row: Callable[[int, Sequence[str]], bool]
) -> int | None:
    """Return which row is the header of a table below a report's title, counted from 0; None if none is.

    Args:
        rows: the first ones. Rows of a title have at most two cells that are not empty, fewer than the header.
        aliases: the names of our columns. The header has a text column.
        has_row: takes a row's number and cells, and returns True if that row can be a header: a data row follows it.
    """
    most = 0
    for place, cells in enumerate(islice(rows, _MOST_TITLES + 1)):
        filled = list(filter(str.strip, cells))
        if "text" in find_columns(filled, aliases):
            return place if place == 0 or (most < len(filled) and has_row(place, cells)) else None
        most = max(most, len(filled))
        if most > _MOST_FILLED or max(map(len, filled), default=0) > LONGEST_NAME:
            return None
    return None


def _find_separator(lines: Sequence[str], aliases: Aliases, *, escaped: bool) -> str:
    """Return the separator with which the header has most of our columns and most rows are as wide as the header.

    Args:
        lines: the header and the lines below it.
        aliases: for each column of ours, the names that it may have in a file.
        escaped: as in `FileFormat`.

    Returns:
        "" if the text column is the only column.
    """
    widths: dict[str, int] = {}

    def score(separator: str) -> tuple[int, float, int]:
        records = []
        with contextlib.suppress(csv.Error):
            for cells in CsvParser(separator, escaped=escaped).records(lines, strict=False):
                records.append(cells)  # one by one, to keep the records before an error
        header, *rows = records or [[]]
        rows = [row for row in rows[:-1] or rows if row]  # the sample may end in the middle of the last one
        alike = sum(len(row) == len(header) for row in rows) / len(rows) if rows else 0.0
        columns = find_columns(header, aliases)
        widths[separator] = len(header) if "text" in columns else 0
        return (len(columns) if "text" in columns else 0, round(alike, 1), len(header))

    best = max(SEPARATORS, key=score)
    return "" if widths[best] == 1 else best


def looks_like_table(lines: Sequence[str], aliases: Aliases, *, escaped: bool) -> bool:
    """Return True if the lines of a text file are a table, as spreadsheets save it, and not a letter.

    The first line of a letter may hold a comma and a word that is a column's name: then two such columns make a table.

    Args:
        lines: the first ones that are not empty.
        aliases: the names of our columns.
        escaped: as in `FileFormat`.
    """
    if not lines or SEPARATOR_LINE.fullmatch(lines[0]):
        return bool(lines)
    separator = _find_separator(lines, aliases, escaped=escaped)
    if not separator:
        return False
    try:
        header, *rows = CsvParser(separator, escaped=escaped).records(lines, strict=False)
    except csv.Error:
        return False
    found = find_columns(header, aliases)
    if "text" not in found or not all(map(str.strip, header)):
        return False
    wide = 2 * sum(len(row) == len(header) for row in rows) > len(rows)
    if separator in "\t|":
        return wide or len(found) > 1
    return wide and len(found) > 1 and not any(name.startswith(" ") for name in header)
