"""The artifact: what was saved is what is loaded, bit for bit, and nothing that was changed is loaded at all."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from complaint_model import artifact, classifier, scoring
from complaint_model.artifact import ArtifactError

from tests.unit.training.conftest import ROOT, make_complaints

TEXTS, LABELS = make_complaints(200)
ROWS = classifier.Rows(TEXTS, LABELS, [str(index) for index in range(len(TEXTS))])


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    model, _ = classifier.fit(ROWS, classifier.Settings())
    artifact.save(model, {"training_rows": len(TEXTS)}, folder, source=ROOT / "training")
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    for path in saved.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_the_same_seed_and_data_give_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    model, _ = classifier.fit(ROWS, classifier.Settings())
    artifact.save(model, {"training_rows": len(TEXTS)}, tmp_path, source=ROOT / "training")
    assert digests(tmp_path) == digests(saved)


def test_loading_gives_back_the_model_and_its_predictions(saved: Path) -> None:
    model, _ = classifier.fit(ROWS, classifier.Settings())
    loaded = artifact.load(saved)
    assert loaded.about["training_rows"] == len(TEXTS)
    expected, found = scoring.score(model, TEXTS[:20]), scoring.score(loaded.model, TEXTS[:20])
    assert np.array_equal(expected.probabilities, found.probabilities)
    assert np.array_equal(expected.label, found.label)


def test_it_holds_arrays_json_and_its_own_code_and_no_pickle(saved: Path) -> None:
    names = set(digests(saved))
    assert {"code/inference.py", "code/complaint_model/scoring.py", "manifest.json", "model.json", "weights.npy"} <= names
    assert {Path(name).suffix for name in names} == {".json", ".npy", ".py"}
    assert set(json.loads((saved / "manifest.json").read_text())["members"]) == names - {"manifest.json"}


def test_a_model_brings_wheels_where_it_is_given_some(saved: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "numba-1.whl").write_bytes(b"wheel")
    (given / ".ready").touch()
    artifact.save(artifact.load(saved).model, {}, tmp_path / "model", wheels=given)
    assert (tmp_path / "model/wheels/numba-1.whl").read_bytes() == b"wheel"
    members = json.loads((tmp_path / "model/manifest.json").read_text())["members"]
    assert [name for name in members if name.startswith("wheels/")] == ["wheels/numba-1.whl"]
    assert artifact.load(tmp_path / "model").about == {}


@pytest.mark.parametrize("name", ["weights.npy", "run_weights.npy", "buckets.npy", "bias.npy", "offsets.npy", "model.json"])
def test_a_changed_member_is_refused(copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[-3] ^= 1
    (copy / name).write_bytes(bytes(data))
    with pytest.raises(ArtifactError, match=f"{name} was changed after training"):
        artifact.load(copy)


def test_a_missing_member_a_wrong_format_and_no_model_are_refused(
    copy: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (copy / "bias.npy").unlink()
    with pytest.raises(ArtifactError, match=r"bias.npy is missing"):
        artifact.load(copy)
    (copy / "manifest.json").write_text('{"format": 99, "members": {}}')
    with pytest.raises(ArtifactError, match="format 99"):
        artifact.load(copy)
    with pytest.raises(ArtifactError, match="holds no model"):
        artifact.load(tmp_path_factory.mktemp("empty"))


def resign(folder: Path, name: str, data: bytes) -> None:
    """Replace a member and its hash: what somebody who can write the whole artifact could do."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["members"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=pickled)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("bias.npy", np.asarray([1.0, np.nan, 2.0]), "not numbers"),
        ("bias.npy", np.zeros(2), "shapes do not match"),
        ("bias.npy", np.zeros(3, np.float32), "float32"),
        ("weights.npy", np.zeros((1, 3), np.float32), "shapes do not match"),
        ("run_weights.npy", np.zeros((1, 3), np.float32), "shapes do not match"),
        ("run_rarity.npy", np.zeros(3, np.float32), "rarity does not match"),
        ("bias.npy", np.asarray([print], dtype=object), "pickle"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_even_when_signed(copy: Path, name: str, array: np.ndarray, reason: str) -> None:
    resign(copy, name, npy(array, pickled=array.dtype == object))
    with pytest.raises(ArtifactError, match=r"do not fit together.*" + reason):
        artifact.load(copy)


@pytest.mark.parametrize("name", ["buckets.npy", "run_buckets.npy"])
def test_buckets_in_disorder_are_refused(copy: Path, name: str) -> None:
    resign(copy, name, npy(np.load(copy / name)[::-1]))
    with pytest.raises(ArtifactError, match="disorder"):
        artifact.load(copy)


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, kind in (("../escaped", tarfile.REGTYPE), ("weights.npy", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    with pytest.raises(ArtifactError, match=r"weights.npy"):
        artifact.unpack(archive, tmp_path / "into")
    assert not (tmp_path / "escaped").exists()
    (tmp_path / "broken.tar.gz").write_bytes(b"not an archive")
    with pytest.raises(ArtifactError, match="cannot be unpacked"):
        artifact.unpack(tmp_path / "broken.tar.gz", tmp_path / "into")
