"""Files that were refused or passed over are named, with the reason and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from ptmlops.views import run_progress
from ptmlops.views.files import column_lines
from ptmlops.views.results import show_results
from ptmlops.views.unread import unread_lines
from ptmlops_contracts.report import NOT_TABLES, Reason

READ: dict[str, Any] = {"key": "good.csv", "rejected_whole": None, "refused": None, "columns": {"text": "queja"}}
NO_HEADER = {**READ, "key": "headless.csv", "rejected_whole": "no_header", "columns": {}}
PHOTO = {**READ, "key": "photo.png", "rejected_whole": "unsupported_format", "columns": {}}
BROKEN = {**READ, "key": "broken.csv", "refused": "60% of its rows were rejected, over the limit of 20%"}
DOCUMENT = {
    "status": "SUCCEEDED", "seconds": 9, "cost_usd": 0.1, "scored": 0, "needs_review": 0, "trained": False,
    "rows": {"read": 301, "accepted": 300, "rejected": 1, "duplicates": 0},
}  # fmt: skip
NO_HEADER_LINE = "Refused: headless.csv: its first line does not hold the column names. Add them. (no_header)"


def test_each_file_is_named_with_its_reason_and_what_to_do_refused_ones_first() -> None:
    assert unread_lines({"files": [PHOTO, READ, NO_HEADER, BROKEN]}) == [
        NO_HEADER_LINE,
        "Refused: broken.csv: 60% of its rows were rejected, over the limit of 20%. Repair the rejected rows, and upload the file again.",
        "Passed over: photo.png: its name has no supported ending, or a system left it. It has no rows. Export a table as CSV or "
        "JSON Lines. (unsupported_format)",
    ]


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.description.startswith(("File", "Sheet"))])
def test_every_reason_of_a_file_has_a_text(reason: Reason) -> None:
    [line] = unread_lines({"files": [{**READ, "rejected_whole": str(reason)}]})
    begin = "Passed over" if reason in NOT_TABLES else "Refused"
    assert line.startswith(f"{begin}: good.csv: ")
    assert line.endswith(f"{reason.description.partition(': ')[2]} ({reason})")


@pytest.mark.parametrize(
    ("refused", "passed_over", "last"),
    [
        (5, 0, NO_HEADER_LINE),
        (6, 0, "More files: 1 refused. See there."),
        (3, 4, "More files: 2 passed over. See there."),
        (1_234, 2, "More files: 1,229 refused and 2 passed over. See there."),
    ],
)
def test_five_files_are_named_and_the_others_counted(refused: int, passed_over: int, last: str) -> None:
    lines = unread_lines({"files": [NO_HEADER] * refused + [PHOTO] * passed_over}, advice="See there.")
    assert lines[-1] == last
    assert len(lines) == min(refused + passed_over, 5) + (last != NO_HEADER_LINE)


def test_without_a_report_nothing_is_named() -> None:
    assert unread_lines({}) == []


def test_columns_name_the_files_that_have_them() -> None:
    other = {**READ, "columns": {"text": "Body"}}
    report = {"files": [READ, *({**other, "key": f"{number}.csv"} for number in range(7)), NO_HEADER]}
    read = [{"files": 7, "columns": {"text": "Body"}}, {"files": 1, "columns": {"text": "queja"}}]
    assert column_lines(read, report) == [
        "Columns read of 0.csv, 1.csv, 2.csv, 3.csv, 4.csv and 2 more files: text: Body; label: none; id: none; date: none",
        "Columns read of good.csv: text: queja; label: none; id: none; date: none",
    ]


def test_the_end_of_a_run_and_its_results_name_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa

    monkeypatch.setenv("COLUMNS", "300")
    report = {"files": [READ, NO_HEADER]}

    run_progress.show_end(DOCUMENT, report, advice="")
    show_results(DOCUMENT, pa.table({}), report)

    shown = capsys.readouterr()
    assert NO_HEADER_LINE in " ".join(shown.err.split())
    assert NO_HEADER_LINE in " ".join(shown.out.split())
    assert "1 rejected" in shown.out
