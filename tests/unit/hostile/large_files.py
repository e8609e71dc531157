"""Read hostile files of two lengths with little memory, and print how long each takes: a program, because memory is limited per process."""

from __future__ import annotations

import io
import json
import resource
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from complaints_etl.readers import read_table
from complaints_etl.readers.table import UnreadableFileError
from complaints_etl.redaction import redact
from complaints_etl.text.cleaning import clean_cell, clean_text

SIZES = (250_000, 1_000_000)  # characters, lines or elements, whatever the file consists of
MEMORY = 1024**3  # bytes beyond what the process has when it begins: a worker of Prepare has more per file
MOST_CHARACTERS = 10_000  # of a text, as the settings have it
ALIASES = {"text": ("text",), "label": ("label",)}
HEADER = b"text,label\n"


def _zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _nested(size: int) -> bytes:
    """Return an archive in an archive, size / 10,000 deep."""
    content = HEADER + b"hola,a\n"
    for _ in range(size // 10_000):
        content = _zipped({"a.zip": content})
    return content


def _workbook(strings: str, cells: str) -> bytes:
    main, relations = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org"
    document = f"{relations}/officeDocument/2006/relationships"
    package = f"{relations}/package/2006/relationships"
    return _zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{relations}/package/2006/content-types"/>'.encode(),
            "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="a" Type="{document}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>'.encode(),
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{document}"><sheets><sheet name="a" sheetId="1" r:id="s"/>'
            "</sheets></workbook>".encode(),
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="s" Type="{document}/worksheet" '
            f'Target="worksheets/sheet1.xml"/><Relationship Id="t" Type="{document}/sharedStrings" Target="sharedStrings.xml"/>'
            "</Relationships>".encode(),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>'.encode(),
            "xl/sharedStrings.xml": f'<sst xmlns="{main}">{strings}</sst>'.encode(),
        }
    )


def _rows(*rows: tuple[int, ...]) -> str:
    """Return rows of cells, each the number of a shared string."""
    cells = ["".join(f'<c t="s"><v>{number}</v></c>' for number in row) for row in rows]
    return "".join(f"<row>{row}</row>" for row in cells)


FILES: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "a cell of ten times as many characters": ("a.csv", lambda size: HEADER + b'"' + b"hola, " * (size * 10 // 6) + b'",a\n'),
    "a cell of digits": ("a.csv", lambda size: HEADER + b"1" * size + b",a\n"),
    "separators on a line": ("a.csv", lambda size: HEADER + b"," * size + b"\n"),
    "separators on the first line": ("a.csv", lambda size: b"text" + b"," * size + b"\nhola\n"),
    "numbered lines inside an open quote": ("a.csv", lambda size: HEADER + b'"' + b"".join(b"%d,a\n" % n for n in range(size // 100))),
    "a line of digits inside an open quote": ("a.csv", lambda size: HEADER + b'1,"a\n' + b"".join([b"1" * (size // 6) + b"\n"] * 6)),
    "quotes": ("a.csv", lambda size: HEADER + b'"' * size),
    "empty lines": ("a.csv", lambda size: HEADER + b"\n" * size),
    "apostrophes": ("a.csv", lambda size: HEADER + b"'" * size + b",a\n"),
    "links without a query": ("a.csv", lambda size: HEADER + b"http://a" * (size // 8) + b",a\n"),
    "spaces in a text file": ("a.txt", lambda size: b"hola" + b" " * size + b"chao\n"),
    "lines of a text file": ("a.txt", lambda size: b"- a\n" * (size // 4)),
    "deep lists of JSON": ("a.json", lambda size: b"[" * size),
    "deep objects of JSON": ("a.json", lambda size: b'{"a":' * (size // 5)),
    "deep lists on a line of JSON": ("a.jsonl", lambda size: b'{"text": "hola"}\n{"text": ' + b"[" * size + b"]" * size + b"}\n"),
    "keys of an object": ("a.jsonl", lambda size: json.dumps({"text": "hola", **dict.fromkeys(map(str, range(size // 10)), 1)}).encode()),
    "escapes of JSON": ("a.jsonl", lambda size: b'{"text": "' + b"\\ud800" * (size // 6) + b'"}\n'),
    "an archive in an archive": ("a.zip", _nested),
    "members of an archive": ("a.zip", lambda size: _zipped({f"{n}.csv": b"text\n" for n in range(size // 1000)})),
    "shared strings of a workbook": (
        "a.xlsx",
        lambda size: _workbook(
            "<si><t>text</t></si>" + "".join(f"<si><t>{n * 7919 % 1_000_003}</t></si>" for n in range(size // 10)), _rows((0,), (1,))
        ),
    ),
    "a shared string of a workbook": (
        "a.xlsx",
        lambda size: _workbook(
            f"<si><t>text</t></si><si><t>{''.join(str(n * 7919) for n in range(size // 10))}</t></si>", _rows((0,), *[(1,)] * 20)
        ),
    ),
    "deep elements of a workbook": ("a.xlsx", lambda size: _workbook("<si><t>text</t></si>", _rows((0,)) + "<a>" * (size // 10))),
}  # fmt: skip


def prepare(name: str, body: bytes) -> str:
    """Read a file, and clean and redact its rows. Return how it ended."""
    count = rejected = 0
    try:
        for row in read_table(name, body, ALIASES).rows:
            count += 1
            if row.reason:
                rejected += 1
                redact(clean_text(row.record, max_characters=MOST_CHARACTERS)[0])
            for cell in row.values.values():
                redact(clean_text(cell, max_characters=MOST_CHARACTERS)[0])
                clean_cell(cell)
    except UnreadableFileError as error:
        return str(error.reason)
    return f"{count} rows, {rejected} rejected"


def main() -> None:
    """Print (how it ended, processor seconds) of each file and size."""
    prepare("a.csv", HEADER + b"hola 1,a\n")  # what is made at the first text
    in_use = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, in_use + MEMORY))
    results = {}
    for kind, (name, make) in FILES.items():
        results[kind] = []
        for size in SIZES:
            body = make(size)
            started = time.process_time()
            end = prepare(name, body)
            results[kind].append((end, time.process_time() - started))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
