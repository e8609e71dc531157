"""Code and settings as assets, built at synth: the same bytes for the same content, so nothing redeploys for nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import tempfile
from pathlib import Path

from aws_cdk import aws_s3_assets as assets
from constructs import Construct

ROOT = Path(__file__).resolve().parent.parent.parent
IGNORED = ["__pycache__", "**/__pycache__", "*.pyc"]


def source_archive(scope: Construct, construct_id: str, *, folder: Path) -> assets.Asset:
    """`folder` as sourcedir.tar.gz, the form in which SageMaker's toolkit takes code from a channel."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
                entry.size = path.stat().st_size
                entry.mode = 0o644  # owner and time stay zero: they would change the hash
                archive.addfile(entry, io.BytesIO(path.read_bytes()))
    return _file_asset(scope, construct_id, name="sourcedir.tar.gz", content=gzip.compress(raw.getvalue(), mtime=0))


def text_asset(scope: Construct, construct_id: str, *, name: str, content: str) -> assets.Asset:
    """A small text file as an asset."""
    return _file_asset(scope, construct_id, name=name, content=content.encode())


def _file_asset(scope: Construct, construct_id: str, *, name: str, content: bytes) -> assets.Asset:
    # CDK copies the file into the assembly while the asset is created, so the folder need not outlive this call.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return assets.Asset(scope, construct_id, path=str(path), asset_hash=hashlib.sha256(content).hexdigest())
