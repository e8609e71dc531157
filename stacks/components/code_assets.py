"""Code and settings as assets, built at synth: the same bytes for the same content, so nothing redeploys for nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from stacks.config import SettingsError

ROOT = Path(__file__).resolve().parent.parent.parent
IMAGE_PYTHON = "cp312"  # of SageMaker's scikit-learn image 1.9-0
IGNORED = ["__pycache__", "**/__pycache__", "*.pyc"]


def source_archive(scope: Construct, construct_id: str, *, folder: Path, wheels: Sequence[Path] = ()) -> assets.Asset:
    """`folder` as sourcedir.tar.gz, the form in which SageMaker's toolkit takes code from a channel, with `wheels` in wheels/."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    members = {name: path for name, path in found.items() if "__pycache__" not in path.parts}
    members |= {f"wheels/{wheel.name}": wheel for wheel in wheels}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, path in sorted(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            entry.mode = 0o644  # owner and time stay zero: they would change the hash
            archive.addfile(entry, io.BytesIO(path.read_bytes()))
    # Wheels are packed already: packing them again takes two seconds of each synth and saves nothing.
    content = gzip.compress(raw.getvalue(), compresslevel=0 if wheels else 9, mtime=0)
    return _file_asset(scope, construct_id, name="sourcedir.tar.gz", content=content)


LOCK = ROOT / "requirements.lock"


def _pin(name: str, pins: str) -> tuple[str, str]:
    """(version, hashes) of a package in the lock file's text."""
    [(version, hashes)] = re.findall(rf"^{name}==(\S+)[^\n\\]*((?: \\\n    --hash=sha256:\w+)+)", pins, re.MULTILINE)
    return version, hashes


def pinned_requirements(names: Sequence[str], *, lock: Path = LOCK) -> str:
    """A requirements file with these packages as the lock file pins them, each with the hashes of its files."""
    pins = lock.read_text(encoding="utf-8")
    return "".join("{}=={}{}\n".format(name, *_pin(name, pins)) for name in names)


def numba_wheels(*, lock: Path = LOCK, folder: Path = ROOT / "build" / "wheels") -> list[Path]:
    """The wheels of numba that the scikit-learn image's Python takes, as `make install` fetched them.

    Raises:
        SettingsError: they are not there, or not those that the lock file pins.
    """
    remedy = "run `make install` with the package index in reach (training requires numba)"
    pins = lock.read_text(encoding="utf-8")
    wheels = []
    for name in ("llvmlite", "numba"):
        version, hashes = _pin(name, pins)
        found = sorted(folder.glob(f"{name}-{version}-{IMAGE_PYTHON}-{IMAGE_PYTHON}-manylinux*_x86_64.whl"))
        if not found:
            raise SettingsError(
                f"{name} {version} for SageMaker's Python is not in {folder.parent.name}/{folder.name}/: {remedy}"
            )
        with found[0].open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest not in hashes:
            raise SettingsError(f"{found[0].name} is not the file that {lock.name} pins: delete it, then {remedy}")
        wheels.append(found[0])
    return wheels


def text_asset(scope: Construct, construct_id: str, *, name: str, content: str) -> assets.Asset:
    """A small text file as an asset."""
    return _file_asset(scope, construct_id, name=name, content=content.encode())


def _file_asset(scope: Construct, construct_id: str, *, name: str, content: bytes) -> assets.Asset:
    # CDK copies the file into the assembly while the asset is created, so the folder need not outlive this call.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return assets.Asset(scope, construct_id, path=str(path), asset_hash=hashlib.sha256(content).hexdigest())
