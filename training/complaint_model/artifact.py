"""Write and read a model as arrays and JSON. Every file is checked on load, and reading a model never runs code that came with it."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import shutil
import tarfile
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from complaint_model.hashing import BUCKET_BITS, CHAR_BITS, WORD_BITS
from complaint_model.model import Model
from complaint_model.term_profile import TermProfile, to_bytes

FORMAT = 6  # increase it if an older reader would reject the files or predict something else from them
ARRAYS = {
    "buckets": ("<u4", 1),
    "idf": ("<f4", 1),
    "weights": ("<f4", 2),
    "char_buckets": ("<u4", 1),
    "char_idf": ("<f4", 1),
    "char_weights": ("<f4", 2),
    "bias": ("<f8", 1),
    "offsets": ("<f8", 1),
}
BITS = [WORD_BITS, BUCKET_BITS, CHAR_BITS]
MANIFEST = "manifest.json"
CONTENT = "model.json"
MODEL_FILES = (MANIFEST, CONTENT, *(f"{name}.npy" for name in ARRAYS))
CODE = "code/"  # the folder of the code that a model brings
TERM_PROFILE = "term_profile.npz"  # optional
WHEELS = "wheels"  # the folder of numba's wheels, in the code and in a model that brings them
MAX_LEAD_WORDS = 1000
MAX_SKIP = 100  # words; a larger one would make a feature of nearly every pair in a text
MAX_IDF = 100.0  # 1 + ln(texts)
MAX_WEIGHT = 1e6  # of anything that is added to a logit: beyond it, answers are noise
# Most of a model are its weights (fit.MAX_WEIGHTS, 400 MB) and their buckets; numba's wheels are 64 MB.
MAX_UNPACKED_BYTES = 2_000_000_000
MAX_MEMBERS = 1000
MAX_JSON_BYTES = 16_000_000
PIECE_BYTES = 1 << 16
LONGEST_DETAIL = 200  # characters of an error or value, in a message
# What evaluation.json repeats of a model, if the model has it.
ABOUT = {"training_rows": int, "data_fingerprint": str, "code_version": str, "settings": dict, "cross_fitted": dict}


class ArtifactError(Exception):
    """The model's files are damaged, incomplete or of another format; the message says which file and what to do."""


@dataclass(frozen=True)
class Artifact:
    """A model and its metadata (model.json: settings, metrics, training rows, data fingerprint, code version)."""

    model: Model
    about: dict[str, Any]


def save(
    model: Model,
    about: dict[str, Any],
    folder: Path,
    *,
    profile: TermProfile | None = None,
    source: Path | None = None,
    wheels: Path | None = None,
) -> None:
    """Write a model to a folder. The same input gives the same bytes.

    Args:
        model: The model.
        about: Its metadata (ABOUT).
        folder: Other files in it do not become part of the model.
        profile: The terms of uncertain training rows. Scoring does not need it.
        source: Copy the code that serves the model from here to folder/code.
        wheels: Copy wheels from here to folder/wheels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / CONTENT]
    for name, (dtype, _) in ARRAYS.items():
        written.append(folder / f"{name}.npy")
        with written[-1].open("wb") as out:
            np.save(out, np.ascontiguousarray(getattr(model, name), dtype=dtype), allow_pickle=False)
    content = {
        "labels": list(model.labels),
        "new_word_idf": model.new_word_idf,
        "threshold": model.threshold,
        "min_known_words": model.min_known_words,
        "min_known_share": model.min_known_share,
        "max_skip": model.max_skip,
        "lead_words": model.lead_words,
        "bucket_bits": BITS,
        "about": about,
    }
    (folder / CONTENT).write_text(_json(content), encoding="utf-8")
    if profile:
        written.append(folder / TERM_PROFILE)
        written[-1].write_bytes(to_bytes(profile))
    copied = {folder / CODE / path.relative_to(source): path for path in source_files(source)} if source else {}
    copied |= {folder / WHEELS / path.name: path for path in sorted(wheels.glob("*.whl"))} if wheels else {}
    for target, path in copied.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    members = {
        path.relative_to(folder).as_posix(): {"sha256": _sha256(path), "bytes": path.stat().st_size}
        for path in (*written, *copied)
    }
    (folder / MANIFEST).write_text(_json({"format": FORMAT, "members": members}), encoding="utf-8")


@dataclass(frozen=True)
class Origin:
    """The code that a model was trained with: its version, and the SHA-256 of each file that the model brings to serve with."""

    code_version: str | None
    serving_code: dict[str, str]


def read_origin(archive: Path) -> Origin | None:
    """Return the origin of a model.tar.gz, or None if it holds no model: a trial that was stopped early may leave one.

    Raises:
        ArtifactError: It cannot be unpacked.
    """
    with tempfile.TemporaryDirectory() as unpacked:
        folder = unpack(archive, Path(unpacked), wanted=(MANIFEST, CONTENT))
        if not (folder / MANIFEST).is_file() or not (folder / CONTENT).is_file():
            return None
        members, about = _read_json(folder / MANIFEST).get("members"), _read_json(folder / CONTENT).get("about")
    if not isinstance(members, dict) or not isinstance(about, dict):
        raise ArtifactError(f"{archive.name} is not a model: {MANIFEST} or {CONTENT} is incomplete")
    code = {name: str(entry.get("sha256")) for name, entry in members.items() if name.startswith(CODE)}
    return Origin(code_version=about.get("code_version"), serving_code=code)


def read_term_profile(archive: Path) -> bytes | None:
    """Return the term profile of a model.tar.gz, or None: models of earlier versions have none.

    Raises:
        ArtifactError: It cannot be unpacked, or the profile was changed after training.
    """
    with tempfile.TemporaryDirectory() as unpacked:
        folder = unpack(archive, Path(unpacked), wanted=(MANIFEST, TERM_PROFILE))
        entry = _read_json(folder / MANIFEST).get("members", {}).get(TERM_PROFILE)
        if entry is None:
            return None
        _check_member(folder / TERM_PROFILE, entry)
        return (folder / TERM_PROFILE).read_bytes()


def serving_code(source: Path) -> dict[str, str]:
    """Return what `Origin.serving_code` is for a model that the code in `source` trains."""
    return {f"{CODE}{path.relative_to(source).as_posix()}": _sha256(path) for path in source_files(source)}


def source_files(source: Path) -> list[Path]:
    """Return the code that serves a model: inference.py and complaint_model/."""
    return [source / "inference.py", *sorted((source / "complaint_model").rglob("*.py"))]


def load(folder: Path) -> Artifact:
    """Read the model in `folder`. Raises ArtifactError unless every member is there, unchanged and of the expected shape."""
    manifest = _read_json(folder / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise ArtifactError(f"the model has format {_short(manifest.get('format'))} and this code reads {FORMAT}: train again")
    members = manifest.get("members")
    needed = [CONTENT, *(f"{name}.npy" for name in ARRAYS)]
    if not isinstance(members, dict) or any(name not in members for name in needed):
        raise ArtifactError(f"{MANIFEST} does not list all of {', '.join(needed)}: fetch the model again")
    for name in needed:
        _check_member(folder / name, members[name])
    content = _read_json(folder / CONTENT)
    try:
        arrays = {name: _read_array(folder / f"{name}.npy", *expected) for name, expected in ARRAYS.items()}
        return Artifact(model=_model(content, arrays), about=_about(content.get("about")))
    except Exception as error:  # NumPy can fail in any way on a damaged file
        raise ArtifactError(f"the model's files do not fit together ({_short(error)}): train again") from error


def unpack(archive: Path, folder: Path, *, wanted: Collection[str] = MODEL_FILES) -> Path:
    """Extract the arrays and JSON of model.tar.gz, without its code, and return `folder`.

    Reads no more bytes than a model can have, whatever its headers declare.

    Raises:
        ArtifactError: The archive is not a model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _Bounded(archive) as content, tarfile.open(fileobj=content, mode="r:") as tar:
            _extract(tar, folder, wanted)
    except ArtifactError as error:
        raise ArtifactError(f"{archive.name} is not a model: {error}") from error
    except Exception as error:  # zlib and tarfile can fail in any way on a damaged archive
        raise ArtifactError(f"{archive.name} cannot be unpacked ({_short(error)}): fetch the model again") from error
    return folder


def _extract(tar: tarfile.TarFile, folder: Path, wanted: Collection[str]) -> None:
    for place, member in enumerate(tar):
        if place >= MAX_MEMBERS:
            raise ArtifactError(f"it has more than {MAX_MEMBERS} members")
        name = member.name.removeprefix("./")
        if name in wanted:
            data = tar.extractfile(member) if member.isreg() and not member.issparse() else None
            if data is None:
                raise ArtifactError(f"{name} is not a plain file")
            with data, (folder / name).open("wb") as out:
                shutil.copyfileobj(data, out, PIECE_BYTES)


class _Bounded(gzip.GzipFile):
    """A gzip file that reads no more than a model can have, and no header, which tarfile reads at once, larger than PIECE_BYTES."""

    def read(self, size: int | None = -1) -> bytes:
        """Read at most `size` bytes."""
        if size is None or not 0 <= size <= PIECE_BYTES:
            raise ArtifactError(f"a header has {size} bytes")
        self._check(self.tell() + size)
        return super().read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position, by unpacking everything before it."""
        self._check(offset)
        return super().seek(offset, whence)

    @staticmethod
    def _check(position: int) -> None:
        if position > MAX_UNPACKED_BYTES:
            raise ArtifactError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")


def _read_array(path: Path, dtype: str, dimensions: int) -> NDArray[Any]:
    """Read an array. Allocates memory only if the header is as expected and the file is as long as the header says."""
    name = path.stem
    with path.open("rb") as data:
        version = np.lib.format.read_magic(data)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, by_column, kind = read_header(data)
        if kind != np.dtype(dtype) or len(shape) != dimensions:
            raise ValueError(f"{name} is {kind} in {len(shape)} dimensions, not {dtype} in {dimensions}")
        if by_column:
            raise ValueError(f"{name} is written column by column")
        values = math.prod(shape)
        if min(shape) < 0 or values * kind.itemsize != path.stat().st_size - data.tell():
            raise ValueError(f"{name} declares the shape {_short(shape)}, and its file has another length")
        return np.fromfile(data, dtype=kind, count=values).reshape(shape)


def _about(content: Any) -> dict[str, Any]:
    about = dict(content or {})
    for name, kind in ABOUT.items():
        if not isinstance(about.get(name, kind()), kind):
            raise TypeError(f"{name} has the wrong type")
    return about


def _model(content: dict[str, Any], arrays: dict[str, Any]) -> Model:
    labels = content["labels"]
    if not isinstance(labels, list) or len(labels) < 2 or not all(isinstance(label, str) for label in labels):
        raise ValueError("labels are not a list of at least two strings")
    if len(set(labels)) != len(labels):
        raise ValueError("a label appears twice")
    if content["bucket_bits"] != BITS:
        raise ValueError(f"features are hashed to {content['bucket_bits']} bits, not {BITS}")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and array.size and not (array.min() >= -MAX_WEIGHT and array.max() <= MAX_WEIGHT):
            raise ValueError(f"{name} has values that are not numbers, or too large")
    count = len(labels)
    _check_features(arrays, "", count, BUCKET_BITS)
    _check_features(arrays, "char_", count, CHAR_BITS)
    if arrays["bias"].shape != (count,) or arrays["offsets"].shape != (count,):
        raise ValueError("the arrays' shapes do not match the labels")
    new_word_idf, threshold = content["new_word_idf"], content["threshold"]
    if not isinstance(new_word_idf, float) or not 0 < new_word_idf < MAX_IDF:
        raise ValueError("new_word_idf is not an idf")
    for name, most in (("max_skip", MAX_SKIP), ("lead_words", MAX_LEAD_WORDS)):
        if type(content[name]) is not int or not 0 <= content[name] <= most:
            raise ValueError(f"{name} is not a number of words from 0 to {most}")
    if not isinstance(threshold, float) or not 0 <= threshold <= 1:
        raise ValueError("threshold is not a probability")
    # Models of earlier versions lack these two: only a text without a known word is unfamiliar to them.
    min_known_words, min_known_share = content.get("min_known_words", 0), content.get("min_known_share", 0.0)
    if (
        type(min_known_words) is not int
        or min_known_words < 0
        or not isinstance(min_known_share, float)
        or not 0 <= min_known_share <= 1
    ):
        raise ValueError("min_known_words is not a number of words, or min_known_share not a share")
    return Model(
        labels=tuple(labels),
        new_word_idf=new_word_idf,
        max_skip=content["max_skip"],
        lead_words=content["lead_words"],
        threshold=threshold,
        min_known_words=min_known_words,
        min_known_share=min_known_share,
        **arrays,
    )


def _check_features(arrays: dict[str, Any], kind: str, labels: int, bits: int) -> None:
    buckets, idf = arrays[f"{kind}buckets"], arrays[f"{kind}idf"]
    if arrays[f"{kind}weights"].shape != (len(buckets), labels):
        raise ValueError("the arrays' shapes do not match the labels")
    if idf.shape != buckets.shape or (idf < 1).any() or (idf >= MAX_IDF).any():
        raise ValueError("idf does not match the buckets")
    if (buckets[1:] <= buckets[:-1]).any() or (len(buckets) and buckets[-1] >= 1 << bits):
        raise ValueError("buckets repeat, are not ascending, or are out of range")


def _check_member(path: Path, entry: Any) -> None:
    if not path.is_file() or not isinstance(entry, dict):
        raise ArtifactError(f"{path.name} is missing from the model: fetch the model again")
    if path.stat().st_size != entry.get("bytes") or _sha256(path) != entry.get("sha256"):
        raise ArtifactError(f"{path.name} was changed after training (its SHA-256 differs): fetch the model again")


def _sha256(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ArtifactError(f"{path.name} has more than {MAX_JSON_BYTES} bytes: this folder does not contain a model")
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        _json(content).encode()  # raises for Infinity and for lone surrogates, which JSON cannot represent
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path.name} is missing or not JSON: this folder does not contain a model") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path.name} is not a JSON object: this folder does not contain a model")
    return content


def _short(value: Any) -> str:
    """Return a value or an error for a message. An error without a message is named by its type."""
    text = (str(value) or type(value).__name__) if isinstance(value, Exception) else repr(value)
    return text if len(text) <= LONGEST_DETAIL else f"{text[: LONGEST_DETAIL - 1]}…"


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n"
