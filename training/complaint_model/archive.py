"""Read model.tar.gz. Every member is checked, and nothing leaves the folder or takes more than a model can have."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tarfile
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
CODE = "code/"  # the folder of the code that a model brings
WHEELS = "wheels"  # the folder of numba's wheels, in the code and in a model that brings them
# Arrays, JSON, the code that serves and wheels. Nothing in it is unpickled or installed by itself, as a requirements.txt would be.
MODEL_MEMBER = re.compile(rf"\w+\.(?:json|npy|npz)|{CODE}(?:\w+/)*\w+\.py|{WHEELS}/[\w.+-]+\.whl", re.ASCII)
FOLDER = re.compile(r"\w+(?:/\w+)*", re.ASCII)
# Most of a model are its weights (fit.MAX_WEIGHTS, 400 MB) and their buckets; numba's wheels are 64 MB.
MAX_UNPACKED_BYTES = 2_000_000_000
# Weights and wheels hardly shrink. Zeros shrink to a thousandth: an archive above RATIO_FROM that does is no model.
MAX_RATIO, RATIO_FROM = 100, 64_000_000
MAX_MEMBERS = 1000
MAX_JSON_BYTES = 16_000_000
PIECE_BYTES = 1 << 16
LONGEST_DETAIL = 200  # characters of an error or value, in a message
KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


class ArtifactError(Exception):
    """The model's files are damaged, incomplete or of another format; the message says which file and what to do."""


@dataclass(frozen=True)
class Content:
    """What identifies a file: its SHA-256 as hexadecimal digits, and its size."""

    sha256: str
    bytes: int


def content_of(path: Path) -> Content:
    """Return what identifies a file."""
    with path.open("rb") as data:
        return Content(hashlib.file_digest(data, "sha256").hexdigest(), path.stat().st_size)


def extract(archive: Path, folder: Path, *, wanted: Collection[str]) -> Path:
    """Check all members of model.tar.gz, extract those in `wanted`, and return `folder`.

    The manifest is extracted, too. If there is one, it lists exactly the other members, each with its SHA-256. Reads no more bytes than
    a model can have, whatever the headers declare.

    Raises:
        ArtifactError: The archive is not a model, was changed, or has a member that no model has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _Bounded(archive) as content, tarfile.open(fileobj=content, mode="r:") as tar:
            found = _read(tar, folder, {*wanted, MANIFEST})
            content.check_end()
    except ArtifactError as error:
        raise ArtifactError(f"{archive.name} is not a model: {error}. Restore the archive that training wrote") from error
    except Exception as error:  # zlib and tarfile can fail in any way on a damaged archive
        raise ArtifactError(f"{archive.name} cannot be unpacked ({short(error)}): fetch the model again") from error
    # A trial that was stopped early leaves an archive without a model in it.
    if found.pop(MANIFEST, None):
        _compare(found, read_json(folder / MANIFEST).get("members"))
    return folder


def check_content(name: str, found: Content | None, entry: Any) -> None:
    """Raise ArtifactError unless a member is there and as its entry in the manifest says."""
    if found is None or not isinstance(entry, dict):
        raise ArtifactError(f"{name} is missing from the model: fetch the model again")
    if found.bytes != entry.get("bytes") or found.sha256 != entry.get("sha256"):
        raise ArtifactError(f"{name} was changed after training (its SHA-256 differs): fetch the model again")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises ArtifactError if it is not one."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ArtifactError(f"{path.name} has more than {MAX_JSON_BYTES} bytes: this folder does not contain a model")
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        to_json(content).encode()  # raises for Infinity and for lone surrogates, which JSON cannot represent
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path.name} is missing or not JSON: this folder does not contain a model") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path.name} is not a JSON object: this folder does not contain a model")
    return content


def to_json(content: Any) -> str:
    """Return the JSON text of a member. The same content gives the same text."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n"


def short(value: Any) -> str:
    """Return a value or an error for a message. An error without a message is named by its type."""
    text = (str(value) or type(value).__name__) if isinstance(value, Exception) else repr(value)
    return text if len(text) <= LONGEST_DETAIL else f"{text[: LONGEST_DETAIL - 1]}…"


def _read(tar: tarfile.TarFile, folder: Path, wanted: Collection[str]) -> dict[str, Content]:
    """Extract the members in `wanted`, and return what identifies each file of the archive."""
    found: dict[str, Content] = {}
    seen: set[str] = set()
    for place, member in enumerate(tar):
        if place >= MAX_MEMBERS:
            raise ArtifactError(f"it has more than {MAX_MEMBERS} members")
        name = "" if member.name == "." else member.name.removeprefix("./")
        _check_header(member, name)
        if name in seen:
            raise ArtifactError(f"{short(name)} is in it twice")
        seen.add(name)
        if member.isfile():
            found[name] = _read_member(tar, member, folder / name if name in wanted else None)
    return found


def _check_header(member: tarfile.TarInfo, name: str) -> None:
    """Raise ArtifactError unless a member is a file of a model, or a folder."""
    shown = short(member.name)
    if member.issparse():
        raise ArtifactError(f"{shown} is {KINDS[tarfile.GNUTYPE_SPARSE]}, not a plain file")
    if not member.isdir() and member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise ArtifactError(f"{shown} is {KINDS.get(member.type, 'of an unknown kind')}, not a plain file")
    if name.startswith("/") or ".." in name.split("/"):
        raise ArtifactError(f"{shown} leads out of its folder")
    if member.isdir():
        if member.size or (name and not FOLDER.fullmatch(name)):
            raise ArtifactError(f"{shown} is not a folder of a model")
    elif member.size < 0 or not MODEL_MEMBER.fullmatch(name):
        raise ArtifactError(f"{shown} is not a file of a model, which has arrays, JSON, code and wheels")


def _read_member(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path | None) -> Content:
    """Read a file to its end, into `target` if there is one, and return what identifies it."""
    digest, size = hashlib.sha256(), 0
    data = tar.extractfile(member)
    assert data is not None  # noqa: S101 - it is a file
    with data, target.open("wb") if target else nullcontext() as out:
        while piece := data.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
            if out:
                out.write(piece)
    return Content(digest.hexdigest(), size)


def _compare(found: dict[str, Content], members: Any) -> None:
    """Raise ArtifactError unless the manifest lists the files of the archive, as they are, and no others."""
    if not isinstance(members, dict):
        raise ArtifactError(f"{MANIFEST} does not list the members of the model: fetch the model again")
    for name in sorted(found.keys() - members.keys()):
        raise ArtifactError(f"{name} is not in {MANIFEST}, so it was added after training: fetch the model again")
    for name, entry in members.items():
        check_content(name if MODEL_MEMBER.fullmatch(name) else short(name), found.get(name), entry)


class _Bounded(gzip.GzipFile):
    """A gzip file that reads no more than a model can have, and no header, which tarfile reads at once, larger than PIECE_BYTES."""

    def __init__(self, archive: Path) -> None:
        super().__init__(archive)
        self._limit = min(MAX_UNPACKED_BYTES, max(RATIO_FROM, MAX_RATIO * archive.stat().st_size))
        self._last = b""

    def read(self, size: int | None = -1) -> bytes:
        """Read at most `size` bytes."""
        if size is None or not 0 <= size <= PIECE_BYTES:
            raise ArtifactError(f"a header has {size} bytes")
        self._check(self.tell() + size)
        self._last = super().read(size)
        return self._last

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position, by unpacking everything before it."""
        self._check(offset)
        return super().seek(offset, whence)

    def check_end(self) -> None:
        """Read the rest, which lets gzip compare its checksum. Raises ArtifactError unless it is padding.

        tarfile takes the first block that is not a header for the end. Another reader might find members behind it.
        """
        piece = self._last
        while not piece.strip(b"\0"):
            if not (piece := self.read(PIECE_BYTES)):
                return
        raise ArtifactError("it goes on behind its end")

    def _check(self, position: int) -> None:
        if position > self._limit:
            raise ArtifactError(f"it unpacks to more than {self._limit} bytes")
