"""Large files in parts: the same rows as in one piece, by a format that is detected once; what a run's report says of a file."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace
from typing import Any

import pytest
from complaints_etl.readers.parts import Part, cut
from complaints_etl.readers.storage import SourceFile
from complaints_etl.records.raw_rows import PartSummary, read_batches
from complaints_etl.records.read import FilesRead

ALIASES = {"text": ("text", "queja"), "label": ("label",), "complaint_id": ("id",), "received_at": ("date",)}


class Stored:
    """A file in memory that remembers which ranges were read."""

    def __init__(self, body: bytes, key: str = "a.csv") -> None:
        self.ranges: list[tuple[int, int]] = []
        self.file = SourceFile(key=key, version_id="1", size=len(body), read=self._read, bucket="raw")
        self._body = body

    def _read(self, start: int, end: int) -> bytes:
        self.ranges.append((start, end))
        return self._body[start:end]

    def parts(self, part_bytes: int) -> list[Part]:
        return cut(0, self.file, ALIASES, part_bytes, lambda count, ranges: [count(span) for span in ranges])

    def rows(self, parts: list[Part]) -> tuple[list[dict[str, Any]], dict[tuple[int, int], PartSummary]]:
        summaries: dict[tuple[int, int], PartSummary] = {}
        rows: list[dict[str, Any]] = []
        for part in parts:
            for batch in read_batches(
                self.file, part, ALIASES, lambda of, summary: summaries.update({(of.file, of.number): summary})
            ):
                rows += batch.to_pylist()
        return rows, summaries

    def report_entry(self, part_bytes: int) -> dict[str, Any]:
        _, summaries = self.rows(self.parts(part_bytes))
        [entry], _ = FilesRead(None, [self.file], SimpleNamespace(value=summaries)).metadata()  # type: ignore[arg-type]
        return entry


def written(rows: int, separator: str = ",", line_end: str = "\n", above: str = "") -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=line_end)
    writer.writerow(["id", "queja", "label"])
    for number in range(rows):
        writer.writerow([number, f'dijo "no",{line_end}y más; nada {number}' if number % 3 else f"sin más {number}", "a"])
    return (above + out.getvalue()).encode()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("above", ["", "\ufeff", "Informe\nNoviembre\n", "sep={separator}\n"])
def test_the_parts_of_a_file_have_its_rows_with_their_lines(separator: str, line_end: str, above: str) -> None:
    stored = Stored(written(60, separator, line_end, above.format(separator=separator)))
    whole, _ = stored.rows(stored.parts(10**6))
    parts = stored.parts(300)
    assert len(parts) > 5
    in_parts, _ = stored.rows(parts)
    alike = [
        [{name: value for name, value in row.items() if name not in ("part", "row_number")} for row in rows]
        for rows in (whole, in_parts)
    ]
    assert alike[0] == alike[1]
    assert len(whole) == 60


def test_a_part_reads_its_own_range_only_and_detects_nothing() -> None:
    stored = Stored(written(200))
    part = stored.parts(1000)[3]
    stored.ranges.clear()
    stored.rows([part])
    assert min(start for start, _ in stored.ranges) == part.start
    assert part.format is not None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (written(200).replace(b"nada", b'tv de 32"'), "quotes inside words"),
        (written(200, line_end="\r"), "no newlines"),
        (written(200).decode().encode("utf-16"), "two bytes per character"),
        (written(200).replace(b"queja", b"monto"), "no text column: one task rejects the file"),
    ],
)
def test_a_file_whose_records_cannot_be_found_by_counting_is_not_cut(body: bytes, why: str) -> None:
    assert len(Stored(body).parts(1000)) == 1, why


@pytest.mark.parametrize("part_bytes", [300, 10**6])
def test_the_report_says_how_a_file_is_written_in_fields(part_bytes: int) -> None:
    entry = Stored(written(60, ";", above="Informe\nNoviembre\n")).report_entry(part_bytes)
    fields = ("format", "encoding", "separator", "quoting", "title_lines", "header", "columns", "read")
    assert {name: entry[name] for name in fields} == {
        "format": "csv",
        "encoding": "utf-8",
        "separator": ";",
        "quoting": "doubled",
        "title_lines": 2,
        "header": ["id", "queja", "label"],
        "columns": {"text": "queja", "label": "label", "complaint_id": "id"},
        "read": 60,
    }
    assert entry["dialect"] == "semicolon, quotes doubled, 2 title line(s) above the header"


def test_a_file_that_cannot_be_read_is_one_rejected_row() -> None:
    stored = Stored(b"fecha,monto\n1,2\n")
    [row], _ = stored.rows(stored.parts(10**6))
    assert (row["reason"], row["record"]) == ("no_text_column", "fecha,monto")
    assert stored.report_entry(10**6)["rejected_whole"] == "no_text_column"
