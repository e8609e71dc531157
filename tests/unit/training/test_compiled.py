"""Where numba comes from if the machine has none: wheels that pip installs once, and NumPy if none fit."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from complaint_model.compiled import wheels

from tests.unit.training.conftest import ROOT

OWN = f"cp{sys.version_info.major}{sys.version_info.minor}"
# Replaces numba, so that no test compiles: the kernels run as they are written.
NUMBA = "def njit(**_):\n    return lambda function: function\n"
EXTENDING = "def intrinsic(_):\n    return lambda *_: 0\n"
# A job in a Python without numba. It prints each warning, where the kernels' numba came from, and the features of two texts.
JOB = """
import logging, sys
from pathlib import Path
logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stdout)
sys.modules["numba"] = None
import numpy as np
from complaint_model import compiled, features
compiled.look_for_wheels(Path(sys.argv[1]))
texts = ["mi tarjeta no llegó", "no no"]
for _ in range(2):
    if kernels := compiled.kernels():
        document, bucket, count = kernels.count_features(features.pack(texts), 1, 0).tolist()
    else:
        found = features.word_occurrences(features.tokenise(texts), 1, 0)
        pairs, count = np.unique((found.document, found.bucket), axis=1, return_counts=True)
        (document, bucket), count = pairs.tolist(), count.tolist()
found = sys.modules.get("numba")
print(found.__file__ if found else "none", sorted(zip(document, bucket, count)))
"""


def wheel(folder: Path, name: str, python: str = OWN, platform: str = "manylinux_2_17_x86_64.manylinux_2_5_x86_64") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-{python}-{python}-{platform}.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    tags = "".join(f"Tag: {python}-{python}-{tag}\n" for tag in platform.split("."))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", NUMBA)
        archive.writestr(f"{name}/extending.py", EXTENDING)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n{tags}")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


def run(folder: Path, home: str, temporary: Path) -> list[str]:
    temporary.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "training"), "HOME": home, "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", JOB, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.slow
def test_a_python_without_numba_takes_it_from_the_wheels_and_counts_the_same(tmp_path: Path) -> None:
    for name in wheels.PACKAGES:
        wheel(tmp_path / "wheels", name)
    [found] = run(tmp_path / "wheels", str(tmp_path / "home"), tmp_path / "tmp")
    warning, plain = run(tmp_path / "no wheels", str(tmp_path / "home"), tmp_path / "tmp")
    assert warning.startswith("WARNING numba is not available (ModuleNotFoundError): NumPy scores")
    place, _, features = found.partition(" ")
    assert plain == f"none {features}"
    assert Path(place).is_relative_to(tmp_path / "home/.cache/ptmlops/wheels")
    # The second job finds what the first unpacked, and nothing half done lies beside it.
    assert run(tmp_path / "wheels", str(tmp_path / "home"), tmp_path / "tmp") == [found]
    assert len(list((tmp_path / "home/.cache/ptmlops/wheels").iterdir())) == 1


@pytest.mark.slow
def test_where_the_home_cannot_be_written_wheels_and_kernels_go_to_the_temporary_folder(tmp_path: Path) -> None:
    for name in wheels.PACKAGES:
        wheel(tmp_path / "wheels", name)
    [found] = run(tmp_path / "wheels", "/dev/null", tmp_path / "tmp")
    assert found.startswith(str(tmp_path / "tmp"))


@pytest.mark.slow
def test_wheels_of_another_python_or_without_llvmlite_are_left_alone(tmp_path: Path) -> None:
    for name in wheels.PACKAGES:
        wheel(tmp_path / "other", name, python="cp399")
    wheel(tmp_path / "half", "numba")
    for folder in ("other", "half"):
        assert run(tmp_path / folder, str(tmp_path / "home"), tmp_path / "tmp")[-1].startswith("none ")


@pytest.mark.slow
def test_a_wheel_that_cannot_be_unpacked_or_fails_leaves_the_work_to_numpy(tmp_path: Path) -> None:
    for name in wheels.PACKAGES:
        wheel(tmp_path / "wheels", name)
    (tmp_path / "wheels" / wheel(tmp_path / "wheels", "numba").name).write_bytes(b"no archive")
    warning, _ = run(tmp_path / "wheels", str(tmp_path / "home"), tmp_path / "tmp")
    assert warning.startswith("WARNING numba is not available (ImportError): NumPy scores")


@pytest.mark.parametrize(
    ("python", "platform", "fits"),
    [
        (OWN, "manylinux_2_5_x86_64", True),
        (OWN, "manylinux_2_900_x86_64.manylinux_2_17_x86_64", True),
        (OWN, "manylinux_2_900_x86_64", False),  # a newer C library
        (OWN, "manylinux_2_17_riscv64", False),
        (OWN, "macosx_11_0_x86_64", False),
        (f"{OWN}t", "manylinux_2_17_x86_64", False),  # without the interpreter's lock
        ("cp312", "manylinux_2_17_x86_64", OWN == "cp312"),
    ],
)
@pytest.mark.slow
def test_only_wheels_for_this_interpreter_and_machine_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str, platform: str, fits: bool
) -> None:
    for name in wheels.PACKAGES:
        wheel(tmp_path / "wheels", name, python=python, platform=platform)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    if fits:
        assert wheels.install([tmp_path / "wheels"])
        assert (Path(sys.path[0]) / "numba/__init__.py").is_file()
    else:
        with pytest.raises(ImportError, match="pip cannot install numba"):
            wheels.install([tmp_path / "wheels"])
        assert not list((tmp_path / "cache/ptmlops/wheels").iterdir())


def test_a_folder_without_wheels_installs_nothing(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert not wheels.install([tmp_path, tmp_path / "missing"])
