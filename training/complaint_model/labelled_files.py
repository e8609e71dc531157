"""Read labelled complaints as Prepare wrote them: folders of JSON Lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from complaint_model.records import Labelled
from ptmlops_contracts.keys import run_of_folder


class DataError(Exception):
    """The prepared data does not follow docs/contracts.md. The message names folder, file and line, never the content."""


def read_labelled(*folders: Path) -> list[Labelled]:
    """Read all complaints below the folders, ordered by id. A missing folder is empty.

    The same text in two runs is one complaint with its newest label: folders are named by run, and runs by time. So a label from a
    review list replaces an earlier one.

    Raises:
        DataError: A line is not a labelled complaint.
    """
    rows: dict[str, Labelled] = {}
    for folder in folders:
        # Spark chooses the names of its files. Those that start with a dot or an underscore are its bookkeeping.
        paths = sorted(path for path in folder.rglob("[!._]*") if path.is_file()) if folder.is_dir() else []
        for file_number, path in enumerate(paths, start=1):
            # Only \n ends a line: texts may contain U+2028, at which str.splitlines splits.
            for line_number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
                if line.strip():
                    # Errors number the files: a name may come from a customer's file.
                    row = _parse_line(
                        line,
                        f"line {line_number} of file {file_number} in {folder.name}/",
                        run_of_folder(path.parent.name) or "",
                    )
                    rows[row.text.lower()] = row
    return sorted(rows.values(), key=lambda row: (row.complaint_id, row.label, row.text))


def _parse_line(line: bytes, location: str, run_id: str) -> Labelled:
    """Return the complaint of a JSON line of a run. `location` names the line in errors."""
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{location} is not JSON: run Prepare again for this run") from error
    keys = ("complaint_id", "text", "label")
    if not isinstance(record, dict) or not all(isinstance(record.get(key), str) for key in keys) or not record["complaint_id"]:
        raise DataError(f"{location} lacks complaint_id, text or label: run Prepare again for this run")
    language = str(record.get("language") or "")
    try:
        f"{record['label']}{language}".encode()  # a lone surrogate cannot be written to a JSON document in UTF-8
    except UnicodeEncodeError as error:
        raise DataError(
            f"{location} has half a character in its label or language: correct it in the uploaded file"
        ) from error
    return Labelled(
        complaint_id=record["complaint_id"],
        text=record["text"],
        label=record["label"],
        group=str(record.get("group_id") or record["complaint_id"]),
        language=language,
        run_id=run_id,
    )
