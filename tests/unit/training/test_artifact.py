"""The artifact: what was saved is what is loaded, bit for bit, and nothing that was changed is loaded at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import inference
import numpy as np
import pytest
from complaint_model import artifact, scoring
from complaint_model.artifact import ArtifactError
from complaint_model.fit import fit
from complaint_model.hashing import BUCKET_BITS, CHAR_BITS
from complaint_model.records import Rows
from complaint_model.settings import Settings
from complaint_model.term_profile import learn_term_profile, to_bytes

from ptmlops_contracts.registry import MANIFEST_VARIABLE
from tests.unit.training.conftest import ROOT, make_complaints

TEXTS, LABELS = make_complaints(200)
ROWS = Rows(TEXTS, LABELS, [str(index) for index in range(len(TEXTS))])


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    model, _ = fit(ROWS, Settings())
    artifact.save(model, {"training_rows": len(TEXTS)}, folder, source=ROOT / "training")
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_the_same_seed_and_data_give_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    model, _ = fit(ROWS, Settings())
    artifact.save(model, {"training_rows": len(TEXTS)}, tmp_path, source=ROOT / "training")
    assert digests(tmp_path) == digests(saved)


def test_a_model_brings_the_terms_of_its_uncertain_training_rows(tmp_path: Path) -> None:
    model, crossfit = fit(ROWS, Settings())
    profile = learn_term_profile(ROWS, crossfit.confidence)
    artifact.save(model, {}, tmp_path / "model", profile=profile)
    content = artifact.read_term_profile(archive_of(tmp_path / "model"))
    assert content == to_bytes(profile)
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        assert arrays["size"] == profile.size
        assert 0 < profile.size <= 0.3 * len(TEXTS)
        assert (arrays["rows"] <= profile.size).all()
        assert (np.diff(arrays["buckets"].astype(np.int64)) > 0).all()


def archive_of(folder: Path) -> Path:
    archive = folder.parent / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname=".")
    return archive


def test_the_origin_is_the_code_its_version_and_the_wheels(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "source/wheels").mkdir(parents=True)
    (tmp_path / "source/wheels/numba-1.whl").write_bytes(b"wheel")
    model = artifact.load(saved).model
    about = {"code_version": "abc"}
    artifact.save(model, about, tmp_path / "model", source=ROOT / "training", wheels=tmp_path / "source/wheels")

    origin = artifact.read_origin(archive_of(tmp_path / "model"))

    assert origin
    assert origin.code_version == "abc"
    assert origin.serving_code == artifact.serving_code(ROOT / "training")
    assert "code/complaint_model/scoring.py" in origin.serving_code
    digest = hashlib.sha256(b"wheel").hexdigest()
    assert origin.wheels == artifact.serving_wheels(tmp_path / "source") == {"wheels/numba-1.whl": digest}


def test_what_a_stopped_trial_leaves_has_no_origin(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    assert artifact.read_origin(archive_of(copy)) is None


def test_a_model_that_says_nothing_about_itself_has_no_origin_and_is_refused(copy: Path) -> None:
    resign(copy, "model.json", b'{"about": null}')
    with pytest.raises(ArtifactError, match=r"model.json is incomplete"):
        artifact.read_origin(archive_of(copy))


@pytest.mark.parametrize("members", [None, [], "model.json", [*artifact.MODEL_FILES]])
@pytest.mark.parametrize("read", [artifact.load, artifact.read_origin, artifact.read_term_profile])
def test_a_manifest_that_does_not_list_members_is_refused(copy: Path, read: Callable[[Path], object], members: Any) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "members": members}))
    with pytest.raises(ArtifactError, match=r"manifest.json does not list the members"):
        read(copy if read is artifact.load else archive_of(copy))


def zipped(**arrays: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as members:
        for name, content in arrays.items():
            members.writestr(f"{name}.npy", content)
    return out.getvalue()


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=pickled)
    return out.getvalue()


PROFILE = {
    "buckets": npy(np.asarray([1, 5], "<u4")),
    "rows": npy(np.asarray([1, 1], "<u4")),
    "size": npy(np.int64(3)),
    "confidence": npy(np.float64(0.5)),
}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a zip file"),
        (zipped(**PROFILE)[:-40], "not a zip file"),
        (zipped(**{**PROFILE, "more": b""}), "it has other arrays"),
        (zipped(**{name: PROFILE[name] for name in ("buckets", "rows", "size")}), "it has other arrays"),
        (zipped(**{**PROFILE, "rows": npy(np.asarray([print], object), pickled=True)}), "rows is object"),
        (zipped(**{**PROFILE, "rows": npy(np.asarray([1.0]))}), "rows is float64"),
        (zipped(**{**PROFILE, "size": bytes(100_000_000)}), "size.npy unpacks to 100000000 bytes"),
        (zipped(**{**PROFILE, "buckets": PROFILE["buckets"][:-4]}), "its file has another length"),
    ],
)
def test_a_term_profile_that_publish_could_not_load_is_refused_even_when_signed(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    archive = pack_profile(tmp_path, zipped(**PROFILE))
    assert artifact.read_term_profile(archive) == zipped(**PROFILE)
    pack_profile(tmp_path, content)
    with pytest.raises(ArtifactError, match=f"term_profile.npz is not a term profile .*{reason}"):
        artifact.read_term_profile(archive)


def pack_profile(folder: Path, content: bytes) -> Path:
    """An archive with a term profile, which its manifest lists."""
    member = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "term_profile.npz").write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps({"format": 6, "members": {"term_profile.npz": member}}))
    with tarfile.open(folder / "model.tar.gz", "w:gz") as tar:
        for name in ("term_profile.npz", "manifest.json"):
            tar.add(folder / name, arcname=name)
    return folder / "model.tar.gz"


def test_a_model_of_an_earlier_version_has_no_term_profile(saved: Path, tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(saved, arcname=".")
    assert artifact.read_term_profile(archive) is None


def test_loading_gives_back_the_model_and_its_predictions(saved: Path) -> None:
    model, _ = fit(ROWS, Settings())
    loaded = artifact.load(saved)
    assert loaded.about["training_rows"] == len(TEXTS)
    expected, found = scoring.score(model, TEXTS[:20]), scoring.score(loaded.model, TEXTS[:20])
    assert np.array_equal(expected.probabilities, found.probabilities)
    assert np.array_equal(expected.label, found.label)


def test_a_model_of_an_earlier_version_answers_as_before_and_takes_any_known_word_as_familiar(saved: Path, copy: Path) -> None:
    content = json.loads((copy / "model.json").read_text())
    assert content.pop("min_known_words") > 1
    assert content.pop("min_known_share") > 0
    content["about"].pop("cross_fitted", None)
    resign(copy, "model.json", json.dumps(content).encode())
    texts = [*TEXTS[:20], "comisión xqzt wvkj plomf", "xqzt wvkj plomf"]
    old, new = (scoring.score(artifact.load(folder).model, texts) for folder in (copy, saved))
    assert np.array_equal(old.probabilities, new.probabilities)
    assert np.array_equal(old.label, new.label)
    assert old.familiar.tolist() == [True] * 21 + [False]
    assert new.familiar.tolist() == [True] * 20 + [False] * 2


def test_it_holds_arrays_json_and_its_own_code_and_no_pickle(saved: Path) -> None:
    names = set(digests(saved))
    assert {
        "code/inference.py",
        "code/complaint_model/scoring.py",
        "code/complaint_model/compiled/score.py",
        "manifest.json",
        "model.json",
        "weights.npy",
    } <= names
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


@pytest.mark.parametrize("name", ["weights.npy", "char_weights.npy", "buckets.npy", "bias.npy", "offsets.npy", "model.json"])
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
    for other in (artifact.FORMAT - 1, artifact.FORMAT + 1):
        (copy / "manifest.json").write_text(json.dumps({"format": other, "members": {}}))
        with pytest.raises(ArtifactError, match=f"the model has format {other} and this code reads {artifact.FORMAT}"):
            artifact.load(copy)
    with pytest.raises(ArtifactError, match="does not contain a model"):
        artifact.load(tmp_path_factory.mktemp("empty"))


def resign(folder: Path, name: str, data: bytes) -> None:
    """Replace a member and its hash: what somebody who can write the whole artifact could do."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["members"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("bias.npy", np.asarray([1.0, np.nan, 2.0]), "not numbers"),
        ("bias.npy", np.zeros(2), "shapes do not match"),
        ("bias.npy", np.zeros(4), "shapes do not match"),
        ("offsets.npy", np.zeros(2), "shapes do not match"),
        ("offsets.npy", np.zeros(4), "shapes do not match"),
        ("bias.npy", np.zeros(3, np.float32), "float32"),
        ("weights.npy", np.zeros((1, 3), np.float32), "shapes do not match"),
        ("char_weights.npy", np.zeros((1, 3), np.float32), "shapes do not match"),
        ("char_idf.npy", np.zeros(3, np.float32), "idf does not match"),
        ("bias.npy", np.asarray([print], dtype=object), "bias is object"),
        ("bias.npy", np.asarray([1e308, 0.0, -1e308]), "too large"),
        ("bias.npy", np.asarray([2e6, 0.0, 0.0]), "too large"),
        ("bias.npy", np.asarray([0.0, 0.0, -2e6]), "too large"),
        ("weights.npy", np.full((3, 3), 3e38, np.float32), "too large"),
        ("idf.npy", np.full(3, 3e5, np.float32), "idf does not match"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_even_when_signed(copy: Path, name: str, array: np.ndarray, reason: str) -> None:
    resign(copy, name, npy(array, pickled=array.dtype == object))
    with pytest.raises(ArtifactError, match=r"do not fit together.*" + reason):
        artifact.load(copy)


@pytest.mark.parametrize("name", ["buckets.npy", "char_buckets.npy"])
def test_buckets_that_are_not_ascending_are_refused(copy: Path, name: str) -> None:
    resign(copy, name, npy(np.load(copy / name)[::-1]))
    with pytest.raises(ArtifactError, match="not ascending"):
        artifact.load(copy)


@pytest.mark.parametrize(("name", "bits"), [("buckets.npy", BUCKET_BITS), ("char_buckets.npy", CHAR_BITS)])
def test_buckets_beyond_the_last_are_refused(copy: Path, name: str, bits: int) -> None:
    buckets = np.load(copy / name)
    for last in ((1 << bits) - 1, 1 << bits, (1 << bits) + 1):
        resign(copy, name, npy(np.append(buckets[:-1], np.asarray(last, buckets.dtype))))
        if last < 1 << bits:
            artifact.load(copy)
            continue
        with pytest.raises(ArtifactError, match="out of range"):
            artifact.load(copy)


def test_both_versions_of_numpys_header_are_read(copy: Path) -> None:
    """NumPy writes version 2 if a header is longer than 64 KiB."""
    bias, before = np.load(copy / "bias.npy"), artifact.load(copy).model
    for version in ((1, 0), (2, 0)):
        out = io.BytesIO()
        np.lib.format.write_array(out, bias, version=version)
        resign(copy, "bias.npy", out.getvalue())
        assert (artifact.load(copy).model.bias == before.bias).all()


def header(shape: str, *, descr: str = "'<f8'") -> bytes:
    """A .npy file that declares an array of this shape and has 64 bytes of it."""
    written = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(written).to_bytes(2, "little") + written + bytes(64)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY\x01",
        b"\x93NUMPY\x09\x00" + bytes(80),
        header("(1000000000000,)"),
        header(f"({10**30},)"),
        header("(-8,)"),
        header("(9,)"),
        header("(8,"),
        header("('a',)"),
        header("(True,)"),
        header("(" * 9000),
        header("(1,)", descr="'S2000000000'"),
        header("(8,)", descr="[('a', '<f8')]"),
        header("(8,)", descr="'evil'"),
        b"PK\x03\x04" + bytes(80),
    ],
)
def test_an_array_that_is_not_what_its_header_says_takes_no_memory_and_is_refused(copy: Path, data: bytes) -> None:
    resign(copy, "bias.npy", data)
    with pytest.raises(ArtifactError, match="do not fit together"):
        artifact.load(copy)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": ["a", "b", "\ud800"]}, "not JSON"),
        ({"about": {"settings": {"cost": float("nan")}}}, "not JSON"),
        ({"about": "text"}, "do not fit together"),
        ({"about": [1]}, "do not fit together"),
        ({"about": {"training_rows": "many"}}, "training_rows has the wrong type"),
        ({"about": {"code_version": [1]}}, "code_version has the wrong type"),
        ({"labels": None}, "labels are not a list"),
        ({"threshold": float("inf")}, "not JSON"),
        ({"min_known_words": 1.5}, "min_known_words is not a number of words"),
        ({"min_known_words": -1}, "min_known_words is not a number of words"),
        ({"min_known_share": 1.5}, "min_known_share not a share"),
        ({"min_known_share": None}, "min_known_share not a share"),
        ({"bucket_bits": "x" * 10_000}, "do not fit together"),
        ({"bucket_bits": [21, 23, 21]}, "features are hashed to"),
        ({"labels": ["one"]}, "labels are not a list"),
        ({"labels": ["one", "two", "one"]}, "a label appears twice"),
        ({"labels": ["one", "two", 3]}, "labels are not a list"),
        ({"max_skip": -1}, "max_skip is not a number of words from 0 to 100"),
        ({"max_skip": 101}, "max_skip is not a number of words from 0 to 100"),
        ({"max_skip": True}, "max_skip is not a number of words from 0 to 100"),
        ({"lead_words": -1}, "lead_words is not a number of words from 0 to 1000"),
        ({"lead_words": 1001}, "lead_words is not a number of words from 0 to 1000"),
        ({"threshold": -0.001}, "threshold is not a probability"),
        ({"threshold": 1.001}, "threshold is not a probability"),
        ({"threshold": 1}, "threshold is not a probability"),
        ({"min_known_share": -0.001}, "min_known_share not a share"),
        ({"new_word_idf": 0.0}, "new_word_idf is not an idf"),
        ({"new_word_idf": 100.0}, "new_word_idf is not an idf"),
        ({"new_word_idf": 5}, "new_word_idf is not an idf"),
    ],
)
def test_metadata_of_the_wrong_type_is_refused(copy: Path, change: dict[str, Any], reason: str) -> None:
    content = json.loads((copy / "model.json").read_text())
    resign(copy, "model.json", json.dumps(content | change).encode())
    with pytest.raises(ArtifactError, match=reason) as raised:
        artifact.load(copy)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "change",
    [
        {"max_skip": 0, "lead_words": 0, "threshold": 0.0, "min_known_words": 0, "min_known_share": 0.0},
        {"max_skip": 100, "lead_words": 1000, "threshold": 1.0, "min_known_share": 1.0},
    ],
)
def test_the_ends_of_each_range_are_in_it(copy: Path, change: dict[str, Any]) -> None:
    content = json.loads((copy / "model.json").read_text())
    resign(copy, "model.json", json.dumps(content | change).encode())
    model = artifact.load(copy).model
    assert {name: getattr(model, name) for name in change} == change


@pytest.mark.parametrize("data", [b"[" * 200_000, b"\xff\xfe{", b'{"format": ' + b"9" * 6000 + b"}", b"[]", b" " * 17_000_000])
@pytest.mark.parametrize("name", ["manifest.json", "model.json"])
def test_invalid_json_is_refused(copy: Path, name: str, data: bytes) -> None:
    if name == "manifest.json":
        (copy / name).write_bytes(data)
    else:
        resign(copy, name, data)
    with pytest.raises(ArtifactError, match=f"{name} (is|has) .*this folder does not contain a model"):
        artifact.load(copy)


def test_only_what_was_written_is_a_member(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "stray.npy").write_bytes(b"left by another job")
    artifact.save(artifact.load(saved).model, {}, tmp_path)
    members = json.loads((tmp_path / "manifest.json").read_text())["members"]
    assert set(members) == {"model.json", *(f"{name}.npy" for name in artifact.ARRAYS)}


def test_damage_anywhere_in_an_archive_is_reported_in_a_sentence(saved: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "good.tar.gz", "w:gz") as tar:
        tar.add(saved, arcname=".")
    good, draw = (tmp_path / "good.tar.gz").read_bytes(), random.Random(5)  # noqa: S311 - test data
    archive = tmp_path / "model.tar.gz"
    first = 10 + len("good.tar") + 1  # behind gzip's header, whose time and name say nothing about the content
    for number in range(40):
        damaged = bytearray(good)
        place = draw.randrange(first, len(good))
        damaged[place] ^= 1 << draw.randrange(8)
        archive.write_bytes(damaged if number % 4 else good[:place])
        with pytest.raises(ArtifactError, match=r"is not a model|cannot be unpacked|was changed|is missing|not in manifest"):
            artifact.unpack(archive, tmp_path / str(number))
    archive.write_bytes(gzip.compress(b"")[:10] + b"\x07")  # no such kind of block: zlib.error, which is no OSError
    with pytest.raises(ArtifactError, match="cannot be unpacked"):
        artifact.unpack(archive, tmp_path / "into")
    archive.write_bytes(good)
    assert artifact.load(artifact.unpack(archive, tmp_path / "good")).about == artifact.load(saved).about


@pytest.fixture
def served(saved: Path, tmp_path: Path) -> Path:
    """The folder that SageMaker unpacks a model with wheels to."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given/numba-1.whl").write_bytes(b"wheel")
    artifact.save(artifact.load(saved).model, {}, tmp_path / "model", source=ROOT / "training", wheels=tmp_path / "given")
    return tmp_path / "model"


def test_a_model_that_serves_checks_its_code_and_wheels(served: Path) -> None:
    artifact.check_served(served)
    artifact.check_served(served, manifest_sha256=hashlib.sha256((served / "manifest.json").read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("wheels/numba-1.whl", b"wheeI", "wheels/numba-1.whl was changed after training"),
        ("wheels/numba-1.whl", None, "wheels/numba-1.whl is missing"),
        ("wheels/llvmlite-1.whl", b"wheel", "wheels/llvmlite-1.whl is not in manifest.json"),
        ("code/complaint_model/scoring.py", b"", "code/complaint_model/scoring.py was changed after training"),
        ("code/inference.py", None, "code/inference.py is missing"),
        ("manifest.json", b"[]", "manifest.json is not a JSON object"),
        ("manifest.json", b'{"members": []}', "manifest.json does not list the members"),
        ("manifest.json", b'{"members": {"code/../../../etc/passwd": {}}}', "which is not a file of a model"),
    ],
)
def test_changed_code_and_wheels_are_not_served(served: Path, name: str, content: bytes | None, reason: str) -> None:
    if content is None:
        (served / name).unlink()
    else:
        (served / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=reason):
        artifact.check_served(served)


def test_an_archive_of_another_version_is_not_served(served: Path) -> None:
    registered = hashlib.sha256((served / "manifest.json").read_bytes()).hexdigest()
    resign(served, "weights.npy", (served / "weights.npy").read_bytes()[:-1] + b"\0")
    artifact.check_served(served)  # it fits together
    with pytest.raises(ArtifactError, match="another archive: restore the registered one"):
        artifact.check_served(served, manifest_sha256=registered)


def test_a_model_does_not_serve_with_another_manifest_than_the_registry_knows(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MANIFEST_VARIABLE, hashlib.sha256((served / "manifest.json").read_bytes()).hexdigest())
    assert inference.model_fn(str(served)).labels
    monkeypatch.setenv(MANIFEST_VARIABLE, "0" * 64)
    with pytest.raises(ArtifactError, match="another archive"):
        inference.model_fn(str(served))
