"""Where numba comes from when the machine has none: wheels that fit this Python, unpacked once, and NumPy where none do."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from complaint_model import acceleration

from tests.unit.training.conftest import ROOT

OWN = f"cp{sys.version_info.major}{sys.version_info.minor}"
# Stands for numba, so that no test compiles: the kernels run as they are written.
NUMBA = "def njit(**_):\n    return lambda function: function\n"
EXTENDING = "def intrinsic(_):\n    return lambda *_: 0\n"
# A job in a Python without numba: what is printed is where the kernels' numba came from, what they count, and each warning.
JOB = """
import logging, sys
from pathlib import Path
logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stdout)
sys.modules["numba"] = None
from complaint_model import acceleration, features
acceleration.look_in(Path(sys.argv[1]))
for _ in range(2):
    document, bucket, count = features.count_features(["mi tarjeta no llegó", "no no"], reach=1, opening=0)
found = sys.modules.get("numba")
print(found.__file__ if found else "none", sorted(zip(document.tolist(), bucket.tolist(), count.tolist())))
"""


def wheel(folder: Path, name: str, python: str = OWN, platform: str = "manylinux_2_17_x86_64.manylinux_2_5_x86_64") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-{python}-{python}-{platform}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", NUMBA)
        archive.writestr(f"{name}/extending.py", EXTENDING)
        archive.writestr(f"{name}/tests/__init__.py", "")
    return path


def run(wheels: Path, home: str, temporary: Path) -> list[str]:
    temporary.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "training"), "HOME": home, "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", JOB, str(wheels)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_python_without_numba_takes_it_from_the_wheels_and_counts_the_same(tmp_path: Path) -> None:
    for name in acceleration.WHEELS:
        wheel(tmp_path / "wheels", name)
    [found] = run(tmp_path / "wheels", str(tmp_path / "home"), tmp_path / "tmp")
    warning, plain = run(tmp_path / "no wheels", str(tmp_path / "home"), tmp_path / "tmp")
    assert warning.startswith("WARNING numba is not at hand (ModuleNotFoundError): NumPy scores")
    place, _, features = found.partition(" ")
    assert plain == f"none {features}"
    assert Path(place).is_relative_to(tmp_path / "home/.cache/ptmlops/wheels")
    assert not (Path(place).parent / "tests").exists()
    # The second job finds what the first unpacked, and nothing half done lies beside it.
    assert run(tmp_path / "wheels", str(tmp_path / "home"), tmp_path / "tmp") == [found]
    assert len(list((tmp_path / "home/.cache/ptmlops/wheels").iterdir())) == 1


def test_where_the_home_cannot_be_written_wheels_and_kernels_go_to_the_temporary_folder(tmp_path: Path) -> None:
    for name in acceleration.WHEELS:
        wheel(tmp_path / "wheels", name)
    [found] = run(tmp_path / "wheels", "/dev/null", tmp_path / "tmp")
    assert found.startswith(str(tmp_path / "tmp"))


def test_wheels_of_another_python_or_without_llvmlite_are_left_alone(tmp_path: Path) -> None:
    for name in acceleration.WHEELS:
        wheel(tmp_path / "other", name, python="cp399")
    wheel(tmp_path / "half", "numba")
    for folder in ("other", "half"):
        assert run(tmp_path / folder, str(tmp_path / "home"), tmp_path / "tmp")[-1].startswith("none ")


def test_a_wheel_that_cannot_be_unpacked_or_fails_leaves_the_work_to_numpy(tmp_path: Path) -> None:
    for name in acceleration.WHEELS:
        wheel(tmp_path / "wheels", name)
    (tmp_path / "wheels" / wheel(tmp_path / "wheels", "numba").name).write_bytes(b"no archive")
    warning, _ = run(tmp_path / "wheels", str(tmp_path / "home"), tmp_path / "tmp")
    assert warning.startswith("WARNING numba is not at hand (BadZipFile)")


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        (f"numba-0.68.1-{OWN}-{OWN}-manylinux_2_5_x86_64.whl", True),
        (f"numba-0.68.1-{OWN}-{OWN}-manylinux_2_900_x86_64.manylinux_2_17_x86_64.whl", True),
        (f"numba-0.68.1-{OWN}-{OWN}-manylinux_2_900_x86_64.whl", False),  # a newer C library
        (f"numba-0.68.1-{OWN}-{OWN}-manylinux_2_17_riscv64.whl", False),
        (f"numba-0.68.1-{OWN}-{OWN}-macosx_11_0_x86_64.whl", False),
        (f"numba-0.68.1-{OWN}-{OWN}t-manylinux_2_17_x86_64.whl", False),  # without the interpreter's lock
        ("numba-0.68.1-cp312-cp312-manylinux_2_17_x86_64.whl", OWN == "cp312"),
        ("odd.whl", False),
    ],
)
def test_only_a_wheel_of_this_interpreter_and_machine_fits(name: str, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceleration.platform, "machine", lambda: "x86_64")
    assert acceleration._fits(Path(name)) is fits
