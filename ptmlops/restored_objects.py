"""Bring objects of a bucket back to a time, from the versions that the bucket keeps.

A deleted object comes back by removing its delete markers: it keeps its version, so the ledger still knows it and no run starts. An
overwritten object comes back as a copy of its old version: nothing is lost, and a file in the raw bucket is processed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from ptmlops.target import Target

# The bucket's name on the command line, and the stack output that has the bucket.
BUCKETS = {
    "raw": "RawBucketName",
    "prepared": "PreparedBucketName",
    "models": "ModelsBucketName",
    "output": "OutputBucketName",
}
LARGEST_COPY = 5 * 1024**3  # CopyObject copies so much in one request, with metadata and tags
SHOWN = 1000


@dataclass(frozen=True)
class Version:
    """One version of an object, or a delete marker."""

    key: str
    version_id: str
    modified: datetime
    is_latest: bool
    is_marker: bool


@dataclass(frozen=True)
class Change:
    """What brings one object back: delete markers to remove, or else an old version to copy."""

    version: Version
    markers: tuple[str, ...] = ()


@dataclass
class Plan:
    """The changes of a bucket, and how many objects need none."""

    bucket: str
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    newer: int = 0

    @property
    def deleted(self) -> list[Change]:
        """The objects that were deleted since."""
        return [change for change in self.changes if change.markers]

    @property
    def overwritten(self) -> list[Change]:
        """The objects that were overwritten since."""
        return [change for change in self.changes if not change.markers]

    def counts(self) -> dict[str, int]:
        """Return the numbers of objects by what is done with them."""
        return {
            "deleted": len(self.deleted), "overwritten": len(self.overwritten), "unchanged": self.unchanged, "newer": self.newer,
        }  # fmt: skip


def plan(target: Target, bucket: str, to: datetime, prefix: str = "") -> Plan:
    """Compare the objects under a prefix with those at a time. Objects that did not exist then are left as they are.

    Args:
        target: The environment.
        bucket: A key of `BUCKETS`.
        to: The time, with a time zone.
        prefix: Only objects whose keys begin so.
    """
    found = Plan(target.outputs[BUCKETS[bucket]])
    for _, group in groupby(_versions(target, found.bucket, prefix), key=lambda version: version.key):
        # Newest first. The order of versions within a second is S3's: the latest comes first.
        versions = sorted(group, key=lambda version: (version.modified, version.is_latest), reverse=True)
        then = next((version for version in versions if version.modified <= to), None)
        since = versions[: versions.index(then)] if then else []
        if then is None or then.is_marker:
            found.newer += not versions[0].is_marker
        elif not since:
            found.unchanged += 1
        elif all(version.is_marker for version in since):
            found.changes.append(Change(then, tuple(marker.version_id for marker in since)))
        else:
            found.changes.append(Change(then))
    return found


def carry_out(target: Target, wanted: Plan, report: Callable[[str], None]) -> None:
    """Bring the objects of a plan back."""
    from boto3.s3.transfer import TransferConfig

    s3, whole = target.client("s3"), TransferConfig(multipart_threshold=LARGEST_COPY)
    for number, change in enumerate(wanted.changes, start=1):
        key, version = change.version.key, change.version.version_id
        for marker in change.markers:
            s3.delete_object(Bucket=wanted.bucket, Key=key, VersionId=marker)
        if not change.markers:
            source = {"Bucket": wanted.bucket, "Key": key, "VersionId": version}
            s3.copy(source, wanted.bucket, key, Config=whole)
        if number % SHOWN == 0 or number == len(wanted.changes):
            report(f"{number:,} of {len(wanted.changes):,} objects")


def _versions(target: Target, bucket: str, prefix: str) -> Iterator[Version]:
    """Yield versions and delete markers. Those of one key follow each other, also across pages."""
    pages = target.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        entries: list[tuple[Any, bool]] = [(entry, False) for entry in page.get("Versions", [])]
        entries += [(entry, True) for entry in page.get("DeleteMarkers", [])]
        for entry, is_marker in sorted(entries, key=lambda pair: pair[0]["Key"]):
            yield Version(entry["Key"], entry["VersionId"], entry["LastModified"], entry["IsLatest"], is_marker)
