"""Write and read a model as arrays and JSON. Every file is checked on load, and reading a model never runs code that came with it."""

from __future__ import annotations

import io
import math
import shutil
import tempfile
import zipfile
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from complaint_model.archive import (
    CODE,
    MANIFEST,
    MODEL_MEMBER,
    WHEELS,
    ArtifactError,
    check_content,
    content_of,
    extract,
    read_json,
    short,
    to_json,
)
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
CONTENT = "model.json"
MODEL_FILES = (MANIFEST, CONTENT, *(f"{name}.npy" for name in ARRAYS))
TERM_PROFILE = "term_profile.npz"  # optional
PROFILE_ARRAYS = {"buckets": ("<u4", 1), "rows": ("<u4", 1), "size": ("<i8", 0), "confidence": ("<f8", 0)}
MAX_PROFILE_BYTES = 4 * (1 << BUCKET_BITS) + 1000  # of one array, with its header
MAX_LEAD_WORDS = 1000
MAX_SKIP = 100  # words; a larger one would make a feature of nearly every pair in a text
MAX_IDF = 100.0  # 1 + ln(texts)
MAX_WEIGHT = 1e6  # of anything that is added to a logit: beyond it, answers are noise
# What evaluation.json repeats of a model, if the model has it.
ABOUT = {"training_rows": int, "data_fingerprint": str, "code_version": str, "settings": dict, "cross_fitted": dict}


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
    (folder / CONTENT).write_text(to_json(content), encoding="utf-8")
    if profile:
        written.append(folder / TERM_PROFILE)
        written[-1].write_bytes(to_bytes(profile))
    copied = {folder / CODE / path.relative_to(source): path for path in source_files(source)} if source else {}
    copied |= {folder / WHEELS / path.name: path for path in sorted(wheels.glob("*.whl"))} if wheels else {}
    for target, path in copied.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    members = {path.relative_to(folder).as_posix(): asdict(content_of(path)) for path in (*written, *copied)}
    (folder / MANIFEST).write_text(to_json({"format": FORMAT, "members": members}), encoding="utf-8")


@dataclass(frozen=True)
class Origin:
    """The code that a model was trained with: its version, and the SHA-256 of each file and wheel that the model brings to serve with."""

    code_version: str | None
    serving_code: dict[str, str]
    wheels: dict[str, str]


def read_origin(archive: Path) -> Origin | None:
    """Return the origin of a model.tar.gz, or None if it holds no model: a trial that was stopped early may leave one.

    Raises:
        ArtifactError: It cannot be unpacked, or is not what its manifest lists.
    """
    with tempfile.TemporaryDirectory() as unpacked:
        folder = unpack(archive, Path(unpacked), wanted=(MANIFEST, CONTENT))
        if not (folder / MANIFEST).is_file():
            return None
        members, about = _members(folder), read_json(folder / CONTENT).get("about")
    if not isinstance(about, dict):
        raise ArtifactError(f"{archive.name} is not a model: {CONTENT} is incomplete")
    code, wheels = (
        {name: str(entry.get("sha256")) for name, entry in members.items() if name.startswith(folder)}
        for folder in (CODE, f"{WHEELS}/")
    )
    return Origin(code_version=about.get("code_version"), serving_code=code, wheels=wheels)


def read_term_profile(archive: Path) -> bytes | None:
    """Return the term profile of a model.tar.gz, or None: models of earlier versions have none.

    Raises:
        ArtifactError: It cannot be unpacked, or the profile was changed after training, or is none.
    """
    with tempfile.TemporaryDirectory() as unpacked:
        folder = unpack(archive, Path(unpacked), wanted=(MANIFEST, TERM_PROFILE))
        entry = _members(folder).get(TERM_PROFILE)
        if entry is None:
            return None
        _check_member(folder / TERM_PROFILE, entry)
        content = (folder / TERM_PROFILE).read_bytes()
    try:
        _check_profile(content)
    except Exception as error:  # zipfile and NumPy can fail in any way on a damaged file
        raise ArtifactError(f"{TERM_PROFILE} is not a term profile ({short(error)}): train again") from error
    return content


def _check_profile(content: bytes) -> None:
    """Raise ValueError unless Publish can load a profile without more memory than a profile takes."""
    with zipfile.ZipFile(io.BytesIO(content)) as members:
        listed = members.infolist()
        if sorted(member.filename for member in listed) != sorted(f"{name}.npy" for name in PROFILE_ARRAYS):
            raise ValueError("it has other arrays")
        for member in listed:
            if member.file_size > MAX_PROFILE_BYTES:
                raise ValueError(f"{member.filename} unpacks to {member.file_size} bytes")
            name = member.filename.removesuffix(".npy")
            _read_header(io.BytesIO(members.read(member)), name, member.file_size, *PROFILE_ARRAYS[name])


def serving_code(source: Path) -> dict[str, str]:
    """Return what `Origin.serving_code` is for a model that the code in `source` trains."""
    return {f"{CODE}{path.relative_to(source).as_posix()}": content_of(path).sha256 for path in source_files(source)}


def serving_wheels(source: Path) -> dict[str, str]:
    """Return what `Origin.wheels` is for a model that the code in `source` trains, if models bring wheels."""
    return {f"{WHEELS}/{path.name}": content_of(path).sha256 for path in (source / WHEELS).glob("*.whl")}


def source_files(source: Path) -> list[Path]:
    """Return the code that serves a model: inference.py and complaint_model/."""
    return [source / "inference.py", *sorted((source / "complaint_model").rglob("*.py"))]


def load(folder: Path) -> Artifact:
    """Read the model in `folder`. Raises ArtifactError unless every member is there, unchanged and of the expected shape."""
    manifest = read_json(folder / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise ArtifactError(f"the model has format {short(manifest.get('format'))} and this code reads {FORMAT}: train again")
    members = _members(folder)
    needed = [CONTENT, *(f"{name}.npy" for name in ARRAYS)]
    if any(name not in members for name in needed):
        raise ArtifactError(f"{MANIFEST} does not list all of {', '.join(needed)}: fetch the model again")
    for name in needed:
        _check_member(folder / name, members[name])
    content = read_json(folder / CONTENT)
    try:
        arrays = {name: _read_array(folder / f"{name}.npy", *expected) for name, expected in ARRAYS.items()}
        return Artifact(model=_model(content, arrays), about=_about(content.get("about")))
    except Exception as error:  # NumPy can fail in any way on a damaged file
        raise ArtifactError(f"the model's files do not fit together ({short(error)}): train again") from error


def unpack(archive: Path, folder: Path, *, wanted: Collection[str] = MODEL_FILES) -> Path:
    """Check model.tar.gz, extract its arrays and JSON without its code, and return `folder` (`archive.extract`)."""
    return extract(archive, folder, wanted=wanted)


def check_served(folder: Path, *, manifest_sha256: str | None = None) -> None:
    """Check the code and the wheels of an unpacked archive, before wheels are installed. `load` checks the arrays.

    SageMaker unpacks the archive, and the code that calls this function comes from it. So the check finds what was damaged or swapped,
    such as a wheel, arrays or the archive of another version, and not code that was changed in order to pass. The registered digest of
    the archive proves that, before a job starts (docs/decisions/0028-a-version-names-the-bytes-that-were-judged.md).

    Args:
        folder: The archive's files.
        manifest_sha256: What the registry knows of the manifest; None for a model of an earlier version.

    Raises:
        ArtifactError: A file is missing, was changed or was added.
    """
    if manifest_sha256 and content_of(folder / MANIFEST).sha256 != manifest_sha256:
        raise ArtifactError(
            f"{MANIFEST} is not the one of the registered model, so this is another archive: restore the registered one"
        )
    members = _members(folder)
    for name, entry in members.items():
        if not MODEL_MEMBER.fullmatch(name):
            raise ArtifactError(f"{MANIFEST} lists {short(name)}, which is not a file of a model: fetch the model again")
        if name.startswith((CODE, f"{WHEELS}/")):
            path = folder / name
            check_content(name, content_of(path) if path.is_file() else None, entry)
    for path in sorted((folder / WHEELS).glob("*")):
        if f"{WHEELS}/{path.name}" not in members:
            raise ArtifactError(
                f"{WHEELS}/{path.name} is not in {MANIFEST}, so it was added after training: fetch the model again"
            )


def _read_array(path: Path, dtype: str, dimensions: int) -> NDArray[Any]:
    """Read an array. Allocates memory only if the header is as expected and the file is as long as the header says."""
    name = path.stem
    with path.open("rb") as data:
        shape = _read_header(data, name, path.stat().st_size, dtype, dimensions)
        return np.fromfile(data, dtype=dtype, count=math.prod(shape)).reshape(shape)


def _read_header(data: BinaryIO, name: str, length: int, dtype: str, dimensions: int) -> tuple[int, ...]:
    """Return the shape of a .npy file of `length` bytes. Raises ValueError unless it is as expected and the file as long as it says."""
    version = np.lib.format.read_magic(data)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, by_column, kind = read_header(data)
    if kind != np.dtype(dtype) or len(shape) != dimensions:
        raise ValueError(f"{name} is {kind} in {len(shape)} dimensions, not {dtype} in {dimensions}")
    if by_column:
        raise ValueError(f"{name} is written column by column")
    if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize != length - data.tell():
        raise ValueError(f"{name} declares the shape {short(shape)}, and its file has another length")
    return shape


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


def _members(folder: Path) -> dict[str, Any]:
    """Return what the manifest knows of each member. Raises ArtifactError if it does not list them."""
    members = read_json(folder / MANIFEST).get("members")
    if not isinstance(members, dict):
        raise ArtifactError(f"{MANIFEST} does not list the members of the model: fetch the model again")
    return members


def _check_member(path: Path, entry: Any) -> None:
    check_content(path.name, content_of(path) if path.is_file() else None, entry)
