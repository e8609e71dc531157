"""model.tar.gz from somebody who means harm, or from a disk that failed: refused with a sentence, and nothing is written elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import pickle
import resource
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from complaint_model import archive
from complaint_model.archive import ArtifactError

FILES = {
    "model.json": b"{}",
    "weights.npy": bytes(range(256)) * 40,
    "code/inference.py": b"ANSWER = 42\n",
    "code/complaint_model/scoring.py": b"",
    "wheels/numba-0.68.1-cp312-cp312-manylinux_2_27_x86_64.whl": b"PK",
}
WANTED = ("model.json", "weights.npy")
Files = dict[str, bytes]
Change = Callable[[tarfile.TarFile], None]


def with_manifest(files: Files) -> Files:
    members = {name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for name, content in files.items()}
    return {**files, "manifest.json": json.dumps({"format": 6, "members": members}).encode()}


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, target: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, len(content)
    tar.addfile(member, io.BytesIO(content))


def pack(path: Path, files: Files, *changes: Change, prefix: str = "") -> Path:
    """Write files, and then what the changes add."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            add(tar, f"{prefix}{name}", content)
        for change in changes:
            change(tar)
    return path


def entry(name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, target: str = "") -> Change:
    return lambda tar: add(tar, name, content, kind=kind, target=target)


def refused(path: Path, folder: Path) -> str:
    """The error's message. Nothing lies beside `folder` but what was there before."""
    before = {place for place in folder.parent.rglob("*") if folder not in place.parents}
    with pytest.raises(ArtifactError) as raised:
        archive.extract(path, folder, wanted=WANTED)
    assert {place for place in folder.parent.rglob("*") if folder not in (place, *place.parents)} == before - {folder}
    assert all(place.is_file() and not place.is_symlink() for place in folder.iterdir())
    assert len(str(raised.value)) < 500
    return str(raised.value)


@pytest.mark.parametrize("prefix", ["", "./"])
def test_an_archive_as_training_packs_it_is_unpacked_without_its_code(tmp_path: Path, prefix: str) -> None:
    folders = [entry(f"{prefix}{name}", kind=tarfile.DIRTYPE) for name in ("code", "code/complaint_model", "wheels")]
    path = pack(tmp_path / "model.tar.gz", with_manifest(FILES), entry(".", kind=tarfile.DIRTYPE), *folders, prefix=prefix)
    folder = archive.extract(path, tmp_path / "into", wanted=WANTED)
    assert {place.name: place.read_bytes() for place in folder.iterdir()} == {
        name: with_manifest(FILES)[name] for name in (*WANTED, "manifest.json")
    }


def test_an_archive_without_a_model_is_left_to_who_looks_for_one(tmp_path: Path) -> None:
    path = pack(tmp_path / "model.tar.gz", {}, entry(".", kind=tarfile.DIRTYPE))
    assert list(archive.extract(path, tmp_path / "into", wanted=WANTED).iterdir()) == []


OUT, PLAIN, OTHER = "leads out of its folder", "not a plain file", "is not a file of a model"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../escaped", OUT),
        ("../../../../tmp/escaped", OUT),
        ("code/../../escaped.py", OUT),
        ("code/..", OUT),
        ("./../weights.npy", OUT),
        ("/etc/cron.d/escaped", OUT),
        ("//escaped", OUT),
        ("code//inference.py", OTHER),
        ("./././weights.npy", OTHER),
        ("..\\escaped", OTHER),
        ("C:\\escaped", OTHER),
        ("weights.npy\nnext", OTHER),
        ("weights.npy\x1b[2J", OTHER),
        ("wéights.npy", OTHER),
        ("other/weights.npy", OTHER),
        ("model.pkl", OTHER),
        ("model.joblib", OTHER),
        ("model.pickle", OTHER),
        ("model.pt", OTHER),
        ("code/model.pkl", OTHER),
        ("code/requirements.txt", OTHER),
        ("code/sitecustomize.pth", OTHER),
        ("code/numpy.so", OTHER),
        ("code/__pycache__/inference.cpython-312.pyc", OTHER),
        ("wheels/numba-1.tar.gz", OTHER),
        ("wheels/sub/numba-1.whl", OTHER),
        (".bashrc", OTHER),
        ("x" * 5000, OTHER),
        ("code/evil.py", "is not in manifest.json, so it was added after training"),
        ("numpy.npy", "is not in manifest.json, so it was added after training"),
    ],
)
def test_a_member_that_training_does_not_write_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    path = pack(tmp_path / "model.tar.gz", with_manifest(FILES), entry(name, pickle.dumps(print)))
    assert reason in refused(path, tmp_path / "into")


def test_a_pickle_is_refused_even_if_the_manifest_lists_it(tmp_path: Path) -> None:
    path = pack(tmp_path / "model.tar.gz", with_manifest({**FILES, "model.pkl": pickle.dumps(print)}))
    assert OTHER in refused(path, tmp_path / "into")


@pytest.mark.parametrize("name", ["weights.npy", "code/inference.py", "other", "../other", "wheels/numba-1.whl"])
@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a character device"),
        (tarfile.BLKTYPE, "a block device"),
        (tarfile.FIFOTYPE, "a FIFO"),
        (tarfile.CONTTYPE, "of an unknown kind"),
        (b"Z", "of an unknown kind"),
    ],
)
@pytest.mark.parametrize("target", ["/etc/passwd", "model.json"])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, name: str, kind: bytes, named: str, target: str) -> None:
    files = {key: content for key, content in with_manifest(FILES).items() if key != name}
    path = pack(tmp_path / "model.tar.gz", files, entry(name, kind=kind, target=target))
    message = refused(path, tmp_path / "into")
    assert f"is {named}, {PLAIN}" in message


@pytest.mark.parametrize("name", ["../code", "/code", "code/..", "code/.git", "."])
def test_a_folder_outside_or_with_content_is_refused(tmp_path: Path, name: str) -> None:
    def folder(tar: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.size = tarfile.DIRTYPE, 512 if name == "." else 0
        tar.addfile(member, io.BytesIO(bytes(512)))

    path = pack(tmp_path / "model.tar.gz", with_manifest(FILES), folder)
    assert "folder" in refused(path, tmp_path / "into")


@pytest.mark.parametrize("again", ["weights.npy", "./weights.npy", "code/inference.py", "manifest.json"])
def test_a_member_that_is_there_twice_is_refused(tmp_path: Path, again: str) -> None:
    content = with_manifest(FILES)[again.removeprefix("./")]
    path = pack(tmp_path / "model.tar.gz", with_manifest(FILES), entry(again, content))
    assert "is in it twice" in refused(path, tmp_path / "into")


@pytest.mark.parametrize("name", [*FILES])
@pytest.mark.parametrize(("change", "reason"), [("flip", "was changed after training"), ("drop", "is missing from the model")])
def test_every_member_is_compared_with_the_manifest(tmp_path: Path, name: str, change: str, reason: str) -> None:
    files = with_manifest({**FILES, "code/complaint_model/scoring.py": b"x"})
    if change == "drop":
        del files[name]
    else:
        files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    assert f"{name} {reason}" in refused(pack(tmp_path / "model.tar.gz", files), tmp_path / "into")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"members": ["weights.npy"]}', b"\xff", b"[" * 100_000])
def test_a_manifest_that_lists_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    path = pack(tmp_path / "model.tar.gz", {**FILES, "manifest.json": content})
    assert "manifest.json" in refused(path, tmp_path / "into")


def test_a_truncated_archive_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    whole = pack(tmp_path / "whole.tar.gz", with_manifest(FILES)).read_bytes()
    path = tmp_path / "model.tar.gz"
    for length in range(0, len(whole), 17):
        path.write_bytes(whole[:length])
        with pytest.raises(ArtifactError, match="cannot be unpacked"):
            archive.extract(path, tmp_path / "into", wanted=WANTED)
    content = gzip.decompress(whole)
    for length in range(512, len(with_manifest(FILES)) * 1024, 1500):  # a complete gzip file of half a tar file
        path.write_bytes(gzip.compress(content[:length]))
        with pytest.raises(ArtifactError):
            archive.extract(path, tmp_path / "into", wanted=(*WANTED, "manifest.json"))
            archive.read_json(tmp_path / "into/manifest.json")


@pytest.mark.parametrize("gap", [512, 1024, 10240])
def test_members_behind_the_end_of_the_archive_are_refused(tmp_path: Path, gap: int) -> None:
    """Python stops at the first empty block. Another reader may go on."""
    first, second = io.BytesIO(), io.BytesIO()
    for out, files in ((first, with_manifest(FILES)), (second, {"code/evil.py": b"import os"})):
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, content in files.items():
                add(tar, name, content)
            used = tar.offset
        out.truncate(used)
    path = tmp_path / "model.tar.gz"
    path.write_bytes(gzip.compress(first.getvalue() + bytes(gap) + second.getvalue()))
    assert "goes on behind its end" in refused(path, tmp_path / "into")
    path.write_bytes(gzip.compress(first.getvalue() + b"\x01" * 512 + second.getvalue()))  # not a header
    assert "goes on behind its end" in refused(path, tmp_path / "other")


def bomb(path: Path, member: tarfile.TarInfo, blocks: int) -> Path:
    """An archive of a member of zeros, of `blocks` of 16 MB."""
    member.size = blocks << 24
    with gzip.open(path, "wb", compresslevel=1) as out:
        out.write(member.tobuf(format=tarfile.GNU_FORMAT))
        for _ in range(blocks):
            out.write(bytes(1 << 24))
    return path


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("x", tarfile.XHDTYPE, "a header has"),
        ("x", tarfile.XGLTYPE, "a header has"),
        ("x", tarfile.GNUTYPE_LONGNAME, "a header has"),
        ("other.npy", tarfile.REGTYPE, "unpacks to more than"),
        ("weights.npy", tarfile.REGTYPE, "unpacks to more than"),
        ("code/inference.py", tarfile.REGTYPE, "unpacks to more than"),
        ("weights.npy", tarfile.GNUTYPE_SPARSE, "is a sparse file"),
    ],
)
def test_an_archive_that_unpacks_to_more_than_a_model_is_refused_in_little_memory(
    tmp_path: Path, name: str, kind: bytes, reason: str
) -> None:
    member = tarfile.TarInfo(name)
    member.type = kind
    path = bomb(tmp_path / "model.tar.gz", member, 8)  # 128 MB, of which 64 are allowed: zeros shrink to a 200th here
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert reason in refused(path, tmp_path / "into")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KB


def test_an_archive_larger_than_a_model_is_refused_however_it_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 20_000)
    path = pack(tmp_path / "model.tar.gz", with_manifest({**FILES, "idf.npy": bytes(20_000)}))
    assert "unpacks to more than 20000 bytes" in refused(path, tmp_path / "into")


def test_an_archive_of_a_million_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 5)
    path = pack(tmp_path / "model.tar.gz", {f"array{number}.npy": b"" for number in range(6)})
    assert "more than 5 members" in refused(path, tmp_path / "into")


def test_a_member_of_negative_size_does_not_send_the_reader_back(tmp_path: Path) -> None:
    """tarfile would go on at an earlier place, for ever (CVE-2025-8194)."""
    member = tarfile.TarInfo("weights.npy")
    header = bytearray(member.tobuf(format=tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + (-1024 & 0xFFFF).to_bytes(2, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "model.tar.gz"
    path.write_bytes(gzip.compress(bytes(header) + bytes(1024)))
    assert "model.tar.gz" in refused(path, tmp_path / "into")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b", gzip.compress(b"text"), b"PK\x03\x04" + bytes(80)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.tar.gz").write_bytes(content)
    assert "cannot be unpacked" in refused(tmp_path / "model.tar.gz", tmp_path / "into")
