"""Each kind of upload: a person's row is found and taken out, and the other rows stay as they were."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

from ptmlops.erasure.formats import ALL, Doomed, Stored
from ptmlops.erasure.person import Facts, Person
from ptmlops.erasure.places import Rows
from ptmlops.erasure.search import column_names
from ptmlops.erasure.stored import rows_of, write_without
from stacks.config import load_settings

CANARY = "Soy Zulema Quirarte y me cobraron dos veces la cuota de manejo de octubre"
OTHERS = (
    "El cajero de la oficina no me entregó el dinero y sí lo descontó",
    "Llevo tres semanas esperando la respuesta a mi reclamo por el seguro",
    "La aplicación se cierra cada vez que intento pagar la tarjeta de crédito",
)
TABLE = [
    ["id", "cedula", "texto", "etiqueta"],
    ["Q-000001", "52100001", OTHERS[0], "cajeros"],
    ["Q-000002", "52100002", CANARY, "cuotas"],
    ["Q-000003", "52100003", OTHERS[1], "seguros"],
    ["Q-000004", "52100004", OTHERS[2], "app"],
]
SETTINGS = load_settings("local")


def delimited(rows: list[list[str]], separator: str = ",", end: str = "\n") -> str:
    return "".join(separator.join(f'"{cell}"' for cell in row) + end for row in rows)


def objects() -> list[dict[str, str]]:
    return [dict(zip(TABLE[0], row, strict=True)) for row in TABLE[1:]]


def workbook(*sheets: tuple[str, list[list[str]]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_numbers": False}) as book:
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            for line, row in enumerate(rows):
                for place, cell in enumerate(row):
                    sheet.write_string(line, place, cell)
            sheet.write_comment(2, 2, f"Ver {rows[2][2]}" if len(rows) > 2 else "")
    return out.getvalue()


def archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name.replace("__", ".").replace("_in_", "/"), content)
    return out.getvalue()


TWO_LINES = [*TABLE[:2], [*TABLE[2][:2], CANARY.replace(" y me", '\ny ""me"" '), "cuotas"], *TABLE[3:]]
UPLOADS: dict[str, bytes] = {
    "plain.csv": delimited(TABLE).encode(),
    "marked.csv": b"\xef\xbb\xbf" + delimited(TABLE, ";", "\r\n").encode(),
    "two-lines.csv": delimited(TWO_LINES).encode(),
    "old-mac.csv": delimited(TABLE, end="\r").encode(),
    "latin.csv": delimited(TABLE).encode("cp1252"),
    "utf-16.csv": delimited(TABLE, "\t").encode("utf-16"),
    "titled.csv": ("Informe de quejas\n\n" + delimited(TABLE)).encode(),
    "tabs.tsv": delimited(TABLE, "\t").encode(),
    "packed.csv.gz": gzip.compress(delimited(TABLE).encode()),
    "lines.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in objects()).encode(),
    "escaped.jsonl": "".join(json.dumps(row) + "\n" for row in objects()).encode(),
    "list.json": json.dumps(objects(), ensure_ascii=False, indent=2).encode(),
    "compact.json": json.dumps(objects()).encode(),
    "around.json": json.dumps({"total": 4, "quejas": objects(), "pagina": 1}).encode(),
    "book.xlsx": workbook(("Hoja1", TABLE)),
    "sheets.xlsx": workbook(("Enero", TABLE), ("Febrero", [TABLE[0], TABLE[1], TABLE[3]])),
    "all.zip": archive(
        enero_in_a__csv=delimited(TABLE).encode(), b__xlsx=workbook(("Hoja1", TABLE)), c__txt=OTHERS[2].encode()
    ),
    "broken.csv": (delimited(TABLE[:2]) + f'Q-000002,52100002,"{CANARY},cuotas\n' + delimited(TABLE[3:])).encode(),
    "wrong-width.csv": (delimited(TABLE[:2]) + f"Q-000002,52100002,{CANARY},cuotas,,x\n" + delimited(TABLE[3:])).encode(),
    "no-text-column.csv": delimited([["id", "cedula", "zzz", "yyy"], *TABLE[1:]]).encode(),
}


def person(how: str) -> Person:
    named = {
        "id": {"ids": ["Q-000002"]},
        "where": {"where": [("Cédula", "52.100.002")]},
        "text": {"texts": [f"  {CANARY.replace(' ', chr(10), 1)}  "]},
    }
    return Person(**named[how], max_text_characters=SETTINGS.complaints.max_text_characters)  # type: ignore[arg-type]


def stored(folder: Path, name: str, content: bytes) -> Stored:
    path = folder / "object"
    path.write_bytes(content)
    return Stored(key=name, version_id="v1", path=path)


def erase(folder: Path, name: str, content: bytes, whose: Person, kind: Rows = Rows.UPLOAD) -> tuple[bytes, int]:
    """Return the file without the person's rows, and how many other rows it has."""
    source = stored(folder, name, content)
    hows: dict[str, dict[str, object]] = {}
    tables: dict[str, Doomed] = {}
    for row in rows_of(kind, source, column_names(SETTINGS), hows):
        table = tables.setdefault(row.table, Doomed(row.table, hows[row.table]))
        if row.first == ALL:
            assert table.units
        elif whose.owns(row.facts):
            whose.learn(row.facts)
            table.units.append((row.first, row.size))
        else:
            table.left += 1
    doomed = {name: table for name, table in tables.items() if table.units}
    assert doomed, "no row was found"
    out = io.BytesIO()
    write_without(kind, source, doomed, out)
    return out.getvalue(), sum(table.left for table in tables.values())


def opened(content: bytes) -> bytes:
    """All bytes of a file, unpacked, in UTF-8."""
    if content.startswith(b"\x1f\x8b"):
        return opened(gzip.decompress(content))
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return b"\n".join(opened(packed.read(name)) for name in packed.namelist())
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16").encode()
    return content


def cells(folder: Path, name: str, content: bytes) -> list[tuple[str, int, tuple[str, ...]]]:
    """Table, line and cells of each row that Prepare reads."""
    found = rows_of(Rows.UPLOAD, stored(folder, name, content), column_names(SETTINGS), {})
    return [
        (row.table, row.first if not name.endswith("json") else 0, tuple(row.facts.cells.values()))
        for row in found
        if row.facts.cells
    ]


@pytest.mark.parametrize("how", ["id", "where", "text"])
@pytest.mark.parametrize("name", UPLOADS)
def test_the_persons_row_goes_and_the_others_stay_on_their_lines(name: str, how: str, tmp_path: Path) -> None:
    before = [row for row in cells(tmp_path, name, UPLOADS[name]) if "Q-000002" not in row[2]]
    content, left = erase(tmp_path, name, UPLOADS[name], person(how))
    for trace in ("Zulema", "52100002", "Q-000002"):
        assert trace.encode() not in opened(content)
        assert trace.encode("utf-16-le") not in content
    after = cells(tmp_path, name, content)
    assert after == before
    is_header_a_row = name == "no-text-column.csv"  # nobody knows
    assert len(after) == left - is_header_a_row >= 3


@pytest.mark.parametrize("name", [name for name in UPLOADS if name.endswith((".csv", ".tsv", ".jsonl"))])
def test_other_lines_are_the_same_bytes(name: str, tmp_path: Path) -> None:
    content, _ = erase(tmp_path, name, UPLOADS[name], person("where"))
    codec = "utf-16" if name.startswith("utf-16") else "latin-1"
    separator = "\r" if name == "old-mac.csv" else "\n"
    old, new = (text.decode(codec).split(separator) for text in (UPLOADS[name], content))
    assert [line for line in new if line.strip()] == [line for line in old if line in set(new) and line.strip()]
    assert len(old) == len(new)  # a line that is erased stays as an empty one


UNREAD = {
    "no-header.txt": "".join(
        f"{text}.\n" for text in (*OTHERS, *reversed(OTHERS), CANARY, "Otra queja de otra persona que espera")
    ),
    "no-header.csv": "".join(f"{n};{text}\n" for n, text in enumerate((*OTHERS, CANARY))),
    "row-as-header.csv": f"\n\n\n{OTHERS[0]}\n{CANARY}\n",
    "their-row-as-header.csv": f"{CANARY}\n{OTHERS[0]}\n",
    "damaged.json": json.dumps(objects(), ensure_ascii=False, indent=0).replace('"52100002",\n', '"52100002",\n,,') + "]]",
}


@pytest.mark.parametrize("name", UNREAD)
def test_of_a_file_that_is_no_table_only_the_persons_lines_go(name: str, tmp_path: Path) -> None:
    content, left = erase(tmp_path, name, UNREAD[name].encode(), person("text"))
    assert "Zulema" not in content.decode()
    assert all(text in content.decode() for text in OTHERS if text in UNREAD[name])
    assert left >= 1


def test_a_short_value_does_not_take_records_without_columns() -> None:
    whose = Person(where=[("activo", "no")], max_text_characters=1000)
    assert not whose.owns(Facts(record='17,"no sirve la app', is_unread=True))
    assert Person(ids=["17"], max_text_characters=1000).owns(Facts(record='17,"no sirve la app', is_unread=True))
    assert not Person(ids=["17"], max_text_characters=1000).owns(Facts(record='170,"no sirve', is_unread=True))


def test_a_text_file_is_one_row(tmp_path: Path) -> None:
    source = stored(tmp_path, "queja.txt", f"{CANARY}\n".encode())
    [row] = rows_of(Rows.UPLOAD, source, column_names(SETTINGS), {})
    assert person("text").owns(row.facts)


@pytest.mark.parametrize("numbers", [{1}, {4}, {2, 3}, {3, 4}, {1, 2, 3}])
def test_any_items_of_a_list_can_be_taken_out(numbers: set[int]) -> None:
    from ptmlops.erasure.formats.lists import drop_items

    content = json.dumps({"a": [1], "quejas": objects(), "b": 2}, indent=1).encode("utf-16")
    left = json.loads(drop_items(content, numbers, encoding="utf-16").decode("utf-16"))
    assert left == {"a": [1], "quejas": [row for n, row in enumerate(objects(), start=1) if n not in numbers], "b": 2}


def test_copies_of_a_cell_elsewhere_in_a_workbook_go_too(tmp_path: Path) -> None:
    """A filter, a link and a property repeat what is in cells."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Quejas")
        for line, row in enumerate([[*row, f"{n}@example.com"] for n, row in enumerate(TABLE)]):
            sheet.write_row(line, 0, row)
        sheet.write_url(2, 4, "mailto:2@example.com", string="2@example.com")
        sheet.autofilter(0, 0, 4, 4)
        sheet.filter_column_list("D", ["cuotas"])
        book.set_properties({"subject": CANARY, "author": "Otra Persona"})
    content, _ = erase(tmp_path, "book.xlsx", out.getvalue(), person("id"))
    for trace in (b"Zulema", b"2@example.com", b"cuotas"):
        assert trace not in opened(content)
    assert b"Otra Persona" in opened(content)
    assert b"3@example.com" in opened(content)


def as_upload(text: str) -> Callable[[], str]:
    return lambda: text


SAME = [
    ("redacted", "Mi cédula es 52100002 y me cobraron dos veces la cuota", "Mi cédula es <ID_NUMBER> y me cobraron dos veces la cuota"),
    ("an earlier redaction", "Soy <NAME>, mi cédula es <ID_NUMBER> y quiero que me respondan", "Soy Ana Paz, mi cédula es <ID_NUMBER> y quiero que me respondan"),
    ("wrongly decoded", "La atenciÃ³n fue pÃ©sima y nadie me dio soluciÃ³n", "La atención fue pésima y nadie me dio solución"),
    ("white space and case", "LA  ATENCIÓN fue pésima\ny nadie me dio solución", "La atención fue pésima y nadie me dio solución"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_texts_are_the_same_complaint_in_each_form(one: str, other: str) -> None:
    from complaints_etl.text.cleaning import clean_text

    from ptmlops.erasure.texts import KnownTexts

    for known, asked in ((one, other), (other, one)):
        texts = KnownTexts()
        texts.add(clean_text(known, max_characters=1000)[0])
        assert clean_text(asked, max_characters=1000)[0] in texts


DIFFERENT = [
    ("one word more", "La atención fue pésima y nadie me dio solución", "La atención fue pésima y nadie me dio solución nunca"),
    ("little but a placeholder", "<EMAIL> no me ha respondido el banco", "Hola, llevo tres meses pidiendo que cancelen mi tarjeta y el banco no me ha respondido el banco"),
    ("other words at the end", "Mi cuenta <ACCOUNT> fue bloqueada sin aviso previo", "Mi cuenta <ACCOUNT> fue cerrada por error del banco"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), [case[1:] for case in DIFFERENT], ids=[case[0] for case in DIFFERENT])
def test_other_texts_are_other_complaints(one: str, other: str) -> None:
    from ptmlops.erasure.texts import KnownTexts

    texts = KnownTexts()
    texts.add(one)
    assert other not in texts


def test_short_texts_and_short_ids_do_not_lead_to_other_peoples_rows(tmp_path: Path) -> None:
    table = [["id", "cedula", "texto"], ["1", "52100001", "Mala atención"], ["2", "52100002", "Mala atención"]]
    other = [["id", "cedula", "texto"], ["2", "52100003", "No sirve la app del banco"]]
    whose = person("where")
    content, left = erase(tmp_path, "a.csv", delimited(table).encode(), whose)
    assert left == 1
    assert b"52100001" in content
    source = stored(tmp_path, "b.csv", delimited(other).encode())
    assert not any(whose.owns(row.facts) for row in rows_of(Rows.UPLOAD, source, column_names(SETTINGS), {}))
