"""Find a person's rows in every version of every object, until a search finds nothing new."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ptmlops.erasure.formats import AGAIN, ALL, Doomed, Found, Stored
from ptmlops.erasure.formats.tables import UNREAD, is_opaque
from ptmlops.erasure.person import Person
from ptmlops.erasure.places import BUCKETS, RAW, Rows, place_of
from ptmlops.erasure.plan import Part, Version
from ptmlops.erasure.stored import downloads, rows_of
from ptmlops.target import Target
from ptmlops_contracts.words import quantity
from stacks.config import Settings

if TYPE_CHECKING:
    from complaints_etl.readers.table import Aliases

_HEAD_BYTES = 4096
REPORTED_EVERY = 50  # object versions or objects: a log of a large search stays short


@dataclass
class Result:
    """What a search found.

    Attributes:
        parts: the rows, per version.
        searched: how many versions were read.
        unreadable: those of them that are not tables or texts: what is in an image or a PDF is not found.
    """

    parts: list[Part] = field(default_factory=list)
    searched: int = 0
    unreadable: int = 0


def search(target: Target, person: Person, settings: Settings, report: Callable[[str], None]) -> Result:
    """Find the rows of a person. `person` learns from each.

    A version is read again if something was learned since it was read last: the row of an upload may have led to a record, whose id leads to
    another upload.
    """
    aliases = column_names(settings)
    versions = list(versions_with_rows(target))
    read_at: dict[tuple[str, str, str], int] = {}
    found: dict[tuple[str, str, str], Part] = {}
    unreadable: set[tuple[str, str, str]] = set()
    while waiting := [version for version in versions if read_at.get(version.name) != person.version]:
        for number, (version, stored) in enumerate(downloads(target, waiting), start=1):
            read_at[version.name] = person.version
            part, is_unreadable = _read(version, stored, person, aliases)
            found.pop(version.name, None)
            if part:
                found[version.name] = part
            if is_unreadable:
                unreadable.add(version.name)
            if number % REPORTED_EVERY == 0 or number == len(waiting):
                rows = quantity(sum(part.rows for part in found.values()), "row")
                report(f"{number:,} of {len(waiting):,} object versions, {rows}")
    return Result([found[version.name] for version in versions if version.name in found], len(versions), len(unreadable))


def column_names(settings: Settings) -> Aliases:
    """Return the names that our columns may have in uploads."""
    complaints = settings.complaints
    names: dict[str, Any] = complaints.columns.model_dump()
    return {ours: of for ours, of in names.items() if complaints.join_subject or ours != "subject"}


def versions_with_rows(target: Target) -> Iterator[Version]:
    """Yield the versions of all objects that may hold rows. Records of runs come before what was made of them."""
    later: list[Version] = []
    for bucket in BUCKETS:
        for version in versions_of(target, bucket):
            rows = place_of(bucket, version.key).rows
            if rows is None or not version.size:
                continue
            if bucket == RAW or rows is Rows.PARQUET:
                yield version
            else:
                later.append(version)
    yield from later


def versions_of(target: Target, bucket: str, prefix: str = "") -> Iterator[Version]:
    """Yield the versions of the objects of a bucket, which is named by its stack output."""
    pages = target.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=target.outputs[bucket], Prefix=prefix):
        for item in page.get("Versions", []):
            yield Version(
                bucket=bucket, key=item["Key"], version_id=item["VersionId"], size=item["Size"], latest=item["IsLatest"]
            )


def _read(version: Version, stored: Stored | None, person: Person, aliases: Aliases) -> tuple[Part | None, bool]:
    """Return the person's rows of a version, and True if it cannot be searched for rows."""
    kind = place_of(version.bucket, version.key).rows
    assert kind is not None  # noqa: S101 - only versions with rows are read
    tables: dict[str, Doomed] = {}
    hows: dict[str, dict[str, Any]] = {}
    if stored is None:
        return None, False
    try:
        _read_rows(rows_of(kind, stored, aliases, hows), person, tables)
    except ValueError:  # not what its name says: a page without its data, a Parquet file that is cut off
        if kind in (Rows.UPLOAD, Rows.LIST, Rows.LINES):
            raise  # a defect of ours: it must not cost other people's rows
        tables, hows = {}, {}
        _read_rows(rows_of(Rows.UNKNOWN, stored, aliases, hows), person, tables)
    with stored.path.open("rb") as file:
        opaque = is_opaque(file.read(_HEAD_BYTES))
    for name, table in tables.items():
        table.how = hows.get(name, hows.get("", {}))
    doomed = [table for table in tables.values() if table.units]
    if not doomed:
        unread = bool(tables) and all(table.how.get("kind") == UNREAD for table in tables.values())
        return None, unread and opaque
    return Part(version, doomed, whole=not any(table.left for table in tables.values())), False


def _read_rows(rows: Iterator[Found], person: Person, tables: dict[str, Doomed]) -> None:
    for row in rows:
        table = tables.setdefault(row.table, Doomed(row.table))
        if row.first == AGAIN:
            tables[row.table] = Doomed(row.table)
        elif row.first == ALL:
            if not table.units and person.owns(row.facts):
                person.learn(row.facts)
                table.units, table.left = [(ALL, 0)], 0
        elif person.owns(row.facts):
            person.learn(row.facts)
            table.units.append((row.first, row.size))
        else:
            table.left += 1
