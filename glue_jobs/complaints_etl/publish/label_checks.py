"""Write labels to check: labelled rows whose label is probably wrong. What a person answers is uploaded, and the model learns from it."""

from __future__ import annotations

import json

from complaints_etl.publish.excel import Put
from complaints_etl.publish.exports import write_parts
from complaints_etl.publish.review_page import PageRow
from complaints_etl.spreadsheet import record
from ptmlops_contracts.keys import OutputKeys
from ptmlops_contracts.review import LABEL_CHECK_COLUMNS, LabelToCheck, label_check_cells

LABEL_TO_CHECK = "label to check"  # the value of the review list's column `why`


def parse_label_checks(lines: bytes | None) -> list[LabelToCheck]:
    """Return the rows of labels_to_check.jsonl. There are none if the run did not train."""
    return [json.loads(line) for line in (lines or b"").splitlines()]


def write_label_checks(lines: bytes | None, run_id: str, put: Put, *, separator: str = ",") -> list[str]:
    """Store the list of a run that trained as labels_to_check.csv.

    Args:
        lines: labels_to_check.jsonl, or None if the run did not train.
        run_id: the run.
        put: stores a file under a key.
        separator: between the cells.

    Returns:
        The keys; none if there is nothing to check.
    """
    records = [record(label_check_cells(row), separator) for row in parse_label_checks(lines)]
    if not records:
        return []
    return write_parts(OutputKeys(run_id).labels_to_check, record(LABEL_CHECK_COLUMNS, separator), iter(records), put)[0]


def page_row(row: LabelToCheck) -> PageRow:
    """Return a label to check for the page, with the cells that the review list has for a complaint."""
    given = (row["given_label"], row["given_probability"])
    suggested = (row["suggestion"], row["suggestion_probability"])
    return PageRow(
        cells={
            "complaint_id": row["complaint_id"],
            "text": row["text"],
            "suggestion": suggested[0],
            "confidence": f"{suggested[1]:.4f}",
            "alternatives": "; ".join(f"{label} {share:.2f}" for label, share in (suggested, given)),
            "top_terms": "",
            "why": LABEL_TO_CHECK,
            "received_at": "",
        },
        why=LABEL_TO_CHECK,
        language=row["language"],
        alternatives=[given, suggested],
        terms=(),
    )
