"""An assembly is used again only if nothing that it is made from has changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from local_aws import ROOT
from local_aws.assembly import INPUTS, find_or_synthesize, fingerprint


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of everything that an assembly is made from."""
    root = tmp_path / "checkout"
    root.mkdir()
    for name in INPUTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, root / name)
    (root / "build" / "wheels").mkdir(parents=True)
    return root


def test_an_assembly_is_made_once_per_environment(checkout: Path, tmp_path: Path) -> None:
    made: list[Path] = []

    def synthesize(folder: Path) -> None:
        folder.mkdir()
        (folder / "manifest.json").write_text("{}")
        made.append(folder)

    first = find_or_synthesize("local", synthesize, kept=tmp_path / "kept", root=checkout)
    again = find_or_synthesize("local", synthesize, kept=tmp_path / "kept", root=checkout)
    other = find_or_synthesize("dev", synthesize, kept=tmp_path / "kept", root=checkout)

    assert first == again != other
    assert (first / "manifest.json").is_file()
    assert len(made) == 2


def test_a_synthesis_that_fails_leaves_nothing_to_use(checkout: Path, tmp_path: Path) -> None:
    def synthesize(folder: Path) -> None:
        folder.mkdir()
        raise RuntimeError("a wrong setting")

    with pytest.raises(RuntimeError):
        find_or_synthesize("local", synthesize, kept=tmp_path / "kept", root=checkout)
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize(
    "changed",
    ["app.py", "cdk.json", "requirements.lock", "stacks/config.py", "environments/local.toml", "glue_jobs/prepare_complaints.py",
     "glue_jobs/complaints_etl/lexicon/es.toml", "lambdas/start_run/handler.py", "training/train.py", "ptmlops_contracts/keys.py",
     "training/new_module.py", "build/wheels/numba-9-py3-none-any.whl"],
)  # fmt: skip
def test_a_change_of_any_input_makes_a_new_assembly(checkout: Path, changed: str) -> None:
    before = fingerprint("local", checkout)
    path = checkout / changed
    path.write_text((path.read_text(encoding="utf-8") if path.exists() else "") + "\n", encoding="utf-8")
    assert fingerprint("local", checkout) != before


def test_bytecode_is_no_input(checkout: Path) -> None:
    before = fingerprint("local", checkout)
    (checkout / "stacks" / "__pycache__").mkdir()
    (checkout / "stacks" / "__pycache__" / "config.cpython-311.pyc").write_bytes(b"1")
    assert fingerprint("local", checkout) == before
