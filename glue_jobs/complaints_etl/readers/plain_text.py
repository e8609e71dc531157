"""Read a text file that is not a table: its content is one complaint."""

from __future__ import annotations

from collections.abc import Iterable

from complaints_etl.readers.encoding import LONE_SURROGATE, reject_bytes
from complaints_etl.readers.table import MAX_CELL_CHARACTERS, Row, UnreadableFileError
from ptmlops_contracts.report import Reason


def read_row(texts: Iterable[str]) -> Row:
    """Return the file's only row.

    Raises:
        UnreadableFileError: the text is too long for a complaint.
    """
    text = ""
    for block in texts:
        text += block
        if len(text) > MAX_CELL_CHARACTERS:
            message = f"a text file is one complaint, and this one has over {MAX_CELL_CHARACTERS:,} characters"
            raise UnreadableFileError(Reason.TOO_LONG, message)
    return reject_bytes(1, 1, text) if LONE_SURROGATE.search(text) else Row(1, 1, {"text": text}, record=text)
