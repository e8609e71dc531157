"""Decide if a text file without a header holds rows: a table, lines of fastText, or a list of complaints. Others are one complaint."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from complaints_etl.lexicon import LEXICON
from complaints_etl.readers.csv_parser import CsvParser
from ptmlops_contracts.files import SEPARATORS
from ptmlops_contracts.words import quantity

SAMPLE_LINES = 200
_FASTTEXT = "__label__"
# How many lines with the separator are rows: two lines of a letter may have a comma or a semicolon each.
_LEAST_ROWS = {"\t": 2, "|": 2, ",": 3, ";": 3}
_LONGEST_NAME = 60  # characters of a column's name, in a file whose first line may be a header
# A list of complaints has at least this many lines. At least this share of them has this many words.
_LEAST_LINES, _LEAST_WORDS, _LEAST_SHARE = 8, 4, 0.9
_WRAPPED = 0.8  # share of the longest line: most lines of a text that a program wrapped are longer
_SPEAKER_OR_FIELD = re.compile(r"[^:\n]{1,40}:(?:\s|$)")  # "Cliente: …" of a chat, "Ciudad: …" of a form
_ITEM = re.compile(r"\s*(?:[-–—•*·>]|\(?\w{1,2}[.)])\s")
_ENDS = re.compile(r"[.!?…][\"'”’»)]*\s*$")
_LETTER_PART = re.compile(
    rf"(?i)\W*(?:{LEXICON.pattern('letters', 'greetings')}|{LEXICON.pattern('letters', 'closings')}|"
    rf"{LEXICON.pattern('letters', 'connectives')})\b"
)


def describe_rows(lines: Sequence[str]) -> str | None:
    """Describe the rows of a text file in words, or return None if the file is one complaint.

    Args:
        lines: the first ones, empty lines included. None of them is a header with one of our columns.
    """
    filled = [line.rstrip("\r\n") for line in lines if line.strip()]
    if filled and all(line.lstrip("\ufeff ").startswith(_FASTTEXT) for line in filled):
        return "lines of fastText, which begin with __label__"
    for separator in _LEAST_ROWS:
        if width := _width(filled, separator):
            return f"rows of {quantity(width, 'column')}, separated by a {SEPARATORS[separator]}"
    if _is_list(filled, blank=len(lines) - len(filled)):
        return f"{quantity(len(filled), 'line')} that are each a complaint"
    return None


def may_be_header(lines: Sequence[str]) -> bool:
    """Return True if the first of these rows may hold the names of columns: short words without figures, none as in the row below."""
    filled = [line.rstrip("\r\n") for line in lines if line.strip()]
    separator = next((mark for mark in _LEAST_ROWS if _width(filled, mark)), "")
    if not separator:
        return False
    header, below = (CsvParser(separator, escaped=False).complete_record(line) or [] for line in filled[:2])
    names = [cell.strip() for cell in header]
    return (
        len(set(names)) == len(names)
        and all(name and len(name) <= _LONGEST_NAME and not any(map(str.isdigit, name)) for name in names)
        and not set(names) & {cell.strip() for cell in below}
        and any(any(map(str.isdigit, cell)) or len(cell) > _LONGEST_NAME for cell in below)
    )


def _width(lines: Sequence[str], separator: str) -> int:
    """Return how many columns every line has with this separator; 0 if the numbers differ, or lines have one column."""
    if len(lines) < _LEAST_ROWS[separator] or not all(separator in line for line in lines):
        return 0
    parser = CsvParser(separator, escaped=False)
    rows = [parser.complete_record(line) or [] for line in lines]
    width = len(rows[0])
    if width < 2 or any(len(row) != width for row in rows):
        return 0
    spaced = sum(any(cell.startswith(" ") for cell in row[1:]) for row in rows)
    return 0 if separator in ",;" and 2 * spaced > len(rows) else width


def _is_list(lines: Sequence[str], *, blank: int) -> bool:
    """Return True for lines that are each a text: not paragraphs, a wrapped text, a chat, a form, or steps of one story."""
    if len(lines) < _LEAST_LINES or blank > len(lines) / 10 or _SPEAKER_OR_FIELD.fullmatch(lines[0].strip()):
        return False
    if (
        any(_share(lines, of.match) > 1 - _LEAST_SHARE for of in (_SPEAKER_OR_FIELD, _ITEM))
        or sum(map(bool, map(_LETTER_PART.match, lines))) > 1
    ):
        return False
    if _LETTER_PART.match(lines[0]) or _LETTER_PART.match(lines[-1]):
        return False
    if _share(lines, lambda line: len(line.split()) >= _LEAST_WORDS) < _LEAST_SHARE:
        return False
    going_on = [not _ENDS.search(line) and below[:1].islower() for line, below in pairwise(lines)]
    longest = max(map(len, lines))
    wrapped = _share(lines, lambda line: len(line) > _WRAPPED * longest) > 0.5
    return not (wrapped and sum(going_on) > len(going_on) / 5)


def _share(lines: Sequence[str], condition: Callable[[str], object]) -> float:
    return sum(bool(condition(line)) for line in lines) / len(lines)
