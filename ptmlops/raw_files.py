"""Object versions of the raw bucket: those of one file, and all of them in pages."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ptmlops.errors import OperatorError
from ptmlops.ledger import ObjectVersion
from ptmlops.options import command_for
from ptmlops.target import Target
from ptmlops_contracts.files import is_left_by_system


@dataclass
class Page:
    """Up to 1,000 object versions, oldest key first and newest version first.

    Attributes:
        versions: versions that can be processed.
        folders: zero-byte objects that a console makes for folders, and files that a system left in them.
        deleted: versions of a key whose newest version is a delete marker.
    """

    versions: list[ObjectVersion] = field(default_factory=list)
    folders: int = 0
    deleted: int = 0


def pages(target: Target, prefix: str = "") -> Iterator[Page]:
    """Yield the object versions of the raw bucket, page by page."""
    bucket = target.outputs["RawBucketName"]
    deleted_key = None  # the last key of a page may go on in the next
    for answer in target.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        markers = [marker["Key"] for marker in answer.get("DeleteMarkers", []) if marker["IsLatest"]]
        deleted = {deleted_key, *markers}
        page = Page()
        for item in answer.get("Versions", []):
            if (item["Key"].endswith("/") and item["Size"] == 0) or is_left_by_system(item["Key"]):
                page.folders += 1
            elif item["Key"] in deleted:
                page.deleted += 1
            else:
                page.versions.append(_version(bucket, item))
        deleted_key = max((key for key in deleted if key), default=None)
        yield page


def versions_of(target: Target, name: str, *, limit: int) -> list[ObjectVersion]:
    """Return the newest versions of a file, newest first. Deleted ones are included.

    Args:
        target: the deployment.
        name: a key in the raw bucket, or the path of a file on this machine, whose name is then the key.
        limit: how many at most.

    Raises:
        OperatorError: the raw bucket has no such file.
    """
    for key in dict.fromkeys((name, Path(name).name)):
        if key and (found := _versions_of_key(target, key, limit)):
            return found
    for whole in map(str, PurePosixPath(name).parents):
        if whole != "." and _versions_of_key(target, whole, 1):
            raise OperatorError(
                f"{name} is a part of {whole}, which was uploaded: use `{command_for(target, f'where {shlex.quote(whole)}')}`"
            )
    raise OperatorError(
        f"the raw bucket has no file '{name}': it was not uploaded, or it has expired. Upload it with `{command_for(target, 'drop FILE')}`, or "
        "name its full key"
    )


def _versions_of_key(target: Target, key: str, limit: int) -> list[ObjectVersion]:
    bucket = target.outputs["RawBucketName"]
    found: list[ObjectVersion] = []
    # Keys are in alphabetical order, so those of the key itself come before those of longer ones.
    for answer in target.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        items = answer.get("Versions", [])
        found += [_version(bucket, item) for item in items if item["Key"] == key]
        markers = answer.get("DeleteMarkers", [])
        if len(found) >= limit or any(item["Key"] != key for item in (*items, *markers)):
            break
    return found[:limit]


def _version(bucket: str, item: dict[str, Any]) -> ObjectVersion:
    return ObjectVersion(
        bucket=bucket,
        key=item["Key"],
        version_id=item["VersionId"],
        size=item["Size"],
        etag=item["ETag"].strip('"'),  # events have it without quotes
        uploaded_at=item["LastModified"],
        latest=item["IsLatest"],
    )
