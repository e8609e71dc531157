"""Reading zip archives of tables."""

from __future__ import annotations

import stat
import zipfile
from io import BytesIO

import pytest
from complaints_etl.readers import archive as reader
from complaints_etl.readers import read_table
from complaints_etl.readers.packed import tables_in
from complaints_etl.readers.storage import SourceFile
from complaints_etl.readers.table import UnreadableFileError

from stacks.config import load_settings
from tests.unit.etl.workbooks import archive, workbook

ALIASES = load_settings("local").complaints.columns.model_dump()
CSV = b"id,texto\nP1,uno\nP2,dos\n"


def sources(body: bytes) -> list[SourceFile]:
    return tables_in(SourceFile(key="a.zip", version_id="v", size=len(body), read=lambda start, end: body[start:end]))


def refusals(body: bytes) -> dict[str, str]:
    return {source.key: str(source.refused[0]) for source in sources(body) if source.refused}


def texts(body: bytes) -> list[tuple[int, str | None]]:
    return [(row.line, row.values.get("texto", row.reason)) for row in read_table("a.zip", body, ALIASES).rows]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_each_member_is_read_like_a_file(method: int) -> None:
    members = {
        "enero/": b"",
        "enero/a.csv": CSV,
        "__MACOSX/enero/._a.csv": b"\x00\x05\x16\x07",
        "foto.png": b"\x89PNG",
        "b.tsv": "id\ttexto\nP3\tañejo\n".encode("cp1252"),
        "c.jsonl": b'{"texto": "tres"}\n',
        "d.txt": b"una queja suelta sobre el cajero",
        "libro.xlsx": workbook({"Portada": [["x"]], "Q": [["texto"], ["cuatro"]]}),
    }
    body = archive(members, method)
    assert texts(body) == [
        (2, "uno"), (3, "dos"), (2, "añejo"), (1, "tres"), (1, "una queja suelta sobre el cajero"), (2, "cuatro"),
    ]  # fmt: skip
    assert [source.key for source in sources(body)] == [
        "a.zip/enero/a.csv", "a.zip/__MACOSX/enero/._a.csv", "a.zip/foto.png", "a.zip/b.tsv", "a.zip/c.jsonl", "a.zip/d.txt",
        "a.zip/libro.xlsx/Portada", "a.zip/libro.xlsx/Q",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_large_member_is_unpacked_block_by_block() -> None:
    body = archive({"a.csv": b"id,texto\n" + b"".join(b"P%d,queja numero %d\n" % (n, n * 7919) for n in range(300_000))})
    [source] = sources(body)
    assert max(map(len, source.blocks())) <= 4 * 1024**2
    assert source.read(9, 24) == b"P0,queja numero"
    assert len(texts(body)) == 300_000


@pytest.mark.parametrize("name", ["otro.zip", "a.csv.gz", "OTRO.ZIP"])
def test_an_archive_in_an_archive_is_refused_and_the_others_are_read(name: str) -> None:
    body = archive({"a.csv": CSV, name: b"PK"})
    assert refusals(body) == {f"a.zip/{name}": "unsafe_archive"}
    assert texts(body) == [(2, "uno"), (3, "dos"), (1, "unsafe_archive")]


@pytest.mark.parametrize("name", ["../a.csv", "a/../../b.csv", "/etc/a.csv", "C:\\a.csv", "..\\a.csv", "a\x1b.csv"])
def test_names_that_lead_out_of_the_archive_refuse_it(name: str) -> None:
    body = archive({"b.csv": CSV, name: CSV})
    assert refusals(body) == {"a.zip": "unsafe_archive"}


def test_links_and_names_that_are_there_twice_refuse_the_archive() -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        link = zipfile.ZipInfo("a.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
    assert refusals(out.getvalue()) == {"a.zip": "unsafe_archive"}
    twice = archive({"a.csv": CSV, "b.csv": CSV}).replace(b"b.csv", b"a.csv")
    assert refusals(twice) == {"a.zip": "unsafe_archive"}


def test_an_archive_with_a_password_is_refused() -> None:
    body = bytearray(archive({"a.csv": CSV}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(signature) + at] |= 1
    assert refusals(bytes(body)) == {"a.zip": "encrypted_file"}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"a.csv": b"texto\n" + b"hola\n" * 5_000_000}, "zip_bomb"),
        ({f"{n}.csv": b"" for n in range(1001)}, "zip_bomb"),
        ({f"{n}.csv": b"" for n in range(10_001)}, "zip_bomb"),
        ({}, "empty_file"),
    ],
)
def test_an_archive_that_is_too_large_or_empty_is_refused_before_it_is_unpacked(
    members: dict[str, bytes], reason: str
) -> None:
    assert refusals(archive(members)) == {"a.zip": reason}


def test_members_that_share_their_bytes_are_a_bomb() -> None:
    """As in Fifield's bomb (2019): each entry of the list points to the same packed bytes."""
    names = [f"{n:04}.csv" for n in range(50)]
    body = archive(dict.fromkeys(names, CSV * 9))
    with zipfile.ZipFile(BytesIO(body)) as packed:
        size = packed.infolist()[1].header_offset
        start = packed.start_dir
    listed = bytearray(body[start:])
    for place in range(len(names)):
        at = listed.index(names[place].encode()) - 46
        listed[at + 42 : at + 46] = bytes(4)
    at = listed.rindex(b"PK\x05\x06")
    listed[at + 16 : at + 20] = size.to_bytes(4, "little")
    assert refusals(body[:size] + bytes(listed)) == {"a.zip": "zip_bomb"}


def test_a_member_that_is_damaged_is_rejected_and_the_others_are_read() -> None:
    body = bytearray(archive({"a.csv": CSV, "b.csv": CSV.replace(b"P", b"Q")}, zipfile.ZIP_STORED))
    body[body.index(b"uno")] = ord("X")
    assert texts(bytes(body)) == [(1, "broken_zip"), (2, "uno"), (3, "dos")]


def test_a_member_that_unpacks_to_more_than_it_says_is_rejected() -> None:
    body = bytearray(archive({"a.csv": CSV * 50}))
    at = body.index(b"PK\x01\x02") + 24
    body[at : at + 4] = (100).to_bytes(4, "little")
    with pytest.raises(UnreadableFileError, match="damaged"):
        texts(bytes(body))


@pytest.mark.parametrize(
    "body", [b"", b"PK", b"id,texto\n1,hola\n", b"PK\x05\x06" + bytes(18)[:10], archive({"a.csv": CSV})[:-10]]
)
def test_what_is_not_an_archive_is_refused(body: bytes) -> None:
    assert refusals(body) == {"a.zip": "broken_zip"}


@pytest.mark.parametrize(
    ("name", "raw"), [("quejas_año.csv", "quejas_año.csv".encode()), ("quejas_año.csv", "quejas_año.csv".encode("cp850"))]
)
def test_names_with_accents_are_read_as_macs_and_windows_write_them(name: str, raw: bytes) -> None:
    plain = b"q" * len(raw)
    body = archive({plain.decode(): CSV}).replace(plain, raw)
    assert [source.key for source in sources(body)] == [f"a.zip/{name}"]


def test_one_name_in_two_spellings_refuses_the_archive() -> None:
    plain = b"quejas_%s.csv" % (b"q" * len("ñ".encode()))
    body = archive({"quejas_ñ.csv": CSV, plain.decode(): CSV}).replace(plain, "quejas_ñ.csv".encode())
    assert refusals(body) == {"a.zip": "unsafe_archive"}


def test_a_list_of_entries_that_is_too_long_is_not_parsed() -> None:
    body = bytearray(archive({"a.csv": CSV}))
    at = body.rindex(b"PK\x05\x06") + 12
    body[at : at + 4] = (2**31).to_bytes(4, "little")
    assert refusals(bytes(body)) == {"a.zip": "zip_bomb"}
    assert reader.MAX_ENTRIES == 10_000
