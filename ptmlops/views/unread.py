"""The files of a run without accepted rows: those that were refused as a whole, and those that are not tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptmlops_contracts.report import NOT_TABLES, Reason
from ptmlops_contracts.words import quantity

SHOWN = 5


def unread_lines(report: Mapping[str, Any], *, advice: str = "") -> list[str]:
    """Return a line per file that was refused or passed over: its name, the reason, and what to do. Refused files come first.

    Args:
        report: the run's report.json, or an empty document.
        advice: how to learn more of the files behind the first five.
    """
    refused, passed_over = [], []
    for file in report.get("files", []):
        whole, refusal = file.get("rejected_whole"), file.get("refused")
        if whole in NOT_TABLES:
            passed_over.append(f"Passed over: {file['key']}: {_explain(whole)}")
        elif whole:
            refused.append(f"Refused: {file['key']}: {_explain(whole)}")
        elif refusal:
            refused.append(f"Refused: {file['key']}: {refusal}. Repair the rejected rows, and upload the file again.")
    left = {"refused": len(refused) - SHOWN, "passed over": len(passed_over) - max(0, SHOWN - len(refused))}
    counts = [f"{count:,} {outcome}" for outcome, count in left.items() if count > 0]
    lines = (refused + passed_over)[:SHOWN]
    if counts:
        lines.append(f"More files: {' and '.join(counts)}.{f' {advice}' if advice else ''}")
    return lines


def _explain(reason: str) -> str:
    """Return the text of a reason code without its scope: `its first line does not hold the column names. Add them. (no_header)`."""
    code = next((code for code in Reason if code.value == reason), None)
    return f"{code.description.partition(': ')[2]} ({reason})" if code else reason


def files_read_as(report: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """Return the files that were read with these columns: `a.csv, b.csv and 3 more`. Empty if the report does not list them."""
    keys = [file["key"] for file in report.get("files", []) if file.get("columns") == dict(columns)]
    more = quantity(len(keys) - SHOWN, "more file") if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + (f" and {more}" if more else "")
