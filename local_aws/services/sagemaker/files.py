"""Move inputs and outputs of jobs between S3 and folders."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from local_aws.process import download, objects
from local_aws.services.sagemaker.job import JobFailedError


def split_address(address: str) -> tuple[str, str]:
    """Return bucket and key of an `s3://` address."""
    location = urlparse(address)
    return location.netloc, location.path.lstrip("/")


def fetch_file(client: Any, address: str, target: Path) -> None:
    """Download one object."""
    download(client, *split_address(address), target)


def fetch_input(client: Any, source: Mapping[str, Any], target: Path, *, may_be_empty: bool = False) -> None:
    """Download an S3 data source into a folder.

    Args:
        client: S3 with the job's role.
        source: `S3Uri` is a prefix, an object, or the address of a manifest (`S3DataType` is `ManifestFile`).
        target: The folder, made if missing.
        may_be_empty: Whether a prefix without objects is accepted.

    Raises:
        JobFailedError: There are no objects.
    """
    target.mkdir(parents=True, exist_ok=True)
    bucket, key = split_address(source["S3Uri"])
    if source.get("S3DataType") == "ManifestFile":
        manifest = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
        for name in manifest[1:]:
            fetch_file(client, manifest[0]["prefix"] + name, target / name)
        return
    keys = objects(client, bucket, key)
    if not keys and not may_be_empty:
        raise JobFailedError(f"ClientError: no objects below {source['S3Uri']}")
    folder = key if key.endswith("/") else key.rpartition("/")[0] + "/"
    for name in keys:
        download(client, bucket, name, target / name.removeprefix(folder))


def unpack(archive: Path, target: Path) -> None:
    """Extract a tar archive, or copy a folder.

    Raises:
        JobFailedError: `archive` is neither.
    """
    target.mkdir(parents=True, exist_ok=True)
    if archive.is_dir():
        shutil.copytree(archive, target, dirs_exist_ok=True)
        return
    try:
        with tarfile.open(archive) as tar:
            # As an attribute: Python before 3.11.4 knows no filters, and later versions refuse members outside of the folder.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(target)  # noqa: S202
    except (tarfile.TarError, OSError) as error:
        raise JobFailedError(f"ClientError: {archive.name} is not a tar archive: {error}") from None


def upload_archive(client: Any, folder: Path, address: str) -> None:
    """Upload a folder's content as one .tar.gz."""
    archive = folder.with_name(folder.name + ".tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    client.upload_file(str(archive), *split_address(address))


def upload_tree(client: Any, folder: Path, address: str) -> None:
    """Upload a folder's files below an address."""
    bucket, prefix = split_address(address)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = "/".join(filter(None, (prefix.rstrip("/"), path.relative_to(folder).as_posix())))
            client.upload_file(str(path), bucket, key)
