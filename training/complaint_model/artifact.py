"""Write and read a model as arrays and JSON, checked on load: reading a model never runs code that travelled with it."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from complaint_model import features
from complaint_model.classifier import Model

FORMAT = 5  # changes when an older reader would predict something else from the same files
ARRAYS = {
    "buckets": ("<u4", 1),
    "rarity": ("<f4", 1),
    "weights": ("<f4", 2),
    "run_buckets": ("<u4", 1),
    "run_rarity": ("<f4", 1),
    "run_weights": ("<f4", 2),
    "bias": ("<f8", 1),
    "offsets": ("<f8", 1),
}
BUCKET_BITS = [features.WORD_BITS, features.BUCKET_BITS, features.RUN_BITS]
MANIFEST = "manifest.json"
CONTENT = "model.json"
WHEELS = "wheels"  # of numba, in the code and in a model that brings it
MAX_OPENING = 1000  # words
MAX_REACH = 100  # words; a larger one would make a feature of nearly every pair in a text
MAX_RARITY = 100.0  # 1 + ln(texts)
MAX_WEIGHT = 1e6  # of anything that is added to a logit: beyond it a model answers with nothing but noise
# Most of a model are its weights (classifier.MAX_WEIGHTS, 400 MB) and what they belong to; wheels of numba are 64 MB.
MAX_UNPACKED_BYTES = 2_000_000_000
MAX_MEMBERS = 1000
MAX_JSON_BYTES = 16_000_000
PIECE_BYTES = 1 << 16
LONGEST_TOLD = 200  # characters of an error or value, in a sentence
ABOUT = {"training_rows": int, "data_fingerprint": str, "code_version": str, "settings": dict}  # where they are known


class ArtifactError(Exception):
    """The model's files are damaged, incomplete or of another format; the message says which file and what to do."""


@dataclass(frozen=True)
class Artifact:
    """A model with what is known about it (model.json: settings, metrics, training rows, data fingerprint, code version)."""

    model: Model
    about: dict[str, Any]


def save(model: Model, about: dict[str, Any], folder: Path, *, source: Path | None = None, wheels: Path | None = None) -> None:
    """Write `model` to `folder`; with `source`, the code that serves it goes to folder/code, and with `wheels` those to
    folder/wheels. Same input, same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / CONTENT]  # what else lies in the folder is no part of the model
    for name, (dtype, _) in ARRAYS.items():
        written.append(folder / f"{name}.npy")
        with written[-1].open("wb") as out:
            np.save(out, np.ascontiguousarray(getattr(model, name), dtype=dtype), allow_pickle=False)
    content = {
        "labels": list(model.labels),
        "new_word_rarity": model.new_word_rarity,
        "threshold": model.threshold,
        "reach": model.reach,
        "opening": model.opening,
        "bucket_bits": BUCKET_BITS,
        "about": about,
    }
    (folder / CONTENT).write_text(_json(content), encoding="utf-8")
    brought = {folder / "code" / path.relative_to(source): path for path in source_files(source)} if source else {}
    brought |= {folder / WHEELS / path.name: path for path in sorted(wheels.glob("*.whl"))} if wheels else {}
    for target, path in brought.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    members = {
        path.relative_to(folder).as_posix(): {"sha256": _sha256(path), "bytes": path.stat().st_size}
        for path in (*written, *brought)
    }
    (folder / MANIFEST).write_text(_json({"format": FORMAT, "members": members}), encoding="utf-8")


def source_files(source: Path) -> list[Path]:
    """What a model needs to be served: inference.py and complaint_model/."""
    return [source / "inference.py", *sorted((source / "complaint_model").glob("*.py"))]


def load(folder: Path) -> Artifact:
    """The model in `folder`. Raises ArtifactError unless every member is there, unchanged and of the expected shape."""
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
    except Exception as error:  # a damaged file makes NumPy and its parsers fail in any way
        raise ArtifactError(f"the model's files do not fit together ({_short(error)}): train again") from error


def unpack(archive: Path, folder: Path) -> Path:
    """Extract model.tar.gz without its code: only plain files of the names that a model has. Returns `folder`.

    Raises ArtifactError for everything that cannot be a model, and reads no more than a model can have, whatever is declared.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _Bounded(archive) as content, tarfile.open(fileobj=content, mode="r:") as tar:
            _extract(tar, folder)
    except ArtifactError as error:
        raise ArtifactError(f"{archive.name} is no model: {error}") from error
    except Exception as error:  # one byte that is not as it was makes zlib and tarfile fail in any way
        raise ArtifactError(f"{archive.name} cannot be unpacked ({_short(error)}): fetch the model again") from error
    return folder


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    wanted = {MANIFEST, CONTENT, *(f"{name}.npy" for name in ARRAYS)}
    for place, member in enumerate(tar):
        if place >= MAX_MEMBERS:
            raise ArtifactError(f"it has more than {MAX_MEMBERS} members")
        name = member.name.removeprefix("./")
        if name in wanted:
            data = tar.extractfile(member) if member.isreg() and not member.issparse() else None
            if data is None:
                raise ArtifactError(f"{name} is no plain file")
            with data, (folder / name).open("wb") as out:
                shutil.copyfileobj(data, out, PIECE_BYTES)


class _Bounded(gzip.GzipFile):
    """An archive as tarfile reads it: no more than a model has, and no header (which tarfile reads at once) larger than a piece."""

    def read(self, size: int | None = -1) -> bytes:
        """At most `size` bytes."""
        if size is None or not 0 <= size <= PIECE_BYTES:
            raise ArtifactError(f"a header has {size} bytes")
        self._check(self.tell() + size)
        return super().read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go there, by unpacking what lies between."""
        self._check(offset)
        return super().seek(offset, whence)

    @staticmethod
    def _check(position: int) -> None:
        if position > MAX_UNPACKED_BYTES:
            raise ArtifactError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")


def _read_array(path: Path, dtype: str, dimensions: int) -> NDArray[Any]:
    """The array, if its header says what is expected of it and the file is as long as that: memory is taken only then."""
    name = path.stem
    with path.open("rb") as data:
        version = np.lib.format.read_magic(data)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, by_column, found = read_header(data)
        if found != np.dtype(dtype) or len(shape) != dimensions:
            raise ValueError(f"{name} is {found} in {len(shape)} dimensions, not {dtype} in {dimensions}")
        if by_column:
            raise ValueError(f"{name} is written column by column")
        values = math.prod(shape)
        if min(shape) < 0 or values * found.itemsize != path.stat().st_size - data.tell():
            raise ValueError(f"{name} is said to be of shape {_short(shape)} and its file is of another length")
        return np.fromfile(data, dtype=found, count=values).reshape(shape)


def _about(found: Any) -> dict[str, Any]:
    about = dict(found or {})
    for name, kind in ABOUT.items():
        if not isinstance(about.get(name, kind()), kind):
            raise TypeError(f"{name} is not what is told of a model")
    return about


def _model(content: dict[str, Any], arrays: dict[str, Any]) -> Model:
    labels = content["labels"]
    if not isinstance(labels, list) or len(labels) < 2 or not all(isinstance(label, str) for label in labels):
        raise ValueError("labels are not a list of at least two texts")
    if len(set(labels)) != len(labels):
        raise ValueError("a label appears twice")
    if content["bucket_bits"] != BUCKET_BITS:
        raise ValueError(f"features are hashed to {content['bucket_bits']} bits, not {BUCKET_BITS}")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and array.size and not (array.min() >= -MAX_WEIGHT and array.max() <= MAX_WEIGHT):
            raise ValueError(f"{name} holds values that are not numbers, or not those of a model")
    count = len(labels)
    _check_features(arrays, "", count, features.BUCKET_BITS)
    _check_features(arrays, "run_", count, features.RUN_BITS)
    if arrays["bias"].shape != (count,) or arrays["offsets"].shape != (count,):
        raise ValueError("the arrays' shapes do not match the labels")
    new_word_rarity = content["new_word_rarity"]
    if not isinstance(new_word_rarity, float) or not 0 < new_word_rarity < MAX_RARITY:
        raise ValueError("the rarity of a new word is none")
    reach, threshold = content["reach"], content["threshold"]
    if not isinstance(reach, int) or isinstance(reach, bool) or not 0 <= reach <= MAX_REACH:
        raise ValueError("reach is no distance between words")
    opening = content["opening"]
    if not isinstance(opening, int) or isinstance(opening, bool) or not 0 <= opening <= MAX_OPENING:
        raise ValueError("opening is no number of words")
    if not isinstance(threshold, float) or not 0 <= threshold <= 1:
        raise ValueError("the threshold is no probability")
    return Model(
        labels=tuple(labels), new_word_rarity=new_word_rarity, reach=reach, opening=opening, threshold=threshold, **arrays
    )


def _check_features(arrays: dict[str, Any], kind: str, labels: int, bits: int) -> None:
    buckets, rarity = arrays[f"{kind}buckets"], arrays[f"{kind}rarity"]
    if arrays[f"{kind}weights"].shape != (len(buckets), labels):
        raise ValueError("the arrays' shapes do not match the labels")
    if rarity.shape != buckets.shape or (rarity < 1).any() or (rarity >= MAX_RARITY).any():
        raise ValueError("rarity does not match the buckets")
    if (buckets[1:] <= buckets[:-1]).any() or (len(buckets) and buckets[-1] >= 1 << bits):
        raise ValueError("buckets repeat, are in disorder, or are none")


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
            raise ArtifactError(f"{path.name} has more than {MAX_JSON_BYTES} bytes: this folder holds no model")
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        _json(content).encode()  # refuses what JSON has no word for: Infinity, and half a character
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path.name} is missing or not JSON: this folder holds no model") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path.name} is not a JSON object: this folder holds no model")
    return content


def _short(found: Any) -> str:
    """What was found, for a sentence: an error without a text by its kind."""
    told = (str(found) or type(found).__name__) if isinstance(found, Exception) else repr(found)
    return told if len(told) <= LONGEST_TOLD else f"{told[: LONGEST_TOLD - 1]}…"


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n"
