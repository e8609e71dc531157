"""Write and read a model as arrays and JSON, checked on load: reading a model never runs code that travelled with it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
MAX_MEMBER_BYTES = 4_000_000_000


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
    for name, (dtype, _) in ARRAYS.items():
        with (folder / f"{name}.npy").open("wb") as out:
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
    if source:
        for path in source_files(source):
            target = folder / "code" / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    for path in sorted(wheels.glob("*.whl")) if wheels else ():
        (folder / WHEELS).mkdir(exist_ok=True)
        shutil.copyfile(path, folder / WHEELS / path.name)
    members = {
        path.relative_to(folder).as_posix(): {"sha256": _sha256(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    (folder / MANIFEST).write_text(_json({"format": FORMAT, "members": members}), encoding="utf-8")


def source_files(source: Path) -> list[Path]:
    """What a model needs to be served: inference.py and complaint_model/."""
    return [source / "inference.py", *sorted((source / "complaint_model").glob("*.py"))]


def code_version(source: Path) -> str:
    """The first 12 digits of the code's SHA-256: what ran, with no git on the machine that runs it."""
    digest = hashlib.sha256()
    for path in sorted(source.rglob("*.py")):
        digest.update(path.relative_to(source).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def load(folder: Path) -> Artifact:
    """The model in `folder`. Raises ArtifactError unless every member is there, unchanged and of the expected shape."""
    manifest = _read_json(folder / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise ArtifactError(f"the model has format {manifest.get('format')!r} and this code reads {FORMAT}: train again")
    members = manifest.get("members")
    needed = [CONTENT, *(f"{name}.npy" for name in ARRAYS)]
    if not isinstance(members, dict) or any(name not in members for name in needed):
        raise ArtifactError(f"{MANIFEST} does not list all of {', '.join(needed)}: fetch the model again")
    for name in needed:
        _check_member(folder / name, members[name])
    content = _read_json(folder / CONTENT)
    try:
        model = _model(content, {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in ARRAYS})
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"the model's files do not fit together ({error}): train again") from error
    return Artifact(model=model, about=dict(content.get("about") or {}))


def unpack(archive: Path, folder: Path) -> Path:
    """Extract model.tar.gz without its code: only plain files of the names that a model has. Returns `folder`."""
    wanted = {MANIFEST, CONTENT, *(f"{name}.npy" for name in ARRAYS)}
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if name not in wanted:
                    continue
                data = tar.extractfile(member) if member.isreg() else None
                if data is None or member.size > MAX_MEMBER_BYTES:
                    raise ArtifactError(f"{name} in {archive.name} is no file of a plausible size: fetch the model again")
                with data, (folder / name).open("wb") as out:
                    shutil.copyfileobj(data, out)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ArtifactError(f"{archive.name} cannot be unpacked ({error}): fetch the model again") from error
    return folder


def _model(content: dict[str, Any], arrays: dict[str, Any]) -> Model:
    labels = content["labels"]
    if not isinstance(labels, list) or len(labels) < 2 or not all(isinstance(label, str) for label in labels):
        raise ValueError("labels are not a list of at least two texts")
    if len(set(labels)) != len(labels):
        raise ValueError("a label appears twice")
    if content["bucket_bits"] != BUCKET_BITS:
        raise ValueError(f"features are hashed to {content['bucket_bits']} bits, not {BUCKET_BITS}")
    for name, (dtype, dimensions) in ARRAYS.items():
        array = arrays[name]
        if array.dtype != np.dtype(dtype) or array.ndim != dimensions:
            raise ValueError(f"{name} is {array.dtype} in {array.ndim} dimensions, not {dtype} in {dimensions}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not numbers")
    count = len(labels)
    _check_features(arrays, "", count, features.BUCKET_BITS)
    _check_features(arrays, "run_", count, features.RUN_BITS)
    if arrays["bias"].shape != (count,) or arrays["offsets"].shape != (count,):
        raise ValueError("the arrays' shapes do not match the labels")
    new_word_rarity = content["new_word_rarity"]
    if not isinstance(new_word_rarity, float) or not 0 < new_word_rarity < 100:
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
    if rarity.shape != buckets.shape or (rarity <= 0).any():
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
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path.name} is missing or not JSON: this folder holds no model") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path.name} is not a JSON object: this folder holds no model")
    return content


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n"
