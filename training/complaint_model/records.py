"""Read the prepared complaints that the jobs are given: folders of JSON Lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DataError(Exception):
    """The prepared data is not what docs/contracts.md says; the message names the place, never the content."""


@dataclass(frozen=True)
class Labelled:
    """A labelled complaint as Prepare wrote it."""

    complaint_id: str
    text: str
    label: str
    group: str  # the same for near-duplicates; the complaint's own id where Prepare gave none
    language: str  # "" where not known


def read_labelled(*folders: Path) -> list[Labelled]:
    """All complaints below the folders, ordered by id; a missing folder is empty.

    The same text in two runs is one complaint with its newest label: folders are named by run, and runs by time. So what a
    person wrote into a review list outranks what the text was called before.

    Raises DataError at a line that is not a labelled complaint.
    """
    rows: dict[str, Labelled] = {}
    for folder in folders:
        # A name may come from a customer's file, so an error counts files instead of naming them.
        # Spark calls its parts what it likes; what starts with a dot or an underscore is its bookkeeping.
        found = sorted(path for path in folder.rglob("[!._]*") if path.is_file()) if folder.is_dir() else []
        for place, path in enumerate(found, start=1):
            # Only \n ends a line: texts may hold U+2028, which str.splitlines would split at.
            for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
                if line.strip():
                    row = _labelled(line, f"line {number} of file {place} in {folder.name}/")
                    rows[row.text.lower()] = row
    return sorted(rows.values(), key=lambda row: (row.complaint_id, row.label, row.text))


def _labelled(line: bytes, place: str) -> Labelled:
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} is not JSON: run Prepare again for this run") from error
    keys = ("complaint_id", "text", "label")
    if not isinstance(record, dict) or not all(isinstance(record.get(key), str) for key in keys) or not record["complaint_id"]:
        raise DataError(f"{place} lacks complaint_id, text or label: run Prepare again for this run")
    language = str(record.get("language") or "")
    try:
        f"{record['label']}{language}".encode()  # both are written into documents
    except UnicodeEncodeError as error:
        raise DataError(f"{place} has half a character in its label or language: correct it in the dropped file") from error
    return Labelled(
        complaint_id=record["complaint_id"],
        text=record["text"],
        label=record["label"],
        group=str(record.get("group_id") or record["complaint_id"]),
        language=language,
    )
