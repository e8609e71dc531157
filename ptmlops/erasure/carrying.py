"""Carry out a plan: rewrite or delete each object version that it names. Each step can be repeated, and stopped after any request."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence

from ptmlops.erasure import uploads
from ptmlops.erasure.places import RAW, place_of
from ptmlops.erasure.plan import Part, Plan, Version
from ptmlops.erasure.search import REPORTED_EVERY, versions_of
from ptmlops.erasure.stored import download, write_without
from ptmlops.target import Target

_IN_MEMORY = 16 * 1024**2  # bytes of a rewritten object; a larger one is on disk


def carry_out(target: Target, plan: Plan, renew: Callable[[], None], report: Callable[[str], None]) -> None:
    """Erase the rows of a plan. Versions that are gone were erased by an earlier call.

    Args:
        target: the deployment.
        plan: what to erase.
        renew: keeps runs waiting; called before each object.
        report: says how far it is.
    """
    by_key: dict[tuple[str, str], list[Part]] = defaultdict(list)
    for part in plan.parts:
        by_key[(part.version.bucket, part.version.key)].append(part)
    for number, ((bucket, key), parts) in enumerate(by_key.items(), start=1):
        renew()
        _erase(target, bucket, key, parts)
        if number % REPORTED_EVERY == 0 or number == len(by_key):
            report(f"{number:,} of {len(by_key):,} objects")


def _erase(target: Target, bucket: str, key: str, parts: Sequence[Part]) -> None:
    """Erase rows from all versions of an object. What is left is stored before the version with the rows is deleted."""
    present = {version.version_id: version for version in versions_of(target, bucket, key) if version.key == key}
    doomed = [part for part in parts if part.version.version_id in present]
    for part in doomed:
        # A newer version is what an interrupted call stored, or somebody else's; the next search reads it.
        if not part.deletes and (present[part.version.version_id].latest or bucket == RAW):
            _rewrite(target, part, is_latest=present[part.version.version_id].latest)
    gone = {part.version.version_id for part in doomed}
    if any(part.version.latest and part.whole for part in parts):
        _hide(target, bucket, key, gone, present)
    for part in doomed:
        if bucket == RAW and part.deletes:
            uploads.delete_items(target, part.version)
        _delete(target, part.version)
    if not any(version.key == key for version in versions_of(target, bucket, key)):
        _delete_markers(target, bucket, key)


def _rewrite(target: Target, part: Part, *, is_latest: bool) -> None:
    version = part.version
    if version.bucket == RAW and uploads.complete_rewrites(target, version):
        return
    if not is_latest:
        uploads.end_rewrite(target, version.key)
        return
    kind = place_of(version.bucket, version.key).rows
    assert kind is not None  # noqa: S101 - a plan has no other places
    with download(target, version) as stored, tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as content:
        if stored is None:
            return
        write_without(kind, stored, {table.table: table for table in part.tables}, content)
        content.seek(0, 2)
        size = content.tell()
        content.seek(0)
        if version.bucket == RAW:
            uploads.rewrite(target, version, content, size)
        else:
            uploads.store(target, version, content, size)


def _hide(target: Target, bucket: str, key: str, gone: set[str], present: dict[str, Version]) -> None:
    """Put a delete marker before the newest version is deleted, so that no older one comes to light."""
    if set(present) - gone and any(version.latest for version in present.values()):
        target.client("s3").delete_object(Bucket=target.outputs[bucket], Key=key)


def _delete(target: Target, version: Version) -> None:
    target.client("s3").delete_object(Bucket=target.outputs[version.bucket], Key=version.key, VersionId=version.version_id)


def _delete_markers(target: Target, bucket: str, key: str) -> None:
    s3, name = target.client("s3"), target.outputs[bucket]
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name, Prefix=key):
        for marker in page.get("DeleteMarkers", []):
            if marker["Key"] == key:
                s3.delete_object(Bucket=name, Key=key, VersionId=marker["VersionId"])
