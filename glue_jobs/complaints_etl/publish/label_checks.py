"""Write labels_to_check.csv: labelled rows whose label is probably wrong. If it is filled in and uploaded, the model learns from it."""

from __future__ import annotations

import json

from complaints_etl.publish.excel import Put
from complaints_etl.publish.exports import write_parts
from complaints_etl.spreadsheet import record
from ptmlops_contracts.keys import OutputKeys
from ptmlops_contracts.review import LABEL_CHECK_COLUMNS, label_check_cells


def write_label_checks(lines: bytes | None, run_id: str, put: Put, *, separator: str = ",") -> list[str]:
    """Store the list of a run that trained.

    Args:
        lines: labels_to_check.jsonl, or None if the run did not train.
        run_id: the run.
        put: stores a file under a key.
        separator: between the cells.

    Returns:
        The keys; none if there is nothing to check.
    """
    records = [record(label_check_cells(json.loads(line)), separator) for line in (lines or b"").splitlines()]
    if not records:
        return []
    return write_parts(OutputKeys(run_id).labels_to_check, record(LABEL_CHECK_COLUMNS, separator), iter(records), put)[0]
