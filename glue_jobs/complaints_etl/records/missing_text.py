"""Explain that a file has no text column: its columns, the likeliest one, and what a person can do.

Names are shown only if the first line certainly is a header. The first line of a file without a header is a complaint, and no message
quotes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from complaints_etl.readers.header import find_columns, shown_names
from complaints_etl.readers.sample import Sample
from complaints_etl.readers.table import Aliases, Chosen
from complaints_etl.records.identifiers import redact_names
from complaints_etl.text.blank import is_blank
from ptmlops_contracts.words import quantity

SHOWN_COLUMNS, SHOWN_CHARACTERS = 20, 40  # of a header in a message
_LONGEST_NAME = 100  # characters of a name that may be a header's
_MIN_ROWS = 3
# A number, a date, a time, or an id such as `A-12`.
_VALUE = re.compile(r"[\W_]*\d[\d\W_]*(?:[a-z]{1,4}[\d\W_]*){0,3}", re.IGNORECASE)


@dataclass(frozen=True)
class Columns:
    """What is known about the columns of a file without a text column.

    Attributes:
        count: the number of columns.
        names: the redacted names; empty if the first line may be a complaint.
        likeliest: the name of the column that looks most like texts; "" if there is none, or `names` is empty.
        characters: the mean length of its cells.
    """

    count: int
    names: Sequence[str]
    likeliest: str = ""
    characters: int = 0

    def described(self) -> str:
        """Return a clause: `no text column among 2 columns (fecha, relato libre); the likeliest is "relato libre"…`."""
        clause = f"no text column among {quantity(self.count, 'column')}"
        if self.names:
            clause += f" ({shown_columns(self.names)})"
        if self.likeliest:
            clause += f'; the likeliest is "{self.likeliest}", with {quantity(self.characters, "character")} on average'
        return clause


def columns_of(sample: Sample | None, header: Sequence[str], aliases: Aliases) -> Columns:
    """Describe the columns of a file, without names if its first line may be a complaint.

    Args:
        sample: the first rows, or None.
        header: the cells of the first line.
        aliases: the names of the settings.
    """
    names = redact_names(header)
    rows = sample.rows if sample else []
    lengths = {
        column: round(sum(len(row.get(column, "")) for row in rows) / max(len(rows), 1))
        for column in (sample.format.header if sample else ())
    }
    if not find_columns(header, aliases, by_words=True) and not _is_header(header, rows, lengths):
        return Columns(len(header), ())
    longest = max(lengths, key=lambda column: lengths[column], default="")
    shown_as = dict(zip(header, names, strict=True))
    if not rows or lengths[longest] < 15 or longest not in shown_as:
        return Columns(len(header), names)
    return Columns(len(header), names, shown_as[longest], lengths[longest])


def explain(columns: Columns, aliases: Aliases) -> str:
    """Return the reason why a file without a text column is rejected: its columns, and what a person can do."""
    if isinstance(aliases["text"], Chosen):
        return f'its upload named "{aliases["text"][0]}" as the text column, and it has no such column: {columns.described()}'
    if not columns.names:
        return (
            f"{columns.described()}: the first line must be a header, and one of its names {shown_names(aliases['text'])}; if the file "
            "has no header, add one"
        )
    name = f'"{columns.likeliest}"' if columns.likeliest else "NAME"
    return (
        f"{columns.described()}: the first line must be a header with one of the names {shown_names(aliases['text'])}. Upload the file "
        f"with `ptmlops drop FILE --text {name}`, or rename the column to text, or add its name to complaints.columns.text in the "
        "environment's settings"
    )


def shown_columns(names: Sequence[str]) -> str:
    """Return the first column names for a message, long ones cut."""
    first = [name if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]}…" for name in names[:SHOWN_COLUMNS]]
    return ", ".join(first) + (", …" if len(names) > SHOWN_COLUMNS else "")


def _is_header(header: Sequence[str], rows: Sequence[Mapping[str, str]], lengths: Mapping[str, int]) -> bool:
    """Return True if the first line certainly is a header: its cells are unlike those of the columns below them.

    A value must not recur below its name, nor a name look like a value or hold personal data. A column of numbers or dates below a name
    is proof. So is a column with few values that recur, if the longest column has texts of more than twice the length of its name.
    """
    if len(rows) < _MIN_ROWS or tuple(header) != redact_names(header) or not set(header) <= lengths.keys():
        return False
    measures = recurs = False
    for name in header:
        cells = [cell for row in rows if (cell := row.get(name, "").strip())]
        if is_blank(name.strip()) or len(name) > _LONGEST_NAME or _VALUE.fullmatch(name) or name in cells:
            return False
        many = len(cells) >= _MIN_ROWS
        measures = measures or (many and all(map(_VALUE.fullmatch, cells)))
        recurs = recurs or (many and 2 * len(set(cells)) <= len(cells))
    longest = max(lengths, key=lambda column: lengths[column])
    return measures or (recurs and 2 * len(longest) < lengths[longest])
